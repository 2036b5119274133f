//! What the targets have in common: a directory in memory, and inputs of several files.

#![forbid(unsafe_code)]

use std::path::Path;
use tempfile::TempDir;

/// A directory that costs no disk access where the system has one.
pub fn directory() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    made.expect("a temporary directory can be made")
}

/// What separates the files of an input.
pub const SEPARATOR: &[u8] = b"\n====\n";

/// The files of an input; those that are not there are empty.
pub fn sections<const N: usize>(input: &[u8]) -> [&[u8]; N] {
    let mut rest = input;
    std::array::from_fn(|at| {
        let end = rest.windows(SEPARATOR.len()).position(|window| window == SEPARATOR);
        match end {
            Some(end) if at + 1 < N => {
                let section = &rest[..end];
                rest = &rest[end + SEPARATOR.len()..];
                section
            }
            _ => std::mem::take(&mut rest),
        }
    })
}
