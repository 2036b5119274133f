//! The errors of opening a run's data.

use crate::frontend::{BackgroundError, VectorError};
use crate::models::{InputShape, ModelKind, Monitor};
use shared::dataset::DatasetError;
use shared::dataset::split::SplitError;

/// Data that cannot be used for a run.
#[derive(Debug, thiserror::Error)]
pub enum RunDataError {
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    #[error(transparent)]
    Split(#[from] SplitError),
    /// The split names a track that the data set does not have.
    #[error("split `{split}` names track {track_id}, which the data set does not have; make a new split")]
    UnknownTrack { split: String, track_id: u64 },
    /// A track in a single-label data set that does not have exactly one label.
    #[error("track {track_id} has {labels} labels; a genre classifier needs exactly one on every track")]
    NotSingleLabel { track_id: u64, labels: usize },
    #[error("split `{split}` has no {set} tracks; make one with other ratios")]
    EmptySet { split: String, set: &'static str },
    /// The clips do not have the shape that the model needs.
    #[error(
        "{model} needs {needed}, and the data set's clips have {} samples and [{}, {}] spectrograms; build the data \
         set with other feature settings, or change --clip-seconds",
        has.samples, has.spectrogram[0], has.spectrogram[1]
    )]
    Shape {
        model: ModelKind,
        needed: String,
        has: InputShape,
    },
    /// An image has the range `top_db`.
    #[error(
        "{model} scales the dynamic range of a mel spectrogram to an image, and the data set has top_db none; build a \
         data set with --top-db 80, or make these features with preprocess extend"
    )]
    ImageWithoutTopDb { model: ModelKind },
    /// Areas under curves are computed for multi-label data sets only.
    #[error(
        "--monitor {} is a multi-label metric, and the data set is single-label; choose from {}",
        monitor.name(), Monitor::single_label().join(", ")
    )]
    AreaOfSingleLabel { monitor: Monitor },
    /// The focal loss is defined for binary decisions only.
    #[error("--focal-gamma is for multi-label data, and the data set is single-label; remove it or use 0")]
    FocalLossOfSingleLabel,
    /// A track has several tags, so drawing more tracks of one tag also draws more of others.
    #[error("a multi-label data set cannot be balanced by oversampling or undersampling; use --balance class-weights")]
    TagsCannotBeBalanced,
    #[error("the tracks' statistics cannot be normalized")]
    Statistics(#[from] VectorError),
    #[error(transparent)]
    Background(#[from] BackgroundError),
    /// The requested clip is shorter than one window of the STFT.
    #[error("--clip-seconds {seconds} is {hops} hops long, and a clip needs at least {least}; make it longer")]
    ClipTooShort { seconds: f64, hops: usize, least: usize },
    /// Both skipped ends together leave too little of every track.
    #[error("--skip-seconds {seconds} at both ends leaves no clip of any track; the longest has {longest:.1} seconds")]
    SkippedAll {
        seconds: f64,
        /// The longest track, in seconds.
        longest: f64,
    },
    /// The requested clip is longer than every track.
    #[error("--clip-seconds {seconds} is longer than every track; the longest has {longest:.1} seconds")]
    ClipTooLong {
        seconds: f64,
        /// The longest track, in seconds.
        longest: f64,
    },
}
