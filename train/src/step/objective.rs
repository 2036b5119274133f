//! The training loss: cross-entropy (single-label), binary cross-entropy or focal loss (multi-label), label smoothing,
//! mixed targets, and L2 penalties on weights.

use crate::data::run_data::RunData;
use crate::loader::{Balance, LabelsView, Targets};
use crate::models::{Model, Penalty, is_weight, visit_named};
use crate::settings::RunConfig;
use burn::tensor::activation::{log_sigmoid, log_softmax};
use burn::tensor::{Device, Tensor, TensorData};
use shared::dataset::Task;

#[derive(Clone, Debug)]
pub struct Objective {
    /// The weight of each class or of each tag's positive examples; `None` if all have the same weight.
    weights: Option<Vec<f32>>,
    /// The fraction of each target that is distributed evenly over the classes, or over present and absent.
    label_smoothing: f32,
    /// The exponent of the focal loss of tags; 0 is binary cross-entropy.
    focal_gamma: f32,
    penalties: Vec<Penalty>,
}

impl Objective {
    /// The training loss; class weights are computed from the training set of `data`.
    pub fn new(config: &RunConfig, data: &RunData) -> Self {
        let weights = match config.balance {
            Balance::ClassWeights => Some(weights(data)),
            Balance::None | Balance::Oversample | Balance::Undersample => None,
        };
        Self {
            weights,
            label_smoothing: config.label_smoothing,
            focal_gamma: config.focal_gamma,
            penalties: config.l2.clone(),
        }
    }

    /// The same loss without penalties.
    pub fn without_penalties(&self) -> Self {
        Self {
            penalties: Vec::new(),
            ..self.clone()
        }
    }

    #[cfg(test)]
    pub fn weighted(weights: &[f32], penalties: Vec<Penalty>) -> Self {
        Self {
            weights: Some(weights.to_vec()),
            penalties,
            ..Self::plain()
        }
    }

    /// Cross-entropy or binary cross-entropy alone.
    pub fn plain() -> Self {
        Self {
            weights: None,
            label_smoothing: 0.0,
            focal_gamma: 0.0,
            penalties: Vec::new(),
        }
    }

