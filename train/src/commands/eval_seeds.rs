//! `train eval` of a set of seeds.

use super::Outcome;
use super::eval::eval_run;
use super::seeds_table::{self, SeedFigures};
use crate::cli::EvalArgs;
use crate::console::Console;
use crate::mapping_fault::FaultWatch;
use crate::metrics::SetReport;
use crate::report::read_metrics;
use crate::run_directory::{RunDirectory, RunError};
use crate::scoreboard::Entry;
use crate::seeds::{SeedSet, seed_run};
use crate::start::BEST_FILE;
use anyhow::{Context, bail};
use serde_json::{Map, Value, json};
use shared::split::Set;

/// What a set of seeds came to: per set judged the table of the seeds, and the means with their intervals.
pub const SEEDS_FIGURES_FILE: &str = "seeds.json";

/// Judges each seed's best weights on one set, and writes what they come to together.
pub(super) fn eval_seeds(
    args: &EvalArgs,
    seeds: &SeedSet,
    watch: &FaultWatch,
    console: Console,
) -> anyhow::Result<Outcome> {
    let (root, set) = (&args.run, Set::from(args.set));
    for &seed in &seeds.seeds {
        if !seed_run(root, seed).join(BEST_FILE).exists() {
            bail!(
                "seed {seed} of {} has not been trained yet; continue with `train fit --run {} --resume`",
                root.display(),
                root.display()
            );
        }
    }
    let directory = RunDirectory::begin(root)?;
    let mut rows = Vec::new();
    for (at, &seed) in seeds.seeds.iter().enumerate() {
        console.line(&format!("seed {seed}, {} of {}", at + 1, seeds.seeds.len()));
        let run = seed_run(root, seed);
        let of_run = EvalArgs {
            run: run.clone(),
            verify: args.verify && at == 0,
            ..args.clone()
        };
        let outcome = eval_run(of_run, watch, console).with_context(|| format!("seed {seed} of {}", root.display()))?;
        let report: SetReport = serde_json::from_value(outcome.json["metrics"].clone())?;
        let best_epoch = read_metrics(&RunDirectory::open(&run)?.0)?.best_epoch;
        rows.push(SeedFigures::new(seed, best_epoch, &report.tracks));
    }
    let entry = Entry::read(root, set, args.data.as_deref())?.context("the seeds have just been judged")?;
    let mut figures = seeds_table::json(&rows);
    figures.insert("tracks".into(), json!(entry.judged.track_ids.len()));
    figures.insert("split".into(), json!(entry.config.split));
    figures.insert("intervals".into(), json!(entry.figures));
    figures.insert("method".into(), json!(entry.method()));
    figures.insert("marks".into(), json!(entry.marks));
    let mut text = format!(
        "{} set of split `{}`, {} tracks\n{}\n",
        set.name(),
        entry.config.split,
        entry.judged.track_ids.len(),
        seeds_table::text(&rows)
    );
    for figure in &entry.figures {
        let interval = figure.interval.map_or("no interval".into(), |[low, high]| {
            format!("95 % interval {low:.4} to {high:.4}, {}", entry.method())
        });
        text += &format!("{} {:.4}, {interval}\n", figure.name, figure.mean);
    }
    for mark in &entry.marks {
        text += &format!("! {}\n", mark.sentence);
    }
    text += &format!("figures {}", directory.path(SEEDS_FIGURES_FILE).display());
    write(&directory, set, figures.clone())?;
    let json = json!({ "command": "eval", "run": root.to_string_lossy(), "set": set.name(), "figures": figures });
    Ok(Outcome { text, json })
}

/// Adds a set's figures to those that are there.
fn write(directory: &RunDirectory, set: Set, figures: Map<String, Value>) -> Result<(), RunError> {
    let damaged = |error: serde_json::Error| RunError::Damaged {
        path: directory.path(SEEDS_FIGURES_FILE),
        detail: error.to_string(),
    };
    let mut all: Map<String, Value> = match directory.read(SEEDS_FIGURES_FILE)? {
        Some(bytes) => serde_json::from_slice(&bytes).map_err(damaged)?,
        None => Map::new(),
    };
    let name = match set {
        Set::Train => "train",
        Set::Val => "validation",
        Set::Test => "test",
    };
    all.insert(name.into(), figures.into());
    let mut bytes = serde_json::to_vec_pretty(&all).expect("plain figures always serialize");
    bytes.push(b'\n');
    directory.write(SEEDS_FIGURES_FILE, &bytes)
}
