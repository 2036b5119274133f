//! Logits and true classes enter batch by batch; loss and confusion matrix leave.

use super::{ClassificationMetrics, ConfusionMatrix};
use crate::loader::LabelsView;

/// Loss and confusion of the samples seen so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Tally {
    /// Sum of the samples' cross-entropies, in nats.
    pub loss_sum: f64,
    /// True against predicted classes.
    pub confusion: ConfusionMatrix,
}

impl Tally {
    /// Nothing seen.
    pub fn new(classes: usize) -> Self {
        Self {
            loss_sum: 0.0,
            confusion: ConfusionMatrix::new(classes),
        }
    }

    /// Adds a batch: `logits` is `[batch, classes]` row by row.
    ///
    /// The predicted class is the first of the highest logits, as NumPy's `argmax` has it.
    pub fn add(&mut self, logits: &[f32], labels: LabelsView<'_>) {
        let LabelsView::Classes(truths) = labels else {
            unreachable!("no data set has tags yet");
        };
        let classes = self.confusion.classes();
        for (row, &truth) in logits.chunks_exact(classes).zip(truths) {
            let mut best = 0;
            for (class, logit) in row.iter().enumerate() {
                if *logit > row[best] {
                    best = class;
                }
            }
            let highest = f64::from(row[best]);
            let sum: f64 = row.iter().map(|&logit| (f64::from(logit) - highest).exp()).sum();
            self.loss_sum += highest + sum.ln() - f64::from(row[truth]);
            self.confusion.add(truth, best);
        }
    }

    /// Mean loss; 0 where nothing was seen.
    pub fn loss(&self) -> f64 {
        match self.confusion.total() {
            0 => 0.0,
            total => self.loss_sum / total as f64,
        }
    }

    /// All figures.
    pub fn metrics(&self, names: &[String]) -> ClassificationMetrics {
        ClassificationMetrics::new(&self.confusion, names, self.loss())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_is_cross_entropy_and_ties_go_to_the_first() {
        let mut tally = Tally::new(2);
        tally.add(&[0.0, 0.0, 1000.0, 0.0], LabelsView::Classes(&[1, 0]));
        // ln 2 for the even logits, nothing for the certain ones.
        assert!((tally.loss() - std::f64::consts::LN_2 / 2.0).abs() < 1e-12);
        assert_eq!(tally.confusion.rows(), [[1, 0], [1, 0]]);
    }

    #[test]
    fn logits_that_are_not_finite_show_in_the_loss() {
        let mut tally = Tally::new(2);
        tally.add(&[f32::NAN, 0.0], LabelsView::Classes(&[0]));
        assert!(!tally.loss().is_finite());
    }
}
