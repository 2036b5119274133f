//! Finds the byte order of uncompressed audio in QuickTime and MP4 files. Symphonia's reader assumes little-endian
//! samples without gaps, whatever the file states, so the file is checked here first.

use super::meter::MeteredFile;
use super::pcm::ByteOrder;
use crate::audio::validate::Rejection;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use symphonia::core::codecs::audio::AudioCodecId;
use symphonia::core::codecs::audio::well_known::{
    CODEC_ID_PCM_F32BE, CODEC_ID_PCM_F32LE, CODEC_ID_PCM_F64BE, CODEC_ID_PCM_F64LE, CODEC_ID_PCM_S24BE,
    CODEC_ID_PCM_S24LE, CODEC_ID_PCM_S32BE, CODEC_ID_PCM_S32LE,
};

/// Path of nested atoms to a sample description.
const PATH: [&[u8; 4]; 6] = [b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd"];

/// Maximum atoms that are read on that path.
const MAX_ATOMS: usize = 4096;

/// Maximum bytes read of a sample description: about 100 bytes of fields, followed by atoms, one with the byte order.
const DESCRIPTION_BYTES: u64 = 1024;

/// The byte order of the uncompressed samples in a container that begins at `start`. `None` if Symphonia determines the
/// order correctly. Returns a rejection if Symphonia would decode the samples wrongly in another way.
pub(super) fn byte_order(file: &mut MeteredFile, start: u64) -> Result<Option<ByteOrder>, Rejection> {
    let range = start..file.length();
    let mut descriptions = Descriptions {
        found: Vec::new(),
        left: MAX_ATOMS,
    };
    descriptions.collect(file, range, &PATH)?;
    let mut orders = Vec::new();
    for description in &descriptions.found {
        orders.extend(Entry::parse(description).map_or(Ok(None), |entry| entry.byte_order())?);
    }
    if orders.windows(2).any(|pair| pair[0] != pair[1]) {
        return Err(unsupported("has tracks of uncompressed audio in different byte orders"));
    }
    Ok(orders.first().copied())
}

/// The codec with this byte order that corresponds to a codec of Symphonia's, which is always little-endian.
pub(super) fn codec_in_order(codec: AudioCodecId, order: Option<ByteOrder>) -> AudioCodecId {
    match codec {
        _ if order != Some(ByteOrder::Big) => codec,
        CODEC_ID_PCM_S24LE => CODEC_ID_PCM_S24BE,
        CODEC_ID_PCM_S32LE => CODEC_ID_PCM_S32BE,
        CODEC_ID_PCM_F32LE => CODEC_ID_PCM_F32BE,
        CODEC_ID_PCM_F64LE => CODEC_ID_PCM_F64BE,
        codec => codec,
    }
}

fn unsupported(problem: &str) -> Rejection {
    Rejection::UnsupportedFormat(format!("it is an MP4 file that {problem}, which is not supported"))
}

struct Descriptions {
    found: Vec<Vec<u8>>,
    left: usize,
}

impl Descriptions {
    /// Collects the sample descriptions of all tracks: the atoms at the end of `path`.
    fn collect(&mut self, file: &mut MeteredFile, range: Range<u64>, path: &[&[u8; 4]]) -> io::Result<()> {
        let [name, rest @ ..] = path else { return Ok(()) };
        let mut position = range.start;
        while position < range.end && self.left > 0 {
            self.left -= 1;
            let header = read(file, position..range.end, 16)?;
            let Some(atom) = Atom::parse(&header, range.end - position) else {
                break;
            };
            let (body, end) = (position + atom.header, position + atom.size);
            if atom.name == **name && rest.is_empty() {
                self.found.push(read(file, body..end, DESCRIPTION_BYTES)?);
            } else if atom.name == **name {
                self.collect(file, body..end, rest)?;
            }
            position = end;
        }
        Ok(())
    }
}

fn read(file: &mut MeteredFile, range: Range<u64>, max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(range.start))?;
    file.by_ref()
        .take(max.min(range.end.saturating_sub(range.start)))
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

struct Atom {
    name: [u8; 4],
    header: u64,
    size: u64,
}

impl Atom {
    /// Parses the header of an atom of which at most `available` bytes exist.
    fn parse(bytes: &[u8], available: u64) -> Option<Self> {
        let (size, rest) = bytes.split_first_chunk::<4>()?;
        let (&name, rest) = rest.split_first_chunk::<4>()?;
        let (header, size) = match u32::from_be_bytes(*size) {
            0 => (8, available),
            1 => (16, u64::from_be_bytes(*rest.first_chunk()?)),
            size => (8, size.into()),
        };
        (size >= header).then_some(Self {
            name,
            header,
            size: size.min(available),
        })
    }
}

/// The first entry of a sample description, if it is uncompressed audio.
struct Entry<'a> {
    name: [u8; 4],
    version: u16,
    fields: &'a [u8],
}

