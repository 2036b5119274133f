//! Writes kept tracks, in the order of their ids, into pairs of shards: a waveform shard and the mel shard of the same
//! tracks.
//!
//! Tensors are written to disk immediately. The shard of a track depends only on the sizes of the tracks before it.

use half::f16;
use shared::dataset::shard::{FinishedShard, MAX_TRACKS, ShardKind, ShardWriteError, ShardWriter, TARGET_BYTES};
use shared::dataset::{ShardFileRecord, ShardRecord};
use std::path::Path;

/// A pair of shards that is being written.
pub struct PairWriter {
    number: usize,
    n_mels: usize,
    waveform: ShardWriter,
    mel: ShardWriter,
}

impl PairWriter {
    /// Creates pair `number` of the data set in `root`, whose directory `shards` must exist.
    pub fn create(root: &Path, number: usize, n_mels: usize) -> Result<Self, ShardWriteError> {
        let create = |kind: ShardKind| ShardWriter::create(&root.join(kind.path(number)), kind);
        Ok(Self {
            number,
            n_mels,
            waveform: create(ShardKind::Waveform)?,
            mel: create(ShardKind::Mel)?,
        })
    }
    pub fn number(&self) -> usize {
        self.number
    }
    pub fn push(&mut self, track_id: u64, waveform: &[i16], mel: &[f16]) -> Result<(), ShardWriteError> {
        self.waveform.push_waveform(track_id, waveform)?;
        self.mel.push_mel(track_id, self.n_mels, mel)
    }

    /// Whether the next track goes into the next pair.
    pub fn is_full(&self) -> bool {
        self.waveform.data_bytes() >= TARGET_BYTES || self.waveform.tracks() == MAX_TRACKS
    }
    pub fn finish(self) -> Result<ShardRecord, ShardWriteError> {
        let waveform = self.waveform.finish()?;
        let mel = self.mel.finish()?;
        Ok(ShardRecord {
            tracks: waveform.tracks,
            waveform: file_record(waveform),
            mel: file_record(mel),
        })
    }
}

/// The record of a finished shard in the index.
pub fn file_record(shard: FinishedShard) -> ShardFileRecord {
    ShardFileRecord {
        bytes: shard.bytes,
        header_blake3: shard.header_blake3,
    }
}
