//! A chart of values with their intervals: a row per contestant, with a dot and a line from end to end.

use super::axis::{Axis, number};
use super::chart::{At, Chart, shortened, text_width};
use super::series::Style;
use maud::{Markup, html};

const LETTER: f64 = 12.0;
const FIELD_WIDTH: f64 = 260.0;
const ROW: f64 = 24.0;
/// Space below the rows, for ticks and the name of the axis.
const BELOW: f64 = 38.0;
const GAP: f64 = 10.0;
/// Maximum letters of a row's name.
const NAME: usize = 24;
const DECIMALS: usize = 3;

/// A chart of intervals.
#[derive(Clone, Debug, Default)]
pub struct Intervals {
    /// The title, above the rows; also the name of the axis.
    pub title: String,
    /// Below the title; may be empty.
    pub subtitle: String,
    /// From top to bottom.
    pub rows: Vec<IntervalRow>,
    /// The row that the others are compared with: a vertical line is at its value.
    pub reference: Option<usize>,
}

/// A row of [`Intervals`].
#[derive(Clone, Debug, Default)]
pub struct IntervalRow {
    /// The name, left of the row.
    pub name: String,
    /// `None` and non-finite values have no dot.
    pub value: Option<f64>,
    /// Lower and upper end.
    pub interval: Option<[f64; 2]>,
}

impl Intervals {
    /// Draws the chart, as large as its names need.
    pub fn draw(&self) -> Chart {
        let values = |row: &IntervalRow| row.value.into_iter().chain(row.interval.into_iter().flatten());
        let axis = Axis::around(&self.title, self.rows.iter().flat_map(values));
        let names = self
            .rows
            .iter()
            .map(|row| text_width(&shortened(&row.name, NAME), LETTER));
        let left = GAP + names.fold(text_width("reference", LETTER), f64::max) + GAP;
        let head = if self.subtitle.is_empty() { 30.0 } else { 47.0 };
        let foot = head + ROW * self.rows.len() as f64;
        let x = |value: f64| Some(left + axis.share(value)? * FIELD_WIDTH);
        let right = left + FIELD_WIDTH;
        let written = text_width("0.000", LETTER);
        Chart {
            label: self.label(),
            width: right + GAP + written + GAP,
            height: foot + BELOW,
            natural: true,
            body: html! {
                text.title x="2" y="15" { (self.title) }
                @if !self.subtitle.is_empty() { text.soft x="2" y="32" { (self.subtitle) } }
                @for (at, words) in axis.ticks() {
                    @if let Some(x) = x(*at) {
                        path.grid d=(format!("M{} {}V{}", At(x), At(head), At(foot))) {}
                        text.soft.middle x=(At(x)) y=(At(foot + 17.0)) { (words) }
                    }
                }
                @if let Some(x) = self.reference.and_then(|at| x(self.rows.get(at)?.value?)) {
                    path.rule d=(format!("M{} {}V{}", At(x), At(head), At(foot))) {}
                    text.soft.middle x=(At(x)) y=(At(foot + 33.0)) { "reference" }
                }
                path.axis d=(format!("M{} {}H{}", At(left), At(foot), At(right))) {}
                @for (at, row) in self.rows.iter().enumerate() {
                    (draw_row(row, at, [left, right], head + ROW * (at as f64 + 0.5), &x))
                }
            },
        }
    }

    /// Text for screen readers.
    fn label(&self) -> String {
        let rows: Vec<String> = self.rows.iter().map(IntervalRow::describe).collect();
        format!("{}: {}", self.title, rows.join("; "))
    }
}

fn draw_row(
    row: &IntervalRow,
    at: usize,
    [left, right]: [f64; 2],
    middle: f64,
    x: &impl Fn(f64) -> Option<f64>,
) -> Markup {
    let line = row.interval.and_then(|[low, high]| Some([x(low)?, x(high)?]));
    html! {
        text.end x=(At(left - GAP)) y=(At(middle + 4.0)) { (shortened(&row.name, NAME)) }
        g class={ "interval " (Style::Series(at).colour()) } {
            title { (row.describe()) }
            @if let Some([low, high]) = line { path d=(format!("M{} {}H{}", At(low), At(middle), At(high))) {} }
            @if let Some(x) = row.value.and_then(x) { circle cx=(At(x)) cy=(At(middle)) r="4.5" {} }
        }
        text.soft x=(At(right + GAP)) y=(At(middle + 4.0)) { (written(row.value)) }
    }
}

impl IntervalRow {
    /// `runs/crnn 0.569, 95 % interval 0.333 to 0.771`.
    fn describe(&self) -> String {
        let interval = self.interval.map_or(String::new(), |[low, high]| {
            format!(
                ", 95 % interval {} to {}",
                number(low, DECIMALS),
                number(high, DECIMALS)
            )
        });
        format!("{} {}{interval}", self.name, written(self.value))
    }
}

fn written(value: Option<f64>) -> String {
    let finite = value.filter(|value| value.is_finite());
    finite.map_or_else(|| "–".into(), |value| number(value, DECIMALS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, value: f64, interval: Option<[f64; 2]>) -> IntervalRow {
        IntervalRow {
            name: name.into(),
            value: Some(value),
            interval,
        }
    }

    fn x_of(svg: &str, after: &str) -> f64 {
        let rest = svg.split(after).nth(1).unwrap();
        rest.split(['"', ' ']).next().unwrap().parse().unwrap()
    }

    #[test]
    fn dots_are_inside_their_intervals_and_the_reference_is_at_its_dot() {
        let chart = Intervals {
            title: "top-1".into(),
            rows: vec![
                row("runs/<crnn>", 0.5, Some([0.4, 0.7])),
                row("runs/none", f64::NAN, None),
            ],
            reference: Some(0),
            ..Intervals::default()
        };
        let svg = chart.draw().inline().into_string();
        assert!(!svg.contains("NaN") && !svg.contains("runs/<"), "{svg}");
        assert_eq!(
            (svg.matches("<circle").count(), svg.matches(">reference<").count()),
            (1, 1)
        );
        assert!(
            svg.contains("runs/&lt;crnn&gt; 0.500, 95 % interval 0.400 to 0.700"),
            "{svg}"
        );
        let dot = x_of(&svg, "circle cx=\"");
        assert_eq!(x_of(&svg, "class=\"rule\" d=\"M"), dot);
        let interval = svg.split("class=\"interval").nth(1).unwrap();
        let low = x_of(interval, "<path d=\"M");
        let high = interval.split('H').nth(1).unwrap().split('"').next().unwrap();
        assert!(low < dot && dot < high.parse().unwrap(), "{low} {dot} {high}");
        Intervals::default().draw();
    }
}
