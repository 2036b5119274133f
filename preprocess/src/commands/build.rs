//! `preprocess build`.

use super::dry_run;
use super::result::outcome;
use crate::build::pipeline;
use crate::build::recorded::Recorded;
use crate::build::report::BuildReport;
use crate::cli::BuildArgs;
use crate::cli::progress::{Style, TrackProgress};
use serde_json::json;
use shared::audio::validate::describe_reasons;
use shared::dataset::REJECTED_FILE;
use shared::runtime::outcome::{Incomplete, Outcome};
use shared::runtime::text::{hours, size};
use std::fmt::Write as _;
use std::path::Path;

pub fn run(args: BuildArgs, style: Style) -> anyhow::Result<Outcome> {
    let recorded = Recorded::read(&args.out)?;
    let is_dry_run = args.dry_run;
    let config = args.resolve(recorded.as_ref())?;
    if is_dry_run {
        return dry_run::run(&config);
    }
    let report = pipeline::build(&config, &mut TrackProgress::new(style))?;
    Ok(show("build", &report, &config.out)?)
}

/// Shows the report of a build or a merge. A data set without tracks is a failure.
pub(super) fn show(command: &str, report: &BuildReport, dataset: &Path) -> Result<Outcome, Incomplete> {
    let index = &report.index;
    let hours = hours(index.samples, index.features.sample_rate);
    let speed = report.processed as f64 / report.seconds.max(1e-3);
    let (dropped, reasons) = (index.rejected, describe_reasons(&report.reasons).to_string());
    let colon = if dropped == 0 { "" } else { ": " };
    let mut text = format!(
        "kept      {} tracks in {} classes, {hours:.2} hours of music\n\
         dropped   {dropped}{colon}{reasons}\n\
         size      {} in {} shard pairs\n",
        index.kept,
        index.classes.len(),
        size(report.bytes),
        index.shards.len()
    );
    if report.was_complete {
        text += "speed     nothing to do: the data set was already complete";
    } else {
        let _ = write!(
            text,
            "speed     {} tracks in {:.1} s, {speed:.1} tracks/s",
            report.processed, report.seconds
        );
        if report.before > 0 {
            let _ = write!(text, "; {} were in the data set before", report.before);
        }
        if report.resumed > 0 {
            let _ = write!(text, "; {} were done by an earlier run", report.resumed);
        }
    }
    for note in &report.notes {
        let _ = write!(text, "\nnote      {note}");
    }
    let json = json!({
        "dataset": dataset.to_string_lossy(),
        "kept": index.kept,
        "dropped": dropped,
        "reasons": report.reasons,
        "classes": index.classes,
        "hours": hours,
        "bytes": report.bytes,
        "shard_pairs": index.shards.len(),
        "was_complete": report.was_complete,
        "part": index.source.part,
        "before": report.before,
        "resumed": report.resumed,
        "processed": report.processed,
        "seconds": report.seconds,
        "tracks_per_second": speed,
        "notes": report.notes,
    });
    let warnings = [&report.warnings[..], &index.source.preset_differences].concat();
    let outcome = outcome(command, text, json, &warnings);
    if index.kept > 0 || index.source.part.is_some() {
        return Ok(outcome);
    }
    let reasons = dataset.join(REJECTED_FILE);
    let sentence = format!("no track was kept; {} has the reason for each", reasons.display());
    Err(Incomplete {
        outcome,
        sentence: Some(sentence),
    })
}
