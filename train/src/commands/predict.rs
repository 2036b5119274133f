//! `train predict`.

use super::predictions_table::{Answer, Answers, check_csv, rows, shown};
use super::{Incomplete, Outcome, UsageError};
use crate::cli::PredictArgs;
use crate::combine::RunModel;
use crate::loader::EvalClips;
use crate::metrics::{DEFAULT_THRESHOLD, SetMetrics};
use crate::predict::{Named, RunPredictor, expand};
use crate::process::console::Console;
use crate::report::{METRICS_FILE, read_metrics};
use crate::run::directory::RunDirectory;
use crate::run::set::RunSet;
use crate::settings::device::DeviceChoice;
use anyhow::bail;
use serde_json::{Value, json};
use shared::audio::validate::Rejection;
use shared::dataset::Task;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread;

/// Classifies audio files with the best weights of a run, or with the mean of several runs.
pub fn run_predict(args: PredictArgs, console: Console) -> anyhow::Result<Outcome> {
    let choice: DeviceChoice = args.device.parse().map_err(UsageError::Device)?;
    let members = members(&args.runs)?;
    let named = expand(&args.files);
    if let Some(path) = &args.csv {
        check_csv(path, &named, args.force)?;
    }
    let (device, device_name) = choice.open()?;
    let names: Vec<String> = members.iter().map(|member| member.config.model_name()).collect();
    let roots: Vec<PathBuf> = members.iter().map(|member| member.root.clone()).collect();
    let is_spread = members
        .iter()
        .flat_map(RunModel::networks)
        .any(|network| args.eval_clips.unwrap_or(network.config.eval_clips) != EvalClips::All);
    let predictor = match <[RunModel; 1]>::try_from(members) {
        Ok([run]) => RunPredictor::load(run, args.eval_clips, &device)?,
        Err(members) => RunPredictor::ensemble(members, args.eval_clips, &device)?,
    };
    let thresholds = match predictor.task {
        Task::SingleLabel => None,
        Task::MultiLabel => Some(thresholds(&roots, predictor.classes.len())?),
    };
    let unit = if named.len() == 1 { "file" } else { "files" };
    console.line(&format!(
        "{} of {} on {device_name}, {} {unit}",
        names.join(", "),
        args.runs
            .iter()
            .map(|run| run.display().to_string())
            .collect::<Vec<_>>()
            .join(", "),
        named.len()
    ));
    let (answers, ended) = classify(&predictor, named, args.jobs, console);
    let answers = Answers {
        answers: &answers,
        classes: &predictor.classes,
        thresholds: thresholds.as_deref(),
        top: args.top.get(),
    };
    // Available results are shown even if something failed.
    let mut problems: Vec<String> = ended.err().map(|error| format!("{error:#}")).into_iter().collect();
    let mut text = answers.table();
    let mut written = Value::Null;
    if let Some(path) = &args.csv {
        match answers.write_csv(path) {
            Ok(()) => {
                text += &format!("\ntable {}, {}", shown(path), rows(answers.answers.len()));
                written = json!({ "path": path.to_string_lossy(), "rows": answers.answers.len() });
            }
            Err(error) => problems.push(error.to_string()),
        }
    }
    let failed = answers.failed();
    let json = json!({ "command": "predict", "runs": args.runs, "device": device_name,
                       "classes": predictor.classes, "failed": failed, "csv": written, "files": answers.json() });
    let outcome = Outcome { text, json };
    if failed > 0 {
        problems.push(format!(
            "{failed} of {} files could not be decoded",
            answers.answers.len()
        ));
    }
    let is_too_long = |(_, answer): &Answer| matches!(answer, Err(Rejection::TooLong { .. }));
    if is_spread && answers.answers.iter().any(is_too_long) {
        problems.push("--eval-clips N reads files whole; give --eval-clips all for files of any length".into());
    }
    if problems.is_empty() {
        return Ok(outcome);
    }
    let sentence = problems.join("; ");
    let sentence = Some(sentence);
    Err(Incomplete { outcome, sentence }.into())
}

/// An answer for each file, in order, up to the first error that does not concern a single file.
fn classify(
    predictor: &RunPredictor,
    named: Vec<Named>,
    jobs: Option<NonZeroUsize>,
    console: Console,
) -> (Vec<Answer>, anyhow::Result<()>) {
    let readable = named.iter().filter(|(_, problem)| problem.is_none());
    let files: Vec<PathBuf> = readable.map(|(path, _)| path.clone()).collect();
    let bar = console.count("files", files.len());
    let mut predictions = Vec::new();
    let jobs = jobs.or_else(|| thread::available_parallelism().ok());
    let ended = predictor.predict(&files, jobs.map_or(1, NonZeroUsize::get), |file, prediction| {
        if let Err(rejection) = &prediction {
            bar.suspend(|| console.line(&format!("{}: {rejection}", shown(&files[file]))));
        }
        bar.inc(1);
        predictions.push(prediction);
        Ok(())
    });
    bar.finish_and_clear();
    let mut predictions = predictions.into_iter();
    let answers = named.into_iter().map_while(|(path, problem)| {
        let answer = match problem {
            Some(problem) => Err(problem),
            None => predictions.next()?,
        };
        Some((path, answer))
    });
    (answers.collect(), ended)
}

/// The runs whose probabilities are averaged. A set of runs stands for all its runs.
fn members(roots: &[PathBuf]) -> anyhow::Result<Vec<RunModel>> {
    let mut members = Vec::new();
    for root in roots {
        let paths = match RunSet::open(root)? {
            Some(set) => set.members(root).into_iter().map(|member| member.path).collect(),
            None => vec![root.clone()],
        };
        for path in paths {
            members.push(RunModel::read(&path)?);
        }
    }
    Ok(members)
}

/// The thresholds of a multi-label run, from its last evaluation on the test set, else on the validation set; 0.5 for
/// an imported run that was not evaluated. For several runs, the mean of each tag's thresholds.
fn thresholds(roots: &[PathBuf], tags: usize) -> anyhow::Result<Vec<f64>> {
    let mut sums = vec![0.0; tags];
    for root in roots {
        let (run, config) = RunDirectory::open(root)?;
        if config.imported_from.is_some() && !run.path(METRICS_FILE).exists() {
            sums.iter_mut().for_each(|sum| *sum += DEFAULT_THRESHOLD);
            continue;
        }
        let metrics = read_metrics(&run)?;
        let evaluated = metrics.test.or(metrics.val).map(|report| report.tracks);
        let thresholds: Vec<f64> = match evaluated {
            Some(SetMetrics::Tags(metrics)) => metrics.per_tag.iter().map(|tag| tag.threshold).collect(),
            _ => Vec::new(),
        };
        if thresholds.len() != tags {
            bail!(
                "{} does not have thresholds for {tags} tags; run `train eval --run {}`",
                run.path(METRICS_FILE).display(),
                run.root().display()
            );
        }
        sums.iter_mut()
            .zip(thresholds)
            .for_each(|(sum, threshold)| *sum += threshold);
    }
    Ok(sums.into_iter().map(|sum| sum / roots.len() as f64).collect())
}
