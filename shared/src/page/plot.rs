//! Lines, points, bars or an image in a frame of two axes.

use super::axis::{Axis, number};
use super::chart::{At, Chart, shortened, text_width};
use super::spectrogram::data_url;
use maud::{Markup, html};

const WIDTH: f64 = 400.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 14.0;
const FIELD_WIDTH: f64 = WIDTH - LEFT - RIGHT;
/// Below the field, for ticks and the name of the axis that goes right.
const BELOW: f64 = 38.0;
const LETTER: f64 = 12.0;
/// Further left than the field, so that more names are in a row.
const LEGEND_LEFT: f64 = 8.0;
const LEGEND_ROW: f64 = 18.0;
const LEGEND_MARK: f64 = 24.0;
const LEGEND_GAP: f64 = 12.0;
/// Letters of a name in a legend.
const NAME: usize = 32;
/// Points of a line that can be pointed at; of longer lines every so many-th.
const MOST_DOTS: usize = 120;
/// Up to so many points say what they are when pointed at; beyond, a series is one path, which is a tenth of the size.
const MOST_NAMED: usize = 2000;

/// Marks in a frame.
#[derive(Clone, Debug)]
pub struct Plot {
    /// Above it.
    pub title: String,
    /// Below the title; may be empty.
    pub subtitle: String,
    /// To the right.
    pub x: Axis,
    /// Upwards.
    pub y: Axis,
    /// Height of the field that marks are drawn in; its width is 334.
    pub height: f64,
    /// The first is drawn last, above the others. With names of two and more there is a legend.
    pub series: Vec<Series>,
    /// An upright line at this number, and what it is.
    pub rule: Option<(f64, String)>,
    /// Whether there is a line from corner to corner, for what guessing gives.
    pub diagonal: bool,
}

/// Marks of one name.
#[derive(Clone, Debug)]
pub struct Series {
    /// In the legend, and where it is pointed at.
    pub name: String,
    /// Its colour.
    pub look: Look,
    /// Its marks.
    pub marks: Marks,
}

/// What is drawn. Numbers that are not finite are left out.
#[derive(Clone, Debug)]
pub enum Marks {
    /// Through these x and y.
    Line(Vec<[f64; 2]>),
    /// The same, with dots that say their numbers when pointed at.
    Dotted(Vec<[f64; 2]>),
    /// Filled, from the foot of the frame up to these x and y.
    Area(Vec<[f64; 2]>),
    /// A sign each.
    Points(Vec<Point>),
    /// From the foot of the frame.
    Bars(Vec<Bar>),
    /// A PNG over the whole field.
    Image(Vec<u8>),
}

/// A sign, and what it says when pointed at.
#[derive(Clone, Debug)]
pub struct Point {
    /// To the right and upwards.
    pub at: [f64; 2],
    /// May be empty.
    pub title: String,
}

/// A bar, and what it says when pointed at.
#[derive(Clone, Debug)]
pub struct Bar {
    /// Its left and right side.
    pub sides: [f64; 2],
    /// Its upper end.
    pub top: f64,
    /// May be empty.
    pub title: String,
}

/// How a series looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Counted from 0: eight colours. Dashes tell 32 lines apart, signs 24 kinds of points.
    Series(usize),
    /// Grey, for all the rest.
    Other,
    /// Thin, grey and without a place in the legend.
    Background,
    /// Thick, in the colour of text.
    Mean,
}

impl Look {
    fn classes(self) -> String {
        match self {
            Self::Series(at) => format!("s{} d{}", at % 8, (at + at / 8) % 4),
            Self::Other => "other".into(),
            Self::Background => "other background".into(),
            Self::Mean => "mean".into(),
        }
    }

    fn sign(self) -> usize {
        if let Self::Series(at) = self { at % 3 } else { 0 }
    }
}

impl Plot {
    /// An empty frame of the usual height.
    pub fn new(title: impl Into<String>, x: Axis, y: Axis) -> Self {
        Self {
            title: title.into(),
            subtitle: String::new(),
            x,
            y,
            height: 180.0,
            series: Vec::new(),
            rule: None,
            diagonal: false,
        }
    }

