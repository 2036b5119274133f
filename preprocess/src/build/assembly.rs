//! A data set in the making: tracks, kept or dropped, are put into pairs of shards and into tables in the order of their
//! ids.
//!
//! Where a track comes from, an audio file or a part of a build, is not known here, so a merged data set is the one that a
//! single process builds, byte by byte. What is finished is written into the journal, and is there after a crash.

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

/// A track that is fit for the data set.
#[derive(Debug)]
pub struct Kept<'a> {
    /// Its row; the shard, two of the flags and the recording are filled in here.
    pub row: TrackRow,
    pub waveform: &'a [i16],
    /// `[n_mels, frames]` dB, reference 1.0.
    pub mel: &'a [half::f16],
    pub summary: TrackSummary,
}

/// A data set in the making: what is finished, and the pair of shards that is open.
pub struct Assembly<'a> {
    root: &'a Path,
    plan: &'a BuildPlan,
    journal: &'a Journal,
    base: Base,
    entries: Vec<Entry>,
    done: usize,
    /// The track that had given samples first, for every checksum of a waveform.
    first_with: HashMap<String, u64>,
    pair: Option<PairWriter>,
    open: Entry,
    open_summaries: Vec<TrackSummary>,
}

impl<'a> Assembly<'a> {
    /// Goes on after what the journal has. `base` is the data set that grows, if one does.
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

    /// Tracks that have been dealt with, in the order of the work.
    pub(super) fn done(&self) -> usize {
        self.done
    }

    /// Puts the next track into the open shards, or among the dropped. Whether it was kept.
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

    /// Finishes the open pair and makes it known to a later run.
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

    /// Writes the tables and the index of `all` tracks.
    pub(super) fn finish(
        mut self,
        origin: &Origin<'_>,
        pool: &rayon::ThreadPool,
        all: usize,
    ) -> anyhow::Result<DatasetIndex> {
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
        index::write(self.root, self.plan, origin, differences, earlier, &rows)
    }
}
