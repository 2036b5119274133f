//! Checksums of all files in a directory, to compare two directories byte by byte.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

/// The files below a directory: relative path, with `/` between names, and checksum of the content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree(BTreeMap<String, blake3::Hash>);

impl Tree {
    /// Reads every file below `root`.
    pub fn read(root: &Path) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        collect(root, "", &mut files)?;
        Ok(Self(files))
    }

    /// The paths, in alphabetical order.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Paths that exist in only one of the two or have different content.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let all = self.0.keys().chain(other.0.keys());
        let mut different: Vec<String> = all
            .filter(|path| self.0.get(*path) != other.0.get(*path))
            .cloned()
            .collect();
        different.sort();
        different.dedup();
        different
    }
}

fn collect(directory: &Path, inside: &str, files: &mut BTreeMap<String, blake3::Hash>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let path = format!("{inside}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &format!("{path}/"), files)?;
        } else {
            files.insert(path, blake3::hash(&fs::read(entry.path())?));
        }
    }
    Ok(())
}

/// Copies a directory recursively. Links are copied as links, and existing files in `to` are kept.
pub fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else if fs::symlink_metadata(&target).is_ok() {
            continue;
        } else if entry.file_type()?.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(entry.path())?, target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_paths_with_changed_or_added_files() {
        let root = tempfile::tempdir().unwrap();
        let (first, second) = (root.path().join("first"), root.path().join("second"));
        fs::create_dir_all(first.join("inner")).unwrap();
        fs::write(first.join("inner/a"), "a").unwrap();
        fs::write(first.join("b"), "b").unwrap();
        copy(&first, &second).unwrap();
        let before = Tree::read(&first).unwrap();
        assert_eq!(before, Tree::read(&second).unwrap());
        assert_eq!(before.paths().collect::<Vec<_>>(), ["b", "inner/a"]);
        fs::write(second.join("inner/a"), "c").unwrap();
        fs::write(second.join("d"), "d").unwrap();
        assert_eq!(before.differences(&Tree::read(&second).unwrap()), ["d", "inner/a"]);
    }
}
