//! Mean spectra enter; a drawing of them, over frequencies on the mel scale, leaves.

use super::axis::Axis;
use super::plot::{Entry, Plot};
use super::{At, Svg, colour, sign};
use crate::inspect::analysis::spectrum::MeanSpectrum;
use maud::html;

/// A line of the drawing.
pub(super) struct Line<'a> {
    /// Whose spectrum it is.
    pub name: &'a str,
    /// Its place among the classes that are drawn; none for all tracks.
    pub place: Option<usize>,
    /// The spectrum.
    pub spectrum: &'a MeanSpectrum,
}

/// The axis upwards that has room for all of these spectra, so that drawings of each can be compared.
pub(super) fn decibels<'a>(spectra: impl Iterator<Item = &'a MeanSpectrum>) -> Axis {
    let values = spectra.flat_map(|spectrum| spectrum.mean_db.iter());
    let (least, most) = values.fold((0.0f64, -10.0f64), |(least, most), value| {
        (least.min(*value), most.max(*value))
    });
    let (least, most) = ((least / 10.0).floor() * 10.0, (most / 10.0).ceil() * 10.0);
    Axis::linear("dB below a track's loudest value", least, most, 6)
}

/// Draws some spectra above each other.
pub(super) fn draw(title: &str, band_hz: &[f64], decibels: &Axis, lines: &[Line<'_>]) -> Svg {
    let plot = Plot {
        title: title.to_owned(),
        subtitle: String::new(),
        x: Axis::mel_bands("frequency in Hz, mel scale", band_hz, 0.08),
        y: decibels.clone(),
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
        let drawing = draw(
            "Mean spectrum",
            &[100.0, 900.0, 5000.0],
            &decibels([&spectrum].into_iter()),
            &lines,
        )
        .inline()
        .into_string();
        assert_eq!(drawing.matches("Rock &amp; Roll").count(), 2, "{drawing}");
        assert!(
            drawing.contains("−80") && drawing.contains("dash1 k1") && drawing.contains("dash0 other"),
            "{drawing}"
        );
        assert!(
            !draw("none", &[], &decibels([].into_iter()), &[])
                .inline()
                .into_string()
                .contains("NaN")
        );
    }
}
