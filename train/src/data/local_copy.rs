//! `--cache local DIR`: the shards that training reads, copied once from a slow or shared file system into a directory of
//! this machine.
//!
//! Copies lie in `DIR/cratedigger-CHECKSUM/shards`, after the data set's own checksum, so that runs on the same data share
//! them and another build has others. A copy is written beside its final name, synced and renamed. One process copies at a
//! time; those that wait find its copies.

use crate::process::console::Console;
use crate::process::stop::{StopRequest, Stopped};
use shared::dataset::integrity::open_checked;
use shared::dataset::shard::ShardKind;
use shared::dataset::{Dataset, DatasetIndex};
use shared::runtime::atomic_file::{self, TEMPORARY_SUFFIX, WriteError};
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

const LOCK_FILE: &str = ".lock";
/// Bytes that are read at a time; between two of them a signal is looked for.
const BLOCK: usize = 1 << 20;
/// How often a waiting process looks whether the other one is done.
const PATIENCE: Duration = Duration::from_millis(100);

/// Shards that could not be copied. Nothing half written bears a final name.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The shard could not be read.
    #[error("shard {} could not be copied: {source}; check the disk or mount that it lies on", path.display())]
    Source {
        path: PathBuf,
        /// What the operating system answered.
        r#source: io::Error,
    },
    /// The shard is not what the index says, so that its copy is not.
    #[error("shard {} was not copied: {detail}; run `preprocess verify --repair` on its data set", path.display())]
    Damaged {
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The copy could not be written.
    #[error(
        "no room for a copy of the data set, or no right to make one; name another directory with --cache local, or \
         use --cache mapped"
    )]
    Write(#[from] WriteError),
    /// The directory cannot be used.
    #[error("could not use {} for copies of shards: {source}; name another directory with --cache local", path.display())]
    Directory {
        path: PathBuf,
        /// What the operating system answered.
        r#source: io::Error,
    },
    #[error("the shards were not all copied")]
    Stopped(#[from] Stopped),
}

#[derive(Debug, PartialEq, Eq)]
pub struct Copied {
    /// The directory below which the copies lie as shards do below the data set's.
    pub directory: PathBuf,
    /// Files that were copied; the others were there.
    pub files: usize,
}

/// Copies the shards of `kinds` that are not below `cache` yet, or are damaged there: of another size, or with another
/// header.
pub fn copy_shards(
    dataset: &Dataset,
    kinds: &[ShardKind],
    cache: &Path,
    stop: StopRequest<'_>,
    console: Console,
) -> Result<Copied, CopyError> {
    let index = dataset.index();
    let directory = cache.join(format!("cratedigger-{}", index.checksum));
    let shards = directory.join("shards");
    fs::create_dir_all(&shards).map_err(|source| CopyError::Directory {
        path: shards.clone(),
        source,
    })?;
    let _lock = lock(&directory, stop, console)?;
    remove_left_over(&shards);
    let mut files = 0;
    for number in 0..index.shards.len() {
        for &kind in kinds {
            let copy = directory.join(kind.path(number));
            if open_checked(&copy, index, kind, number).is_ok() {
                continue;
            }
            if files == 0 {
                console.line(&format!("copying shards to {}", directory.display()));
            }
            copy_shard(
                &dataset.root().join(kind.path(number)),
                &copy,
                index,
                kind,
                number,
                stop,
            )?;
            files += 1;
        }
    }
    Ok(Copied { directory, files })
}

/// Waits until no other process copies. Held until the file is dropped, or the process ends, however it ends.
fn lock(directory: &Path, stop: StopRequest<'_>, console: Console) -> Result<File, CopyError> {
    let path = directory.join(LOCK_FILE);
    let failed = |source| CopyError::Directory {
        path: path.clone(),
        source,
    };
    // Not `create`: another user's file could then not be opened where only its owner may write it.
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(failed)?;
    let mut said = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => {
                if !said {
                    console.line(&format!(
                        "waiting for another process that copies to {}",
                        directory.display()
                    ));
                    said = true;
                }
                Stopped::check(stop)?;
                thread::sleep(PATIENCE);
            }
            // A file system without locks: renames alone then keep copies whole, and some work may be done twice.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => return Ok(file),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
    }
}

