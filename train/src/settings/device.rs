//! Chooses the device: the CPU, an NVIDIA GPU through CUDA, or any GPU through Vulkan, Metal or DirectX 12.

#[cfg(any(feature = "cuda", feature = "gpu", test))]
mod answer;
#[cfg(feature = "gpu")]
mod graphics;
mod list;

pub use list::{ListedDevice, list};

use burn::tensor::Device;

/// A device as named on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first that answers of a CUDA device and [`Gpu`](Self::Gpu), else the CPU.
    Auto,
    Cpu,
    /// A CUDA device by its index.
    Cuda(usize),
    /// The first GPU of any graphics API, but no software device.
    Gpu,
    /// A device of a graphics API by its place in [`list()`]. It may be a software device.
    Graphics(GraphicsApi, usize),
}

/// In the order in which [`DeviceChoice::Gpu`] tries them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GraphicsApi {
    Metal,
    Vulkan,
    Dx12,
}

impl GraphicsApi {
    const ALL: [Self; 3] = [Self::Metal, Self::Vulkan, Self::Dx12];

    fn name(self) -> &'static str {
        match self {
            Self::Metal => "metal",
            Self::Vulkan => "vulkan",
            Self::Dx12 => "dx12",
        }
    }
}

/// A device that cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DeviceError {
    #[error("unknown device `{0}`; use auto, cpu, gpu, cuda, vulkan, metal or dx12; `train devices` lists all")]
    Unknown(String),
    /// The program was built without the feature that the device needs.
    #[error(
        "this program was built without {name}; build it with `cargo build --release -p train --features {feature}`, or use \
         --device cpu"
    )]
    NotBuiltIn { name: &'static str, feature: &'static str },
    /// No such device, or no GPU at all.
    #[error("{0} was not found; `train devices` lists all devices")]
    Missing(String),
    #[error("{name} does not answer: {detail}; check its driver{with}, or use --device cpu")]
    NoAnswer {
        name: String,
        /// The error of the first computation on the device.
        detail: String,
        /// How to check it, such as ` with nvidia-smi`.
        with: &'static str,
    },
}

const CUDA_NOT_BUILT_IN: DeviceError = DeviceError::NotBuiltIn {
    name: "CUDA",
    feature: "cuda",
};
const GPU_NOT_BUILT_IN: DeviceError = DeviceError::NotBuiltIn {
    name: "Vulkan, Metal and DirectX",
    feature: "gpu",
};

impl std::str::FromStr for DeviceChoice {
    type Err = DeviceError;

    fn from_str(name: &str) -> Result<Self, DeviceError> {
        let unknown = || DeviceError::Unknown(name.to_owned());
        let (kind, index) = match name.split_once(':') {
            Some((kind, index)) => (kind, Some(index.parse().map_err(|_| unknown())?)),
            None => (name, None),
        };
        match (kind, index) {
            ("auto", None) => Ok(Self::Auto),
            ("cpu", None) => Ok(Self::Cpu),
            ("gpu", None) => Ok(Self::Gpu),
            ("cuda", index) => Ok(Self::Cuda(index.unwrap_or(0))),
            _ => GraphicsApi::ALL
                .into_iter()
                .find(|api| api.name() == kind)
                .map(|api| Self::Graphics(api, index.unwrap_or(0)))
                .ok_or_else(unknown),
        }
    }
}

impl std::fmt::Display for DeviceChoice {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Auto => formatter.write_str("auto"),
            Self::Cpu => formatter.write_str("cpu"),
            Self::Gpu => formatter.write_str("gpu"),
            Self::Cuda(index) => write!(formatter, "cuda:{index}"),
            Self::Graphics(api, index) => write!(formatter, "{}:{index}", api.name()),
        }
    }
}

impl DeviceChoice {
    /// An error if the device needs a feature that is not built in. Does not open the device, which would allocate
    /// memory on it.
    pub fn check_built_in(self) -> Result<(), DeviceError> {
        match self {
            Self::Cuda(_) if !cfg!(feature = "cuda") => Err(CUDA_NOT_BUILT_IN),
            Self::Gpu | Self::Graphics(..) if !cfg!(feature = "gpu") => Err(GPU_NOT_BUILT_IN),
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
            #[cfg(feature = "cuda")]
            Self::Cuda(index) => {
                let name = self.to_string();
                let device = answer::answering(&name, " with nvidia-smi", || Ok(Device::cuda(index)))?;
                Ok((device, name))
            }
            #[cfg(feature = "gpu")]
            Self::Gpu => graphics::open_first(),
            #[cfg(feature = "gpu")]
            Self::Graphics(api, index) => graphics::open(api, index),
            #[cfg(not(feature = "cuda"))]
            Self::Cuda(_) => Err(CUDA_NOT_BUILT_IN),
            #[cfg(not(feature = "gpu"))]
            Self::Gpu | Self::Graphics(..) => Err(GPU_NOT_BUILT_IN),
            Self::Auto => Ok(first_of([Self::Cuda(0), Self::Gpu].map(Self::open), |reason| {
                tracing::warn!("{reason}")
            })),
        }
    }
}

