//! Adadelta (Zeiler 2012) as in PyTorch. Burn 0.22 does not have it.

use burn::optim::{ModuleOptimizer, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor};

/// `torch.optim.Adadelta(rho=0.9, eps=1e-6, weight_decay=…)`.
#[derive(Clone, Debug)]
struct Adadelta {
    rho: f64,
    epsilon: f64,
    weight_decay: f64,
}

/// The optimizer of a whole model.
pub fn adadelta(weight_decay: f32) -> ModuleOptimizer {
    ModuleOptimizer::from(Adadelta {
        rho: 0.9,
        epsilon: 1e-6,
        weight_decay: weight_decay.into(),
    })
}

/// The state of one parameter, under PyTorch's names.
#[derive(Clone, Debug)]
struct AdadeltaState<const D: usize> {
    /// Moving average of squared gradients.
    square_avg: Tensor<D>,
    /// Moving average of squared changes.
    acc_delta: Tensor<D>,
}

const SQUARE_AVG: &str = "square_avg";
const ACC_DELTA: &str = "acc_delta";

// Burn's derive macro works only in Burn's own crate.
impl<const D: usize> RecordState for AdadeltaState<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        out.push_tensor(prefix, SQUARE_AVG, self.square_avg.to_data());
        out.push_tensor(prefix, ACC_DELTA, self.acc_delta.to_data());
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, device: &Device) -> Option<Self> {
        let mut tensor = |name| Some(Tensor::from_data(source.take_tensor(prefix, name)?, device));
        Some(Self {
            square_avg: tensor(SQUARE_AVG)?,
            acc_delta: tensor(ACC_DELTA)?,
        })
    }
}

impl Optimizer for Adadelta {
    type State<const D: usize> = AdadeltaState<D>;

    fn step<const D: usize>(
        &self,
        lr: f64,
        parameter: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let gradient = if self.weight_decay == 0.0 {
            gradient
        } else {
            gradient + parameter.clone().mul_scalar(self.weight_decay)
        };
        let state = state.unwrap_or_else(|| AdadeltaState {
            square_avg: gradient.zeros_like(),
            acc_delta: gradient.zeros_like(),
        });
        let average =
            |old: Tensor<D>, new: Tensor<D>| old.mul_scalar(self.rho) + new.square().mul_scalar(1.0 - self.rho);
        let root = |average: Tensor<D>| average.add_scalar(self.epsilon).sqrt();
        let square_avg = average(state.square_avg, gradient.clone());
        let change = root(state.acc_delta.clone()) / root(square_avg.clone()) * gradient;
        let acc_delta = average(state.acc_delta, change.clone());
        let state = AdadeltaState { square_avg, acc_delta };
        (parameter - change.mul_scalar(lr), Some(state))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        AdadeltaState {
            square_avg: state.square_avg.to_device(device),
            acc_delta: state.acc_delta.to_device(device),
        }
    }
}
