//! The sums and statistics of one track.

use crate::dsp::PCM_FULL_SCALE;
use crate::dsp::chroma::N_CHROMA;
use crate::dsp::decibel::refer_to_max;
use crate::dsp::features::{DbReference, FeatureConfig};
use crate::dsp::mfcc::N_MFCC;
use crate::dsp::moments::{STATISTICS, sums};
use crate::recordings::{Peak, PeakGrid};
use half::f16;
use half::slice::HalfFloatSliceExt;
use pulp::{Arch, Simd, WithSimd};

/// Number of statistics of a track's MFCCs, `[7, 20]` row by row: [`STATISTICS`] of each of 20 coefficients, all 20
/// means first, then all 20 standard deviations and so on.
pub const MFCC_STATISTICS: usize = STATISTICS * N_MFCC;

/// Number of statistics of a track's chroma, `[7, 12]` row by row: [`STATISTICS`] of each of 12 pitch classes from C
/// on, in the same order.
pub const CHROMA_STATISTICS: usize = STATISTICS * N_CHROMA;

const _: () = assert!(
    MFCC_STATISTICS == 140 && CHROMA_STATISTICS == 84,
    "the sizes in the file format"
);

/// Sums and statistics of one track.
#[derive(Clone, Debug, PartialEq)]
pub struct TrackSummary {
    /// The track's id.
    pub track_id: u64,
    /// Number of samples summed.
    pub samples: u64,
    /// Sum of the samples, full scale 1.
    pub waveform_sum: f64,
    /// Sum of their squares.
    pub waveform_sum_squares: f64,
    /// Number of mel frames summed.
    pub frames: u64,
    /// Per band, the sum of the mel spectrogram in dB as a model gets it: by default below the track's maximum, clipped
    /// at `top_db`.
    pub mel_sum: Vec<f64>,
    /// Per band, the sum of the squares of the same values.
    pub mel_sum_squares: Vec<f64>,
    /// [`MFCC_STATISTICS`] values.
    pub mfcc: Vec<f32>,
    /// [`CHROMA_STATISTICS`] values.
    pub chroma: Vec<f32>,
    /// The [peaks](PeakGrid::peaks) of the mel spectrogram, which identify the recording.
    pub peaks: Vec<Peak>,
}

impl TrackSummary {
    /// Sums up a track: `samples` and `mel` (`[n_mels, frames]` in dB, reference 1.0) as they are stored. `mfcc` and
    /// `chroma` are 0 until [`TrackStatistics`](crate::dsp::track_statistics::TrackStatistics) computes them.
    ///
    /// # Panics
    /// When `mel` is not `n_mels` equal rows.
    pub fn new(track_id: u64, samples: &[i16], mel: &[f16], features: &FeatureConfig) -> Self {
        assert!(
            mel.len().is_multiple_of(features.n_mels),
            "a mel spectrogram is n_mels equal rows"
        );
        let frames = mel.len() / features.n_mels;
        // Peaks do not depend on the reference and the multiplier.
        let mut below_maximum = mel.to_f32_vec();
        refer_to_max(&mut below_maximum, features.drawn_db());
        let peaks = PeakGrid::new(features).peaks(&below_maximum, features.n_mels);
        let scale = features.decibel_scale();
        let decibels = if (scale.reference, scale.multiplier, scale.top_db.is_some()) == (DbReference::Max, 10.0, true)
        {
            below_maximum
        } else {
            let mut decibels = mel.to_f32_vec();
            scale.apply_to_stored(&mut decibels);
            decibels
        };
        let mut mel_sum = Vec::with_capacity(features.n_mels);
        let mut mel_sum_squares = Vec::with_capacity(features.n_mels);
        for band in decibels.chunks_exact(frames.max(1)) {
            let [sum, squares] = sums(band, |value| [value, value * value]);
            mel_sum.push(sum);
            mel_sum_squares.push(squares);
        }
        mel_sum.resize(features.n_mels, 0.0);
        mel_sum_squares.resize(features.n_mels, 0.0);
        let (waveform_sum, waveform_sum_squares) = waveform_sums(samples);
        Self {
            track_id,
            samples: samples.len() as u64,
            waveform_sum,
            waveform_sum_squares,
            frames: frames as u64,
            mel_sum,
            mel_sum_squares,
            mfcc: vec![0.0; MFCC_STATISTICS],
            chroma: vec![0.0; CHROMA_STATISTICS],
            peaks,
        }
    }

    /// Root mean square of the waveform, in dB relative to full scale.
    pub fn rms_dbfs(&self) -> f64 {
        rms_dbfs(self.waveform_sum_squares, self.samples)
    }
}

/// [`TrackSummary::rms_dbfs`] of a waveform that has no summary.
pub fn waveform_rms_dbfs(samples: &[i16]) -> f64 {
    rms_dbfs(waveform_sums(samples).1, samples.len() as u64)
}

fn rms_dbfs(sum_squares: f64, samples: u64) -> f64 {
    10.0 * (sum_squares / samples as f64).log10()
}

/// The sum of a waveform and the sum of its squares, relative to full scale.
fn waveform_sums(samples: &[i16]) -> (f64, f64) {
    let (sum, squares) = Arch::new().dispatch(WaveformSums(samples));
    let scale = f64::from(PCM_FULL_SCALE);
    (sum as f64 / scale, squares as f64 / (scale * scale))
}

struct WaveformSums<'a>(&'a [i16]);

impl WithSimd for WaveformSums<'_> {
    type Output = (i64, i64);

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> (i64, i64) {
        // Integers until the last step: i64 holds the sum of squares of 2^33 samples at full scale. Wrapping, so the
        // loop has no branch and vectorizes.
        self.0.iter().fold((0, 0), |(sum, squares): (i64, i64), &sample| {
            let square = i32::from(sample).wrapping_mul(i32::from(sample));
            (
                sum.wrapping_add(i64::from(sample)),
                squares.wrapping_add(i64::from(square)),
            )
        })
    }
}
