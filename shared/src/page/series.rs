//! The series between two axes: lines, areas, points, bars, an image.

use super::axis::{Axis, number};
use super::chart::At;
use super::spectrogram::data_url;
use maud::{Markup, html};

pub(super) const LEFT: f64 = 52.0;
/// Maximum number of points of a line with a tooltip; longer lines have tooltips at regular intervals.
const MOST_DOTS: usize = 120;
/// Up to this many points have tooltips. A larger series is one path, which is a tenth of the size.
const MOST_NAMED: usize = 2000;

/// A series with a name.
#[derive(Clone, Debug)]
pub struct Series {
    /// Name in the legend and in tooltips.
    pub name: String,
    /// Its style.
    pub style: Style,
    /// Its shape and data.
    pub shape: Shape,
}

/// Shape and data of a series. Non-finite numbers are left out.
#[derive(Clone, Debug)]
pub enum Shape {
    /// A line through these x and y.
    Line(Vec<[f64; 2]>),
    /// The same, with dots that have tooltips.
    Dotted(Vec<[f64; 2]>),
    /// An area from the bottom of the field up to these x and y.
    Area(Vec<[f64; 2]>),
    /// An area between two lines: x, the lower y and the upper y.
    Band(Vec<[f64; 3]>),
    /// A marker for each point.
    Points(Vec<Point>),
    /// Bars from the bottom of the field.
    Bars(Vec<Bar>),
    /// A PNG over the whole field.
    Image(Vec<u8>),
}

/// A marker with a tooltip.
#[derive(Clone, Debug)]
pub struct Point {
    /// x and y.
    pub at: [f64; 2],
    /// Tooltip; may be empty.
    pub title: String,
    /// The id of an element of the page to which a click leads; may be empty.
    pub link: String,
}

/// A bar with a tooltip.
#[derive(Clone, Debug)]
pub struct Bar {
    /// x of its left and right side.
    pub sides: [f64; 2],
    /// y of its upper end.
    pub top: f64,
    /// Tooltip; may be empty.
    pub title: String,
}

/// The style of a series: colour, dashes and marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Number of the series, from 0. There are eight colours; dashes distinguish 32 lines, markers 24 kinds of points.
    Series(usize),
    /// Grey, for all others.
    Other,
    /// Thin, grey and not in the legend.
    Background,
    /// Thick, in the colour of text.
    Mean,
}

impl Style {
    fn classes(self) -> String {
        match self {
            Self::Series(at) => format!("{} d{}", self.colour(), (at + at / 8) % 4),
            Self::Other => "other".into(),
            Self::Background => "other background".into(),
            Self::Mean => "mean".into(),
        }
    }

    /// The class of the colour alone, for shapes without dashes.
    pub(super) fn colour(self) -> String {
        match self {
            Self::Series(at) => format!("s{}", at % 8),
            other => other.classes(),
        }
    }

    fn sign(self) -> usize {
        if let Self::Series(at) = self { at % 3 } else { 0 }
    }
}

/// The field in which series are drawn.
pub(super) struct Field<'a> {
    pub x: &'a Axis,
    pub y: &'a Axis,
    pub top: f64,
    pub width: f64,
    pub height: f64,
}

impl Field<'_> {
    pub fn x_of(&self, value: f64) -> Option<f64> {
        Some(LEFT + self.x.share(value)? * self.width)
    }

    pub fn y_of(&self, value: f64) -> Option<f64> {
        Some(self.top + (1.0 - self.y.share(value)?) * self.height)
    }

    pub fn foot(&self) -> f64 {
        self.top + self.height
    }

    fn place(&self, [x, y]: [f64; 2]) -> Option<(At, At)> {
        Some((At(self.x_of(x)?), At(self.y_of(y)?)))
    }

    fn path(&self, points: &[[f64; 2]]) -> Vec<String> {
        let placed = points.iter().filter_map(|point| self.place(*point));
        placed.map(|(x, y)| format!("{x} {y}")).collect()
    }
}

impl Series {
    pub(super) fn draw(&self, field: &Field<'_>) -> Markup {
        match &self.shape {
            Shape::Line(points) => self.line(field, points),
            Shape::Dotted(points) => html! { (self.line(field, points)) (self.dots(field, points)) },
            Shape::Area(points) => self.area(field, points),
            Shape::Band(points) => self.band(field, points),
            Shape::Points(points) => self.points(field, points),
            Shape::Bars(bars) => html! { @for bar in bars { (self.bar(field, bar)) } },
            Shape::Image(png) => html! {
                image x=(LEFT) y=(At(field.top)) width=(At(field.width)) height=(At(field.height)) preserveAspectRatio="none"
                    href=(data_url(png)) {}
            },
        }
    }

    fn line(&self, field: &Field<'_>, points: &[[f64; 2]]) -> Markup {
        let points = field.path(points).join(",");
        html! { polyline class={ "line " (self.style.classes()) } points=(points) { title { (self.name) } } }
    }

