//! The commands: each resolves and checks its arguments, does its work, and reports the outcome. Their arguments are
//! defined in [`crate::cli`].

mod bench;
mod calibrate;
mod config;
mod devices;
mod eval;
mod eval_ensemble;
mod eval_run;
mod eval_set;
mod export;
mod embed;
mod embed_files;
mod embed_source;
mod fit;
mod fit_run;
mod fit_set;
mod import;
mod imported;
mod labels;
mod lr_find;
mod members_table;
mod models;
mod output_file;
mod predict;
mod predictions_table;
mod report;
mod similar;
mod sweep;
mod timeline;
mod usage_error;

pub use bench::run_bench;
pub use config::run_config;
pub use devices::run_devices;
pub use embed::run_embed;
pub use eval::run_eval;
pub use export::run_export;
pub use fit::run_fit;
pub use import::run_import;
pub use lr_find::run_lr_find;
pub use models::run_models;
pub use predict::run_predict;
pub use report::run_report;
pub(crate) use shared::runtime::outcome::{Incomplete, Outcome};
pub use similar::run_similar;
pub use sweep::run_sweep;
pub use usage_error::UsageError;
