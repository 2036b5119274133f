//! The `train` program: parses the command line, runs the command, prints its result and sets the exit code.
#![forbid(unsafe_code)]

use anyhow::Context;
use shared::runtime::outcome::{self, Outcome};
use shared::runtime::version;
use shared::runtime::{command_line, log, manual};
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::LazyLock;
use tracing::Level;
use train::cli::{Cli, Command};
use train::commands::{
    UsageError, run_bench, run_config, run_devices, run_embed, run_eval, run_export, run_fit, run_import, run_lr_find,
    run_models, run_predict, run_report, run_runs, run_similar, run_sweep,
};
use train::process::console::Console;
use train::process::mapping_fault::FaultWatch;
use train::process::stop::{EXIT_STOPPED, Stopped};

// Burn's CPU backend allocates and frees every activation, and the default allocator returns the pages to the operating
// system each time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const FEATURES: &[&str] = &[
    #[cfg(feature = "cuda")]
    "cuda",
    #[cfg(feature = "gpu")]
    "gpu",
];
static VERSION: LazyLock<String> =
    LazyLock::new(|| version::describe(env!("CARGO_PKG_VERSION"), option_env!("CRATEDIGGER_COMMIT"), FEATURES));

fn main() -> ExitCode {
    let cli: Cli = match command_line::parse(&VERSION) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let json = cli.json;
    let level = match (cli.quiet, cli.verbose) {
        (true, _) => Level::WARN,
        (_, true) => Level::DEBUG,
        _ => Level::INFO,
    };
    log::show("train", level, cli.log_format);
    let result = run(cli).map_err(|error| match error.downcast::<UsageError>() {
        Ok(usage) => outcome::UsageError(usage.to_string()).into(),
        Err(error) => error,
    });
    let stopped = |error: &anyhow::Error| error.chain().find_map(|cause| cause.downcast_ref::<Stopped>().cloned());
    if let Some(stopped) = result.as_ref().err().and_then(stopped) {
        tracing::warn!("{stopped}");
        if json {
            // A failure to write to stdout cannot be reported anywhere else.
            let _ = writeln!(io::stdout(), "{}", stopped.json());
        }
        return EXIT_STOPPED.into();
    }
    outcome::finish(result, json)
}

fn run(cli: Cli) -> anyhow::Result<Outcome> {
    let console = Console::new(cli.quiet);
    let watch = FaultWatch::begin(cli.json).context("could not listen for signals")?;
    match cli.command {
        Command::Fit(args) => run_fit(*args, &watch, console),
        Command::LrFind(args) => run_lr_find(*args, &watch, console),
        Command::Eval(args) => run_eval(args, &watch, console),
        Command::Import(args) => run_import(&args, console),
        Command::Embed(args) => run_embed(*args, &watch, console),
        Command::Report(args) => run_report(&args, console),
        Command::Runs(args) => run_runs(&args, console),
        Command::Predict(args) => run_predict(args, console),
        Command::Similar(args) => run_similar(&args, console),
        Command::Models(args) => Ok(run_models(args.name)),
        Command::Export(args) => run_export(args, console),
        Command::Devices => Ok(run_devices()),
        Command::Config(args) => run_config(*args),
        Command::Completions { shell } => manual::completions::<Cli>(shell),
        Command::Man { directory } => manual::pages::<Cli>(&directory),
        Command::Bench(args) => run_bench(*args, &watch, console),
        Command::Sweep(args) => run_sweep(*args, &watch, console),
    }
}
