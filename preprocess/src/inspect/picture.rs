//! A track's waveform above its mel spectrogram, as a PNG with axes in seconds, hertz and decibels.

use super::charts::mel_bands;
use shared::dataset::shard::MelView;
use shared::dsp::features::FeatureConfig;
use shared::dsp::mel::band_peaks;
use shared::page::{Axis, Canvas, Spectrogram, magma};

const SIZE: [u16; 2] = [1200, 760];
/// Left, top, width and height of the plot areas.
const WAVEFORM: [i32; 4] = [110, 40, 960, 200];
const MEL: [i32; 4] = [110, 320, 960, 384];
const BAR: [i32; 4] = [1100, 320, 20, 384];
const PURPLE: [u8; 3] = [0x51, 0x12, 0x7c];

#[derive(Clone, Copy, Debug)]
pub struct TrackPicture<'a> {
    pub samples: &'a [i16],
    /// Its mel spectrogram in dB.
    pub mel: MelView<'a>,
    pub features: &'a FeatureConfig,
}

impl TrackPicture<'_> {
    /// The PNG, 1200 by 760 pixels.
    pub fn png(&self) -> Vec<u8> {
        let mut canvas = Canvas::new(SIZE[0], SIZE[1]);
        let features = self.features;
        let seconds = self.samples.len().max(1) as f64 / f64::from(features.sample_rate);
        self.draw_waveform(&mut canvas);
        canvas.axis_beside(WAVEFORM, &Axis::linear("", -1.0, 1.0), false);
        canvas.axis_below(WAVEFORM, &Axis::linear("s", 0.0, seconds));
        self.draw_mel(&mut canvas);
        let bands = band_peaks(features);
        canvas.axis_beside(MEL, &mel_bands("Hz", &bands), false);
        canvas.axis_below(MEL, &Axis::linear("s", 0.0, seconds));
        let [x, y, width, height] = BAR;
        for row in 0..height {
            canvas.fill([x, y + row, width, 1], magma(1.0 - row as f32 / height as f32));
        }
        canvas.axis_beside(BAR, &Axis::linear("dB", -f64::from(features.drawn_db()), 0.0), true);
        canvas.png()
    }

    /// Draws a vertical line from the minimum to the maximum sample of each column of pixels.
    fn draw_waveform(&self, canvas: &mut Canvas) {
        let [x, y, width, height] = WAVEFORM;
        let row_of = |sample: i16| y + ((0.5 - f64::from(sample) / 65_536.0) * f64::from(height - 1)).round() as i32;
        for column in 0..width {
            let at = |column: i32| column as usize * self.samples.len() / width as usize;
            let end = at(column + 1).max(at(column) + 1).min(self.samples.len());
            let part = &self.samples[at(column).min(end)..end];
            if let (Some(&least), Some(&most)) = (part.iter().min(), part.iter().max()) {
                canvas.fill([x + column, row_of(most), 1, row_of(least) - row_of(most) + 1], PURPLE);
            }
        }
    }

    /// Colours range from the track's maximum down to `top_db` (or 80 dB) below it.
    fn draw_mel(&self, canvas: &mut Canvas) {
        let [x, y, width, height] = MEL;
        let size = [width as usize, height as usize];
        let mel = Spectrogram::new(self.mel, 0..self.mel.frames, self.features.drawn_db(), size);
        canvas.fill(MEL, magma(0.0));
        if mel.columns == 0 || mel.rows == 0 {
            return;
        }
        for row in 0..height {
            for column in 0..width {
                let scaled = |at: i32, size: usize, pixels: i32| at as usize * size / pixels as usize;
                let colour = mel.colour(scaled(column, mel.columns, width), scaled(row, mel.rows, height));
                canvas.fill([x + column, y + row, 1, 1], colour);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::f16;

    #[test]
    fn every_track_gives_a_png_of_the_same_size() {
        let features = FeatureConfig::default();
        for samples in [0, 1, 500, 44_100] {
            let samples: Vec<i16> = (0..samples).map(|at| (at * 37) as i16).collect();
            let frames = if samples.len() < 500 {
                0
            } else {
                features.track_frames(samples.len())
            };
            let values: Vec<f16> = (0..features.n_mels * frames)
                .map(|at| f16::from_f32(-((at % 90) as f32)))
                .collect();
            let picture = TrackPicture {
                samples: &samples,
                mel: MelView {
                    values: &values,
                    n_mels: features.n_mels,
                    frames,
                },
                features: &features,
            };
            let png = picture.png();
            assert!(png.starts_with(b"\x89PNG"));
            // The first chunk has width and height.
            assert_eq!(png[16..24], [1200u32.to_be_bytes(), 760u32.to_be_bytes()].concat());
        }
    }
}
