//! Lines in a frame, as an SVG element whose colours follow the page's.

use maud::{Markup, html};

/// The drawing's own units; the page scales it.
const WIDTH: f64 = 400.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 36.0;
/// Points of a line that can be pointed at; of longer lines every so many-th.
const MOST_POINTS: usize = 120;
/// About so many lines across.
const TICKS: f64 = 5.0;

/// How a line looks: the style sheet knows eight colours, and the dashes tell lines apart without them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// One of the page's colours, counted from 0, each with dashes of its own.
    Series(usize),
    /// Thin and grey.
    Background,
    /// Thick, in the colour of text.
    Mean,
}

impl Look {
    /// The classes of the style sheet.
    pub fn classes(self) -> String {
        match self {
            Self::Series(at) => format!("s{} d{}", at % 8, (at + at / 8) % 4),
            Self::Background => "others".into(),
            Self::Mean => "mean".into(),
        }
    }
}

/// One line.
pub struct Line {
    pub name: String,
    pub look: Look,
    /// Those that are not finite are left out.
    pub points: Vec<[f64; 2]>,
    /// Whether its points can be pointed at, each with its values; else the line with its name.
    pub dots: bool,
}

/// A frame of lines.
pub struct Plot<'a> {
    pub title: &'a str,
    /// What the picture says to those who do not see it.
    pub description: String,
    pub x: &'a str,
    /// Written beside the axis where the title does not say it.
    pub y: &'a str,
    /// The first is drawn last, above the others.
    pub lines: Vec<Line>,
    /// Ends of the upright axis; what the lines need where none are given.
    pub range: Option<[f64; 2]>,
    /// Ends of the other axis.
    pub across: Option<[f64; 2]>,
    /// An upright line at this place, with what it stands for.
    pub mark: Option<(f64, &'a str)>,
    /// Whether a diagonal stands for guessing.
    pub diagonal: bool,
    /// Whether places on the lying axis are whole numbers.
    pub whole: bool,
}

impl Plot<'_> {
    /// A figure: heading, picture, key.
    pub fn render(&self) -> Markup {
        let finite = |line: &Line| -> Vec<[f64; 2]> {
            let points = line.points.iter().copied();
            points
                .filter(|point| point.iter().all(|value| value.is_finite()))
                .collect()
        };
        let lines: Vec<(&Line, Vec<[f64; 2]>)> = self.lines.iter().map(|line| (line, finite(line))).collect();
        let all = || lines.iter().flat_map(|(_, points)| points);
        let extent = |axis: usize| ends(all().map(|point| point[axis]));
        let [left, right] = widened(self.across.unwrap_or_else(|| extent(0)));
        let [bottom, top] = self.range.unwrap_or_else(|| widened(extent(1)));
        let y_ticks = ticks(bottom, top, self.range.is_none());
        // A frame that is not given ends with ticks.
        let [bottom, top] = match self.range {
            Some(ends) => ends,
            None => ends(y_ticks.iter().copied()),
        };
        let x_at = |x: f64| LEFT + (x - left) / (right - left) * (WIDTH - LEFT - RIGHT);
        let y_at = |y: f64| HEIGHT - BOTTOM - (y - bottom) / (top - bottom) * (HEIGHT - TOP - BOTTOM);
        let path = |points: &[[f64; 2]]| {
            let places = points.iter().map(|[x, y]| format!("{:.1},{:.1}", x_at(*x), y_at(*y)));
            places.collect::<Vec<_>>().join(" ")
        };
        let x_ticks = ticks(left, right, false);
        let x_ticks = x_ticks.iter().filter(|tick| !self.whole || tick.fract() == 0.0);
        html! {
            figure.plot {
                figcaption { (self.title) }
                svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(self.description) {
                    g.grid {
                        @for tick in &y_ticks {
                            @let y = y_at(*tick);
                            line x1=(LEFT) x2=(WIDTH - RIGHT) y1=(short(y)) y2=(short(y)) {}
                            text.y x=(LEFT - 6.0) y=(short(y + 4.0)) { (label(*tick, top - bottom)) }
                        }
                        @for tick in x_ticks {
                            text.x x=(short(x_at(*tick))) y=(HEIGHT - BOTTOM + 16.0) {
                                @if self.whole { (tick) } @else { (label(*tick, right - left)) }
                            }
                        }
                        text.x x=(short((LEFT + WIDTH - RIGHT) / 2.0)) y=(HEIGHT - 4.0) { (self.x) }
                        @if self.y != self.title {
                            @let middle = (TOP + HEIGHT - BOTTOM) / 2.0;
                            text.x transform=(format!("translate(12 {middle:.1}) rotate(-90)")) { (self.y) }
                        }
                    }
                    @if self.diagonal {
                        polyline.chance points=(path(&[[0.0, 0.0], [1.0, 1.0]])) {}
                    }
                    @if let Some((at, what)) = self.mark {
                        line.mark x1=(short(x_at(at))) x2=(short(x_at(at))) y1=(TOP) y2=(HEIGHT - BOTTOM) {
                            title { (what) }
                        }
                    }
                    @for (line, points) in lines.iter().rev() {
                        polyline class={ "line " (line.look.classes()) } points=(path(points)) {
                            title { (line.name) }
                        }
                    }
                    @for (line, points) in lines.iter().rev().filter(|(line, _)| line.dots) {
                        g class={ "dots " (line.look.classes()) } {
                            @for [x, y] in points.iter().step_by(points.len().div_ceil(MOST_POINTS).max(1)) {
                                circle cx=(short(x_at(*x))) cy=(short(y_at(*y))) r="3" {
                                    title { (line.name) ", " (self.x) " " (x) ": " (value(*y)) }
                                }
                            }
                        }
                    }
                }
                (key(&self.lines))
            }
        }
    }
}

