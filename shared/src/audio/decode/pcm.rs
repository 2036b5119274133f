//! Decodes uncompressed samples. The modules for WAV, AIFF, CAF and Sun audio read the header and pass on the format
//! and position of the samples.

use super::downmix::Downmix;
use super::meter::MeteredFile;
use super::stream::{AudioStream, DecodeReport, silence_non_finite};
use crate::audio::validate::{Rejection, check_format};
use std::io::{Read, Seek, SeekFrom, Take};

/// Samples per channel in a block.
const BLOCK: u64 = 4096;

/// How a sample is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Offset binary: 128 is zero.
    Unsigned8,
    Signed8,
    Signed16,
    Signed24,
    Signed32,
    Float32,
    Float64,
    /// ITU-T G.711.
    MuLaw,
    /// ITU-T G.711.
    ALaw,
}

/// The order of a sample's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ByteOrder {
    Big,
    Little,
}

impl ByteOrder {
    pub(super) fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Big => u16::from_be_bytes(bytes),
            Self::Little => u16::from_le_bytes(bytes),
        }
    }

    pub(super) fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Big => u32::from_be_bytes(bytes),
            Self::Little => u32::from_le_bytes(bytes),
        }
    }
}

impl Encoding {
    /// Signed integers of this many bits, left-aligned in whole bytes.
    pub(super) fn signed(bits: u16) -> Option<Self> {
        Some(match bits {
            1..=8 => Self::Signed8,
            9..=16 => Self::Signed16,
            17..=24 => Self::Signed24,
            25..=32 => Self::Signed32,
            _ => return None,
        })
    }

    /// Bytes per sample.
    pub(super) fn bytes(self) -> u64 {
        match self {
            Self::MuLaw | Self::ALaw | Self::Unsigned8 | Self::Signed8 => 1,
            Self::Signed16 => 2,
            Self::Signed24 => 3,
            Self::Signed32 | Self::Float32 => 4,
            Self::Float64 => 8,
        }
    }

    /// Replaces `samples` with those in `bytes`, full scale 1. An incomplete sample at the end is ignored.
    fn decode(self, order: ByteOrder, bytes: &[u8], samples: &mut Vec<f32>) {
        use ByteOrder::{Big, Little};
        const HALF_16: f32 = 32_768.0;
        const HALF_32: f32 = 2_147_483_648.0;
        let s16 = |value: i16| f32::from(value) / HALF_16;
        let s32 = |value: i32| value as f32 / HALF_32;
        samples.clear();
        match (self, order) {
            (Self::Unsigned8, _) => extend(samples, bytes, |[byte]| (f32::from(byte) - 128.0) / 128.0),
            (Self::Signed8, _) => extend(samples, bytes, |[byte]| f32::from(byte as i8) / 128.0),
            (Self::MuLaw, _) => extend(samples, bytes, |[byte]| s16(mu_law(byte))),
            (Self::ALaw, _) => extend(samples, bytes, |[byte]| s16(a_law(byte))),
            (Self::Signed16, Big) => extend(samples, bytes, |bytes| s16(i16::from_be_bytes(bytes))),
            (Self::Signed16, Little) => extend(samples, bytes, |bytes| s16(i16::from_le_bytes(bytes))),
            (Self::Signed24, Big) => extend(samples, bytes, |[a, b, c]| s32(i32::from_be_bytes([a, b, c, 0]))),
            (Self::Signed24, Little) => extend(samples, bytes, |[a, b, c]| s32(i32::from_le_bytes([0, a, b, c]))),
            (Self::Signed32, Big) => extend(samples, bytes, |bytes| s32(i32::from_be_bytes(bytes))),
            (Self::Signed32, Little) => extend(samples, bytes, |bytes| s32(i32::from_le_bytes(bytes))),
            (Self::Float32, Big) => extend(samples, bytes, f32::from_be_bytes),
            (Self::Float32, Little) => extend(samples, bytes, f32::from_le_bytes),
            (Self::Float64, Big) => extend(samples, bytes, |bytes| f64::from_be_bytes(bytes) as f32),
            (Self::Float64, Little) => extend(samples, bytes, |bytes| f64::from_le_bytes(bytes) as f32),
        }
    }
}

