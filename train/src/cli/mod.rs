//! The command line as typed: a file per command, and what several of them have.
//!
//! What the arguments mean together is checked in [`crate::commands`].

mod bench;
mod config;
mod count;
mod eval;
mod export;
mod embed;
mod fit;
mod predict;
mod report;
mod set_name;
mod sweep;

pub use bench::BenchArgs;
pub use config::ConfigArgs;
pub use embed::EmbedArgs;
pub use eval::EvalArgs;
pub use export::ExportArgs;
pub use fit::FitArgs;
pub use predict::PredictArgs;
pub use report::{ComparedSet, ReportArgs};
pub use set_name::SetName;
pub use sweep::SweepArgs;

use clap::{Parser, Subcommand};
use clap_complete::Shell;
use shared::runtime::log::Format;
use std::path::PathBuf;

/// Trains genre classifiers from the shards that `preprocess` made.
#[derive(Debug, Parser)]
#[command(name = "train", version, propagate_version = true, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
    /// Show no progress; results and warnings stay
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// End with one line of JSON on standard output
    #[arg(long, global = true)]
    pub json: bool,
    /// What lines on standard error look like: text, or json for an object each, with metrics in fields of their own
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub log_format: Format,
}

const EXAMPLES: &str = "Examples:
  train fit --data fma --model crnn --run runs/crnn
  train fit --run runs/crnn --resume --epochs 100
  train fit --data fma --model cnn1d --run runs/cnn1d --init-from checkpoint_baseline1d.pt
  train fit --data gtzan --model choi-crnn --run runs/choi --init-from runs/tagger --freeze 'blocks.[01]'
  train eval --run runs/crnn
  train fit --data fma --model crnn --seeds 5 --run runs/crnn-seeds
  train fit --data mine --model crnn --folds 5 --run runs/crnn-folds
  train report runs/baseline runs/crnn-seeds --csv scoreboard.csv
  train predict --run runs/crnn song.mp3
  train embed --run runs/crnn --out embeddings.safetensors --classify knn,svm
  train models
  train bench --data fma --model crnn --batch-size 32
  train sweep --data fma --model crnn --sweep sweeps/crnn --grid weight_decay=0.0,1e-5 --grid dropout=0.1,0.3,0.5

Results go to standard output, progress and warnings to standard error; --quiet leaves out the progress only. The result \
of fit is the best epoch's metrics, of eval the set's metrics, of report the scoreboard, of predict a line per file, of \
sweep the table of trials, of bench the measurements, of features the classifiers' metrics, of export the files written.

Exit codes: 0 done, 1 failed, 2 wrong usage. With --json, the last line on standard output is JSON in each case. \
`fit` and `sweep` end with 75 when SIGTERM, SIGUSR1 or SIGINT has stopped them: everything is kept, and the same run or \
sweep goes on with --resume. A Ctrl-C after that ends it at once.";

const COMPLETIONS_EXAMPLES: &str = "Examples:
  train completions bash > ~/.local/share/bash-completion/completions/train
  train completions zsh > \"${fpath[1]}/_train\"";

const MAN_EXAMPLES: &str = "Examples:
  train man ~/.local/share/man/man1";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a model; the weights of the epoch with the best validation metric are kept
    Fit(Box<FitArgs>),
    /// Try settings: a grid of them, or draws, thinned out as trials show what they are worth
    Sweep(Box<SweepArgs>),
    /// Evaluate a run's best weights on a set of its split
    Eval(EvalArgs),
    /// Compare runs: metrics with intervals, warnings of leaks, and which differ by more than chance
    Report(ReportArgs),
    /// Ask a run's best weights about audio files
    Predict(PredictArgs),
    /// Write a run's best weights for PyTorch
    Export(ExportArgs),
    /// Write what a model makes of tracks before its classifier, and try others on top
    Embed(Box<EmbedArgs>),
    /// List the models
    Models,
    /// Print a settings file with every setting, for `fit --config`
    Config(Box<ConfigArgs>),
    /// Measure each stage of training, alone and together
    Bench(Box<BenchArgs>),
    /// Print a script that completes commands and flags in a shell
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write a manual page for each command
    #[command(after_help = MAN_EXAMPLES)]
    Man {
        /// Directory to write to
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use shared::dataset::split::Set;

    #[test]
    fn a_count_that_no_machine_can_use_is_refused() {
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
                let said = parse(value).unwrap_err().to_string();
                assert!(
                    said.contains("must be a whole number from 1 to"),
                    "{flag}={value}: {said}"
                );
            }
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn sets_have_the_same_flag_and_names_in_every_command() {
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
