//! `heat_map.svg`: a sweep's trials by the metric that is monitored.
//!
//! Two settings and more, of which every value was tried with every other, are a heat map, one for each choice of the third
//! and further ones. Everything else, one setting or draws, is a chart for each setting with a point for each trial.

use super::axis::{Scale, show};
use super::schedule::State;
use super::specification::Specification;
use super::table::Results;
use shared::page::{Axis, Chart, Heat, HeatCell, Plot, Point, Series, Shape, Style, file};
use toml::Value;

/// More heat maps than anybody reads; their settings are drawn one by one then.
const MOST_MAPS: usize = 24;
/// Listed values that span more are drawn by their logarithms.
const WIDE: f64 = 30.0;

/// The picture; none where no trial has been evaluated yet.
pub fn draw(specification: &Specification, results: &Results<'_>) -> Option<String> {
    let evaluated: Vec<(usize, f64)> = (0..results.trials.len())
        .filter_map(|trial| Some((trial, results.watched(trial)?)))
        .collect();
    if evaluated.is_empty() {
        return None;
    }
    let further = specification.grid.iter().skip(2);
    let maps: usize = further.map(|axis| axis.values.len()).product();
    let charts: Vec<Chart> = if specification.ranges.is_empty() && specification.grid.len() >= 2 && maps <= MOST_MAPS {
        (0..maps)
            .map(|map| heat_map(specification, results, map, maps))
            .collect()
    } else {
        let settings = 0..specification.names().len();
        settings
            .map(|setting| points(specification, results, &evaluated, setting))
            .collect()
    };
    Some(file(&charts, 2))
}

/// `crnn: validation loss, lower is better`
fn metric(results: &Results<'_>) -> String {
    let model = results.trials.first().map(|trial| trial.config.model);
    let same = results.trials.iter().all(|trial| Some(trial.config.model) == model);
    let model = model
        .filter(|_| same)
        .map_or(String::new(), |model| format!("{model}: "));
    let better = if results.monitor.lower_is_better() {
        "lower"
    } else {
        "higher"
    };
    format!("{model}validation {}, {better} is better", results.monitor.describe())
}

/// The first setting's values downwards, the second's to the right.
fn heat_map(specification: &Specification, results: &Results<'_>, map: usize, maps: usize) -> Chart {
    let grid = &specification.grid;
    let names = |axis: usize| -> Vec<String> { grid[axis].values.iter().map(show).collect() };
    let (shading, best) = (Shading::new(results), results.ranked().first().copied());
    // Of the settings that are the same in all of a map.
    let of_map = results.trials[map].values.iter().skip(2);
    let of_map: Vec<String> = of_map
        .map(|(name, value)| format!("{name} = {}", show(value)))
        .collect();
    let how = "darker is better; the best trial is framed".to_owned();
    let cell = |cell: usize| {
        let trial = cell * maps + map;
        let value = results.watched(trial);
        let last = results.records[trial]
            .last()
            .filter(|_| results.states[trial] == State::Dropped);
        HeatCell {
            shade: value.map(|value| shading.share(value)),
            text: match value {
                Some(value) => format!("{value:.3}"),
                None if results.states[trial] == State::Failed => "failed".into(),
                None => "–".into(),
            },
            // Next to metrics of trials that were trained for longer.
            note: last.map_or(String::new(), |last| {
                format!("{} {}", last.epochs, if last.epochs == 1 { "epoch" } else { "epochs" })
            }),
            title: format!("trial {trial}: {}", results.trials[trial].describe()),
            framed: best == Some(trial),
        }
    };
    Heat {
        title: metric(results),
        subtitle: of_map.into_iter().chain([how]).collect::<Vec<_>>().join("; "),
        row_name: grid[0].name.clone(),
        column_name: grid[1].name.clone(),
        rows: names(0),
        columns: names(1),
        cells: (0..grid[0].values.len() * grid[1].values.len()).map(cell).collect(),
    }
    .draw()
}

