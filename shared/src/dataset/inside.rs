//! Checks that a path from an index is inside the data set. Anybody may have written the index.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// Joins `root` and the relative path `file`. The path must have no `..`, and no link may lead out of `root`, which may
/// itself be a link. The file need not exist.
pub(crate) fn inside(root: &Path, file: &Path) -> Result<PathBuf, String> {
    let is_name = |part| matches!(part, Component::Normal(_));
    if !file.components().all(is_name) {
        return Err("its path leads out of the data set".into());
    }
    let path = root.join(file);
    match (fs::canonicalize(root), fs::canonicalize(&path)) {
        (Ok(root), Ok(real)) if !real.starts_with(&root) => Err(format!(
            "a link leads out of the data set, to {}; replace the link with the file",
            real.display()
        )),
        _ => Ok(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_out_of_the_data_set_are_refused() {
        let root = tempfile::tempdir().unwrap();
        for (path, refused) in [
            ("a", false),
            ("a/b.csv", false),
            ("../x", true),
            ("a/../../x", true),
            ("a/../b", true),
            ("/etc/passwd", true),
            ("..", true),
        ] {
            assert_eq!(inside(root.path(), Path::new(path)).is_err(), refused, "{path}");
        }
    }

    #[cfg(unix)]
    #[test]
    #[cfg_attr(miri, ignore = "Miri makes no links")]
    fn only_links_out_of_the_data_set_are_refused() {
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
            let refused = |path: &str| inside(&directory, Path::new(path)).is_err();
            assert_eq!(
                ["a", "b", "dangling", "out", "up/secret"].map(refused),
                [false, false, false, true, true]
            );
        }
        let error = inside(&root.path().join("data"), Path::new("out")).unwrap_err();
        assert!(error.contains("/secret; replace"), "{error}");
    }
}
