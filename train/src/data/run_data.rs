//! A run's view of its data: the open data set, the tracks of the three sets, the excerpts that training draws from, the
//! clips that are evaluated, the front end.

use crate::frontend::{
    Background, BackgroundError, FrontEndPlace, HostFrontEnd, HostSetup, StatisticsKind, VectorError, VectorScaler,
};
use crate::loader::{Balance, ClipGrid, EvalClips, Excerpt};
use crate::models::{InputShape, ModelKind, Monitor};
use crate::run::split_copy;
use crate::settings::RunConfig;
use shared::dataset::shard::ShardKind;
use shared::dataset::split::{self, Set, Split, SplitError};
use shared::dataset::{Dataset, DatasetError, SUMMARY_FILE, Task, read_summary};
use shared::dsp::features::FeatureConfig;
use std::collections::BTreeMap;
use std::path::Path;

/// What batches are made of.
#[derive(Debug)]
pub struct RunData {
    /// The data set.
    pub dataset: Dataset,
    /// The split.
    pub split: Split,
    /// The data set's feature settings, with the run's length of a clip.
    pub features: FeatureConfig,
    /// What turns clips into model input.
    pub front_end: HostFrontEnd,
    /// What the tracks' statistics were normalized with, for models that take these.
    pub statistics_scaler: Option<VectorScaler>,
    /// What training draws from: the tracks of the training set, or all their excerpts of `--frame-seconds`.
    pub training: Vec<Excerpt>,
    grid: ClipGrid,
    sets: BTreeMap<Set, Vec<usize>>,
}

/// Data that cannot be trained on.
#[derive(Debug, thiserror::Error)]
pub enum RunDataError {
    /// The data set cannot be opened.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// The split cannot be opened.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// The split names a track that the data set does not have.
    #[error("split `{split}` names track {track_id}, which the data set does not have; make a new split")]
    UnknownTrack {
        /// The split.
        split: String,
        /// The track.
        track_id: u64,
    },
    /// A track without exactly one label.
    #[error("track {track_id} has {labels} labels; a genre classifier needs exactly one on every track")]
    NotSingleLabel {
        /// The track.
        track_id: u64,
        /// How many it has.
        labels: usize,
    },
    /// A set without tracks.
    #[error("split `{split}` has no {set} tracks; make one with other ratios")]
    EmptySet {
        /// The split.
        split: String,
        /// The set.
        set: &'static str,
    },
    /// The clips are not what the model is made for.
    #[error(
        "{model} needs {needed}; the data set's clips have {} samples and [{}, {}] spectrograms. Build it with other \
         feature settings, or change --frame-seconds", has.samples, has.spectrogram[0], has.spectrogram[1]
    )]
    Shape {
        /// The model.
        model: ModelKind,
        /// In words.
        needed: String,
        /// What there is.
        has: InputShape,
    },
    /// Classes have no area to watch.
    #[error("--monitor auc-roc is a figure of tags, and the data set has classes; use loss, accuracy or macro-f1")]
    AreaOfClasses,
    /// A track has several tags, so that drawing more of one draws more of others.
    #[error("tags cannot be evened out by drawing tracks more or less often; use --balance class-weights")]
    TagsCannotBeBalanced,
    /// Statistics that cannot be normalized.
    #[error("the tracks' statistics cannot be normalized")]
    Statistics(#[from] VectorError),
    /// Sounds that cannot be mixed in.
    #[error(transparent)]
    Background(#[from] BackgroundError),
    /// The requested excerpt is shorter than one window of the STFT.
    #[error(
        "--frame-seconds {seconds} is {hops} hops of the data set, and an excerpt needs at least {least}; make it longer"
    )]
    ExcerptTooShort {
        /// As asked for.
        seconds: f64,
        /// Hops in it.
        hops: usize,
        /// So many are needed.
        least: usize,
    },
    /// The ends that are left out are all there is.
    #[error(
        "--skip-seconds {seconds} at either end leaves no excerpt of any track; the longest has {longest:.1} seconds"
    )]
    SkippedAll {
        /// As asked for.
        seconds: f64,
        /// The longest track, in seconds.
        longest: f64,
    },
    /// The requested excerpt is longer than every track.
    #[error("--frame-seconds {seconds} is longer than every track; the longest has {longest:.1} seconds")]
    ExcerptTooLong {
        /// As asked for.
        seconds: f64,
        /// The longest track, in seconds.
        longest: f64,
    },
}

