//! The optimizer of a run and the learning rate of each parameter.

use crate::models::{Model, OptimizerKind, parameters};
use crate::settings::RunConfig;
use crate::step::adadelta::adadelta;
use burn::lr_scheduler::LrSchedulerConfig;
use burn::lr_scheduler::module_lr_scheduler::{ModuleLearningRate, ModuleLrSchedulerConfig};
use burn::module::{ParamGroup, ParamId};
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, AdamWConfig, ModuleOptimizer, RmsPropConfig, SgdConfig};
use std::collections::BTreeSet;

/// PyTorch's default of Adam, AdamW and RMSprop; Burn's is 1e-5.
const EPSILON: f32 = 1e-8;

/// The optimizer of a run, with the formulas and constants of PyTorch.
pub fn optimizer(config: &RunConfig) -> ModuleOptimizer {
    optimizer_of_kind(config.optimizer, config.weight_decay)
}

pub fn optimizer_of_kind(kind: OptimizerKind, weight_decay: f32) -> ModuleOptimizer {
    match kind {
        OptimizerKind::Adam => adam(weight_decay),
        OptimizerKind::AdamW => AdamWConfig::new()
            .with_epsilon(EPSILON)
            .with_weight_decay(weight_decay)
            .init(),
        OptimizerKind::Sgd => SgdConfig::new()
            .with_momentum(Some(
                // Burn's default dampening is 0.1.
                MomentumConfig::new()
                    .with_momentum(0.9)
                    .with_dampening(0.0)
                    .with_nesterov(true),
            ))
            .with_weight_decay(l2(weight_decay))
            .init(),
        OptimizerKind::RmsProp => RmsPropConfig::new()
            .with_alpha(0.99)
            .with_epsilon(EPSILON)
            // Burn's default momentum is 0.9.
            .with_momentum(0.0)
            .with_weight_decay(l2(weight_decay))
            .init(),
        OptimizerKind::Adadelta => adadelta(weight_decay),
    }
}

/// Adam as in PyTorch; `weight_decay` is an L2 penalty added to the gradient.
pub fn adam(weight_decay: f32) -> ModuleOptimizer {
    AdamConfig::new()
        .with_epsilon(EPSILON)
        .with_weight_decay(l2(weight_decay))
        .init()
}

fn l2(weight_decay: f32) -> Option<WeightDecayConfig> {
    (weight_decay > 0.0).then(|| WeightDecayConfig::new(weight_decay))
}

/// The learning rate of each parameter, before the schedule.
#[derive(Clone, Debug)]
pub struct LearningRates {
    lr: f64,
    /// The rate of loaded parameters, and these parameters.
    loaded: Option<(f64, Vec<ParamId>)>,
}

impl LearningRates {
    /// `loaded_lr`, if given, for the parameters whose names are in `loaded`, and `lr` for all others.
    pub fn new(lr: f64, loaded_lr: Option<f64>, model: &Model, loaded: &BTreeSet<String>) -> Self {
        let ids = || {
            let parameters = parameters(model).into_iter();
            let parameters = parameters.filter(|parameter| loaded.contains(&parameter.name));
            parameters.map(|parameter| parameter.id).collect()
        };
        Self {
            lr,
            loaded: loaded_lr.map(|loaded_lr| (loaded_lr, ids())),
        }
    }

    /// All rates times `factor`.
    pub fn scaled(&self, factor: f64) -> ModuleLearningRate {
        let Some((loaded_lr, ids)) = &self.loaded else {
            return (self.lr * factor).into();
        };
        let rates = ModuleLrSchedulerConfig::new(LrSchedulerConfig::Constant(self.lr * factor));
        let loaded = LrSchedulerConfig::Constant(loaded_lr * factor);
        let rates = rates.with_group(ParamGroup::from_ids(ids.clone()), loaded);
        rates
            .init()
            .unwrap_or_else(|error| unreachable!("a constant learning rate is always valid: {error}"))
            .step()
    }
}

