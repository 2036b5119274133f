//! `preprocess inspect --duplicates`: recordings with several tracks, and where each track begins in its recording.

use super::InspectError;
use serde::Serialize;
use shared::dataset::manifest::TrackRow;
use shared::dataset::split::{self, Set, Split};
use shared::dataset::statistics::TrackSummary;
use shared::dataset::{self, DatasetIndex};
use shared::recordings::{PeakGrid, compare};
use shared::runtime::text::{counted, grouped};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::path::Path;

/// The recordings of a data set that have several tracks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DuplicateReport {
    pub tracks: usize,
    /// Number of different recordings among the tracks.
    pub recordings: usize,
    /// The current split, if there is one.
    pub split: Option<String>,
    /// Recordings with several tracks, in the order of their ids.
    pub groups: Vec<RecordingGroup>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RecordingGroup {
    /// The lowest id of its tracks.
    pub recording: u64,
    /// Whether its tracks have different labels.
    pub several_labels: bool,
    /// Sets of the current split that contain its tracks.
    pub sets: BTreeSet<Set>,
    /// Its tracks in the order of their ids.
    pub tracks: Vec<RecordingTrack>,
}

/// One of several tracks of a recording.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RecordingTrack {
    pub track_id: u64,
    /// Its audio file, relative to the source's audio directory.
    pub path: String,
    pub labels: Vec<String>,
    /// Its artist; empty if unknown.
    pub artist: String,
    /// Its set in the current split, if any.
    pub set: Option<Set>,
    /// Seconds from the beginning of the group's first track to the beginning of this one; negative if this one begins
    /// earlier. `None` if the tracks do not match in the spectrograms of this data set, as may happen in a feature set.
    pub offset_seconds: Option<f64>,
    /// Fraction of spectral peaks in common with an earlier track, where the two overlap; 1 for identical samples.
    /// `None` for the group's first track, and if the offset is `None`.
    pub score: Option<f64>,
}

impl DuplicateReport {
    /// Reads the tables and the summary of a data set; no shard is opened.
    pub fn read(root: &Path) -> Result<Self, InspectError> {
        dataset::consistently(root, |index| Self::read_as(root, index))
    }

    fn read_as(root: &Path, index: &DatasetIndex) -> Result<Self, InspectError> {
        let tracks = dataset::read_tracks(root, index)?;
        let summaries = dataset::read_summary(root, index)?;
        let split = split::current(root)?;
        let mut set_of: HashMap<u64, Set> = HashMap::new();
        if let Some(name) = &split {
            for (set, ids) in Split::read(root, index, Some(name))?.tracks {
                set_of.extend(ids.into_iter().map(|id| (id, set)));
            }
        }
        let summary_of: HashMap<u64, &TrackSummary> = summaries.iter().map(|row| (row.track_id, row)).collect();
        let mut recordings: BTreeMap<u64, Vec<&TrackRow>> = BTreeMap::new();
        for row in &tracks {
            recordings.entry(row.recording).or_default().push(row);
        }
        let grid = PeakGrid::new(&index.features);
        Ok(Self {
            tracks: tracks.len(),
            recordings: recordings.len(),
            split,
            groups: recordings
                .into_iter()
                .filter(|(_, rows)| rows.len() > 1)
                .map(|(recording, rows)| RecordingGroup::new(recording, &rows, &set_of, &summary_of, &grid))
                .collect(),
        })
    }
}

