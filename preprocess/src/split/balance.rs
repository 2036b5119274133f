//! Rates a division of groups into parts, with updates as groups move between parts.

use super::groups::Group;

/// Faults of a division, most important first. Less is better, and a field matters only if all fields before it are
/// equal.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Faults {
    /// Number of parts without a group.
    pub(super) empty: usize,
    /// Tracks by which the sizes of parts miss their targets by more than the tolerance, summed over the parts.
    pub(super) excess: f64,
    /// Number of pairs of a part and a class that it lacks.
    pub(super) missing: usize,
    /// Sum of the squared deviations of class counts and sizes from their targets, each divided by its target.
    pub(super) imbalance: f64,
}

/// Weight of a part's size in the imbalance; a class has weight 1. With a larger weight, sizes are nearer to their
/// targets and classes are less balanced.
const SIZE_WEIGHT: f64 = 2.0;

impl Faults {
    /// Whether this is better by more than rounding errors.
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
    /// Tracks by which the size of each part may miss its target.
    tolerances: Vec<f64>,
    /// `[parts, classes]`: tracks of each class that each part should have.
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
    /// A balance in which no group has a part yet.
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

    /// Tracks that a part lacks to reach its target.
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

    /// Increase of the imbalance if `group`, which has no part yet, is put into `part`.
    pub(super) fn cost(&self, group: usize, part: usize) -> f64 {
        let group = &self.groups[group];
        let term = |&(class, count): &(usize, f64)| {
            let at = part * self.classes + class;
            squared_change(self.counts[at] - self.class_targets[at], count, self.class_targets[at])
        };
        let size = squared_change(-self.room(part), group.size(), self.targets[part]);
        group.classes.iter().map(term).sum::<f64>() + SIZE_WEIGHT * size
    }

    /// Moves a group into a part.
    pub(super) fn put(&mut self, group: usize, part: usize) {
        if let Some(from) = self.places[group] {
            self.shift(group, from, -1.0);
        }
        self.shift(group, part, 1.0);
        self.places[group] = Some(part);
    }

    /// Applies the changes if they make the division better, and undoes them otherwise.
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
        // Restored from the copy, because undone sums would accumulate rounding errors.
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

    /// The excess and the imbalance due to the size of a part.
    fn size_faults(&self, part: usize) -> (f64, f64) {
        let room = self.room(part);
        let excess = (room.abs() - self.tolerances[part]).max(0.0);
        (excess, SIZE_WEIGHT * room * room / self.targets[part])
    }
}

/// Half of the largest group, because a part cannot always get closer to its target. At most half of the part's target,
/// because a group larger than the target should not go into that part.
fn tolerances(groups: &[Group], targets: &[f64]) -> Vec<f64> {
    let largest = groups.iter().map(Group::size).fold(0.0, f64::max);
    targets.iter().map(|target| target.min(largest) / 2.0).collect()
}

/// The change of a squared deviation if the deviation changes by `by`, divided by the target.
fn squared_change(deviation: f64, by: f64, target: f64) -> f64 {
    by * (2.0 * deviation + by) / target
}
