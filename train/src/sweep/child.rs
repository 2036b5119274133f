//! A trial under way: `train fit` as a program of its own, so that what ends a trial ends nothing else.

use super::directory::SweepDirectory;
use super::record::RungResult;
use super::schedule::Job;
use super::search::Trial;
use crate::metrics::{Figures, SetReport};
use crate::process::stop::EXIT_STOPPED;
use crate::run::directory::CONFIG_FILE;
use crate::settings::device::DeviceChoice;
use anyhow::Context;
use serde::Deserialize;
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::low_level::signal_name;
use std::fs::{self, File};
use std::io::{Read, Seek};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;

/// How trials are trained.
#[derive(Clone, Debug)]
pub struct Program {
    /// This program.
    pub path: PathBuf,
    /// Threads that each may use, where several share the processor.
    pub threads: Option<usize>,
}

/// How a trial's training ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// Its epochs are done, or its patience is over.
    Finished(RungResult),
    /// An error, in a sentence.
    Failed(String),
    /// A signal stopped it where it can go on.
    Stopped,
}

/// A trial that is being trained. It stops, as by a batch system's signal, when its standard input ends: when it is asked to,
/// when this is dropped, which waits for it, and when this program ends, however it does.
#[derive(Debug)]
pub struct Running {
    /// What it is for.
    pub job: Job,
    child: Child,
    stdout: File,
    log: PathBuf,
    is_over: bool,
}

/// The line that `train fit --json` ends with.
#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    error: Option<String>,
    #[serde(flatten)]
    done: Option<Done>,
}

#[derive(Deserialize)]
struct Done {
    epochs: usize,
    best_epoch: usize,
    seconds: f64,
    validation: SetReport,
}

/// By which rayon, and so every operation on the CPU, is told how many threads there are.
const THREADS_VARIABLE: &str = "RAYON_NUM_THREADS";

impl Program {
    /// Begins a trial, or goes on with it.
    pub fn start(
        &self,
        job: Job,
        trial: &Trial,
        device: DeviceChoice,
        directory: &SweepDirectory,
    ) -> anyhow::Result<Running> {
        let (run, log) = (directory.run(job.trial), directory.log(job.trial));
        let mut command = Command::new(&self.path);
        command.args(["fit", "--json", "--stop-at-eof", "--device", &device.to_string()]);
        command.args(["--epochs", &job.epochs.to_string()]);
        command
            .arg("--config")
            .arg(directory.settings(job.trial))
            .arg("--run")
            .arg(&run);
        if run.join(CONFIG_FILE).exists() {
            command.arg("--resume");
        }
        if let Some(threads) = self.threads.map(|threads| threads.to_string()) {
            if std::env::var_os(THREADS_VARIABLE).is_none() {
                command.env(THREADS_VARIABLE, &threads);
            }
            if !trial.settings.contains_key("loader_threads") {
                command.args(["--loader-threads", &threads]);
            }
        }
        let open_log = || File::options().append(true).create(true).open(&log);
        let stderr = open_log().with_context(|| format!("could not write {}", log.display()))?;
        let stdout = tempfile::tempfile().context("could not make a temporary file for what a trial says")?;
        let of_child = stdout
            .try_clone()
            .context("could not share a temporary file with a trial")?;
        let child = command.stdin(Stdio::piped()).stdout(of_child).stderr(stderr).spawn();
        let child = child.with_context(|| format!("could not run {}", self.path.display()))?;
        Ok(Running {
            job,
            child,
            stdout,
            log,
            is_over: false,
        })
    }
}

impl Running {
    /// How it ended, if it has.
    pub fn ended(&mut self) -> anyhow::Result<Option<Ending>> {
        let Some(status) = self.child.try_wait().context("could not ask after a trial")? else {
            return Ok(None);
        };
        self.is_over = true;
        let mut said = String::new();
        self.stdout.rewind().context("could not read what a trial said")?;
        self.stdout
            .read_to_string(&mut said)
            .context("could not read what a trial said")?;
        let line = said.lines().last().and_then(|line| serde_json::from_str(line).ok());
        Ok(Some(ending(status, line, &self.log)))
    }

    /// Asks it to save everything and end.
    pub fn stop(&mut self) {
        self.child.stdin = None;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
        if !self.is_over {
            // Nothing can be done about a child that cannot be waited for.
            let _ = self.child.wait();
        }
    }
}

