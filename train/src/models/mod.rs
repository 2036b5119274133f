//! The systems of the papers, one file each, and the registry that names them.
//!
//! Normalized model input enters, logits leave. A model knows nothing of files, augmentation or training.

mod cnn1d;
mod cnn2d;
mod crnn;
mod encoder1d;
mod encoder2d;
mod head;
mod import;
mod mm_crnn;
mod pytorch_zip;
mod recurrence;

pub use cnn1d::Cnn1d;
pub use cnn2d::Cnn2d;
pub use crnn::Crnn;
pub use import::{ImportError, export_weights, import_weights};
pub use mm_crnn::MmCrnn;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, FloatDType, Tensor};
use serde::{Deserialize, Serialize};

/// A system by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum ModelKind {
    /// Four 1-D convolutions on the waveform.
    Cnn1d,
    /// Four residual 2-D convolutions on the mel spectrogram.
    Cnn2d,
    /// The 2-D encoder, then an LSTM over its 64 time steps.
    Crnn,
    /// Both encoders side by side, then an LSTM.
    MmCrnn,
}

/// What a model is fed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputKind {
    /// `[batch, 1, clip_samples]`, z-scored.
    pub waveform: bool,
    /// `[batch, 1, n_mels, frames]` in dB below the clip's maximum, z-scored per band.
    pub mel: bool,
}

/// What the paper trains a system with, where the command line says nothing else.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Defaults {
    /// L2 penalty, as PyTorch's `Adam(weight_decay=…)` adds it to the gradient.
    pub weight_decay: f32,
    /// Share of activations zeroed before the dense layers.
    pub dropout: f64,
}

impl ModelKind {
    /// All systems, in the order in which `train models` lists them.
    pub const ALL: [Self; 4] = [Self::Cnn1d, Self::Cnn2d, Self::Crnn, Self::MmCrnn];

    /// The name on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cnn1d => "cnn1d",
            Self::Cnn2d => "cnn2d",
            Self::Crnn => "crnn",
            Self::MmCrnn => "mm-crnn",
        }
    }

    /// One line on what it is.
    pub fn summary(self) -> &'static str {
        match self {
            Self::Cnn1d => "four 1-D convolutions on the waveform, global average and max pooling, three dense layers",
            Self::Cnn2d => "four residual 2-D convolutions on the mel spectrogram, pooling and dense layers as cnn1d",
            Self::Crnn => "the encoder of cnn2d, an LSTM over its 64 time steps, one dense layer",
            Self::MmCrnn => "the encoders of cnn1d and cnn2d side by side, an LSTM, one dense layer",
        }
    }

    /// What it is fed with.
    pub fn input(self) -> InputKind {
        match self {
            Self::Cnn1d => InputKind {
                waveform: true,
                mel: false,
            },
            Self::Cnn2d | Self::Crnn => InputKind {
                waveform: false,
                mel: true,
            },
            Self::MmCrnn => InputKind {
                waveform: true,
                mel: true,
            },
        }
    }

    /// The weight decay of `cnn1d` is the one in its published checkpoint's optimizer state. The rest of the paper's
    /// settings are not published: the others take the same weight decay, and a dropout that the paper's grid has.
    pub fn defaults(self) -> Defaults {
        match self {
            Self::Cnn1d | Self::Cnn2d => Defaults {
                weight_decay: 1e-5,
                dropout: 0.2,
            },
            Self::Crnn | Self::MmCrnn => Defaults {
                weight_decay: 1e-5,
                dropout: 0.3,
            },
        }
    }

    /// A model with fresh weights, drawn from the device's random generator.
    pub fn init(self, classes: usize, dropout: f64, device: &Device) -> Model {
        match self {
            Self::Cnn1d => Model::Cnn1d(Cnn1d::new(classes, dropout, device)),
            Self::Cnn2d => Model::Cnn2d(Cnn2d::new(classes, dropout, device)),
            Self::Crnn => Model::Crnn(Crnn::new(classes, dropout, device)),
            Self::MmCrnn => Model::MmCrnn(MmCrnn::new(classes, dropout, device)),
        }
    }
}

impl std::fmt::Display for ModelKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A batch on the device, with what the model's [`InputKind`] asks for.
#[derive(Clone, Debug)]
pub struct ModelInput {
    /// `[batch, 1, clip_samples]`.
    pub waveform: Option<Tensor<3>>,
    /// `[batch, 1, n_mels, frames]`.
    pub mel: Option<Tensor<4>>,
}

impl ModelInput {
    /// In numbers of another type, which the encoders then compute in.
    pub fn cast(self, dtype: FloatDType) -> Self {
        Self {
            waveform: self.waveform.map(|tensor| tensor.cast(dtype)),
            mel: self.mel.map(|tensor| tensor.cast(dtype)),
        }
    }
}

