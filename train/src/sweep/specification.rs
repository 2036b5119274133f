//! What a sweep does: the settings that stay, those that vary, and how trials are thinned out. `sweep.toml`.
//!
//! The command line's parts enter; a specification whose names and types are known to be right leaves. It is saved before
//! the first trial begins, and a sweep goes on only with the one that it was begun with.

use super::axis::{GridAxis, Number, Range, show};
use crate::settings::{InvalidSetting, LARGEST_INTEGER, Settings};
use serde::{Deserialize, Serialize};
use std::num::NonZeroUsize;
use std::{io, path};
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
    /// A fixed setting that `sweep.toml` cannot keep.
    #[error(transparent)]
    Setting(#[from] InvalidSetting),
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
        r#source: InvalidSetting,
    },
}

/// What is the same for all trials, or they could not be compared.
const NOT_VARIED: [(&str, &str); 2] = [
    ("data", "figures of different tracks cannot be compared"),
    ("monitor", "trials are ranked by it"),
];

/// Settings that change no figure, and may be others when a sweep goes on.
const FREE: [&str; 5] = ["cache", "checkpoint_every", "loader_threads", "prefetch", "tensorboard"];

/// Settings that are paths and can be varied.
const PATHS: [&str; 2] = ["background", "init_from"];

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
        if self.random.is_some() == self.ranges.is_empty() {
            return Err(SpecificationError::HalfRandom);
        }
        if names.is_empty() {
            return Err(SpecificationError::NothingVaries);
        }
        if let Some(factor) = self.halving.filter(|&factor| factor < 2) {
            return Err(SpecificationError::Halving(factor));
        }
        self.settings.check_kept()?;
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

    /// The same sweep wherever it is gone on with: its paths are absolute.
    ///
    /// # Errors
    /// When there is no current directory, or a path is empty.
    pub fn absolute(self) -> io::Result<Self> {
        let settings = self.settings.absolute()?;
        let mut grid = self.grid;
        for axis in grid.iter_mut().filter(|axis| PATHS.contains(&axis.name.as_str())) {
            for value in &mut axis.values {
                // What is no text is refused with its name later.
                if let Value::String(text) = value {
                    *text = path::absolute(&*text)?.to_string_lossy().into_owned();
                }
            }
        }
        Ok(Self { settings, grid, ..self })
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
    let whole = |end: Number| matches!(end, Number::Integer(number) if (0..=LARGEST_INTEGER as i64).contains(&number));
    if !ends.into_iter().all(whole) {
        return Err(refuse("its values are whole numbers from 0 to 2^53"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
