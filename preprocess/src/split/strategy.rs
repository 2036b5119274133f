//! How tracks are divided. Rows of the table enter; a set for each, in the same order, leaves.
//!
//! Every strategy is a function of the rows and the seed. Nothing is read or written here.

use super::{grouped, iterative};
use clap::ValueEnum;
use rand::seq::SliceRandom;
use shared::manifest::TrackRow;
use shared::rng::{self, Purpose};
use shared::split::Set;
use std::collections::BTreeMap;
use std::str::FromStr;

/// What ties tracks together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GroupBy {
    /// Tracks of one artist.
    Artist,
    /// Tracks of one artist, and artists that share an album, as they do on compilations.
    ArtistAlbum,
}

impl GroupBy {
    /// The word on the command line and in `split.json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Artist => "artist",
            Self::ArtistAlbum => "artist-album",
        }
    }
}

/// Shares of train, val and test; they sum to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratios([f64; 3]);

impl Ratios {
    /// The shares.
    pub fn shares(self) -> [f64; 3] {
        self.0
    }

    /// Sets that get tracks.
    fn used(self) -> impl Iterator<Item = usize> {
        (0..3).filter(move |&set| self.0[set] > 0.0)
    }

    /// Divides `count` things: each share rounded down, then one more for the largest remainders, and at least one for
    /// every used set as long as there are enough.
    fn divide(self, count: usize) -> [usize; 3] {
        let exact = self.0.map(|share| share * count as f64);
        // A hair above, so that 0.1 * 10, which is not quite 1 in binary, counts as 1.
        let mut parts = exact.map(|part| (part + 1e-9).floor() as usize);
        let mut by_remainder = [0, 1, 2];
        by_remainder.sort_by(|&a, &b| (exact[b] - parts[b] as f64).total_cmp(&(exact[a] - parts[a] as f64)));
        let missing = count - parts.iter().sum::<usize>();
        for set in by_remainder.into_iter().take(missing) {
            parts[set] += 1;
        }
        if count >= self.used().count() {
            for empty in self.used() {
                if parts[empty] == 0 {
                    let largest = (0..3).max_by_key(|&set| parts[set]).unwrap_or(0);
                    parts[largest] -= 1;
                    parts[empty] += 1;
                }
            }
        }
        parts
    }
}

impl Default for Ratios {
    fn default() -> Self {
        Self([0.8, 0.1, 0.1])
    }
}

impl FromStr for Ratios {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Result<Vec<f64>, _> = text.split(',').map(|number| number.trim().parse()).collect();
        let numbers: [f64; 3] = numbers
            .ok()
            .and_then(|numbers| numbers.try_into().ok())
            .ok_or_else(|| format!("`{text}` should be three numbers, for train, val and test, as 80,10,10"))?;
        if numbers.iter().any(|number| !number.is_finite() || *number < 0.0) || numbers[0] == 0.0 {
            return Err(format!(
                "the ratios `{text}` must not be negative, and the first, for train, must be above 0"
            ));
        }
        let sum: f64 = numbers.iter().sum();
        if !sum.is_finite() {
            return Err(format!("the ratios `{text}` are too large to add up"));
        }
        Ok(Self(numbers.map(|number| number / sum)))
    }
}

/// How tracks are divided.
#[derive(Clone, Debug, PartialEq)]
pub enum Strategy {
    /// Shuffled and cut.
    Random {
        /// Shares of the sets.
        ratios: Ratios,
        /// What the order is drawn with.
        seed: u64,
    },
    /// Each class shuffled and cut by itself; where tracks have several labels, iterative stratification.
    Stratified {
        /// Shares of the sets.
        ratios: Ratios,
        /// What the orders are drawn with.
        seed: u64,
    },
    /// No group in two sets, and classes balanced as well as groups allow.
    Grouped {
        /// What makes a group.
        by: GroupBy,
        /// Shares of the sets.
        ratios: Ratios,
        /// What decides between groups that are alike.
        seed: u64,
    },
    /// As the source divides its tracks.
    Official,
}

