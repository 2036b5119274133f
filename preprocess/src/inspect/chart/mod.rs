//! Figures of the analysis enter; drawings leave, as SVG in a page or as SVG files.
//!
//! A drawing has no colours of its own: `chart.css` gives them by class, for light and for dark, and beside a class's colour
//! stand a sign and a dash pattern. Drawings are 360 units wide, so that their letters are legible on a telephone and two or
//! three stand beside each other on a desk.

pub(super) mod axis;
pub(super) mod drawings;
pub(super) mod mel_image;
mod plot;
pub(super) mod sample_values;
pub(super) mod scatter;
pub(super) mod simple_bars;
pub(super) mod spectra;
pub(super) mod spectrogram;

use maud::{Markup, html};

/// The style of all drawings.
pub(super) const STYLE: &str = include_str!("chart.css");

/// Colours, and signs, of classes. A class's colour and sign together are its own up to 24 classes.
const COLOURS: usize = 8;
const SIGNS: usize = 3;

/// Width of every drawing.
const WIDTH: f64 = 360.0;

/// A drawing.
#[derive(Clone, Debug)]
pub(super) struct Svg {
    /// What it shows, for those who do not see it.
    description: String,
    height: f64,
    body: Markup,
}

impl Svg {
    /// For inside a page that has [`STYLE`].
    pub fn inline(&self) -> Markup {
        html! {
            svg.chart viewBox=(self.view_box()) role="img" aria-label=(self.description) { (self.body) }
        }
    }

    /// As a file of its own.
    pub fn file(&self) -> String {
        let svg = html! {
            svg.chart xmlns="http://www.w3.org/2000/svg" viewBox=(self.view_box()) width=(2.0 * WIDTH) height=(2.0 * self.height) {
                title { (self.description) }
                style { (maud::PreEscaped(STYLE)) }
                rect.paper width="100%" height="100%" {}
                (self.body)
            }
        };
        svg.into_string() + "\n"
    }

    fn view_box(&self) -> String {
        format!("0 0 {WIDTH} {}", At(self.height))
    }
}

/// A coordinate, to a tenth of a unit.
#[derive(Clone, Copy)]
struct At(f64);

impl std::fmt::Display for At {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tenths = (self.0 * 10.0).round() / 10.0;
        // No -0.
        write!(out, "{}", tenths + 0.0)
    }
}

/// The CSS class of the colour of the class drawn at `place`; none is for tracks of other classes.
fn colour(place: Option<usize>) -> String {
    place.map_or_else(|| "other".into(), |place| format!("k{}", place % COLOURS))
}

/// The number of its sign, or of its dash pattern.
fn sign(place: Option<usize>) -> usize {
    place.map_or(0, |place| place % SIGNS)
}

/// A text that is `width` letters long at most.
fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// About how wide a text is in letters of `size`.
fn text_width(text: &str, size: f64) -> f64 {
    // Letters beyond Latin, Greek and Cyrillic are mostly as wide as high.
    text.chars()
        .map(|letter| if letter < '\u{1100}' { 0.56 * size } else { size })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_escaped_and_names_what_it_shows() {
        let svg = Svg {
            description: "a <b> & \"c\"".into(),
            height: 10.0,
            body: html! { text { "<script>" } },
        };
        let file = svg.file();
        assert!(file.starts_with("<svg class=\"chart\" xmlns="), "{file}");
        assert!(
            file.contains("<title>a &lt;b&gt; &amp; &quot;c&quot;</title>"),
            "{file}"
        );
        assert!(file.contains("&lt;script&gt;") && !file.contains("<script>"), "{file}");
        assert!(!svg.inline().into_string().contains("http"));
    }

    #[test]
    fn texts_and_coordinates_are_short() {
        assert_eq!(shortened("Instrumental", 12), "Instrumental");
        assert_eq!(shortened("Instrumental", 6), "Instr…");
        assert_eq!(
            [At(-0.01), At(1.25), At(3.0)].map(|at| at.to_string()),
            ["0", "1.3", "3"]
        );
        assert_eq!(
            (colour(Some(9)), sign(Some(9)), colour(None)),
            ("k1".into(), 0, "other".into())
        );
    }

    #[test]
    fn no_two_of_the_classes_that_are_drawn_look_alike() {
        let looks: std::collections::BTreeSet<_> = (0..crate::inspect::analysis::CLASSES_DRAWN)
            .map(|place| (colour(Some(place)), sign(Some(place))))
            .collect();
        assert_eq!(looks.len(), crate::inspect::analysis::CLASSES_DRAWN);
    }
}