/// What a process that was killed while it copied has left. What cannot be removed costs space only.
fn remove_left_over(shards: &Path) {
    let entries = fs::read_dir(shards).into_iter().flatten().flatten();
    let left = entries.filter(|entry| entry.file_name().to_string_lossy().ends_with(TEMPORARY_SUFFIX));
    left.for_each(|entry| drop(fs::remove_file(entry.path())));
}

fn copy_shard(
    from: &Path,
    to: &Path,
    index: &DatasetIndex,
    kind: ShardKind,
    number: usize,
    stop: StopRequest<'_>,
) -> Result<(), CopyError> {
    let damaged = |detail: String| CopyError::Damaged {
        path: from.to_owned(),
        detail,
    };
    // Of the shard itself, before hours are spent on copying one that is damaged.
    open_checked(from, index, kind, number).map_err(damaged)?;
    let mut source = File::open(from).map_err(|source| CopyError::Source {
        path: from.to_owned(),
        source,
    })?;
    // The writer's error has no room for these.
    let mut interrupted = None;
    let written = atomic_file::write(to, |out| {
        copy_bytes(&mut source, out, index.shards[number].file(kind).bytes, stop).map_err(|failure| match failure {
            Failure::Write(error) => error,
            other => {
                interrupted = Some(other);
                io::Error::other("interrupted")
            }
        })
    });
    match (interrupted, written) {
        (Some(Failure::Read(source)), _) => Err(CopyError::Source {
            path: from.to_owned(),
            source,
        }),
        (Some(Failure::Length(length)), _) => Err(damaged(format!("it ended after {length} bytes"))),
        (Some(Failure::Stopped(stopped)), _) => Err(stopped.into()),
        (Some(Failure::Write(_)) | None, written) => Ok(written?),
    }
}

/// Why a copy was not finished.
#[derive(Debug)]
enum Failure {
    Read(io::Error),
    Write(io::Error),
    /// The source had so many bytes, which are too few or too many.
    Length(u64),
    Stopped(Stopped),
}

