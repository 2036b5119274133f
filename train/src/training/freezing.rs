//! The parameters that are not trained: those of `--freeze`, until `--thaw-after`, and batch norms.

use crate::models::{Model, batch_norms, freeze, parameters, thaw};
use crate::process::console::Console;
use crate::settings::RunConfig;
use anyhow::bail;
use std::collections::BTreeSet;

pub struct Freezing<'a> {
    config: &'a RunConfig,
    /// Name prefixes of the batch norms that are never trained.
    batch_norms: Vec<String>,
}

impl<'a> Freezing<'a> {
    /// Checks the settings with the names of the model's parameters. `loaded` are those whose values were loaded.
    pub fn new(config: &'a RunConfig, model: &Model, loaded: &BTreeSet<String>) -> anyhow::Result<Self> {
        let names: Vec<String> = parameters(model).into_iter().map(|parameter| parameter.name).collect();
        for pattern in &config.freeze {
            if !names.iter().any(|name| pattern.matches(name)) {
                bail!(
                    "--freeze {pattern} matches no parameter of {}; its parameters are {}",
                    config.model,
                    names.join(", ")
                );
            }
        }
        let mut batch_norms = batch_norms(model);
        // The statistics of a newly initialized batch norm are those of no data, so it must be trained.
        batch_norms.retain(|prefix| config.freeze_batch_norm && loaded.contains(&format!("{prefix}running_mean")));
        if config.freeze_batch_norm && batch_norms.is_empty() {
            bail!(
                "--freeze-batch-norm does nothing: no batch norm of {} was loaded; leave it out",
                config.model
            );
        }
        Ok(Self { config, batch_norms })
    }

    /// Freezes what is not trained after `epochs` finished epochs.
    pub fn freeze(&self, model: Model, epochs: usize, console: Console) -> anyhow::Result<Model> {
        let is_thawed = self.config.thaw_after > 0 && epochs >= self.config.thaw_after;
        let by_name = |name: &str| !is_thawed && self.config.freezes(name);
        let all = model.trainable_parameters();
        let (model, frozen) = freeze(model, |name| by_name(name) || self.is_batch_norm(name));
        if frozen == all {
            bail!(
                "--freeze matches every parameter of {}; leave at least one to train",
                self.config.model
            );
        }
        if frozen > 0 {
            console.line(&format!("{frozen} of {all} parameters are frozen"));
        }
        Ok(model)
    }

    /// Whether frozen parameters are trained in the epochs after `epochs` finished ones, but were not before.
    pub fn thaws_after(&self, epochs: usize) -> bool {
        self.config.thaw_after > 0 && epochs == self.config.thaw_after
    }

    /// Thaws the parameters of `--freeze`, except batch norms that are never trained. Returns the number of values.
    pub fn thaw(&self, model: Model) -> (Model, usize) {
        thaw(model, |name| self.config.freezes(name) && !self.is_batch_norm(name))
    }

