//! A chart: inside a page, or as a separate SVG file.

use super::palette::file_style;
use maud::{Markup, PreEscaped, html};
use std::fmt;

/// Gap between the charts of one file.
const GAP: f64 = 16.0;

/// A drawn chart. It has no colours of its own: the style of the page, or of its file, sets them by class.
#[derive(Clone, Debug)]
pub struct Chart {
    /// Text for screen readers.
    pub(super) label: String,
    pub(super) width: f64,
    pub(super) height: f64,
    /// Whether it keeps its natural size and scrolls; other charts are as wide as the space they have.
    pub(super) natural: bool,
    pub(super) body: Markup,
}

impl Chart {
    /// The chart as markup inside a [`Page`](super::Page).
    pub fn inline(&self) -> Markup {
        let view = format!("0 0 {} {}", At(self.width), At(self.height));
        html! {
            svg.chart.natural[self.natural] viewBox=(view) width=[self.natural.then_some(At(self.width))]
                role="img" aria-label=(self.label) { (self.body) }
        }
    }

    /// The chart as an SVG file.
    pub fn file(&self) -> String {
        file(std::slice::from_ref(self), 1)
    }
}

/// Several charts as one SVG file, with this many columns.
pub fn file(charts: &[Chart], columns: usize) -> String {
    let (mut places, mut width, mut height) = (Vec::new(), 0f64, 0f64);
    for row in charts.chunks(columns.max(1)) {
        let (mut x, top) = (GAP, height + GAP);
        for chart in row {
            places.push((x, top));
            x += chart.width + GAP;
            height = height.max(top + chart.height);
        }
        width = width.max(x);
    }
    let (width, height) = (width.max(GAP), height + GAP);
    let labels: Vec<&str> = charts.iter().map(|chart| chart.label.as_str()).collect();
    let svg = html! {
        svg.chart xmlns="http://www.w3.org/2000/svg" viewBox=(format!("0 0 {} {}", At(width), At(height)))
            width=(At(1.5 * width)) height=(At(1.5 * height)) role="img" {
            title { (labels.join("; ")) }
            style { (PreEscaped(file_style())) }
            rect.paper width="100%" height="100%" {}
            @for (chart, (x, y)) in charts.iter().zip(places) {
                g transform=(format!("translate({} {})", At(x), At(y))) { (chart.body) }
            }
        }
    };
    svg.into_string() + "\n"
}

/// Charts in rows, as many per row as the page has space for.
pub fn side_by_side(charts: &[Chart]) -> Markup {
    html! {
        div.charts {
            @for chart in charts { figure { (chart.inline()) } }
        }
    }
}

/// A chart over the full width of the page, drawn for wide windows and for phones.
pub fn full_width(wide: &Chart, narrow: &Chart) -> Markup {
    html! {
        div.charts.full {
            figure.wide { (wide.inline()) }
            figure.narrow { (narrow.inline()) }
        }
    }
}

/// A coordinate, rounded to a tenth of a unit.
#[derive(Clone, Copy)]
pub(super) struct At(pub f64);

impl fmt::Display for At {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Adding 0.0 turns -0 into 0.
        write!(out, "{}", (self.0 * 10.0).round() / 10.0 + 0.0)
    }
}

impl maud::Render for At {
    fn render(&self) -> Markup {
        PreEscaped(self.to_string())
    }
}

/// Shortens a text to at most `width` letters.
pub(super) fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// Approximate width of a text in letters of `size`.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    // Letters beyond Latin, Greek and Cyrillic are mostly as wide as they are high.
    let width = |letter: char| if letter < '\u{1100}' { 0.56 * size } else { size };
    text.chars().map(width).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn svg_file_is_escaped_and_self_contained() {
        let chart = Chart {
            label: "a <b> & \"c\"".into(),
            width: 100.0,
            height: 10.0,
            natural: false,
            body: html! { text { "<script>" } },
        };
        let file = file(&[chart.clone(), chart], 2);
        assert!(
            file.starts_with("<svg class=\"chart\" xmlns=") && file.ends_with("</svg>\n"),
            "{file}"
        );
        assert!(
            file.contains("<title>a &lt;b&gt; &amp; &quot;c&quot;; a &lt;b&gt;"),
            "{file}"
        );
        assert_eq!(file.matches("&lt;script&gt;").count(), 2, "{file}");
        assert!(
            file.contains("viewBox=\"0 0 248 42\"") && file.contains("translate(132 16)"),
            "{file}"
        );
        assert!(!file.contains("<script>") && !file.contains("var("));
        assert!(super::file(&[], 3).contains("</svg>"));
    }

    #[test]
    fn texts_are_shortened_and_coordinates_rounded() {
        assert_eq!(
            (shortened("Instrumental", 12), shortened("Instrumental", 6)),
            ("Instrumental".into(), "Instr…".into())
        );
        assert_eq!(
            [At(-0.01), At(1.25), At(3.0)].map(|at| at.to_string()),
            ["0", "1.3", "3"]
        );
    }
}
