//! The command line as typed.

mod config;
mod export;
mod predict;
mod report;
mod sweep;

pub use config::ConfigArgs;
pub use export::ExportArgs;
pub use predict::PredictArgs;
pub use report::{ComparedSet, ReportArgs};
pub use sweep::SweepArgs;

use crate::augment::AugmentChoice;
use crate::evaluation::embeddings::TopClassifier;
use crate::frontend::FrontEndPlace;
use crate::loader::EvalClips;
use crate::models::ModelKind;
use crate::settings::precision::Precision;
use crate::settings::{Cache, Settings};
use clap::{Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use shared::dataset::split::Set;
use shared::runtime::log::Format;
use std::num::NonZeroUsize;
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
    /// What lines on standard error look like: text, or json for an object each, with figures in fields of their own
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
  train features --run runs/crnn --out features.safetensors --classify knn,svm
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
    /// Train a model; the weights of the epoch with the best validation figure are kept
    Fit(Box<FitArgs>),
    /// Try settings: a grid of them, or draws, thinned out as trials show what they are worth
    Sweep(Box<SweepArgs>),
    /// Judge a run's best weights on a set of its split
    Eval(EvalArgs),
    /// Put runs beside each other: figures with intervals, what is suspicious about them, which differ by more than luck
    Report(ReportArgs),
    /// Ask a run's best weights about audio files
    Predict(PredictArgs),
    /// Write a run's best weights for PyTorch
    Export(ExportArgs),
    /// Write what a model makes of tracks before its classifier, and try others on top
    Features(Box<FeaturesArgs>),
    /// List the systems
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

/// Reads a count from 1 to `MOST`, which is more than any machine can use.
fn count<const MOST: usize>(text: &str) -> Result<NonZeroUsize, String> {
    let count = text.parse().ok().filter(|count: &NonZeroUsize| count.get() <= MOST);
    count.ok_or_else(|| format!("must be a whole number from 1 to {MOST}"))
}

/// More trainings than anybody waits for.
const MOST_RUNS: u64 = 10_000;

/// `train fit`.
#[derive(Debug, clap::Args)]
pub struct FitArgs {
    /// Directory of the run: settings, weights, history, pictures
    #[arg(long, value_name = "RUN")]
    pub run: PathBuf,
    /// Continue the run where it stopped
    #[arg(long)]
    pub resume: bool,
    /// Train so many times, with seeds counted up from --seed: RUN/seed-0, RUN/seed-1, ...
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(2..=MOST_RUNS))]
    pub seeds: Option<u64>,
    /// Train once on each of K folds, which `preprocess split --folds K` made, and evaluate every track by the run that
    /// has it in its test set: RUN/fold-1, RUN/fold-2, ...
    #[arg(long, value_name = "K", conflicts_with = "seeds", value_parser = clap::value_parser!(u64).range(3..=MOST_RUNS))]
    pub folds: Option<u64>,
    /// Check every byte that will be read against its checksum before anything begins
    #[arg(long)]
    pub verify: bool,
    /// Settings in TOML, under the names of the flags in snake case; flags win
    #[arg(long, value_name = "FILE.toml")]
    pub config: Option<PathBuf>,
    /// auto, cpu, cuda or cuda:N; several with commas between, or their numbers alone, share each batch
    #[arg(long, visible_alias = "devices", default_value = "auto")]
    pub device: String,
    /// Stop, as on a SIGTERM, when standard input ends: for programs that run this one
    #[arg(long, hide = true)]
    pub stop_at_eof: bool,
    /// Everything a run may be told
    #[command(flatten)]
    pub settings: Settings,
}

/// `train eval`.
#[derive(Clone, Debug, clap::Args)]
pub struct EvalArgs {
    /// Directory of the run, or of a set of runs, which are evaluated one after the other
    #[arg(long, value_name = "RUN")]
    pub run: PathBuf,
    /// Set of the run's split to evaluate
    #[arg(long, value_enum, default_value_t = SetName::Test)]
    pub set: SetName,
    /// Refuse unless this is the split that the run was trained on [default: the run's own split]
    #[arg(long, value_name = "NAME")]
    pub split: Option<String>,
    /// Clips of a track that are evaluated, whose mean probabilities are the track's: all, or 1 from the middle
    /// [default: as the run was validated]
    #[arg(long, value_enum, hide_possible_values = true)]
    pub eval_clips: Option<EvalClips>,
    /// Check every byte that will be read against its checksum before anything begins
    #[arg(long)]
    pub verify: bool,
    /// Of tags: take for each the threshold that gives the best F1 on the validation set, not 0.5
    #[arg(long)]
    pub tune_thresholds: bool,
    /// Make the mistakes in RUN/report.html playable; adds up to 9 MB to it
    #[arg(long)]
    pub audio: bool,
    /// Where the run's data set lies now, if it was moved
    #[arg(long, value_name = "DATASET")]
    pub data: Option<PathBuf>,
    /// auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto")]
    pub device: String,
}

impl EvalArgs {
    /// The evaluation of a run on a set, and nothing special.
    pub fn new(run: PathBuf, set: SetName, device: String) -> Self {
        Self {
            run,
            set,
            split: None,
            eval_clips: None,
            verify: false,
            tune_thresholds: false,
            audio: false,
            data: None,
            device,
        }
    }
}

