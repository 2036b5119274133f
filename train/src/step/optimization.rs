//! The optimizer of a run and the learning rate of each parameter.

use crate::models::{Model, parameters};
use burn::lr_scheduler::LrSchedulerConfig;
use burn::lr_scheduler::module_lr_scheduler::{ModuleLearningRate, ModuleLrSchedulerConfig};
use burn::module::ParamGroup;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::{AdamConfig, ModuleOptimizer};
use std::collections::BTreeSet;

/// PyTorch's default; Burn's is 1e-5.
const ADAM_EPSILON: f32 = 1e-8;

/// Adam as in PyTorch; `weight_decay` is an L2 penalty added to the gradient.
pub fn adam(weight_decay: f32) -> ModuleOptimizer {
    AdamConfig::new()
        .with_epsilon(ADAM_EPSILON)
        .with_weight_decay((weight_decay > 0.0).then(|| WeightDecayConfig::new(weight_decay)))
        .init()
}

/// `loaded_lr`, if given, for the parameters whose names are in `loaded`, and `lr` for all others.
pub fn learning_rates(lr: f64, loaded_lr: Option<f64>, model: &Model, loaded: &BTreeSet<String>) -> ModuleLearningRate {
    let Some(loaded_lr) = loaded_lr else {
        return lr.into();
    };
    let ids = parameters(model).into_iter();
    let ids = ids
        .filter(|parameter| loaded.contains(&parameter.name))
        .map(|parameter| parameter.id)
        .collect();
    let rates = ModuleLrSchedulerConfig::new(LrSchedulerConfig::Constant(lr));
    let rates = rates.with_group(ParamGroup::from_ids(ids), LrSchedulerConfig::Constant(loaded_lr));
    rates
        .init()
        .unwrap_or_else(|error| unreachable!("a constant learning rate is always valid: {error}"))
        .step()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loader::LabelsView;
    use crate::models::{Blueprint, InputShape, ModelKind, export_weights, freeze, testing, visit_named};
    use crate::settings::RunConfig;
    use crate::step::batch::TrainingStep;
    use crate::step::objective::Objective;
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

    /// The largest change of each weight in Adam's first step, which is about the learning rate.
    fn first_step(loaded: &[&str], frozen: &str) -> BTreeMap<String, f32> {
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
            objective: Objective::plain(),
            lr: learning_rates(config.lr, config.loaded_lr, &model, &loaded),
        };
        let input = testing::input(4, &config.model.description().usual_shape, &device);
        let labels = LabelsView::Classes(&[0, 1, 2, 3]);
        let (model, _) = step.train(model, &mut adam(0.0), input, labels, &device);
        let changes = weights(&model).into_iter().map(|(name, after)| {
            let change = (after - before[&name].clone()).abs().max().into_scalar::<f32>();
            (name, change)
        });
        changes.collect()
    }

    #[test]
    fn loaded_parameters_use_their_own_rate_and_frozen_ones_do_not_change() {
        let changes = first_step(&["linear0.weight", "linear1.weight"], "linear1.");
        let close = |change: f32, rate: f32| (change / rate - 1.0).abs() < 0.02;
        assert!(close(changes["linear0.weight"], 0.001), "{changes:?}");
        assert!(close(changes["linear2.weight"], 0.1), "{changes:?}");
        assert_eq!(changes["linear1.weight"], 0.0);
    }

    /// Names of the tensors that two training steps change, including batch norm's running statistics.
    fn changed_by_training(frozen: &str) -> Vec<String> {
        let device = Device::flex().autodiff();
        let shape = InputShape {
            spectrogram: [128, 16],
            ..InputShape::default()
        };
        let blueprint = Blueprint {
            shape,
            classes: 3,
            dropout: 0.0,
        };
        let model = ModelKind::Cnn2d.init(&blueprint, &device);
        let before = export_weights(&model).unwrap();
        let (mut model, _) = freeze(model, |name| name.starts_with(frozen));
        let step = TrainingStep {
            objective: Objective::plain(),
            lr: 0.1.into(),
        };
        let mut optimizer = adam(0.0);
        for _ in 0..2 {
            let input = testing::input(4, &shape, &device);
            let labels = LabelsView::Classes(&[0, 1, 2, 1]);
            model = step.train(model, &mut optimizer, input, labels, &device).0;
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
