//! Tracks enter, in the order of their ids, kept or dropped; a data set leaves: pairs of shards, tables, index.
//!
//! Where a track comes from, an audio file or a part of a build, is not known here, so that a merged data set is the one
//! that a single process builds, byte by byte. What is finished is written into the journal, and is there after a crash.

use crate::build::growth::{Base, GrowthError};
use crate::build::index::{self, IndexError, Rows};
use crate::build::journal::{Entry, JOURNAL_DIRECTORY, Journal, JournalError};
use crate::build::label_warnings;
use crate::build::plan::BuildPlan;
use crate::build::preset::Preset;
use crate::build::recordings;
use crate::build::shard_writer::PairWriter;
use crate::build::source_table::SourceRow;
use crate::source::Listing;
use shared::audio::validate::{ReasonCounts, Rejection};
use shared::dataset::manifest::{Flag, RejectedRow, TrackRow};
use shared::dataset::shard::ShardWriteError;
use shared::dataset::statistics::TrackSummary;
use shared::dataset::{self, Dataset, DatasetError, DatasetIndex, INDEX_FILE, Task};
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Everything about a data set's tracks but the tracks themselves.
#[derive(Clone, Debug)]
pub struct Origin<'a> {
    /// What the source lists of what is assembled here.
    pub listing: &'a Listing,
    /// The same as a table, with the sizes of files.
    pub sources: &'a [SourceRow],
    /// The directory that paths are relative to.
    pub audio: &'a str,
    /// Whether a track has one label.
    pub task: Task,
    /// What the result is compared with.
    pub preset: Option<&'a Preset>,
    /// The checksum of the data set whose waveforms these are, where they are not made here.
    pub waveforms_of: Option<&'a str>,
}

/// A track that is fit for the data set.
#[derive(Debug)]
pub struct Kept<'a> {
    /// Its row; the shard, two of the flags and the recording are filled in here.
    pub row: TrackRow,
    /// Mono PCM.
    pub waveform: &'a [i16],
    /// `[n_mels, frames]` dB, reference 1.0.
    pub mel: &'a [half::f16],
    /// Its sums and statistics.
    pub summary: TrackSummary,
}

/// A data set that was assembled, or was there.
#[derive(Clone, Debug)]
pub struct BuildReport {
    /// The index that was written, or was there.
    pub index: DatasetIndex,
    /// Dropped tracks by reason code.
    pub reasons: ReasonCounts,
    /// Size of all files.
    pub bytes: u64,
    /// Whether the data set was complete before.
    pub was_complete: bool,
    /// Tracks that the data set had before it grew.
    pub before: usize,
    /// Tracks that an earlier, interrupted run had dealt with.
    pub resumed: usize,
    /// Tracks that this run dealt with.
    pub processed: usize,
    /// How long this run took.
    pub seconds: f64,
    /// Warnings about the labels, as sentences.
    pub warnings: Vec<String>,
    /// What was passed over in the audio directory, in sentences.
    pub notes: Vec<String>,
}

/// Who watches.
pub trait BuildProgress {
    /// Work begins on `total` tracks, of which `done` were dealt with in an earlier run.
    fn begin(&mut self, total: usize, done: usize);
    /// One more track is kept or dropped.
    fn track(&mut self, kept: bool);
    /// All are.
    fn end(&mut self);
}

/// A data set that could not be finished. What is done stays, and the next run goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum AssemblyError {
    /// The directory cannot be built in.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The directory holds a data set that cannot be read.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// The directory holds a data set that cannot grow.
    #[error(transparent)]
    Growth(#[from] GrowthError),
    /// The directory holds a finished data set of another kind.
    #[error(
        "{} is a finished data set with other settings: {}; leave out the options that differ, or choose another --out",
        path.display(), differences.join("; ")
    )]
    OtherDataset {
        /// The data set.
        path: PathBuf,
        /// What differs.
        differences: Vec<String>,
    },
    /// The directory holds a feature set, whose tracks are another data set's.
    #[error(
        "{} is a feature set and is made by `preprocess extend`; build into the data set that it belongs to, and extend \
         that again", path.display()
    )]
    FeatureSet {
        /// The feature set.
        path: PathBuf,
    },
    /// A shard could not be written.
    #[error(transparent)]
    Shard(#[from] ShardWriteError),
    /// A table or the index could not be written.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The operating system refused.
    #[error("could not use {}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system answered.
        r#source: io::Error,
    },
}