/// `train features`.
#[derive(Debug, clap::Args)]
pub struct FeaturesArgs {
    /// Run whose best weights are used
    #[arg(long, value_name = "RUN", conflicts_with = "init_from")]
    pub run: Option<PathBuf>,
    /// Weights, where there is no run: .safetensors, or a PyTorch .pt or .pth; needs --model and --data
    #[arg(long, value_name = "FILE", requires = "model")]
    pub init_from: Option<PathBuf>,
    /// Use weights although they were trained on other features than the data set has
    #[arg(long)]
    pub ignore_features: bool,
    /// System that the weights are of
    #[arg(
        long,
        value_name = "NAME",
        value_enum,
        hide_possible_values = true,
        conflicts_with = "run"
    )]
    pub model: Option<ModelKind>,
    /// Data set whose tracks are looked at [default: the run's]
    #[arg(long, value_name = "DATASET")]
    pub data: Option<PathBuf>,
    /// Its split [default: the run's, or the current one of another data set]
    #[arg(long, value_name = "NAME")]
    pub split: Option<String>,
    /// File to write: features, track_id, clip, set, and class or tags
    #[arg(long, value_name = "FILE.safetensors")]
    pub out: PathBuf,
    /// Classifiers to train on the training set's features
    #[arg(long, value_enum, value_delimiter = ',')]
    pub classify: Vec<TopClassifier>,
    /// Set that they are judged on
    #[arg(long, value_enum, default_value_t = SetName::Test)]
    pub set: SetName,
    /// Neighbours that vote
    #[arg(long, default_value = "5")]
    pub neighbours: NonZeroUsize,
    /// Cut tracks into excerpts of so many seconds [default: as the run does]
    #[arg(long, value_name = "SECONDS")]
    pub frame_seconds: Option<f64>,
    /// Leave out so many seconds at either end
    #[arg(long, value_name = "SECONDS")]
    pub skip_seconds: Option<f64>,
    /// Clips of a track: all, or 1 from the middle [default: as the run was validated]
    #[arg(long, value_enum, hide_possible_values = true)]
    pub eval_clips: Option<EvalClips>,
    /// Clips per batch [default: the run's, or the paper's]
    #[arg(long)]
    pub batch_size: Option<usize>,
    /// auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto")]
    pub device: String,
}

/// `train bench`.
#[derive(Debug, clap::Args)]
pub struct BenchArgs {
    /// Data set made by `preprocess build`, with a split
    #[arg(long, value_name = "DATASET")]
    pub data: PathBuf,
    /// System to measure; `train models` lists them
    #[arg(
        long,
        value_name = "NAME",
        value_enum,
        default_value = "crnn",
        hide_possible_values = true
    )]
    pub model: ModelKind,
    /// Split whose training set is used [default: the current one]
    #[arg(long, value_name = "NAME")]
    pub split: Option<String>,
    /// Clips per batch
    #[arg(long, default_value_t = 32)]
    pub batch_size: usize,
    /// Batches that are measured, after three that are not
    #[arg(long, default_value = "20", value_parser = count::<100_000>)]
    pub steps: NonZeroUsize,
    /// auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto")]
    pub device: String,
    /// In which numbers the encoders compute
    #[arg(long, value_enum, default_value = "auto")]
    pub precision: Precision,
    /// Where clips become model input
    #[arg(long, value_enum, default_value = "auto")]
    pub front_end: FrontEndPlace,
    /// On training clips: paper, none, or a list, as `fit` takes it
    #[arg(long, value_name = "LIST", default_value = "paper")]
    pub augment: AugmentChoice,
    /// Data set whose sounds are mixed in by --augment background
    #[arg(long, value_name = "DATASET")]
    pub background: Option<PathBuf>,
    /// Where the shards are read from
    #[command(flatten)]
    pub cache: Option<Cache>,
    /// Threads that prepare batches [default: one per core, 8 at most]
    #[arg(long)]
    pub loader_threads: Option<usize>,
    /// Append the measurements to this CSV file
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Measure nothing: write fresh weights, a batch of input and its logits to this safetensors file, for another
    /// implementation to be checked against
    #[arg(long, value_name = "FILE", conflicts_with = "check_front_end")]
    pub outputs: Option<PathBuf>,
    /// Measure nothing: compare the front end on the device with the one on the host, and fail above 0.05 dB
    #[arg(long)]
    pub check_front_end: bool,
}

/// A set by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SetName {
    /// The training set, without augmentation
    Train,
    /// The validation set
    Val,
    /// The test set
    Test,
}

impl From<SetName> for Set {
    fn from(name: SetName) -> Self {
        match name {
            SetName::Train => Self::Train,
            SetName::Val => Self::Val,
            SetName::Test => Self::Test,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

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
            "train features --run r --out o --set val",
        ] {
            let parsed = Cli::try_parse_from(line.split(' ')).unwrap_or_else(|error| panic!("{line}: {error}"));
            let set: Set = match parsed.command {
                Command::Eval(args) => args.set.into(),
                Command::Report(args) => args.set.into(),
                Command::Features(args) => args.set.into(),
                other => panic!("{other:?}"),
            };
            assert_eq!(set, Set::Val, "{line}");
        }
    }
}