fn ending(status: ExitStatus, line: Option<Line>, log: &Path) -> Ending {
    if status.code() == Some(EXIT_STOPPED.into()) {
        return Ending::Stopped;
    }
    if let Some(signal) = status.signal() {
        // Those that stop it, come before it listened.
        if [SIGINT, SIGTERM, SIGUSR1].contains(&signal) {
            return Ending::Stopped;
        }
        let name = signal_name(signal).map_or_else(|| format!("signal {signal}"), String::from);
        let likely = if name == "SIGKILL" {
            ", as the system does where memory runs out"
        } else {
            ""
        };
        return Ending::Failed(format!("killed by {name}{likely}"));
    }
    match line {
        Some(Line { done: Some(done), .. }) if status.success() => Ending::Finished(RungResult {
            epochs: done.epochs,
            best_epoch: done.best_epoch,
            seconds: done.seconds,
            validation: Figures::from(&done.validation.tracks),
        }),
        Some(Line { error: Some(error), .. }) => Ending::Failed(error),
        _ => Ending::Failed(match last_line(log) {
            Some(said) => format!("ended with {status}; the last that it said is: {said}"),
            None => format!("ended with {status} and said nothing"),
        }),
    }
}

/// The last line of a log that says something. Of a log that cannot be read there is none.
fn last_line(log: &Path) -> Option<String> {
    let text = String::from_utf8_lossy(&fs::read(log).ok()?).into_owned();
    text.lines()
        .rev()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .map(String::from)
}

/// Threads that each of several trials may use, of all that this machine runs at once; none where one trial has them all.
pub fn threads_of_each(trials: usize) -> Option<usize> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    (trials > 1).then(|| (cores / trials).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{ClassificationMetrics, ConfusionMatrix, SetMetrics};
    use serde_json::json;

    fn status(code: i32) -> ExitStatus {
        ExitStatus::from_raw(code << 8)
    }

    fn line(value: serde_json::Value) -> Option<Line> {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn an_ending_is_a_result_a_reason_or_a_stop() {
        let root = tempfile::tempdir().unwrap();
        let log = root.path().join("log");
        let failed = |reason: &str| Ending::Failed(reason.to_owned());
        assert_eq!(ending(status(75), None, &log), Ending::Stopped);
        assert_eq!(ending(ExitStatus::from_raw(15), None, &log), Ending::Stopped);
        let killed = ending(ExitStatus::from_raw(9), None, &log);
        assert_eq!(
            killed,
            failed("killed by SIGKILL, as the system does where memory runs out")
        );
        assert_eq!(ending(ExitStatus::from_raw(6), None, &log), failed("killed by SIGABRT"));
        let error = line(json!({ "ok": false, "error": "the validation loss is not finite" }));
        assert_eq!(
            ending(status(1), error, &log),
            failed("the validation loss is not finite")
        );
        assert_eq!(
            ending(status(101), None, &log),
            failed("ended with exit status: 101 and said nothing")
        );
        fs::write(&log, "first\nthread panicked\n\n").unwrap();
        let panicked = failed("ended with exit status: 101; the last that it said is: thread panicked");
        assert_eq!(ending(status(101), None, &log), panicked);
        let names = ["a", "b"].map(String::from);
        let metrics = ClassificationMetrics::new(&ConfusionMatrix::new(2), &names, 0.25);
        let figures = SetReport {
            tracks: SetMetrics::Classes(metrics),
            clips: 0,
            per_clip: None,
        };
        let done = json!({
            "ok": true, "command": "fit", "epochs": 3, "best_epoch": 2, "seconds": 1.5, "validation": figures,
        });
        let Ending::Finished(result) = ending(status(0), line(done.clone()), &log) else {
            panic!("it ended well");
        };
        assert_eq!((result.epochs, result.best_epoch, result.validation.loss), (3, 2, 0.25));
        // A line without what is needed is no result.
        let mut less = done;
        less.as_object_mut().unwrap().remove("validation");
        assert!(matches!(ending(status(0), line(less), &log), Ending::Failed(_)));
    }

    #[test]
    fn trials_share_the_threads() {
        let cores = thread::available_parallelism().unwrap().get();
        assert_eq!((threads_of_each(1), threads_of_each(cores + 1)), (None, Some(1)));
    }
}
