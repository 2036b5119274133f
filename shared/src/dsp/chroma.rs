//! Chroma: the power of a frame in each of the twelve pitch classes, C first, as
//! `librosa.feature.chroma_stft(tuning=0)`.
//!
//! Every bin contributes to every class, weighted by a Gaussian of their distance in semitones. So a frame is a dense
//! product: 12 × 1025 multiplications and additions at n_fft 2048.

use super::frame_pair::{self, Group, Wide, sum};
use ndarray::Array2;
use pulp::{Arch, Simd, WithSimd};

/// Pitch classes: C, C♯, … B.
pub const N_CHROMA: usize = 12;

/// Centre of the octave weighting, in octaves above 27.5 Hz (librosa's `ctroct`).
const CENTRE_OCTAVE: f64 = 5.0;
/// Half-width of the Gaussian over octaves (librosa's `octwidth`).
const OCTAVE_WIDTH: f64 = 2.0;
/// The lowest A, from which octaves are counted.
const LOWEST_A_HZ: f64 = 27.5;
/// Weights are computed from A on; C is this many semitones above A (librosa's `base_c`).
const A_TO_C: usize = 3;

/// Weights below this are 0. librosa's weights go down to 1e-33; multiplied by the power of a quiet frame they become
/// subnormal numbers, which are slow. Compared with the f32 rounding error of the loud classes both are negligible.
const LEAST_WEIGHT: f32 = 1e-20;

/// Bins in [`Wide`] groups.
const BINS: usize = frame_pair::WIDE / 2;

/// Weights of every bin for every class: `librosa.filters.chroma` with its defaults.
#[derive(Clone, Debug)]
pub struct ChromaFilterBank {
    bins: usize,
    /// Per class, the weights of the bins of all groups. Bins that do not exist have the weight 0.
    classes: [Vec<[f32; BINS]>; N_CHROMA],
}

impl ChromaFilterBank {
    /// Builds the weights for the bins of an FFT of `n_fft` samples at `sample_rate` Hz.
    pub fn new(sample_rate: u32, n_fft: usize) -> Self {
        let bins = n_fft / 2 + 1;
        let weights: Vec<[f32; N_CHROMA]> = (0..bins).map(|bin| weights(bin, sample_rate, n_fft)).collect();
        let wide = frame_pair::groups(n_fft) * frame_pair::LANES / frame_pair::WIDE;
        let group = |class: usize, group: usize| -> [f32; BINS] {
            std::array::from_fn(|at| weights.get(group * BINS + at).map_or(0.0, |weights| weights[class]))
        };
        Self {
            bins,
            classes: std::array::from_fn(|class| (0..wide).map(|at| group(class, at)).collect()),
        }
    }

    /// The weights as a matrix, `[12, n_fft / 2 + 1]`.
    pub fn to_dense(&self) -> Array2<f32> {
        Array2::from_shape_fn((N_CHROMA, self.bins), |(class, bin)| {
            self.classes[class].as_flattened()[bin]
        })
    }

    /// Computes the chroma of two frames. Each frame's largest class is scaled to 1 (librosa's `norm=inf`); silence
    /// stays 0.
    ///
    /// # Panics
    /// When `power` does not have all groups of bins.
    pub fn pair(&self, power: &[Group]) -> [[f32; 2]; N_CHROMA] {
        let (power, rest) = power.as_flattened().as_chunks();
        assert!(rest.is_empty() && power.len() == self.classes[0].len(), "all bins");
        // The lanes are added up outside of the kernel: if the compiler sees that, it splits them into smaller vectors.
        let sums = Arch::new().dispatch(LaneSums {
            power,
            classes: &self.classes,
        });
        let mut chroma = sums.map(|lanes| {
            let groups = lanes.as_chunks::<{ frame_pair::LANES }>().0;
            sum(std::array::from_fn(|lane| groups.iter().map(|group| group[lane]).sum()))
        });
        for frame in 0..2 {
            let largest = chroma.iter().map(|class| class[frame]).fold(0.0, f32::max);
            if largest > f32::MIN_POSITIVE {
                chroma.iter_mut().for_each(|class| class[frame] /= largest);
            }
        }
        chroma
    }
}

/// The sums over all groups of bins, one partial sum per lane.
struct LaneSums<'a> {
    power: &'a [Wide],
    classes: &'a [Vec<[f32; BINS]>; N_CHROMA],
}

impl WithSimd for LaneSums<'_> {
    type Output = [Wide; N_CHROMA];

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Self::Output {
        let mut sums = [[0.0; frame_pair::WIDE]; N_CHROMA];
        for (sums, weights) in sums.iter_mut().zip(self.classes) {
            let mut lanes = [0.0; frame_pair::WIDE];
            for (power, weights) in self.power.iter().zip(weights) {
                for lane in 0..frame_pair::WIDE {
                    lanes[lane] += power[lane] * weights[lane / 2];
                }
            }
            *sums = lanes;
        }
        sums
    }
}

/// Weights of one bin for all classes, C first.
fn weights(bin: usize, sample_rate: u32, n_fft: usize) -> [f32; N_CHROMA] {
    let classes = N_CHROMA as f64;
    // As in librosa, bin 0 counts as one and a half octaves below bin 1.
    let semitones = |bin: usize| match bin {
        0 => semitones(1, sample_rate, n_fft) - 1.5 * classes,
        bin => semitones(bin, sample_rate, n_fft),
    };
    let at = semitones(bin);
    let width = (semitones(bin + 1) - at).max(1.0);
    let mut from_a: [f64; N_CHROMA] = std::array::from_fn(|class| {
        let distance = (at - class as f64 + classes / 2.0).rem_euclid(classes) - classes / 2.0;
        (-0.5 * (2.0 * distance / width).powi(2)).exp()
    });
    let length = from_a.iter().map(|weight| weight * weight).sum::<f64>().sqrt();
    let octave = (-0.5 * ((at / classes - CENTRE_OCTAVE) / OCTAVE_WIDTH).powi(2)).exp();
    from_a.rotate_left(A_TO_C);
    from_a.map(|weight| match (weight / length * octave) as f32 {
        weight if weight < LEAST_WEIGHT => 0.0,
        weight => weight,
    })
}