fn extend<const N: usize>(samples: &mut Vec<f32>, bytes: &[u8], sample: impl Fn([u8; N]) -> f32) {
    let (whole, _) = bytes.as_chunks::<N>();
    samples.extend(whole.iter().map(|&bytes| sample(bytes)));
}

/// ITU-T G.711 mu-law: 14 bits, left-aligned in 16.
fn mu_law(byte: u8) -> i16 {
    const BIAS: i16 = 0x84;
    let inverted = !byte;
    let magnitude = ((i16::from(inverted & 0xf) << 3) + BIAS) << (inverted >> 4 & 7);
    if inverted & 0x80 == 0 {
        magnitude - BIAS
    } else {
        BIAS - magnitude
    }
}

/// ITU-T G.711 A-law: 13 bits, left-aligned in 16. Even bits are inverted, and a set sign bit is positive.
fn a_law(byte: u8) -> i16 {
    let toggled = byte ^ 0x55;
    let (segment, step) = (toggled >> 4 & 7, i16::from(toggled & 0xf) << 4);
    let magnitude = match segment {
        0 => step + 8,
        segment => (step + 0x108) << (segment - 1),
    };
    if toggled & 0x80 == 0 { -magnitude } else { magnitude }
}

/// The sample format that a header states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PcmFormat {
    pub(super) encoding: Encoding,
    pub(super) order: ByteOrder,
    pub(super) rate: u32,
    pub(super) channels: u32,
}

/// Position of the samples in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PcmData {
    /// Position of the first byte.
    pub(super) begin: u64,
    /// Number of bytes that the header states.
    pub(super) promised: u64,
}

impl PcmData {
    /// Samples that begin at `begin`, in a file whose audio ends at `end`. `sizes` are the sizes in bytes that the
    /// header states, the most reliable first. A program that writes to a pipe does not know the size in advance and
    /// writes 0 or a very large number. If no size is known, the samples extend to `end`.
    pub(super) fn new(begin: u64, sizes: &[u64], end: u64) -> Self {
        let available = end.saturating_sub(begin);
        let is_known = |size: u64| size > 0 && (size <= available || !is_placeholder(size));
        let known = sizes.iter().copied().find(|&size| is_known(size));
        Self {
            begin,
            promised: known.unwrap_or(available),
        }
    }
}

/// Whether a program wrote this size because it did not know the length: sox writes 0x7f000000 (AIFF) and 0x7ffff000
/// (WAV), lame 0x7fffffff, arecord 0x80000000, ffmpeg 0xffffffff, and some round these to whole frames or subtract the
/// header. A truncated recording of about 2 or 4 GiB counts as complete only if its size is in one of these windows.
pub(super) fn is_placeholder(size: u64) -> bool {
    const ROUNDING: u64 = 0x40;
    const WINDOW: u64 = 0x1000;
    [0x7f00_0000, 0x7fff_f000, 0x8000_0000, 0xffff_f000]
        .iter()
        .any(|&first| (first - ROUNDING..first + WINDOW).contains(&size))
}

/// Uncompressed audio, decoded lazily.
pub(super) struct PcmStream {
    data: Take<MeteredFile>,
    format: PcmFormat,
    /// Samples per channel that the header states.
    promised: u64,
    /// Samples per channel that the file can hold.
    possible: u64,
    bytes: Vec<u8>,
    samples: Vec<f32>,
    mono: Vec<f32>,
    downmix: Downmix,
    decoded: u64,
    non_finite: u64,
}

impl PcmStream {
    /// Decodes samples of this format, at this position in the file.
    pub(super) fn open(mut file: MeteredFile, format: PcmFormat, data: PcmData) -> Result<Self, Rejection> {
        check_format(Some(format.rate), format.channels as usize)?;
        let available = file.length().saturating_sub(data.begin);
        if available == 0 {
            return Err(Rejection::NoFrames);
        }
        let frame_bytes = format.encoding.bytes() * u64::from(format.channels);
        file.seek(SeekFrom::Start(data.begin))?;
        Ok(Self {
            data: file.take(data.promised),
            format,
            promised: data.promised / frame_bytes,
            possible: available / frame_bytes,
            bytes: Vec::new(),
            samples: Vec::new(),
            mono: Vec::new(),
            downmix: Downmix::default(),
            decoded: 0,
            non_finite: 0,
        })
    }
}

