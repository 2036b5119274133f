//! An example track enters; a drawing of its mel spectrogram with axes in seconds and Hz leaves.

use super::axis::Axis;
use super::plot::Plot;
use super::{At, Svg};
use crate::inspect::analysis::examples::Example;
use maud::html;

/// Draws a track of the class `name`.
pub(super) fn draw(name: &str, example: &Example, band_hz: &[f64]) -> Svg {
    let artist = if example.artist.is_empty() {
        String::new()
    } else {
        format!(", artist {}", example.artist)
    };
    let plot = Plot {
        title: name.to_owned(),
        subtitle: format!("track {}{artist}", example.track_id),
        x: Axis::linear("s", 0.0, example.seconds, 6),
        y: Axis::mel_bands("Hz", band_hz, 0.1),
        field: 130.0,
        grid: false,
        legend: Vec::new(),
    };
    let [left, top, width, height] = plot.field();
    plot.draw(&html! {
        image x=(At(left)) y=(At(top)) width=(At(width)) height=(At(height)) preserveAspectRatio="none"
            href=(example.image.data_url()) {}
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::chart::mel_image::MelImage;

    #[test]
    fn an_example_names_its_track() {
        let example = Example {
            track_id: 7,
            artist: "<a>".into(),
            seconds: 30.0,
            image: MelImage::default(),
        };
        let drawing = draw("Folk", &example, &[200.0, 600.0, 3000.0, 9000.0])
            .inline()
            .into_string();
        assert!(
            drawing.contains("track 7, artist &lt;a&gt;") && drawing.contains("data:image/png;base64,"),
            "{drawing}"
        );
    }
}
