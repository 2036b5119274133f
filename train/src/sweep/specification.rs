//! What a sweep does: the settings that stay, those that vary, and how trials are thinned out. `sweep.toml`.
//!
//! The command line's parts enter; a specification whose names and types are known to be right leaves. It is saved before
//! the first trial begins, and a sweep goes on only with the one that it was begun with.

use super::axis::{GridAxis, Number, Range, show};
use crate::config::{InvalidSetting, Settings};
use serde::{Deserialize, Serialize};
use std::num::NonZeroUsize;
use toml::{Table, Value};

/// The specification of a sweep.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Specification {
    /// The data set's checksum when the sweep began, so that all trials see the same tracks.
    #[serde(default)]
    pub data_checksum: String,
    /// How many draws of the ranges are tried.
    #[serde(default)]
    pub random: Option<NonZeroUsize>,
    /// Of how many trials one goes on after each rung of successive halving; none where every trial is trained to its end.
    #[serde(default)]
    pub halving: Option<usize>,
    /// Settings that all trials have.
    pub settings: Settings,
    /// Settings of which every value is tried.
    #[serde(default)]
    pub grid: Vec<GridAxis>,
    /// Settings that are drawn.
    #[serde(default)]
    pub ranges: Vec<Range>,
}

/// A specification that cannot be followed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SpecificationError {
    /// Nothing varies.
    #[error(
        "nothing is varied: give values with --grid NAME=V1,V2 or draw them with --random N --range NAME=LOW..HIGH"
    )]
    NothingVaries,
    /// A name that is no setting's.
    #[error("`{name}` is no setting of `fit`{}", nearest.as_ref().map_or(String::new(), |name| format!("; is `{name}` meant?")))]
    UnknownName {
        /// The name.
        name: String,
        /// A setting that is written almost so.
        nearest: Option<String>,
    },
    /// A setting that stays the same in all trials, or they could not be compared.
    #[error("{name} cannot be varied: {reason}")]
    NotVaried {
        /// The setting.
        name: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// Named in two places.
    #[error("{name} is given twice: a setting is fixed, in one --grid or in one --range")]
    Twice {
        /// The setting.
        name: String,
    },
    /// A value that the setting cannot have.
    #[error("{name} cannot be {value}: {detail}")]
    Value {
        /// The setting.
        name: String,
        /// The value.
        value: String,
        /// What its type refuses.
        detail: String,
    },
    /// A range of a setting that is no number.
    #[error("{name} cannot be drawn from {range}: {reason}")]
    Range {
        /// The setting.
        name: String,
        /// The range.
        range: String,
        /// Why.
        reason: &'static str,
    },
    /// `--range` without `--random`, or the other way round.
    #[error("--random and --range need each other: the one says how many draws, the other of what")]
    HalfRandom,
    /// A factor of halving that leaves nothing out.
    #[error("--halving must be at least 2, not {0}: one of so many trials goes on after each rung")]
    Halving(usize),
    /// Halving with too few trials or epochs.
    #[error("--halving {factor} needs at least {factor} trials and {factor} epochs; there are {trials} and {epochs}")]
    NothingToHalve {
        /// The factor.
        factor: usize,
        /// Trials.
        trials: usize,
        /// Epochs of each.
        epochs: usize,
    },
    /// Halving of trials with different numbers of epochs.
    #[error("--halving needs the same number of epochs for all trials; name one with --epochs")]
    UnequalEpochs,
    /// Trials that are ranked by different figures.
    #[error("the models watch different figures, by which trials cannot be ranked; name one with --monitor")]
    UnequalMonitors,
    /// More trials than anybody can mean.
    #[error("there would be more than {most} trials; try fewer values")]
    TooMany {
        /// The limit.
        most: usize,
    },
    /// A trial's settings contradict each other.
    #[error("trial {number} ({settings}): {source}")]
    Trial {
        /// The trial.
        number: usize,
        /// What it varies.
        settings: String,
        /// What is wrong.
        source: InvalidSetting,
    },
}

/// What is the same for all trials, or they could not be compared.
const NOT_VARIED: [(&str, &str); 2] = [
    ("data", "figures of different tracks cannot be compared"),
    ("monitor", "trials are ranked by it"),
];

/// Settings that change no figure, and may be others when a sweep goes on.
const FREE: [&str; 5] = ["cache", "checkpoint_every", "loader_threads", "prefetch", "tensorboard"];