/// What a directory holds already.
enum Found {
    /// No data set yet.
    Nothing,
    /// The one that was asked for.
    Complete(Box<DatasetIndex>),
    /// One of fewer tracks, or of other dropped ones.
    Smaller(Box<DatasetIndex>),
}

/// Makes the data set in `root`, goes on with it, adds tracks to it, or finds that it is complete. `work` gets the
/// positions in the listing of the tracks that are missing, and gives each to [`Assembly::take`] in that order. Threads of
/// `pool` compare the tracks at the end.
pub fn assemble<E: From<AssemblyError>>(
    root: &Path,
    plan: &BuildPlan,
    origin: &Origin<'_>,
    pool: &rayon::ThreadPool,
    progress: &mut dyn BuildProgress,
    work: impl FnOnce(&mut Assembly<'_>, &[usize], &mut dyn BuildProgress) -> Result<(), E>,
) -> Result<BuildReport, E> {
    let begin = Instant::now();
    // A label that a part lacks may be in another part.
    let warnings = |index: &DatasetIndex| match plan.part {
        None => label_warnings::all(origin.listing, &plan.tags(), index),
        Some(_) => Vec::new(),
    };
    let complete = |index: DatasetIndex| -> Result<BuildReport, AssemblyError> {
        Ok(BuildReport {
            was_complete: true,
            warnings: warnings(&index),
            ..report(root, index, begin)?
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
        Found::Smaller(index) => Journal::grow(root, plan, index),
        _ => Journal::open(root, plan),
    };
    let journal = journal.map_err(AssemblyError::from)?;
    // Asked with the lock held: another process may have finished just now.
    let base = match find(root, plan)? {
        Found::Complete(index) => {
            journal.remove().map_err(AssemblyError::from)?;
            return Ok(complete(*index)?);
        }
        Found::Smaller(index) => Base::read(root, *index, origin.sources).map_err(AssemblyError::from)?,
        Found::Nothing => Base::default(),
    };
    let shards = root.join("shards");
    fs::create_dir_all(&shards).map_err(|source| AssemblyError::Io { path: shards, source })?;
    let before = base.tracks.len();
    let there = base.ids();
    let listed = origin.listing.tracks.iter().enumerate();
    let missing: Vec<usize> = listed
        .filter(|(_, track)| !there.contains(&track.track_id))
        .map(|(at, _)| at)
        .collect();
    let mut assembly = Assembly::resume(root, plan, &journal, base)?;
    let resumed = assembly.done().min(missing.len());
    progress.begin(missing.len(), resumed);
    work(&mut assembly, &missing[resumed..], progress)?;
    progress.end();
    let index = assembly.finish(origin, pool, missing.len())?;
    journal.remove().map_err(AssemblyError::from)?;
    Ok(BuildReport {
        before,
        resumed,
        processed: missing.len() - resumed,
        warnings: warnings(&index),
        ..report(root, index, begin)?
    })
}

fn find(root: &Path, plan: &BuildPlan) -> Result<Found, AssemblyError> {
    if !root.join(INDEX_FILE).exists() {
        return Ok(Found::Nothing);
    }
    let index = Dataset::read_index(root)?;
    if index.waveforms_of.is_some() {
        return Err(AssemblyError::FeatureSet { path: root.to_owned() });
    }
    let earlier = BuildPlan::read(root, &index)?;
    let differences = plan.differences(&earlier);
    if differences.is_empty() {
        return Ok(Found::Complete(Box::new(index)));
    }
    // A part that grew would have tracks that are another's by then.
    if plan.part.is_none() && plan.differences_in_kind(&earlier).is_empty() {
        return Ok(Found::Smaller(Box::new(index)));
    }
    Err(AssemblyError::OtherDataset {
        path: root.to_owned(),
        differences,
    })
}

fn report(root: &Path, index: DatasetIndex, begin: Instant) -> Result<BuildReport, AssemblyError> {
    let mut reasons = ReasonCounts::new();
    for row in dataset::read_rejected(root, &index)? {
        *reasons.entry(row.reason).or_default() += 1;
    }
    let shards = index.shards.iter().map(|shard| shard.waveform.bytes + shard.mel.bytes);
    let files = index.files.values().map(|file| file.bytes);
    Ok(BuildReport {
        reasons,
        bytes: shards.chain(files).sum::<u64>() + index.to_json().len() as u64,
        index,
        was_complete: false,
        before: 0,
        resumed: 0,
        processed: 0,
        seconds: begin.elapsed().as_secs_f64(),
        warnings: Vec::new(),
        notes: Vec::new(),
    })
}

/// A data set in the making: what is finished, and the pair of shards that is open.
pub struct Assembly<'a> {
    root: &'a Path,
    plan: &'a BuildPlan,
    journal: &'a Journal,
    base: Base,
    entries: Vec<Entry>,
    /// Tracks that have been dealt with, in the order of the work.
    done: usize,
    /// The track that had given samples first, for every checksum of a waveform.
    first_with: HashMap<String, u64>,
    pair: Option<PairWriter>,
    open: Entry,
    open_summaries: Vec<TrackSummary>,
}

impl<'a> Assembly<'a> {
    fn resume(root: &'a Path, plan: &'a BuildPlan, journal: &'a Journal, base: Base) -> Result<Self, AssemblyError> {
        let entries = journal.entries(plan.features.n_mels)?;
        let mut first_with = HashMap::new();
        for row in base.tracks.iter().chain(entries.iter().flat_map(|entry| &entry.tracks)) {
            first_with.entry(row.waveform_blake3.clone()).or_insert(row.track_id);
        }
        Ok(Self {
            root,
            plan,
            journal,
            base,
            done: entries.last().map_or(0, |entry| entry.done),
            entries,
            first_with,
            pair: None,
            open: Entry::default(),
            open_summaries: Vec::new(),
        })
    }

    /// Tracks that have been dealt with, in the order of the work.
    pub fn done(&self) -> usize {
        self.done
    }

    /// Puts the next track into the open shards, or among the dropped. Whether it was kept.
    pub fn take(&mut self, track: Result<Kept<'_>, RejectedRow>) -> Result<bool, AssemblyError> {
        let kept = match track.and_then(|kept| self.flag(kept)) {
            Ok(kept) => {
                self.keep(kept)?;
                true
            }
            Err(row) => {
                self.open.rejected.push(row);
                false
            }
        };
        self.done += 1;
        if self.pair.as_ref().is_some_and(PairWriter::is_full) {
            self.close()?;
        }
        Ok(kept)
    }

    fn flag<'t>(&self, mut kept: Kept<'t>) -> Result<Kept<'t>, RejectedRow> {
        let rejected = |row: &TrackRow, rejection: Rejection| rejection.row(row.track_id, &row.path);
        // Whether it is a duplicate or nearly silent is decided here; the other flags come with it.
        kept.row
            .flags
            .retain(|flag| !matches!(flag, Flag::Duplicate | Flag::NearSilent));
        if let Some(&of) = self.first_with.get(&kept.row.waveform_blake3) {
            // Of a part, whoever merges it knows which of all tracks was first.
            if self.plan.drops(Flag::Duplicate) && self.plan.part.is_none() {
                return Err(rejected(&kept.row, Rejection::Duplicate { of }));
            }
            kept.row.flags.push(Flag::Duplicate);
        }
        let rms_dbfs = kept.summary.rms_dbfs();
        if self.plan.validate.is_near_silent(rms_dbfs) {
            if self.plan.drops(Flag::NearSilent) {
                return Err(rejected(&kept.row, Rejection::NearSilent { rms_dbfs }));
            }
            kept.row.flags.push(Flag::NearSilent);
        }
        kept.row.flags.sort_unstable();
        Ok(kept)
    }

    fn keep(&mut self, mut kept: Kept<'_>) -> Result<(), AssemblyError> {
        let pair = match &mut self.pair {
            Some(pair) => pair,
            closed => {
                let number = self.base.pairs() + self.entries.len();
                closed.insert(PairWriter::create(self.root, number, self.plan.features.n_mels)?)
            }
        };
        pair.push(kept.row.track_id, kept.waveform, kept.mel)?;
        self.first_with
            .entry(kept.row.waveform_blake3.clone())
            .or_insert(kept.row.track_id);
        kept.row.shard = pair.number();
        self.open.tracks.push(kept.row);
        self.open_summaries.push(kept.summary);
        Ok(())
    }

    /// Finishes the open pair and makes it known to a later run.
    fn close(&mut self) -> Result<(), AssemblyError> {
        let entry = Entry {
            shard: self.pair.take().map(PairWriter::finish).transpose()?,
            done: self.done,
            ..std::mem::take(&mut self.open)
        };
        let summaries = std::mem::take(&mut self.open_summaries);
        self.journal
            .append(self.entries.len(), &entry, &summaries, self.plan.features.n_mels)?;
        self.entries.push(entry);
        Ok(())
    }

    fn finish(
        mut self,
        origin: &Origin<'_>,
        pool: &rayon::ThreadPool,
        all: usize,
    ) -> Result<DatasetIndex, AssemblyError> {
        assert_eq!(
            self.done, all,
            "every track is kept or dropped before a data set is finished"
        );
        if self.pair.is_some() || !self.open.rejected.is_empty() {
            self.close()?;
        }
        let mut summaries = self.base.summaries(self.root)?;
        for (number, entry) in self.entries.iter().enumerate() {
            summaries.extend(self.journal.summaries(number, entry, self.plan.features.n_mels)?);
        }
        let earlier = match &self.base.index {
            None => Vec::new(),
            Some(index) => {
                self.journal.keep_tables(index)?;
                [index.earlier.as_slice(), std::slice::from_ref(&index.checksum)].concat()
            }
        };
        let shards = self.base.index.into_iter().flat_map(|index| index.shards);
        let mut rows = Rows {
            shards: shards
                .chain(self.entries.iter().filter_map(|entry| entry.shard.clone()))
                .collect(),
            tracks: self.base.tracks,
            summaries,
            rejected: Vec::new(),
        };
        for entry in self.entries {
            rows.tracks.extend(entry.tracks);
            rows.rejected.extend(entry.rejected);
        }
        // A data set that grew has its later tracks between the earlier ones.
        rows.tracks.sort_by_key(|row| row.track_id);
        rows.summaries.sort_by_key(|row| row.track_id);
        pool.install(|| recordings::assign(&mut rows.tracks, &rows.summaries, &self.plan.features));
        let differences = match origin.preset {
            Some(preset) if self.plan.part.is_none() => {
                preset.differences(origin.listing, &rows.tracks, &rows.rejected)
            }
            _ => Vec::new(),
        };
        let unlabelled = origin.listing.unlabelled.iter();
        rows.rejected
            .extend(unlabelled.map(|track| Rejection::Unlabelled.row(track.track_id, &track.path)));
        rows.rejected.sort_by_key(|row| row.track_id);
        rows.rejected.extend(origin.listing.unlisted.iter().cloned());
        Ok(index::write(self.root, self.plan, origin, differences, earlier, &rows)?)
    }
}
