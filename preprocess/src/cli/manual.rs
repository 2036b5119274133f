//! `preprocess completions` and `preprocess man`: what a shell and `man` want to know of the command line.

use crate::cli::Cli;
use crate::cli::report::Outcome;
use anyhow::Context;
use clap::CommandFactory;
use clap_complete::Shell;
use serde_json::json;
use std::fs;
use std::path::Path;

/// The name that the program is called by.
const NAME: &str = "preprocess";

/// A script for a shell.
pub fn completions(shell: Shell) -> anyhow::Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), NAME, &mut script);
    let text = String::from_utf8(script).context("the script is not UTF-8")?;
    let json = json!({ "shell": shell.to_string() });
    Ok(Outcome::new("completions", text, json, Vec::new()))
}

/// `preprocess.1`, `preprocess-build.1` and so on.
pub fn pages(directory: &Path) -> anyhow::Result<Outcome> {
    fs::create_dir_all(directory).with_context(|| format!("could not make {}", directory.display()))?;
    clap_mangen::generate_to(Cli::command(), directory)
        .with_context(|| format!("could not write manual pages to {}", directory.display()))?;
    let text = format!("manual pages {}", directory.display());
    let json = json!({ "directory": directory.to_string_lossy() });
    Ok(Outcome::new("man", text, json, Vec::new()))
}
