//! `train predict`.

use super::{Incomplete, Outcome, UsageError};
use crate::cli::PredictArgs;
use crate::config::RunConfig;
use crate::console::Console;
use crate::device::DeviceChoice;
use crate::front_end_record::FrontEndRecord;
use crate::mapping_fault::FaultWatch;
use crate::metrics::SetMetrics;
use crate::models::{Blueprint, import_weights};
use crate::precision::Precision;
use crate::predict::{HearingSetup, Listener, Verdict, expand};
use crate::report::{METRICS_FILE, read_metrics};
use crate::run_directory::RunDirectory;
use crate::start::BEST_FILE;
use anyhow::Context;
use serde_json::{Value, json};
use shared::atomic_file;
use shared::audio::validate::Rejection;
use shared::dataset::Task;
use std::fmt::Write as _;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

/// Asks a run's best weights about audio files.
pub fn run_predict(args: PredictArgs, watch: &FaultWatch, console: Console) -> anyhow::Result<Outcome> {
    let choice: DeviceChoice = args.device.parse().map_err(UsageError::Device)?;
    let (run, config) = RunDirectory::open(&args.run)?;
    // A run that lacks its front end's record asks its data set.
    watch.dataset(&config.data);
    watch.advise("run the same command again");
    let record = FrontEndRecord::read(&run, &config)?;
    let thresholds = thresholds(&run, &config, record.task)?;
    let files = expand(&args.files)?;
    let setup = Arc::new(HearingSetup::new(&record, &config));
    let (device, device_name) = choice.open()?;
    let blueprint = Blueprint {
        shape: *setup.front_end().shape(),
        classes: config.classes.len(),
        dropout: config.dropout,
    };
    let (model, _) = import_weights(config.model.init(&blueprint, &device), &run.path(BEST_FILE))?;
    // Weights of a GPU's training are asked on the CPU too.
    let dtype = config
        .precision
        .dtype(&device)
        .or_else(|_| Precision::Auto.dtype(&device))?;
    let listener = Listener {
        model,
        device,
        dtype,
        task: record.task,
        outputs: config.classes.len(),
        setup,
    };
    console.line(&format!(
        "{} of {} on {device_name}, {} files",
        config.model,
        args.run.display(),
        files.len()
    ));
    let bar = console.count("files", files.len());
    let mut answers = Vec::new();
    let jobs = args.jobs.or_else(|| thread::available_parallelism().ok());
    listener.predict(&files, jobs.map_or(1, NonZeroUsize::get), |file, verdict| {
        if let Err(rejection) = &verdict {
            bar.suspend(|| console.line(&format!("warning: {}: {rejection}", files[file].display())));
        }
        bar.inc(1);
        answers.push(verdict);
        Ok(())
    })?;
    bar.finish_and_clear();
    let answers = Answers {
        files: &files,
        answers: &answers,
        classes: &config.classes,
        thresholds: thresholds.as_deref(),
        top: args.top.get(),
    };
    if let Some(path) = &args.csv {
        answers.write_csv(path)?;
    }
    let failed = answers.failed();
    let outcome = Outcome {
        text: answers.table(),
        json: json!({ "command": "predict", "run": args.run.to_string_lossy(), "device": device_name,
                      "classes": config.classes, "failed": failed, "files": answers.json() }),
    };
    if failed > 0 {
        let sentence = format!("{failed} of {} files could not be heard", files.len());
        return Err(Incomplete { outcome, sentence }.into());
    }
    Ok(outcome)
}

/// Of tags, the thresholds that `eval` judged them by; 0.5 before it did.
fn thresholds(run: &RunDirectory, config: &RunConfig, task: Task) -> anyhow::Result<Option<Vec<f64>>> {
    if task == Task::SingleLabel {
        return Ok(None);
    }
    let metrics = read_metrics(run)?;
    let judged = metrics.test.or(metrics.validation).map(|report| report.tracks);
    let thresholds: Vec<f64> = match judged {
        Some(SetMetrics::Tags(metrics)) => metrics.per_tag.iter().map(|tag| tag.threshold).collect(),
        _ => Vec::new(),
    };
    if thresholds.len() != config.classes.len() {
        anyhow::bail!(
            "{} has no thresholds of {} tags; run `train eval --run {}`",
            run.path(METRICS_FILE).display(),
            config.classes.len(),
            run.root().display()
        );
    }
    Ok(Some(thresholds))
}

/// What came of all files, to be written down.
struct Answers<'a> {
    files: &'a [PathBuf],
    answers: &'a [Result<Verdict, Rejection>],
    classes: &'a [String],
    thresholds: Option<&'a [f64]>,
    top: usize,
}

