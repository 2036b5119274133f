//! Parses the headers of MPEG audio: those of frames (ISO 11172-3, 13818-3 and the unofficial MPEG 2.5), and the file
//! header (Xing, Info with LAME's extension, VBRI), which replaces the audio of a silent first frame.

use super::frames::FrameHeader;
use super::window::Window;
use std::io::{self, Read, Seek};
use std::ops::Range;

/// The header of a frame of MPEG audio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MpegHeader {
    /// 1 to 3.
    pub layer: u8,
    /// In Hz.
    pub rate: u32,
    /// 1 or 2.
    pub channels: u32,
    /// In kbit/s, 0 for a free bit rate.
    kilobits: u16,
    frame_bytes: usize,
    pub is_mpeg1: bool,
    pub has_crc: bool,
}

/// Bit rates in kbit/s by index: MPEG 1 layer 1, 2 and 3, MPEG 2 layer 1, MPEG 2 layers 2 and 3.
const KILOBITS: [[u16; 14]; 5] = [
    [32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
    [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
    [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
    [32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
    [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];

impl FrameHeader for MpegHeader {
    const BYTES: usize = 4;

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (header, kilobits) = Self::parse_any(bytes)?;
        let kilobits = kilobits?;
        // MPEG 1 layer 2 allows its lowest bit rates only for one channel and its highest only for two.
        let forbidden = header.is_mpeg1 && header.has_restricted_bit_rate(kilobits);
        (!forbidden).then_some(Self { kilobits, ..header })
    }

    fn frame_bytes(&self) -> usize {
        self.frame_bytes
    }

    fn same_stream(&self, other: &Self) -> bool {
        (self.layer, self.rate, self.channels) == (other.layer, other.rate, other.channels)
    }
}

impl MpegHeader {
    /// Parses a header. For a free bit rate, the returned bit rate is `None` and the length of the frame is invalid.
    fn parse_any(bytes: &[u8]) -> Option<(Self, Option<u16>)> {
        let [0xff, second, third, fourth, ..] = *bytes else {
            return None;
        };
        if second & 0xe0 != 0xe0 {
            return None;
        }
        let rates = match second >> 3 & 3 {
            0 => [11_025, 12_000, 8_000],
            2 => [22_050, 24_000, 16_000],
            3 => [44_100, 48_000, 32_000],
            _ => return None,
        };
        let is_mpeg1 = second >> 3 & 3 == 3;
        let layer = 4 - (second >> 1 & 3);
        if layer == 4 {
            return None;
        }
        let rate: u32 = *rates.get(usize::from(third >> 2 & 3))?;
        let table = match (is_mpeg1, layer) {
            (true, layer) => usize::from(layer) - 1,
            (false, 1) => 3,
            (false, _) => 4,
        };
        let kilobits = match third >> 4 {
            0 => None,
            index => Some(*KILOBITS[table].get(usize::from(index) - 1)?),
        };
        let padding = u32::from(third >> 1 & 1);
        let bits = 1000 * u32::from(kilobits.unwrap_or(0));
        let frame_bytes = match (layer, is_mpeg1) {
            (1, _) => (12 * bits / rate + padding) * 4,
            (3, false) => 72 * bits / rate + padding,
            _ => 144 * bits / rate + padding,
        };
        let header = Self {
            layer,
            rate,
            channels: if fourth >> 6 == 3 { 1 } else { 2 },
            kilobits: 0,
            frame_bytes: frame_bytes as usize,
            is_mpeg1,
            has_crc: second & 1 == 0,
        };
        Some((header, kilobits))
    }

    fn has_restricted_bit_rate(&self, kilobits: u16) -> bool {
        let restricted = match kilobits {
            224 | 256 | 320 | 384 => self.channels == 1,
            32 | 48 | 56 | 80 => self.channels == 2,
            _ => false,
        };
        self.layer == 2 && restricted
    }

    /// Whether Symphonia refuses this valid header: MPEG 2 layer 2 at a bit rate that only MPEG 1 forbids.
    pub(super) fn is_refused_by_the_decoder(&self) -> bool {
        self.has_restricted_bit_rate(self.kilobits)
    }

    /// Samples per channel in the frame.
    pub(super) fn samples(&self) -> u64 {
        match self.layer {
            1 => 384,
            3 if !self.is_mpeg1 => 576,
            _ => 1152,
        }
    }

    /// Length of the side information of layer 3.
    pub(super) fn side_information_bytes(&self) -> usize {
        match (self.is_mpeg1, self.channels) {
            (true, 1) | (false, 2) => 17,
            (true, _) => 32,
            (false, _) => 9,
        }
    }
}

/// Finds the first frame with a free bit rate. The length of such a frame is only known from the distance to the next
/// one.
pub(super) fn find_free_format<F: Read + Seek>(window: &mut Window<F>, range: Range<u64>) -> io::Result<Option<u64>> {
    /// If there are such frames, the first is within this many bytes.
    const SEARCHED: u64 = 1 << 20;
    for at in range.start..range.end.min(range.start + SEARCHED) {
        if let [0xff, second, third] = window.bytes(at, 3)?
            && (*second >= 0xe0 && third >> 4 == 0)
            && begins_free_format(window.bytes(at, 2 * LONGEST_FREE_FRAME + MpegHeader::BYTES + 4)?)
        {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

/// 640 kbit/s at 32 kHz, more than any encoder writes.
const LONGEST_FREE_FRAME: usize = 2881;

/// Whether the bytes begin with three frames of a free bit rate at equal distances.
fn begins_free_format(bytes: &[u8]) -> bool {
    let header = |at: usize| match bytes.get(at..).and_then(MpegHeader::parse_any) {
        Some((header, None)) => Some((header.layer, header.rate, header.channels, header.has_crc)),
        _ => None,
    };
    let Some(first) = header(0) else {
        return false;
    };
    // Padding adds one byte to a frame, or four in layer 1.
    (24..LONGEST_FREE_FRAME).any(|length| {
        let next = [0, 1, 4].iter().any(|more| header(2 * length + more) == Some(first));
        next && header(length) == Some(first)
    })
}

/// The file header in the first frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FileHeader {
    /// Number of audio frames.
    pub frames: Option<u64>,
    /// Samples that the encoder and the decoder add at the beginning.
    pub delay: usize,
    /// Samples that the encoder appended, minus the delay of the decoder.
    pub padding: usize,
}

impl FileHeader {
    /// Parses the file header if this frame has one instead of audio.
    pub(super) fn parse(frame: &[u8], header: &MpegHeader) -> Option<Self> {
        /// Samples by which a decoder delays the audio.
        const DECODER_DELAY: usize = 529;
        if header.layer != 3 {
            return None;
        }
        let before = MpegHeader::BYTES + if header.has_crc { 2 } else { 0 };
        let silent = |end: usize| {
            frame
                .get(before..end)
                .is_some_and(|bytes| bytes.iter().all(|&byte| byte == 0))
        };
        let word = |at: usize| {
            frame
                .get(at..)
                .and_then(|bytes| bytes.first_chunk())
                .map(|word| u32::from_be_bytes(*word))
        };
        // The VBRI header always follows 32 bytes of side information.
        const VBRI: usize = 36;
        if frame.get(VBRI..VBRI + 6) == Some(b"VBRI\x00\x01") && silent(VBRI) {
            return Some(Self {
                frames: word(VBRI + 14).map(u64::from),
                ..Self::default()
            });
        }
        let at = MpegHeader::BYTES + header.side_information_bytes();
        if !matches!(frame.get(at..at + 4)?, b"Xing" | b"Info") || !silent(at) {
            return None;
        }
        let flags = word(at + 4)?;
        let mut end = at + 8;
        let mut frames = None;
        for (flag, length) in [(1, 4), (2, 4), (4, 100), (8, 4)] {
            if flags & flag != 0 {
                if flag == 1 {
                    frames = word(end).map(u64::from);
                }
                end += length;
            }
        }
        let encoder = frame.get(end..end + 4);
        let known = matches!(encoder, Some(b"LAME" | b"Lavf" | b"Lavc"));
        let gaps = word(end + 20)
            .filter(|_| known)
            .map(|word| (word & 0x00ff_ffff) as usize);
        let (delay, padding) = gaps.map_or((0, 0), |gaps| {
            (
                DECODER_DELAY + (gaps >> 12),
                (gaps & 0xfff).saturating_sub(DECODER_DELAY),
            )
        });
        Some(Self { frames, delay, padding })
    }
}
