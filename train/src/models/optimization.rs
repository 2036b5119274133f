//! Names of the optimizers and learning rate schedules. The room `step` implements them.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The optimizer of a run. All formulas and constants are PyTorch's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// Adam; weight decay is an L2 penalty
    #[default]
    Adam,
    /// Adam with decoupled weight decay
    #[value(name = "adamw")]
    AdamW,
    /// SGD with Nesterov momentum 0.9
    Sgd,
    /// RMSprop without momentum, alpha 0.99
    #[value(name = "rmsprop")]
    RmsProp,
    /// Adadelta, rho 0.9; its usual --lr is 1
    Adadelta,
}

/// How the learning rate changes during a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum LrSchedule {
    /// Always --lr
    #[default]
    Constant,
    /// Half a cosine from --lr to 0 at the end of --epochs
    Cosine,
    /// Linear from --lr to 0 at the end of --epochs
    Linear,
    /// PyTorch's OneCycleLR: up to --lr in 30 % of --epochs, then down to almost 0
    OneCycle,
    /// Half after every 3 epochs in which --monitor did not improve
    Plateau,
}

impl LrSchedule {
    /// Whether the rate at a step depends on the number of epochs of the whole run.
    pub fn depends_on_epochs(self) -> bool {
        matches!(self, Self::Cosine | Self::Linear | Self::OneCycle)
    }
}

impl fmt::Display for OptimizerKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value().expect("no optimizer is skipped");
        formatter.write_str(value.get_name())
    }
}

impl fmt::Display for LrSchedule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value().expect("no schedule is skipped");
        formatter.write_str(value.get_name())
    }
}
