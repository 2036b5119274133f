//! A piece of a mel spectrogram as a small PNG.

use plotters::prelude::ColorMap;
use plotters::style::{Color, colors::colormaps::ViridisRGB};
use shared::dataset::shard::MelView;
use std::ops::Range;

/// The picture is no wider and no higher, in pixels: with 64 colours some 20 kB.
const MOST_COLUMNS: usize = 400;
const MOST_ROWS: usize = 128;
/// Shades between the quietest and the loudest: finer ones cannot be told apart, and cost bytes.
const SHADES: u8 = 64;

/// Draws `frames` of a spectrogram, low bands below, from their loudest value down to `top_db` below it. Where there
/// are more frames or bands than pixels, the loudest of those that fall together is drawn.
///
/// # Errors
/// Where nothing is left to draw.
pub fn png(mel: MelView<'_>, frames: Range<usize>, top_db: f32) -> Result<Vec<u8>, png::EncodingError> {
    let frames = frames.start.min(mel.frames)..frames.end.min(mel.frames);
    let (columns, rows) = (frames.len().min(MOST_COLUMNS), mel.n_mels.min(MOST_ROWS));
    let value = |band: usize, frame: usize| mel.values[band * mel.frames + frame].to_f32();
    let mut pixels = Vec::with_capacity(columns * rows);
    for row in (0..rows).rev() {
        let bands = row * mel.n_mels / rows..(row + 1) * mel.n_mels / rows;
        for column in 0..columns {
            let begin = frames.start + column * frames.len() / columns;
            let end = frames.start + (column + 1) * frames.len() / columns;
            let loudest = bands
                .clone()
                .flat_map(|band| (begin..end).map(move |frame| value(band, frame)));
            pixels.push(loudest.fold(f32::NEG_INFINITY, f32::max));
        }
    }
    let highest = pixels.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let shade = |value: f32| {
        let height = 1.0 + (value - highest) / top_db;
        (height.clamp(0.0, 1.0) * f32::from(SHADES - 1)).round() as u8
    };
    let pixels: Vec<u8> = pixels.into_iter().map(shade).collect();
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, columns as u32, rows as u32);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(palette());
    encoder.set_compression(png::Compression::Best);
    // Neighbours of a palette's colours are no neighbours as numbers.
    encoder.set_filter(png::FilterType::NoFilter);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&pixels)?;
    writer.finish()?;
    Ok(file)
}

/// Red, green and blue of each shade: viridis, which can be read in grey and by those who do not see red or green.
fn palette() -> Vec<u8> {
    let color = |shade: u8| {
        let (red, green, blue) = ViridisRGB.get_color(f32::from(shade) / f32::from(SHADES - 1)).rgb();
        [red, green, blue]
    };
    (0..SHADES).flat_map(color).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::f16;

    fn decoded(file: &[u8]) -> (u32, u32, Vec<u8>) {
        let mut decoder = png::Decoder::new(file);
        decoder.set_transformations(png::Transformations::IDENTITY);
        let mut reader = decoder.read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size()];
        let info = reader.next_frame(&mut pixels).unwrap();
        (info.width, info.height, pixels)
    }

    #[test]
    fn the_lowest_band_is_below_and_the_loudest_is_brightest() {
        // Two bands of three frames; the first frame is left out.
        let values = [99.0, -10.0, -90.0, 99.0, 30.0, -10.0].map(f16::from_f32);
        let mel = MelView {
            values: &values,
            n_mels: 2,
            frames: 3,
        };
        let (width, height, pixels) = decoded(&png(mel, 1..7, 80.0).unwrap());
        // 40 dB below the loudest is half way of 80.
        assert_eq!((width, height, pixels), (2, 2, vec![63, 32, 32, 0]));
    }

    #[test]
    fn long_pieces_stay_small() {
        let values: Vec<f16> = (0..256 * 3000)
            .map(|at| f16::from_f32((at % 800 * 7919 % 800) as f32 / 10.0))
            .collect();
        let mel = MelView {
            values: &values,
            n_mels: 256,
            frames: 3000,
        };
        let file = png(mel, 0..3000, 80.0).unwrap();
        assert_eq!(decoded(&file).0, 400);
        assert!(file.len() < 45_000, "{}", file.len());
        assert!(png(mel, 3000..3010, 80.0).is_err(), "nothing is left to draw");
    }
}
