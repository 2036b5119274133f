//! Limits how much a decoder may read. A decoder that reads more bytes than any valid file requires gets an error
//! instead of more bytes, and [`Meter::exceeded`] returns the rejection.
//!
//! [`crate::audio::watchdog`] reads the same counters to detect progress. Only the decoding thread writes them, so they
//! cost a few stores per block.

use crate::audio::validate::Rejection;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};

/// Maximum bytes read before the first packet. Readers keep packet tables and pictures in memory.
const HEADER_BYTES: u64 = 64 << 20;

/// Maximum bytes read for one packet. A raw frame of 4K video between two audio packets has 12 MiB.
const PACKET_BYTES: u64 = 16 << 20;

/// At most `READ_OVER` times the size of a file plus `READ_MORE` bytes are read. Readers look ahead, and if tracks are
/// not interleaved they seek between them and read a block of 1 kB for each packet.
const READ_OVER: u64 = 16;
const READ_MORE: u64 = 16 << 20;

/// Allowed packets in addition to one per byte.
const MORE_PACKETS: u64 = 1 << 16;

/// Counters of the decoder of one file, shared with the thread that watches it.
#[derive(Debug, Default)]
pub struct Meter {
    length: AtomicU64,
    read: AtomicU64,
    /// Value of `read` at the beginning of the packet, and how many more bytes are allowed.
    packet_begin: AtomicU64,
    packet_limit: AtomicU64,
    packets: AtomicU64,
    samples: AtomicU64,
    waiting: AtomicBool,
    exceeded: AtomicU8,
}

/// The limit that was exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Limit {
    None,
    Header,
    Packet,
    File,
    Packets,
}

impl Meter {
    /// A number that changes whenever the decoder reads bytes or returns samples.
    pub fn progress(&self) -> u64 {
        self.read.load(Relaxed).wrapping_add(self.samples.load(Relaxed))
    }

    /// Whether the decoder is in a system call.
    pub fn is_waiting(&self) -> bool {
        self.waiting.load(Relaxed)
    }

    /// Runs a system call that may take any time, because a file server may be slow.
    pub fn wait<T>(&self, call: impl FnOnce() -> T) -> T {
        self.waiting.store(true, Relaxed);
        let result = call();
        self.waiting.store(false, Relaxed);
        result
    }

    /// Counts decoded samples. An empty block is not progress.
    pub fn decoded(&self, samples: usize) {
        add(&self.samples, samples as u64);
    }

    /// Counts a packet before it is read. Returns an error if the file cannot have that many.
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
            Limit::File
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

    /// The rejection of a file whose decoder exceeded a limit. Check it even if decoding succeeded: a decoder may take
    /// the error for the end of the file.
    pub fn exceeded(&self) -> Option<Rejection> {
        let length = self.length.load(Relaxed);
        let detail = match self.exceeded.load(Relaxed) {
            limit if limit == Limit::None as u8 => return None,
            limit if limit == Limit::Header as u8 => {
                format!("it read {} MiB and found no audio", HEADER_BYTES >> 20)
            }
            limit if limit == Limit::Packet as u8 => {
                format!("it read {} MiB in search of one packet", PACKET_BYTES >> 20)
            }
            limit if limit == Limit::File as u8 => format!(
                "it read {} bytes from a file of {length} bytes",
                self.read.load(Relaxed)
            ),
            _ => format!("it found more packets than the file has bytes ({length})"),
        };
        Some(Rejection::DecoderStalled { detail })
    }
}

/// Not an atomic addition, because only the decoding thread writes.
fn add(counter: &AtomicU64, count: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(count), Relaxed);
}

/// Source of the bytes of an audio file.
pub trait Bytes: Read + Seek + Send + Sync {}

impl<T: Read + Seek + Send + Sync> Bytes for T {}

/// A file whose reads are counted.
pub(super) struct MeteredFile {
    bytes: Box<dyn Bytes>,
    length: u64,
    meter: Arc<Meter>,
}

impl MeteredFile {
    /// Wraps `length` bytes.
    pub(super) fn new(bytes: Box<dyn Bytes>, length: u64, meter: &Arc<Meter>) -> Self {
        meter.begin(length);
        Self {
            bytes,
            length,
            meter: Arc::clone(meter),
        }
    }

    /// Size of the file in bytes.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    pub(super) fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }
}

impl Read for MeteredFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.meter.allows_read() {
            return Err(io::Error::other("the decoder read more than its limit"));
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

    fn message(file: &MeteredFile) -> String {
        file.meter.exceeded().unwrap().to_string()
    }

    #[test]
    fn repeated_reading_of_a_file_is_limited() {
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
        assert!(message(&file).contains("from a file of 1000"), "{}", message(&file));
        assert!(file.meter.begin_packet().is_err());
    }

    #[test]
    fn headers_and_packets_have_separate_limits() {
        let mut in_header = file((HEADER_BYTES + (1 << 20)) as usize);
        assert!(io::copy(&mut in_header, &mut io::sink()).is_err());
        assert!(message(&in_header).contains("64 MiB and found no audio"));
        let mut in_packet = file((3 * PACKET_BYTES) as usize);
        let mut buffer = vec![0; PACKET_BYTES as usize];
        for _ in 0..3 {
            in_packet.meter.begin_packet().unwrap();
            in_packet.read_exact(&mut buffer).unwrap();
        }
        assert!(in_packet.read(&mut buffer).is_err());
        assert!(message(&in_packet).contains("16 MiB in search of one packet"));
    }

    #[test]
    fn number_of_packets_is_limited() {
        let file = file(10);
        for _ in 0..10 + MORE_PACKETS {
            file.meter.begin_packet().unwrap();
        }
        let rejection = file.meter.begin_packet().unwrap_err();
        assert_eq!(rejection.code(), "decoder_stalled");
        assert!(rejection.to_string().contains("more packets"), "{rejection}");
    }

    #[test]
    fn progress_counts_bytes_and_samples() {
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
