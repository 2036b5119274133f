//! Compares the tables with the index and with each other.

use super::report::Problem;
use shared::dataset::manifest::TrackRow;
use shared::dataset::statistics::TrackSummary;
use shared::dataset::{self, DatasetIndex, REJECTED_FILE, SUMMARY_FILE, TRACKS_FILE};
use std::collections::HashSet;
use std::path::Path;

pub(super) fn problems(
    root: &Path,
    index: &DatasetIndex,
    tracks: &[TrackRow],
    rows_by_shard: &[Vec<&TrackRow>],
    summaries: Option<&[TrackSummary]>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut expect = |file: &str, what: &str, expected: u64, actual: u64| {
        if expected != actual {
            problems.push(Problem::new(
                file,
                format!("it has {actual} {what}, but dataset.json says {expected}"),
            ));
        }
    };
    expect(TRACKS_FILE, "tracks", index.kept as u64, tracks.len() as u64);
    let samples = tracks.iter().map(|row| row.samples).sum();
    expect(TRACKS_FILE, "samples in all", index.samples, samples);
    if let Ok(rejected) = dataset::read_rejected(root, index) {
        expect(REJECTED_FILE, "tracks", index.rejected as u64, rejected.len() as u64);
    }
    for (number, (shard, rows)) in index.shards.iter().zip(rows_by_shard).enumerate() {
        expect(
            TRACKS_FILE,
            &format!("tracks in shard {number}"),
            shard.tracks as u64,
            rows.len() as u64,
        );
    }
    for pair in tracks.windows(2).filter(|pair| pair[0].track_id >= pair[1].track_id) {
        let detail = format!(
            "track {} does not come before track {}",
            pair[0].track_id, pair[1].track_id
        );
        problems.push(Problem::new(TRACKS_FILE, detail));
    }
    problems.extend(row_problems(index, tracks).map(|detail| Problem::new(TRACKS_FILE, detail)));
    if let Some(summaries) = summaries {
        let described = summaries.iter().map(|summary| (summary.track_id, summary.samples));
        if !described.eq(tracks.iter().map(|row| (row.track_id, row.samples))) {
            let detail = "its tracks differ from those in tracks.csv";
            problems.push(Problem::new(SUMMARY_FILE, detail));
        }
    }
    problems
}

/// Rows that name a shard or a label which the index does not have.
fn row_problems<'a>(index: &'a DatasetIndex, tracks: &'a [TrackRow]) -> impl Iterator<Item = String> + 'a {
    let classes: HashSet<&String> = index.classes.iter().collect();
    tracks.iter().flat_map(move |row| {
        let id = row.track_id;
        let shard = (row.shard >= index.shards.len())
            .then(|| format!("track {id} is in shard {}, which does not exist", row.shard));
        let label = row.labels.iter().find(|label| !classes.contains(label));
        let label = label.map(|label| format!("track {id} has the label `{label}`, which dataset.json does not list"));
        [shard, label].into_iter().flatten()
    })
}
