//! The files of a data set, and none beyond its directory: the path to open for a path out of an index, which anybody may
//! have written.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// The place of the file that has this path relative to `root`. It must have no `..`, and no link may lead it out of the
/// directory, which may itself be a link. Whether there is such a file is for whoever opens it to find out.
pub(crate) fn inside(root: &Path, file: &Path) -> Result<PathBuf, String> {
    let is_name = |part| matches!(part, Component::Normal(_));
    if !file.components().all(is_name) {
        return Err("its path leads out of the data set".into());
    }
    let path = root.join(file);
    match (fs::canonicalize(root), fs::canonicalize(&path)) {
        (Ok(root), Ok(real)) if !real.starts_with(&root) => Err(format!(
            "a link leads out of the data set, to {}; put the file itself in its place",
            real.display()
        )),
        _ => Ok(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_leave_are_refused() {
        let root = tempfile::tempdir().unwrap();
        for (path, leaves) in [
            ("a", false),
            ("a/b.csv", false),
            ("../x", true),
            ("a/../../x", true),
            ("a/../b", true),
            ("/etc/passwd", true),
            ("..", true),
        ] {
            assert_eq!(inside(root.path(), Path::new(path)).is_err(), leaves, "{path}");
        }
    }

    #[cfg(unix)]
    #[test]
    #[cfg_attr(miri, ignore = "Miri makes no links")]
    fn links_may_lead_to_the_directory_and_about_it_and_not_out_of_it() {
        use std::os::unix::fs::symlink;
        let root = tempfile::tempdir().unwrap();
        let data = root.path().join("data");
        fs::create_dir(&data).unwrap();
        for file in ["secret", "data/a"] {
            fs::write(root.path().join(file), b"x").unwrap();
        }
        for (to, name) in [("a", "b"), ("../secret", "out"), ("nowhere", "dangling")] {
            symlink(to, data.join(name)).unwrap();
        }
        symlink("..", data.join("up")).unwrap();
        let link = root.path().join("link");
        symlink(&data, &link).unwrap();
        for directory in [data, link] {
            let leaves = |path: &str| inside(&directory, Path::new(path)).is_err();
            assert_eq!(
                ["a", "b", "dangling", "out", "up/secret"].map(leaves),
                [false, false, false, true, true]
            );
        }
        let sentence = inside(&root.path().join("data"), Path::new("out")).unwrap_err();
        assert!(sentence.contains("/secret; put"), "{sentence}");
    }
}
