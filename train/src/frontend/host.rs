//! The front end on the host: computes one clip's model input from its plan, in the calling thread.
//!
//! Samples are changed in this order: polarity and gain, noise, background sound, time stretch, pitch shift, 8 bits. A
//! clip without any of these is copied, and its mel spectrogram is cut out of the stored one. Last, the spectrogram is
//! masked.

use super::background::Background;
use super::normalize::{Normalize, min_max};
use super::spec_augment::mask_spectrogram;
use super::spectrogram::{SpectrogramMaker, SpectrogramScratch};
use super::stage_times::{StageTimes, timed};
use crate::augment::{Augment, ClipPlan};
use crate::models::{InputKind, InputShape, WaveformKind};
use shared::dataset::Dataset;
use shared::dataset::shard::MelView;
use shared::dataset::statistics::Normalization;
use shared::dsp::PCM_FULL_SCALE;
use shared::dsp::features::FeatureConfig;
use shared::dsp::noise;
use shared::dsp::pcm8;
use shared::dsp::phase_vocoder::{TimeStretch, TimeStretchScratch};
use shared::dsp::pitch_shift::{PitchShift, PitchShiftScratch};
use shared::runtime::rng::{Purpose, stream};

/// librosa's defaults for `effects.time_stretch` and `effects.pitch_shift`.
const STRETCH_N_FFT: usize = 2048;
const STRETCH_HOP_LENGTH: usize = 512;

/// Settings of a front end.
#[derive(Debug)]
pub struct HostSetup<'a> {
    pub input: InputKind,
    /// The data set's feature settings, with the run's length of a clip.
    pub features: &'a FeatureConfig,
    /// Whether samples are quantised to 8 bits.
    pub pcm8: bool,
    /// Normalization of waveforms and mel spectrograms.
    pub normalize: Normalize,
    /// Statistics of the split's training set.
    pub normalization: &'a Normalization,
    /// `[tracks, values]`, normalized, for models that take statistics; otherwise empty.
    pub statistics: Vec<f32>,
}

/// The host's front end. Built once per run and shared by all loader threads.
#[derive(Debug)]
pub struct HostFrontEnd {
    input: InputKind,
    shape: InputShape,
    features: FeatureConfig,
    pcm8: bool,
    normalize: Normalize,
    waveform_mean: f32,
    waveform_scale: f32,
    spectrogram: Option<SpectrogramMaker>,
    statistics: Vec<f32>,
    stretch: TimeStretch,
    pitch_shift: PitchShift,
    background: Option<Background>,
}

/// One loader thread's working memory. It grows to the longest clip's needs and is reused.
#[derive(Debug, Default)]
pub struct HostScratch {
    /// Time per stage since this was last reset.
    pub times: StageTimes,
    source: Vec<f32>,
    clip: Vec<f32>,
    steps: Vec<i8>,
    stretch: TimeStretchScratch,
    pitch_shift: PitchShiftScratch,
    spectrogram: SpectrogramScratch,
}

/// A track to cut clips out of.
pub trait Track {
    /// Mono PCM at the data set's sample rate.
    fn waveform(&self) -> &[i16];
    /// Its mel spectrogram in dB, reference 1.0. Called only if the model takes a spectrogram that can be cut out of
    /// it.
    fn mel(&self) -> MelView<'_>;
}

/// A data set's track by its position.
impl Track for (&Dataset, usize) {
    fn waveform(&self) -> &[i16] {
        self.0.waveform(self.1)
    }

    fn mel(&self) -> MelView<'_> {
        self.0.mel(self.1)
    }
}

/// Where to write one clip's input; `None` for inputs that the model does not take.
#[derive(Debug, Default)]
pub struct ClipOutput<'a> {
    /// `[samples]`.
    pub waveform: Option<&'a mut [f32]>,
    /// `[rows, columns]`.
    pub spectrogram: Option<&'a mut [f32]>,
    /// `[values]`.
    pub statistics: Option<&'a mut [f32]>,
}

