//! Checks that the reference documents every file, field, column and code that the programs write.

use super::page::Page;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Files of a data set or a run, and the page that documents each.
const FILES: [(&str, &str); 21] = [
    ("fma/dataset.json", "docs/reference/data-set.md"),
    ("fma/build.json", "docs/reference/data-set.md"),
    ("fma/tracks.csv", "docs/reference/data-set.md"),
    ("fma/rejected.csv", "docs/reference/data-set.md"),
    ("fma/sources.csv", "docs/reference/data-set.md"),
    ("fma/shards/summary.safetensors", "docs/reference/data-set.md"),
    ("fma/splits/CURRENT/split.json", "docs/reference/splits.md"),
    ("fma/splits/CURRENT/normalization.json", "docs/reference/splits.md"),
    ("fma/splits/CURRENT/train.csv", "docs/reference/splits.md"),
    ("runs/crnn/config.toml", "docs/reference/run.md"),
    ("runs/crnn/history.csv", "docs/reference/run.md"),
    ("runs/crnn/metrics.json", "docs/reference/run.md"),
    ("runs/crnn/predictions.csv", "docs/reference/run.md"),
    ("runs/crnn/environment.json", "docs/reference/run.md"),
    ("runs/crnn/evaluations.csv", "docs/reference/run.md"),
    ("scoreboard.csv", "docs/reference/train.md"),
    ("sweeps/grid/sweep.csv", "docs/reference/train.md"),
    ("runs/crnn/last.checkpoint", "docs/reference/run.md"),
    ("runs/tags/metrics.json", "docs/reference/run.md"),
    ("runs/tags/tags.csv", "docs/reference/run.md"),
    ("embeddings.safetensors", "docs/reference/run.md"),
];

/// Columns of codes, and the page that explains each code.
const CODES: [(&str, &str, &str); 2] = [
    ("fma/rejected.csv", "reason", "docs/reference/rejected.md"),
    ("scoreboard.csv", "warnings", "docs/reference/train.md"),
];

/// Checks those of these files that exist in `clone` and returns them.
///
/// # Panics
/// If a page does not name a field or explain a code.
pub fn check(clone: &Path) -> BTreeSet<&'static str> {
    let current = fs::read_to_string(clone.join("fma/splits/current")).unwrap_or_default();
    let mut found = BTreeSet::new();
    for (file, page) in FILES {
        let path = clone.join(file.replace("CURRENT", current.trim()));
        let Ok(bytes) = fs::read(&path) else { continue };
        found.insert(file);
        // Columns of a run need no second explanation for other tables.
        let text = [page, "docs/reference/run.md"]
            .map(|page| Page::read(page).text)
            .concat();
        let settings = match file {
            "runs/crnn/config.toml" | "sweeps/grid/sweep.csv" => Page::read("docs/reference/settings.md").text,
            _ => String::new(),
        };
        for field in fields(file, &bytes) {
            let flag = field.replace('_', "-");
            let is_setting = || {
                [' ', '`']
                    .iter()
                    .any(|end| settings.contains(&format!("| `--{flag}{end}")))
            };
            assert!(
                text.contains(&format!("`{field}`")) || is_setting(),
                "{page} does not document `{field}` in {file}"
            );
        }
        for (_, column, page) in CODES.iter().filter(|(table, ..)| *table == file) {
            let text = Page::read(page).text;
            for code in codes(&bytes, column) {
                assert!(
                    text.contains(&format!("| `{code}` |")),
                    "{page} does not explain `{code}` in {file}"
                );
            }
        }
    }
    found
}

/// The codes in a column whose cells are codes joined by `|`.
fn codes(table: &[u8], column: &str) -> BTreeSet<String> {
    let mut reader = csv::Reader::from_reader(table);
    let at = reader
        .headers()
        .unwrap()
        .iter()
        .position(|name| name == column)
        .unwrap();
    let cells = reader.records().map(|row| row.unwrap()[at].to_owned());
    let codes = cells.flat_map(|cell| cell.split('|').map(str::to_owned).collect::<Vec<_>>());
    codes.filter(|code| !code.is_empty()).collect()
}

/// Checks that the reference names all files of the data sets and runs in `clone`.
///
/// # Panics
/// If it does not name a file.
pub fn check_names(clone: &Path) {
    for (directory, page) in [
        ("fma", "docs/reference/data-set.md"),
        ("fma/shards", "docs/reference/data-set.md"),
        ("runs/crnn", "docs/reference/run.md"),
        ("runs/tags", "docs/reference/run.md"),
    ] {
        let Ok(entries) = fs::read_dir(clone.join(directory)) else {
            continue;
        };
        let text = Page::read(page).text;
        for entry in entries {
            let name = entry.unwrap().file_name().into_string().unwrap();
            // Files of other sets than the test set have the name of the set in their names.
            let plain = name.replace("-val", "").replace("-train", "");
            // `confusion.csv, .svg`
            let stem = plain.rsplit_once('.').map_or(plain.as_str(), |(stem, _)| stem);
            let known = text.contains(&plain) || text.contains(&format!("{stem}.csv, ."));
            assert!(
                known || name.starts_with('.'),
                "{page} does not document {directory}/{name}"
            );
        }
    }
}

/// Names of all files.
pub fn all() -> BTreeSet<&'static str> {
    FILES.iter().map(|(file, _)| *file).collect()
}

fn fields(file: &str, bytes: &[u8]) -> BTreeSet<String> {
    match file.rsplit('.').next() {
        Some("csv") => {
            let mut reader = csv::Reader::from_reader(bytes);
            // The other columns are named after classes.
            let columns = if file.contains("predictions") { 3 } else { usize::MAX };
            reader
                .headers()
                .unwrap()
                .iter()
                .take(columns)
                .map(str::to_owned)
                .collect()
        }
        Some("toml") => {
            let lines = std::str::from_utf8(bytes).unwrap().lines();
            lines
                .filter_map(|line| Some(line.split_once(" = ")?.0.to_owned()))
                .collect()
        }
        Some("safetensors" | "checkpoint") => {
            let file = safetensors::SafeTensors::deserialize(bytes).unwrap();
            file.names().into_iter().map(str::to_owned).collect()
        }
        _ => {
            let mut names = BTreeSet::new();
            collect(&serde_json::from_slice(bytes).unwrap(), &mut names);
            names
        }
    }
}

/// Collects the names of fields, but not keys that are data, such as names of files and classes.
fn collect(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                names.insert(name.clone());
                if !["files", "counts", "tracks"].contains(&name.as_str()) {
                    collect(value, names);
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, names)),
        _ => {}
    }
}
