//! Splits of a data set: `splits/<name>/` with the three lists, `split.json` and `normalization.json`, and
//! `splits/current`, which names the current one.
//!
//! [`Split`] is read into memory completely, and written as a directory atomically. `preprocess` decides how tracks are
//! divided.

mod error;
mod files;
mod folds;
mod index;
mod set;
#[expect(clippy::module_inception, reason = "the type that the module is named after")]
mod split;

pub use error::SplitError;
pub use files::{
    CURRENT_FILE, NORMALIZATION_FILE, SPLIT_FILE, SPLITS_DIRECTORY, check_name, current, directory, is_allowed_in_name,
    names, set_current,
};
pub use folds::folds;
pub use index::{FORMAT_VERSION, Fold, Leak, LeakAudit, SplitIndex};
pub use set::{Set, SplitRow};
pub use split::Split;

#[cfg(test)]
mod round_trips;
#[cfg(test)]
mod tests;
