//! An audio file enters; mono `f32` samples at the file's own rate leave, block by block, and at the end what decoding
//! showed of the file's state.
//!
//! What a file is, its first bytes say; its name is not looked at. Channels are mixed down by their mean. Whether a file
//! in a given state is good enough is for [`crate::audio::validate`] to say.

mod aiff;
mod caf;
mod chunks;
mod container;
mod downmix;
mod formats;
mod meter;
mod mp3;
mod pcm;
mod probed;
mod quicktime;
mod sun_audio;
mod wav;

use crate::audio::validate::{Decoding, Rejection};
use container::Kind;
use downmix::Downmix;
pub use formats::{EXTENSIONS, MAGIC_BYTES, has_audio_extension, is_audio, unsupported};
use meter::MeteredFile;
pub use meter::{Bytes, Meter};
use mp3::Mp3Stream;
use probed::ProbedStream;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

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
    /// For [`crate::audio::validate::ValidateConfig::judge`].
    pub decoding: Decoding,
    /// Frames that were damaged, or that are missing although the file's header promises them.
    pub bad_frames: u64,
}

impl DecodeReport {
    /// Of a file of `expected_frames`, if anything in it decodes.
    fn new(
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

/// Opens a file of any format that is known and finds the beginning of its audio. `meter` is a new one.
pub fn open(path: &Path, meter: &Arc<Meter>) -> Result<Box<dyn AudioStream>, Rejection> {
    let failed = |error: io::Error| io_rejection(&error);
    // Asked before it is opened: to open a pipe waits for somebody who writes into it.
    let metadata = meter.wait(|| fs::metadata(path)).map_err(failed)?;
    if !metadata.is_file() {
        return Err(Rejection::IoError {
            message: "it is no regular file".into(),
        });
    }
    let file = meter.wait(|| File::open(path)).map_err(failed)?;
    open_bytes(Box::new(file), metadata.len(), meter)
}

/// The same of any bytes, of which there are `length`.
pub fn open_bytes(bytes: Box<dyn Bytes>, length: u64, meter: &Arc<Meter>) -> Result<Box<dyn AudioStream>, Rejection> {
    let opened = open_metered(MeteredFile::new(bytes, length, meter));
    match meter.exceeded() {
        Some(rejection) => Err(rejection),
        None => opened,
    }
}

fn open_metered(mut file: MeteredFile) -> Result<Box<dyn AudioStream>, Rejection> {
    let failed = |error: io::Error| io_rejection(&error);
    let range = container::audio_range(&mut file).map_err(failed)?;
    if range.is_empty() {
        return Err(if file.length() == 0 {
            Rejection::EmptyFile
        } else {
            Rejection::NoFrames
        });
    }
    let mut beginning = Vec::new();
    file.seek(SeekFrom::Start(range.start))
        .and_then(|_| {
            file.by_ref()
                .take(container::BEGINNING_BYTES)
                .read_to_end(&mut beginning)
        })
        .map_err(failed)?;
    if let Some(format) = unsupported(&beginning) {
        return Err(Rejection::UnsupportedFormat(format!(
            "it is {format} audio, which is not supported; convert it, to FLAC for example"
        )));
    }
    if let Some(description) = caf::uncompressed(&beginning) {
        return Ok(Box::new(caf::open(file, range, &description)?));
    }
    Ok(match container::kind(&beginning) {
        Kind::Wav => wav::open(file, range)?,
        Kind::Aiff => aiff::open(file, range)?,
        Kind::SunAudio => Box::new(sun_audio::open(file, range)?),
        Kind::Container(container) => Box::new(ProbedStream::open(file, range.start, container)?),
        Kind::Mpeg => Box::new(Mp3Stream::open(file, range, &beginning)?),
    })
}

fn io_rejection(error: &io::Error) -> Rejection {
    match error.kind() {
        io::ErrorKind::NotFound => Rejection::MissingFile,
        _ => Rejection::IoError {
            message: error.to_string(),
        },
    }
}

/// Samples per channel that so many bytes can hold. The least bit rate that music is found at is 8,000 per second, so that
/// a byte holds a millisecond at most.
fn possible_samples(bytes: u64, rate: u32) -> u64 {
    bytes.saturating_mul(u64::from(rate)) / 1000
}

/// The largest absolute sample that counts as a number, full scale 1: 240 dB above it. Beyond, sums over the blocks of a
/// resampler are not finite any more.
const LARGEST_SAMPLE: f32 = 1e12;

/// Silences samples that are infinite, NaN or absurdly large, which nothing behind can work with, and counts them.
fn silence_non_finite(samples: &mut [f32]) -> u64 {
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

#[cfg(test)]
mod tests;
