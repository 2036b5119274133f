//! A panel for each setting: its values from left to right, the figure that is watched from below, a point for each trial.

use super::axis::{Scale, show};
use super::picture::{Area, Drawn, GREY, Layout, style};
use super::schedule::State;
use super::specification::Specification;
use super::table::Results;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};
use toml::Value;

/// Width and height of a panel, in pixels.
const PANEL: (i32, i32) = (520, 320);
/// Room within a panel, left of, below and right of the points.
const ROOM: (i32, i32, i32) = (64, 56, 24);
const INK: RGBColor = RGBColor(31, 119, 180);
const BEST: RGBColor = RGBColor(214, 98, 28);
const PALE: RGBColor = RGBColor(160, 195, 220);
const LINES: RGBColor = RGBColor(225, 225, 225);
/// Listed values that span more are drawn by their logarithms.
const WIDE: f64 = 30.0;
/// Numbers beside an axis.
const TICKS: usize = 5;

pub(super) fn layout(settings: usize) -> Layout {
    Layout {
        panel: PANEL,
        columns: settings.clamp(1, 2),
        panels: settings,
    }
}

pub(super) fn draw(area: &Area<'_>, layout: Layout, specification: &Specification, results: &Results<'_>) -> Drawn {
    let figures: Vec<_> = (0..results.trials.len())
        .filter_map(|trial| Some((trial, results.watched(trial)?)))
        .collect();
    let best = results.ranked().first().copied();
    let vertical = Span::of(figures.iter().map(|&(_, figure)| figure)).with_room();
    for (panel, name) in specification.names().into_iter().enumerate() {
        let (left, top) = layout.corner(panel);
        let place = |share: (f64, f64)| {
            let (width, height) = (PANEL.0 - ROOM.0 - ROOM.2, PANEL.1 - ROOM.1);
            let x = f64::from(left + ROOM.0) + share.0 * f64::from(width);
            let y = f64::from(top) + (1.0 - share.1) * f64::from(height);
            (x.round() as i32, y.round() as i32)
        };
        let scale = Horizontal::of(specification, results, panel);
        for at in 0..TICKS {
            let share = at as f64 / (TICKS - 1) as f64;
            let line = [place((0.0, share)), place((1.0, share))];
            area.draw(&PathElement::new(line, LINES))?;
            let label = format!("{:.3}", vertical.low + share * (vertical.high - vertical.low));
            area.draw_text(
                &label,
                &style(area, 12, BLACK, HPos::Right, VPos::Center),
                (line[0].0 - 8, line[0].1),
            )?;
        }
        for (label, at) in scale.ticks() {
            let foot = place((at, 0.0));
            area.draw(&PathElement::new([foot, (foot.0, foot.1 + 5)], BLACK))?;
            area.draw_text(
                &label,
                &style(area, 12, BLACK, HPos::Center, VPos::Top),
                (foot.0, foot.1 + 8),
            )?;
        }
        let below = place((0.5, 0.0));
        area.draw_text(
            name,
            &style(area, 14, GREY, HPos::Center, VPos::Top),
            (below.0, below.1 + 26),
        )?;
        let spot = |&(trial, figure): &(usize, f64)| {
            let at = scale.place(&results.trials[trial].values[panel].1);
            (trial, place((at, vertical.share(figure))))
        };
        let mut spots: Vec<_> = figures.iter().map(spot).collect();
        if specification.names().len() == 1 {
            spots.sort_by_key(|&(_, (x, _))| x);
            area.draw(&PathElement::new(
                spots.iter().map(|&(_, place)| place).collect::<Vec<_>>(),
                INK.stroke_width(2),
            ))?;
        }
        for (trial, place) in spots {
            let is_best = best == Some(trial);
            let look = match results.states[trial] {
                _ if is_best => BEST.filled(),
                State::Dropped => PALE.stroke_width(2),
                _ => INK.stroke_width(2),
            };
            area.draw(&Circle::new(place, if is_best { 6 } else { 4 }, look))?;
        }
    }
    Ok(())
}

/// From the lowest number to the highest.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Span {
    low: f64,
    high: f64,
}

impl Span {
    fn of(numbers: impl Iterator<Item = f64>) -> Self {
        let start = Self {
            low: f64::INFINITY,
            high: f64::NEG_INFINITY,
        };
        numbers.fold(start, |span, number| Self {
            low: span.low.min(number),
            high: span.high.max(number),
        })
    }

    /// So that no point lies on an edge.
    fn with_room(self) -> Self {
        let length = self.high - self.low;
        let room = if length > 0.0 {
            0.06 * length
        } else {
            0.5 * self.high.abs().max(1e-3)
        };
        Self {
            low: self.low - room,
            high: self.high + room,
        }
    }

