//! `preprocess split`.

use super::result::outcome;
use crate::cli::{SplitArgs, SplitTask};
use crate::split::{
    ExportReport, FoldsReport, FromFileReport, GainedTracks, SplitReport, audit, export, make, make_folds,
    make_from_file, missing, prune,
};
use serde_json::{Value, json};
use shared::dataset::split::{LeakAudit, Set, Split};
use shared::runtime::outcome::Outcome;
use std::fmt::Write as _;
use std::path::Path;
use std::slice;

pub fn run(args: SplitArgs) -> anyhow::Result<Outcome> {
    Ok(match args.resolve()? {
        SplitTask::Make(config) => show_split(&make(&config)?),
        SplitTask::MakeFolds(config) => show_folds(&make_folds(&config)?),
        SplitTask::Export(config) => show_exported(&export(&config)?, &config.file),
        SplitTask::FromFile(config) => show_from_file(&make_from_file(&config)?),
        SplitTask::Prune(dataset) => show_pruned(&prune(&dataset)?),
    })
}

fn show_split(report: &SplitReport) -> Outcome {
    let index = &report.split.index;
    let verb = if report.existed {
        "was made before and"
    } else {
        "is new and"
    };
    let mut text = format!("split     {} {verb} is the current one", index.name);
    text += &describe_gained(report.gained.as_ref(), &report.split);
    for set in Set::ALL {
        let tracks = report.split.tracks[&set].len();
        let classes = index.counts[&set]
            .iter()
            .map(|(class, count)| format!("{class} {count}"));
        let classes: Vec<String> = classes.collect();
        let _ = write!(text, "\n{:<9} {tracks} tracks: {}", set.name(), classes.join(", "));
    }
    text += &describe_leaks(slice::from_ref(&report.split));
    let json = json!({
        "name": index.name,
        "strategy": index.strategy,
        "existed": report.existed,
        "gained": json_gained(report.gained.as_ref()),
        "counts": index.counts,
        "leaks": count_leaks(&index.leaks),
    });
    outcome("split", text, json, &report.warnings)
}

/// A line on the tracks that the previous split lacks; empty if there are none.
fn describe_gained(gained: Option<&GainedTracks>, split: &Split) -> String {
    let Some(GainedTracks { since, count }) = gained else {
        return String::new();
    };
    let all: usize = split.tracks.values().map(Vec::len).sum();
    format!("\nnew       {count} of {all} tracks are not in {since}, the previous split")
}

fn json_gained(gained: Option<&GainedTracks>) -> Value {
    gained.map_or(
        Value::Null,
        |GainedTracks { since, count }| json!({ "since": since, "tracks": count }),
    )
}

fn show_from_file(report: &FromFileReport) -> Outcome {
    let mut outcome = show_split(&report.made);
    outcome.json["missing"] = report.missing.len().into();
    outcome.json["left_out"] = report.left_out.len().into();
    outcome
}

fn show_exported(report: &ExportReport, file: &Path) -> Outcome {
    let sizes: Vec<String> = report
        .sizes
        .iter()
        .map(|(set, size)| format!("{size} {}", set.name()))
        .collect();
    let text = format!(
        "exported  {} to {}: {} tracks",
        report.name,
        file.display(),
        sizes.join(", ")
    );
    let json = json!({
        "name": report.name,
        "file": file.to_string_lossy(),
        "sizes": report.sizes,
    });
    outcome("split", text, json, &[])
}

/// Lines on the leaks of one split or of any fold, and on tracks whose artist or album is unknown.
fn describe_leaks(splits: &[Split]) -> String {
    let Some(Split { index, tracks, .. }) = splits.first() else {
        return String::new();
    };
    let counts = audit::leaking(splits.iter()).map(|names| names.len());
    let unknown = [index.leaks.unknown_artists, index.leaks.unknown_albums];
    let tracks = tracks.values().map(Vec::len).sum();
    let mut text = format!("\nleaks     {}", audit::describe(counts, unknown, tracks));
    if splits.len() > 1 {
        text += " of a fold";
    }
    if let Some(unknown) = audit::describe_unknown(unknown, tracks) {
        text += &format!("\nunknown   {unknown}");
    }
    text
}

fn count_leaks(leaks: &LeakAudit) -> Value {
    json!({
        "artists": leaks.artists.len(),
        "albums": leaks.albums.len(),
        "recordings": leaks.recordings.len(),
        "unknown_artists": leaks.unknown_artists,
        "unknown_albums": leaks.unknown_albums,
    })
}

fn show_folds(report: &FoldsReport) -> Outcome {
    let verb = if report.existed { "were made before" } else { "are new" };
    let current = report.splits.first().map_or("", |first| &first.index.name);
    let mut text = format!(
        "folds     {} of {} {verb}; {current} is the current split",
        report.splits.len(),
        report.name
    );
    if let Some(first) = report.splits.first() {
        text += &describe_gained(report.gained.as_ref(), first);
    }
    let mut folds = Vec::new();
    for (split, number) in report.splits.iter().zip(1..) {
        let sizes = Set::ALL.map(|set| split.tracks[&set].len());
        let _ = write!(
            text,
            "\nfold {number:<4} {} train, {} val, {} test tracks",
            sizes[0], sizes[1], sizes[2]
        );
        let by_set = |values: [Value; 3]| -> serde_json::Map<String, Value> {
            Set::ALL
                .map(|set| set.name().to_owned())
                .into_iter()
                .zip(values)
                .collect()
        };
        folds.push(json!({
            "name": split.index.name,
            "sizes": by_set(sizes.map(Value::from)),
            "missing": by_set(Set::ALL.map(|set| missing(&split.index, set).into())),
            "leaks": count_leaks(&split.index.leaks),
        }));
    }
    text += &describe_leaks(&report.splits);
    let json = json!({
        "name": report.name,
        "strategy": report.splits.first().map(|first| &first.index.strategy),
        "existed": report.existed,
        "gained": json_gained(report.gained.as_ref()),
        "folds": folds,
    });
    outcome("split", text, json, &report.warnings)
}

fn show_pruned(removed: &[String]) -> Outcome {
    let text = match removed {
        [] => "removed   nothing: there is only the current split".into(),
        names => format!("removed   {}", names.join(", ")),
    };
    outcome("split", text, json!({ "removed": removed }), &[])
}
