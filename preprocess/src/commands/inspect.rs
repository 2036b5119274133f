//! `preprocess inspect`.

use super::inspect_one;
use super::result::outcome;
use crate::build::threads::thread_pool;
use crate::cli::progress::{ByteProgress, Style};
use crate::cli::{InspectArgs, jobs};
use crate::inspect::duplicates::DuplicateReport;
use crate::inspect::labels::LabelReport;
use crate::inspect::normalization::NormalizationDifference;
use crate::inspect::track_list::TrackList;
use crate::inspect::{Analysis, Overview, files, page};
use anyhow::ensure;
use serde_json::json;
use shared::runtime::atomic_file::write_bytes;
use shared::runtime::outcome::Outcome;
use shared::runtime::output_file::{check_directory, check_place};
use shared::runtime::text::hours;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

pub fn run(args: InspectArgs, style: Style) -> anyhow::Result<Outcome> {
    args.check()?;
    check_outputs(&args)?;
    if args.is_audio_file() {
        return inspect_one::audio_file(&args);
    }
    if args.labels {
        let labels = LabelReport::read(&args.dataset)?;
        if let Some(svg) = &args.svg {
            write_bytes(svg, labels.picture().as_bytes())?;
        }
        return Ok(show_labels(&labels, args.svg.as_deref()));
    }
    if args.duplicates {
        return Ok(show_duplicates(&DuplicateReport::read(&args.dataset)?));
    }
    match &args.track {
        Some(track) => inspect_one::track(&args.dataset, track, args.png.as_deref()),
        None => inspect_all(&args, style),
    }
}

/// Checks that the files to write replace nothing else. `inspect_one` checks `--png`.
fn check_outputs(args: &InspectArgs) -> anyhow::Result<()> {
    let inputs: Vec<PathBuf> = args.compare_normalization.iter().cloned().collect();
    for (flag, path) in [("--html", &args.html), ("--svg", &args.svg)] {
        if let Some(path) = path {
            check_place(flag, path, &inputs)?;
        }
    }
    args.analysis
        .as_ref()
        .map_or(Ok(()), |path| check_directory("--analysis", path))
}

fn inspect_all(args: &InspectArgs, style: Style) -> anyhow::Result<Outcome> {
    let overview = Overview::read(&args.dataset)?;
    let mut written = Written::default();
    if let Some(config) = args.analysis_config() {
        let analysis = thread_pool(jobs(args.jobs))?.install(|| Analysis::run(&config, &ByteProgress::new(style)))?;
        ensure!(
            analysis.dataset == overview.index.checksum,
            "{} changed during the analysis; run the same command again",
            args.dataset.display()
        );
        let tracks = TrackList::read(&args.dataset)?;
        if let Some(directory) = &args.analysis {
            let names = files::write(&analysis, &tracks, directory)?;
            written.analysis = Some((directory.clone(), names));
        }
        if let Some(html) = &args.html {
            page::write(html, &overview, &analysis, &tracks, &config)?;
            written.html = Some(html.clone());
        }
    }
    if let Some(file) = &args.compare_normalization {
        written.difference = Some(NormalizationDifference::read(&args.dataset, &overview.index, file)?);
    }
    Ok(show(&overview, &written))
}

/// Files and values that were requested in addition to the overview.
#[derive(Default)]
struct Written {
    html: Option<PathBuf>,
    /// The directory, and the names of the files in it.
    analysis: Option<(PathBuf, Vec<String>)>,
    difference: Option<NormalizationDifference>,
}

fn show(overview: &Overview, written: &Written) -> Outcome {
    let mut text = overview.to_string();
    if let Some(html) = &written.html {
        let _ = write!(text, "\npage      {}", html.display());
    }
    if let Some((directory, names)) = &written.analysis {
        let _ = write!(text, "\nanalysis  {} files in {}", names.len(), directory.display());
    }
    if let Some(difference) = &written.difference {
        let _ = write!(text, "\n{difference}");
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
        "normalization": written.difference,
        "html": written.html.as_ref().map(|path| path.to_string_lossy()),
        "analysis": written.analysis.as_ref().map(|(directory, names)| json!({
            "directory": directory.to_string_lossy(),
            "files": names,
        })),
    });
    outcome("inspect", text, json, &[])
}

fn show_labels(report: &LabelReport, svg: Option<&Path>) -> Outcome {
    let mut text = report.to_string();
    if let Some(svg) = svg {
        let _ = write!(text, "\npicture   {}", svg.display());
    }
    let mut json = json!(report);
    json["labels_each"] = report.cardinality().into();
    json["svg"] = json!(svg.map(Path::to_string_lossy));
    outcome("inspect", text, json, &[])
}

fn show_duplicates(report: &DuplicateReport) -> Outcome {
    outcome("inspect", report.to_string(), json!(report), &[])
}
