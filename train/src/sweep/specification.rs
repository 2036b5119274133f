//! The specification of a sweep, `sweep.toml`: fixed settings, varied settings and successive halving.
//!
//! It is saved before the first trial starts. A sweep can only be continued with the same specification.

use super::axis::{GridAxis, Range, show};
use super::setting_table::{from_table, to_table};
use crate::settings::Settings;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::num::NonZeroUsize;

/// The specification of a sweep.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Specification {
    /// The data set's checksum at the start, so all trials use the same tracks.
    #[serde(default)]
    pub data_checksum: String,
    /// Number of draws from the ranges.
    #[serde(default)]
    pub random: Option<NonZeroUsize>,
    /// Factor of successive halving: one in this many trials continues after each rung. `None` trains every trial
    /// fully.
    #[serde(default)]
    pub halving: Option<usize>,
    /// Settings with lists of values; all combinations are tried.
    #[serde(default)]
    pub grid: Vec<GridAxis>,
    #[serde(default)]
    pub ranges: Vec<Range>,
    /// Settings shared by all trials.
    pub settings: Settings,
}

/// Why a specification is invalid.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct SpecificationError(pub(super) String);

pub(super) fn refuse(sentence: impl Into<String>) -> SpecificationError {
    SpecificationError(sentence.into())
}

/// Settings that do not affect metrics; they may change when a sweep is continued.
const FREE: [&str; 5] = ["cache", "checkpoint_every", "loader_threads", "prefetch", "tensorboard"];

impl Specification {
    /// Names of the varied settings, in the order of tables.
    pub fn names(&self) -> Vec<&str> {
        let grid = self.grid.iter().map(|axis| &axis.name);
        let ranges = self.ranges.iter().map(|range| &range.name);
        grid.chain(ranges).map(String::as_str).collect()
    }

    /// Checks the specification itself. Combinations of values are checked for each trial.
    pub(super) fn validate(&self) -> Result<(), SpecificationError> {
        let names = self.names();
        if self.random.is_some() == self.ranges.is_empty() {
            let sentence =
                "--random and --range need each other: --random gives the number of draws, --range the values";
            return Err(refuse(sentence));
        }
        if names.is_empty() {
            let sentence = "no setting is varied; give --grid NAME=V1,V2, or --random N and --range NAME=LOW..HIGH";
            return Err(refuse(sentence));
        }
        if let Some(factor) = self.halving.filter(|&factor| factor < 2) {
            return Err(refuse(format!(
                "--halving must be at least 2, not {factor}: one in this many trials continues after each rung"
            )));
        }
        self.settings.check_kept().map_err(|error| refuse(error.to_string()))?;
        let fixed = to_table(&self.settings);
        for (at, &name) in names.iter().enumerate() {
            if names[..at].contains(&name) || fixed.contains_key(name) {
                return Err(refuse(format!(
                    "{name} is given twice; give it once, as a fixed value, with --grid or with --range"
                )));
            }
        }
        Ok(())
    }

    /// This specification, with missing parts taken from the one that the sweep was started with.
    #[must_use]
    pub fn or(self, saved: &Self) -> Self {
        let is_varied = |name: &str| self.names().contains(&name);
        let mut settings = to_table(&saved.settings);
        settings.retain(|name, _| !is_varied(name));
        let varies_nothing = self.grid.is_empty() && self.ranges.is_empty();
        let fallback = if varies_nothing { saved.clone() } else { Self::default() };
        Self {
            data_checksum: saved.data_checksum.clone(),
            random: self.random.or(fallback.random),
            halving: self.halving.or(fallback.halving),
            settings: self.settings.or(from_table(settings).unwrap_or_default()),
            grid: if fallback.grid.is_empty() {
                self.grid
            } else {
                fallback.grid
            },
            ranges: if fallback.ranges.is_empty() {
                self.ranges
            } else {
                fallback.ranges
            },
        }
    }

    /// Makes paths absolute, so the sweep can be continued from any directory.
    ///
    /// # Errors
    /// If there is no current directory, or a path is empty.
    pub fn absolute(self) -> io::Result<Self> {
        let settings = self.settings.absolute()?;
        Ok(Self { settings, ..self })
    }

    /// The first difference that prevents continuing the sweep. Settings that only affect speed may differ, and without
    /// successive halving the number of draws may grow.
    pub fn difference(&self, saved: &Self) -> Option<String> {
        let (mut now, mut then) = (self.parts(), saved.parts());
        if self.random >= saved.random && self.halving.is_none() {
            now.remove("--random");
            then.remove("--random");
        }
        let names: BTreeSet<&String> = now.keys().chain(then.keys()).collect();
        let differs = names.into_iter().find(|name| now.get(*name) != then.get(*name))?;
        let value = |parts: &BTreeMap<String, String>| parts.get(differs).map_or("not given".to_owned(), String::clone);
        Some(format!("{differs} was {} and is {} now", value(&then), value(&now)))
    }

