//! Trains the scheduled trials, one per slot at a time, and updates records, table and picture.
//!
//! Other processes may work on the same sweep. A process trains only trials that it has claimed, and reads the records
//! again before it decides what to train. So each trial is trained once, and what is trained does not depend on the
//! number of processes.

use super::child::{Ending, Program, Running};
use super::directory::{PICTURE_FILE, SweepDirectory, TABLE_FILE};
use super::picture;
use super::progress::{Line, Lines};
use super::record::TrialRecord;
use super::schedule::{Job, Schedule};
use super::search::Trial;
use super::specification::Specification;
use super::table::Results;
use crate::models::Monitor;
use crate::process::stop::StopRequest;
use crate::run::directory::RunDirectory;
use crate::settings::device::DeviceChoice;
use std::fs::File;
use std::thread;
use std::time::{Duration, Instant};

/// Polling interval of the trials of this process.
const PAUSE: Duration = Duration::from_millis(40);
/// Polling interval of the records and claims of other processes.
const LOOK: Duration = Duration::from_secs(1);

/// A sweep to start or continue.
pub struct Sweep<'a> {
    pub specification: &'a Specification,
    pub trials: &'a [Trial],
    pub schedule: &'a Schedule,
    /// The metric that trials are ranked by.
    pub monitor: Monitor,
    pub directory: &'a SweepDirectory,
    pub program: Program,
    /// One device per trial that may run at once.
    pub slots: Vec<DeviceChoice>,
    pub stop: StopRequest<'a>,
    pub lines: Lines,
}

/// How the work of this process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All trials are done.
    Done,
    /// Other processes are training the last trials.
    LeftToOthers,
    /// A signal stopped it.
    Stopped(&'static str),
}

/// A device with the trial that runs on it, if any.
struct Slot {
    device: DeviceChoice,
    /// The trial, its line, and the claim of this process, which is dropped after the trial has ended.
    running: Option<(Running, Line, File)>,
}

/// Due trials that this process could not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Waiting {
    /// One of them.
    trial: usize,
    /// Whether there may be work for this process later.
    is_useful: bool,
}

