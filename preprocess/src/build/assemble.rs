//! Builds a data set in a directory: starts a new one, resumes an interrupted one, or adds tracks to a finished one.

use super::assembly::Assembly;
use super::growth::Base;
use super::index::Origin;
use super::journal::{JOURNAL_DIRECTORY, Journal};
use super::label_warnings;
use super::plan::BuildPlan;
use super::progress::BuildProgress;
use super::report::BuildReport;
use anyhow::{bail, ensure};
use shared::dataset::{Dataset, DatasetError, DatasetIndex, INDEX_FILE, Task};
use shared::runtime::file_error::FileError;
use std::fs;
use std::path::Path;
use std::time::Instant;

/// What the output directory already contains.
pub(super) enum Found {
    Nothing,
    /// The requested data set.
    Complete(Box<DatasetIndex>),
    /// A data set with the same settings, built from an earlier state of the source.
    Smaller(Box<DatasetIndex>),
}

/// Builds the data set in `root`, resumes it, adds tracks to it, or finds that it is complete. `work` gets the
/// positions of the missing tracks in the listing and passes each track to [`Assembly::take`] in that order. The
/// threads of `pool` compare the tracks at the end. After a failure, the next run resumes from the finished shards.
pub fn assemble(
    root: &Path,
    plan: &BuildPlan,
    origin: &Origin<'_>,
    pool: &rayon::ThreadPool,
    progress: &mut dyn BuildProgress,
    work: impl FnOnce(&mut Assembly<'_>, &[usize], &mut dyn BuildProgress) -> anyhow::Result<()>,
) -> anyhow::Result<BuildReport> {
    let begin = Instant::now();
    // A label missing from one part may occur in another.
    let warnings = |index: &DatasetIndex| match plan.part {
        None => label_warnings::all(origin.listing, &plan.tags(), index),
        Some(_) => Vec::new(),
    };
    let complete = |index: DatasetIndex| -> Result<BuildReport, DatasetError> {
        Ok(BuildReport {
            was_complete: true,
            warnings: warnings(&index),
            ..BuildReport::new(root, index, begin)?
        })
    };
    // A crash may have happened after the index was written and before the journal was removed.
    let journal_left = root.join(JOURNAL_DIRECTORY).is_dir();
    let found = find(root, plan, origin.task)?;
    if let Found::Complete(index) = &found
        && !journal_left
    {
        return Ok(complete(index.as_ref().clone())?);
    }
    let journal = match &found {
        // The source may be as it was again after an interrupted growth.
        Found::Smaller(_) | Found::Complete(_) => Journal::grow(root, plan)?,
        Found::Nothing => Journal::open(root, plan)?,
    };
    // Checked again with the lock held: another process may have just finished.
    let base = match find(root, plan, origin.task)? {
        Found::Complete(index) => {
            journal.remove()?;
            return Ok(complete(*index)?);
        }
        Found::Smaller(index) => Base::read(root, *index, origin.sources)?,
        Found::Nothing => Base::default(),
    };
    let shards = root.join("shards");
    fs::create_dir_all(&shards).map_err(FileError::at(&shards))?;
    let before = base.tracks.len();
    let missing = origin.listing.without(&base.ids());
    let mut assembly = Assembly::resume(root, plan, &journal, base)?;
    let resumed = assembly.done().min(missing.len());
    progress.begin(missing.len(), resumed);
    work(&mut assembly, &missing[resumed..], progress)?;
    progress.end();
    let index = assembly.finish(origin, pool, missing.len())?;
    journal.remove()?;
    Ok(BuildReport {
        before,
        resumed,
        processed: missing.len() - resumed,
        warnings: warnings(&index),
        ..BuildReport::new(root, index, begin)?
    })
}

pub(super) fn find(root: &Path, plan: &BuildPlan, task: Task) -> anyhow::Result<Found> {
    if !root.join(INDEX_FILE).exists() {
        return Ok(Found::Nothing);
    }
    let index = Dataset::read_index(root)?;
    ensure!(
        index.waveforms_of.is_none(),
        "{} is a feature set, which only `preprocess extend` writes; build into the data set that it belongs to, then \
         run `preprocess extend` again",
        root.display()
    );
    let earlier = BuildPlan::read(root, &index)?;
    let differences = plan.differences(&earlier);
    if differences.is_empty() {
        return Ok(Found::Complete(Box::new(index)));
    }
    // A part cannot grow: with more tracks, its range would overlap other parts.
    if plan.part.is_none() && plan.differences_in_kind(&earlier).is_empty() {
        ensure!(
            index.task == task,
            "{} is a {} data set and cannot grow, because with the new tracks it would be {}; choose another --out",
            root.display(),
            index.task.name(),
            task.name()
        );
        return Ok(Found::Smaller(Box::new(index)));
    }
    bail!(
        "{} is a finished data set with other settings: {}; leave out the options that differ, or choose another --out",
        root.display(),
        differences.join("; ")
    )
}
