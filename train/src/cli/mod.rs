//! The command line: one file per command.
//!
//! [`crate::commands`] checks the arguments against each other.

mod bench;
mod config;
mod count;
mod embed;
mod eval;
mod export;
mod file_name;
mod fit;
mod import;
mod lr_find;
mod models;
mod predict;
mod report;
mod runs;
mod set_name;
mod similar;
mod sweep;

pub use bench::BenchArgs;
pub use config::ConfigArgs;
pub use embed::EmbedArgs;
pub use eval::EvalArgs;
pub use export::{ExportArgs, ExportFormat};
pub use fit::FitArgs;
pub use import::{ImportArgs, TaskName};
pub use lr_find::LrFindArgs;
pub use models::ModelsArgs;
pub use predict::{PredictArgs, TimelineFile, TimelineFormat};
pub use report::{ComparedSet, ReportArgs};
pub use runs::RunsArgs;
pub use set_name::SetName;
pub use similar::SimilarArgs;
pub use sweep::SweepArgs;

use clap::{Parser, Subcommand};
use clap_complete::Shell;
use shared::runtime::command_line::GLOBAL_OPTIONS;
use shared::runtime::log::Format;
use std::path::PathBuf;

/// Train and evaluate audio classifiers on data sets made by `preprocess`
#[derive(Debug, Parser)]
#[command(name = "train", version, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    /// Hide progress; keep results and warnings
    #[arg(short, long, global = true, help_heading = GLOBAL_OPTIONS)]
    pub quiet: bool,
    /// Show how each epoch's time was spent
    #[arg(short, long, global = true, conflicts_with = "quiet", help_heading = GLOBAL_OPTIONS)]
    pub verbose: bool,
    /// Print the result as JSON, on the last line of stdout
    #[arg(long, global = true, help_heading = GLOBAL_OPTIONS)]
    pub json: bool,
    /// Format of lines on stderr: text, json
    #[arg(long, global = true, value_name = "NAME", default_value = "text", help_heading = GLOBAL_OPTIONS)]
    pub log_format: Format,
}

const EXAMPLES: &str = r"Examples:
  # Train a model and evaluate it on the test set
  train fit --data fma --model crnn --run runs/crnn
  train eval --run runs/crnn

  # Continue a run, for more epochs
  train fit --run runs/crnn --resume --epochs 100

  # Train with five seeds and compare with a baseline
  train fit --data fma --model crnn --run runs/seeds --seeds 5
  train report runs/baseline-seeds runs/seeds

  # Classify audio files
  train predict --run runs/crnn music/

  # Search for better settings
  train sweep --data fma --model crnn --sweep sweeps/crnn \
      --grid dropout=0.1,0.3,0.5

Results go to stdout, progress and warnings to stderr.

Exit codes: 0 success, 1 failure, 2 wrong usage, 75 stopped by a signal
(`fit` and `sweep`; continue with --resume).";

const COMPLETIONS_EXAMPLES: &str = r#"Examples:
  # Install completions for bash
  train completions bash \
      > ~/.local/share/bash-completion/completions/train

  # Install completions for zsh
  train completions zsh > "${fpath[1]}/_train""#;

const DEVICES_EXAMPLES: &str = r"Examples:
  # List the devices, then train on the first Vulkan device
  train devices
  train fit --data fma --model crnn --run runs/crnn --device vulkan:0";

const MAN_EXAMPLES: &str = r"Examples:
  # Install the manual pages
  train man ~/.local/share/man/man1";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a model and keep the weights of the best epoch
    Fit(Box<FitArgs>),
    /// Train with many settings and rank them
    Sweep(Box<SweepArgs>),
    /// Find a learning rate
    LrFind(Box<LrFindArgs>),
    /// Evaluate a run on its test set
    Eval(EvalArgs),
    /// Compare runs: metrics, intervals, leaks
    Report(ReportArgs),
    /// List the runs below a directory
    Runs(RunsArgs),
    /// Classify audio files
    Predict(PredictArgs),
    /// Find similar songs
    Similar(SimilarArgs),
    /// Export weights for PyTorch or ONNX Runtime
    Export(ExportArgs),
    /// Make a run of published weights
    Import(Box<ImportArgs>),
    /// Write embeddings and train classifiers on them
    Embed(Box<EmbedArgs>),
    /// List the models, or show one
    Models(ModelsArgs),
    /// List the devices that this program can compute on
    #[command(after_help = DEVICES_EXAMPLES)]
    Devices,
    /// Print a settings file for `train fit --config`
    Config(Box<ConfigArgs>),
    /// Measure the speed of each stage of training
    Bench(Box<BenchArgs>),
    /// Print a shell completion script
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions {
        /// Shell
        shell: Shell,
    },
    /// Write manual pages
    #[command(after_help = MAN_EXAMPLES)]
    Man {
        /// Directory to write
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::dataset::split::Set;
    use shared::runtime::command_line;

    #[test]
    fn counts_outside_their_range_are_refused() {
        let fit = ["train", "bench", "--data", "fma"].map(String::from).to_vec();
        let predict = ["train", "predict", "--run", "run", "a.mp3"].map(String::from).to_vec();
        let sweep = ["train", "sweep", "--sweep", "sweep"].map(String::from).to_vec();
        for (line, flag) in [(&fit, "--steps"), (&predict, "--jobs"), (&sweep, "--jobs-per-device")] {
            let parse = |value: &str| Cli::try_parse_from(line.iter().cloned().chain([format!("{flag}={value}")]));
            assert!(parse("3").is_ok(), "{flag}");
            for value in [
                "0",
                "-1",
                "0.5",
                "nan",
                "1e3",
                "9007199254740993",
                "18446744073709551615",
            ] {
                let message = parse(value).unwrap_err().to_string();
                assert!(
                    message.contains("must be a whole number from 1 to"),
                    "{flag}={value}: {message}"
                );
            }
        }
    }

    #[test]
    fn command_definition_is_valid() {
        command_line::command::<Cli>().debug_assert();
    }

    #[test]
    fn every_command_accepts_set_val() {
        for line in [
            "train eval --run r --set val",
            "train report r --set val",
            "train embed --run r --out o --set val",
        ] {
            let parsed = Cli::try_parse_from(line.split(' ')).unwrap_or_else(|error| panic!("{line}: {error}"));
            let set: Set = match parsed.command {
                Command::Eval(args) => args.set.into(),
                Command::Report(args) => args.set.into(),
                Command::Embed(args) => args.set.into(),
                other => panic!("{other:?}"),
            };
            assert_eq!(set, Set::Val, "{line}");
        }
    }
}