    /// The mean loss of `logits` `[batch, outputs]`.
    ///
    /// Classes: PyTorch's `CrossEntropyLoss(weight=…, label_smoothing=…)`, which divides by the sum of the samples'
    /// class weights. Tags: PyTorch's `BCEWithLogitsLoss(pos_weight=…)`, or torchvision's
    /// `sigmoid_focal_loss(alpha=-1, gamma=…)`. With mixup, a sample's loss and its class weight are `lambda` times those
    /// of its own label plus `1 - lambda` times those of the other clip's.
    pub fn loss<'a>(&self, logits: Tensor<2>, targets: impl Into<Targets<'a>>, device: &Device) -> Tensor<1> {
        let targets = targets.into();
        let shape = logits.dims();
        let values = match targets.labels {
            LabelsView::Classes(classes) => self.class_targets(classes, targets, shape[1]),
            LabelsView::Tags(tags) => self.tag_targets(tags, targets, shape[1]),
        };
        let values = Tensor::<2>::from_data(TensorData::new(values, shape), device);
        let log_likelihoods = match targets.labels {
            LabelsView::Classes(_) => log_softmax(logits, 1) * values,
            LabelsView::Tags(_) => self.tag_log_likelihoods(logits, values, device),
        };
        log_likelihoods.sum().div_scalar(-self.mass(targets))
    }

    /// The weighted log-likelihoods of present and of absent tags. The focal loss multiplies them with powers of the
    /// probabilities of the opposite.
    fn tag_log_likelihoods(&self, logits: Tensor<2>, targets: Tensor<2>, device: &Device) -> Tensor<2> {
        let (present, absent) = (log_sigmoid(logits.clone()), log_sigmoid(logits.neg()));
        let focal = |likelihood: Tensor<2>, opposite: Tensor<2>| {
            if self.focal_gamma > 0.0 {
                likelihood * opposite.mul_scalar(self.focal_gamma).exp()
            } else {
                likelihood
            }
        };
        let positive = targets.clone() * focal(present.clone(), absent.clone());
        let positive = match &self.weights {
            Some(weights) => {
                let weights = TensorData::new(weights.clone(), [1, weights.len()]);
                positive * Tensor::<2>::from_data(weights, device)
            }
            None => positive,
        };
        positive + targets.neg().add_scalar(1.0) * focal(absent, present)
    }

    /// The probability of each class, times its weight: `[batch, classes]`.
    fn class_targets(&self, classes: &[usize], targets: Targets<'_>, outputs: usize) -> Vec<f32> {
        let mut values = vec![0.0; classes.len() * outputs];
        for (at, row) in values.chunks_exact_mut(outputs).enumerate() {
            let (lambda, partner) = targets.mixture(at);
            row[classes[at]] += lambda;
            row[classes[partner]] += 1.0 - lambda;
            for (class, value) in row.iter_mut().enumerate() {
                *value = self.smoothed(*value, outputs) * self.weight(class);
            }
        }
        values
    }

    /// The probability of each tag: `[batch, tags]`.
    fn tag_targets(&self, tags: &[f32], targets: Targets<'_>, outputs: usize) -> Vec<f32> {
        let mixed = tags.iter().enumerate().map(|(at, tag)| {
            let (lambda, partner) = targets.mixture(at / outputs);
            let other = tags[partner * outputs + at % outputs];
            self.smoothed(lambda * tag + (1.0 - lambda) * other, 2)
        });
        mixed.collect()
    }

    /// Label smoothing of a target with `outcomes` possible outcomes.
    fn smoothed(&self, target: f32, outcomes: usize) -> f32 {
        target * (1.0 - self.label_smoothing) + self.label_smoothing / outcomes as f32
    }

    fn weight(&self, class: usize) -> f32 {
        self.weights.as_ref().map_or(1.0, |weights| weights[class])
    }

    /// The denominator of [`Self::loss`]: the number of samples, or the sum of their class weights; for tags, the number
    /// of labels.
    pub fn mass<'a>(&self, targets: impl Into<Targets<'a>>) -> f64 {
        let targets = targets.into();
        match (targets.labels, &self.weights) {
            (LabelsView::Classes(classes), Some(weights)) => {
                let weight = |(at, &class): (usize, &usize)| {
                    let (lambda, partner) = targets.mixture(at);
                    let lambda = f64::from(lambda);
                    lambda * f64::from(weights[class]) + (1.0 - lambda) * f64::from(weights[classes[partner]])
                };
                classes.iter().enumerate().map(weight).sum()
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

    const CLASSES: LabelsView<'_> = LabelsView::Classes(&[2, 1]);
    const TAGS: LabelsView<'_> = LabelsView::Tags(&[1.0, 0.0, 0.0, 0.0, 1.0, 1.0]);

    /// The loss with the class or tag weights 5, 3, 0.5 or none.
    fn loss(weighted: bool, label_smoothing: f32, focal_gamma: f32, targets: Targets<'_>) -> f64 {
        let objective = Objective {
            weights: weighted.then(|| vec![5.0, 3.0, 0.5]),
            label_smoothing,
            focal_gamma,
            penalties: Vec::new(),
        };
        value(objective.loss(logits(), targets, &Device::flex()))
    }

    /// `x` are the logits, `y` the classes, `t` the tags, `w` the weights, `l = [0.9, 0.6]` the lambdas. The numbers were
    /// computed with PyTorch 2.15 in f64.
    #[test]
    fn smoothing_mixup_and_focal_loss_match_pytorch() {
        let plain = |labels| Targets { labels, lambdas: &[] };
        let mixed = |labels| Targets {
            labels,
            lambdas: &[0.9, 0.6],
        };
        for (ours, expected) in [
            // F.cross_entropy(x, y, label_smoothing=.1)
            (loss(false, 0.1, 0.0, plain(CLASSES)), 1.021_918_842_6),
            // F.cross_entropy(x, y, weight=w, label_smoothing=.1)
            (loss(true, 0.1, 0.0, plain(CLASSES)), 1.636_339_655_1),
            // F.cross_entropy(x, l * F.one_hot(y) + (1 - l) * F.one_hot(y.roll(-1)))
            (loss(false, 0.0, 0.0, mixed(CLASSES)), 1.026_918_842_6),
            // The same with label_smoothing=.1.
            (loss(false, 0.1, 0.0, mixed(CLASSES)), 1.075_918_842_6),
            // e = lambda y: F.cross_entropy(x, y, weight=w, reduction="none"); p = y.roll(-1)
            // (l * e(y) + (1 - l) * e(p)).sum() / (l * w[y] + (1 - l) * w[p]).sum()
            (loss(true, 0.0, 0.0, mixed(CLASSES)), 1.627_485_932_4),
            // The same with label_smoothing=.1.
            (loss(true, 0.1, 0.0, mixed(CLASSES)), 1.813_678_191_6),
            // F.binary_cross_entropy_with_logits(x, t * .9 + .05)
            (loss(false, 0.1, 0.0, plain(TAGS)), 0.921_693_947_4),
            // The same with pos_weight=w.
            (loss(true, 0.1, 0.0, plain(TAGS)), 1.548_191_072_6),
            // F.binary_cross_entropy_with_logits(x, m), m = l * t + (1 - l) * t.roll(-1, 0)
            (loss(false, 0.0, 0.0, mixed(TAGS)), 0.859_193_947_4),
            // F.binary_cross_entropy_with_logits(x, m * .9 + .05, pos_weight=w)
            (loss(true, 0.1, 0.0, mixed(TAGS)), 1.496_910_993_1),
            // torchvision's sigmoid_focal_loss(x, t, alpha=-1, gamma=2, reduction="mean")
            (loss(false, 0.0, 2.0, plain(TAGS)), 0.454_962_865_1),
            (loss(false, 0.0, 0.5, plain(TAGS)), 0.756_131_678_1),
            // f = lambda t: sigmoid_focal_loss(x, t, alpha=-1, gamma=2)
            // (l * f(t) + (1 - l) * f(t.roll(-1, 0))).mean()
            (loss(false, 0.0, 2.0, mixed(TAGS)), 0.402_484_441_9),
        ] {
            assert!((ours - expected).abs() < 2e-6, "{ours} {expected}");
        }
        let weighted = Objective::weighted(&[5.0, 3.0, 0.5], Vec::new());
        // (l * w[y] + (1 - l) * w[p]).sum()
        assert!((weighted.mass(mixed(CLASSES)) - 2.75).abs() < 1e-6);
        assert_eq!(weighted.mass(mixed(TAGS)), 6.0);
    }

    #[test]
    fn gradients_match_pytorch() {
        let device = Device::flex().autodiff();
        let gradient = |objective: Objective, labels| {
            let logits = Tensor::<2>::from_data(TensorData::new(LOGITS.to_vec(), [2, 3]), &device).require_grad();
            let gradients = objective.loss(logits.clone(), labels, &device).backward();
            let gradient = logits.grad(&gradients).unwrap();
            gradient.into_data().try_to_vec::<f32>().unwrap()
        };
        let focal = Objective {
            focal_gamma: 2.0,
            ..Objective::plain()
        };
        let smoothed = Objective {
            label_smoothing: 0.1,
            ..Objective::weighted(&[5.0, 3.0, 0.5], Vec::new())
        };
        // The gradients of two of the losses above.
        for (ours, expected) in [
            (
                gradient(focal, TAGS),
                [
                    -0.032_068_07,
                    0.005_680_93,
                    0.179_452_29,
                    0.104_198_98,
                    -0.079_540_68,
                    -0.043_309_15,
                ],
            ),
            (
                gradient(smoothed, CLASSES),
                [
                    -0.016_333_19,
                    -0.021_590_61,
                    0.037_923_8,
                    0.405_369_6,
                    -0.649_213_2,
                    0.243_843_55,
                ],
            ),
        ] {
            assert!(
                ours.iter()
                    .zip(expected)
                    .all(|(ours, expected)| (ours - expected).abs() < 1e-6),
                "{ours:?}"
            );
        }
    }

    #[test]
    fn extreme_logits_have_a_finite_loss() {
        let device = Device::flex();
        for focal_gamma in [0.0, 2.0] {
            let objective = Objective {
                label_smoothing: 0.1,
                focal_gamma,
                ..Objective::plain()
            };
            for labels in [LabelsView::Classes(&[0]), LabelsView::Tags(&[1.0, 0.0])] {
                let logits = Tensor::<2>::from_data([[-1e6, 1e6]], &device);
                let loss = value(objective.loss(logits, labels, &device));
                assert!(loss.is_finite() && loss > 0.0, "{labels:?}: {loss}");
            }
        }
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
            penalties: vec![Penalty::new("linear0", 0.25), Penalty::new("bias", 100.0)],
            ..Objective::plain()
        };
        let zero = || Tensor::<1>::zeros([1], &device);
        let penalty = value(objective.with_penalty(zero(), &model));
        assert!((penalty - 0.25 * squares).abs() < 1e-4 * squares, "{penalty} {squares}");
        assert_eq!(value(objective.without_penalties().with_penalty(zero(), &model)), 0.0);
    }
}
