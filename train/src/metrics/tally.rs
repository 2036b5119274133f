//! Accumulates logits and labels batch by batch, and computes loss and metrics from them.

use super::classification::ClassificationMetrics;
use super::confusion::ConfusionMatrix;
use super::multilabel::MultiLabelMetrics;
use super::ranking::{Ranking, RankingError, rankings};
use super::set_metrics::SetMetrics;
use crate::loader::{LabelsView, Targets};
use serde::{Deserialize, Serialize};
use shared::dataset::Task;

/// Accumulated samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tally {
    Classes(ClassTally),
    Tags(TagTally),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassTally {
    /// Sum of the samples' cross-entropies, in nats.
    loss_sum: f64,
    pub confusion: ConfusionMatrix,
}

/// Keeps all scores, because areas under curves are not sums over batches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TagTally {
    /// Sum over samples and tags of the binary cross-entropies, in nats.
    loss_sum: f64,
    tags: usize,
    /// Probabilities, `[samples, tags]`.
    scores: Vec<f32>,
    truths: Vec<bool>,
}

impl Tally {
    pub fn new(task: Task, outputs: usize) -> Self {
        match task {
            Task::SingleLabel => Self::Classes(ClassTally {
                loss_sum: 0.0,
                confusion: ConfusionMatrix::new(outputs),
            }),
            Task::MultiLabel => Self::Tags(TagTally {
                loss_sum: 0.0,
                tags: outputs,
                scores: Vec::new(),
                truths: Vec::new(),
            }),
        }
    }

    /// Adds a batch. `logits` is `[batch, outputs]` row by row. With mixup, the loss is that of the mixtures, and
    /// everything else compares with each clip's own labels.
    ///
    /// # Panics
    /// Panics if the labels' task is not the tally's.
    pub fn add<'a>(&mut self, logits: &[f32], targets: impl Into<Targets<'a>>) {
        let targets = targets.into();
        match (self, targets.labels) {
            (Self::Classes(tally), LabelsView::Classes(classes)) => tally.add(logits, classes, targets),
            (Self::Tags(tally), LabelsView::Tags(tags)) => tally.add(logits, tags, targets),
            (Self::Classes(_), LabelsView::Tags(_)) | (Self::Tags(_), LabelsView::Classes(_)) => {
                unreachable!("labels and tally come from the same data set")
            }
        }
    }

    pub fn samples(&self) -> u64 {
        match self {
            Self::Classes(tally) => tally.confusion.total(),
            Self::Tags(tally) => (tally.scores.len() / tally.tags.max(1)) as u64,
        }
    }

    /// Mean loss per sample, or per sample and tag if multi-label; 0 without samples.
    pub fn loss(&self) -> f64 {
        let (sum, count) = match self {
            Self::Classes(tally) => (tally.loss_sum, tally.confusion.total()),
            Self::Tags(tally) => (tally.loss_sum, tally.scores.len() as u64),
        };
        if count == 0 { 0.0 } else { sum / count as f64 }
    }

    /// Computes the metrics. `thresholds` has one value per tag; without it all are 0.5.
    ///
    /// # Errors
    /// If a tag's score is NaN or infinite.
    pub fn metrics(&self, names: &[String], thresholds: Option<&[f64]>) -> Result<SetMetrics, RankingError> {
        match self {
            Self::Classes(tally) => Ok(SetMetrics::Classes(ClassificationMetrics::new(
                &tally.confusion,
                names,
                self.loss(),
            ))),
            Self::Tags(tally) => MultiLabelMetrics::new(&tally.scores, &tally.truths, names, self.loss(), thresholds)
                .map(SetMetrics::Tags),
        }
    }
}

impl ClassTally {
    /// The predicted class is the first of the highest logits.
    fn add(&mut self, logits: &[f32], truths: &[usize], targets: Targets<'_>) {
        let classes = self.confusion.classes();
        for (at, (row, &truth)) in logits.chunks_exact(classes).zip(truths).enumerate() {
            let best = first_highest(row);
            let highest = f64::from(row[best]);
            let sum: f64 = row.iter().map(|&logit| (f64::from(logit) - highest).exp()).sum();
            let loss = |truth: usize| highest + sum.ln() - f64::from(row[truth]);
            let (lambda, partner) = targets.mixture(at);
            self.loss_sum += mixed(lambda, loss(truth), loss(truths[partner]));
            self.confusion.add(truth, best);
        }
    }
}

fn mixed(lambda: f32, own: f64, partner: f64) -> f64 {
    let lambda = f64::from(lambda);
    lambda * own + (1.0 - lambda) * partner
}

/// Index of the highest score, the first of several: NumPy's `argmax`. 0 if `scores` is empty.
pub fn first_highest(scores: &[f32]) -> usize {
    let better = |best: usize, at: usize| if scores[at] > scores[best] { at } else { best };
    (0..scores.len()).reduce(better).unwrap_or(0)
}

