//! What happens when a memory-mapped shard goes away under its readers.
//!
//! A page that cannot be read any more, because a mount vanished or a file was cut short, reaches a program as SIGBUS,
//! which ends it without a word. Here a thread waits for that signal, finds the shard, says a sentence and ends the
//! program with exit code 1. The thread that met the fault meets it again and again until then, and cannot go on.

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

/// Finding the shard may need a file system that no longer answers; it is not waited for longer.
const SEARCH_TIME: Duration = Duration::from_secs(20);

/// Watches for faults until the program ends.
#[derive(Clone, Debug)]
pub struct FaultWatch {
    watched: Arc<Mutex<Watched>>,
}

/// What a fault may be in.
#[derive(Clone, Debug, Default)]
struct Watched {
    datasets: Vec<PathBuf>,
    /// Copies of a data set's shards: the data set, a kind, and the directory that has the copies.
    copies: Vec<(PathBuf, ShardKind, PathBuf)>,
    advice: String,
}

impl FaultWatch {
    /// Begins to watch. With `json` the program's last line is one of JSON.
    pub fn begin(json: bool) -> io::Result<Self> {
        make_way()?;
        let mut signals = Signals::new([SIGBUS])?;
        let watch = Self {
            watched: Arc::default(),
        };
        let of_thread = watch.clone();
        thread::Builder::new().name("fault-watch".into()).spawn(move || {
            if signals.forever().next().is_some() {
                of_thread.end(json);
            }
        })?;
        Ok(watch)
    }

    /// The shards of this data set are about to be mapped.
    pub fn dataset(&self, root: &Path) {
        self.change(|watched| watched.datasets.push(root.to_owned()));
    }

    /// Copies of the data set's shards of a kind are about to be mapped.
    pub fn copies(&self, dataset: &Path, kind: ShardKind, directory: &Path) {
        self.change(|watched| {
            watched.copies.push((dataset.to_owned(), kind, directory.to_owned()));
        });
    }

    /// What to do after a fault: `continue with …`.
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
        // A thread that cannot be made is a search that finds nothing.
        let _ = thread::Builder::new().spawn(move || send.send(search(&watched)));
        let cause = found
            .recv_timeout(SEARCH_TIME)
            .ok()
            .flatten()
            .unwrap_or_else(|| "a part of a memory-mapped shard could not be read".into());
        let error = format!("{cause}; check the disk or mount that it lies on, and {advice}");
        tracing::error!("{error}");
        if json {
            println!("{}", Failure::Failed.json(&error));
        }
        // Without destructors: other threads may be stuck in the middle of anything.
        low_level::exit(1)
    }
}

/// Takes the handler away that Rust's runtime has for SIGBUS, to tell a stack overflow on systems where that is one.
///
/// Left in place it would be called first, find that the fault is none of its own, and bring back the signal's default
/// action, which then kills the program before anybody can say why. Called by a signal that no fault has caused, it does
/// the same and nothing else. So it is sent one, but only where there is a handler: the default action would be the end.
fn make_way() -> io::Result<()> {
    if is_caught(SIGBUS) {
        low_level::raise(SIGBUS)?;
    }
    Ok(())
}

/// Whether this program has a handler for `signal`, as far as the system says.
fn is_caught(signal: c_int) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

/// The first shard that is not what its index says, as a sentence: sizes first, which costs next to nothing, then bytes.
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
                    .filter(|(of, copied, _)| of == root && *copied == kind);
                files.extend(copies.map(|(_, _, directory)| (directory.join(kind.path(number)), bytes)));
                files.push((root.join(kind.path(number)), bytes));
            }
        }
    }
    let of_wrong_size = files.iter().find_map(|(path, bytes)| match fs::metadata(path) {
        Err(error) => Some(format!("shard {} cannot be read any more: {error}", path.display())),
        Ok(metadata) if metadata.len() != *bytes => Some(format!(
            "shard {} was changed while it was read: it has {} bytes and should have {bytes}",
            path.display(),
            metadata.len()
        )),
        Ok(_) => None,
    });
    of_wrong_size.or_else(|| {
        files.iter().find_map(|(path, _)| {
            let error = read_through(path).err()?;
            Some(format!("shard {} cannot be read any more: {error}", path.display()))
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
    fn the_shard_that_is_not_what_it_was_is_named() {
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
            found.contains("mel-00000") && found.contains("cannot be read"),
            "{found}"
        );
        fs::remove_dir_all(root.path()).unwrap();
        assert!(search(&watched).unwrap().contains("dataset.json"));
    }

    #[test]
    fn copies_are_looked_at_too() {
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