impl Specification {
    /// What varies, in the order in which tables show it.
    pub fn names(&self) -> Vec<&str> {
        let (grid, ranges) = (
            self.grid.iter().map(|axis| &axis.name),
            self.ranges.iter().map(|range| &range.name),
        );
        grid.chain(ranges).map(String::as_str).collect()
    }

    /// Checks names and types. What values mean together is checked trial by trial.
    pub fn validate(&self) -> Result<(), SpecificationError> {
        let names = self.names();
        if names.is_empty() {
            return Err(SpecificationError::NothingVaries);
        }
        if self.random.is_some() == self.ranges.is_empty() {
            return Err(SpecificationError::HalfRandom);
        }
        if let Some(factor) = self.halving.filter(|&factor| factor < 2) {
            return Err(SpecificationError::Halving(factor));
        }
        let fixed = to_table(&self.settings);
        for (at, &name) in names.iter().enumerate() {
            check_name(name)?;
            if names[..at].contains(&name) || fixed.contains_key(name) {
                return Err(SpecificationError::Twice { name: name.to_owned() });
            }
        }
        for axis in &self.grid {
            axis.values
                .iter()
                .try_for_each(|value| check_value(&axis.name, value))?;
        }
        self.ranges.iter().try_for_each(check_range)
    }

    /// What the command line leaves unsaid, as it was when the sweep began.
    pub fn or(self, begun: &Self) -> Self {
        let named = |name: &str| self.names().contains(&name);
        let mut settings = to_table(&begun.settings);
        settings.retain(|name, _| !named(name));
        let says_nothing = self.grid.is_empty() && self.ranges.is_empty();
        Self {
            data_checksum: begun.data_checksum.clone(),
            random: self.random.or(begun.random.filter(|_| says_nothing)),
            halving: self.halving.or(begun.halving.filter(|_| says_nothing)),
            settings: self.settings.or(from_table(settings).unwrap_or_default()),
            grid: if says_nothing { begun.grid.clone() } else { self.grid },
            ranges: if says_nothing {
                begun.ranges.clone()
            } else {
                self.ranges
            },
        }
    }

    /// The first thing that a sweep may not go on with, as a sentence. Settings that change nothing but speed may be
    /// others, and more draws may be asked for where no trial's end depends on how many there are.
    pub fn difference(&self, begun: &Self) -> Option<String> {
        let (grid, ranges) = (|of: &Self| list(&of.grid), |of: &Self| list(&of.ranges));
        let count = |number: Option<usize>| number.map_or("none".into(), |number| number.to_string());
        let random = |of: &Self| count(of.random.map(NonZeroUsize::get));
        let mut parts = vec![
            ("--grid".to_owned(), grid(self), grid(begun)),
            ("--range".into(), ranges(self), ranges(begun)),
            ("--halving".into(), count(self.halving), count(begun.halving)),
        ];
        if self.random < begun.random || self.halving.is_some() {
            parts.push(("--random".into(), random(self), random(begun)));
        }
        let (now, then) = (to_table(&self.settings), to_table(&begun.settings));
        let mut names: Vec<_> = now
            .keys()
            .chain(then.keys())
            .filter(|name| !FREE.contains(&name.as_str()))
            .collect();
        names.sort();
        names.dedup();
        let value = |of: &Table, name: &str| of.get(name).map_or("its default".into(), show);
        parts.extend(
            names
                .into_iter()
                .map(|name| (name.clone(), value(&now, name), value(&then, name))),
        );
        let (name, now, then) = parts.into_iter().find(|(_, now, then)| now != then)?;
        Some(format!("{name} was {then} and is {now} now"))
    }
}

fn list<T: ToString>(items: &[T]) -> String {
    match items {
        [] => "none".into(),
        items => items.iter().map(T::to_string).collect::<Vec<_>>().join(" "),
    }
}

/// Settings as a table, without those that say nothing.
pub fn to_table(settings: &Settings) -> Table {
    // By way of text, in which an f32 has its own few digits; as a double it would have those of its binary value.
    let text = toml::to_string(settings).expect("plain settings always serialize");
    text.parse().expect("what was serialized is TOML")
}

/// The other way round. The error says which value is wrong.
pub fn from_table(table: Table) -> Result<Settings, String> {
    table
        .try_into()
        .map_err(|error: toml::de::Error| error.message().to_owned())
}

