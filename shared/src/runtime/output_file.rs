//! Checks before a long run that files can be written, and that they do not replace others.

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

/// Refuses a file that exists, unless `force` replaces it, and whatever [`check_place`] refuses.
///
/// # Errors
/// A sentence with the option, the file and the problem.
pub fn check_new(flag: &str, path: &Path, inputs: &[PathBuf], force: bool) -> anyhow::Result<()> {
    check_place(flag, path, inputs)?;
    if path.exists() && !force {
        bail!(
            "{flag} {} exists; add --force to replace it, or give another file",
            shown(path)
        );
    }
    Ok(())
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

/// Refuses two outputs with one path. The files need not exist, but their directories must.
///
/// # Errors
/// A sentence with both options and the file.
pub fn check_distinct(outputs: &[(&str, Option<&Path>)]) -> anyhow::Result<()> {
    let mut seen: Vec<(&str, PathBuf)> = Vec::new();
    for &(flag, path) in outputs {
        let Some(path) = path else { continue };
        let place = place(path);
        if let Some((other, _)) = seen.iter().find(|(_, other)| *other == place) {
            bail!(
                "{flag} and {other} are the same file, {}; give another one",
                shown(path)
            );
        }
        seen.push((flag, place));
    }
    Ok(())
}

/// The same for all names of a directory.
fn place(path: &Path) -> PathBuf {
    match (fs::canonicalize(directory(path)), path.file_name()) {
        (Ok(directory), Some(name)) => directory.join(name),
        _ => path.to_owned(),
    }
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

    #[test]
    fn outputs_with_one_path_are_refused() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("below")).unwrap();
        let [file, same, other] = ["a.csv", "below/../a.csv", "b.csv"].map(|name| root.path().join(name));
        assert!(check_distinct(&[("--csv", Some(&file)), ("--playlist", Some(&other)), ("--html", None)]).is_ok());
        let refused = check_distinct(&[("--csv", Some(&file)), ("--playlist", Some(&same))]);
        let message = refused.unwrap_err().to_string();
        assert!(
            message.starts_with("--playlist and --csv are the same file"),
            "{message}"
        );
    }
}
