//! Data sets built with `preprocess build`. The one of the small corpus is built once per process; tests that change it
//! use a copy.

use super::collection::{Collection, temporary};
use super::programs::Program;
use super::tree;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use tempfile::TempDir;

/// A data set in a temporary directory.
#[derive(Debug)]
pub struct BuiltDataset {
    directory: TempDir,
}

impl BuiltDataset {
    /// The data set of [`Collection::small`]. Read only.
    pub fn small() -> &'static Self {
        static SMALL: LazyLock<BuiltDataset> = LazyLock::new(|| BuiltDataset::build(Collection::small()));
        &SMALL
    }

    /// A path at which no data set exists yet.
    pub fn empty() -> Self {
        Self { directory: temporary() }
    }

    /// Builds the data set of a collection.
    pub fn build(collection: &Collection) -> Self {
        let built = Self::empty();
        Program::Preprocess
            .command(collection.build_arguments(&built.path()))
            .assert()
            .success();
        built
    }

    /// A copy that a test may change.
    pub fn copy(&self) -> Self {
        let copied = Self::empty();
        tree::copy(&self.path(), &copied.path()).unwrap_or_else(|error| panic!("could not copy a data set: {error}"));
        copied
    }

    pub fn path(&self) -> PathBuf {
        self.directory.path().join("dataset")
    }

    /// Reads a file of the data set as text.
    pub fn text(&self, file: &str) -> String {
        let path = self.path().join(file);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Reads the rows of a table of the data set.
    pub fn table(&self, file: &str) -> Vec<Row> {
        read_table(&self.path().join(file))
    }

    /// Reasons of the dropped tracks by track id, from `rejected.csv`.
    pub fn rejected(&self) -> BTreeMap<String, String> {
        let rows = self.table("rejected.csv").into_iter();
        rows.map(|row| (row["track_id"].clone(), row["reason"].clone()))
            .collect()
    }

    /// Runs `preprocess split --json` on it with space-separated arguments.
    pub fn split(&self, arguments: &str) -> assert_cmd::assert::Assert {
        let path = self.path();
        let mut command = Program::Preprocess.command(["split"]);
        command
            .arg(path)
            .args(arguments.split_whitespace())
            .arg("--json")
            .assert()
    }
}

/// A table row: cells by column name.
pub type Row = BTreeMap<String, String>;

/// Reads a CSV file with one header row.
///
/// # Panics
/// If the file cannot be read or is not valid CSV.
fn read_table(path: &Path) -> Vec<Row> {
    let mut reader = csv::Reader::from_path(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    reader
        .deserialize()
        .collect::<Result<_, _>>()
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
