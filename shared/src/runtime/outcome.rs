//! How a command of either program ends: its output, the JSON on the last line of standard output, and the exit code.

use serde_json::{Value, json};
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

/// The result of a command.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Lines for people, on standard output.
    pub text: String,
    /// The object that `--json` prints after the text; `ok` is added.
    pub json: Value,
}

/// Part of the work failed: there is a result, but the exit code is 1.
#[derive(Debug, thiserror::Error)]
#[error("{}", sentence.as_deref().unwrap_or("part of the work failed"))]
pub struct Incomplete {
    /// The result.
    pub outcome: Outcome,
    /// The error message, unless the result has it.
    pub sentence: Option<String>,
}

/// Arguments that are invalid or contradict each other.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// Why a command failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The command line is wrong.
    Usage,
    /// The work failed.
    Failed,
    /// A signal stopped the work, which can be resumed.
    Stopped,
}

impl Failure {
    /// The last line of standard output: `ok` (false), `kind`, and `error`, the message that is also on standard error.
    pub fn json(self, error: &str) -> Value {
        let kind = match self {
            Self::Usage => "usage",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        };
        json!({ "ok": false, "kind": kind, "error": error })
    }

    /// The exit code: 1, 2, or 75 (`EX_TEMPFAIL` of `sysexits.h`, "try again").
    pub fn code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Stopped => 75,
        }
    }
}

/// Prints the result of a command, or logs its error, and chooses the exit code.
pub fn finish(result: anyhow::Result<Outcome>, json: bool) -> ExitCode {
    let error = match result {
        Ok(outcome) => return print(&outcome, true, json).err().unwrap_or(ExitCode::SUCCESS),
        Err(error) => error,
    };
    if let Some(incomplete) = error.downcast_ref::<Incomplete>() {
        let printed = print(&incomplete.outcome, false, json);
        if let Some(sentence) = &incomplete.sentence {
            tracing::error!("{sentence}");
        }
        return printed.err().unwrap_or_else(|| Failure::Failed.code().into());
    }
    let message = format!("{error:#}");
    tracing::error!("{message}");
    let failure = if error.is::<UsageError>() {
        Failure::Usage
    } else {
        Failure::Failed
    };
    if json {
        // There is nowhere else to report a failed write.
        let _ = writeln!(io::stdout(), "{}", failure.json(&message));
    }
    failure.code().into()
}

/// Prints the result. A reader that closes the pipe early is not an error.
fn print(outcome: &Outcome, ok: bool, json: bool) -> Result<(), ExitCode> {
    let mut out = io::stdout().lock();
    let mut write = || -> io::Result<()> {
        writeln!(out, "{}", outcome.text)?;
        if json {
            let mut line = outcome.json.clone();
            line["ok"] = ok.into();
            writeln!(out, "{line}")?;
        }
        out.flush()
    };
    match write() {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            tracing::error!("could not write to standard output: {error}");
            Err(Failure::Failed.code().into())
        }
        _ => Ok(()),
    }
}
