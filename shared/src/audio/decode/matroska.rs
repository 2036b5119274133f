//! Reads the packets of the first audio track of Matroska and WebM files (RFC 9559).
//!
//! Symphonia's reader is not used, because it does not decompress blocks, fails on chapters that it does not
//! understand, and cannot detect a truncated file. Elements that audio does not need are skipped.

use super::ebml::{Element, children, element, float, number, unsigned};
use super::lacing::frames;
use super::matroska_track::{AudioTrack, audio_track};
use super::meter::MeteredFile;
use super::window::Window;
use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use symphonia::core::packet::Packet;
use symphonia::core::units::{Duration, Timestamp};

const EBML: u32 = 0x1a45_dfa3;
const SEGMENT: u32 = 0x1853_8067;
const INFO: u32 = 0x1549_a966;
const TRACKS: u32 = 0x1654_ae6b;
const CLUSTER: u32 = 0x1f43_b675;
const TIMESTAMP: u32 = 0xe7;
const SIMPLE_BLOCK: u32 = 0xa3;
const BLOCK_GROUP: u32 = 0xa0;
const BLOCK: u32 = 0xa1;

/// Size of the largest element that is read into memory.
const MAX_ELEMENT: u64 = 16 << 20;

/// A file, open at its first cluster.
pub(super) struct MatroskaReader {
    window: Window<MeteredFile>,
    position: u64,
    end: u64,
    /// End of the segment, if its header states the size.
    segment_end: Option<u64>,
    track: AudioTrack,
    nanoseconds_per_tick: u64,
    /// Duration of the segment, in ticks.
    duration: Option<f64>,
    cluster_ticks: u64,
    first_ticks: Option<i64>,
    /// Packets of the block that was read last, not yet decompressed, and the time of the block.
    frames: VecDeque<Vec<u8>>,
    block_ticks: i64,
}

/// Why a file cannot be read.
#[derive(Debug)]
pub(super) enum MatroskaError {
    /// An error of the operating system.
    Io(io::Error),
    /// No audio was found.
    NoAudio,
    /// Something is not supported. The text completes the sentence "it is a Matroska file that".
    Unsupported(String),
}

impl From<io::Error> for MatroskaError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl MatroskaReader {
    /// Reads the headers of the Matroska file in this range.
    pub(super) fn open(file: MeteredFile, range: Range<u64>) -> Result<Self, MatroskaError> {
        let mut window = Window::new(file, range.end);
        let head = element(&mut window, range.start)?.filter(|head| head.id == EBML);
        let head = head.ok_or(MatroskaError::NoAudio)?;
        let (mut position, mut segment_end, mut tracks) = (head.end(), None, None);
        let (mut nanoseconds_per_tick, mut duration) = (1_000_000, None);
        while let Some(found) = element(&mut window, position)? {
            match found.id {
                SEGMENT => {
                    segment_end = found.size.map(|_| found.end());
                    position = found.begin;
                    continue;
                }
                // Headers may follow the clusters, but no program writes them there.
                CLUSTER => break,
                INFO => {
                    for (id, content) in children(content(&mut window, &found)?) {
                        match id {
                            0x2a_d7b1 => nanoseconds_per_tick = unsigned(content).unwrap_or(0),
                            0x4489 => duration = float(content),
                            _ => {}
                        }
                    }
                }
                TRACKS => tracks = Some(content(&mut window, &found)?.to_vec()),
                _ => {}
            }
            if found.end() >= range.end || found.size.is_none() {
                break;
            }
            position = found.end();
        }
        let tracks = tracks.ok_or(MatroskaError::NoAudio)?;
        let track = audio_track(&tracks).map_err(MatroskaError::Unsupported)?;
        if nanoseconds_per_tick == 0 {
            return Err(MatroskaError::Unsupported("has a timestamp scale of 0 ns".into()));
        }
        Ok(Self {
            window,
            position,
            end: range.end,
            segment_end,
            track,
            nanoseconds_per_tick,
            duration,
            cluster_ticks: 0,
            first_ticks: None,
            frames: VecDeque::new(),
            block_ticks: 0,
        })
    }

    pub(super) fn track(&self) -> &AudioTrack {
        &self.track
    }

    /// Seconds of audio that the header states. Call it after the first packet has been read. `None` if there are
    /// other tracks, because the duration in the header is that of the longest track.
    pub(super) fn promised_seconds(&self) -> Option<f64> {
        let ticks = self.duration.filter(|_| self.track.is_only_track)? - self.first_ticks.unwrap_or(0) as f64;
        let seconds = ticks * self.nanoseconds_per_tick as f64 / 1e9;
        (seconds.is_finite() && seconds > 0.0).then_some(seconds)
    }

