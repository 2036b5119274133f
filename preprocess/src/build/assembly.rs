//! Assembles a data set: writes kept and dropped tracks into shard pairs and tables, in the order of their ids.
//!
//! It does not know whether a track comes from an audio file or from a part, so a merged data set equals one built by a
//! single process, byte for byte. Each finished pair is recorded in the journal and survives a crash.

use super::growth::{self, Base};
use super::index::{self, Origin, Rows};
use super::journal::{Entry, Journal};
use super::plan::BuildPlan;
use super::recordings;
use super::shard_writer::PairWriter;
use shared::audio::validate::Rejection;
use shared::dataset::DatasetIndex;
use shared::dataset::manifest::{Flag, RejectedRow, TrackRow};
use shared::dataset::statistics::TrackSummary;
use std::collections::HashMap;
use std::path::Path;

/// A track that passed validation.
#[derive(Debug)]
pub struct Kept<'a> {
    /// The row; the shard, the flags `duplicate` and `near_silent`, and the recording are set during assembly.
    pub row: TrackRow,
    pub waveform: &'a [i16],
    /// `[n_mels, frames]` dB, reference 1.0.
    pub mel: &'a [half::f16],
    pub summary: TrackSummary,
}

/// A data set that is being assembled: the finished pairs and the open pair of shards.
pub struct Assembly<'a> {
    root: &'a Path,
    plan: &'a BuildPlan,
    journal: &'a Journal,
    base: Base,
    entries: Vec<Entry>,
    done: usize,
    /// Maps the checksum of a waveform to the first track with these samples.
    first_with: HashMap<String, u64>,
    pair: Option<PairWriter>,
    open: Entry,
    open_summaries: Vec<TrackSummary>,
}

impl<'a> Assembly<'a> {
    /// Resumes after the last entry of the journal. `base` is the finished data set that gets more tracks, if any.
    pub(super) fn resume(
        root: &'a Path,
        plan: &'a BuildPlan,
        journal: &'a Journal,
        base: Base,
    ) -> anyhow::Result<Self> {
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

    /// Number of tracks processed so far.
    pub(super) fn done(&self) -> usize {
        self.done
    }

    /// Adds the next track to the open shards or to the dropped tracks. Returns whether it was kept.
    pub fn take(&mut self, track: Result<Kept<'_>, RejectedRow>) -> anyhow::Result<bool> {
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
        // `duplicate` and `near_silent` are decided here; the other flags are already set.
        kept.row
            .flags
            .retain(|flag| !matches!(flag, Flag::Duplicate | Flag::NearSilent));
        if let Some(&first) = self.first_with.get(&kept.row.waveform_blake3) {
            // In a part, duplicates are dropped by the merge, which knows the first track overall.
            if self.plan.drops(Flag::Duplicate) && self.plan.part.is_none() {
                return Err(rejected(&kept.row, Rejection::Duplicate { of: first }));
            }
            kept.row.flags.push(Flag::Duplicate);
        }
        let rms_dbfs = kept.summary.rms_dbfs();
        if let Some(rejection) = self.plan.near_silent(rms_dbfs) {
            return Err(rejected(&kept.row, rejection));
        }
        if self.plan.validate.is_near_silent(rms_dbfs) {
            kept.row.flags.push(Flag::NearSilent);
        }
        kept.row.flags.sort_unstable();
        Ok(kept)
    }

    fn keep(&mut self, mut kept: Kept<'_>) -> anyhow::Result<()> {
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

    /// Finishes the open pair and records it in the journal.
    fn close(&mut self) -> anyhow::Result<()> {
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

    /// Writes the tables and the index of `total` tracks.
    pub(super) fn finish(
        mut self,
        origin: &Origin<'_>,
        pool: &rayon::ThreadPool,
        total: usize,
    ) -> anyhow::Result<DatasetIndex> {
        assert_eq!(
            self.done, total,
            "every track must be kept or dropped before a data set is finished"
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
                growth::keep_tables(self.root, index)?;
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
        // Added tracks may have ids between those of the earlier ones.
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
        index::write(self.root, self.plan, origin, differences, earlier, &rows)
    }
}
