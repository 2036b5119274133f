//! What every model has: a description with its paper's settings, a way to build it, and the two halves of its forward
//! pass.

use super::input::{InputKind, InputShape, ModelInput};
use crate::augment::Augment;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// A metric of the validation set by which the best epoch is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Monitor {
    /// The lowest loss.
    #[default]
    Loss,
    /// The highest share of tracks whose first guess is right; of tags, the highest mean accuracy.
    Accuracy,
    /// The highest macro F1.
    MacroF1,
    /// The highest mean area under the tags' ROC curves.
    AucRoc,
}

impl Monitor {
    /// Whether the best epoch is the one with the lowest metric.
    pub fn lower_is_better(self) -> bool {
        self == Self::Loss
    }

    pub fn describe(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Accuracy => "accuracy",
            Self::MacroF1 => "macro F1",
            Self::AucRoc => "AUC-ROC",
        }
    }
}

/// What the paper trains a model with, where the command line says nothing else.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Defaults {
    pub lr: f64,
    /// Clips per step.
    pub batch_size: usize,
    /// Passes over the training set, at most.
    pub epochs: usize,
    /// Epochs without a better validation metric before training stops; 0 never stops.
    pub patience: usize,
    pub monitor: Monitor,
    /// L2 penalty on every parameter, as PyTorch's `Adam(weight_decay=…)` adds it to the gradient.
    pub weight_decay: f32,
    /// L2 penalty `lambda * sum(w^2)` added to the loss for the weights (not biases) whose names match a pattern, as Keras'
    /// `kernel_regularizer=l2(lambda)` does layer by layer.
    pub l2: &'static [(&'static str, f32)],
    /// Share of activations zeroed before the last dense layers.
    pub dropout: f64,
    /// Patterns of parameters that are not trained.
    pub freeze: &'static [&'static str],
    /// What is done to training clips.
    pub augment: Augment,
    /// Frames of the data set's spectrogram in a clip, where it is not the data set's own clip.
    pub clip_frames: Option<usize>,
}

impl Defaults {
    /// Where a paper says nothing.
    pub const USUAL: Self = Self {
        lr: 1e-3,
        batch_size: 32,
        epochs: 50,
        patience: 10,
        monitor: Monitor::Loss,
        weight_decay: 0.0,
        l2: &[],
        dropout: 0.5,
        freeze: &[],
        augment: Augment::NONE,
        clip_frames: None,
    };
}

/// How a PyTorch checkpoint names a model's parameters, where it differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PytorchNames {
    /// Regular expressions and what they are replaced with.
    pub renames: &'static [(&'static str, &'static str)],
    /// Beginnings of names that have no place here.
    pub ignored: &'static [&'static str],
}

impl PytorchNames {
    pub const SAME: Self = Self {
        renames: &[],
        ignored: &[],
    };
}

/// What is known of a model without building it.
#[derive(Clone, Copy, Debug)]
pub struct Description {
    /// The name on the command line and in files.
    pub name: &'static str,
    /// The paper, in a few words.
    pub paper: &'static str,
    /// One line on what it is.
    pub summary: &'static str,
    /// What it is fed with.
    pub input: InputKind,
    pub defaults: Defaults,
    /// Whether a model can be built for inputs of this shape; if not, a sentence on what it needs.
    pub accepts: fn(&InputShape) -> Result<(), String>,
    /// The shape that the paper has.
    pub usual_shape: InputShape,
    /// Beginning of the names of the parameters that [`Network::classify`] uses.
    pub classifier: &'static str,
    /// How PyTorch checkpoints name the parameters.
    pub pytorch: PytorchNames,
    /// Beginnings of the names of other parameters that weights to start from may lack.
    pub newly_initialized: &'static [&'static str],
    /// The model whose runs it may begin with, if it is another.
    pub follows: Option<&'static str>,
    /// Whether it is nothing without weights to start from.
    pub needs_weights: bool,
}

/// A model: its description, and how to build a network of type `N`.
#[derive(Debug)]
pub struct ModelDefinition<N> {
    /// What is known of it.
    pub description: Description,
    /// Newly initialized weights for inputs of `shape`, which `accepts` has passed.
    pub build: fn(&Blueprint, &Device) -> N,
}

/// What a network is built for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Blueprint {
    /// One clip's input.
    pub shape: InputShape,
    pub classes: usize,
    /// Share of activations zeroed before the last dense layers.
    pub dropout: f64,
}

/// The two halves of a forward pass.
pub trait Network {
    /// The activations before the classifier, `[batch, features]`, in f32: what transfer learning takes.
    fn embed(&self, input: &ModelInput) -> Tensor<2>;

    /// Logits, `[batch, classes]`, of [`Self::embed`]'s result: dropout and one dense layer.
    fn classify(&self, features: Tensor<2>) -> Tensor<2>;
}
