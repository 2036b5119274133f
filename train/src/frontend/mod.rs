//! From a clip's plan to normalized model input.
//!
//! On the host the loader threads do it, with the same signal processing that built the shards. On the device whole
//! batches are made of raw samples, in tensor operations.

mod background;
mod device;
mod host;
mod image;
mod normalize;
mod spectrogram;
mod stage_times;
mod statistics;
#[cfg(test)]
mod testing;

pub use background::{Background, BackgroundError};
pub use device::{DeviceFrontEnd, UnsupportedFeatures};
pub use host::{ClipOutput, HostFrontEnd, HostScratch, HostSetup, Track};
pub(crate) use normalize::check_vectors;
pub use normalize::{Normalize, VectorError, VectorScaler};
pub use stage_times::{StageTimes, timed};
pub use statistics::StatisticsKind;

use crate::augment::Augment;
use crate::models::InputKind;
use serde::{Deserialize, Serialize};

/// Where training clips become model input. Clips of the other sets are not augmented, and always made on the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum FrontEndPlace {
    /// On a GPU where there is one and something to compute, else on the host.
    #[default]
    Auto,
    /// In the loader's threads.
    Host,
    /// On the device, of samples uploaded as they lie in the shards.
    Device,
}

impl FrontEndPlace {
    /// Whether it is the device. A mel spectrogram that can be cut out of a stored one is not worth computing.
    pub fn is_device(self, on_cpu: bool, augment: Augment, input: InputKind) -> bool {
        let worth_it = augment.changes_samples() || input.waveform.is_some();
        match self {
            Self::Auto => !on_cpu && worth_it && DeviceFrontEnd::supports(augment, input),
            Self::Host => false,
            Self::Device => true,
        }
    }
}
