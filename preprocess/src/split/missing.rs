//! Finds classes that a set lacks, and options that would put them into every set. Each suggested option has been
//! tried.

use super::groups::groups;
use super::strategy::Method;
use shared::dataset::manifest::TrackRow;
use shared::dataset::split::{Set, SplitIndex};
use std::collections::{BTreeMap, BTreeSet};

/// Maximum number of classes that a message names; the others are counted.
const MAX_NAMED: usize = 10;
/// Percentages of the smaller sets that are tried, in this order.
const PERCENTAGES: [f64; 9] = [1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 33.0];
const MAX_FOLDS: usize = 10;
/// One fold for each set.
const MIN_FOLDS: usize = 3;

/// The classes of the split that a set lacks; empty for an empty set.
pub fn missing(index: &SplitIndex, set: Set) -> Vec<&str> {
    let Some(counts) = index
        .counts
        .get(&set)
        .filter(|counts| counts.values().any(|&count| count > 0))
    else {
        return Vec::new();
    };
    let is_anywhere = |class: &str| {
        index
            .counts
            .values()
            .any(|counts| counts.get(class).is_some_and(|&count| count > 0))
    };
    let lacking = counts
        .iter()
        .filter(|(class, count)| **count == 0 && is_anywhere(class));
    lacking.map(|(class, _)| class.as_str()).collect()
}

/// `no track of 2 of 8 classes: Folk, Pop`
pub(super) fn describe(missing: &[&str], classes: usize) -> String {
    match missing {
        [class] => format!("no track of the class {class}"),
        _ => format!("no track of {} of {classes} classes: {}", missing.len(), list(missing)),
    }
}

