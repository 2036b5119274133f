//! The first computation on a device. It shows whether the driver works.

use super::DeviceError;
use burn::tensor::{Device, Tensor};

/// Opens a device and computes on it. Burn panics if a driver does not answer, so this runs inside `catch_unwind`.
pub(super) fn answering(
    name: &str,
    with: &'static str,
    open: impl FnOnce() -> Result<Device, String> + std::panic::UnwindSafe,
) -> Result<Device, DeviceError> {
    let silent = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let outcome = std::panic::catch_unwind(|| open().and_then(add));
    std::panic::set_hook(silent);
    outcome
        .unwrap_or_else(|panic| Err(message(&*panic)))
        .map_err(|detail| DeviceError::NoAnswer {
            name: name.to_owned(),
            detail,
            with,
        })
}

/// Adds two numbers on the device.
fn add(device: Device) -> Result<Device, String> {
    let sum = Tensor::<1>::from_floats([1.0, 2.0], &device).sum().into_data();
    match sum.try_to_vec::<f32>() {
        Ok(values) if values == [3.0] => Ok(device),
        other => Err(format!("1 + 2 gave {other:?}")),
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "the driver could not be loaded".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_that_fails_or_panics_is_reported() {
        assert_eq!(answering("cpu", "", || Ok(Device::flex())), Ok(Device::flex()));
        let failed = answering("cuda:3", " with nvidia-smi", || Err("no device".into())).unwrap_err();
        assert_eq!(
            failed.to_string(),
            "cuda:3 does not answer: no device; check its driver with nvidia-smi, or use --device cpu"
        );
        let panicked = answering("vulkan:0", "", || std::panic::panic_any(String::from("no loader"))).unwrap_err();
        assert!(
            panicked
                .to_string()
                .starts_with("vulkan:0 does not answer: no loader; "),
            "{panicked}"
        );
    }
}
