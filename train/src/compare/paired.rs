//! Whether one run is better than another on the same tracks, or only luckier.
//!
//! Two networks are compared by *approximate randomization* (E. W. Noreen, Computer-Intensive Methods for Testing
//! Hypotheses, 1989): if both were equally good, it would not matter whose answer to a track is whose, so the answers
//! of a random half of the tracks change sides, again and again, and `p` is how often the sides then differ at least as much.
//! Tracks that are not independent of each other ([`Units`]) change together. Of tags the ranks change sides and not
//! the scores, which need not mean the same in both networks (E. S. Venkatraman and C. B. Begg, Biometrika 83, 1996).
//!
//! That asks of two trained networks. Where a side has several seeds the question is whether the *method* is better, and
//! chance is in the seeds too, which exchanging answers between trained networks does not see. So then `p` is that of the
//! bootstrap over seeds and tracks, the same that the interval comes from. It needs several seeds on both sides: of a single
//! one nothing can be drawn, and its chance would be taken for none.

use super::bootstrap::{self, Interval, SEED, TIE};
use super::outcomes::{ClassOutcomes, Outcomes, Pair};
use super::ranked::RankedPair;
use super::units::Units;
use rand::Rng;
use rayon::prelude::*;
use shared::runtime::rng::{Purpose, stream};

/// Permutations of classifiers' answers. With those given it makes 10,000, so that `p` is a multiple of 1e-4.
pub const PERMUTATIONS: u64 = 9_999;
/// Permutations of taggers' answers, each of which is a walk down every tag's ranking.
pub const RANK_PERMUTATIONS: u64 = 1_999;

/// What `p` comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    /// Answers that change sides.
    Randomization,
    /// Seeds and tracks that are drawn again.
    Bootstrap,
}

/// How the second of two sides differs from the first in one figure.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Contrast {
    /// The second's figure less the first's; of several seeds, of their means.
    pub difference: f64,
    /// Its 95 % interval by the paired bootstrap, where one can be had.
    pub interval: Option<Interval>,
    /// How likely a difference as large is where there is none; two-sided.
    pub p: f64,
}

/// Two sides on the same tracks.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Comparison {
    /// Top-1 and macro F1, or AUC-ROC and AUC-PR; `None` where a figure is undefined.
    pub contrasts: [Option<Contrast>; 2],
    /// What `p` comes from.
    pub test: Test,
    /// McNemar's test of top-1, where each side is one classifier.
    pub mcnemar: Option<McNemar>,
}

/// Q. McNemar's test (Psychometrika 12, 1947) in its exact form: of the tracks about which only one of two classifiers is
/// right, each is so for half of them if they are equally good. It takes tracks for independent.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct McNemar {
    /// Tracks about which the first alone is right.
    pub only_first: u64,
    /// Tracks about which the second alone is right.
    pub only_second: u64,
    /// Two-sided: `scipy.stats.binomtest(only_first, only_first + only_second).pvalue`.
    pub p: f64,
}

/// Compares two sides whose answers are in the same order: two networks, or two sets of several.
///
/// # Panics
/// When they are not of the same tracks, truth and task, or one side is a single network and the other is not.
pub fn compare(first: &Outcomes, second: &Outcomes, units: &Units) -> Comparison {
    let mean = |outcomes: &Outcomes| {
        let figures: Vec<Pair> = (0..outcomes.networks()).map(|at| outcomes.plain_figures(at)).collect();
        [0, 1].map(|at| figures.iter().map(|pair| pair[at]).sum::<f64>() / figures.len() as f64)
    };
    let (a, b) = (mean(first), mean(second));
    let intervals = bootstrap::differences(first, second, units, bootstrap::RESAMPLES);
    let single = first.networks() == 1;
    assert_eq!(single, second.networks() == 1, "a single seed against several");
    let tests = single.then(|| randomization(first, second, units));
    let mcnemar = match (first, second) {
        (Outcomes::Classes(a), Outcomes::Classes(b)) if single => Some(mcnemar(a, b)),
        _ => None,
    };
    let contrasts = [0, 1].map(|at| {
        let difference = b[at] - a[at];
        let p = tests.map_or(intervals[at].map(|interval| interval.p), |tests| Some(tests[at]));
        p.filter(|_| !difference.is_nan()).map(|p| Contrast {
            difference,
            interval: intervals[at].map(|difference| difference.interval),
            p,
        })
    });
    Comparison {
        contrasts,
        test: if single { Test::Randomization } else { Test::Bootstrap },
        mcnemar,
    }
}

