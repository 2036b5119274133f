//! The harmonic CNN of Won et al. 2020: learned harmonic filters, and a short-chunk CNN with residual blocks.

use super::super::definition::{Blueprint, Description, ModelDefinition, Network, PytorchNames};
use super::super::input::ModelInput;
use super::super::onnx::{Graph, Value};
use super::blocks::{Block2d, ConvBlock2d, Head, Residual2d, global_max, global_max_nodes};
use super::harmonic_stft::{HARMONICS, HarmonicStft, shortest};
use super::{COMMON, names, on_waveform};
use burn::module::Module;
use burn::nn::{BatchNorm, BatchNormConfig, Linear};
use burn::tensor::{Device, Tensor};

/// `harmonic-cnn`.
pub const HARMONIC_CNN: ModelDefinition<HarmonicCnn> = ModelDefinition {
    description: Description {
        name: "harmonic-cnn",
        summary: "learned harmonic filters on the waveform, seven 2-D blocks, five of them residual, two dense layers",
        accepts: |shape| match shape.samples {
            SHORTEST.. => Ok(()),
            _ => Err(format!("clips of at least {SHORTEST} samples")),
        },
        pytorch: PytorchNames {
            renames: names::HARMONIC_RENAMES,
            ..COMMON.pytorch
        },
        ..on_waveform(80_000)
    },
    build: HarmonicCnn::new,
};

/// Samples whose 288 frames the pools reduce to one step.
const SHORTEST: usize = shortest(32 * 3 * 3);

/// Channels of the first four blocks and of the others.
const CHANNELS: [usize; 2] = [128, 256];

/// Harmonic filters, batch norm per harmonic, seven blocks, which reduce 128 × 313 to 64 × 156, 32 × 78, 16 × 39,
/// 8 × 19, 4 × 9, 2 × 3, 1 × 1, the maximum over the steps (one for a default clip), two dense layers. Parameters for
/// 50 tags: 3,631,551.
#[derive(Module, Debug)]
pub struct HarmonicCnn {
    hstft: HarmonicStft,
    hstft_bn: BatchNorm,
    layer1: ConvBlock2d,
    layer2: Residual2d,
    layer3: Residual2d,
    layer4: Residual2d,
    layer5: ConvBlock2d,
    layer6: Residual2d,
    layer7: Residual2d,
    head: Head,
}

impl HarmonicCnn {
    fn new(blueprint: &Blueprint, device: &Device) -> Self {
        let [narrow, wide] = CHANNELS;
        let residual = |channels, pool| Residual2d::pooled(channels, pool, device);
        Self {
            hstft: HarmonicStft::new(device),
            hstft_bn: BatchNormConfig::new(HARMONICS).init(device),
            layer1: ConvBlock2d::new([HARMONICS, narrow], [2, 2], device),
            layer2: residual(narrow, [2, 2]),
            layer3: residual(narrow, [2, 2]),
            layer4: residual(narrow, [2, 2]),
            layer5: ConvBlock2d::new([narrow, wide], [2, 2], device),
            layer6: residual(wide, [2, 3]),
            layer7: residual(wide, [2, 3]),
            head: Head::new(wide, wide, blueprint, device),
        }
    }
}

impl Network for HarmonicCnn {
    fn embed(&self, input: &ModelInput) -> Tensor<2> {
        let waveform = input.waveform();
        let dtype = waveform.dtype();
        // The spectrogram is computed in f32, because decibels of small powers are not in the range of other types.
        let decibels = kernels::normalize(&self.hstft_bn, self.hstft.forward(waveform));
        let x = self.layer1.forward(decibels.cast(dtype));
        let residual = [&self.layer2, &self.layer3, &self.layer4];
        let x = residual.into_iter().fold(x, |x, block| block.forward(x));
        let x = self.layer5.forward(x);
        let x = self.layer7.forward(self.layer6.forward(x));
        self.head.embed(global_max(x))
    }

    fn classify(&self, embeddings: Tensor<2>) -> Tensor<2> {
        self.head.classify(embeddings)
    }

    fn classifier(&self) -> &Linear {
        self.head.classifier()
    }

    fn embed_nodes(&self, graph: &Graph) -> Value {
        let decibels = graph.batch_norm(&self.hstft_bn, self.hstft.nodes(graph, graph.waveform()));
        let x = self.layer1.nodes(graph, decibels);
        let residual = [&self.layer2, &self.layer3, &self.layer4];
        let x = residual.into_iter().fold(x, |x, block| block.nodes(graph, x));
        let x = self.layer5.nodes(graph, x);
        let x = self.layer7.nodes(graph, self.layer6.nodes(graph, x));
        self.head.embed_nodes(graph, global_max_nodes(graph, x))
    }
}
