//! An audio file enters; mono `f32` samples at the file's own rate leave, block by block, and at the end what decoding
//! showed of the file's state.
//!
//! What a file is, its first bytes say; its name is not looked at. Channels are mixed down by their mean. Whether a file
//! in a given state is good enough is for [`crate::audio::validate`] to say.

mod aac;
mod adts;
mod aiff;
mod caf;
mod chunks;
mod codec;
mod container;
mod downmix;
mod ebml;
mod formats;
mod frames;
mod matroska;
mod matroska_track;
mod meter;
mod mp4_edits;
mod mpeg;
mod mpeg_header;
mod pcm;
mod probed;
mod quicktime;
mod section;
mod sun_audio;
mod tags;
mod track_source;
mod wav;
mod window;

use crate::audio::validate::{Decoding, Rejection};
use adts::AdtsStream;
use container::Kind;
use downmix::Downmix;
pub use formats::{EXTENSIONS, MAGIC_BYTES, has_audio_extension, is_audio, unsupported};
use frames::Frames;
use meter::MeteredFile;
pub use meter::{Bytes, Meter};
use mpeg::MpegStream;
use mpeg_header::{MpegHeader, find_free_format};
use probed::ProbedStream;
use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use symphonia::core::audio::{Audio, AudioBuffer};
use window::Window;

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

fn open_metered(file: MeteredFile) -> Result<Box<dyn AudioStream>, Rejection> {
    let failed = |error: io::Error| io_rejection(&error);
    let length = file.length();
    if length == 0 {
        return Err(Rejection::EmptyFile);
    }
    let mut window = Window::new(file, length);
    let range = tags::audio_range(&mut window).map_err(failed)?;
    let beginning = window
        .bytes(range.start, container::BEGINNING_BYTES)
        .map_err(failed)?
        .to_vec();
    if let Some(format) = unsupported(&beginning) {
        return Err(Rejection::UnsupportedFormat(format!(
            "it is {format} audio, which is not supported; convert it, to FLAC for example"
        )));
    }
    if let Some(description) = caf::uncompressed(&beginning) {
        return Ok(Box::new(caf::open(window.into_file(), range, &description)?));
    }
    Ok(match container::kind(&beginning) {
        Kind::Wav => wav::open(window.into_file(), range)?,
        Kind::Aiff => aiff::open(window.into_file(), range)?,
        Kind::SunAudio => Box::new(sun_audio::open(window.into_file(), range)?),
        Kind::Container(container) => Box::new(ProbedStream::open(window.into_file(), range, container)?),
        Kind::Adts => Box::new(AdtsStream::open(Frames::new(window, 0..range.end))?),
        Kind::Frames => open_frames(window, range, &beginning)?,
    })
}

/// Searches for frames of MPEG audio, and if there are none for frames of AAC. Tags in front are passed over again, because
/// their sizes are not to be relied upon.
fn open_frames(
    window: Window<MeteredFile>,
    range: Range<u64>,
    beginning: &[u8],
) -> Result<Box<dyn AudioStream>, Rejection> {
    /// Bytes that a page or a picture is known by.
    const ENOUGH: usize = 512;
    let failed = |error: io::Error| io_rejection(&error);
    let mut frames = Frames::<MpegHeader>::new(window, 0..range.end);
    let first = frames.next().map_err(failed)?;
    let before = range.start..first.map_or(range.end, |first| first.at);
    let mut window = frames.into_window();
    if let Some(at) = find_free_format(&mut window, before).map_err(failed)? {
        return Err(Rejection::UnsupportedFormat(format!(
            "it is MPEG audio of a free bit rate from byte {at} on, which is not supported; convert it, to FLAC for example"
        )));
    }
    if first.is_some() {
        return Ok(Box::new(MpegStream::open(Frames::new(window, 0..range.end))?));
    }
    match AdtsStream::open(Frames::new(window, 0..range.end)) {
        Ok(stream) => Ok(Box::new(stream)),
        // Behind a tag, whatever is not a frame is damaged audio rather than something else.
        Err(Rejection::NoFrames) if range.start == 0 => {
            Err(container::what_else(&beginning[..beginning.len().min(ENOUGH)])
                .map_or(Rejection::NoFrames, Rejection::NotAudio))
        }
        Err(rejection) => Err(rejection),
    }
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

/// Appends the mean of one or two channels.
fn append_mean(buffer: &AudioBuffer<f32>, downmix: &mut Downmix, mono: &mut Vec<f32>) {
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
