//! Describes the splits of a data set: their sets, class balance and leaks.
//!
//! Everything is recounted from the lists, whose checksums `shared::dataset::split` verifies.

use crate::split::audit;
use serde::Serialize;
use shared::dataset::DatasetIndex;
use shared::dataset::manifest::TrackRow;
use shared::dataset::split::{self, Fold, Leak, Set, Split, SplitError};
use shared::runtime::text::percent;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// A split of a data set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SplitOverview {
    pub name: String,
    /// Whether it is the current split, which training uses by default.
    pub current: bool,
    #[serde(flatten)]
    pub state: SplitState,
}

/// The contents of a split, or why it cannot be used.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum SplitState {
    Usable(Box<SplitDetails>),
    Unusable { problem: String },
}

/// The contents of a split.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SplitDetails {
    pub strategy: String,
    /// How tracks were grouped, if they were.
    pub group_by: Option<String>,
    /// Requested fractions of train, val and test, if any.
    pub ratios: Option<[f64; 3]>,
    pub seed: Option<u64>,
    /// The fold, if the split is one of several.
    pub fold: Option<Fold>,
    pub sets: BTreeMap<Set, SetOverview>,
    /// Tracks of the data set that are in no set.
    pub left_out: usize,
    /// The largest difference between a class's percentage in one set and in all sets. `None` if all sets are empty.
    pub largest_deviation: Option<Deviation>,
    /// Artists, albums and recordings in more than one set.
    pub leaks: Leaks,
}

/// A set of a split.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SetOverview {
    pub tracks: usize,
    /// Number of tracks per class, for all classes of the data set.
    pub classes: BTreeMap<String, usize>,
}

/// The difference between a class's percentage in one set and in all sets.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Deviation {
    pub set: Set,
    pub class: String,
    /// Percent of the set's tracks that have the class.
    pub percent_of_set: f64,
    /// Percent of all three sets' tracks that have it.
    pub percent_of_all: f64,
}

impl Deviation {
    /// Absolute difference in percentage points.
    pub fn points(&self) -> f64 {
        (self.percent_of_set - self.percent_of_all).abs()
    }
}

/// Artists, albums and recordings in more than one set, which make scores too optimistic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Leaks {
    pub artists: LeakOverview,
    pub albums: LeakOverview,
    pub recordings: LeakOverview,
}

/// The artists, albums or recordings in more than one set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LeakOverview {
    pub count: usize,
    /// Number of their tracks, in all sets.
    pub tracks: usize,
    /// Tracks whose artist or album is unknown, so their leaks cannot be found.
    pub unknown: usize,
    /// Their names; for recordings, the lowest track ids.
    pub names: Vec<String>,
}

impl LeakOverview {
    fn new(leaks: Vec<Leak>, unknown: usize) -> Self {
        Self {
            count: leaks.len(),
            unknown,
            tracks: leaks.iter().flat_map(|leak| leak.tracks.values()).map(Vec::len).sum(),
            names: leaks.into_iter().map(|leak| leak.name).collect(),
        }
    }
}

/// All splits, in alphabetical order. One that cannot be read is included with its problem.
pub(super) fn read(root: &Path, index: &DatasetIndex, tracks: &[TrackRow]) -> Result<Vec<SplitOverview>, SplitError> {
    let current = split::current(root)?;
    let by_id: HashMap<u64, &TrackRow> = tracks.iter().map(|row| (row.track_id, row)).collect();
    let overview = |name: String| {
        let state = match Split::read(root, index, Some(&name)) {
            Ok(split) => details(&split, &index.classes, &by_id),
            Err(error) => SplitState::Unusable {
                problem: error.to_string(),
            },
        };
        SplitOverview {
            current: current.as_ref() == Some(&name),
            name,
            state,
        }
    };
    Ok(split::names(root)?.into_iter().map(overview).collect())
}

fn details(split: &Split, classes: &[String], by_id: &HashMap<u64, &TrackRow>) -> SplitState {
    let mut sets = BTreeMap::new();
    let (mut rows, mut set_of_row) = (Vec::new(), Vec::new());
    for (&set, ids) in &split.tracks {
        let mut own = SetOverview {
            tracks: ids.len(),
            classes: classes.iter().map(|class| (class.clone(), 0)).collect(),
        };
        for id in ids {
            let Some(&row) = by_id.get(id) else {
                let problem = format!("{} lists track {id}, which the data set does not have", set.file());
                return SplitState::Unusable { problem };
            };
            for label in &row.labels {
                if let Some(count) = own.classes.get_mut(label) {
                    *count += 1;
                }
            }
            rows.push(row.clone());
            set_of_row.push(set);
        }
        sets.insert(set, own);
    }
    let leaks = audit::leaks(&rows, &set_of_row);
    SplitState::Usable(Box::new(SplitDetails {
        strategy: split.index.strategy.clone(),
        group_by: split.index.group_by.clone(),
        ratios: split.index.ratios,
        seed: split.index.seed,
        fold: split.index.fold.clone(),
        left_out: by_id.len() - rows.len(),
        largest_deviation: largest_deviation(&sets),
        sets,
        leaks: Leaks {
            artists: LeakOverview::new(leaks.artists, leaks.unknown_artists),
            albums: LeakOverview::new(leaks.albums, leaks.unknown_albums),
            recordings: LeakOverview::new(leaks.recordings, 0),
        },
    }))
}

