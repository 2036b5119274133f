//! The front end on the host: from a clip's plan to model input, in the calling thread. Slices of mapped shards enter,
//! normalized values leave into the batch's own memory.
//!
//! Samples are changed in this order: noise, another sound, time stretch, pitch shift, 8 bits. A clip of which none is
//! wanted is copied as it is, and its mel spectrogram cut out of the stored one.

use super::background::Background;
use super::normalize::{Normalize, min_max};
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

/// What a front end is planned for.
#[derive(Debug)]
pub struct HostSetup<'a> {
    pub input: InputKind,
    /// The data set's feature settings, with the run's length of a clip.
    pub features: &'a FeatureConfig,
    /// Whether samples are rounded to 8 bits.
    pub pcm8: bool,
    /// How waveforms and mel spectrograms are normalized.
    pub normalize: Normalize,
    /// The figures of the split's training set.
    pub normalization: &'a Normalization,
    /// `[tracks, figures]`, normalized, for models of statistics; else empty.
    pub statistics: Vec<f32>,
}

/// Planned once per run and shared by all loader threads.
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

/// One loader thread's working memory; it grows to what the longest clip needs and stays.
#[derive(Debug, Default)]
pub struct HostScratch {
    /// What the clips took since this was last set to zero.
    pub times: StageTimes,
    source: Vec<f32>,
    clip: Vec<f32>,
    steps: Vec<i8>,
    stretch: TimeStretchScratch,
    pitch_shift: PitchShiftScratch,
    spectrogram: SpectrogramScratch,
}

/// What clips are cut out of.
pub trait Track {
    /// Mono PCM at the data set's rate.
    fn waveform(&self) -> &[i16];
    /// Its mel spectrogram in dB, reference 1.0; asked for only if the model takes one that can be cut out of it.
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

/// Where one clip's input goes, as far as the model takes it.
#[derive(Debug, Default)]
pub struct ClipOutput<'a> {
    /// `[samples]`.
    pub waveform: Option<&'a mut [f32]>,
    /// `[rows, columns]`.
    pub spectrogram: Option<&'a mut [f32]>,
    /// `[figures]`.
    pub statistics: Option<&'a mut [f32]>,
}

impl HostFrontEnd {
    /// Plans everything. `tracks` is the number of rows of the statistics.
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

    /// Gives the sounds that plans speak of.
    pub fn mix_in(&mut self, background: Background) {
        self.background = Some(background);
    }

    pub fn input(&self) -> InputKind {
        self.input
    }

    /// The size of one clip's input.
    pub fn shape(&self) -> &InputShape {
        &self.shape
    }

    /// Makes the input of one clip of a data set's track.
    pub fn run(
        &self,
        dataset: &Dataset,
        position: usize,
        plan: &ClipPlan,
        scratch: &mut HostScratch,
        mut out: ClipOutput<'_>,
    ) {
        if let Some(out) = out.statistics.take() {
            let figures = self.shape.statistics;
            timed(&mut scratch.times.read, || {
                out.copy_from_slice(&self.statistics[position * figures..][..figures]);
            });
        }
        self.run_track(&(dataset, position), plan, scratch, out);
    }

    /// Makes the input of one clip of any track, but for statistics.
    pub fn run_track(&self, track: &impl Track, plan: &ClipPlan, scratch: &mut HostScratch, out: ClipOutput<'_>) {
        let of_stored = self.spectrogram.as_ref().is_none_or(SpectrogramMaker::is_of_mel);
        if plan.is_plain() && !self.pcm8 && of_stored {
            self.cut(track, plan, scratch, (out.waveform, out.spectrogram));
        } else if out.waveform.is_some() || out.spectrogram.is_some() {
            self.compute(track, plan, scratch, (out.waveform, out.spectrogram));
        }
    }

