//! What a run leaves for people and scripts: `metrics.json`, tables, pictures and pages.
//!
//! Files in the run's directory are written from its settings, history and evaluation. The pictures are the charts of the page,
//! drawn by the same functions of [`shared::page`]. Nothing here trains or evaluates, and nothing here is read back except
//! `metrics.json`.

mod confusion;
mod curves;
pub mod html;
mod ranking;
mod run_metrics;
mod set_files;
pub mod reported_metric;
mod tag_curves;
mod tag_table;
pub mod tensorboard;
mod write;

use set_files::set_name;

pub use run_metrics::{METRICS_FILE, RunMetrics, read_metrics, write_ending};
pub use set_files::{remove_sets, set_files};
pub use write::{CURVES_FILE, write_curves, write_page, write_set, write_validation};
