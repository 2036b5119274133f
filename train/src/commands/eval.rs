//! `train eval`.

use super::Outcome;
use super::eval_ensemble::eval_ensemble;
use super::eval_run::eval_run;
use super::eval_set::eval_set;
use crate::cli::EvalArgs;
use crate::process::console::Console;
use crate::process::mapping_fault::FaultWatch;
use crate::run::set::RunSet;

/// Evaluates the best weights of a run, of each member of a set of runs, or the mean of several runs, on one set of
/// their split.
pub fn run_eval(args: EvalArgs, watch: &FaultWatch, console: Console) -> anyhow::Result<Outcome> {
    match &args.runs[..] {
        [root] if args.save_run.is_none() => Ok(match RunSet::open(root)? {
            Some(set) => eval_set(root, &args, &set, watch, console)?.outcome(),
            None => eval_run(root, &args, watch, console)?.outcome(),
        }),
        _ => eval_ensemble(&args, watch, console),
    }
}
