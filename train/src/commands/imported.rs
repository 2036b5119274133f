//! Data sets for imported runs. Such a run has no data set of its own. `train eval` attaches the one that it is
//! evaluated on, with a copy of the split, and replaces it when the run is evaluated on another one.

use crate::data::front_end_record::FrontEndRecord;
use crate::data::run_data::{RunData, current_split};
use crate::process::mapping_fault::FaultWatch;
use crate::report::{self, METRICS_FILE, RunMetrics};
use crate::run::directory::RunDirectory;
use crate::run::split_copy::{self, SPLIT_DIRECTORY};
use crate::settings::RunConfig;
use anyhow::{Context, bail};
use shared::dataset::{Dataset, split};
use std::fs;
use std::path::{self, Path};

/// Why a run without a data set cannot be used, and what to do.
pub(super) fn needs_data(run: &Path) -> anyhow::Error {
    anyhow::anyhow!("{} was imported and has no data set; give one with --data", run.display())
}

/// Opens a data set for an imported run, by default the attached one, and notes it in `config`. Its classes are put
/// into the order of the run's labels. Also returns whether data set or split differ from the attached ones.
pub(super) fn open(
    run: &RunDirectory,
    config: &mut RunConfig,
    data: Option<&Path>,
    split: Option<&str>,
    watch: &FaultWatch,
) -> anyhow::Result<(RunData, bool)> {
    let root = run.root();
    match data {
        Some(path) => config.data = path::absolute(path).context("--data is empty, or there is no current directory")?,
        None if config.data.as_os_str().is_empty() => return Err(needs_data(root)),
        None => {}
    }
    watch.dataset(&config.data);
    watch.advise("run the same command again");
    let index = Dataset::read_index(&config.data)?;
    let is_attached = index.covers(&config.data_checksum)
        && split.is_none_or(|name| name == config.split)
        && split_copy::read(root, &index).is_ok_and(|copy| copy.index.checksum == config.split_checksum);
    let mut data = if is_attached {
        RunData::open_in_run(config, root)?
    } else {
        config.split = split.map_or_else(|| current_split(&config.data), |name| Ok(name.to_owned()))?;
        RunData::open(config)?
    };
    match_labels(run, config, &mut data)?;
    if !is_attached {
        config.data_checksum.clone_from(&data.dataset.index().checksum);
        config.split_checksum.clone_from(&data.split.index.checksum);
    }
    Ok((data, !is_attached))
}

/// Puts the classes of the data set into the order of the run's labels.
fn match_labels(run: &RunDirectory, config: &RunConfig, data: &mut RunData) -> anyhow::Result<()> {
    let task = FrontEndRecord::read(run, config)?.task;
    let (run, path) = (run.root().display(), config.data.display());
    if data.dataset.task() != task {
        bail!(
            "{run} is {} and {path} is {}; give a data set of the same task",
            task.name(),
            data.dataset.task().name()
        );
    }
    let reordered = data.dataset.reorder_classes(&config.classes);
    reordered.with_context(|| {
        format!("the classes of {path} are not the labels of {run}; use `train embed` or `train fit --init-from` instead")
    })
}

/// Records the data set of `config` in the run, and removes the metrics of the earlier one.
pub(super) fn attach(run: &RunDirectory, config: &RunConfig, data: &RunData) -> anyhow::Result<()> {
    run.remove(METRICS_FILE)?;
    report::remove_sets(run)?;
    let copy = run.path(SPLIT_DIRECTORY);
    if copy.exists() {
        fs::remove_dir_all(&copy).with_context(|| format!("could not remove {}", copy.display()))?;
    }
    let from = split::directory(&config.data, &config.split)?;
    split_copy::keep(&data.split, &from, data.dataset.index(), run)?;
    Ok(run.save_config(config)?)
}

/// The metrics of an imported run before its first evaluation.
pub(super) fn no_metrics(config: &RunConfig) -> RunMetrics {
    RunMetrics {
        model: config.model,
        split: config.split.clone(),
        best_epoch: None,
        ended: None,
        train: None,
        val: None,
        test: None,
    }
}

#[cfg(test)]
mod tests {
    use crate::testing;
    use shared::dataset::{ClassDifference, Dataset};

    #[test]
    fn classes_follow_the_order_of_the_labels_and_must_be_the_same() {
        let root = testing::dataset();
        let mut dataset = Dataset::open(root.path()).unwrap();
        let labels = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let places = |dataset: &Dataset| [0, 1].map(|position| dataset.class(position).unwrap());
        assert_eq!(places(&dataset), [0, 1]);
        dataset.reorder_classes(&labels(&["Rock", "Folk"])).unwrap();
        assert_eq!((places(&dataset), dataset.classes()), ([1, 0], &*labels(&["Rock", "Folk"])));
        assert_eq!(dataset.tags(0).collect::<Vec<_>>(), [1]);
        for (names, difference) in [
            (&["Folk", "Pop"][..], ClassDifference::Missing("Pop".into())),
            (&["Folk"], ClassDifference::Additional("Rock".into())),
            (&["Folk", "Rock", "Pop"], ClassDifference::Missing("Pop".into())),
        ] {
            assert_eq!(dataset.reorder_classes(&labels(names)), Err(difference));
        }
        assert_eq!(places(&dataset), [1, 0]);
    }
}
