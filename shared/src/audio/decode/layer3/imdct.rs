//! The inverse modified discrete cosine transforms of 18 and 3 times 6 lines, for all subbands at once.
//!
//! All loops go over the subbands, which are independent, so the compiler can vectorise them. The transform of N lines is a
//! type IV cosine transform of size N, whose outputs are mirrored to 2N. It becomes one of type III if neighbouring inputs
//! are added and outputs are divided by 2 cos(π(2n+1)/4N); the divisions of the last step are part of the window. A type
//! III transform splits into one of type III of its even inputs and one of type IV of its odd ones.

use super::bands::{Block, SUBBAND_LINES, SUBBANDS, Spectrum};
use std::f64::consts::PI;

/// The output of the transform: the lines of this granule, and those that overlap the next.
pub(super) type Windowed = [[f32; SUBBANDS]; 2 * SUBBAND_LINES];

/// Windows of all kinds of blocks, divided by what the transforms leave out.
pub(super) struct Windows {
    long: [[f32; 36]; 3],
    short: [f32; 12],
}

/// The output of the type IV transform that mirrors to this index, and its sign.
fn mirror(index: usize, size: usize) -> (usize, f64) {
    match index + size / 2 {
        direct if direct < size => (direct, 1.0),
        at if at < 2 * size => (2 * size - 1 - at, -1.0),
        at => (at - 2 * size, -1.0),
    }
}

impl Windows {
    pub fn new() -> Self {
        let sine = |at: usize, length: f64| ((at as f64 + 0.5) * PI / length).sin();
        let scaled = |at: usize, size: usize, window: f64| {
            let (output, sign) = mirror(at, size);
            (sign * window / (2.0 * ((2 * output + 1) as f64 * PI / (4 * size) as f64).cos())) as f32
        };
        let start = |at: usize| match at {
            0..18 => sine(at, 36.0),
            18..24 => 1.0,
            24..30 => sine(at - 18, 12.0),
            _ => 0.0,
        };
        Self {
            long: [
                std::array::from_fn(|at| scaled(at, 18, sine(at, 36.0))),
                std::array::from_fn(|at| scaled(at, 18, start(at))),
                std::array::from_fn(|at| scaled(at, 18, start(35 - at))),
            ],
            short: std::array::from_fn(|at| scaled(at, 6, sine(at, 12.0))),
        }
    }

    /// Transforms and windows a spectrum.
    pub fn apply(&self, block: Block, spectrum: &Spectrum, windowed: &mut Windowed) {
        match block {
            Block::Long => long(spectrum, &self.long[0], windowed),
            Block::Start => long(spectrum, &self.long[1], windowed),
            Block::Stop => long(spectrum, &self.long[2], windowed),
            Block::Short => short(spectrum, &self.short, windowed),
            Block::Mixed => {
                let mut low = [[0.0; SUBBANDS]; 2 * SUBBAND_LINES];
                long(spectrum, &self.long[0], &mut low);
                short(spectrum, &self.short, windowed);
                for (windowed, low) in windowed.iter_mut().zip(&low) {
                    windowed[..2].copy_from_slice(&low[..2]);
                }
            }
        }
    }
}

const COS_10: f32 = 0.984_807_7;
const COS_20: f32 = 0.939_692_6;
const COS_30: f32 = 0.866_025_4;
const COS_40: f32 = 0.766_044_43;
const COS_50: f32 = 0.642_787_6;
const COS_70: f32 = 0.342_020_15;
const COS_80: f32 = 0.173_648_18;

/// The type III transform of size 9: the sum over m of x(m) cos(π m (2n + 1) / 18).
#[inline(always)]
fn dct3_of_9(x: [f32; 9]) -> [f32; 9] {
    let half = x[0] + 0.5 * x[6];
    let even = [
        half + x[2] * COS_20 + x[4] * COS_40 + x[8] * COS_80,
        x[0] - x[6] + 0.5 * (x[2] - x[4] - x[8]),
        half - x[2] * COS_80 - x[4] * COS_20 + x[8] * COS_40,
        half - x[2] * COS_40 + x[4] * COS_80 - x[8] * COS_20,
    ];
    let third = x[3] * COS_30;
    let odd = [
        third + x[1] * COS_10 + x[5] * COS_50 + x[7] * COS_70,
        (x[1] - x[5] - x[7]) * COS_30,
        -third + x[1] * COS_50 - x[5] * COS_70 + x[7] * COS_10,
        -third + x[1] * COS_70 + x[5] * COS_10 - x[7] * COS_50,
    ];
    [
        even[0] + odd[0],
        even[1] + odd[1],
        even[2] + odd[2],
        even[3] + odd[3],
        x[0] - x[2] + x[4] - x[6] + x[8],
        even[3] - odd[3],
        even[2] - odd[2],
        even[1] - odd[1],
        even[0] - odd[0],
    ]
}

/// 1 / (2 cos(π (2n + 1) / 36)).
const HALF_SECANTS_9: [f32; 9] = [
    0.501_909_9,
    0.517_638_1,
    0.551_689,
    0.610_387_3,
    0.707_106_77,
    0.871_723_4,
    1.183_100_8,
    1.931_851_7,
    5.736_856_6,
];

