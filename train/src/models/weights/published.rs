//! Weights that others published, which tests find by an environment variable.

use std::path::PathBuf;

/// The path of a file in the directory that `CRATEDIGGER_REFERENCE` names. Without the variable, prints that the test
/// is skipped.
pub fn file(name: &str) -> Option<PathBuf> {
    let Some(directory) = std::env::var_os("CRATEDIGGER_REFERENCE") else {
        println!("skipped: CRATEDIGGER_REFERENCE does not name a directory with {name}");
        return None;
    };
    Some(PathBuf::from(directory).join(name))
}
