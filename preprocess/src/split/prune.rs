//! Removes splits that are no longer needed.

use super::lock::lock;
use crate::build::feature_sets::feature_sets;
use anyhow::{Context, bail};
use shared::dataset::Dataset;
use shared::dataset::split::{self, Fold, Split};
use shared::runtime::atomic_file;
use std::fs;
use std::path::Path;

/// Removes every split except the current one and the folds of its set, and returns the removed names.
pub fn prune(root: &Path) -> anyhow::Result<Vec<String>> {
    let _lock = lock(root)?;
    // The split to keep must be readable.
    let index = Dataset::read_index(root)?;
    let Some(current) = split::current(root)? else {
        let path = root.display();
        bail!("{path} has no current split, so nothing was removed; make one with `preprocess split` first");
    };
    let fold = Split::read(root, &index, Some(&current))?.index.fold;
    let is_kept = |name: &String| {
        let mut folds = fold.iter().flat_map(Fold::all);
        *name == current || folds.any(|fold| fold.split_name() == *name)
    };
    let mut removed = Vec::new();
    for name in split::names(root)?.into_iter().filter(|name| !is_kept(name)) {
        let path = split::directory(root, &name)?;
        // Renamed first, so no one opens an incomplete split.
        let temporary = path.with_file_name(format!(".{name}{}", atomic_file::TEMPORARY_SUFFIX));
        fs::rename(&path, &temporary)
            .and_then(|()| fs::remove_dir_all(&temporary))
            .with_context(|| format!("could not remove {}", path.display()))?;
        removed.push(name);
    }
    for set in feature_sets(root)? {
        if split::current(&set)?.is_some() {
            prune(&set)?;
        }
    }
    Ok(removed)
}
