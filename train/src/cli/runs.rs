//! Arguments of `train runs`.

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
    #[arg(long, value_name = "FILE", value_parser = page)]
    pub html: Option<PathBuf>,
}

/// Another name is refused, because the page replaces the file.
fn page(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let is_page = path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("html"));
    is_page
        .then_some(path)
        .ok_or_else(|| "give a name that ends with .html".into())
}
