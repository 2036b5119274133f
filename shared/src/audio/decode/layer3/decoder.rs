//! The decoder: frames in, mono samples out.

use super::super::mpeg_header::MpegHeader;
use super::bands::{AllBands, Block, LINES, SUBBAND_LINES, SUBBANDS, Spectrum};
use super::bits::Bits;
use super::format::Format;
use super::gains::set_gains;
use super::huffman::HUFFMAN;
use super::hybrid::Hybrid;
use super::reservoir::Reservoir;
use super::scale_factors::ScaleFactors;
use super::side_information::SideInformation;
use super::stereo::{Intensity, to_half, to_mean};
use super::synthesis::Synthesis;

/// A frame that does not decode. The next one may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Damaged;

/// Decodes the frames of one stream.
pub(in super::super) struct Layer3 {
    bands: AllBands,
    reservoir: Reservoir,
    /// By granule and channel.
    spectra: [[Spectrum; 2]; 2],
    gains: [f32; LINES / 2],
    hybrid: Hybrid,
    /// Subbands of each granule.
    subbands: [Spectrum; 2],
    synthesis: Synthesis,
}

/// Energy of the sound per energy of the spectrum: the transforms' gains, which differ because short ones have a third of
/// the length.
const LONG_ENERGY: f32 = 288.0;
const SHORT_ENERGY: f32 = 96.0;

const SILENCE: Spectrum = [[0.0; SUBBANDS]; SUBBAND_LINES];

impl Layer3 {
    /// A decoder of frames with the rate and channels of this header.
    pub fn new(header: &MpegHeader) -> Box<Self> {
        Box::new(Self {
            bands: AllBands::new(Format::new(header, &[]).rate_index),
            reservoir: Reservoir::default(),
            spectra: [[SILENCE; 2]; 2],
            gains: [0.0; LINES / 2],
            hybrid: Hybrid::new(),
            subbands: [SILENCE; 2],
            synthesis: Synthesis::new(),
        })
    }

    /// Appends the mean of the channels of a frame. Returns the sum of squares of the channels' samples, averaged over
    /// the channels; of a single channel, which is its own mean, it returns 0.
    pub fn decode(&mut self, header: &MpegHeader, frame: &[u8], sound: &mut Vec<f32>) -> Result<f32, Damaged> {
        let format = Format::new(header, frame);
        let (side, positions) = match self.read(&format, frame) {
            Ok(read) => read,
            Err(damaged) => {
                // The bytes in the reservoir are not continued in the next frame.
                self.reservoir.clear();
                return Err(damaged);
            }
        };
        let blocks = side.granules.map(|channels| channels.map(|channel| channel.block));
        let is_joint = format.mode.mid_side || format.mode.intensity;
        if is_joint && blocks.iter().any(|[first, second]| first != second) {
            // Spectra of different transforms cannot be mixed.
            return Err(Damaged);
        }
        let mut energy = 0.0;
        for granule in 0..format.granules {
            let [first, second] = &mut self.spectra[granule];
            let subbands = &mut self.subbands[granule];
            let [block, other] = blocks[granule];
            if format.channels == 1 {
                self.hybrid.start(block, first, subbands);
            } else if block != other {
                energy += energy_of(block) * to_half(first) + energy_of(other) * to_half(second);
                self.hybrid.start(block, first, subbands);
                self.hybrid.add(other, second, subbands);
            } else {
                energy += energy_of(block)
                    * if format.mode.intensity {
                        let intensity = Intensity {
                            bands: self.bands.of_block(block),
                            factors: &positions[granule],
                            is_mpeg1: format.is_mpeg1,
                            large_step: side.granules[granule][1].compress & 1 == 1,
                        };
                        intensity.to_mean(first, second, format.mode)
                    } else {
                        to_mean(first, second, format.mode)
                    };
                self.hybrid.start(block, first, subbands);
            }
        }
        self.synthesis.append(&self.subbands, format.granules, sound);
        Ok(energy)
    }

    /// Reads a frame up to its spectra. Returns the side information, and the scale factors of the second channel by
    /// granule.
    fn read(&mut self, format: &Format, frame: &[u8]) -> Result<(SideInformation, [ScaleFactors; 2]), Damaged> {
        let side = frame.get(format.side_information.clone()).ok_or(Damaged)?;
        let side = SideInformation::read(side, format)?;
        let main_data = &frame[format.side_information.end..];
        // Bits of earlier frames may be missing: the file was cut before this frame, or those frames are damaged.
        let missing = 8 * self.reservoir.fill(main_data, side.main_data_begin);
        let bytes = self.reservoir.bytes();
        let (mut begin, mut skipped) = (0, 0);
        let mut factors = [[ScaleFactors::default(); 2]; 2];
        for granule in 0..format.granules {
            self.spectra[granule] = [SILENCE; 2];
            let channels = &side.granules[granule][..format.channels];
            // A granule whose bits are missing is silent.
            if skipped < missing {
                skipped += channels.iter().map(|channel| channel.bits).sum::<usize>();
                begin = skipped.saturating_sub(missing);
                continue;
            }
            for (at, channel) in channels.iter().enumerate() {
                let mut bits = Bits::new(bytes, begin);
                let end = begin + channel.bits;
                factors[granule][at] = if format.is_mpeg1 {
                    let first = (granule > 0).then(|| (&factors[0][at], side.shared[at]));
                    ScaleFactors::read_mpeg1(&mut bits, channel, first)
                } else {
                    ScaleFactors::read_mpeg2(&mut bits, channel, at > 0 && format.mode.intensity)
                };
                if bits.position() > end {
                    return Err(Damaged);
                }
                let bands = self.bands.of_block(channel.block);
                set_gains(channel, &factors[granule][at], bands, &mut self.gains);
                let spectrum = &mut self.spectra[granule][at];
                HUFFMAN.decode(&mut bits, end, channel, bands, &self.gains, spectrum);
                if bits.position().max(end) > 8 * bytes.len() {
                    return Err(Damaged);
                }
                begin = end;
            }
        }
        self.reservoir.use_up(begin.div_ceil(8));
        Ok((side, factors.map(|[_, second]| second)))
    }
}

fn energy_of(block: Block) -> f32 {
    if block == Block::Short {
        SHORT_ENERGY
    } else {
        LONG_ENERGY
    }
}
