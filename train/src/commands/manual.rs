//! `train completions` and `train man`: what a shell and `man` want to know of the command line.

use super::Outcome;
use crate::cli::Cli;
use anyhow::Context;
use clap::CommandFactory;
use clap_complete::Shell;
use serde_json::json;
use std::fs;
use std::path::Path;

/// The name that the program is called by.
const NAME: &str = "train";

/// A script for a shell.
pub fn run_completions(shell: Shell) -> anyhow::Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), NAME, &mut script);
    let text = String::from_utf8(script).context("the script is not UTF-8")?;
    Ok(Outcome {
        json: json!({ "command": "completions", "shell": shell.to_string() }),
        text,
    })
}

/// `train.1`, `train-fit.1` and so on.
pub fn run_man(directory: &Path) -> anyhow::Result<Outcome> {
    fs::create_dir_all(directory).with_context(|| format!("could not make {}", directory.display()))?;
    clap_mangen::generate_to(Cli::command(), directory)
        .with_context(|| format!("could not write manual pages to {}", directory.display()))?;
    Ok(Outcome {
        text: format!("manual pages {}", directory.display()),
        json: json!({ "command": "man", "directory": directory.to_string_lossy() }),
    })
}
