//! Computes normalized model input from a clip's plan.
//!
//! On the host, the loader threads compute clips with the signal processing that built the shards. On the device,
//! tensor operations compute whole batches from raw samples.

mod background;
mod device;
mod host;
mod image;
mod normalize;
mod spec_augment;
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
use shared::dsp::features::FeatureConfig;

/// Where training clips become model input. Clips of the other sets are not augmented, and always computed on the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum FrontEndPlace {
    /// On a GPU for waveforms, changed samples and reflect padding, else on the host.
    #[default]
    Auto,
    /// In the loader's threads.
    Host,
    /// On the device, from raw samples.
    Device,
}

impl FrontEndPlace {
    /// Whether to use the device. `Auto` does not compute a mel spectrogram that can be cut out of the stored one.
    pub fn is_device(self, on_cpu: bool, augment: Augment, input: InputKind, features: &FeatureConfig) -> bool {
        let computed = input.has_mel() && !input.is_cut_from_stored_mel(features);
        let worth_it = augment.changes_samples() || input.waveform.is_some() || computed;
        match self {
            Self::Auto => !on_cpu && worth_it && DeviceFrontEnd::supports(augment, input),
            Self::Host => false,
            Self::Device => true,
        }
    }
}
