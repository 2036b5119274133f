//! The definition of a model: its description with the paper's settings, its constructor, and the two halves of its
//! forward pass.

use super::input::{InputKind, InputShape, ModelInput};
use super::onnx::{Graph, Value};
use super::optimization::{LrSchedule, OptimizerKind};
use crate::augment::Augment;
use burn::nn::{DropoutConfig, Linear};
use burn::tensor::{Device, Tensor};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use shared::dataset::Task;

/// Validation metric that selects the best epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Monitor {
    /// Lowest loss
    #[default]
    Loss,
    /// Highest accuracy; for multi-label data, the mean over tags
    Accuracy,
    /// Highest macro F1
    MacroF1,
    /// Highest macro precision
    Precision,
    /// Highest macro recall
    Recall,
    /// Highest mean area under the tags' ROC curves
    AucRoc,
    /// Highest mean area under the tags' precision-recall curves
    AucPr,
}

impl Monitor {
    /// Whether the best epoch has the lowest metric.
    pub fn lower_is_better(self) -> bool {
        self == Self::Loss
    }

    /// Whether only multi-label data has the metric.
    pub fn is_multi_label(self) -> bool {
        matches!(self, Self::AucRoc | Self::AucPr)
    }

    /// The name on the command line.
    pub fn name(self) -> String {
        let value = self.to_possible_value().expect("no metric is skipped");
        value.get_name().to_owned()
    }

    /// The names of the metrics that single-label data has.
    pub fn single_label() -> Vec<String> {
        let all = Self::value_variants().iter();
        all.filter(|monitor| !monitor.is_multi_label())
            .map(|monitor| monitor.name())
            .collect()
    }

    pub fn describe(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Accuracy => "accuracy",
            Self::MacroF1 => "macro F1",
            Self::Precision => "precision",
            Self::Recall => "recall",
            Self::AucRoc => "AUC-ROC",
            Self::AucPr => "AUC-PR",
        }
    }
}

/// The paper's training settings, which the command line can override.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Defaults {
    pub optimizer: OptimizerKind,
    pub lr: f64,
    pub lr_schedule: LrSchedule,
    /// Clips per step.
    pub batch_size: usize,
    /// Maximum number of passes over the training set.
    pub epochs: usize,
    /// Epochs without a better validation metric after which training stops; 0 never stops.
    pub patience: usize,
    pub monitor: Monitor,
    /// Decay of the exponential moving average of the weights; 0 if they are not averaged.
    pub ema: f64,
    /// `weight_decay` of the optimizer, as in PyTorch. In all of them except AdamW it is an L2 penalty on every
    /// parameter, added to the gradient.
    pub weight_decay: f32,
    /// L2 penalty `lambda * sum(w^2)` on the weights (not biases) whose names match a pattern. It is added to the loss,
    /// like Keras' `kernel_regularizer=l2(lambda)`.
    pub l2: &'static [(&'static str, f32)],
    /// Fraction of activations zeroed before the last dense layers.
    pub dropout: f64,
    /// Patterns of parameters that are frozen.
    pub freeze: &'static [&'static str],
    /// Augmentation of training clips.
    pub augment: Augment,
    /// Seconds per clip; `None` for `clip_frames`.
    pub clip_seconds: Option<f64>,
    /// Clips of each track in an epoch.
    pub train_clips: usize,
    /// Spectrogram frames per clip; `None` for the data set's clip length.
    pub clip_frames: Option<usize>,
}

impl Defaults {
    /// For settings that a paper does not give.
    pub const USUAL: Self = Self {
        optimizer: OptimizerKind::Adam,
        lr: 1e-3,
        lr_schedule: LrSchedule::Constant,
        batch_size: 32,
        epochs: 50,
        patience: 10,
        monitor: Monitor::Loss,
        ema: 0.0,
        weight_decay: 0.0,
        l2: &[],
        dropout: 0.5,
        freeze: &[],
        augment: Augment::NONE,
        clip_seconds: None,
        train_clips: 1,
        clip_frames: None,
    };
}

/// Mapping from the parameter names of a PyTorch checkpoint, if they differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PytorchNames {
    /// Regular expressions and their replacements. Each expression is a literal beginning of a name, `^features\.0\.`, so
    /// `train export` can write the checkpoint's names.
    pub renames: &'static [(&'static str, &'static str)],
    /// Prefixes of names that the model does not have.
    pub ignored: &'static [&'static str],
}

impl PytorchNames {
    pub const SAME: Self = Self {
        renames: &[],
        ignored: &[],
    };
}

/// Feature settings of a published network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishedFeatures {
    /// The preset of `preprocess build --features`.
    pub preset: &'static str,
    /// Samples of one clip, at the preset's sample rate.
    pub clip_samples: usize,
}

/// Properties of a model that are known without building it.
#[derive(Clone, Copy, Debug)]
pub struct Description {
    /// The name on the command line and in files.
    pub name: &'static str,
    /// The paper, in a few words.
    pub paper: &'static str,
    /// One line on the architecture.
    pub summary: &'static str,
    pub input: InputKind,
    pub defaults: Defaults,
    /// Whether a model can be built for inputs of this shape. If not, a noun phrase that completes "it needs …".
    pub accepts: fn(&InputShape) -> Result<(), String>,
    /// The paper's input shape.
    pub usual_shape: InputShape,
    /// Length of the paper's clips; `None` if the input is a whole track.
    pub paper_seconds: Option<f64>,
    /// Name prefix of the parameters that [`Network::classify`] uses.
    pub classifier: &'static str,
    /// Parameter names in PyTorch checkpoints.
    pub pytorch: PytorchNames,
    /// Name prefixes of other parameters that initial weights may lack.
    pub newly_initialized: &'static [&'static str],
    /// Another model whose runs can provide initial weights.
    pub follows: Option<&'static str>,
    /// Whether training requires initial weights.
    pub needs_weights: bool,
    /// Whether the network normalizes its input itself. Its input is then not normalized unless `--normalize` is given.
    pub normalizes_input: bool,
    /// The task of the paper: what the outputs of published weights are.
    pub task: Task,
    /// The feature settings that the published network was trained with, if data sets of other papers differ.
    pub features: Option<PublishedFeatures>,
}

/// A model: its description, and how to build a network of type `N`.
#[derive(Debug)]
pub struct ModelDefinition<N> {
    pub description: Description,
    /// Builds the network with newly initialized weights for inputs of `shape`, which `accepts` has accepted.
    pub build: fn(&Blueprint, &Device) -> N,
}

/// What a network is built for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Blueprint {
    /// Shape of one clip's input.
    pub shape: InputShape,
    pub classes: usize,
    /// Fraction of activations zeroed before the last dense layers. 0 also switches off the dropout of all other layers.
    pub dropout: f64,
}

impl Blueprint {
    /// Dropout of a layer for which the model fixes the fraction.
    pub fn fixed_dropout(&self, fraction: f64) -> DropoutConfig {
        DropoutConfig::new(if self.dropout == 0.0 { 0.0 } else { fraction })
    }
}

/// The two halves of a forward pass.
pub trait Network {
    /// The embeddings, `[batch, dimension]` in f32: the activations before the classifier.
    fn embed(&self, input: &ModelInput) -> Tensor<2>;

    /// Logits, `[batch, classes]`, from the embeddings: dropout and one dense layer.
    fn classify(&self, embeddings: Tensor<2>) -> Tensor<2>;

    /// The dense layer of [`classify`](Self::classify).
    fn classifier(&self) -> &Linear;

    /// The nodes of [`embed`](Self::embed) in an ONNX graph.
    fn embed_nodes(&self, graph: &Graph) -> Value;
}
