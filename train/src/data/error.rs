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
        "{model} needs {needed}, and the data set's clips have {}; {}",
        describe_shape(has), shape_advice(*model, has)
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

/// The inputs that a model takes, such as `spectrograms of 128 bands and 256 frames`.
fn describe_shape(has: &InputShape) -> String {
    let [rows, columns] = has.spectrogram;
    let samples = (has.samples > 0).then(|| format!("{} samples", has.samples));
    let spectrogram = (rows > 0).then(|| format!("spectrograms of {rows} bands and {columns} frames"));
    let parts: Vec<String> = [samples, spectrogram].into_iter().flatten().collect();
    parts.join(" and ")
}

/// The options that give clips of the needed shape.
fn shape_advice(model: ModelKind, has: &InputShape) -> String {
    let description = model.description();
    let [bands, _] = description.usual_shape.spectrogram;
    let with_bands = InputShape {
        spectrogram: [bands, has.spectrogram[1]],
        ..*has
    };
    if (description.accepts)(&with_bands).is_ok() {
        return format!("make such spectrograms with `preprocess extend DATASET --feature mel --n-mels {bands}`");
    }
    "change --clip-seconds, or build the data set with other options".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsuitable_shape_names_the_option_to_change() {
        let refuse = |model: ModelKind, spectrogram| {
            let has = InputShape {
                spectrogram,
                ..InputShape::default()
            };
            let needed = (model.description().accepts)(&has).unwrap_err();
            RunDataError::Shape { model, needed, has }.to_string()
        };
        let bands = refuse(ModelKind::ChoiCrnn, [128, 1366]);
        assert!(
            bands.ends_with(
                "the data set's clips have spectrograms of 128 bands and 1366 frames; make such spectrograms with \
                 `preprocess extend DATASET --feature mel --n-mels 96`"
            ),
            "{bands}"
        );
        let frames = refuse(ModelKind::DwivediCrnn, [128, 10]);
        assert!(frames.contains("10 frames; change --clip-seconds"), "{frames}");
    }
}
