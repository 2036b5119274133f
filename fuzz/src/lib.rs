//! Shared by the targets: a temporary directory in memory, and inputs that consist of several files.

#![forbid(unsafe_code)]

use std::path::Path;
use tempfile::TempDir;

/// A temporary directory, in memory if the system has `/dev/shm`.
pub fn directory() -> TempDir {
    let memory = Path::new("/dev/shm");
    let directory = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    directory.expect("a temporary directory can be created")
}

/// Separator between the files of an input.
pub const SEPARATOR: &[u8] = b"\n====\n";

/// Splits an input into its files. Missing files are empty.
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
