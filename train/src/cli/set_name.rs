//! The values of `--set`.

use clap::ValueEnum;
use shared::dataset::split::Set;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SetName {
    /// The training set, without augmentation
    Train,
    /// The validation set
    Val,
    /// The test set
    Test,
}

impl From<SetName> for Set {
    fn from(name: SetName) -> Self {
        match name {
            SetName::Train => Self::Train,
            SetName::Val => Self::Val,
            SetName::Test => Self::Test,
        }
    }
}
