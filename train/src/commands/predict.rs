//! `train predict`.

use super::predictions_table::{Answer, Answers, check_csv};
use super::{Incomplete, Outcome, UsageError, timeline};
use crate::cli::PredictArgs;
use crate::combine::RunModel;
use crate::loader::EvalClips;
use crate::metrics::{DEFAULT_THRESHOLD, SetMetrics};
use crate::predict::{Named, RunPredictor, expand};
use crate::process::console::Console;
use crate::report::{METRICS_FILE, read_metrics};
use crate::run::directory::RunDirectory;
use crate::settings::cores;
use crate::settings::device::DeviceChoice;
use anyhow::bail;
use serde_json::{Value, json};
use shared::audio::validate::Rejection;
use shared::dataset::Task;
use shared::runtime::text::{counted, shown};
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// Classifies audio files with the best weights of a run, or with the mean of several runs.
pub fn run_predict(args: PredictArgs, console: Console) -> anyhow::Result<Outcome> {
    let choice: DeviceChoice = args.device.parse().map_err(UsageError::Device)?;
    let members = RunModel::read_all(&args.runs)?;
    let named = expand(&args.files);
    if let Some(path) = &args.csv {
        check_csv(path, &named, args.force)?;
    }
    timeline::check(&args, &named)?;
    let (device, device_name) = choice.open()?;
    let names: Vec<String> = members.iter().map(|member| member.config.model_name()).collect();
    let roots: Vec<PathBuf> = members.iter().map(|member| member.root.clone()).collect();
    let window = (!args.timeline.is_empty()).then_some(args.window);
    // A timeline has no gaps.
    let eval_clips = window.map(|_| EvalClips::All).or(args.eval_clips);
    let is_spread = members
        .iter()
        .flat_map(RunModel::networks)
        .any(|network| eval_clips.unwrap_or(network.config.eval_clips) != EvalClips::All);
    let predictor = RunPredictor::load(members, eval_clips, &device)?;
    if window.is_some() && predictor.takes_whole_files() {
        bail!(
            "--timeline needs a model on clips, and {} predicts from statistics of whole files; give another run",
            names.join(", ")
        );
    }
    let thresholds = match predictor.task {
        Task::SingleLabel => None,
        Task::MultiLabel => Some(thresholds(&roots, predictor.classes.len())?),
    };
    console.line(&format!(
        "{} of {} on {device_name}, {}",
        names.join(", "),
        args.runs
            .iter()
            .map(|run| run.display().to_string())
            .collect::<Vec<_>>()
            .join(", "),
        counted(named.len(), "file", "files")
    ));
    let (answers, ended) = classify(&predictor, named, args.jobs, window, console);
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
                text += &format!(
                    "\ntable {}, {}",
                    shown(path),
                    counted(answers.answers.len(), "row", "rows")
                );
                written = json!({ "path": path.to_string_lossy(), "rows": answers.answers.len() });
            }
            Err(error) => problems.push(error.to_string()),
        }
    }
    let mut over_time = Value::Null;
    match timeline::write(&args, &answers, &names.join(", ")) {
        Ok(None) => {}
        Ok(Some((line, timeline))) => {
            text += &format!("\n{line}");
            over_time = timeline;
        }
        Err(error) => problems.push(format!("{error:#}")),
    }
    let failed = answers.failed();
    let json = json!({ "command": "predict", "runs": args.runs, "device": device_name,
                       "classes": predictor.classes, "failed": failed, "csv": written, "timeline": over_time,
                       "files": answers.json() });
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
    window: Option<f64>,
    console: Console,
) -> (Vec<Answer>, anyhow::Result<()>) {
    let readable = named.iter().filter(|(_, problem)| problem.is_none());
    let files: Vec<PathBuf> = readable.map(|(path, _)| path.clone()).collect();
    let bar = console.count("files", files.len());
    let mut predictions = Vec::new();
    let jobs = jobs.map_or_else(cores, NonZeroUsize::get);
    let ended = predictor.predict(&files, jobs, window, |file, prediction| {
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
        let thresholds: Vec<f64> = match metrics.of_predictions().map(|report| &report.tracks) {
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
