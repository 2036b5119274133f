//! Mixup (Zhang et al. 2018) on the device: each clip of a batch is mixed with the next one.
//!
//! Model input is mixed, so it does not matter where it was computed.

use crate::models::ModelInput;
use burn::tensor::{Device, Tensor, TensorData};

/// Mixes every input. `lambdas` has the fraction of each clip itself; the rest is the next clip, for the last one the
/// first. Without `lambdas` nothing changes.
pub fn mix(input: ModelInput, lambdas: &[f32], device: &Device) -> ModelInput {
    if lambdas.is_empty() {
        return input;
    }
    ModelInput {
        waveform: input.waveform.map(|tensor| mix_clips(tensor, lambdas, device)),
        spectrogram: input.spectrogram.map(|tensor| mix_clips(tensor, lambdas, device)),
        statistics: input.statistics.map(|tensor| mix_clips(tensor, lambdas, device)),
    }
}

fn mix_clips<const D: usize>(clips: Tensor<D>, lambdas: &[f32], device: &Device) -> Tensor<D> {
    let count = lambdas.len();
    let mut shape = [1; D];
    shape[0] = count;
    let weights = |values: Vec<f32>| Tensor::<D>::from_data(TensorData::new(values, shape), device);
    let own = weights(lambdas.to_vec());
    let partner = weights(lambdas.iter().map(|lambda| 1.0 - lambda).collect());
    let partners = Tensor::cat(
        vec![clips.clone().narrow(0, 1, count - 1), clips.clone().narrow(0, 0, 1)],
        0,
    );
    clips * own + partners * partner
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_input_is_mixed_with_that_of_the_next_clip() {
        let device = Device::flex().autodiff();
        let values = [1.0, 10.0, 2.0, 20.0, 4.0, 40.0];
        let tensor = || TensorData::new(values.to_vec(), [3, 2]);
        let input = ModelInput {
            waveform: Some(Tensor::<2>::from_data(tensor(), &device).reshape([3, 1, 2])),
            spectrogram: Some(Tensor::<2>::from_data(tensor(), &device).reshape([3, 1, 2, 1])),
            statistics: Some(Tensor::from_data(tensor(), &device)),
        };
        let expected = [1.25, 12.5, 3.0, 30.0, 4.0, 40.0];
        let mixed = mix(input.clone(), &[0.75, 0.5, 1.0], &device);
        assert_eq!(mixed.waveform().dims(), [3, 1, 2]);
        assert!(!mixed.spectrogram().is_tracked());
        for made in [
            mixed.waveform().flatten::<2>(1, 2),
            mixed.spectrogram().flatten::<2>(1, 3),
            mixed.statistics(),
        ] {
            assert_eq!(made.into_data().try_to_vec::<f32>().unwrap(), expected);
        }
        let same = mix(input, &[], &device).statistics();
        assert_eq!(same.into_data().try_to_vec::<f32>().unwrap(), values);
    }
}
