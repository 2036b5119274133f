//! The data of a run: the open data set, the tracks of the three sets, the training excerpts, the evaluated clips and
//! the front end.

use super::clips::{clips, cut, training_clips};
use super::error::RunDataError;
use super::track_statistics::normalized_statistics;
use crate::frontend::{Background, FrontEndPlace, HostFrontEnd, HostSetup, VectorScaler};
use crate::loader::{Balance, ClipGrid, Excerpt, TrainClips};
use crate::run::split_copy;
use crate::settings::RunConfig;
use anyhow::Context;
use shared::dataset::shard::ShardKind;
use shared::dataset::split::{self, Set, Split, SplitError};
use shared::dataset::{Dataset, DatasetIndex, Task};
use shared::dsp::features::FeatureConfig;
use std::collections::BTreeMap;
use std::path::Path;

/// The index of the data set of the run in `run`.
pub fn index_of_run(run: &Path, data: &Path) -> anyhow::Result<DatasetIndex> {
    Dataset::read_index(data).with_context(|| {
        format!(
            "could not open the data set of {}; if it was moved, give its path with --data",
            run.display()
        )
    })
}

#[derive(Debug)]
pub struct RunData {
    pub dataset: Dataset,
    pub split: Split,
    /// The data set's feature settings with the run's clip length.
    pub features: FeatureConfig,
    /// Computes model input from clips.
    pub front_end: HostFrontEnd,
    /// Normalizes the track statistics, for models with that input.
    pub statistics_scaler: Option<VectorScaler>,
    /// The training examples: the clips of the training set that `--train-clips` selects.
    pub training: Vec<Excerpt>,
    grid: ClipGrid,
    sets: BTreeMap<Set, Vec<usize>>,
}

impl RunData {
    /// Opens the data set of `config` with the split that `config` names, or else the current split.
    pub fn open(config: &RunConfig) -> Result<Self, RunDataError> {
        let dataset = Dataset::open(&config.data)?;
        let name = Some(config.split.as_str()).filter(|name| !name.is_empty());
        let split = Split::read(&config.data, dataset.index(), name)?;
        Self::with_split(config, dataset, split)
    }

    /// Opens the data set of `config` with the copy of the split in the directory `run`. `classes` are those of the run;
    /// the data set may have gained others since. With `None`, the classes are the data set's.
    pub fn open_in_run(config: &RunConfig, run: &Path, classes: Option<&[String]>) -> Result<Self, RunDataError> {
        let mut dataset = Dataset::open(&config.data)?;
        let split = split_copy::read(run, dataset.index())?;
        if let Some(classes) = classes {
            let position = |id: &u64| dataset.position(*id);
            let mut positions = split.tracks.values().flatten().filter_map(position);
            let of_run = |label: &String| classes.contains(label);
            if positions.all(|position| dataset.tracks()[position].labels.iter().all(of_run)) {
                // If a class is missing, it is another data set, which commands refuse.
                let _ = dataset.select_classes(classes);
            }
        }
        Self::with_split(config, dataset, split)
    }

    fn with_split(config: &RunConfig, mut dataset: Dataset, split: Split) -> Result<Self, RunDataError> {
        if config.imported_from.is_some() {
            // The outputs of an imported network may have another order. Commands that need the same classes check.
            let _ = dataset.reorder_classes(&config.classes);
        }
        let (features, grid) = clips(config, &dataset)?;
        let sets = sets(&dataset, &split)?;
        let single = dataset.task() == Task::SingleLabel;
        if single && config.monitor.is_multi_label() {
            return Err(RunDataError::AreaOfSingleLabel {
                monitor: config.monitor,
            });
        }
        if single && config.focal_gamma > 0.0 {
            return Err(RunDataError::FocalLossOfSingleLabel);
        }
        if !single && matches!(config.balance, Balance::Oversample | Balance::Undersample) {
            return Err(RunDataError::TagsCannotBeBalanced);
        }
        let description = config.model.description();
        let train = sets.get(&Set::Train).map_or(&[][..], |train| train);
        let training = training_clips(config.train_clips, &dataset, train, grid, &features);
        let (statistics, statistics_scaler) = if description.input.statistics {
            let (statistics, scaler) = normalized_statistics(config, &dataset, train)?;
            (statistics, Some(scaler))
        } else {
            (Vec::new(), None)
        };
        if description.input.is_image() && features.top_db.is_none() {
            return Err(RunDataError::ImageWithoutTopDb { model: config.model });
        }
        let setup = HostSetup {
            input: description.input,
            features: &features,
            pcm8: config.pcm8,
            normalize: config.normalize,
            normalization: &split.normalization,
            statistics,
        };
        let front_end = HostFrontEnd::new(setup, dataset.tracks().len());
        (description.accepts)(front_end.shape()).map_err(|needed| RunDataError::Shape {
            model: config.model,
            needed,
            has: *front_end.shape(),
        })?;
        Ok(Self {
            dataset,
            split,
            features,
            front_end,
            statistics_scaler,
            training,
            grid,
            sets,
        })
    }