    fn is_batch_norm(&self, name: &str) -> bool {
        self.batch_norms.iter().any(|prefix| name.starts_with(prefix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loader::LabelsView;
    use crate::models::{ModelKind, ParameterPattern, export_weights, testing};
    use crate::step::batch::TrainingStep;
    use crate::step::optimization::adam;
    use burn::module::Module;
    use burn::tensor::Device;
    use safetensors::SafeTensors;
    use std::path::Path;

    /// Two steps with a frozen first block, and two after thawing: the names of the tensors that each pair changed.
    fn changed(freeze_batch_norm: bool, loaded: &str) -> [Vec<String>; 2] {
        let device = Device::flex().autodiff();
        let config = RunConfig {
            freeze: vec![ParameterPattern::new(r"^encoder\.blocks\.0\.")],
            thaw_after: 1,
            freeze_batch_norm,
            ..crate::testing::config(Path::new("none"), ModelKind::Cnn2d)
        };
        let (model, shape) = testing::small_cnn2d(&device);
        let names = parameters(&model).into_iter().map(|parameter| parameter.name);
        let loaded = names.filter(|name| name.starts_with(loaded)).collect();
        let freezing = Freezing::new(&config, &model, &loaded).unwrap();
        let mut model = freezing.freeze(model, 0, Console::new(true)).unwrap();
        let step = TrainingStep::plain(0.1);
        let mut optimizer = adam(0.0);
        [0, 1].map(|epochs| {
            if freezing.thaws_after(epochs) {
                let (thawed, count) = freezing.thaw(model.clone());
                model = thawed;
                assert!(count > 0);
            }
            let before = export_weights(&model.valid()).unwrap();
            for _ in 0..2 {
                let input = testing::input(4, &shape, &device);
                let labels = LabelsView::Classes(&[0, 1, 2, 1]);
                model = step.train(model.clone(), &mut optimizer, input, labels, &device, 1.0).0;
            }
            let after = export_weights(&model.valid()).unwrap();
            let [before, after] = [&before, &after].map(|bytes| SafeTensors::deserialize(bytes).unwrap());
            let mut changed: Vec<String> = before
                .names()
                .into_iter()
                .filter(|name| {
                    let bytes = |file: &SafeTensors<'_>| file.tensor(name).unwrap().data().to_vec();
                    bytes(&before) != bytes(&after)
                })
                .map(str::to_owned)
                .collect();
            changed.sort_unstable();
            changed
        })
    }

    #[test]
    fn thawed_layers_are_trained_with_their_batch_norms() {
        let [frozen, thawed] = changed(false, "encoder.");
        assert!(
            frozen.iter().all(|name| !name.starts_with("encoder.blocks.0.")),
            "{frozen:?}"
        );
        for name in ["conv0.weight", "norm0.gamma", "norm0.running_mean", "norm0.running_var"] {
            let name = format!("encoder.blocks.0.{name}");
            assert!(thawed.contains(&name), "{name}: {thawed:?}");
        }
    }

    #[test]
    fn frozen_batch_norms_do_not_change_after_thawing_but_layers_before_them_do() {
        let [frozen, thawed] = changed(true, "encoder.");
        for changed in [&frozen, &thawed] {
            let is_norm = |name: &&String| name.starts_with("encoder.") && name.contains("norm");
            assert_eq!(changed.iter().find(is_norm), None, "{changed:?}");
        }
        assert!(
            frozen.contains(&"encoder.blocks.1.conv0.weight".to_owned()),
            "{frozen:?}"
        );
        assert!(
            thawed.contains(&"encoder.blocks.0.conv0.weight".to_owned()),
            "{thawed:?}"
        );
    }

    #[test]
    fn newly_initialized_batch_norms_are_trained() {
        let [changed, _] = changed(true, "encoder.blocks.1.");
        let is = |name: &str| changed.contains(&name.to_owned());
        assert!(!is("encoder.blocks.1.norm0.running_mean"), "{changed:?}");
        assert!(is("encoder.blocks.2.norm0.running_mean"), "{changed:?}");
    }

    #[test]
    fn run_resumed_after_thawing_is_not_frozen() {
        let device = Device::flex().autodiff();
        let config = RunConfig {
            freeze: vec![ParameterPattern::new("^linear0")],
            thaw_after: 2,
            ..crate::testing::config(Path::new("none"), ModelKind::MfccDense)
        };
        let model = || testing::model(config.model, 3, &device);
        let freezing = Freezing::new(&config, &model(), &BTreeSet::new()).unwrap();
        let trainable = |epochs| {
            let model = freezing.freeze(model(), epochs, Console::new(true)).unwrap();
            model.trainable_parameters()
        };
        let all = model().trainable_parameters();
        assert!(trainable(1) < all);
        assert_eq!([trainable(2), trainable(3)], [all; 2]);
        assert!(!freezing.thaws_after(1) && freezing.thaws_after(2) && !freezing.thaws_after(3));
        let without_norms = RunConfig {
            freeze_batch_norm: true,
            ..config.clone()
        };
        let refused = Freezing::new(&without_norms, &model(), &BTreeSet::new()).err().unwrap();
        assert!(refused.to_string().contains("no batch norm of mfcc-dense was loaded"));
    }
}
