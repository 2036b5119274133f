//! Decides which trial is trained for how many epochs: successive halving (Jamieson and Talwalkar, "Non-stochastic best
//! arm identification and hyperparameter optimization", AISTATS 2016).
//!
//! With a factor η, n trials of at most E epochs have K + 1 rungs, K = ⌊log_η min(n, E)⌋. Rung k, counted from 0,
//! trains its trials to max(1, ⌊E / η^(K - k)⌋) epochs in total. Then the best ⌊n / η^(k + 1)⌋ by the monitored
//! validation metric continue training; ties go to the lower number. Without a factor there is one rung with all
//! epochs.
//!
//! The schedule depends only on the records, so an interrupted sweep continues as if it had not been interrupted.

use super::record::TrialRecord;
use super::search::Trial;
use super::specification::{SpecificationError, refuse};
use crate::models::Monitor;

/// The rungs of a sweep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    factor: usize,
    monitor: Monitor,
    /// Maximum number of epochs of each trial.
    epochs: Vec<usize>,
    /// Number of trials of each rung.
    rungs: Vec<usize>,
}

/// A trial to train up to a total number of epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    pub trial: usize,
    /// The rung, counted from 0.
    pub rung: usize,
    /// Total, including earlier rungs.
    pub epochs: usize,
}

/// The state of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Trained through the last rung.
    Finished,
    /// Not among the best of a rung.
    Dropped,
    Failed,
    /// Not fully trained yet.
    Due,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Dropped => "dropped",
            Self::Failed => "failed",
            Self::Due => "due",
        }
    }
}

impl Schedule {
    /// Computes the rungs.
    pub fn new(trials: &[Trial], halving: Option<usize>, monitor: Monitor) -> Result<Self, SpecificationError> {
        let mut settings = trials.iter().filter_map(|trial| trial.config.depends_on_epochs());
        if let (Some(_), Some(setting)) = (halving, settings.next()) {
            return Err(refuse(format!(
                "--halving changes --epochs while a trial is trained, and {setting} depends on them; leave out one of them"
            )));
        }
        Self::from_epochs(
            trials.iter().map(|trial| trial.config.epochs).collect(),
            halving,
            monitor,
        )
    }

    fn from_epochs(epochs: Vec<usize>, halving: Option<usize>, monitor: Monitor) -> Result<Self, SpecificationError> {
        let trials = epochs.len();
        let mut rungs = vec![trials];
        if let Some(factor) = halving {
            let max_epochs = epochs.first().copied().unwrap_or(0);
            if epochs.iter().any(|&epochs| epochs != max_epochs) {
                let sentence = "--halving needs the same number of epochs for all trials; set it with --epochs";
                return Err(refuse(sentence));
            }
            let count = trials.min(max_epochs).checked_ilog(factor).unwrap_or(0);
            if count == 0 {
                return Err(refuse(format!(
                    "--halving {factor} needs at least {factor} trials and {factor} epochs; there are {trials} and {max_epochs}"
                )));
            }
            rungs.extend((1..=count).map(|rung| trials / factor.pow(rung)));
        }
        Ok(Self {
            factor: halving.unwrap_or(1),
            monitor,
            epochs,
            rungs,
        })
    }

    /// Number of trials and total number of epochs of each rung; a single rung without successive halving.
    pub fn rungs(&self) -> impl ExactSizeIterator<Item = (usize, usize)> {
        self.rungs
            .iter()
            .enumerate()
            .map(|(rung, &trials)| (trials, self.epochs(0, rung)))
    }

    /// Total epochs of a trial after a rung.
    fn epochs(&self, trial: usize, rung: usize) -> usize {
        let left = (self.rungs.len() - 1 - rung) as u32;
        (self.epochs[trial] / self.factor.pow(left)).max(1)
    }

    /// The trials to train now, in order: the untrained ones of the first incomplete rung. Empty if everything is done.
    pub fn due(&self, records: &[TrialRecord]) -> Vec<Job> {
        self.walk(records).0
    }

