//! The report of a build or a merge.

use shared::audio::validate::ReasonCounts;
use shared::dataset::{self, DatasetError, DatasetIndex};
use std::path::Path;
use std::time::Instant;

#[derive(Clone, Debug)]
pub struct BuildReport {
    pub index: DatasetIndex,
    /// Dropped tracks by reason code.
    pub reasons: ReasonCounts,
    pub bytes: u64,
    /// Whether the data set was complete before this run.
    pub was_complete: bool,
    /// Tracks that the data set had before it grew.
    pub before: usize,
    /// Tracks that an earlier, interrupted run processed.
    pub resumed: usize,
    /// Tracks that this run processed.
    pub processed: usize,
    pub seconds: f64,
    pub warnings: Vec<String>,
    /// Notes about files and links that were skipped in the audio directory.
    pub notes: Vec<String>,
}

impl BuildReport {
    /// A report on the data set in `root`, without anything that this run did.
    pub(super) fn new(root: &Path, index: DatasetIndex, begin: Instant) -> Result<Self, DatasetError> {
        let mut reasons = ReasonCounts::new();
        for row in dataset::read_rejected(root, &index)? {
            *reasons.entry(row.reason).or_default() += 1;
        }
        let shards = index.shards.iter().map(|shard| shard.waveform.bytes + shard.mel.bytes);
        let files = index.files.values().map(|file| file.bytes);
        Ok(Self {
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
}