impl RecordingGroup {
    fn new(
        recording: u64,
        rows: &[&TrackRow],
        set_of: &HashMap<u64, Set>,
        summary_of: &HashMap<u64, &TrackSummary>,
        grid: &PeakGrid,
    ) -> Self {
        let places = places(rows, summary_of, grid);
        let track = |(&row, place): (&&TrackRow, Option<Place>)| RecordingTrack {
            track_id: row.track_id,
            path: row.path.clone(),
            labels: row.labels.clone(),
            artist: row.artist.clone(),
            set: set_of.get(&row.track_id).copied(),
            offset_seconds: place.map(|place| place.step as f64 * grid.step_seconds()),
            score: place.and_then(|place| place.score),
        };
        let tracks: Vec<RecordingTrack> = rows.iter().zip(places).map(track).collect();
        Self {
            recording,
            several_labels: tracks.iter().any(|track| track.labels != tracks[0].labels),
            sets: tracks.iter().filter_map(|track| track.set).collect(),
            tracks,
        }
    }
}

#[derive(Clone, Copy)]
struct Place {
    /// Steps from the beginning of the group's first track.
    step: i64,
    score: Option<f64>,
}

/// Where the tracks of a recording begin. If a track does not match the first one, its position is computed from a
/// track that matches it and whose position is known.
fn places(rows: &[&TrackRow], summary_of: &HashMap<u64, &TrackSummary>, grid: &PeakGrid) -> Vec<Option<Place>> {
    let mut places = vec![None; rows.len()];
    places[0] = Some(Place { step: 0, score: None });
    let relation = |a: &TrackRow, b: &TrackRow| {
        if a.waveform_blake3 == b.waveform_blake3 {
            return Some((0, 1.0));
        }
        let track = |row: &TrackRow| {
            let summary = summary_of.get(&row.track_id)?;
            Some(grid.track(&summary.peaks, summary.frames))
        };
        let found = compare(track(a)?, track(b)?, grid.step_seconds())?;
        Some((-i64::from(found.offset), found.score))
    };
    let mut placed = vec![0];
    let mut next = 0;
    while next < placed.len() {
        let from = placed[next];
        next += 1;
        for at in 0..rows.len() {
            let (Some(base), None) = (places[from], places[at]) else {
                continue;
            };
            if let Some((steps, score)) = relation(rows[from], rows[at]) {
                places[at] = Some(Place {
                    step: base.step + steps,
                    score: Some(score),
                });
                placed.push(at);
            }
        }
    }
    places
}

impl fmt::Display for DuplicateReport {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "tracks    {}, of {}",
            grouped(self.tracks as u64),
            counted(self.recordings, "recording", "recordings")
        )?;
        if self.groups.is_empty() {
            return write!(out, "; no duplicates");
        }
        let several = |has: fn(&RecordingGroup) -> bool| self.groups.iter().filter(|group| has(group)).count();
        write!(
            out,
            "\ncopies    {} with several tracks, {} of them with different labels",
            counted(self.groups.len(), "recording", "recordings"),
            several(|group| group.several_labels)
        )?;
        if let Some(split) = &self.split {
            write!(
                out,
                ", {} in several sets of the split {split}",
                several(|group| group.sets.len() > 1)
            )?;
        }
        for group in &self.groups {
            write!(
                out,
                "\n\nrecording {}: {}",
                group.recording,
                counted(group.tracks.len(), "track", "tracks")
            )?;
            if group.several_labels {
                write!(out, ", different labels")?;
            }
            if group.sets.len() > 1 {
                let sets: Vec<&str> = group.sets.iter().map(|set| set.name()).collect();
                write!(out, ", in {}", sets.join(" and "))?;
            }
            for track in &group.tracks {
                write!(out, "\n  {track}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for RecordingTrack {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}  {}  {}", self.track_id, self.path, self.labels.join("|"))?;
        if !self.artist.is_empty() {
            write!(out, ", artist {}", self.artist)?;
        }
        if let Some(set) = self.set {
            write!(out, ", {}", set.name())?;
        }
        match (self.offset_seconds, self.score) {
            (Some(seconds), Some(score)) => write!(out, ", begins at {seconds:+.1} s, score {score:.2}"),
            (Some(_), None) => Ok(()),
            (None, _) => write!(out, ", position unknown"),
        }
    }
}

#[cfg(test)]
mod tests;
