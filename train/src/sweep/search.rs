//! Derives the trials of a specification: every point of the grid, for every draw from the ranges.
//!
//! The settings of a trial depend only on its number and the seed, not on the number of trials or earlier results.

use super::axis::{Range, Scale, show};
use super::setting_table::{from_table, to_table};
use super::specification::{Specification, SpecificationError, refuse};
use crate::models::Monitor;
use crate::settings::RunConfig;
use rand::RngExt;
use shared::runtime::rng::{Purpose, stream};
use std::num::NonZeroUsize;
use toml::{Table, Value};

/// More is probably a mistake: 10,000 trials of an hour take over a year.
const MOST_TRIALS: usize = 10_000;

#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    pub number: usize,
    /// The varied settings, in the order of [`Specification::names`].
    pub values: Vec<(String, Value)>,
    /// All settings, resolved and checked. Fields that depend on the data set are empty.
    pub config: RunConfig,
    /// All settings in the form that `fit --config` reads.
    pub settings: Table,
}

impl Trial {
    /// The varied settings: `weight_decay = 1e-5, dropout = 0.3`.
    pub fn describe(&self) -> String {
        describe(&self.values)
    }
}

fn describe(values: &[(String, Value)]) -> String {
    let parts: Vec<_> = values
        .iter()
        .map(|(name, value)| format!("{name} = {}", show(value)))
        .collect();
    parts.join(", ")
}

/// All trials. The last grid setting changes fastest, and each draw is combined with the whole grid.
pub fn trials(specification: &Specification) -> Result<Vec<Trial>, SpecificationError> {
    specification.validate()?;
    let points = specification
        .grid
        .iter()
        .try_fold(1_usize, |points, axis| points.checked_mul(axis.values.len()));
    let draws = specification.random.map_or(1, NonZeroUsize::get);
    let count = points
        .and_then(|points| points.checked_mul(draws))
        .filter(|&count| count <= MOST_TRIALS);
    let (Some(count), Some(points)) = (count, points) else {
        return Err(refuse(format!(
            "there would be more than {MOST_TRIALS} trials; give fewer values or draws"
        )));
    };
    let fixed = to_table(&specification.settings);
    let seed = specification.settings.seed.unwrap_or(0);
    let trial = |number: usize| {
        let values: Vec<_> = point(specification, number % points)
            .into_iter()
            .chain(draw(&specification.ranges, seed, (number / points) as u64))
            .collect();
        let mut settings = fixed.clone();
        settings.extend(values.iter().cloned());
        let refused = |detail: String| refuse(format!("trial {number} ({}): {detail}", describe(&values)));
        let typed = from_table(settings.clone()).map_err(refused)?;
        let config = typed.resolve().map_err(|error| refused(error.to_string()))?;
        config.check_beginning().map_err(|error| refused(error.to_string()))?;
        Ok(Trial {
            number,
            values,
            config,
            settings,
        })
    };
    (0..count).map(trial).collect()
}

/// The metric that ranks the trials.
pub fn monitor(trials: &[Trial]) -> Result<Monitor, SpecificationError> {
    let mut monitors = trials.iter().map(|trial| trial.config.monitor);
    let first = monitors.next().expect("a specification has at least one trial");
    if monitors.any(|monitor| monitor != first) {
        let sentence = "the models monitor different metrics, so trials cannot be ranked; choose one with --monitor";
        return Err(refuse(sentence));
    }
    Ok(first)
}

fn point(specification: &Specification, mut number: usize) -> Vec<(String, Value)> {
    let mut values = Vec::new();
    for axis in specification.grid.iter().rev() {
        let count = axis.values.len();
        values.push((axis.name.clone(), axis.values[number % count].clone()));
        number /= count;
    }
    values.reverse();
    values
}

fn draw(ranges: &[Range], seed: u64, number: u64) -> Vec<(String, Value)> {
    let mut stream = stream(seed, 0, number, Purpose::Search);
    // One random number per setting, so a setting does not depend on how another one is drawn.
    let mut value = |range: &Range| (range.name.clone(), at(range, stream.random()));
    ranges.iter().map(&mut value).collect()
}

