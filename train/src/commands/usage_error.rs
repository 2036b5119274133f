//! Errors in arguments.

use crate::settings::InvalidSetting;
use crate::settings::device::DeviceError;
use crate::sweep::SpecificationError;

/// Invalid arguments, as opposed to a command that failed.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// A setting is missing or invalid.
    #[error(transparent)]
    Setting(#[from] InvalidSetting),
    /// A device name is invalid.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The specification of a sweep is invalid.
    #[error(transparent)]
    Sweep(#[from] SpecificationError),
    /// The settings file is invalid.
    #[error("{path}: {detail}")]
    ConfigFile {
        path: String,
        /// The reason.
        detail: String,
    },
}
