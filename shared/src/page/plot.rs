//! A plot of series between two axes, with a title and a legend.

use super::axis::Axis;
use super::chart::{At, Chart, shortened, text_width};
use super::series::{Field, LEFT, Series, Style};
use maud::html;

/// The usual width of a plot.
const WIDTH: f64 = 400.0;
/// Space to the right of the field.
const RIGHT: f64 = 14.0;
/// Space below the field, for ticks and the name of the horizontal axis.
const BELOW: f64 = 38.0;
const LETTER: f64 = 12.0;
/// Left edge of the legend, further left than the field to fit more names in a row.
const LEGEND_LEFT: f64 = 8.0;
const LEGEND_ROW: f64 = 18.0;
const LEGEND_MARK: f64 = 24.0;
const LEGEND_GAP: f64 = 12.0;
/// Maximum letters of a name in the legend.
const NAME: usize = 32;

/// A plot. Its field is the area between the axes, in which series are drawn.
#[derive(Clone, Debug)]
pub struct Plot {
    /// The title, above the field.
    pub title: String,
    /// Below the title; may be empty.
    pub subtitle: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// Width of the plot; 66 more than that of the field.
    pub width: f64,
    /// Height of the field.
    pub height: f64,
    /// The first is drawn last, on top of the others. If at least two have a name, there is a legend.
    pub series: Vec<Series>,
    /// A vertical line at this number, and its label.
    pub rule: Option<(f64, String)>,
    /// Whether there is a diagonal from corner to corner, the result of guessing.
    pub diagonal: bool,
}

impl Plot {
    /// An empty plot of the usual size.
    pub fn new(title: impl Into<String>, x: Axis, y: Axis) -> Self {
        Self {
            title: title.into(),
            subtitle: String::new(),
            x,
            y,
            width: WIDTH,
            height: 180.0,
            series: Vec::new(),
            rule: None,
            diagonal: false,
        }
    }

    /// Draws the plot.
    pub fn draw(&self) -> Chart {
        let field = Field {
            x: &self.x,
            y: &self.y,
            top: self.head(),
            width: self.width - LEFT - RIGHT,
            height: self.height,
        };
        let (head, foot, right) = (field.top, field.foot(), self.width - RIGHT);
        let rows = self.legend();
        Chart {
            label: self.label(),
            width: self.width,
            height: foot + BELOW + LEGEND_ROW * rows.len() as f64 + 4.0,
            natural: false,
            body: html! {
                text.title x="2" y="15" { (shortened(&self.title, 48)) }
                @if !self.subtitle.is_empty() { text.soft x="2" y="32" { (shortened(&self.subtitle, 66)) } }
                @if !self.y.name().is_empty() { text.soft x="2" y=(At(head - 12.0)) { (self.y.name()) } }
                @for (at, words) in self.y.ticks() {
                    @if let Some(y) = field.y_of(*at) {
                        path.grid d=(format!("M{LEFT} {}H{right}", At(y))) {}
                        text.soft.end x=(LEFT - 6.0) y=(At(y + 4.0)) { (words) }
                    }
                }
                @for (at, words) in self.x.ticks() {
                    @if let Some(x) = field.x_of(*at) {
                        path.axis d=(format!("M{} {}v4", At(x), At(foot))) {}
                        text.soft.middle x=(At(x)) y=(At(foot + 17.0)) { (words) }
                    }
                }
                text.soft.end x=(right) y=(At(foot + 33.0)) { (self.x.name()) }
                @for series in self.series.iter().rev() { (series.draw(&field)) }
                @if self.diagonal { path.rule d=(format!("M{LEFT} {}L{right} {}", At(foot), At(head))) {} }
                @if let Some((x, what)) = self.rule.as_ref().and_then(|(at, what)| Some((field.x_of(*at)?, what))) {
                    path.rule d=(format!("M{} {}V{}", At(x), At(head), At(foot))) { title { (what) } }
                }
                path.axis d=(format!("M{LEFT} {}V{}H{right}", At(head), At(foot))) {}
                @for (row, entries) in rows.iter().enumerate() {
                    @for (left, series) in entries {
                        @let base = foot + BELOW + 12.0 + LEGEND_ROW * row as f64;
                        (series.sample(*left, base - 4.0))
                        text.soft x=(At(left + LEGEND_MARK)) y=(At(base)) { (shortened(&series.name, NAME)) }
                    }
                }
            },
        }
    }

    /// Text for screen readers.
    fn label(&self) -> String {
        let mut label = self.title.clone();
        for more in [&self.subtitle, self.y.name()] {
            if !more.is_empty() && *more != self.title {
                label = format!("{label}, {more}");
            }
        }
        let names: Vec<&str> = self.named().take(8).map(|series| series.name.as_str()).collect();
        let names = if names.is_empty() {
            String::new()
        } else {
            format!(": {}", names.join(", "))
        };
        format!("{label} by {}{names}", self.x.name())
    }

