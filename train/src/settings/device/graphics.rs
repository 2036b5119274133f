//! GPUs of any maker through a graphics API. Burn computes on them with the crate wgpu.

use super::answer::answering;
use super::{DeviceError, GraphicsApi};
use burn::tensor::wgpu::WgpuBackend;
use burn::tensor::wgpu::wgpu::{AdapterInfo, Backends, DeviceType, Instance, InstanceDescriptor};
use burn::tensor::{Device, DeviceKind};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

/// A device of a graphics API.
pub(super) struct Adapter {
    /// As `--device` names it: `vulkan:0`.
    pub device: String,
    /// How Burn selects it.
    kind: DeviceKind,
    pub info: AdapterInfo,
}

impl Adapter {
    /// Whether it is a program that runs shaders on the CPU.
    fn is_software(&self) -> bool {
        self.kind == DeviceKind::Cpu
    }

    /// The name and version of the driver.
    pub(super) fn driver(&self) -> String {
        format!("{} {}", self.info.driver, self.info.driver_info)
            .trim()
            .to_owned()
    }

    /// What it is made of.
    pub(super) fn describe(&self) -> &'static str {
        match self.kind {
            DeviceKind::DiscreteGpu(_) => "GPU with its own memory",
            DeviceKind::IntegratedGpu(_) => "GPU that shares the CPU's memory",
            DeviceKind::VirtualGpu(_) => "GPU of a virtual machine",
            _ => "software on the CPU",
        }
    }
}

/// The adapters of a graphics API: GPUs with their own memory first, software last.
pub(super) fn adapters(api: GraphicsApi) -> Vec<Adapter> {
    let backends = match api {
        GraphicsApi::Metal => Backends::METAL,
        GraphicsApi::Vulkan => Backends::VULKAN,
        GraphicsApi::Dx12 => Backends::DX12,
    };
    // Kept, because the Vulkan loader crashes if instances come and go on several threads.
    static INSTANCE: OnceLock<Instance> = OnceLock::new();
    let instance = INSTANCE.get_or_init(|| {
        Instance::new(InstanceDescriptor {
            backends: Backends::METAL | Backends::VULKAN | Backends::DX12,
            ..InstanceDescriptor::new_without_display_handle()
        })
    });
    let mut found = std::pin::pin!(instance.enumerate_adapters(backends));
    // Only in a browser this would have to wait.
    let Poll::Ready(found) = found.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        return Vec::new();
    };
    let mut counts = [0; 3];
    let mut kinds: Vec<(DeviceKind, AdapterInfo)> = Vec::new();
    for info in found.iter().map(|adapter| adapter.get_info()) {
        let mut next = |at: usize| {
            counts[at] += 1;
            counts[at] - 1
        };
        let kind = match info.device_type {
            DeviceType::DiscreteGpu => DeviceKind::DiscreteGpu(next(0)),
            DeviceType::IntegratedGpu => DeviceKind::IntegratedGpu(next(1)),
            DeviceType::VirtualGpu => DeviceKind::VirtualGpu(next(2)),
            DeviceType::Cpu => DeviceKind::Cpu,
            // Burn cannot select it.
            DeviceType::Other => continue,
        };
        kinds.push((kind, info));
    }
    kinds.sort_by_key(|(kind, _)| match kind {
        DeviceKind::DiscreteGpu(_) => 0,
        DeviceKind::IntegratedGpu(_) => 1,
        DeviceKind::VirtualGpu(_) => 2,
        _ => 3,
    });
    let adapter = |(at, (kind, info))| Adapter {
        device: format!("{}:{at}", api.name()),
        kind,
        info,
    };
    kinds.into_iter().enumerate().map(adapter).collect()
}

/// Opens an adapter by its place in [`adapters`].
pub(super) fn open(api: GraphicsApi, index: usize) -> Result<(Device, String), DeviceError> {
    match adapters(api).get(index) {
        Some(adapter) => open_adapter(api, adapter),
        None => Err(DeviceError::Missing(format!("{}:{index}", api.name()))),
    }
}

/// Opens the first GPU, but no software device.
pub(super) fn open_first() -> Result<(Device, String), DeviceError> {
    for api in GraphicsApi::ALL {
        if let Some(adapter) = adapters(api).iter().find(|adapter| !adapter.is_software()) {
            return open_adapter(api, adapter);
        }
    }
    Err(DeviceError::Missing("a GPU".into()))
}

fn open_adapter(api: GraphicsApi, adapter: &Adapter) -> Result<(Device, String), DeviceError> {
    // Burn opens an adapter once per process.
    static OPENED: Mutex<Vec<(String, Device)>> = Mutex::new(Vec::new());
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    let name = &adapter.device;
    if let Some((_, device)) = opened.iter().find(|(other, _)| other == name) {
        return Ok((device.clone(), name.clone()));
    }
    let backend = match api {
        GraphicsApi::Metal => WgpuBackend::Metal,
        GraphicsApi::Vulkan => WgpuBackend::Vulkan,
        GraphicsApi::Dx12 => WgpuBackend::Dx12,
    };
    if adapter.is_software() {
        tracing::warn!(
            "{name} is {}, which runs the code of GPUs on the CPU; it is slow and only good for tests, and sums of Mesa 22's \
             llvmpipe over more than 65,535 values are wrong",
            adapter.info.name
        );
    }
    let kind = adapter.kind.clone();
    let device = answering(name, "", || {
        let options = Device::wgpu_options().device_kind(kind).graphics_api(backend);
        options.init().map_err(|error| error.to_string())
    })?;
    opened.push((name.clone(), device.clone()));
    Ok((device, name.clone()))
}
