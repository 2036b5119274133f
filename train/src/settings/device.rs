//! Chooses the device: the CPU, or a CUDA device if CUDA is built in and its driver works.

use burn::tensor::Device;

/// A device as named on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first CUDA device if it works, else the CPU.
    Auto,
    Cpu,
    /// A CUDA device by its index.
    Cuda(usize),
}

/// A device that cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DeviceError {
    #[error("unknown device `{0}`; use auto, cpu, cuda or cuda:N")]
    Unknown(String),
    /// CUDA was requested but is not built in.
    #[error(
        "this program was built without CUDA; build it with `cargo build --release -p train --features cuda`, or \
             use --device cpu"
    )]
    NotBuiltIn,
    /// CUDA was requested but does not work.
    #[error("CUDA device {index} does not answer: {detail}; check the driver with nvidia-smi, or use --device cpu")]
    NoAnswer {
        index: usize,
        /// The error of the first computation on the device.
        detail: String,
    },
}

impl std::str::FromStr for DeviceChoice {
    type Err = DeviceError;

    fn from_str(name: &str) -> Result<Self, DeviceError> {
        let unknown = || DeviceError::Unknown(name.to_owned());
        match name.split_once(':') {
            None if name == "auto" => Ok(Self::Auto),
            None if name == "cpu" => Ok(Self::Cpu),
            None if name == "cuda" => Ok(Self::Cuda(0)),
            Some(("cuda", index)) => index.parse().map(Self::Cuda).map_err(|_| unknown()),
            _ => Err(unknown()),
        }
    }
}

impl std::fmt::Display for DeviceChoice {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Auto => formatter.write_str("auto"),
            Self::Cpu => formatter.write_str("cpu"),
            Self::Cuda(index) => write!(formatter, "cuda:{index}"),
        }
    }
}

impl DeviceChoice {
    /// An error if CUDA is needed but not built in. Does not open the device, which would allocate memory on it.
    pub fn check_built_in(self) -> Result<(), DeviceError> {
        match self {
            Self::Cuda(_) if !cfg!(feature = "cuda") => Err(DeviceError::NotBuiltIn),
            _ => Ok(()),
        }
    }

    /// Parses devices separated by commas. A bare number is the index of a CUDA device.
    pub fn parse_list(names: &str) -> Result<Vec<Self>, DeviceError> {
        let parse = |name: &str| match name.parse() {
            Ok(index) => Ok(Self::Cuda(index)),
            Err(_) => name.parse(),
        };
        names.split(',').map(parse).collect()
    }

    /// Opens the device; returns it with its name for the log.
    pub fn open(self) -> Result<(Device, String), DeviceError> {
        match self {
            Self::Cpu => Ok(cpu()),
            Self::Cuda(index) => open_cuda(index),
            Self::Auto => Ok(cuda_or_cpu(open_cuda(0), |reason| tracing::warn!("{reason}"))),
        }
    }
}

/// The opened CUDA device, or else the CPU. `report` gets the reason, except in a program built without CUDA.
fn cuda_or_cpu(cuda: Result<(Device, String), DeviceError>, report: impl FnOnce(&str)) -> (Device, String) {
    cuda.unwrap_or_else(|error| {
        if error != DeviceError::NotBuiltIn {
            report(&format!("--device auto falls back to the CPU: {error}"));
        }
        cpu()
    })
}

fn cpu() -> (Device, String) {
    (Device::flex(), "cpu".into())
}

#[cfg(not(feature = "cuda"))]
fn open_cuda(_: usize) -> Result<(Device, String), DeviceError> {
    Err(DeviceError::NotBuiltIn)
}

