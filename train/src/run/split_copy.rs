//! The split that a run was trained on, kept in the run: `RUN/split/`. Whatever becomes of the data set's splits, a run is
//! continued, evaluated and reported on its own.

use crate::run::directory::RunDirectory;
use crate::run::set::RunSet;
use crate::settings::RunConfig;
use anyhow::bail;
use shared::dataset::split::{Split, SplitError};
use shared::dataset::{Dataset, DatasetIndex};
use std::path::{Path, PathBuf};

/// The directory in a run, and in a set of runs.
pub const SPLIT_DIRECTORY: &str = "split";

/// The run that keeps the split of the run in `run`: itself or, where it has not begun, the set of runs that it belongs to.
pub fn keeper(run: &Path) -> Option<PathBuf> {
    let set = run.parent().filter(|parent| RunSet::is_at(parent));
    let mut roots = [Some(run), set].into_iter().flatten();
    roots
        .find(|root| root.join(SPLIT_DIRECTORY).is_dir())
        .map(Path::to_owned)
}

/// Reads the split that the run in `root` keeps.
///
/// # Errors
/// When a file is missing or damaged, or the split is not one of the data set that `index` describes.
pub fn read(root: &Path, index: &DatasetIndex) -> Result<Split, SplitError> {
    Split::read_files(root, Path::new(SPLIT_DIRECTORY), index)
}

/// Keeps `split`, which was read from the directory `from`, in a run.
///
/// # Errors
/// When the split was replaced or removed in the meantime, the run has another one, or it cannot be written.
pub fn keep(split: &Split, from: &Path, index: &DatasetIndex, run: &RunDirectory) -> anyhow::Result<()> {
    let copy = run.path(SPLIT_DIRECTORY);
    if copy.exists() {
        if read(run.root(), index).is_ok_and(|kept| kept == *split) {
            return Ok(());
        }
        bail!(
            "{} is in the way: a run keeps its split there, and that is another one; remove it, or name another --run",
            copy.display()
        );
    }
    Ok(split.copy_files(from, &copy)?)
}

/// Refuses a split that was named, where it is not the one that the run in `run` keeps.
///
/// # Errors
/// With the names of both, and what to do.
pub fn check_named(name: &str, config: &RunConfig, run: &Path) -> anyhow::Result<()> {
    let (data, run) = (config.data.display(), run.display());
    if name != config.split {
        bail!(
            "{run} was trained on split `{}`, not on `{name}`; leave --split out to use the run's own split",
            config.split
        );
    }
    let index = Dataset::read_index(&config.data)?;
    match Split::read(&config.data, &index, Some(name)) {
        Ok(split) if split.index.checksum != config.split_checksum => bail!(
            "split `{name}` of {data} is not the one that {run} was trained on, but a later one of that name; leave \
             --split out to use the run's own split, which it keeps in {run}/{SPLIT_DIRECTORY}"
        ),
        // A split that is gone cannot differ.
        Ok(_) | Err(SplitError::Unknown { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
