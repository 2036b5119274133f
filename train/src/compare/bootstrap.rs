//! Intervals of metrics by the bootstrap, and a paired test of two runs: how far a metric, or the difference of two, might
//! have come out otherwise with other tracks, and, where there are several networks from different seeds, with other seeds.
//!
//! *Tracks* are drawn with replacement, in groups that are independent of each other ([`Groups`]), and the interval is
//! the percentile one (B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap, 1993, sections 13.3 and 8.3).
//!
//! *Seeds and tracks* are crossed and not nested: every network is evaluated on the same tracks. So a resample draws tracks
//! once, for all networks, and networks independently of them (A. B. Owen, The pigeonhole bootstrap, Annals of Applied
//! Statistics 1, 2007). Drawing tracks anew for each seed, as a hierarchical bootstrap of nested data does, would average
//! away what chance there is in the tracks, and the interval would shrink with every seed although no track is added.
//!
//! Of `n` networks `n - 1` are drawn: then the variance of their mean is that of a mean of `n` seeds, and not `(n - 1) / n`
//! of it, which is a fifth too little with five (J. N. K. Rao and C. F. J. Wu, Resampling inference with complex survey
//! data, JASA 83, 1988).

use super::groups::Groups;
use super::predicted_set::{Pair, PredictedSet};
use rand::RngExt;
use rayon::prelude::*;
use serde::Serialize;
use shared::runtime::rng::{Purpose, stream};

/// Resamples; Efron and Tibshirani ask for 1,000 or more for percentiles.
pub(super) const RESAMPLES: u64 = 2000;
/// The share of resamples inside an interval.
const LEVEL: f64 = 0.95;
/// All draws come from this seed, so the same runs always have the same intervals.
const SEED: u64 = 0;
/// Below this a difference of two metrics is rounding.
const TIE: f64 = 1e-12;

/// A lower and an upper end.
pub(super) type Interval = [f64; 2];

/// A stream's `track` number: streams for drawing tracks, and networks of the first and of the second side.
const TRACKS: u64 = 0;
const FIRST: u64 = 1;
const SECOND: u64 = 2;

/// The metrics of each resample, `[resamples]`: means over the networks drawn.
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

/// How often each network comes.
fn draw_networks(networks: usize, side: u64, number: u64) -> Vec<u32> {
    if networks == 1 {
        return vec![1];
    }
    let mut random = stream(SEED, number, side, Purpose::Resample);
    let mut counts = vec![0; networks];
    (0..networks - 1).for_each(|_| counts[random.random_range(0..networks)] += 1);
    counts
}

/// The intervals of both metrics, means over the networks; `None` where there are fewer than two groups, whose resamples would
/// all be the same, or a metric is undefined in some resamples.
pub(super) fn intervals(set: &PredictedSet, groups: &Groups, resamples: u64) -> [Option<Interval>; 2] {
    let resamples = if groups.len() < 2 { 0 } else { resamples };
    let metrics = resampled(FIRST, set, groups, resamples);
    [0, 1].map(|at| interval(metrics.iter().map(|pair| pair[at]).collect()))
}

/// How much better the second side is than the first on the same tracks, by one metric.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Difference {
    /// The second side's metric less the first's; of several networks, of their means.
    pub difference: f64,
    /// `None` where [`intervals`] has none.
    pub interval: Option<Interval>,
    /// Twice the share of resamples in which the difference has the rarer sign or is 0, at most 1: the level at which the
    /// interval would touch 0 (Efron and Tibshirani, section 15.4). Counted with the difference itself, so never 0. `None`
    /// without an interval.
    pub p: Option<f64>,
}

/// Of both metrics the difference, both sides being resampled with the same tracks, and each with its own networks. `None`
/// where a metric is undefined.
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

/// `numpy.quantile` of sorted values, with its linear interpolation.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let place = q * (sorted.len() - 1) as f64;
    let (low, share) = (place.floor() as usize, place.fract());
    let high = (low + 1).min(sorted.len() - 1);
    sorted[low] + share * (sorted[high] - sorted[low])
}

#[cfg(test)]
mod tests;
