//! Streams of frames without a container, MPEG audio and ADTS: finds the frames one after another, and tells tags,
//! pictures and zeros between them from audio that was lost.
//!
//! A header is a few bits that other data has by chance. Where one frame ends another begins, so a header there is
//! believed; anywhere else the frames behind it must confirm it.

use super::meter::{Meter, MeteredFile};
use super::window::Window;
use super::{ape, tags};
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// The header of a frame.
pub(super) trait FrameHeader: Copy {
    /// Its length.
    const BYTES: usize;

    /// Reads it from the beginning of these bytes.
    fn parse(bytes: &[u8]) -> Option<Self>;

    /// Length of the frame, the header included.
    fn frame_bytes(&self) -> usize;

    /// Whether frames with these headers belong to one stream, with the same codec, rate and channels.
    fn same_stream(&self, other: &Self) -> bool;
}

/// A frame, and what was between it and the one before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<H> {
    pub header: H,
    /// Position in the file.
    pub at: u64,
    pub gap: Gap,
}

impl<H: FrameHeader> Frame<H> {
    /// Bytes of audio that must have been in front of this frame.
    pub(super) fn lost_bytes(&self, is_first: bool) -> u64 {
        let lost = self.gap.lost_bytes(!is_first);
        // A file that was cut out of a longer one begins inside a frame.
        let is_cut = is_first && lost <= 2 * self.header.frame_bytes() as u64;
        if is_cut { 0 } else { lost }
    }
}

/// Bytes between two frames, or in front of the first or behind the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Gap {
    /// Bytes that are not a tag or a picture, nor what follows a tag that is longer than its header says.
    unknown: u64,
    /// How many of them are zero.
    zeros: u64,
    has_tag: bool,
}

impl Gap {
    /// Bytes of audio that must have been here. Zeros are a damaged piece inside a stream, and mere padding at its ends.
    pub(super) fn lost_bytes(&self, inside: bool) -> u64 {
        if inside && !self.has_tag {
            self.unknown
        } else {
            self.unknown - self.zeros
        }
    }
}

/// The frames of a file, one after another.
pub(super) struct Frames<H> {
    window: Window<MeteredFile>,
    range: Range<u64>,
    position: u64,
    last: Option<H>,
    /// Whether a frame, and nothing unknown, ends at the position.
    in_sync: bool,
    gap: Gap,
}

impl<H: FrameHeader> Frames<H> {
    /// The frames in this range of a file.
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

    /// Bytes of the range.
    pub(super) fn range_bytes(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// The counters of the file.
    pub(super) fn meter(&self) -> &Arc<Meter> {
        self.window.file().meter()
    }

    /// The bytes of the file, for another reader.
    pub(super) fn into_window(self) -> Window<MeteredFile> {
        self.window
    }

    /// The next frame. None at the end; [`Self::gap`] is then the gap behind the last one.
    pub(super) fn next(&mut self) -> io::Result<Option<Frame<H>>> {
        self.gap = Gap::default();
        while self.position < self.range.end {
            if let Some(header) = self.header(self.position)? {
                let end = self.position + header.frame_bytes() as u64;
                let expected = self.in_sync && self.continues(&header);
                if expected && end > self.range.end {
                    // The file was cut inside this frame, which is no loss beyond what was cut off.
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
                // An APE tag may be known by its end alone.
                let before = ape::headless_ape_items(&mut self.window, self.position, self.range.start)?;
                self.gap.unknown = self.gap.unknown.saturating_sub(before);
                self.gap.zeros = self.gap.zeros.min(self.gap.unknown);
                self.gap.has_tag = true;
                self.position += length;
                continue;
            }
            self.pass_over()?;
        }
        Ok(None)
    }

    /// The gap behind the last frame, once there are no more.
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

    /// Whether frames of the same stream follow on this one: one where the stream is known, two where it is not.
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

    /// Length of the tag or picture at the position. That of an ID3v2 tag is believed if what follows it is known.
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

    /// Whether there is a frame, a tag or the end here.
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

    /// Passes over a byte that begins nothing, and over those behind it that cannot begin anything either.
    fn pass_over(&mut self) -> io::Result<()> {
        /// First bytes of headers, tags and pictures.
        const BEGINNINGS: &[u8] = b"\xffITAL\x89";
        let bytes = self.window.bytes(self.position, 4096)?;
        let run = bytes.iter().skip(1).position(|byte| BEGINNINGS.contains(byte));
        let passed = &bytes[..run.map_or(bytes.len(), |run| run + 1)];
        let zeros = passed.iter().filter(|&&byte| byte == 0).count() as u64;
        let passed = passed.len() as u64;
        if !self.gap.has_tag {
            self.gap.unknown += passed;
            self.gap.zeros += zeros;
        }
        self.in_sync = false;
        // A file that became shorter while it is read has no bytes here.
        self.position = if passed == 0 {
            self.range.end
        } else {
            self.position + passed
        };
        Ok(())
    }
}
