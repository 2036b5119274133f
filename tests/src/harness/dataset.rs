//! A data set that `preprocess build` made of the small corpus: once in a process, and copied for tests that change it.

use super::collection::{Collection, temporary};
use super::programs::Program;
use super::tree;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use tempfile::TempDir;

/// A data set in a temporary directory, gone when it is dropped.
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

    /// A place for a data set where nothing is yet.
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

    /// A copy for a test to change as it likes.
    pub fn copy(&self) -> Self {
        let copied = Self::empty();
        tree::copy(&self.path(), &copied.path()).unwrap_or_else(|error| panic!("could not copy a data set: {error}"));
        copied
    }

    pub fn path(&self) -> PathBuf {
        self.directory.path().join("dataset")
    }

    /// A file of the data set, as text.
    pub fn text(&self, file: &str) -> String {
        let path = self.path().join(file);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// A table of the data set: its column names and rows.
    pub fn table(&self, file: &str) -> Vec<Row> {
        read_table(&self.path().join(file))
    }

    /// `track_id` to `reason` of its dropped tracks.
    pub fn rejected(&self) -> BTreeMap<String, String> {
        let rows = self.table("rejected.csv").into_iter();
        rows.map(|row| (row["track_id"].clone(), row["reason"].clone()))
            .collect()
    }

    /// Runs `preprocess split` on it with these words.
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

/// A row of a table, cell by column name.
pub type Row = BTreeMap<String, String>;

/// Reads a CSV file with one header row.
///
/// # Panics
/// If it is not one.
fn read_table(path: &Path) -> Vec<Row> {
    let mut reader = csv::Reader::from_path(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    reader
        .deserialize()
        .collect::<Result<_, _>>()
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