/// The metric over the values of one setting.
fn points(specification: &Specification, results: &Results<'_>, evaluated: &[(usize, f64)], setting: usize) -> Chart {
    let best = results.ranked().first().copied();
    let horizontal = Horizontal::new(specification, setting);
    let series = |name: &str, style: Style, kind: &dyn Fn(usize) -> bool| {
        let own = evaluated.iter().filter(|(trial, _)| kind(*trial));
        let point = |&(trial, value): &(usize, f64)| Point {
            at: [horizontal.at(&results.trials[trial].values[setting].1), value],
            title: format!("trial {trial} ({}): {value:.4}", results.trials[trial].describe()),
        };
        Series {
            name: name.into(),
            style,
            shape: Shape::Points(own.map(point).collect()),
        }
    };
    let dropped = |trial: usize| results.states[trial] == State::Dropped;
    let mut all = vec![
        series("best trial", Style::Series(1), &|trial| best == Some(trial)),
        series("trial", Style::Series(0), &|trial| {
            best != Some(trial) && !dropped(trial)
        }),
    ];
    if results.count(State::Dropped) > 0 {
        all.push(series("trained for fewer epochs", Style::Other, &|trial| {
            best != Some(trial) && dropped(trial)
        }));
    }
    let vertical = Axis::around(
        &format!("validation {}", results.monitor.describe()),
        evaluated.iter().map(|(_, value)| *value),
    );
    Plot {
        subtitle: metric(results),
        series: all,
        ..Plot::new(horizontal.axis.name(), horizontal.axis.clone(), vertical)
    }
    .draw()
}

/// A setting's values from left to right: numbers by their size or its logarithm, words beside each other.
struct Horizontal {
    axis: Axis,
    words: Vec<String>,
}

impl Horizontal {
    /// Of the setting at this place of [`Specification::names`].
    fn new(specification: &Specification, setting: usize) -> Self {
        let name = specification.names()[setting];
        let scaled = |scale: Scale, low: f64, high: f64| match scale {
            Scale::Log => Axis::log(name, low, high),
            Scale::Linear => Axis::linear(name, low, high),
        };
        let of_numbers = |axis: Axis| Self {
            axis,
            words: Vec::new(),
        };
        let Some(grid) = specification.grid.get(setting) else {
            let range = &specification.ranges[setting - specification.grid.len()];
            return of_numbers(scaled(range.scale, range.low, range.high));
        };
        let numbers: Option<Vec<f64>> = grid.values.iter().map(number).collect();
        let Some(numbers) = numbers.filter(|numbers| numbers.len() > 1) else {
            let words: Vec<String> = grid.values.iter().map(show).collect();
            return Self {
                axis: Axis::words(name, &words),
                words,
            };
        };
        let low = numbers.iter().copied().fold(f64::MAX, f64::min);
        let high = numbers.iter().copied().fold(f64::MIN, f64::max);
        // With room on both sides, so no point is on an edge.
        of_numbers(if low > 0.0 && high / low > WIDE {
            scaled(Scale::Log, low / 2.0, 2.0 * high)
        } else {
            let room = 0.06 * (high - low);
            scaled(Scale::Linear, low - room, high + room)
        })
    }

    /// Where a value is on the axis.
    fn at(&self, value: &Value) -> f64 {
        let place = self.words.iter().position(|word| *word == show(value));
        place
            .map(|place| place as f64)
            .or_else(|| number(value))
            .unwrap_or(f64::NAN)
    }
}

fn number(value: &Value) -> Option<f64> {
    value
        .as_float()
        .or_else(|| value.as_integer().map(|number| number as f64))
}

/// From the best value to the worst, or to thrice as far from the best as the median, where a trial that went astray would
/// leave all others alike.
struct Shading {
    best: f64,
    worst: f64,
}

impl Shading {
    fn new(results: &Results<'_>) -> Self {
        let ranked: Vec<f64> = results
            .ranked()
            .into_iter()
            .filter_map(|trial| results.watched(trial))
            .collect();
        let best = ranked.first().copied().unwrap_or(0.0);
        let worst = ranked.last().copied().unwrap_or(0.0);
        let far = 3.0 * (ranked.get(ranked.len() / 2).copied().unwrap_or(worst) - best);
        let worst = if far != 0.0 && (worst - best).abs() > far.abs() {
            best + far
        } else {
            worst
        };
        Self { best, worst }
    }

