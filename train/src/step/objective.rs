//! The training loss: cross-entropy (single-label), binary cross-entropy (multi-label), and L2 penalties on weights.

use crate::data::run_data::RunData;
use crate::loader::Balance;
use crate::loader::LabelsView;
use crate::models::Penalty;
use crate::models::{Model, is_weight, visit_named};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::activation::log_sigmoid;
use burn::tensor::{Device, Int, Tensor, TensorData};
use shared::dataset::Task;

#[derive(Clone, Debug)]
pub struct Objective {
    /// The weight of each class or of each tag's positive examples; `None` if all have the same weight.
    weights: Option<Vec<f32>>,
    penalties: Vec<Penalty>,
}

impl Objective {
    /// The training loss; class weights are computed from the training set of `data`.
    pub fn new(balance: Balance, penalties: &[Penalty], data: &RunData) -> Self {
        let weights = match balance {
            Balance::ClassWeights => Some(weights(data)),
            Balance::None | Balance::Oversample | Balance::Undersample => None,
        };
        Self {
            weights,
            penalties: penalties.to_vec(),
        }
    }

    /// The same loss without penalties.
    pub fn without_penalties(&self) -> Self {
        Self {
            weights: self.weights.clone(),
            penalties: Vec::new(),
        }
    }

    #[cfg(test)]
    pub fn weighted(weights: &[f32], penalties: Vec<Penalty>) -> Self {
        Self {
            weights: Some(weights.to_vec()),
            penalties,
        }
    }

    /// Without class weights and penalties.
    pub fn plain() -> Self {
        Self {
            weights: None,
            penalties: Vec::new(),
        }
    }

    /// The mean loss of `logits` `[batch, outputs]`. With class weights it is PyTorch's `CrossEntropyLoss(weight=…)`,
    /// which divides by the sum of the samples' weights; with tag weights, `BCEWithLogitsLoss(pos_weight=…)`.
    pub fn loss(&self, logits: Tensor<2>, labels: LabelsView<'_>, device: &Device) -> Tensor<1> {
        match labels {
            LabelsView::Classes(classes) => {
                let targets: Vec<i32> = classes.iter().map(|&class| class as i32).collect();
                let targets = Tensor::<1, Int>::from_data(TensorData::new(targets, [classes.len()]), device);
                CrossEntropyLossConfig::new()
                    .with_weights(self.weights.clone())
                    .init(device)
                    .forward(logits, targets)
            }
            LabelsView::Tags(tags) => {
                let targets = Tensor::<2>::from_data(TensorData::new(tags.to_vec(), logits.dims()), device);
                let absent = targets.clone().neg().add_scalar(1.0);
                let positive = targets * log_sigmoid(logits.clone());
                let positive = match &self.weights {
                    Some(weights) => {
                        let weights = TensorData::new(weights.clone(), [1, weights.len()]);
                        positive * Tensor::<2>::from_data(weights, device)
                    }
                    None => positive,
                };
                (positive + absent * log_sigmoid(logits.neg())).mean().neg()
            }
        }
    }

    /// The denominator of [`Self::loss`]: the number of samples, or the sum of their class weights.
    pub fn mass(&self, labels: LabelsView<'_>) -> f64 {
        match (labels, &self.weights) {
            (LabelsView::Classes(classes), Some(weights)) => {
                classes.iter().map(|&class| f64::from(weights[class])).sum()
            }
            (LabelsView::Classes(classes), None) => classes.len() as f64,
            (LabelsView::Tags(tags), _) => tags.len() as f64,
        }
    }

    /// `loss` plus the penalties on the weights of `model`.
    pub fn with_penalty(&self, loss: Tensor<1>, model: &Model) -> Tensor<1> {
        let mut total = loss;
        if self.penalties.is_empty() {
            return total;
        }
        visit_named(model, |name, weight| {
            if !is_weight(name) {
                return;
            }
            for penalty in self.penalties.iter().filter(|penalty| penalty.pattern.matches(name)) {
                let squares = weight.clone().powi_scalar(2).sum();
                total = total.clone() + squares.mul_scalar(penalty.lambda);
            }
        });
        total
    }
}

