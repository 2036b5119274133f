//! Checks before a long run that files can be written, and that they do not replace others.

use anyhow::bail;
pub(super) use shared::runtime::output_file::{check_place, is_same_file};
use shared::runtime::text::shown;
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

/// Refuses two outputs with one path. The files need not exist, but their directories must.
pub(super) fn check_distinct(outputs: &[(&str, Option<&Path>)]) -> anyhow::Result<()> {
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
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = fs::canonicalize(directory.unwrap_or(Path::new(".")));
    match (directory, path.file_name()) {
        (Ok(directory), Some(name)) => directory.join(name),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_with_one_path_are_refused() {
        let root = tempfile::tempdir().unwrap();
        let [file, same, other] = ["a.csv", "./a.csv", "b.csv"].map(|name| root.path().join(name));
        assert!(check_distinct(&[("--csv", Some(&file)), ("--playlist", Some(&other)), ("--html", None)]).is_ok());
        let refused = check_distinct(&[("--csv", Some(&file)), ("--playlist", Some(&same))]);
        let message = refused.unwrap_err().to_string();
        assert!(
            message.starts_with("--playlist and --csv are the same file"),
            "{message}"
        );
    }
}
