//! `front_end.json` of a run: everything needed to compute model input from audio without the data set.

use crate::data::clips::clip_grid;
use crate::data::run_data::RunData;
use crate::frontend::{HostFrontEnd, HostSetup, VectorScaler};
use crate::loader::ClipGrid;
use crate::run::directory::{RunDirectory, RunError};
use crate::settings::RunConfig;
use serde::{Deserialize, Serialize};
use shared::dataset::Task;
use shared::dataset::statistics::Normalization;
use shared::dsp::features::FeatureConfig;
use std::ops::RangeInclusive;

/// The file's name in a run.
pub const FRONT_END_FILE: &str = "front_end.json";

/// Limits far beyond any real data set, to reject a damaged file.
const SAMPLE_RATES: RangeInclusive<u32> = 1_000..=192_000;
const LONGEST_CLIP_SECONDS: usize = 3600;

/// The feature settings and normalization of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrontEndRecord {
    pub task: Task,
    /// The data set's feature settings with the run's clip length.
    pub features: FeatureConfig,
    /// Means and standard deviations of the split's training set.
    pub normalization: Normalization,
    /// Normalization of track statistics, for models with that input.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub statistics: Option<StatisticsScale>,
}

/// The parameters of a [`VectorScaler`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatisticsScale {
    /// Subtracted from each column.
    pub shift: Vec<f64>,
    /// Each column is then multiplied by this.
    pub scale: Vec<f64>,
}

impl FrontEndRecord {
    pub fn new(data: &RunData) -> Self {
        Self {
            task: data.dataset.task(),
            features: data.features.clone(),
            normalization: data.split.normalization.clone(),
            statistics: data.statistics_scaler.as_ref().map(|scaler| StatisticsScale {
                shift: scaler.shift().to_vec(),
                scale: scaler.scale().to_vec(),
            }),
        }
    }

    pub fn write(&self, run: &RunDirectory) -> Result<(), RunError> {
        run.write_json(FRONT_END_FILE, self)
    }

    /// Reads and checks the record of a run.
    pub fn read(run: &RunDirectory, config: &RunConfig) -> Result<Self, RunError> {
        let damaged = |detail: String| RunError::Damaged {
            path: run.path(FRONT_END_FILE),
            detail,
        };
        let json = run
            .read(FRONT_END_FILE)?
            .ok_or_else(|| damaged("it is missing".into()))?;
        let record: Self = serde_json::from_slice(&json).map_err(|error| damaged(error.to_string()))?;
        record.check(config).map_err(damaged)?;
        Ok(record)
    }

    /// Checks for values that would make every prediction meaningless. The error describes the problem.
    pub fn check(&self, config: &RunConfig) -> Result<(), String> {
        let features = &self.features;
        features.validate().map_err(|error| error.to_string())?;
        let longest = LONGEST_CLIP_SECONDS * features.sample_rate as usize;
        if !SAMPLE_RATES.contains(&features.sample_rate) || features.clip_samples > longest {
            return Err(format!(
                "no data set has clips of {} samples at {} Hz",
                features.clip_samples, features.sample_rate
            ));
        }
        if config.model.description().input.is_image() && features.top_db.is_none() {
            return Err("it has top_db null, and images need a dynamic range".into());
        }
        let Normalization {
            waveform_mean,
            waveform_std,
            mel_mean,
            mel_std,
            ..
        } = &self.normalization;
        if mel_mean.len() != self.features.n_mels || mel_std.len() != self.features.n_mels {
            return Err(format!(
                "it has means of {} and standard deviations of {} mel bands, and spectrograms have {}",
                mel_mean.len(),
                mel_std.len(),
                self.features.n_mels
            ));
        }
        let means = mel_mean.iter().chain([waveform_mean]);
        let stds = mel_std.iter().chain([waveform_std]);
        if !means.copied().all(f64::is_finite) || !stds.copied().all(|std| std.is_finite() && std > 0.0) {
            return Err("a mean is not finite or a standard deviation not above zero".into());
        }
        let expected = config.model.description().input.statistics.then(|| {
            let kinds = config.statistics.iter();
            kinds.map(|kind| kind.values()).sum::<usize>()
        });
        let found = self.statistics.as_ref().map(|statistics| statistics.shift.len());
        if expected != found || self.statistics.as_ref().is_some_and(|parts| parts.scaler().is_none()) {
            return Err(
                "its normalization of track statistics does not fit the statistics that the model takes".into(),
            );
        }
        Ok(())
    }

