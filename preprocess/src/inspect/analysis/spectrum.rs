//! Mean spectrum of some tracks, from per-track sums of mel spectrograms.

use serde::Serialize;
use shared::dataset::statistics::TrackSummary;

/// The mean spectrum of some tracks: mel power in dB as in a model's input, by default relative to each track's maximum
/// and clipped at `-top_db`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MeanSpectrum {
    /// Per band, the mean over tracks of their means over frames: a long track counts as much as a short one.
    pub mean_db: Vec<f64>,
    /// Per band, the standard deviation of the tracks' means.
    pub std_db: Vec<f64>,
}

impl MeanSpectrum {
    /// The mean spectrum of the tracks at `positions`; `None` if `positions` is empty.
    pub fn new(summary: &[TrackSummary], positions: &[usize]) -> Option<Self> {
        let count = positions.len() as f64;
        let bands = summary[*positions.first()?].mel_sum.len();
        let mut mean_db = vec![0.0; bands];
        let mut squares = vec![0.0; bands];
        for &position in positions {
            let row = &summary[position];
            for ((mean, squares), sum) in mean_db.iter_mut().zip(&mut squares).zip(&row.mel_sum) {
                let value = sum / row.frames.max(1) as f64;
                *mean += value / count;
                *squares += value * value / count;
            }
        }
        let std = |(squares, mean): (f64, &f64)| (squares - mean * mean).max(0.0).sqrt();
        let std_db = squares.into_iter().zip(&mean_db).map(std).collect();
        Some(Self { mean_db, std_db })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tracks_count_equally_regardless_of_length() {
        let row = |frames: u64, mel_sum: &[f64]| TrackSummary {
            track_id: 1,
            samples: 1,
            waveform_sum: 0.0,
            waveform_sum_squares: 1.0,
            frames,
            mel_sum: mel_sum.to_vec(),
            mel_sum_squares: vec![0.0; mel_sum.len()],
            mfcc: Vec::new(),
            chroma: Vec::new(),
            peaks: Vec::new(),
        };
        let rows = [row(10, &[-100.0, -400.0]), row(1, &[-30.0, -40.0]), row(1, &[0.0, 0.0])];
        let spectrum = MeanSpectrum::new(&rows, &[0, 1]).unwrap();
        assert_eq!(spectrum.mean_db, [-20.0, -40.0]);
        assert_eq!(spectrum.std_db, [10.0, 0.0]);
        assert_eq!(MeanSpectrum::new(&rows, &[]), None);
    }
}