    /// The state of every trial.
    pub fn states(&self, records: &[TrialRecord]) -> Vec<State> {
        let (due, members, rung) = self.walk(records);
        let state = |(trial, record): (usize, &TrialRecord)| {
            if record.failure.is_some() {
                State::Failed
            } else if !members.contains(&trial) {
                State::Dropped
            } else if due.is_empty() || record.rungs.len() > rung && self.rungs.len() == rung + 1 {
                State::Finished
            } else {
                State::Due
            }
        };
        records.iter().enumerate().map(state).collect()
    }

    /// The first incomplete rung, or else the last one: its due jobs, its trials, and its number.
    fn walk(&self, records: &[TrialRecord]) -> (Vec<Job>, Vec<usize>, usize) {
        let mut members: Vec<_> = (0..records.len()).collect();
        for rung in 0..self.rungs.len() {
            if rung > 0 {
                members = self.best(records, members, rung);
            }
            let is_due = |&&trial: &&usize| records[trial].failure.is_none() && records[trial].rungs.len() <= rung;
            let job = |&trial: &usize| Job {
                trial,
                rung,
                epochs: self.epochs(trial, rung),
            };
            let due: Vec<_> = members.iter().filter(is_due).map(job).collect();
            if !due.is_empty() {
                return (due, members, rung);
            }
        }
        (Vec::new(), members, self.rungs.len() - 1)
    }

