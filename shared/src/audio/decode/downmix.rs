//! Downmixes channels to their mean and measures how much of their energy is left.

use crate::dsp::dot::dot;

/// Channels cancel if their mean has less than this fraction of their average energy, a loss of 20 dB. Uncorrelated
/// channels keep 1/channels, and a sound in one of eight channels keeps 1/8. Below 1/100, two channels are nearly the
/// inverse of each other (correlation below -0.98), for example because one was wired with reversed polarity.
const CANCELLED_SHARE: f64 = 0.01;

/// Energies summed over a file: the average over the channels, and that of their mean.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Downmix {
    channels: f64,
    mean: f64,
}

impl Downmix {
    /// Appends the mean of channels of equal length.
    pub(super) fn planar(&mut self, planes: &[impl AsRef<[f32]>], mono: &mut Vec<f32>) {
        match planes {
            [plane] => return mono.extend_from_slice(plane.as_ref()),
            [left, right] => return self.stereo(left.as_ref(), right.as_ref(), mono),
            _ => {}
        }
        let (begin, share) = (mono.len(), 1.0 / planes.len() as f32);
        let frames = planes.first().map_or(0, |plane| plane.as_ref().len());
        mono.resize(begin + frames, 0.0);
        let mean = &mut mono[begin..];
        for plane in planes.iter().map(AsRef::as_ref) {
            for (sum, sample) in mean.iter_mut().zip(plane) {
                *sum += share * sample;
            }
            self.channels += f64::from(share * dot(plane, plane));
        }
        self.mean += f64::from(dot(mean, mean));
    }

    /// [`Self::planar`] in one pass for stereo, the most common case.
    fn stereo(&mut self, left: &[f32], right: &[f32], mono: &mut Vec<f32>) {
        // One sum per lane, so the compiler can vectorise.
        const LANES: usize = 8;
        let begin = mono.len();
        mono.resize(begin + left.len().min(right.len()), 0.0);
        let (mean, mean_rest) = mono[begin..].as_chunks_mut::<LANES>();
        let ((left, left_rest), (right, right_rest)) = (left.as_chunks::<LANES>(), right.as_chunks::<LANES>());
        let (mut channel_sums, mut mean_sums) = ([0.0; LANES], [0.0; LANES]);
        for ((mean, left), right) in mean.iter_mut().zip(left).zip(right) {
            for lane in 0..LANES {
                mean[lane] = 0.5 * (left[lane] + right[lane]);
                channel_sums[lane] += left[lane] * left[lane] + right[lane] * right[lane];
                mean_sums[lane] += mean[lane] * mean[lane];
            }
        }
        for ((mean, left), right) in mean_rest.iter_mut().zip(left_rest).zip(right_rest) {
            *mean = 0.5 * (left + right);
            channel_sums[0] += left * left + right * right;
            mean_sums[0] += *mean * *mean;
        }
        self.channels += f64::from(0.5 * channel_sums.iter().sum::<f32>());
        self.mean += f64::from(mean_sums.iter().sum::<f32>());
    }

    /// Appends the mean of each whole frame of interleaved samples.
    pub(super) fn interleaved(&mut self, samples: &[f32], channels: usize, mono: &mut Vec<f32>) {
        if channels == 1 {
            return mono.extend_from_slice(samples);
        }
        let (begin, share) = (mono.len(), 1.0 / channels as f32);
        let frames = samples.chunks_exact(channels);
        mono.extend(frames.map(|frame| frame.iter().map(|sample| share * sample).sum::<f32>()));
        let mean = &mono[begin..];
        self.channels += f64::from(share * dot(samples, samples));
        self.mean += f64::from(dot(mean, mean));
    }

    /// Counts a mean that a decoder made itself, and the energy of its channels: the sum of squares of their samples,
    /// averaged over the channels.
    pub(super) fn mean(&mut self, channels: f32, mean: &[f32]) {
        self.channels += f64::from(channels);
        self.mean += f64::from(dot(mean, mean));
    }

    /// Whether the channels cancel each other in their mean.
    pub(super) fn channels_cancel(&self) -> bool {
        self.mean < CANCELLED_SHARE * self.channels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(period: f32) -> Vec<f32> {
        (0..10_000).map(|at| 0.5 * (at as f32 / period).sin()).collect()
    }

    fn cancels(planes: &[&[f32]]) -> bool {
        let (mut planar, mut interleaved) = (Downmix::default(), Downmix::default());
        let samples: Vec<f32> = (0..planes[0].len())
            .flat_map(|at| planes.iter().map(move |plane| plane[at]))
            .collect();
        let (mut mean, mut other) = (Vec::new(), Vec::new());
        planar.planar(planes, &mut mean);
        interleaved.interleaved(&samples, planes.len(), &mut other);
        assert_eq!(mean, other);
        assert_eq!(planar.channels_cancel(), interleaved.channels_cancel());
        planar.channels_cancel()
    }

    #[test]
    fn only_nearly_inverse_channels_cancel() {
        let (left, other, silence) = (tone(20.0), tone(31.0), vec![0.0; 10_000]);
        let scaled = |factor: f32| -> Vec<f32> { left.iter().map(|sample| factor * sample).collect() };
        assert!(cancels(&[&left, &scaled(-1.0)]));
        assert!(cancels(&[&left, &scaled(-0.9)]));
        assert!(!cancels(&[&left, &scaled(-0.5)]));
        assert!(!cancels(&[&left, &left]));
        assert!(!cancels(&[&left, &other]));
        assert!(!cancels(&[&left]));
        assert!(!cancels(&[&silence, &silence]));
        let one_of_eight: [&[f32]; 8] = std::array::from_fn(|at| if at == 0 { &left[..] } else { &silence[..] });
        assert!(!cancels(&one_of_eight));
    }

    #[test]
    fn non_finite_samples_do_not_count_as_cancelled() {
        for hostile in [f32::NAN, f32::INFINITY] {
            let mut downmix = Downmix::default();
            downmix.planar(&[[hostile, 0.5], [0.5, -0.5]], &mut Vec::new());
            assert!(!downmix.channels_cancel(), "{hostile}");
        }
    }
}
