//! The `train` program: reads the command line, runs the command, prints its result, chooses the exit code.
#![forbid(unsafe_code)]

use clap::Parser;
use std::io::{self, Write};
use std::process::ExitCode;
use train::cli::{Cli, Command};
use train::commands::{Outcome, UsageError, run_bench, run_eval, run_features, run_fit, run_models};
use train::console::Console;

// Burn's CPU backend allocates and frees every activation; the system allocator gives the pages back each time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The work failed.
const FAILED: u8 = 1;
/// The arguments are wrong.
const WRONG_USAGE: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let console = Console::new(cli.quiet);
    let outcome = match cli.command {
        Command::Fit(args) => run_fit(*args, console),
        Command::Eval(args) => run_eval(args, console),
        Command::Features(args) => run_features(*args, console),
        Command::Models => Ok(run_models()),
        Command::Bench(args) => run_bench(*args, console),
    };
    match outcome.and_then(|outcome| print(&outcome, cli.json)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(if error.is::<UsageError>() { WRONG_USAGE } else { FAILED })
        }
    }
}

/// A reader that has seen enough and closed the pipe is no failure.
fn print(outcome: &Outcome, json: bool) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    let mut write = || -> io::Result<()> {
        writeln!(out, "{}", outcome.text)?;
        if json {
            writeln!(out, "{}", outcome.json)?;
        }
        out.flush()
    };
    match write() {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
