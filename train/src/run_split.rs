//! The split that a run was trained on, kept in the run: `RUN/split/`. Whatever becomes of the data set's splits, a run is
//! continued, evaluated and reported on its own.

use crate::config::RunConfig;
use crate::run_directory::RunDirectory;
use crate::seeds::SeedSet;
use anyhow::bail;
use shared::dataset::{Dataset, DatasetIndex};
use shared::split::{self, Split, SplitError};
use std::path::{Path, PathBuf};

/// The directory in a run, and in a set of runs that share one split.
pub const SPLIT_DIRECTORY: &str = "split";

/// Where the split of the run in `run` is kept: in the run or, where that has not begun, in the set of seeds that it is
/// to belong to.
pub fn kept(run: &Path) -> Option<PathBuf> {
    let of_set = run.parent().filter(|parent| SeedSet::is_at(parent));
    let mut roots = [Some(run), of_set].into_iter().flatten();
    roots
        .find(|root| root.join(SPLIT_DIRECTORY).is_dir())
        .map(Path::to_owned)
}

/// Reads the split that is kept in `root`.
///
/// # Errors
/// When a file is missing or damaged, or the split is not one of the data set that `index` describes.
pub fn read(root: &Path, index: &DatasetIndex) -> Result<Split, SplitError> {
    Split::read_files(root, Path::new(SPLIT_DIRECTORY), index)
}

/// Keeps `split`, which was read from the data set `data` or from a set of seeds, unless the run has it already.
///
/// # Errors
/// When the split was replaced or removed in the meantime, or the run cannot be written.
pub fn keep(split: &Split, data: &Path, run: &RunDirectory) -> Result<(), SplitError> {
    let copy = run.path(SPLIT_DIRECTORY);
    if copy.is_dir() {
        return Ok(());
    }
    match kept(run.root()) {
        Some(root) => split.copy_files(&root.join(SPLIT_DIRECTORY), &copy),
        None => split.copy_files(&split::directory(data, &split.index.name)?, &copy),
    }
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
