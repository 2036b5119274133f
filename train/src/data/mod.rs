//! A data set opened for one run: its split, statistics and labels, its integrity check, its local copy.

pub mod clips;
pub mod error;
pub mod feature_check;
pub mod front_end_record;
pub mod integrity;
pub mod local_copy;
pub mod preparation;
pub mod run_data;
mod track_statistics;
