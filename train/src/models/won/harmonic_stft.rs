//! The harmonic filters of Won et al. 2020 ("Data-driven harmonic filters for audio representation learning"): a power
//! spectrogram, and triangular filters at multiples of each fundamental, whose common bandwidth is learned.

use super::super::onnx::{Graph, Value};
use super::HOP;
use burn::module::{Initializer, Module, Param};
use burn::tensor::ops::PadMode;
use burn::tensor::{DType, Device, Tensor, TensorData};
use std::f64::consts::TAU;
use std::sync::LazyLock;

const SAMPLE_RATE: f64 = 16_000.0;
const N_FFT: usize = 512;
/// Frequencies of the spectrogram, evenly spaced from 0 to half the sample rate.
const BINS: usize = N_FFT / 2 + 1;

/// Channels of the output: each fundamental and its multiples up to this one.
pub const HARMONICS: usize = 6;
/// Rows of the output: fundamentals from C1, MIDI note 24, in steps of half a semitone.
pub const FUNDAMENTALS: usize = 128;
const LOWEST_NOTE: f64 = 24.0;
const STEPS_PER_SEMITONE: f64 = 2.0;
const FILTERS: usize = HARMONICS * FUNDAMENTALS;

/// Bandwidth of a filter at frequency f, in Hz: (0.1079 f + 24.7) / Q.
const BANDWIDTH: [f64; 2] = [0.1079, 24.7];

/// Smallest power that is converted to decibels.
const SMALLEST_POWER: f64 = 1e-10;

/// The real and imaginary parts of the DFT of a frame with a periodic Hann window, `[N_FFT, 2 · BINS]`.
static DFT: LazyLock<Vec<f32>> = LazyLock::new(|| {
    let size = N_FFT as f64;
    let row = |sample: usize| {
        let window = 0.5 - 0.5 * (TAU * sample as f64 / size).cos();
        // Whole turns are left out while the product is an integer.
        let angle = move |bin: usize| TAU * ((bin * sample) % N_FFT) as f64 / size;
        let real = (0..BINS).map(move |bin| window * angle(bin).cos());
        let imaginary = (0..BINS).map(move |bin| -window * angle(bin).sin());
        real.chain(imaginary).map(|value| value as f32)
    };
    (0..N_FFT).flat_map(row).collect()
});

/// Each bin's distance from each filter's centre, in half bandwidths at Q = 1, `[BINS, FILTERS]`.
static DISTANCES: LazyLock<Vec<f32>> = LazyLock::new(|| {
    let row = |bin: usize| {
        let frequency = SAMPLE_RATE / 2.0 * bin as f64 / (BINS - 1) as f64;
        (0..FILTERS).map(move |filter| {
            let note = LOWEST_NOTE + (filter % FUNDAMENTALS) as f64 / STEPS_PER_SEMITONE;
            let centre = 440.0 * ((note - 69.0) / 12.0).exp2() * (1 + filter / FUNDAMENTALS) as f64;
            let bandwidth = BANDWIDTH[0] * centre + BANDWIDTH[1];
            (2.0 * (frequency - centre).abs() / bandwidth) as f32
        })
    };
    (0..BINS).flat_map(row).collect()
});

/// Samples of the shortest clip with this many frames, which are centred on multiples of the hop.
pub const fn shortest(frames: usize) -> usize {
    (frames - 1) * HOP
}

/// The spectrogram and its filters.
#[derive(Module, Debug)]
pub struct HarmonicStft {
    /// Q, `[1]`.
    bw_q: Param<Tensor<1>>,
}

impl HarmonicStft {
    pub fn new(device: &Device) -> Self {
        Self {
            bw_q: Initializer::Ones.init([1], device),
        }
    }

    /// `[batch, 1, samples]` to decibels, `[batch, 6, 128, frames]`, in f32.
    pub fn forward(&self, waveform: Tensor<3>) -> Tensor<4> {
        let (batch, device) = (waveform.dims()[0], waveform.device());
        let constant = |values: &[f32], shape: [usize; 2]| {
            Tensor::<2>::from_data(TensorData::new(values.to_vec(), shape), &device)
        };
        let waveform: Tensor<2> = waveform.cast(DType::F32).squeeze_dim(1);
        let padded = waveform.pad([(0, 0), (N_FFT / 2, N_FFT / 2)], PadMode::Reflect);
        let frames = (padded.dims()[1] - N_FFT) / HOP + 1;
        let spectrum = kernels::frames(padded, frames, N_FFT, HOP)
            .reshape([batch * frames, N_FFT])
            .matmul(constant(&DFT, [N_FFT, 2 * BINS]));
        let [real, imaginary] = [0, BINS].map(|begin| spectrum.clone().narrow(1, begin, BINS).square());
        let distances = constant(&DISTANCES, [BINS, FILTERS]);
        let power = (real + imaginary).matmul(self.filters(distances));
        let decibels = power.clamp_min(SMALLEST_POWER).log() * (10.0 / std::f64::consts::LN_10);
        decibels
            .reshape([batch, frames, HARMONICS, FUNDAMENTALS])
            .permute([0, 2, 3, 1])
    }

    /// The filters, each of which rises from 0 to 1 and falls to 0 within its bandwidth.
    fn filters(&self, distances: Tensor<2>) -> Tensor<2> {
        let q: Tensor<2> = self.bw_q.val().abs().unsqueeze();
        (distances * q).neg().add_scalar(1.0).clamp_min(0.0)
    }

    /// The nodes of [`forward`](Self::forward). The DFT of all frames is a convolution.
    pub fn nodes(&self, graph: &Graph, waveform: Value) -> Value {
        let device = self.bw_q.val().device();
        let constant = |values: &[f32], shape: [usize; 2]| {
            Tensor::<2>::from_data(TensorData::new(values.to_vec(), shape), &device)
        };
        let padded = graph.pad_reflect(graph.squeeze(waveform, 1), (N_FFT / 2) as i64);
        let dft = constant(&DFT, [N_FFT, 2 * BINS]).transpose().unsqueeze_dim::<3>(1);
        let spectrum = graph.convolve(graph.unsqueeze(padded, 1), graph.tensor("dft".to_owned(), dft), HOP);
        let [real, imaginary] = [(0, BINS), (BINS, 2 * BINS)].map(|(begin, end)| {
            let part = graph.slice(spectrum, 1, begin as i64, end as i64);
            graph.multiply(part, part)
        });
        let filters = self.filters(constant(&DISTANCES, [BINS, FILTERS])).transpose();
        let power = graph.matmul(
            graph.tensor("harmonic_filters".to_owned(), filters),
            graph.add(real, imaginary),
        );
        let decibels = graph.scale(
            graph.log(graph.at_least(power, SMALLEST_POWER)),
            10.0 / std::f64::consts::LN_10,
        );
        graph.reshape(decibels, &[0, HARMONICS as i64, FUNDAMENTALS as i64, -1])
    }
}
