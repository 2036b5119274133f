//! What a person sees of trials under way: a line each on a terminal; elsewhere a line when one ends.

use super::directory::SweepDirectory;
use super::schedule::Job;
use crate::models::Monitor;
use crate::process::console::Console;
use crate::run::history::HISTORY_FILE;
use crate::settings::device::DeviceChoice;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// The lines of all trials.
#[derive(Debug)]
pub struct Board {
    console: Console,
    lines: MultiProgress,
}

/// The line of a trial, gone when it is dropped.
#[derive(Debug)]
pub struct Line {
    job: Job,
    bar: ProgressBar,
    /// When the history that is shown was written.
    shown: Option<SystemTime>,
}

const TICK: Duration = Duration::from_millis(120);

impl Board {
    /// A board on stderr; empty where that is no terminal, or where nothing shall be shown.
    pub fn new(console: Console) -> Self {
        let lines = console.lines();
        Self { console, lines }
    }

    /// A line that stays.
    pub fn say(&self, text: &str) {
        self.lines.suspend(|| self.console.line(text));
    }

    /// A line for a trial.
    pub fn begin(&self, job: Job, device: DeviceChoice, settings: &str) -> Line {
        let style = ProgressStyle::with_template("{spinner} {prefix}  {bar:20} epoch {pos}/{len} {msg} {elapsed}")
            .expect("the template is constant and valid");
        let bar = self.lines.add(ProgressBar::new(job.epochs as u64).with_style(style));
        bar.set_prefix(format!("trial {} on {device}: {settings}", job.trial));
        if !self.lines.is_hidden() {
            bar.enable_steady_tick(TICK);
        }
        Line { job, bar, shown: None }
    }
}

impl Line {
    /// Shows where the trial stands, if that is seen by anybody.
    pub fn update(&mut self, directory: &SweepDirectory, monitor: Monitor) {
        if self.bar.is_hidden() {
            return;
        }
        let path = directory.run(self.job.trial).join(HISTORY_FILE);
        let written = fs::metadata(&path).and_then(|metadata| metadata.modified()).ok();
        if written == self.shown {
            return;
        }
        self.shown = written;
        if let Some((epoch, figure)) = last_epoch(&path, monitor) {
            self.bar.set_position(epoch);
            self.bar.set_message(format!("{} {figure}", monitor.describe()));
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// The last epoch of a history and its figure, as they are written there.
fn last_epoch(path: &Path, monitor: Monitor) -> Option<(u64, String)> {
    let mut reader = csv::Reader::from_path(path).ok()?;
    let names = match monitor {
        Monitor::Loss => ["val_loss"; 2],
        Monitor::Accuracy => ["val_top1", "val_paper_accuracy"],
        Monitor::MacroF1 => ["val_macro_f1"; 2],
        Monitor::AucRoc => ["val_auc_roc"; 2],
    };
    let header = reader.headers().ok()?.clone();
    let row = reader.records().last()?.ok()?;
    let cell = |name: &str| row.get(header.iter().position(|column| column == name)?);
    let figure = names.into_iter().filter_map(cell).find(|figure| !figure.is_empty())?;
    Some((cell("epoch")?.parse().ok()?, figure.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Figures;
    use crate::run::history::{EpochRecord, to_csv};

    #[test]
    fn the_last_epoch_of_a_history_is_shown_by_the_figure_that_is_watched() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("history.csv");
        let figures = |top1, auc_roc| Figures {
            loss: 0.5,
            top1,
            macro_f1: 0.25,
            paper: [0.75; 4],
            auc_roc,
            auc_pr: None,
        };
        let record = |epoch, val| EpochRecord {
            epoch,
            seconds: 1.0,
            data_wait: 0.0,
            clips: 4,
            train: figures(None, None),
            val,
        };
        assert_eq!(last_epoch(&path, Monitor::Loss), None);
        let (classes, tags) = (figures(Some(0.625), None), figures(None, Some(0.875)));
        fs::write(&path, to_csv(&[record(1, tags), record(2, classes)])).unwrap();
        assert_eq!(last_epoch(&path, Monitor::Loss), Some((2, "0.500000".into())));
        assert_eq!(last_epoch(&path, Monitor::Accuracy), Some((2, "0.625000".into())));
        assert_eq!(last_epoch(&path, Monitor::MacroF1), Some((2, "0.250000".into())));
        assert_eq!(last_epoch(&path, Monitor::AucRoc), None);
        fs::write(&path, to_csv(&[record(1, tags)])).unwrap();
        assert_eq!(last_epoch(&path, Monitor::Accuracy), Some((1, "0.750000".into())));
        assert_eq!(last_epoch(&path, Monitor::AucRoc), Some((1, "0.875000".into())));
    }
}
