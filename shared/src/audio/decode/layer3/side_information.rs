//! The side information of a frame: how the main data of each granule and channel is coded.

use super::bands::{Block, LINES, long_edge};
use super::bits::Bits;
use super::decoder::Damaged;
use super::format::Format;

/// The side information of a frame.
#[derive(Default)]
pub(super) struct SideInformation {
    /// Bytes before this frame's main data at which the main data begins.
    pub main_data_begin: usize,
    /// Per channel, the groups of scale factors that the second granule shares with the first.
    pub shared: [[bool; 4]; 2],
    /// By granule and channel.
    pub granules: [[Granule; 2]; 2],
}

/// How one granule of one channel is coded.
#[derive(Clone, Copy, Default)]
pub(super) struct Granule {
    /// Bits of scale factors and Huffman code.
    pub bits: usize,
    /// Pairs of lines that are coded as pairs; the lines after them are coded as quadruples.
    pub pairs: usize,
    pub global_gain: u8,
    /// Index of the numbers of bits of scale factors.
    pub compress: u16,
    pub block: Block,
    /// The Huffman table of each region of pairs.
    pub tables: [u8; 3],
    /// The pairs at which the second and the third region begin.
    pub regions: [usize; 2],
    pub window_gains: [u8; 3],
    /// Whether scale factors are raised by a fixed amount at high frequencies.
    pub has_emphasis: bool,
    /// Whether scale factors count double.
    pub is_coarse: bool,
    /// Whether quadruples use the second table.
    pub second_table: bool,
}

impl SideInformation {
    /// Reads the side information at the beginning of these bytes.
    pub fn read(bytes: &[u8], format: &Format) -> Result<Self, Damaged> {
        let mut bits = Bits::new(bytes, 0);
        let channels = format.channels;
        let mut side = Self::default();
        if format.is_mpeg1 {
            side.main_data_begin = bits.take(9) as usize;
            bits.take(if channels == 1 { 5 } else { 3 });
            for shared in side.shared[..channels].as_flattened_mut() {
                *shared = bits.flag();
            }
        } else {
            side.main_data_begin = bits.take(8) as usize;
            bits.take(channels as u32);
        }
        for granule in &mut side.granules[..format.granules] {
            for channel in &mut granule[..channels] {
                *channel = Granule::read(&mut bits, format)?;
            }
        }
        Ok(side)
    }
}

impl Granule {
    fn read(bits: &mut Bits, format: &Format) -> Result<Self, Damaged> {
        let mut granule = Self {
            bits: bits.take(12) as usize,
            pairs: bits.take(9) as usize,
            global_gain: bits.take(8) as u8,
            compress: bits.take(if format.is_mpeg1 { 4 } else { 9 }) as u16,
            ..Self::default()
        };
        if granule.pairs > LINES / 2 {
            return Err(Damaged);
        }
        if bits.flag() {
            granule.block = match (bits.take(2), bits.flag()) {
                (0, _) => return Err(Damaged),
                (1, _) => Block::Start,
                (2, false) => Block::Short,
                (2, true) => Block::Mixed,
                _ => Block::Stop,
            };
            for table in &mut granule.tables[..2] {
                *table = bits.take(5) as u8;
            }
            for gain in &mut granule.window_gains {
                *gain = bits.take(3) as u8;
            }
            granule.regions = [first_region(granule.block, format), LINES / 2];
        } else {
            for table in &mut granule.tables {
                *table = bits.take(5) as u8;
            }
            let first = bits.take(4) as usize + 1;
            let second = first + bits.take(3) as usize + 1;
            granule.regions = [first, second].map(|band| long_edge(format.rate_index, band) / 2);
        }
        granule.has_emphasis = format.is_mpeg1 && bits.flag();
        granule.is_coarse = bits.flag();
        granule.second_table = bits.flag();
        Ok(granule)
    }
}

/// Pairs in the first region if the block is not a normal long one.
fn first_region(block: Block, format: &Format) -> usize {
    let lines = match block {
        // MPEG 2.5 counts in long bands here, whatever the block.
        Block::Short if format.is_mpeg25 => long_edge(format.rate_index, 6),
        _ if format.is_mpeg25 => long_edge(format.rate_index, 8),
        Block::Short | Block::Mixed => 36,
        _ if format.is_mpeg1 => 36,
        _ => 54,
    };
    lines / 2
}