    fn dots(&self, field: &Field<'_>, points: &[[f64; 2]]) -> Markup {
        html! {
            g class={ "dots " (self.style.classes()) } {
                @for point in points.iter().step_by(points.len().div_ceil(MOST_DOTS).max(1)) {
                    @if let Some((x, y)) = field.place(*point) {
                        circle cx=(x) cy=(y) r="2.5" {
                            title { (self.name) ", " (field.x.name()) " " (point[0]) ": " (significant(point[1])) }
                        }
                    }
                }
            }
        }
    }

    fn area(&self, field: &Field<'_>, points: &[[f64; 2]]) -> Markup {
        let left = points.iter().find_map(|point| field.place(*point));
        html! {
            @if let Some((left, _)) = left {
                @let (foot, line) = (At(field.foot()), field.path(points).join("L"));
                path class={ "area " (self.style.classes()) } d=(format!("M{left} {foot}L{line}V{foot}z")) { title { (self.name) } }
            }
        }
    }

    fn band(&self, field: &Field<'_>, points: &[[f64; 3]]) -> Markup {
        let upper: Vec<_> = points.iter().map(|[x, _, upper]| [*x, *upper]).collect();
        let lower: Vec<_> = points.iter().rev().map(|[x, lower, _]| [*x, *lower]).collect();
        let outline = [field.path(&upper), field.path(&lower)].concat().join("L");
        html! {
            @if !outline.is_empty() {
                path class={ "band " (self.style.classes()) } d=(format!("M{outline}z")) { title { (self.name) } }
            }
        }
    }

    fn points(&self, field: &Field<'_>, points: &[Point]) -> Markup {
        let sign = self.style.sign();
        let classes = format!("sign sign{sign} {}", self.style.classes());
        let placed = points.iter().filter_map(|point| Some((field.place(point.at)?, point)));
        if points.len() > MOST_NAMED {
            let all: String = placed.map(|((x, y), _)| sign_at(sign, x, y)).collect();
            return html! { path class=(classes) d=(all) { title { (self.name) } } };
        }
        html! {
            @for ((x, y), Point { title, link, .. }) in placed {
                @let marker = html! {
                    path class=(classes) d=(sign_at(sign, x, y)) { @if !title.is_empty() { title { (title) } } }
                };
                @if link.is_empty() { (marker) } @else { a href={ "#" (link) } { (marker) } }
            }
        }
    }

    fn bar(&self, field: &Field<'_>, bar: &Bar) -> Markup {
        let [left, right] = bar.sides.map(|side| field.x_of(side));
        html! {
            @if let (Some(left), Some(right), Some(top)) = (left, right, field.y_of(bar.top)) {
                @let (right, foot) = (At((right - 0.5).max(left + 1.0)), At(field.foot()));
                path class={ "bars " (self.style.classes()) } d=(format!("M{} {foot}V{}H{right}V{foot}z", At(left + 0.5), At(top))) {
                    @if !bar.title.is_empty() { title { (bar.title) } }
                }
            }
        }
    }

    /// A sample of the series, for the legend.
    pub(super) fn sample(&self, left: f64, middle: f64) -> Markup {
        let classes = self.style.classes();
        if let Shape::Points(_) = self.shape {
            let sign = self.style.sign();
            html! { path class=(format!("sign sign{sign} {classes}")) d=(sign_at(sign, At(left + 9.0), At(middle))) {} }
        } else if let Shape::Band(_) = self.shape {
            html! { path class={ "band " (classes) } d=(format!("M{} {}h18v10h-18z", At(left), At(middle - 5.0))) {} }
        } else {
            html! { path class={ "line " (classes) } d=(format!("M{} {}h18", At(left), At(middle))) {} }
        }
    }
}

/// A dot (a line of length zero with round ends), a triangle, or a cross.
fn sign_at(sign: usize, x: At, y: At) -> String {
    match sign {
        0 => format!("M{x} {y}h0"),
        1 => format!("M{x} {y}m0-3.2l3 5.4h-6z"),
        _ => format!("M{x} {y}m-2.4-2.4l4.8 4.8m0-4.8l-4.8 4.8"),
    }
}

/// A piece of a line, to put before a name in a table.
pub fn swatch(style: Style) -> Markup {
    html! {
        svg.chart.swatch viewBox="0 0 28 8" aria-hidden="true" { path class={ "line " (style.classes()) } d="M1 4h26" {} }
    }
}

fn significant(value: f64) -> String {
    number(value, if value.abs() >= 100.0 { 1 } else { 4 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn series_have_different_styles() {
        let lines: BTreeSet<_> = (0..32).map(|at| Style::Series(at).classes()).collect();
        let colour = |at: usize| Style::Series(at).classes().split(' ').next().map(str::to_owned);
        let points: BTreeSet<_> = (0..24).map(|at| (colour(at), Style::Series(at).sign())).collect();
        assert_eq!((lines.len(), points.len()), (32, 24));
    }
}
