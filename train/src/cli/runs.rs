//! Arguments of `train runs`.

use super::file_name::with_extension;
use std::path::PathBuf;

const EXAMPLES: &str = r"Examples:
  # List all runs below a directory, the last changed first
  train runs runs

  # Write them as a web page with links to their reports
  train runs runs --html runs/index.html

A set of runs is one row. Only small files are read.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct RunsArgs {
    /// Directory to search for runs
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// Write a web page with links to the runs' pages
    #[arg(long, value_name = "FILE", value_parser = |text: &str| with_extension(text, "html"))]
    pub html: Option<PathBuf>,
}
