//! Projects tracks onto the first two principal components of their statistics.

use serde::Serialize;
use shared::dataset::statistics::TrackSummary;
use shared::projection::{Pca, pca, standardize};

/// A projection, or why there is none.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Projected {
    Made(Projection),
    Missing { reason: String },
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Projection {
    /// The tracks, in the order of `coordinates`.
    pub track_ids: Vec<u64>,
    /// The components, and the coordinates of the tracks.
    #[serde(flatten)]
    pub pca: Pca,
}

/// Statistics of a track's mel spectrogram in dB: the mean of each band over frames, then the standard deviations.
pub(super) fn mel_statistics(row: &TrackSummary) -> Vec<f64> {
    let frames = row.frames.max(1) as f64;
    let mean = |sum: &f64| sum / frames;
    let std = |(sum, squares): (&f64, &f64)| (squares / frames - mean(sum).powi(2)).max(0.0).sqrt();
    let means = row.mel_sum.iter().map(mean);
    means
        .chain(row.mel_sum.iter().zip(&row.mel_sum_squares).map(std))
        .collect()
}

/// Projects tracks onto their first two principal components.
pub(super) fn project(track_ids: &[u64], rows: Vec<Vec<f64>>) -> Projected {
    let missing = |reason: String| Projected::Missing { reason };
    let columns = rows.first().map_or(0, Vec::len);
    if !rows.is_empty() && (columns == 0 || rows.iter().any(|row| row.len() != columns)) {
        return missing("the data set does not have these statistics; build it again".into());
    }
    match pca(standardize(&rows), 2) {
        Ok(pca) => Projected::Made(Projection {
            track_ids: track_ids.to_vec(),
            pca,
        }),
        Err(error) => missing(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mel_statistics_are_means_then_standard_deviations() {
        let row = TrackSummary {
            track_id: 1,
            samples: 1,
            waveform_sum: 0.0,
            waveform_sum_squares: 1.0,
            frames: 2,
            mel_sum: vec![-6.0, -8.0],
            mel_sum_squares: vec![20.0, 32.0],
            mfcc: Vec::new(),
            chroma: Vec::new(),
            peaks: Vec::new(),
        };
        assert_eq!(mel_statistics(&row), [-3.0, -4.0, 1.0, 0.0]);
    }

    #[test]
    fn missing_statistics_give_a_reason() {
        let projected = project(&[1, 2, 3], vec![vec![]; 3]);
        assert!(matches!(&projected, Projected::Missing { reason } if reason.contains("build it again")));
        let uneven = project(&[1, 2, 3], vec![vec![1.0], vec![], vec![2.0]]);
        assert!(matches!(&uneven, Projected::Missing { reason } if reason.contains("build it again")));
        assert!(matches!(project(&[], vec![]), Projected::Missing { reason } if reason.contains("three")));
    }
}
