//! A data set while it is divided: its tracks become sets, and sets become files.

use super::audit;
use super::carry::carry_over;
use super::groups::GroupBy;
use super::lock::lock;
use super::ratios::Ratios;
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

/// What `split.json` says about how a split was made.
pub(super) struct Description {
    pub(super) name: String,
    pub(super) strategy: &'static str,
    pub(super) group_by: Option<GroupBy>,
    pub(super) ratios: Option<Ratios>,
    pub(super) seed: Option<u64>,
    pub(super) fold: Option<Fold>,
}

impl<'a> DividedDataset<'a> {
    pub(super) fn read(root: &'a Path, index: &'a DatasetIndex) -> anyhow::Result<Self> {
        if let Some(part) = &index.source.part {
            let path = root.display();
            bail!(
                "{path} is part {part} of a data set; put all parts together with `preprocess merge`, and split that"
            );
        }
        Ok(Self {
            root,
            index,
            tracks: dataset::read_tracks(root, index)?,
            summaries: dataset::read_summary(root, index)?,
        })
    }

    /// The name that was asked for, or the default one.
    pub(super) fn name(&self, asked: Option<&String>, default: String) -> String {
        match (asked, self.index.earlier.len()) {
            (Some(name), _) => name.clone(),
            (None, 0) => default,
            // The split of the default name is one of the tracks that there were before the data set grew.
            (None, times) => format!("{default}-grown-{times}"),
        }
    }

    /// The tracks cannot be divided so.
    pub(super) fn impossible(&self, reason: &str) -> anyhow::Error {
        anyhow!("{}: {reason}", self.root.display())
    }

    /// The split in which the tracks, in the order of the table, have these sets.
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
                strategy: description.strategy.into(),
                group_by: description.group_by.map(|by| by.name().into()),
                ratios: description.ratios.map(Ratios::shares),
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

    /// Writes the splits that are not there yet, all or none of them, and makes the first one the current split.
    /// Returns whether all of them were there.
    pub(super) fn publish(&self, splits: &[Split]) -> anyhow::Result<bool> {
        let mut new = Vec::new();
        for split in splits {
            let name = &split.index.name;
            if !split::directory(self.root, name)?.exists() {
                new.push((split, self.rows(split)));
            } else if !is_same(&Split::read(self.root, self.index, Some(name))?, split) {
                bail!(
                    "{} has a split `{name}` already, and it is another one; give this one another --name",
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
        Ok(existed)
    }

    fn rows(&self, split: &Split) -> BTreeMap<Set, Vec<SplitRow>> {
        let rows = self.tracks.iter().map(|row| (row.track_id, row)).collect();
        split.rows(&rows)
    }
}

/// Does this to a data set while no other process makes or removes splits of it, and carries what was made over to the
/// feature sets.
pub(super) fn divide<R>(root: &Path, make: impl Fn(&DividedDataset<'_>) -> anyhow::Result<R>) -> anyhow::Result<R> {
    // Who is first may be a cron job, who is second a person; neither takes long.
    let _lock = lock(root)?;
    let report = dataset::consistently(root, |index| make(&DividedDataset::read(root, index)?))?;
    for set in feature_sets(root)? {
        carry_over(root, &set)?;
    }
    Ok(report)
}

/// Whether two splits differ at most in what is filled in when they are written.
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

/// Tracks per set and class, those included that a set has none of.
pub(crate) fn count(
    classes: &[String],
    tracks: &[TrackRow],
    assigned: &[Set],
) -> BTreeMap<Set, BTreeMap<String, usize>> {
    let none: BTreeMap<String, usize> = classes.iter().map(|class| (class.clone(), 0)).collect();
    let mut counts: BTreeMap<_, _> = Set::ALL.into_iter().map(|set| (set, none.clone())).collect();
    for (row, set) in tracks.iter().zip(assigned) {
        for label in &row.labels {
            *counts.entry(*set).or_default().entry(label.clone()).or_default() += 1;
        }
    }
    counts
}
