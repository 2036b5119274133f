//! Layers with Keras' weight initialization, Glorot uniform and zero biases, for the papers that used Keras. Burn's
//! defaults are PyTorch's.

use burn::module::Initializer;
use burn::nn::conv::{Conv1d, Conv1dConfig, Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig1d, PaddingConfig2d};
use burn::tensor::Device;

const GLOROT_UNIFORM: Initializer = Initializer::XavierUniform { gain: 1.0 };

/// A convolution with stride 1 and "same" padding.
pub fn conv2d(channels: [usize; 2], kernel: [usize; 2], device: &Device) -> Conv2d {
    padded_conv2d(channels, kernel, PaddingConfig2d::Same, device)
}

/// A convolution with stride 1 and "valid" padding, which is Keras' default.
pub fn valid_conv2d(channels: [usize; 2], kernel: [usize; 2], device: &Device) -> Conv2d {
    padded_conv2d(channels, kernel, PaddingConfig2d::Valid, device)
}

fn padded_conv2d(channels: [usize; 2], kernel: [usize; 2], padding: PaddingConfig2d, device: &Device) -> Conv2d {
    let config = Conv2dConfig::new(channels, kernel).with_padding(padding);
    let mut layer = config.with_initializer(GLOROT_UNIFORM).init(device);
    layer.bias = Some(Initializer::Zeros.init([channels[1]], device));
    layer
}

/// A convolution over time with stride 1 and "valid" padding.
pub fn valid_conv1d(channels: [usize; 2], kernel: usize, device: &Device) -> Conv1d {
    let config = Conv1dConfig::new(channels[0], channels[1], kernel).with_padding(PaddingConfig1d::Valid);
    let mut layer = config.with_initializer(GLOROT_UNIFORM).init(device);
    layer.bias = Some(Initializer::Zeros.init([channels[1]], device));
    layer
}

/// Batch norm with Keras' epsilon. Keras' momentum is the share of the old running statistics, Burn's of the new ones.
pub fn batch_norm(channels: usize, momentum: f64, device: &Device) -> BatchNorm {
    let config = BatchNormConfig::new(channels).with_epsilon(1e-3);
    config.with_momentum(1.0 - momentum).init(device)
}

pub fn dense(inputs: usize, outputs: usize, device: &Device) -> Linear {
    let config = LinearConfig::new(inputs, outputs);
    let mut layer = config.with_initializer(GLOROT_UNIFORM).init(device);
    layer.bias = Some(Initializer::Zeros.init([outputs], device));
    layer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_glorot_uniform_and_biases_zero() {
        let device = Device::flex();
        let (conv, dense) = (conv2d([32, 64], [3, 5], &device), dense(300, 180, &device));
        for (largest, fans) in [
            (conv.weight.val().abs().max().into_scalar::<f32>(), 15 * (32 + 64)),
            (dense.weight.val().abs().max().into_scalar::<f32>(), 300 + 180),
        ] {
            let limit = (6.0 / fans as f32).sqrt();
            assert!(
                (0.99 * limit..=limit).contains(&largest),
                "largest weight {largest}, limit {limit}"
            );
        }
        for bias in [conv.bias, dense.bias] {
            assert_eq!(bias.expect("a bias").val().abs().max().into_scalar::<f32>(), 0.0);
        }
    }
}
