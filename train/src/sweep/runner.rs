//! Trains the scheduled trials, one per slot at a time, and updates records, table and picture.

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
use std::collections::VecDeque;
use std::thread;
use std::time::Duration;

/// Polling interval.
const PAUSE: Duration = Duration::from_millis(40);

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

/// A device with the trial that runs on it, if any.
struct Slot {
    device: DeviceChoice,
    running: Option<(Running, Line)>,
}

impl Sweep<'_> {
    /// Trains the remaining trials and completes `records`. If a signal stops the sweep, waits for all trials to save
    /// and end, and returns the signal.
    ///
    /// # Errors
    /// If the sweep's files cannot be written or trials cannot be started. A failed trial is not an error; it is
    /// recorded.
    pub fn run(&self, records: &mut [TrialRecord]) -> anyhow::Result<Option<&'static str>> {
        self.trials
            .iter()
            .try_for_each(|trial| self.directory.save_settings(trial.number, &trial.settings))?;
        self.show(records)?;
        loop {
            let due = self.schedule.due(records);
            if due.is_empty() {
                return Ok(None);
            }
            if let Some(signal) = self.train(due, records)? {
                return Ok(Some(signal));
            }
        }
    }

    /// Trains the due trials; returns the signal if stopped.
    fn train(&self, due: Vec<Job>, records: &mut [TrialRecord]) -> anyhow::Result<Option<&'static str>> {
        let mut queue = VecDeque::from(due);
        let slot = |&device: &DeviceChoice| Slot { device, running: None };
        let mut slots: Vec<Slot> = self.slots.iter().map(slot).collect();
        let mut stopped = None;
        let mut waiting_for = None;
        loop {
            self.collect(&mut slots, &mut queue, records)?;
            if let (None, Some(signal)) = (stopped, (self.stop)()) {
                stopped = Some(signal);
                slots
                    .iter_mut()
                    .filter_map(|slot| slot.running.as_mut())
                    .for_each(|(running, _)| running.stop());
                self.lines
                    .print(&format!("{signal}: waiting for running trials to save and stop"));
            }
            if stopped.is_none() {
                self.start(&mut slots, &mut queue)?;
            }
            let is_idle = slots.iter().all(|slot| slot.running.is_none());
            match queue.front() {
                _ if !is_idle => {}
                Some(job) if stopped.is_none() => {
                    if waiting_for.replace(job.trial) != Some(job.trial) {
                        self.lines.print(&format!(
                            "trial {} is still being trained by another `train` process; waiting for it to end",
                            job.trial
                        ));
                    }
                }
                _ => return Ok(stopped),
            }
            thread::sleep(PAUSE);
        }
    }

    /// Records the trials that have ended.
    fn collect(
        &self,
        slots: &mut [Slot],
        queue: &mut VecDeque<Job>,
        records: &mut [TrialRecord],
    ) -> anyhow::Result<()> {
        for slot in slots {
            let Some((running, line)) = &mut slot.running else {
                continue;
            };
            let Some(ending) = running.ended()? else {
                line.update(self.directory, self.monitor);
                continue;
            };
            let job = running.job;
            slot.running = None;
            let described = self.describe(job, &ending);
            let record = &mut records[job.trial];
            match ending {
                // It was stopped by a signal from outside, which may also have stopped this program.
                Ending::Stopped => {
                    queue.push_front(job);
                    continue;
                }
                Ending::Finished(result) => record.rungs.push(result),
                Ending::Failed(reason) => record.failure = Some(reason),
            }
            self.lines.print(&described);
            self.directory.save_record(job.trial, record)?;
            self.show(records)?;
        }
        Ok(())
    }

    /// Starts trials in free slots.
    fn start(&self, slots: &mut [Slot], queue: &mut VecDeque<Job>) -> anyhow::Result<()> {
        for slot in slots.iter_mut().filter(|slot| slot.running.is_none()) {
            // Trials of a killed sweep may still be running; their results are kept.
            let is_free = |job: &Job| !RunDirectory::is_busy(&self.directory.run(job.trial));
            let Some(job) = queue.iter().position(is_free).and_then(|at| queue.remove(at)) else {
                break;
            };
            let trial = &self.trials[job.trial];
            let running = self.program.start(job, trial, slot.device, self.directory)?;
            let line = self.lines.begin(job, slot.device, &trial.describe());
            slot.running = Some((running, line));
        }
        Ok(())
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
