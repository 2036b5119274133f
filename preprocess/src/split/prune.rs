//! Removes splits that are no longer needed.

use super::{MakeSplitError, feature_sets_of, lock};
use shared::dataset::Dataset;
use shared::dataset::split::{self, Fold, Split};
use shared::runtime::atomic_file;
use std::fs;
use std::path::Path;

/// Removes every split but the current one and the folds of its set, and returns their names.
pub fn prune(root: &Path) -> Result<Vec<String>, MakeSplitError> {
    let _lock = lock(root)?;
    // What is to be kept must be there and whole.
    let index = Dataset::read_index(root)?;
    let Some(current) = split::current(root)? else {
        return Err(MakeSplitError::NoCurrent { path: root.to_owned() });
    };
    let fold = Split::read(root, &index, Some(&current))?.index.fold;
    let is_kept = |name: &String| {
        let mut folds = fold.iter().flat_map(Fold::all);
        *name == current || folds.any(|fold| fold.split_name() == *name)
    };
    let mut removed = Vec::new();
    for name in split::names(root)?.into_iter().filter(|name| !is_kept(name)) {
        let path = split::directory(root, &name)?;
        // Renamed first, so that nobody opens half a split.
        let doomed = path.with_file_name(format!(".{name}{}", atomic_file::TEMPORARY_SUFFIX));
        fs::rename(&path, &doomed)
            .and_then(|()| fs::remove_dir_all(&doomed))
            .map_err(|source| MakeSplitError::Remove { path, source })?;
        removed.push(name);
    }
    for set in feature_sets_of(root)? {
        if split::current(&set)?.is_some() {
            prune(&set)?;
        }
    }
    Ok(removed)
}
