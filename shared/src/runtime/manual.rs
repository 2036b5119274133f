//! The commands `completions` and `man` of both programs.

use super::command_line::command;
use super::outcome::Outcome;
use anyhow::Context;
use clap::CommandFactory;
use clap_complete::Shell;
use serde_json::json;
use std::fs;
use std::path::Path;

/// A script that completes commands and options in a shell.
///
/// # Errors
/// Never, as long as `clap_complete` writes UTF-8.
pub fn completions<Cli: CommandFactory>(shell: Shell) -> anyhow::Result<Outcome> {
    // Without `command`, which moves the descriptions of values into the help of their option.
    let mut command = Cli::command();
    let (name, mut script) = (command.get_name().to_owned(), Vec::new());
    clap_complete::generate(shell, &mut command, name, &mut script);
    Ok(Outcome {
        text: String::from_utf8(script).context("the completion script is not UTF-8")?,
        json: json!({ "command": "completions", "shell": shell.to_string() }),
    })
}

/// Writes a manual page for the program and one for each command: `train.1`, `train-fit.1` and so on.
///
/// # Errors
/// If the directory cannot be created or written to.
pub fn pages<Cli: CommandFactory>(directory: &Path) -> anyhow::Result<Outcome> {
    fs::create_dir_all(directory).with_context(|| format!("could not create {}", directory.display()))?;
    clap_mangen::generate_to(command::<Cli>(), directory)
        .with_context(|| format!("could not write manual pages to {}", directory.display()))?;
    Ok(Outcome {
        text: format!("manual pages {}", directory.display()),
        json: json!({ "command": "man", "directory": directory.to_string_lossy() }),
    })
}
