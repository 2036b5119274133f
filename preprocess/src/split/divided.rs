//! Creates splits of a data set from the sets of its tracks, and writes them.

use super::audit;
use super::carry::carry_over;
use super::gained::GainedTracks;
use super::lock::lock;
use crate::build::feature_sets::feature_sets;
use anyhow::{anyhow, bail};
use shared::dataset::manifest::TrackRow;
use shared::dataset::split::{self, Fold, Set, Split, SplitIndex, SplitRow};
use shared::dataset::statistics::{Normalization, TrackSummary};
use shared::dataset::{self, DatasetIndex};
use std::collections::BTreeMap;
use std::path::Path;

/// The tables of a data set that is being split.
pub(super) struct DividedDataset<'a> {
    root: &'a Path,
    pub(super) index: &'a DatasetIndex,
    pub(super) tracks: Vec<TrackRow>,
    summaries: Vec<TrackSummary>,
}

/// How a split was made, as recorded in `split.json`.
pub(super) struct Description {
    pub(super) name: String,
    pub(super) strategy: String,
    pub(super) group_by: Option<String>,
    pub(super) ratios: Option<[f64; 3]>,
    pub(super) seed: Option<u64>,
    pub(super) fold: Option<Fold>,
}

/// The result of [`DividedDataset::publish`].
pub(super) struct Published {
    /// Whether all splits existed.
    pub(super) existed: bool,
    pub(super) gained: Option<GainedTracks>,
}

impl<'a> DividedDataset<'a> {
    pub(super) fn read(root: &'a Path, index: &'a DatasetIndex) -> anyhow::Result<Self> {
        if let Some(part) = &index.source.part {
            let path = root.display();
            bail!("{path} is part {part} of a data set; merge all parts with `preprocess merge`, and split the result");
        }
        Ok(Self {
            root,
            index,
            tracks: dataset::read_tracks(root, index)?,
            summaries: dataset::read_summary(root, index)?,
        })
    }

    /// The requested name, or the default.
    pub(super) fn name(&self, requested: Option<&String>, default: String) -> String {
        match (requested, self.index.earlier.len()) {
            (Some(name), _) => name.clone(),
            (None, 0) => default,
            // The default name may be taken by a split from before the data set grew.
            (None, times) => format!("{default}-grown-{times}"),
        }
    }

    /// The tracks whose ids are `wanted`, and nothing else.
    pub(super) fn only(&self, wanted: impl Fn(u64) -> bool) -> Self {
        let (tracks, summaries) = (self.tracks.iter(), self.summaries.iter());
        Self {
            root: self.root,
            index: self.index,
            tracks: tracks.filter(|row| wanted(row.track_id)).cloned().collect(),
            summaries: summaries.filter(|row| wanted(row.track_id)).cloned().collect(),
        }
    }

    pub(super) fn root(&self) -> &Path {
        self.root
    }

    pub(super) fn division_error(&self, reason: &str) -> anyhow::Error {
        anyhow!("{}: {reason}", self.root.display())
    }

    /// Creates the split from the set of each track, in the order of the table.
    pub(super) fn split(&self, description: Description, sets: &[Set]) -> anyhow::Result<Split> {
        let mut lists: BTreeMap<Set, Vec<u64>> = Set::ALL.into_iter().map(|set| (set, Vec::new())).collect();
        for (row, set) in self.tracks.iter().zip(sets) {
            lists.entry(*set).or_default().push(row.track_id);
        }
        let training = self.summaries.iter().zip(sets).filter(|(_, set)| **set == Set::Train);
        let normalization =
            Normalization::from_summaries(training.map(|(summary, _)| summary), self.index.features.n_mels)?;
        Ok(Split {
            index: SplitIndex {
                format_version: split::FORMAT_VERSION,
                checksum: String::new(),
                name: description.name,
                dataset: self.index.checksum.clone(),
                strategy: description.strategy,
                group_by: description.group_by,
                ratios: description.ratios,
                seed: description.seed,
                fold: description.fold,
                counts: count(&self.index.classes, &self.tracks, sets),
                leaks: audit::leaks(&self.tracks, sets),
                files: BTreeMap::new(),
            },
            tracks: lists,
            normalization,
        })
    }

    /// Writes the splits that do not exist yet, all or none of them, and makes the first one the current split.
    pub(super) fn publish(&self, splits: &[Split]) -> anyhow::Result<Published> {
        let gained = splits
            .first()
            .and_then(|first| GainedTracks::find(self.root, self.index, first));
        let mut new = Vec::new();
        for split in splits {
            let name = &split.index.name;
            if !split::directory(self.root, name)?.exists() {
                new.push((split, self.rows(split)));
            } else if !is_same(&Split::read(self.root, self.index, Some(name))?, split) {
                bail!(
                    "{} already has a different split `{name}`; choose another --name",
                    self.root.display()
                );
            }
        }
        let existed = new.is_empty();
        let files = new
            .iter()
            .map(|(split, rows)| (split.index.clone(), rows, &split.normalization));
        Split::write_all(self.root, files)?;
        if let Some(first) = splits.first() {
            split::set_current(self.root, &first.index.name)?;
        }
        Ok(Published { existed, gained })
    }

    fn rows(&self, split: &Split) -> BTreeMap<Set, Vec<SplitRow>> {
        let rows = self.tracks.iter().map(|row| (row.track_id, row)).collect();
        split.rows(&rows)
    }
}

/// Calls `make` while no other process creates or removes splits of the data set, and copies new splits to its feature
/// sets.
pub(super) fn divide<R>(root: &Path, make: impl Fn(&DividedDataset<'_>) -> anyhow::Result<R>) -> anyhow::Result<R> {
    // Waits for another process, such as a cron job; splitting is fast.
    let _lock = lock(root)?;
    let report = dataset::consistently(root, |index| make(&DividedDataset::read(root, index)?))?;
    for set in feature_sets(root)? {
        carry_over(root, &set)?;
    }
    Ok(report)
}

/// Whether two splits are equal, except for the fields that are set when they are written.
fn is_same(a: &Split, b: &Split) -> bool {
    let without_files = |split: &Split| Split {
        index: SplitIndex {
            checksum: String::new(),
            files: BTreeMap::new(),
            ..split.index.clone()
        },
        ..split.clone()
    };
    without_files(a) == without_files(b)
}

/// Tracks per set and class, including counts of 0.
pub(crate) fn count(
    classes: &[String],
    tracks: &[TrackRow],
    assigned: &[Set],
) -> BTreeMap<Set, BTreeMap<String, usize>> {
    let zeros: BTreeMap<String, usize> = classes.iter().map(|class| (class.clone(), 0)).collect();
    let mut counts: BTreeMap<_, _> = Set::ALL.into_iter().map(|set| (set, zeros.clone())).collect();
    for (row, set) in tracks.iter().zip(assigned) {
        for label in &row.labels {
            *counts.entry(*set).or_default().entry(label.clone()).or_default() += 1;
        }
    }
    counts
}
