//! A model's float parameters with their names: those of its weight files, `encoder.blocks.0.conv.weight`.

use super::Model;
use burn::module::{Flag, Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::Tensor;

/// Where a walk through a model is. The first name is the enum's variant, which weight files leave out.
#[derive(Default)]
struct Path(Vec<String>);

impl Path {
    fn name(&self) -> String {
        self.0[1..].join(".")
    }
}

/// Hands each float parameter of rank 2 or more to `look`, flat, with its name: the weights of layers.
pub fn visit_named(model: &Model, look: impl FnMut(&str, Tensor<1>)) {
    struct Visit<F>(Path, F);
    impl<F: FnMut(&str, Tensor<1>)> ModuleVisitor for Visit<F> {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.0.0.push(name.to_owned());
        }

        fn exit_module(&mut self, _: &str, _: &str) {
            self.0.0.pop();
        }

        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            if D > 1 {
                let value = parameter.val();
                let count: usize = value.dims().iter().product();
                (self.1)(&self.0.name(), value.reshape([count]));
            }
        }
    }
    model.visit(&mut Visit(Path::default(), look));
}

/// Names of the weights of layers, those that L2 penalties are added for: no biases, and nothing of batch norms.
pub fn weight_names(model: &Model) -> Vec<String> {
    struct Collect(Path, Vec<String>);
    impl ModuleVisitor for Collect {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.0.0.push(name.to_owned());
        }

        fn exit_module(&mut self, _: &str, _: &str) {
            self.0.0.pop();
        }

        fn visit_float<const D: usize>(&mut self, _: &Param<Tensor<D>>) {
            let name = self.0.name();
            if D > 1 && is_weight(&name) {
                self.1.push(name);
            }
        }
    }
    let mut collect = Collect(Path::default(), Vec::new());
    model.visit(&mut collect);
    collect.1
}

/// Whether a parameter of this name is the weight of a layer.
pub fn is_weight(name: &str) -> bool {
    name.ends_with(".weight")
}

/// Names and identities of all float parameters.
pub fn parameter_ids(model: &Model) -> Vec<(String, ParamId)> {
    struct Collect(Path, Vec<(String, ParamId)>);
    impl ModuleVisitor for Collect {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.0.0.push(name.to_owned());
        }

        fn exit_module(&mut self, _: &str, _: &str) {
            self.0.0.pop();
        }

        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            self.1.push((self.0.name(), parameter.id));
        }
    }
    let mut collect = Collect(Path::default(), Vec::new());
    model.visit(&mut collect);
    collect.1
}

/// The model with the parameters whose names `frozen` says kept as they are, and how many values that are. No gradient
/// is computed for them. A batch norm keeps its running moments, and normalizes with them, where `frozen` says its
/// `training`: it does where a pattern matches the whole layer.
pub fn freeze(model: Model, frozen: impl Fn(&str) -> bool) -> (Model, usize) {
    struct Freeze<F>(Path, F, usize);
    impl<F: Fn(&str) -> bool> ModuleMapper for Freeze<F> {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.0.0.push(name.to_owned());
        }

        fn exit_module(&mut self, _: &str, _: &str) {
            self.0.0.pop();
        }

        /// Batch norm's, which else would go on to follow the batches although none of its parameters is trained.
        fn map_flag(&mut self, flag: Param<Flag>) -> Param<Flag> {
            if (self.1)(&self.0.name()) {
                flag.map(|flag| flag.with(false))
            } else {
                flag
            }
        }

        fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
            if parameter.is_require_grad() && (self.1)(&self.0.name()) {
                self.2 += parameter.lazy_shape().num_elements();
                parameter.set_require_grad(false)
            } else {
                parameter
            }
        }
    }
    let mut mapper = Freeze(Path::default(), frozen, 0);
    let model = model.map(&mut mapper);
    (model, mapper.2)
}
