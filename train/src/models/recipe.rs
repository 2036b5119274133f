//! Training recipes: which defaults a model is trained with.

use super::definition::Defaults;
use super::registry::ModelKind;
use crate::augment::Augment;
use serde::{Deserialize, Serialize};

/// The defaults of all settings that are not given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Recipe {
    /// As in the model's paper
    #[default]
    Paper,
    /// Four clips of 4 seconds of each track instead of one long clip, no augmentation; for cnn1d, cnn2d, crnn, mm-crnn
    Strong,
}

impl Recipe {
    /// The defaults of `model`; `None` if it has no such recipe.
    pub fn defaults(self, model: ModelKind) -> Option<Defaults> {
        let paper = model.description().defaults;
        match self {
            Self::Paper => Some(paper),
            Self::Strong => has_strong(model).then(|| strong(paper)),
        }
    }
}

/// Models of paper 1. They accept clips of any length.
fn has_strong(model: ModelKind) -> bool {
    matches!(
        model,
        ModelKind::Cnn1d | ModelKind::Cnn2d | ModelKind::Crnn | ModelKind::MmCrnn
    )
}

/// docs/measured.md says what it brings, and what else was tried.
fn strong(paper: Defaults) -> Defaults {
    Defaults {
        augment: Augment::NONE,
        clip_seconds: Some(4.0),
        train_clips: 4,
        ..paper
    }
}
