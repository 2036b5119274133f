//! Copies the splits of a data set to its feature sets, with the normalization of each feature set.

use shared::dataset::manifest::TrackRow;
use shared::dataset::split::{self, SPLITS_DIRECTORY, Split, SplitError, SplitIndex};
use shared::dataset::statistics::Normalization;
use shared::dataset::{self, Dataset};
use shared::runtime::file_error::FileError;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::Path;

/// Creates the splits of the data set in `root` that its feature set in `set` lacks, and gives it the same current
/// split. Returns the names of all splits of the feature set.
pub fn carry_over(root: &Path, set: &Path) -> anyhow::Result<Vec<String>> {
    let (from, to) = (Dataset::read_index(root)?, Dataset::read_index(set)?);
    let tracks = dataset::read_tracks(set, &to)?;
    let rows: HashMap<u64, &TrackRow> = tracks.iter().map(|row| (row.track_id, row)).collect();
    let summaries = dataset::read_summary(set, &to)?;
    for name in split::names(root)? {
        if split::directory(set, &name)?.exists() {
            continue;
        }
        let split = match Split::read(root, &from, Some(&name)) {
            // Made for another build, so it is unusable in the data set too.
            Err(SplitError::Stale { .. }) => continue,
            split => split?,
        };
        let ids = || split.tracks.values().flatten();
        // The feature set does not have tracks that were added later; `extend` adds them first.
        if ids().any(|id| !rows.contains_key(id)) {
            continue;
        }
        let training: HashSet<u64> = split.tracks[&split::Set::Train].iter().copied().collect();
        let own = summaries.iter().filter(|summary| training.contains(&summary.track_id));
        let normalization = Normalization::from_summaries(own, to.features.n_mels)?;
        let lists = split.rows(&rows);
        let index = SplitIndex {
            dataset: to.checksum.clone(),
            checksum: String::new(),
            files: BTreeMap::new(),
            ..split.index
        };
        Split::write(set, index, &lists, &normalization)?;
    }
    let names = split::names(set)?;
    if let Some(current) = split::current(root)?
        && names.contains(&current)
        && split::current(set)?.as_ref() != Some(&current)
    {
        split::set_current(set, &current)?;
    }
    Ok(names)
}

/// Copies the splits of a data set into another directory.
pub fn copy_all(from: &Path, to: &Path) -> anyhow::Result<()> {
    for name in split::names(from)? {
        let (source, target) = (split::directory(from, &name)?, split::directory(to, &name)?);
        fs::create_dir_all(&target).map_err(FileError::at(&target))?;
        for entry in fs::read_dir(&source).map_err(FileError::at(&source))? {
            let path = entry.map_err(FileError::at(&source))?.path();
            let copy = target.join(path.file_name().unwrap_or_default());
            fs::copy(&path, &copy).map_err(FileError::at(&copy))?;
        }
    }
    if let Some(current) = split::current(from)? {
        fs::create_dir_all(to.join(SPLITS_DIRECTORY)).map_err(FileError::at(to))?;
        split::set_current(to, &current)?;
    }
    Ok(())
}
