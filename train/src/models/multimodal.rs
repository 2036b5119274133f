//! Paper 1: genres of the Free Music Archive from the waveform, from the mel spectrogram, and from both.
//!
//! Kernels, channels and weight decay of `cnn1d` come from its published checkpoint. The paper's other settings are not
//! published: the other models use the same weight decay, and a dropout from the paper's grid.

use super::definition::{Blueprint, Defaults, Description, ModelDefinition, Network, PublishedFeatures, PytorchNames};
use super::encoder1d::{self, Encoder1d};
use super::encoder2d::{self, Encoder2d};
use super::head::{PooledMlp, Recurrent};
use super::input::{InputKind, InputShape, ModelInput, SpectrogramKind, WaveformKind};
use super::onnx::{Graph, Value};
use crate::augment::Augment;
use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use shared::dataset::Task;

const PAPER: &str = "1-D and 2-D CNN, CRNN and multi-modal CRNN on FMA";

const WAVEFORM: InputKind = InputKind {
    waveform: Some(WaveformKind::Normalized),
    ..InputKind::NONE
};

const MEL: InputKind = InputKind {
    spectrogram: Some(SpectrogramKind::Mel),
    ..InputKind::NONE
};

/// A clip of a data set with default settings.
const CLIP: InputShape = InputShape {
    samples: 1 << 19,
    spectrogram: [encoder2d::BANDS, 512],
    statistics: 0,
};

const DEFAULTS: Defaults = Defaults {
    weight_decay: 1e-5,
    dropout: 0.3,
    augment: Augment::NOISE_AND_STRETCH,
    ..Defaults::USUAL
};

/// `cnn1d`.
pub const CNN1D: ModelDefinition<Cnn1d> = ModelDefinition {
    description: Description {
        name: "cnn1d",
        paper: PAPER,
        summary: "four 1-D convolutions on the waveform, global average and max pooling, three dense layers",
        input: WAVEFORM,
        defaults: Defaults {
            dropout: 0.2,
            ..DEFAULTS
        },
        accepts: accepts_waveform,
        usual_shape: CLIP,
        paper_seconds: Some((1 << 19) as f64 / 44_100.0),
        classifier: "classifier.linear2.",
        pytorch: CNN1D_NAMES,
        newly_initialized: &[],
        follows: None,
        needs_weights: false,
        normalizes_input: false,
        task: Task::SingleLabel,
        features: Some(PublishedFeatures {
            preset: "paper1",
            clip_samples: 1 << 19,
        }),
    },
    build: Cnn1d::new,
};

/// `cnn2d`.
pub const CNN2D: ModelDefinition<Cnn2d> = ModelDefinition {
    description: Description {
        name: "cnn2d",
        summary: "four residual 2-D convolutions on the mel spectrogram, pooling and dense layers as cnn1d",
        input: MEL,
        accepts: accepts_mel,
        pytorch: PytorchNames::SAME,
        ..CNN1D.description
    },
    build: Cnn2d::new,
};

/// `crnn`.
pub const CRNN: ModelDefinition<Crnn> = ModelDefinition {
    description: Description {
        name: "crnn",
        summary: "the encoder of cnn2d, an LSTM over its time steps, one dense layer",
        defaults: DEFAULTS,
        classifier: "classifier.linear.",
        ..CNN2D.description
    },
    build: Crnn::new,
};

/// `mm-crnn`.
pub const MM_CRNN: ModelDefinition<MmCrnn> = ModelDefinition {
    description: Description {
        name: "mm-crnn",
        summary: "the encoders of cnn1d and cnn2d in parallel, an LSTM, one dense layer",
        input: InputKind {
            waveform: Some(WaveformKind::Normalized),
            spectrogram: Some(SpectrogramKind::Mel),
            statistics: false,
        },
        accepts: accepts_both,
        ..CRNN.description
    },
    build: MmCrnn::new,
};

