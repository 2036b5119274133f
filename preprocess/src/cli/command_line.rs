//! The whole command line.

use super::build::{self, BuildArgs};
use super::extend::{self, ExtendArgs};
use super::inspect::{self, InspectArgs};
use super::merge::{self, MergeArgs};
use super::split::{self, SplitArgs};
use super::verify::{self, VerifyArgs};
use clap::{Parser, Subcommand};
use clap_complete::Shell;
use shared::runtime::log::Format;
use std::path::PathBuf;

const RESULTS: &str = "\
Results go to standard output, progress and warnings to standard error; --quiet leaves out the progress only. The result \
of build, merge and extend is a summary of the data set, of split the sets, of verify every problem found, of inspect \
the overview.

Exit codes: 0 done, 1 failed, 2 wrong usage. With --json, the last line on standard output is JSON in each case.";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  preprocess completions bash > ~/.local/share/bash-completion/completions/preprocess
  preprocess completions zsh > \"${fpath[1]}/_preprocess\"";

const MAN_EXAMPLES: &str = "\
Examples:
  preprocess man ~/.local/share/man/man1";

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
    /// What lines on standard error look like: text, or json for an object each, with numbers in fields of their own
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub log_format: Format,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Decodes, validates and resamples audio files into shards
    #[command(after_help = build::EXAMPLES)]
    Build(BuildArgs),
    /// Puts the parts of a build together, to the data set that one process would have built
    #[command(after_help = merge::EXAMPLES)]
    Merge(MergeArgs),
    /// Makes other mel spectrograms of a data set's waveforms, beside those that it has
    #[command(after_help = extend::EXAMPLES)]
    Extend(ExtendArgs),
    /// Divides a data set's tracks into train, val and test
    #[command(after_help = split::EXAMPLES)]
    Split(SplitArgs),
    /// Checks every byte of a data set, and repairs its shards
    #[command(after_help = verify::EXAMPLES)]
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
