//! What a decoder may read. The bytes of a file are counted; a decoder that reads more than any honest file
//! makes it read gets an error instead of more bytes, and [`Meter::exceeded`] says so afterwards.
//!
//! The counters double as the signs of life that [`crate::audio::watchdog`] looks at. They are written by the decoding thread
//! alone, so a file that decodes costs a few stores per block.

use crate::audio::validate::Rejection;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};

/// Most bytes that are read before the first packet: tables of packets, and pictures, which are kept in memory.
const HEADER_BYTES: u64 = 64 << 20;

/// Most bytes that are read for one packet. A raw frame of 4K video beside the audio is 12 MiB.
const PACKET_BYTES: u64 = 16 << 20;

/// How often a file may be read over, and how many bytes more: readers look ahead, and go back and forth between tracks
/// that are not interleaved, which reads a block of 1 kB for each packet.
const READ_OVER: u64 = 16;
const READ_MORE: u64 = 16 << 20;

/// Packets beyond one per byte.
const MORE_PACKETS: u64 = 1 << 16;

/// What one file's decoder has done so far, shared with whoever watches it.
#[derive(Debug, Default)]
pub struct Meter {
    length: AtomicU64,
    read: AtomicU64,
    /// Bytes read when the packet was begun, and how many more there may be.
    packet_begin: AtomicU64,
    packet_limit: AtomicU64,
    packets: AtomicU64,
    samples: AtomicU64,
    waiting: AtomicBool,
    exceeded: AtomicU8,
}

/// Which limit was hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Limit {
    None,
    Header,
    Packet,
    Whole,
    Packets,
}

impl Meter {
    /// A number that changes whenever the decoder reads bytes or gives samples.
    pub fn progress(&self) -> u64 {
        self.read.load(Relaxed).wrapping_add(self.samples.load(Relaxed))
    }

    /// Whether the decoder waits for the operating system.
    pub fn is_waiting(&self) -> bool {
        self.waiting.load(Relaxed)
    }

    /// Runs a call of the operating system, which may take as long as it likes: a file server may be slow.
    pub fn wait<T>(&self, call: impl FnOnce() -> T) -> T {
        self.waiting.store(true, Relaxed);
        let result = call();
        self.waiting.store(false, Relaxed);
        result
    }

    /// Samples have been decoded. A block without any is no progress.
    pub fn decoded(&self, samples: usize) {
        add(&self.samples, samples as u64);
    }

    /// Another packet is asked for. An error when there cannot be so many.
    pub(super) fn begin_packet(&self) -> Result<(), Rejection> {
        add(&self.packets, 1);
        self.packet_begin.store(self.read.load(Relaxed), Relaxed);
        self.packet_limit.store(PACKET_BYTES, Relaxed);
        if self.packets.load(Relaxed) > self.length.load(Relaxed).saturating_add(MORE_PACKETS) {
            self.exceeded.store(Limit::Packets as u8, Relaxed);
        }
        self.exceeded().map_or(Ok(()), Err)
    }

    fn begin(&self, length: u64) {
        self.length.store(length, Relaxed);
        self.packet_limit.store(HEADER_BYTES, Relaxed);
    }

    /// Whether another read is allowed.
    fn allows_read(&self) -> bool {
        let (read, length) = (self.read.load(Relaxed), self.length.load(Relaxed));
        let packet_limit = self.packet_limit.load(Relaxed);
        let limit = if read >= length.saturating_mul(READ_OVER).saturating_add(READ_MORE) {
            Limit::Whole
        } else if read - self.packet_begin.load(Relaxed) < packet_limit {
            return true;
        } else if packet_limit == HEADER_BYTES {
            Limit::Header
        } else {
            Limit::Packet
        };
        self.exceeded.store(limit as u8, Relaxed);
        false
    }

    /// The rejection of a file whose decoder hit a limit. Decoders may take the error for the end of the file, so this is
    /// asked whatever they answer.
    pub fn exceeded(&self) -> Option<Rejection> {
        let length = self.length.load(Relaxed);
        let detail = match self.exceeded.load(Relaxed) {
            limit if limit == Limit::None as u8 => return None,
            limit if limit == Limit::Header as u8 => {
                format!("it read {} MiB and came to no audio", HEADER_BYTES >> 20)
            }
            limit if limit == Limit::Packet as u8 => {
                format!("it read {} MiB in search of one packet", PACKET_BYTES >> 20)
            }
            limit if limit == Limit::Whole as u8 => format!(
                "it read {} bytes of a file of {length}, over and over",
                self.read.load(Relaxed)
            ),
            _ => format!("it found more packets than the file has bytes, which are {length}"),
        };
        Some(Rejection::DecoderStalled { detail })
    }
}

