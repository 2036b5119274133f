//! What training makes small: cross-entropy of classes or of tags, and L2 penalties on weights.

use crate::config::{Balance, Penalty, RunConfig};
use crate::loader::LabelsView;
use crate::models::{Model, visit_named};
use crate::run_data::{RunData, RunDataError};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::activation::log_sigmoid;
use burn::tensor::{Device, Int, Tensor, TensorData};
use shared::dataset::Task;
use shared::split::Set;

/// A run's loss.
#[derive(Clone, Debug)]
pub struct Objective {
    /// How much each class's samples count, or each tag's presence; none where all count the same.
    weights: Option<Vec<f32>>,
    penalties: Vec<Penalty>,
}

impl Objective {
    /// What `config` asks for on the training set of `data`.
    pub fn new(config: &RunConfig, data: &RunData) -> Result<Self, RunDataError> {
        let weights = match config.balance {
            Balance::ClassWeights => Some(weights(data)?),
            Balance::None | Balance::Oversample | Balance::Undersample => None,
        };
        Ok(Self {
            weights,
            penalties: config.l2.clone(),
        })
    }

    /// The same without the penalties.
    pub fn without_penalties(&self) -> Self {
        Self {
            weights: self.weights.clone(),
            penalties: Vec::new(),
        }
    }

    /// Every sample counts the same, and no weight is penalized.
    pub fn plain() -> Self {
        Self {
            weights: None,
            penalties: Vec::new(),
        }
    }

    /// The mean over a batch of what its `logits`, `[batch, outputs]`, are off. With class weights, PyTorch's
    /// `CrossEntropyLoss(weight=…)`: divided by the sum of the samples' weights.
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
                let of_present = targets * log_sigmoid(logits.clone());
                let of_present = match &self.weights {
                    Some(weights) => {
                        let weights = TensorData::new(weights.clone(), [1, weights.len()]);
                        of_present * Tensor::<2>::from_data(weights, device)
                    }
                    None => of_present,
                };
                (of_present + absent * log_sigmoid(logits.neg())).mean().neg()
            }
        }
    }

    /// `loss` and the penalties on the weights of `model`.
    pub fn with_penalty(&self, loss: Tensor<1>, model: &Model) -> Tensor<1> {
        let mut total = loss;
        if self.penalties.is_empty() {
            return total;
        }
        visit_named(model, |name, weight| {
            if !name.ends_with(".weight") {
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

/// See [`Balance::ClassWeights`]. Classes without tracks count nothing.
fn weights(data: &RunData) -> Result<Vec<f32>, RunDataError> {
    let excerpts = data.set(Set::Train)?;
    let outputs = data.dataset.classes().len();
    let mut counts = vec![0usize; outputs];
    for &excerpt in excerpts {
        for class in data.dataset.tags(data.excerpts[excerpt].position) {
            counts[class] += 1;
        }
    }
    let total = excerpts.len();
    let weight = |count: usize| match (count, data.dataset.task()) {
        (0, _) => 0.0,
        (count, Task::SingleLabel) => total as f32 / (outputs * count) as f32,
        (count, Task::MultiLabel) => (total - count) as f32 / count as f32,
    };
    Ok(counts.into_iter().map(weight).collect())
}
