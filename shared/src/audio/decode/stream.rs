//! The interface of all decoders: blocks of mono samples, and a report at the end of the file.

use super::downmix::Downmix;
use crate::audio::validate::{Decoding, Rejection};
use symphonia::core::audio::{Audio, AudioBuffer};

/// The audio of a file, decoded lazily. Memory does not depend on the length of the file.
pub trait AudioStream {
    /// A short name of the codec: `mp3`, `flac`, `pcm`.
    fn codec(&self) -> &'static str;

    /// Sample rate of the blocks, in Hz.
    fn rate(&self) -> u32;

    /// Channels of the file, one to eight.
    fn channels(&self) -> u32;

    /// Samples per channel that the header states, limited to what the size of the file can hold. Use it only as a
    /// hint for allocation: headers can be wrong.
    fn promised_samples(&self) -> Option<u64>;

    /// The next block of mono samples, usually one packet. `None` at the end of the file.
    fn next_block(&mut self) -> Result<Option<&[f32]>, Rejection>;

    /// Statistics of decoding the file. Call it after [`Self::next_block`] has returned `None`.
    fn report(&self) -> Result<DecodeReport, Rejection>;
}

/// Statistics of a file that was decoded to its end. In an MP3 file a frame is an MPEG audio frame; in every other
/// format it is one sample of each channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DecodeReport {
    /// Input of [`crate::audio::validate::ValidateConfig::evaluate`].
    pub decoding: Decoding,
    /// Frames that are damaged, or that the header counts but the file does not have.
    pub bad_frames: u64,
}

impl DecodeReport {
    /// Returns [`Rejection::NoFrames`] if no frame decoded.
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

/// Maximum samples per channel in this many bytes. The lowest bit rate of music is 8 kbit/s, so a byte holds at most
/// one millisecond.
pub(super) fn possible_samples(bytes: u64, rate: u32) -> u64 {
    bytes.saturating_mul(u64::from(rate)) / 1000
}

/// Appends the mean of the one or two channels.
pub(super) fn append_mean(buffer: &AudioBuffer<f32>, downmix: &mut Downmix, mono: &mut Vec<f32>) {
    if let Some((left, right)) = buffer.plane_pair(0, 1) {
        downmix.planar(&[left, right], mono);
    } else if let Some(only) = buffer.plane(0) {
        downmix.planar(&[only], mono);
    }
}

/// Maximum absolute sample, 240 dB above full scale. With larger samples, sums in the resampler overflow to infinity.
const LARGEST_SAMPLE: f32 = 1e12;

/// Sets samples that are infinite, NaN or implausibly large to 0, because later stages cannot handle them, and counts
/// them.
pub(super) fn silence_non_finite(samples: &mut [f32]) -> u64 {
    let is_number = |sample: f32| sample.abs() <= LARGEST_SAMPLE;
    // A fast pass without branches: almost no file has such samples.
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
