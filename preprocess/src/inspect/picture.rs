//! A track's samples and mel spectrogram enter; a PNG of both leaves.
//!
//! Text is set in a font that is compiled in, so that the picture is the same on a machine without fonts.

use plotters::coord::Shift;
use plotters::prelude::*;
use shared::dataset::shard::MelView;
use shared::dsp::features::FeatureConfig;
use std::path::{Path, PathBuf};

const WIDTH: u32 = 1200;
const HEIGHT: u32 = 760;
const WAVEFORM_HEIGHT: u32 = 260;
pub(super) const FONT: &str = "sans-serif";

/// A picture that could not be made.
#[derive(Debug, thiserror::Error)]
#[error("could not draw {}: {reason}; check that the directory exists and is writable, and that the name ends in .png",
    path.display())]
pub struct PictureError {
    path: PathBuf,
    reason: String,
}

impl PictureError {
    pub(super) fn new(path: &Path, reason: String) -> Self {
        Self {
            path: path.to_owned(),
            reason,
        }
    }
}

/// Makes the built-in font known under [`FONT`].
pub(super) fn register_font() -> Result<(), String> {
    plotters::style::register_font(FONT, FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT)
        .map_err(|_| "the built-in font cannot be read".into())
}

/// A track to draw.
#[derive(Clone, Copy, Debug)]
pub struct TrackPicture<'a> {
    /// Above the picture: id, class, artist.
    pub title: &'a str,
    /// Mono PCM.
    pub samples: &'a [i16],
    /// Its mel spectrogram in dB.
    pub mel: MelView<'a>,
    /// How both were made.
    pub features: &'a FeatureConfig,
}

type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;
type DrawError<'a> = DrawingAreaErrorKind<<BitMapBackend<'a> as DrawingBackend>::ErrorType>;

impl TrackPicture<'_> {
    /// Writes the PNG, 1200 by 760 pixels.
    pub fn write(&self, path: &Path) -> Result<(), PictureError> {
        let failed = |reason: String| PictureError::new(path, reason);
        register_font().map_err(failed)?;
        let area = BitMapBackend::new(path, (WIDTH, HEIGHT)).into_drawing_area();
        self.draw(&area).map_err(|error| failed(error.to_string()))?;
        area.present().map_err(|error| failed(error.to_string()))
    }

    fn seconds(&self) -> f64 {
        self.samples.len().max(1) as f64 / f64::from(self.features.sample_rate)
    }

    fn draw<'a>(&self, area: &Area<'a>) -> Result<(), DrawError<'a>> {
        area.fill(&WHITE)?;
        let area = area.titled(self.title, (FONT, 24))?;
        let (upper, lower) = area.split_vertically(WAVEFORM_HEIGHT);
        self.draw_waveform(&upper)?;
        self.draw_mel(&lower)
    }

    /// For every column of pixels, a line from the least to the greatest sample in it.
    fn draw_waveform<'a>(&self, area: &Area<'a>) -> Result<(), DrawError<'a>> {
        let mut chart = ChartBuilder::on(area)
            .margin(8)
            .margin_right(24)
            .x_label_area_size(28)
            .y_label_area_size(64)
            .build_cartesian_2d(0.0..self.seconds(), -1.0..1.0)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .y_labels(5)
            .x_label_formatter(&whole)
            .label_style((FONT, 15))
            .draw()?;
        let (columns, rows) = chart.plotting_area().get_pixel_range();
        let width = columns.len().max(1);
        let height = f64::from(rows.end - rows.start - 1);
        let row_of = |sample: i16| rows.end - 1 - ((f64::from(sample) / 65_536.0 + 0.5) * height).round() as i32;
        let root = area.strip_coord_spec();
        let (left, top) = root.get_base_pixel();
        for column in 0..width {
            let (begin, end) = (
                column * self.samples.len() / width,
                (column + 1) * self.samples.len() / width,
            );
            let part = &self.samples[begin..end.max(begin + 1).min(self.samples.len())];
            let (Some(&least), Some(&most)) = (part.iter().min(), part.iter().max()) else {
                continue;
            };
            for row in row_of(most)..=row_of(least) {
                root.draw_pixel((columns.start + column as i32 - left, row - top), &WAVEFORM)?;
            }
        }
        Ok(())
    }

    /// One colour per pixel, from the brightest value of the track down to `top_db` below it.
    fn draw_mel<'a>(&self, area: &Area<'a>) -> Result<(), DrawError<'a>> {
        let bands = self.mel.n_mels as f64;
        let mut chart = ChartBuilder::on(area)
            .margin(8)
            .margin_right(24)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d(0.0..self.seconds(), 0.0..bands)?;
        chart
            .configure_mesh()
            .disable_mesh()
            .x_label_formatter(&whole)
            .y_label_formatter(&whole)
            .x_desc("seconds")
            .y_desc("mel band")
            .axis_desc_style((FONT, 16))
            .label_style((FONT, 15))
            .draw()?;
        let (columns, rows) = chart.plotting_area().get_pixel_range();
        let top = self
            .mel
            .values
            .iter()
            .map(|value| value.to_f32())
            .fold(f32::MIN, f32::max);
        let root = area.strip_coord_spec();
        let (left, upper) = root.get_base_pixel();
        for column in columns.clone() {
            let frame = (column - columns.start) as usize * self.mel.frames / columns.len();
            for row in rows.clone() {
                let from_below = (rows.end - 1 - row) as usize;
                let band = from_below * self.mel.n_mels / rows.len();
                let decibels = self.mel.values[band * self.mel.frames + frame].to_f32();
                let brightness = 1.0 + (decibels - top) / self.features.top_db;
                root.draw_pixel((column - left, row - upper), &magma(brightness))?;
            }
        }
        Ok(())
    }
}

