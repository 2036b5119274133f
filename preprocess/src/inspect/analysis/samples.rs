//! Histograms of the sample values of each class, from the waveform shards.

use super::read_shards::read;
use crate::inspect::InspectError;
use crate::verify::VerifyProgress;
use serde::Serialize;
use shared::dataset::DatasetIndex;
use shared::dataset::manifest::TrackRow;
use shared::dataset::shard::ShardKind;
use std::collections::BTreeSet;
use std::path::Path;

pub const BINS: usize = 256;
/// Sample values in a bin.
pub const BIN_WIDTH: u32 = 65_536 / BINS as u32;

/// Histogram of the 16-bit sample values of some tracks, from -32768 to 32767.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SampleHistogram {
    pub tracks: usize,
    /// Samples of these tracks.
    pub samples: u64,
    pub mean: f64,
    /// Mean squared distance of the samples to `mean`.
    pub variance: f64,
    /// Samples in each of [`BINS`] bins; bin `b` has the values from `256 b - 32768` to `256 b - 32513`.
    pub counts: Vec<u64>,
}

/// Exact sums over samples.
#[derive(Clone)]
struct Sums {
    tracks: usize,
    samples: u64,
    sum: i128,
    squares: u128,
    counts: Vec<u64>,
}

impl Sums {
    fn empty() -> Self {
        Self {
            tracks: 0,
            samples: 0,
            sum: 0,
            squares: 0,
            counts: vec![0; BINS],
        }
    }

    fn from_track(samples: &[i16]) -> Self {
        let mut sums = Self::empty();
        // A track has less than 2^33 samples, so 64 bits are enough for its sums.
        let (mut sum, mut squares) = (0i64, 0u64);
        for &sample in samples {
            let value = i32::from(sample);
            sums.counts[((value + 32_768) >> BIN_WIDTH.trailing_zeros()) as usize] += 1;
            sum += i64::from(value);
            squares += u64::from((value * value).unsigned_abs());
        }
        Self {
            tracks: 1,
            samples: samples.len() as u64,
            sum: sum.into(),
            squares: squares.into(),
            ..sums
        }
    }

    fn add(&mut self, other: &Self) {
        self.tracks += other.tracks;
        self.samples += other.samples;
        self.sum += other.sum;
        self.squares += other.squares;
        self.counts
            .iter_mut()
            .zip(&other.counts)
            .for_each(|(count, other)| *count += other);
    }

    fn finish(self) -> Option<SampleHistogram> {
        if self.samples == 0 {
            return None;
        }
        let count = self.samples as f64;
        let mean = self.sum as f64 / count;
        Some(SampleHistogram {
            tracks: self.tracks,
            samples: self.samples,
            mean,
            variance: (self.squares as f64 / count - mean * mean).max(0.0),
            counts: self.counts,
        })
    }
}

/// The histogram of all tracks in `chosen`, counting each track once, and the histogram of each class. `chosen` has the
/// ascending positions of the tracks of each class.
pub(super) fn histograms(
    root: &Path,
    index: &DatasetIndex,
    tracks: &[TrackRow],
    chosen: &[Vec<usize>],
    progress: &impl VerifyProgress,
) -> Result<(Option<SampleHistogram>, Vec<Option<SampleHistogram>>), InspectError> {
    let once: BTreeSet<usize> = chosen.iter().flatten().copied().collect();
    progress.begin(once.iter().map(|&position| 2 * tracks[position].samples).sum());
    let made = read(root, index, ShardKind::Waveform, tracks, once, |position, shard| {
        let row = &tracks[position];
        let samples = shard.waveform(row.track_id)?;
        let sums = (samples.len() as u64 == row.samples).then(|| Sums::from_track(samples))?;
        progress.read(2 * row.samples);
        Some((position, sums))
    });
    progress.end();
    let (mut all, mut classes) = (Sums::empty(), vec![Sums::empty(); chosen.len()]);
    for (position, sums) in made? {
        all.add(&sums);
        for (class, chosen) in classes.iter_mut().zip(chosen) {
            if chosen.binary_search(&position).is_ok() {
                class.add(&sums);
            }
        }
    }
    Ok((all.finish(), classes.into_iter().map(Sums::finish).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn extreme_samples_are_in_the_outer_bins() {
        let found = Sums::from_track(&[i16::MIN, i16::MAX, -1, 0, 255, 256])
            .finish()
            .unwrap();
        let filled: Vec<(usize, u64)> = (found.counts.iter().copied().enumerate())
            .filter(|(_, count)| *count > 0)
            .collect();
        assert_eq!(filled, [(0, 1), (127, 1), (128, 2), (129, 1), (255, 1)]);
        assert_eq!(Sums::empty().finish(), None);
    }

    proptest! {
        #[test]
        fn sums_over_tracks_equal_sums_over_all_samples(tracks in prop::collection::vec(prop::collection::vec(any::<i16>(), 1..80), 1..6)) {
            let mut sums = Sums::empty();
            tracks.iter().for_each(|samples| sums.add(&Sums::from_track(samples)));
            let found = sums.finish().unwrap();
            let all: Vec<f64> = tracks.iter().flatten().map(|sample| f64::from(*sample)).collect();
            let mean = all.iter().sum::<f64>() / all.len() as f64;
            let variance = all.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / all.len() as f64;
            prop_assert_eq!((found.tracks, found.samples), (tracks.len(), all.len() as u64));
            prop_assert_eq!(found.counts.iter().sum::<u64>(), found.samples);
            prop_assert!((found.mean - mean).abs() < 1e-6);
            prop_assert!((found.variance - variance).abs() <= 1e-9 * variance.max(1e3));
        }
    }
}