impl HostFrontEnd {
    /// `tracks` is the number of rows of the statistics.
    pub fn new(setup: HostSetup<'_>, tracks: usize) -> Self {
        let HostSetup {
            input,
            features,
            normalize,
            normalization,
            ..
        } = setup;
        let spectrogram = input
            .spectrogram
            .map(|kind| SpectrogramMaker::new(kind, features, normalize, normalization));
        let shape = InputShape {
            samples: if input.waveform.is_some() {
                features.clip_samples
            } else {
                0
            },
            spectrogram: spectrogram.as_ref().map_or([0; 2], SpectrogramMaker::shape),
            statistics: setup.statistics.len() / tracks.max(1),
        };
        Self {
            input,
            shape,
            features: features.clone(),
            pcm8: setup.pcm8,
            normalize,
            waveform_mean: normalization.waveform_mean as f32,
            waveform_scale: (1.0 / normalization.waveform_std) as f32,
            spectrogram,
            statistics: setup.statistics,
            stretch: TimeStretch::new(STRETCH_N_FFT, STRETCH_HOP_LENGTH),
            pitch_shift: PitchShift::new(STRETCH_N_FFT, STRETCH_HOP_LENGTH),
            background: None,
        }
    }

    /// Sets the background sounds that plans refer to.
    pub fn mix_in(&mut self, background: Background) {
        self.background = Some(background);
    }

    pub fn input(&self) -> InputKind {
        self.input
    }

    /// The shape of one clip's input.
    pub fn shape(&self) -> &InputShape {
        &self.shape
    }

    /// Computes the input of one clip of a data set's track.
    pub fn run(
        &self,
        dataset: &Dataset,
        position: usize,
        plan: &ClipPlan,
        scratch: &mut HostScratch,
        mut out: ClipOutput<'_>,
    ) {
        if let Some(out) = out.statistics.take() {
            let values = self.shape.statistics;
            timed(&mut scratch.times.read, || {
                out.copy_from_slice(&self.statistics[position * values..][..values]);
            });
        }
        self.run_track(&(dataset, position), plan, scratch, out);
    }

    /// Computes the input of one clip of any track, except statistics.
    pub fn run_track(&self, track: &impl Track, plan: &ClipPlan, scratch: &mut HostScratch, mut out: ClipOutput<'_>) {
        let can_cut = self.spectrogram.as_ref().is_none_or(SpectrogramMaker::uses_mel);
        let waveform = out.waveform.take();
        if plan.is_plain() && !self.pcm8 && can_cut {
            self.cut(track, plan, scratch, (waveform, out.spectrogram.as_deref_mut()));
        } else if waveform.is_some() || out.spectrogram.is_some() {
            self.compute(track, plan, scratch, (waveform, out.spectrogram.as_deref_mut()));
        }
        if let (Some(plan), Some(spectrogram)) = (&plan.spec_augment, out.spectrogram) {
            let shape = self.shape.spectrogram;
            timed(&mut scratch.times.augment, || {
                mask_spectrogram(spectrogram, shape, plan)
            });
        }
    }

    /// A clip with unchanged samples: they are copied, and the spectrogram is cut out of the stored one.
    fn cut(
        &self,
        track: &impl Track,
        plan: &ClipPlan,
        scratch: &mut HostScratch,
        (waveform, spectrogram): (Option<&mut [f32]>, Option<&mut [f32]>),
    ) {
        let times = &mut scratch.times;
        if let Some(out) = waveform {
            let begin = plan.hop * self.features.hop_length;
            timed(&mut times.read, || copy_clip(track.waveform(), begin, out));
            timed(&mut times.front_end, || self.normalize_waveform(out));
        }
        if let (Some(out), Some(maker)) = (spectrogram, &self.spectrogram) {
            timed(&mut times.read, || {
                maker.cut(
                    track.mel(),
                    plan.hop,
                    plan.image.as_ref(),
                    &mut scratch.spectrogram,
                    out,
                );
            });
        }
    }

