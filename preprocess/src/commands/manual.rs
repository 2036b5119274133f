//! `preprocess completions` and `preprocess man`.

use super::result::outcome;
use crate::cli::Cli;
use clap_complete::Shell;
use shared::runtime::manual;
use shared::runtime::outcome::Outcome;
use std::path::Path;

pub fn completions(shell: Shell) -> anyhow::Result<Outcome> {
    let Outcome { text, json } = manual::completions::<Cli>(shell)?;
    Ok(outcome("completions", text, json, &[]))
}

pub fn pages(directory: &Path) -> anyhow::Result<Outcome> {
    let Outcome { text, json } = manual::pages::<Cli>(directory)?;
    Ok(outcome("man", text, json, &[]))
}
