//! Which tracks are trained on, and which validated and tested on: divides the tracks of a data set and writes the three
//! lists, the audit and the normalization, or K of them for cross-validation. The first becomes the current split.
//!
//! Only the tables and the per-track sums are read, no shard, so this takes milliseconds and can run from cron while
//! others train.

pub(crate) mod audit;
mod balance;
mod carry;
mod cross_validation;
mod divided;
mod grouped;
mod groups;
mod iterative;
mod lock;
mod missing;
mod prune;
mod ratios;
mod single;
mod strategy;
mod stratified;
#[cfg(test)]
pub(crate) mod testing;
mod warnings;

pub use carry::{carry_over, copy_all};
pub use cross_validation::{FoldsConfig, FoldsReport, make_folds};
pub(crate) use divided::count;
pub use groups::GroupBy;
pub use missing::missing;
pub use prune::prune;
pub use ratios::Ratios;
pub use single::{SplitConfig, SplitReport, make};
pub use strategy::{Method, Strategy};

#[cfg(test)]
mod tests;
