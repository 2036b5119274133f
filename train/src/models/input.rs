//! What models are fed with: kinds, shapes, and the tensors themselves.

use burn::tensor::{FloatDType, Tensor};

/// How a waveform's samples are scaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaveformKind {
    /// 16 bits, normalized with the training set's statistics.
    Normalized,
    /// Rounded to 8 bits, in [-1, 1), not normalized.
    Pcm8,
}

/// Which spectrogram, and how large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpectrogramKind {
    /// The data set's mel spectrogram in dB below the clip's maximum, normalized per band: `[n_mels, frames]`.
    Mel,
    /// The power spectral density of the 8-bit samples as `scipy.signal.spectrogram` makes it, clamped at 512 and scaled
    /// to [0, 1]: `[129, (samples - 32) / 224]`.
    Psd,
    /// The mel spectrogram as an image: its 80 dB (`top_db`) scaled to [0, 1], resized.
    Image { height: usize, width: usize },
}

/// What a model is fed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputKind {
    /// `[batch, 1, samples]`.
    pub waveform: Option<WaveformKind>,
    /// `[batch, 1, rows, columns]`.
    pub spectrogram: Option<SpectrogramKind>,
    /// Moments of whole tracks' MFCC or chroma, `[batch, values]`, normalized.
    pub statistics: bool,
}

impl InputKind {
    pub const NONE: Self = Self {
        waveform: None,
        spectrogram: None,
        statistics: false,
    };

    /// Whether samples are rounded to 8 bits.
    pub fn is_pcm8(self) -> bool {
        self.waveform == Some(WaveformKind::Pcm8) || self.spectrogram == Some(SpectrogramKind::Psd)
    }

    /// Whether the spectrogram is an image.
    pub fn is_image(self) -> bool {
        matches!(self.spectrogram, Some(SpectrogramKind::Image { .. }))
    }

    /// Whether no clip is looked at, only whole tracks' statistics.
    pub fn is_statistics_only(self) -> bool {
        self.waveform.is_none() && self.spectrogram.is_none()
    }

    /// Whether the data set's mel spectrogram is wanted.
    pub fn has_mel(self) -> bool {
        matches!(
            self.spectrogram,
            Some(SpectrogramKind::Mel | SpectrogramKind::Image { .. })
        )
    }

    /// In words, for `train models`.
    pub fn describe(self) -> String {
        let waveform = self.waveform.map(|kind| match kind {
            WaveformKind::Normalized => "waveform".to_owned(),
            WaveformKind::Pcm8 => "8-bit waveform".to_owned(),
        });
        let spectrogram = self.spectrogram.map(|kind| match kind {
            SpectrogramKind::Mel => "mel".to_owned(),
            SpectrogramKind::Psd => "power density".to_owned(),
            SpectrogramKind::Image { height, width } => format!("{height}x{width} mel image"),
        });
        let statistics = self.statistics.then(|| "MFCC moments".to_owned());
        let parts: Vec<String> = [waveform, spectrogram, statistics].into_iter().flatten().collect();
        parts.join(" and ")
    }
}

/// The size of one clip's input. Parts that the model's [`InputKind`] does not ask for are zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InputShape {
    /// Samples of the waveform.
    pub samples: usize,
    /// Rows (frequencies, low ones first) and columns (time) of the spectrogram.
    pub spectrogram: [usize; 2],
    pub statistics: usize,
}

/// A batch on the device, with what the model's [`InputKind`] asks for.
#[derive(Clone, Debug)]
pub struct ModelInput {
    /// `[batch, 1, samples]`.
    pub waveform: Option<Tensor<3>>,
    /// `[batch, 1, rows, columns]`.
    pub spectrogram: Option<Tensor<4>>,
    /// `[batch, values]`.
    pub statistics: Option<Tensor<2>>,
}

const MISSING: &str = "the loader gives what the model's InputKind asks for";

impl ModelInput {
    /// In numbers of another type, which the encoders then compute in. Statistics, which go into dense layers, stay f32.
    pub fn cast(self, dtype: FloatDType) -> Self {
        Self {
            waveform: self.waveform.map(|tensor| tensor.cast(dtype)),
            spectrogram: self.spectrogram.map(|tensor| tensor.cast(dtype)),
            statistics: self.statistics,
        }
    }

    /// The waveform.
    ///
    /// # Panics
    /// When there is none: the model's [`InputKind`] did not ask for it.
    pub fn waveform(&self) -> Tensor<3> {
        self.waveform.clone().expect(MISSING)
    }

    /// The spectrogram.
    ///
    /// # Panics
    /// When there is none: the model's [`InputKind`] did not ask for it.
    pub fn spectrogram(&self) -> Tensor<4> {
        self.spectrogram.clone().expect(MISSING)
    }

    /// The statistics.
    ///
    /// # Panics
    /// When there are none: the model's [`InputKind`] did not ask for them.
    pub fn statistics(&self) -> Tensor<2> {
        self.statistics.clone().expect(MISSING)
    }
}