impl AudioStream for PcmStream {
    fn codec(&self) -> &'static str {
        "pcm"
    }

    fn rate(&self) -> u32 {
        self.format.rate
    }

    fn channels(&self) -> u32 {
        self.format.channels
    }

    fn promised_samples(&self) -> Option<u64> {
        Some(self.promised.min(self.possible))
    }

    fn next_block(&mut self) -> Result<Option<&[f32]>, Rejection> {
        self.data.get_ref().meter().begin_packet()?;
        let PcmFormat { encoding, order, .. } = self.format;
        let wanted = BLOCK * encoding.bytes() * u64::from(self.format.channels);
        self.bytes.clear();
        self.data.by_ref().take(wanted).read_to_end(&mut self.bytes)?;
        encoding.decode(order, &self.bytes, &mut self.samples);
        self.mono.clear();
        // An incomplete frame at the end is ignored.
        self.downmix
            .interleaved(&self.samples, self.format.channels as usize, &mut self.mono);
        self.decoded += self.mono.len() as u64;
        self.non_finite += silence_non_finite(&mut self.mono);
        Ok((!self.mono.is_empty()).then_some(self.mono.as_slice()))
    }

    fn report(&self) -> Result<DecodeReport, Rejection> {
        let expected = self.promised.max(self.decoded);
        DecodeReport::new(self.decoded, expected, self.non_finite, &self.downmix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mu_law_matches_itu_t_g711() {
        // G.711, table 2b: the ends of the first, the second and the last segment.
        for (byte, expected) in [
            (0xff, 0),
            (0x7f, 0),
            (0xfe, 8),
            (0xf0, 120),
            (0xef, 132),
            (0x80, 32_124),
            (0x00, -32_124),
        ] {
            assert_eq!(mu_law(byte), expected, "{byte:#x}");
        }
        for byte in 0..0x80 {
            assert_eq!(mu_law(byte), -mu_law(byte | 0x80));
        }
    }

    #[test]
    fn a_law_matches_itu_t_g711() {
        // G.711, table 1b: the ends of the first, the second and the last segment. The table counts in 1/4096 of full
        // scale, which is 8 steps of 16 bits.
        for (byte, expected) in [
            (0xd5, 8),
            (0xda, 248),
            (0xc5, 264),
            (0xca, 504),
            (0xaa, 32_256),
            (0x2a, -32_256),
        ] {
            assert_eq!(a_law(byte), expected, "{byte:#x}");
        }
        for byte in 0..0x80 {
            assert_eq!(a_law(byte), -a_law(byte | 0x80));
        }
    }

    #[test]
    fn placeholder_size_means_the_end_of_the_file_and_other_sizes_are_kept() {
        let promised = |sizes: &[u64]| PcmData::new(100, sizes, 1100).promised;
        for size in [
            0,
            0x7eff_ffff,
            0x7f00_0008,
            0x7fff_f000,
            0x7fff_ffff,
            0x8000_0000,
            0xffff_ffdb,
            0xffff_ffff,
        ] {
            assert_eq!(promised(&[size]), 1000, "{size:#x}");
            assert_eq!(promised(&[size, size]), 1000, "{size:#x}");
            assert_eq!(promised(&[size, 400]), 400, "{size:#x}");
        }
        for size in [1, 999, 1000, 1001, 0x1000_0000, 0x7e00_0000, 0x9000_0000] {
            assert_eq!(promised(&[size]), size, "{size:#x}");
            assert_eq!(promised(&[size, 400]), size, "{size:#x}");
        }
        // A file that has the stated size.
        assert_eq!(PcmData::new(100, &[0x8000_0000], 0x9000_0000).promised, 0x8000_0000);
    }
}
