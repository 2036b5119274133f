//! The polyphase synthesis: samples of 32 subbands in, sound out.

use super::bands::{SUBBAND_LINES, SUBBANDS, Spectrum};
use super::dct::{Dct, reversed};
use super::synthesis_window::WINDOW;

/// Time steps of a frame of two granules.
pub(super) const STEPS: usize = 2 * SUBBAND_LINES;

/// Time steps before the frame that the window reaches back to.
pub(super) const HISTORY: usize = 16;

/// Values over time, the last steps of the frame before first.
pub(super) type Row = [f32; HISTORY + STEPS];

/// Taps of the window for each output.
const TAPS: usize = 16;

/// Time steps or subbands that are computed at once.
const LANES: usize = 4;

/// State of the synthesis.
pub(super) struct Synthesis {
    dct: Dct,
    /// The subbands, then their transform in the order of [`Dct::apply`].
    rows: [Row; SUBBANDS],
    /// The window of each output, with the signs of the transform.
    window: [[f32; TAPS]; SUBBANDS],
    outputs: [[f32; STEPS]; SUBBANDS],
}

/// The row of the transform that an output takes at even taps (parity 0) or odd ones (1), and its sign. The standard has
/// a vector of 64 values here, which are the 32 outputs of a type II transform and their mirror images.
fn source(output: usize, parity: usize) -> (usize, f32) {
    match (parity, output) {
        (0, 0..16) => (16 + output, 1.0),
        // Row 32, which is zero.
        (0, 16) => (0, 0.0),
        (0, _) => (48 - output, -1.0),
        (_, 0..=16) => (16 - output, -1.0),
        (_, _) => (output - 16, -1.0),
    }
}

impl Synthesis {
    pub fn new() -> Self {
        let factor = |index: usize| {
            let value = match index {
                0..=256 => WINDOW[index],
                _ if index.is_multiple_of(64) => WINDOW[512 - index],
                _ => -WINDOW[512 - index],
            };
            value as f32 / 65_536.0
        };
        let tap = |output, tap| factor(SUBBANDS * tap + output) * source(output, tap % 2).1;
        Self {
            dct: Dct::new(),
            rows: [[0.0; HISTORY + STEPS]; SUBBANDS],
            window: std::array::from_fn(|output| std::array::from_fn(|at| tap(output, at))),
            outputs: [[0.0; STEPS]; SUBBANDS],
        }
    }

    /// Appends the sound of the first granules of a frame.
    pub fn append(&mut self, subbands: &[Spectrum; 2], granules: usize, sound: &mut Vec<f32>) {
        let steps = (SUBBAND_LINES * granules).min(STEPS);
        load(subbands, &mut self.rows);
        self.dct.apply(&mut self.rows);
        for (output, (window, sums)) in self.window.iter().zip(&mut self.outputs).enumerate() {
            let [even, odd] = [0, 1].map(|parity| &self.rows[reversed(source(output, parity).0, 5)]);
            filter(window, even, odd, sums);
        }
        let begin = sound.len();
        sound.resize(begin + SUBBANDS * steps, 0.0);
        interleave(&self.outputs, &mut sound[begin..]);
        for row in &mut self.rows {
            row.copy_within(steps..steps + HISTORY, 0);
        }
    }
}

/// Exchanges rows and columns.
#[inline(always)]
fn transposed(square: [[f32; LANES]; LANES]) -> [[f32; LANES]; LANES] {
    std::array::from_fn(|row| std::array::from_fn(|column| square[column][row]))
}

/// Copies subbands to rows. The transform has the frequencies of odd subbands in reverse, which changes the sign of every
/// second sample.
#[inline(never)]
fn load(subbands: &[Spectrum; 2], rows: &mut [Row; SUBBANDS]) {
    const SIGNS: [f32; LANES] = [1.0, -1.0, 1.0, -1.0];
    for (block, steps) in subbands.as_flattened().as_chunks::<LANES>().0.iter().enumerate() {
        let begin = HISTORY + LANES * block;
        for (group, rows) in rows.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            let square = std::array::from_fn(|step| steps[step].as_chunks::<LANES>().0[group]);
            let mut square = transposed(square);
            for odd in [1, 3] {
                for lane in 0..LANES {
                    square[odd][lane] *= SIGNS[lane];
                }
            }
            for (row, values) in rows.iter_mut().zip(square) {
                row[begin..begin + LANES].copy_from_slice(&values);
            }
        }
    }
}

/// Applies the window of one output: even taps to one row and odd taps to another, each a time step further back.
#[inline(never)]
fn filter(window: &[f32; TAPS], even: &Row, odd: &Row, sums: &mut [f32; STEPS]) {
    /// Sums that fit in registers.
    const WIDTH: usize = 12;
    for (block, to) in sums.as_chunks_mut::<WIDTH>().0.iter_mut().enumerate() {
        let mut sums = [0.0; WIDTH];
        for (tap, factor) in window.iter().enumerate() {
            let row = if tap % 2 == 0 { even } else { odd };
            let begin = HISTORY + WIDTH * block - tap;
            let values: &[f32; WIDTH] = row[begin..begin + WIDTH].try_into().expect("the length is WIDTH");
            for lane in 0..WIDTH {
                sums[lane] += factor * values[lane];
            }
        }
        *to = sums;
    }
}

/// Writes all outputs of each time step one after the other.
#[inline(never)]
fn interleave(outputs: &[[f32; STEPS]; SUBBANDS], sound: &mut [f32]) {
    let (sound, _) = sound.as_chunks_mut::<SUBBANDS>();
    for (block, sound) in sound.chunks_mut(LANES).enumerate() {
        let begin = LANES * block;
        for (group, outputs) in outputs.as_chunks::<LANES>().0.iter().enumerate() {
            let square = std::array::from_fn(|output| outputs[output].as_chunks::<LANES>().0[begin / LANES]);
            for (sound, values) in sound.iter_mut().zip(transposed(square)) {
                sound.as_chunks_mut::<LANES>().0[group] = values;
            }
        }
    }
}
