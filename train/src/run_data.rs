//! A run's view of its data: the open data set, the three sets as excerpts of its tracks, the front end.

use crate::config::{Balance, RunConfig};
use crate::frontend::{Background, BackgroundError, FrontEndPlace, HostFrontEnd, HostSetup, VectorError, VectorScaler};
use crate::loader::{Excerpt, Framing};
use crate::models::{InputShape, ModelKind, Monitor};
use serde::{Deserialize, Serialize};
use shared::dataset::{Dataset, DatasetError, SUMMARY_FILE, Task, read_summary};
use shared::features::FeatureConfig;
use shared::shard::ShardKind;
use shared::split::{self, Set, Split, SplitError};
use shared::stats::{CHROMA_STATISTICS, MFCC_STATISTICS};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Statistics of whole tracks that the data set keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum StatisticsKind {
    /// Moments of 20 MFCC, 140 figures.
    Mfcc,
    /// Moments of 12 chroma, 84 figures.
    Chroma,
}

impl StatisticsKind {
    /// Figures of a track.
    pub fn figures(self) -> usize {
        match self {
            Self::Mfcc => MFCC_STATISTICS,
            Self::Chroma => CHROMA_STATISTICS,
        }
    }
}

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
    /// What batches are drawn from: all tracks, or all their frames, in the data set's order.
    pub excerpts: Vec<Excerpt>,
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
    /// A data set of an earlier version.
    #[error("{} keeps no statistics of its tracks; build it again", path.display())]
    NoStatistics {
        /// The data set.
        path: PathBuf,
    },
    /// Statistics that cannot be normalized.
    #[error("the tracks' statistics cannot be normalized")]
    Statistics(#[from] VectorError),
    /// Sounds that cannot be mixed in.
    #[error(transparent)]
    Background(#[from] BackgroundError),
    /// A frame that is none.
    #[error(
        "--frame-seconds {seconds} is {hops} hops of the data set, and a frame needs at least {least}; make it longer"
    )]
    FrameTooShort {
        /// As asked for.
        seconds: f64,
        /// Hops in it.
        hops: usize,
        /// So many are needed.
        least: usize,
    },
    /// A frame that no track has.
    #[error("--frame-seconds {seconds} is longer than every track; the longest has {longest:.1} seconds")]
    FrameTooLong {
        /// As asked for.
        seconds: f64,
        /// The longest track, in seconds.
        longest: f64,
    },
}

