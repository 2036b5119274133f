//! A data set that was opened for one run: its split, statistics and labels, its check, its copy on a local disk.
//!
//! What a network makes of the clips is not known here.

pub mod clips;
pub mod error;
pub mod feature_check;
pub mod front_end_record;
pub mod integrity;
pub mod local_copy;
pub mod preparation;
pub mod run_data;
mod track_statistics;