fn check_name(name: &str) -> Result<(), SpecificationError> {
    let names = Settings::names();
    if !names.iter().any(|known| known == name) {
        /// Similar enough to be a slip of the keyboard, as clap sees it for flags.
        const SIMILAR: f64 = 0.7;
        let similarity = |known: &String| strsim::jaro(known, name);
        let nearest = names.into_iter().filter(|known| similarity(known) > SIMILAR);
        return Err(SpecificationError::UnknownName {
            name: name.to_owned(),
            nearest: nearest.max_by(|one, other| similarity(one).total_cmp(&similarity(other))),
        });
    }
    match NOT_VARIED.into_iter().find(|(known, _)| *known == name) {
        Some((name, reason)) => Err(SpecificationError::NotVaried { name, reason }),
        None => Ok(()),
    }
}

fn accepts(name: &str, value: &Value) -> Result<(), String> {
    from_table(Table::from_iter([(name.to_owned(), value.clone())])).map(drop)
}

fn check_value(name: &str, value: &Value) -> Result<(), SpecificationError> {
    accepts(name, value).map_err(|detail| SpecificationError::Value {
        name: name.to_owned(),
        value: show(value),
        detail,
    })
}

/// Whether the setting takes numbers with a fraction.
pub fn takes_fractions(name: &str) -> bool {
    accepts(name, &Value::Float(0.5)).is_ok()
}

