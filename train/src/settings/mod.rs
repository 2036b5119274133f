//! The settings of a run, from flags and a TOML file.
//!
//! All fields of [`Settings`] are optional. [`Settings::resolve`] turns them into a complete, checked [`RunConfig`],
//! which is saved in the run's directory before training begins and read back by `eval` and `--resume`.

mod cache;
mod combination;
pub mod device;
mod invalid;
mod list;
#[cfg(test)]
mod page;
pub mod precision;
mod run_config;
mod template;

pub use cache::Cache;
pub use combination::{Combination, STATISTICS};
pub use invalid::{InvalidSetting, invalid};
pub use list::{LARGEST_INTEGER, RunConfig, Settings, cores};
pub use run_config::MOST_THREADS;
pub use template::template;

#[cfg(test)]
mod tests;