impl Strategy {
    /// The word on the command line and in `split.json`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Random { .. } => "random",
            Self::Stratified { .. } => "stratified",
            Self::Grouped { .. } => "grouped",
            Self::Official => "official",
        }
    }

    /// `stratified-0`.
    pub(super) fn default_name(&self) -> String {
        match self.seed() {
            Some(seed) => format!("{}-{seed}", self.name()),
            None => self.name().to_owned(),
        }
    }

    /// Shares of the sets, where the strategy has a choice.
    pub fn ratios(&self) -> Option<Ratios> {
        match self {
            Self::Random { ratios, .. } | Self::Stratified { ratios, .. } | Self::Grouped { ratios, .. } => {
                Some(*ratios)
            }
            Self::Official => None,
        }
    }

    /// The seed, where the strategy draws.
    pub fn seed(&self) -> Option<u64> {
        match self {
            Self::Random { seed, .. } | Self::Stratified { seed, .. } | Self::Grouped { seed, .. } => Some(*seed),
            Self::Official => None,
        }
    }

    pub(super) fn group_by(&self) -> Option<GroupBy> {
        match self {
            Self::Grouped { by, .. } => Some(*by),
            _ => None,
        }
    }

    /// A set for every row, or why there is none.
    pub(super) fn assign(&self, tracks: &[TrackRow]) -> Result<Vec<Set>, String> {
        if let Some(ratios) = self.ratios()
            && tracks.len() < ratios.used().count()
        {
            return Err(format!(
                "{} tracks cannot fill {} sets; build a larger data set, or give a set the ratio 0",
                tracks.len(),
                ratios.used().count()
            ));
        }
        match self {
            Self::Random { ratios, seed } => {
                let mut sets = vec![Set::Train; tracks.len()];
                let mut order: Vec<usize> = (0..tracks.len()).collect();
                order.shuffle(&mut rng::stream(*seed, 0, 0, Purpose::Split));
                cut(&order, *ratios, &mut sets);
                Ok(sets)
            }
            Self::Stratified { ratios, seed } if tracks.iter().any(|row| row.labels.len() != 1) => {
                Ok(iterative::assign(tracks, ratios.shares(), *seed))
            }
            Self::Stratified { ratios, seed } => stratified(tracks, *ratios, *seed),
            Self::Grouped { by, ratios, seed } => grouped::assign(tracks, *by, ratios.shares(), *seed),
            Self::Official => official(tracks),
        }
    }
}

fn cut(order: &[usize], ratios: Ratios, sets: &mut [Set]) {
    let [train, val, _] = ratios.divide(order.len());
    for (place, &at) in order.iter().enumerate() {
        sets[at] = match place {
            place if place < train => Set::Train,
            place if place < train + val => Set::Val,
            _ => Set::Test,
        };
    }
}

/// Of tracks with one label each.
fn stratified(tracks: &[TrackRow], ratios: Ratios, seed: u64) -> Result<Vec<Set>, String> {
    let mut classes: BTreeMap<&[String], Vec<usize>> = BTreeMap::new();
    for (at, row) in tracks.iter().enumerate() {
        classes.entry(&row.labels).or_default().push(at);
    }
    let used = ratios.used().count();
    if let Some((labels, members)) = classes.iter().find(|(_, members)| members.len() < used) {
        return Err(format!(
            "the class {} has {} of the tracks, too few for {used} sets; use --strategy random, or build with more of its tracks",
            labels.concat(),
            members.len()
        ));
    }
    let mut rng = rng::stream(seed, 0, 0, Purpose::Split);
    let mut sets = vec![Set::Train; tracks.len()];
    for mut members in classes.into_values() {
        members.shuffle(&mut rng);
        cut(&members, ratios, &mut sets);
    }
    Ok(sets)
}

