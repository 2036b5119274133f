//! What the header of a frame says about the rest of it.

use super::super::mpeg_header::MpegHeader;
use super::stereo::Mode;
use std::ops::Range;

/// The layout of a frame.
#[derive(Clone, Debug)]
pub(super) struct Format {
    /// Index of the sample rate in the tables of bands.
    pub rate_index: usize,
    pub is_mpeg1: bool,
    pub is_mpeg25: bool,
    /// 1 or 2.
    pub channels: usize,
    /// Granules of 576 samples: two in MPEG 1, otherwise one.
    pub granules: usize,
    pub mode: Mode,
    /// The bytes of the side information. Main data follow.
    pub side_information: Range<usize>,
}

impl Format {
    /// The layout of a frame with this header.
    pub fn new(header: &MpegHeader, frame: &[u8]) -> Self {
        let rates = [44_100, 48_000, 32_000, 22_050, 24_000, 16_000, 11_025, 12_000, 8_000];
        let rate_index = rates.iter().position(|&rate| rate == header.rate).unwrap_or(0);
        let fourth = frame.get(3).copied().unwrap_or(0);
        let is_joint = fourth >> 6 == 1;
        let begin = 4 + if header.has_crc { 2 } else { 0 };
        Self {
            rate_index,
            is_mpeg1: header.is_mpeg1,
            is_mpeg25: rate_index >= 6,
            channels: if header.channels == 1 { 1 } else { 2 },
            granules: if header.is_mpeg1 { 2 } else { 1 },
            mode: Mode {
                mid_side: is_joint && fourth & 0x20 != 0,
                intensity: is_joint && fourth & 0x10 != 0,
            },
            side_information: begin..begin + header.side_information_bytes(),
        }
    }
}
