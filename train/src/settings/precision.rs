//! In which numbers the encoders compute.

use burn::tensor::{DType, Device, FloatDType};
use serde::{Deserialize, Serialize};

/// A run's arithmetic. Weights, optimizer, batch norm's statistics, the layers behind the encoders and the loss are in
/// f32 always; bfloat16 has the range of f32, so its gradients need no scaling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// tf32 on a GPU, f32 on the CPU.
    #[default]
    Auto,
    /// IEEE single precision.
    F32,
    /// Single precision whose products may be rounded to 10 bits, on a GPU's tensor cores.
    Tf32,
    /// Convolutions in bfloat16, as PyTorch's autocast has them.
    Bf16,
}

/// A precision that the device does not have.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PrecisionError {
    /// Burn chooses among kernels by their speed alone, and the fast ones for f32 are TF32.
    #[error(
        "f32 products on a GPU are rounded to TF32 wherever that is faster, which Burn 0.22 cannot be kept from; \
             use --precision tf32 or bf16 there, or --device cpu"
    )]
    NoPlainF32,
    /// TF32 is a format of NVIDIA's tensor cores.
    #[error("the CPU has no TF32; use --precision f32")]
    NoTf32,
    /// The device cannot compute in bfloat16.
    #[error("this device has no bfloat16 arithmetic; use --precision tf32")]
    NoBf16,
}

impl Precision {
    /// The type of the encoders' activations on `device`.
    pub fn dtype(self, device: &Device) -> Result<FloatDType, PrecisionError> {
        let cpu = device.clone().without_autodiff() == Device::flex();
        match self {
            Self::Auto => Ok(FloatDType::F32),
            Self::F32 if cpu => Ok(FloatDType::F32),
            Self::F32 => Err(PrecisionError::NoPlainF32),
            Self::Tf32 if cpu => Err(PrecisionError::NoTf32),
            Self::Tf32 => Ok(FloatDType::F32),
            Self::Bf16 if device.supports_dtype(DType::BF16) => Ok(FloatDType::BF16),
            Self::Bf16 => Err(PrecisionError::NoBf16),
        }
    }

    /// The name of what is computed in.
    pub fn name(self, on_cpu: bool) -> &'static str {
        match self {
            Self::Auto if on_cpu => "f32",
            Self::Auto => "tf32",
            Self::F32 => "f32",
            Self::Tf32 => "tf32",
            Self::Bf16 => "bf16",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_computes_in_what_it_has() {
        let cpu = Device::flex();
        assert_eq!(Precision::Auto.dtype(&cpu), Ok(FloatDType::F32));
        assert_eq!(Precision::F32.dtype(&cpu.clone().autodiff()), Ok(FloatDType::F32));
        assert_eq!(Precision::Tf32.dtype(&cpu), Err(PrecisionError::NoTf32));
        assert_eq!(Precision::Bf16.dtype(&cpu), Ok(FloatDType::BF16));
    }
}