/// Copies exactly `bytes`, from a reader that may be slow, give less than asked for, or be interrupted.
fn copy_bytes(from: &mut impl Read, to: &mut impl Write, bytes: u64, stop: StopRequest<'_>) -> Result<(), Failure> {
    let (mut block, mut done) = (vec![0; BLOCK], 0);
    loop {
        Stopped::check(stop).map_err(Failure::Stopped)?;
        match from.read(&mut block) {
            Ok(0) if done == bytes => return Ok(()),
            Ok(0) => return Err(Failure::Length(done)),
            Ok(length) => {
                done += length as u64;
                if done > bytes {
                    return Err(Failure::Length(done));
                }
                to.write_all(&block[..length]).map_err(Failure::Write)?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Failure::Read(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tempfile::TempDir;

    /// A file system that is slow, gives a few bytes at a time, and is interrupted between them.
    struct Slow<'a> {
        left: &'a [u8],
        reads: usize,
        fails_at: usize,
    }

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.reads += 1;
            if self.reads == self.fails_at {
                return Err(io::Error::other("the mount is gone"));
            }
            if self.reads.is_multiple_of(3) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            thread::sleep(Duration::from_micros(200));
            let length = self.left.len().min(1 + self.reads % 17).min(buffer.len());
            let (now, later) = self.left.split_at(length);
            buffer[..length].copy_from_slice(now);
            self.left = later;
            Ok(length)
        }
    }

    #[test]
    fn slow_short_and_interrupted_reads_make_a_whole_copy() {
        let bytes: Vec<u8> = (0..5000u32).map(|at| (at * 7) as u8).collect();
        let slow = |fails_at| Slow {
            left: &bytes,
            reads: 0,
            fails_at,
        };
        let mut copy = Vec::new();
        copy_bytes(&mut slow(0), &mut copy, 5000, &|| None).unwrap();
        assert_eq!(copy, bytes);
        let short = copy_bytes(&mut slow(0), &mut Vec::new(), 5001, &|| None);
        assert!(matches!(short, Err(Failure::Length(5000))));
        let long = copy_bytes(&mut slow(0), &mut Vec::new(), 4000, &|| None);
        assert!(matches!(long, Err(Failure::Length(length)) if length > 4000));
        let gone = copy_bytes(&mut slow(40), &mut Vec::new(), 5000, &|| None);
        assert!(matches!(gone, Err(Failure::Read(_))));
        let asked = AtomicUsize::new(0);
        let stop = || (asked.fetch_add(1, Ordering::Relaxed) > 9).then_some("SIGTERM");
        let stopped = copy_bytes(&mut slow(0), &mut Vec::new(), 5000, &stop);
        assert!(matches!(stopped, Err(Failure::Stopped(_))));
    }

    fn copy(dataset: &Dataset, cache: &TempDir) -> Result<Copied, CopyError> {
        copy_shards(dataset, &ShardKind::ALL, cache.path(), &|| None, Console::new(true))
    }

    #[test]
    fn what_is_there_and_whole_is_not_copied_again() {
        let (root, cache) = (testing::dataset(), tempfile::tempdir().unwrap());
        let mut dataset = Dataset::open(root.path()).unwrap();
        let one = copy_shards(&dataset, &[ShardKind::Mel], cache.path(), &|| None, Console::new(true)).unwrap();
        assert_eq!(one.files, 1);
        let copied = copy(&dataset, &cache).unwrap();
        assert_eq!(copied.files, 1);
        assert_eq!(copy(&dataset, &cache).unwrap().files, 0);
        let path = copied.directory.join(ShardKind::Waveform.path(0));
        let whole = fs::read(&path).unwrap();
        assert_eq!(whole, fs::read(root.path().join(ShardKind::Waveform.path(0))).unwrap());
        // Cut short, or with another header, or left half written by a process that was killed.
        fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        assert_eq!(copy(&dataset, &cache).unwrap().files, 1);
        let mut other = whole.clone();
        other[100] ^= 1;
        fs::write(&path, other).unwrap();
        let left = copied.directory.join("shards/.mel-00000.safetensors.abc.tmp");
        fs::write(&left, "half").unwrap();
        assert_eq!(copy(&dataset, &cache).unwrap().files, 1);
        assert!(!left.exists());
        assert_eq!(fs::read(&path).unwrap(), whole);
        for kind in ShardKind::ALL {
            dataset.relocate(kind, &copied.directory).unwrap();
        }
    }

    #[test]
    fn several_at_the_same_time_copy_once() {
        let (root, cache) = (testing::dataset(), tempfile::tempdir().unwrap());
        let files: usize = thread::scope(|scope| {
            let copies: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| copy(&Dataset::open(root.path()).unwrap(), &cache).unwrap().files))
                .collect();
            copies.into_iter().map(|copy| copy.join().unwrap()).sum()
        });
        assert_eq!(files, 2);
    }

    #[test]
    fn what_cannot_be_copied_is_a_sentence_and_leaves_nothing() {
        let (root, cache) = (testing::dataset(), tempfile::tempdir().unwrap());
        let dataset = Dataset::open(root.path()).unwrap();
        let file = cache.path().join("file");
        fs::write(&file, "x").unwrap();
        let refused = copy_shards(&dataset, &ShardKind::ALL, &file, &|| None, Console::new(true)).unwrap_err();
        assert!(matches!(refused, CopyError::Directory { .. }), "{refused}");
        // Renamed over, so that the open data set's own maps stay as they are.
        let path = root.path().join(ShardKind::Mel.path(0));
        let bytes = fs::read(&path).unwrap();
        let short = root.path().join("short");
        fs::write(&short, &bytes[..bytes.len() / 2]).unwrap();
        fs::rename(&short, &path).unwrap();
        let said = copy(&dataset, &cache).unwrap_err().to_string();
        assert!(said.contains("mel-00000") && said.contains("--repair"), "{said}");
        let shards = cache
            .path()
            .join(format!("cratedigger-{}/shards", dataset.index().checksum));
        let names: Vec<_> = fs::read_dir(&shards)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, ["waveform-00000.safetensors"]);
        let stopped = copy_shards(
            &dataset,
            &ShardKind::ALL,
            cache.path(),
            &|| Some("SIGTERM"),
            Console::new(true),
        );
        assert!(stopped.is_err());
    }
}
