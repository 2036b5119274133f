//! Divides the tracks of a data set into train, val and test, and writes the lists, the audit and the normalization:
//! one split, or k splits for cross-validation. The first becomes the current split.
//!
//! Only the tables and the per-track sums are read, no shard. This takes milliseconds, so it can run from cron while
//! others train.

pub(crate) mod audit;
mod balance;
mod carry;
mod cross_validation;
mod divided;
mod export;
mod from_file;
mod gained;
mod grouped;
mod groups;
mod iterative;
mod lock;
mod missing;
mod prune;
mod ratios;
mod shared_file;
mod single;
mod strategy;
mod stratified;
#[cfg(test)]
pub(crate) mod testing;
mod warnings;

pub use carry::{carry_over, copy_all};
pub use cross_validation::{FoldsConfig, FoldsReport, make_folds};
pub(crate) use divided::count;
pub use export::{ExportConfig, ExportReport, export};
pub use from_file::{FromFileConfig, FromFileReport, make_from_file};
pub use gained::GainedTracks;
pub use groups::GroupBy;
pub(crate) use lock::lock_for_reading;
pub use missing::missing;
pub use prune::prune;
pub use ratios::Ratios;
pub use single::{SplitConfig, SplitReport, make};
pub use strategy::{Method, Strategy};

#[cfg(test)]
mod tests;
