//! A heat map: a matrix of shaded cells with text.

use super::chart::{At, Chart, shortened, text_width};
use super::palette::ink_on;
use maud::{Markup, html};

const LETTER: f64 = 12.0;
const MARGIN: f64 = 8.0;
const CELL_HEIGHT: f64 = 36.0;
/// Size of a cell without text.
const PLAIN_CELL: f64 = 14.0;
/// Maximum letters of the name of a row or column.
const NAME: usize = 24;
/// A heat map.
#[derive(Clone, Debug, Default)]
pub struct Heat {
    /// The title, above the matrix.
    pub title: String,
    /// Below the title; may be empty.
    pub subtitle: String,
    /// Name of the vertical axis; may be empty.
    pub row_name: String,
    /// Name of the horizontal axis; may be empty.
    pub column_name: String,
    /// A name for each row.
    pub rows: Vec<String>,
    /// A name for each column.
    pub columns: Vec<String>,
    /// The cells, row by row.
    pub cells: Vec<HeatCell>,
}

/// A cell of a [`Heat`].
#[derive(Clone, Debug, Default)]
pub struct HeatCell {
    /// From 0, pale, to 1, strong; below 0 in the other colour. `None` and non-finite values are grey.
    pub shade: Option<f64>,
    /// Text in the cell; may be empty.
    pub text: String,
    /// Smaller text below; may be empty.
    pub note: String,
    /// Tooltip.
    pub title: String,
    /// Whether it has a border.
    pub framed: bool,
}

impl Heat {
    /// Draws it, as large as its names and cells need.
    pub fn draw(&self) -> Chart {
        let widest = |texts: &mut dyn Iterator<Item = &String>, size: f64| {
            texts
                .map(|text| text_width(&shortened(text, NAME), size))
                .fold(0.0, f64::max)
        };
        let names = |names: &[String]| widest(&mut names.iter(), LETTER);
        let written = widest(&mut self.cells.iter().flat_map(|cell| [&cell.text, &cell.note]), LETTER);
        let (cell_width, cell_height) = if written > 0.0 {
            ((written + 12.0).max(CELL_HEIGHT), CELL_HEIGHT)
        } else {
            (PLAIN_CELL, PLAIN_CELL)
        };
        // Names that are wider than their column are rotated.
        let upright = names(&self.columns) + 8.0 > cell_width;
        let over = if upright { 1.1 * names(&self.columns) } else { LETTER };
        let title = if self.subtitle.is_empty() { 24.0 } else { 42.0 };
        let titled = |name: &str| if name.is_empty() { 0.0 } else { 20.0 };
        let left = names(&self.rows) + MARGIN + titled(&self.row_name);
        let top = title + titled(&self.column_name) + over + MARGIN;
        let (width, height) = (
            cell_width * self.columns.len() as f64,
            cell_height * self.rows.len() as f64,
        );
        let least = text_width(&self.title, 14.0).max(text_width(&self.subtitle, LETTER));
        Chart {
            label: [self.title.as_str(), self.subtitle.as_str()]
                .join(" ")
                .trim()
                .to_owned(),
            width: (left + width).max(least) + MARGIN,
            height: top + height + MARGIN,
            natural: true,
            body: html! {
                text.title x="2" y="15" { (self.title) }
                @if !self.subtitle.is_empty() { text.soft x="2" y="33" { (self.subtitle) } }
                text.soft.middle x=(At(left + width / 2.0)) y=(At(title + 12.0)) { (self.column_name) }
                @if !self.row_name.is_empty() {
                    text.soft.middle transform=(format!("translate(12 {}) rotate(-90)", At(top + height / 2.0))) { (self.row_name) }
                }
                @for (at, name) in self.columns.iter().enumerate() {
                    @let x = left + cell_width * (at as f64 + 0.5);
                    @if upright {
                        text transform=(format!("translate({} {}) rotate(-90)", At(x + 4.0), At(top - 6.0))) { (shortened(name, NAME)) }
                    } @else {
                        text.middle x=(At(x)) y=(At(top - 6.0)) { (shortened(name, NAME)) }
                    }
                }
                @for (at, name) in self.rows.iter().enumerate() {
                    text.end x=(At(left - 6.0)) y=(At(top + cell_height * (at as f64 + 0.5) + 4.0)) { (shortened(name, NAME)) }
                }
                @for (at, cell) in self.cells.iter().enumerate().take(self.rows.len() * self.columns.len()) {
                    @let (row, column) = (at / self.columns.len(), at % self.columns.len());
                    (cell.draw([left + cell_width * column as f64, top + cell_height * row as f64], [cell_width - 2.0, cell_height - 2.0]))
                }
            },
        }
    }
}