    fn share(self, number: f64) -> f64 {
        (number - self.low) / (self.high - self.low)
    }
}

/// Where a setting's values stand.
enum Horizontal {
    /// Numbers by their size, or its logarithm, and which of them are written below.
    Numbers { span: Span, scale: Scale, listed: Vec<f64> },
    /// Words beside each other.
    Words(Vec<String>),
}

fn number(value: &Value) -> Option<f64> {
    value
        .as_float()
        .or_else(|| value.as_integer().map(|number| number as f64))
}

fn on(scale: Scale, number: f64) -> f64 {
    if scale == Scale::Log { number.ln() } else { number }
}

impl Horizontal {
    /// Of the setting at this place of [`Specification::names`].
    fn of(specification: &Specification, results: &Results<'_>, setting: usize) -> Self {
        if let Some(range) = setting
            .checked_sub(specification.grid.len())
            .map(|at| &specification.ranges[at])
        {
            let (low, high) = (on(range.scale, range.low), on(range.scale, range.high));
            return Self::Numbers {
                span: Span { low, high },
                scale: range.scale,
                listed: Vec::new(),
            };
        }
        let values = &specification.grid[setting].values;
        let listed: Option<Vec<f64>> = values.iter().map(number).collect();
        let Some(listed) = listed.filter(|listed| listed.len() > 1) else {
            let words = results.trials.iter().map(|trial| show(&trial.values[setting].1));
            let mut distinct = Vec::new();
            words.for_each(|word| {
                if !distinct.contains(&word) {
                    distinct.push(word)
                }
            });
            return Self::Words(distinct);
        };
        let span = Span::of(listed.iter().copied());
        let scale = if span.low > 0.0 && span.high / span.low > WIDE {
            Scale::Log
        } else {
            Scale::Linear
        };
        let span = Span::of(listed.iter().map(|&number| on(scale, number))).with_room();
        Self::Numbers { span, scale, listed }
    }

    /// From 0 at the left to 1 at the right.
    fn place(&self, value: &Value) -> f64 {
        match self {
            Self::Numbers { span, scale, .. } => number(value).map_or(0.5, |number| span.share(on(*scale, number))),
            Self::Words(words) => {
                let at = words.iter().position(|word| *word == show(value)).unwrap_or(0);
                (at as f64 + 0.5) / words.len() as f64
            }
        }
    }

    fn ticks(&self) -> Vec<(String, f64)> {
        let label = |number: f64| show(&Value::Float(format!("{number:.2e}").parse().unwrap_or(number)));
        match self {
            Self::Words(words) => words
                .iter()
                .map(|word| (word.clone(), self.place(&Value::from(word.as_str()))))
                .collect(),
            Self::Numbers { span, scale, listed } if !listed.is_empty() => listed
                .iter()
                .map(|&number| (show(&Value::Float(number)), span.share(on(*scale, number))))
                .collect(),
            Self::Numbers { span, scale, .. } => {
                let tick = |at: usize| {
                    let share = at as f64 / (TICKS - 1) as f64;
                    let at = span.low + share * (span.high - span.low);
                    (label(if *scale == Scale::Log { at.exp() } else { at }), share)
                };
                (0..TICKS).map(tick).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::trials;
    use super::*;
    use crate::models::Monitor;

    fn horizontal(specification: &Specification, setting: usize) -> Horizontal {
        let trials = trials(&["balance=none,oversample"]);
        let results = Results {
            trials: &trials,
            records: &[],
            states: &[],
            monitor: Monitor::Loss,
        };
        Horizontal::of(specification, &results, setting)
    }

    #[test]
    fn values_stand_by_their_size_or_its_logarithm_or_beside_each_other() {
        let specification = Specification {
            grid: ["balance=none,oversample", "dropout=0.2,0.4", "lr=1e-5,1e-4,1e-3"]
                .map(|text| text.parse().unwrap())
                .into(),
            ranges: vec!["weight_decay=1e-4..1:log".parse().unwrap()],
            ..Specification::default()
        };
        let close = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-9, "{found} {expected}");
        let words = horizontal(&specification, 0);
        close(words.place(&"oversample".into()), 0.75);
        let linear = horizontal(&specification, 1);
        close(linear.place(&0.3.into()), 0.5);
        let log = horizontal(&specification, 2);
        close(log.place(&1e-4.into()), 0.5);
        assert_eq!(
            log.ticks().into_iter().map(|(label, _)| label).collect::<Vec<_>>(),
            ["1e-5", "1e-4", "0.001"]
        );
        let drawn = horizontal(&specification, 3);
        close(drawn.place(&0.01.into()), 0.5);
        assert_eq!(
            drawn.ticks().into_iter().map(|(label, _)| label).collect::<Vec<_>>(),
            ["1e-4", "0.001", "0.01", "0.1", "1"]
        );
    }
}