    /// A clip with changed samples, or whose spectrogram is not stored.
    fn compute(
        &self,
        track: &impl Track,
        plan: &ClipPlan,
        scratch: &mut HostScratch,
        (waveform, spectrogram): (Option<&mut [f32]>, Option<&mut [f32]>),
    ) {
        let HostScratch {
            source,
            times,
            pitch_shift,
            ..
        } = scratch;
        timed(&mut times.read, || {
            // Reserve for the fastest clip at once, so later clips allocate nothing.
            let longest = ClipPlan::longest_source(Augment::NOISE_AND_STRETCH, self.features.clip_samples);
            source.reserve(longest.saturating_sub(source.len()));
            if plan.pitch_shift.is_some() {
                let lowest = ClipPlan::lowest_pitch_shift();
                self.pitch_shift
                    .reserve(self.features.clip_samples, lowest, pitch_shift);
            }
            source.resize(plan.source_samples(self.features.clip_samples), 0.0);
            copy_clip(track.waveform(), plan.hop * self.features.hop_length, source);
        });
        let mut times = scratch.times;
        timed(&mut times.augment, || self.augment(plan, scratch));
        timed(&mut times.front_end, || {
            let HostScratch { clip, steps, .. } = scratch;
            if self.pcm8 {
                steps.resize(clip.len(), 0);
                pcm8::quantize(clip, steps);
                pcm8::dequantize(steps, clip);
            }
            if let (Some(out), Some(maker)) = (spectrogram, &self.spectrogram) {
                maker.compute(clip, plan.image.as_ref(), &mut scratch.spectrogram, out);
            }
            if let Some(out) = waveform {
                out.copy_from_slice(clip);
                self.normalize_waveform(out);
            }
        });
        scratch.times = times;
    }

    /// Augments `scratch.source` into `scratch.clip`.
    fn augment(&self, plan: &ClipPlan, scratch: &mut HostScratch) {
        let factor = plan.factor();
        if factor != 1.0 {
            scratch.source.iter_mut().for_each(|sample| *sample *= factor);
        }
        if let Some(amplitude) = plan.noise {
            let [seed, epoch, track] = plan.key;
            let mut rng = stream(seed, epoch, track, Purpose::NoiseSamples);
            noise::add_gaussian(&mut scratch.source, amplitude, &mut rng);
        }
        if let (Some(plan), Some(background)) = (&plan.background, &self.background) {
            background.mix(plan, &mut scratch.source);
        }
        match plan.stretch {
            Some(rate) => {
                scratch.clip.resize(self.features.clip_samples, 0.0);
                self.stretch
                    .stretch(&scratch.source, rate, &mut scratch.stretch, &mut scratch.clip);
            }
            None => std::mem::swap(&mut scratch.source, &mut scratch.clip),
        }
        if let Some(semitones) = plan.pitch_shift {
            scratch.source.resize(scratch.clip.len(), 0.0);
            self.pitch_shift
                .shift(&scratch.clip, semitones, &mut scratch.pitch_shift, &mut scratch.source);
            std::mem::swap(&mut scratch.source, &mut scratch.clip);
        }
    }

    fn normalize_waveform(&self, samples: &mut [f32]) {
        let normalized = self.input.waveform == Some(WaveformKind::Normalized);
        match self.normalize {
            _ if !normalized => {}
            Normalize::ZScore => {
                let (mean, scale) = (self.waveform_mean, self.waveform_scale);
                samples.iter_mut().for_each(|sample| *sample = (*sample - mean) * scale);
            }
            Normalize::Mean => samples.iter_mut().for_each(|sample| *sample -= self.waveform_mean),
            Normalize::MinMax => min_max(samples),
            Normalize::None => {}
        }
    }
}

/// Copies `out.len()` samples from `begin` on, at full scale 1. Samples after the track's end are zeros.
fn copy_clip(samples: &[i16], begin: usize, out: &mut [f32]) {
    let begin = begin.min(samples.len());
    let available = (samples.len() - begin).min(out.len());
    for (value, &sample) in out.iter_mut().zip(&samples[begin..begin + available]) {
        *value = f32::from(sample) / PCM_FULL_SCALE;
    }
    out[available..].fill(0.0);
}

#[cfg(test)]
mod tests;
