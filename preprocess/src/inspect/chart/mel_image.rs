//! A mel spectrogram enters; a small PNG of it leaves, in the colours of magma.

use crate::inspect::picture::magma;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use shared::dataset::shard::MelView;

/// Columns of a picture at most; of more frames several share one, as their mean.
const MOST_COLUMNS: usize = 480;
/// Rows of a picture at most, likewise.
const MOST_ROWS: usize = 128;
/// Shades of the colour map, from `top_db` below the loudest value up to it.
const SHADES: usize = 128;

/// A picture of a mel spectrogram, the lowest band at the foot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::inspect) struct MelImage {
    png: Vec<u8>,
}

impl MelImage {
    /// The picture of values in dB, from the loudest down to `top_db` below it.
    pub fn of(mel: MelView<'_>, top_db: f32) -> Self {
        let (columns, rows) = (mel.frames.min(MOST_COLUMNS), mel.n_mels.min(MOST_ROWS));
        let top = mel.values.iter().map(|value| value.to_f32()).fold(f32::MIN, f32::max);
        let part = |at: usize, parts: usize, of: usize| at * of / parts..(at + 1) * of / parts;
        let mut shades = Vec::with_capacity(columns * rows);
        for row in (0..rows).rev() {
            let bands = part(row, rows, mel.n_mels);
            for column in 0..columns {
                let frames = part(column, columns, mel.frames);
                let count = (bands.len() * frames.len()) as f32;
                let values = bands
                    .clone()
                    .flat_map(|band| &mel.values[band * mel.frames..][frames.clone()]);
                let mean = values.map(|value| value.to_f32().max(top - top_db)).sum::<f32>() / count;
                let brightness = 1.0 + (mean - top) / top_db;
                shades.push(
                    (brightness * (SHADES - 1) as f32)
                        .round()
                        .clamp(0.0, (SHADES - 1) as f32) as u8,
                );
            }
        }
        Self {
            png: encode(columns, rows, &shades),
        }
    }

    /// As an address that has the picture in itself.
    pub fn data_url(&self) -> String {
        format!("data:image/png;base64,{}", STANDARD.encode(&self.png))
    }
}

/// A PNG with a palette.
fn encode(columns: usize, rows: usize, shades: &[u8]) -> Vec<u8> {
    let palette = (0..SHADES).flat_map(|shade| {
        let colour = magma(shade as f32 / (SHADES - 1) as f32);
        [colour.0, colour.1, colour.2]
    });
    let mut png = Vec::new();
    // A PNG of no size is not one; the picture of a track without frames is a dark dot.
    let (size, shades) = if shades.is_empty() {
        ((1, 1), &[0][..])
    } else {
        ((columns as u32, rows as u32), shades)
    };
    let mut encoder = png::Encoder::new(&mut png, size.0, size.1);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(palette.collect::<Vec<u8>>());
    encoder.set_compression(png::Compression::Best);
    encoder.set_adaptive_filter(png::AdaptiveFilterType::NonAdaptive);
    encoder.set_filter(png::FilterType::NoFilter);
    let written = encoder
        .write_header()
        .and_then(|mut writer| writer.write_image_data(shades));
    written.expect("a palette, as many shades as pixels, and memory to write to");
    png
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::f16;

    fn decoded(image: &MelImage) -> (u32, u32, Vec<u8>) {
        let mut reader = png::Decoder::new(image.png.as_slice()).read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size()];
        let frame = reader.next_frame(&mut bytes).unwrap();
        bytes.truncate(frame.buffer_size());
        (frame.width, frame.height, bytes)
    }

    fn image(values: &[f32], n_mels: usize) -> MelImage {
        let values: Vec<f16> = values.iter().map(|value| f16::from_f32(*value)).collect();
        let mel = MelView {
            values: &values,
            n_mels,
            frames: values.len() / n_mels,
        };
        MelImage::of(mel, 80.0)
    }

    #[test]
    fn shades_run_from_the_loudest_to_top_db_below_and_low_bands_are_at_the_foot() {
        let image = image(&[-10.0, -50.0, -90.0, -200.0, -10.0, f32::NEG_INFINITY], 2);
        assert_eq!(decoded(&image), (3, 2, vec![0, 127, 0, 127, 64, 0]));
        assert!(image.data_url().starts_with("data:image/png;base64,iVBOR"));
    }

    #[test]
    fn long_tracks_are_narrowed_and_empty_ones_are_a_dot() {
        let long: Vec<f32> = (0..2 * 1000)
            .map(|at| if at % 1000 < 500 { 0.0 } else { -80.0 })
            .collect();
        let (width, height, pixels) = decoded(&image(&long, 2));
        assert_eq!((width, height), (480, 2));
        assert_eq!((pixels[0], pixels[479]), (127, 0));
        assert_eq!(decoded(&image(&[], 2)), (1, 1, vec![0]));
    }
}
