//! Stratification of tracks with several labels: iterative stratification (Sechidis, Tsoumakas and Vlahavas, "On the
//! Stratification of Multi-Label Data", ECML PKDD 2011).
//!
//! The rarest label is dealt out first, because it is the easiest to spoil: each of its tracks goes to the set that wants
//! that label most, then to the one that wants tracks most. What a track takes of each of its labels is taken off what its
//! set still wants. Then comes the label that is the rarest among the tracks that are left.

use rand::seq::SliceRandom;
use shared::manifest::TrackRow;
use shared::rng::{self, Purpose};
use shared::split::Set;
use std::collections::{BTreeMap, BTreeSet};

/// A set for every row. No set with a ratio above 0 is empty, of as many tracks as there are such sets or more.
pub(super) fn assign(tracks: &[TrackRow], ratios: [f64; 3], seed: u64) -> Vec<Set> {
    // Drawn once: it decides the order of a label's tracks.
    let mut order: Vec<usize> = (0..tracks.len()).collect();
    order.shuffle(&mut rng::stream(seed, 0, 0, Purpose::Split));
    let mut waiting: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for (place, &at) in order.iter().enumerate() {
        for label in &tracks[at].labels {
            waiting.entry(label).or_default().insert(place);
        }
    }
    let used: Vec<usize> = (0..3).filter(|&set| ratios[set] > 0.0).collect();
    let mut wanted_labels: BTreeMap<&str, [f64; 3]> = waiting
        .iter()
        .map(|(label, places)| (*label, ratios.map(|ratio| ratio * places.len() as f64)))
        .collect();
    let mut wanted_tracks = ratios.map(|ratio| ratio * tracks.len() as f64);
    let mut places: Vec<Option<usize>> = vec![None; tracks.len()];
    while let Some((&rarest, members)) = waiting.iter().min_by_key(|(_, places)| places.len()) {
        for place in members.clone() {
            let track = &tracks[order[place]];
            let set = neediest(&used, &wanted_labels[rarest], &wanted_tracks);
            wanted_tracks[set] -= 1.0;
            for label in &track.labels {
                if let Some(wanted) = wanted_labels.get_mut(label.as_str()) {
                    wanted[set] -= 1.0;
                }
                if let Some(places) = waiting.get_mut(label.as_str()) {
                    places.remove(&place);
                }
            }
            places[place] = Some(set);
        }
        waiting.retain(|_, places| !places.is_empty());
    }
    for place in places.iter_mut().filter(|place| place.is_none()) {
        let set = neediest(&used, &wanted_tracks, &wanted_tracks);
        wanted_tracks[set] -= 1.0;
        *place = Some(set);
    }
    let mut places: Vec<usize> = places.into_iter().flatten().collect();
    fill_empty_sets(&used, &mut places);
    let mut sets = vec![Set::Train; tracks.len()];
    for (&at, place) in order.iter().zip(places) {
        sets[at] = Set::ALL[place];
    }
    sets
}

/// The set that wants most of the label; of equals, the one that wants most tracks; of these, the first.
fn neediest(used: &[usize], label: &[f64; 3], tracks: &[f64; 3]) -> usize {
    let by_need = |&a: &usize, &b: &usize| {
        let need = label[a].total_cmp(&label[b]).then(tracks[a].total_cmp(&tracks[b]));
        need.then(b.cmp(&a))
    };
    used.iter().copied().max_by(by_need).unwrap_or(0)
}