    /// Draws all of it.
    pub fn draw(&self) -> Chart {
        let (head, foot) = (self.head(), self.head() + self.height);
        let rows = self.legend();
        Chart {
            label: self.label(),
            width: WIDTH,
            height: foot + BELOW + LEGEND_ROW * rows.len() as f64 + 4.0,
            natural: false,
            body: html! {
                text.title x="2" y="15" { (shortened(&self.title, 48)) }
                @if !self.subtitle.is_empty() { text.soft x="2" y="32" { (shortened(&self.subtitle, 66)) } }
                @if !self.y.name().is_empty() { text.soft x="2" y=(At(head - 12.0)) { (self.y.name()) } }
                @for (at, words) in self.y.ticks() {
                    @if let Some(y) = self.y_of(*at) {
                        path.grid d=(format!("M{LEFT} {}h{FIELD_WIDTH}", At(y))) {}
                        text.soft.end x=(LEFT - 6.0) y=(At(y + 4.0)) { (words) }
                    }
                }
                @for (at, words) in self.x.ticks() {
                    @if let Some(x) = self.x_of(*at) {
                        path.axis d=(format!("M{} {}v4", At(x), At(foot))) {}
                        text.soft.middle x=(At(x)) y=(At(foot + 17.0)) { (words) }
                    }
                }
                text.soft.end x=(WIDTH - RIGHT) y=(At(foot + 33.0)) { (self.x.name()) }
                @for series in self.series.iter().rev() { (self.marks(series)) }
                @if self.diagonal { path.rule d=(format!("M{LEFT} {}L{} {}", At(foot), WIDTH - RIGHT, At(head))) {} }
                @if let Some((x, what)) = self.rule.as_ref().and_then(|(at, what)| Some((self.x_of(*at)?, what))) {
                    path.rule d=(format!("M{} {}V{}", At(x), At(head), At(foot))) { title { (what) } }
                }
                path.axis d=(format!("M{LEFT} {}V{}h{FIELD_WIDTH}", At(head), At(foot))) {}
                @for (row, entries) in rows.iter().enumerate() {
                    @for (left, series) in entries { (entry(series, *left, foot + BELOW + 12.0 + LEGEND_ROW * row as f64)) }
                }
            },
        }
    }

