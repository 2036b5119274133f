//! `train predict`.

use super::predictions_table::{Answer, Answers, check_csv, rows, shown};
use super::{Incomplete, Outcome, UsageError};
use crate::cli::PredictArgs;
use crate::data::front_end_record::FrontEndRecord;
use crate::metrics::{DEFAULT_THRESHOLD, SetMetrics};
use crate::models::{Blueprint, import_weights};
use crate::predict::{InputSetup, Named, Predictor, expand};
use crate::process::console::Console;
use crate::report::{METRICS_FILE, read_metrics};
use crate::run::directory::{BEST_FILE, RunDirectory};
use crate::settings::RunConfig;
use crate::settings::device::DeviceChoice;
use crate::settings::precision::Precision;
use anyhow::bail;
use burn::tensor::Device;
use serde_json::{Value, json};
use shared::audio::watchdog::Patience;
use shared::dataset::Task;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

/// Classifies audio files with a run's best weights.
pub fn run_predict(args: PredictArgs, console: Console) -> anyhow::Result<Outcome> {
    let choice: DeviceChoice = args.device.parse().map_err(UsageError::Device)?;
    let (run, mut config) = RunDirectory::open(&args.run)?;
    config.eval_clips = args.eval_clips.unwrap_or(config.eval_clips);
    let record = FrontEndRecord::read(&run, &config)?;
    let thresholds = thresholds(&run, &config, record.task)?;
    let named = expand(&args.files);
    if let Some(path) = &args.csv {
        check_csv(path, &named, args.force)?;
    }
    let (device, device_name) = choice.open()?;
    let predictor = predictor(&run, &config, &record, device)?;
    let unit = if named.len() == 1 { "file" } else { "files" };
    console.line(&format!(
        "{} of {} on {device_name}, {} {unit}",
        config.model,
        args.run.display(),
        named.len()
    ));
    let (answers, ended) = classify(&predictor, named, args.jobs, console);
    let answers = Answers {
        answers: &answers,
        classes: &config.classes,
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
    let json = json!({ "command": "predict", "run": args.run.to_string_lossy(), "device": device_name,
                       "classes": config.classes, "failed": failed, "csv": written, "files": answers.json() });
    let outcome = Outcome { text, json };
    if failed > 0 {
        problems.push(format!(
            "{failed} of {} files could not be decoded",
            answers.answers.len()
        ));
    }
    if problems.is_empty() {
        return Ok(outcome);
    }
    let sentence = problems.join("; ");
    let sentence = Some(sentence);
    Err(Incomplete { outcome, sentence }.into())
}

/// Loads the run's best weights.
fn predictor(
    run: &RunDirectory,
    config: &RunConfig,
    record: &FrontEndRecord,
    device: Device,
) -> anyhow::Result<Predictor> {
    let setup = Arc::new(InputSetup::new(record, config));
    let blueprint = Blueprint {
        shape: *setup.front_end().shape(),
        classes: config.classes.len(),
        dropout: config.dropout,
    };
    let (model, _) = import_weights(config.model.init(&blueprint, &device), &run.path(BEST_FILE))?;
    // Weights trained on a GPU may be used on the CPU, which may not support the run's precision.
    let dtype = config
        .precision
        .dtype(&device)
        .or_else(|_| Precision::Auto.dtype(&device))?;
    Ok(Predictor {
        model,
        device,
        dtype,
        task: record.task,
        outputs: config.classes.len(),
        patience: Patience::default(),
        setup,
    })
}

/// An answer for each file, in order, up to the first error that does not concern a single file.
fn classify(
    predictor: &Predictor,
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

/// The thresholds of a multi-label run, from its last evaluation on the test set, else on the validation set; 0.5 for
/// an imported run that was not evaluated. `None` for a single-label run.
fn thresholds(run: &RunDirectory, config: &RunConfig, task: Task) -> anyhow::Result<Option<Vec<f64>>> {
    if task == Task::SingleLabel {
        return Ok(None);
    }
    if config.imported_from.is_some() && !run.path(METRICS_FILE).exists() {
        return Ok(Some(vec![DEFAULT_THRESHOLD; config.classes.len()]));
    }
    let metrics = read_metrics(run)?;
    let evaluated = metrics.test.or(metrics.val).map(|report| report.tracks);
    let thresholds: Vec<f64> = match evaluated {
        Some(SetMetrics::Tags(metrics)) => metrics.per_tag.iter().map(|tag| tag.threshold).collect(),
        _ => Vec::new(),
    };
    if thresholds.len() != config.classes.len() {
        bail!(
            "{} does not have thresholds for {} tags; run `train eval --run {}`",
            run.path(METRICS_FILE).display(),
            config.classes.len(),
            run.root().display()
        );
    }
    Ok(Some(thresholds))
}
