//! The command line. What was typed enters; configurations that are complete and consistent leave, before any thread is
//! started or any file is written.

mod build;
mod inspect;
pub mod manual;
pub mod progress;
pub mod report;

pub use build::{BuildArgs, Droppable, FeatureArgs, PresetName, SourceName};
pub use inspect::InspectArgs;

use crate::extend::ExtendConfig;
use crate::merge::MergeConfig;
use crate::split::{FoldsConfig, GroupBy, Method, Ratios, SplitConfig, Strategy};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use shared::dataset::split::Set;
use shared::dsp::features::FeatureConfig;
use shared::runtime::log::Format;
use std::num::NonZeroUsize;
use std::path::PathBuf;

const RESULTS: &str = "\
Results go to standard output, progress and warnings to standard error; --quiet leaves out the progress only. The result \
of build, merge and extend is a summary of the data set, of split the sets, of verify every problem found, of inspect \
the overview.

Exit codes: 0 done, 1 failed, 2 wrong usage. With --json, the last line on standard output is JSON in each case.";

const BUILD_EXAMPLES: &str = "\
Examples:
  preprocess build --source fma --audio fma_small --metadata fma_metadata/tracks.csv --out data/fma_small \\
                   --preset fma_small
  preprocess build --source magnatagatune --audio mp3 --metadata annotations_final.csv --out data/mtat \\
                   --preset magnatagatune
  preprocess build --source gtzan --audio genres --out data/gtzan --preset gtzan --jobs 16
  preprocess build --source folder --audio music --out data/mine --drop duplicates --sample-rate 22050
  preprocess build --out data/mine                                         adds the tracks that music has gained

Where --out holds a finished data set or an interrupted build, settings that are not given are its own. An interrupted
build is resumed; to a finished data set, the tracks that the source has gained are added. Output is the same, byte
by byte, for any number of jobs, and of parts.";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  preprocess completions bash > ~/.local/share/bash-completion/completions/preprocess
  preprocess completions zsh > \"${fpath[1]}/_preprocess\"";

const MAN_EXAMPLES: &str = "\
Examples:
  preprocess man ~/.local/share/man/man1";

const MERGE_EXAMPLES: &str = "\
Examples:
  preprocess build --source fma ... --out parts/1 --part 1/2        on one machine
  preprocess build --source fma ... --out parts/2 --part 2/2        on another
  preprocess merge data/fma_small parts/1 parts/2

Parts are only read, and may be removed afterwards. A merge that was interrupted goes on where it was.";

const EXTEND_EXAMPLES: &str = "\
Examples:
  preprocess extend data/fma_small --feature mel --n-mels 64 --n-fft 2048
  train fit --data data/fma_small/features/mel-64-2048-1024 ...

Reads no audio files. The feature set is a data set of its own, whose waveforms take no room; splits are carried
over, those that are made later too. After a data set has grown, the same command adds its new tracks.";

const SPLIT_EXAMPLES: &str = "\
Examples:
  preprocess split data/fma_small                                          stratified, 80/10/10, seed 0
  preprocess split data/fma_small --strategy grouped --group-by artist-album --seed 7
  preprocess split data/fma_small --strategy official --name official
  preprocess split data/fma_small --strategy grouped --folds 5             five splits for cross-validation
  preprocess split data/fma_small --prune                                  removes all but the current split

The new split, or the first of the new folds, becomes the current one, splits/current. Older ones stay until they are
pruned.";

const VERIFY_EXAMPLES: &str = "\
Examples:
  preprocess verify data/fma_small
  preprocess verify data/fma_small --repair --audio /mnt/fma_small

Ends with status 1 if anything is wrong and was not repaired.";

/// Turns a collection of audio files into a data set that `train` reads.
#[derive(Debug, Parser)]
#[command(name = "preprocess", version, arg_required_else_help = true, after_help = RESULTS)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Prints the result as one line of JSON, the last on stdout
    #[arg(long, global = true)]
    pub json: bool,
    /// Shows no progress; results and warnings stay
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// What lines on standard error look like: text, or json for an object each, with figures in fields of their own
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub log_format: Format,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Decodes, validates and resamples audio files into shards
    #[command(after_help = BUILD_EXAMPLES)]
    Build(BuildArgs),
    /// Puts the parts of a build together, to the data set that one process would have built
    #[command(after_help = MERGE_EXAMPLES)]
    Merge(MergeArgs),
    /// Makes other mel spectrograms of a data set's waveforms, beside those that it has
    #[command(after_help = EXTEND_EXAMPLES)]
    Extend(ExtendArgs),
    /// Divides a data set's tracks into train, val and test
    #[command(after_help = SPLIT_EXAMPLES)]
    Split(SplitArgs),
    /// Checks every byte of a data set, and repairs its shards
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(VerifyArgs),
    /// Says what a data set holds, writes a page with its data analysis, or draws its labels or one of its tracks
    #[command(after_help = inspect::EXAMPLES)]
    Inspect(InspectArgs),
    /// Prints a script that completes commands and flags in a shell
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Writes a manual page for each command
    #[command(after_help = MAN_EXAMPLES)]
    Man {
        /// Directory to write to
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
}