impl<'a> Entry<'a> {
    fn parse(description: &'a [u8]) -> Option<Self> {
        // After the version, the flags and the number of entries.
        let entries = description.get(8..)?;
        let atom = Atom::parse(entries, entries.len() as u64)?;
        let fields = entries.get(8..usize::try_from(atom.size).ok()?)?;
        const PCM: [&[u8; 4]; 10] = [
            b"in24", b"in32", b"fl32", b"fl64", b"twos", b"sowt", b"raw ", b"lpcm", b"alaw", b"ulaw",
        ];
        PCM.contains(&&atom.name).then_some(Self {
            name: atom.name,
            version: u16::from_be_bytes(*fields.get(8..)?.first_chunk()?),
            fields,
        })
    }

    fn u16(&self, at: usize) -> u16 {
        let bytes = self.fields.get(at..).and_then(|bytes| bytes.first_chunk());
        bytes.map_or(0, |&bytes| u16::from_be_bytes(bytes))
    }

    fn u32(&self, at: usize) -> u32 {
        u32::from(self.u16(at)) << 16 | u32::from(self.u16(at + 2))
    }

    /// The byte order if Symphonia ignores it, or the reason why the audio cannot be decoded.
    fn byte_order(&self) -> Result<Option<ByteOrder>, Rejection> {
        match (&self.name, self.version) {
            (b"alaw" | b"ulaw", _) => Err(unsupported("has audio in A-law or mu-law")),
            (b"lpcm", 2) => self.check_linear().map(|()| None),
            (_, 2) | (b"lpcm", _) => Err(unsupported(
                "has uncompressed audio with a header of an unusual version",
            )),
            (name, _) => {
                let (channels, bits) = (self.u16(16), self.u16(18));
                if channels > 2 {
                    return Err(unsupported(&format!("has uncompressed audio of {channels} channels")));
                }
                if matches!(name, b"twos" | b"sowt") && bits != 16 || name == b"raw " && bits != 8 {
                    return Err(unsupported(&format!(
                        "has uncompressed audio of {bits} bits in an unusual form"
                    )));
                }
                let has_order = matches!(name, b"in24" | b"in32" | b"fl32" | b"fl64");
                Ok(has_order.then(|| self.stated_order()))
            }
        }
    }

    /// Checks a version 2 description, of which Symphonia reads only some flags and sizes.
    fn check_linear(&self) -> Result<(), Rejection> {
        const NOT_INTERLEAVED: u32 = 0x20;
        let [channels, bits, flags, packet, frames] = [40, 48, 52, 56, 60].map(|at| self.u32(at));
        if flags & NOT_INTERLEAVED != 0 && channels > 1 {
            return Err(unsupported("has uncompressed audio whose channels are not interleaved"));
        }
        let packed = u64::from(channels) * u64::from(bits) * u64::from(frames);
        if u64::from(packet) * 8 != packed {
            return Err(unsupported(&format!(
                "has samples of {bits} bits that are stored with gaps between them"
            )));
        }
        Ok(())
    }

    /// Big-endian, unless an `enda` atom in a `wave` atom states otherwise.
    fn stated_order(&self) -> ByteOrder {
        const FIELDS: usize = 28;
        const MORE_FIELDS_OF_VERSION_1: usize = 16;
        let atoms = FIELDS + if self.version == 1 { MORE_FIELDS_OF_VERSION_1 } else { 0 };
        let atoms = self.fields.get(atoms..).unwrap_or_default();
        match find(atoms, b"wave").and_then(|wave| find(wave, b"enda")) {
            Some([0, 1, ..]) => ByteOrder::Little,
            _ => ByteOrder::Big,
        }
    }
}

/// The content of the first atom of this name.
fn find<'a>(mut atoms: &'a [u8], name: &[u8; 4]) -> Option<&'a [u8]> {
    loop {
        let atom = Atom::parse(atoms, atoms.len() as u64)?;
        let end = usize::try_from(atom.size).ok()?;
        if atom.name == *name {
            return atoms.get(usize::try_from(atom.header).ok()?..end);
        }
        atoms = atoms.get(end..)?;
    }
}
