//! Time stretch with a phase vocoder on the device, for many clips at once, each at its own rate.
//!
//! `shared::dsp::phase_vocoder` works frame by frame; here all frames are processed together. The rate alone decides
//! which two input frames make an output frame and with which weights. The host computes that as a [`Timeline`] in f64,
//! because `i · rate` in f32 would be off by fractions of a frame at the end of a clip.
//!
//! Phases are integers with 2^22 units per turn. Differences are then exact, wrapping is a bit mask, and a sum over a
//! thousand frames loses nothing, while f32 would be off by 1e-3 radians at the end. The rounding of angles to 2^-22
//! turns is smaller than the FFT's error.

use super::spectrum::Spectrum;
use super::{positions, upload};
use burn::tensor::ops::PadMode;
use burn::tensor::{Device, FloatDType, Int, IntDType, Tensor, TensorData};
use shared::dsp::features;
use shared::dsp::phase_vocoder::TimeStretch;
use std::f64::consts::TAU;

/// librosa's defaults for `effects.time_stretch`.
const N_FFT: usize = 2048;
const HOP_LENGTH: usize = 512;
const BINS: usize = N_FFT / 2 + 1;
/// Frames that overlap at each sample.
const OVERLAP: usize = N_FFT / HOP_LENGTH;
/// Hops of an output frame before its centre. The first frame has them before the clip's start.
const CENTRE: usize = OVERLAP / 2;

/// Units of phase per turn.
const TURN: i32 = 1 << 22;

/// Longest clip: 182 blocks of 182 frames. Their phase changes, each below a turn, sum to less than 2^31 within a block
/// and over all blocks.
pub(super) const MAX_CLIP_SAMPLES: usize = 1 << 24;

/// Added to a spectrum's real part. The angle of silence is then 0, as in numpy.angle, and not the half turn that C's
/// atan2 gives for a negative zero. Values above 1e-22 are unchanged.
const SILENT_REAL: f32 = 1e-30;

/// The time stretch of one clip.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Speed {
    /// Number of samples to stretch, from the row's start. Later ones count as zero.
    pub source_samples: usize,
    /// Above 1 is faster.
    pub rate: f64,
}

/// Stretches clips to one length.
#[derive(Debug)]
pub(super) struct DeviceStretch {
    clip_samples: usize,
    spectrum: Spectrum,
    /// 0 for bin 0 and the Nyquist bin, whose spectra are real, else 1; `[1, BINS]`.
    complex_bins: Tensor<2>,
    device: Device,
}

/// Maps output frames to input frames. A row's input frames are numbered from a silent one before the first to a silent
/// one after the last.
#[derive(Debug, Default)]
struct Timeline {
    /// Input frames per row.
    analysed: usize,
    /// Output frames per row: `blocks * block`. Phases are summed within blocks, then over blocks.
    blocks: usize,
    block: usize,
    /// `[rows, analysed]`: 0 for frames that librosa does not have, else 1.
    valid: Vec<f32>,
    /// `[rows * blocks * block]`: the earlier of the two input frames.
    earlier_frame: Vec<i32>,
    /// `[rows * blocks * block]`: the frame whose phase change to the next frame is added for this output frame.
    phase_frame: Vec<i32>,
    /// `[rows * blocks * block, 1]`: the earlier and the later frame's weights in the magnitude.
    earlier_weight: Vec<f32>,
    later_weight: Vec<f32>,
    /// `[OVERLAP, rows, hops, 1]`: whether the frame that began this many hops earlier exists.
    overlapping: Vec<f32>,
}

