//! Atomic writes of files and directories: written next to their final name, synced, renamed.
//!
//! The caller decides what is written where, and what to do if a name is taken.

use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// A file or directory that could not be written. A file that already has the name is unchanged.
#[derive(Debug, thiserror::Error)]
#[error("could not write {}: {source}; check that the directory exists, is writable and has space left", path.display())]
pub struct WriteError {
    /// The final name.
    pub path: PathBuf,
    /// The error of the operating system.
    pub r#source: io::Error,
}

/// Writes `path` through `write`, atomically: a reader sees the old file or the new one, and a crash leaves at most a
/// temporary file next to it, whose name ends in [`TEMPORARY_SUFFIX`].
pub fn write(path: &Path, write: impl FnOnce(&mut BufWriter<&mut File>) -> io::Result<()>) -> Result<(), WriteError> {
    let attempt = || -> io::Result<()> {
        let directory = parent(path);
        let mut temporary = temporary_file(path)?;
        let mut buffered = BufWriter::with_capacity(1 << 20, temporary.as_file_mut());
        write(&mut buffered)?;
        buffered.flush()?;
        drop(buffered);
        temporary.as_file().sync_all()?;
        temporary.persist(path).map_err(|error| error.error)?;
        sync_directory(directory)
    };
    attempt().map_err(|source| WriteError {
        path: path.to_owned(),
        source,
    })
}

/// [`write()`] for bytes that are already in memory.
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    write(path, |out| out.write_all(bytes))
}

/// End of the names of temporary files and directories. They can be deleted if no process is writing.
pub const TEMPORARY_SUFFIX: &str = ".tmp";

/// Creates the directory `path` atomically: `fill` gets an empty directory next to it, which is then synced and
/// renamed. Fails with [`io::ErrorKind::AlreadyExists`] or `DirectoryNotEmpty` if `path` is a directory with content.
pub fn write_directory<E: From<WriteError>>(path: &Path, fill: impl FnOnce(&Path) -> Result<(), E>) -> Result<(), E> {
    let mut fill = Some(fill);
    write_directories(&[path.to_owned()], |_, inside| {
        fill.take().map_or(Ok(()), |fill| fill(inside))
    })
}

/// [`write_directory`] for several directories, all or none of them. The first one is renamed last, when all others
/// exist. `fill` gets the position of a directory in `paths` and the empty directory to fill.
pub fn write_directories<E: From<WriteError>>(
    paths: &[PathBuf],
    mut fill: impl FnMut(usize, &Path) -> Result<(), E>,
) -> Result<(), E> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| WriteError { path, source }
    };
    let mut filled = Vec::new();
    for (at, path) in paths.iter().enumerate() {
        let parent = parent(path);
        fs::create_dir_all(parent).map_err(failed(path))?;
        let temporary = tempfile::Builder::new()
            .prefix(&prefix(path))
            .suffix(TEMPORARY_SUFFIX)
            .permissions(default_directory_permissions())
            .tempdir_in(parent)
            .map_err(failed(path))?;
        fill(at, temporary.path())?;
        sync_directory(temporary.path()).map_err(failed(path))?;
        filled.push((path, temporary));
    }
    let mut renamed = Vec::new();
    while let Some((path, temporary)) = filled.pop() {
        let rename = fs::rename(temporary.path(), path).and_then(|()| {
            // The directory has its final name, so the guard must not delete the old name.
            let _renamed = temporary.keep();
            renamed.push(path);
            sync_directory(parent(path))
        });
        if let Err(error) = rename {
            for path in renamed {
                // Best effort: the first error is the one to report.
                let _ = fs::remove_dir_all(path);
            }
            return Err(failed(path)(error).into());
        }
    }
    Ok(())
}

/// Makes renames and new names in `directory` durable.
pub fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Removes the temporary files and directories that a crash left in `directory`. No process may be writing there.
pub fn remove_temporaries(directory: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_string_lossy().ends_with(TEMPORARY_SUFFIX) {
            if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            } else {
                fs::remove_file(entry.path())?;
            }
        }
    }
    Ok(())
}

