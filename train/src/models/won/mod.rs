//! The networks that Won et al. 2020 ("Evaluation of CNN-based automatic music tagging models") compare on one split of
//! MagnaTagATune: 16 kHz, PyTorch's layers and defaults.
//!
//! Mel models take the power spectrogram's 96 or 128 HTK bands in absolute decibels, `10 log10(max(x, 1e-10))`, and
//! their first layer is a batch norm over this one channel. The others take samples in [-1, 1]. So no other
//! normalization is needed, and `--normalize` defaults to none.
//!
//! Where the networks reduce a clip to one step, longer clips give several, of which the maximum is used, as in the
//! authors' short-chunk CNNs.
//!
//! The paper trains with Adam for 80 epochs, and then with SGD and Nesterov momentum, from the best epoch so far, at
//! rates of 1e-3, 1e-4 and 1e-5, up to epoch 200. Here Adam runs for all epochs: a run has one optimizer.

mod blocks;
mod crnn;
mod fcn;
mod harmonic;
mod harmonic_stft;
mod musicnn;
mod names;
mod numpy_random;
mod sample_level;
mod self_attention;
mod short_chunk;
#[cfg(test)]
mod tests;
mod transformer;

pub use blocks::{ConvBlock2d, Residual2d};
pub use crnn::{WON_CRNN, WonCrnn};
pub use fcn::{WON_FCN, WonFcn};
pub use harmonic::{HARMONIC_CNN, HarmonicCnn};
pub use musicnn::{MUSICNN, MUSICNN_MSD, Musicnn};
pub use sample_level::{SAMPLE_LEVEL, SAMPLE_LEVEL_SE, SampleLevel, SampleLevelSe};
pub use self_attention::{SELF_ATTENTION, SelfAttentionCnn};
pub use short_chunk::{SHORT_CHUNK, SHORT_CHUNK_RES, ShortChunk};

use super::definition::{Defaults, Description, PublishedFeatures, PytorchNames};
use super::input::{InputKind, InputShape, SpectrogramKind, WaveformKind};
use shared::dataset::Task;

/// Samples between two frames of a spectrogram.
const HOP: usize = 256;

/// The paper's feature settings with 96 and with 128 mel bands. Networks on waveforms need only their sample rate.
const MEL_96: &str = "won";
const MEL_128: &str = "won-128";

/// The part of a description that the networks have in common. Each replaces the other fields.
const COMMON: Description = Description {
    name: "",
    paper: "nine networks for music tagging, MagnaTagATune",
    summary: "",
    input: InputKind::NONE,
    defaults: Defaults {
        lr: 1e-4,
        batch_size: 16,
        epochs: 200,
        patience: 0,
        weight_decay: 1e-4,
        dropout: 0.5,
        ..Defaults::USUAL
    },
    accepts: |_| Ok(()),
    usual_shape: InputShape {
        samples: 0,
        spectrogram: [0, 0],
        statistics: 0,
    },
    paper_seconds: None,
    classifier: "head.dense2.",
    pytorch: PytorchNames {
        renames: names::RENAMES,
        // The window and the filter bank of the authors' spectrogram layers.
        ignored: &["spec.", "hstft.spec."],
    },
    newly_initialized: &[],
    follows: None,
    needs_weights: false,
    normalizes_input: true,
    task: Task::MultiLabel,
    features: None,
};

/// A network on the mel spectrogram of clips of `samples` samples.
const fn on_mel(samples: usize, bands: usize) -> Description {
    Description {
        input: InputKind {
            spectrogram: Some(SpectrogramKind::Mel),
            ..InputKind::NONE
        },
        usual_shape: InputShape {
            samples,
            // Frames are centred on multiples of the hop, with one at the clip's end.
            spectrogram: [bands, 1 + samples / HOP],
            statistics: 0,
        },
        paper_seconds: Some(samples as f64 / 16_000.0),
        features: Some(PublishedFeatures {
            preset: if bands == 96 { MEL_96 } else { MEL_128 },
            clip_samples: samples,
        }),
        ..COMMON
    }
}

/// A network on clips of `samples` samples.
const fn on_waveform(samples: usize) -> Description {
    Description {
        input: InputKind {
            waveform: Some(WaveformKind::Normalized),
            ..InputKind::NONE
        },
        usual_shape: InputShape {
            samples,
            spectrogram: [0, 0],
            statistics: 0,
        },
        paper_seconds: Some(samples as f64 / 16_000.0),
        features: Some(PublishedFeatures {
            preset: MEL_96,
            clip_samples: samples,
        }),
        ..COMMON
    }
}