impl HeatCell {
    fn draw(&self, [x, y]: [f64; 2], [width, height]: [f64; 2]) -> Markup {
        let shade = self
            .shade
            .filter(|shade| shade.is_finite())
            .map(|shade| shade.clamp(-1.0, 1.0));
        let ink = shade.map_or("on-none", |shade| ink_on(shade.abs()));
        let middle = (At(x + width / 2.0), y + height / 2.0);
        let base = if self.note.is_empty() {
            middle.1 + 4.0
        } else {
            middle.1 - 2.0
        };
        html! {
            g class={ "cell " (ink) } {
                @if !self.title.is_empty() { title { (self.title) } }
                rect.under x=(At(x)) y=(At(y)) width=(At(width)) height=(At(height)) {}
                @if let Some(shade) = shade {
                    rect class=(if shade < 0.0 { "warm" } else { "cool" }) fill-opacity=(format!("{:.2}", shade.abs()))
                        x=(At(x)) y=(At(y)) width=(At(width)) height=(At(height)) {}
                }
                @if self.framed { rect.frame x=(At(x + 1.0)) y=(At(y + 1.0)) width=(At(width - 2.0)) height=(At(height - 2.0)) {} }
                @if !self.text.is_empty() { text.middle x=(middle.0) y=(At(base)) { (self.text) } }
                @if !self.note.is_empty() { text.middle.small x=(middle.0) y=(At(base + 13.0)) { (self.note) } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heat(shades: &[Option<f64>]) -> String {
        let cell = |(at, shade): (usize, &Option<f64>)| HeatCell {
            shade: *shade,
            text: format!("<{at}>"),
            framed: at == 1,
            title: "hover & see".into(),
            ..HeatCell::default()
        };
        let heat = Heat {
            title: "Confusion".into(),
            rows: vec!["Folk".into(), "a rather long name of a class".into()],
            columns: vec!["<b>".into(), "Rock".into()],
            cells: shades.iter().enumerate().map(cell).collect(),
            ..Heat::default()
        };
        heat.draw().inline().into_string()
    }

    #[test]
    fn cells_have_shades_and_texts() {
        let svg = heat(&[Some(0.25), Some(-0.75), None, Some(f64::NAN)]);
        assert!(
            svg.contains("class=\"cool\" fill-opacity=\"0.25\"")
                && svg.contains("class=\"warm\" fill-opacity=\"0.75\""),
            "{svg}"
        );
        assert_eq!(
            (
                svg.matches("cell on-none").count(),
                svg.matches("class=\"frame\"").count()
            ),
            (2, 1)
        );
        assert!(
            svg.contains("&lt;3&gt;")
                && svg.contains("&lt;b&gt;")
                && svg.contains("hover &amp; see")
                && !svg.contains("NaN"),
            "{svg}"
        );
        assert!(svg.contains("a rather long name of a…"), "{svg}");
    }

    #[test]
    fn an_empty_matrix_can_be_drawn() {
        let svg = Heat {
            title: "none".into(),
            ..Heat::default()
        }
        .draw()
        .file();
        assert!(
            svg.contains("none") && !svg.contains("NaN") && !svg.contains("inf"),
            "{svg}"
        );
    }
}