/// The value at a fraction (0 inclusive to 1 exclusive) of the range.
fn at(range: &Range, share: f64) -> Value {
    let Range { low, high, whole, .. } = *range;
    // The highest whole number must be as likely as the others.
    let end = if whole { high + 1.0 } else { high };
    let value = match range.scale {
        Scale::Linear => low + (end - low) * share,
        Scale::Log => (low.ln() + (end.ln() - low.ln()) * share).exp(),
    };
    if whole {
        Value::Integer(value.floor().clamp(low, high) as i64)
    } else {
        Value::Float(rounded(value).clamp(low, high))
    }
}

/// Rounds to four significant digits, so tables are readable.
fn rounded(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::super::testing::specification;
    use super::*;

    #[test]
    fn grid_has_all_combinations() {
        let trials = trials(&specification(
            &["weight_decay=0.0,1e-4", "dropout=0.1,0.2,0.3"],
            &[],
            0,
        ))
        .unwrap();
        let described: Vec<_> = trials.iter().map(Trial::describe).collect();
        assert_eq!(described.len(), 6);
        assert_eq!(described[0], "weight_decay = 0, dropout = 0.1");
        assert_eq!(described[4], "weight_decay = 1e-4, dropout = 0.2");
        assert_eq!((trials[4].config.weight_decay, trials[4].config.dropout), (1e-4, 0.2));
        assert_eq!(
            (trials[4].number, trials[4].settings["dropout"].as_float()),
            (4, Some(0.2))
        );
        assert_eq!(monitor(&trials), Ok(Monitor::Loss));
    }

    #[test]
    fn trials_do_not_depend_on_the_number_of_draws() {
        let ranges = ["lr=1e-5..1e-2:log", "dropout=0.1..0.6", "batch_size=4..64:log"];
        let few = trials(&specification(&[], &ranges, 3)).unwrap();
        let many = trials(&specification(&[], &ranges, 40)).unwrap();
        assert_eq!(few[..], many[..3]);
        let mut other = specification(&[], &ranges, 3);
        other.settings.seed = Some(1);
        assert_ne!(trials(&other).unwrap()[0].values, few[0].values);
        // Each draw is combined with the whole grid.
        let both = trials(&specification(&["balance=none,oversample"], &ranges, 3)).unwrap();
        assert_eq!(both.len(), 6);
        assert_eq!(
            (&both[2].values[1..], &both[3].values[1..]),
            (&few[1].values[..], &few[1].values[..])
        );
    }

    #[test]
    fn draws_are_uniform_on_their_scale() {
        let ranges = [
            "lr=1e-5..1e-1:log",
            "dropout=0.2..0.6",
            "batch_size=1..4",
            "patience=1..100:log",
        ];
        let trials = trials(&specification(&[], &ranges, 4000)).unwrap();
        let share = |is: &dyn Fn(&RunConfig) -> bool| {
            trials.iter().filter(|trial| is(&trial.config)).count() as f64 / trials.len() as f64
        };
        // A fraction of 4,000 draws has a standard deviation of at most 0.008.
        for (found, expected) in [
            (share(&|config| config.lr < 1e-4), 0.25),
            (share(&|config| config.lr < 1e-3), 0.5),
            (share(&|config| config.dropout < 0.3), 0.25),
            (share(&|config| config.batch_size == 1), 0.25),
            (share(&|config| config.batch_size == 4), 0.25),
            (share(&|config| config.patience < 10), 10_f64.ln() / 101_f64.ln()),
        ] {
            assert!((found - expected).abs() < 0.03, "{found} {expected}");
        }
        assert!(trials.iter().all(|trial| (1e-5..=1e-1).contains(&trial.config.lr)));
        assert!(trials.iter().all(|trial| (1..=100).contains(&trial.config.patience)));
    }

    #[test]
    fn rounding_stays_within_narrow_ranges() {
        let range: Range = "lr=0.1234567..0.1234568".parse().unwrap();
        for share in [0.0, 0.5, 0.999] {
            let value = at(&range, share).as_float().unwrap();
            assert!((0.1234567..=0.1234568).contains(&value), "{value}");
        }
    }

    #[test]
    fn invalid_trials_are_refused_with_their_number() {
        let error = trials(&specification(&["dropout=0.5,1.5"], &[], 0))
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("trial 1 (dropout = 1.5): --dropout must be"),
            "{error}"
        );
        let error = trials(&specification(&["seed=1,2"], &["lr=1e-4..1e-2"], 9999)).unwrap_err();
        assert!(error.to_string().contains("more than 10000 trials"), "{error}");
    }
}