/// Transforms long blocks.
#[inline(never)]
fn long(x: &Spectrum, window: &[f32; 36], out: &mut Windowed) {
    for subband in 0..SUBBANDS {
        let sum = |line: usize| x[line][subband] + x[line - 1][subband];
        let even = dct3_of_9([
            x[0][subband],
            sum(2),
            sum(4),
            sum(6),
            sum(8),
            sum(10),
            sum(12),
            sum(14),
            sum(16),
        ]);
        let (s1, s3, s5, s7, s9) = (sum(1), sum(3), sum(5), sum(7), sum(9));
        let (s11, s13, s15, s17) = (sum(11), sum(13), sum(15), sum(17));
        let odd = dct3_of_9([
            s1,
            s3 + s1,
            s5 + s3,
            s7 + s5,
            s9 + s7,
            s11 + s9,
            s13 + s11,
            s15 + s13,
            s17 + s15,
        ]);
        for at in 0..9 {
            let odd = odd[at] * HALF_SECANTS_9[at];
            let (low, high) = (even[at] + odd, even[at] - odd);
            // Outputs `at` and `17 - at`, each at its two places.
            out[26 - at][subband] = low * window[26 - at];
            out[27 + at][subband] = low * window[27 + at];
            out[8 - at][subband] = high * window[8 - at];
            out[9 + at][subband] = high * window[9 + at];
        }
    }
}

/// 1 / (2 cos(π (2n + 1) / 12)).
const HALF_SECANTS_3: [f32; 3] = [0.517_638_1, 0.707_106_77, 1.931_851_7];

/// The type III transform of size 3.
#[inline(always)]
fn dct3_of_3(x: [f32; 3]) -> [f32; 3] {
    let (even, odd) = (x[0] + 0.5 * x[2], x[1] * COS_30);
    [even + odd, x[0] - x[2], even - odd]
}

/// Transforms short blocks: three windows of 12, the first in the middle of the granule.
#[inline(never)]
fn short(x: &Spectrum, window: &[f32; 12], out: &mut Windowed) {
    *out = [[0.0; SUBBANDS]; 2 * SUBBAND_LINES];
    for block in 0..3 {
        let begin = 6 + 6 * block;
        for subband in 0..SUBBANDS {
            let line = |at: usize| x[3 * at + block][subband];
            let sum = |at: usize| line(at) + line(at - 1);
            let even = dct3_of_3([line(0), sum(2), sum(4)]);
            let (s1, s3, s5) = (sum(1), sum(3), sum(5));
            let odd = dct3_of_3([s1, s3 + s1, s5 + s3]);
            for at in 0..3 {
                let odd = odd[at] * HALF_SECANTS_3[at];
                let (low, high) = (even[at] + odd, even[at] - odd);
                out[begin + 8 - at][subband] += low * window[8 - at];
                out[begin + 9 + at][subband] += low * window[9 + at];
                out[begin + 2 - at][subband] += high * window[2 - at];
                out[begin + 3 + at][subband] += high * window[3 + at];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The transform of the standard, in double precision.
    fn direct(lines: &[f32]) -> Vec<f64> {
        let size = lines.len();
        let output = |at: usize| -> f64 {
            let angle = |line: usize| ((2 * at + 1 + size) * (2 * line + 1)) as f64 * PI / (4 * size) as f64;
            (0..size).map(|line| f64::from(lines[line]) * angle(line).cos()).sum()
        };
        (0..2 * size).map(output).collect()
    }

    fn expected(block: Block, lines: &[f32; 18], subband: usize) -> [f64; 36] {
        let sine = |at: usize, length: usize| ((at as f64 + 0.5) * PI / length as f64).sin();
        let mut out = [0.0; 36];
        if block == Block::Short || (block == Block::Mixed && subband >= 2) {
            for window in 0..3 {
                let lines: Vec<f32> = (0..6).map(|at| lines[3 * at + window]).collect();
                for (at, value) in direct(&lines).iter().enumerate() {
                    out[6 + 6 * window + at] += value * sine(at, 12);
                }
            }
            return out;
        }
        for (at, value) in direct(lines).iter().enumerate() {
            let start = |at: usize| match at {
                18..24 => 1.0,
                24..30 => sine(at - 18, 12),
                30.. => 0.0,
                _ => sine(at, 36),
            };
            out[at] = value
                * match block {
                    Block::Start => start(at),
                    Block::Stop => start(35 - at),
                    _ => sine(at, 36),
                };
        }
        out
    }

    #[test]
    fn transforms_are_those_of_the_standard() {
        let windows = Windows::new();
        let spectrum: Spectrum = std::array::from_fn(|line| {
            std::array::from_fn(|subband| ((line * 37 + subband * 101 + 13) % 97) as f32 / 48.5 - 1.0)
        });
        for block in [Block::Long, Block::Start, Block::Short, Block::Mixed, Block::Stop] {
            let mut windowed = [[f32::NAN; SUBBANDS]; 36];
            windows.apply(block, &spectrum, &mut windowed);
            for subband in 0..SUBBANDS {
                let lines = spectrum.map(|line| line[subband]);
                for (at, expected) in expected(block, &lines, subband).iter().enumerate() {
                    let error = f64::from(windowed[at][subband]) - expected;
                    assert!(error.abs() < 4e-6, "{block:?} {subband} {at}: {error}");
                }
            }
        }
    }
}
