//! The row of a set of runs.

use super::row::{Facts, Metric, RunFacts, last_written};
use super::state::State;
use crate::report::html::REPORT_FILE;
use crate::run::directory::{RunDirectory, RunError};
use crate::run::set::RunSet;
use serde::Deserialize;
use shared::dataset::split::Set;
use shared::runtime::file_error::FileError;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

/// The fields of `seeds.json` and `folds.json` that are used here.
#[derive(Deserialize)]
struct Evaluated {
    intervals: Vec<Estimate>,
}

#[derive(Deserialize)]
struct Estimate {
    name: String,
    /// `None` if undefined.
    mean: Option<f64>,
    interval: Option<[f64; 2]>,
}

/// Reads a set. Runs that were not begun yet have no facts.
pub(super) fn read(root: &Path, set: &RunSet) -> Result<Facts, RunError> {
    let members = set.members(root);
    let begun = members.iter().filter(|member| RunDirectory::is_at(&member.path));
    let runs = begun
        .map(|member| RunFacts::read(&member.path))
        .collect::<Result<Vec<_>, _>>()?;
    let states: Vec<State> = runs.iter().map(|run| run.state.clone()).collect();
    let vals: Vec<&Metric> = runs.iter().filter_map(|run| run.val.as_ref()).collect();
    let mean = vals.iter().map(|metric| metric.value).sum::<f64>() / vals.len() as f64;
    Ok(Facts {
        model: set.settings.model_name(),
        data: set.settings.data.to_string_lossy().into_owned(),
        split: set.settings.split.clone(),
        members: Some(set.describe()),
        state: State::of_set(root, &states, members.len()),
        val: vals.first().map(|first| Metric {
            value: mean,
            ..(*first).clone()
        }),
        test: tested(root, set)?,
        has_page: root.join(REPORT_FILE).is_file(),
    })
}

fn tested(root: &Path, set: &RunSet) -> Result<Option<Metric>, RunError> {
    let path = root.join(set.metrics_file());
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(RunError::File(FileError { path, source })),
    };
    let sets: BTreeMap<String, Evaluated> = serde_json::from_slice(&bytes).map_err(|error| RunError::Damaged {
        path,
        detail: error.to_string(),
    })?;
    let main = sets.get(Set::Test.name()).and_then(|test| test.intervals.first());
    Ok(main.and_then(|estimate| {
        Some(Metric {
            metric: estimate.name.clone(),
            value: estimate.mean?,
            interval: estimate.interval,
        })
    }))
}

/// When files of a run, or of any run of a set, were last written.
pub(super) fn changed(root: &Path) -> Option<SystemTime> {
    let set = RunSet::open(root).ok().flatten();
    let members = set.map_or_else(Vec::new, |set| set.members(root));
    let members = members.iter().filter_map(|member| last_written(&member.path));
    members.chain(last_written(root)).max()
}
