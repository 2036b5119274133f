//! The headers of MPEG audio: of each frame (ISO 11172-3 and 13818-3, and the unofficial MPEG 2.5), and of a whole file
//! (Xing, Info with LAME's extension, VBRI), which is in a frame of silence in front.

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
    /// In kbit/s, 0 where it is free.
    kilobits: u16,
    frame_bytes: usize,
    is_mpeg1: bool,
    has_crc: bool,
}

/// kbit/s by index, of MPEG 1 layer 1, 2, 3, and of MPEG 2 layer 1, and 2 and 3.
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
        // MPEG 1 layer 2 allows its lowest rates to one channel and its highest to two.
        let forbidden = header.is_mpeg1 && header.has_odd_rate(kilobits);
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
    /// Reads a header whose bit rate may be free; none is given then, and the length of the frame is 0.
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

    fn has_odd_rate(&self, kilobits: u16) -> bool {
        let odd = match kilobits {
            224 | 256 | 320 | 384 => self.channels == 1,
            32 | 48 | 56 | 80 => self.channels == 2,
            _ => false,
        };
        self.layer == 2 && odd
    }

    /// Whether it is legal and Symphonia takes it for illegal: MPEG 2 layer 2 at a bit rate that only MPEG 1 forbids.
    pub(super) fn is_refused_by_the_decoder(&self) -> bool {
        self.has_odd_rate(self.kilobits)
    }

    /// Samples per channel in the frame.
    pub(super) fn samples(&self) -> u64 {
        match self.layer {
            1 => 384,
            3 if !self.is_mpeg1 => 576,
            _ => 1152,
        }
    }

    fn side_information_bytes(&self) -> usize {
        match (self.is_mpeg1, self.channels) {
            (true, 1) | (false, 2) => 17,
            (true, _) => 32,
            (false, _) => 9,
        }
    }
}

/// Where frames of free format begin in this range: their length is in no header, only in the distance to the next.
pub(super) fn find_free_format<F: Read + Seek>(window: &mut Window<F>, range: Range<u64>) -> io::Result<Option<u64>> {
    /// Where they do not begin here, there are none.
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

/// Whether two more frames of free format follow on one, in equal distances.
fn begins_free_format(bytes: &[u8]) -> bool {
    let header = |at: usize| match bytes.get(at..).and_then(MpegHeader::parse_any) {
        Some((header, None)) => Some((header.layer, header.rate, header.channels, header.has_crc)),
        _ => None,
    };
    let Some(first) = header(0) else {
        return false;
    };
    // A frame may be padded with one byte, or with four in layer 1.
    (24..LONGEST_FREE_FRAME).any(|length| {
        let next = [0, 1, 4].iter().any(|more| header(2 * length + more) == Some(first));
        next && header(length) == Some(first)
    })
}

/// The header of a whole file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FileHeader {
    /// Frames of audio.
    pub frames: Option<u64>,
    /// Samples that the encoder and the decoder put in front.
    pub delay: usize,
    /// Samples that the encoder appended, less the decoder's.
    pub padding: usize,
}

impl FileHeader {
    /// Reads it from a frame, if it is there instead of audio.
    pub(super) fn parse(frame: &[u8], header: &MpegHeader) -> Option<Self> {
        /// Samples by which a decoder is late.
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
        // Always behind 32 bytes.
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
