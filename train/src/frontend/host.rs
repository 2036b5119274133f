//! The front end on the host: noise, time stretch, mel spectrogram, dB and normalization of one clip, in the calling
//! thread. Slices of mapped shards enter, normalized values leave into the batch's own memory.

use crate::augment::ClipPlan;
use crate::models::InputKind;
use half::slice::HalfFloatSliceExt;
use ndarray::ArrayViewMut2;
use shared::dataset::Dataset;
use shared::dsp::decibel::{self, Reference};
use shared::dsp::mel::{MelScratch, MelSpectrogram};
use shared::dsp::noise;
use shared::dsp::phase_vocoder::{TimeStretch, TimeStretchScratch};
use shared::features::FeatureConfig;
use shared::rng::{Purpose, stream};
use shared::shard::MelView;
use shared::stats::{Normalization, PCM_FULL_SCALE};

/// librosa's defaults for `effects.time_stretch`.
const STRETCH_N_FFT: usize = 2048;
const STRETCH_HOP_LENGTH: usize = 512;

/// Planned once per run and shared by all loader threads.
#[derive(Debug)]
pub struct HostFrontEnd {
    input: InputKind,
    features: FeatureConfig,
    mel: MelSpectrogram,
    stretch: TimeStretch,
    waveform_mean: f32,
    waveform_scale: f32,
    mel_mean: Vec<f32>,
    mel_scale: Vec<f32>,
}

/// One loader thread's working memory; it grows to what the longest clip needs and stays.
#[derive(Debug, Default)]
pub struct HostScratch {
    source: Vec<f32>,
    clip: Vec<f32>,
    stretch: TimeStretchScratch,
    mel: MelScratch,
}

impl HostFrontEnd {
    /// For a model that takes `input`, with the figures of the split's training set.
    pub fn new(input: InputKind, features: &FeatureConfig, normalization: &Normalization) -> Self {
        Self {
            input,
            features: features.clone(),
            mel: MelSpectrogram::new(features),
            stretch: TimeStretch::new(STRETCH_N_FFT, STRETCH_HOP_LENGTH),
            waveform_mean: normalization.waveform_mean as f32,
            waveform_scale: (1.0 / normalization.waveform_std) as f32,
            mel_mean: normalization.mel_mean.iter().map(|&mean| mean as f32).collect(),
            mel_scale: normalization.mel_std.iter().map(|&std| (1.0 / std) as f32).collect(),
        }
    }

    /// What the model takes.
    pub fn input(&self) -> InputKind {
        self.input
    }

    /// Makes one clip: `waveform` (`[clip_samples]`) and `mel` (`[n_mels, frames]`), where they are given.
    pub fn run(
        &self,
        dataset: &Dataset,
        position: usize,
        plan: &ClipPlan,
        scratch: &mut HostScratch,
        waveform: Option<&mut [f32]>,
        mel: Option<&mut [f32]>,
    ) {
        if plan.is_plain() {
            if let Some(out) = waveform {
                copy_clip(dataset.waveform(position), plan.hop * self.features.hop_length, out);
                self.normalize_waveform(out);
            }
            if let Some(out) = mel {
                self.cut_mel(dataset.mel(position), plan.hop, out);
                self.normalize_mel(out);
            }
            return;
        }
        self.augment(dataset.waveform(position), plan, scratch);
        if let Some(out) = mel {
            let shape = (self.features.n_mels, self.features.clip_frames());
            let view = ArrayViewMut2::from_shape(shape, &mut *out).expect("the batch buffer has room for one clip");
            self.mel.power(&scratch.clip, &mut scratch.mel, view);
            decibel::power_to_db(out, Reference::Max, Some(self.features.top_db));
            self.normalize_mel(out);
        }
        if let Some(out) = waveform {
            out.copy_from_slice(&scratch.clip);
            self.normalize_waveform(out);
        }
    }

    /// Leaves the augmented clip in `scratch.clip`.
    fn augment(&self, samples: &[i16], plan: &ClipPlan, scratch: &mut HostScratch) {
        scratch.source.resize(plan.source_samples(self.features.clip_samples), 0.0);
        copy_clip(samples, plan.hop * self.features.hop_length, &mut scratch.source);
        if let Some(amplitude) = plan.noise {
            let [seed, epoch, track] = plan.key;
            let mut rng = stream(seed, epoch, track, Purpose::NoiseSamples);
            noise::add_gaussian(&mut scratch.source, amplitude, &mut rng);
        }
        match plan.stretch {
            Some(rate) => {
                scratch.clip.resize(self.features.clip_samples, 0.0);
                self.stretch.stretch(&scratch.source, rate, &mut scratch.stretch, &mut scratch.clip);
            }
            None => std::mem::swap(&mut scratch.source, &mut scratch.clip),
        }
    }

    /// Cuts a clip out of a stored mel spectrogram and refers it to its own maximum.
    fn cut_mel(&self, mel: MelView<'_>, hop: usize, out: &mut [f32]) {
        let frames = self.features.clip_frames();
        // A track shorter than a clip has no frames beyond its end; silence is what zero samples would give.
        let available = mel.frames.saturating_sub(hop).min(frames);
        for (band, row) in out.chunks_exact_mut(frames).enumerate() {
            let stored = &mel.values[band * mel.frames + hop.min(mel.frames)..][..available];
            stored.convert_to_f32_slice(&mut row[..available]);
            row[available..].fill(decibel::SILENCE_DB);
        }
        decibel::refer_to_max(out, self.features.top_db);
    }

    fn normalize_waveform(&self, samples: &mut [f32]) {
        for sample in samples {
            *sample = (*sample - self.waveform_mean) * self.waveform_scale;
        }
    }

    fn normalize_mel(&self, decibels: &mut [f32]) {
        let frames = self.features.clip_frames();
        for ((row, mean), scale) in decibels.chunks_exact_mut(frames).zip(&self.mel_mean).zip(&self.mel_scale) {
            for value in row {
                *value = (*value - mean) * scale;
            }
        }
    }
}

/// `out.len()` samples from `begin` on, full scale 1; zeros where the track has ended.
fn copy_clip(samples: &[i16], begin: usize, out: &mut [f32]) {
    let begin = begin.min(samples.len());
    let available = (samples.len() - begin).min(out.len());
    for (value, &sample) in out.iter_mut().zip(&samples[begin..begin + available]) {
        *value = f32::from(sample) / PCM_FULL_SCALE;
    }
    out[available..].fill(0.0);
}
