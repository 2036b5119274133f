//! Checks before a long run that the files a user names can be written, and that they do not replace others: files to
//! read, and files of data sets and runs.

use super::text::shown;
use anyhow::bail;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

const DATA_SET: &str = "data set";
/// Directories whose files only the programs write: what they are, the file that marks them, and a text in it.
const OWNED: [(&str, &str, &str); 3] = [
    (DATA_SET, "dataset.json", "checksum"),
    ("run", "config.toml", "data_checksum"),
    ("set of runs", "runs.toml", "data_checksum"),
];
/// The text is near the start of these files, which are a few kB long.
const MARK_BYTES: u64 = 1 << 16;

/// Refuses one of the files that are read, a file of a data set or a run, a directory, and a file that cannot be
/// written. `flag` is the option that names the file.
///
/// # Errors
/// A sentence with the option, the file and the problem.
pub fn check_place(flag: &str, path: &Path, inputs: &[PathBuf]) -> anyhow::Result<()> {
    let refuse = |problem: &str| bail!("{flag} {} {problem}; give another file", shown(path));
    if path.exists() && inputs.iter().any(|input| is_same_file(input, path)) {
        return refuse("is one of the files to read");
    }
    // A link to a file is replaced, not followed.
    if let Some((kind, root)) = owner(directory(path)) {
        return refuse(&format!("is in the {kind} {}", shown(&root)));
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

/// Refuses to write files into a data set or a run. The directory need not exist.
///
/// # Errors
/// A sentence with the option, the directory and the problem.
pub fn check_directory(flag: &str, path: &Path) -> anyhow::Result<()> {
    match owner(path) {
        Some((kind, root)) => bail!(
            "{flag} {} is in the {kind} {}; give another directory",
            shown(path),
            shown(&root)
        ),
        None => Ok(()),
    }
}

/// The data set that has this directory, or that is this directory. The directory need not exist.
#[must_use]
pub fn data_set_around(directory: &Path) -> Option<PathBuf> {
    let mut around = owners(directory).into_iter();
    around.find(|(kind, _)| *kind == DATA_SET).map(|(_, root)| root)
}

/// The data set or run that has this directory, or that is this directory.
fn owner(directory: &Path) -> Option<(&'static str, PathBuf)> {
    owners(directory).into_iter().next()
}

/// All data sets and runs around a directory, the innermost first.
fn owners(directory: &Path) -> Vec<(&'static str, PathBuf)> {
    let mut existing = directory
        .ancestors()
        .filter_map(|part| match part.as_os_str().is_empty() {
            true => fs::canonicalize(".").ok(),
            false => fs::canonicalize(part).ok(),
        });
    let Some(existing) = existing.next() else {
        return Vec::new();
    };
    let mark = |root: &Path| OWNED.iter().find(|(_, file, text)| has_text(&root.join(file), text));
    let around = existing
        .ancestors()
        .filter_map(|root| Some((mark(root)?.0, root.to_owned())));
    around.collect()
}

fn has_text(file: &Path, text: &str) -> bool {
    let mut start = Vec::new();
    let read = File::open(file).and_then(|file| file.take(MARK_BYTES).read_to_end(&mut start));
    read.is_ok() && start.windows(text.len()).any(|part| part == text.as_bytes())
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
    fn files_to_read_and_directories_are_refused() {
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
    }

    #[test]
    fn files_and_directories_of_data_sets_and_runs_are_refused() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        for (directory, file, text) in [
            ("data", "dataset.json", r#"{"checksum": "1"}"#),
            ("run", "config.toml", "data_checksum = \"1\""),
            ("set", "runs.toml", "[settings]\ndata_checksum = \"1\""),
            ("mine", "config.toml", "epochs = 3"),
        ] {
            fs::create_dir_all(at(directory).join("below")).unwrap();
            fs::write(at(directory).join(file), text).unwrap();
        }
        for (path, kind) in [
            ("data/dataset.json", "data set"),
            ("data/new.csv", "data set"),
            ("mine/../data/below/new.csv", "data set"),
            ("run/below/new.csv", "run"),
            ("set/new.csv", "set of runs"),
        ] {
            let refused = check_place("--csv", &at(path), &[]).unwrap_err().to_string();
            assert!(refused.contains(&format!("is in the {kind} ")), "{refused}");
            let refused = check_directory("--out", &at(path)).unwrap_err().to_string();
            assert!(refused.contains(&format!("is in the {kind} ")), "{refused}");
        }
        assert!(check_directory("--out", &at("run")).is_err());
        assert!(check_directory("--out", &at("run/new/newer")).is_err());
        for path in ["new.csv", "mine/new.csv", "mine/config.toml"] {
            check_place("--csv", &at(path), &[]).unwrap();
        }
        check_directory("--out", &at("mine/new/newer")).unwrap();
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
