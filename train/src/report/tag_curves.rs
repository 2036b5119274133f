//! A tag's ROC and precision-recall curves at even places.

use crate::metrics::{PrecisionRecallCurve, Ranking, RocCurve};

/// Curves are drawn from as many places and one more, so a file does not grow with the set.
const PLACES: usize = 120;

/// One tag's curves at [`PLACES`] + 1 even places.
pub(super) struct TagCurves<'a> {
    pub name: &'a str,
    pub support: u64,
    pub roc_auc: f64,
    pub average_precision: f64,
    /// True positive rate over false positive rate.
    pub roc: Vec<f64>,
    pub precision: Vec<f64>,
}

impl<'a> TagCurves<'a> {
    /// None where some tracks have the tag and none has it not, or the other way round.
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

/// From 0 to 1.
pub(super) fn places() -> impl Iterator<Item = f64> {
    (0..=PLACES).map(|at| at as f64 / PLACES as f64)
}

/// The curve's height, between its points on a line; the upper end of an upright part.
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

/// The precision that reaching this recall costs: a staircase, whose area is the average precision.
fn precision_at(curve: &PrecisionRecallCurve, recall: f64) -> f64 {
    // Just above 0, for the curve's end at recall 0 belongs to no threshold.
    let recall = recall.max(f64::MIN_POSITIVE);
    let reached = curve.recall.partition_point(|&reached| reached >= recall);
    curve.precision[reached.saturating_sub(1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_curves_enclose_the_areas_that_are_written_beside_them() {
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
