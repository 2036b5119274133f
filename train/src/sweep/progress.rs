//! Progress of running trials: one bar per trial on a terminal, otherwise a line when a trial ends.

use super::directory::SweepDirectory;
use super::schedule::Job;
use crate::models::Monitor;
use crate::process::console::Console;
use crate::run::history::{self, HISTORY_FILE};
use crate::settings::device::DeviceChoice;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::fs;
use std::time::{Duration, SystemTime};

/// The progress bars of all trials.
#[derive(Debug)]
pub struct Lines {
    console: Console,
    lines: MultiProgress,
}

/// The progress bar of a trial, removed on drop.
#[derive(Debug)]
pub(super) struct Line {
    trial: usize,
    bar: ProgressBar,
    /// Modification time of the history that is shown.
    shown: Option<SystemTime>,
}

const TICK: Duration = Duration::from_millis(120);

impl Lines {
    /// Progress bars on stderr; hidden if stderr is not a terminal or the console is quiet.
    pub fn new(console: Console) -> Self {
        let lines = console.lines();
        Self { console, lines }
    }

    pub(super) fn print(&self, text: &str) {
        self.lines.suspend(|| self.console.line(text));
    }

    /// Adds the progress bar of a trial.
    pub(super) fn begin(&self, job: Job, device: DeviceChoice, settings: &str) -> Line {
        let style = ProgressStyle::with_template("{spinner} {prefix:36!} {bar:8} {pos}/{len} {msg} {elapsed}")
            .expect("the template is constant and valid");
        let bar = self.lines.add(ProgressBar::new(job.epochs as u64).with_style(style));
        bar.set_prefix(format!("trial {} on {device}: {settings}", job.trial));
        if !self.lines.is_hidden() {
            bar.enable_steady_tick(TICK);
        }
        Line {
            trial: job.trial,
            bar,
            shown: None,
        }
    }
}

impl Line {
    /// Shows the trial's last epoch.
    pub fn update(&mut self, directory: &SweepDirectory, monitor: Monitor) {
        if self.bar.is_hidden() {
            return;
        }
        let path = directory.run(self.trial).join(HISTORY_FILE);
        let written = fs::metadata(&path).and_then(|metadata| metadata.modified()).ok();
        if written == self.shown {
            return;
        }
        self.shown = written;
        let history = fs::read(&path).ok().and_then(|bytes| history::from_csv(&bytes).ok());
        if let Some(last) = history.as_ref().and_then(|history| history.last()) {
            let metric = last
                .val
                .watched(monitor)
                .map_or("undefined".into(), |metric| format!("{metric:.4}"));
            self.bar.set_position(last.epoch as u64);
            self.bar.set_message(format!("{} {metric}", monitor.describe()));
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
