//! Writes a shard tensor by tensor. Only one tensor is in memory at a time.

use super::{DATA_START, MAX_TRACKS, ShardKind};
use crate::runtime::atomic_file::{TEMPORARY_SUFFIX, WriteError, sync_directory};
use half::f16;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Streams one shard to a temporary file next to its final name, and renames it when it is complete.
///
/// The bytes depend only on the tensors and their order.
///
/// ```
/// use shared::dataset::shard::{MappedShard, ShardKind, ShardWriter};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("waveform-00000.safetensors");
/// let mut writer = ShardWriter::create(&path, ShardKind::Waveform)?;
/// writer.push_waveform(7, &[0, 100, -100])?;
/// let finished = writer.finish()?;
/// let shard = MappedShard::open(&path, ShardKind::Waveform, finished.bytes)?;
/// assert_eq!(shard.waveform(7), Some(&[0, 100, -100][..]));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ShardWriter {
    kind: ShardKind,
    path: PathBuf,
    temporary: PathBuf,
    out: BufWriter<File>,
    header: String,
    ids: Vec<u64>,
    data_bytes: u64,
    finished: bool,
}

/// The index entry of a finished shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinishedShard {
    /// Size of the whole file.
    pub bytes: u64,
    /// BLAKE3 of everything before [`DATA_START`]; each tensor has its own checksum, in `tracks.csv`.
    pub header_blake3: String,
    /// Number of tracks in the shard.
    pub tracks: usize,
}

/// Errors of writing a shard.
#[derive(Debug, thiserror::Error)]
pub enum ShardWriteError {
    /// The operating system refused.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Two tensors with the same id.
    #[error("track id {track_id} occurs twice in {}; give every track of the source a unique id", path.display())]
    Duplicate {
        /// The shard's final name.
        path: PathBuf,
        /// The repeated id.
        track_id: u64,
    },
    /// More than [`MAX_TRACKS`].
    #[error("{} is full: a shard holds {MAX_TRACKS} tracks", path.display())]
    Full {
        /// The shard's final name.
        path: PathBuf,
    },
}

impl ShardWriter {
    /// Starts the shard that will be named `path`.
    pub fn create(path: &Path, kind: ShardKind) -> Result<Self, ShardWriteError> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(TEMPORARY_SUFFIX);
        let temporary = path.with_file_name(name);
        let open = || -> io::Result<File> {
            let mut file = File::create(&temporary)?;
            file.seek(SeekFrom::Start(DATA_START as u64))?;
            Ok(file)
        };
        let file = open().map_err(|source| WriteError {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            kind,
            path: path.to_owned(),
            temporary,
            out: BufWriter::with_capacity(1 << 20, file),
            header: format!(r#"{{"__metadata__":{{"cratedigger":"{} 1"}}"#, kind.name()),
            ids: Vec::new(),
            data_bytes: 0,
            finished: false,
        })
    }

    /// Appends a track's samples; the writer must be of [`ShardKind::Waveform`].
    pub fn push_waveform(&mut self, track_id: u64, samples: &[i16]) -> Result<(), ShardWriteError> {
        assert_eq!(self.kind, ShardKind::Waveform, "a waveform must be in a waveform shard");
        self.push(track_id, &format!("{}", samples.len()), bytemuck::cast_slice(samples))
    }

    /// Appends a track's mel spectrogram, `[n_mels, frames]` row by row; the writer must be of [`ShardKind::Mel`].
    pub fn push_mel(&mut self, track_id: u64, n_mels: usize, decibels: &[f16]) -> Result<(), ShardWriteError> {
        assert_eq!(self.kind, ShardKind::Mel, "a mel spectrogram must be in a mel shard");
        assert!(
            n_mels > 0 && decibels.len().is_multiple_of(n_mels),
            "a mel spectrogram is n_mels equal rows"
        );
        self.push(
            track_id,
            &format!("{n_mels},{}", decibels.len() / n_mels),
            bytemuck::cast_slice(decibels),
        )
    }

