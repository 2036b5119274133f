//! The spectrogram of one clip in the form its model takes: mel in dB, power spectral density, or an image.

use super::image::{ResizeScratch, resize_bilinear, transform};
use super::normalize::{Normalize, min_max};
use crate::augment::ImagePlan;
use crate::models::SpectrogramKind;
use half::slice::HalfFloatSliceExt;
use ndarray::ArrayViewMut2;
use shared::dataset::shard::MelView;
use shared::dataset::statistics::Normalization;
use shared::dsp::decibel::{self, DecibelScale};
use shared::dsp::features::{DbReference, FeatureConfig, PadMode};
use shared::dsp::mel::{MelScratch, MelSpectrogram};
use shared::dsp::pcm8::PCM8_FULL_SCALE;
use shared::dsp::psd::{PSD_BINS, PsdScratch, PsdSpectrogram, clamp_to_unit};

/// Densities are clipped to this and scaled to 1, as in paper 2.
const PSD_MAXIMUM: f32 = 512.0;

/// Computes spectrograms. Built once per run and shared by all loader threads.
#[derive(Debug)]
pub struct SpectrogramMaker {
    kind: SpectrogramKind,
    features: FeatureConfig,
    mel: MelSpectrogram,
    decibels: DecibelScale,
    psd: PsdSpectrogram,
    normalize: Normalize,
    mean: Vec<f32>,
    scale: Vec<f32>,
}

/// One loader thread's working memory.
#[derive(Debug, Default)]
pub struct SpectrogramScratch {
    mel: MelScratch,
    psd: PsdScratch,
    resize: ResizeScratch,
    steps: Vec<f32>,
    decibels: Vec<f32>,
    image: Vec<f32>,
}

/// The decibels of a model's input. Those of an image are always relative to the clip's maximum.
fn decibel_scale(kind: SpectrogramKind, features: &FeatureConfig) -> DecibelScale {
    let scale = features.decibel_scale();
    match kind {
        SpectrogramKind::Image { .. } => DecibelScale {
            reference: DbReference::Max,
            ..scale
        },
        SpectrogramKind::Mel | SpectrogramKind::Psd => scale,
    }
}

impl SpectrogramMaker {
    /// `features` has the clip length; `normalization` the statistics of the split's training set.
    pub fn new(
        kind: SpectrogramKind,
        features: &FeatureConfig,
        normalize: Normalize,
        normalization: &Normalization,
    ) -> Self {
        Self {
            kind,
            features: features.clone(),
            mel: MelSpectrogram::new(features),
            decibels: decibel_scale(kind, features),
            psd: PsdSpectrogram::new(features.sample_rate),
            normalize,
            mean: normalization.mel_mean.iter().map(|&mean| mean as f32).collect(),
            scale: normalization.mel_std.iter().map(|&std| (1.0 / std) as f32).collect(),
        }
    }

    /// Rows and columns of a clip's spectrogram.
    pub fn shape(&self) -> [usize; 2] {
        match self.kind {
            SpectrogramKind::Mel => self.mel_shape(),
            SpectrogramKind::Psd => [PSD_BINS, self.psd.frames(self.features.clip_samples)],
            SpectrogramKind::Image { height, width } => [height, width],
        }
    }

    /// Whether it can be cut out of the stored mel spectrogram. With reflect padding it cannot, because the clip's first
    /// and last frames differ from the track's.
    pub fn uses_mel(&self) -> bool {
        self.kind != SpectrogramKind::Psd && self.features.pad_mode == PadMode::Constant
    }

    fn mel_shape(&self) -> [usize; 2] {
        [self.features.n_mels, self.features.clip_frames()]
    }

    /// Computes a clip's spectrogram from its samples, full scale 1.
    pub fn compute(
        &self,
        samples: &[f32],
        plan: Option<&ImagePlan>,
        scratch: &mut SpectrogramScratch,
        out: &mut [f32],
    ) {
        match self.kind {
            SpectrogramKind::Mel => {
                self.power(samples, &mut scratch.mel, out);
                self.decibels.apply_to_power(out);
                self.normalize_mel(out);
            }
            SpectrogramKind::Psd => {
                let [rows, columns] = self.shape();
                let steps = &mut scratch.steps;
                steps.clear();
                steps.extend(samples.iter().map(|sample| sample * PCM8_FULL_SCALE));
                let mut view =
                    ArrayViewMut2::from_shape((rows, columns), &mut *out).expect("the buffer has room for one clip");
                self.psd.power(steps, &mut scratch.psd, view.view_mut());
                clamp_to_unit(view, PSD_MAXIMUM);
                // The data set has no statistics of power spectral densities, so min-max is the only normalization.
                if self.normalize == Normalize::MinMax {
                    min_max(out);
                }
            }
            SpectrogramKind::Image { .. } => {
                let mut decibels = std::mem::take(&mut scratch.decibels);
                decibels.resize(self.features.n_mels * self.features.clip_frames(), 0.0);
                self.power(samples, &mut scratch.mel, &mut decibels);
                self.decibels.apply_to_power(&mut decibels);
                self.image(&mut decibels, plan, scratch, out);
                scratch.decibels = decibels;
            }
        }
    }

