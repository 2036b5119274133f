//! Sun's and NeXT's `.au`: a header of six big-endian words, an annotation, and samples.
//!
//! Format and encodings are those of SunOS' manual page au(4). GTZAN was published in it, and Symphonia does not read it.

use super::meter::MeteredFile;
use super::{AudioStream, DecodeReport, io_rejection, silence_non_finite};
use crate::audio::validate::{Rejection, check_format};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Take};

const HEADER_BYTES: u64 = 24;
/// The data size of a file that was written to a pipe.
const TO_THE_END: u32 = u32::MAX;
/// Samples per channel in a block.
const BLOCK: u64 = 4096;

/// How a sample is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    MuLaw,
    Pcm8,
    Pcm16,
    Pcm24,
    Pcm32,
    Float32,
    Float64,
}

impl Encoding {
    fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            1 => Self::MuLaw,
            2 => Self::Pcm8,
            3 => Self::Pcm16,
            4 => Self::Pcm24,
            5 => Self::Pcm32,
            6 => Self::Float32,
            7 => Self::Float64,
            _ => return None,
        })
    }

    fn bytes(self) -> usize {
        match self {
            Self::MuLaw | Self::Pcm8 => 1,
            Self::Pcm16 => 2,
            Self::Pcm24 => 3,
            Self::Pcm32 | Self::Float32 => 4,
            Self::Float64 => 8,
        }
    }

    /// Appends the mean of each frame's samples, full scale 1.
    fn mix_down(self, bytes: &[u8], channels: usize, out: &mut Vec<f32>) {
        match self {
            Self::MuLaw => mix_down(bytes, channels, out, |[byte]| f32::from(mu_law(byte)) / 32_768.0),
            Self::Pcm8 => mix_down(bytes, channels, out, |[byte]| f32::from(byte as i8) / 128.0),
            Self::Pcm16 => mix_down(bytes, channels, out, |bytes| {
                f32::from(i16::from_be_bytes(bytes)) / 32_768.0
            }),
            Self::Pcm24 => mix_down(bytes, channels, out, |[a, b, c]| {
                i32::from_be_bytes([a, b, c, 0]) as f32 / 2_147_483_648.0
            }),
            Self::Pcm32 => mix_down(bytes, channels, out, |bytes| {
                i32::from_be_bytes(bytes) as f32 / 2_147_483_648.0
            }),
            Self::Float32 => mix_down(bytes, channels, out, f32::from_be_bytes),
            Self::Float64 => mix_down(bytes, channels, out, |bytes| f64::from_be_bytes(bytes) as f32),
        }
    }
}

fn mix_down<const N: usize>(bytes: &[u8], channels: usize, out: &mut Vec<f32>, sample: impl Fn([u8; N]) -> f32) {
    let (samples, _) = bytes.as_chunks::<N>();
    let share = 1.0 / channels as f32;
    let frames = samples.chunks_exact(channels);
    out.extend(frames.map(|frame| frame.iter().map(|&bytes| share * sample(bytes)).sum::<f32>()));
}

/// ITU-T G.711's mu-law, 14 bits in the upper part of 16.
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

/// The audio of an `.au` file, decoded as it is asked for.
pub(super) struct SunAudioStream {
    data: Take<MeteredFile>,
    encoding: Encoding,
    rate: u32,
    channels: u32,
    /// Samples per channel that the header promises.
    promised: u64,
    /// Samples per channel that the file has room for.
    possible: u64,
    bytes: Vec<u8>,
    mono: Vec<f32>,
    decoded: u64,
    non_finite: u64,
}

impl SunAudioStream {
    /// Reads the header of a file that begins at the byte `start`.
    pub(super) fn open(mut file: MeteredFile, start: u64) -> Result<Self, Rejection> {
        let failed = |error: std::io::Error| match error.kind() {
            ErrorKind::UnexpectedEof => Rejection::NoFrames,
            _ => io_rejection(&error),
        };
        let length = file.length();
        let mut header = [0; HEADER_BYTES as usize];
        file.seek(SeekFrom::Start(start)).map_err(failed)?;
        file.read_exact(&mut header).map_err(failed)?;
        let word = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let [offset, size, encoding, rate, channels] = [4, 8, 12, 16, 20].map(word);
        let offset = u64::from(offset);
        if offset < HEADER_BYTES {
            return Err(Rejection::UnsupportedFormat(format!(
                "its header says that its audio begins at byte {offset}, which is inside the header"
            )));
        }
        let encoding = Encoding::from_number(encoding).ok_or_else(|| {
            Rejection::UnsupportedFormat(format!(
                "its encoding is number {encoding} of Sun audio, and 1 to 7 are supported: mu-law, linear and float"
            ))
        })?;
        let rate = check_format(Some(rate), channels as usize)?;
        let begin = start + offset;
        let available = length.checked_sub(begin).ok_or(Rejection::NoFrames)?;
        let promised = if size == TO_THE_END { available } else { size.into() };
        let frame_bytes = encoding.bytes() as u64 * u64::from(channels);
        file.seek(SeekFrom::Start(begin)).map_err(failed)?;
        Ok(Self {
            data: file.take(promised),
            encoding,
            rate,
            channels,
            promised: promised / frame_bytes,
            possible: available / frame_bytes,
            bytes: Vec::new(),
            mono: Vec::new(),
            decoded: 0,
            non_finite: 0,
        })
    }
}

impl AudioStream for SunAudioStream {
    fn rate(&self) -> u32 {
        self.rate
    }

    fn channels(&self) -> u32 {
        self.channels
    }

    fn promised_samples(&self) -> Option<u64> {
        Some(self.promised.min(self.possible))
    }

    fn next_block(&mut self) -> Result<Option<&[f32]>, Rejection> {
        self.data.get_ref().meter().begin_packet()?;
        let channels = self.channels as usize;
        let wanted = BLOCK * self.encoding.bytes() as u64 * u64::from(self.channels);
        self.bytes.clear();
        self.data
            .by_ref()
            .take(wanted)
            .read_to_end(&mut self.bytes)
            .map_err(|error| io_rejection(&error))?;
        self.mono.clear();
        // Half a frame at the end is none.
        self.encoding.mix_down(&self.bytes, channels, &mut self.mono);
        self.decoded += self.mono.len() as u64;
        self.non_finite += silence_non_finite(&mut self.mono);
        Ok((!self.mono.is_empty()).then_some(self.mono.as_slice()))
    }

    fn report(&self) -> Result<DecodeReport, Rejection> {
        DecodeReport::new(self.decoded, self.promised.max(self.decoded), self.non_finite)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mu_law_is_that_of_the_recommendation() {
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
}
