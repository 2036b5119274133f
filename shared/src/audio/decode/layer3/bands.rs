//! Scale factor bands: which lines of a spectrum share a scale factor, and where a line belongs in the filter bank.

/// Lines of the spectrum of a granule.
pub(super) const LINES: usize = 576;

/// Subbands of the filter bank, and lines of each.
pub(super) const SUBBANDS: usize = 32;
pub(super) const SUBBAND_LINES: usize = 18;

/// The maximum number of bands, in short blocks: three windows of 13 bands.
pub(super) const MAX_BANDS: usize = 39;

/// How the lines of a granule are transformed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Block {
    #[default]
    Long,
    /// A long block before short ones.
    Start,
    Short,
    /// Long in the first two subbands, short above.
    Mixed,
    /// A long block after short ones.
    Stop,
}

/// Lines below this one belong to long windows in a mixed block.
const MIXED_LINES: usize = 36;

/// Inner edges of the 22 bands of long blocks. By sample rate: 44.1, 48, 32, 22.05, 24, 16, 11.025, 12 and 8 kHz.
const LONG: [[u16; 21]; 9] = [
    [
        4, 8, 12, 16, 20, 24, 30, 36, 44, 52, 62, 74, 90, 110, 134, 162, 196, 238, 288, 342, 418,
    ],
    [
        4, 8, 12, 16, 20, 24, 30, 36, 42, 50, 60, 72, 88, 106, 128, 156, 190, 230, 276, 330, 384,
    ],
    [
        4, 8, 12, 16, 20, 24, 30, 36, 44, 54, 66, 82, 102, 126, 156, 194, 240, 296, 364, 448, 550,
    ],
    [
        6, 12, 18, 24, 30, 36, 44, 54, 66, 80, 96, 116, 140, 168, 200, 238, 284, 336, 396, 464, 522,
    ],
    [
        6, 12, 18, 24, 30, 36, 44, 54, 66, 80, 96, 114, 136, 162, 194, 232, 278, 332, 394, 464, 540,
    ],
    [
        6, 12, 18, 24, 30, 36, 44, 54, 66, 80, 96, 116, 140, 168, 200, 238, 284, 336, 396, 464, 522,
    ],
    [
        6, 12, 18, 24, 30, 36, 44, 54, 66, 80, 96, 116, 140, 168, 200, 238, 284, 336, 396, 464, 522,
    ],
    [
        6, 12, 18, 24, 30, 36, 44, 54, 66, 80, 96, 116, 140, 168, 200, 238, 284, 336, 396, 464, 522,
    ],
    [
        12, 24, 36, 48, 60, 72, 88, 108, 132, 160, 192, 232, 280, 336, 400, 476, 566, 568, 570, 572, 574,
    ],
];

/// Inner edges of the 13 bands of each window of short blocks.
const SHORT: [[u16; 12]; 9] = [
    [4, 8, 12, 16, 22, 30, 40, 52, 66, 84, 106, 136],
    [4, 8, 12, 16, 22, 28, 38, 50, 64, 80, 100, 126],
    [4, 8, 12, 16, 22, 30, 42, 58, 78, 104, 138, 180],
    [4, 8, 12, 18, 24, 32, 42, 56, 74, 100, 132, 174],
    [4, 8, 12, 18, 26, 36, 48, 62, 80, 104, 136, 180],
    [4, 8, 12, 18, 26, 36, 48, 62, 80, 104, 134, 174],
    [4, 8, 12, 18, 26, 36, 48, 62, 80, 104, 134, 174],
    [4, 8, 12, 18, 26, 36, 48, 62, 80, 104, 134, 174],
    [8, 16, 24, 36, 52, 72, 96, 124, 160, 162, 164, 166],
];

/// The first line of a long band.
pub(super) fn long_edge(rate_index: usize, band: usize) -> usize {
    match band {
        0 => 0,
        _ => LONG[rate_index].get(band - 1).map_or(LINES, |&edge| usize::from(edge)),
    }
}

/// The bands of one kind of block at one sample rate, in the order of their scale factors.
pub(super) struct Bands {
    /// Number of pairs of lines in each band. All bands have an even number of lines.
    pub pairs: [u16; MAX_BANDS],
    pub count: usize,
    /// The bands before this one are long; after it, three at a time are the windows of a short band.
    pub long: usize,
    /// The place of each line in a [`Spectrum`].
    pub places: [[u16; 2]; LINES / 2],
}

/// The lines of a granule for the filter bank: by line in the subband, then by subband.
pub(super) type Spectrum = [[f32; SUBBANDS]; SUBBAND_LINES];

/// The bands of all kinds of blocks at one sample rate.
pub(super) struct AllBands {
    long: Bands,
    short: Bands,
    mixed: Bands,
}

impl AllBands {
    /// The bands at the sample rate with this index, as in [`LONG`].
    pub fn new(rate_index: usize) -> Self {
        Self {
            long: Bands::new(rate_index, LINES),
            short: Bands::new(rate_index, 0),
            mixed: Bands::new(rate_index, MIXED_LINES),
        }
    }

    /// The bands of a block.
    pub fn of_block(&self, block: Block) -> &Bands {
        match block {
            Block::Short => &self.short,
            Block::Mixed => &self.mixed,
            Block::Long | Block::Start | Block::Stop => &self.long,
        }
    }
}

impl Bands {
    /// The bands if the lines below `long_lines` belong to long windows.
    fn new(rate_index: usize, long_lines: usize) -> Self {
        let mut bands = Self {
            pairs: [0; MAX_BANDS],
            count: 0,
            long: 0,
            places: [[0; 2]; LINES / 2],
        };
        let mut line = 0;
        while line < long_lines {
            let end = long_edge(rate_index, bands.long + 1);
            for line in line..end {
                bands.set_place(line, line);
            }
            bands.push((end - line) / 2);
            bands.long += 1;
            line = end;
        }
        // In short blocks, the three windows of a band follow one another. Their lines are interleaved in the spectrum.
        let mut frequency = long_lines / 3;
        for edge in SHORT[rate_index]
            .iter()
            .map(|&edge| usize::from(edge))
            .chain([LINES / 3])
        {
            let width = edge.saturating_sub(frequency);
            if width == 0 {
                continue;
            }
            for window in 0..3 {
                for offset in 0..width {
                    bands.set_place(line + offset, 3 * (frequency + offset) + window);
                }
                bands.push(width / 2);
                line += width;
            }
            frequency = edge;
        }
        bands
    }

    fn push(&mut self, pairs: usize) {
        self.pairs[self.count] = pairs as u16;
        self.count += 1;
    }

    fn set_place(&mut self, line: usize, interleaved: usize) {
        let (subband, line_of_subband) = (interleaved / SUBBAND_LINES, interleaved % SUBBAND_LINES);
        self.places[line / 2][line % 2] = (line_of_subband * SUBBANDS + subband) as u16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_cover_all_lines_once() {
        for rate_index in 0..9 {
            let all = AllBands::new(rate_index);
            for (block, count) in [(Block::Long, 22), (Block::Short, 39), (Block::Mixed, 0)] {
                let bands = all.of_block(block);
                let pairs: usize = bands.pairs.iter().map(|&pairs| usize::from(pairs)).sum();
                assert_eq!(pairs, LINES / 2, "{block:?} at rate {rate_index}");
                assert!(bands.count == count || count == 0);
                assert!(bands.pairs[..bands.count].iter().all(|&pairs| pairs > 0));
                let mut places = bands.places.as_flattened().to_vec();
                places.sort_unstable();
                assert!(places.iter().enumerate().all(|(at, &place)| at == usize::from(place)));
            }
        }
    }
}