fn check_range(range: &Range) -> Result<(), SpecificationError> {
    let refuse = |reason| SpecificationError::Range {
        name: range.name.clone(),
        range: format!("{}..{}", range.low, range.high),
        reason,
    };
    if takes_fractions(&range.name) {
        return Ok(());
    }
    let ends = [range.low, range.high];
    if accepts(&range.name, &Value::Integer(1)).is_err() {
        return Err(refuse("it is no number; list its values with --grid"));
    }
    let whole =
        |end: Number| matches!(end, Number::Integer(number) if accepts(&range.name, &Value::Integer(number)).is_ok());
    if !ends.into_iter().all(whole) {
        return Err(refuse("its values are whole numbers, none below 0"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::axis::Scale;
    use super::*;
    use crate::models::ModelKind;
    use proptest::prelude::*;

    fn specification(grid: &[&str], ranges: &[&str]) -> Specification {
        Specification {
            random: NonZeroUsize::new(ranges.len() * 4),
            settings: Settings {
                data: Some("fma".into()),
                model: Some(ModelKind::Crnn),
                weight_decay: Some(1e-5),
                ..Settings::default()
            },
            grid: grid.iter().map(|text| text.parse().unwrap()).collect(),
            ranges: ranges.iter().map(|text| text.parse().unwrap()).collect(),
            ..Specification::default()
        }
    }

    fn refused(grid: &[&str], ranges: &[&str]) -> String {
        specification(grid, ranges).validate().unwrap_err().to_string()
    }

    #[test]
    fn every_setting_but_two_can_be_varied_and_no_other_name() {
        specification(
            &["dropout=0.1,0.2", "balance=none,oversample"],
            &["lr=1e-5..1e-2:log", "batch_size=4..64"],
        )
        .validate()
        .unwrap();
        assert_eq!(
            refused(&["drop_out=1"], &[]),
            "`drop_out` is no setting of `fit`; is `dropout` meant?"
        );
        assert!(refused(&["weight-decay=1"], &[]).contains("is `weight_decay` meant?"));
        assert_eq!(refused(&["zzz=1"], &[]), "`zzz` is no setting of `fit`");
        assert!(refused(&["data=a,b"], &[]).contains("cannot be compared"));
        assert!(refused(&["monitor=loss,accuracy"], &[]).contains("ranked"));
        assert!(refused(&["dropout=0.1", "dropout=0.2"], &[]).contains("twice"));
        assert!(refused(&["dropout=0.1"], &["dropout=0..1"]).contains("twice"));
        assert!(refused(&["weight_decay=0.1"], &[]).contains("twice"));
        assert!(refused(&[], &[]).contains("--grid"));
    }

    #[test]
    fn values_have_the_type_of_their_setting() {
        assert!(refused(&["dropout=0.1,much"], &[]).starts_with("dropout cannot be much: "));
        assert!(refused(&["batch_size=0.5"], &[]).starts_with("batch_size cannot be 0.5: "));
        assert!(refused(&["batch_size=-1"], &[]).starts_with("batch_size cannot be -1: "));
        assert!(refused(&["balance=evenly"], &[]).contains("evenly"));
        assert!(refused(&[], &["balance=0..1"]).contains("--grid"));
        assert!(refused(&[], &["batch_size=0.5..8"]).contains("whole numbers"));
        assert!(refused(&[], &["batch_size=-4..8"]).contains("none below 0"));
        assert!(takes_fractions("dropout") && !takes_fractions("epochs"));
    }

    #[test]
    fn draws_and_ranges_need_each_other_and_halving_a_factor() {
        let base = specification(&["dropout=0.1"], &[]);
        let random = NonZeroUsize::new(3);
        let wrong = Specification { random, ..base.clone() };
        assert_eq!(wrong.validate(), Err(SpecificationError::HalfRandom));
        let wrong = Specification {
            random: None,
            ..specification(&[], &["lr=1e-3..1"])
        };
        assert_eq!(wrong.validate(), Err(SpecificationError::HalfRandom));
        let wrong = Specification {
            halving: Some(1),
            ..base
        };
        assert_eq!(wrong.validate(), Err(SpecificationError::Halving(1)));
    }

    #[test]
    fn a_sweep_goes_on_with_what_it_was_begun_with() {
        let begun = specification(&["dropout=0.1,0.2"], &[]);
        // Nothing said again, everything, or something that changes speed only.
        let silent = Specification::default().or(&begun);
        assert_eq!((&silent, silent.difference(&begun)), (&begun, None));
        assert_eq!(begun.clone().or(&begun).difference(&begun), None);
        let mut faster = Specification::default();
        faster.settings.loader_threads = Some(7);
        let faster = faster.or(&begun);
        assert_eq!(
            (faster.difference(&begun), faster.settings.loader_threads),
            (None, Some(7))
        );
        let mut other = Specification::default();
        other.settings.lr = Some(0.5);
        let said = other.or(&begun).difference(&begun).unwrap();
        assert_eq!(said, "lr was its default and is 0.5 now");
        let other = specification(&["dropout=0.1,0.3"], &[]).or(&begun);
        assert_eq!(
            other.difference(&begun).unwrap(),
            "--grid was dropout=0.1,0.2 and is dropout=0.1,0.3 now"
        );
        let other = Specification {
            halving: Some(2),
            ..Specification::default()
        }
        .or(&begun);
        assert_eq!(other.difference(&begun).unwrap(), "--halving was none and is 2 now");
        // A setting that was fixed and is varied now is not both.
        let other = specification(&["dropout=0.1,0.2", "seed=1,2"], &[]).or(&Specification {
            settings: Settings {
                seed: Some(3),
                ..begun.settings.clone()
            },
            ..begun.clone()
        });
        assert_eq!(other.settings.seed, None);
    }

    #[test]
    fn more_draws_may_be_asked_for_unless_they_are_thinned_out() {
        let begun = specification(&[], &["lr=1e-5..1e-2:log"]);
        let with = |random, halving| Specification {
            random: NonZeroUsize::new(random),
            halving,
            ..begun.clone()
        };
        assert_eq!(with(9, None).difference(&begun), None);
        assert_eq!(with(2, None).difference(&begun).unwrap(), "--random was 4 and is 2 now");
        assert!(with(9, Some(2)).difference(&with(4, Some(2))).is_some());
    }

    proptest! {
        #[test]
        fn a_specification_is_read_back_from_toml(
            grid in prop::collection::vec(("[a-z_]{1,8}", prop::collection::vec(-1e3..1e3, 1..4)), 0..3),
            ranges in prop::collection::vec(("[a-z_]{1,8}", -1e3..1e3, 0..50_i64, any::<bool>()), 0..3),
            random in prop::option::of(1..100_usize), halving in prop::option::of(2..9_usize),
            lr in 1e-9..1.0, weight_decay in prop::num::f32::POSITIVE,
            words in prop::collection::vec("\\PC{0,8}", 1..3),
        ) {
            let axis = |(name, values): (String, Vec<f64>)| GridAxis { name, values: values.into_iter().map(Value::Float).collect() };
            let mut grid: Vec<_> = grid.into_iter().map(axis).collect();
            grid.push(GridAxis { name: "words".into(), values: words.into_iter().map(Value::String).collect() });
            let specification = Specification {
                data_checksum: "abc".into(),
                random: random.and_then(NonZeroUsize::new),
                halving,
                settings: Settings { lr: Some(lr), weight_decay: Some(weight_decay), ..specification(&[], &[]).settings },
                grid,
                ranges: ranges.into_iter().map(|(name, low, high, log)| Range {
                    name, low: Number::Float(low), high: Number::Integer(high),
                    scale: if log { Scale::Log } else { Scale::Linear },
                }).collect(),
            };
            let text = toml::to_string(&specification).unwrap();
            prop_assert_eq!(&toml::from_str::<Specification>(&text).unwrap(), &specification);
            prop_assert_eq!(from_table(to_table(&specification.settings)).unwrap(), specification.settings);
        }
    }
}