impl Timeline {
    /// For rows of `length` samples that are stretched to `hops` hops.
    fn new(speeds: &[Speed], length: usize, hops: usize) -> Self {
        let analysed = 1 + length / HOP_LENGTH + 2;
        let needed = hops + CENTRE;
        let block = needed.isqrt() + 1;
        let blocks = needed.div_ceil(block);
        let mut timeline = Self {
            analysed,
            blocks,
            block,
            ..Self::default()
        };
        let mut existing = Vec::new();
        for (row, speed) in speeds.iter().enumerate() {
            let in_frames = 1 + speed.source_samples / HOP_LENGTH;
            let stretched = TimeStretch::stretched_len(speed.source_samples, speed.rate);
            // As many as numpy.arange(0, in_frames, rate) has values, but no more than the result needs.
            let out_frames =
                ((in_frames as f64 / speed.rate).ceil() as usize).min((stretched + N_FFT).div_ceil(HOP_LENGTH));
            timeline
                .valid
                .extend((0..analysed).map(|frame| f32::from(frame >= 1 && frame <= in_frames)));
            let silent = row * analysed;
            let mut phase_frame = silent;
            for frame in 0..blocks * block {
                let position = frame as f64 * speed.rate;
                let (earlier, fraction) = (silent + 1 + position.floor() as usize, position.fract() as f32);
                let exists = frame < out_frames;
                let (earlier, earlier_weight, later_weight) = if exists {
                    (earlier, 1.0 - fraction, fraction)
                } else {
                    (silent, 0.0, 0.0)
                };
                timeline.earlier_frame.push(earlier as i32);
                timeline.phase_frame.push(phase_frame as i32);
                timeline.earlier_weight.push(earlier_weight);
                timeline.later_weight.push(later_weight);
                phase_frame = earlier;
            }
            existing.push(out_frames);
        }
        for earlier in 0..OVERLAP {
            for out_frames in &existing {
                let exists = |hop: usize| (earlier..earlier + out_frames).contains(&(hop + CENTRE));
                timeline.overlapping.extend((0..hops).map(|hop| f32::from(exists(hop))));
            }
        }
        timeline
    }
}

impl DeviceStretch {
    /// For clips of `clip_samples` samples.
    pub(super) fn new(clip_samples: usize, device: &Device) -> Self {
        let complex: Vec<f32> = (0..BINS).map(|bin| f32::from(bin != 0 && bin != BINS - 1)).collect();
        Self {
            clip_samples,
            spectrum: Spectrum::new(N_FFT, device),
            complex_bins: Tensor::from_data(TensorData::new(complex, [1, BINS]), device),
            device: device.clone(),
        }
    }

    /// Stretches each row of `samples`, `[rows, length]`, to `[rows, clip_samples]`. Each `source_samples` must be at
    /// least `clip_samples * rate`.
    pub(super) fn run(&self, samples: Tensor<2>, speeds: &[Speed]) -> Tensor<2> {
        let [rows, length] = samples.dims();
        // At least two: the frame that a clip's first hop lacks is then not the only one.
        let hops = self.clip_samples.div_ceil(HOP_LENGTH).max(OVERLAP - CENTRE);
        let timeline = Timeline::new(speeds, length, hops);
        let frames = self.synthesize(self.analyse(samples, speeds, &timeline), rows, &timeline);
        let hopped = self.overlap_add(frames, timeline.overlapping, rows, hops);
        hopped
            .reshape([rows, hops * HOP_LENGTH])
            .narrow(1, 0, self.clip_samples)
    }

    /// The spectra of a row's input frames, `[rows * analysed, BINS]`.
    fn analyse(&self, samples: Tensor<2>, speeds: &[Speed], timeline: &Timeline) -> (Tensor<2>, Tensor<2>) {
        let [rows, length] = samples.dims();
        let ends = speeds.iter().map(|speed| speed.source_samples as i32).collect();
        let ends: Tensor<2, Int> = upload(ends, [rows, 1], &self.device);
        let inside = positions(length, &self.device)
            .expand([rows, length])
            .lower(ends.expand([rows, length]));
        let samples = samples * inside.float();
        let valid = TensorData::new(timeline.valid.clone(), [rows, timeline.analysed, 1]);
        let valid: Tensor<3> = Tensor::from_data(valid, &self.device);
        let frames = self.spectrum.frames(
            samples,
            N_FFT / 2 + HOP_LENGTH,
            HOP_LENGTH,
            timeline.analysed,
            features::PadMode::Constant,
        ) * valid;
        self.spectrum.forward(frames)
    }

