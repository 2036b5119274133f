//! Finds the most typical tracks of each class by their mel statistics, and draws their mel spectrograms.

use super::read_shards;
use crate::inspect::InspectError;
use ndarray::{Array2, Axis};
use serde::Serialize;
use shared::dataset::DatasetIndex;
use shared::dataset::manifest::TrackRow;
use shared::dataset::shard::ShardKind;
use shared::page::{Spectrogram, excerpt};
use shared::projection::standardize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Examples per class; with more than [`CLASSES_WITH_ALL_EXAMPLES`] classes, only one.
const EXAMPLES: usize = 2;
const CLASSES_WITH_ALL_EXAMPLES: usize = 12;
/// Maximum width and height of a picture.
const PIXELS: [usize; 2] = [480, 128];

/// A typical track of a class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Example {
    pub track_id: u64,
    /// The artist, as named by the source.
    pub artist: String,
    pub seconds: f64,
    #[serde(skip)]
    pub(in crate::inspect) image: Spectrogram,
    /// The samples that the page plays, if it does.
    #[serde(skip)]
    pub(in crate::inspect) sound: Option<Vec<i16>>,
}

/// For each class in `drawn`, the tracks whose standardised mel statistics are nearest to the class mean.
pub(super) fn read(
    root: &Path,
    index: &DatasetIndex,
    tracks: &[TrackRow],
    mel_rows: &[Vec<f64>],
    members: &[Vec<usize>],
    drawn: &[usize],
) -> Result<BTreeMap<usize, Vec<Example>>, InspectError> {
    let each = if drawn.len() > CLASSES_WITH_ALL_EXAMPLES {
        1
    } else {
        EXAMPLES
    };
    let values = standardize(mel_rows).values;
    let mut wanted: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for &class in drawn {
        wanted.insert(class, typical(&values, &members[class], each));
    }
    let positions: BTreeSet<usize> = wanted.values().flatten().copied().collect();
    let rate = f64::from(index.features.sample_rate);
    let read = read_shards::read(root, index, ShardKind::Mel, tracks, positions, |position, shard| {
        let row = &tracks[position];
        let mel = shard
            .mel(row.track_id)
            .filter(|mel| mel.n_mels == index.features.n_mels)?;
        let example = Example {
            track_id: row.track_id,
            artist: row.artist.clone(),
            seconds: row.samples as f64 / rate,
            image: Spectrogram::new(mel, 0..mel.frames, index.features.drawn_db(), PIXELS),
            sound: None,
        };
        Some((position, example))
    })?;
    let by_position: BTreeMap<usize, Example> = read.into_iter().collect();
    let examples = |positions: Vec<usize>| positions.iter().map(|position| by_position[position].clone()).collect();
    Ok(wanted
        .into_iter()
        .map(|(class, positions)| (class, examples(positions)))
        .collect())
}

/// Reads the sounds of these examples.
pub(super) fn add_sound<'a>(
    root: &Path,
    index: &DatasetIndex,
    tracks: &[TrackRow],
    examples: impl Iterator<Item = &'a mut Example>,
) -> Result<(), InspectError> {
    let mut examples: Vec<&mut Example> = examples.collect();
    let wanted: BTreeSet<u64> = examples.iter().map(|example| example.track_id).collect();
    let positions = (0..tracks.len()).filter(|&position| wanted.contains(&tracks[position].track_id));
    let read = read_shards::read(
        root,
        index,
        ShardKind::Waveform,
        tracks,
        positions,
        |position, shard| {
            let id = tracks[position].track_id;
            Some((id, excerpt(shard.waveform(id)?, index.features.sample_rate).to_vec()))
        },
    )?;
    let sounds: BTreeMap<u64, Vec<i16>> = read.into_iter().collect();
    for example in &mut examples {
        example.sound = sounds.get(&example.track_id).cloned();
    }
    Ok(())
}

/// The `count` rows of `members` nearest to their mean, nearest first; ties go to the lower position.
fn typical(values: &Array2<f64>, members: &[usize], count: usize) -> Vec<usize> {
    let Some(mean) = values.select(Axis(0), members).mean_axis(Axis(0)) else {
        return Vec::new();
    };
    let distance = |position: usize| (&values.row(position) - &mean).mapv(|value| value * value).sum();
    let mut by_distance: Vec<(f64, usize)> = members.iter().map(|&position| (distance(position), position)).collect();
    by_distance.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    by_distance.truncate(count);
    by_distance.into_iter().map(|(_, position)| position).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn typical_tracks_are_nearest_to_their_class_mean() {
        let values = array![[9.0, 9.0], [0.0, 0.0], [4.0, 0.0], [2.5, 0.0], [2.5, 0.0]];
        assert_eq!(typical(&values, &[1, 2, 3, 4], 2), [3, 4]);
        assert_eq!(typical(&values, &[0], 2), [0]);
        assert_eq!(typical(&values, &[], 2), [0usize; 0]);
    }
}