/// `preprocess merge`, as typed.
#[derive(Debug, Args)]
pub struct MergeArgs {
    /// Directory of the data set; made if it does not exist
    #[arg(value_name = "OUT")]
    pub out: PathBuf,
    /// All parts of a build, in any order
    #[arg(value_name = "PART", required = true)]
    pub parts: Vec<PathBuf>,
    /// Threads [default: one per core]
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
}

/// `preprocess split`, as typed.
#[derive(Debug, Args)]
pub struct SplitArgs {
    /// The data set
    pub dataset: PathBuf,
    /// Name of the split, or of the set of folds [default: strategy and seed]
    #[arg(long)]
    pub name: Option<String>,
    /// How tracks are divided [default: stratified]
    #[arg(long, value_enum)]
    pub strategy: Option<StrategyName>,
    /// What keeps tracks together in a grouped split [default: artist]
    #[arg(long, value_enum)]
    pub group_by: Option<GroupBy>,
    /// Shares of train, val and test, which sum to 100 or to 1 [default: 80,10,10]
    #[arg(long, value_name = "TRAIN,VAL,TEST", conflicts_with = "folds")]
    pub ratios: Option<Ratios>,
    /// Makes K splits NAME-1 to NAME-K, in each of which another K-th of the tracks is the test set; 3 or more
    #[arg(long, value_name = "K", value_parser = folds)]
    pub folds: Option<usize>,
    /// What the division is drawn with [default: 0]
    #[arg(long)]
    pub seed: Option<u64>,
    /// Makes no split, but removes every one except the current one and the folds of its set
    #[arg(long, conflicts_with_all = ["name", "strategy", "group_by", "ratios", "folds", "seed"])]
    pub prune: bool,
}

/// A number of folds: one each for test and validation, and one to train on.
fn folds(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(folds) if folds >= Set::ALL.len() => Ok(folds),
        _ => Err("it should be a whole number, 3 or more".into()),
    }
}

/// What `preprocess split` is asked to do.
#[derive(Clone, Debug, PartialEq)]
pub enum SplitTask {
    /// Make a split.
    Make(SplitConfig),
    /// Make the folds of k-fold cross-validation.
    MakeFolds(FoldsConfig),
    /// Remove the splits of this data set that are no longer needed.
    Prune(PathBuf),
}

/// Strategies, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StrategyName {
    /// Shuffled and cut
    Random,
    /// Each class shuffled and cut by itself
    Stratified,
    /// No artist in two sets
    Grouped,
    /// As the source divides its tracks
    Official,
}

/// `preprocess verify`, as typed.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The data set
    pub dataset: PathBuf,
    /// Rebuilds bad shards from the audio files
    #[arg(long)]
    pub repair: bool,
    /// Directory of the audio files, if it is not where it was
    #[arg(long, value_name = "DIR", requires = "repair")]
    pub audio: Option<PathBuf>,
    /// Threads [default: one per core]
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
}

/// Arguments that contradict each other or mean nothing: exit status 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(String);

/// Threads that were asked for, or one per core.
pub fn jobs(asked: Option<NonZeroUsize>) -> usize {
    asked
        .or_else(|| std::thread::available_parallelism().ok())
        .map_or(1, NonZeroUsize::get)
}

/// `preprocess extend`, as typed.
#[derive(Debug, Args)]
pub struct ExtendArgs {
    /// The data set
    pub dataset: PathBuf,
    /// What is made of its waveforms
    #[arg(long, value_enum)]
    pub feature: FeatureName,
    /// The feature set's name [default: mel-BANDS-WINDOW-HOP]
    #[arg(long)]
    pub name: Option<String>,
    /// How mel spectrograms are made
    #[command(flatten)]
    pub features: FeatureArgs,
    /// Threads [default: one per core]
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
}

/// Features, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FeatureName {
    /// Mel spectrograms in dB
    Mel,
}

impl ExtendArgs {
    /// A complete configuration for a data set that has the features `own`.
    pub fn resolve(self, own: &FeatureConfig) -> Result<ExtendConfig, UsageError> {
        let FeatureName::Mel = self.feature;
        Ok(ExtendConfig {
            features: self.features.resolve(Some(own))?,
            dataset: self.dataset,
            name: self.name,
            jobs: jobs(self.jobs),
        })
    }
}

