//! Runs a trial as a child process of `train fit`, so a crash or lack of memory ends only that trial.

use super::directory::SweepDirectory;
use super::record::RungResult;
use super::schedule::Job;
use super::search::Trial;
use crate::metrics::MetricSummary;
use crate::process::stop::EXIT_STOPPED;
use crate::report::read_metrics;
use crate::run::directory::{CONFIG_FILE, RunDirectory};
use crate::run::history::{self, HISTORY_FILE};
use crate::settings::cores;
use crate::settings::device::DeviceChoice;
use anyhow::Context;
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::low_level::signal_name;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

#[derive(Clone, Debug)]
pub struct Program {
    pub path: PathBuf,
    /// Threads per trial if several trials run at once.
    pub threads: Option<usize>,
}

/// How a trial's training ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ending {
    /// All epochs are done, or early stopping ended it.
    Finished(RungResult),
    /// An error message.
    Failed(String),
    /// A signal stopped it; it can be continued.
    Stopped,
}

/// A running trial. It saves and stops when its standard input ends: on [`Running::stop`], on drop (which waits for
/// it), and when this program ends for any reason.
#[derive(Debug)]
pub(super) struct Running {
    pub job: Job,
    child: Child,
    run: PathBuf,
    log: PathBuf,
    has_ended: bool,
}

/// rayon reads its number of threads from here, and all CPU operations use rayon.
const THREADS_VARIABLE: &str = "RAYON_NUM_THREADS";

impl Program {
    /// Starts a trial or continues it.
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
            has_ended: false,
        })
    }
}

impl Running {
    /// How it ended; `None` while it is running.
    pub fn ended(&mut self) -> anyhow::Result<Option<Ending>> {
        let status = self
            .child
            .try_wait()
            .context("could not check whether a trial has ended")?;
        self.has_ended = status.is_some();
        Ok(status.map(|status| ending(status, &self.run, &self.log)))
    }

    /// Makes it save everything and exit.
    pub fn stop(&mut self) {
        self.child.stdin = None;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
        if !self.has_ended {
            // An error cannot be handled here.
            let _ = self.child.wait();
        }
    }
}

fn ending(status: ExitStatus, run: &Path, log: &Path) -> Ending {
    // A signal before the child installs its handlers kills it.
    let is_stopped = status
        .signal()
        .is_some_and(|signal| [SIGINT, SIGTERM, SIGUSR1].contains(&signal));
    if is_stopped || status.code() == Some(EXIT_STOPPED.into()) {
        return Ending::Stopped;
    }
    if let Some(signal) = status.signal() {
        let name = signal_name(signal).map_or_else(|| format!("signal {signal}"), String::from);
        let cause = if name == "SIGKILL" {
            ", probably because memory ran out"
        } else {
            ""
        };
        return Ending::Failed(format!("killed by {name}{cause}"));
    }
    if status.success() {
        return match result(run) {
            Ok(result) => Ending::Finished(result),
            Err(error) => Ending::Failed(format!("{error:#}")),
        };
    }
    let log = fs::read(log).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let last = log.lines().rev().map(str::trim).find(|line| !line.is_empty());
    Ending::Failed(match last.map(|line| (line, line.strip_prefix("error: "))) {
        Some((_, Some(error))) => error.into(),
        Some((line, None)) => format!("ended with {status}; the last line of its log is: {line}"),
        None => format!("ended with {status} and an empty log"),
    })
}

/// Reads the result from the run's files.
fn result(run: &Path) -> anyhow::Result<RungResult> {
    let (run, _) = RunDirectory::open(run)?;
    let metrics = read_metrics(&run)?;
    let history = run.read(HISTORY_FILE)?.context("the run has no history")?;
    let history = history::from_csv(&history).with_context(|| run.path(HISTORY_FILE).display().to_string())?;
    Ok(RungResult {
        epochs: history.len(),
        best_epoch: metrics.best_epoch.context("the run has no best epoch")?,
        seconds: history.iter().map(|epoch| epoch.seconds).sum(),
        val: MetricSummary::from(&metrics.val.context("the run has no validation metrics")?.tracks),
    })
}

/// Threads per trial if `trials` run at once; `None` if there is only one, which may use all.
pub fn threads_per_trial(trials: usize) -> Option<usize> {
    (trials > 1).then(|| (cores() / trials).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ending_is_read_from_exit_status_and_log() {
        let root = tempfile::tempdir().unwrap();
        let (run, log) = (root.path().join("run"), root.path().join("log"));
        let ended = |status: i32| ending(ExitStatus::from_raw(status), &run, &log);
        let failed = |reason: &str| Ending::Failed(reason.to_owned());
        assert_eq!((ended(75 << 8), ended(SIGTERM)), (Ending::Stopped, Ending::Stopped));
        let killed = failed("killed by SIGKILL, probably because memory ran out");
        assert_eq!((ended(9), ended(6)), (killed, failed("killed by SIGABRT")));
        assert_eq!(ended(101 << 8), failed("ended with exit status: 101 and an empty log"));
        fs::write(&log, "epoch 1\nerror: the validation loss is not finite\n\n").unwrap();
        assert_eq!(ended(1 << 8), failed("the validation loss is not finite"));
        fs::write(&log, "first\nthread panicked\n\n").unwrap();
        let panicked = failed("ended with exit status: 101; the last line of its log is: thread panicked");
        assert_eq!(ended(101 << 8), panicked);
        // It exited successfully, but there is no run.
        assert!(matches!(ended(0), Ending::Failed(_)));
    }

    #[test]
    fn concurrent_trials_share_the_threads() {
        let cores = std::thread::available_parallelism().unwrap().get();
        assert_eq!((threads_per_trial(1), threads_per_trial(cores + 1)), (None, Some(1)));
    }
}
