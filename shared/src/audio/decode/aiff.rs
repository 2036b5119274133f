//! AIFF, and AIFF-C with uncompressed, A-law or mu-law samples.

use super::chunks::{Chunks, read_body};
use super::meter::MeteredFile;
use super::pcm::{ByteOrder, Encoding, PcmData, PcmFormat, PcmStream, is_placeholder};
use super::stream::AudioStream;
use crate::audio::validate::Rejection;
use std::io;
use std::ops::Range;

/// `FORM`, a size, `AIFF` or `AIFC`.
const FORM_HEADER: u64 = 12;

/// Bytes before the samples in a sound chunk: the offset, and a block size, which is unused.
const SOUND_HEADER: u64 = 8;

/// Bytes read of a common chunk: all except the name of the compression in words.
const COMMON_BYTES: u32 = 22;

/// Whether these first bytes are those of an AIFF or AIFF-C file.
pub(super) fn is_aiff(beginning: &[u8]) -> bool {
    let forms = [b"AIFF", b"AIFC"].map(|form| Some(form.as_slice()));
    beginning.starts_with(b"FORM") && forms.contains(&beginning.get(8..12))
}

/// Reads the header of the AIFF file in this range, which excludes tags.
pub(super) fn open(mut file: MeteredFile, range: Range<u64>) -> Result<Box<dyn AudioStream>, Rejection> {
    let header = Header::read(&mut file, &range)?;
    let Some(sound) = header.sound else {
        return Err(Rejection::NoFrames);
    };
    let common = header
        .common
        .as_deref()
        .and_then(Common::parse)
        .ok_or_else(|| unsupported("does not say how its samples are stored"))?;
    let format = common.format()?;
    let frames = match u64::from(common.frames) {
        frames if is_placeholder(frames) => 0,
        frames => frames * format.encoding.bytes() * u64::from(format.channels),
    };
    let data = PcmData::new(sound.begin, &[sound.size, frames], range.end);
    Ok(Box::new(PcmStream::open(file, format, data)?))
}

fn unsupported(problem: &str) -> Rejection {
    Rejection::UnsupportedFormat(format!("it is an AIFF file that {problem}"))
}

/// The common and sound chunk.
#[derive(Default)]
struct Header {
    /// Content of the common chunk.
    common: Option<Vec<u8>>,
    sound: Option<Sound>,
}

/// Position of the samples and their stated size in bytes.
struct Sound {
    begin: u64,
    size: u64,
}

impl Header {
    fn read(file: &mut MeteredFile, range: &Range<u64>) -> io::Result<Self> {
        let mut header = Self::default();
        let mut chunks = Chunks::new(range.start + FORM_HEADER, range.end, ByteOrder::Big);
        while header.common.is_none() || header.sound.is_none() {
            let Some(chunk) = chunks.next(file)? else { break };
            match &chunk.name {
                b"COMM" => header.common = Some(read_body(file, &chunk, COMMON_BYTES)?),
                b"SSND" => {
                    let offset = read_body(file, &chunk, 4)?;
                    let offset = offset.first_chunk().map_or(0, |&bytes| u32::from_be_bytes(bytes));
                    let before = SOUND_HEADER + u64::from(offset);
                    header.sound = Some(Sound {
                        begin: chunk.body + before,
                        size: u64::from(chunk.size).saturating_sub(before),
                    });
                }
                _ => {}
            }
        }
        Ok(header)
    }
}

/// The fields of a common chunk.
struct Common {
    channels: u16,
    frames: u32,
    bits: u16,
    rate: u32,
    /// `NONE` in AIFF, which has no such field.
    compression: [u8; 4],
}

impl Common {
    fn parse(body: &[u8]) -> Option<Self> {
        Some(Self {
            channels: u16::from_be_bytes(*body.first_chunk()?),
            frames: u32::from_be_bytes(*body.get(2..)?.first_chunk()?),
            bits: u16::from_be_bytes(*body.get(6..)?.first_chunk()?),
            rate: extended_to_u32(*body.get(8..)?.first_chunk()?),
            compression: body
                .get(18..22)
                .and_then(|bytes| bytes.first_chunk())
                .map_or(*b"NONE", |&name| name),
        })
    }

    fn format(&self) -> Result<PcmFormat, Rejection> {
        use ByteOrder::{Big, Little};
        let found = match &self.compression {
            b"NONE" | b"none" | b"twos" => Encoding::signed(self.bits).map(|encoding| (encoding, Big)),
            b"sowt" => Encoding::signed(self.bits).map(|encoding| (encoding, Little)),
            b"raw " if self.bits <= 8 => Some((Encoding::Unsigned8, Big)),
            b"in24" => Some((Encoding::Signed24, Big)),
            b"42ni" => Some((Encoding::Signed24, Little)),
            b"in32" => Some((Encoding::Signed32, Big)),
            b"23ni" => Some((Encoding::Signed32, Little)),
            b"fl32" | b"FL32" => Some((Encoding::Float32, Big)),
            b"fl64" | b"FL64" => Some((Encoding::Float64, Big)),
            b"alaw" | b"ALAW" => Some((Encoding::ALaw, Big)),
            b"ulaw" | b"ULAW" => Some((Encoding::MuLaw, Big)),
            _ => None,
        };
        let (encoding, order) = found.ok_or_else(|| {
            unsupported(&format!(
                "has samples of compression `{}` and {} bits, which is not supported",
                self.compression.escape_ascii(),
                self.bits
            ))
        })?;
        Ok(PcmFormat {
            encoding,
            order,
            rate: self.rate,
            channels: self.channels.into(),
        })
    }
}

/// An 80-bit float, truncated to an integer; 0 if it does not fit.
fn extended_to_u32(bytes: [u8; 10]) -> u32 {
    const BIAS: u16 = 16_383;
    let [high, low, mantissa @ ..] = bytes;
    let exponent = u16::from_be_bytes([high, low]).wrapping_sub(BIAS);
    // The top bit of the mantissa is the integer bit, with the value 2^exponent.
    let mantissa = u64::from_be_bytes(mantissa);
    if exponent < u32::BITS as u16 {
        u32::try_from(mantissa >> (63 - exponent)).unwrap_or(0)
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sample_rates_are_80_bit_floats() {
        let rate = |bytes: &[u8; 10]| extended_to_u32(*bytes);
        assert_eq!(rate(b"\x40\x0e\xac\x44\0\0\0\0\0\0"), 44_100);
        assert_eq!(rate(b"\x40\x0b\xfa\0\0\0\0\0\0\0"), 8000);
        assert_eq!(rate(b"\x40\x0d\xac\x44\0\0\0\0\0\0"), 22_050);
        // 44,100.5, then 0, a negative number, 2^32, infinity, NaN.
        assert_eq!(rate(b"\x40\x0e\xac\x44\x80\0\0\0\0\0"), 44_100);
        for bytes in [
            b"\0\0\0\0\0\0\0\0\0\0",
            b"\xc0\x0e\xac\x44\0\0\0\0\0\0",
            b"\x40\x1f\x80\0\0\0\0\0\0\0",
            b"\x7f\xff\x80\0\0\0\0\0\0\0",
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        ] {
            assert_eq!(rate(bytes), 0, "{bytes:x?}");
        }
    }
}
