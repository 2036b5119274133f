//! Sounds of another data set, to be mixed into training clips.

use crate::augment::BackgroundPlan;
use shared::dataset::{Dataset, DatasetError};
use shared::dsp::PCM_FULL_SCALE;
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub struct Background {
    dataset: Dataset,
}

/// Sounds that cannot be mixed in.
#[derive(Debug, thiserror::Error)]
pub enum BackgroundError {
    /// Their data set cannot be opened.
    #[error("the data set of --background cannot be used")]
    Dataset(#[from] DatasetError),
    /// They are played at another speed.
    #[error(
        "the sounds in {} have {found} samples a second and the data set has {expected}; build them again with \
         --sample-rate {expected}", path.display()
    )]
    SampleRate {
        path: PathBuf,
        /// Its rate, in Hz.
        found: u32,
        /// The rate of the data set that is trained on, in Hz.
        expected: u32,
    },
    /// There are none.
    #[error("{} holds no sound; build it of other files", path.display())]
    Empty { path: PathBuf },
}

impl Background {
    /// Opens the data set in `root`, whose sounds must have `sample_rate` samples a second.
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

    /// The checksum of their data set.
    pub fn checksum(&self) -> &str {
        &self.dataset.index().checksum
    }

    /// Adds a sound to `clip`, over and over where it is shorter. Where either is silent, nothing is added: there is no
    /// level to compare.
    pub fn mix(&self, plan: &BackgroundPlan, clip: &mut [f32]) {
        let count = self.dataset.tracks().len() as u64;
        let sound = self.dataset.waveform((plan.number % count) as usize);
        if sound.is_empty() {
            return;
        }
        let spare = sound.len().saturating_sub(clip.len());
        let begin = ((plan.begin * (spare + 1) as f64) as usize).min(spare);
        let samples = || sound[begin..].iter().chain(sound.iter().cycle()).take(clip.len());
        let power_of_sound: f64 = samples()
            .map(|&sample| (f64::from(sample) / f64::from(PCM_FULL_SCALE)).powi(2))
            .sum();
        let power_of_clip: f64 = clip.iter().map(|&sample| f64::from(sample).powi(2)).sum();
        if power_of_sound == 0.0 || power_of_clip == 0.0 {
            return;
        }
        let wanted = power_of_clip / 10f64.powf(f64::from(plan.snr_db) / 10.0);
        let gain = (wanted / power_of_sound).sqrt() as f32 / PCM_FULL_SCALE;
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
    fn the_sound_has_the_level_that_was_asked_for() {
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
        // Longer than any sound: they are repeated.
        let mut long = vec![0.1; 1 << 20];
        background.mix(&plan, &mut long);
        assert!(long[(1 << 20) - 1000..].iter().any(|&sample| sample != 0.1));
    }

    #[test]
    fn sounds_at_another_rate_are_refused() {
        let root = testing::dataset();
        let error = Background::open(root.path(), 16_000).unwrap_err().to_string();
        assert!(error.contains("--sample-rate 16000"), "{error}");
        assert!(Background::open(&root.path().join("none"), 16_000).is_err());
    }
}
