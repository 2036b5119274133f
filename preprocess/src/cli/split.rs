//! `preprocess split`: its arguments.

use crate::split::{FoldsConfig, GroupBy, Method, Ratios, SplitConfig, Strategy};
use clap::{Args, ValueEnum};
use shared::dataset::split::Set;
use shared::runtime::outcome::UsageError;
use std::path::PathBuf;

pub(super) const EXAMPLES: &str = "\
Examples:
  preprocess split data/fma_small                                          stratified, 80/10/10, seed 0
  preprocess split data/fma_small --strategy grouped --group-by artist-album --seed 7
  preprocess split data/fma_small --strategy official --name official
  preprocess split data/fma_small --strategy grouped --folds 5             five splits for cross-validation
  preprocess split data/fma_small --prune                                  removes all but the current split

The new split, or the first of the new folds, becomes the current one, splits/current. Older ones stay until they are
pruned.";

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
    use crate::cli::{Cli, Command};
    use clap::{CommandFactory, Parser};

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
        let error = parse("verify d --audio a").unwrap_err().to_string();
        assert!(error.contains("--repair"), "{error}");
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