fn official(tracks: &[TrackRow]) -> Result<Vec<Set>, String> {
    let sets: Vec<Option<Set>> = tracks
        .iter()
        .map(|row| Set::ALL.into_iter().find(|set| set.name() == row.official_split))
        .collect();
    let missing = sets.iter().filter(|set| set.is_none()).count();
    if missing == tracks.len() {
        return Err("the source of this data set has no split of its own; use another --strategy".into());
    }
    if let Some(at) = sets.iter().position(Option::is_none) {
        return Err(format!(
            "the source's own split leaves out {missing} of {} tracks, track {} for one; use another --strategy",
            tracks.len(),
            tracks[at].track_id
        ));
    }
    Ok(sets.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::super::testing::row;
    use super::*;
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    fn ratios(text: &str) -> Ratios {
        text.parse().unwrap()
    }

    fn count(sets: &[Set], wanted: Set) -> usize {
        sets.iter().filter(|set| **set == wanted).count()
    }

    #[test]
    fn ratios_are_shares() {
        assert_eq!(ratios("80,10,10"), Ratios::default());
        assert_eq!(ratios("3, 1, 0").shares(), [0.75, 0.25, 0.0]);
        for wrong in [
            "",
            "80,20",
            "80,10,10,0",
            "80,10,x",
            "80,-10,30",
            "0,50,50",
            "inf,1,1",
            "nan,1,1",
            "1e308,1e308,1",
        ] {
            assert!(wrong.parse::<Ratios>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn division_is_by_largest_remainder_and_leaves_no_set_empty() {
        assert_eq!(Ratios::default().divide(10), [8, 1, 1]);
        assert_eq!(Ratios::default().divide(8000), [6400, 800, 800]);
        assert_eq!(Ratios::default().divide(4), [2, 1, 1]);
        assert_eq!(Ratios::default().divide(2), [2, 0, 0]);
        assert_eq!(ratios("90,0,10").divide(5), [4, 0, 1]);
    }

    proptest! {
        #[test]
        fn division_gives_all_and_nothing_to_unused_sets(
            count in 0usize..5000,
            numbers in (1u32..1000, 0u32..1000, 0u32..1000),
        ) {
            let ratios = ratios(&format!("{},{},{}", numbers.0, numbers.1, numbers.2));
            let parts = ratios.divide(count);
            prop_assert_eq!(parts.iter().sum::<usize>(), count);
            for (part, share) in parts.iter().zip(ratios.shares()) {
                prop_assert!(share > 0.0 || *part == 0);
                prop_assert!((*part as f64 - share * count as f64).abs() <= 2.0);
            }
        }
    }

    #[test]
    fn a_stratified_split_has_each_class_in_the_same_shares() {
        let tracks: Vec<_> = (0..300)
            .map(|id| {
                row(
                    id,
                    ["Folk", "Pop", "Rock"][usize::from(id % 10 > 1) + usize::from(id % 10 > 5)],
                )
            })
            .collect();
        let strategy = Strategy::Stratified {
            ratios: Ratios::default(),
            seed: 3,
        };
        let sets = strategy.assign(&tracks).unwrap();
        for (class, members) in [("Folk", 60), ("Pop", 120), ("Rock", 120)] {
            let own: Vec<Set> = tracks
                .iter()
                .zip(&sets)
                .filter(|(row, _)| row.labels == [class])
                .map(|(_, set)| *set)
                .collect();
            assert_eq!(own.len(), members);
            assert_eq!(count(&own, Set::Train), members * 8 / 10);
            assert_eq!(count(&own, Set::Test), members / 10);
        }
        assert_eq!(strategy.assign(&tracks).unwrap(), sets);
        let other = Strategy::Stratified {
            ratios: Ratios::default(),
            seed: 4,
        };
        assert_ne!(other.assign(&tracks).unwrap(), sets);
    }

    #[test]
    fn a_class_with_fewer_members_than_sets_is_a_sentence() {
        let mut tracks: Vec<_> = (0..30).map(|id| row(id, "Pop")).collect();
        tracks.extend([row(30, "Polka"), row(31, "Polka")]);
        let strategy = |text| Strategy::Stratified {
            ratios: ratios(text),
            seed: 0,
        };
        let reason = strategy("80,10,10").assign(&tracks).unwrap_err();
        assert!(reason.contains("the class Polka has 2 of the tracks"), "{reason}");
        let sets = strategy("80,0,20").assign(&tracks).unwrap();
        assert_ne!(sets[30], sets[31]);
    }

    #[test]
    fn tracks_with_several_labels_are_stratified_by_label_and_not_by_combination() {
        // Fifteen combinations, each of them once: no class by itself could be cut in three.
        let names = ["a", "b", "c", "d", "e", "f"];
        let mut tracks = Vec::new();
        for (at, first) in names.iter().enumerate() {
            for second in &names[at + 1..] {
                tracks.push(TrackRow {
                    labels: vec![(*first).into(), (*second).into()],
                    ..row(tracks.len() as u64, "")
                });
            }
        }
        let strategy = Strategy::Stratified {
            ratios: ratios("60,20,20"),
            seed: 1,
        };
        let sets = strategy.assign(&tracks).unwrap();
        let sizes = Set::ALL.map(|set| count(&sets, set));
        assert!(
            (8..=10).contains(&sizes[0]) && sizes[1] >= 2 && sizes[2] >= 2,
            "{sizes:?}"
        );
        for name in names {
            let own = tracks
                .iter()
                .zip(&sets)
                .filter(|(row, _)| row.labels.contains(&name.to_owned()));
            let own: Vec<Set> = own.map(|(_, set)| *set).collect();
            assert!((2..=4).contains(&count(&own, Set::Train)), "{name}: {own:?}");
        }
    }

    #[test]
    fn too_few_tracks_are_a_sentence() {
        let strategy = Strategy::Random {
            ratios: Ratios::default(),
            seed: 0,
        };
        let tracks = [row(1, "Pop"), row(2, "Pop")];
        assert!(
            strategy
                .assign(&tracks)
                .unwrap_err()
                .contains("2 tracks cannot fill 3 sets")
        );
        assert!(strategy.assign(&[]).is_err());
    }

    #[test]
    fn the_official_split_is_the_sources_or_none() {
        let official = |id, split: &str| TrackRow {
            official_split: split.into(),
            ..row(id, "Pop")
        };
        let sets = Strategy::Official.assign(&[official(1, "test"), official(2, "train")]);
        assert_eq!(sets, Ok(vec![Set::Test, Set::Train]));
        let none = Strategy::Official.assign(&[official(1, "")]).unwrap_err();
        assert!(none.contains("has no split of its own"), "{none}");
        let partial = Strategy::Official
            .assign(&[official(1, "val"), official(2, "")])
            .unwrap_err();
        assert!(partial.contains("1 of 2 tracks, track 2"), "{partial}");
    }
}