/// Burn panics if the driver does not answer, so the first computation runs inside `catch_unwind`.
#[cfg(feature = "cuda")]
fn open_cuda(index: usize) -> Result<(Device, String), DeviceError> {
    use burn::tensor::Tensor;
    let attempt = || -> Result<Device, String> {
        let device = Device::cuda(index);
        let sum = Tensor::<1>::from_floats([1.0, 2.0], &device).sum().into_data();
        match sum.try_to_vec::<f32>() {
            Ok(values) if values == [3.0] => Ok(device),
            other => Err(format!("1 + 2 gave {other:?}")),
        }
    };
    let silent = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let outcome = std::panic::catch_unwind(attempt);
    std::panic::set_hook(silent);
    let device = answer(index, outcome)?;
    Ok((device, format!("cuda:{index}")))
}

/// Turns the outcome of the first computation on a CUDA device, which may be a panic, into a result.
#[cfg(any(feature = "cuda", test))]
fn answer<T>(index: usize, outcome: std::thread::Result<Result<T, String>>) -> Result<T, DeviceError> {
    let detail = match outcome {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(detail)) => detail,
        Err(panic) => panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_else(|| "the driver could not be loaded".into()),
    };
    Err(DeviceError::NoAnswer { index, detail })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_names_are_parsed() {
        assert_eq!("auto".parse(), Ok(DeviceChoice::Auto));
        assert_eq!("cpu".parse(), Ok(DeviceChoice::Cpu));
        assert_eq!("cuda".parse(), Ok(DeviceChoice::Cuda(0)));
        assert_eq!("cuda:3".parse(), Ok(DeviceChoice::Cuda(3)));
        for name in ["auto", "cpu", "cuda:3"] {
            assert_eq!(name.parse::<DeviceChoice>().unwrap().to_string(), name);
        }
        for name in ["", "gpu", "cuda:", "cuda:x", "cpu:1"] {
            assert_eq!(name.parse::<DeviceChoice>(), Err(DeviceError::Unknown(name.into())));
        }
    }

    #[test]
    fn device_lists_are_parsed() {
        use DeviceChoice::{Cpu, Cuda};
        assert_eq!(DeviceChoice::parse_list("0,1"), Ok(vec![Cuda(0), Cuda(1)]));
        assert_eq!(DeviceChoice::parse_list("cpu,cpu"), Ok(vec![Cpu, Cpu]));
        assert_eq!(DeviceChoice::parse_list("cuda:2"), Ok(vec![Cuda(2)]));
        assert_eq!(DeviceChoice::parse_list("0,"), Err(DeviceError::Unknown(String::new())));
    }

    #[test]
    fn fallback_to_the_cpu_reports_the_reason() {
        let panicked = std::panic::catch_unwind(|| -> Result<(Device, String), String> {
            std::panic::resume_unwind(Box::new(String::from("libcuda.so was not found")))
        });
        let mut reported = String::new();
        let (device, name) = cuda_or_cpu(answer(0, panicked), |reason| reported = reason.to_owned());
        assert_eq!((device, name.as_str()), (Device::flex(), "cpu"));
        assert_eq!(
            reported,
            "--device auto falls back to the CPU: CUDA device 0 does not answer: libcuda.so was not found; check the driver \
             with nvidia-smi, or use --device cpu"
        );
        let wrong = answer::<()>(3, Ok(Err("1 + 2 gave 4".into()))).unwrap_err();
        assert!(
            wrong.to_string().contains("device 3") && wrong.to_string().contains("gave 4"),
            "{wrong}"
        );
        assert_eq!(answer(0, Ok(Ok(7))), Ok(7));
        // No report in a program that was built without CUDA.
        cuda_or_cpu(Err(DeviceError::NotBuiltIn), |reason| panic!("{reason}"));
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn without_cuda_auto_uses_the_cpu_and_cuda_is_an_error() {
        assert_eq!(DeviceChoice::Auto.open().unwrap().1, "cpu");
        assert_eq!(DeviceChoice::Cuda(0).open().unwrap_err(), DeviceError::NotBuiltIn);
        assert_eq!(DeviceChoice::Cuda(0).check_built_in(), Err(DeviceError::NotBuiltIn));
        assert_eq!(DeviceChoice::Auto.check_built_in(), Ok(()));
    }
}
