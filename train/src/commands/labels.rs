//! The labels of `train import`: a list, a file with one per line, or a JSON list.

use super::UsageError;
use crate::settings::invalid;
use anyhow::Context;
use shared::runtime::file_error::FileError;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Extensions of label files. Another value is a list, unless a file has that name.
const EXTENSIONS: [&str; 3] = ["txt", "json", "csv"];

/// Reads the labels that `value` names or lists.
pub(super) fn read(value: &str) -> anyhow::Result<Vec<String>> {
    let path = Path::new(value);
    let is_named = path
        .extension()
        .is_some_and(|extension| EXTENSIONS.iter().any(|known| extension == *known));
    let labels = if path.is_file() || is_named && !value.contains(',') {
        let text = fs::read_to_string(path).map_err(FileError::at(path))?;
        parse_file(&text).with_context(|| format!("{value} is not a JSON list of strings"))?
    } else {
        value.split(',').map(|label| label.trim().to_owned()).collect()
    };
    check(value, &labels)?;
    Ok(labels)
}

/// Lines, or a JSON list of strings.
fn parse_file(text: &str) -> serde_json::Result<Vec<String>> {
    if text.trim_start().starts_with('[') {
        return serde_json::from_str(text);
    }
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    Ok(lines.map(str::to_owned).collect())
}

fn check(value: &str, labels: &[String]) -> anyhow::Result<()> {
    let mut seen = BTreeSet::new();
    let repeated = labels.iter().find(|label| !seen.insert(*label));
    let problem = match repeated {
        Some(label) => format!("has `{label}` twice in {value}; name each output differently"),
        None if labels.is_empty() || labels.iter().any(String::is_empty) => {
            format!("has an empty name in {value}; name every output")
        }
        None => return Ok(()),
    };
    Err(UsageError::from(invalid("--labels", problem)).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_a_list_lines_or_json() {
        assert_eq!(read("Folk, Hip-Hop,Rock").unwrap(), ["Folk", "Hip-Hop", "Rock"]);
        assert_eq!(read("Rock").unwrap(), ["Rock"]);
        let root = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("lines.txt", "no vocals\nguitar, slow\r\n\n"),
            ("list.json", r#" ["no vocals", "guitar, slow"]"#),
        ] {
            let path = root.path().join(name);
            fs::write(&path, text).unwrap();
            assert_eq!(read(path.to_str().unwrap()).unwrap(), ["no vocals", "guitar, slow"]);
        }
    }

    #[test]
    fn missing_empty_and_repeated_labels_are_refused() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name).to_str().unwrap().to_owned();
        let missing = format!("{:#}", read(&path("gone.txt")).unwrap_err());
        assert!(missing.ends_with("gone.txt does not exist"), "{missing}");
        fs::write(path("empty.txt"), "\n").unwrap();
        fs::write(path("numbers.json"), "[1, 2]").unwrap();
        for (value, expected) in [
            ("Folk,,Rock".to_owned(), "an empty name"),
            ("Folk,Folk".to_owned(), "`Folk` twice"),
            (path("empty.txt"), "an empty name"),
            (path("numbers.json"), "is not a JSON list of strings"),
        ] {
            let error = format!("{:#}", read(&value).unwrap_err());
            assert!(error.contains(expected), "{value}: {error}");
        }
    }
}
