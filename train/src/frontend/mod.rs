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
    /// On a GPU, unless mel spectrograms of unchanged samples can be cut out of the stored ones, on the host.
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
        let is_cut = input.is_cut_from_stored_mel(features) && !augment.changes_samples();
        match self {
            Self::Auto => !on_cpu && !is_cut && DeviceFrontEnd::supports(augment, input),
            Self::Host => false,
            Self::Device => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::ModelKind;
    use shared::dsp::features::PadMode;

    #[test]
    fn stored_spectrograms_are_cut_on_the_host_and_all_else_is_computed_on_a_gpu() {
        let (stored, reflect) = (
            FeatureConfig::default(),
            FeatureConfig {
                pad_mode: PadMode::Reflect,
                ..FeatureConfig::default()
            },
        );
        let (none, noise) = (Augment::NONE, Augment::NOISE_AND_STRETCH);
        for (kind, augment, features, on_gpu) in [
            (ModelKind::Crnn, none, &stored, false),
            (ModelKind::MmCrnn, none, &stored, false),
            (ModelKind::Cnn1d, none, &stored, true),
            (ModelKind::Crnn, none, &reflect, true),
            (ModelKind::Crnn, noise, &stored, true),
            (ModelKind::MmCrnn, noise, &stored, true),
            // The device does not compute power densities.
            (ModelKind::Crnn2dGru, noise, &stored, false),
        ] {
            let input = kind.description().input;
            let is_device = |on_cpu| FrontEndPlace::Auto.is_device(on_cpu, augment, input, features);
            assert_eq!((is_device(false), is_device(true)), (on_gpu, false), "{kind}");
        }
    }
}
