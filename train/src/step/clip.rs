//! Clips the gradient by its norm over all parameters, like `torch.nn.utils.clip_grad_norm_`. Burn 0.22 clips each
//! parameter by its own norm instead, which changes the direction of the gradient.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

/// PyTorch adds it to the norm before dividing.
const EPSILON: f64 = 1e-6;

/// Scales all `gradients` of `model` by the same factor, at most 1, to a norm of at most `largest`. The factor stays on
/// the device, so the host does not wait for the backward pass.
pub fn clip_grad_norm<M: Module>(model: &M, gradients: GradientsParams, largest: f64) -> GradientsParams {
    let mut squares = Squares {
        gradients: &gradients,
        sum: None,
    };
    model.visit(&mut squares);
    let Some(sum) = squares.sum else {
        return gradients;
    };
    let factor = sum
        .sqrt()
        .add_scalar(EPSILON)
        .recip()
        .mul_scalar(largest)
        .clamp_max(1.0);
    let mut scale = Scale { gradients, factor };
    model.visit(&mut scale);
    scale.gradients
}

/// Adds the squares of all gradients, in the order of the parameters.
struct Squares<'a> {
    gradients: &'a GradientsParams,
    sum: Option<Tensor<1>>,
}

impl ModuleVisitor for Squares<'_> {
    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(parameter.id) {
            let square = gradient.square().sum();
            self.sum = Some(match self.sum.take() {
                Some(sum) => sum + square,
                None => square,
            });
        }
    }
}

struct Scale {
    gradients: GradientsParams,
    factor: Tensor<1>,
}

impl ModuleVisitor for Scale {
    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.remove::<D>(parameter.id) {
            let scaled = gradient * self.factor.clone().reshape([1; D]);
            self.gradients.register(parameter.id, scaled);
        }
    }
}