    /// Cuts a clip's spectrogram out of its track's stored mel spectrogram, from frame `hop` on.
    ///
    /// # Panics
    /// Panics for a spectrogram that does not [use mel](Self::uses_mel).
    pub fn cut(
        &self,
        mel: MelView<'_>,
        hop: usize,
        plan: Option<&ImagePlan>,
        scratch: &mut SpectrogramScratch,
        out: &mut [f32],
    ) {
        match self.kind {
            SpectrogramKind::Mel => {
                self.copy_mel(mel, hop, out);
                self.decibels.apply_to_stored(out);
                self.normalize_mel(out);
            }
            SpectrogramKind::Image { .. } => {
                let mut decibels = std::mem::take(&mut scratch.decibels);
                decibels.resize(self.features.n_mels * self.features.clip_frames(), 0.0);
                self.copy_mel(mel, hop, &mut decibels);
                self.decibels.apply_to_stored(&mut decibels);
                self.image(&mut decibels, plan, scratch, out);
                scratch.decibels = decibels;
            }
            SpectrogramKind::Psd => unreachable!("power spectral densities are computed from samples"),
        }
    }

    fn power(&self, samples: &[f32], scratch: &mut MelScratch, out: &mut [f32]) {
        let [rows, columns] = self.mel_shape();
        let view = ArrayViewMut2::from_shape((rows, columns), out).expect("the buffer has room for one clip");
        self.mel.power(samples, scratch, view);
    }

    /// Cuts a clip out of a stored mel spectrogram, in dB with the reference 1.0.
    fn copy_mel(&self, mel: MelView<'_>, hop: usize, out: &mut [f32]) {
        let frames = self.features.clip_frames();
        // A track shorter than a clip has no frames beyond its end. Fill with silence, as for zero samples.
        let available = mel.frames.saturating_sub(hop).min(frames);
        for (band, row) in out.chunks_exact_mut(frames).enumerate() {
            let stored = &mel.values[band * mel.frames + hop.min(mel.frames)..][..available];
            stored.convert_to_f32_slice(&mut row[..available]);
            row[available..].fill(decibel::SILENCE_DB);
        }
    }

    /// Normalizes decibels.
    fn normalize_mel(&self, decibels: &mut [f32]) {
        let frames = self.features.clip_frames();
        let bands = decibels.chunks_exact_mut(frames).zip(self.mean.iter().zip(&self.scale));
        match self.normalize {
            Normalize::ZScore => {
                for (row, (mean, scale)) in bands {
                    row.iter_mut().for_each(|value| *value = (*value - mean) * scale);
                }
            }
            Normalize::Mean => {
                for (row, (mean, _)) in bands {
                    row.iter_mut().for_each(|value| *value -= mean);
                }
            }
            Normalize::MinMax => min_max(decibels),
            Normalize::None => {}
        }
    }

    /// Scales decibels relative to the clip's maximum from `-top_db..0` to `0..1`, resizes, and applies the plan.
    fn image(&self, decibels: &mut [f32], plan: Option<&ImagePlan>, scratch: &mut SpectrogramScratch, out: &mut [f32]) {
        let scale = 1.0 / self.features.drawn_db();
        decibels.iter_mut().for_each(|value| *value = 1.0 + *value * scale);
        let (from, to) = (self.mel_shape(), self.shape());
        match plan {
            None => resize_bilinear(decibels, from, &mut scratch.resize, out, to),
            Some(plan) => {
                scratch.image.resize(out.len(), 0.0);
                resize_bilinear(decibels, from, &mut scratch.resize, &mut scratch.image, to);
                transform(&scratch.image, to, plan, out);
            }
        }
    }
}