/// Names in the published 1-D checkpoint and their counterparts here. Its `Sequential`s also number pooling, ReLU and
/// dropout, hence the gaps.
const CNN1D_NAMES: PytorchNames = PytorchNames {
    renames: &[
        (r"^conv_block\.block\.0\.block\.0\.", "encoder.blocks.0.conv."),
        (r"^conv_block\.block\.0\.block\.1\.", "encoder.blocks.0.norm."),
        (r"^conv_block\.block\.2\.block\.0\.", "encoder.blocks.1.conv."),
        (r"^conv_block\.block\.2\.block\.1\.", "encoder.blocks.1.norm."),
        (r"^conv_block\.block\.4\.block\.0\.", "encoder.blocks.2.conv."),
        (r"^conv_block\.block\.4\.block\.1\.", "encoder.blocks.2.norm."),
        (r"^conv_block\.block\.6\.block\.0\.", "encoder.blocks.3.conv."),
        (r"^conv_block\.block\.6\.block\.1\.", "encoder.blocks.3.norm."),
        (r"^classifier\.0\.", "classifier.linear0."),
        (r"^classifier\.3\.", "classifier.linear1."),
        (r"^classifier\.6\.", "classifier.linear2."),
    ],
    ignored: &[],
};

fn accepts_waveform(shape: &InputShape) -> Result<(), String> {
    encoder1d::steps(shape.samples)
        .map(|_| ())
        .ok_or_else(|| format!("clips of at least {} samples", encoder1d::SHORTEST))
}

fn accepts_mel(shape: &InputShape) -> Result<(), String> {
    let [bands, frames] = shape.spectrogram;
    if bands == encoder2d::BANDS && encoder2d::steps(frames) > 0 {
        Ok(())
    } else {
        Err(format!("{} mel bands and at least 8 frames", encoder2d::BANDS))
    }
}

fn accepts_both(shape: &InputShape) -> Result<(), String> {
    accepts_waveform(shape)?;
    accepts_mel(shape)?;
    if encoder1d::steps(shape.samples) == Some(encoder2d::steps(shape.spectrogram[1])) {
        Ok(())
    } else {
        Err("1024 samples per spectrogram frame, which gives both encoders the same number of steps".into())
    }
}

fn last(channels: [usize; 4]) -> usize {
    channels[channels.len() - 1]
}

/// The waveform encoder, global pooling, three dense layers. Parameters for 8 classes: 161,176.
#[derive(Module, Debug)]
pub struct Cnn1d {
    encoder: Encoder1d,
    classifier: PooledMlp,
}

impl Cnn1d {
    fn new(blueprint: &Blueprint, device: &Device) -> Self {
        Self {
            encoder: Encoder1d::new(device),
            classifier: PooledMlp::new(last(encoder1d::CHANNELS), blueprint, device),
        }
    }
}

impl Network for Cnn1d {
    fn embed(&self, input: &ModelInput) -> Tensor<2> {
        self.classifier.embed(self.encoder.forward(input.waveform()))
    }

    fn classify(&self, embeddings: Tensor<2>) -> Tensor<2> {
        self.classifier.classify(embeddings)
    }

    fn classifier(&self) -> &Linear {
        self.classifier.classifier()
    }

    fn embed_nodes(&self, graph: &Graph) -> Value {
        let steps = self.encoder.nodes(graph, graph.waveform());
        self.classifier.embed_nodes(graph, steps)
    }
}

/// The mel encoder, global pooling, three dense layers. Parameters for 8 classes: 347,352.
#[derive(Module, Debug)]
pub struct Cnn2d {
    encoder: Encoder2d,
    classifier: PooledMlp,
}

impl Cnn2d {
    fn new(blueprint: &Blueprint, device: &Device) -> Self {
        Self {
            encoder: Encoder2d::new(device),
            classifier: PooledMlp::new(last(encoder2d::CHANNELS), blueprint, device),
        }
    }
}

impl Network for Cnn2d {
    fn embed(&self, input: &ModelInput) -> Tensor<2> {
        self.classifier.embed(self.encoder.forward(input.spectrogram()))
    }

    fn classify(&self, embeddings: Tensor<2>) -> Tensor<2> {
        self.classifier.classify(embeddings)
    }

    fn classifier(&self) -> &Linear {
        self.classifier.classifier()
    }

    fn embed_nodes(&self, graph: &Graph) -> Value {
        let steps = self.encoder.nodes(graph, graph.spectrogram());
        self.classifier.embed_nodes(graph, steps)
    }
}

/// The mel encoder, an LSTM 128 → 128 over its 64 steps, one dense layer. Parameters for 8 classes: 438,808.
#[derive(Module, Debug)]
pub struct Crnn {
    encoder: Encoder2d,
    classifier: Recurrent,
}

