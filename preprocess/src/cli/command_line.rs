//! The command line of the program.

use super::build::{self, BuildArgs};
use super::extend::{self, ExtendArgs};
use super::inspect::{self, InspectArgs};
use super::merge::{self, MergeArgs};
use super::split::{self, SplitArgs};
use super::verify::{self, VerifyArgs};
use clap::{Parser, Subcommand};
use clap_complete::Shell;
use shared::runtime::command_line::GLOBAL_OPTIONS;
use shared::runtime::log::Format;
use std::path::PathBuf;

const EXAMPLES: &str = r"Examples:
  # Build a data set from your own music
  preprocess build --source folder --audio music --out data/mine

  # Split it into train, val and test
  preprocess split data/mine

  # Show what it contains
  preprocess inspect data/mine

Results go to stdout, progress and warnings to stderr.

Exit codes: 0 success, 1 failure, 2 wrong usage.";

const COMPLETIONS_EXAMPLES: &str = r#"Examples:
  # Install completions for bash
  preprocess completions bash \
      > ~/.local/share/bash-completion/completions/preprocess

  # Install completions for zsh
  preprocess completions zsh > "${fpath[1]}/_preprocess""#;

const MAN_EXAMPLES: &str = r"Examples:
  # Install the manual pages
  preprocess man ~/.local/share/man/man1";

/// Turn a collection of audio files into a data set for `train`
#[derive(Debug, Parser)]
#[command(name = "preprocess", version, arg_required_else_help = true, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    /// Hide progress; keep results and warnings
    #[arg(short, long, global = true, help_heading = GLOBAL_OPTIONS)]
    pub quiet: bool,
    /// Print the result as JSON, on the last line of stdout
    #[arg(long, global = true, help_heading = GLOBAL_OPTIONS)]
    pub json: bool,
    /// Format of lines on stderr: text, json
    #[arg(long, global = true, value_name = "NAME", default_value = "text", help_heading = GLOBAL_OPTIONS)]
    pub log_format: Format,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Decode, check and resample audio files into a data set
    #[command(after_help = build::EXAMPLES)]
    Build(BuildArgs),
    /// Merge the parts of a build
    #[command(after_help = merge::EXAMPLES)]
    Merge(MergeArgs),
    /// Compute other mel spectrograms of a data set
    #[command(after_help = extend::EXAMPLES)]
    Extend(ExtendArgs),
    /// Split a data set into train, val and test
    #[command(after_help = split::EXAMPLES)]
    Split(SplitArgs),
    /// Verify the checksums of a data set and repair its shards
    #[command(after_help = verify::EXAMPLES)]
    Verify(VerifyArgs),
    /// Show, analyse and plot a data set
    #[command(after_help = inspect::EXAMPLES)]
    Inspect(InspectArgs),
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
