//! The grouped strategy: tracks that are tied together stay together.
//!
//! A group is a connected component: artists tie tracks, albums tie artists where that is asked for (a compilation ties
//! all who are on it), and so do recordings with the same samples. Groups are dealt out largest first, each to the set
//! where it does least harm to the balance of classes. Afterwards single groups are moved as long as that helps.

use super::strategy::GroupBy;
use rand::seq::SliceRandom;
use shared::manifest::TrackRow;
use shared::rng::{self, Purpose};
use shared::split::Set;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

/// Tracks that stay together.
#[derive(Clone, Debug)]
struct Group {
    members: Vec<usize>,
    /// Members per class; one with several labels counts in each.
    classes: Vec<(usize, f64)>,
}

/// A set for every row, no group in two of them; or why there is none.
pub(super) fn assign(tracks: &[TrackRow], by: GroupBy, ratios: [f64; 3], seed: u64) -> Result<Vec<Set>, String> {
    if tracks.iter().all(|row| row.artist.is_empty()) {
        return Err("the source of this data set names no artists; use another --strategy".into());
    }
    let mut groups = groups(tracks, by);
    let used: Vec<usize> = (0..3).filter(|&set| ratios[set] > 0.0).collect();
    if groups.len() < used.len() {
        return Err(format!(
            "the tracks form {} groups by {}, too few for {} sets; use another --strategy or --group-by",
            groups.len(),
            by.name(),
            used.len()
        ));
    }
    // The order of equals is drawn, that of sizes is not.
    groups.shuffle(&mut rng::stream(seed, 0, 0, Purpose::Split));
    groups.sort_by_key(|group| Reverse(group.members.len()));
    let mut balance = Balance::new(&groups, ratios);
    let mut places: Vec<usize> = Vec::with_capacity(groups.len());
    for group in &groups {
        let place = balance.best(group, &used);
        balance.add(group, place, 1.0);
        places.push(place);
    }
    fill_empty_sets(&groups, &used, &mut balance, &mut places);
    improve(&groups, &used, &mut balance, &mut places);
    let mut sets = vec![Set::Train; tracks.len()];
    for (group, place) in groups.iter().zip(places) {
        for &member in &group.members {
            sets[member] = Set::ALL[place];
        }
    }
    Ok(sets)
}

/// How far the sets are from having their share of each class.
struct Balance {
    targets: [Vec<f64>; 3],
    counts: [Vec<f64>; 3],
}

impl Balance {
    fn new(groups: &[Group], ratios: [f64; 3]) -> Self {
        let classes = groups.iter().flat_map(|group| &group.classes);
        let number = classes.clone().map(|(class, _)| class + 1).max().unwrap_or(0);
        let mut totals = vec![0.0; number];
        for (class, count) in classes {
            totals[*class] += count;
        }
        Self {
            targets: ratios.map(|ratio| totals.iter().map(|total| total * ratio).collect()),
            counts: ratios.map(|_| vec![0.0; number]),
        }
    }

    /// What it would cost to add a group `sign` times to a set: the change of the squared deviations from the targets,
    /// each relative to its target, so that a small set is not flooded by what a large one would hardly notice.
    fn cost(&self, group: &Group, set: usize, sign: f64) -> f64 {
        let term = |&(class, count): &(usize, f64)| {
            let target = self.targets[set][class];
            let before = self.counts[set][class] - target;
            let after = before + sign * count;
            (after * after - before * before) / target.max(f64::MIN_POSITIVE)
        };
        group.classes.iter().map(term).sum()
    }

    fn add(&mut self, group: &Group, set: usize, sign: f64) {
        for &(class, count) in &group.classes {
            self.counts[set][class] += sign * count;
        }
    }

    fn best(&self, group: &Group, used: &[usize]) -> usize {
        let cheapest = used
            .iter()
            .copied()
            .min_by(|&a, &b| self.cost(group, a, 1.0).total_cmp(&self.cost(group, b, 1.0)));
        cheapest.unwrap_or(0)
    }
}

/// Gives every set that should have tracks its cheapest group from a set that has several. There are at least as many
/// groups as sets.
fn fill_empty_sets(groups: &[Group], used: &[usize], balance: &mut Balance, places: &mut [usize]) {
    for &empty in used {
        if places.contains(&empty) {
            continue;
        }
        let is_spare = |at: &usize| places.iter().filter(|place| **place == places[*at]).count() > 1;
        let cost = |at: usize| balance.cost(&groups[at], places[at], -1.0) + balance.cost(&groups[at], empty, 1.0);
        let cheapest = (0..groups.len())
            .filter(is_spare)
            .min_by(|&a, &b| cost(a).total_cmp(&cost(b)));
        if let Some(at) = cheapest {
            balance.add(&groups[at], places[at], -1.0);
            balance.add(&groups[at], empty, 1.0);
            places[at] = empty;
        }
    }
}