impl Answers<'_> {
    fn failed(&self) -> usize {
        self.answers.iter().filter(|answer| answer.is_err()).count()
    }

    fn rows(&self) -> impl Iterator<Item = (&Path, &Result<Verdict, Rejection>)> {
        self.files.iter().map(PathBuf::as_path).zip(self.answers)
    }

    /// Classes by their probability, the likeliest first.
    fn ranked(&self, verdict: &Verdict) -> Vec<(&str, f64)> {
        let mut ranked: Vec<(&str, f64)> = self
            .classes
            .iter()
            .map(String::as_str)
            .zip(verdict.probabilities.iter().copied())
            .collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        ranked
    }

    /// The likeliest class; or the tags at their thresholds or above.
    fn predicted(&self, verdict: &Verdict) -> Vec<&str> {
        match self.thresholds {
            None => self.ranked(verdict).into_iter().take(1).map(|(name, _)| name).collect(),
            Some(thresholds) => {
                let above = verdict.probabilities.iter().zip(thresholds);
                let tags = self.classes.iter().zip(above);
                tags.filter(|(_, (p, threshold))| p >= threshold)
                    .map(|(name, _)| name.as_str())
                    .collect()
            }
        }
    }

    /// A line per file.
    fn table(&self) -> String {
        let names: Vec<String> = self.files.iter().map(|path| path.display().to_string()).collect();
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let mut table = format!("{:<width$}  {:>7}  {}", "file", "time", self.heading());
        for (name, answer) in names.iter().zip(self.answers) {
            let _ = match answer {
                Ok(verdict) => {
                    let top = self.ranked(verdict).into_iter().take(self.top);
                    let top: Vec<String> = top.map(|(class, p)| format!("{class} {:.1} %", 100.0 * p)).collect();
                    let padded = if verdict.heard.padded {
                        "  (shorter than a clip)"
                    } else {
                        ""
                    };
                    let time = minutes(verdict.heard.seconds);
                    write!(table, "\n{name:<width$}  {time:>7}  {}{padded}", top.join("  "))
                }
                Err(rejection) => write!(table, "\n{name:<width$}  {:>7}  {}: {rejection}", "-", rejection.code()),
            };
        }
        table
    }

    fn heading(&self) -> &'static str {
        match self.thresholds {
            None => "genres",
            Some(_) => "tags",
        }
    }

    fn json(&self) -> Vec<Value> {
        let row = |(path, answer): (&Path, &Result<Verdict, Rejection>)| match answer {
            Ok(verdict) => {
                let top = self.ranked(verdict).into_iter().take(self.top);
                let top: Vec<_> = top
                    .map(|(class, p)| json!({ "class": class, "probability": p }))
                    .collect();
                let all: serde_json::Map<String, Value> = self
                    .classes
                    .iter()
                    .cloned()
                    .zip(verdict.probabilities.iter().map(|&p| json!(p)))
                    .collect();
                json!({ "path": path.to_string_lossy(), "ok": true, "seconds": verdict.heard.seconds,
                        "frames": verdict.heard.frames, "padded": verdict.heard.padded,
                        "predicted": self.predicted(verdict), "top": top, "probabilities": all })
            }
            Err(rejection) => json!({ "path": path.to_string_lossy(), "ok": false, "reason": rejection.code(),
                                      "detail": rejection.to_string() }),
        };
        self.rows().map(row).collect()
    }

    /// `path,reason,detail,seconds,frames,predicted` and a column per class.
    fn write_csv(&self, path: &Path) -> anyhow::Result<()> {
        let columns = ["path", "reason", "detail", "seconds", "frames", "predicted"];
        let header = columns.into_iter().chain(self.classes.iter().map(String::as_str));
        let rows = self.rows().map(|(path, answer)| {
            let path = path.to_string_lossy().into_owned();
            let mut row = match answer {
                Ok(verdict) => vec![
                    path,
                    String::new(),
                    String::new(),
                    format!("{:.3}", verdict.heard.seconds),
                    verdict.heard.frames.to_string(),
                    self.predicted(verdict).join("|"),
                ],
                Err(rejection) => {
                    let mut row = vec![path, rejection.code().into(), rejection.to_string()];
                    row.resize(columns.len(), String::new());
                    row
                }
            };
            match answer {
                Ok(verdict) => row.extend(verdict.probabilities.iter().map(|p| format!("{p:.6}"))),
                Err(_) => row.resize(columns.len() + self.classes.len(), String::new()),
            }
            row
        });
        let write = |file: &mut dyn io::Write| -> io::Result<()> {
            let mut writer = csv::Writer::from_writer(file);
            writer.write_record(header)?;
            for row in rows {
                writer.write_record(row)?;
            }
            writer.flush()
        };
        atomic_file::write(path, |file| write(file)).with_context(|| format!("could not write {}", path.display()))
    }
}

/// `3:07`, or `1:02:45` from an hour on.
fn minutes(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_as_on_a_record_sleeve() {
        assert_eq!(
            [0.2, 59.6, 187.0, 3765.0].map(minutes),
            ["0:00", "1:00", "3:07", "1:02:45"]
        );
    }
}
