//! The program `preprocess`: runs one command. The result goes to standard output, progress and warnings to standard
//! error.

#![forbid(unsafe_code)]

use preprocess::cli::progress::Style;
use preprocess::cli::{Cli, Command};
use preprocess::commands::{build, extend, inspect, manual, merge, split, verify};
use shared::runtime::outcome::{Outcome, finish};
use shared::runtime::version;
use shared::runtime::{command_line, log};
use std::process::ExitCode;
use std::sync::LazyLock;
use tracing::Level;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

static VERSION: LazyLock<String> =
    LazyLock::new(|| version::describe(env!("CARGO_PKG_VERSION"), option_env!("CRATEDIGGER_COMMIT"), &[]));

fn main() -> ExitCode {
    let cli: Cli = match command_line::parse(&VERSION) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let level = if cli.quiet { Level::WARN } else { Level::INFO };
    log::show("preprocess", level, cli.log_format);
    finish(run(cli.command, Style::detect(cli.quiet)), cli.json)
}

fn run(command: Command, style: Style) -> anyhow::Result<Outcome> {
    match command {
        Command::Build(args) => build::run(args, style),
        Command::Merge(args) => merge::run(args, style),
        Command::Extend(args) => extend::run(args, style),
        Command::Split(args) => split::run(args),
        Command::Verify(args) => verify::run(args, style),
        Command::Inspect(args) => inspect::run(args, style),
        Command::Completions { shell } => manual::completions(shell),
        Command::Man { directory } => manual::pages(&directory),
    }
}