    /// Fraction of the segment that is in the file, from 0 to 1.
    pub(super) fn share(&self) -> f64 {
        match self.segment_end {
            Some(end) if end > self.end => self.end as f64 / end as f64,
            _ => 1.0,
        }
    }

    /// The next packet of the track.
    pub(super) fn next_packet(&mut self) -> Result<Option<Packet>, MatroskaError> {
        loop {
            if let Some(frame) = self.frames.pop_front() {
                let data = self.track.compression.decompress(frame);
                return Ok(Some(Packet::new(
                    0,
                    Timestamp::new(self.block_ticks),
                    Duration::ZERO,
                    data,
                )));
            }
            if self.position >= self.end {
                return Ok(None);
            }
            self.step()?;
        }
    }

    /// Reads one element. The size of a cluster is not used, because it may be unknown: a cluster ends where the next
    /// begins.
    fn step(&mut self) -> Result<(), MatroskaError> {
        let Some(found) = element(&mut self.window, self.position)? else {
            return self.find_cluster();
        };
        match found.id {
            CLUSTER => {
                self.cluster_ticks = 0;
                self.position = found.begin;
                return Ok(());
            }
            EBML | SEGMENT => {
                return Err(MatroskaError::Unsupported(
                    "consists of several files joined together, which is not supported; convert it, for example to FLAC"
                        .into(),
                ));
            }
            _ if found.size.is_none() => return self.find_cluster(),
            _ if found.end() > self.end => {
                // The file is truncated inside this element, or the size is damaged.
                self.position += 1;
                return self.find_cluster();
            }
            TIMESTAMP => self.cluster_ticks = unsigned(content(&mut self.window, &found)?).unwrap_or(0),
            SIMPLE_BLOCK => self.block(&found)?,
            BLOCK_GROUP => {
                let mut at = found.begin;
                while at < found.end()
                    && let Some(inner) = element(&mut self.window, at)?
                {
                    if inner.id == BLOCK && inner.end() <= found.end() {
                        self.block(&inner)?;
                    }
                    at = inner.end().max(at + 1);
                }
            }
            _ => {}
        }
        self.position = found.end();
        Ok(())
    }

    /// Seeks to the next cluster after invalid data.
    fn find_cluster(&mut self) -> Result<(), MatroskaError> {
        let magic = CLUSTER.to_be_bytes();
        while self.position < self.end {
            let bytes = self.window.bytes(self.position, 4096)?;
            match bytes.windows(magic.len()).position(|found| found == magic) {
                Some(place) => {
                    self.position += place as u64;
                    return Ok(());
                }
                None if bytes.len() < magic.len() => break,
                None => self.position += (bytes.len() - magic.len() + 1) as u64,
            }
        }
        self.position = self.end;
        Ok(())
    }

    /// Queues the packets of a block if it belongs to the track.
    fn block(&mut self, block: &Element) -> Result<(), MatroskaError> {
        /// Track number, time and flags.
        const LONGEST_HEADER: usize = 8 + 3;
        let head = self.window.bytes(block.begin, LONGEST_HEADER)?;
        if number(head).is_none_or(|(track, _)| track != self.track.number) {
            return Ok(());
        }
        let bytes = content(&mut self.window, block)?;
        let Some((_, [high, low, flags, body @ ..])) = number(bytes).map(|(track, length)| (track, &bytes[length..]))
        else {
            return Ok(());
        };
        let offset = i64::from(i16::from_be_bytes([*high, *low]));
        let ticks = i64::try_from(self.cluster_ticks)
            .unwrap_or(i64::MAX)
            .saturating_add(offset);
        self.first_ticks.get_or_insert(ticks);
        self.block_ticks = ticks;
        self.frames
            .extend(frames(*flags, body).unwrap_or_default().into_iter().map(<[u8]>::to_vec));
        Ok(())
    }
}

/// The content of an element, or the part of it that is in the file.
fn content<'a>(window: &'a mut Window<MeteredFile>, element: &Element) -> Result<&'a [u8], MatroskaError> {
    let size = element.size.unwrap_or(0);
    if size > MAX_ELEMENT {
        return Err(MatroskaError::Unsupported(format!(
            "claims to have an element of {size} bytes, more than the limit of {} MiB",
            MAX_ELEMENT >> 20
        )));
    }
    Ok(window.bytes(element.begin, size as usize)?)
}
