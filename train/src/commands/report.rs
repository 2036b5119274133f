//! `train report`.

use super::{Incomplete, Outcome};
use crate::cli::ReportArgs;
use crate::compare::{Comparison, Entry, runs_without};
use crate::process::console::Console;
use crate::process::text_table::terminal_width;
use crate::report::html::{self, Contestant};
use crate::run::directory::RunDirectory;
use crate::run::set::RunSet;
use crate::settings::RunConfig;
use anyhow::{Context, bail};
use serde_json::json;
use shared::dataset::split::Set;
use shared::runtime::atomic_file;
use shared::runtime::output_file::{check_distinct, check_place};
use std::path::{Path, PathBuf};

/// With this many runs or more, the best one on the test set is probably partly lucky.
const MANY_RUNS: usize = 3;

/// Compares runs and writes their pages.
pub fn run_report(args: &ReportArgs, console: Console) -> anyhow::Result<Outcome> {
    let set = Set::from(args.set);
    let outputs = [("--csv", args.csv.as_deref()), ("--html", args.html.as_deref())];
    for (flag, path) in outputs {
        path.map_or(Ok(()), |path| check_place(flag, path, &[]))?;
    }
    check_distinct(&outputs)?;
    let (entries, mut notes) = read_all(args, set)?;
    let Some(shown) = entries.first().map(|entry| entry.set) else {
        bail!("no run has metrics: {}", notes.join("; "));
    };
    let runs = entries.len();
    if shown == Set::Test && runs >= MANY_RUNS {
        notes.push(format!(
            "the best of {runs} runs on the test set is partly lucky; choose with --set val, and look at the test set \
             afterwards"
        ));
    }
    let comparison = Comparison::new(entries);
    let mut text = comparison.describe(terminal_width());
    notes.iter().for_each(|note| text += &format!("\n\nnote: {note}"));
    if let Some(file) = &args.csv {
        atomic_file::write_bytes(file, &comparison.to_csv())?;
        console.line(&format!("wrote {}", file.display()));
    }
    let (mut pages, mut failures) = (Vec::new(), Vec::new());
    match &args.html {
        Some(file) => match write_comparison_page(args, &comparison, shown, file) {
            Ok(()) => pages.push(file.clone()),
            Err(error) => failures.push(format!("could not make the report: {error:#}")),
        },
        None => write_pages(args, &comparison, &mut pages, &mut failures),
    }
    for page in &pages {
        console.line(&format!("wrote {}", page.display()));
    }
    let mut json = comparison.to_json();
    json["pages"] = json!(pages);
    json["command"] = json!("report");
    json["notes"] = json!(notes);
    let outcome = Outcome { text, json };
    if failures.is_empty() {
        return Ok(outcome);
    }
    // The table is still printed if a page fails.
    let sentence = failures.join("; ");
    let sentence = Some(sentence);
    Err(Incomplete { outcome, sentence }.into())
}

/// The directory and settings of a run, with the data set's current path.
fn open(args: &ReportArgs, run: &Path) -> anyhow::Result<(RunDirectory, RunConfig)> {
    let (directory, mut config) = RunDirectory::open(run)?;
    if let Some(moved) = &args.data {
        config.data.clone_from(moved);
    }
    Ok((directory, config))
}

/// Writes the page that compares all runs on `set`.
fn write_comparison_page(args: &ReportArgs, comparison: &Comparison, set: Set, file: &Path) -> anyhow::Result<()> {
    let mut read = Vec::new();
    for entry in &comparison.entries {
        let runs = entry.directories().into_iter().map(|run| open(args, &run));
        let runs = runs.collect::<anyhow::Result<Vec<_>>>()?;
        let members = entry.run_set.as_ref().map_or_else(String::new, RunSet::describe);
        read.push((entry, entry.reported(), members, runs));
    }
    let contestants: Vec<Contestant<'_>> = read
        .iter()
        .map(|(entry, reported, members, runs)| Contestant {
            path: &entry.path,
            members,
            config: &entry.config,
            runs,
            tracks: entry.tracks(),
            reported,
        })
        .collect();
    let page = html::comparison(&contestants, set, &comparison.paired_tests())?;
    Ok(atomic_file::write_bytes(file, page.as_bytes())?)
}

