//! Finds the frames of MPEG audio and ADTS, which have no container, and distinguishes tags, pictures and zeros between
//! them from lost audio.
//!
//! A frame header has only a few fixed bits, which other data matches by chance. A header directly after a frame is
//! trusted; anywhere else it must be confirmed by the frames that follow.

use super::meter::{Meter, MeteredFile};
use super::window::Window;
use super::{ape, tags};
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// The header of a frame.
pub(super) trait FrameHeader: Copy {
    /// Length of the header.
    const BYTES: usize;

    /// Parses the header at the beginning of these bytes.
    fn parse(bytes: &[u8]) -> Option<Self>;

    /// Length of the frame, including the header.
    fn frame_bytes(&self) -> usize;

    /// Whether frames with these headers belong to one stream, with the same codec, rate and channels.
    fn same_stream(&self, other: &Self) -> bool;
}

/// A frame, and the gap before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<H> {
    pub header: H,
    /// Position in the file.
    pub at: u64,
    pub gap: Gap,
}

impl<H: FrameHeader> Frame<H> {
    /// Bytes of lost audio before this frame.
    pub(super) fn lost_bytes(&self, is_first: bool) -> u64 {
        let lost = self.gap.lost_bytes(!is_first);
        // A file that was cut out of a longer one may begin inside a frame.
        let is_cut = is_first && lost <= 2 * self.header.frame_bytes() as u64;
        if is_cut { 0 } else { lost }
    }
}

/// Bytes between two frames, before the first or after the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Gap {
    /// Bytes that are neither a tag nor a picture. Bytes after a tag do not count, because a tag may be longer than its
    /// header states.
    unknown: u64,
    /// Number of unknown bytes that are zero.
    zeros: u64,
    has_tag: bool,
}

impl Gap {
    /// Bytes of lost audio in this gap. Zeros inside a stream are damage; at its ends or next to a tag they are
    /// padding.
    pub(super) fn lost_bytes(&self, inside: bool) -> u64 {
        if inside && !self.has_tag {
            self.unknown
        } else {
            self.unknown - self.zeros
        }
    }
}

/// Iterates over the frames of a file.
pub(super) struct Frames<H> {
    window: Window<MeteredFile>,
    range: Range<u64>,
    position: u64,
    last: Option<H>,
    /// Whether there are no unknown bytes between the last frame and the position.
    in_sync: bool,
    gap: Gap,
}

impl<H: FrameHeader> Frames<H> {
    /// Searches this range of a file.
    pub(super) fn new(window: Window<MeteredFile>, range: Range<u64>) -> Self {
        Self {
            window,
            position: range.start,
            range,
            last: None,
            in_sync: false,
            gap: Gap::default(),
        }
    }

    /// Goes back to the first frame.
    pub(super) fn rewind(&mut self) {
        self.position = self.range.start;
        (self.last, self.in_sync, self.gap) = (None, false, Gap::default());
    }

    /// Length of the range in bytes.
    pub(super) fn range_bytes(&self) -> u64 {
        self.range.end - self.range.start
    }

    pub(super) fn meter(&self) -> &Arc<Meter> {
        self.window.file().meter()
    }

    /// Returns the window, for another reader.
    pub(super) fn into_window(self) -> Window<MeteredFile> {
        self.window
    }

    /// The next frame. `None` at the end; [`Self::gap`] is then the gap after the last frame.
    pub(super) fn next(&mut self) -> io::Result<Option<Frame<H>>> {
        self.gap = Gap::default();
        while self.position < self.range.end {
            if let Some(header) = self.header(self.position)? {
                let end = self.position + header.frame_bytes() as u64;
                let expected = self.in_sync && self.continues(&header);
                if expected && end > self.range.end {
                    // The file was cut inside this frame. The incomplete frame does not count as lost audio.
                    self.position = self.range.end;
                    break;
                }
                if end <= self.range.end && (expected || self.is_confirmed(header)?) {
                    let (at, gap) = (self.position, self.gap);
                    (self.position, self.last, self.in_sync) = (end, Some(header), true);
                    return Ok(Some(Frame { header, at, gap }));
                }
            }
            if let Some(length) = self.tag_length()? {
                // An APE tag without a header is only recognised at its footer.
                let before = ape::headless_ape_items(&mut self.window, self.position, self.range.start)?;
                self.gap.unknown = self.gap.unknown.saturating_sub(before);
                self.gap.zeros = self.gap.zeros.min(self.gap.unknown);
                self.gap.has_tag = true;
                self.position += length;
                continue;
            }
            self.skip_unknown()?;
        }
        Ok(None)
    }

