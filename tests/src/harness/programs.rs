//! The two programs, built by a nested `cargo build` with the profile that the tests themselves have.
//!
//! `cargo test` builds no binaries of other packages, and sets no `CARGO_BIN_EXE_*` for them. Building them from here
//! works while cargo runs the tests, and is never stale.

use assert_cmd::Command;
use assert_cmd::assert::Assert;
use serde_json::Value;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::{Mutex, PoisonError};

/// One of the two programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Program {
    /// Audio files to a data set.
    Preprocess,
    /// A data set to a model.
    Train,
}

impl Program {
    fn name(self) -> &'static str {
        match self {
            Self::Preprocess => "preprocess",
            Self::Train => "train",
        }
    }

    /// The executable, built if it is not up to date. The first call in a process may take minutes.
    pub fn path(self) -> PathBuf {
        static BUILT: Mutex<Option<HashMap<Program, PathBuf>>> = Mutex::new(None);
        // A build that failed in one test fails in the next with the same message.
        let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
        built
            .get_or_insert_default()
            .entry(self)
            .or_insert_with(|| build(self.name()))
            .clone()
    }

    /// The program with these arguments, for [`Command::assert`].
    pub fn command<Argument: AsRef<std::ffi::OsStr>>(self, arguments: impl IntoIterator<Item = Argument>) -> Command {
        let mut command = Command::new(self.path());
        command.args(arguments);
        command
    }

    /// The program with these arguments, for tests that need the running process.
    pub fn process<Argument: AsRef<std::ffi::OsStr>>(
        self,
        arguments: impl IntoIterator<Item = Argument>,
    ) -> process::Command {
        let mut command = process::Command::new(self.path());
        command.args(arguments);
        command
    }
}

/// Builds a program and returns its executable.
///
/// # Panics
/// If it does not compile; the compiler's messages have gone to stderr.
fn build(package: &str) -> PathBuf {
    let output = process::Command::new(env!("CARGO"))
        .args(["build", "--package", package, "--bin", package, "--profile", &profile()])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(process::Stdio::inherit())
        .output()
        .unwrap_or_else(|error| panic!("could not run {}: {error}", env!("CARGO")));
    assert!(output.status.success(), "{package} does not compile");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == package)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .unwrap_or_else(|| panic!("cargo built {package} and named no executable"))
}

/// The profile that this test was built with: its executable lies in `target/PROFILE/deps`.
fn profile() -> String {
    let executable = std::env::current_exe().expect("a running program has a path");
    let directory = executable.parent().and_then(Path::parent).and_then(Path::file_name);
    match directory.and_then(|name| name.to_str()) {
        Some("debug") | None => "dev".to_owned(),
        Some(profile) => profile.to_owned(),
    }
}

/// The machine-readable line: the last on stdout.
///
/// # Panics
/// If there is none, or it is not JSON.
pub fn json_line(assert: &Assert) -> Value {
    let stdout = String::from_utf8_lossy(&assert.get_output().stdout);
    let line = stdout.lines().last().unwrap_or_default();
    serde_json::from_str(line).unwrap_or_else(|error| panic!("`{line}` should be JSON: {error}"))
}
