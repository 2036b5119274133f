//! Collects the embeddings of a set while it is evaluated, and projects them onto a plane.
//!
//! Of a large set it keeps evenly spaced tracks, so it needs the same memory for a set of any size.

use crate::loader::Excerpt;
use crate::run::embedding_map::EmbeddingMap;
use ndarray::Array2;
use shared::dataset::Dataset;
use shared::projection::{center, pca};
use std::collections::HashMap;

/// Maximum number of tracks in a map. A chart of more is full, and no longer names each point.
const MOST_TRACKS: usize = 2000;

/// The sums of the embeddings of some tracks over their clips.
#[derive(Debug)]
pub struct TrackSample {
    /// Tracks of the set.
    tracks: usize,
    /// The data set's positions of the chosen tracks, in the order of evaluation.
    positions: Vec<usize>,
    rows: HashMap<usize, usize>,
    /// Clips of each chosen track.
    clips: Vec<usize>,
    /// `[chosen tracks, dimension]`, row by row; empty before the first clip.
    sums: Vec<f64>,
}

impl TrackSample {
    /// Chooses tracks of the set with these clips.
    pub fn new(clips: &[Excerpt]) -> Self {
        Self::at_most(MOST_TRACKS, clips)
    }

    fn at_most(most: usize, clips: &[Excerpt]) -> Self {
        let all = clips.chunk_by(|a, b| a.position == b.position);
        let all: Vec<usize> = all.map(|track| track[0].position).collect();
        let chosen = all.len().min(most);
        let positions: Vec<usize> = (0..chosen).map(|at| all[at * all.len() / chosen]).collect();
        Self {
            tracks: all.len(),
            rows: positions
                .iter()
                .enumerate()
                .map(|(row, &position)| (position, row))
                .collect(),
            clips: vec![0; chosen],
            sums: Vec::new(),
            positions,
        }
    }

    /// Adds a clip of the track at `position`.
    pub fn add(&mut self, position: usize, embedding: &[f32]) {
        let Some(&row) = self.rows.get(&position) else { return };
        self.sums.resize(self.positions.len() * embedding.len(), 0.0);
        let sums = &mut self.sums[row * embedding.len()..][..embedding.len()];
        sums.iter_mut()
            .zip(embedding)
            .for_each(|(sum, &value)| *sum += f64::from(value));
        self.clips[row] += 1;
    }

    /// The map of the mean embeddings; `None` if the tracks are fewer than three or not in a plane.
    pub fn map(self, dataset: &Dataset) -> Option<EmbeddingMap> {
        let dimension = self.sums.len() / self.positions.len().max(1);
        let mut means = Array2::from_shape_vec((self.positions.len(), dimension), self.sums).ok()?;
        for (mut row, &clips) in means.rows_mut().into_iter().zip(&self.clips) {
            row.mapv_inplace(|sum| sum / clips as f64);
        }
        let found = pca(center(means), 2).ok()?;
        let pair = |row: &[f64]| <[f64; 2]>::try_from(row).ok();
        let coordinates = found
            .coordinates
            .iter()
            .map(|row| Some(pair(row)?.map(|value| value as f32)));
        let id = |&position: &usize| dataset.tracks()[position].track_id;
        Some(EmbeddingMap {
            tracks: self.tracks,
            dimension,
            explained_variance_ratio: pair(&found.explained_variance_ratio)?,
            track_ids: self.positions.iter().map(id).collect(),
            coordinates: coordinates.collect::<Option<_>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn clips(positions: &[usize]) -> Vec<Excerpt> {
        let clip = |&position: &usize| Excerpt {
            position,
            number: 0,
            hop: None,
        };
        positions.iter().map(clip).collect()
    }

    #[test]
    fn tracks_are_projected_with_the_mean_of_their_clips() {
        let root = testing::dataset();
        let dataset = Dataset::open(root.path()).unwrap();
        let clips = clips(&[0, 0, 2, 1, 4]);
        let mut sample = TrackSample::new(&clips);
        let embeddings = [
            [1.0, 1.0, 5.0],
            [3.0, -1.0, 5.0],
            [-2.0, 0.0, 5.0],
            [0.0, 1.0, 5.0],
            [0.0, -1.0, 5.0],
        ];
        for (clip, embedding) in clips.iter().zip(&embeddings) {
            sample.add(clip.position, embedding);
        }
        let map = sample.map(&dataset).unwrap();
        assert_eq!(
            (map.tracks, map.dimension, &map.track_ids[..]),
            (4, 3, &[10, 30, 20, 50][..])
        );
        assert!((map.explained_variance_ratio[0] - 0.8).abs() < 1e-9, "{map:?}");
        for (found, expected) in map
            .coordinates
            .iter()
            .zip([[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
        {
            assert!(
                (found[0] - expected[0]).abs() < 1e-6 && (found[1] - expected[1]).abs() < 1e-6,
                "{map:?}"
            );
        }
    }

    #[test]
    fn many_tracks_are_evenly_spaced_and_the_same_track_has_no_map() {
        let root = testing::dataset();
        let dataset = Dataset::open(root.path()).unwrap();
        let clips = clips(&[0, 1, 2, 3, 4, 5, 6, 7]);
        let mut sample = TrackSample::at_most(3, &clips);
        assert_eq!((sample.tracks, &sample.positions[..]), (8, &[0, 2, 5][..]));
        for clip in &clips {
            sample.add(clip.position, &[1.5, 2.5]);
        }
        assert_eq!((&sample.clips[..], sample.sums.len()), (&[1, 1, 1][..], 6));
        assert_eq!(sample.map(&dataset), None);
        for (positions, embedding) in [(&[0, 1][..], 1.0), (&[0, 1, 2], f32::NAN), (&[], 0.0)] {
            let mut sample = TrackSample::new(&self::clips(positions));
            positions
                .iter()
                .for_each(|&position| sample.add(position, &[embedding, position as f32]));
            assert_eq!(sample.map(&dataset), None);
        }
    }
}