impl From<f64> for LearningRates {
    fn from(lr: f64) -> Self {
        Self { lr, loaded: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loader::LabelsView;
    use crate::models::{ModelKind, export_weights, freeze, testing, visit_named};
    use crate::settings::RunConfig;
    use crate::step::batch::TrainingStep;
    use burn::module::Module;
    use burn::tensor::{Device, Tensor};
    use safetensors::SafeTensors;
    use std::collections::BTreeMap;
    use std::path::Path;

    fn weights(model: &Model) -> BTreeMap<String, Tensor<1>> {
        let mut weights = BTreeMap::new();
        visit_named(model, |name, weight| drop(weights.insert(name.to_owned(), weight)));
        weights
    }

    /// The largest change of each weight in Adam's first step, which is about the learning rate times `factor`.
    fn first_step(loaded: &[&str], frozen: &str, factor: f64) -> BTreeMap<String, f32> {
        let device = Device::flex().autodiff();
        let config = RunConfig {
            lr: 0.1,
            loaded_lr: Some(0.001),
            ..crate::testing::config(Path::new("none"), ModelKind::MfccDense)
        };
        let (model, _) = freeze(testing::model(config.model, 8, &device), |name| {
            name.starts_with(frozen)
        });
        let before = weights(&model);
        let loaded = loaded.iter().map(|name| (*name).to_owned()).collect();
        let step = TrainingStep {
            rates: LearningRates::new(config.lr, config.loaded_lr, &model, &loaded),
            ..TrainingStep::plain(0.1)
        };
        let input = testing::input(4, &config.model.description().usual_shape, &device);
        let labels = LabelsView::Classes(&[0, 1, 2, 3]);
        let (model, _) = step.train(model, &mut adam(0.0), input, labels, &device, factor);
        let changes = weights(&model).into_iter().map(|(name, after)| {
            let change = (after - before[&name].clone()).abs().max().into_scalar::<f32>();
            (name, change)
        });
        changes.collect()
    }

    #[test]
    fn loaded_parameters_use_their_own_rate_and_frozen_ones_do_not_change() {
        for factor in [1.0, 0.25] {
            let changes = first_step(&["linear0.weight", "linear1.weight"], "linear1.", factor);
            let close = |change: f32, rate: f64| (f64::from(change) / (rate * factor) - 1.0).abs() < 0.02;
            assert!(close(changes["linear0.weight"], 0.001), "{changes:?}");
            assert!(close(changes["linear2.weight"], 0.1), "{changes:?}");
            assert_eq!(changes["linear1.weight"], 0.0);
        }
    }

    /// Names of the tensors that two training steps change, including batch norm's running statistics.
    fn changed_by_training(frozen: &str) -> Vec<String> {
        let device = Device::flex().autodiff();
        let (model, shape) = testing::small_cnn2d(&device);
        let before = export_weights(&model).unwrap();
        let (mut model, _) = freeze(model, |name| name.starts_with(frozen));
        let step = TrainingStep::plain(0.1);
        let mut optimizer = adam(0.0);
        for _ in 0..2 {
            let input = testing::input(4, &shape, &device);
            let labels = LabelsView::Classes(&[0, 1, 2, 1]);
            model = step.train(model, &mut optimizer, input, labels, &device, 1.0).0;
        }
        let after = export_weights(&model.valid()).unwrap();
        let [before, after] = [&before, &after].map(|bytes| SafeTensors::deserialize(bytes).unwrap());
        let changed = before.names().into_iter().filter(|name| {
            let bytes = |file: &SafeTensors<'_>| file.tensor(name).unwrap().data().to_vec();
            bytes(&before) != bytes(&after)
        });
        changed.map(str::to_owned).collect()
    }

    #[test]
    fn frozen_layer_keeps_its_running_statistics() {
        let unfrozen = changed_by_training("nothing");
        assert!(
            unfrozen
                .iter()
                .any(|name| name == "encoder.blocks.0.norm0.running_mean"),
            "{unfrozen:?}"
        );
        let with_frozen_encoder = changed_by_training("encoder.");
        assert!(
            with_frozen_encoder.iter().all(|name| name.starts_with("classifier.")),
            "{with_frozen_encoder:?}"
        );
        assert!(with_frozen_encoder.len() >= 4, "{with_frozen_encoder:?}");
    }
}
