//! The results of `train predict` as text, JSON and a CSV file. The CSV file only replaces other tables of predictions.

use crate::predict::{FilePrediction, Named};
use anyhow::{Context, bail};
use serde_json::{Value, json};
use shared::audio::validate::Rejection;
use shared::runtime::atomic_file::{self, WriteError};
use shared::runtime::output_file::check_place;
use shared::runtime::text::{clock, counted, shown};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// First columns of the table. A file that does not start with them is not replaced.
const CSV_COLUMNS: [&str; 6] = ["path", "reason", "detail", "seconds", "clips", "predicted"];

/// Checks before a long run that the table can be written, and that it does not replace another kind of file or,
/// without `force`, rows of other audio files.
pub(super) fn check_csv(path: &Path, named: &[Named], force: bool) -> anyhow::Result<()> {
    let refuse = |problem: &str| bail!("--csv {} {problem}; give another file", shown(path));
    let inputs: Vec<PathBuf> = named.iter().map(|(file, _)| file.clone()).collect();
    check_place("--csv", path, &inputs)?;
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return refuse(&format!("cannot be replaced: {error}")),
        Ok(file) => {
            let mut start = Vec::new();
            let expected = CSV_COLUMNS.join(",");
            file.take(expected.len() as u64)
                .read_to_end(&mut start)
                .with_context(|| format!("could not read {}", path.display()))?;
            if !start.is_empty() && start != expected.as_bytes() {
                return refuse("exists and is not a table of predictions");
            }
            let others = if force { Vec::new() } else { other_rows(path, named)? };
            if let Some(first) = others.first() {
                bail!(
                    "--csv {} has {} of files that are not classified now, such as {}; add --force to replace it, or give \
                     another file",
                    shown(path),
                    counted(others.len(), "row", "rows"),
                    shown(first)
                );
            }
        }
    }
    Ok(())
}

/// The files in the table that are not among the files to classify.
fn other_rows(path: &Path, named: &[Named]) -> anyhow::Result<Vec<PathBuf>> {
    let named: BTreeSet<_> = named.iter().map(|(file, _)| file.to_string_lossy()).collect();
    let damaged = || format!("could not read the rows of {}; give another file", shown(path));
    let mut reader = csv::Reader::from_path(path).with_context(damaged)?;
    let mut others = Vec::new();
    for row in reader.records() {
        let row = row.with_context(damaged)?;
        let file = row.get(0).unwrap_or_default();
        if !named.contains(file) {
            others.push(PathBuf::from(file));
        }
    }
    Ok(others)
}

/// A file with its prediction, or why it has none.
pub(super) type Answer = (PathBuf, Result<FilePrediction, Rejection>);

/// The answers for all files, with everything needed to format them.
pub(super) struct Answers<'a> {
    pub(super) answers: &'a [Answer],
    pub(super) classes: &'a [String],
    pub(super) thresholds: Option<&'a [f64]>,
    pub(super) top: usize,
}