    /// Opens the sounds that are mixed into training clips, if configured, and returns the checksum of their data set.
    /// Not needed for evaluation.
    pub fn open_background(&mut self, config: &RunConfig) -> Result<Option<String>, RunDataError> {
        let Some(root) = &config.background else {
            return Ok(None);
        };
        let background = Background::open(root, self.features.sample_rate)?;
        let checksum = background.checksum().to_owned();
        self.front_end.mix_in(background);
        Ok(Some(checksum))
    }

    /// Number of clips of an epoch with `--train-clips all`.
    pub fn all_training_clips(&self) -> usize {
        let tracks = self.tracks(Set::Train).unwrap_or_default();
        training_clips(TrainClips::All, &self.dataset, tracks, self.grid, &self.features).len()
    }

    /// Total size in bytes of the shards that training with `config` reads.
    pub fn training_bytes(&self, config: &RunConfig) -> u64 {
        let shards = &self.dataset.index().shards;
        let bytes = training_kinds(config, &self.features)
            .into_iter()
            .flat_map(|kind| shards.iter().map(move |shard| shard.file(kind).bytes));
        bytes.sum()
    }

    /// Hops that are skipped at each end of a track.
    pub fn skipped_hops(&self) -> usize {
        self.grid.skipped
    }

    /// The evaluated clips of a set. The clips of a track are consecutive.
    pub fn clips(&self, set: Set) -> Result<Vec<Excerpt>, RunDataError> {
        Ok(cut(&self.dataset, self.tracks(set)?, self.grid, &self.features))
    }

    /// The tracks of a set, as positions in the data set.
    pub fn tracks(&self, set: Set) -> Result<&[usize], RunDataError> {
        match self.sets.get(&set) {
            Some(tracks) if !tracks.is_empty() => Ok(tracks),
            _ => Err(RunDataError::EmptySet {
                split: self.split.index.name.clone(),
                set: set.name(),
            }),
        }
    }
}

/// The name of a data set's current split. Reports a missing data set before a missing split.
pub fn current_split(dataset: &Path) -> Result<String, RunDataError> {
    Dataset::read_index(dataset)?;
    let current = split::current(dataset)?;
    Ok(current.ok_or_else(|| SplitError::NoSplit {
        dataset: dataset.to_owned(),
    })?)
}

/// The positions of each set's tracks in the data set.
fn sets(dataset: &Dataset, split: &Split) -> Result<BTreeMap<Set, Vec<usize>>, RunDataError> {
    let position = |&track_id: &u64| {
        let position = dataset.position(track_id).ok_or_else(|| RunDataError::UnknownTrack {
            split: split.index.name.clone(),
            track_id,
        })?;
        if dataset.task() == Task::SingleLabel && dataset.class(position).is_none() {
            return Err(RunDataError::NotSingleLabel {
                track_id,
                labels: dataset.tracks()[position].labels.len(),
            });
        }
        Ok(position)
    };
    let sets = split.tracks.iter();
    sets.map(|(&set, ids)| Ok((set, ids.iter().map(position).collect::<Result<_, _>>()?)))
        .collect()
}

