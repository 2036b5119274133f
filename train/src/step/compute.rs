//! The devices of a run, with and without gradients, the floating-point type and the device front end.

use crate::augment::{Augment, ClipPlan};
use crate::data::run_data::RunData;
use crate::frontend::{DeviceFrontEnd, FrontEndPlace, Normalize, UnsupportedFeatures};
use crate::loader::Target;
use crate::settings::RunConfig;
use crate::settings::precision::PrecisionError;
use crate::step::batch::Uploader;
use burn::tensor::{Device, FloatDType};

/// The devices for training and evaluation.
#[derive(Debug)]
pub struct Compute {
    /// The first device, without gradients. Evaluation runs there.
    pub device: Device,
    workers: Vec<Worker>,
    dtype: FloatDType,
    augment: Augment,
}

/// A device that processes a part of each training batch.
#[derive(Debug)]
struct Worker {
    /// With autodiff.
    device: Device,
    /// Computes the input of training clips; `None` if the loader's threads do.
    front_end: Option<DeviceFrontEnd>,
}

/// A run that the device cannot compute.
#[derive(Debug, thiserror::Error)]
pub enum ComputeError {
    #[error(transparent)]
    Precision(#[from] PrecisionError),
    #[error(transparent)]
    Features(#[from] UnsupportedFeatures),
}

impl Compute {
    /// Sets up `devices` as `config` requests. There must be at least one.
    pub fn new(config: &RunConfig, data: &RunData, devices: Vec<Device>) -> Result<Self, ComputeError> {
        let first = devices.first().expect("a run has a device").clone();
        let input = config.model.description().input;
        let on_cpu = first == Device::flex();
        let on_device = config
            .front_end
            .is_device(on_cpu, config.augment, input, &data.features);
        // The device front end supports only 16-bit samples, and no min-max normalization.
        let supported = !config.pcm8 && config.normalize != Normalize::MinMax;
        if on_device
            && config.front_end == FrontEndPlace::Device
            && !(supported && DeviceFrontEnd::supports(config.augment, input))
        {
            return Err(UnsupportedFeatures::Input.into());
        }
        let on_device = on_device && supported;
        let worker = |device: Device| {
            let device = device.autodiff();
            let front_end = if on_device {
                let normalization = (config.normalize, &data.split.normalization);
                match DeviceFrontEnd::new(input, &data.features, normalization, &device) {
                    // Fall back to the host, unless the device front end was requested.
                    Err(_) if config.front_end == FrontEndPlace::Auto => None,
                    result => Some(result?),
                }
            } else {
                None
            };
            Ok(Worker { front_end, device })
        };
        Ok(Self {
            dtype: config.precision.dtype(&first)?,
            augment: config.augment,
            workers: devices.into_iter().map(worker).collect::<Result<_, ComputeError>>()?,
            device: first,
        })
    }

    /// The first device, with autodiff. The model is on it.
    pub fn training_device(&self) -> &Device {
        &self.workers[0].device
    }

    /// Whether everything runs on the CPU.
    pub fn on_cpu(&self) -> bool {
        self.device == Device::flex()
    }

    /// Whether the input of training clips is computed on the device.
    pub fn has_front_end(&self) -> bool {
        self.workers[0].front_end.is_some()
    }

    /// What the loader's threads compute for training: model input, or samples for the device front end.
    pub fn training_target<'a>(&self, data: &'a RunData) -> Target<'a> {
        if self.has_front_end() {
            Target::Samples {
                per_clip: ClipPlan::longest_source(self.augment, data.features.clip_samples).next_multiple_of(2),
            }
        } else {
            Target::ModelInput(&data.front_end)
        }
    }

    /// The uploader of batches to the first device, for evaluation.
    pub fn uploader<'a>(&'a self, data: &'a RunData) -> Uploader<'a> {
        self.uploader_to(&self.device, None, data)
    }

    /// One uploader per device, for training.
    pub fn training_uploaders<'a>(&'a self, data: &'a RunData) -> Vec<Uploader<'a>> {
        let uploader = |worker: &'a Worker| self.uploader_to(&worker.device, worker.front_end.as_ref(), data);
        self.workers.iter().map(uploader).collect()
    }

    fn uploader_to<'a>(
        &self,
        device: &'a Device,
        front_end: Option<&'a DeviceFrontEnd>,
        data: &'a RunData,
    ) -> Uploader<'a> {
        Uploader {
            input: data.front_end.input(),
            shape: data.front_end.shape(),
            front_end,
            dtype: self.dtype,
            device,
        }
    }
}
