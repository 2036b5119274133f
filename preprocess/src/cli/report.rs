//! Results of commands enter; what is printed of them leaves: a few lines for people, one line of JSON for programs.

use crate::build::assembly::BuildReport;
use crate::extend::ExtendReport;
use crate::inspect::Overview;
use crate::inspect::duplicates::DuplicateReport;
use crate::inspect::labels::LabelReport;
use crate::split::{FoldsReport, SplitReport, audit, missing};
use crate::verify::VerifyReport;
use serde_json::{Value, json};
use shared::audio::validate::describe_reasons;
use shared::dataset::REJECTED_FILE;
use shared::dataset::split::{LeakAudit, Set, Split};
use shared::runtime::text::{hours, size};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// What a command has to say when it is done.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// For people, on stdout.
    pub text: String,
    /// For programs, on stdout.
    pub json: Value,
    /// Sentences for stderr.
    pub warnings: Vec<String>,
    /// Whether the exit status is 0.
    pub ok: bool,
}

impl Outcome {
    /// Of a command that has done what it should.
    pub fn new(command: &str, text: String, mut json: Value, warnings: Vec<String>) -> Self {
        json["command"] = command.into();
        json["ok"] = true.into();
        json["warnings"] = warnings.clone().into();
        Self {
            text,
            json,
            warnings,
            ok: true,
        }
    }
}

/// What a build or a merge says.
pub fn build(command: &str, report: &BuildReport, dataset: &Path) -> Outcome {
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
        text += "speed     nothing to do: this data set was complete already";
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
    let mut warnings = [&report.warnings[..], &index.source.preset_differences].concat();
    if index.kept == 0 && index.source.part.is_none() {
        warnings.push(format!(
            "no track was kept, so there is nothing to train on; {} says why each was dropped",
            dataset.join(REJECTED_FILE).display()
        ));
    }
    Outcome::new(command, text, json, warnings)
}

/// What a new feature set says.
pub fn extend(report: &ExtendReport, seconds: f64) -> Outcome {
    let index = &report.index;
    let features = &index.features;
    let bytes: u64 = index.shards.iter().map(|shard| shard.mel.bytes).sum();
    let made = match report.made {
        0 => "nothing to do: all of them were there".to_owned(),
        made => format!(
            "{made} in {seconds:.1} s, {:.1} tracks/s",
            made as f64 / seconds.max(1e-3)
        ),
    };
    let text = format!(
        "features  {} mel bands, windows of {}, hops of {} samples\n\
         tracks    {} of them, {}; {made}\n\
         splits    {}\n\
         use       train fit --data {}",
        features.n_mels,
        features.n_fft,
        features.hop_length,
        index.kept,
        size(bytes),
        if report.splits.is_empty() {
            "none yet".to_owned()
        } else {
            report.splits.join(", ")
        },
        report.path.display()
    );
    let json = json!({
        "dataset": report.path.to_string_lossy(),
        "features": features,
        "kept": index.kept,
        "made": report.made,
        "bytes": bytes,
        "splits": report.splits,
        "seconds": seconds,
    });
    Outcome::new("extend", text, json, Vec::new())
}

/// What a new split says.
pub fn split(report: &SplitReport) -> Outcome {
    let index = &report.split.index;
    let verb = if report.existed {
        "was made before and"
    } else {
        "is new and"
    };
    let mut text = format!("split     {} {verb} is the current one", index.name);
    for set in Set::ALL {
        let tracks = report.split.tracks[&set].len();
        let classes = index.counts[&set]
            .iter()
            .map(|(class, count)| format!("{class} {count}"));
        let classes: Vec<String> = classes.collect();
        let _ = write!(text, "\n{:<9} {tracks} tracks: {}", set.name(), classes.join(", "));
    }
    let _ = write!(text, "\nleaks     {}", describe_leaks(&index.leaks, &report.split));
    let json = json!({
        "name": index.name,
        "strategy": index.strategy,
        "existed": report.existed,
        "counts": index.counts,
        "leaks": count_leaks(&index.leaks),
    });
    Outcome::new("split", text, json, report.warnings.clone())
}

