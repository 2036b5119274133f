//! Bootstrap intervals of metrics, and a paired bootstrap test of two runs. They estimate how much a metric, or the
//! difference of two, varies with the choice of tracks and, if there are several networks, with the seed.
//!
//! *Tracks* are drawn with replacement, in groups that are independent of each other ([`Groups`]). Intervals are
//! percentile intervals (B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap, 1993, sections 13.3 and 8.3).
//!
//! *Seeds and tracks* are crossed, not nested: every network is evaluated on the same tracks. So a resample draws
//! tracks once for all networks, and draws networks independently (A. B. Owen, The pigeonhole bootstrap, Annals of
//! Applied Statistics 1, 2007). A hierarchical bootstrap, which draws new tracks for each seed, would average out the
//! variance of the tracks: the interval would shrink with every seed although no track is added.
//!
//! `n - 1` of `n` networks are drawn. Then the variance of their mean is that of a mean of `n` seeds. Drawing `n` would
//! give `(n - 1) / n` of it, a fifth too little with five seeds (J. N. K. Rao and C. F. J. Wu, Resampling inference
//! with complex survey data, JASA 83, 1988).

use super::groups::Groups;
use super::predicted_set::{Pair, PredictedSet};
use rand::RngExt;
use rayon::prelude::*;
use serde::Serialize;
use shared::runtime::rng::{Purpose, stream};

/// Efron and Tibshirani recommend 1,000 or more resamples for percentiles.
pub(super) const RESAMPLES: u64 = 2000;
/// Fraction of resamples inside an interval.
const LEVEL: f64 = 0.95;
/// Fixed, so the same runs always get the same intervals.
const SEED: u64 = 0;
/// Differences below this are rounding errors.
const TIE: f64 = 1e-12;

/// Lower and upper end.
pub(super) type Interval = [f64; 2];

/// `track` numbers of the random streams that draw tracks, networks of the first run, and networks of the second run.
const TRACKS: u64 = 0;
const FIRST: u64 = 1;
const SECOND: u64 = 2;

/// The metrics of each resample, `[resamples]`: means over the drawn networks.
fn resampled(side: u64, set: &PredictedSet, groups: &Groups, resamples: u64) -> Vec<Pair> {
    assert_eq!(groups.tracks(), set.tracks(), "groups of the same tracks");
    let one = |number: u64| {
        let weights = groups.draw(&mut stream(SEED, number, TRACKS, Purpose::Resample));
        let (mut sums, mut total) = ([0.0; 2], 0.0);
        for (network, count) in draw_networks(set.networks(), side, number).into_iter().enumerate() {
            if count > 0 {
                let metrics = set.metrics(network, |track| weights[track].into());
                let count = f64::from(count);
                sums = [sums[0] + count * metrics[0], sums[1] + count * metrics[1]];
                total += count;
            }
        }
        sums.map(|sum| sum / total)
    };
    (0..resamples).into_par_iter().map(one).collect()
}

/// How often each network was drawn.
fn draw_networks(networks: usize, side: u64, number: u64) -> Vec<u32> {
    if networks == 1 {
        return vec![1];
    }
    let mut random = stream(SEED, number, side, Purpose::Resample);
    let mut counts = vec![0; networks];
    (0..networks - 1).for_each(|_| counts[random.random_range(0..networks)] += 1);
    counts
}

/// The intervals of both metrics, each a mean over the networks. `None` if there are fewer than two groups, because all
/// resamples would be equal, or if the metric is undefined in some resamples.
pub(super) fn intervals(set: &PredictedSet, groups: &Groups, resamples: u64) -> [Option<Interval>; 2] {
    let resamples = if groups.len() < 2 { 0 } else { resamples };
    let metrics = resampled(FIRST, set, groups, resamples);
    [0, 1].map(|at| interval(metrics.iter().map(|pair| pair[at]).collect()))
}

/// The difference of two runs in one metric, on the same tracks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Difference {
    /// The second metric minus the first; with several networks, the difference of their means.
    pub difference: f64,
    /// `None` for the same reasons as in [`intervals`].
    pub interval: Option<Interval>,
    /// Twice the fraction of resamples in which the difference has the rarer sign or is 0, at most 1: the level at
    /// which the interval would touch 0 (Efron and Tibshirani, section 15.4). The observed difference counts as a
    /// resample, so it is never 0. `None` without an interval.
    pub p: Option<f64>,
}

/// The differences in both metrics. Resamples of both runs have the same tracks, and each run draws its own networks.
/// `None` if the metric is undefined.
pub(super) fn differences(
    first: &PredictedSet,
    second: &PredictedSet,
    groups: &Groups,
    resamples: u64,
) -> [Option<Difference>; 2] {
    let resamples = if groups.len() < 2 { 0 } else { resamples };
    let a = resampled(FIRST, first, groups, resamples);
    let b = resampled(SECOND, second, groups, resamples);
    let means = [first, second].map(mean_metrics);
    [0, 1].map(|at| {
        let difference = means[1][at] - means[0][at];
        let resampled: Vec<f64> = a.iter().zip(&b).map(|(a, b)| b[at] - a[at]).collect();
        let p = p_value(&resampled);
        let interval = interval(resampled);
        (!difference.is_nan()).then_some(Difference {
            difference,
            p: interval.map(|_| p),
            interval,
        })
    })
}

fn mean_metrics(set: &PredictedSet) -> Pair {
    let metrics = set.plain_metrics();
    [0, 1].map(|at| metrics.iter().map(|pair| pair[at]).sum::<f64>() / metrics.len() as f64)
}

fn p_value(differences: &[f64]) -> f64 {
    let share = |count: usize| (count + 1) as f64 / (differences.len() + 1) as f64;
    let not_above = differences.iter().filter(|difference| **difference <= TIE).count();
    let not_below = differences.iter().filter(|difference| **difference >= -TIE).count();
    (2.0 * share(not_above.min(not_below))).min(1.0)
}

fn interval(mut values: Vec<f64>) -> Option<Interval> {
    if values.is_empty() || values.iter().any(|value| value.is_nan()) {
        return None;
    }
    values.sort_unstable_by(f64::total_cmp);
    let tail = (1.0 - LEVEL) / 2.0;
    Some([quantile(&values, tail), quantile(&values, 1.0 - tail)])
}

/// Like `numpy.quantile` with linear interpolation; the values must be sorted.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let place = q * (sorted.len() - 1) as f64;
    let (low, share) = (place.floor() as usize, place.fract());
    let high = (low + 1).min(sorted.len() - 1);
    sorted[low] + share * (sorted[high] - sorted[low])
}

#[cfg(test)]
mod tests;