impl Crnn {
    fn new(blueprint: &Blueprint, device: &Device) -> Self {
        Self {
            encoder: Encoder2d::new(device),
            classifier: Recurrent::new(last(encoder2d::CHANNELS), blueprint, device),
        }
    }
}

impl Network for Crnn {
    fn embed(&self, input: &ModelInput) -> Tensor<2> {
        self.classifier.embed(self.encoder.forward(input.spectrogram()))
    }

    fn classify(&self, embeddings: Tensor<2>) -> Tensor<2> {
        self.classifier.classify(embeddings)
    }

    fn classifier(&self) -> &Linear {
        self.classifier.classifier()
    }

    fn embed_nodes(&self, graph: &Graph) -> Value {
        let steps = self.encoder.nodes(graph, graph.spectrogram());
        self.classifier.embed_nodes(graph, steps)
    }
}

/// Both encoders' 64 steps concatenated along channels, an LSTM 256 → 128, one dense layer. Parameters for 8 classes:
/// 623,848.
#[derive(Module, Debug)]
pub struct MmCrnn {
    waveform_encoder: Encoder1d,
    mel_encoder: Encoder2d,
    classifier: Recurrent,
}

impl MmCrnn {
    fn new(blueprint: &Blueprint, device: &Device) -> Self {
        let channels = last(encoder1d::CHANNELS) + last(encoder2d::CHANNELS);
        Self {
            waveform_encoder: Encoder1d::new(device),
            mel_encoder: Encoder2d::new(device),
            classifier: Recurrent::new(channels, blueprint, device),
        }
    }
}

impl Network for MmCrnn {
    fn embed(&self, input: &ModelInput) -> Tensor<2> {
        let steps = vec![
            self.waveform_encoder.forward(input.waveform()),
            self.mel_encoder.forward(input.spectrogram()),
        ];
        self.classifier.embed(Tensor::cat(steps, 1))
    }

    fn classify(&self, embeddings: Tensor<2>) -> Tensor<2> {
        self.classifier.classify(embeddings)
    }

    fn classifier(&self) -> &Linear {
        self.classifier.classifier()
    }

    fn embed_nodes(&self, graph: &Graph) -> Value {
        let steps = [
            self.waveform_encoder.nodes(graph, graph.waveform()),
            self.mel_encoder.nodes(graph, graph.spectrogram()),
        ];
        self.classifier.embed_nodes(graph, graph.concat(&steps, 1))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{conv, dense, lstm, parameter_count};
    use super::*;
    use crate::models::ModelKind;

    /// 4,144 + 16,480 + 32,960 + 65,920 = 119,504: convolutions and batch norms of the published checkpoint.
    const ENCODER_1D: usize =
        conv(256, 1, 16) + conv(32, 16, 32) + conv(16, 32, 64) + conv(8, 64, 128) + 2 * (16 + 32 + 64 + 128);

    /// Two 3×3 convolutions and a 1×1 shortcut, each with batch norm.
    const fn residual(inputs: usize, outputs: usize) -> usize {
        conv(9, inputs, outputs) + conv(9, outputs, outputs) + conv(1, inputs, outputs) + 3 * 2 * outputs
    }

    /// 2,608 + 14,624 + 57,920 + 230,528 = 305,680.
    const ENCODER_2D: usize = residual(1, 16) + residual(16, 32) + residual(32, 64) + residual(64, 128);

    /// 32,896 + 8,256 + 520 = 41,672.
    const MLP: usize = dense(256, 128) + dense(128, 64) + dense(64, 8);

    #[test]
    fn parameter_counts_match_the_paper() {
        for (kind, counted, stated) in [
            // The sum of the checkpoint's tensors.
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
            assert_eq!((parameter_count(kind, 8), counted), (stated, stated), "{kind}");
        }
    }

    #[test]
    fn unsupported_shapes_are_refused() {
        let mel = |spectrogram| InputShape { spectrogram, ..CLIP };
        assert!(accepts_mel(&mel([96, 512])).is_err());
        assert!(accepts_mel(&mel([128, 7])).is_err());
        assert!(accepts_mel(&mel([128, 100])).is_ok());
        assert!(accepts_both(&CLIP).is_ok());
        assert!(accepts_both(&mel([128, 400])).is_err());
        let short = InputShape { samples: 5000, ..CLIP };
        assert!(accepts_waveform(&short).is_err());
    }
}