impl RunData {
    /// Opens the data set of `config` and its split there, or the current one.
    pub fn open(config: &RunConfig) -> Result<Self, RunDataError> {
        let dataset = Dataset::open(&config.data)?;
        let name = Some(config.split.as_str()).filter(|name| !name.is_empty());
        let split = Split::read(&config.data, dataset.index(), name)?;
        Self::with_split(config, dataset, split)
    }

    /// Opens the data set of `config` and the split that a run keeps in the directory `run`.
    pub fn of_run(config: &RunConfig, run: &Path) -> Result<Self, RunDataError> {
        let dataset = Dataset::open(&config.data)?;
        let split = split_copy::read(run, dataset.index())?;
        Self::with_split(config, dataset, split)
    }

    fn with_split(config: &RunConfig, dataset: Dataset, split: Split) -> Result<Self, RunDataError> {
        let (features, grid) = clips(config, &dataset)?;
        let mut sets = BTreeMap::new();
        for (&set, ids) in &split.tracks {
            let mut of_set = Vec::new();
            for &track_id in ids {
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
                of_set.push(position);
            }
            sets.insert(set, of_set);
        }
        let single = dataset.task() == Task::SingleLabel;
        if single && config.monitor == Monitor::AucRoc {
            return Err(RunDataError::AreaOfClasses);
        }
        if !single && matches!(config.balance, Balance::Oversample | Balance::Undersample) {
            return Err(RunDataError::TagsCannotBeBalanced);
        }
        let description = config.model.description();
        let train = sets.get(&Set::Train).map_or(&[][..], |train| train);
        let training = match config.frame_seconds {
            None => train
                .iter()
                .map(|&position| Excerpt { position, place: None })
                .collect(),
            Some(_) => {
                let all = ClipGrid {
                    clips: EvalClips::All,
                    ..grid
                };
                cut(&dataset, train, all, &features)
            }
        };
        let (statistics, statistics_scaler) = if description.input.statistics {
            let (statistics, scaler) = statistics(config, &dataset, train)?;
            (statistics, Some(scaler))
        } else {
            (Vec::new(), None)
        };
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

    /// Opens the sounds that are mixed into training clips, where there are any; their data set's checksum. Judging a run
    /// needs none.
    pub fn open_background(&mut self, config: &RunConfig) -> Result<Option<String>, RunDataError> {
        let Some(root) = &config.background else {
            return Ok(None);
        };
        let background = Background::open(root, self.features.sample_rate)?;
        let checksum = background.checksum().to_owned();
        self.front_end.mix_in(background);
        Ok(Some(checksum))
    }

    /// Bytes of the shards that training with `config` reads.
    pub fn training_bytes(&self, config: &RunConfig) -> u64 {
        let shards = &self.dataset.index().shards;
        let bytes = training_kinds(config)
            .into_iter()
            .flat_map(|kind| shards.iter().map(move |shard| shard.file(kind).bytes));
        bytes.sum()
    }

    /// The clips of a set that are evaluated; those of a track follow each other.
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

/// The data set's settings with the run's length of a clip, and the clips that are evaluated.
fn clips(config: &RunConfig, dataset: &Dataset) -> Result<(FeatureConfig, ClipGrid), RunDataError> {
    let stored = dataset.features();
    let features = clip_features(config, stored);
    if let Some(seconds) = config.frame_seconds {
        let (hops_of_clip, least) = (features.clip_frames(), stored.n_fft.div_ceil(stored.hop_length));
        if hops_of_clip < least {
            return Err(RunDataError::ExcerptTooShort {
                seconds,
                hops: hops_of_clip,
                least,
            });
        }
        let longest = dataset.tracks().iter().map(|row| row.samples).max().unwrap_or(0);
        let longest_seconds = longest as f64 / f64::from(stored.sample_rate);
        if features.clip_samples as u64 > longest {
            return Err(RunDataError::ExcerptTooLong {
                seconds,
                longest: longest_seconds,
            });
        }
        let skipped = hops(config.skip_seconds, stored)
            .saturating_mul(2)
            .saturating_add(hops_of_clip);
        if skipped as u64 > longest / stored.hop_length as u64 {
            return Err(RunDataError::SkippedAll {
                seconds: config.skip_seconds,
                longest: longest_seconds,
            });
        }
    }
    let grid = clip_grid(config, &features);
    Ok((features, grid))
}

/// A data set's settings with the run's length of a clip.
pub fn clip_features(config: &RunConfig, stored: &FeatureConfig) -> FeatureConfig {
    let own = config.frame_seconds.map(|seconds| hops(seconds, stored));
    let clip_samples = own
        .or(config.clip_frames)
        .map_or(stored.clip_samples, |hops| hops.saturating_mul(stored.hop_length));
    FeatureConfig {
        clip_samples,
        ..stored.clone()
    }
}

/// The clips of a track, or of a file, that a run evaluates. `features` have the run's length of a clip.
pub fn clip_grid(config: &RunConfig, features: &FeatureConfig) -> ClipGrid {
    ClipGrid {
        hops: features.clip_frames(),
        skipped: config.frame_seconds.map_or(0, |_| hops(config.skip_seconds, features)),
        // Statistics are those of the whole track whatever the clip.
        clips: if config.model.description().input.is_statistics_only() {
            EvalClips::Middle
        } else {
            config.eval_clips
        },
    }
}

/// The name of a data set's current split. What is no data set is said before what has none.
pub fn current_split(dataset: &Path) -> Result<String, RunDataError> {
    Dataset::read_index(dataset)?;
    let live = split::current(dataset)?;
    Ok(live.ok_or_else(|| SplitError::NoSplit {
        dataset: dataset.to_owned(),
    })?)
}

/// Whole hops in so many seconds.
fn hops(seconds: f64, features: &FeatureConfig) -> usize {
    (seconds * f64::from(features.sample_rate) / features.hop_length as f64) as usize
}

/// The clips of some tracks.
fn cut(dataset: &Dataset, tracks: &[usize], grid: ClipGrid, features: &FeatureConfig) -> Vec<Excerpt> {
    let clips = tracks.iter().flat_map(|&position| {
        let places = grid.places(dataset.tracks()[position].samples as usize, features);
        places.map(move |place| Excerpt {
            position,
            place: Some(place),
        })
    });
    clips.collect()
}

/// The tracks' statistics, `[tracks, figures]`, normalized with the figures of the training set, and these.
fn statistics(
    config: &RunConfig,
    dataset: &Dataset,
    train: &[usize],
) -> Result<(Vec<f32>, VectorScaler), RunDataError> {
    let summaries = read_summary(dataset.root(), dataset.index())?;
    let ids = dataset.tracks().iter().map(|row| row.track_id);
    if !summaries.iter().map(|summary| summary.track_id).eq(ids) {
        return Err(RunDataError::Dataset(DatasetError::Damaged {
            path: dataset.root().join(SUMMARY_FILE),
            detail: "its tracks are not those of tracks.csv in their order".into(),
        }));
    }
    let kinds = &config.statistics;
    let mut all = Vec::new();
    for summary in &summaries {
        for kind in kinds {
            all.extend_from_slice(match kind {
                StatisticsKind::Mfcc => &summary.mfcc,
                StatisticsKind::Chroma => &summary.chroma,
            });
        }
    }
    let dimension = all.len() / summaries.len().max(1);
    let of_training: Vec<f32> = train
        .iter()
        .flat_map(|&position| &all[position * dimension..][..dimension])
        .copied()
        .collect();
    let scaler = config.normalize.fit(&of_training, dimension)?;
    scaler.apply(&mut all)?;
    Ok((all, scaler))
}

/// The shards that training clips are cut out of: an augmented clip's mel spectrogram is computed from its samples.
pub fn training_kinds(config: &RunConfig) -> Vec<ShardKind> {
    let input = config.model.description().input;
    if input.is_statistics_only() {
        return Vec::new();
    }
    let mut kinds = Vec::new();
    let from_samples = !input.has_mel() || config.pcm8 || config.augment.changes_samples();
    if input.waveform.is_some() || from_samples || config.front_end == FrontEndPlace::Device {
        kinds.push(ShardKind::Waveform);
    }
    // Stored spectrograms are read for clips that are not augmented, a quarter of them with noise and stretch.
    if input.has_mel() && !config.pcm8 {
        kinds.push(ShardKind::Mel);
    }
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn open(model: ModelKind, change: impl FnOnce(&mut RunConfig)) -> Result<RunData, RunDataError> {
        let root = testing::dataset();
        let mut config = testing::config(root.path(), model);
        change(&mut config);
        RunData::open(&config)
    }

    #[test]
    fn tracks_become_frames_and_sets_hold_all_of_their_own() {
        let whole = open(ModelKind::Crnn, |_| {}).unwrap();
        let hops = |excerpts: &[Excerpt]| -> Vec<_> {
            excerpts
                .iter()
                .map(|excerpt| excerpt.place.map(|place| place.hop))
                .collect()
        };
        assert_eq!(hops(&whole.training), [None; 4]);
        assert_eq!(whole.tracks(Set::Val).unwrap(), [4, 5]);
        // Tracks of 512 to 546 hops, and clips of 512.
        let clips = whole.clips(Set::Val).unwrap();
        assert_eq!(clips.iter().map(|clip| clip.position).collect::<Vec<_>>(), [4, 4, 5, 5]);
        assert_eq!(hops(&clips), [Some(0), Some(19), Some(0), Some(24)]);
        let middle = open(ModelKind::Crnn, |config| config.eval_clips = EvalClips::Middle).unwrap();
        assert_eq!(hops(&middle.clips(Set::Val).unwrap()), [Some(9), Some(12)]);
        // 2.4 s are 103 hops.
        let cut = open(ModelKind::Crnn, |config| {
            config.frame_seconds = Some(2.4);
            config.skip_seconds = 1.0;
        })
        .unwrap();
        assert_eq!(cut.features.clip_samples, 103 * 1024);
        assert_eq!(cut.front_end.shape().spectrogram, [128, 103]);
        // Between the skipped ends, and one that ends where they do.
        assert_eq!(hops(&cut.training[..5]), [43, 146, 249, 352, 366].map(Some));
        assert_eq!(hops(&cut.clips(Set::Train).unwrap()), hops(&cut.training));
        let short = open(ModelKind::Crnn, |config| config.frame_seconds = Some(0.05)).unwrap_err();
        assert!(short.to_string().contains("an excerpt needs at least 4"), "{short}");
        for seconds in [60.0, 1e300] {
            let long = open(ModelKind::Crnn, |config| config.frame_seconds = Some(seconds)).unwrap_err();
            assert!(long.to_string().contains("the longest has 12.7 seconds"), "{long}");
        }
        // The longest track has 546 hops: 443 less than an excerpt, half of them at either end.
        let skip = |seconds: f64| {
            open(ModelKind::Crnn, |config| {
                config.frame_seconds = Some(2.4);
                config.skip_seconds = seconds;
            })
        };
        assert!(skip(221.5 * 1024.0 / 44_100.0).is_ok());
        for seconds in [222.5 * 1024.0 / 44_100.0, 1e300, f64::MAX] {
            let nothing_left = skip(seconds).unwrap_err().to_string();
            assert!(
                nothing_left.contains("leaves no excerpt of any track"),
                "{nothing_left}"
            );
        }
    }

    #[test]
    fn each_input_has_its_shape() {
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
    fn what_a_model_cannot_be_fed_with_is_a_sentence() {
        let bands = open(ModelKind::ChoiFcn, |_| {}).unwrap_err().to_string();
        assert!(
            bands.contains("choi-fcn needs 96 mel bands") && bands.contains("[128, 512]"),
            "{bands}"
        );
        let area = open(ModelKind::Crnn, |config| config.monitor = Monitor::AucRoc).unwrap_err();
        assert!(area.to_string().contains("a figure of tags"), "{area}");
    }
}