    /// The output frames before windowing, `[rows * blocks * block, N_FFT]`.
    fn synthesize(&self, (real, imaginary): (Tensor<2>, Tensor<2>), rows: usize, timeline: &Timeline) -> Tensor<2> {
        let indices = |values: &[i32]| -> Tensor<1, Int> { upload(values.to_vec(), [values.len()], &self.device) };
        let weights = |values: &[f32]| -> Tensor<2> {
            Tensor::from_data(TensorData::new(values.to_vec(), [values.len(), 1]), &self.device)
        };
        let magnitude = (real.clone().square() + imaginary.clone().square()).sqrt();
        let earlier_frame = indices(&timeline.earlier_frame);
        let earlier = magnitude.clone().select(0, earlier_frame.clone()) * weights(&timeline.earlier_weight);
        let later = magnitude.select(0, earlier_frame.add_scalar(1)) * weights(&timeline.later_weight);
        let magnitude = earlier + later;

        let turns = imaginary
            .atan2(real.add_scalar(SILENT_REAL))
            .mul_scalar(f64::from(TURN) / TAU);
        // Made positive, because the conversion to integers rounds towards zero.
        let phase = turns.add_scalar(f64::from(TURN) + 0.5).cast(IntDType::I32);
        let changes = phase.dims()[0] - 1;
        let change = phase.clone().narrow(0, 1, changes) - phase.narrow(0, 0, changes);
        let change = change
            .bitwise_and_scalar(TURN - 1)
            .select(0, indices(&timeline.phase_frame));
        let phase = self.accumulate(change.reshape([rows, timeline.blocks, timeline.block, BINS]));
        let phase = phase.cast(FloatDType::F32).mul_scalar(TAU / f64::from(TURN));

        let real = magnitude.clone() * phase.clone().cos();
        let imaginary = magnitude * phase.sin() * self.complex_bins.clone();
        self.spectrum.inverse(real, imaginary)
    }

    /// Sums phase changes along a row's frames, `[rows, blocks, block, BINS]` to `[rows * blocks * block, BINS]`:
    /// within blocks, then over blocks. Burn's `cumsum` on a GPU sums all previous elements again for each element,
    /// which is a thousand values for the last of a thousand frames. With blocks it is 33 and 32.
    fn accumulate(&self, change: Tensor<4, Int>) -> Tensor<2, Int> {
        let [rows, blocks, block, bins] = change.dims();
        let within = change.cumsum(2);
        let total = within.clone().narrow(2, block - 1, 1).bitwise_and_scalar(TURN - 1);
        let before = total.clone().cumsum(1) - total;
        let phase = (within + before).bitwise_and_scalar(TURN - 1);
        phase.reshape([rows * blocks * block, bins])
    }

    /// Overlap-add of the windowed frames, `[rows, hops, HOP_LENGTH]`, divided by the sum of the squared windows, as in
    /// `librosa.istft`. Every hop is the sum of one part each of `OVERLAP` frames.
    fn overlap_add(&self, frames: Tensor<2>, overlapping: Vec<f32>, rows: usize, hops: usize) -> Tensor<3> {
        let count = frames.dims()[0] / rows;
        let frames = frames.reshape([rows, count, N_FFT]) * self.spectrum.window();
        let overlapping = TensorData::new(overlapping, [OVERLAP, rows, hops, 1]);
        let overlapping: Tensor<4> = Tensor::from_data(overlapping, &self.device);
        let squares = self.spectrum.window().square();
        let part = |earlier: usize| {
            let at = earlier * HOP_LENGTH;
            // A hop lacks frames that would begin before the first one.
            let missing = earlier.saturating_sub(CENTRE);
            let first = CENTRE.saturating_sub(earlier);
            let values = frames
                .clone()
                .narrow(2, at, HOP_LENGTH)
                .narrow(1, first, hops - missing);
            let values = match missing {
                0 => values,
                _ => values.pad([(0, 0), (missing, 0), (0, 0)], PadMode::Constant(0.0)),
            };
            let exists = overlapping.clone().narrow(0, earlier, 1).reshape([rows, hops, 1]);
            (values, exists * squares.clone().narrow(2, at, HOP_LENGTH))
        };
        let (sum, weight) = (1..OVERLAP)
            .map(part)
            .fold(part(0), |(sum, weight), (values, squares)| {
                (sum + values, weight + squares)
            });
        sum / weight.clamp_min(f32::MIN_POSITIVE)
    }
}
