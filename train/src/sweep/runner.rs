//! Trials on devices: as many at once as there are slots, in the order in which they are due.

use super::child::{Ending, Program, Running};
use super::directory::SweepDirectory;
use super::progress::{Board, Line};
use super::schedule::Job;
use super::search::Trial;
use crate::models::Monitor;
use crate::process::stop::StopRequest;
use crate::run::directory::RunDirectory;
use crate::settings::device::DeviceChoice;
use std::collections::VecDeque;
use std::thread;
use std::time::Duration;

/// How often trials are asked after.
const PAUSE: Duration = Duration::from_millis(40);

/// What trains trials.
pub struct Runner<'a> {
    /// How each is trained.
    pub program: Program,
    /// A slot for each trial that may be under way at once, and the device that it is on.
    pub slots: Vec<DeviceChoice>,
    /// The sweep's files.
    pub directory: &'a SweepDirectory,
    /// All trials by their numbers.
    pub trials: &'a [Trial],
    /// The figure that is shown.
    pub monitor: Monitor,
    /// Says whether to stop.
    pub stop: StopRequest<'a>,
    /// Where progress is shown.
    pub board: Board,
}

/// One trial under way, and its line on the terminal.
struct Slot {
    device: DeviceChoice,
    running: Option<(Running, Line)>,
}

impl Runner<'_> {
    /// Trains what is due and hands over each trial's end. Returns the signal that stopped it, after all trials have saved
    /// what they have and ended.
    pub fn run(
        &self,
        due: Vec<Job>,
        mut over: impl FnMut(Job, Ending) -> anyhow::Result<()>,
    ) -> anyhow::Result<Option<&'static str>> {
        let mut queue = VecDeque::from(due);
        let mut slots: Vec<_> = self
            .slots
            .iter()
            .map(|&device| Slot { device, running: None })
            .collect();
        let mut stopped = None;
        let mut waits_for = None;
        loop {
            for slot in &mut slots {
                let Some((running, line)) = &mut slot.running else {
                    continue;
                };
                match running.ended()? {
                    None => line.update(self.directory, self.monitor),
                    Some(ending) => {
                        let job = running.job;
                        slot.running = None;
                        match ending {
                            // Stopped by somebody else than this program, who may have stopped this one too.
                            Ending::Stopped => queue.push_front(job),
                            ending => over(job, ending)?,
                        }
                    }
                }
            }
            if let (None, Some(signal)) = (stopped, (self.stop)()) {
                stopped = Some(signal);
                slots
                    .iter_mut()
                    .filter_map(|slot| slot.running.as_mut())
                    .for_each(|(running, _)| running.stop());
                self.board.say(&format!(
                    "{signal}: waiting for the trials under way to save what they have"
                ));
            }
            let is_idle = slots.iter().all(|slot| slot.running.is_none());
            if is_idle && (stopped.is_some() || queue.is_empty()) {
                return Ok(stopped);
            }
            for slot in slots
                .iter_mut()
                .filter(|slot| slot.running.is_none() && stopped.is_none())
            {
                // Of a sweep that was killed trials may still be under way, and nothing that they do is lost.
                let is_free = |job: &Job| !RunDirectory::is_busy(&self.directory.run(job.trial));
                let Some(job) = queue.iter().position(is_free).and_then(|at| queue.remove(at)) else {
                    break;
                };
                let trial = &self.trials[job.trial];
                let running = self.program.start(job, trial, slot.device, self.directory)?;
                let line = self.board.begin(job, slot.device, &trial.describe());
                slot.running = Some((running, line));
            }
            if let (true, Some(job)) = (slots.iter().all(|slot| slot.running.is_none()), queue.front())
                && stopped.is_none()
                && waits_for.replace(job.trial) != Some(job.trial)
            {
                self.board.say(&format!(
                    "trial {} is still being trained by another `train`; waiting for it to end",
                    job.trial
                ));
            }
            thread::sleep(PAUSE);
        }
    }
}