impl TagTally {
    fn add(&mut self, logits: &[f32], tags: &[f32], targets: Targets<'_>) {
        for (at, (&logit, &tag)) in logits.iter().zip(tags).enumerate() {
            let logit = f64::from(logit);
            // ln(1 + e^x) without overflow. It is the loss of an absent tag; with -x, that of a present one.
            let softplus = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
            let loss = |tag: f32| if tag > 0.5 { softplus(-logit) } else { softplus(logit) };
            let (lambda, partner) = targets.mixture(at / self.tags);
            self.loss_sum += mixed(lambda, loss(tag), loss(tags[partner * self.tags + at % self.tags]));
            self.scores.push((1.0 / (1.0 + (-logit).exp())) as f32);
            self.truths.push(tag > 0.5);
        }
    }

    /// Each tag's ranking.
    ///
    /// # Errors
    /// If a score is NaN or infinite.
    pub fn rankings(&self) -> Result<Vec<Ranking>, RankingError> {
        rankings(&self.scores, &self.truths, self.tags)
    }

    /// The threshold with the best F1, for each tag.
    ///
    /// # Errors
    /// If a score is NaN or infinite.
    pub fn best_thresholds(&self) -> Result<Vec<f64>, RankingError> {
        Ok(self.rankings()?.iter().map(Ranking::best_f1_threshold).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_is_cross_entropy_and_ties_go_to_the_first() {
        let mut tally = Tally::new(Task::SingleLabel, 2);
        tally.add(&[0.0, 0.0, 1000.0, 0.0], LabelsView::Classes(&[1, 0]));
        // ln 2 for equal logits, 0 for the certain ones.
        assert!((tally.loss() - std::f64::consts::LN_2 / 2.0).abs() < 1e-12);
        let Tally::Classes(classes) = &tally else {
            unreachable!()
        };
        assert_eq!(classes.confusion.rows(), [[1, 0], [1, 0]]);
    }

    #[test]
    fn multi_label_loss_is_binary_cross_entropy() {
        let mut tally = Tally::new(Task::MultiLabel, 2);
        tally.add(&[0.0, -2000.0, 3.0, 2000.0], LabelsView::Tags(&[1.0, 0.0, 0.0, 1.0]));
        // ln 2, 0, ln(1 + e^3), 0.
        let expected = (std::f64::consts::LN_2 + 3.0f64.exp().ln_1p()) / 4.0;
        assert!((tally.loss() - expected).abs() < 1e-12, "{}", tally.loss());
        assert_eq!(tally.samples(), 2);
        let names = ["a", "b"].map(String::from);
        let SetMetrics::Tags(metrics) = tally.metrics(&names, None).unwrap() else {
            unreachable!()
        };
        assert_eq!((metrics.accuracy, metrics.per_tag[0].auc_roc), (0.75, Some(0.0)));
        let Tally::Tags(tags) = &tally else { unreachable!() };
        assert_eq!(tags.best_thresholds().unwrap().len(), 2);
    }

    #[test]
    fn loss_of_mixed_clips_is_that_of_their_mixed_targets() {
        let logits = [0.3, -1.2, 2.0, 0.7, -0.4, 0.1];
        let lambdas = &[0.9, 0.6];
        let mut classes = Tally::new(Task::SingleLabel, 3);
        classes.add(
            &logits,
            Targets {
                labels: LabelsView::Classes(&[2, 1]),
                lambdas,
            },
        );
        // torch.nn.functional.cross_entropy(x, torch.tensor([[0, .1, .9], [0, .6, .4]]))
        assert!((classes.loss() - 1.026_918_842_6).abs() < 1e-6, "{}", classes.loss());
        let Tally::Classes(counts) = &classes else {
            unreachable!()
        };
        // The highest logits are 2 and 0, the own labels 2 and 1.
        assert_eq!(counts.confusion.rows(), [[0, 0, 0], [1, 0, 0], [0, 0, 1]]);
        let mut tags = Tally::new(Task::MultiLabel, 3);
        tags.add(
            &logits,
            Targets {
                labels: LabelsView::Tags(&[1.0, 0.0, 0.0, 0.0, 1.0, 1.0]),
                lambdas,
            },
        );
        // binary_cross_entropy_with_logits(x, torch.tensor([[.9, .1, .1], [.4, .6, .6]]))
        assert!((tags.loss() - 0.859_193_947_4).abs() < 1e-6, "{}", tags.loss());
    }

    #[test]
    fn a_tally_round_trips_through_json_bit_for_bit() {
        for (task, labels) in [
            (Task::SingleLabel, LabelsView::Classes(&[1, 0])),
            (Task::MultiLabel, LabelsView::Tags(&[1.0, 0.0, 0.0, 1.0])),
        ] {
            let mut tally = Tally::new(task, 2);
            tally.add(&[0.1, -0.7, 1.0 / 3.0, 5.0], labels);
            let json = serde_json::to_string(&tally).unwrap();
            assert_eq!(serde_json::from_str::<Tally>(&json).unwrap(), tally);
        }
    }

    #[test]
    fn non_finite_logits_give_a_non_finite_loss() {
        let mut tally = Tally::new(Task::SingleLabel, 2);
        tally.add(&[f32::NAN, 0.0], LabelsView::Classes(&[0]));
        assert!(!tally.loss().is_finite());
        let mut tally = Tally::new(Task::MultiLabel, 1);
        tally.add(&[f32::NAN], LabelsView::Tags(&[0.0]));
        assert!(!tally.loss().is_finite());
    }
}
