//! Opens the parts of a build and checks that they belong together.

use crate::build::assembly::Kept;
use crate::build::part::Part;
use crate::build::plan::BuildPlan;
use crate::build::source_table::{SOURCES_FILE, SourceRow};
use anyhow::{bail, ensure};
use shared::audio::validate::Rejection;
use shared::dataset::integrity::recorded_blake3;
use shared::dataset::manifest::RejectedRow;
use shared::dataset::shard::ShardKind;
use shared::dataset::statistics::TrackSummary;
use shared::dataset::{self, Dataset, DatasetError};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub(super) struct OpenPart {
    pub(super) dataset: Dataset,
    pub(super) plan: BuildPlan,
    pub(super) part: Part,
    pub(super) sources: Vec<SourceRow>,
    summaries: Vec<TrackSummary>,
    pub(super) rejected: Vec<RejectedRow>,
}

/// Opens the parts, in the order of their numbers; there is at least one.
pub(super) fn open_all(paths: &[PathBuf]) -> anyhow::Result<Vec<OpenPart>> {
    let mut parts: BTreeMap<Part, OpenPart> = BTreeMap::new();
    for path in paths {
        let opened = OpenPart::open(path)?;
        if let Some(first) = parts.values().next() {
            let mut differences = opened.plan.without_part().differences(&first.plan.without_part());
            if opened.part.count() != first.part.count() {
                differences.push(format!("one is part {} and one is part {}", first.part, opened.part));
            }
            ensure!(
                differences.is_empty(),
                "{} and {} are not parts of the same build: {}",
                first.path().display(),
                path.display(),
                differences.join("; ")
            );
        }
        if let Some(first) = parts.get(&opened.part) {
            let (first, part) = (first.path().display(), opened.part);
            bail!(
                "{first} and {} are both part {part}; give each part once",
                path.display()
            );
        }
        parts.insert(opened.part, opened);
    }
    let count = parts.keys().next().map_or(1, |part| part.count());
    let missing: Vec<usize> = (1..=count)
        .filter(|&number| !parts.keys().any(|part| part.number() == number))
        .collect();
    ensure!(
        missing.is_empty(),
        "{} missing; build and give all {count} parts",
        missing_parts(&missing, count)
    );
    Ok(parts.into_values().collect())
}

fn missing_parts(numbers: &[usize], count: usize) -> String {
    let words: Vec<String> = numbers.iter().map(usize::to_string).collect();
    let (noun, verb) = if words.len() == 1 {
        ("part", "is")
    } else {
        ("parts", "are")
    };
    format!("{noun} {} of {count} {verb}", words.join(", "))
}

impl OpenPart {
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let dataset = Dataset::open(path)?;
        let index = dataset.index();
        let plan = BuildPlan::read(path, index)?;
        let Some(part) = plan.part else {
            bail!("{} is not a part: it was built without --part", path.display());
        };
        let sources = dataset::read_table(path, index, SOURCES_FILE)?;
        let summaries = dataset::read_summary(path, index)?;
        let ids = dataset.tracks().iter().map(|row| row.track_id);
        if !summaries.iter().map(|row| row.track_id).eq(ids) {
            let detail = "its tracks differ from those in tracks.csv";
            return Err(DatasetError::damaged(path.join(dataset::SUMMARY_FILE), detail).into());
        }
        Ok(Self {
            rejected: dataset::read_rejected(path, index)?,
            plan,
            part,
            sources,
            summaries,
            dataset,
        })
    }

    pub(super) fn path(&self) -> &Path {
        self.dataset.root()
    }

    /// Rows of the files that the source does not list, and of the directories that were not read.
    pub(super) fn unlisted(&self) -> Vec<RejectedRow> {
        let is_unlisted = |row: &&RejectedRow| row.track_id.is_none() || row.reason == Rejection::Unlisted.code();
        self.rejected.iter().filter(is_unlisted).cloned().collect()
    }

    /// Compares a track's tensors with their checksums.
    pub(super) fn check(&self, position: usize) -> anyhow::Result<()> {
        let row = &self.dataset.tracks()[position];
        for kind in ShardKind::ALL {
            let bytes = self.dataset.shard(kind, row.shard).bytes(row.track_id);
            if bytes.is_none_or(|bytes| blake3::hash(bytes).to_hex().as_str() != recorded_blake3(row, kind)) {
                let (id, shard) = (row.track_id, kind.path(row.shard));
                let detail = format!("track {id} in {} does not match its checksum", shard.display());
                return Err(DatasetError::damaged(self.path(), detail).into());
            }
        }
        Ok(())
    }

    pub(super) fn kept(&self, position: usize) -> Kept<'_> {
        Kept {
            row: self.dataset.tracks()[position].clone(),
            waveform: self.dataset.waveform(position),
            mel: self.dataset.mel(position).values,
            summary: self.summaries[position].clone(),
        }
    }
}
