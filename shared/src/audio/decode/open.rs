//! Chooses the decoder by the first bytes of a file, never by its name.

use super::adts::AdtsStream;
use super::frames::Frames;
use super::kind::{BEGINNING_BYTES, Kind, kind, other_file_type};
use super::meter::{Bytes, Meter, MeteredFile};
use super::mpeg::MpegStream;
use super::mpeg_header::{MpegHeader, find_free_format};
use super::probed::ProbedStream;
use super::stream::AudioStream;
use super::unsupported::unsupported;
use super::window::Window;
use super::{aiff, caf, sun_audio, tags, wav};
use crate::audio::validate::Rejection;
use std::fs::{self, File};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// Opens a file of any supported format at the beginning of its audio. `meter` must be new.
pub fn open(path: &Path, meter: &Arc<Meter>) -> Result<Box<dyn AudioStream>, Rejection> {
    open_within_limits(open_file(path, meter)?)
}

/// Like [`open`], from `length` bytes.
pub fn open_bytes(bytes: Box<dyn Bytes>, length: u64, meter: &Arc<Meter>) -> Result<Box<dyn AudioStream>, Rejection> {
    open_within_limits(MeteredFile::new(bytes, length, meter))
}

pub(super) fn open_file(path: &Path, meter: &Arc<Meter>) -> Result<MeteredFile, Rejection> {
    // Checked before opening, because opening a pipe blocks until it has a writer.
    let metadata = meter.wait(|| fs::metadata(path))?;
    if !metadata.is_file() {
        return Err(Rejection::IoError {
            message: "it is not a regular file".into(),
        });
    }
    let file = meter.wait(|| File::open(path))?;
    Ok(MeteredFile::new(Box::new(file), metadata.len(), meter))
}

fn open_within_limits(file: MeteredFile) -> Result<Box<dyn AudioStream>, Rejection> {
    let meter = Arc::clone(file.meter());
    let opened = open_metered(file);
    match meter.exceeded() {
        Some(rejection) => Err(rejection),
        None => opened,
    }
}

fn open_metered(file: MeteredFile) -> Result<Box<dyn AudioStream>, Rejection> {
    let length = file.length();
    if length == 0 {
        return Err(Rejection::EmptyFile);
    }
    let mut window = Window::new(file, length);
    let range = tags::audio_range(&mut window)?;
    let beginning = window.bytes(range.start, BEGINNING_BYTES)?.to_vec();
    if let Some(format) = unsupported(&beginning) {
        return Err(Rejection::UnsupportedFormat(format!(
            "it is {format} audio, which is not supported; convert it, for example to FLAC"
        )));
    }
    if let Some(description) = caf::uncompressed(&beginning) {
        return Ok(Box::new(caf::open(window.into_file(), range, &description)?));
    }
    Ok(match kind(&beginning) {
        Kind::Wav => wav::open(window.into_file(), range)?,
        Kind::Aiff => aiff::open(window.into_file(), range)?,
        Kind::SunAudio => Box::new(sun_audio::open(window.into_file(), range)?),
        Kind::Container(container) => Box::new(ProbedStream::open(window.into_file(), range, container)?),
        Kind::Adts => Box::new(AdtsStream::open(Frames::new(window, 0..range.end))?),
        Kind::Frames => open_frames(window, range, &beginning)?,
    })
}

/// Searches for MPEG audio frames, and if there are none, for AAC frames. The search includes the leading tags, because
/// their sizes may be wrong.
fn open_frames(
    window: Window<MeteredFile>,
    range: Range<u64>,
    beginning: &[u8],
) -> Result<Box<dyn AudioStream>, Rejection> {
    /// Enough to recognise a web page or a picture.
    const TYPE_BYTES: usize = 512;
    let mut frames = Frames::<MpegHeader>::new(window, 0..range.end);
    let first = frames.next()?;
    let before = range.start..first.map_or(range.end, |first| first.at);
    let mut window = frames.into_window();
    if let Some(at) = find_free_format(&mut window, before)? {
        return Err(Rejection::UnsupportedFormat(format!(
            "from byte {at} on it is MPEG audio with a free bit rate, which is not supported; convert it, for example to FLAC"
        )));
    }
    if first.is_some() {
        return Ok(Box::new(MpegStream::open(Frames::new(window, 0..range.end))?));
    }
    match AdtsStream::open(Frames::new(window, 0..range.end)) {
        Ok(stream) => Ok(Box::new(stream)),
        // Unknown data after a tag is more likely damaged audio than another type of file.
        Err(Rejection::NoFrames) if range.start == 0 => {
            Err(other_file_type(&beginning[..beginning.len().min(TYPE_BYTES)])
                .map_or(Rejection::NoFrames, Rejection::NotAudio))
        }
        Err(rejection) => Err(rejection),
    }
}