    fn head(&self) -> f64 {
        let subtitle = if self.subtitle.is_empty() { 0.0 } else { 21.0 };
        let name = if self.y.name().is_empty() { 0.0 } else { 22.0 };
        24.0 + subtitle + name
    }

    /// The series in the legend: each name once.
    fn named(&self) -> impl Iterator<Item = &Series> {
        let is_first = |at: usize| {
            !self.series[..at]
                .iter()
                .any(|before| before.name == self.series[at].name)
        };
        let named =
            self.series.iter().enumerate().filter(move |(at, series)| {
                series.style != Style::Background && !series.name.is_empty() && is_first(*at)
            });
        let several = named.clone().count() > 1;
        named.map(|(_, series)| series).filter(move |_| several)
    }

    /// The entries of the legend in rows, each with its left position.
    fn legend(&self) -> Vec<Vec<(f64, &Series)>> {
        let (mut rows, mut left) = (Vec::<Vec<_>>::new(), self.width);
        for series in self.named() {
            let width = LEGEND_MARK + text_width(&shortened(&series.name, NAME), LETTER);
            if left + width > self.width - 2.0 {
                rows.push(Vec::new());
                left = LEGEND_LEFT;
            }
            if let Some(row) = rows.last_mut() {
                row.push((left, series));
            }
            left += width + LEGEND_GAP;
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::super::series::{Bar, Point, Shape};
    use super::*;

    fn plot(shapes: Vec<Shape>) -> Plot {
        let series = shapes.into_iter().enumerate().map(|(at, shape)| Series {
            name: format!("<series> {at}"),
            style: Style::Series(at),
            shape,
        });
        Plot {
            subtitle: "sub & title".into(),
            series: series.collect(),
            rule: Some((1.0, "best".into())),
            ..Plot::new("loss", Axis::linear("epoch", 0.0, 10.0), Axis::linear("nats", 0.0, 1.0))
        }
    }

    #[test]
    fn non_finite_numbers_are_left_out_of_every_shape() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let points = vec![[1.0, 0.5], [bad, 0.5], [2.0, bad], [1e308, -1e308]];
            let point = |at: &[f64; 2]| Point {
                at: *at,
                title: "<t>".into(),
                link: String::new(),
            };
            let bars = vec![
                Bar {
                    sides: [0.0, 1.0],
                    top: bad,
                    title: String::new(),
                },
                Bar {
                    sides: [bad, 1.0],
                    top: 1.0,
                    title: String::new(),
                },
            ];
            let plot = Plot {
                rule: Some((bad, "best".into())),
                ..plot(vec![
                    Shape::Line(points.clone()),
                    Shape::Dotted(points.clone()),
                    Shape::Area(points.clone()),
                    Shape::Band(points.iter().map(|[x, y]| [*x, 0.0, *y]).collect()),
                    Shape::Points(points.iter().map(point).collect()),
                    Shape::Bars(bars),
                ])
            };
            let svg = plot.draw().inline().into_string();
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            assert_eq!(svg.matches("&lt;t&gt;").count(), 2, "{svg}");
            assert!(!svg.contains("class=\"bars"), "{svg}");
        }
    }

    #[test]
    fn empty_series_and_single_points_can_be_drawn() {
        for points in [vec![], vec![[3.0, 0.25]]] {
            for shape in [
                Shape::Dotted(points.clone()),
                Shape::Area(points.clone()),
                Shape::Band(points.iter().map(|[x, y]| [*x, 0.0, *y]).collect()),
                Shape::Image(Vec::new()),
            ] {
                let svg = plot(vec![shape]).draw().file();
                assert!(!svg.contains("NaN") && svg.ends_with("</svg>\n"), "{svg}");
            }
        }
        let svg = plot(vec![Shape::Dotted(vec![[3.0, 0.25]])])
            .draw()
            .inline()
            .into_string();
        assert!(
            svg.contains("&lt;series&gt; 0, epoch 3: 0.2500") && svg.contains("sub &amp; title"),
            "{svg}"
        );
        assert!(
            svg.contains("aria-label=\"loss, sub &amp; title, nats by epoch\""),
            "{svg}"
        );
    }

    #[test]
    fn many_points_are_drawn_as_one_path() {
        let points = vec![
            Point {
                at: [1.0, 0.5],
                title: "track 1".into(),
                link: String::new(),
            };
            2001
        ];
        let svg = plot(vec![Shape::Points(points)]).draw().inline().into_string();
        assert_eq!(
            (svg.matches("track 1").count(), svg.matches("class=\"sign").count()),
            (0, 1)
        );
    }

    #[test]
    fn legend_wraps_and_stays_inside() {
        let plot = plot(vec![Shape::Line(Vec::new()); 9]);
        let rows = plot.legend();
        assert!(rows.len() > 2 && rows.iter().map(Vec::len).sum::<usize>() == 9);
        for (left, series) in rows.iter().flatten() {
            assert!(left + LEGEND_MARK + text_width(&series.name, LETTER) <= WIDTH);
        }
    }
}
