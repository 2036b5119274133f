//! Scale factors: how loud each band is, or at which position between the channels.

use super::bands::{Block, MAX_BANDS};
use super::bits::Bits;
use super::side_information::Granule;

/// The scale factors of one granule of one channel.
#[derive(Clone, Copy)]
pub(super) struct ScaleFactors {
    pub values: [u8; MAX_BANDS],
    /// In the second channel of intensity stereo, the number of positions: larger values say that a band has none.
    pub positions: [u8; MAX_BANDS],
    /// Whether factors are raised by a fixed amount at high frequencies.
    pub has_emphasis: bool,
}

/// Bits of each scale factor in the lower and upper bands (MPEG 1).
const MPEG1_BITS: [[u32; 2]; 16] = [
    [0, 0],
    [0, 1],
    [0, 2],
    [0, 3],
    [3, 0],
    [1, 1],
    [1, 2],
    [1, 3],
    [2, 1],
    [2, 2],
    [2, 3],
    [3, 1],
    [3, 2],
    [3, 3],
    [4, 2],
    [4, 3],
];

/// Groups of long bands whose scale factors two granules may share.
const GROUPS: [std::ops::Range<usize>; 4] = [0..6, 6..11, 11..16, 16..21];

/// Scale factors in each of four groups in MPEG 2, by range of the index and kind of block (long, short, mixed).
const MPEG2_COUNTS: [[[usize; 4]; 3]; 6] = [
    [[6, 5, 5, 5], [9, 9, 9, 9], [6, 9, 9, 9]],
    [[6, 5, 7, 3], [9, 9, 12, 6], [6, 9, 12, 6]],
    [[11, 10, 0, 0], [18, 18, 0, 0], [15, 18, 0, 0]],
    // The second channel of intensity stereo.
    [[7, 7, 7, 0], [12, 12, 12, 0], [6, 15, 12, 0]],
    [[6, 6, 6, 3], [12, 9, 9, 6], [6, 12, 9, 6]],
    [[8, 8, 5, 0], [15, 12, 9, 0], [6, 18, 9, 0]],
];

impl Default for ScaleFactors {
    fn default() -> Self {
        Self {
            values: [0; MAX_BANDS],
            positions: [7; MAX_BANDS],
            has_emphasis: false,
        }
    }
}

impl ScaleFactors {
    /// Reads scale factors of MPEG 1. `first` are those of the first granule, and which of its groups are used again.
    pub fn read_mpeg1(bits: &mut Bits, granule: &Granule, first: Option<(&Self, [bool; 4])>) -> Self {
        let [low, high] = MPEG1_BITS[usize::from(granule.compress & 15)];
        let mut factors = Self {
            has_emphasis: granule.has_emphasis,
            ..Self::default()
        };
        if matches!(granule.block, Block::Short | Block::Mixed) {
            let switch = if granule.block == Block::Mixed { 17 } else { 18 };
            for (band, value) in factors.values[..switch + 18].iter_mut().enumerate() {
                *value = bits.take(if band < switch { low } else { high }) as u8;
            }
            return factors;
        }
        for (group, range) in GROUPS.into_iter().enumerate() {
            match first {
                Some((first, shared)) if shared[group] => {
                    factors.values[range.clone()].copy_from_slice(&first.values[range]);
                }
                _ => {
                    for value in &mut factors.values[range] {
                        *value = bits.take(if group < 2 { low } else { high }) as u8;
                    }
                }
            }
        }
        factors
    }

    /// Reads scale factors of MPEG 2 and 2.5. `positions` is set in the second channel of intensity stereo.
    pub fn read_mpeg2(bits: &mut Bits, granule: &Granule, positions: bool) -> Self {
        let compress = u32::from(granule.compress);
        let half = compress >> 1;
        let (lengths, range) = match (positions, compress, half) {
            (false, 0..400, _) => ([compress / 80, compress / 16 % 5, compress / 4 % 4, compress % 4], 0),
            (false, 400..500, _) => {
                let rest = compress - 400;
                ([rest / 20, rest / 4 % 5, rest % 4, 0], 1)
            }
            (false, ..) => ([(compress - 500) / 3, (compress - 500) % 3, 0, 0], 2),
            (true, _, 0..180) => ([half / 36, half % 36 / 6, half % 6, 0], 3),
            (true, _, 180..244) => {
                let rest = half - 180;
                ([rest / 16, rest / 4 % 4, rest % 4, 0], 4)
            }
            (true, ..) => ([(half - 244) / 3, (half - 244) % 3, 0, 0], 5),
        };
        let kind = match granule.block {
            Block::Short => 1,
            Block::Mixed => 2,
            Block::Long | Block::Start | Block::Stop => 0,
        };
        let mut factors = Self {
            has_emphasis: range == 2,
            ..Self::default()
        };
        let mut band = 0;
        for (length, count) in lengths.into_iter().zip(MPEG2_COUNTS[range][kind]) {
            for band in band..band + count {
                factors.values[band] = bits.take(length) as u8;
                // The largest value is no position. Without bits, all positions are the centre.
                factors.positions[band] = if length == 0 { 1 } else { (1 << length) - 1 };
            }
            band += count;
        }
        factors
    }
}