impl SplitDetails {
    /// Tracks of all three sets.
    pub(super) fn tracks(&self) -> usize {
        self.sets.values().map(|set| set.tracks).sum()
    }

    /// How many artists, albums and recordings are in more than one set.
    pub(super) fn describe_leaks(&self) -> String {
        let Leaks {
            artists,
            albums,
            recordings,
        } = &self.leaks;
        audit::describe(
            [artists.count, albums.count, recordings.count],
            [artists.unknown, albums.unknown],
            self.tracks(),
        )
    }

    /// Which tracks have no artist or album; `None` if all have both.
    pub(super) fn describe_unknown(&self) -> Option<String> {
        let Leaks { artists, albums, .. } = &self.leaks;
        audit::describe_unknown([artists.unknown, albums.unknown], self.tracks())
    }
}

fn largest_deviation(sets: &BTreeMap<Set, SetOverview>) -> Option<Deviation> {
    let all: usize = sets.values().map(|set| set.tracks).sum();
    let everywhere = |class: &String| -> usize { sets.values().filter_map(|set| set.classes.get(class)).sum() };
    let filled = sets.iter().filter(|(_, own)| own.tracks > 0);
    let deviations = filled.flat_map(|(&set, own)| {
        own.classes.iter().map(move |(class, &count)| Deviation {
            set,
            class: class.clone(),
            percent_of_set: percent(count as f64, own.tracks as f64),
            percent_of_all: percent(everywhere(class) as f64, all as f64),
        })
    });
    deviations.max_by(|a, b| a.points().total_cmp(&b.points()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{split_at_random, three_tracks};
    use shared::dataset::{self, Dataset};
    use std::fs;

    #[test]
    fn largest_deviation_is_found_and_undefined_for_empty_sets() {
        let set = |tracks, counts: &[usize]| SetOverview {
            tracks,
            classes: ["Folk", "Rock"]
                .map(str::to_owned)
                .into_iter()
                .zip(counts.iter().copied())
                .collect(),
        };
        let sets = BTreeMap::from([
            (Set::Train, set(8, &[4, 4])),
            (Set::Val, set(2, &[2, 0])),
            (Set::Test, set(0, &[0, 0])),
        ]);
        let largest = largest_deviation(&sets).unwrap();
        assert_eq!(largest.set, Set::Val);
        // Folk is 6 of all 10 tracks and 2 of the 2 in val; Rock has the same difference.
        assert!((largest.points() - 40.0).abs() < 1e-9, "{largest:?}");
        let empty = BTreeMap::from([(Set::Train, set(0, &[0, 0]))]);
        assert_eq!(largest_deviation(&empty), None);
        assert_eq!(largest_deviation(&BTreeMap::from([(Set::Train, set(3, &[]))])), None);
    }

    #[test]
    fn unreadable_split_is_listed_with_its_problem() {
        let collection = three_tracks();
        collection.build("out").unwrap();
        let root = collection.out("out");
        let split = split_at_random(&root, 1);
        let (good, bad) = (root.join("splits").join(&split.index.name), root.join("splits/bad"));
        fs::create_dir(&bad).unwrap();
        for entry in fs::read_dir(&good).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, bad.join(path.file_name().unwrap())).unwrap();
        }
        fs::write(bad.join("train.csv"), "track_id,labels\n2,Folk\n").unwrap();
        let index = Dataset::read_index(&root).unwrap();
        let tracks = dataset::read_tracks(&root, &index).unwrap();
        let found = read(&root, &index, &tracks).unwrap();
        assert_eq!(found.len(), 2);
        assert!(matches!(&found[0].state, SplitState::Unusable { problem } if problem.contains("checksum")));
        assert!(!found[0].current && found[1].current);
        let SplitState::Usable(details) = &found[1].state else {
            panic!("{:?}", found[1]);
        };
        assert_eq!((details.left_out, details.seed), (0, Some(1)));
        for set in Set::ALL {
            assert_eq!(details.sets[&set].tracks, split.tracks[&set].len());
        }
        // A list with a track that is missing from the table is a problem.
        let found = read(&root, &index, &tracks[1..]).unwrap();
        assert!(matches!(&found[1].state, SplitState::Unusable { problem } if problem.contains("track 2")));
    }
}