/// Moves single groups to other sets while the balance gains by it.
fn improve(groups: &[Group], used: &[usize], balance: &mut Balance, places: &mut [usize]) {
    const MOST_ROUNDS: usize = 20;
    const LEAST_GAIN: f64 = 1e-9;
    for _ in 0..MOST_ROUNDS {
        let mut moved = false;
        for (at, group) in groups.iter().enumerate() {
            let from = places[at];
            if places.iter().filter(|place| **place == from).count() == 1 {
                continue;
            }
            let refund = balance.cost(group, from, -1.0);
            balance.add(group, from, -1.0);
            let to = balance.best(group, used);
            let gains = to != from && balance.cost(group, to, 1.0) + refund < -LEAST_GAIN;
            places[at] = if gains { to } else { from };
            balance.add(group, places[at], 1.0);
            moved |= gains;
        }
        if !moved {
            break;
        }
    }
}

/// The connected components, in the order of their first tracks.
fn groups(tracks: &[TrackRow], by: GroupBy) -> Vec<Group> {
    let mut ties = Ties::new(tracks.len());
    ties.tie(tracks.iter().map(|row| &row.artist));
    if by == GroupBy::ArtistAlbum {
        ties.tie(tracks.iter().map(|row| &row.album));
    }
    ties.tie(tracks.iter().map(|row| &row.waveform_blake3));
    let mut numbers = HashMap::new();
    let mut class_of = |label: &String| {
        let next = numbers.len();
        *numbers.entry(label.clone()).or_insert(next)
    };
    let mut by_root: BTreeMap<usize, (Vec<usize>, BTreeMap<usize, f64>)> = BTreeMap::new();
    for (at, row) in tracks.iter().enumerate() {
        let (members, classes) = by_root.entry(ties.root(at)).or_default();
        members.push(at);
        for label in &row.labels {
            *classes.entry(class_of(label)).or_default() += 1.0;
        }
    }
    by_root
        .into_values()
        .map(|(members, classes)| Group {
            members,
            classes: classes.into_iter().collect(),
        })
        .collect()
}

/// Union-find; a component's root is its first track.
struct Ties {
    parents: Vec<usize>,
}

impl Ties {
    fn new(count: usize) -> Self {
        Self {
            parents: (0..count).collect(),
        }
    }

    fn root(&mut self, mut at: usize) -> usize {
        while self.parents[at] != at {
            self.parents[at] = self.parents[self.parents[at]];
            at = self.parents[at];
        }
        at
    }