/// See [`Balance::ClassWeights`]. The weight of a class without tracks is never used.
fn weights(data: &RunData) -> Vec<f32> {
    let excerpts = &data.training;
    let outputs = data.dataset.classes().len();
    let mut counts = vec![0usize; outputs];
    for excerpt in excerpts {
        for class in data.dataset.tags(excerpt.position) {
            counts[class] += 1;
        }
    }
    let total = excerpts.len();
    let weight = |count: usize| match (count, data.dataset.task()) {
        (0, _) => 1.0,
        (count, Task::SingleLabel) => total as f32 / (outputs * count) as f32,
        (count, Task::MultiLabel) => (total - count) as f32 / count as f32,
    };
    counts.into_iter().map(weight).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Tally;
    use crate::models::{ModelKind, testing};

    fn value(tensor: Tensor<1>) -> f64 {
        f64::from(tensor.into_scalar::<f32>())
    }

    const LOGITS: [f32; 6] = [0.3, -1.2, 2.0, 0.7, -0.4, 0.1];

    fn logits() -> Tensor<2> {
        Tensor::from_data(TensorData::new(LOGITS.to_vec(), [2, 3]), &Device::flex())
    }

    #[test]
    fn training_loss_equals_the_reported_loss() {
        let tags = [1.0, 0.0, 0.0, 0.0, 1.0, 1.0];
        for (task, labels) in [
            (Task::SingleLabel, LabelsView::Classes(&[2, 1])),
            (Task::MultiLabel, LabelsView::Tags(&tags)),
        ] {
            let mut tally = Tally::new(task, 3);
            tally.add(&LOGITS, labels);
            let loss = value(Objective::plain().loss(logits(), labels, &Device::flex()));
            assert!((loss - tally.loss()).abs() < 1e-6, "{loss} {}", tally.loss());
        }
    }

    #[test]
    fn class_and_tag_weights_match_pytorch() {
        let device = Device::flex();
        let loss = |objective: &Objective, labels| value(objective.loss(logits(), labels, &device));
        // The weighted mean of the two samples' losses.
        let one = |at: usize, class| {
            let row = Tensor::from_data(TensorData::new(LOGITS[at * 3..][..3].to_vec(), [1, 3]), &device);
            value(Objective::plain().loss(row, LabelsView::Classes(&[class]), &device))
        };
        let weighted = Objective::weighted(&[5.0, 3.0, 0.5], Vec::new());
        let labels = LabelsView::Classes(&[2, 1]);
        let expected = (0.5 * one(0, 2) + 3.0 * one(1, 1)) / 3.5;
        assert!((loss(&weighted, labels) - expected).abs() < 1e-6);
        assert!((weighted.mass(labels) - 3.5).abs() < 1e-12);
        // torch.nn.BCEWithLogitsLoss(pos_weight=...) multiplies the loss of each positive tag by its weight.
        let tags = LabelsView::Tags(&[1.0, 0.0, 0.0, 0.0, 1.0, 1.0]);
        let softplus = |x: f64| x.exp().ln_1p();
        let [a, b, c, d, e, f] = LOGITS.map(f64::from);
        let expected =
            5.0 * softplus(-a) + softplus(b) + softplus(c) + softplus(d) + 3.0 * softplus(-e) + 0.5 * softplus(-f);
        assert!((loss(&weighted, tags) - expected / 6.0).abs() < 1e-6);
    }

    #[test]
    fn penalties_apply_to_matching_weights_but_not_to_biases() {
        let device = Device::flex().autodiff();
        let model = testing::model(ModelKind::MfccDense, 8, &device);
        let mut squares = 0.0;
        visit_named(&model, |name, weight| {
            if name == "linear0.weight" {
                squares = value(weight.powi_scalar(2).sum());
            }
        });
        assert!(squares > 0.0);
        let objective = Objective {
            weights: None,
            penalties: vec![Penalty::new("linear0", 0.25), Penalty::new("bias", 100.0)],
        };
        let zero = || Tensor::<1>::zeros([1], &device);
        let penalty = value(objective.with_penalty(zero(), &model));
        assert!((penalty - 0.25 * squares).abs() < 1e-4 * squares, "{penalty} {squares}");
        assert_eq!(value(objective.without_penalties().with_penalty(zero(), &model)), 0.0);
    }
}