/// The kinds of shards that training reads. The mel spectrogram of an augmented clip, and of every clip with reflect
/// padding, is computed from its samples.
pub fn training_kinds(config: &RunConfig, features: &FeatureConfig) -> Vec<ShardKind> {
    let input = config.model.description().input;
    if input.is_statistics_only() {
        return Vec::new();
    }
    let mut kinds = Vec::new();
    let stored_mel = input.is_cut_from_stored_mel(features) && !config.pcm8;
    let from_samples = !stored_mel || config.augment.changes_samples();
    if input.waveform.is_some() || from_samples || config.front_end == FrontEndPlace::Device {
        kinds.push(ShardKind::Waveform);
    }
    // Stored spectrograms are read for unaugmented clips: with noise and stretch, a quarter of all clips.
    if stored_mel {
        kinds.push(ShardKind::Mel);
    }
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loader::{EvalClips, TrainClips};
    use crate::models::{ModelKind, Monitor};
    use crate::testing;

    fn open(model: ModelKind, change: impl FnOnce(&mut RunConfig)) -> Result<RunData, RunDataError> {
        let root = testing::dataset();
        let mut config = testing::config(root.path(), model);
        change(&mut config);
        RunData::open(&config)
    }

    #[test]
    fn clips_and_excerpts_are_cut_at_the_expected_hops() {
        let uncut = open(ModelKind::Crnn, |_| {}).unwrap();
        let hops = |excerpts: &[Excerpt]| -> Vec<_> { excerpts.iter().map(|excerpt| excerpt.hop).collect() };
        assert_eq!(hops(&uncut.training), [None; 4]);
        assert_eq!(uncut.tracks(Set::Val).unwrap(), [4, 5]);
        // Tracks of 512 to 546 hops, and clips of 512.
        let clips = uncut.clips(Set::Val).unwrap();
        assert_eq!(clips.iter().map(|clip| clip.position).collect::<Vec<_>>(), [4, 4, 5, 5]);
        assert_eq!(hops(&clips), [Some(0), Some(19), Some(0), Some(24)]);
        let middle = open(ModelKind::Crnn, |config| config.eval_clips = EvalClips::MIDDLE).unwrap();
        assert_eq!(hops(&middle.clips(Set::Val).unwrap()), [Some(9), Some(12)]);
        // 2.4 s are 103 hops.
        let cut = open(ModelKind::Crnn, |config| {
            config.clip_seconds = Some(2.4);
            config.skip_seconds = 1.0;
            config.train_clips = TrainClips::Grid;
        })
        .unwrap();
        assert_eq!(cut.features.clip_samples, 103 * 1024);
        assert_eq!(cut.front_end.shape().spectrogram, [128, 103]);
        // Consecutive clips between the skipped ends, and a last one that ends at the skipped end.
        assert_eq!(hops(&cut.training[..5]), [43, 146, 249, 352, 366].map(Some));
        assert_eq!(hops(&cut.clips(Set::Train).unwrap()), hops(&cut.training));
        let short = open(ModelKind::Crnn, |config| config.clip_seconds = Some(0.05)).unwrap_err();
        assert!(short.to_string().contains("a clip needs at least 4"), "{short}");
        for seconds in [60.0, 1e300] {
            let long = open(ModelKind::Crnn, |config| config.clip_seconds = Some(seconds)).unwrap_err();
            assert!(long.to_string().contains("the longest has 12.7 seconds"), "{long}");
        }
        // The longest track has 546 hops, 443 more than a clip, so up to 221.5 can be skipped at each end.
        let skip = |seconds: f64| {
            open(ModelKind::Crnn, |config| {
                config.clip_seconds = Some(2.4);
                config.skip_seconds = seconds;
            })
        };
        assert!(skip(221.5 * 1024.0 / 44_100.0).is_ok());
        for seconds in [222.5 * 1024.0 / 44_100.0, 1e300, f64::MAX] {
            let nothing_left = skip(seconds).unwrap_err().to_string();
            assert!(nothing_left.contains("leaves no clip of any track"), "{nothing_left}");
        }
    }

    #[test]
    fn an_epoch_has_one_random_clip_of_a_track_or_as_many_as_fit_or_the_grid() {
        // Tracks of 512 to 546 hops, clips of 103 hops.
        let training = |clips, skip_seconds| {
            let data = open(ModelKind::Crnn, |config| {
                config.clip_seconds = Some(2.4);
                config.skip_seconds = skip_seconds;
                config.train_clips = clips;
            });
            data.unwrap().training
        };
        let list = |clips, first: usize| -> Vec<_> {
            let clips = training(clips, 0.0).into_iter().take(first);
            clips.map(|clip| (clip.position, clip.number, clip.hop)).collect()
        };
        assert_eq!(
            list(TrainClips::default(), 9),
            [0, 1, 2, 3].map(|track| (track, 0, None))
        );
        // The first track has room for four clips, the others for five.
        let random = [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0)].map(|(track, number)| (track, number, None));
        assert_eq!(list(TrainClips::All, 5), random);
        assert_eq!(training(TrainClips::All, 0.0).len(), 19);
        let grid = [(0, 0), (1, 103), (2, 206), (3, 309), (4, 409)].map(|(number, hop)| (0, number, Some(hop)));
        assert_eq!(list(TrainClips::Grid, 5), grid);
        // Without a second at each end, each has room for four.
        assert_eq!(training(TrainClips::All, 1.0).len(), 16);
    }

    #[test]
    fn front_end_has_the_input_shape_of_the_model() {
        let psd = open(ModelKind::Crnn2dGru, |_| {}).unwrap();
        // (2^19 - 32) / 224
        assert_eq!(psd.front_end.shape().spectrogram, [129, 2340]);
        let image = open(ModelKind::Vgg16Progressive42x100, |_| {}).unwrap();
        assert_eq!(image.front_end.shape().spectrogram, [42, 100]);
        assert_eq!(image.features.clip_frames(), 400);
        let small = open(ModelKind::SmallCnn, |_| {}).unwrap();
        assert_eq!(small.front_end.shape().spectrogram, [128, 400]);
    }

    #[test]
    fn unsuitable_shape_and_monitor_are_refused() {
        let bands = open(ModelKind::ChoiFcn, |_| {}).unwrap_err().to_string();
        assert!(
            bands.contains("choi-fcn needs 96 mel bands") && bands.contains("128 bands and 512 frames"),
            "{bands}"
        );
        for monitor in [Monitor::AucRoc, Monitor::AucPr] {
            let area = open(ModelKind::Crnn, |config| config.monitor = monitor).unwrap_err();
            assert_eq!(
                area.to_string(),
                format!(
                    "--monitor {} is a multi-label metric, and the data set is single-label; choose from loss, accuracy, \
                     macro-f1, precision, recall",
                    monitor.name()
                )
            );
        }
        let focal = open(ModelKind::Crnn, |config| config.focal_gamma = 2.0).unwrap_err();
        assert!(
            focal.to_string().starts_with("--focal-gamma is for multi-label data"),
            "{focal}"
        );
    }
}
