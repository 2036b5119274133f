//! How tracks are divided. A division depends only on the rows of the table and on the seed; nothing is read or
//! written.

use super::groups::GroupBy;
use super::ratios::{Ratios, apportion};
use super::{grouped, iterative, stratified};
use rand::seq::SliceRandom;
use shared::dataset::manifest::TrackRow;
use shared::dataset::split::Set;
use shared::runtime::rng::{self, Purpose};

/// How tracks are divided into any number of parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Random,
    /// Each class is shuffled and divided separately; iterative stratification for multi-label tracks.
    Stratified,
    /// No group is in two parts, and classes are balanced as well as the groups allow.
    Grouped(GroupBy),
}

impl Method {
    /// The name on the command line and in `split.json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Stratified => "stratified",
            Self::Grouped(_) => "grouped",
        }
    }

    /// How tracks are grouped, if they are.
    pub fn group_by(self) -> Option<GroupBy> {
        match self {
            Self::Grouped(by) => Some(by),
            Self::Random | Self::Stratified => None,
        }
    }

    /// The part of each row, or why the tracks cannot be divided. `shares` are above 0 and sum to 1.
    pub(super) fn divide(self, tracks: &[TrackRow], shares: &[f64], seed: u64) -> Result<Vec<usize>, String> {
        if tracks.len() < shares.len() {
            return Err(format!(
                "{} tracks cannot fill {} sets; build a larger data set, or divide it into fewer sets",
                tracks.len(),
                shares.len()
            ));
        }
        match self {
            Self::Random => Ok(random(tracks.len(), shares, seed)),
            Self::Stratified if tracks.iter().any(|row| row.labels.len() != 1) => {
                Ok(iterative::divide(tracks, shares, seed))
            }
            Self::Stratified => Ok(stratified::divide(tracks, shares, seed)),
            Self::Grouped(by) => grouped::divide(tracks, by, shares, seed),
        }
    }
}

fn random(tracks: usize, shares: &[f64], seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..tracks).collect();
    order.shuffle(&mut rng::stream(seed, 0, 0, Purpose::Split));
    let sizes = apportion(tracks, shares);
    let parts_in_order = sizes
        .iter()
        .enumerate()
        .flat_map(|(part, &size)| std::iter::repeat_n(part, size));
    let mut parts = vec![0; tracks];
    for (at, part) in order.into_iter().zip(parts_in_order) {
        parts[at] = part;
    }
    parts
}

/// How tracks are assigned to train, val and test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Strategy {
    Drawn {
        method: Method,
        ratios: Ratios,
        seed: u64,
    },
    /// The source's own split.
    Official,
}

impl Strategy {
    /// The name on the command line and in `split.json`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Drawn { method, .. } => method.name(),
            Self::Official => "official",
        }
    }

    /// `stratified-0`.
    pub(super) fn default_name(&self) -> String {
        match self {
            Self::Drawn { method, seed, .. } => format!("{}-{seed}", method.name()),
            Self::Official => self.name().to_owned(),
        }
    }

    /// The set of each row, or why the tracks cannot be divided.
    pub(super) fn assign(&self, tracks: &[TrackRow]) -> Result<Vec<Set>, String> {
        match self {
            Self::Drawn { method, ratios, seed } => {
                let (sets, shares): (Vec<Set>, Vec<f64>) = ratios.used().into_iter().unzip();
                let parts = method.divide(tracks, &shares, *seed)?;
                Ok(parts.into_iter().map(|part| sets[part]).collect())
            }
            Self::Official => official(tracks),
        }
    }
}

fn official(tracks: &[TrackRow]) -> Result<Vec<Set>, String> {
    let sets: Vec<Option<Set>> = tracks.iter().map(|row| Set::named(&row.official_split)).collect();
    let missing = sets.iter().filter(|set| set.is_none()).count();
    if missing == tracks.len() {
        return Err("the source of this data set has no split of its own; use another --strategy".into());
    }
    if let Some(at) = sets.iter().position(Option::is_none) {
        return Err(format!(
            "the source's own split leaves out {missing} of {} tracks, for example track {}; use another --strategy",
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

    #[test]
    fn set_with_the_ratio_0_gets_no_track() {
        let tracks: Vec<_> = (0..30).map(|id| row(id, "Pop")).collect();
        for method in [Method::Random, Method::Stratified] {
            let strategy = Strategy::Drawn {
                method,
                ratios: "80,0,20".parse().unwrap(),
                seed: 0,
            };
            let sets = strategy.assign(&tracks).unwrap();
            let sizes = Set::ALL.map(|set| sets.iter().filter(|own| **own == set).count());
            assert_eq!(sizes, [24, 0, 6], "{method:?}");
        }
    }

    #[test]
    fn class_with_fewer_tracks_than_sets_is_divided() {
        let mut tracks: Vec<_> = (0..38).map(|id| row(id, "Pop")).collect();
        tracks.extend([row(38, "Polka"), row(39, "Polka")]);
        let parts = Method::Stratified.divide(&tracks, &[0.8, 0.1, 0.1], 0).unwrap();
        assert_ne!(parts[38], parts[39]);
    }

    #[test]
    fn fewer_tracks_than_sets_are_refused() {
        let tracks = [row(1, "Pop"), row(2, "Pop")];
        for method in [Method::Random, Method::Stratified, Method::Grouped(GroupBy::Artist)] {
            let reason = method.divide(&tracks, &[0.8, 0.1, 0.1], 0).unwrap_err();
            assert!(reason.contains("2 tracks cannot fill 3 sets"), "{reason}");
        }
    }

    #[test]
    fn official_split_is_that_of_the_source_or_refused() {
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
        assert!(partial.contains("1 of 2 tracks, for example track 2"), "{partial}");
    }
}