    /// The gap after the last frame, once [`Self::next`] has returned `None`.
    pub(super) fn gap(&self) -> Gap {
        self.gap
    }

    /// The bytes of a frame.
    pub(super) fn bytes(&mut self, frame: &Frame<H>) -> io::Result<&[u8]> {
        self.window.bytes(frame.at, frame.header.frame_bytes())
    }

    fn header(&mut self, at: u64) -> io::Result<Option<H>> {
        Ok(H::parse(self.window.bytes(at, H::BYTES)?))
    }

    fn continues(&self, header: &H) -> bool {
        self.last.is_some_and(|last| last.same_stream(header))
    }

    /// Whether frames of the same stream follow this one: one if the stream is known, two if not.
    fn is_confirmed(&mut self, header: H) -> io::Result<bool> {
        let wanted = if self.continues(&header) { 1 } else { 2 };
        let (mut at, mut header) = (self.position, header);
        for _ in 0..wanted {
            at += header.frame_bytes() as u64;
            if at >= self.range.end {
                return Ok(true);
            }
            header = match self.header(at)? {
                Some(next) if next.same_stream(&header) => next,
                _ => return Ok(tags::leading(&mut self.window, at)?.is_some()),
            };
        }
        Ok(true)
    }

    /// Length of the tag or picture at the position. The size of an ID3v2 tag is trusted only if something known
    /// follows it.
    fn tag_length(&mut self) -> io::Result<Option<u64>> {
        const ID3V2_HEADER: u64 = 10;
        let Some(tag) = tags::leading(&mut self.window, self.position)? else {
            return Ok(None);
        };
        let left = self.range.end - self.position;
        let length = tag.length.min(left);
        if tag.certain || self.begins_something(self.position + length)? {
            return Ok(Some(length));
        }
        Ok(Some(ID3V2_HEADER.min(left)))
    }

    /// Whether a frame or a tag begins at this position, or the range ends.
    fn begins_something(&mut self, at: u64) -> io::Result<bool> {
        if at >= self.range.end || tags::leading(&mut self.window, at)?.is_some() {
            return Ok(true);
        }
        let Some(header) = self.header(at)? else {
            return Ok(false);
        };
        let position = std::mem::replace(&mut self.position, at);
        let confirmed = self.is_confirmed(header);
        self.position = position;
        confirmed
    }

    /// Skips an unknown byte, and the bytes after it that cannot begin a frame, tag or picture.
    fn skip_unknown(&mut self) -> io::Result<()> {
        /// First bytes of headers, tags and pictures.
        const BEGINNINGS: &[u8] = b"\xffITAL\x89";
        let bytes = self.window.bytes(self.position, 4096)?;
        let run = bytes.iter().skip(1).position(|byte| BEGINNINGS.contains(byte));
        let skipped = &bytes[..run.map_or(bytes.len(), |run| run + 1)];
        let zeros = skipped.iter().filter(|&&byte| byte == 0).count() as u64;
        let skipped = skipped.len() as u64;
        if !self.gap.has_tag {
            self.gap.unknown += skipped;
            self.gap.zeros += zeros;
        }
        self.in_sync = false;
        // There are no bytes if the file was shortened while it is read.
        self.position = if skipped == 0 {
            self.range.end
        } else {
            self.position + skipped
        };
        Ok(())
    }
}
