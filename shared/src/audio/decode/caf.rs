//! CAF files with uncompressed samples. They are not left to Symphonia, which ignores padding between samples and
//! refuses 8 bits.

use super::meter::MeteredFile;
use super::pcm::{ByteOrder, Encoding, PcmData, PcmFormat, PcmStream};
use crate::audio::validate::Rejection;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

/// `caff`, a version and flags.
const FILE_HEADER: u64 = 8;

/// A chunk's name and its size.
const CHUNK_HEADER: u64 = 12;

/// Bytes of the edit count, which precedes the samples in a data chunk.
const EDIT_COUNT: u64 = 4;

/// Maximum number of chunks that are read.
const MAX_CHUNKS: usize = 4096;

/// The description of a CAF file with uncompressed samples, from the first bytes. It is always the first chunk.
pub(super) fn uncompressed(beginning: &[u8]) -> Option<Description> {
    let chunks = beginning.strip_prefix(b"caff")?.get(4..)?;
    let description = chunks.strip_prefix(b"desc")?;
    let fields: &[u8; 32] = description.get(8..)?.first_chunk()?;
    let word = |at: usize| u32::from_be_bytes([fields[at], fields[at + 1], fields[at + 2], fields[at + 3]]);
    let name = word(8).to_be_bytes();
    [b"lpcm", b"alaw", b"ulaw"].contains(&&name).then(|| Description {
        // The cast turns infinity and NaN into rates that are refused later.
        rate: f64::from_bits(u64::from(word(0)) << 32 | u64::from(word(4))) as u32,
        name,
        flags: word(12),
        packet_bytes: word(16),
        channels: word(24),
        bits: word(28),
    })
}

/// The relevant fields of a description chunk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Description {
    rate: u32,
    name: [u8; 4],
    flags: u32,
    /// Bytes per frame.
    packet_bytes: u32,
    channels: u32,
    bits: u32,
}

impl Description {
    fn format(&self) -> Result<PcmFormat, Rejection> {
        const FLOAT: u32 = 1;
        const LITTLE_ENDIAN: u32 = 2;
        let encoding = match (&self.name, self.flags & FLOAT != 0, self.bits) {
            (b"alaw", ..) => Some(Encoding::ALaw),
            (b"ulaw", ..) => Some(Encoding::MuLaw),
            (_, true, 32) => Some(Encoding::Float32),
            (_, true, 64) => Some(Encoding::Float64),
            (_, true, _) => None,
            (_, false, bits) => u16::try_from(bits).ok().and_then(Encoding::signed),
        };
        let is_dense =
            |encoding: &Encoding| encoding.bytes() * u64::from(self.channels) == u64::from(self.packet_bytes);
        let encoding = encoding.filter(is_dense).ok_or_else(|| {
            Rejection::UnsupportedFormat(format!(
                "it is a CAF file that has samples of {} bits and {} bytes for {} channels, which is not supported",
                self.bits, self.packet_bytes, self.channels
            ))
        })?;
        let order = match self.flags & LITTLE_ENDIAN {
            0 => ByteOrder::Big,
            _ => ByteOrder::Little,
        };
        Ok(PcmFormat {
            encoding,
            order,
            rate: self.rate,
            channels: self.channels,
        })
    }
}

/// Finds the samples of the CAF file in this range, which excludes tags.
pub(super) fn open(
    mut file: MeteredFile,
    range: Range<u64>,
    description: &Description,
) -> Result<PcmStream, Rejection> {
    let format = description.format()?;
    let data = find_data(&mut file, &range)?;
    PcmStream::open(file, format, data.ok_or(Rejection::NoFrames)?)
}

fn find_data(file: &mut MeteredFile, range: &Range<u64>) -> io::Result<Option<PcmData>> {
    let mut position = range.start + FILE_HEADER;
    for _ in 0..MAX_CHUNKS {
        let mut header = Vec::new();
        file.seek(SeekFrom::Start(position))?;
        file.by_ref().take(CHUNK_HEADER).read_to_end(&mut header)?;
        let Some((name, size)) = header.split_first_chunk::<4>() else {
            break;
        };
        let Some(&size) = size.first_chunk() else { break };
        // -1 means the rest of the file.
        let size = u64::try_from(i64::from_be_bytes(size)).unwrap_or(0);
        position += CHUNK_HEADER;
        if name == b"data" {
            let size = size.saturating_sub(EDIT_COUNT);
            return Ok(Some(PcmData::new(position + EDIT_COUNT, &[size], range.end)));
        }
        position = position.saturating_add(size);
        if position >= range.end {
            break;
        }
    }
    Ok(None)
}
