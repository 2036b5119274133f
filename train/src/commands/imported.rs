//! Data sets for imported runs. Such a run has no data set of its own. `train eval` attaches the one that it is
//! evaluated on, with a copy of the split, and replaces it when the run is evaluated on another one.

use crate::cli::EvalArgs;
use crate::data::feature_check::check_features;
use crate::data::front_end_record::FrontEndRecord;
use crate::data::run_data::{RunData, current_split};
use crate::process::console::Console;
use crate::process::mapping_fault::FaultWatch;
use crate::report::{self, METRICS_FILE};
use crate::run::directory::RunDirectory;
use crate::run::split_copy::{self, SPLIT_DIRECTORY};
use crate::settings::RunConfig;
use anyhow::{Context, bail};
use shared::dataset::{Dataset, split};
use std::fs;
use std::path::{self, Path};

/// Why a run without a data set cannot be used, and what to do.
pub(super) fn needs_data(run: &Path) -> anyhow::Error {
    anyhow::anyhow!(
        "{} was imported and has no data set; give one with --data",
        run.display()
    )
}

/// Attaches the data set of the arguments if the run in `root` was imported.
pub(super) fn attach_if_imported(
    root: &Path,
    args: &EvalArgs,
    watch: &FaultWatch,
    console: Console,
) -> anyhow::Result<()> {
    if RunDirectory::open(root)?.1.imported_from.is_some() {
        let (run, config) = RunDirectory::resume(root)?;
        attach(&run, config, args, watch, console)?;
    }
    Ok(())
}

/// Attaches the data set and split of the arguments to an imported run, by default those of its last evaluation.
/// Metrics of another data set or split are removed. Returns the settings with the data set.
pub(super) fn attach(
    run: &RunDirectory,
    mut config: RunConfig,
    args: &EvalArgs,
    watch: &FaultWatch,
    console: Console,
) -> anyhow::Result<RunConfig> {
    let root = run.root();
    match &args.data {
        Some(path) => {
            config.data = path::absolute(path).context("--data is empty, or there is no current directory")?
        }
        None if config.data.as_os_str().is_empty() => return Err(needs_data(root)),
        None => {}
    }
    watch.dataset(&config.data);
    let index = Dataset::read_index(&config.data)?;
    let is_attached = index.covers(&config.data_checksum)
        && args.split.as_ref().is_none_or(|name| *name == config.split)
        && split_copy::read(root, &index).is_ok_and(|copy| copy.index.checksum == config.split_checksum);
    if is_attached {
        return Ok(config);
    }
    config.split = match &args.split {
        Some(name) => name.clone(),
        None => current_split(&config.data)?,
    };
    let mut data = RunData::open(&config)?;
    check_labels(run, &config, &mut data)?;
    let checked = RunConfig {
        ignore_features: args.ignore_features,
        ..config.clone()
    };
    check_features(root, &checked, &data.features, console)?;
    config.data_checksum.clone_from(&data.dataset.index().checksum);
    config.split_checksum.clone_from(&data.split.index.checksum);
    run.remove(METRICS_FILE)?;
    report::remove_sets(run)?;
    let copy = run.path(SPLIT_DIRECTORY);
    if copy.exists() {
        fs::remove_dir_all(&copy).with_context(|| format!("could not remove {}", copy.display()))?;
    }
    let from = split::directory(&config.data, &config.split)?;
    split_copy::keep(&data.split, &from, data.dataset.index(), run)?;
    run.save_config(&config)?;
    Ok(config)
}

/// Checks that the data set has the run's task and labels.
fn check_labels(run: &RunDirectory, config: &RunConfig, data: &mut RunData) -> anyhow::Result<()> {
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
        format!(
            "the classes of {path} are not the labels of {run}; use `train embed` or `train fit --init-from` instead"
        )
    })
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
        assert_eq!(
            (places(&dataset), dataset.classes()),
            ([1, 0], &*labels(&["Rock", "Folk"]))
        );
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
