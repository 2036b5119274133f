//! Builds the programs with a nested `cargo build` in the profile of the tests.
//!
//! `cargo test` does not build the binaries of other packages or set `CARGO_BIN_EXE_*` for them. Building them here
//! works while cargo runs the tests, and they are never stale.

use assert_cmd::Command;
use assert_cmd::assert::Assert;
use serde_json::Value;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::LazyLock;

/// A program of the workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Program {
    /// Builds a data set from audio files.
    Preprocess,
    /// Trains a model on a data set.
    Train,
    /// Makes a small collection of synthetic music.
    MakeCorpus,
}

impl Program {
    fn name(self) -> &'static str {
        match self {
            Self::Preprocess => "preprocess",
            Self::Train => "train",
            Self::MakeCorpus => "make-corpus",
        }
    }

    /// Path of the executable. The first call in a process builds all programs, which may take minutes.
    pub fn path(self) -> &'static Path {
        static BUILT: LazyLock<HashMap<String, PathBuf>> = LazyLock::new(build);
        let name = self.name();
        BUILT
            .get(name)
            .unwrap_or_else(|| panic!("cargo reported no executable for {name}"))
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

/// Names the device of tests on GPUs; `scripts/test_gpu.sh` sets it.
const TEST_DEVICE: &str = "CRATEDIGGER_TEST_DEVICE";

/// The device of tests on GPUs. Without one, says that the test is skipped.
pub fn test_device() -> Option<String> {
    let device = std::env::var(TEST_DEVICE).ok();
    if device.is_none() {
        eprintln!("skipped: {TEST_DEVICE} names no device");
    }
    device
}

/// Builds the programs and returns their executables by name.
///
/// It builds the whole workspace, so shared dependencies have the same features as in `cargo test --workspace` and
/// the quickstart, and nothing is compiled twice.
///
/// # Panics
/// If something does not compile. The compiler's messages go to stderr.
fn build() -> HashMap<String, PathBuf> {
    let features = match std::env::var(TEST_DEVICE).ok() {
        Some(device) if device.starts_with("cuda") => &["--features", "train/cuda"][..],
        Some(_) => &["--features", "train/gpu"],
        None => &[],
    };
    let output = process::Command::new(env!("CARGO"))
        .args(["build", "--workspace", "--bins", "--profile", &profile()])
        .args(["--message-format", "json-render-diagnostics"])
        .args(features)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(process::Stdio::inherit())
        .output()
        .unwrap_or_else(|error| panic!("could not run {}: {error}", env!("CARGO")));
    assert!(output.status.success(), "the programs do not compile");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|message| {
            let name = message["target"]["name"].as_str()?.to_owned();
            Some((name, message["executable"].as_str()?.into()))
        })
        .collect()
}

/// The profile of this test, from its path `target/PROFILE/deps/NAME`.
fn profile() -> String {
    let executable = std::env::current_exe().expect("a running program has a path");
    let directory = executable.parent().and_then(Path::parent).and_then(Path::file_name);
    match directory.and_then(|name| name.to_str()) {
        Some("debug") | None => "dev".to_owned(),
        Some(profile) => profile.to_owned(),
    }
}

/// The stderr of a program.
pub fn stderr(output: &process::Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The stderr of a program run with [`Command::assert`].
pub fn stderr_text(assert: &Assert) -> String {
    stderr(assert.get_output())
}

/// The stdout of a program run with [`Command::assert`].
pub fn stdout_text(assert: &Assert) -> String {
    String::from_utf8_lossy(&assert.get_output().stdout).into_owned()
}

/// Parses a file.
///
/// # Panics
/// If it cannot be read or is not JSON.
pub fn json_file(path: &Path) -> Value {
    let name = path.display();
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{name} should be readable: {error}"));
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{name} should be JSON: {error}"))
}

/// Parses the last line of stdout, which `--json` prints.
///
/// # Panics
/// If it is not JSON.
pub fn json_line(assert: &Assert) -> Value {
    let stdout = stdout_text(assert);
    let line = stdout.lines().last().unwrap_or_default();
    serde_json::from_str(line).unwrap_or_else(|error| panic!("`{line}` should be JSON: {error}"))
}
