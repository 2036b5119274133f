//! `--cache local DIR`: copies the shards that training reads from a slow or shared file system to a local directory.
//!
//! Copies are in `DIR/cratedigger-CHECKSUM/shards`. The name contains the data set's checksum, so runs on the same data
//! share the copies and another build gets its own. A copy is written to a temporary file, synced and renamed. One
//! process copies at a time; the others wait and then use its copies.

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
/// Bytes per read; stop signals are checked between reads.
const BLOCK: usize = 1 << 20;
/// How often a waiting process tries to get the lock.
const LOCK_RETRY: Duration = Duration::from_millis(100);

/// Shards that could not be copied. Unfinished copies never have a final name.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    #[error("shard {} could not be copied: {source}; check the disk or mount that it is on", path.display())]
    Source {
        path: PathBuf,
        /// The error of the operating system.
        r#source: io::Error,
    },
    /// The shard differs from the index, so its copy would too.
    #[error("shard {} was not copied: {detail}; run `preprocess verify --repair` on its data set", path.display())]
    Damaged { path: PathBuf, detail: String },
    #[error("a copy of a shard could not be written; give another directory with --cache local, or use --cache mapped")]
    Write(#[from] WriteError),
    #[error("could not use {} for copies of shards: {source}; give another directory with --cache local", path.display())]
    Directory {
        path: PathBuf,
        /// The error of the operating system.
        r#source: io::Error,
    },
    #[error("copying the shards was interrupted")]
    Stopped(#[from] Stopped),
}

#[derive(Debug, PartialEq, Eq)]
pub struct Copied {
    /// The directory with the copies, at the same relative paths as in the data set.
    pub directory: PathBuf,
    /// Number of copied files, without those that already existed.
    pub files: usize,
}

/// Copies the shards of `kinds` to `cache`, unless a copy with the right size and header is already there.
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

/// Waits until no other process copies. The lock is held until the file is dropped or the process ends.
fn lock(directory: &Path, stop: StopRequest<'_>, console: Console) -> Result<File, CopyError> {
    let path = directory.join(LOCK_FILE);
    let failed = |source| CopyError::Directory {
        path: path.clone(),
        source,
    };
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(failed)?;
    let mut logged = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => {
                if !logged {
                    console.line(&format!(
                        "waiting for another process that copies to {}",
                        directory.display()
                    ));
                    logged = true;
                }
                Stopped::check(stop)?;
                thread::sleep(LOCK_RETRY);
            }
            // The file system has no locks. Copies are still renamed when complete, but some may be made twice.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => return Ok(file),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
    }
}

/// Removes the temporary files of a killed process. Errors are ignored, because leftovers only cost space.
fn remove_left_over(shards: &Path) {
    let entries = fs::read_dir(shards).into_iter().flatten().flatten();
    let leftovers = entries.filter(|entry| entry.file_name().to_string_lossy().ends_with(TEMPORARY_SUFFIX));
    leftovers.for_each(|entry| drop(fs::remove_file(entry.path())));
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
    // Check the original first: copying a damaged shard may take hours.
    open_checked(from, index, kind, number).map_err(damaged)?;
    let mut source = File::open(from).map_err(|source| CopyError::Source {
        path: from.to_owned(),
        source,
    })?;
    // The writer's closure can only return an I/O error, so other failures are kept here.
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
    /// The source ended after too few bytes, or had too many.
    Length(u64),
    Stopped(Stopped),
}

/// Copies exactly `bytes` bytes. Handles short and interrupted reads.
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

    /// A slow reader with short reads and interruptions.
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
    fn slow_short_and_interrupted_reads_make_a_complete_copy() {
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
        let checks = AtomicUsize::new(0);
        let stop = || (checks.fetch_add(1, Ordering::Relaxed) > 9).then_some("SIGTERM");
        let stopped = copy_bytes(&mut slow(0), &mut Vec::new(), 5000, &stop);
        assert!(matches!(stopped, Err(Failure::Stopped(_))));
    }

    fn copy(dataset: &Dataset, cache: &TempDir) -> Result<Copied, CopyError> {
        copy_shards(dataset, &ShardKind::ALL, cache.path(), &|| None, Console::new(true))
    }

    #[test]
    fn only_missing_or_damaged_copies_are_made_again() {
        let (root, cache) = (testing::dataset(), tempfile::tempdir().unwrap());
        let mut dataset = Dataset::open(root.path()).unwrap();
        let one = copy_shards(&dataset, &[ShardKind::Mel], cache.path(), &|| None, Console::new(true)).unwrap();
        assert_eq!(one.files, 1);
        let copied = copy(&dataset, &cache).unwrap();
        assert_eq!(copied.files, 1);
        assert_eq!(copy(&dataset, &cache).unwrap().files, 0);
        let path = copied.directory.join(ShardKind::Waveform.path(0));
        let original = fs::read(&path).unwrap();
        assert_eq!(
            original,
            fs::read(root.path().join(ShardKind::Waveform.path(0))).unwrap()
        );
        // A truncated copy, one with another header, and a temporary file of a killed process.
        fs::write(&path, &original[..original.len() - 1]).unwrap();
        assert_eq!(copy(&dataset, &cache).unwrap().files, 1);
        let mut other = original.clone();
        other[100] ^= 1;
        fs::write(&path, other).unwrap();
        let leftover = copied.directory.join("shards/.mel-00000.safetensors.abc.tmp");
        fs::write(&leftover, "half").unwrap();
        assert_eq!(copy(&dataset, &cache).unwrap().files, 1);
        assert!(!leftover.exists());
        assert_eq!(fs::read(&path).unwrap(), original);
        for kind in ShardKind::ALL {
            dataset.relocate(kind, &copied.directory).unwrap();
        }
    }

    #[test]
    fn concurrent_processes_copy_each_shard_once() {
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
    fn failed_copy_is_reported_and_leaves_no_file() {
        let (root, cache) = (testing::dataset(), tempfile::tempdir().unwrap());
        let dataset = Dataset::open(root.path()).unwrap();
        let file = cache.path().join("file");
        fs::write(&file, "x").unwrap();
        let refused = copy_shards(&dataset, &ShardKind::ALL, &file, &|| None, Console::new(true)).unwrap_err();
        assert!(matches!(refused, CopyError::Directory { .. }), "{refused}");
        // Replaced by renaming, because truncating the file would break the open data set's memory maps.
        let path = root.path().join(ShardKind::Mel.path(0));
        let bytes = fs::read(&path).unwrap();
        let short = root.path().join("short");
        fs::write(&short, &bytes[..bytes.len() / 2]).unwrap();
        fs::rename(&short, &path).unwrap();
        let message = copy(&dataset, &cache).unwrap_err().to_string();
        assert!(
            message.contains("mel-00000") && message.contains("--repair"),
            "{message}"
        );
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
