//! Averages of a model's weights: an exponential moving average over steps, or the mean over the last epochs.
//!
//! Training continues from the plain weights; the average is evaluated and kept. Batch norm's running statistics are
//! averaged like weights, as timm's `ModelEmaV3` does. All arithmetic is on the device, without copies to the host.

use crate::models::Model;
use crate::settings::RunConfig;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;
use std::any::Any;
use std::vec::IntoIter;

/// The averaged weights of a run. By default nothing is averaged.
#[derive(Default)]
pub struct Averaging {
    method: Method,
    /// `None` before the first averaged step or epoch.
    average: Option<Model>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Method {
    #[default]
    Off,
    /// `--ema`.
    Exponential { decay: f64 },
    /// `--average-last`.
    LastEpochs {
        /// Finished epochs before the first averaged one.
        before: usize,
    },
}

impl Method {
    fn new(config: &RunConfig) -> Self {
        if config.ema > 0.0 {
            Self::Exponential { decay: config.ema }
        } else if config.average_last > 0 {
            let before = config.epochs.saturating_sub(config.average_last);
            Self::LastEpochs { before }
        } else {
            Self::Off
        }
    }
}

impl Averaging {
    /// The averages of a new run.
    pub fn new(config: &RunConfig) -> Self {
        Self {
            method: Method::new(config),
            average: None,
        }
    }

    /// The averages of a run after `steps` and `epochs`, with the average of its checkpoint; `None` if a checkpoint of
    /// these settings would have an average and this one does not, or the other way round.
    pub fn resume(config: &RunConfig, steps: u64, epochs: usize, average: Option<Model>) -> Option<Self> {
        let method = Method::new(config);
        let has_begun = match method {
            Method::Off => false,
            Method::Exponential { .. } => steps > 0,
            Method::LastEpochs { before } => epochs > before,
        };
        (average.is_some() == has_begun).then_some(Self { method, average })
    }

    /// The average, which a checkpoint must keep.
    pub fn average(&self) -> Option<&Model> {
        self.average.as_ref()
    }

    /// The initial weights, if the average begins with them. To be called with the model before each step.
    pub fn initial_weights(&self, model: &Model) -> Option<Weights> {
        let begins = matches!(self.method, Method::Exponential { .. }) && self.average.is_none();
        begins.then(|| Weights::from_model(model))
    }

    /// Adds the weights after a step. `steps` is the number of steps so far, including this one.
    pub fn add_step(&mut self, initial: Option<Weights>, model: &Model, steps: u64) {
        let Method::Exponential { decay } = self.method else {
            return;
        };
        let decay = decay_at(decay, steps);
        // `valid` merges the running statistics of the last step. Burn's batch norm does so only at its next use.
        self.average = Some(match (&self.average, initial) {
            (Some(average), _) => interpolate(average, Weights::from_model(&model.valid()), 1.0 - decay),
            (None, Some(initial)) => interpolate(model, initial, decay),
            (None, None) => model.valid(),
        });
    }

    /// The weights to evaluate after `epoch`, counted from 1, on a device without autodiff.
    pub fn evaluated(&self, model: &Model, epoch: usize) -> Model {
        match (self.method, &self.average) {
            (Method::Exponential { .. }, Some(average)) => average.valid(),
            (Method::LastEpochs { before }, Some(mean)) if epoch > before + 1 => {
                let count = (epoch - before) as f64;
                interpolate(mean, Weights::from_model(&model.valid()), count.recip())
            }
            _ => model.valid(),
        }
    }

