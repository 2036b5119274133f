//! A model's float parameters by name, as in its weight files: `encoder.blocks.0.conv.weight`.

use super::Model;
use burn::module::{Flag, Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::Tensor;

/// Position in a walk through a model. The first name is the enum's variant, which weight files omit.
#[derive(Default)]
struct Path(Vec<String>);

impl Path {
    fn name(&self) -> String {
        self.0[1..].join(".")
    }
}

/// Calls `visit` with the name and the flattened values of each float parameter of rank 2 or more, the weights of layers.
pub fn visit_named(model: &Model, visit: impl FnMut(&str, Tensor<1>)) {
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
    model.visit(&mut Visit(Path::default(), visit));
}

/// A float parameter of a model, or a running statistic of batch norm.
pub struct Parameter {
    pub name: String,
    pub shape: Vec<usize>,
    pub id: ParamId,
    /// Whether it has a gradient: batch norm's running mean and variance have none, nor do frozen parameters.
    pub trainable: bool,
}

/// All float parameters, in the order in which the model declares them.
pub fn parameters(model: &Model) -> Vec<Parameter> {
    #[derive(Default)]
    struct Collect(Path, Vec<Parameter>);
    impl ModuleVisitor for Collect {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.0.0.push(name.to_owned());
        }

        fn exit_module(&mut self, _: &str, _: &str) {
            self.0.0.pop();
        }

        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            self.1.push(Parameter {
                name: self.0.name(),
                shape: parameter.lazy_shape().to_vec(),
                id: parameter.id,
                trainable: parameter.is_require_grad(),
            });
        }
    }
    let mut collect = Collect::default();
    model.visit(&mut collect);
    collect.1
}

/// Names of the layers' weights, to which L2 penalties apply: no biases and nothing of batch norm.
pub fn weight_names(model: &Model) -> Vec<String> {
    let weights = parameters(model).into_iter();
    let weights = weights.filter(|parameter| parameter.shape.len() > 1 && is_weight(&parameter.name));
    weights.map(|parameter| parameter.name).collect()
}

/// Whether this is the name of a layer's weight.
pub fn is_weight(name: &str) -> bool {
    name.ends_with(".weight")
}

/// Whether this is the name of a batch norm's running mean or variance.
fn is_running_statistic(name: &str) -> bool {
    name.ends_with(".running_mean") || name.ends_with(".running_var")
}

/// The name prefixes of all batch norms, such as `encoder.norm.`.
pub fn batch_norms(model: &Model) -> Vec<String> {
    let names = parameters(model).into_iter().map(|parameter| parameter.name);
    let prefixes = names.filter_map(|name| name.strip_suffix("running_mean").map(str::to_owned));
    prefixes.collect()
}

/// Freezes the parameters whose names satisfy `frozen`, and returns their number of values. No gradient is computed for
/// them. A batch norm is frozen, and normalizes with its running statistics, if `frozen` holds for its `training` flag,
/// which a pattern for the whole layer matches.
pub fn freeze(model: Model, frozen: impl Fn(&str) -> bool) -> (Model, usize) {
    set_trainable(model, false, frozen)
}

/// The reverse of [`freeze`]: trains the parameters again whose names satisfy `thawed`, and returns their number of
/// values.
pub fn thaw(model: Model, thawed: impl Fn(&str) -> bool) -> (Model, usize) {
    set_trainable(model, true, thawed)
}

fn set_trainable(model: Model, trainable: bool, selected: impl Fn(&str) -> bool) -> (Model, usize) {
    struct SetTrainable<F> {
        path: Path,
        trainable: bool,
        selected: F,
        /// Number of values that were changed.
        count: usize,
    }
    impl<F: Fn(&str) -> bool> ModuleMapper for SetTrainable<F> {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.path.0.push(name.to_owned());
        }

        fn exit_module(&mut self, _: &str, _: &str) {
            self.path.0.pop();
        }

        /// Batch norm's training flag. Without this, the running statistics of a frozen one would still follow the batches.
        fn map_flag(&mut self, flag: Param<Flag>) -> Param<Flag> {
            if (self.selected)(&self.path.name()) {
                flag.with_value(self.trainable)
            } else {
                flag
            }
        }

        fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let name = self.path.name();
            // Running statistics never have gradients.
            let changes = parameter.is_require_grad() != self.trainable && !is_running_statistic(&name);
            if changes && (self.selected)(&name) {
                self.count += parameter.lazy_shape().num_elements();
                parameter.set_require_grad(self.trainable)
            } else {
                parameter
            }
        }
    }
    let mut mapper = SetTrainable {
        path: Path::default(),
        trainable,
        selected,
        count: 0,
    };
    let model = model.map(&mut mapper);
    (model, mapper.count)
}
