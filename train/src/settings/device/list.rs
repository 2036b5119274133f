//! Lists the devices of this machine.

use crate::settings::cores;
use serde::Serialize;

/// A device of this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListedDevice {
    /// As `--device` names it.
    pub device: String,
    /// What it is made of.
    pub kind: String,
    /// As its driver names it.
    pub name: String,
    /// Name and version of the driver; empty if it does not say.
    pub driver: String,
}

/// All devices that this program can compute on, in the order of `--device auto`, and why there are none of a kind.
pub fn list() -> (Vec<ListedDevice>, Vec<String>) {
    let (mut devices, mut notes) = (Vec::new(), Vec::new());
    list_cuda(&mut devices, &mut notes);
    list_graphics(&mut devices, &mut notes);
    devices.push(ListedDevice {
        device: "cpu".into(),
        kind: "CPU".into(),
        name: format!("{} cores", cores()),
        driver: String::new(),
    });
    (devices, notes)
}

#[cfg(not(feature = "cuda"))]
fn list_cuda(_: &mut Vec<ListedDevice>, notes: &mut Vec<String>) {
    notes.push(super::CUDA_NOT_BUILT_IN.to_string());
}

/// The indices of CUDA devices have no gaps, so they are opened until one does not answer.
#[cfg(feature = "cuda")]
fn list_cuda(devices: &mut Vec<ListedDevice>, notes: &mut Vec<String>) {
    for index in 0.. {
        match super::DeviceChoice::Cuda(index).open() {
            Ok((device, name)) => devices.push(ListedDevice {
                device: name,
                kind: "GPU".into(),
                name: device.identity().map(|identity| identity.name).unwrap_or_default(),
                driver: "CUDA".into(),
            }),
            Err(error) if index == 0 => return notes.push(error.to_string()),
            Err(_) => return,
        }
    }
}

#[cfg(not(feature = "gpu"))]
fn list_graphics(_: &mut Vec<ListedDevice>, notes: &mut Vec<String>) {
    notes.push(super::GPU_NOT_BUILT_IN.to_string());
}

#[cfg(feature = "gpu")]
fn list_graphics(devices: &mut Vec<ListedDevice>, notes: &mut Vec<String>) {
    let adapters = super::GraphicsApi::ALL.into_iter().flat_map(super::graphics::adapters);
    let before = devices.len();
    devices.extend(adapters.map(|adapter| ListedDevice {
        kind: adapter.describe().into(),
        driver: adapter.driver(),
        name: adapter.info.name,
        device: adapter.device,
    }));
    if devices.len() == before {
        notes
            .push("no driver for Vulkan, Metal or DirectX 12 answers; install one, such as mesa-vulkan-drivers".into());
    }
}