/// The directory of a path, `.` for a name alone.
#[must_use]
pub fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn prefix(path: &Path) -> String {
    format!(
        ".{}.",
        path.file_name()
            .map_or_else(Default::default, |name| name.to_string_lossy())
    )
}

fn temporary_file(path: &Path) -> io::Result<tempfile::NamedTempFile> {
    tempfile::Builder::new()
        .prefix(&prefix(path))
        .suffix(TEMPORARY_SUFFIX)
        .permissions(default_file_permissions())
        .tempfile_in(parent(path))
}

// tempfile's default of 0600 would hide a data set from other users; the umask still applies to these.
#[cfg(unix)]
fn default_file_permissions() -> Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o666)
}

#[cfg(unix)]
fn default_directory_permissions() -> Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o777)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn failed_write_keeps_the_old_file_and_leaves_no_temporary_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("index.json");
        write_bytes(&path, b"old").unwrap();
        let error = write(&path, |out| {
            out.write_all(b"half of the new")?;
            Err(io::Error::other("the disk is full"))
        })
        .unwrap_err();
        assert!(error.to_string().contains("index.json") && error.to_string().contains("the disk is full"));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(directory.path()), ["index.json"]);
    }

    #[test]
    fn directory_is_written_completely_or_not_at_all() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("splits/first");
        let refused = write_directory::<WriteError>(&path, |inside| {
            write_bytes(&inside.join("train.csv"), b"1\n")?;
            write_bytes(&inside.join("absent/val.csv"), b"2\n")
        });
        assert!(refused.is_err());
        assert_eq!(names(&root.path().join("splits")), [""; 0]);
        write_directory::<WriteError>(&path, |inside| write_bytes(&inside.join("train.csv"), b"1\n")).unwrap();
        assert_eq!(names(&path), ["train.csv"]);
        let taken = write_directory::<WriteError>(&path, |inside| write_bytes(&inside.join("train.csv"), b"2\n"));
        assert!(taken.is_err());
        assert_eq!(fs::read(path.join("train.csv")).unwrap(), b"1\n");
    }

    #[test]
    fn all_directories_are_written_or_none() {
        let root = tempfile::tempdir().unwrap();
        let paths = ["1", "2", "3"].map(|name| root.path().join(name));
        let fill = |at: usize, inside: &Path| write_bytes(&inside.join("number"), &[at as u8]);
        // The rename of the second one fails, after that of the third.
        fs::create_dir(&paths[1]).unwrap();
        fs::write(paths[1].join("taken"), b"").unwrap();
        assert!(write_directories::<WriteError>(&paths, fill).is_err());
        assert_eq!(names(root.path()), ["2"]);
        fs::remove_dir_all(&paths[1]).unwrap();
        write_directories::<WriteError>(&paths, fill).unwrap();
        assert_eq!(names(root.path()), ["1", "2", "3"]);
        assert_eq!(fs::read(paths[2].join("number")).unwrap(), [2]);
    }

    #[test]
    fn only_temporary_files_and_directories_are_removed() {
        let directory = tempfile::tempdir().unwrap();
        let inside = |name: &str| directory.path().join(name);
        fs::write(inside(".index.json.abc.tmp"), b"half").unwrap();
        fs::create_dir(inside(".first.def.tmp")).unwrap();
        fs::write(inside(".first.def.tmp/train.csv"), b"half").unwrap();
        fs::write(inside("index.json"), b"whole").unwrap();
        remove_temporaries(directory.path()).unwrap();
        assert_eq!(names(directory.path()), ["index.json"]);
        remove_temporaries(&inside("absent")).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn written_file_has_the_permissions_of_an_ordinary_file() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let ordinary = directory.path().join("ordinary");
        fs::write(&ordinary, b"x").unwrap();
        let path = directory.path().join("index.json");
        write_bytes(&path, b"x").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&path), mode(&ordinary));
    }
}
