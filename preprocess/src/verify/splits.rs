//! Checks the splits of a data set.

use super::report::Problem;
use crate::split::{audit, count};
use shared::dataset::DatasetIndex;
use shared::dataset::manifest::{self, TrackRow};
use shared::dataset::split::{
    self, CURRENT_FILE, NORMALIZATION_FILE, SPLIT_FILE, SPLITS_DIRECTORY, Set, Split, SplitError, SplitRow,
};
use shared::dataset::statistics::{Normalization, TrackSummary};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs;
use std::path::Path;

/// Problems, and the number of files that were read.
pub(super) fn problems(
    root: &Path,
    index: &DatasetIndex,
    tracks: Option<&[TrackRow]>,
    summaries: Option<&[TrackSummary]>,
) -> (Vec<Problem>, usize) {
    let names = match split::names(root) {
        Ok(names) => names,
        Err(error) => return (vec![Problem::new(SPLITS_DIRECTORY, error.to_string())], 0),
    };
    let mut found = without_description(root, &names);
    let mut folds: BTreeMap<String, Vec<Split>> = BTreeMap::new();
    for name in &names {
        match read(root, index, name) {
            Ok(split) => {
                if let Some(tracks) = tracks {
                    found.extend(split_problems(root, index, tracks, summaries, &split, name));
                }
                if let Some(fold) = &split.index.fold {
                    folds.entry(fold.name.clone()).or_default().push(split);
                }
            }
            Err(problem) => found.push(problem),
        }
    }
    found.extend(folds.iter().filter_map(|(name, splits)| {
        let detail = fold_problem(root, name, splits)?;
        Some(Problem::new(format!("{SPLITS_DIRECTORY}/{name}-*"), detail))
    }));
    let current = format!("{SPLITS_DIRECTORY}/{CURRENT_FILE}");
    match split::current(root) {
        Ok(Some(name)) if !names.contains(&name) => {
            found.push(Problem::new(
                current,
                format!("it names the split `{name}`, which does not exist"),
            ));
        }
        Ok(None) if !names.is_empty() => {
            found.push(Problem::new(current, "it is missing, so there is no current split"))
        }
        Ok(_) => {}
        Err(error) => found.push(Problem::new(current, error.to_string())),
    }
    const FILES_PER_SPLIT: usize = 5;
    (found, names.len() * FILES_PER_SPLIT)
}

/// Directories that are no splits, because their `split.json` is missing. `names` are the splits.
fn without_description(root: &Path, names: &[String]) -> Vec<Problem> {
    let entries = fs::read_dir(root.join(SPLITS_DIRECTORY))
        .into_iter()
        .flatten()
        .flatten();
    let mut directories: Vec<String> = entries
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| split::check_name(name).is_ok() && !names.contains(name))
        .collect();
    directories.sort_unstable();
    let problem = |name| Problem::new(format!("{SPLITS_DIRECTORY}/{name}/{SPLIT_FILE}"), "it is missing");
    directories.into_iter().map(problem).collect()
}

fn read(root: &Path, index: &DatasetIndex, name: &str) -> Result<Split, Problem> {
    Split::read(root, index, Some(name)).map_err(|error| {
        let (path, detail) = match &error {
            SplitError::Damaged { path, detail } => (path.as_path(), detail.clone()),
            SplitError::File(error) => (error.path.as_path(), format!("it cannot be read: {}", error.source)),
            SplitError::Stale { path } => (path.as_path(), "it was made for another build of this data set".into()),
            other => (root, other.to_string()),
        };
        let inside = path.strip_prefix(root).unwrap_or(path);
        Problem::new(inside.to_string_lossy(), detail)
    })
}

/// The problem of a set of folds, given its readable splits: a fold is missing, or a track is not tested exactly once.
fn fold_problem(root: &Path, name: &str, splits: &[Split]) -> Option<String> {
    match split::folds(root, name) {
        Err(error @ SplitError::Folds { .. }) => return Some(error.to_string()),
        Ok(all) if all.len() == splits.len() => {}
        // A split that cannot be read is reported separately.
        _ => return None,
    }
    let tracks: BTreeSet<&u64> = splits
        .iter()
        .flat_map(|split| split.tracks.values().flatten())
        .collect();
    let mut tested: Vec<&u64> = splits.iter().flat_map(|split| &split.tracks[&Set::Test]).collect();
    tested.sort_unstable();
    (!tested.into_iter().eq(tracks)).then(|| "a track is not in the test set of exactly one fold".into())
}

fn split_problems(
    root: &Path,
    index: &DatasetIndex,
    tracks: &[TrackRow],
    summaries: Option<&[TrackSummary]>,
    split: &Split,
    name: &str,
) -> Vec<Problem> {
    let file = |inside: &str| format!("{SPLITS_DIRECTORY}/{name}/{inside}");
    let rows: HashMap<u64, &TrackRow> = tracks.iter().map(|row| (row.track_id, row)).collect();
    let mut found = Vec::new();
    for set in Set::ALL {
        let path = file(&set.file());
        let listed: Vec<SplitRow> = fs::read(root.join(&path))
            .ok()
            .and_then(|content| manifest::from_csv(&content).ok())
            .unwrap_or_default();
        for listed in listed {
            match rows.get(&listed.track_id) {
                None => found.push(Problem::new(
                    &path,
                    format!("track {} is not in tracks.csv", listed.track_id),
                )),
                Some(row) if row.labels != listed.labels => found.push(Problem::new(
                    &path,
                    format!(
                        "the labels of track {} differ from those in tracks.csv",
                        listed.track_id
                    ),
                )),
                Some(_) => {}
            }
        }
    }
    found.extend(description_problems(index, tracks, split, name).map(|detail| Problem::new(file(SPLIT_FILE), detail)));
    if let Some(summaries) = summaries {
        let training: HashSet<u64> = split.tracks[&Set::Train].iter().copied().collect();
        let own = summaries.iter().filter(|summary| training.contains(&summary.track_id));
        let expected = Normalization::from_summaries(own, index.features.n_mels);
        if expected.as_ref() != Ok(&split.normalization) {
            found.push(Problem::new(
                file(NORMALIZATION_FILE),
                "it does not match the statistics of the training tracks",
            ));
        }
    }
    found
}

/// Contradictions between `split.json` and the lists.
fn description_problems<'a>(
    index: &DatasetIndex,
    tracks: &[TrackRow],
    split: &Split,
    name: &str,
) -> impl Iterator<Item = &'a str> + use<'a> {
    let set_of: HashMap<u64, Set> = split
        .tracks
        .iter()
        .flat_map(|(&set, ids)| ids.iter().map(move |&id| (id, set)))
        .collect();
    let (listed, assigned): (Vec<TrackRow>, Vec<Set>) = tracks
        .iter()
        .filter_map(|row| Some((row.clone(), *set_of.get(&row.track_id)?)))
        .unzip();
    // A split from before the data set grew has the classes of that time.
    let classes: Vec<String> = match split.index.counts.get(&Set::Train) {
        Some(counts) if split.index.dataset != index.checksum => counts.keys().cloned().collect(),
        _ => index.classes.clone(),
    };
    [
        (split.index.name != name, "it has the name of another split"),
        (
            split.index.counts != count(&classes, &listed, &assigned),
            "its counts differ from those of the lists",
        ),
        (
            split.index.leaks != audit::leaks(&listed, &assigned),
            "its audit differs from that of the lists",
        ),
    ]
    .into_iter()
    .filter_map(|(wrong, detail)| wrong.then_some(detail))
}
