//! `train fit --seeds N`: the same training from several seeds, one after the other.

use super::eval_seeds::SEEDS_FIGURES_FILE;
use super::fit::{Surroundings, plan, train};
use super::seeds_table::{self, SeedFigures};
use super::{Outcome, UsageError};
use crate::cli::FitArgs;
use crate::config::{RunConfig, Settings, invalid};
use crate::device::DeviceChoice;
use crate::run_directory::{RunDirectory, RunError};
use crate::run_split;
use crate::seeds::{SeedSet, seed_run};
use crate::stop::Stopped;
use anyhow::bail;
use serde_json::{Value, json};

/// Begins a set of seeds, or goes on with one. `args.settings` has those of the settings file too.
pub(super) fn fit_seeds(
    mut args: FitArgs,
    choices: &[DeviceChoice],
    around: &Surroundings<'_>,
) -> anyhow::Result<Outcome> {
    let root = args.run.clone();
    let begun = begun(&args)?;
    let settings = std::mem::take(&mut args.settings);
    let plan_of_set = plan(
        settings,
        begun.as_ref().map(|set| &set.settings),
        &root,
        choices.len(),
        around.watch,
    )?;
    let config = plan_of_set.config;
    let set = SeedSet {
        seeds: seeds(&args, &config, begun.as_ref())?,
        settings: config,
    };
    // Held until all runs have ended.
    let directory = RunDirectory::begin(&root)?;
    run_split::keep(&plan_of_set.data.split, &set.settings.data, &directory)?;
    set.save(&directory)?;
    let mut rows = Vec::new();
    for (at, &seed) in set.seeds.iter().enumerate() {
        let line = format!("seed {seed}, {} of {}", at + 1, set.seeds.len());
        around.console.line(&line);
        let of_run = FitArgs {
            run: seed_run(&root, seed),
            resume: false,
            seeds: None,
            // What was read before need not be held against its checksum again.
            verify: args.verify && at == 0,
            config: None,
            device: args.device.clone(),
            settings: Settings::default(),
            stop_at_eof: false,
        };
        match fit_seed(&of_run, &set.config(seed), choices, around) {
            Ok(row) => rows.push(row),
            Err(error) => {
                let stopped = error.chain().find_map(|cause| cause.downcast_ref::<Stopped>()).cloned();
                return Err(match stopped {
                    Some(stopped) => stopped.at_seed(&root, seed, &args.device).into(),
                    None => error.context(format!("seed {seed} of {}", root.display())),
                });
            }
        }
    }
    forget_outdated(&directory, &rows)?;
    let text = format!(
        "{}\nvalidation figures of each seed's best epoch; judge the test set with `train eval --run {}`",
        seeds_table::text(&rows),
        root.display()
    );
    let mut json = json!({ "command": "fit", "run": root.to_string_lossy() });
    json["validation"] = seeds_table::json(&rows).into();
    Ok(Outcome { text, json })
}

/// Removes the figures of the set of seeds where they are of other epochs than those that are the best now.
fn forget_outdated(directory: &RunDirectory, rows: &[SeedFigures]) -> Result<(), RunError> {
    let Some(bytes) = directory.read(SEEDS_FIGURES_FILE)? else {
        return Ok(());
    };
    let figures: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let is_current = |of_set: &Value| {
        let epochs = |row: &Value| Some((row["seed"].as_u64()?, row["best_epoch"].as_u64()?));
        let stated: Vec<_> = of_set["seeds"].as_array().into_iter().flatten().map(epochs).collect();
        let now = rows.iter().map(|row| Some((row.seed, row.best_epoch as u64)));
        stated == now.collect::<Vec<_>>()
    };
    match figures.as_object() {
        Some(sets) if sets.values().all(is_current) => Ok(()),
        _ => directory.remove(SEEDS_FIGURES_FILE),
    }
}

/// The set that is to be gone on with, if one is.
fn begun(args: &FitArgs) -> anyhow::Result<Option<SeedSet>> {
    let root = args.run.display();
    let set = SeedSet::open(&args.run)?;
    match &set {
        Some(set) if !args.resume => bail!(
            "{root} holds a set of seeds already ({}); continue it with --resume, or name another directory",
            set.describe()
        ),
        None if RunDirectory::is_at(&args.run) => {
            bail!("{root} holds one run and no set of seeds; leave --seeds out, or name another directory")
        }
        None if args.resume => bail!("{root} holds no set of seeds; leave --resume out to begin one"),
        _ => Ok(set),
    }
}

/// All seeds, counted up from that of `config`.
fn seeds(args: &FitArgs, config: &RunConfig, begun: Option<&SeedSet>) -> anyhow::Result<Vec<u64>> {
    let there = begun.map_or(0, |set| set.seeds.len() as u64);
    let count = args.seeds.unwrap_or(there);
    if count < there {
        bail!(
            "{} has {there} seeds already; --seeds {count} would leave some out",
            args.run.display()
        );
    }
    let seeds: Option<Vec<u64>> = (0..count).map(|at| config.seed.checked_add(at)).collect();
    // Seeds are kept in TOML, whose integers are signed.
    let seeds = seeds.filter(|seeds| seeds.iter().all(|&seed| i64::try_from(seed).is_ok()));
    seeds.ok_or_else(|| {
        let problem = format!("must be below 2^63 - {count}, not {}", config.seed);
        UsageError::Setting(invalid("--seed", problem)).into()
    })
}

/// Trains one run of a set, or goes on with it.
fn fit_seed(
    args: &FitArgs,
    of_set: &RunConfig,
    choices: &[DeviceChoice],
    around: &Surroundings<'_>,
) -> anyhow::Result<SeedFigures> {
    Stopped::check(around.stop)?;
    let resumed = RunDirectory::is_at(&args.run)
        .then(|| RunDirectory::resume(&args.run))
        .transpose()?;
    let (directory, begun) = resumed.unzip();
    // Also where the run has not begun: the data set must still be the one that the others were trained on.
    let like = begun.as_ref().unwrap_or(of_set);
    let plan = plan(of_set.to_settings(), Some(like), &args.run, choices.len(), around.watch)?;
    around.watch.advise(&around.advice);
    let trained = train(args, plan, directory, choices, around)?;
    let (best, validation) = (&trained.report.best, &trained.report.validation);
    Ok(SeedFigures::new(of_set.seed, best.epoch, &validation.tracks))
}
