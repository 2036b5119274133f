//! Reports a memory-mapped shard that became unreadable while it was in use.
//!
//! If a mount vanishes or a file is truncated, reading a mapped page raises SIGBUS, which kills a program without a
//! message. A thread here waits for that signal, finds the shard, logs an error and ends the program with exit code 1.
//! Until then the reading thread repeats the fault and cannot continue.

use shared::dataset::Dataset;
use shared::dataset::shard::ShardKind;
use shared::runtime::outcome::Failure;
use signal_hook::consts::SIGBUS;
use signal_hook::iterator::Signals;
use signal_hook::low_level;
use std::ffi::c_int;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

/// The search for the shard stops after this time, because its file system may no longer answer.
const SEARCH_TIME: Duration = Duration::from_secs(20);

/// Watches for SIGBUS until the program ends.
#[derive(Clone, Debug)]
pub struct FaultWatch {
    watched: Arc<Mutex<Watched>>,
}

/// The files that may be mapped.
#[derive(Clone, Debug, Default)]
struct Watched {
    datasets: Vec<PathBuf>,
    /// Copies of a data set's shards: the data set, the kind of shard, and the directory of the copies.
    copies: Vec<(PathBuf, ShardKind, PathBuf)>,
    advice: String,
}

impl FaultWatch {
    /// Starts the watching thread. With `json` the error is also printed as a line of JSON.
    pub fn begin(json: bool) -> io::Result<Self> {
        remove_rust_handler()?;
        let mut signals = Signals::new([SIGBUS])?;
        let watch = Self {
            watched: Arc::default(),
        };
        let in_thread = watch.clone();
        thread::Builder::new().name("fault-watch".into()).spawn(move || {
            if signals.forever().next().is_some() {
                in_thread.end(json);
            }
        })?;
        Ok(watch)
    }

    /// Adds a data set whose shards will be mapped.
    pub fn dataset(&self, root: &Path) {
        self.change(|watched| watched.datasets.push(root.to_owned()));
    }

    /// Adds a directory with copies of the data set's shards of one kind, which will be mapped.
    pub fn copies(&self, dataset: &Path, kind: ShardKind, directory: &Path) {
        self.change(|watched| {
            watched.copies.push((dataset.to_owned(), kind, directory.to_owned()));
        });
    }

    /// Sets what the error message tells the user to do: `continue with …`.
    pub fn advise(&self, advice: impl Into<String>) {
        self.change(|watched| watched.advice = advice.into());
    }

    fn change(&self, change: impl FnOnce(&mut Watched)) {
        change(&mut self.watched.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn end(&self, json: bool) -> ! {
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let advice = watched.advice.clone();
        let (send, found) = mpsc::channel();
        // If the thread cannot be started, nothing is received and the general message is used.
        let _ = thread::Builder::new().spawn(move || send.send(search(&watched)));
        let cause = found
            .recv_timeout(SEARCH_TIME)
            .ok()
            .flatten()
            .unwrap_or_else(|| "a part of a memory-mapped shard could not be read".into());
        let error = format!("{cause}; check the disk or mount that it is on, and {advice}");
        tracing::error!("{error}");
        if json {
            println!("{}", Failure::Failed.json(&error));
        }
        // Without destructors: other threads may hold locks forever.
        low_level::exit(1)
    }
}

/// Removes the SIGBUS handler of Rust's runtime, which detects stack overflows.
///
/// That handler would run first on a fault, find that it is not a stack overflow, and restore the default action, which
/// kills the program without a message. It also restores the default action if the signal is sent by hand, so one
/// SIGBUS is raised here. Without a handler the signal would end the program, so it is only raised if a handler is
/// installed.
fn remove_rust_handler() -> io::Result<()> {
    if is_caught(SIGBUS) {
        low_level::raise(SIGBUS)?;
    }
    Ok(())
}

/// Whether this process has a handler for `signal`; false if `/proc` is not available.
fn is_caught(signal: c_int) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

/// Describes the first shard that differs from its index. Compares all sizes first, which is fast, then reads all
/// bytes.
fn search(watched: &Watched) -> Option<String> {
    let mut files = Vec::new();
    for root in &watched.datasets {
        let index = match Dataset::read_index(root) {
            Ok(index) => index,
            Err(error) => return Some(error.to_string()),
        };
        for (number, record) in index.shards.iter().enumerate() {
            for kind in ShardKind::ALL {
                let bytes = record.file(kind).bytes;
                let copies = watched
                    .copies
                    .iter()
                    .filter(|(dataset, copied, _)| dataset == root && *copied == kind);
                files.extend(copies.map(|(_, _, directory)| (directory.join(kind.path(number)), bytes)));
                files.push((root.join(kind.path(number)), bytes));
            }
        }
    }
    let wrong_size = files.iter().find_map(|(path, bytes)| match fs::metadata(path) {
        Err(error) => Some(format!("shard {} can no longer be read: {error}", path.display())),
        Ok(metadata) if metadata.len() != *bytes => Some(format!(
            "shard {} was changed while it was read: it has {} bytes and should have {bytes}",
            path.display(),
            metadata.len()
        )),
        Ok(_) => None,
    });
    wrong_size.or_else(|| {
        files.iter().find_map(|(path, _)| {
            let error = read_through(path).err()?;
            Some(format!("shard {} can no longer be read: {error}", path.display()))
        })
    })
}

fn read_through(path: &Path) -> io::Result<()> {
    let (mut file, mut block) = (File::open(path)?, vec![0; 1 << 20]);
    while file.read(&mut block)? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn changed_or_missing_shard_is_named() {
        let root = testing::dataset();
        let watched = Watched {
            datasets: vec![root.path().to_owned()],
            ..Watched::default()
        };
        assert_eq!(search(&watched), None);
        let path = root.path().join(ShardKind::Mel.path(0));
        let bytes = fs::metadata(&path).unwrap().len();
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(bytes - 1)
            .unwrap();
        let found = search(&watched).unwrap();
        assert!(
            found.contains("mel-00000") && found.contains(&bytes.to_string()),
            "{found}"
        );
        fs::remove_file(&path).unwrap();
        let found = search(&watched).unwrap();
        assert!(
            found.contains("mel-00000") && found.contains("can no longer be read"),
            "{found}"
        );
        fs::remove_dir_all(root.path()).unwrap();
        assert!(search(&watched).unwrap().contains("dataset.json"));
    }

    #[test]
    fn missing_copy_is_named() {
        let root = testing::dataset();
        let copies = tempfile::tempdir().unwrap();
        let watched = Watched {
            datasets: vec![root.path().to_owned()],
            copies: vec![(root.path().to_owned(), ShardKind::Mel, copies.path().to_owned())],
            advice: String::new(),
        };
        let missing = copies.path().join(ShardKind::Mel.path(0));
        assert!(search(&watched).unwrap().contains(missing.to_str().unwrap()));
    }
}
