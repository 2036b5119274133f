//! Checks before a long run that a file can be written, and that it does not replace one that is read.

use super::text::shown;
use anyhow::bail;
use std::fs;
use std::path::{Path, PathBuf};

/// Refuses one of the files that are read, a directory, and a file that cannot be written. `flag` is the option that
/// names the file.
///
/// # Errors
/// A sentence with the option, the file and the problem.
pub fn check_place(flag: &str, path: &Path, inputs: &[PathBuf]) -> anyhow::Result<()> {
    let refuse = |problem: &str| bail!("{flag} {} {problem}; give another file", shown(path));
    if path.exists() && inputs.iter().any(|input| is_same_file(input, path)) {
        return refuse("is one of the files to read");
    }
    if path.is_dir() {
        return refuse("is a directory");
    }
    match tempfile::tempfile_in(directory(path)) {
        Ok(_) => Ok(()),
        Err(error) => refuse(&format!("cannot be written: {error}")),
    }
}

/// Refuses a file in the directory `root` or below it, such as the tables and shards of a data set.
///
/// # Errors
/// A sentence with the option, the file and the directory.
pub fn check_outside(flag: &str, path: &Path, root: &Path) -> anyhow::Result<()> {
    let is_below = |path: &Path| {
        let (path, root) = (fs::canonicalize(path), fs::canonicalize(root));
        path.is_ok_and(|path| root.is_ok_and(|root| path.starts_with(root)))
    };
    // The file need not exist, but its directory does. A link to a file is replaced, not followed.
    if is_below(directory(path)) {
        bail!(
            "{flag} {} is in the data set {}; give a file outside it",
            shown(path),
            shown(root)
        );
    }
    Ok(())
}

/// The directory of a file.
fn directory(path: &Path) -> &Path {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    directory.unwrap_or(Path::new("."))
}

/// Whether both paths lead to one file. Files with different names are not compared, so links to a file under another
/// name are not recognized.
pub fn is_same_file(a: &Path, b: &Path) -> bool {
    a == b
        || a.file_name() == b.file_name()
            && fs::canonicalize(a).is_ok_and(|a| fs::canonicalize(b).is_ok_and(|b| a == b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_to_read_directories_and_files_of_a_data_set_are_refused() {
        let root = tempfile::tempdir().unwrap();
        let (song, below) = (root.path().join("song.wav"), root.path().join("below"));
        fs::create_dir(&below).unwrap();
        fs::write(&song, "x").unwrap();
        let inputs = [below.join("../song.wav")];
        for (path, problem) in [
            (&song, Some("is one of the files to read")),
            (&below, Some("is a directory")),
            (&root.path().join("missing/song.png"), Some("cannot be written")),
            (&below.join("song.wav"), None),
        ] {
            let error = check_place("--png", path, &inputs).err().map(|error| error.to_string());
            match problem {
                None => assert_eq!(error, None),
                Some(problem) => assert!(error.as_ref().is_some_and(|error| error.contains(problem)), "{error:?}"),
            }
        }
        for (path, is_refused) in [
            (below.join("tracks.csv"), true),
            (below.join("../below/new.png"), true),
            (song, false),
        ] {
            assert_eq!(check_outside("--png", &path, &below).is_err(), is_refused, "{path:?}");
        }
    }
}