/// `p` of both figures by approximate randomization of two single networks, two-sided: the share of permutations, that
/// of the answers as they are among them, in which the sides differ at least as much.
pub fn randomization(first: &Outcomes, second: &Outcomes, units: &Units) -> [f64; 2] {
    match (first, second) {
        (Outcomes::Classes(a), Outcomes::Classes(b)) => {
            let exchange = ClassExchange::new(a, b);
            shares(units, PERMUTATIONS, |flips| exchange.difference(flips))
        }
        (Outcomes::Tags(a), Outcomes::Tags(b)) => {
            let pair = RankedPair::new(a, b);
            shares(units, RANK_PERMUTATIONS, |flips| pair.difference(flips))
        }
        _ => unreachable!("both are of the same task"),
    }
}

fn shares(units: &Units, permutations: u64, difference: impl Fn(&[bool]) -> Pair + Sync) -> [f64; 2] {
    let observed = difference(&vec![false; units.tracks()]);
    let as_large = |number: u64| {
        let flips = flips(units, number);
        let permuted = difference(&flips);
        [0, 1].map(|at| u64::from(permuted[at].abs() >= observed[at].abs() - TIE))
    };
    let counts = (0..permutations)
        .into_par_iter()
        .map(as_large)
        .reduce(|| [0; 2], |a, b| [a[0] + b[0], a[1] + b[1]]);
    counts.map(|count| (count + 1) as f64 / (permutations + 1) as f64)
}

/// Which tracks change sides: each unit with probability 1/2.
fn flips(units: &Units, number: u64) -> Vec<bool> {
    let mut random = stream(SEED, number, 0, Purpose::Permutation);
    let mut flips = vec![false; units.tracks()];
    let mut bits = 0;
    for (at, tracks) in units.groups().enumerate() {
        if at % 64 == 0 {
            bits = random.next_u64();
        }
        let flip = bits >> (at % 64) & 1 == 1;
        tracks.iter().for_each(|&track| flips[track as usize] = flip);
    }
    flips
}

/// Two classifiers' answers, apart into those that agree and those that do not.
struct ClassExchange<'a> {
    first: &'a ClassOutcomes,
    /// The confusion of tracks that both answer alike, which no exchange changes.
    alike: Vec<u64>,
    /// The other tracks, with the first's and the second's cell.
    unlike: Vec<(u32, u32, u32)>,
}

impl<'a> ClassExchange<'a> {
    fn new(first: &'a ClassOutcomes, second: &ClassOutcomes) -> Self {
        let mut exchange = Self {
            first,
            alike: vec![0; first.classes * first.classes],
            unlike: Vec::new(),
        };
        for (track, (&a, &b)) in first.cells[0].iter().zip(&second.cells[0]).enumerate() {
            if a == b {
                exchange.alike[a as usize] += 1;
            } else {
                exchange.unlike.push((track as u32, a, b));
            }
        }
        exchange
    }

    fn difference(&self, flips: &[bool]) -> Pair {
        let (mut first, mut second) = (self.alike.clone(), self.alike.clone());
        for &(track, a, b) in &self.unlike {
            let (a, b) = if flips[track as usize] { (b, a) } else { (a, b) };
            first[a as usize] += 1;
            second[b as usize] += 1;
        }
        let (first, second) = (self.first.figures_of(&first), self.first.figures_of(&second));
        [second[0] - first[0], second[1] - first[1]]
    }
}

/// McNemar's exact test of two single classifiers.
fn mcnemar(first: &ClassOutcomes, second: &ClassOutcomes) -> McNemar {
    let right = |cell: u32| cell as usize / first.classes == cell as usize % first.classes;
    let (mut only_first, mut only_second) = (0, 0);
    for (&a, &b) in first.cells[0].iter().zip(&second.cells[0]) {
        only_first += u64::from(right(a) && !right(b));
        only_second += u64::from(!right(a) && right(b));
    }
    McNemar {
        only_first,
        only_second,
        p: fair_coin(only_first, only_second),
    }
}

/// How likely a fair coin falls at least as unevenly, two-sided.
fn fair_coin(heads: u64, tails: u64) -> f64 {
    let (fewer, tosses) = (heads.min(tails), heads + tails);
    if 2 * fewer == tosses {
        return 1.0;
    }
    // Logarithms, because 2^-tosses underflows from 1,075 tosses on.
    let mut log_probability = -(tosses as f64) * std::f64::consts::LN_2;
    let mut sum = 0.0;
    for number in 0..=fewer {
        sum += log_probability.exp();
        log_probability += ((tosses - number) as f64 / (number + 1) as f64).ln();
    }
    (2.0 * sum).min(1.0)
}

/// `p` of several comparisons made at once, so that the chance of one false alarm among them stays what it is for one (S. Holm,
/// Scandinavian Journal of Statistics 6, 1979).
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let (mut adjusted, mut highest) = (vec![0.0; p.len()], 0.0f64);
    for (rank, at) in order.into_iter().enumerate() {
        highest = highest.max((p.len() - rank) as f64 * p[at]).min(1.0);
        adjusted[at] = highest;
    }
    adjusted
}

#[cfg(test)]
mod tests;
