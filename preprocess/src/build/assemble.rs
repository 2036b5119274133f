//! Makes a data set in a directory: from nothing, from an interrupted build, or from a data set of fewer tracks.

use super::assembly::Assembly;
use super::growth::Base;
use super::index::Origin;
use super::journal::{JOURNAL_DIRECTORY, Journal};
use super::label_warnings;
use super::plan::BuildPlan;
use super::progress::BuildProgress;
use super::report::BuildReport;
use anyhow::{bail, ensure};
use shared::dataset::{Dataset, DatasetError, DatasetIndex, INDEX_FILE};
use shared::runtime::file_error::FileError;
use std::fs;
use std::path::Path;
use std::time::Instant;

/// What a directory holds already.
enum Found {
    Nothing,
    /// The data set that was asked for.
    Complete(Box<DatasetIndex>),
    /// One of fewer tracks, or of other dropped ones.
    Smaller(Box<DatasetIndex>),
}

/// Makes the data set in `root`, goes on with it, adds tracks to it, or finds that it is complete. `work` gets the
/// positions in the listing of the tracks that are missing, and gives each to [`Assembly::take`] in that order. Threads of
/// `pool` compare the tracks at the end. If it fails, the next run goes on with what is done.
pub fn assemble(
    root: &Path,
    plan: &BuildPlan,
    origin: &Origin<'_>,
    pool: &rayon::ThreadPool,
    progress: &mut dyn BuildProgress,
    work: impl FnOnce(&mut Assembly<'_>, &[usize], &mut dyn BuildProgress) -> anyhow::Result<()>,
) -> anyhow::Result<BuildReport> {
    let begin = Instant::now();
    // A label that a part lacks may be in another part.
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
    // A crash may have come between the index and the end of the journal.
    let journal_left = root.join(JOURNAL_DIRECTORY).is_dir();
    let found = find(root, plan)?;
    if let Found::Complete(index) = &found
        && !journal_left
    {
        return Ok(complete(index.as_ref().clone())?);
    }
    let journal = match &found {
        Found::Smaller(index) => Journal::grow(root, plan, index)?,
        _ => Journal::open(root, plan)?,
    };
    // Asked with the lock held: another process may have finished just now.
    let base = match find(root, plan)? {
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

fn find(root: &Path, plan: &BuildPlan) -> anyhow::Result<Found> {
    if !root.join(INDEX_FILE).exists() {
        return Ok(Found::Nothing);
    }
    let index = Dataset::read_index(root)?;
    ensure!(
        index.waveforms_of.is_none(),
        "{} is a feature set and is made by `preprocess extend`; build into the data set that it belongs to, and extend that \
         again",
        root.display()
    );
    let earlier = BuildPlan::read(root, &index)?;
    let differences = plan.differences(&earlier);
    if differences.is_empty() {
        return Ok(Found::Complete(Box::new(index)));
    }
    // A part that grew would have tracks that are another's by then.
    if plan.part.is_none() && plan.differences_in_kind(&earlier).is_empty() {
        return Ok(Found::Smaller(Box::new(index)));
    }
    bail!(
        "{} is a finished data set with other settings: {}; leave out the options that differ, or choose another --out",
        root.display(),
        differences.join("; ")
    )
}
