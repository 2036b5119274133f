//! The `train` program: reads the command line, runs the command, prints its result, chooses the exit code.
#![forbid(unsafe_code)]

use anyhow::Context;
use clap::Parser;
use serde_json::json;
use shared::runtime::failure::{self, Failure};
use shared::runtime::log;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use tracing::Level;
use train::cli::{Cli, Command};
use train::commands::{
    Incomplete, Outcome, UsageError, run_bench, run_completions, run_config, run_eval, run_export, run_features,
    run_fit, run_man, run_models, run_predict, run_report, run_sweep,
};
use train::process::console::Console;
use train::process::mapping_fault::FaultWatch;
use train::process::stop::{EXIT_STOPPED, Stopped};

// Burn's CPU backend allocates and frees every activation; the system allocator gives the pages back each time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The work failed.
const FAILED: u8 = 1;
/// The arguments are wrong.
const WRONG_USAGE: u8 = 2;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return not_parsed(&error, failure::wants_json(&arguments)),
    };
    let json = cli.json;
    let level = if cli.quiet { Level::WARN } else { Level::INFO };
    log::show("train", level, cli.log_format);
    match run(cli).and_then(|outcome| print(&outcome, true, json)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => ExitCode::from(report(&error, json)),
    }
}

fn run(cli: Cli) -> anyhow::Result<Outcome> {
    let console = Console::new(cli.quiet);
    let watch = FaultWatch::begin(cli.json).context("could not listen for signals")?;
    match cli.command {
        Command::Fit(args) => run_fit(*args, &watch, console),
        Command::Eval(args) => run_eval(args, &watch, console),
        Command::Features(args) => run_features(*args, &watch, console),
        Command::Report(args) => run_report(&args, console),
        Command::Predict(args) => run_predict(args, console),
        Command::Models => Ok(run_models()),
        Command::Export(args) => run_export(args, &watch, console),
        Command::Config(args) => run_config(*args),
        Command::Completions { shell } => run_completions(shell),
        Command::Man { directory } => run_man(&directory),
        Command::Bench(args) => run_bench(*args, &watch, console),
        Command::Sweep(args) => run_sweep(*args, &watch, console),
    }
}

/// Prints help, the version or a usage error, and chooses the exit code.
fn not_parsed(error: &clap::Error, json: bool) -> ExitCode {
    // There is no other place to complain.
    let _ = error.print();
    if json && error.use_stderr() {
        let message = failure::usage_message(&error.render().to_string());
        let _ = writeln!(io::stdout(), "{}", Failure::Usage.json(&message));
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(WRONG_USAGE))
}

/// Says what went wrong and chooses the exit code.
fn report(error: &anyhow::Error, json: bool) -> u8 {
    let (code, line) = if let Some(stopped) = error.chain().find_map(|cause| cause.downcast_ref::<Stopped>()) {
        tracing::warn!("{stopped}");
        (EXIT_STOPPED, stopped.json())
    } else if let Some(incomplete) = error.downcast_ref::<Incomplete>() {
        let printed = print(&incomplete.outcome, false, json);
        tracing::error!("{incomplete}");
        printed.unwrap_or_else(|error| tracing::error!("{error:#}"));
        return FAILED;
    } else {
        tracing::error!("{error:#}");
        let (code, kind) = if error.is::<UsageError>() {
            (WRONG_USAGE, Failure::Usage)
        } else {
            (FAILED, Failure::Failed)
        };
        (code, kind.json(&format!("{error:#}")))
    };
    if json {
        // There is no other place to complain.
        let _ = writeln!(io::stdout(), "{line}");
    }
    code
}

/// A reader that has seen enough and closed the pipe is no failure.
fn print(outcome: &Outcome, ok: bool, json: bool) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    let mut write = || -> io::Result<()> {
        writeln!(out, "{}", outcome.text)?;
        if json {
            let mut line = outcome.json.clone();
            line["ok"] = json!(ok);
            writeln!(out, "{line}")?;
        }
        out.flush()
    };
    match write() {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