fn describe_leaks(leaks: &LeakAudit, split: &Split) -> String {
    audit::describe(
        [leaks.artists.len(), leaks.albums.len(), leaks.recordings.len()],
        [leaks.unknown_artists, leaks.unknown_albums],
        split.tracks.values().map(Vec::len).sum(),
    )
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

/// What new folds say.
pub fn folds(report: &FoldsReport) -> Outcome {
    let verb = if report.existed { "were made before" } else { "are new" };
    let current = report.splits.first().map_or("", |first| &first.index.name);
    let mut text = format!(
        "folds     {} of {} {verb}; {current} is the current split",
        report.splits.len(),
        report.name
    );
    let mut folds = Vec::new();
    for (split, number) in report.splits.iter().zip(1..) {
        let sizes = Set::ALL.map(|set| split.tracks[&set].len());
        let _ = write!(
            text,
            "\nfold {number:<4} {} train, {} val, {} test tracks; {}",
            sizes[0],
            sizes[1],
            sizes[2],
            describe_leaks(&split.index.leaks, split)
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
    let json = json!({
        "name": report.name,
        "strategy": report.splits.first().map(|first| &first.index.strategy),
        "existed": report.existed,
        "folds": folds,
    });
    Outcome::new("split", text, json, report.warnings.clone())
}

/// What pruning says.
pub fn prune(removed: &[String]) -> Outcome {
    let text = match removed {
        [] => "removed   nothing: there is only the current split".into(),
        names => format!("removed   {}", names.join(", ")),
    };
    Outcome::new("split", text, json!({ "removed": removed }), Vec::new())
}

/// What a verification says; `repaired` shards are wrong no more, and `report` was made after that.
pub fn verify(report: &VerifyReport, repaired: &[String]) -> Outcome {
    let mut text = String::new();
    for problem in &report.problems {
        let _ = writeln!(text, "{}: {}", problem.file, problem.detail);
    }
    for file in repaired {
        let _ = writeln!(text, "{file}: repaired");
    }
    let found = match report.problems.len() {
        0 => "nothing is wrong".to_owned(),
        1 => "1 problem".to_owned(),
        count => format!("{count} problems"),
    };
    let _ = write!(text, "{} files, {}: {found}", report.files, size(report.bytes));
    let problems: Vec<Value> = report
        .problems
        .iter()
        .map(|problem| json!({ "file": problem.file, "detail": problem.detail }))
        .collect();
    let json = json!({
        "files": report.files,
        "bytes": report.bytes,
        "problems": problems,
        "repaired": repaired,
    });
    let mut outcome = Outcome::new("verify", text, json, Vec::new());
    outcome.ok = report.problems.is_empty();
    outcome.json["ok"] = outcome.ok.into();
    outcome
}

/// Files that an inspection wrote beside what it says.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// The page.
    pub html: Option<PathBuf>,
    /// The directory of the analysis, and the names of the files in it.
    pub analysis: Option<(PathBuf, Vec<String>)>,
}

/// What an overview says.
pub fn inspect(overview: &Overview, written: &Written) -> Outcome {
    let mut text = overview.to_string();
    if let Some(html) = &written.html {
        let _ = write!(text, "\npage      {}", html.display());
    }
    if let Some((directory, names)) = &written.analysis {
        let _ = write!(text, "\nanalysis  {} files in {}", names.len(), directory.display());
    }
    let index = &overview.index;
    let json = json!({
        "name": overview.name,
        "format_version": index.format_version,
        "checksum": index.checksum,
        "source": index.source,
        "task": index.task,
        "features": index.features,
        "fingerprint": index.fingerprint,
        "waveforms_of": index.waveforms_of,
        "kept": index.kept,
        "dropped": index.rejected,
        "reasons": overview.reasons,
        "classes": overview.classes.iter().cloned().collect::<BTreeMap<String, usize>>(),
        "hours": hours(index.samples, index.features.sample_rate),
        "seconds": overview.seconds,
        "files": overview.files,
        "levels": overview.levels,
        "flags": overview.flags.iter().map(|(flag, count)| (flag.name(), count)).collect::<BTreeMap<_, _>>(),
        "shard_pairs": index.shards.len(),
        "sizes": overview.sizes,
        "feature_sets": overview.feature_sets,
        "splits": overview.splits,
        "current_split": overview.current_split,
        "html": written.html.as_ref().map(|path| path.to_string_lossy()),
        "analysis": written.analysis.as_ref().map(|(directory, names)| json!({
            "directory": directory.to_string_lossy(),
            "files": names,
        })),
    });
    Outcome::new("inspect", text, json, Vec::new())
}

/// What the labels of a data set say, and where they are drawn.
pub fn labels(report: &LabelReport, svg: Option<&Path>) -> Outcome {
    let mut text = report.to_string();
    if let Some(svg) = svg {
        let _ = write!(text, "\npicture   {}", svg.display());
    }
    let mut json = json!(report);
    json["labels_each"] = report.cardinality().into();
    json["svg"] = json!(svg.map(Path::to_string_lossy));
    Outcome::new("inspect", text, json, Vec::new())
}

/// Which tracks are the same recording.
pub fn duplicates(report: &DuplicateReport) -> Outcome {
    Outcome::new("inspect", report.to_string(), json!(report), Vec::new())
}

/// What a picture says.
pub fn picture(track_id: u64, path: &Path) -> Outcome {
    let text = format!("track {track_id} is drawn in {}", path.display());
    Outcome::new(
        "inspect",
        text,
        json!({ "track": track_id, "png": path.to_string_lossy() }),
        Vec::new(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::Problem;

    #[test]
    fn a_problem_is_named_and_makes_the_outcome_a_failure() {
        let mut report = VerifyReport {
            problems: Vec::new(),
            files: 9,
            bytes: 12_000,
        };
        let fine = verify(&report, &["shards/mel-00000.safetensors".into()]);
        assert!(fine.ok && fine.text.ends_with("9 files, 12.00 kB: nothing is wrong"));
        assert!(fine.text.contains("mel-00000.safetensors: repaired"));
        report.problems.push(Problem {
            file: "tracks.csv".into(),
            detail: "it is shorter".into(),
            shard: None,
        });
        let wrong = verify(&report, &[]);
        assert!(!wrong.ok && wrong.text.starts_with("tracks.csv: it is shorter\n"));
        assert_eq!(wrong.json["problems"][0]["file"], "tracks.csv");
        assert_eq!(wrong.json["ok"], false);
    }
}
