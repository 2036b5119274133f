//! Creates one split.

use super::divided::{Description, Published, divide};
use super::gained::GainedTracks;
use super::ratios::Ratios;
use super::strategy::{Method, Strategy};
use super::warnings;
use shared::dataset::split::Split;
use std::path::PathBuf;
#[derive(Clone, Debug, PartialEq)]
pub struct SplitConfig {
    pub dataset: PathBuf,
    /// The split's name; by default `<strategy>-<seed>`.
    pub name: Option<String>,
    pub strategy: Strategy,
}

#[derive(Clone, Debug)]
pub struct SplitReport {
    pub split: Split,
    /// Whether the split existed before.
    pub existed: bool,
    /// Tracks that the previous current split lacks.
    pub gained: Option<GainedTracks>,
    /// Warnings, for example about classes that a set lacks.
    pub warnings: Vec<String>,
}

/// Creates a split and makes it the current one.
pub fn make(config: &SplitConfig) -> anyhow::Result<SplitReport> {
    divide(&config.dataset, |dataset| {
        let strategy = &config.strategy;
        let sets = strategy
            .assign(&dataset.tracks)
            .map_err(|reason| dataset.division_error(&reason))?;
        let (method, ratios, seed) = match *strategy {
            Strategy::Drawn { method, ratios, seed } => (Some(method), Some(ratios), Some(seed)),
            Strategy::Official => (None, None, None),
        };
        let description = Description {
            name: dataset.name(config.name.as_ref(), strategy.default_name()),
            strategy: strategy.name().into(),
            group_by: method.and_then(Method::group_by).map(|by| by.name().into()),
            ratios: ratios.map(Ratios::shares),
            seed,
            fold: None,
        };
        let split = dataset.split(description, &sets)?;
        let Published { existed, gained } = dataset.publish(std::slice::from_ref(&split))?;
        Ok(SplitReport {
            warnings: warnings::for_split(dataset, strategy, &split),
            split,
            existed,
            gained,
        })
    })
}
