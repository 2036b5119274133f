//! WAV: RIFF, its big-endian variant RIFX, and RF64 and BW64 with 64-bit sizes.
//!
//! Uncompressed samples go to [`super::pcm`], MPEG audio to [`super::mpeg`], and ADPCM to Symphonia, with a newly
//! written header because that of the file may be malformed.

use super::chunks::{Chunk, Chunks, read_body};
use super::container::Container;
use super::frames::Frames;
use super::meter::MeteredFile;
use super::mpeg::MpegStream;
use super::pcm::{ByteOrder, Encoding, PcmData, PcmFormat, PcmStream};
use super::probed::ProbedStream;
use super::stream::AudioStream;
use super::window::Window;
use crate::audio::validate::Rejection;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;
use symphonia::core::io::ReadOnlySource;

/// `RIFF`, a size, `WAVE`.
const FORM_HEADER: u64 = 12;

/// Maximum bytes read of a format chunk. With the coefficients of ADPCM it has 50 bytes.
const FORMAT_BYTES: u32 = 1024;

const PCM: u16 = 0x0001;
const MS_ADPCM: u16 = 0x0002;
const IEEE_FLOAT: u16 = 0x0003;
const A_LAW: u16 = 0x0006;
const MU_LAW: u16 = 0x0007;
const IMA_ADPCM: u16 = 0x0011;
const MPEG: u16 = 0x0050;
const MPEG_LAYER_3: u16 = 0x0055;
const EXTENSIBLE: u16 = 0xfffe;

/// Whether these first bytes are those of a WAV file.
pub(super) fn is_wav(beginning: &[u8]) -> bool {
    let forms: [&[u8]; 4] = [b"RIFF", b"RIFX", b"RF64", b"BW64"];
    forms.iter().any(|form| beginning.starts_with(form)) && beginning.get(8..12) == Some(b"WAVE")
}

/// Reads the header of the WAV file in this range, which excludes tags.
pub(super) fn open(mut file: MeteredFile, range: Range<u64>) -> Result<Box<dyn AudioStream>, Rejection> {
    let header = Header::read(&mut file, &range)?;
    let Some((begin, size)) = header.data else {
        return Err(Rejection::NoFrames);
    };
    let format = header
        .format
        .as_deref()
        .and_then(|body| Format::parse(body, header.order))
        .ok_or_else(|| unsupported("does not say how its samples are stored"))?;
    let data = PcmData::new(begin, &[size], range.end);
    let encoding = match format.tag {
        MPEG | MPEG_LAYER_3 => {
            let end = range.end.min(begin.saturating_add(data.promised));
            return Ok(Box::new(MpegStream::open(Frames::new(
                Window::new(file, end),
                begin..end,
            ))?));
        }
        MS_ADPCM | IMA_ADPCM => {
            let format = header.format.unwrap_or_default();
            return Ok(Box::new(adpcm(file, &format, data, header.order)?));
        }
        _ => format.encoding()?,
    };
    let format = PcmFormat {
        encoding,
        order: header.order,
        rate: format.rate,
        channels: format.channels.into(),
    };
    Ok(Box::new(PcmStream::open(file, format, data)?))
}

fn unsupported(problem: &str) -> Rejection {
    Rejection::UnsupportedFormat(format!("it is a WAV file that {problem}"))
}

/// The format and data chunk.
struct Header {
    order: ByteOrder,
    /// Content of the format chunk.
    format: Option<Vec<u8>>,
    /// Position of the samples and their stated size in bytes.
    data: Option<(u64, u64)>,
}

impl Header {
    fn read(file: &mut MeteredFile, range: &Range<u64>) -> io::Result<Self> {
        let mut form = Vec::new();
        file.seek(SeekFrom::Start(range.start))?;
        file.by_ref().take(4).read_to_end(&mut form)?;
        let order = if form == b"RIFX" {
            ByteOrder::Big
        } else {
            ByteOrder::Little
        };
        let mut header = Self {
            order,
            format: None,
            data: None,
        };
        let mut chunks = Chunks::new(range.start + FORM_HEADER, range.end, order);
        let mut ds64_size = None;
        while header.format.is_none() || header.data.is_none() {
            let Some(chunk) = chunks.next(file)? else { break };
            match &chunk.name {
                b"fmt " => header.format = Some(read_body(file, &chunk, FORMAT_BYTES)?),
                b"ds64" => ds64_size = data_size(&read_body(file, &chunk, 16)?),
                b"data" if header.data.is_none() && !is_empty(&chunk, &chunks, file)? => {
                    let size = match (chunk.size, ds64_size) {
                        (u32::MAX, Some(size)) => size,
                        (size, _) => size.into(),
                    };
                    header.data = Some((chunk.body, size));
                }
                _ => {}
            }
        }
        Ok(header)
    }
}

