//! `preprocess merge`.

use super::build::show;
use crate::cli::MergeArgs;
use crate::cli::progress::{Style, TrackProgress};
use crate::merge::merge;
use shared::runtime::outcome::Outcome;

pub fn run(args: MergeArgs, style: Style) -> anyhow::Result<Outcome> {
    let config = args.resolve();
    let report = merge(&config, &mut TrackProgress::new(style))?;
    Ok(show("merge", &report, &config.out)?)
}