impl MergeArgs {
    /// A complete configuration.
    pub fn resolve(self) -> MergeConfig {
        MergeConfig {
            out: self.out,
            parts: self.parts,
            jobs: jobs(self.jobs),
        }
    }
}

impl SplitArgs {
    /// A task with a complete configuration.
    pub fn resolve(self) -> Result<SplitTask, UsageError> {
        if self.prune {
            return Ok(SplitTask::Prune(self.dataset));
        }
        let strategy = self.strategy.unwrap_or(StrategyName::Stratified);
        if self.group_by.is_some() && strategy != StrategyName::Grouped {
            return Err(UsageError("--group-by needs --strategy grouped".into()));
        }
        let (dataset, name, seed) = (self.dataset, self.name, self.seed.unwrap_or(0));
        let method = match strategy {
            StrategyName::Random => Method::Random,
            StrategyName::Stratified => Method::Stratified,
            StrategyName::Grouped => Method::Grouped(self.group_by.unwrap_or(GroupBy::Artist)),
            StrategyName::Official if self.ratios.is_some() || self.folds.is_some() || self.seed.is_some() => {
                return Err(UsageError(
                    "the official split is the source's own; leave out --ratios, --folds and --seed".into(),
                ));
            }
            StrategyName::Official => {
                return Ok(SplitTask::Make(SplitConfig {
                    dataset,
                    name,
                    strategy: Strategy::Official,
                }));
            }
        };
        Ok(match self.folds {
            Some(folds) => SplitTask::MakeFolds(FoldsConfig {
                dataset,
                name,
                method,
                folds,
                seed,
            }),
            None => SplitTask::Make(SplitConfig {
                dataset,
                name,
                strategy: Strategy::Drawn {
                    method,
                    ratios: self.ratios.unwrap_or_default(),
                    seed,
                },
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use clap::error::ErrorKind;

    fn parse(line: &str) -> Result<Command, clap::Error> {
        let words = line.split_whitespace();
        Cli::try_parse_from(std::iter::once("preprocess").chain(words)).map(|cli| cli.command)
    }

    fn split(more: &str) -> Result<SplitTask, String> {
        match parse(&format!("split d {more}")).map_err(|error| error.to_string())? {
            Command::Split(args) => args.resolve().map_err(|error| error.to_string()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn contradictions_are_sentences() {
        for (more, expected) in [
            ("--group-by artist", "--strategy grouped"),
            ("--strategy official --seed 3", "leave out"),
            ("--strategy official --folds 5", "leave out"),
            ("--ratios 80,20", "three numbers"),
            ("--ratios 80,10,20", "sum to 110"),
            ("--ratios 80,10,10 --folds 5", "--folds"),
            ("--folds 2", "3 or more"),
            ("--folds many", "3 or more"),
            ("--prune --seed 3", "--prune"),
            ("--prune --folds 3", "--prune"),
        ] {
            let error = split(more).unwrap_err();
            assert!(error.contains(expected), "{more}: {error}");
        }
        assert_eq!(
            parse("verify d --audio a").unwrap_err().kind(),
            ErrorKind::MissingRequiredArgument
        );
    }

    #[test]
    fn a_split_has_its_defaults() {
        let made = |strategy| {
            Ok(SplitTask::Make(SplitConfig {
                dataset: "d".into(),
                name: None,
                strategy,
            }))
        };
        let stratified = Strategy::Drawn {
            method: Method::Stratified,
            ratios: Ratios::default(),
            seed: 0,
        };
        assert_eq!(split(""), made(stratified));
        let grouped = Strategy::Drawn {
            method: Method::Grouped(GroupBy::ArtistAlbum),
            ratios: "70,15,15".parse().unwrap(),
            seed: 9,
        };
        assert_eq!(
            split("--strategy grouped --group-by artist-album --ratios 70,15,15 --seed 9"),
            made(grouped)
        );
        assert_eq!(split("--strategy official"), made(Strategy::Official));
        assert_eq!(split("--prune"), Ok(SplitTask::Prune("d".into())));
    }

    #[test]
    fn folds_take_the_options_of_a_split() {
        assert_eq!(
            split("--folds 5 --strategy grouped --seed 9 --name mine"),
            Ok(SplitTask::MakeFolds(FoldsConfig {
                dataset: "d".into(),
                name: Some("mine".into()),
                method: Method::Grouped(GroupBy::Artist),
                folds: 5,
                seed: 9,
            }))
        );
    }
}
