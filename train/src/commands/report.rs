//! `train report`.

use super::Outcome;
use crate::cli::ReportArgs;
use crate::console::Console;
use crate::scoreboard::text::describe;
use crate::scoreboard::{Board, Entry};
use anyhow::{Context, bail};
use serde_json::json;
use shared::atomic_file;
use shared::split::Set;
use std::path::Path;

/// From so many runs on, the best by the test set's figures is likely to be the luckiest.
const MANY_RUNS: usize = 3;

/// Puts runs beside each other.
pub fn run_report(args: &ReportArgs, console: Console) -> anyhow::Result<Outcome> {
    let set = Set::from(args.set);
    let (mut entries, mut notes) = (Vec::new(), Vec::new());
    for path in &args.runs {
        let (entry, note) = read(path, set, args.data.as_deref())?;
        entries.extend(entry);
        notes.extend(note);
    }
    if entries.is_empty() {
        bail!("no run has figures: {}", notes.join("; "));
    }
    let of_test = entries.iter().filter(|entry| entry.set == Set::Test).count();
    if of_test >= MANY_RUNS {
        notes.push(format!(
            "the best of {of_test} runs by the test set's figures is also the luckiest; choose by --set validation, and look \
             at the test set afterwards"
        ));
    }
    let board = Board::new(entries);
    let mut text = describe(&board);
    notes.iter().for_each(|note| text += &format!("\n\nnote: {note}"));
    if let Some(file) = &args.csv {
        atomic_file::write_bytes(file, &board.to_csv())?;
        console.line(&format!("wrote {}", file.display()));
    }
    let mut json = board.to_json();
    json["command"] = json!("report");
    json["notes"] = json!(notes);
    Ok(Outcome { text, json })
}

/// What a run says of `set`, or else of the validation set, and what there is to do about it.
fn read(path: &Path, set: Set, moved: Option<&Path>) -> anyhow::Result<(Option<Entry>, Option<String>)> {
    let read =
        |set| Entry::read(path, set, moved).with_context(|| format!("the run in {} cannot be shown", path.display()));
    let entry = read(set)?;
    if entry.is_some() {
        return Ok((entry, None));
    }
    let path = path.display();
    let entry = if set == Set::Val { None } else { read(Set::Val)? };
    let note = match &entry {
        Some(_) => format!(
            "{path} has not been judged on the test set, so the validation set's figures stand in; judge it with `train eval \
             --run {path}`"
        ),
        None => {
            format!("{path} has not been trained for an epoch yet; continue with `train fit --run {path} --resume`")
        }
    };
    Ok((entry, Some(note)))
}
