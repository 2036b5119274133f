//! Finds tracks of the same recording for the column `recording` of `tracks.csv`.

use super::ties::Ties;
use shared::dataset::manifest::TrackRow;
use shared::dataset::statistics::TrackSummary;
use shared::dsp::features::FeatureConfig;
use shared::recordings::{PeakGrid, Track, search};

/// Sets `recording` of each track to the lowest id among the tracks of the same recording, matched directly or through
/// other tracks. `tracks` and `summaries` are in the order of track ids. Runs on the current thread pool; the number of
/// threads does not change the result.
pub fn assign(tracks: &mut [TrackRow], summaries: &[TrackSummary], features: &FeatureConfig) {
    let grid = PeakGrid::new(features);
    let mut ties = Ties::new(tracks.len());
    // Identical samples need no search, and there may be many of them.
    ties.tie(tracks.iter().map(|row| Some(&row.waveform_blake3)));
    let firsts: Vec<usize> = (0..tracks.len()).filter(|&at| ties.root(at) == at).collect();
    let compared: Vec<Track<'_>> = firsts
        .iter()
        .map(|&at| grid.track(&summaries[at].peaks, summaries[at].frames))
        .collect();
    for (a, b) in search(&compared, grid.step_seconds()) {
        ties.join(firsts[a], firsts[b]);
    }
    for at in 0..tracks.len() {
        tracks[at].recording = tracks[ties.root(at)].track_id;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::split::testing::row;
    use crate::testing::excerpt;

    fn assigned(tracks: &[(TrackRow, TrackSummary)]) -> Vec<u64> {
        let (mut rows, summaries): (Vec<TrackRow>, Vec<TrackSummary>) = tracks.iter().cloned().unzip();
        assign(&mut rows, &summaries, &FeatureConfig::default());
        rows.iter().map(|row| row.recording).collect()
    }

    fn track(track_id: u64, seed: u64, steps: std::ops::Range<u32>) -> (TrackRow, TrackSummary) {
        (row(track_id, "Pop"), excerpt(track_id, seed, steps))
    }

    #[test]
    fn excerpts_of_one_recording_have_its_lowest_id() {
        let tracks = [
            track(3, 1, 0..1300),
            track(4, 2, 0..1300),
            track(8, 1, 700..2000),
            track(9, 3, 0..1300),
            track(11, 2, 100..900),
        ];
        assert_eq!(assigned(&tracks), [3, 4, 3, 9, 4]);
    }

    #[test]
    fn excerpts_joined_by_a_third_are_one_recording() {
        let separate = [track(1, 1, 0..1000), track(2, 1, 1000..2000)];
        assert_eq!(assigned(&separate), [1, 2]);
        let joined = [separate[0].clone(), separate[1].clone(), track(7, 1, 500..1500)];
        assert_eq!(assigned(&joined), [1, 1, 1]);
    }

    #[test]
    fn identical_samples_are_one_recording_however_short() {
        let same = |track_id| {
            let (row, summary) = track(track_id, track_id, 0..50);
            let waveform_blake3 = "same".to_owned();
            (TrackRow { waveform_blake3, ..row }, summary)
        };
        assert_eq!(assigned(&[same(5), track(6, 6, 0..50), same(7)]), [5, 6, 5]);
    }

    #[test]
    fn recordings_of_an_earlier_build_are_recomputed() {
        let (row, summary) = track(5, 1, 0..1300);
        let row = TrackRow { recording: 2, ..row };
        assert_eq!(assigned(&[(row, summary)]), [5]);
    }
}
