//! Matroska and WebM (RFC 9559): the packets of the first audio track.
//!
//! A reader of our own, because Symphonia's takes compressed blocks for packets, gives up files with chapters that it does
//! not understand, and cannot say whether a file was cut. Only what audio needs is looked at: everything else is passed over
//! by its size.

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

/// Largest element that is read into memory.
const MAX_ELEMENT: u64 = 16 << 20;

/// A file, open at its first cluster.
pub(super) struct MatroskaReader {
    window: Window<MeteredFile>,
    position: u64,
    end: u64,
    /// Where the segment ends, if its header says it.
    segment_end: Option<u64>,
    track: AudioTrack,
    nanoseconds_per_tick: u64,
    /// Of the segment, in ticks.
    duration: Option<f64>,
    cluster_ticks: u64,
    first_ticks: Option<i64>,
    /// Packets of the block that was read last, as they are in the file, and its time.
    frames: VecDeque<Vec<u8>>,
    block_ticks: i64,
}

/// Why a file cannot be read.
#[derive(Debug)]
pub(super) enum MatroskaError {
    /// The operating system failed.
    Io(io::Error),
    /// There is no audio in it that can be found.
    NoAudio,
    /// It has something that is not supported, behind "it is a Matroska file that".
    Unsupported(String),
}

impl From<io::Error> for MatroskaError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl MatroskaReader {
    /// Reads the headers of a file that is in this range.
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
                // Headers may be behind the clusters, but no program writes them there.
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
            return Err(MatroskaError::Unsupported("counts time in units of 0 ns".into()));
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

    /// The track that is read.
    pub(super) fn track(&self) -> &AudioTrack {
        &self.track
    }

    /// Seconds of audio that the file promises, once the first packet has been read. The duration is that of the longest
    /// track, so it promises audio only where there is no other.
    pub(super) fn promised_seconds(&self) -> Option<f64> {
        let ticks = self.duration.filter(|_| self.track.is_alone)? - self.first_ticks.unwrap_or(0) as f64;
        let seconds = ticks * self.nanoseconds_per_tick as f64 / 1e9;
        (seconds.is_finite() && seconds > 0.0).then_some(seconds)
    }

    /// How much of the segment is in the file, from 0 to 1.
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
                let data = self.track.compression.undo(frame);
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

    /// Reads an element. The sizes of clusters may be unknown and are not used: a cluster ends where the next begins.
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
                    "has several pieces, one after another, which is not supported; convert it, to FLAC for example"
                        .into(),
                ));
            }
            _ if found.size.is_none() => return self.find_cluster(),
            _ if found.end() > self.end => {
                // The file was cut inside this element, or its size is damaged.
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

    /// Goes on at the next cluster, behind something that is not an element.
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

    /// Puts the packets of a block into the queue, if it is of the track.
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

/// The content of an element, as far as it is in the file.
fn content<'a>(window: &'a mut Window<MeteredFile>, element: &Element) -> Result<&'a [u8], MatroskaError> {
    let size = element.size.unwrap_or(0);
    if size > MAX_ELEMENT {
        return Err(MatroskaError::Unsupported(format!(
            "says to have an element of {size} bytes, more than the {} MiB that are read",
            MAX_ELEMENT >> 20
        )));
    }
    Ok(window.bytes(element.begin, size as usize)?)
}