/// Semitones of a bin's frequency above the lowest A.
fn semitones(bin: usize, sample_rate: u32, n_fft: usize) -> f64 {
    let hz = bin as f64 * f64::from(sample_rate) / n_fft as f64;
    N_CHROMA as f64 * (hz / LOWEST_A_HZ).log2()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The chroma of two frames, the second of which is half as loud.
    fn chroma(filters: &ChromaFilterBank, power: &[f32]) -> [f32; N_CHROMA] {
        let mut groups = vec![Group::default(); filters.classes[0].len() * 4];
        for (out, power) in groups.as_flattened_mut().chunks_exact_mut(2).zip(power) {
            out.copy_from_slice(&[*power, power / 2.0]);
        }
        let chroma = filters.pair(&groups);
        assert!(chroma.iter().all(|class| class[0] == class[1]));
        chroma.map(|class| class[0])
    }

    /// librosa's code line by line, in f64: a matrix over all `n_fft` frequencies, half of which is discarded.
    fn naive(sample_rate: f64, n_fft: usize) -> Vec<Vec<f64>> {
        let mut frqbins: Vec<f64> = (1..n_fft)
            .map(|bin| 12.0 * (bin as f64 * sample_rate / n_fft as f64 / (440.0 / 16.0)).log2())
            .collect();
        frqbins.insert(0, frqbins[0] - 1.5 * 12.0);
        let mut widths: Vec<f64> = frqbins.windows(2).map(|pair| (pair[1] - pair[0]).max(1.0)).collect();
        widths.push(1.0);
        let mut weights = vec![vec![0.0; n_fft]; 12];
        for bin in 0..n_fft {
            for (class, row) in weights.iter_mut().enumerate() {
                let shifted = frqbins[bin] - class as f64 + 6.0 + 120.0;
                let distance = shifted - 12.0 * (shifted / 12.0).floor() - 6.0;
                row[bin] = (-0.5 * (2.0 * distance / widths[bin]).powi(2)).exp();
            }
            let norm = weights.iter().map(|row| row[bin].powi(2)).sum::<f64>().sqrt();
            let octave = (-0.5 * ((frqbins[bin] / 12.0 - 5.0) / 2.0).powi(2)).exp();
            weights.iter_mut().for_each(|row| row[bin] *= octave / norm);
        }
        (0..12)
            .map(|class| weights[(class + 3) % 12][..=n_fft / 2].to_vec())
            .collect()
    }

    #[test]
    fn filters_match_librosa_at_every_rate_and_length() {
        for (sample_rate, n_fft) in [(44_100, 2048), (16_000, 2048), (22_050, 510), (8000, 6), (48_000, 4)] {
            let (ours, truth) = (
                ChromaFilterBank::new(sample_rate, n_fft).to_dense(),
                naive(sample_rate.into(), n_fft),
            );
            for (ours, truth) in ours.rows().into_iter().zip(&truth) {
                assert_eq!(ours.len(), truth.len());
                for (bin, (ours, truth)) in ours.iter().zip(truth).enumerate() {
                    assert!(
                        (f64::from(*ours) - truth).abs() < 1e-6,
                        "{sample_rate} Hz, {n_fft}, bin {bin}"
                    );
                }
            }
        }
    }

    #[test]
    fn frame_matches_the_matrix_product_for_any_number_of_bins() {
        for n_fft in [2, 4, 6, 8, 14, 510, 2048] {
            let filters = ChromaFilterBank::new(44_100, n_fft);
            let power: Vec<f32> = (0..=n_fft / 2).map(|bin| (bin as f32 * 1.7).sin().powi(2)).collect();
            let products: Vec<f64> = (filters.to_dense().rows().into_iter())
                .map(|row| row.iter().zip(&power).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum())
                .collect();
            let largest = products.iter().copied().fold(0.0, f64::max);
            for (ours, truth) in chroma(&filters, &power).iter().zip(products) {
                assert!((f64::from(*ours) - truth / largest).abs() < 1e-5, "{n_fft}");
            }
        }
    }

    #[test]
    fn pitch_maps_to_its_class_in_every_octave() {
        let filters = ChromaFilterBank::new(44_100, 16_384);
        for octave in 2..7 {
            for class in 0..12 {
                // `class` 0 is C; A4 is 440 Hz.
                let hz = 440.0 * ((octave * 12 + class) as f64 / 12.0 - 4.75).exp2();
                let mut power = vec![0.0; 8193];
                power[(hz * 16_384.0 / 44_100.0).round() as usize] = 1.0;
                let chroma = chroma(&filters, &power);
                assert_eq!(
                    chroma.iter().position(|&value| value == 1.0),
                    Some(class as usize),
                    "{hz} Hz"
                );
            }
        }
    }

    #[test]
    fn silence_stays_zero_and_faint_sound_is_normalized() {
        let filters = ChromaFilterBank::new(44_100, 2048);
        assert_eq!(chroma(&filters, &[0.0; 1025]), [0.0; 12]);
        assert!(chroma(&filters, &[1e-30; 1025]).contains(&1.0));
    }
}
