//! What a build, or a merge, has to report.

use shared::audio::validate::ReasonCounts;
use shared::dataset::{self, DatasetError, DatasetIndex};
use std::path::Path;
use std::time::Instant;

/// A data set that was assembled, or was there.
#[derive(Clone, Debug)]
pub struct BuildReport {
    pub index: DatasetIndex,
    /// Dropped tracks by reason code.
    pub reasons: ReasonCounts,
    pub bytes: u64,
    /// Whether the data set was complete before.
    pub was_complete: bool,
    /// Tracks that the data set had before it grew.
    pub before: usize,
    /// Tracks that an earlier, interrupted run had dealt with.
    pub resumed: usize,
    /// Tracks that this run dealt with.
    pub processed: usize,
    pub seconds: f64,
    pub warnings: Vec<String>,
    /// What was skipped in the audio directory.
    pub notes: Vec<String>,
}

impl BuildReport {
    /// Of the data set in `root`, which has this index, and nothing that this run did.
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