/// Gives every empty set the last track of the largest one, as long as that has a second.
fn fill_empty_sets(used: &[usize], places: &mut [usize]) {
    for &empty in used {
        if places.contains(&empty) {
            continue;
        }
        let count = |set: usize| places.iter().filter(|place| **place == set).count();
        let Some(largest) = used
            .iter()
            .copied()
            .max_by_key(|&set| count(set))
            .filter(|&set| count(set) > 1)
        else {
            continue;
        };
        if let Some(last) = places.iter().rposition(|&place| place == largest) {
            places[last] = empty;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::row;
    use super::*;
    use proptest::prelude::*;

    const RATIOS: [f64; 3] = [0.8, 0.1, 0.1];

    fn tagged(id: u64, labels: &[&str]) -> TrackRow {
        TrackRow {
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            ..row(id, "")
        }
    }

    fn count(tracks: &[TrackRow], sets: &[Set], label: &str, set: Set) -> usize {
        let own = tracks.iter().zip(sets).filter(|(_, own)| **own == set);
        own.filter(|(row, _)| row.labels.iter().any(|own| own == label)).count()
    }

    /// Ten labels of very different frequency, which go together as chance has it.
    fn collection() -> Vec<TrackRow> {
        const LABELS: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
        let mut state = 1u32;
        let mut draw = |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) % below
        };
        (0..2000)
            .map(|id| {
                let mut labels: Vec<&str> = LABELS
                    .into_iter()
                    .enumerate()
                    .filter(|(at, _)| draw(3 + 9 * *at as u32) == 0)
                    .map(|(_, label)| label)
                    .collect();
                if labels.is_empty() {
                    labels.push("a");
                }
                tagged(id, &labels)
            })
            .collect()
    }

    #[test]
    fn every_label_has_its_share_in_every_set() {
        let tracks = collection();
        let sets = assign(&tracks, RATIOS, 3);
        for label in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"] {
            let total: usize = Set::ALL.iter().map(|&set| count(&tracks, &sets, label, set)).sum();
            assert!(total >= 10, "{label}: {total}");
            for (set, ratio) in Set::ALL.into_iter().zip(RATIOS) {
                let (actual, wanted) = (count(&tracks, &sets, label, set) as f64, ratio * total as f64);
                assert!((actual - wanted).abs() <= 2.0, "{label} {set:?}: {actual} of {wanted}");
            }
        }
        let size = |set| sets.iter().filter(|own| **own == set).count();
        assert!((180..=220).contains(&size(Set::Val)) && (180..=220).contains(&size(Set::Test)));
        assert_eq!(assign(&tracks, RATIOS, 3), sets);
        assert_ne!(assign(&tracks, RATIOS, 4), sets);
    }

    #[test]
    fn the_rarest_label_is_dealt_out_first() {
        // Were `common` first, all three of `rare` could land in one set.
        let mut tracks: Vec<TrackRow> = (0..27).map(|id| tagged(id, &["common"])).collect();
        tracks.extend((27..30).map(|id| tagged(id, &["common", "rare"])));
        for seed in 0..20 {
            let sets = assign(&tracks, [1.0 / 3.0; 3], seed);
            for set in Set::ALL {
                assert_eq!(count(&tracks, &sets, "rare", set), 1, "seed {seed}");
                assert_eq!(count(&tracks, &sets, "common", set), 10, "seed {seed}");
            }
        }
    }

    proptest! {
        #[test]
        fn every_track_has_a_set_and_no_used_set_is_empty(
            labels in prop::collection::vec(prop::collection::btree_set(0u8..6, 0..4), 3..60),
            unused in 0usize..4,
            seed in any::<u64>(),
        ) {
            let names = ["a", "b", "c", "d", "e", "f"];
            let tracks: Vec<_> = labels
                .iter()
                .enumerate()
                .map(|(id, own)| tagged(id as u64, &own.iter().map(|&at| names[usize::from(at)]).collect::<Vec<_>>()))
                .collect();
            let mut ratios = RATIOS;
            if (1..3).contains(&unused) {
                ratios[unused] = 0.0;
                ratios[0] = 0.9;
            }
            let sets = assign(&tracks, ratios, seed);
            prop_assert_eq!(sets.len(), tracks.len());
            for (set, ratio) in Set::ALL.iter().zip(ratios) {
                prop_assert_eq!(sets.contains(set), ratio > 0.0);
            }
        }
    }
}
