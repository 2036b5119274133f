//! The metrics of a run, or of a set of runs, with their intervals.

use super::bootstrap::{self, Interval, RESAMPLES};
use super::groups::Groups;
use super::predicted_set::{Pair, PredictedSet, metric_names};
use serde::Serialize;

/// A metric of one or several networks.
#[derive(Clone, Debug, Serialize)]
pub struct MetricEstimate {
    pub name: &'static str,
    /// The mean over the networks; NaN if undefined.
    pub mean: f64,
    /// The standard deviation over the networks, with `n - 1` in the denominator.
    pub standard_deviation: Option<f64>,
    /// The 95 % interval.
    pub interval: Option<Interval>,
}

pub(super) fn estimates(predicted: &PredictedSet, groups: &Groups) -> [MetricEstimate; 2] {
    let metrics: Vec<Pair> = predicted.plain_metrics();
    let count = metrics.len() as f64;
    let intervals = bootstrap::intervals(predicted, groups, RESAMPLES);
    [0, 1].map(|at| {
        let mean = metrics.iter().map(|pair| pair[at]).sum::<f64>() / count;
        let squares: f64 = metrics.iter().map(|pair| (pair[at] - mean).powi(2)).sum();
        MetricEstimate {
            name: metric_names(predicted.task)[at],
            mean,
            standard_deviation: (metrics.len() > 1).then(|| (squares / (count - 1.0)).sqrt()),
            interval: intervals[at],
        }
    })
}
