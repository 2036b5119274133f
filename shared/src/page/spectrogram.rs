//! A mel spectrogram as a small PNG with the colour map magma.

use super::palette::magma;
use crate::dataset::shard::MelView;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::ops::Range;

/// Number of shades: more cannot be distinguished and cost bytes.
const SHADES: u8 = 64;

/// Pixels of a spectrogram, the lowest band at the bottom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spectrogram {
    /// Width in pixels.
    pub columns: usize,
    /// Height in pixels.
    pub rows: usize,
    /// Row by row from the top. 0 is the quietest value shown, or quieter, and 63 the loudest.
    shades: Vec<u8>,
}

impl Spectrogram {
    /// Draws `frames`, from their loudest value down to `top_db` below it, in `size` pixels (columns and rows) at most.
    /// A pixel shows the loudest value of its frames and bands.
    pub fn new(mel: MelView<'_>, frames: Range<usize>, top_db: f32, size: [usize; 2]) -> Self {
        let frames = frames.start.min(mel.frames)..frames.end.min(mel.frames);
        let (columns, rows) = (frames.len().min(size[0]), mel.n_mels.min(size[1]));
        let part = |at: usize, parts: usize, total: usize| at * total / parts..(at + 1) * total / parts;
        let mut values = Vec::with_capacity(columns * rows);
        for row in (0..rows).rev() {
            for column in 0..columns {
                let span = part(column, columns, frames.len());
                let span = frames.start + span.start..frames.start + span.end;
                let bands = part(row, rows, mel.n_mels).flat_map(|band| &mel.values[band * mel.frames..][span.clone()]);
                values.push(bands.map(|value| value.to_f32()).fold(f32::NEG_INFINITY, f32::max));
            }
        }
        let loudest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let shade =
            |value: f32| ((1.0 + (value - loudest) / top_db).clamp(0.0, 1.0) * f32::from(SHADES - 1)).round() as u8;
        Self {
            columns,
            rows,
            shades: values.into_iter().map(shade).collect(),
        }
    }

    /// The colour of a pixel, which must be inside.
    pub fn colour(&self, column: usize, row: usize) -> [u8; 3] {
        colour(self.shades[row * self.columns + column])
    }

    /// The image as a PNG with a palette. Without frames it is one dark dot.
    pub fn png(&self) -> Vec<u8> {
        let (size, shades) = if self.shades.is_empty() {
            ([1, 1], &[0][..])
        } else {
            ([self.columns, self.rows], &self.shades[..])
        };
        let palette: Vec<u8> = (0..SHADES).flat_map(colour).collect();
        encode(size, png::ColorType::Indexed, shades, Some(palette))
    }
}

fn colour(shade: u8) -> [u8; 3] {
    magma(f32::from(shade) / f32::from(SHADES - 1))
}

/// Spectrograms below each other, in `size` pixels each, as one PNG. It has fewer shades, which halves its size.
pub(super) fn sheet(spectrograms: &[&Spectrogram], size: [usize; 2]) -> Vec<u8> {
    const STEP: u8 = 4;
    let [columns, rows] = size;
    let mut pixels = vec![0; columns * rows * spectrograms.len()];
    for (spectrogram, pixels) in spectrograms.iter().zip(pixels.chunks_exact_mut(columns * rows)) {
        let lines = spectrogram.shades.chunks_exact(spectrogram.columns.max(1));
        for (line, pixels) in lines.zip(pixels.chunks_exact_mut(columns)) {
            pixels
                .iter_mut()
                .zip(line)
                .for_each(|(pixel, shade)| *pixel = shade / STEP);
        }
    }
    let palette: Vec<u8> = (0..SHADES / STEP).flat_map(|shade| colour(shade * STEP)).collect();
    encode(
        [columns, rows * spectrograms.len()],
        png::ColorType::Indexed,
        &pixels,
        Some(palette),
    )
}

/// A `data:` URL with the PNG.
pub fn data_url(png: &[u8]) -> String {
    format!("data:image/png;base64,{}", STANDARD.encode(png))
}

/// Encodes 8-bit pixels as PNG.
pub(super) fn encode(
    [width, height]: [usize; 2],
    colours: png::ColorType,
    pixels: &[u8],
    palette: Option<Vec<u8>>,
) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width as u32, height as u32);
    encoder.set_color(colours);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::High);
    // Filters do not help: neighbouring pixels do not have similar values.
    encoder.set_filter(png::Filter::NoFilter);
    if let Some(palette) = palette {
        encoder.set_palette(palette);
    }
    let written = encoder
        .write_header()
        .and_then(|mut writer| writer.write_image_data(pixels));
    written.expect("as many pixels as the size says, and memory to write to");
    file
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::f16;

    fn spectrogram(values: &[f32], n_mels: usize, frames: Range<usize>) -> Spectrogram {
        let values: Vec<f16> = values.iter().map(|value| f16::from_f32(*value)).collect();
        let frames_of_all = values.len() / n_mels;
        let mel = MelView {
            values: &values,
            n_mels,
            frames: frames_of_all,
        };
        Spectrogram::new(mel, frames, 80.0, [400, 128])
    }

    #[test]
    fn lowest_band_is_at_the_bottom_and_loudest_is_brightest() {
        // Two bands of three frames; the first frame is left out.
        let found = spectrogram(&[99.0, -10.0, f32::NEG_INFINITY, 99.0, 30.0, -10.0], 2, 1..7);
        // 40 dB below the loudest is half of 80 dB.
        assert_eq!(
            (found.columns, found.rows, &found.shades[..]),
            (2, 2, &[63, 32, 32, 0][..])
        );
        assert_eq!((found.colour(0, 0), found.colour(1, 1)), (magma(1.0), magma(0.0)));
        let png = found.png();
        let mut reader = png::Decoder::new(std::io::Cursor::new(&png)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((info.width, info.height), (2, 2));
        assert!(data_url(&found.png()).starts_with("data:image/png;base64,iVBOR"));
    }

    #[test]
    fn long_spectrograms_are_reduced_and_empty_ones_are_a_dot() {
        let long: Vec<f32> = (0..256 * 3000)
            .map(|at| (at % 800 * 7919 % 800) as f32 / 10.0)
            .collect();
        let found = spectrogram(&long, 256, 0..3000);
        assert_eq!((found.columns, found.rows), (400, 128));
        assert!(found.png().len() < 45_000, "{}", found.png().len());
        for empty in [spectrogram(&long, 256, 3000..3010), spectrogram(&[], 2, 0..1)] {
            assert_eq!(
                (empty.columns, empty.png()[16..24].to_vec()),
                (0, vec![0, 0, 0, 1, 0, 0, 0, 1])
            );
        }
    }
}