    /// Ties those together that have the same name. An empty name is no name.
    fn tie<'a>(&mut self, names: impl Iterator<Item = &'a String>) {
        let mut first_with: HashMap<&str, usize> = HashMap::new();
        for (at, name) in names.enumerate().filter(|(_, name)| !name.is_empty()) {
            let first = *first_with.entry(name).or_insert(at);
            let (a, b) = (self.root(first), self.root(at));
            self.parents[a.max(b)] = a.min(b);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::row;
    use super::*;
    use proptest::prelude::*;

    const RATIOS: [f64; 3] = [0.8, 0.1, 0.1];

    fn by(id: u64, class: &str, artist: &str, album: &str) -> TrackRow {
        TrackRow {
            artist: artist.into(),
            album: album.into(),
            ..row(id, class)
        }
    }

    #[test]
    fn albums_tie_artists_only_when_asked_to() {
        let tracks = [
            by(1, "Pop", "a", "x"),
            by(2, "Pop", "b", "x"),
            by(3, "Pop", "b", "y"),
            by(4, "Pop", "c", "y"),
            by(5, "Pop", "", ""),
            by(6, "Pop", "", ""),
        ];
        let members = |by| -> Vec<Vec<usize>> { groups(&tracks, by).into_iter().map(|group| group.members).collect() };
        assert_eq!(
            members(GroupBy::Artist),
            [vec![0], vec![1, 2], vec![3], vec![4], vec![5]]
        );
        assert_eq!(members(GroupBy::ArtistAlbum), [vec![0, 1, 2, 3], vec![4], vec![5]]);
    }

    #[test]
    fn recordings_with_the_same_samples_stay_together() {
        let twin = |id, artist| TrackRow {
            waveform_blake3: "same".into(),
            ..by(id, "Pop", artist, "")
        };
        let groups = groups(&[twin(1, "a"), by(2, "Pop", "b", ""), twin(3, "c")], GroupBy::Artist);
        assert_eq!(groups[0].members, [0, 2]);
    }

    proptest! {
        #[test]
        fn no_group_stands_in_two_sets_and_no_set_is_empty(
            artists in prop::collection::vec((0u8..12, 0u8..8, 0u8..4), 3..120),
            seed in any::<u64>(),
        ) {
            let tracks: Vec<_> = artists
                .iter()
                .enumerate()
                .map(|(id, (artist, album, class))| {
                    by(id as u64, &format!("class {class}"), &artist.to_string(), &album.to_string())
                })
                .collect();
            let groups = groups(&tracks, GroupBy::ArtistAlbum);
            match assign(&tracks, GroupBy::ArtistAlbum, RATIOS, seed) {
                Ok(sets) => {
                    for group in &groups {
                        prop_assert!(group.members.iter().all(|&at| sets[at] == sets[group.members[0]]));
                    }
                    prop_assert!(Set::ALL.iter().all(|set| sets.contains(set)));
                    prop_assert_eq!(assign(&tracks, GroupBy::ArtistAlbum, RATIOS, seed).unwrap(), sets);
                }
                Err(_) => prop_assert!(groups.len() < 3),
            }
        }
    }

    #[test]
    fn classes_are_balanced_as_well_as_groups_allow() {
        // 8 classes, 1000 tracks each, artists of 1 to 12 tracks: within a track or two, everything can be had.
        let mut tracks = Vec::new();
        for class in 0..8u64 {
            let mut artist = 0;
            while tracks.len() < (class as usize + 1) * 1000 {
                artist += 1;
                let size = (1 + artist * 7 % 12).min((class as usize + 1) * 1000 - tracks.len());
                for _ in 0..size {
                    let id = tracks.len() as u64;
                    tracks.push(by(id, &format!("class {class}"), &format!("{class}/{artist}"), ""));
                }
            }
        }
        let sets = assign(&tracks, GroupBy::Artist, RATIOS, 7).unwrap();
        for class in 0..8 {
            let label = vec![format!("class {class}")];
            for (set, target) in [(Set::Train, 800i64), (Set::Val, 100), (Set::Test, 100)] {
                let count = tracks
                    .iter()
                    .zip(&sets)
                    .filter(|(row, own)| row.labels == label && **own == set)
                    .count() as i64;
                assert!((count - target).abs() <= 2, "{label:?} {set:?}: {count}");
            }
        }
    }

    #[test]
    fn tags_are_balanced_each_by_itself() {
        // 100 artists of ten tracks; each track has two of five tags, so that combinations are many and tags are few.
        let tags = ["a", "b", "c", "d", "e"];
        let tracks: Vec<_> = (0..1000u64)
            .map(|id| TrackRow {
                labels: vec![
                    tags[(id % 5) as usize].into(),
                    tags[((id % 5 + 1 + id / 7 % 4) % 5) as usize].into(),
                ],
                ..by(id, "", &(id / 10).to_string(), "")
            })
            .collect();
        let sets = assign(&tracks, GroupBy::Artist, RATIOS, 5).unwrap();
        for tag in tags {
            let own = tracks
                .iter()
                .zip(&sets)
                .filter(|(row, _)| row.labels.iter().any(|label| label == tag));
            let own: Vec<Set> = own.map(|(_, set)| *set).collect();
            for (set, ratio) in Set::ALL.into_iter().zip(RATIOS) {
                let count = own.iter().filter(|other| **other == set).count() as f64;
                let wanted = ratio * own.len() as f64;
                assert!((count - wanted).abs() <= 8.0, "{tag} {set:?}: {count} of {wanted}");
            }
        }
    }

    #[test]
    fn what_cannot_be_grouped_is_a_sentence() {
        let nameless = assign(
            &[row(1, "Pop"), row(2, "Pop"), row(3, "Pop")],
            GroupBy::Artist,
            RATIOS,
            0,
        );
        assert!(nameless.unwrap_err().contains("names no artists"));
        let tracks: Vec<_> = (0..9)
            .map(|id| by(id, "Pop", ["a", "b"][id as usize % 2], ""))
            .collect();
        let reason = assign(&tracks, GroupBy::Artist, RATIOS, 0).unwrap_err();
        assert!(reason.contains("2 groups by artist, too few for 3 sets"), "{reason}");
        let two = assign(&tracks, GroupBy::Artist, [0.8, 0.0, 0.2], 0).unwrap();
        assert!(two.contains(&Set::Train) && two.contains(&Set::Test) && !two.contains(&Set::Val));
    }
}
