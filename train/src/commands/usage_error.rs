//! Mistakes in arguments.

use crate::settings::InvalidSetting;
use crate::settings::device::DeviceError;
use crate::sweep::SpecificationError;

/// A mistake in the arguments, as opposed to work that failed.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// A setting is missing or impossible.
    #[error(transparent)]
    Setting(#[from] InvalidSetting),
    /// A device's name is none.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// What is to be swept cannot be.
    #[error(transparent)]
    Sweep(#[from] SpecificationError),
    /// The settings file is not one.
    #[error("{path}: {detail}")]
    ConfigFile {
        path: String,
        /// What is wrong with it.
        detail: String,
    },
}
