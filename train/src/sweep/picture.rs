//! `heat_map.svg`: the monitored metric of a sweep's trials.
//!
//! A grid of two or more settings is drawn as heat maps of the first two, one for each combination of the others. A
//! single setting, or draws, are drawn as scatter plots: one per setting, with a point per trial.

use super::axis::{Scale, show};
use super::schedule::State;
use super::specification::Specification;
use super::table::Results;
use shared::page::{Axis, Chart, Heat, HeatCell, Plot, Point, Series, Shape, Style, file};
use toml::Value;

/// With more heat maps than this, scatter plots are drawn instead.
const MOST_MAPS: usize = 24;
/// Listed values with a larger ratio are drawn on a logarithmic axis.
const WIDE: f64 = 30.0;

/// `None` if no trial has been evaluated yet.
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

/// Rows are the values of the first setting, columns those of the second.
fn heat_map(specification: &Specification, results: &Results<'_>, map: usize, maps: usize) -> Chart {
    let grid = &specification.grid;
    let names = |axis: usize| -> Vec<String> { grid[axis].values.iter().map(show).collect() };
    let (shading, best) = (Shading::new(results), results.ranked().first().copied());
    // The settings that are constant within a map.
    let fixed = results.trials[map].values.iter().skip(2);
    let fixed: Vec<String> = fixed.map(|(name, value)| format!("{name} = {}", show(value))).collect();
    let legend = "darker is better; the best trial is framed".to_owned();
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
            // Dropped trials were trained for fewer epochs than the others.
            note: last.map_or(String::new(), |last| {
                format!("{} {}", last.epochs, if last.epochs == 1 { "epoch" } else { "epochs" })
            }),
            title: format!("trial {trial}: {}", results.trials[trial].describe()),
            framed: best == Some(trial),
        }
    };
    Heat {
        title: metric(results),
        subtitle: fixed.into_iter().chain([legend]).collect::<Vec<_>>().join("; "),
        row_name: grid[0].name.clone(),
        column_name: grid[1].name.clone(),
        rows: names(0),
        columns: names(1),
        cells: (0..grid[0].values.len() * grid[1].values.len()).map(cell).collect(),
    }
    .draw()
}

/// A scatter plot of the metric over one setting.
fn points(specification: &Specification, results: &Results<'_>, evaluated: &[(usize, f64)], setting: usize) -> Chart {
    let best = results.ranked().first().copied();
    let horizontal = Horizontal::new(specification, setting);
    let series = |name: &str, style: Style, kind: &dyn Fn(usize) -> bool| {
        let selected = evaluated.iter().filter(|(trial, _)| kind(*trial));
        let point = |&(trial, value): &(usize, f64)| Point {
            at: [horizontal.at(&results.trials[trial].values[setting].1), value],
            link: String::new(),
            title: format!("trial {trial} ({}): {value:.4}", results.trials[trial].describe()),
        };
        Series {
            name: name.into(),
            style,
            shape: Shape::Points(selected.map(point).collect()),
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

/// The horizontal axis of a setting: linear or logarithmic for numbers, categorical for words.
struct Horizontal {
    axis: Axis,
    words: Vec<String>,
}

impl Horizontal {
    /// `setting` is an index into [`Specification::names`].
    fn new(specification: &Specification, setting: usize) -> Self {
        let name = specification.names()[setting];
        let scaled = |scale: Scale, low: f64, high: f64| match scale {
            Scale::Log => Axis::log(name, low, high),
            Scale::Linear => Axis::linear(name, low, high),
        };
        let numeric = |axis: Axis| Self {
            axis,
            words: Vec::new(),
        };
        let Some(grid) = specification.grid.get(setting) else {
            let range = &specification.ranges[setting - specification.grid.len()];
            return numeric(scaled(range.scale, range.low, range.high));
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
        // A margin on both sides, so no point is on an edge.
        numeric(if low > 0.0 && high / low > WIDE {
            scaled(Scale::Log, low / 2.0, 2.0 * high)
        } else {
            let room = 0.06 * (high - low);
            scaled(Scale::Linear, low - room, high + room)
        })
    }

    /// Position of a value on the axis.
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

/// The range of values for shading: from the best to the worst, but at most three times the distance from best to
/// median, so an outlier does not make all other trials look alike.
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
    fn heat_map_shows_values_and_failures() {
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
    fn each_value_of_a_third_setting_has_a_heat_map() {
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
    fn single_settings_and_draws_are_scatter_plots() {
        let losses = [Some(0.75), Some(0.5), None];
        for (grid, ranges, panels) in [
            (&["lr=1e-5,1e-4,0.1"][..], &[][..], 1),
            (&["balance=none,oversample,undersample"], &[], 1),
            (&[], &["lr=1e-5..1e-1:log", "batch_size=4..64"], 2),
        ] {
            let svg = picture(grid, ranges, &losses).unwrap();
            // Two trials and two legend entries per plot.
            assert_eq!(
                svg.matches("<path class=\"sign").count(),
                4 * panels,
                "{grid:?} {ranges:?}"
            );
            assert_eq!(svg.matches("): 0.5000</title>").count(), panels);
        }
    }

    #[test]
    fn axes_are_linear_logarithmic_or_categorical() {
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
    fn the_best_value_is_darkest() {
        let shading = Shading { best: 0.5, worst: 1.5 };
        assert_eq!(
            [0.5, 1.0, 1.5, 9.0].map(|value| shading.share(value)),
            [1.0, 0.5, 0.0, 0.0]
        );
        let higher = Shading { best: 0.9, worst: 0.1 };
        assert_eq!((higher.share(0.9), higher.share(0.1)), (1.0, 0.0));
    }
}
