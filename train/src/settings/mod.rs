//! What a person may set: as typed, in flags and a TOML file, and as resolved, complete and checked.
//!
//! [`Settings`] are all optional; [`Settings::resolve`] makes a [`RunConfig`] of them, which is saved in the run's directory
//! before work starts and read back by `eval` and `--resume`.

mod cache;
pub mod device;
mod invalid;
mod list;
#[cfg(test)]
mod page;
pub mod precision;
mod run_config;
mod template;

pub use cache::Cache;
pub use invalid::{InvalidSetting, invalid};
pub use list::{LARGEST_INTEGER, RunConfig, Settings};
pub use run_config::MOST_THREADS;
pub use template::template;

#[cfg(test)]
mod tests;