/// The first opened device, or else the CPU. `report` gets the reasons against those before it, except that they are
/// not built in.
fn first_of(
    devices: impl IntoIterator<Item = Result<(Device, String), DeviceError>>,
    report: impl FnOnce(&str),
) -> (Device, String) {
    let mut reasons = Vec::new();
    let mut found = None;
    for device in devices {
        match device {
            Ok(device) => {
                found = Some(device);
                break;
            }
            Err(DeviceError::NotBuiltIn { .. }) => {}
            Err(error) => reasons.push(error.to_string()),
        }
    }
    let device = found.unwrap_or_else(cpu);
    if !reasons.is_empty() {
        report(&format!("--device auto uses {}: {}", device.1, reasons.join("; ")));
    }
    device
}

fn cpu() -> (Device, String) {
    (Device::flex(), "cpu".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_names_are_parsed() {
        for name in ["auto", "cpu", "gpu", "cuda:3", "vulkan:1", "metal:0", "dx12:2"] {
            assert_eq!(name.parse::<DeviceChoice>().unwrap().to_string(), name);
        }
        assert_eq!("cuda".parse(), Ok(DeviceChoice::Cuda(0)));
        assert_eq!("vulkan".parse(), Ok(DeviceChoice::Graphics(GraphicsApi::Vulkan, 0)));
        for name in ["", "cuda:", "cuda:x", "cpu:1", "gpu:0", "vulkan:-1", "opengl"] {
            assert_eq!(name.parse::<DeviceChoice>(), Err(DeviceError::Unknown(name.into())));
        }
    }

    #[test]
    fn device_lists_are_parsed() {
        use DeviceChoice::{Cpu, Cuda, Graphics};
        assert_eq!(DeviceChoice::parse_list("0,1"), Ok(vec![Cuda(0), Cuda(1)]));
        assert_eq!(DeviceChoice::parse_list("cpu,cpu"), Ok(vec![Cpu, Cpu]));
        assert_eq!(
            DeviceChoice::parse_list("vulkan:2"),
            Ok(vec![Graphics(GraphicsApi::Vulkan, 2)])
        );
        assert_eq!(DeviceChoice::parse_list("0,"), Err(DeviceError::Unknown(String::new())));
    }

    #[test]
    fn auto_reports_why_devices_before_the_used_one_are_not_used() {
        let silent = || DeviceError::NoAnswer {
            name: "cuda:0".into(),
            detail: "libcuda.so was not found".into(),
            with: " with nvidia-smi",
        };
        let missing = || DeviceError::Missing("a GPU".into());
        let mut reported = String::new();
        let (device, name) = first_of([Err(silent()), Err(missing())], |reason| reported = reason.to_owned());
        assert_eq!((device, name.as_str()), (Device::flex(), "cpu"));
        assert_eq!(
            reported,
            "--device auto uses cpu: cuda:0 does not answer: libcuda.so was not found; check its driver with nvidia-smi, or \
             use --device cpu; a GPU was not found; `train devices` lists all devices"
        );
        let vulkan = || Ok((Device::flex(), "vulkan:0".to_owned()));
        let mut reported = String::new();
        let opened = first_of([Err(silent()), vulkan()], |reason| reported = reason.to_owned());
        assert!(opened.1 == "vulkan:0" && reported.starts_with("--device auto uses vulkan:0: cuda:0 "));
        // No report about what is not built in, nor about devices after the used one.
        first_of([Err(CUDA_NOT_BUILT_IN), Err(GPU_NOT_BUILT_IN)], |reason| {
            panic!("{reason}")
        });
        first_of([Err(CUDA_NOT_BUILT_IN), vulkan(), Err(missing())], |reason| {
            panic!("{reason}")
        });
    }

    #[cfg(not(any(feature = "cuda", feature = "gpu")))]
    #[test]
    fn without_gpus_built_in_auto_uses_the_cpu() {
        assert_eq!(DeviceChoice::Auto.open().unwrap().1, "cpu");
        for (choice, error) in [
            (DeviceChoice::Cuda(0), CUDA_NOT_BUILT_IN),
            (DeviceChoice::Graphics(GraphicsApi::Vulkan, 0), GPU_NOT_BUILT_IN),
            (DeviceChoice::Gpu, GPU_NOT_BUILT_IN),
        ] {
            assert_eq!(choice.open().unwrap_err(), error);
            assert_eq!(choice.check_built_in().unwrap_err(), error);
        }
    }
}