/// Any of the systems.
#[derive(Module, Debug)]
pub enum Model {
    /// [`ModelKind::Cnn1d`].
    Cnn1d(Cnn1d),
    /// [`ModelKind::Cnn2d`].
    Cnn2d(Cnn2d),
    /// [`ModelKind::Crnn`].
    Crnn(Crnn),
    /// [`ModelKind::MmCrnn`].
    MmCrnn(MmCrnn),
}

impl Model {
    /// Which system it is.
    pub fn kind(&self) -> ModelKind {
        match self {
            Self::Cnn1d(_) => ModelKind::Cnn1d,
            Self::Cnn2d(_) => ModelKind::Cnn2d,
            Self::Crnn(_) => ModelKind::Crnn,
            Self::MmCrnn(_) => ModelKind::MmCrnn,
        }
    }

    /// Weights that training changes; batch norm's running mean and variance are not among them. The model must be on an
    /// autodiff device.
    pub fn trainable_parameters(&self) -> usize {
        struct Count(usize);
        impl ModuleVisitor for Count {
            fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
                if parameter.is_require_grad() {
                    self.0 += parameter.lazy_shape().num_elements();
                }
            }
        }
        let mut count = Count(0);
        self.visit(&mut count);
        count.0
    }

    /// Logits, `[batch, classes]`.
    ///
    /// # Panics
    /// When the input lacks what the model's [`InputKind`] asks for.
    pub fn forward(&self, input: ModelInput) -> Tensor<2> {
        let waveform = |input: &ModelInput| {
            input
                .waveform
                .clone()
                .expect("the loader gives what InputKind asks for")
        };
        let mel = |input: &ModelInput| input.mel.clone().expect("the loader gives what InputKind asks for");
        match self {
            Self::Cnn1d(model) => model.forward(waveform(&input)),
            Self::Cnn2d(model) => model.forward(mel(&input)),
            Self::Crnn(model) => model.forward(mel(&input)),
            Self::MmCrnn(model) => model.forward(waveform(&input), mel(&input)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A convolution's weights and biases and its batch norm's scales and shifts.
    const fn conv(kernel: usize, inputs: usize, outputs: usize) -> usize {
        kernel * inputs * outputs + outputs + 2 * outputs
    }

    const fn dense(inputs: usize, outputs: usize) -> usize {
        inputs * outputs + outputs
    }

    /// Four gates, each with a weight matrix and a bias for the input and for the hidden state.
    const fn lstm(inputs: usize, hidden: usize) -> usize {
        4 * (dense(inputs, hidden) + dense(hidden, hidden))
    }

    /// 4,144 + 16,480 + 32,960 + 65,920 = 119,504: the convolutions and batch norms of the published checkpoint.
    const ENCODER_1D: usize = conv(256, 1, 16) + conv(32, 16, 32) + conv(16, 32, 64) + conv(8, 64, 128);

    /// Two 3×3 convolutions and a 1×1 shortcut.
    const fn residual(inputs: usize, outputs: usize) -> usize {
        conv(9, inputs, outputs) + conv(9, outputs, outputs) + conv(1, inputs, outputs)
    }

    /// 2,608 + 14,624 + 57,920 + 230,528 = 305,680.
    const ENCODER_2D: usize = residual(1, 16) + residual(16, 32) + residual(32, 64) + residual(64, 128);

    /// 32,896 + 8,256 + 520 = 41,672.
    const MLP: usize = dense(256, 128) + dense(128, 64) + dense(64, 8);

    #[test]
    fn parameter_counts_are_the_papers() {
        let device = Device::flex().autodiff();
        for (kind, counted, stated) in [
            // The checkpoint's tensors add up to this.
            (ModelKind::Cnn1d, ENCODER_1D + MLP, 161_176),
            (ModelKind::Cnn2d, ENCODER_2D + MLP, 347_352),
            // 132,096 in the LSTM, 1,032 in the dense layer.
            (ModelKind::Crnn, ENCODER_2D + lstm(128, 128) + dense(128, 8), 438_808),
            // 197,632 in the LSTM.
            (
                ModelKind::MmCrnn,
                ENCODER_1D + ENCODER_2D + lstm(256, 128) + dense(128, 8),
                623_848,
            ),
        ] {
            let model = kind.init(8, 0.2, &device);
            assert_eq!(model.kind(), kind);
            assert_eq!((model.trainable_parameters(), counted), (stated, stated), "{kind}");
        }
    }

    #[test]
    fn names_are_those_of_the_command_line() {
        use clap::ValueEnum;
        for kind in ModelKind::ALL {
            assert_eq!(kind.to_possible_value().unwrap().get_name(), kind.name());
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
    }
}
