//! Data that cannot be trained on.

use crate::frontend::{BackgroundError, VectorError};
use crate::models::{InputShape, ModelKind};
use shared::dataset::DatasetError;
use shared::dataset::split::SplitError;

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
    UnknownTrack { split: String, track_id: u64 },
    /// A track without exactly one label.
    #[error("track {track_id} has {labels} labels; a genre classifier needs exactly one on every track")]
    NotSingleLabel { track_id: u64, labels: usize },
    #[error("split `{split}` has no {set} tracks; make one with other ratios")]
    EmptySet { split: String, set: &'static str },
    /// The clips are not what the model is made for.
    #[error(
        "{model} needs {needed}; the data set's clips have {} samples and [{}, {}] spectrograms. Build it with other \
         feature settings, or change --excerpt-seconds", has.samples, has.spectrogram[0], has.spectrogram[1]
    )]
    Shape {
        model: ModelKind,
        needed: String,
        has: InputShape,
    },
    /// Classes have no area to watch.
    #[error("--monitor auc-roc is a metric of tags, and the data set has classes; use loss, accuracy or macro-f1")]
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
        "--excerpt-seconds {seconds} is {hops} hops of the data set, and an excerpt needs at least {least}; make it longer"
    )]
    ExcerptTooShort { seconds: f64, hops: usize, least: usize },
    /// The ends that are left out are all there is.
    #[error(
        "--skip-seconds {seconds} at either end leaves no excerpt of any track; the longest has {longest:.1} seconds"
    )]
    SkippedAll {
        seconds: f64,
        /// The longest track, in seconds.
        longest: f64,
    },
    /// The requested excerpt is longer than every track.
    #[error("--excerpt-seconds {seconds} is longer than every track; the longest has {longest:.1} seconds")]
    ExcerptTooLong {
        seconds: f64,
        /// The longest track, in seconds.
        longest: f64,
    },
}