    fn push(&mut self, track_id: u64, shape: &str, bytes: &[u8]) -> Result<(), ShardWriteError> {
        if self.ids.contains(&track_id) {
            return Err(ShardWriteError::Duplicate {
                path: self.path.clone(),
                track_id,
            });
        }
        if self.ids.len() == MAX_TRACKS {
            return Err(ShardWriteError::Full {
                path: self.path.clone(),
            });
        }
        self.out.write_all(bytes).map_err(|source| self.io_error(source))?;
        let begin = self.data_bytes;
        self.data_bytes += bytes.len() as u64;
        let (dtype, end) = (self.kind.dtype_name(), self.data_bytes);
        write!(
            self.header,
            r#","{track_id}":{{"dtype":"{dtype}","shape":[{shape}],"data_offsets":[{begin},{end}]}}"#
        )
        .expect("writing into a String cannot fail");
        self.ids.push(track_id);
        Ok(())
    }

    /// Number of bytes of tensor data so far.
    pub fn data_bytes(&self) -> u64 {
        self.data_bytes
    }

    /// Number of tracks so far.
    pub fn tracks(&self) -> usize {
        self.ids.len()
    }

    /// Writes the header, syncs, and renames the file to its final name.
    pub fn finish(mut self) -> Result<FinishedShard, ShardWriteError> {
        self.header.push('}');
        let mut head = Vec::with_capacity(DATA_START);
        head.extend_from_slice(&((DATA_START - 8) as u64).to_le_bytes());
        head.extend_from_slice(self.header.as_bytes());
        assert!(head.len() <= DATA_START, "MAX_TRACKS entries fit below DATA_START");
        head.resize(DATA_START, b' ');
        let attempt = |writer: &mut Self| -> io::Result<()> {
            writer.out.seek(SeekFrom::Start(0))?;
            writer.out.write_all(&head)?;
            writer.out.flush()?;
            writer.out.get_ref().sync_all()?;
            std::fs::rename(&writer.temporary, &writer.path)?;
            sync_directory(writer.path.parent().unwrap_or(Path::new(".")))
        };
        attempt(&mut self).map_err(|source| self.io_error(source))?;
        self.finished = true;
        Ok(FinishedShard {
            bytes: DATA_START as u64 + self.data_bytes,
            header_blake3: blake3::hash(&head).to_hex().to_string(),
            tracks: self.ids.len(),
        })
    }

    fn io_error(&self, source: io::Error) -> WriteError {
        WriteError {
            path: self.path.clone(),
            source,
        }
    }
}

impl Drop for ShardWriter {
    /// Deletes an unfinished shard, so it does not fill the disk. After a crash the caller must delete it.
    fn drop(&mut self) {
        if !self.finished {
            // A temporary file that remains does no harm, because nobody reads it.
            let _ = std::fs::remove_file(&self.temporary);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_entries_of_a_full_shard_fit_below_the_data() {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = ShardWriter::create(&directory.path().join("mel.safetensors"), ShardKind::Mel).unwrap();
        // The offsets of a real shard are below 2^40. `push` gets no data here, so the offset is set by hand.
        writer.data_bytes = 1 << 40;
        for index in 0..MAX_TRACKS as u64 {
            writer.push(u64::MAX - index, "128,4294967296", &[]).unwrap();
        }
        assert!(writer.header.len() + 9 <= DATA_START, "{}", writer.header.len());
        assert!(matches!(writer.push(0, "1", &[]), Err(ShardWriteError::Full { .. })));
    }

    #[test]
    fn unfinished_shard_leaves_no_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("w.safetensors");
        let mut writer = ShardWriter::create(&path, ShardKind::Waveform).unwrap();
        writer.push_waveform(7, &[1, 2, 3]).unwrap();
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
        drop(writer);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        ShardWriter::create(&path, ShardKind::Waveform)
            .unwrap()
            .finish()
            .unwrap();
        assert!(path.exists());
    }

    #[test]
    fn repeated_track_id_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = ShardWriter::create(&directory.path().join("w.safetensors"), ShardKind::Waveform).unwrap();
        writer.push_waveform(7, &[1, 2, 3]).unwrap();
        assert!(matches!(
            writer.push_waveform(7, &[4]),
            Err(ShardWriteError::Duplicate { track_id: 7, .. })
        ));
    }
}
