//! `train report`.

use super::{Incomplete, Outcome};
use crate::cli::ReportArgs;
use crate::compare::{Comparison, Entry, runs_without};
use crate::process::console::Console;
use crate::report::html::{self, Candidate};
use crate::run::directory::RunDirectory;
use crate::settings::RunConfig;
use anyhow::{Context, bail};
use serde_json::json;
use shared::dataset::split::Set;
use shared::runtime::atomic_file;
use std::path::{Path, PathBuf};

/// From so many runs on, the best on the test set is likely to be the luckiest.
const MANY_RUNS: usize = 3;

/// Puts runs beside each other.
pub fn run_report(args: &ReportArgs, console: Console) -> anyhow::Result<Outcome> {
    let set = Set::from(args.set);
    let (entries, mut notes) = read_all(args, set)?;
    let Some(shown) = entries.first().map(|entry| entry.set) else {
        bail!("no run has metrics: {}", notes.join("; "));
    };
    let runs = entries.len();
    if shown == Set::Test && runs >= MANY_RUNS {
        notes.push(format!(
            "the best of {runs} runs on the test set is also the luckiest; choose by --set val, and look \
             at the test set afterwards"
        ));
    }
    let comparison = Comparison::new(entries);
    let mut text = comparison.describe();
    notes.iter().for_each(|note| text += &format!("\n\nnote: {note}"));
    if let Some(file) = &args.csv {
        atomic_file::write_bytes(file, &comparison.to_csv())?;
        console.line(&format!("wrote {}", file.display()));
    }
    let (mut pages, mut failures) = (Vec::new(), Vec::new());
    match &args.html {
        Some(file) => match write_page_of_all(args, &comparison, shown, file) {
            Ok(()) => pages.push(file.clone()),
            Err(error) => failures.push(not_written(file, &error)),
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
    // The table is there, and is not lost with a page.
    let sentence = failures.join("; ");
    let sentence = Some(sentence);
    Err(Incomplete { outcome, sentence }.into())
}

fn not_written(page: &Path, error: &anyhow::Error) -> String {
    format!("{} was not written: {error:#}", page.display())
}

/// The directory and settings of a run, with the data set's current place.
fn open(args: &ReportArgs, run: &Path) -> anyhow::Result<(RunDirectory, RunConfig)> {
    let (directory, mut config) = RunDirectory::open(run)?;
    if let Some(moved) = &args.data {
        config.data.clone_from(moved);
    }
    Ok((directory, config))
}

/// Writes the page of all runs beside each other on `set`. Of a set of seeds every run is there, and what is known of all together
/// stands with the first.
fn write_page_of_all(args: &ReportArgs, comparison: &Comparison, set: Set, file: &Path) -> anyhow::Result<()> {
    let mut runs = Vec::new();
    for entry in &comparison.entries {
        let mut reported = entry.reported();
        for run in entry.directories() {
            runs.push((open(args, &run)?, std::mem::take(&mut reported)));
        }
    }
    let candidates: Vec<Candidate<'_>> = runs
        .iter()
        .map(|((run, config), reported)| Candidate { run, config, reported })
        .collect();
    let page = html::comparison(&candidates, set, &comparison.paired_tests())?;
    Ok(atomic_file::write_bytes(file, page.as_bytes())?)
}

/// Writes each run's page anew, now with intervals and warnings. A page that fails keeps no other from being written.
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
                Err(error) => failures.push(not_written(&run.join(html::REPORT_FILE), &error)),
            }
        }
    }
}

/// What the runs say of `set`, or all of them of the validation set where one of them says nothing of `set`; and what there
/// is to do about those that lack metrics.
fn read_all(args: &ReportArgs, set: Set) -> anyhow::Result<(Vec<Entry>, Vec<String>)> {
    let (mut entries, mut notes) = (Vec::new(), Vec::new());
    for path in &args.runs {
        let (entry, note) = read(path, set, args.data.as_deref())?;
        entries.extend(entry);
        notes.extend(note);
    }
    // Metrics of two sets are not compared.
    if entries.iter().any(|entry| entry.set == Set::Val) {
        for entry in entries.iter_mut().filter(|entry| entry.set != Set::Val) {
            *entry = read_set(&entry.path, Set::Val, args.data.as_deref())?.with_context(|| {
                let path = entry.path.display();
                format!(
                    "{path} lacks the validation set's metrics; evaluate it with `train eval --run {path} --set val`"
                )
            })?;
        }
    }
    Ok((entries, notes))
}

fn read_set(path: &Path, set: Set, moved: Option<&Path>) -> anyhow::Result<Option<Entry>> {
    Entry::read(path, set, moved).with_context(|| format!("the run in {} cannot be shown", path.display()))
}

/// What a run says of `set`, or else of the validation set, and what there is to do about it.
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
    let lacking = runs_without(path, if entry.is_some() { set } else { Set::Val })?;
    let (shown, who) = (path.display(), lacking_name(path, &lacking));
    let has = if lacking.len() > 1 { "have" } else { "has" };
    let note = match &entry {
        Some(_) => format!(
            "{who} {has} not been evaluated on the test set, so all runs are shown on the validation set; evaluate the test \
             set with `train eval --run {shown}`"
        ),
        None => {
            format!("{who} {has} not been trained for an epoch yet; continue with `train fit --run {shown} --resume`")
        }
    };
    Ok((entry, Some(note)))
}

/// The run, or those of a set that lack something.
fn lacking_name(path: &Path, runs: &[String]) -> String {
    match runs {
        [] => path.display().to_string(),
        runs => format!("{} of {}", runs.join(", "), path.display()),
    }
}