    /// 1 for the best, 0 for the worst.
    fn share(&self, value: f64) -> f64 {
        if self.best == self.worst {
            return 1.0;
        }
        ((self.worst - value) / (self.worst - self.best)).clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::{RungResult, TrialRecord};
    use super::super::search;
    use super::super::testing::{metrics, specification};
    use super::*;
    use crate::models::Monitor;

    fn picture(grid: &[&str], ranges: &[&str], losses: &[Option<f64>]) -> Option<String> {
        let draws = if ranges.is_empty() { 0 } else { losses.len() };
        let specification = specification(grid, ranges, draws);
        let trials = search::trials(&specification).unwrap();
        let record = |loss: &Option<f64>| TrialRecord {
            rungs: loss
                .iter()
                .map(|&loss| RungResult {
                    epochs: 2,
                    best_epoch: 1,
                    seconds: 1.0,
                    val: metrics(loss),
                })
                .collect(),
            failure: loss.is_none().then(|| "out of memory".into()),
        };
        let records: Vec<_> = losses.iter().map(record).collect();
        assert_eq!(records.len(), trials.len());
        let state = |record: &TrialRecord| {
            if record.failure.is_some() {
                State::Failed
            } else {
                State::Finished
            }
        };
        let states: Vec<_> = records.iter().map(state).collect();
        let results = Results {
            trials: &trials,
            records: &records,
            states: &states,
            monitor: Monitor::Loss,
        };
        let svg = draw(&specification, &results)?;
        assert!(svg.starts_with("<svg") && !svg.contains("NaN"));
        Some(svg)
    }

    fn count(svg: &str, text: &str) -> usize {
        svg.matches(&format!(">{text}<")).count()
    }

    #[test]
    fn every_cell_has_its_value_and_failures_are_named() {
        let grid = ["weight_decay=0.0,1e-5", "dropout=0.1,0.2,0.3"];
        let losses = [Some(0.75), Some(0.5), None, Some(1.25), Some(2.0), Some(0.625)];
        let svg = picture(&grid, &[], &losses).unwrap();
        for text in [
            "0.750",
            "0.500",
            "1.250",
            "2.000",
            "0.625",
            "failed",
            "1e-5",
            "0.3",
            "weight_decay",
            "dropout",
        ] {
            assert_eq!(count(&svg, text), 1, "{text}: {svg}");
        }
        assert!(svg.contains(">crnn: validation loss, lower is better<"));
        assert_eq!(svg.matches("class=\"frame\"").count(), 1);
        assert_eq!(picture(&grid, &[], &[None; 6]), None);
    }

    #[test]
    fn a_third_setting_is_a_map_for_each_of_its_values() {
        let losses: Vec<_> = (0..8).map(|trial| Some(f64::from(trial))).collect();
        let svg = picture(
            &["lr=0.1,0.2", "dropout=0.3,0.4", "balance=none,oversample"],
            &[],
            &losses,
        )
        .unwrap();
        assert_eq!(
            (
                svg.matches(">balance = none;").count(),
                svg.matches(">balance = oversample;").count()
            ),
            (1, 1)
        );
        assert_eq!((count(&svg, "dropout"), count(&svg, "7.000")), (2, 1));
    }

    #[test]
    fn one_setting_and_draws_are_points() {
        let losses = [Some(0.75), Some(0.5), None];
        for (grid, ranges, panels) in [
            (&["lr=1e-5,1e-4,0.1"][..], &[][..], 1),
            (&["balance=none,oversample,undersample"], &[], 1),
            (&[], &["lr=1e-5..1e-1:log", "batch_size=4..64"], 2),
        ] {
            let svg = picture(grid, ranges, &losses).unwrap();
            // Two trials in each, and in each legend two signs.
            assert_eq!(
                svg.matches("<path class=\"sign").count(),
                4 * panels,
                "{grid:?} {ranges:?}"
            );
            assert_eq!(svg.matches("): 0.5000</title>").count(), panels);
        }
    }

    #[test]
    fn values_are_at_their_size_or_its_logarithm_or_beside_each_other() {
        let specification = Specification {
            grid: ["balance=none,oversample", "dropout=0.2,0.4", "lr=1e-5,1e-4,1e-3"]
                .map(|text| text.parse().unwrap())
                .into(),
            ranges: vec!["weight_decay=1e-4..1:log".parse().unwrap()],
            ..Specification::default()
        };
        for (setting, value, expected) in [
            (0, Value::from("oversample"), 0.75),
            (1, 0.3.into(), 0.5),
            (2, 1e-4.into(), 0.5),
            (3, 0.01.into(), 0.5),
        ] {
            let horizontal = Horizontal::new(&specification, setting);
            let share = horizontal.axis.share(horizontal.at(&value)).unwrap();
            assert!((share - expected).abs() < 1e-9, "{setting}: {share}");
        }
    }

    #[test]
    fn the_best_is_darkest() {
        let shading = Shading { best: 0.5, worst: 1.5 };
        assert_eq!(
            [0.5, 1.0, 1.5, 9.0].map(|value| shading.share(value)),
            [1.0, 0.5, 0.0, 0.0]
        );
        let higher = Shading { best: 0.9, worst: 0.1 };
        assert_eq!((higher.share(0.9), higher.share(0.1)), (1.0, 0.0));
    }
}