impl Sweep<'_> {
    /// Saves the settings of all trials and the table, and returns the records. Call it while the directory is locked.
    ///
    /// # Errors
    /// If the sweep's files cannot be read or written.
    pub fn begin(&self, retry_failed: bool) -> anyhow::Result<Vec<TrialRecord>> {
        self.trials
            .iter()
            .try_for_each(|trial| self.directory.save_settings(trial.number, &trial.settings))?;
        let mut records = self.directory.records(self.trials.len())?;
        for (trial, record) in records.iter_mut().enumerate() {
            if retry_failed && record.failure.take().is_some() {
                self.directory.save_record(trial, record)?;
            }
        }
        self.show(&records)?;
        Ok(records)
    }

    /// Trains the remaining trials and completes `records`. If a signal stops the sweep, waits for all trials of this
    /// process to save and end.
    ///
    /// # Errors
    /// If the sweep's files cannot be read or written, or trials cannot be started. A failed trial is not an error; it
    /// is recorded.
    pub fn run(&self, records: &mut Vec<TrialRecord>) -> anyhow::Result<Ended> {
        let slot = |&device: &DeviceChoice| Slot { device, running: None };
        let mut slots: Vec<Slot> = self.slots.iter().map(slot).collect();
        let mut stopped = None;
        let mut waiting_for = None;
        let mut looked: Option<Instant> = None;
        loop {
            if self.collect(&mut slots, records)? {
                looked = None;
            }
            if let (None, Some(signal)) = (stopped, (self.stop)()) {
                stopped = Some(signal);
                slots
                    .iter_mut()
                    .filter_map(|slot| slot.running.as_mut())
                    .for_each(|(running, ..)| running.stop());
                self.lines
                    .print(&format!("{signal}: waiting for running trials to save and stop"));
            }
            let is_idle = slots.iter().all(|slot| slot.running.is_none());
            if let (Some(signal), true) = (stopped, is_idle) {
                return Ok(Ended::Stopped(signal));
            }
            let has_free_slot = slots.iter().any(|slot| slot.running.is_none());
            if stopped.is_none() && has_free_slot && looked.is_none_or(|looked| looked.elapsed() >= LOOK) {
                looked = Some(Instant::now());
                let waiting = self.start(&mut slots, records)?;
                if slots.iter().all(|slot| slot.running.is_none()) {
                    match waiting {
                        None if self.schedule.due(records).is_empty() => return Ok(Ended::Done),
                        // The records have changed.
                        None => looked = None,
                        Some(Waiting { is_useful: false, .. }) => return Ok(Ended::LeftToOthers),
                        Some(Waiting { trial, .. }) => {
                            if waiting_for.replace(trial) != Some(trial) {
                                self.lines.print(&format!(
                                    "trial {trial} is still being trained by another `train` process; waiting for it to end"
                                ));
                            }
                        }
                    }
                }
            }
            thread::sleep(PAUSE);
        }
    }

    /// Records the trials that have ended. Whether there were any.
    fn collect(&self, slots: &mut [Slot], records: &mut Vec<TrialRecord>) -> anyhow::Result<bool> {
        let mut any = false;
        for slot in slots {
            let Some((running, line, _)) = &mut slot.running else {
                continue;
            };
            let Some(ending) = running.ended()? else {
                line.update(self.directory, self.monitor);
                continue;
            };
            any = true;
            let job = running.job;
            let claim = slot.running.take().map(|(_, _, claim)| claim);
            let described = self.describe(job, &ending);
            let mut record = self.directory.record(job.trial)?;
            match ending {
                // It was stopped by a signal from outside, which may also have stopped this program.
                Ending::Stopped => continue,
                Ending::Finished(result) => record.rungs.push(result),
                Ending::Failed(reason) => record.failure = Some(reason),
            }
            self.lines.print(&described);
            let _lock = self.directory.lock()?;
            self.directory.save_record(job.trial, &record)?;
            *records = self.directory.records(self.trials.len())?;
            self.show(records)?;
            drop(claim);
        }
        Ok(any)
    }

    /// Starts due trials in free slots. Returns a trial that could not be started, if slots are left.
    fn start(&self, slots: &mut [Slot], records: &mut Vec<TrialRecord>) -> anyhow::Result<Option<Waiting>> {
        *records = self.directory.records(self.trials.len())?;
        let is_own = |slots: &[Slot], trial| {
            let mut running = slots.iter().filter_map(|slot| slot.running.as_ref());
            running.any(|(running, ..)| running.job.trial == trial)
        };
        let mut waiting: Option<Waiting> = None;
        for job in self.schedule.due(records) {
            // A second lock of the same file by the same process may succeed on a network file system.
            if is_own(slots, job.trial) {
                continue;
            }
            let Some(slot) = slots.iter_mut().find(|slot| slot.running.is_none()) else {
                return Ok(None);
            };
            let claim = self.directory.claim(job.trial)?;
            // A trial of a killed sweep may still be running; its results are kept.
            let is_orphan = claim.is_some() && RunDirectory::is_busy(&self.directory.run(job.trial));
            let Some(claim) = claim.filter(|_| !is_orphan) else {
                let is_useful = is_orphan || job.rung + 1 < self.schedule.rungs().len();
                // An orphan must be waited for, whoever trains the others.
                if waiting.is_none_or(|waiting| !waiting.is_useful && is_useful) {
                    waiting = Some(Waiting {
                        trial: job.trial,
                        is_useful,
                    });
                }
                continue;
            };
            // Another process may have trained it since the records were read.
            let record = self.directory.record(job.trial)?;
            if record != records[job.trial] {
                records[job.trial] = record;
                continue;
            }
            let trial = &self.trials[job.trial];
            let running = self.program.start(job, trial, slot.device, self.directory)?;
            let line = self.lines.begin(job, slot.device, &trial.describe());
            slot.running = Some((running, line, claim));
        }
        Ok(waiting)
    }

    /// Writes the table and the picture.
    fn show(&self, records: &[TrialRecord]) -> anyhow::Result<()> {
        let states = self.schedule.states(records);
        let results = Results {
            trials: self.trials,
            records,
            states: &states,
            monitor: self.monitor,
        };
        self.directory.write(TABLE_FILE, &results.to_csv())?;
        if let Some(picture) = picture::draw(self.specification, &results) {
            self.directory.write(PICTURE_FILE, picture.as_bytes())?;
        }
        Ok(())
    }

    fn describe(&self, job: Job, ending: &Ending) -> String {
        let settings = self.trials[job.trial].describe();
        let outcome = match ending {
            Ending::Finished(result) => {
                let metric = result.val.watched(self.monitor);
                let metric = metric.map_or("undefined".into(), |metric| format!("{metric:.4}"));
                format!(
                    "validation {} {metric} (epoch {} of {}), {:.1} s",
                    self.monitor.describe(),
                    result.best_epoch,
                    result.epochs,
                    result.seconds
                )
            }
            Ending::Failed(reason) => format!("failed: {reason}"),
            Ending::Stopped => "stopped".into(),
        };
        format!("trial {} ({settings}): {outcome}", job.trial)
    }
}
