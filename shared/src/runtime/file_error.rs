//! An error of the operating system, with the file or directory.

use std::io;
use std::path::{Path, PathBuf};

/// The operating system refused to use a file or directory.
#[derive(Debug, thiserror::Error)]
#[error("{}", describe(path, source))]
pub struct FileError {
    /// The file or directory.
    pub path: PathBuf,
    /// The error of the operating system.
    pub r#source: io::Error,
}

impl FileError {
    /// For `map_err` of a call that uses `path`.
    pub fn at(path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self {
            path: path.as_ref().to_owned(),
            source,
        }
    }
}

fn describe(path: &Path, source: &io::Error) -> String {
    if source.kind() != io::ErrorKind::NotFound {
        return format!("could not use {}: {source}", path.display());
    }
    // If a file cannot be created, its directory is missing.
    let missing = path
        .ancestors()
        .filter(|path| !path.as_os_str().is_empty() && !path.exists());
    let missing = missing.last().unwrap_or(path);
    format!("{} does not exist", missing.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_missing_directory_is_named() {
        let root = tempfile::tempdir().unwrap();
        let error = |path: &Path| {
            std::fs::read(path)
                .map_err(FileError::at(path))
                .unwrap_err()
                .to_string()
        };
        let [directory, file] = ["absent", "absent/table.csv"].map(|path| root.path().join(path));
        assert_eq!(error(&file), format!("{} does not exist", directory.display()));
        assert_eq!(error(&directory), format!("{} does not exist", directory.display()));
        assert!(error(root.path()).starts_with(&format!("could not use {}: ", root.path().display())));
    }
}