    /// Everything that is given, by name.
    fn parts(&self) -> BTreeMap<String, String> {
        let mut parts: BTreeMap<String, String> = to_table(&self.settings)
            .into_iter()
            .filter(|(name, _)| !FREE.contains(&name.as_str()))
            .map(|(name, value)| (name, show(&value)))
            .collect();
        let grid: Vec<String> = self.grid.iter().map(GridAxis::to_string).collect();
        let ranges: Vec<String> = self.ranges.iter().map(Range::to_string).collect();
        for (name, value) in [
            ("--grid", Some(grid.join(" ")).filter(|grid| !grid.is_empty())),
            ("--range", Some(ranges.join(" ")).filter(|ranges| !ranges.is_empty())),
            ("--halving", self.halving.map(|factor| factor.to_string())),
            ("--random", self.random.map(|draws| draws.to_string())),
        ] {
            parts.extend(value.map(|value| (name.to_owned(), value)));
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use proptest::prelude::*;

    fn specification(grid: &[&str], ranges: &[&str]) -> Specification {
        let mut specification = testing::specification(grid, ranges, ranges.len() * 4);
        specification.settings.weight_decay = Some(1e-5);
        specification
    }

    fn refused(specification: &Specification) -> String {
        specification.validate().unwrap_err().to_string()
    }

    #[test]
    fn a_setting_given_twice_is_refused() {
        let good = specification(&["dropout=0.1,0.2"], &["lr=1e-5..1e-2:log", "batch_size=4..64"]);
        assert_eq!(good.validate(), Ok(()));
        assert!(refused(&specification(&["dropout=0.1", "dropout=0.2"], &[])).contains("twice"));
        assert!(refused(&specification(&["dropout=0.1"], &["dropout=0..1"])).contains("twice"));
        assert!(refused(&specification(&["weight_decay=0.1"], &[])).contains("twice"));
        assert!(refused(&specification(&[], &[])).contains("--grid"));
    }

    #[test]
    fn a_fixed_setting_that_toml_cannot_store_is_refused() {
        let mut specification = specification(&["dropout=0.1,0.2"], &[]);
        specification.settings.seed = Some(u64::MAX);
        let error = refused(&specification);
        assert!(error.starts_with("--seed must be at most 2^53"), "{error}");
    }

    #[test]
    fn draws_need_ranges_and_halving_needs_a_factor() {
        let base = specification(&["dropout=0.1"], &[]);
        let without_ranges = Specification {
            random: NonZeroUsize::new(3),
            ..base.clone()
        };
        let without_draws = Specification {
            random: None,
            ..specification(&[], &["lr=1e-3..1"])
        };
        for wrong in [without_ranges, without_draws] {
            assert!(refused(&wrong).contains("need each other"));
        }
        let halving = Some(1);
        assert!(refused(&Specification { halving, ..base }).contains("at least 2, not 1"));
    }

    #[test]
    fn a_sweep_is_continued_only_with_its_specification() {
        let saved = specification(&["dropout=0.1,0.2"], &[]);
        // Allowed: no settings, the same settings, and other settings that only affect speed.
        let empty = Specification::default().or(&saved);
        assert_eq!((&empty, empty.difference(&saved)), (&saved, None));
        assert_eq!(saved.clone().or(&saved).difference(&saved), None);
        let mut faster = Specification::default();
        faster.settings.loader_threads = Some(7);
        let faster = faster.or(&saved);
        assert_eq!(
            (faster.difference(&saved), faster.settings.loader_threads),
            (None, Some(7))
        );
        let difference = |other: Specification| other.or(&saved).difference(&saved).unwrap();
        let mut other = Specification::default();
        other.settings.lr = Some(0.5);
        assert_eq!(difference(other), "lr was not given and is 0.5 now");
        let other = specification(&["dropout=0.1,0.3"], &[]);
        assert_eq!(
            difference(other),
            "--grid was dropout=0.1,0.2 and is dropout=0.1,0.3 now"
        );
        let other = Specification {
            halving: Some(2),
            ..Specification::default()
        };
        assert_eq!(difference(other), "--halving was not given and is 2 now");
        // A setting that was fixed and is varied now is not kept as fixed.
        let mut with_seed = saved.clone();
        with_seed.settings.seed = Some(3);
        let mut other = specification(&["dropout=0.1,0.2", "seed=1,2"], &[]).or(&with_seed);
        assert_eq!(other.settings.seed.take(), None);
    }

    #[test]
    fn more_draws_are_allowed_without_halving() {
        let saved = specification(&[], &["lr=1e-5..1e-2:log"]);
        let with = |random, halving| Specification {
            random: NonZeroUsize::new(random),
            halving,
            ..saved.clone()
        };
        assert_eq!(with(9, None).difference(&saved), None);
        assert_eq!(with(2, None).difference(&saved).unwrap(), "--random was 4 and is 2 now");
        assert!(with(9, Some(2)).difference(&with(4, Some(2))).is_some());
    }

    proptest! {
        #[test]
        fn a_specification_is_read_back_from_toml(
            random in prop::option::of(1..100_usize), halving in prop::option::of(2..9_usize),
            lr in 1e-9..1.0, weight_decay in prop::num::f32::POSITIVE,
        ) {
            let mut specification = specification(&["dropout=0.1,0.2", "split=\"a b\",c"], &["batch_size=4..64:log"]);
            specification.random = random.and_then(NonZeroUsize::new);
            specification.halving = halving;
            specification.settings.lr = Some(lr);
            specification.settings.weight_decay = Some(weight_decay);
            let text = toml::to_string(&specification).unwrap();
            prop_assert_eq!(&toml::from_str::<Specification>(&text).unwrap(), &specification);
            prop_assert_eq!(from_table(to_table(&specification.settings)).unwrap(), specification.settings);
        }
    }

    #[test]
    fn a_sweep_can_be_continued_from_any_directory() {
        let mut typed = specification(&["model=crnn,vgg16"], &[]);
        typed.settings.background = Some("noise".into());
        let kept = typed.clone().absolute().unwrap();
        for (path, name) in [(&kept.settings.data, "fma"), (&kept.settings.background, "noise")] {
            let path = path.as_deref().unwrap();
            assert!(path.is_absolute() && path.ends_with(name), "{}", path.display());
        }
        assert_eq!(typed.absolute().unwrap().difference(&kept), None);
        assert_eq!(kept.clone().absolute().unwrap(), kept);
    }
}