/// Only the decoding thread writes, so this need not be one operation.
fn add(counter: &AtomicU64, count: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(count), Relaxed);
}

/// Where the bytes of an audio file come from.
pub trait Bytes: Read + Seek + Send + Sync {}

impl<T: Read + Seek + Send + Sync> Bytes for T {}

/// A file whose reads are counted.
pub(super) struct MeteredFile {
    bytes: Box<dyn Bytes>,
    length: u64,
    meter: Arc<Meter>,
}

impl MeteredFile {
    /// `bytes`, of which there are `length`.
    pub(super) fn new(bytes: Box<dyn Bytes>, length: u64, meter: &Arc<Meter>) -> Self {
        meter.begin(length);
        Self {
            bytes,
            length,
            meter: Arc::clone(meter),
        }
    }

    /// Size of the file.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// The file's counters.
    pub(super) fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }
}

impl Read for MeteredFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.meter.allows_read() {
            return Err(io::Error::other("the decoder reads too much of the file"));
        }
        let count = self.meter.wait(|| self.bytes.read(buffer))?;
        add(&self.meter.read, count as u64);
        Ok(count)
    }
}

impl Seek for MeteredFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.meter.wait(|| self.bytes.seek(to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn file(length: usize) -> MeteredFile {
        MeteredFile::new(Box::new(Cursor::new(vec![7; length])), length as u64, &Arc::default())
    }

    fn sentence(file: &MeteredFile) -> String {
        file.meter.exceeded().unwrap().to_string()
    }

    #[test]
    fn a_file_that_is_read_over_and_over_ends() {
        let mut file = file(1000);
        let mut read = 0;
        let error = loop {
            file.meter.begin_packet().unwrap();
            file.rewind().unwrap();
            match io::copy(&mut file, &mut io::sink()) {
                Ok(count) => read += count,
                Err(error) => break error,
            }
        };
        assert_eq!(error.raw_os_error(), None);
        assert!((READ_MORE..READ_MORE + 20_000).contains(&read), "{read}");
        assert!(sentence(&file).contains("of a file of 1000"), "{}", sentence(&file));
        assert!(file.meter.begin_packet().is_err());
    }

    #[test]
    fn headers_and_packets_have_limits_of_their_own() {
        let mut in_header = file((HEADER_BYTES + (1 << 20)) as usize);
        assert!(io::copy(&mut in_header, &mut io::sink()).is_err());
        assert!(sentence(&in_header).contains("64 MiB and came to no audio"));
        let mut in_packet = file((3 * PACKET_BYTES) as usize);
        let mut buffer = vec![0; PACKET_BYTES as usize];
        for _ in 0..3 {
            in_packet.meter.begin_packet().unwrap();
            in_packet.read_exact(&mut buffer).unwrap();
        }
        assert!(in_packet.read(&mut buffer).is_err());
        assert!(sentence(&in_packet).contains("16 MiB in search of one packet"));
    }

    #[test]
    fn packets_without_end_end() {
        let file = file(10);
        for _ in 0..10 + MORE_PACKETS {
            file.meter.begin_packet().unwrap();
        }
        let rejection = file.meter.begin_packet().unwrap_err();
        assert_eq!(rejection.code(), "decoder_stalled");
        assert!(rejection.to_string().contains("more packets"), "{rejection}");
    }

    #[test]
    fn progress_is_bytes_and_samples() {
        let mut file = file(10);
        let before = file.meter.progress();
        file.meter.decoded(0);
        assert_eq!(file.meter.progress(), before);
        file.meter.decoded(3);
        assert_eq!(file.meter.progress(), before + 3);
        assert_eq!(file.read(&mut [0; 4]).unwrap(), 4);
        assert_eq!(file.meter.progress(), before + 7);
        assert!(!file.meter.is_waiting());
        let meter = Arc::clone(&file.meter);
        assert!(meter.wait(|| file.meter.is_waiting()));
    }
}
