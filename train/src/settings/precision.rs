//! The floating-point type that the encoders compute in.

use burn::tensor::{DType, Device, FloatDType};
use serde::{Deserialize, Serialize};

/// The precision of a run. Weights, optimizer, batch norm's statistics, the layers after the encoders and the loss are
/// always in f32. bfloat16 has the range of f32, so its gradients need no scaling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// tf32 on a GPU with CUDA, else f32.
    #[default]
    Auto,
    /// IEEE single precision.
    F32,
    /// Single precision on the tensor cores of an NVIDIA GPU; factors may be rounded to 10 bits of mantissa.
    Tf32,
    /// Convolutions in bfloat16, like PyTorch's autocast.
    Bf16,
}

/// A precision that the device does not support.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PrecisionError {
    /// Burn chooses kernels by speed alone, and the fast f32 kernels use TF32.
    #[error(
        "Burn 0.22 rounds f32 products to TF32 on a CUDA device if that is faster, and has no option to turn this off; use \
         --precision tf32 or bf16 there, or another device"
    )]
    NoPlainF32,
    /// TF32 is a format of NVIDIA's tensor cores.
    #[error("only CUDA devices support TF32; use --precision f32")]
    NoTf32,
    #[error("this device does not support bfloat16; use --precision auto")]
    NoBf16,
}

impl Precision {
    /// The type of the encoders' activations on `device`.
    pub fn dtype(self, device: &Device) -> Result<FloatDType, PrecisionError> {
        match self {
            Self::Auto => Ok(FloatDType::F32),
            Self::F32 if is_cuda(device) => Err(PrecisionError::NoPlainF32),
            Self::F32 => Ok(FloatDType::F32),
            Self::Tf32 if is_cuda(device) => Ok(FloatDType::F32),
            Self::Tf32 => Err(PrecisionError::NoTf32),
            Self::Bf16 if device.supports_dtype(DType::BF16) => Ok(FloatDType::BF16),
            Self::Bf16 => Err(PrecisionError::NoBf16),
        }
    }

    /// The name of the type that is used on `device`.
    pub fn name(self, device: &Device) -> &'static str {
        match self {
            Self::Auto if is_cuda(device) => "tf32",
            Self::Auto | Self::F32 => "f32",
            Self::Tf32 => "tf32",
            Self::Bf16 => "bf16",
        }
    }
}

#[cfg(feature = "cuda")]
fn is_cuda(device: &Device) -> bool {
    // CUDA kernels are compiled to PTX.
    device
        .identity()
        .is_some_and(|identity| identity.fingerprint.starts_with("ptx"))
}

#[cfg(not(feature = "cuda"))]
fn is_cuda(_: &Device) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_supports_f32_and_bf16_but_not_tf32() {
        let cpu = Device::flex();
        assert_eq!(Precision::Auto.dtype(&cpu), Ok(FloatDType::F32));
        assert_eq!(Precision::F32.dtype(&cpu.clone().autodiff()), Ok(FloatDType::F32));
        assert_eq!(Precision::Tf32.dtype(&cpu), Err(PrecisionError::NoTf32));
        assert_eq!(Precision::Bf16.dtype(&cpu), Ok(FloatDType::BF16));
        assert_eq!(Precision::Auto.name(&cpu), "f32");
    }
}
