//! The optimizer of a run, and which learning rate each parameter has.

use crate::config::RunConfig;
use crate::models::{Model, parameter_ids};
use burn::lr_scheduler::LrSchedulerConfig;
use burn::lr_scheduler::module_lr_scheduler::{ModuleLearningRate, ModuleLrSchedulerConfig};
use burn::module::ParamGroup;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::{AdamConfig, ModuleOptimizer};
use std::collections::BTreeSet;

/// PyTorch's value; Burn's own default is 1e-5.
const ADAM_EPSILON: f32 = 1e-8;

/// PyTorch's Adam, with an L2 penalty added to the gradient.
pub fn adam(weight_decay: f32) -> ModuleOptimizer {
    AdamConfig::new()
        .with_epsilon(ADAM_EPSILON)
        .with_weight_decay((weight_decay > 0.0).then(|| WeightDecayConfig::new(weight_decay)))
        .init()
}

/// The run's learning rate for every parameter but those whose names are in `loaded`, which have one of their own where
/// the run says so.
pub fn learning_rates(config: &RunConfig, model: &Model, loaded: &BTreeSet<String>) -> ModuleLearningRate {
    let Some(loaded_lr) = config.loaded_lr else {
        return config.lr.into();
    };
    let ids = parameter_ids(model).into_iter();
    let ids = ids
        .filter(|(name, _)| loaded.contains(name))
        .map(|(_, id)| id)
        .collect();
    let rates = ModuleLrSchedulerConfig::new(LrSchedulerConfig::Constant(config.lr));
    let rates = rates.with_group(ParamGroup::from_ids(ids), LrSchedulerConfig::Constant(loaded_lr));
    rates
        .init()
        .unwrap_or_else(|error| unreachable!("a constant rate is always a rate: {error}"))
        .step()
}
