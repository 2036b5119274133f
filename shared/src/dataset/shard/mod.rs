//! Shards: safetensors files that hold one tensor per track, named by the track's id.
//!
//! A waveform shard has 1-D `I16` tensors (mono PCM), a mel shard `[n_mels, frames]` `F16` tensors (dB, reference 1.0).
//! Any safetensors reader opens them. [`ShardWriter`] streams tensors to disk one by one; [`MappedShard`] reads them
//! from a memory map without a copy. The caller decides which track is in which shard.

mod mapped;
#[forbid(unsafe_code)]
mod writer;

pub use mapped::{MappedShard, MelView, ShardError};
pub use writer::{FinishedShard, ShardWriteError, ShardWriter};

use std::path::PathBuf;

/// Offset of the tensor data in every shard this project writes. The length word and the header, padded with spaces,
/// are before it. So data can be streamed before the header is known, and begins on a page boundary.
pub const DATA_START: usize = 1 << 16;

/// Maximum number of tracks in one shard; their header entries fit below [`DATA_START`] for any ids and lengths.
pub const MAX_TRACKS: usize = 512;

/// A shard is closed when its waveforms reach this many bytes.
pub const TARGET_BYTES: u64 = 512 << 20;

/// The two kinds of shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShardKind {
    /// `[samples]` of `I16`: mono PCM, full scale 32768.
    Waveform,
    /// `[n_mels, frames]` of `F16`: power mel spectrogram in dB, reference 1.0, no floor.
    Mel,
}

impl ShardKind {
    /// Both kinds, in the order in which they are written.
    pub const ALL: [Self; 2] = [Self::Waveform, Self::Mel];

    /// The name in file names and in the header's metadata.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waveform => "waveform",
            Self::Mel => "mel",
        }
    }

    /// The path of shard `index` below the data set's directory: `shards/waveform-00000.safetensors`.
    pub fn path(self, index: usize) -> PathBuf {
        format!("shards/{}-{index:05}.safetensors", self.name()).into()
    }

    fn dtype(self) -> safetensors::Dtype {
        match self {
            Self::Waveform => safetensors::Dtype::I16,
            Self::Mel => safetensors::Dtype::F16,
        }
    }

    fn dtype_name(self) -> &'static str {
        match self {
            Self::Waveform => "I16",
            Self::Mel => "F16",
        }
    }
}

#[cfg(target_endian = "big")]
compile_error!("shards are little-endian and read without conversion; a big-endian machine cannot read them");
