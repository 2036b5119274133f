//! A tag's ROC and precision-recall curves, sampled at evenly spaced points.

use crate::metrics::{PrecisionRecallCurve, Ranking, RocCurve};

/// Curves are sampled at this many points plus one, so the size of a file does not depend on the size of the set.
const PLACES: usize = 120;

/// One tag's curves, sampled at [`places`].
pub(super) struct TagCurves<'a> {
    pub name: &'a str,
    pub support: u64,
    pub roc_auc: f64,
    pub average_precision: f64,
    /// True positive rate at each false positive rate.
    pub roc: Vec<f64>,
    /// Precision at each recall.
    pub precision: Vec<f64>,
}

impl<'a> TagCurves<'a> {
    /// `None` if all tracks have the tag, or no track has it.
    pub fn new(ranking: &Ranking, name: &'a str) -> Option<Self> {
        let (roc, precision) = (ranking.roc_curve()?, ranking.precision_recall_curve()?);
        Some(Self {
            name,
            support: ranking.positives(),
            roc_auc: ranking.roc_auc()?,
            average_precision: ranking.average_precision()?,
            roc: places().map(|rate| true_positive_rate(&roc, rate)).collect(),
            precision: places().map(|recall| precision_at(&precision, recall)).collect(),
        })
    }
}

/// Evenly spaced from 0 to 1.
pub(super) fn places() -> impl Iterator<Item = f64> {
    (0..=PLACES).map(|at| at as f64 / PLACES as f64)
}

/// The true positive rate, linearly interpolated. On a vertical segment it is the upper end.
fn true_positive_rate(curve: &RocCurve, false_positive_rate: f64) -> f64 {
    let (x, y) = (&curve.false_positive_rate, &curve.true_positive_rate);
    // The first point is at 0, so there is one before.
    let after = x.partition_point(|&x| x <= false_positive_rate);
    let before = after.saturating_sub(1);
    match x.get(after) {
        None => y[before],
        Some(next) => y[before] + (y[after] - y[before]) * (false_positive_rate - x[before]) / (next - x[before]),
    }
}

/// The precision at the highest threshold that reaches this recall. The area under this step function is the average
/// precision.
fn precision_at(curve: &PrecisionRecallCurve, recall: f64) -> f64 {
    // Just above 0, because the curve's end at recall 0 does not belong to a threshold.
    let recall = recall.max(f64::MIN_POSITIVE);
    let reached = curve.recall.partition_point(|&reached| reached >= recall);
    curve.precision[reached.saturating_sub(1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_under_sampled_curves_match_the_metrics() {
        let mut state = 1u32;
        let mut uniform = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32
        };
        for lead in [0.0, 0.3, 0.6] {
            let truths: Vec<bool> = (0..600).map(|_| uniform() < 0.2).collect();
            let scores: Vec<f32> = truths
                .iter()
                .map(|&truth| 0.5 * uniform() + if truth { lead } else { 0.0 })
                .collect();
            let ranking = crate::metrics::rankings(&scores, &truths, 1).unwrap().remove(0);
            let tag = TagCurves::new(&ranking, "tag").unwrap();
            let area =
                |line: &[f64]| line.windows(2).map(|ends| (ends[0] + ends[1]) / 2.0).sum::<f64>() / PLACES as f64;
            assert!((area(&tag.roc) - tag.roc_auc).abs() < 1e-2);
            assert!((area(&tag.precision) - tag.average_precision).abs() < 1e-2);
        }
    }
}