impl Answers<'_> {
    pub(super) fn failed(&self) -> usize {
        self.answers.iter().filter(|(_, answer)| answer.is_err()).count()
    }

    /// Classes sorted by probability, highest first.
    fn ranked(&self, prediction: &FilePrediction) -> Vec<(&str, f64)> {
        let mut ranked: Vec<(&str, f64)> = self
            .classes
            .iter()
            .map(String::as_str)
            .zip(prediction.probabilities.iter().copied())
            .collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        ranked
    }

    /// The most probable class, or the tags whose probability is at least the threshold.
    fn predicted(&self, prediction: &FilePrediction) -> Vec<&str> {
        match self.thresholds {
            None => self
                .ranked(prediction)
                .into_iter()
                .take(1)
                .map(|(name, _)| name)
                .collect(),
            Some(thresholds) => {
                let above = prediction.probabilities.iter().zip(thresholds);
                let tags = self.classes.iter().zip(above);
                tags.filter(|(_, (p, threshold))| p >= threshold)
                    .map(|(name, _)| name.as_str())
                    .collect()
            }
        }
    }

    /// A text table with a line per file.
    pub(super) fn table(&self) -> String {
        let names: Vec<String> = self.answers.iter().map(|(path, _)| shown(path)).collect();
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let mut table = format!("{:<width$}  {:>7}  {}", "file", "time", self.heading());
        for (name, (_, answer)) in names.iter().zip(self.answers) {
            let _ = match answer {
                Ok(prediction) => {
                    let top = self.ranked(prediction).into_iter().take(self.top);
                    let top: Vec<String> = top.map(|(class, p)| format!("{class} {:.1} %", 100.0 * p)).collect();
                    let padded = if prediction.decoded.padded {
                        "  (shorter than a clip)"
                    } else {
                        ""
                    };
                    let time = clock(prediction.decoded.seconds);
                    write!(table, "\n{name:<width$}  {time:>7}  {}{padded}", top.join("  "))
                }
                Err(rejection) => write!(table, "\n{name:<width$}  {:>7}  {}: {rejection}", "-", rejection.code()),
            };
        }
        table
    }

    fn heading(&self) -> &'static str {
        match self.thresholds {
            None => "genres",
            Some(_) => "tags",
        }
    }

    pub(super) fn json(&self) -> Vec<Value> {
        let row = |(path, answer): &Answer| match answer {
            Ok(prediction) => {
                let top = self.ranked(prediction).into_iter().take(self.top);
                let top: Vec<_> = top
                    .map(|(class, p)| json!({ "class": class, "probability": p }))
                    .collect();
                let all: serde_json::Map<String, Value> = self
                    .classes
                    .iter()
                    .cloned()
                    .zip(prediction.probabilities.iter().map(|&p| json!(p)))
                    .collect();
                json!({ "path": path.to_string_lossy(), "ok": true, "seconds": prediction.decoded.seconds,
                        "clips": prediction.decoded.clips, "padded": prediction.decoded.padded,
                        "predicted": self.predicted(prediction), "top": top, "probabilities": all })
            }
            Err(rejection) => json!({ "path": path.to_string_lossy(), "ok": false, "reason": rejection.code(),
                                      "detail": rejection.to_string() }),
        };
        self.answers.iter().map(row).collect()
    }

    /// `path,reason,detail,seconds,clips,predicted` and a column per class.
    pub(super) fn write_csv(&self, path: &Path) -> Result<(), WriteError> {
        let columns = CSV_COLUMNS;
        let header = columns.into_iter().chain(self.classes.iter().map(String::as_str));
        let rows = self.answers.iter().map(|(path, answer)| {
            let path = path.to_string_lossy().into_owned();
            let mut row = match answer {
                Ok(prediction) => vec![
                    path,
                    String::new(),
                    String::new(),
                    format!("{:.3}", prediction.decoded.seconds),
                    prediction.decoded.clips.to_string(),
                    self.predicted(prediction).join("|"),
                ],
                Err(rejection) => {
                    let mut row = vec![path, rejection.code().into(), rejection.to_string()];
                    row.resize(columns.len(), String::new());
                    row
                }
            };
            match answer {
                Ok(prediction) => row.extend(prediction.probabilities.iter().map(|p| format!("{p:.6}"))),
                Err(_) => row.resize(columns.len() + self.classes.len(), String::new()),
            }
            row
        });
        let write = |file: &mut dyn io::Write| -> io::Result<()> {
            let mut writer = csv::Writer::from_writer(file);
            writer.write_record(header)?;
            for row in rows {
                writer.write_record(row)?;
            }
            writer.flush()
        };
        atomic_file::write(path, |file| write(file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_table_with_rows_of_other_files_is_replaced_only_when_forced() {
        let root = tempfile::tempdir().unwrap();
        let table = root.path().join("genres.csv");
        let named = |names: &[&str]| -> Vec<Named> { names.iter().map(|name| (name.into(), None)).collect() };
        let header = CSV_COLUMNS.join(",");
        let check =
            |names: &[&str], force: bool| check_csv(&table, &named(names), force).map_err(|error| error.to_string());
        check(&["a.mp3"], false).unwrap();
        fs::write(
            &table,
            format!("{header},Rock\na.mp3,,,1,1,Rock,1\n\"b,2.mp3\",,,1,1,Rock,1\n"),
        )
        .unwrap();
        check(&["a.mp3", "b,2.mp3", "c.mp3"], false).unwrap();
        let refused = check(&["a.mp3", "c.mp3"], false).unwrap_err();
        assert!(
            refused.contains("has 1 row of files that are not classified now, such as b,2.mp3; add --force"),
            "{refused}"
        );
        check(&["c.mp3"], true).unwrap();
        // Other files are not replaced, even with `force`.
        for other in [format!("{header},Rock\na.mp3,,\n"), "name,genre\na,Rock\n".into()] {
            fs::write(&table, other).unwrap();
            assert!(check(&["a.mp3"], false).unwrap_err().contains("give another file"));
        }
        assert!(
            check(&["a.mp3"], true)
                .unwrap_err()
                .contains("is not a table of predictions")
        );
    }
}
