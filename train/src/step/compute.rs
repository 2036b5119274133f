//! Where a run computes: the devices, with or without gradients, the type of the numbers, the front end.

use crate::augment::{Augment, ClipPlan};
use crate::data::run_data::RunData;
use crate::frontend::{DeviceFrontEnd, FrontEndPlace, Normalize, UnsupportedFeatures};
use crate::loader::Target;
use crate::settings::RunConfig;
use crate::settings::precision::PrecisionError;
use crate::step::batch::Uploader;
use burn::tensor::{Device, FloatDType};

/// Everything about the devices that training and evaluation need.
#[derive(Debug)]
pub struct Compute {
    /// The first device, without gradients: evaluation runs there.
    pub device: Device,
    workers: Vec<Worker>,
    dtype: FloatDType,
    augment: Augment,
}

/// A device that takes a part of each training batch.
#[derive(Debug)]
struct Worker {
    /// Records operations for the way back.
    device: Device,
    /// Makes training clips, where the loader's threads do not.
    front_end: Option<DeviceFrontEnd>,
}

/// A run that the device cannot compute.
#[derive(Debug, thiserror::Error)]
pub enum ComputeError {
    /// The precision is not to be had.
    #[error(transparent)]
    Precision(#[from] PrecisionError),
    /// The data set's features are none for the device's front end.
    #[error(transparent)]
    Features(#[from] UnsupportedFeatures),
}

impl Compute {
    /// What `config` asks for on `devices`, of which there is at least one.
    pub fn new(config: &RunConfig, data: &RunData, devices: Vec<Device>) -> Result<Self, ComputeError> {
        let first = devices.first().expect("a run has a device").clone();
        let input = config.model.description().input;
        let on_cpu = first == Device::flex();
        let on_device = config.front_end.is_device(on_cpu, config.augment, input);
        // The front end on the device has one normalization, and samples of 16 bits.
        let usual = !config.pcm8 && config.normalize == Normalize::ZScore;
        if on_device
            && config.front_end == FrontEndPlace::Device
            && !(usual && DeviceFrontEnd::supports(config.augment, input))
        {
            return Err(UnsupportedFeatures::Input.into());
        }
        let on_device = on_device && usual;
        let worker = |device: Device| {
            let device = device.autodiff();
            let front_end = if on_device {
                match DeviceFrontEnd::new(input, &data.features, &data.split.normalization, &device) {
                    // What it cannot serve is made on the host, unless it was asked for.
                    Err(_) if config.front_end == FrontEndPlace::Auto => None,
                    made => Some(made?),
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

    /// The first device, recording operations for the way back: the model lives there.
    pub fn training_device(&self) -> &Device {
        &self.workers[0].device
    }

    /// Whether everything runs on this machine's processor.
    pub fn on_cpu(&self) -> bool {
        self.device == Device::flex()
    }

    /// Whether training clips are made on the device.
    pub fn has_front_end(&self) -> bool {
        self.workers[0].front_end.is_some()
    }

    /// What the loader's threads make of training clips.
    pub fn training_target<'a>(&self, data: &'a RunData) -> Target<'a> {
        if self.has_front_end() {
            Target::Samples {
                per_clip: ClipPlan::longest_source(self.augment, data.features.clip_samples),
            }
        } else {
            Target::ModelInput(&data.front_end)
        }
    }

    /// Brings batches to the first device for evaluation.
    pub fn uploader<'a>(&'a self, data: &'a RunData) -> Uploader<'a> {
        self.uploader_to(&self.device, None, data)
    }

    /// Bring batches, or parts of them, to each device for training.
    pub fn training_uploaders<'a>(&'a self, data: &'a RunData) -> Vec<Uploader<'a>> {
        let to = |worker: &'a Worker| self.uploader_to(&worker.device, worker.front_end.as_ref(), data);
        self.workers.iter().map(to).collect()
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
