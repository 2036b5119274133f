//! Where tensors live: the CPU, or a CUDA device where that is built in and a driver answers.

use burn::tensor::Device;

/// A device by the name that the command line gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceChoice {
    /// CUDA where it can be had, else the CPU.
    Auto,
    Cpu,
    /// A CUDA device by its number.
    Cuda(usize),
}

/// A device that cannot be had.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DeviceError {
    /// A name that is none.
    #[error("`{0}` is no device; use auto, cpu, cuda or cuda:N")]
    Unknown(String),
    /// CUDA was asked for and is not built in.
    #[error(
        "this program was built without CUDA; build it with `cargo build --release -p train --features cuda`, or \
             use --device cpu"
    )]
    NotBuiltIn,
    /// CUDA was asked for and does not answer.
    #[error("CUDA device {index} does not answer: {detail}; check the driver with nvidia-smi, or use --device cpu")]
    NoAnswer {
        index: usize,
        /// What the attempt ended with.
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
    /// An error where this program was built without what the device needs. Does not ask the device, so that no memory of
    /// it is taken.
    pub fn check_built_in(self) -> Result<(), DeviceError> {
        match self {
            Self::Cuda(_) if !cfg!(feature = "cuda") => Err(DeviceError::NotBuiltIn),
            _ => Ok(()),
        }
    }

    /// One device, or several with commas between, where a number alone is a CUDA device's.
    pub fn parse_list(names: &str) -> Result<Vec<Self>, DeviceError> {
        let parse = |name: &str| match name.parse() {
            Ok(index) => Ok(Self::Cuda(index)),
            Err(_) => name.parse(),
        };
        names.split(',').map(parse).collect()
    }

    /// The device, and its name for people.
    pub fn open(self) -> Result<(Device, String), DeviceError> {
        match self {
            Self::Cpu => Ok(cpu()),
            Self::Cuda(index) => open_cuda(index),
            Self::Auto => Ok(cuda_or_cpu(open_cuda(0), |reason| tracing::warn!("{reason}"))),
        }
    }
}

/// The device that CUDA gave, or else the CPU. `report` gets the reason, unless the program was built for the CPU alone.
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

/// Burn panics where no driver answers, so the first use is tried behind `catch_unwind`.
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

/// What came of the first use of a CUDA device: its result, or what it panicked with.
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
    fn names_are_read() {
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
    fn lists_are_read() {
        use DeviceChoice::{Cpu, Cuda};
        assert_eq!(DeviceChoice::parse_list("0,1"), Ok(vec![Cuda(0), Cuda(1)]));
        assert_eq!(DeviceChoice::parse_list("cpu,cpu"), Ok(vec![Cpu, Cpu]));
        assert_eq!(DeviceChoice::parse_list("cuda:2"), Ok(vec![Cuda(2)]));
        assert_eq!(DeviceChoice::parse_list("0,"), Err(DeviceError::Unknown(String::new())));
    }

    #[test]
    fn a_fall_back_to_the_cpu_says_why() {
        let panicked = std::panic::catch_unwind(|| -> Result<(Device, String), String> {
            std::panic::resume_unwind(Box::new(String::from("libcuda.so was not found")))
        });
        let mut said = String::new();
        let (device, name) = cuda_or_cpu(answer(0, panicked), |reason| said = reason.to_owned());
        assert_eq!((device, name.as_str()), (Device::flex(), "cpu"));
        assert_eq!(
            said,
            "--device auto falls back to the CPU: CUDA device 0 does not answer: libcuda.so was not found; check the driver \
             with nvidia-smi, or use --device cpu"
        );
        let wrong = answer::<()>(3, Ok(Err("1 + 2 gave 4".into()))).unwrap_err();
        assert!(
            wrong.to_string().contains("device 3") && wrong.to_string().contains("gave 4"),
            "{wrong}"
        );
        assert_eq!(answer(0, Ok(Ok(7))), Ok(7));
        // A program that was built without CUDA has nothing to explain.
        cuda_or_cpu(Err(DeviceError::NotBuiltIn), |reason| panic!("{reason}"));
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn without_cuda_auto_is_the_cpu_and_cuda_is_a_sentence() {
        assert_eq!(DeviceChoice::Auto.open().unwrap().1, "cpu");
        assert_eq!(DeviceChoice::Cuda(0).open().unwrap_err(), DeviceError::NotBuiltIn);
        assert_eq!(DeviceChoice::Cuda(0).check_built_in(), Err(DeviceError::NotBuiltIn));
        assert_eq!(DeviceChoice::Auto.check_built_in(), Ok(()));
    }
}
