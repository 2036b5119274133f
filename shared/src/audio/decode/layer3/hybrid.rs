//! The hybrid filter bank: alias reduction, the inverse transform of each subband, and the overlap of granules.

use super::bands::{Block, SUBBAND_LINES, SUBBANDS, Spectrum};
use super::imdct::{Windowed, Windows};

/// Factors of alias reduction: 1 and c over √(1 + c²), for each line from the edge of a subband.
const ALIAS: [[f32; 2]; 8] = [
    [0.857_492_9, -0.514_495_76],
    [0.881_742, -0.471_731_96],
    [0.949_628_65, -0.313_377_44],
    [0.983_314_6, -0.181_913_2],
    [0.995_517_8, -0.094_574_19],
    [0.999_160_6, -0.040_965_58],
    [0.999_899_2, -0.014_198_568],
    [0.999_993_15, -0.003_699_974_7],
];

/// State of the filter bank.
pub(super) struct Hybrid {
    windows: Windows,
    overlap: Spectrum,
    windowed: Box<Windowed>,
}

impl Hybrid {
    pub fn new() -> Self {
        Self {
            windows: Windows::new(),
            overlap: [[0.0; SUBBANDS]; SUBBAND_LINES],
            windowed: Box::new([[0.0; SUBBANDS]; 2 * SUBBAND_LINES]),
        }
    }

    /// Transforms a spectrum to samples of all subbands.
    pub fn start(&mut self, block: Block, spectrum: &mut Spectrum, samples: &mut Spectrum) {
        self.transform(block, spectrum);
        let (now, next) = self.windowed.split_at(SUBBAND_LINES);
        for (at, (samples, overlap)) in samples.iter_mut().zip(&mut self.overlap).enumerate() {
            for subband in 0..SUBBANDS {
                samples[subband] = now[at][subband] + overlap[subband];
            }
            *overlap = next[at];
        }
    }

    /// Adds another spectrum of the same granule.
    pub fn add(&mut self, block: Block, spectrum: &mut Spectrum, samples: &mut Spectrum) {
        self.transform(block, spectrum);
        let (now, next) = self.windowed.split_at(SUBBAND_LINES);
        for (at, (samples, overlap)) in samples.iter_mut().zip(&mut self.overlap).enumerate() {
            for subband in 0..SUBBANDS {
                samples[subband] += now[at][subband];
                overlap[subband] += next[at][subband];
            }
        }
    }

    fn transform(&mut self, block: Block, spectrum: &mut Spectrum) {
        match block {
            Block::Short => {}
            Block::Mixed => reduce_alias::<1>(spectrum),
            Block::Long | Block::Start | Block::Stop => reduce_alias::<{ SUBBANDS - 1 }>(spectrum),
        }
        self.windows.apply(block, spectrum, &mut self.windowed);
    }
}

/// Reduces aliasing at the edges between the first subbands.
#[inline(never)]
fn reduce_alias<const EDGES: usize>(spectrum: &mut Spectrum) {
    let (first, last) = spectrum.split_at_mut(SUBBAND_LINES / 2);
    for (at, [direct, crossed]) in ALIAS.into_iter().enumerate() {
        let (above, below) = (&mut first[at], &mut last[SUBBAND_LINES / 2 - 1 - at]);
        for edge in 0..EDGES {
            let (low, high) = (below[edge], above[edge + 1]);
            below[edge] = low * direct - high * crossed;
            above[edge + 1] = high * direct + low * crossed;
        }
    }
}