    /// Adds the weights after `epoch`, whose [`evaluated`](Self::evaluated) weights are given.
    pub fn add_epoch(&mut self, epoch: usize, evaluated: Model) {
        if let Method::LastEpochs { before } = self.method {
            self.average = (epoch > before).then_some(evaluated);
        }
    }
}

/// The decay at step `step`, counted from 1: lower at first, because the initial weights are far from good ones. As in
/// TensorFlow's `ExponentialMovingAverage` and in `torch_ema`.
fn decay_at(decay: f64, step: u64) -> f64 {
    let step = step as f64;
    decay.min((1.0 + step) / (10.0 + step))
}

/// All float parameters and running statistics of a model, in its order. Burn draws initial weights when they are first
/// read, in the first forward pass. This does not read them, so averaging does not change which ones are drawn.
pub struct Weights(Vec<Box<dyn Any>>);

impl Weights {
    fn from_model(model: &Model) -> Self {
        let mut weights = Self(Vec::new());
        model.visit(&mut weights);
        weights
    }
}

impl ModuleVisitor for Weights {
    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        self.0.push(Box::new(parameter.clone()));
    }
}

/// A copy of `model`, without autodiff, moved towards `target` by `fraction` of the way.
fn interpolate(model: &Model, target: Weights, fraction: f64) -> Model {
    struct Interpolate {
        target: IntoIter<Box<dyn Any>>,
        fraction: f64,
    }
    impl ModuleMapper for Interpolate {
        fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let target = self.target.next().and_then(|target| target.downcast().ok());
            let target: Box<Param<Tensor<D>>> = target.expect("both have the parameters of one model");
            let target = target.val().without_autodiff();
            // This form keeps weights that are equal, such as frozen ones, as they are.
            parameter.map(|value| (target - value.clone()) * self.fraction + value)
        }
    }
    let mut mapper = Interpolate {
        target: target.0.into_iter(),
        fraction,
    };
    // Clones of a model share its running statistics. `valid` copies them.
    model.valid().map(&mut mapper)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loader::LabelsView;
    use crate::models::{ModelKind, export_weights, testing};
    use crate::step::batch::TrainingStep;
    use crate::step::optimization::adam;
    use burn::tensor::Device;
    use safetensors::SafeTensors;
    use std::collections::BTreeMap;
    use std::path::Path;

    type Values = BTreeMap<String, Vec<f64>>;

    fn values(model: &Model) -> Values {
        let bytes = export_weights(&model.valid()).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let tensors = file.tensors().into_iter().map(|(name, tensor)| {
            let values = bytemuck::pod_collect_to_vec::<u8, f32>(tensor.data());
            (name, values.into_iter().map(f64::from).collect())
        });
        tensors.collect()
    }

    fn config(ema: f64, average_last: usize, epochs: usize) -> RunConfig {
        RunConfig {
            ema,
            average_last,
            epochs,
            ..crate::testing::config(Path::new("none"), ModelKind::Cnn2d)
        }
    }

    /// Trains a network with batch norms. Calls `observe` before and after each step with the model, the number of the
    /// step, counted from 1, and whether it was taken.
    fn train(steps: u64, mut observe: impl FnMut(&Model, u64, bool)) {
        let device = Device::flex().autodiff();
        let (mut model, shape) = testing::small_cnn2d(&device);
        let step = TrainingStep::plain(0.1);
        let mut optimizer = adam(0.0);
        for number in 1..=steps {
            observe(&model, number, false);
            let labels = LabelsView::Classes(&[0, 1, 2, 1]);
            let input = testing::input(4, &shape, &device);
            model = step.train(model, &mut optimizer, input, labels, &device, 1.0).0;
            observe(&model, number, true);
        }
    }

    fn assert_close(found: &Values, expected: &Values) {
        assert!(found.keys().eq(expected.keys()));
        assert!(found.keys().any(|name| name.ends_with("running_mean")));
        assert!(found.keys().any(|name| name.ends_with("running_var")));
        for (name, found) in found {
            for (found, expected) in found.iter().zip(&expected[name]) {
                assert!(
                    (found - expected).abs() < 1e-6 * expected.abs().max(1.0),
                    "{name}: {found} instead of {expected}"
                );
            }
        }
    }

    #[test]
    fn decay_rises_to_its_setting() {
        assert_eq!(decay_at(0.999, 1), 2.0 / 11.0);
        assert_eq!(decay_at(0.999, 90), 0.91);
        assert_eq!(decay_at(0.999, 100_000), 0.999);
        assert_eq!(decay_at(0.1, 1), 0.1);
    }

    #[test]
    fn exponential_average_equals_a_loop_in_double_precision_with_running_statistics() {
        let mut averaging = Averaging::new(&config(0.7, 0, 1));
        let (mut initial, mut expected) = (None, Values::new());
        train(20, |model, number, is_after| {
            if !is_after {
                initial = averaging.initial_weights(model);
                assert_eq!(initial.is_some(), number == 1);
                if number == 1 {
                    expected = values(model);
                }
                return;
            }
            averaging.add_step(initial.take(), model, number);
            let decay = f64::min(0.7, (1 + number) as f64 / (10 + number) as f64);
            let now = values(model);
            for (name, average) in &mut expected {
                for (average, now) in average.iter_mut().zip(&now[name]) {
                    *average = decay * *average + (1.0 - decay) * now;
                }
            }
            assert_close(&values(&averaging.evaluated(model, 1)), &expected);
            assert_ne!(now, expected);
        });
    }

    #[test]
    fn mean_of_the_last_epochs_equals_the_mean_of_their_weights() {
        // Three of five epochs, of two steps each.
        let mut averaging = Averaging::new(&config(0.0, 3, 5));
        let mut ends: Vec<Values> = Vec::new();
        train(10, |model, number, is_after| {
            assert!(averaging.initial_weights(model).is_none());
            if !is_after {
                return;
            }
            averaging.add_step(None, model, number);
            if number % 2 == 1 {
                return;
            }
            ends.push(values(model));
            let averaged = &ends[2.min(ends.len() - 1)..];
            let mut expected = averaged[0].clone();
            for (name, mean) in &mut expected {
                for (at, mean) in mean.iter_mut().enumerate() {
                    let sum: f64 = averaged.iter().map(|end| end[name][at]).sum();
                    *mean = sum / averaged.len() as f64;
                }
            }
            let epoch = ends.len();
            if epoch < 3 {
                expected = ends[epoch - 1].clone();
            }
            let evaluated = averaging.evaluated(model, epoch);
            assert_close(&values(&evaluated), &expected);
            // The evaluation may be stopped and repeated.
            assert_eq!(values(&averaging.evaluated(model, epoch)), values(&evaluated));
            averaging.add_epoch(epoch, evaluated);
            assert_eq!(averaging.average().is_some(), epoch >= 3);
        });
    }

    #[test]
    fn without_averaging_the_plain_weights_are_evaluated() {
        let mut averaging = Averaging::new(&config(0.0, 0, 5));
        train(2, |model, number, is_after| {
            assert!(averaging.initial_weights(model).is_none());
            if is_after {
                averaging.add_step(None, model, number);
                assert_eq!(values(&averaging.evaluated(model, 1)), values(model));
                averaging.add_epoch(1, model.valid());
                assert!(averaging.average().is_none());
            }
        });
    }

    #[test]
    fn checkpoint_must_fit_the_settings() {
        let model = || testing::model(ModelKind::MfccDense, 3, &Device::flex());
        let fits = |config: RunConfig, steps, epochs, has_average: bool| {
            Averaging::resume(&config, steps, epochs, has_average.then(model)).is_some()
        };
        assert!(fits(config(0.0, 0, 5), 7, 3, false) && !fits(config(0.0, 0, 5), 7, 3, true));
        assert!(fits(config(0.9, 0, 5), 7, 0, true) && !fits(config(0.9, 0, 5), 7, 0, false));
        assert!(fits(config(0.9, 0, 5), 0, 0, false));
        assert!(fits(config(0.0, 2, 5), 7, 3, false) && !fits(config(0.0, 2, 5), 7, 3, true));
        assert!(fits(config(0.0, 2, 5), 9, 4, true) && !fits(config(0.0, 2, 5), 9, 4, false));
    }
}
