//! `preprocess build --dry-run`.

use super::result::outcome;
use crate::build::dry_run::{DryRun, dry_run};
use crate::build::label_warnings;
use crate::build::pipeline::BuildConfig;
use serde_json::json;
use shared::audio::validate::{ReasonCounts, describe_reasons};
use shared::runtime::outcome::Outcome;
use shared::runtime::text::{counted, duration, grouped, size};
use std::cmp::Reverse;

/// Classes that are listed; the others are counted.
const LISTED_CLASSES: usize = 12;

pub(super) fn run(config: &BuildConfig) -> anyhow::Result<Outcome> {
    let report = dry_run(config)?;
    let json = json!({
        "dataset": config.out.to_string_lossy(),
        "dry_run": true,
        "before": report.before,
        "tracks": report.tracks,
        "audio_bytes": report.audio_bytes,
        "classes": report.classes,
        "reasons": report.reasons,
        "sample": report.sample,
        "sample_reasons": report.sample_reasons,
        "bytes": report.bytes.map(|bytes| bytes as u64),
        "seconds": report.seconds,
        "jobs": report.jobs,
        "notes": report.notes,
    });
    Ok(outcome("build", text(&report), json, &report.warnings))
}

fn text(report: &DryRun) -> String {
    let (noun, plural) = label_warnings::nouns(report.task);
    let mut lines = Vec::new();
    if report.before > 0 {
        let before = counted(report.before, "track is", "tracks are");
        lines.push(format!("before    {before} done already"));
    }
    let dropped: usize = report.reasons.values().sum();
    if report.tracks == 0 && dropped == 0 {
        lines.push("tracks    none to build".into());
    } else {
        lines.push(format!(
            "tracks    {} to decode, {} of audio files, in {}",
            grouped(report.tracks as u64),
            size(report.audio_bytes),
            counted(report.classes.len(), noun, plural)
        ));
        if !report.classes.is_empty() {
            lines.push(format!("{plural:<9} {}", classes(report)));
        }
        lines.push(format!(
            "dropped   {dropped} without decoding{}",
            reasons(&report.reasons)
        ));
    }
    if report.sample > 0 {
        let dropped: usize = report.sample_reasons.values().sum();
        lines.push(format!(
            "sample    {} decoded, of which {dropped} would be dropped{}",
            counted(report.sample, "track", "tracks"),
            reasons(&report.sample_reasons)
        ));
        let range = |range: [String; 2]| match range {
            [low, high] if low == high => low,
            [low, high] => format!("{low} to {high}"),
        };
        lines.push(format!(
            "size      {}",
            range(report.bytes.map(|bytes| size(bytes as u64)))
        ));
        lines.push(format!(
            "time      {} with {}",
            range(report.seconds.map(duration)),
            counted(report.jobs, "thread", "threads")
        ));
    }
    lines.extend(report.notes.iter().map(|note| format!("note      {note}")));
    lines.push("dry run   nothing was written".into());
    lines.join("\n")
}

/// `: 3 too_short, 1 empty_file`.
fn reasons(counts: &ReasonCounts) -> String {
    if counts.is_empty() {
        return String::new();
    }
    format!(": {}", describe_reasons(counts))
}

/// The classes with the most tracks.
fn classes(report: &DryRun) -> String {
    let mut classes: Vec<(&String, &usize)> = report.classes.iter().collect();
    classes.sort_by_key(|(name, count)| (Reverse(**count), *name));
    let listed = classes.iter().take(LISTED_CLASSES);
    let mut words: Vec<String> = listed.map(|(name, count)| format!("{name} {count}")).collect();
    if classes.len() > LISTED_CLASSES {
        words.push(format!("and {} more", classes.len() - LISTED_CLASSES));
    }
    words.join(", ")
}
