//! Stratification of multi-label tracks: iterative stratification (Sechidis, Tsoumakas and Vlahavas, "On the
//! Stratification of Multi-Label Data", ECML PKDD 2011).
//!
//! The rarest label is assigned first, because it is the hardest to balance. Each of its tracks goes to the part that
//! needs the label most; ties go to the part with the most room. The labels of the track are then subtracted from what
//! the part needs. The next label is the rarest among the remaining tracks. Unlike in the paper, a full part gets no
//! more tracks, so sizes are exact.

use super::ratios::apportion;
use rand::seq::SliceRandom;
use shared::dataset::manifest::TrackRow;
use shared::runtime::rng::{self, Purpose};
use std::collections::{BTreeMap, BTreeSet};

/// The part of each row. There are at least as many rows as shares.
pub(super) fn divide(tracks: &[TrackRow], shares: &[f64], seed: u64) -> Vec<usize> {
    // Shuffled once; it gives the order of each label's tracks.
    let mut order: Vec<usize> = (0..tracks.len()).collect();
    order.shuffle(&mut rng::stream(seed, 0, 0, Purpose::Split));
    let mut waiting: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for (place, &at) in order.iter().enumerate() {
        for label in &tracks[at].labels {
            waiting.entry(label).or_default().insert(place);
        }
    }
    let mut wanted: BTreeMap<&str, Vec<f64>> = waiting
        .iter()
        .map(|(label, places)| (*label, shares.iter().map(|share| share * places.len() as f64).collect()))
        .collect();
    let mut room = apportion(tracks.len(), shares);
    let mut parts: Vec<Option<usize>> = vec![None; tracks.len()];
    while let Some((&rarest, members)) = waiting.iter().min_by_key(|(_, places)| places.len()) {
        for place in members.clone() {
            let at = order[place];
            let part = neediest(&wanted[rarest], &room);
            for label in &tracks[at].labels {
                if let Some(wanted) = wanted.get_mut(label.as_str()) {
                    wanted[part] -= 1.0;
                }
                if let Some(places) = waiting.get_mut(label.as_str()) {
                    places.remove(&place);
                }
            }
            room[part] -= 1;
            parts[at] = Some(part);
        }
        waiting.retain(|_, places| !places.is_empty());
    }
    // Tracks without a label fill the remaining room.
    let mut left = room
        .iter()
        .enumerate()
        .flat_map(|(part, &room)| std::iter::repeat_n(part, room));
    for &at in &order {
        if parts[at].is_none() {
            parts[at] = left.next();
        }
    }
    parts.into_iter().flatten().collect()
}

/// The part with room that needs the label most; ties go to the part with the most room, then to the first.
fn neediest(wanted: &[f64], room: &[usize]) -> usize {
    let by_need = |&a: &usize, &b: &usize| {
        let need = wanted[a].total_cmp(&wanted[b]).then(room[a].cmp(&room[b]));
        need.then(b.cmp(&a))
    };
    (0..room.len())
        .filter(|&part| room[part] > 0)
        .max_by(by_need)
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::testing::row;
    use super::*;
    use proptest::prelude::*;

    const SHARES: [f64; 3] = [0.8, 0.1, 0.1];

    fn tagged(id: u64, labels: &[&str]) -> TrackRow {
        TrackRow {
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            ..row(id, "")
        }
    }

    fn count(tracks: &[TrackRow], parts: &[usize], label: &str, part: usize) -> usize {
        let own = tracks.iter().zip(parts).filter(|(_, own)| **own == part);
        own.filter(|(row, _)| row.labels.iter().any(|own| own == label)).count()
    }

    /// Ten labels of very different frequency, which are independent of each other.
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
    fn every_label_has_its_share_in_every_part_and_sizes_are_exact() {
        let tracks = collection();
        let parts = divide(&tracks, &SHARES, 3);
        for label in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"] {
            let total: usize = (0..3).map(|part| count(&tracks, &parts, label, part)).sum();
            assert!(total >= 10, "{label}: {total}");
            for (part, share) in SHARES.into_iter().enumerate() {
                let (actual, wanted) = (count(&tracks, &parts, label, part) as f64, share * total as f64);
                assert!((actual - wanted).abs() <= 2.0, "{label} {part}: {actual} of {wanted}");
            }
        }
        assert_eq!(
            [0, 1, 2].map(|part| parts.iter().filter(|own| **own == part).count()),
            [1600, 200, 200]
        );
        assert_eq!(divide(&tracks, &SHARES, 3), parts);
        assert_ne!(divide(&tracks, &SHARES, 4), parts);
    }

    #[test]
    fn rarest_label_is_assigned_first() {
        // If `common` were first, all three tracks of `rare` could go into one part.
        let mut tracks: Vec<TrackRow> = (0..27).map(|id| tagged(id, &["common"])).collect();
        tracks.extend((27..30).map(|id| tagged(id, &["common", "rare"])));
        for seed in 0..20 {
            let parts = divide(&tracks, &[1.0 / 3.0; 3], seed);
            for part in 0..3 {
                assert_eq!(count(&tracks, &parts, "rare", part), 1, "seed {seed}");
                assert_eq!(count(&tracks, &parts, "common", part), 10, "seed {seed}");
            }
        }
    }

    #[test]
    fn tracks_are_stratified_by_label_and_not_by_combination() {
        // Fifteen combinations with one track each: a combination cannot be divided among three parts.
        let names = ["a", "b", "c", "d", "e", "f"];
        let mut tracks = Vec::new();
        for (at, first) in names.iter().enumerate() {
            for second in &names[at + 1..] {
                tracks.push(tagged(tracks.len() as u64, &[first, second]));
            }
        }
        let parts = divide(&tracks, &[0.6, 0.2, 0.2], 1);
        for name in names {
            assert!((2..=4).contains(&count(&tracks, &parts, name, 0)), "{name}: {parts:?}");
        }
    }

    proptest! {
        #[test]
        fn sizes_are_within_one_track_of_their_shares_and_no_part_is_empty(
            labels in prop::collection::vec(prop::collection::btree_set(0u8..6, 0..4), 3..60),
            two in any::<bool>(),
            seed in any::<u64>(),
        ) {
            let names = ["a", "b", "c", "d", "e", "f"];
            let tracks: Vec<_> = labels
                .iter()
                .enumerate()
                .map(|(id, own)| tagged(id as u64, &own.iter().map(|&at| names[usize::from(at)]).collect::<Vec<_>>()))
                .collect();
            let shares: &[f64] = if two { &[0.9, 0.1] } else { &SHARES };
            let parts = divide(&tracks, shares, seed);
            prop_assert_eq!(parts.len(), tracks.len());
            for (part, share) in shares.iter().enumerate() {
                let size = parts.iter().filter(|own| **own == part).count();
                prop_assert!(size > 0);
                // A part that gets its only track may be further from its target.
                let exact = share * tracks.len() as f64;
                prop_assert!(tracks.len() < 10 || (size as f64 - exact).abs() < 1.0 + 1e-9);
            }
        }
    }
}