/// Rewrites each run's page with intervals and warnings. If a page fails, the others are still written.
fn write_pages(args: &ReportArgs, comparison: &Comparison, pages: &mut Vec<PathBuf>, failures: &mut Vec<String>) {
    for entry in &comparison.entries {
        let reported = entry.reported();
        for run in entry.directories() {
            let options = html::Options {
                set: Some(entry.set),
                audio: args.audio,
                reported: &reported,
            };
            match open(args, &run).and_then(|(run, config)| html::write(&run, &config, &options)) {
                Ok(page) => pages.push(page),
                Err(error) => failures.push(format!("could not make the report: {error:#}")),
            }
        }
    }
}

/// Reads all runs on `set`, or all on the validation set if one was not evaluated on `set`. Also returns notes about
/// missing metrics.
fn read_all(args: &ReportArgs, set: Set) -> anyhow::Result<(Vec<Entry>, Vec<String>)> {
    let (mut entries, mut notes) = (Vec::new(), Vec::new());
    for path in &args.runs {
        let (entry, note) = read(path, set, args.data.as_deref())?;
        entries.extend(entry);
        notes.extend(note);
    }
    // Metrics of different sets must not be compared.
    if entries.iter().any(|entry| entry.set == Set::Val) {
        for entry in entries.iter_mut().filter(|entry| entry.set != Set::Val) {
            *entry = read_set(&entry.path, Set::Val, args.data.as_deref())?.with_context(|| {
                let path = entry.path.display();
                format!("{path} has no validation metrics; evaluate it with `train eval --run {path} --set val`")
            })?;
        }
    }
    Ok((entries, notes))
}

fn read_set(path: &Path, set: Set, moved: Option<&Path>) -> anyhow::Result<Option<Entry>> {
    Entry::read(path, set, moved).with_context(|| format!("could not read the results of {}", path.display()))
}

/// Reads a run on `set`, else on the validation set, with a note about missing metrics.
fn read(path: &Path, set: Set, moved: Option<&Path>) -> anyhow::Result<(Option<Entry>, Option<String>)> {
    let entry = read_set(path, set, moved)?;
    if entry.is_some() {
        return Ok((entry, None));
    }
    let entry = if set == Set::Val {
        None
    } else {
        read_set(path, Set::Val, moved)?
    };
    let missing = runs_without(path, if entry.is_some() { set } else { Set::Val })?;
    let (shown, name) = (path.display(), missing_runs(path, &missing));
    let has = if missing.len() > 1 { "have" } else { "has" };
    let imported = RunDirectory::open(path)
        .ok()
        .and_then(|(_, config)| config.imported_from);
    let note = match &entry {
        _ if imported.is_some() => format!(
            "{name} was imported from {}, not trained here, and was not evaluated; evaluate it with `train eval --run \
             {shown} --data DATASET`",
            imported.unwrap_or_default()
        ),
        Some(_) => format!(
            "{name} {has} not been evaluated on the test set, so all runs are shown on the validation set; evaluate the test \
             set with `train eval --run {shown}`"
        ),
        None => {
            format!("{name} {has} no finished epoch yet; continue with `train fit --run {shown} --resume`")
        }
    };
    Ok((entry, Some(note)))
}

/// `runs/a`, or `seed 1, seed 2 of runs/a` for members of a set.
fn missing_runs(path: &Path, runs: &[String]) -> String {
    match runs {
        [] => path.display().to_string(),
        runs => format!("{} of {}", runs.join(", "), path.display()),
    }
}
