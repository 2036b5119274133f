//! Joint stereo: the mean of both channels, and how much energy the channels have.

use super::bands::{Bands, LINES, MAX_BANDS, Spectrum};
use super::scale_factors::ScaleFactors;
use std::f32::consts::{FRAC_1_SQRT_2, FRAC_PI_6};

/// What the header of a frame says about joint stereo.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mode {
    pub mid_side: bool,
    pub intensity: bool,
}

/// How the mean of a band follows from the two coded spectra, and its energy from theirs.
#[derive(Clone, Copy)]
struct Weights {
    mean: [f32; 2],
    energy: [f32; 2],
}

const LEFT_RIGHT: Weights = Weights {
    mean: [0.5, 0.5],
    energy: [0.5, 0.5],
};

/// The channels are (mid + side) / √2 and (mid - side) / √2, so the side is not in their mean.
const MID_SIDE: Weights = Weights {
    mean: [FRAC_1_SQRT_2, 0.0],
    energy: [0.5, 0.5],
};

/// Both channels are the first spectrum, with these factors.
fn at_position([left, right]: [f32; 2]) -> Weights {
    Weights {
        mean: [0.5 * (left + right), 0.0],
        energy: [0.5 * (left * left + right * right), 0.0],
    }
}

/// Replaces the first spectrum with the mean of the channels. Returns the sum of squares of the channels' lines, averaged
/// over the channels.
pub(super) fn to_mean(first: &mut Spectrum, second: &Spectrum, mode: Mode) -> f32 {
    let weights = if mode.mid_side { MID_SIDE } else { LEFT_RIGHT };
    let (first, second) = (first.as_flattened_mut(), second.as_flattened());
    let (first, _) = first.as_chunks_mut::<LANES>();
    let (second, _) = second.as_chunks::<LANES>();
    let mut energy = [0.0; LANES];
    for (first, second) in first.iter_mut().zip(second) {
        for lane in 0..LANES {
            let (a, b) = (first[lane], second[lane]);
            energy[lane] += a * a + b * b;
            first[lane] = weights.mean[0] * a + weights.mean[1] * b;
        }
    }
    0.5 * energy.iter().sum::<f32>()
}

/// One sum per lane, so the compiler can vectorise.
const LANES: usize = 8;

/// Replaces a spectrum with its half, for a mean of channels that are transformed separately. Returns half the sum of its
/// squares.
pub(super) fn to_half(spectrum: &mut Spectrum) -> f32 {
    let mut energy = 0.0;
    for line in spectrum.as_flattened_mut() {
        energy += *line * *line;
        *line *= 0.5;
    }
    0.5 * energy
}

/// The second channel of a granule with intensity stereo, whose scale factors are positions in the bands in which it is
/// zero.
pub(super) struct Intensity<'a> {
    pub bands: &'a Bands,
    pub factors: &'a ScaleFactors,
    pub is_mpeg1: bool,
    /// Whether positions in MPEG 2 have the larger step.
    pub large_step: bool,
}

impl Intensity<'_> {
    /// [`to_mean`] with intensity stereo.
    pub fn to_mean(&self, first: &mut Spectrum, second: &Spectrum, mode: Mode) -> f32 {
        let weights = self.weights(second, mode);
        let (first, second) = (first.as_flattened_mut(), second.as_flattened());
        let mut energy = 0.0;
        let mut pair = 0;
        for (weights, &pairs) in weights.iter().zip(&self.bands.pairs[..self.bands.count]) {
            let end = pair + usize::from(pairs);
            for &place in self.bands.places[pair..end].as_flattened() {
                let place = usize::from(place);
                let (a, b) = (first[place], second[place]);
                energy += weights.energy[0] * a * a + weights.energy[1] * b * b;
                first[place] = weights.mean[0] * a + weights.mean[1] * b;
            }
            pair = end;
        }
        energy
    }

    /// The weights of each band. From the highest band down, a band has a position as long as the second channel is zero;
    /// in short blocks this is so for each window.
    fn weights(&self, second: &Spectrum, mode: Mode) -> [Weights; MAX_BANDS] {
        let bands = self.bands;
        let other = if mode.mid_side { MID_SIDE } else { LEFT_RIGHT };
        let mut weights = [other; MAX_BANDS];
        let mut is_silent = [true; 3];
        let mut end = LINES / 2;
        for band in (0..bands.count).rev() {
            let begin = end - usize::from(bands.pairs[band]);
            let mut places = bands.places[begin..end].as_flattened().iter();
            end = begin;
            let is_zero = places.all(|&place| second.as_flattened()[usize::from(place)] == 0.0);
            let silent = match band.checked_sub(bands.long) {
                Some(short) => {
                    is_silent[short % 3] &= is_zero;
                    is_silent[short % 3]
                }
                None => {
                    is_silent = [is_silent == [true; 3] && is_zero; 3];
                    is_silent[0]
                }
            };
            // The highest bands have no scale factor of their own.
            let windows = if bands.long == bands.count { 1 } else { 3 };
            let coded = if band + windows < bands.count {
                band
            } else {
                band - windows
            };
            let position = self.factors.values[coded];
            if silent && position < self.factors.positions[coded] {
                weights[band] = at_position(self.factors_of(position));
            }
        }
        weights
    }

    /// The factors of the left and right channel at a position.
    fn factors_of(&self, position: u8) -> [f32; 2] {
        if self.is_mpeg1 {
            // tan(position π / 12) to 1, with the sum 1.
            let angle = 0.5 * FRAC_PI_6 * f32::from(position);
            let (left, right) = (angle.sin(), angle.cos());
            return [left / (left + right), right / (left + right)];
        }
        let step = if self.large_step { 0.5 } else { 0.25 };
        let factor = (-step * f32::from(position.div_ceil(2))).exp2();
        if position % 2 == 1 {
            [factor, 1.0]
        } else {
            [1.0, factor]
        }
    }
}