/// Whether a data chunk of size 0 is really empty, because another chunk follows immediately. Otherwise a pipe wrote
/// the 0.
fn is_empty(chunk: &Chunk, chunks: &Chunks, file: &mut MeteredFile) -> io::Result<bool> {
    Ok(chunk.size == 0 && chunks.is_chunk_at(file, chunk.body)?)
}

/// The size of the data chunk from a `ds64` chunk; 0 if it is not plausible.
fn data_size(ds64: &[u8]) -> Option<u64> {
    let size = u64::from_le_bytes(*ds64.get(8..16)?.first_chunk()?);
    Some(if i64::try_from(size).is_ok() { size } else { 0 })
}

/// The relevant fields of a format chunk.
struct Format {
    tag: u16,
    channels: u16,
    rate: u32,
    /// Bytes per frame.
    block: u16,
    /// Stored bits per sample.
    bits: u16,
}

impl Format {
    fn parse(body: &[u8], order: ByteOrder) -> Option<Self> {
        let u16_at = |at: usize| Some(order.u16(*body.get(at..)?.first_chunk()?));
        let tag = match u16_at(0)? {
            // The GUID of an extensible format begins with the format tag and ends with a fixed suffix.
            EXTENSIBLE if is_format_guid(body.get(26..40)?) => u16_at(24)?,
            tag => tag,
        };
        Some(Self {
            tag,
            channels: u16_at(2)?,
            rate: order.u32(*body.get(4..)?.first_chunk()?),
            block: u16_at(12)?,
            bits: u16_at(14).unwrap_or(0),
        })
    }

    fn encoding(&self) -> Result<Encoding, Rejection> {
        // The size of a sample follows from its bits, and programs ignore a block size that contradicts it. The
        // exception is 24 bits in 4 bytes, which some programs read as floats and others as integers.
        if self.bits.div_ceil(8) == 3 && self.block == self.channels.saturating_mul(4) {
            return Err(unsupported(&format!(
                "has samples of {} bits in 4 bytes, which programs read in different ways; convert it to 24 bits in 3 \
                 bytes, or to FLAC, with the program that wrote it",
                self.bits
            )));
        }
        let found = match (self.tag, self.bits) {
            (PCM, 1..=8) => Some(Encoding::Unsigned8),
            (PCM, bits) => Encoding::signed(bits),
            (IEEE_FLOAT, 32) => Some(Encoding::Float32),
            (IEEE_FLOAT, 64) => Some(Encoding::Float64),
            (A_LAW, _) => Some(Encoding::ALaw),
            (MU_LAW, _) => Some(Encoding::MuLaw),
            _ => None,
        };
        found.ok_or_else(|| {
            unsupported(&format!(
                "has samples of format {:#06x} and {} bits, which is not supported",
                self.tag, self.bits
            ))
        })
    }
}

/// Whether these are the last 14 bytes of a GUID of Microsoft's formats or of ambisonic formats.
fn is_format_guid(guid: &[u8]) -> bool {
    const MICROSOFT: &[u8] = b"\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71";
    const AMBISONIC: &[u8] = b"\x00\x00\x21\x07\xd3\x11\x86\x44\xc8\xc1\xca\x00\x00\x00";
    [MICROSOFT, AMBISONIC].contains(&guid)
}

fn adpcm(mut file: MeteredFile, format: &[u8], data: PcmData, order: ByteOrder) -> Result<ProbedStream, Rejection> {
    if order == ByteOrder::Big {
        return Err(unsupported("is big-endian and compressed, which is not supported"));
    }
    let size = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes();
    let header = [
        b"RIFF".as_slice(),
        &size(u64::MAX),
        b"WAVEfmt ",
        &size(format.len() as u64),
        format,
        b"data",
        &size(data.promised),
    ]
    .concat();
    let (length, meter) = (file.length(), Arc::clone(file.meter()));
    file.seek(SeekFrom::Start(data.begin))?;
    let source = ReadOnlySource::new(Cursor::new(header).chain(file));
    let available = length.saturating_sub(data.begin);
    ProbedStream::open_source(Box::new(source), available, meter, Container::Wav)
}
