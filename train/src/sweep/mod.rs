//! Sweeps: the same training with other settings, again and again, and which were best on the validation set.
//!
//! A [`Specification`] enters; [`search`] makes trials of it, [`schedule`] says which is trained for how long, [`runner`]
//! trains each as a program of its own, [`table`] and [`picture`] show what came of it. The test set is never looked at:
//! that is for the run that is chosen, once.

pub mod axis;
pub mod child;
pub mod directory;
pub mod picture;
pub mod progress;
pub mod record;
pub mod runner;
pub mod schedule;
pub mod search;
pub mod specification;
pub mod table;
#[cfg(test)]
mod testing;

pub use axis::{GridAxis, Range};
pub use specification::{Specification, SpecificationError};

use crate::models::Monitor;
use crate::process::stop::StopRequest;
use crate::settings::device::DeviceChoice;
use child::{Ending, Program};
use directory::{PICTURE_FILE, SweepDirectory, TABLE_FILE};
use progress::Board;
use record::TrialRecord;
use runner::Runner;
use schedule::{Job, Schedule, State};
use search::Trial;
use table::Results;

/// A sweep that is about to be made, or gone on with.
pub struct Sweep<'a> {
    /// What is tried.
    pub specification: &'a Specification,
    /// By their numbers.
    pub trials: &'a [Trial],
    /// How they are thinned out.
    pub schedule: &'a Schedule,
    /// By which figure.
    pub monitor: Monitor,
    /// Where everything lies. Locked.
    pub directory: &'a SweepDirectory,
}

/// What a sweep has come to.
#[derive(Debug)]
pub struct Standing {
    /// Of each trial.
    pub records: Vec<TrialRecord>,
    /// Of each trial.
    pub states: Vec<State>,
    /// The signal that stopped it, if one did.
    pub stopped: Option<&'static str>,
}

impl Sweep<'_> {
    /// Trains what is not trained yet, from `records` on.
    ///
    /// # Errors
    /// Where the sweep's own files cannot be written or trials cannot be started. A trial that fails is a row.
    pub fn run(
        &self,
        mut records: Vec<TrialRecord>,
        program: Program,
        slots: Vec<DeviceChoice>,
        stop: StopRequest<'_>,
        board: Board,
    ) -> anyhow::Result<Standing> {
        let runner = Runner {
            program,
            slots,
            directory: self.directory,
            trials: self.trials,
            monitor: self.monitor,
            stop,
            board,
        };
        self.trials
            .iter()
            .try_for_each(|trial| self.directory.save_settings(trial.number, &trial.settings))?;
        self.show(&records)?;
        let mut stopped = None;
        while stopped.is_none() {
            let due = self.schedule.due(&records);
            if due.is_empty() {
                break;
            }
            stopped = runner.run(due, |job, ending| {
                let record = &mut records[job.trial];
                runner.board.say(&self.describe(job, &ending));
                match ending {
                    Ending::Finished(result) => record.rungs.push(result),
                    Ending::Failed(reason) => record.failure = Some(reason),
                    Ending::Stopped => return Ok(()),
                }
                self.directory.save_record(job.trial, record)?;
                self.show(&records)
            })?;
        }
        Ok(Standing {
            states: self.schedule.states(&records),
            records,
            stopped,
        })
    }

    /// The table and the picture of what is known.
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
        let came_to = match ending {
            Ending::Finished(result) => {
                let figure = result.validation.watched(self.monitor);
                let figure = figure.map_or("undefined".into(), |figure| format!("{figure:.4}"));
                format!(
                    "validation {} {figure} (epoch {} of {}), {:.1} s",
                    self.monitor.describe(),
                    result.best_epoch,
                    result.epochs,
                    result.seconds
                )
            }
            Ending::Failed(reason) => format!("failed: {reason}"),
            Ending::Stopped => "stopped".into(),
        };
        format!("trial {} ({settings}): {came_to}", job.trial)
    }
}
