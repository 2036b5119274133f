//! Training recipes: which defaults a model is trained with.

use super::definition::Defaults;
use super::registry::ModelKind;
use serde::{Deserialize, Serialize};

/// The defaults of all settings that are not given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Recipe {
    /// As in the model's paper
    #[default]
    Paper,
    /// Methods that were measured to help: see docs/measured.md
    Strong,
}

impl Recipe {
    /// The defaults of `model` with this recipe.
    pub fn defaults(self, model: ModelKind) -> Defaults {
        let description = model.description();
        let paper = description.defaults;
        match self {
            Self::Paper => paper,
            Self::Strong => paper,
        }
    }
}