impl RunData {
    /// Opens the data set of `config` and its split, or the live one.
    pub fn open(config: &RunConfig) -> Result<Self, RunDataError> {
        let dataset = Dataset::open(&config.data)?;
        let name = Some(config.split.as_str()).filter(|name| !name.is_empty());
        let split = Split::read(&config.data, dataset.index(), name)?;
        let (features, framing) = clips(config, &dataset)?;
        let (excerpts, ranges) = excerpts(&dataset, framing, &features);
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
                of_set.extend(ranges[position].clone());
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
        let (statistics, statistics_scaler) = if description.input.statistics {
            let train = sets.get(&Set::Train).map_or(&[][..], |train| train);
            let (statistics, scaler) = statistics(config, &dataset, train, &excerpts)?;
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
            excerpts,
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

    /// The excerpts of a set, as places in [`Self::excerpts`]; those of a track follow each other.
    pub fn set(&self, set: Set) -> Result<&[usize], RunDataError> {
        match self.sets.get(&set) {
            Some(excerpts) if !excerpts.is_empty() => Ok(excerpts),
            _ => Err(RunDataError::EmptySet {
                split: self.split.index.name.clone(),
                set: set.name(),
            }),
        }
    }
}

/// The data set's settings with the run's length of a clip, and how tracks are cut into frames, if they are.
fn clips(config: &RunConfig, dataset: &Dataset) -> Result<(FeatureConfig, Option<Framing>), RunDataError> {
    let stored = dataset.features();
    let of_hops = |hops: usize| FeatureConfig {
        clip_samples: hops.saturating_mul(stored.hop_length),
        ..stored.clone()
    };
    let Some(seconds) = config.frame_seconds else {
        let features = config.clip_frames.map_or_else(|| stored.clone(), of_hops);
        return Ok((features, None));
    };
    let (length, least) = (hops(seconds, stored), stored.n_fft.div_ceil(stored.hop_length));
    if length < least {
        return Err(RunDataError::FrameTooShort {
            seconds,
            hops: length,
            least,
        });
    }
    let longest = dataset.tracks().iter().map(|row| row.samples).max().unwrap_or(0);
    let features = of_hops(length);
    if features.clip_samples as u64 > longest {
        return Err(RunDataError::FrameTooLong {
            seconds,
            longest: longest as f64 / f64::from(stored.sample_rate),
        });
    }
    let framing = Framing {
        hops: length,
        skipped: hops(config.skip_seconds, stored),
    };
    Ok((features, Some(framing)))
}

/// The name of a data set's live split. What is no data set is said before what has none.
pub fn live_split(dataset: &Path) -> Result<String, RunDataError> {
    Dataset::read_index(dataset)?;
    let live = split::current(dataset)?;
    Ok(live.ok_or_else(|| SplitError::NoSplit {
        dataset: dataset.to_owned(),
    })?)
}

/// Whole hops in so many seconds.
pub fn hops(seconds: f64, features: &FeatureConfig) -> usize {
    (seconds * f64::from(features.sample_rate) / features.hop_length as f64) as usize
}

/// All excerpts, and those of each track.
fn excerpts(
    dataset: &Dataset,
    framing: Option<Framing>,
    features: &FeatureConfig,
) -> (Vec<Excerpt>, Vec<Range<usize>>) {
    let mut all = Vec::new();
    let ranges = dataset.tracks().iter().enumerate().map(|(position, row)| {
        let begin = all.len();
        match framing {
            None => all.push(Excerpt { position, frame: None }),
            Some(framing) => {
                let frames = framing.frames(row.samples as usize, features);
                all.extend(frames.map(|frame| Excerpt {
                    position,
                    frame: Some(frame),
                }));
            }
        }
        begin..all.len()
    });
    let ranges = ranges.collect();
    (all, ranges)
}

/// The tracks' statistics, `[tracks, figures]`, normalized with the figures of the training set, and these.
fn statistics(
    config: &RunConfig,
    dataset: &Dataset,
    train: &[usize],
    excerpts: &[Excerpt],
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
            let figures = match kind {
                StatisticsKind::Mfcc => &summary.mfcc,
                StatisticsKind::Chroma => &summary.chroma,
            };
            if figures.len() != kind.figures() {
                return Err(RunDataError::NoStatistics {
                    path: dataset.root().to_owned(),
                });
            }
            all.extend_from_slice(figures);
        }
    }
    let dimension = all.len() / summaries.len().max(1);
    let of_training: Vec<f32> = train
        .iter()
        .flat_map(|&excerpt| &all[excerpts[excerpt].position * dimension..][..dimension])
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
        assert_eq!(whole.excerpts.len(), testing::TRACKS);
        assert_eq!(whole.set(Set::Val).unwrap(), [4, 5]);
        // Tracks of 512 to 546 hops; 2.4 s are 103 of them.
        let cut = open(ModelKind::Crnn, |config| {
            config.frame_seconds = Some(2.4);
            config.skip_seconds = 1.0;
        })
        .unwrap();
        assert_eq!(cut.features.clip_samples, 103 * 1024);
        assert_eq!(cut.front_end.shape().spectrogram, [128, 103]);
        assert_eq!(cut.excerpts.len(), 4 * testing::TRACKS);
        assert_eq!(cut.set(Set::Val).unwrap(), (16..24).collect::<Vec<_>>());
        let hops: Vec<_> = cut.excerpts[..4]
            .iter()
            .map(|excerpt| excerpt.frame.unwrap().hop)
            .collect();
        assert_eq!(hops, [43, 146, 249, 352]);
        let short = open(ModelKind::Crnn, |config| config.frame_seconds = Some(0.05)).unwrap_err();
        assert!(short.to_string().contains("a frame needs at least 4"), "{short}");
        for seconds in [60.0, 1e300] {
            let long = open(ModelKind::Crnn, |config| config.frame_seconds = Some(seconds)).unwrap_err();
            assert!(long.to_string().contains("the longest has 12.7 seconds"), "{long}");
        }
        let nothing_left = open(ModelKind::Crnn, |config| {
            config.frame_seconds = Some(2.4);
            config.skip_seconds = 1e300;
        });
        assert_eq!(nothing_left.unwrap().excerpts.len(), testing::TRACKS);
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
        // The data set of these tests is made without statistics, as the first data sets were.
        let statistics = open(ModelKind::MfccDense, |_| {}).unwrap_err().to_string();
        assert!(statistics.contains("build it again"), "{statistics}");
        let area = open(ModelKind::Crnn, |config| config.monitor = Monitor::AucRoc).unwrap_err();
        assert!(area.to_string().contains("a figure of tags"), "{area}");
    }
}