    /// For those who do not see it.
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
        let subtitle = if self.subtitle.is_empty() { 0.0 } else { 17.0 };
        let name = if self.y.name().is_empty() { 0.0 } else { 22.0 };
        24.0 + subtitle + name
    }

    fn x_of(&self, value: f64) -> Option<f64> {
        Some(LEFT + self.x.share(value)? * FIELD_WIDTH)
    }

    fn y_of(&self, value: f64) -> Option<f64> {
        Some(self.head() + (1.0 - self.y.share(value)?) * self.height)
    }

    fn place(&self, [x, y]: [f64; 2]) -> Option<(At, At)> {
        Some((At(self.x_of(x)?), At(self.y_of(y)?)))
    }

    fn marks(&self, series: &Series) -> Markup {
        let (classes, foot) = (series.look.classes(), At(self.head() + self.height));
        let path = |points: &[[f64; 2]]| -> Vec<String> {
            points
                .iter()
                .filter_map(|point| self.place(*point))
                .map(|(x, y)| format!("{x} {y}"))
                .collect()
        };
        match &series.marks {
            Marks::Line(points) => html! {
                polyline class={ "line " (classes) } points=(path(points).join(",")) { title { (series.name) } }
            },
            Marks::Dotted(points) => html! {
                polyline class={ "line " (classes) } points=(path(points).join(",")) { title { (series.name) } }
                g class={ "dots " (classes) } {
                    @for point in points.iter().step_by(points.len().div_ceil(MOST_DOTS).max(1)) {
                        @if let Some((x, y)) = self.place(*point) {
                            circle cx=(x) cy=(y) r="2.5" {
                                title { (series.name) ", " (self.x.name()) " " (point[0]) ": " (significant(point[1])) }
                            }
                        }
                    }
                }
            },
            Marks::Area(points) => {
                let placed = path(points);
                let left = points.iter().find_map(|point| self.place(*point)).map(|(x, _)| x);
                html! {
                    @if let Some(left) = left {
                        path class={ "area " (classes) } d=(format!("M{left} {foot}L{}V{foot}z", placed.join("L"))) {
                            title { (series.name) }
                        }
                    }
                }
            }
            Marks::Points(points) => {
                let sign = series.look.sign();
                let classes = format!("sign sign{sign} {classes}");
                let placed = points
                    .iter()
                    .filter_map(|point| Some((self.place(point.at)?, &point.title)));
                if points.len() > MOST_NAMED {
                    let all: String = placed.map(|((x, y), _)| sign_at(sign, x, y)).collect();
                    return html! { path class=(classes) d=(all) { title { (series.name) } } };
                }
                html! {
                    @for ((x, y), title) in placed {
                        path class=(classes) d=(sign_at(sign, x, y)) { @if !title.is_empty() { title { (title) } } }
                    }
                }
            }
            Marks::Bars(bars) => html! {
                @for bar in bars {
                    @if let (Some(left), Some(right), Some(top)) = (self.x_of(bar.sides[0]), self.x_of(bar.sides[1]), self.y_of(bar.top)) {
                        path class={ "bars " (classes) }
                            d=(format!("M{} {foot}V{}H{}V{foot}z", At(left + 0.5), At(top), At((right - 0.5).max(left + 1.0)))) {
                            @if !bar.title.is_empty() { title { (bar.title) } }
                        }
                    }
                }
            },
            Marks::Image(png) => html! {
                image x=(LEFT) y=(At(self.head())) width=(FIELD_WIDTH) height=(At(self.height)) preserveAspectRatio="none"
                    href=(data_url(png)) {}
            },
        }
    }

    /// Series that a legend names.
    fn named(&self) -> impl Iterator<Item = &Series> {
        let named = |series: &&Series| series.look != Look::Background && !series.name.is_empty();
        let several = self.series.iter().filter(named).count() > 1;
        self.series.iter().filter(named).filter(move |_| several)
    }

    /// The legend's entries in rows, each with where it begins.
    fn legend(&self) -> Vec<Vec<(f64, &Series)>> {
        let (mut rows, mut left) = (Vec::<Vec<_>>::new(), WIDTH);
        for series in self.named() {
            let width = LEGEND_MARK + text_width(&shortened(&series.name, NAME), LETTER);
            if left + width > WIDTH - 2.0 {
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

fn entry(series: &Series, left: f64, base: f64) -> Markup {
    let classes = series.look.classes();
    html! {
        @if let Marks::Points(_) = series.marks {
            @let sign = series.look.sign();
            path class=(format!("sign sign{sign} {classes}")) d=(sign_at(sign, At(left + 9.0), At(base - 4.0))) {}
        } @else {
            path class={ "line " (classes) } d=(format!("M{} {}h18", At(left), At(base - 4.0))) {}
        }
        text.soft x=(At(left + LEGEND_MARK)) y=(At(base)) { (shortened(&series.name, NAME)) }
    }
}

/// A dot (a line of no length with a round end), a triangle, or a cross.
fn sign_at(sign: usize, x: At, y: At) -> String {
    match sign {
        0 => format!("M{x} {y}h0"),
        1 => format!("M{x} {y}m0-3.2l3 5.4h-6z"),
        _ => format!("M{x} {y}m-2.4-2.4l4.8 4.8m0-4.8l-4.8 4.8"),
    }
}

/// A piece of a line, to stand before a name in a table.
pub fn swatch(look: Look) -> Markup {
    html! {
        svg.chart.swatch viewBox="0 0 28 8" aria-hidden="true" { path class={ "line " (look.classes()) } d="M1 4h26" {} }
    }
}

fn significant(value: f64) -> String {
    number(value, if value.abs() >= 100.0 { 1 } else { 4 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn plot(marks: Vec<Marks>) -> Plot {
        let series = marks.into_iter().enumerate().map(|(at, marks)| Series {
            name: format!("<series> {at}"),
            look: Look::Series(at),
            marks,
        });
        Plot {
            subtitle: "sub & title".into(),
            series: series.collect(),
            rule: Some((1.0, "best".into())),
            ..Plot::new("loss", Axis::linear("epoch", 0.0, 10.0), Axis::linear("nats", 0.0, 1.0))
        }
    }

    #[test]
    fn numbers_that_are_not_finite_are_left_out_of_every_kind_of_marks() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let points = vec![[1.0, 0.5], [bad, 0.5], [2.0, bad], [1e308, -1e308]];
            let point = |at: &[f64; 2]| Point {
                at: *at,
                title: "<t>".into(),
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
                    Marks::Line(points.clone()),
                    Marks::Dotted(points.clone()),
                    Marks::Area(points.clone()),
                    Marks::Points(points.iter().map(point).collect()),
                    Marks::Bars(bars),
                ])
            };
            let svg = plot.draw().inline().into_string();
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            assert_eq!(svg.matches("&lt;t&gt;").count(), 2, "{svg}");
            assert!(!svg.contains("class=\"bars"), "{svg}");
        }
    }

    #[test]
    fn nothing_and_one_point_can_be_drawn() {
        for points in [vec![], vec![[3.0, 0.25]]] {
            for marks in [
                Marks::Dotted(points.clone()),
                Marks::Area(points.clone()),
                Marks::Image(Vec::new()),
            ] {
                let svg = plot(vec![marks]).draw().file();
                assert!(!svg.contains("NaN") && svg.ends_with("</svg>\n"), "{svg}");
            }
        }
        let svg = plot(vec![Marks::Dotted(vec![[3.0, 0.25]])])
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
    fn many_points_are_one_path() {
        let points = vec![
            Point {
                at: [1.0, 0.5],
                title: "track 1".into()
            };
            MOST_NAMED + 1
        ];
        let svg = plot(vec![Marks::Points(points)]).draw().inline().into_string();
        assert_eq!(
            (svg.matches("track 1").count(), svg.matches("class=\"sign").count()),
            (0, 1)
        );
    }

    #[test]
    fn a_legend_wraps_and_stays_inside() {
        let plot = plot(vec![Marks::Line(Vec::new()); 9]);
        let rows = plot.legend();
        assert!(rows.len() > 2 && rows.iter().map(Vec::len).sum::<usize>() == 9);
        for (left, series) in rows.iter().flatten() {
            assert!(left + LEGEND_MARK + text_width(&series.name, LETTER) <= WIDTH);
        }
    }

    #[test]
    fn no_two_series_look_alike() {
        let lines: BTreeSet<_> = (0..32).map(|at| Look::Series(at).classes()).collect();
        let colour = |at: usize| Look::Series(at).classes().split(' ').next().map(str::to_owned);
        let points: BTreeSet<_> = (0..24).map(|at| (colour(at), Look::Series(at).sign())).collect();
        assert_eq!((lines.len(), points.len()), (32, 24));
    }
}
