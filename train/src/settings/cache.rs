//! `--cache`: one word, or a word and a directory.

use super::InvalidSetting;
use clap::builder::OsStringValueParser;
use clap::error::ErrorKind;
use clap::{Arg, ArgMatches, Args, Command, Error, FromArgMatches, Id};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::path::PathBuf;

/// Where shards are read from. In TOML `"mapped"`, `"ram"` or `{ local = "/scratch" }`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cache {
    /// Memory maps. The operating system reads ahead and shares the pages with other processes.
    #[default]
    Mapped,
    /// Copies in this process's memory, read before training begins: for file systems with slow random access.
    Ram,
    /// Memory maps of copies in a local directory. They are made before training begins and reused by later runs.
    Local(PathBuf),
}

impl Cache {
    fn parse(words: &[OsString]) -> Result<Self, InvalidSetting> {
        let invalid = |problem: String| super::invalid("--cache", problem);
        match (
            words.first().and_then(|word| word.to_str()),
            &words[1.min(words.len())..],
        ) {
            (Some("mapped"), []) => Ok(Self::Mapped),
            (Some("ram"), []) => Ok(Self::Ram),
            (Some("local"), [directory]) => Ok(Self::Local(directory.into())),
            (Some("local"), []) => Err(invalid("local needs a directory: --cache local /scratch".into())),
            (Some(word @ ("mapped" | "ram")), _) => Err(invalid(format!("{word} takes no directory"))),
            (word, _) => Err(invalid(format!(
                "must be mapped, ram or local DIR, not {}",
                word.unwrap_or("a word that is not UTF-8")
            ))),
        }
    }
}

const NAME: &str = "cache";

// Not derived, because clap cannot derive an option that takes one or two values.
impl Args for Cache {
    fn group_id() -> Option<Id> {
        Some(NAME.into())
    }

    fn augment_args(command: Command) -> Command {
        let help = "Read shards: mapped, ram or local DIR [default: mapped]";
        command.arg(
            Arg::new(NAME)
                .long(NAME)
                .num_args(1..=2)
                .value_names(["WHERE", "DIR"])
                .value_parser(OsStringValueParser::new())
                .help(help),
        )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Cache {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let words: Vec<OsString> = matches.get_many(NAME).into_iter().flatten().cloned().collect();
        Self::parse(&words).map_err(|error| Error::raw(ErrorKind::ValueValidation, format!("{error}\n")))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn parse(words: &[&str]) -> Result<Option<Cache>, String> {
        let line = ["train", "fit", "--run", "run"].iter().chain(words);
        match Cli::try_parse_from(line).map_err(|error| error.to_string())?.command {
            Command::Fit(args) => Ok(args.settings.cache),
            _ => unreachable!("`fit` was typed"),
        }
    }

    #[test]
    fn cache_takes_a_word_and_a_directory_only_after_local() {
        assert_eq!(parse(&[]), Ok(None));
        assert_eq!(parse(&["--cache", "ram", "--epochs", "2"]), Ok(Some(Cache::Ram)));
        assert_eq!(parse(&["--cache", "mapped"]), Ok(Some(Cache::Mapped)));
        let local = Ok(Some(Cache::Local("/scratch".into())));
        assert_eq!(parse(&["--cache", "local", "/scratch", "--epochs", "2"]), local);
        assert!(
            parse(&["--cache", "local"])
                .unwrap_err()
                .contains("--cache local /scratch")
        );
        assert!(
            parse(&["--cache", "ram", "/scratch"])
                .unwrap_err()
                .contains("no directory")
        );
        assert!(parse(&["--cache", "disk"]).unwrap_err().contains("disk"));
        assert!(parse(&["--cache"]).is_err());
    }

    #[test]
    fn cache_survives_a_round_trip_through_toml() {
        #[derive(Debug, PartialEq, Deserialize, Serialize)]
        struct Table {
            cache: Cache,
        }
        for (text, cache) in [
            ("cache = \"mapped\"\n", Cache::Mapped),
            ("cache = \"ram\"\n", Cache::Ram),
            ("cache = { local = \"/scratch\" }", Cache::Local("/scratch".into())),
        ] {
            let table: Table = toml::from_str(text).unwrap();
            assert_eq!(table, Table { cache });
            assert_eq!(
                toml::from_str::<Table>(&toml::to_string(&table).unwrap()).unwrap(),
                table
            );
        }
    }
}
