//! Mean spectra enter; a drawing of them, over frequencies on the mel scale, leaves.

use super::axis::Axis;
use super::plot::{Entry, Plot};
use super::{At, Svg, colour, sign};
use crate::inspect::analysis::spectrum::MeanSpectrum;
use maud::html;

/// A line of the drawing.
pub(in crate::inspect) struct Line<'a> {
    /// Whose spectrum it is.
    pub name: &'a str,
    /// Its place among the classes that are drawn; none for all tracks.
    pub place: Option<usize>,
    /// The spectrum.
    pub spectrum: &'a MeanSpectrum,
}

/// Draws some spectra above each other.
pub(in crate::inspect) fn draw(title: &str, band_hz: &[f64], lines: &[Line<'_>]) -> Svg {
    let all = lines.iter().flat_map(|line| line.spectrum.mean_db.iter().copied());
    let (least, most) = all.fold((0.0f64, -10.0f64), |(least, most), value| {
        (least.min(value), most.max(value))
    });
    let plot = Plot {
        title: title.to_owned(),
        subtitle: String::new(),
        x: Axis::mel_bands("frequency in Hz, mel scale", band_hz, 0.08),
        y: Axis::linear(
            "dB below a track's loudest value",
            (least / 10.0).floor() * 10.0,
            (most / 10.0).ceil() * 10.0,
            6,
        ),
        field: 200.0,
        grid: true,
        legend: (lines.iter())
            .map(|line| Entry {
                name: line.name.to_owned(),
                place: line.place,
                line: true,
            })
            .collect(),
    };
    let path = |spectrum: &MeanSpectrum| -> String {
        let point = |(band, value): (usize, &f64)| {
            format!(
                "{}{} {}",
                if band == 0 { 'M' } else { 'L' },
                At(plot.x(band as f64 + 0.5)),
                At(plot.y(*value))
            )
        };
        spectrum.mean_db.iter().enumerate().map(point).collect()
    };
    plot.draw(&html! {
        @for line in lines {
            path class=(format!("line dash{} {}", sign(line.place), colour(line.place))) d=(path(line.spectrum)) {
                title { (line.name) }
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_spectrum_is_a_line_with_a_name() {
        let spectrum = MeanSpectrum {
            mean_db: vec![-20.0, -30.0, -71.0],
            std_db: vec![0.0; 3],
        };
        let line = |name, place| Line {
            name,
            place,
            spectrum: &spectrum,
        };
        let lines = [line("all tracks", None), line("Rock & Roll", Some(1))];
        let drawing = draw("Mean spectrum", &[100.0, 900.0, 5000.0], &lines)
            .inline()
            .into_string();
        assert_eq!(drawing.matches("Rock &amp; Roll").count(), 2, "{drawing}");
        assert!(
            drawing.contains("−80") && drawing.contains("dash1 k1") && drawing.contains("dash0 other"),
            "{drawing}"
        );
        assert!(!draw("none", &[], &[]).inline().into_string().contains("NaN"));
    }
}
