//! A trial under way: `train fit` as a program of its own, so that what ends a trial ends nothing else.

use super::directory::SweepDirectory;
use super::record::RungResult;
use super::schedule::Job;
use super::search::Trial;
use crate::metrics::MetricSummary;
use crate::process::stop::EXIT_STOPPED;
use crate::report::read_metrics;
use crate::run::directory::{CONFIG_FILE, RunDirectory};
use crate::run::history::{self, HISTORY_FILE};
use crate::settings::device::DeviceChoice;
use anyhow::Context;
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::low_level::signal_name;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;

#[derive(Clone, Debug)]
pub struct Program {
    pub path: PathBuf,
    /// Threads that each may use, where several share the processor.
    pub threads: Option<usize>,
}

/// How a trial's training ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ending {
    /// Its epochs are done, or its patience is over.
    Finished(RungResult),
    /// An error, in a sentence.
    Failed(String),
    /// A signal stopped it, and it can be continued.
    Stopped,
}

/// A trial that is being trained. It stops, as by a batch system's signal, when its standard input ends: when it is asked to,
/// when this is dropped, which waits for it, and when this program ends, however it does.
#[derive(Debug)]
pub(super) struct Running {
    pub job: Job,
    child: Child,
    run: PathBuf,
    log: PathBuf,
    is_over: bool,
}

/// Where rayon, and so every operation on the CPU, looks up how many threads there are.
const THREADS_VARIABLE: &str = "RAYON_NUM_THREADS";

impl Program {
    /// Begins a trial, or continues it.
    pub(super) fn start(
        &self,
        job: Job,
        trial: &Trial,
        device: DeviceChoice,
        directory: &SweepDirectory,
    ) -> anyhow::Result<Running> {
        let (run, log) = (directory.run(job.trial), directory.log(job.trial));
        let mut command = Command::new(&self.path);
        command.args(["fit", "--stop-at-eof", "--device", &device.to_string()]);
        command.args(["--epochs", &job.epochs.to_string()]);
        command.arg("--config").arg(directory.settings(job.trial));
        command.arg("--run").arg(&run);
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
        let stderr = File::options().append(true).create(true).open(&log);
        let stderr = stderr.with_context(|| format!("could not write {}", log.display()))?;
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(stderr);
        let child = command
            .spawn()
            .with_context(|| format!("could not run {}", self.path.display()))?;
        Ok(Running {
            job,
            child,
            run,
            log,
            is_over: false,
        })
    }
}

impl Running {
    /// How it ended, if it has.
    pub fn ended(&mut self) -> anyhow::Result<Option<Ending>> {
        let status = self
            .child
            .try_wait()
            .context("could not look up whether a trial has ended")?;
        self.is_over = status.is_some();
        Ok(status.map(|status| ending(status, &self.run, &self.log)))
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

fn ending(status: ExitStatus, run: &Path, log: &Path) -> Ending {
    // Signals that come before it listens stop it too.
    let is_stopped = status
        .signal()
        .is_some_and(|signal| [SIGINT, SIGTERM, SIGUSR1].contains(&signal));
    if is_stopped || status.code() == Some(EXIT_STOPPED.into()) {
        return Ending::Stopped;
    }
    if let Some(signal) = status.signal() {
        let name = signal_name(signal).map_or_else(|| format!("signal {signal}"), String::from);
        let likely = if name == "SIGKILL" {
            ", as the system does where memory runs out"
        } else {
            ""
        };
        return Ending::Failed(format!("killed by {name}{likely}"));
    }
    if status.success() {
        return match result(run) {
            Ok(result) => Ending::Finished(result),
            Err(error) => Ending::Failed(format!("{error:#}")),
        };
    }
    let said = fs::read(log).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let last = said.lines().rev().map(str::trim).find(|line| !line.is_empty());
    Ending::Failed(match last.map(|line| (line, line.strip_prefix("error: "))) {
        Some((_, Some(error))) => error.into(),
        Some((line, None)) => format!("ended with {status}; the last line of its log is: {line}"),
        None => format!("ended with {status} and an empty log"),
    })
}

/// What a run has come to.
fn result(run: &Path) -> anyhow::Result<RungResult> {
    let (run, _) = RunDirectory::open(run)?;
    let metrics = read_metrics(&run)?;
    let history = run.read(HISTORY_FILE)?.context("it has no history")?;
    let history = history::from_csv(&history).with_context(|| run.path(HISTORY_FILE).display().to_string())?;
    Ok(RungResult {
        epochs: history.len(),
        best_epoch: metrics.best_epoch.context("it has no best epoch")?,
        seconds: history.iter().map(|epoch| epoch.seconds).sum(),
        val: MetricSummary::from(&metrics.val.context("it has no validation metrics")?.tracks),
    })
}

/// Threads that each of several trials may use, of all that this machine runs at once; none where one trial has them all.
pub fn threads_of_each(trials: usize) -> Option<usize> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    (trials > 1).then(|| (cores / trials).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ending_is_a_reason_or_a_stop() {
        let root = tempfile::tempdir().unwrap();
        let (run, log) = (root.path().join("run"), root.path().join("log"));
        let of = |status: i32| ending(ExitStatus::from_raw(status), &run, &log);
        let failed = |reason: &str| Ending::Failed(reason.to_owned());
        assert_eq!((of(75 << 8), of(SIGTERM)), (Ending::Stopped, Ending::Stopped));
        let killed = failed("killed by SIGKILL, as the system does where memory runs out");
        assert_eq!((of(9), of(6)), (killed, failed("killed by SIGABRT")));
        assert_eq!(of(101 << 8), failed("ended with exit status: 101 and an empty log"));
        fs::write(&log, "epoch 1\nerror: the validation loss is not finite\n\n").unwrap();
        assert_eq!(of(1 << 8), failed("the validation loss is not finite"));
        fs::write(&log, "first\nthread panicked\n\n").unwrap();
        let panicked = failed("ended with exit status: 101; the last line of its log is: thread panicked");
        assert_eq!(of(101 << 8), panicked);
        // Without a run there is no result.
        assert!(matches!(of(0), Ending::Failed(_)));
    }

    #[test]
    fn trials_share_the_threads() {
        let cores = thread::available_parallelism().unwrap().get();
        assert_eq!((threads_of_each(1), threads_of_each(cores + 1)), (None, Some(1)));
    }
}
