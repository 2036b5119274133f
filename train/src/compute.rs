//! Where a run computes: the device, with or without gradients, the type of the numbers, the front end.

use crate::augment::{Augment, ClipPlan};
use crate::config::RunConfig;
use crate::frontend::{DeviceFrontEnd, UnsupportedFeatures};
use crate::loader::Target;
use crate::precision::PrecisionError;
use crate::run_data::RunData;
use crate::step::Uploader;
use burn::tensor::{Device, FloatDType};

/// Everything about the device that training and evaluation need.
#[derive(Debug)]
pub struct Compute {
    /// Without gradients.
    pub device: Device,
    /// The same device, recording operations for the way back.
    pub training_device: Device,
    /// Type of the encoders' activations.
    pub dtype: FloatDType,
    /// Makes training clips, where the loader's threads do not.
    pub front_end: Option<DeviceFrontEnd>,
    augment: Augment,
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
    /// What `config` asks for on `device`.
    pub fn new(config: &RunConfig, data: &RunData, device: Device) -> Result<Self, ComputeError> {
        let training_device = device.clone().autodiff();
        let on_device = config
            .front_end
            .is_device(device == Device::flex(), config.augment, config.model.input());
        let front_end = on_device.then(|| {
            let normalization = &data.split.normalization;
            DeviceFrontEnd::new(
                config.model.input(),
                data.dataset.features(),
                normalization,
                &training_device,
            )
        });
        Ok(Self {
            dtype: config.precision.dtype(&device)?,
            front_end: front_end.transpose()?,
            augment: config.augment,
            device,
            training_device,
        })
    }

    /// What the loader's threads make of training clips.
    pub fn training_target<'a>(&self, data: &'a RunData) -> Target<'a> {
        match self.front_end {
            Some(_) => Target::Samples {
                per_clip: ClipPlan::longest_source(self.augment, data.dataset.features().clip_samples),
            },
            None => Target::ModelInput(&data.front_end),
        }
    }

    /// Brings batches to the device, for training or for evaluation.
    pub fn uploader<'a>(&'a self, data: &'a RunData, training: bool) -> Uploader<'a> {
        Uploader {
            input: data.front_end.input(),
            features: data.dataset.features(),
            front_end: self.front_end.as_ref(),
            dtype: self.dtype,
            device: if training { &self.training_device } else { &self.device },
        }
    }
}
