//! Combined runs: the mean of several runs (an ensemble), or a classifier on the embeddings of several networks.
//!
//! A combined run is a run directory like any other, except that it has no network of its own. Its members are complete
//! copies in `RUN/members/0`, `RUN/members/1`, …, so the original runs may be removed. [`RunModel`] is what any run
//! predicts with; [`RunOnData`] evaluates it on the tracks of a data set, and [`crate::predict`] on files.

mod calibrate;
mod evaluate;
mod network;
mod run_model;
mod save;

pub use calibrate::calibrate;
pub use evaluate::{DataOptions, RunOnData, classified, same_tracks};
pub use network::{NetworkOnData, NetworkSource, load_network};
pub use run_model::{Parts, RunModel};
pub use save::{save_classifier, save_ensemble};
