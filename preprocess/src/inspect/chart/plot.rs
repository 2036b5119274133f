//! Axes, marks and a legend enter; a drawing with all of them leaves.

use super::axis::Axis;
use super::{At, Svg, WIDTH, colour, shortened, sign, text_width};
use maud::{Markup, html};

const LEFT: f64 = 44.0;
const RIGHT: f64 = 14.0;
/// Above the field, for the name of the axis that goes up.
const ABOVE: f64 = 22.0;
/// Below it, for ticks and the name of the axis that goes right.
const BELOW: f64 = 34.0;
const TITLE: f64 = 18.0;
const SUBTITLE: f64 = 15.0;
/// Further left than the field, so that four classes stand in a row.
const LEGEND_LEFT: f64 = 8.0;
const LEGEND_ROW: f64 = 17.0;
/// Of an entry's mark, and between two entries.
const LEGEND_MARK: f64 = 22.0;
const LEGEND_GAP: f64 = 12.0;
const LETTER: f64 = 11.0;
/// Letters of a name in a legend.
const NAME: usize = 28;

/// What is drawn, but for the marks.
#[derive(Clone, Debug)]
pub(super) struct Plot {
    /// Above it.
    pub title: String,
    /// Below the title; may be empty.
    pub subtitle: String,
    /// To the right.
    pub x: Axis,
    /// Upwards.
    pub y: Axis,
    /// Height of the field that marks are drawn in.
    pub field: f64,
    /// Whether lines go through the field at the ticks.
    pub grid: bool,
    /// What the marks mean.
    pub legend: Vec<Entry>,
}

/// A line of a legend.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// What it stands for.
    pub name: String,
    /// Its place among the classes that are drawn; none for others.
    pub place: Option<usize>,
    /// Whether a line is drawn, and not a sign.
    pub line: bool,
}

impl Plot {
    fn head(&self) -> f64 {
        ABOVE + TITLE + if self.subtitle.is_empty() { 0.0 } else { SUBTITLE }
    }

    /// Where a number of the axis to the right is.
    pub fn x(&self, value: f64) -> f64 {
        LEFT + self.x.share(value) * (WIDTH - LEFT - RIGHT)
    }

    /// Where a number of the axis upwards is.
    pub fn y(&self, value: f64) -> f64 {
        self.head() + (1.0 - self.y.share(value)) * self.field
    }

    /// The field: left, top, width, height.
    pub fn field(&self) -> [f64; 4] {
        [LEFT, self.head(), WIDTH - LEFT - RIGHT, self.field]
    }

    /// The whole drawing.
    pub fn draw(&self, marks: &Markup) -> Svg {
        let foot = self.head() + self.field;
        let rows = self.legend_rows();
        let description = [self.title.as_str(), self.subtitle.as_str()]
            .join(" ")
            .trim()
            .to_owned();
        Svg {
            height: foot + BELOW + 4.0 + LEGEND_ROW * rows.len() as f64,
            body: html! {
                text.title x="2" y="14" { (shortened(&self.title, 44)) }
                @if !self.subtitle.is_empty() { text.subtitle x="2" y="30" { (shortened(&self.subtitle, 64)) } }
                text.name x="2" y=(At(self.head() - 10.0)) { (self.y.name) }
                @for (value, words) in &self.y.ticks {
                    @let y = self.y(*value);
                    @if self.grid { path.grid d=(format!("M{} {}H{}", At(LEFT), At(y), At(WIDTH - RIGHT))) {} }
                    text.tick.end x=(At(LEFT - 5.0)) y=(At(y + 3.5)) { (words) }
                }
                @for (value, words) in &self.x.ticks {
                    @let x = self.x(*value);
                    @if self.grid { path.grid d=(format!("M{} {}V{}", At(x), At(self.head()), At(foot))) {} }
                    path.axis d=(format!("M{} {}v4", At(x), At(foot))) {}
                    text.tick.middle x=(At(x)) y=(At(foot + 15.0)) { (words) }
                }
                text.name.end x=(At(WIDTH - RIGHT)) y=(At(foot + 29.0)) { (self.x.name) }
                (marks)
                path.axis d=(format!("M{} {}V{}H{}", At(LEFT), At(self.head()), At(foot), At(WIDTH - RIGHT))) {}
                @for (row, entries) in rows.iter().enumerate() {
                    @for (left, entry) in entries { (draw_entry(entry, *left, foot + BELOW + 12.0 + LEGEND_ROW * row as f64)) }
                }
            },
            description,
        }
    }

    /// The legend's entries in rows, each with where it begins.
    fn legend_rows(&self) -> Vec<Vec<(f64, &Entry)>> {
        let mut rows: Vec<Vec<(f64, &Entry)>> = Vec::new();
        let mut left = WIDTH;
        for entry in &self.legend {
            let width = LEGEND_MARK + text_width(&shortened(&entry.name, NAME), LETTER);
            if left + width > WIDTH - RIGHT || rows.is_empty() {
                rows.push(Vec::new());
                left = LEGEND_LEFT;
            }
            if let Some(row) = rows.last_mut() {
                row.push((left, entry));
            }
            left += width + LEGEND_GAP;
        }
        rows
    }
}

fn draw_entry(entry: &Entry, left: f64, base: f64) -> Markup {
    let classes = colour(entry.place);
    html! {
        @if entry.line {
            path class=(format!("line dash{} {classes}", sign(entry.place))) d=(format!("M{} {}h16", At(left), At(base - 4.0))) {}
        } @else {
            path class=(format!("sign sign{} {classes}", sign(entry.place)))
                d=(sign_at(sign(entry.place), left + 9.0, base - 4.0)) {}
        }
        text.tick x=(At(left + LEGEND_MARK)) y=(At(base)) { (shortened(&entry.name, NAME)) }
    }
}

/// The path of a sign: a dot (a line of no length with a round end), a triangle, or a cross.
pub(super) fn sign_at(sign: usize, x: f64, y: f64) -> String {
    let (x, y) = (At(x), At(y));
    match sign {
        0 => format!("M{x} {y}h0"),
        1 => format!("M{x} {y}m0-3.2l3 5.4h-6z"),
        _ => format!("M{x} {y}m-2.4-2.4l4.8 4.8m0-4.8l-4.8 4.8"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(names: usize) -> Plot {
        Plot {
            title: "title".into(),
            subtitle: String::new(),
            x: Axis::linear("s", 0.0, 10.0, 5),
            y: Axis::linear("dB", -80.0, 0.0, 4),
            field: 100.0,
            grid: true,
            legend: (0..names)
                .map(|at| Entry {
                    name: format!("class number {at}"),
                    place: Some(at),
                    line: at % 2 == 0,
                })
                .collect(),
        }
    }

    #[test]
    fn numbers_stand_in_the_field() {
        let plot = plot(0);
        let [left, top, width, height] = plot.field();
        assert_eq!((plot.x(0.0), plot.x(10.0)), (left, left + width));
        assert_eq!((plot.y(0.0), plot.y(-80.0)), (top, top + height));
    }

    #[test]
    fn a_legend_wraps_and_stays_inside() {
        let plot = plot(9);
        let rows = plot.legend_rows();
        assert!(rows.len() > 2);
        assert_eq!(rows.iter().map(Vec::len).sum::<usize>(), 9);
        for (left, entry) in rows.iter().flatten() {
            assert!(left + LEGEND_MARK + text_width(&entry.name, LETTER) <= WIDTH);
        }
        let drawing = plot.draw(&html! {}).inline().into_string();
        assert!(
            drawing.contains("class number 8") && drawing.contains("−80"),
            "{drawing}"
        );
    }
}
