//! Checks before a long run that a file can be written, and that it does not replace another one.

use super::shown_path::shown;
use anyhow::bail;
use std::fs;
use std::path::{Path, PathBuf};

/// Refuses a file that exists, unless `force` replaces it, and whatever [`check_place`] refuses.
pub(super) fn check_new(flag: &str, path: &Path, inputs: &[PathBuf], force: bool) -> anyhow::Result<()> {
    check_place(flag, path, inputs)?;
    if path.exists() && !force {
        bail!(
            "{flag} {} exists; add --force to replace it, or give another file",
            shown(path)
        );
    }
    Ok(())
}

/// Refuses one of the files that are read, a directory, and a file that cannot be written.
pub(super) fn check_place(flag: &str, path: &Path, inputs: &[PathBuf]) -> anyhow::Result<()> {
    let refuse = |problem: &str| bail!("{flag} {} {problem}; give another file", shown(path));
    if path.exists() && inputs.iter().any(|input| is_same_file(input, path)) {
        return refuse("is one of the files to read");
    }
    if path.is_dir() {
        return refuse("is a directory");
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    match tempfile::tempfile_in(directory.unwrap_or(Path::new("."))) {
        Ok(_) => Ok(()),
        Err(error) => refuse(&format!("cannot be written: {error}")),
    }
}

/// Whether both paths lead to one file. Files with different names are not compared, so links to a file under another
/// name are not recognized.
pub(super) fn is_same_file(a: &Path, b: &Path) -> bool {
    a == b
        || a.file_name() == b.file_name()
            && fs::canonicalize(a).is_ok_and(|a| fs::canonicalize(b).is_ok_and(|b| a == b))
}