fn list(classes: &[&str]) -> String {
    let named = classes[..classes.len().min(MAX_NAMED)].join(", ");
    match classes.len().saturating_sub(MAX_NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Request {
    Ratios([f64; 3]),
    Folds(usize),
}

/// Finds other ways to divide tracks.
pub(super) struct Advisor<'a> {
    tracks: &'a [TrackRow],
    method: Method,
    seed: u64,
    /// Number of groups with each class; number of tracks if tracks are not grouped.
    groups_of: BTreeMap<&'a str, usize>,
}

impl<'a> Advisor<'a> {
    pub(super) fn new(tracks: &'a [TrackRow], method: Method, seed: u64) -> Self {
        let groups: Vec<Vec<usize>> = match method.group_by() {
            Some(by) => groups(tracks, by).into_iter().map(|group| group.members).collect(),
            None => (0..tracks.len()).map(|at| vec![at]).collect(),
        };
        let mut groups_of = BTreeMap::new();
        for members in groups {
            let labels = members.iter().flat_map(|&at| &tracks[at].labels);
            for label in labels.map(String::as_str).collect::<BTreeSet<_>>() {
                *groups_of.entry(label).or_default() += 1;
            }
        }
        Self {
            tracks,
            method,
            seed,
            groups_of,
        }
    }

    /// Names the missing classes that no division can put into every set, and options that put the others into every
    /// set.
    pub(super) fn advice(&self, missing: &[&str], request: Request) -> Vec<String> {
        let sets = match request {
            Request::Ratios(shares) => shares.iter().filter(|share| **share > 0.0).count(),
            Request::Folds(_) => Set::ALL.len(),
        };
        let is_scarce = |class: &str| self.groups_of.get(class).is_none_or(|&groups| groups < sets);
        let (scarce, others): (Vec<&str>, Vec<&str>) = missing.iter().partition(|class| is_scarce(class));
        let mut advice = Vec::new();
        if !scarce.is_empty() {
            let unit = match self.method.group_by() {
                Some(by) => format!("groups by {}", by.name()),
                None => "tracks".into(),
            };
            advice.push(format!(
                "classes with too few {unit} to be in all {sets} sets: {}",
                list(&scarce)
            ));
        }
        if !others.is_empty() {
            let every = if scarce.is_empty() {
                "every class"
            } else {
                "every other class"
            };
            let needed: Vec<&str> = self
                .groups_of
                .keys()
                .copied()
                .filter(|class| !is_scarce(class))
                .collect();
            advice.push(match self.options(&needed, request).as_slice() {
                [] => format!("no ratios or folds were found that put {every} into every set"),
                options => format!("{} would put {every} into every set", options.join(" or ")),
            });
        }
        advice
    }

    /// Options of the command line that put these classes into every set.
    fn options(&self, classes: &[&str], request: Request) -> Vec<String> {
        // A random division does not balance classes.
        let (method, strategy) = match self.method {
            Method::Random => (Method::Stratified, "--strategy stratified "),
            method => (method, ""),
        };
        let candidates = [ratio_candidates(request), fold_candidates(request)];
        let found = candidates.iter().filter_map(|candidates| {
            candidates
                .iter()
                .find(|(_, shares)| self.covers(method, classes, shares))
        });
        found.map(|(option, _)| format!("{strategy}{option}")).collect()
    }

    fn covers(&self, method: Method, classes: &[&str], shares: &[f64]) -> bool {
        if classes.iter().any(|class| self.groups_of[class] < shares.len()) {
            return false;
        }
        let Ok(parts) = method.divide(self.tracks, shares, self.seed) else {
            return false;
        };
        let mut present = vec![BTreeSet::new(); shares.len()];
        for (row, part) in self.tracks.iter().zip(parts) {
            present[part].extend(row.labels.iter().map(String::as_str));
        }
        present
            .iter()
            .all(|present| classes.iter().all(|class| present.contains(class)))
    }
}

/// The requested ratios, then ratios with larger val and test sets.
fn ratio_candidates(request: Request) -> Vec<(String, Vec<f64>)> {
    let Request::Ratios(shares) = request else {
        return Vec::new();
    };
    let percentages = shares.map(|share| (share * 1e8).round() / 1e6);
    let mut candidates = vec![percentages];
    for smallest in PERCENTAGES {
        let [_, val, test] = percentages.map(|own| if own > 0.0 { own.max(smallest) } else { 0.0 });
        let train = 100.0 - val - test;
        if train >= smallest && train < percentages[0] {
            candidates.push([train, val, test]);
        }
    }
    let candidate = |ratios: [f64; 3]| {
        let shares = ratios
            .into_iter()
            .filter(|ratio| *ratio > 0.0)
            .map(|ratio| ratio / 100.0);
        (
            format!("--ratios {}", ratios.map(|ratio| ratio.to_string()).join(",")),
            shares.collect(),
        )
    };
    candidates.into_iter().map(candidate).collect()
}

fn fold_candidates(request: Request) -> Vec<(String, Vec<f64>)> {
    let most = match request {
        Request::Ratios(_) => MAX_FOLDS,
        Request::Folds(folds) => folds,
    };
    let candidate = |folds: usize| (format!("--folds {folds}"), vec![1.0 / folds as f64; folds]);
    (MIN_FOLDS..=most).rev().map(candidate).collect()
}

#[cfg(test)]
mod tests {
    use super::super::groups::GroupBy;
    use super::super::testing::{row, track_by};
    use super::*;

    /// Classes `0` to `7` with four artists each, who have six tracks each.
    fn eight_by_four_by_six() -> Vec<TrackRow> {
        let track = |id: u64| track_by(id, &(id / 24).to_string(), &(id / 6).to_string(), "");
        (0..192).map(track).collect()
    }

    const GROUPED: Method = Method::Grouped(GroupBy::Artist);

    #[test]
    fn options_that_put_every_class_into_every_set_are_suggested() {
        let tracks = eight_by_four_by_six();
        let advisor = Advisor::new(&tracks, GROUPED, 0);
        assert_eq!(
            advisor.advice(&["0", "3"], Request::Ratios([0.8, 0.1, 0.1])),
            ["--ratios 50,25,25 or --folds 4 would put every class into every set"]
        );
        assert_eq!(
            advisor.advice(&["0", "3"], Request::Folds(5)),
            ["--folds 4 would put every class into every set"]
        );
        // With two sets, a quarter of the tracks is enough.
        assert_eq!(
            advisor.advice(&["0"], Request::Ratios([0.9, 0.0, 0.1])),
            ["--ratios 75,0,25 or --folds 4 would put every class into every set"]
        );
    }

    #[test]
    fn classes_that_no_division_can_put_into_every_set_are_named() {
        let mut tracks = eight_by_four_by_six();
        tracks.extend([192, 193].map(|id| track_by(id, "Polka", &format!("polka {id}"), "")));
        let advisor = Advisor::new(&tracks, GROUPED, 0);
        assert_eq!(
            advisor.advice(&["Polka"], Request::Ratios([0.8, 0.1, 0.1])),
            ["classes with too few groups by artist to be in all 3 sets: Polka"]
        );
        let advice = advisor.advice(&["0", "Polka"], Request::Ratios([0.8, 0.1, 0.1]));
        assert!(
            advice[1].ends_with("would put every other class into every set"),
            "{advice:?}"
        );
    }

    #[test]
    fn stratification_is_suggested_for_a_random_division() {
        let mut tracks: Vec<_> = (0..90).map(|id| row(id, "Rock")).collect();
        tracks.extend((90..100).map(|id| row(id, "Folk")));
        let advice = Advisor::new(&tracks, Method::Random, 0).advice(&["Folk"], Request::Ratios([0.8, 0.1, 0.1]));
        assert_eq!(
            advice,
            [
                "--strategy stratified --ratios 80,10,10 or --strategy stratified --folds 10 would put every class into every set"
            ]
        );
    }
}
