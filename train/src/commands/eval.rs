//! `train eval`.

use super::Outcome;
use super::eval_run::eval_run;
use super::eval_set::eval_set;
use crate::cli::EvalArgs;
use crate::process::console::Console;
use crate::process::mapping_fault::FaultWatch;
use crate::run::set::RunSet;

/// Evaluates the best weights of a run, or of each member of a set of runs, on one set of its split.
pub fn run_eval(args: EvalArgs, watch: &FaultWatch, console: Console) -> anyhow::Result<Outcome> {
    Ok(match RunSet::open(&args.run)? {
        Some(set) => eval_set(&args, &set, watch, console)?.outcome(),
        None => eval_run(args, watch, console)?.outcome(),
    })
}
