//! What every decoder gives: blocks of mono samples, and at the end a report of the file's state.

use super::downmix::Downmix;
use crate::audio::validate::{Decoding, Rejection};
use symphonia::core::audio::{Audio, AudioBuffer};

/// A file's audio, decoded as it is asked for. Memory does not depend on the file's length.
pub trait AudioStream {
    /// Samples per second of what [`Self::next_block`] returns, in Hz.
    fn rate(&self) -> u32;

    /// Channels of the file, one to eight.
    fn channels(&self) -> u32;

    /// Samples per channel that the file's header promises. A header can say anything, so this is a hint for how much
    /// memory will be wanted and no more than the file's size makes possible.
    fn promised_samples(&self) -> Option<u64>;

    /// The next mono samples, in general one packet's; none at the end of the file.
    fn next_block(&mut self) -> Result<Option<&[f32]>, Rejection>;

    /// What decoding showed. Call it after [`Self::next_block`] has returned none.
    fn report(&self) -> Result<DecodeReport, Rejection>;
}

/// What is known of a file once it has been read to its end. A frame is one of MPEG audio in an MP3 file, and in every
/// other a sample of each channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DecodeReport {
    /// For [`crate::audio::validate::ValidateConfig::evaluate`].
    pub decoding: Decoding,
    /// Frames that were damaged, or that are missing although the file's header promises them.
    pub bad_frames: u64,
}

impl DecodeReport {
    /// Of a file of `expected_frames`, if anything in it decodes.
    pub(super) fn new(
        decoded_frames: u64,
        expected_frames: u64,
        non_finite_samples: u64,
        downmix: &Downmix,
    ) -> Result<Self, Rejection> {
        if decoded_frames == 0 {
            return Err(Rejection::NoFrames);
        }
        Ok(Self {
            decoding: Decoding {
                decoded_frames,
                expected_frames,
                decoded_share: decoded_frames as f64 / expected_frames as f64,
                non_finite_samples,
                channels_cancel: downmix.channels_cancel(),
            },
            bad_frames: expected_frames - decoded_frames,
        })
    }
}

/// Samples per channel that so many bytes can hold. The least bit rate that music is found at is 8,000 per second, so that
/// a byte holds a millisecond at most.
pub(super) fn possible_samples(bytes: u64, rate: u32) -> u64 {
    bytes.saturating_mul(u64::from(rate)) / 1000
}

/// Appends the mean of one or two channels.
pub(super) fn append_mean(buffer: &AudioBuffer<f32>, downmix: &mut Downmix, mono: &mut Vec<f32>) {
    if let Some((left, right)) = buffer.plane_pair(0, 1) {
        downmix.planar(&[left, right], mono);
    } else if let Some(only) = buffer.plane(0) {
        downmix.planar(&[only], mono);
    }
}

/// The largest absolute sample that counts as a number, full scale 1: 240 dB above it. Beyond, sums over the blocks of a
/// resampler are not finite any more.
const LARGEST_SAMPLE: f32 = 1e12;

/// Silences samples that are infinite, NaN or absurdly large, which nothing behind can work with, and counts them.
pub(super) fn silence_non_finite(samples: &mut [f32]) -> u64 {
    let is_number = |sample: f32| sample.abs() <= LARGEST_SAMPLE;
    // All of them at once, without a branch; to count is for the file that never comes.
    if samples.iter().fold(true, |finite, &sample| finite & is_number(sample)) {
        return 0;
    }
    let mut count = 0;
    for sample in samples.iter_mut().filter(|sample| !is_number(**sample)) {
        *sample = 0.0;
        count += 1;
    }
    count
}