    /// The front end that computes model input. It has no track statistics; the caller computes those.
    pub fn front_end(&self, config: &RunConfig) -> HostFrontEnd {
        let setup = HostSetup {
            input: config.model.description().input,
            features: &self.features,
            pcm8: config.pcm8,
            normalize: config.normalize,
            normalization: &self.normalization,
            // One row of zeros, which only sets the length.
            statistics: self
                .statistics
                .as_ref()
                .map_or_else(Vec::new, |statistics| vec![0.0; statistics.shift.len()]),
        };
        HostFrontEnd::new(setup, 1)
    }

    /// The grid of the clips that are classified in a file, the same as for tracks of the run.
    pub fn clip_grid(&self, config: &RunConfig) -> ClipGrid {
        clip_grid(config, &self.features)
    }
}

impl StatisticsScale {
    /// The scaler; `None` if the lengths differ or a value is not finite.
    pub fn scaler(&self) -> Option<VectorScaler> {
        VectorScaler::from_parts(self.shift.clone(), self.scale.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::ModelKind;
    use crate::settings::Settings;
    use crate::testing;

    #[test]
    fn record_is_read_back_and_makes_the_same_front_end() {
        let root = testing::dataset();
        let config = RunConfig {
            clip_seconds: Some(2.4),
            skip_seconds: 1.0,
            ..testing::config(root.path(), ModelKind::Crnn)
        };
        let data = RunData::open(&config).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let run = RunDirectory::begin(&directory.path().join("run")).unwrap();
        let record = FrontEndRecord::new(&data);
        let missing = FrontEndRecord::read(&run, &config).unwrap_err();
        assert!(
            missing
                .to_string()
                .contains("front_end.json cannot be read: it is missing"),
            "{missing}"
        );
        record.write(&run).unwrap();
        // The record is usable without the data set.
        drop(root);
        assert_eq!(FrontEndRecord::read(&run, &config).unwrap(), record);
        assert_eq!(record.front_end(&config).shape(), data.front_end.shape());
        let grid = record.clip_grid(&config);
        assert_eq!((grid.hops, grid.skipped), (103, 43));
    }

    #[test]
    fn invalid_normalization_and_features_are_refused() {
        let settings = Settings {
            data: Some("fma".into()),
            model: Some(ModelKind::Crnn),
            ..Settings::default()
        };
        let config = settings.resolve().unwrap();
        let good = FrontEndRecord {
            task: Task::SingleLabel,
            features: FeatureConfig::default(),
            normalization: Normalization {
                tracks: 1,
                waveform_mean: 0.0,
                waveform_std: 0.1,
                mel_mean: vec![-40.0; 128],
                mel_std: vec![10.0; 128],
                constant_bands: Vec::new(),
            },
            statistics: None,
        };
        let refused = |change: &dyn Fn(&mut FrontEndRecord)| {
            let mut record = good.clone();
            change(&mut record);
            record.check(&config).unwrap_err()
        };
        good.check(&config).unwrap();
        assert!(refused(&|record| record.normalization.mel_std.truncate(3)).contains("3 mel bands"));
        assert!(refused(&|record| record.normalization.mel_std[5] = 0.0).contains("above zero"));
        assert!(refused(&|record| record.normalization.waveform_std = -1.0).contains("above zero"));
        assert!(refused(&|record| record.features.hop_length = 0).contains("hop"));
        assert!(refused(&|record| record.features.clip_samples = 1 << 50).contains("no data set has clips"));
        assert!(refused(&|record| record.features.sample_rate = 4_000_000_000).contains("4000000000 Hz"));
        let mut image = good.clone();
        image.features.top_db = None;
        image.check(&config).unwrap();
        let settings = Settings {
            model: Some(ModelKind::Vgg16Progressive42x100),
            data: Some("fma".into()),
            ..Settings::default()
        };
        let image = image.check(&settings.resolve().unwrap()).unwrap_err();
        assert!(image.contains("images need a dynamic range"), "{image}");
        let scale = StatisticsScale {
            shift: vec![0.0],
            scale: vec![1.0],
        };
        assert!(refused(&|record| record.statistics = Some(scale.clone())).contains("statistics"));
    }
}
