//! How the split of a run was made, which artists and recordings its sets share, and which tracks belong to one artist.

use super::groups::Groups;
use super::run_results::RunResults;
use crate::run::split_copy;
use crate::settings::RunConfig;
use serde::Serialize;
use shared::dataset::manifest::TrackRow;
use shared::dataset::split::{Leak, LeakAudit, Set};
use shared::dataset::{Dataset, DatasetIndex, read_tracks};
use std::collections::{BTreeSet, HashMap};

/// How a split was made and which leaks it has.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct SplitFacts {
    /// `random`, `stratified`, `grouped`, `official`.
    pub strategy: String,
    /// The key of a grouped split, such as `artist`.
    pub group_by: Option<String>,
    pub overlap: Overlap,
}

/// What the evaluated set shares with the other sets of the split.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Overlap {
    /// Artists of the evaluated set that also appear in another set.
    pub artists: usize,
    pub artist_tracks: usize,
    /// Recordings of the evaluated set that also appear in another set, under another track id.
    pub recordings: usize,
    /// Evaluated tracks without a known artist, which cannot be audited.
    pub tracks_without_artist: usize,
}

impl Overlap {
    /// From the audit of one split, or the audits of all folds.
    fn new<'a>(audits: impl Iterator<Item = &'a LeakAudit> + Clone, set: Set, tracks_without_artist: usize) -> Self {
        let shared = |leaks: fn(&LeakAudit) -> &Vec<Leak>| -> (usize, usize) {
            let (mut names, mut ids) = (BTreeSet::new(), BTreeSet::<u64>::new());
            for leak in audits.clone().flat_map(leaks) {
                if let Some(tracks) = leak.tracks.get(&set).filter(|_| leak.tracks.len() > 1) {
                    names.insert(&leak.name);
                    ids.extend(tracks);
                }
            }
            (names.len(), ids.len())
        };
        let (artists, artist_tracks) = shared(|audit| &audit.artists);
        Self {
            artists,
            artist_tracks,
            recordings: shared(|audit| &audit.recordings).0,
            tracks_without_artist,
        }
    }
}

/// The index of the run's data set, or why it cannot be used.
pub(super) fn index(config: &RunConfig) -> Result<DatasetIndex, String> {
    let index = Dataset::read_index(&config.data).map_err(|error| error.to_string())?;
    if !index.covers(&config.data_checksum) {
        return Err(format!(
            "{} is not the data set that the run was trained on",
            config.data.display()
        ));
    }
    Ok(index)
}

/// The groups of the evaluated tracks and the facts of their split (of all folds together), or why these are unknown.
pub(super) fn read(config: &RunConfig, runs: &[RunResults], set: Set) -> Result<(Groups, SplitFacts), String> {
    let index = index(config)?;
    let mut splits = Vec::new();
    for run in runs {
        let split = split_copy::read(&run.path, &index).map_err(|error| error.to_string())?;
        let ids: BTreeSet<u64> = split.tracks.get(&set).into_iter().flatten().copied().collect();
        if run
            .predictions
            .tracks
            .iter()
            .any(|track| !ids.contains(&track.track_id))
        {
            return Err(format!(
                "split `{}` does not have all evaluated tracks in this set",
                split.index.name
            ));
        }
        splits.push(split.index);
    }
    let tracks = read_tracks(&config.data, &index).map_err(|error| error.to_string())?;
    let rows: HashMap<u64, &TrackRow> = tracks.iter().map(|row| (row.track_id, row)).collect();
    let evaluated = runs
        .iter()
        .flat_map(|run| &run.predictions.tracks)
        .map(|track| track.track_id);
    let rows = evaluated
        .map(|id| {
            rows.get(&id)
                .copied()
                .ok_or_else(|| format!("track {id} is not in the data set"))
        })
        .collect::<Result<Vec<_>, _>>()?;
    // If the artist is unknown, tracks are grouped by album.
    let name = |row: &&TrackRow| match (&*row.artist, &*row.album) {
        ("", "") => None,
        ("", album) => Some(format!("album {album}")),
        (artist, _) => Some(format!("artist {artist}")),
    };
    let names: Vec<Option<String>> = rows.iter().map(name).collect();
    let without_artist = rows.iter().filter(|row| row.artist.is_empty()).count();
    let facts = SplitFacts {
        strategy: splits[0].strategy.clone(),
        group_by: splits[0].group_by.clone(),
        overlap: Overlap::new(splits.iter().map(|split| &split.leaks), set, without_artist),
    };
    Ok((Groups::named(names.iter().map(Option::as_deref)), facts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_overlaps_with_the_evaluated_set_count() {
        let leak = |name: &str, tracks: &[(Set, &[u64])]| Leak {
            name: name.into(),
            tracks: tracks.iter().map(|&(set, ids)| (set, ids.to_vec())).collect(),
        };
        let leaks = LeakAudit {
            artists: vec![
                leak("a", &[(Set::Train, &[1, 2]), (Set::Test, &[3, 4])]),
                leak("b", &[(Set::Val, &[5]), (Set::Test, &[6])]),
                leak("c", &[(Set::Train, &[7]), (Set::Val, &[8])]),
            ],
            recordings: vec![leak("d", &[(Set::Train, &[9]), (Set::Val, &[10])])],
            ..LeakAudit::default()
        };
        let test = Overlap::new([&leaks].into_iter(), Set::Test, 0);
        assert_eq!((test.artists, test.artist_tracks, test.recordings), (2, 3, 0));
        let val = Overlap::new([&leaks].into_iter(), Set::Val, 0);
        assert_eq!((val.artists, val.artist_tracks, val.recordings), (2, 2, 1));
    }
}