    /// A clip of samples as they are stored: copied, its spectrogram cut out of the stored one.
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
                maker.of_stored(
                    track.mel(),
                    plan.hop,
                    plan.image.as_ref(),
                    &mut scratch.spectrogram,
                    out,
                );
            });
        }
    }

    /// A clip of changed samples, or one whose spectrogram is not of those that are stored.
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
            // Room for the fastest clip at once, so that no later one needs more.
            let longest = ClipPlan::longest_source(Augment::NOISE_AND_STRETCH, self.features.clip_samples);
            source.reserve(longest.saturating_sub(source.len()));
            if plan.pitch_shift.is_some() {
                let furthest = ClipPlan::lowest_pitch_shift();
                self.pitch_shift
                    .reserve(self.features.clip_samples, furthest, pitch_shift);
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
                maker.of_samples(clip, plan.image.as_ref(), &mut scratch.spectrogram, out);
            }
            if let Some(out) = waveform {
                out.copy_from_slice(clip);
                self.normalize_waveform(out);
            }
        });
        scratch.times = times;
    }

    /// Makes `scratch.clip` of `scratch.source`.
    fn augment(&self, plan: &ClipPlan, scratch: &mut HostScratch) {
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
    use crate::data::run_data::RunData;
    use crate::models::ModelKind;
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
            ..ClipPlan::default()
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
            let (waveform, _) = clip(&data, position, &ClipPlan::default());
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
            stretch: Some(1.06),
            ..ClipPlan::default()
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
            key: [1, 2, 3],
            ..ClipPlan::default()
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

    /// Figures of the run's data with other settings.
    fn data(root: &std::path::Path, change: impl FnOnce(&mut crate::settings::RunConfig)) -> RunData {
        let mut config = testing::config(root, ModelKind::MmCrnn);
        change(&mut config);
        RunData::open(&config).unwrap()
    }

    #[test]
    fn eight_bits_are_whole_steps() {
        let root = testing::dataset();
        let fine = data(root.path(), |config| config.normalize = Normalize::None);
        let coarse = data(root.path(), |config| {
            config.normalize = Normalize::None;
            config.pcm8 = true;
        });
        let ((fine, fine_mel), (coarse, coarse_mel)) = (
            clip(&fine, 1, &ClipPlan::default()),
            clip(&coarse, 1, &ClipPlan::default()),
        );
        for (fine, coarse) in fine.iter().zip(&coarse) {
            assert_eq!(coarse * 128.0, (fine * 128.0).round_ties_even());
        }
        // Rounding is noise, and the spectrogram is that of what is heard.
        assert!(fine_mel.iter().zip(&coarse_mel).any(|(a, b)| (a - b).abs() > 1.0));
    }

    #[test]
    fn each_normalization_does_what_it_says() {
        let root = testing::dataset();
        let of = |normalize| {
            let data = data(root.path(), |config| config.normalize = normalize);
            (clip(&data, 1, &ClipPlan::default()), data.split.normalization)
        };
        let ((raw, raw_mel), figures) = of(Normalize::None);
        let ((scored, scored_mel), _) = of(Normalize::ZScore);
        let ((centred, centred_mel), _) = of(Normalize::Mean);
        let ((ranged, ranged_mel), _) = of(Normalize::MinMax);
        for at in (0..raw.len()).step_by(999) {
            let off = f64::from(raw[at]) - figures.waveform_mean;
            assert!((f64::from(centred[at]) - off).abs() < 1e-6);
            assert!((f64::from(scored[at]) - off / figures.waveform_std).abs() < 1e-4);
        }
        for at in (0..raw_mel.len()).step_by(99) {
            let off = f64::from(raw_mel[at]) - figures.mel_mean[at / 512];
            assert!((f64::from(centred_mel[at]) - off).abs() < 1e-4);
            assert!((f64::from(scored_mel[at]) - off / figures.mel_std[at / 512]).abs() < 1e-4);
        }
        for values in [ranged, ranged_mel] {
            let range = values
                .iter()
                .fold((f32::MAX, f32::MIN), |(low, high), &v| (low.min(v), high.max(v)));
            assert_eq!(range, (0.0, 1.0));
        }
    }

    #[test]
    fn a_shifted_pitch_keeps_the_length_and_changes_the_sound() {
        let root = testing::dataset();
        let data = data(root.path(), |_| {});
        let plan = |semitones| ClipPlan {
            pitch_shift: Some(semitones),
            ..ClipPlan::default()
        };
        let ((up, _), (down, _)) = (clip(&data, 1, &plan(2.0)), clip(&data, 1, &plan(-2.0)));
        let crossings = |samples: &[f32]| {
            samples
                .windows(2)
                .filter(|pair| (pair[0] < 0.0) != (pair[1] < 0.0))
                .count()
        };
        assert!(
            crossings(&up) > crossings(&down),
            "{} {}",
            crossings(&up),
            crossings(&down)
        );
        assert!(up[(1 << 19) - 2000..].iter().any(|sample| sample.abs() > 0.1));
    }
}
