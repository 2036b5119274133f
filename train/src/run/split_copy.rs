//! `RUN/split/`: the run's copy of its split. A run is always continued, evaluated and reported with this copy, even if
//! the split of the data set is replaced or deleted.

use crate::run::directory::RunDirectory;
use crate::run::set::RunSet;
use crate::settings::RunConfig;
use anyhow::bail;
use shared::dataset::split::{Set, Split, SplitError};
use shared::dataset::{Dataset, DatasetIndex};
use std::path::{Path, PathBuf};

/// The directory of the copy in a run or a set of runs.
pub const SPLIT_DIRECTORY: &str = "split";

/// The directory with the copy of the split of `run`: the run itself or, if it has not started, its set of runs.
pub fn keeper(run: &Path) -> Option<PathBuf> {
    let set = run.parent().filter(|parent| RunSet::is_at(parent));
    let mut roots = [Some(run), set].into_iter().flatten();
    roots
        .find(|root| root.join(SPLIT_DIRECTORY).is_dir())
        .map(Path::to_owned)
}

/// Reads the copy of the split in the run `root`.
///
/// # Errors
/// If a file is missing or damaged, or the split belongs to another data set than `index`.
pub fn read(root: &Path, index: &DatasetIndex) -> Result<Split, SplitError> {
    Split::read_files(root, Path::new(SPLIT_DIRECTORY), index)
}

/// Copies `split`, which was read from the directory `from`, into a run.
///
/// # Errors
/// If the split was replaced or removed in the meantime, the run has another one, or the copy cannot be written.
pub fn keep(split: &Split, from: &Path, index: &DatasetIndex, run: &RunDirectory) -> anyhow::Result<()> {
    let copy = run.path(SPLIT_DIRECTORY);
    if copy.exists() {
        if read(run.root(), index).is_ok_and(|kept| kept == *split) {
            return Ok(());
        }
        bail!(
            "{} is a copy of a different split than this run needs; remove it, or give another --run",
            copy.display()
        );
    }
    Ok(split.copy_files(from, &copy)?)
}

/// Checks that the split that --split names is the one that `run` was trained on.
///
/// # Errors
/// If it is another split.
pub fn check_named(name: &str, config: &RunConfig, run: &Path) -> anyhow::Result<()> {
    let (data, run) = (config.data.display(), run.display());
    if name != config.split {
        if Set::ALL.iter().any(|set| set.name() == name) {
            bail!("`{name}` is a set, not a split; give --set {name} instead of --split {name}");
        }
        bail!(
            "{run} was trained on split `{}`, not on `{name}`; leave --split out to use the run's own split",
            config.split
        );
    }
    let index = Dataset::read_index(&config.data)?;
    match Split::read(&config.data, &index, Some(name)) {
        Ok(split) if split.index.checksum != config.split_checksum => bail!(
            "split `{name}` of {data} differs from the one that {run} was trained on; leave --split out to use the \
             run's own copy in {run}/{SPLIT_DIRECTORY}"
        ),
        // A deleted split cannot differ from the run's copy.
        Ok(_) | Err(SplitError::Unknown { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
