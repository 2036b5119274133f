//! Inputs of models: kinds, shapes, and tensors.

use burn::tensor::{FloatDType, Tensor};
use shared::dsp::features::{FeatureConfig, PadMode};

/// How a waveform's samples are scaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaveformKind {
    /// 16-bit samples, normalized with the training set's statistics.
    Normalized,
    /// Quantised to 8 bits, in [-1, 1), not normalized.
    Pcm8,
}

/// Kind of spectrogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpectrogramKind {
    /// The data set's mel spectrogram in dB, by default relative to the clip's maximum, normalized per band: `[n_mels,
    /// frames]`.
    Mel,
    /// The power spectral density of the 8-bit samples as in `scipy.signal.spectrogram`, clamped at 512 and scaled to
    /// [0, 1]: `[129, (samples - 32) / 224]`.
    Psd,
    /// The mel spectrogram as an image: the 80 dB (`top_db`) below the clip's maximum scaled to [0, 1], then resized.
    Image { height: usize, width: usize },
}

/// Inputs that a model takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputKind {
    /// `[batch, 1, samples]`.
    pub waveform: Option<WaveformKind>,
    /// `[batch, 1, rows, columns]`.
    pub spectrogram: Option<SpectrogramKind>,
    /// Statistics of whole tracks' MFCCs or chroma, `[batch, values]`, normalized.
    pub statistics: bool,
}

impl InputKind {
    pub const NONE: Self = Self {
        waveform: None,
        spectrogram: None,
        statistics: false,
    };

    /// Whether samples are quantised to 8 bits.
    pub fn is_pcm8(self) -> bool {
        self.waveform == Some(WaveformKind::Pcm8) || self.spectrogram == Some(SpectrogramKind::Psd)
    }

    /// Whether the spectrogram is an image.
    pub fn is_image(self) -> bool {
        matches!(self.spectrogram, Some(SpectrogramKind::Image { .. }))
    }

    /// Whether the model takes only whole tracks' statistics and no clips.
    pub fn is_statistics_only(self) -> bool {
        self.waveform.is_none() && self.spectrogram.is_none()
    }

    /// Whether the model takes the data set's mel spectrogram.
    pub fn has_mel(self) -> bool {
        matches!(
            self.spectrogram,
            Some(SpectrogramKind::Mel | SpectrogramKind::Image { .. })
        )
    }

    /// Whether clips without augmentation are cut out of the stored mel spectrogram. With reflect padding they are not,
    /// because a clip's first and last frames differ from the track's.
    pub fn is_cut_from_stored_mel(self, features: &FeatureConfig) -> bool {
        self.has_mel() && features.pad_mode == PadMode::Constant
    }

    /// Name and shape of each input of a clip, in the order of [`ModelInput`].
    pub fn shapes(self, shape: &InputShape) -> Vec<(&'static str, Vec<usize>)> {
        let [rows, columns] = shape.spectrogram;
        let waveform = self.waveform.map(|_| ("waveform", vec![1, shape.samples]));
        let spectrogram = self.spectrogram.map(|_| ("spectrogram", vec![1, rows, columns]));
        let statistics = self.statistics.then(|| ("statistics", vec![shape.statistics]));
        [waveform, spectrogram, statistics].into_iter().flatten().collect()
    }

    /// In words, for `train models`.
    pub fn describe(self) -> String {
        let waveform = self.waveform.map(|kind| match kind {
            WaveformKind::Normalized => "waveform".to_owned(),
            WaveformKind::Pcm8 => "8-bit waveform".to_owned(),
        });
        let spectrogram = self.spectrogram.map(|kind| match kind {
            SpectrogramKind::Mel => "mel".to_owned(),
            SpectrogramKind::Psd => "power spectral density".to_owned(),
            SpectrogramKind::Image { height, width } => format!("{height}x{width} mel image"),
        });
        let statistics = self.statistics.then(|| "MFCC statistics".to_owned());
        let parts: Vec<String> = [waveform, spectrogram, statistics].into_iter().flatten().collect();
        parts.join(" and ")
    }
}

/// The shape of one clip's input. Inputs that the model does not take are zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InputShape {
    /// Samples of the waveform.
    pub samples: usize,
    /// Rows (frequencies, low ones first) and columns (time) of the spectrogram.
    pub spectrogram: [usize; 2],
    pub statistics: usize,
}

/// A batch of model input on the device.
#[derive(Clone, Debug)]
pub struct ModelInput {
    /// `[batch, 1, samples]`.
    pub waveform: Option<Tensor<3>>,
    /// `[batch, 1, rows, columns]`.
    pub spectrogram: Option<Tensor<4>>,
    /// `[batch, values]`.
    pub statistics: Option<Tensor<2>>,
}

const MISSING: &str = "the loader provides the inputs of the model's InputKind";

impl ModelInput {
    /// Converts waveform and spectrogram to the dtype that the encoders compute in. Statistics feed dense layers and
    /// stay f32.
    pub fn cast(self, dtype: FloatDType) -> Self {
        Self {
            waveform: self.waveform.map(|tensor| tensor.cast(dtype)),
            spectrogram: self.spectrogram.map(|tensor| tensor.cast(dtype)),
            statistics: self.statistics,
        }
    }

    /// # Panics
    /// Panics if the model's [`InputKind`] has no waveform.
    pub fn waveform(&self) -> Tensor<3> {
        self.waveform.clone().expect(MISSING)
    }

    /// # Panics
    /// Panics if the model's [`InputKind`] has no spectrogram.
    pub fn spectrogram(&self) -> Tensor<4> {
        self.spectrogram.clone().expect(MISSING)
    }

    /// # Panics
    /// Panics if the model's [`InputKind`] has no statistics.
    pub fn statistics(&self) -> Tensor<2> {
        self.statistics.clone().expect(MISSING)
    }
}