/// The lines' names with a piece of each; those in the background have none.
fn key(lines: &[Line]) -> Markup {
    html! {
        ul.key {
            @for line in lines.iter().filter(|line| line.look != Look::Background) {
                li {
                    svg viewBox="0 0 28 8" aria-hidden="true" {
                        line class={ "line " (line.look.classes()) } x1="1" x2="27" y1="4" y2="4" {}
                    }
                    (line.name)
                }
            }
        }
    }
}

fn ends(values: impl Iterator<Item = f64>) -> [f64; 2] {
    let [least, most] = values.fold([f64::INFINITY, f64::NEG_INFINITY], |[least, most], value| {
        [least.min(value), most.max(value)]
    });
    if least <= most { [least, most] } else { [0.0, 1.0] }
}

/// A stretch has a length.
fn widened([least, most]: [f64; 2]) -> [f64; 2] {
    if most - least > 1e-9 * most.abs().max(1e-9) {
        [least, most]
    } else {
        [least - 0.5, most + 0.5]
    }
}

/// Round numbers, rising: those between two ends, or, `around` them, those and the next ones on either side.
fn ticks(least: f64, most: f64, around: bool) -> Vec<f64> {
    let rough = (most - least) / TICKS;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= rough * 0.999)
        .unwrap_or(rough);
    // Ends that are ticks but for rounding are ticks.
    let (low, high) = (least / step, most / step);
    let (first, last) = if around {
        ((low + 1e-6).floor(), (high - 1e-6).ceil())
    } else {
        ((low - 1e-6).ceil(), (high + 1e-6).floor())
    };
    // The step is 1, 2 or 5 of a power of ten, so that dividing gives the nearest number to the decimal one.
    let place = |at: i64| {
        if step < 1.0 {
            at as f64 / (1.0 / step).round()
        } else {
            at as f64 * step
        }
    };
    (first as i64..=last as i64).map(place).collect()
}

/// With as many decimals as neighbours differ in.
fn label(tick: f64, length: f64) -> String {
    let decimals = (-(length / TICKS).log10().floor()).clamp(0.0, 6.0) as usize;
    format!("{tick:.decimals$}")
}

fn value(y: f64) -> String {
    if y.abs() >= 100.0 {
        format!("{y:.1}")
    } else {
        format!("{y:.4}")
    }
}

fn short(coordinate: f64) -> String {
    format!("{coordinate:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(points: Vec<[f64; 2]>) -> String {
        let line = Line {
            name: "a <b>".into(),
            look: Look::Series(0),
            points,
            dots: true,
        };
        let plot = Plot {
            title: "loss",
            description: "loss by epoch".into(),
            x: "epoch",
            y: "loss",
            lines: vec![line],
            range: None,
            across: None,
            mark: Some((1.0, "best")),
            diagonal: false,
            whole: true,
        };
        plot.render().into_string()
    }

    #[test]
    fn any_number_of_points_can_be_drawn() {
        for count in [0, 1, 2, 1000] {
            let svg = plot((1..=count).map(|epoch| [epoch as f64, 1.0 / epoch as f64]).collect());
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            assert!(svg.contains("a &lt;b&gt;"));
            assert_eq!(svg.matches("<circle").count(), count.min(112), "{count}");
        }
        assert!(plot(vec![[1.0, 0.25], [2.0, f64::NAN]]).contains("a &lt;b&gt;, epoch 1: 0.2500"));
        assert!(!plot(vec![[1.0, 0.5], [2.0, f64::NAN]]).contains("NaN"));
    }

    #[test]
    fn ticks_are_round_numbers() {
        assert_eq!(ticks(0.0, 1.0, true), [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]);
        assert_eq!(ticks(1.0, 3.0, false), [1.0, 1.5, 2.0, 2.5, 3.0]);
        assert_eq!(ticks(0.1, 0.93, false), [0.2, 0.4, 0.6, 0.8]);
        assert_eq!(ticks(0.1, 0.93, true), [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]);
        assert_eq!(ticks(0.0, 1000.0, false), [0.0, 200.0, 400.0, 600.0, 800.0, 1000.0]);
        assert_eq!(
            (label(0.2, 1.0), label(200.0, 1000.0), label(1.5, 2.0)),
            ("0.2".into(), "200".into(), "1.5".into())
        );
    }

    #[test]
    fn lines_of_one_colour_differ_in_their_dashes() {
        let looks: std::collections::BTreeSet<_> = (0..32).map(|at| Look::Series(at).classes()).collect();
        assert_eq!(looks.len(), 32);
    }
}
