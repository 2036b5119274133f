//! Decodes MPEG audio layer 3 (ISO 11172-3, 13818-3 and the unofficial MPEG 2.5) to the mean of its channels.
//!
//! Takes whole frames, gives mono samples. Everything behind joint stereo is linear, so the spectra of both channels are
//! averaged before alias reduction, IMDCT and synthesis, which then run once instead of twice. The stages, in order:
//! reservoir, side information, scale factors, Huffman code, stereo, hybrid filter bank, synthesis. They know nothing of
//! files, tags or padding: [`super::mpeg`] finds the frames.

mod bands;
mod bits;
mod dct;
mod decoder;
mod format;
mod gains;
mod huffman;
mod huffman_tables;
mod hybrid;
mod imdct;
mod reservoir;
mod scale_factors;
mod side_information;
mod stereo;
mod synthesis;
mod synthesis_window;

pub(super) use decoder::Layer3;

#[cfg(test)]
mod tests;
