//! How good a division of groups is, kept up to date while single groups change their part.

use super::groups::Group;

/// What is wrong with a division, the gravest first. Less is better, and a field matters only where those before it are
/// equal.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Faults {
    pub(super) empty: usize,
    /// Tracks by which sizes differ from their targets by more than the tolerance, summed over the parts.
    pub(super) excess: f64,
    /// Pairs of a part and a class that it lacks.
    pub(super) missing: usize,
    /// Squared deviations of each part from its share of each class, and of all tracks, relative to that share.
    pub(super) imbalance: f64,
}

/// What the deviation of a part's size weighs in the imbalance, where that of a class weighs 1. With more, sizes get
/// nearer to their targets, and classes less even.
const SIZE_WEIGHT: f64 = 2.0;

impl Faults {
    /// Whether this is better by more than the rounding of its sums.
    pub(super) fn better_than(&self, other: &Self) -> bool {
        const ROUNDING: f64 = 1e-7;
        if self.empty != other.empty {
            return self.empty < other.empty;
        }
        if (self.excess - other.excess).abs() > ROUNDING {
            return self.excess < other.excess;
        }
        if self.missing != other.missing {
            return self.missing < other.missing;
        }
        self.imbalance < other.imbalance - ROUNDING
    }
}

/// A division of groups into parts, and its faults.
#[derive(Clone, Debug)]
pub(super) struct Balance<'a> {
    groups: &'a [Group],
    /// Tracks that each part should have.
    targets: Vec<f64>,
    /// By how many tracks each part may miss that.
    tolerances: Vec<f64>,
    /// Tracks of each class that each part should have; part after part.
    class_targets: Vec<f64>,
    classes: usize,
    /// The part of each group.
    places: Vec<Option<usize>>,
    filled: Vec<usize>,
    sizes: Vec<f64>,
    counts: Vec<f64>,
    faults: Faults,
}

impl<'a> Balance<'a> {
    /// No group has a part yet.
    pub(super) fn new(groups: &'a [Group], shares: &[f64]) -> Self {
        let classes = groups.iter().flat_map(|group| &group.classes);
        let number = classes.clone().map(|(class, _)| class + 1).max().unwrap_or(0);
        let mut totals = vec![0.0; number];
        for (class, count) in classes {
            totals[*class] += count;
        }
        let tracks: f64 = groups.iter().map(Group::size).sum();
        let targets: Vec<f64> = shares.iter().map(|share| share * tracks).collect();
        let mut balance = Self {
            groups,
            tolerances: tolerances(groups, &targets),
            class_targets: shares
                .iter()
                .flat_map(|share| totals.iter().map(move |total| share * total))
                .collect(),
            classes: number,
            places: vec![None; groups.len()],
            filled: vec![0; shares.len()],
            sizes: vec![0.0; shares.len()],
            counts: vec![0.0; shares.len() * number],
            faults: Faults {
                empty: shares.len(),
                missing: shares.len() * number,
                ..Faults::default()
            },
            targets,
        };
        for part in 0..balance.parts() {
            let (excess, imbalance) = balance.size_faults(part);
            balance.faults.excess += excess;
            balance.faults.imbalance += imbalance;
        }
        balance.faults.imbalance += balance.class_targets.iter().sum::<f64>();
        balance
    }

    pub(super) fn parts(&self) -> usize {
        self.targets.len()
    }

    pub(super) fn faults(&self) -> Faults {
        self.faults
    }

    /// The part of each group.
    pub(super) fn places(&self) -> &[Option<usize>] {
        &self.places
    }

    /// Tracks that a part still lacks.
    pub(super) fn room(&self, part: usize) -> f64 {
        self.targets[part] - self.sizes[part]
    }

    /// The classes that a part lacks.
    pub(super) fn missing(&self, part: usize) -> impl Iterator<Item = usize> + '_ {
        let counts = &self.counts[part * self.classes..(part + 1) * self.classes];
        counts
            .iter()
            .enumerate()
            .filter(|(_, count)| **count == 0.0)
            .map(|(class, _)| class)
    }

    /// By how much the imbalance would grow if a group without a part were put into this one.
    pub(super) fn cost(&self, group: usize, part: usize) -> f64 {
        let group = &self.groups[group];
        let term = |&(class, count): &(usize, f64)| {
            let at = part * self.classes + class;
            squared_change(self.counts[at] - self.class_targets[at], count, self.class_targets[at])
        };
        let size = squared_change(-self.room(part), group.size(), self.targets[part]);
        group.classes.iter().map(term).sum::<f64>() + SIZE_WEIGHT * size
    }

    /// Puts a group into a part, out of the one where it was.
    pub(super) fn put(&mut self, group: usize, part: usize) {
        if let Some(from) = self.places[group] {
            self.shift(group, from, -1.0);
        }
        self.shift(group, part, 1.0);
        self.places[group] = Some(part);
    }

    /// Makes these changes if the division is better with them.
    pub(super) fn put_if_better(&mut self, changes: &[(usize, usize)]) -> bool {
        let before = self.faults;
        let places: [Option<usize>; 2] =
            std::array::from_fn(|at| changes.get(at).and_then(|change| self.places[change.0]));
        for &(group, part) in changes {
            self.put(group, part);
        }
        if self.faults.better_than(&before) {
            return true;
        }
        for (&(group, _), place) in changes.iter().zip(places) {
            if let Some(place) = place {
                self.put(group, place);
            }
        }
        // Not by undoing the sums, which would add up their rounding.
        self.faults = before;
        false
    }

    fn shift(&mut self, group: usize, part: usize, sign: f64) {
        let group = &self.groups[group];
        let (excess, imbalance) = self.size_faults(part);
        self.sizes[part] += sign * group.size();
        let (excess_now, imbalance_now) = self.size_faults(part);
        self.faults.excess += excess_now - excess;
        let mut imbalance = imbalance_now - imbalance;
        for &(class, count) in &group.classes {
            let at = part * self.classes + class;
            let (before, target) = (self.counts[at], self.class_targets[at]);
            let now = before + sign * count;
            imbalance += squared_change(before - target, sign * count, target);
            self.counts[at] = now;
            if before == 0.0 {
                self.faults.missing -= 1;
            } else if now == 0.0 {
                self.faults.missing += 1;
            }
        }
        self.faults.imbalance += imbalance;
        if sign > 0.0 {
            self.faults.empty -= usize::from(self.filled[part] == 0);
            self.filled[part] += 1;
        } else {
            self.filled[part] -= 1;
            self.faults.empty += usize::from(self.filled[part] == 0);
        }
    }

    /// What a part's size adds to the excess, and to the imbalance.
    fn size_faults(&self, part: usize) -> (f64, f64) {
        let room = self.room(part);
        let excess = (room.abs() - self.tolerances[part]).max(0.0);
        (excess, SIZE_WEIGHT * room * room / self.targets[part])
    }
}

/// Half of the largest group: closer than that, a part cannot always come. A group that is larger than a part's whole
/// share does not belong there, and is no excuse for more than half of that share.
fn tolerances(groups: &[Group], targets: &[f64]) -> Vec<f64> {
    let largest = groups.iter().map(Group::size).fold(0.0, f64::max);
    targets.iter().map(|target| target.min(largest) / 2.0).collect()
}

/// The change of a squared deviation by `by`, relative to a target.
fn squared_change(deviation: f64, by: f64, target: f64) -> f64 {
    by * (2.0 * deviation + by) / target
}
