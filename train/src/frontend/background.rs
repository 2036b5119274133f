//! Mixes sounds of another data set into training clips.

use crate::augment::BackgroundPlan;
use shared::dataset::{Dataset, DatasetError};
use shared::dsp::PCM_FULL_SCALE;
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub struct Background {
    dataset: Dataset,
}

/// Background sounds that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BackgroundError {
    /// Their data set cannot be opened.
    #[error("cannot use the data set of --background")]
    Dataset(#[from] DatasetError),
    /// Their sample rate differs from the data set's.
    #[error(
        "the sounds in {} have a sample rate of {found} Hz, but the data set has {expected} Hz; build them again with \
         --sample-rate {expected}", path.display()
    )]
    SampleRate {
        path: PathBuf,
        /// Sample rate of the sounds, in Hz.
        found: u32,
        /// Sample rate of the data set that is trained on, in Hz.
        expected: u32,
    },
    /// Their data set is empty.
    #[error("{} contains no sounds; build it again from other files", path.display())]
    Empty { path: PathBuf },
}

impl Background {
    /// Opens the data set in `root`. Its sample rate must be `sample_rate`.
    pub fn open(root: &Path, sample_rate: u32) -> Result<Self, BackgroundError> {
        let dataset = Dataset::open(root)?;
        let (path, found) = (root.to_owned(), dataset.features().sample_rate);
        if found != sample_rate {
            let expected = sample_rate;
            return Err(BackgroundError::SampleRate { path, found, expected });
        }
        if dataset.tracks().is_empty() {
            return Err(BackgroundError::Empty { path });
        }
        Ok(Self { dataset })
    }

    /// The checksum of the sounds' data set.
    pub fn checksum(&self) -> &str {
        &self.dataset.index().checksum
    }

    /// Adds a sound to `clip`, repeated if it is shorter. Adds nothing if either is silent, since their levels then
    /// have no ratio.
    pub fn mix(&self, plan: &BackgroundPlan, clip: &mut [f32]) {
        let count = self.dataset.tracks().len() as u64;
        let sound = self.dataset.waveform((plan.number % count) as usize);
        if sound.is_empty() {
            return;
        }
        let spare = sound.len().saturating_sub(clip.len());
        let begin = ((plan.begin * (spare + 1) as f64) as usize).min(spare);
        let samples = || sound[begin..].iter().chain(sound.iter().cycle()).take(clip.len());
        let sound_power: f64 = samples()
            .map(|&sample| (f64::from(sample) / f64::from(PCM_FULL_SCALE)).powi(2))
            .sum();
        let clip_power: f64 = clip.iter().map(|&sample| f64::from(sample).powi(2)).sum();
        if sound_power == 0.0 || clip_power == 0.0 {
            return;
        }
        let target_power = clip_power / 10f64.powf(f64::from(plan.snr_db) / 10.0);
        let gain = (target_power / sound_power).sqrt() as f32 / PCM_FULL_SCALE;
        let sound = sound[begin..].iter().chain(sound.iter().cycle());
        for (sample, &other) in clip.iter_mut().zip(sound) {
            *sample += gain * f32::from(other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn the_sound_is_mixed_in_at_the_planned_snr() {
        let root = testing::dataset();
        let background = Background::open(root.path(), 44_100).unwrap();
        let clean: Vec<f32> = (0..30_000).map(|t| (t as f32 * 0.05).sin() * 0.3).collect();
        let mixed = |plan: &BackgroundPlan| {
            let mut mixed = clean.clone();
            background.mix(plan, &mut mixed);
            mixed
        };
        let power = |values: &mut dyn Iterator<Item = f32>| values.map(|value| f64::from(value).powi(2)).sum::<f64>();
        for snr_db in [3.0, 17.0] {
            let plan = BackgroundPlan {
                number: 11,
                begin: 0.5,
                snr_db,
            };
            let added = mixed(&plan)
                .into_iter()
                .zip(&clean)
                .map(|(a, b)| a - b)
                .collect::<Vec<_>>();
            let ratio = power(&mut clean.iter().copied()) / power(&mut added.into_iter());
            assert!((10.0 * ratio.log10() - f64::from(snr_db)).abs() < 0.01, "{ratio}");
        }
        let plan = BackgroundPlan {
            number: 3,
            begin: 1.0,
            snr_db: 3.0,
        };
        let mut silence = vec![0.0; 100];
        background.mix(&plan, &mut silence);
        assert!(silence.iter().all(|&sample| sample == 0.0));
        // A clip longer than any sound: sounds repeat.
        let mut long = vec![0.1; 1 << 20];
        background.mix(&plan, &mut long);
        assert!(long[(1 << 20) - 1000..].iter().any(|&sample| sample != 0.1));
    }

    #[test]
    fn sounds_at_another_sample_rate_are_refused() {
        let root = testing::dataset();
        let error = Background::open(root.path(), 16_000).unwrap_err().to_string();
        assert!(error.contains("--sample-rate 16000"), "{error}");
        assert!(Background::open(&root.path().join("none"), 16_000).is_err());
    }
}
