//! The results of a run: `metrics.json`, tables, pictures and HTML pages.
//!
//! They are written from the run's settings, history and evaluation; nothing here trains or evaluates. Only
//! `metrics.json` is read again. Pictures and pages draw their charts with the same functions of [`shared::page`].

mod confusion;
mod curves;
pub mod html;
pub mod published;
mod ranking;
mod run_metrics;
mod set_files;
pub mod reported_metric;
mod tag_curves;
mod tag_table;
pub mod tensorboard;
mod write;

use set_files::set_name;

pub use run_metrics::{METRICS_FILE, RunMetrics, read_metrics, write_ending, write_intervals};
pub use set_files::{remove_sets, set_files};
pub use write::{CURVES_FILE, write_curves, write_page, write_set, write_validation};
