//! Arguments of `preprocess split`.

use crate::split::{ExportConfig, FoldsConfig, FromFileConfig, GroupBy, Method, Ratios, SplitConfig, Strategy};
use clap::{Args, ValueEnum};
use shared::dataset::split::{Set, check_name};
use shared::runtime::outcome::UsageError;
use std::path::PathBuf;

pub(super) const EXAMPLES: &str = r"Examples:
  # Split 80/10/10, stratified by class
  preprocess split data/fma_small

  # Keep all tracks of an artist in one set
  preprocess split data/fma_small --strategy grouped --group-by artist

  # Use the split of the data set's authors
  preprocess split data/fma_small --strategy official --name official

  # Make five splits for cross-validation
  preprocess split data/fma_small --strategy grouped --folds 5

  # Share the current split, and use it on another build of the collection
  preprocess split data/fma_small --export split.csv
  preprocess split data/fma_small_16k --from split.csv

  # Remove all splits except the current one
  preprocess split data/fma_small --prune

The new split, or the first fold, becomes the current one. Older splits are kept
until they are pruned.";

#[derive(Debug, Args)]
pub struct SplitArgs {
    /// Data set to split
    pub dataset: PathBuf,
    /// Name of the split [default: strategy and seed]
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub name: Option<String>,
    /// Strategy [default: stratified]
    #[arg(long, value_name = "NAME", value_enum)]
    pub strategy: Option<StrategyName>,
    /// Group tracks by [default: artist]
    #[arg(long, value_name = "NAME", value_enum)]
    pub group_by: Option<GroupBy>,
    /// Ratios of train, val and test [default: 80,10,10]
    #[arg(long, value_name = "N,N,N", conflicts_with = "folds")]
    pub ratios: Option<Ratios>,
    /// Make N splits for cross-validation, NAME-1 to NAME-N
    #[arg(long, value_name = "N", value_parser = folds)]
    pub folds: Option<usize>,
    /// Random seed [default: 0]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Write the current split, or --name, to a file for other builds
    #[arg(long, value_name = "FILE", conflicts_with_all = ["strategy", "group_by", "ratios", "folds", "seed", "from"])]
    pub export: Option<PathBuf>,
    /// Make the split in a file of --export
    #[arg(long, value_name = "FILE", conflicts_with_all = ["strategy", "group_by", "ratios", "folds", "seed"])]
    pub from: Option<PathBuf>,
    /// Remove all splits except the current one or its folds
    #[arg(long, conflicts_with_all = ["name", "strategy", "group_by", "ratios", "folds", "seed", "export", "from"])]
    pub prune: bool,
}

/// Parses the name of a split or of a feature set.
pub(super) fn name(text: &str) -> Result<String, String> {
    let checked = check_name(text).map_err(|error| error.to_string());
    checked.map(|()| text.to_owned())
}

/// Parses a number of folds: at least one each for train, val and test.
fn folds(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(folds) if folds >= Set::ALL.len() => Ok(folds),
        _ => Err("must be a whole number, 3 or more".into()),
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum SplitTask {
    Make(SplitConfig),
    /// Make folds for k-fold cross-validation.
    MakeFolds(FoldsConfig),
    Export(ExportConfig),
    FromFile(FromFileConfig),
    /// Remove the old splits of this data set.
    Prune(PathBuf),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StrategyName {
    /// Shuffle and cut
    Random,
    /// Shuffle and cut each class separately
    Stratified,
    /// Keep tracks of a group in one set
    Grouped,
    /// The split of the data set's authors
    Official,
}

impl SplitArgs {
    /// The task with its complete configuration.
    pub fn resolve(self) -> Result<SplitTask, UsageError> {
        if self.prune {
            return Ok(SplitTask::Prune(self.dataset));
        }
        let (dataset, name) = (self.dataset, self.name);
        if let Some(file) = self.export {
            return Ok(SplitTask::Export(ExportConfig { dataset, name, file }));
        }
        if let Some(file) = self.from {
            return Ok(SplitTask::FromFile(FromFileConfig { dataset, file, name }));
        }
        let strategy = self.strategy.unwrap_or(StrategyName::Stratified);
        if self.group_by.is_some() && strategy != StrategyName::Grouped {
            return Err(UsageError("--group-by needs --strategy grouped".into()));
        }
        let seed = self.seed.unwrap_or(0);
        let method = match strategy {
            StrategyName::Random => Method::Random,
            StrategyName::Stratified => Method::Stratified,
            StrategyName::Grouped => Method::Grouped(self.group_by.unwrap_or(GroupBy::Artist)),
            StrategyName::Official if self.ratios.is_some() || self.folds.is_some() || self.seed.is_some() => {
                return Err(UsageError(
                    "--strategy official uses the split of the source; leave out --ratios, --folds and --seed".into(),
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
    use crate::cli::{Cli, Command};
    use clap::Parser;
    use shared::runtime::command_line;

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
    fn command_definition_is_valid() {
        command_line::command::<Cli>().debug_assert();
    }

    #[test]
    fn contradicting_options_are_refused() {
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
            ("--prune --from f.csv", "--prune"),
            ("--export f.csv --seed 3", "--export"),
            ("--export f.csv --from g.csv", "--from"),
            ("--from f.csv --ratios 80,10,10", "--from"),
        ] {
            let error = split(more).unwrap_err();
            assert!(error.contains(expected), "{more}: {error}");
        }
        let error = parse("verify d --audio a").unwrap_err().to_string();
        assert!(error.contains("--repair"), "{error}");
    }

    #[test]
    fn split_options_have_defaults() {
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
    fn split_is_shared_by_a_file() {
        let (dataset, file) = (PathBuf::from("d"), PathBuf::from("f.csv"));
        let export = ExportConfig {
            dataset: dataset.clone(),
            name: None,
            file: file.clone(),
        };
        assert_eq!(split("--export f.csv"), Ok(SplitTask::Export(export)));
        let from = FromFileConfig {
            dataset,
            file,
            name: Some("theirs".into()),
        };
        assert_eq!(split("--from f.csv --name theirs"), Ok(SplitTask::FromFile(from)));
    }

    #[test]
    fn folds_accept_the_options_of_a_split() {
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
