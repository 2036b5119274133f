//! The front end on the host: noise, time stretch, mel spectrogram, dB and normalization of one clip, in the calling
//! thread. Slices of mapped shards enter, normalized values leave into the batch's own memory.

use super::stage_times::{StageTimes, timed};
use crate::augment::{Augment, ClipPlan};
use crate::models::{InputKind, InputShape};
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
    shape: InputShape,
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
    /// What the clips took since this was last set to zero.
    pub times: StageTimes,
    source: Vec<f32>,
    clip: Vec<f32>,
    stretch: TimeStretchScratch,
    mel: MelScratch,
}

/// Where one clip's input goes, as far as the model takes it.
#[derive(Debug)]
pub struct ClipOutput<'a> {
    /// `[samples]`.
    pub waveform: Option<&'a mut [f32]>,
    /// `[rows, columns]`.
    pub spectrogram: Option<&'a mut [f32]>,
    /// `[figures]`.
    pub statistics: Option<&'a mut [f32]>,
}

impl HostFrontEnd {
    /// For a model that takes `input`, of clips as `features` has them, with the figures of the split's training set.
    pub fn new(input: InputKind, features: &FeatureConfig, normalization: &Normalization) -> Self {
        let shape = InputShape {
            samples: if input.waveform.is_some() {
                features.clip_samples
            } else {
                0
            },
            spectrogram: match input.spectrogram {
                Some(_) => [features.n_mels, features.clip_frames()],
                None => [0; 2],
            },
            statistics: 0,
        };
        Self {
            input,
            shape,
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

    /// The size of one clip's input.
    pub fn shape(&self) -> &InputShape {
        &self.shape
    }

    /// Makes one clip's input.
    pub fn run(
        &self,
        dataset: &Dataset,
        position: usize,
        plan: &ClipPlan,
        scratch: &mut HostScratch,
        out: ClipOutput<'_>,
    ) {
        if plan.is_plain() {
            self.cut(dataset, position, plan, &mut scratch.times, out);
            return;
        }
        let HostScratch { source, times, .. } = scratch;
        timed(&mut times.read, || {
            // Room for the fastest clip at once, so that no later one needs more.
            let longest = ClipPlan::longest_source(Augment::NOISE_AND_STRETCH, self.features.clip_samples);
            source.reserve(longest.saturating_sub(source.len()));
            source.resize(plan.source_samples(self.features.clip_samples), 0.0);
            copy_clip(dataset.waveform(position), plan.hop * self.features.hop_length, source);
        });
        let mut times = scratch.times;
        timed(&mut times.augment, || self.augment(plan, scratch));
        timed(&mut times.front_end, || {
            if let Some(out) = out.spectrogram {
                let shape = (self.features.n_mels, self.features.clip_frames());
                let view = ArrayViewMut2::from_shape(shape, &mut *out).expect("the batch buffer has room for one clip");
                self.mel.power(&scratch.clip, &mut scratch.mel, view);
                decibel::power_to_db(out, Reference::Max, Some(self.features.top_db));
                self.normalize_mel(out);
            }
            if let Some(out) = out.waveform {
                out.copy_from_slice(&scratch.clip);
                self.normalize_waveform(out);
            }
        });
        scratch.times = times;
    }

    /// A clip that is not augmented: its samples as they are, its mel spectrogram cut out of the stored one.
    fn cut(&self, dataset: &Dataset, position: usize, plan: &ClipPlan, times: &mut StageTimes, out: ClipOutput<'_>) {
        if let Some(out) = out.waveform {
            let begin = plan.hop * self.features.hop_length;
            timed(&mut times.read, || copy_clip(dataset.waveform(position), begin, out));
            timed(&mut times.front_end, || self.normalize_waveform(out));
        }
        if let Some(out) = out.spectrogram {
            timed(&mut times.read, || self.copy_mel(dataset.mel(position), plan.hop, out));
            timed(&mut times.front_end, || {
                decibel::refer_to_max(out, self.features.top_db);
                self.normalize_mel(out);
            });
        }
    }

    /// Makes `scratch.clip` of `scratch.source`.
    fn augment(&self, plan: &ClipPlan, scratch: &mut HostScratch) {
        if let Some(amplitude) = plan.noise {
            let [seed, epoch, track] = plan.key;
            let mut rng = stream(seed, epoch, track, Purpose::NoiseSamples);
            noise::add_gaussian(&mut scratch.source, amplitude, &mut rng);
        }
        match plan.stretch {
            Some(rate) => {
                scratch.clip.resize(self.features.clip_samples, 0.0);
                self.stretch
                    .stretch(&scratch.source, rate, &mut scratch.stretch, &mut scratch.clip);
            }
            None => std::mem::swap(&mut scratch.source, &mut scratch.clip),
        }
    }

    /// Cuts a clip out of a stored mel spectrogram, in dB with the reference 1.0.
    fn copy_mel(&self, mel: MelView<'_>, hop: usize, out: &mut [f32]) {
        let frames = self.features.clip_frames();
        // A track shorter than a clip has no frames beyond its end; silence is what zero samples would give.
        let available = mel.frames.saturating_sub(hop).min(frames);
        for (band, row) in out.chunks_exact_mut(frames).enumerate() {
            let stored = &mel.values[band * mel.frames + hop.min(mel.frames)..][..available];
            stored.convert_to_f32_slice(&mut row[..available]);
            row[available..].fill(decibel::SILENCE_DB);
        }
    }

    fn normalize_waveform(&self, samples: &mut [f32]) {
        for sample in samples {
            *sample = (*sample - self.waveform_mean) * self.waveform_scale;
        }
    }

    fn normalize_mel(&self, decibels: &mut [f32]) {
        let frames = self.features.clip_frames();
        for ((row, mean), scale) in decibels
            .chunks_exact_mut(frames)
            .zip(&self.mel_mean)
            .zip(&self.mel_scale)
        {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::ModelKind;
    use crate::run_data::RunData;
    use crate::testing;

    /// A clip's waveform and mel spectrogram.
    fn clip(data: &RunData, position: usize, plan: &ClipPlan) -> (Vec<f32>, Vec<f32>) {
        let (mut waveform, mut mel) = (vec![0.0; 1 << 19], vec![0.0; 128 * 512]);
        let out = ClipOutput {
            waveform: Some(&mut waveform),
            spectrogram: Some(&mut mel),
            statistics: None,
        };
        data.front_end
            .run(&data.dataset, position, plan, &mut HostScratch::default(), out);
        (waveform, mel)
    }

    #[test]
    fn the_stored_mel_spectrogram_and_the_computed_one_agree() {
        let root = testing::dataset();
        let data = RunData::open(&testing::config(root.path(), ModelKind::MmCrnn)).unwrap();
        let cut = ClipPlan {
            hop: 9,
            noise: None,
            stretch: None,
            key: [0; 3],
        };
        // Noise of no amplitude takes the long way and changes nothing.
        let computed = ClipPlan {
            noise: Some(0.0),
            ..cut
        };
        let ((cut_waveform, cut_mel), (waveform, mel)) = (clip(&data, 7, &cut), clip(&data, 7, &computed));
        assert_eq!(cut_waveform, waveform);
        let std = &data.split.normalization.mel_std;
        for band in 0..128 {
            // The first two and the last two frames see zeros beyond the clip's ends, the stored ones its neighbours.
            for frame in 2..510 {
                let difference = (cut_mel[band * 512 + frame] - mel[band * 512 + frame]).abs();
                // Half a step of f16 near 64 dB, twice: once for the value, once for the maximum.
                assert!(f64::from(difference) * std[band] < 0.0625, "band {band}, frame {frame}");
            }
        }
    }

    #[test]
    fn the_training_set_normalizes_to_mean_zero_and_deviation_one() {
        let root = testing::dataset();
        let data = RunData::open(&testing::config(root.path(), ModelKind::MmCrnn)).unwrap();
        let (mut sum, mut squares, mut count) = (0.0, 0.0, 0.0);
        for position in 0..4 {
            let samples = data.dataset.waveform(position).len();
            let (waveform, _) = clip(&data, position, &ClipPlan::centre(samples, data.dataset.features()));
            for value in waveform {
                sum += f64::from(value);
                squares += f64::from(value).powi(2);
                count += 1.0;
            }
        }
        // The clips leave out up to 15,000 of the tracks' 540,000 samples, over which the figures were taken.
        assert!((sum / count).abs() < 0.01 && ((squares / count).sqrt() - 1.0).abs() < 0.01);
    }

    #[test]
    fn a_faster_clip_has_no_silent_end() {
        let root = testing::dataset();
        let data = RunData::open(&testing::config(root.path(), ModelKind::MmCrnn)).unwrap();
        // Track 7 has 2^19 + 35,000 samples: enough for a rate of 1.06.
        let plan = ClipPlan {
            hop: 0,
            noise: None,
            stretch: Some(1.06),
            key: [0; 3],
        };
        let (waveform, _) = clip(&data, 7, &plan);
        let loudest = |part: &[f32]| part.iter().fold(0.0f32, |loudest, value| loudest.max(value.abs()));
        assert!(loudest(&waveform[(1 << 19) - 4000..]) > 0.5 * loudest(&waveform));
        // Track 0 is one clip long: what is missing is silence, not a panic.
        let (waveform, mel) = clip(
            &data,
            0,
            &ClipPlan {
                stretch: Some(1.25),
                ..plan
            },
        );
        assert!(waveform.iter().chain(&mel).all(|value| value.is_finite()));
    }

    #[test]
    fn noise_is_as_loud_as_planned_and_depends_on_the_key() {
        let root = testing::dataset();
        let data = RunData::open(&testing::config(root.path(), ModelKind::MmCrnn)).unwrap();
        let plain = ClipPlan {
            hop: 3,
            noise: None,
            stretch: None,
            key: [1, 2, 3],
        };
        let noisy = ClipPlan {
            noise: Some(0.01),
            ..plain
        };
        let (clean, _) = clip(&data, 2, &plain);
        let (dirty, _) = clip(&data, 2, &noisy);
        let power: f64 = clean
            .iter()
            .zip(&dirty)
            .map(|(a, b)| f64::from(a - b).powi(2))
            .sum::<f64>()
            / clean.len() as f64;
        let amplitude = power.sqrt() * data.split.normalization.waveform_std;
        assert!((amplitude - 0.01).abs() < 1e-4, "{amplitude}");
        assert_eq!(clip(&data, 2, &noisy).0, dirty);
        assert_ne!(
            clip(
                &data,
                2,
                &ClipPlan {
                    key: [1, 2, 4],
                    ..noisy
                }
            )
            .0,
            dirty
        );
    }
}
