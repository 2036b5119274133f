//! The grouped method: no group is in two parts.
//!
//! Goals, most important first: every part has a group, sizes match the ratios, every part has every class, and classes
//! have the same proportions in all parts ([`Faults`](super::balance::Faults)). Groups are assigned largest first. Then
//! single groups move, and pairs of groups swap, as long as the division improves. Small collections are divided
//! several times with other orders, and the best division is kept.

use super::balance::Balance;
use super::groups::{Group, GroupBy, groups};
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};
use shared::dataset::manifest::TrackRow;
use shared::runtime::rng::{self, Purpose};

/// Maximum number of divisions to try.
const MAX_ATTEMPTS: usize = 24;
/// Maximum number of changed counts during the search. This limits steps and not time, so a seed gives the same
/// division on every machine.
const MAX_STEPS: usize = 20_000_000;
/// Random partners that a group may swap with in each round, in a large collection.
const PARTNERS: usize = 64;

/// The part of each row, or why the tracks cannot be divided.
pub(super) fn divide(tracks: &[TrackRow], by: GroupBy, shares: &[f64], seed: u64) -> Result<Vec<usize>, String> {
    let columns = by.columns();
    let unknown = |row: &TrackRow| columns.iter().all(|column| column(row).is_empty());
    if !columns.is_empty() && tracks.iter().all(unknown) {
        return Err(format!(
            "the source of this data set does not name the {} of any track; use another --strategy",
            by.name()
        ));
    }
    let groups = groups(tracks, by);
    if groups.len() < shares.len() {
        return Err(format!(
            "the tracks form {} groups by {}, too few for {} sets; use another --strategy or --group-by",
            groups.len(),
            by.name(),
            shares.len()
        ));
    }
    let mut parts = vec![0; tracks.len()];
    for (group, part) in groups.iter().zip(best_division(&groups, shares, seed)) {
        for &member in &group.members {
            parts[member] = part;
        }
    }
    Ok(parts)
}

/// The part of each group. There are at least as many groups as shares.
fn best_division(groups: &[Group], shares: &[f64], seed: u64) -> Vec<usize> {
    let mut search = Search {
        groups,
        with_class: with_class(groups),
        rng: rng::stream(seed, 0, 0, Purpose::Split),
        steps: MAX_STEPS,
    };
    let mut best: Option<Balance<'_>> = None;
    for attempt in 0..MAX_ATTEMPTS {
        let mut balance = search.assign(shares, attempt);
        search.improve(&mut balance);
        if best
            .as_ref()
            .is_none_or(|best| balance.faults().better_than(&best.faults()))
        {
            best = Some(balance);
        }
        if search.steps == 0 {
            break;
        }
    }
    best.map_or_else(Vec::new, |best| best.places().iter().copied().flatten().collect())
}

/// For each class, the groups that have it.
fn with_class(groups: &[Group]) -> Vec<Vec<usize>> {
    let mut with_class: Vec<Vec<usize>> = Vec::new();
    for (at, group) in groups.iter().enumerate() {
        for &(class, _) in &group.classes {
            if with_class.len() <= class {
                with_class.resize(class + 1, Vec::new());
            }
            with_class[class].push(at);
        }
    }
    with_class
}

struct Search<'a, R> {
    groups: &'a [Group],
    with_class: Vec<Vec<usize>>,
    rng: R,
    steps: usize,
}

impl<'a, R: Rng> Search<'a, R> {
    /// Assigns all groups, largest first. Attempts after the first one order the groups by randomly scaled sizes. A
    /// group goes to the part whose imbalance grows least, among the parts with room for at least half of the group.
    fn assign(&mut self, shares: &[f64], attempt: usize) -> Balance<'a> {
        let mut order: Vec<usize> = (0..self.groups.len()).collect();
        order.shuffle(&mut self.rng);
        let weights: Vec<f64> = self
            .groups
            .iter()
            .map(|group| match attempt {
                0 => group.size(),
                _ => group.size() * self.rng.random_range(0.5..1.5),
            })
            .collect();
        // Stable, so groups of one size stay shuffled.
        order.sort_by(|&a, &b| weights[b].total_cmp(&weights[a]));
        let mut balance = Balance::new(self.groups, shares);
        for group in order {
            let half = self.groups[group].size() / 2.0;
            let fits = (0..shares.len()).filter(|&part| balance.room(part) >= half);
            let cheapest = fits.min_by(|&a, &b| balance.cost(group, a).total_cmp(&balance.cost(group, b)));
            let roomiest = || (0..shares.len()).max_by(|&a, &b| balance.room(a).total_cmp(&balance.room(b)));
            if let Some(part) = cheapest.or_else(roomiest) {
                balance.put(group, part);
            }
        }
        balance
    }

    /// Improves the division until no change that is tried helps, or no steps are left.
    fn improve(&mut self, balance: &mut Balance<'a>) {
        loop {
            let mut improved = self.cover(balance);
            for group in 0..self.groups.len() {
                for part in 0..balance.parts() {
                    improved |= self.change(balance, group, part, None);
                }
                for other in self.partners() {
                    if let Some(part) = balance.places()[other] {
                        improved |= self.change(balance, group, part, Some(other));
                    }
                }
            }
            if !improved || self.steps == 0 {
                break;
            }
        }
    }

    /// Tries to give each part the classes that it lacks. Random partners would rarely have them in a large collection.
    fn cover(&mut self, balance: &mut Balance<'a>) -> bool {
        let mut improved = false;
        for part in 0..balance.parts() {
            for class in balance.missing(part).collect::<Vec<_>>() {
                for at in 0..self.with_class[class].len() {
                    let group = self.with_class[class][at];
                    improved |= self.change(balance, group, part, None);
                    for other in self.partners() {
                        if balance.places()[other] == Some(part) {
                            improved |= self.change(balance, group, part, Some(other));
                        }
                    }
                }
            }
        }
        improved
    }

    /// The groups to swap with: all, or a random sample in a large collection; empty if no steps are left.
    fn partners(&mut self) -> Vec<usize> {
        let groups = self.groups.len();
        if self.steps == 0 {
            return Vec::new();
        }
        if groups <= 2 * PARTNERS {
            return (0..groups).collect();
        }
        (0..PARTNERS).map(|_| self.rng.random_range(0..groups)).collect()
    }

    /// Moves `group` to `part`, and `other`, if given, to the part that `group` leaves, if that improves the division.
    fn change(&mut self, balance: &mut Balance<'a>, group: usize, part: usize, other: Option<usize>) -> bool {
        if self.steps == 0 {
            return false;
        }
        let Some(from) = balance.places()[group].filter(|&from| from != part) else {
            self.steps -= 1;
            return false;
        };
        let size = |group: usize| 2 * (1 + self.groups[group].classes.len());
        self.steps = self.steps.saturating_sub(size(group) + other.map_or(0, size));
        match other {
            Some(other) => balance.put_if_better(&[(group, part), (other, from)]),
            None => balance.put_if_better(&[(group, part)]),
        }
    }
}

#[cfg(test)]
mod tests;