/// Labels without decimals: seconds and bands.
fn whole(value: &f64) -> String {
    format!("{value:.0}")
}

const WAVEFORM: RGBColor = RGBColor(0x51, 0x12, 0x7c);

/// The colour map magma of matplotlib, between nine of its colours.
pub(super) fn magma(brightness: f32) -> RGBColor {
    const COLOURS: [[u8; 3]; 9] = [
        [0x00, 0x00, 0x04],
        [0x1d, 0x11, 0x47],
        [0x51, 0x12, 0x7c],
        [0x83, 0x26, 0x81],
        [0xb6, 0x36, 0x79],
        [0xe7, 0x52, 0x63],
        [0xfc, 0x89, 0x61],
        [0xfe, 0xc4, 0x88],
        [0xfc, 0xfd, 0xbf],
    ];
    let place = brightness.clamp(0.0, 1.0) * (COLOURS.len() - 1) as f32;
    let below = (place as usize).min(COLOURS.len() - 2);
    let part = place - below as f32;
    let mix = |channel: usize| {
        let (a, b) = (
            f32::from(COLOURS[below][channel]),
            f32::from(COLOURS[below + 1][channel]),
        );
        (a + part * (b - a)).round() as u8
    };
    RGBColor(mix(0), mix(1), mix(2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::f16;

    #[test]
    fn a_track_becomes_a_png_and_a_wrong_path_a_sentence() {
        let directory = tempfile::tempdir().unwrap();
        let features = FeatureConfig::default();
        let samples: Vec<i16> = (0..44_100).map(|at| (at * 37) as i16).collect();
        let frames = features.track_frames(samples.len());
        let values: Vec<f16> = (0..features.n_mels * frames)
            .map(|at| f16::from_f32(-((at % 90) as f32)))
            .collect();
        let picture = TrackPicture {
            title: "track 7, Folk",
            samples: &samples,
            mel: MelView {
                values: &values,
                n_mels: features.n_mels,
                frames,
            },
            features: &features,
        };
        let path = directory.path().join("track.png");
        picture.write(&path).unwrap();
        let png = std::fs::read(&path).unwrap();
        assert!(png.starts_with(b"\x89PNG"));
        // Width and height stand in the first chunk.
        assert_eq!(png[16..24], [WIDTH.to_be_bytes(), HEIGHT.to_be_bytes()].concat());
        let error = picture.write(&directory.path().join("absent/track.png")).unwrap_err();
        assert!(error.to_string().contains("absent"));
    }

    #[test]
    fn brightness_runs_through_the_colour_map_and_stops_at_its_ends() {
        assert_eq!(magma(-3.0), RGBColor(0, 0, 4));
        assert_eq!(magma(0.5), RGBColor(0xb6, 0x36, 0x79));
        assert_eq!(magma(2.0), RGBColor(0xfc, 0xfd, 0xbf));
        assert_eq!(magma(f32::NEG_INFINITY), magma(0.0));
    }
}