    /// The trials that continue to `rung`, in order.
    fn best(&self, records: &[TrialRecord], members: Vec<usize>, rung: usize) -> Vec<usize> {
        let metrics = |trial: usize| records[trial].rungs.get(rung - 1).map(|result| &result.val);
        let mut ranked: Vec<_> = members
            .into_iter()
            .filter_map(|trial| Some((trial, metrics(trial)?)))
            .collect();
        // A stable sort keeps the order of equal trials.
        ranked.sort_by(|(_, one), (_, other)| one.ranked(other, self.monitor));
        let mut best: Vec<_> = ranked
            .into_iter()
            .take(self.rungs[rung])
            .map(|(trial, _)| trial)
            .collect();
        best.sort_unstable();
        best
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::RungResult;
    use super::super::testing::{metrics, trials};
    use super::*;

    use State::{Dropped, Due, Finished};

    fn result(loss: f64) -> RungResult {
        RungResult {
            epochs: 1,
            best_epoch: 1,
            seconds: 1.0,
            val: metrics(loss),
        }
    }

    fn records(losses: &[&[f64]]) -> Vec<TrialRecord> {
        let record = |losses: &&[f64]| TrialRecord {
            rungs: losses.iter().map(|&loss| result(loss)).collect(),
            failure: None,
        };
        losses.iter().map(record).collect()
    }

    fn halving(trials: usize, epochs: usize, factor: usize) -> Schedule {
        Schedule::from_epochs(vec![epochs; trials], Some(factor), Monitor::Loss).unwrap()
    }

    fn jobs(schedule: &Schedule, records: &[TrialRecord]) -> Vec<(usize, usize, usize)> {
        schedule
            .due(records)
            .iter()
            .map(|job| (job.trial, job.rung, job.epochs))
            .collect()
    }

    #[test]
    fn rungs_follow_successive_halving() {
        let rungs = |schedule: Schedule| schedule.rungs().collect::<Vec<_>>();
        assert_eq!(rungs(halving(9, 27, 3)), [(9, 3), (3, 9), (1, 27)]);
        assert_eq!(rungs(halving(16, 40, 2)), [(16, 2), (8, 5), (4, 10), (2, 20), (1, 40)]);
        // Limited by epochs, then by trials.
        assert_eq!(rungs(halving(20, 4, 2)), [(20, 1), (10, 2), (5, 4)]);
        assert_eq!(rungs(halving(5, 100, 3)), [(5, 33), (1, 100)]);
        for (trials, epochs) in [(2, 9), (9, 2)] {
            let refused = Schedule::from_epochs(vec![epochs; trials], Some(3), Monitor::Loss).unwrap_err();
            let expected = format!("there are {trials} and {epochs}");
            assert!(refused.to_string().ends_with(&expected), "{refused}");
        }
        let refused = Schedule::from_epochs(vec![1, 2], Some(2), Monitor::Loss).unwrap_err();
        assert!(refused.to_string().contains("the same number of epochs"), "{refused}");
    }

    #[test]
    fn the_best_trials_continue_and_ties_go_to_the_lower_number() {
        let schedule = halving(5, 9, 2);
        assert_eq!(schedule.rungs().collect::<Vec<_>>(), [(5, 2), (2, 4), (1, 9)]);
        assert_eq!(
            jobs(&schedule, &records(&[&[] as &[f64]; 5])),
            [0, 1, 2, 3, 4].map(|trial| (trial, 0, 2))
        );
        // One result is missing, so the next rung cannot start.
        let some = records(&[&[3.0], &[1.0], &[], &[2.0], &[2.0]]);
        assert_eq!(jobs(&schedule, &some), [(2, 0, 2)]);
        assert_eq!(schedule.states(&some), [Due; 5]);
        let all = records(&[&[3.0], &[1.0], &[4.0], &[2.0], &[2.0]]);
        assert_eq!(jobs(&schedule, &all), [(1, 1, 4), (3, 1, 4)]);
        assert_eq!(schedule.states(&all), [Dropped, Due, Dropped, Due, Dropped]);
        let last = records(&[&[3.0], &[1.0, 1.0], &[4.0], &[2.0, 0.5], &[2.0]]);
        assert_eq!(jobs(&schedule, &last), [(3, 2, 9)]);
        let done = records(&[&[3.0], &[1.0, 1.0], &[4.0], &[2.0, 0.5, 0.25], &[2.0]]);
        assert_eq!(
            (jobs(&schedule, &done), schedule.states(&done)),
            (vec![], vec![Dropped, Dropped, Dropped, Finished, Dropped])
        );
    }

    #[test]
    fn failed_trials_are_skipped() {
        let schedule = halving(4, 4, 2);
        let mut first_rung = records(&[&[1.0], &[], &[3.0], &[2.0]]);
        first_rung[1].failure = Some("out of memory".into());
        assert_eq!(jobs(&schedule, &first_rung), [(0, 1, 2), (3, 1, 2)]);
        assert_eq!(schedule.states(&first_rung)[1], State::Failed);
        // A trial that fails in a later rung is not replaced.
        let mut later = records(&[&[1.0], &[9.0], &[3.0], &[2.0, 2.0]]);
        later[0].failure = Some("the disk is full".into());
        assert_eq!(jobs(&schedule, &later), [(3, 2, 4)]);
        let mut none = records(&[&[] as &[f64]; 4]);
        none.iter_mut()
            .for_each(|record| record.failure = Some("no data".into()));
        assert_eq!(
            (jobs(&schedule, &none), schedule.states(&none)),
            (vec![], vec![State::Failed; 4])
        );
    }

    #[test]
    fn without_halving_every_trial_is_trained_for_all_its_epochs() {
        let schedule = Schedule::from_epochs(vec![3, 5], None, Monitor::Loss).unwrap();
        assert_eq!(jobs(&schedule, &records(&[&[], &[]])), [(0, 0, 3), (1, 0, 5)]);
        let one = records(&[&[], &[1.0]]);
        assert_eq!(
            (jobs(&schedule, &one), schedule.states(&one)),
            (vec![(0, 0, 3)], vec![Due, Finished])
        );
    }

    #[test]
    fn undefined_metrics_rank_last() {
        let schedule = Schedule::from_epochs(vec![2; 2], Some(2), Monitor::AucRoc).unwrap();
        let mut both = records(&[&[1.0], &[2.0]]);
        both[1].rungs[0].val.auc_roc = Some(0.1);
        assert_eq!(jobs(&schedule, &both), [(1, 1, 2)]);
    }

    #[test]
    fn settings_that_depend_on_epochs_are_refused_with_halving() {
        for (values, setting) in [
            ("lr_schedule=constant,cosine", "--lr-schedule cosine"),
            ("average_last=0,2", "--average-last"),
        ] {
            let trials = trials(&[values]);
            assert!(Schedule::new(&trials, None, Monitor::Loss).is_ok());
            let refused = Schedule::new(&trials, Some(2), Monitor::Loss).unwrap_err().to_string();
            assert!(refused.contains(&format!("{setting} depends on them")), "{refused}");
        }
        let trials = trials(&["lr_schedule=constant,plateau"]);
        assert!(Schedule::new(&trials, Some(2), Monitor::Loss).is_ok());
    }
}
