//! A sweep's results as `sweep.csv`, text and JSON.

use super::axis::show;
use super::record::TrialRecord;
use super::schedule::State;
use super::search::Trial;
use crate::metrics::MetricSummary;
use crate::models::Monitor;
use crate::process::text_table::{Align, fitted_table};
use crate::run::history::{METRIC_NAMES, values};
use serde_json::{Value, json};
use std::cmp::Ordering;

/// All trials and their results.
#[derive(Debug)]
pub struct Results<'a> {
    pub trials: &'a [Trial],
    pub records: &'a [TrialRecord],
    pub states: &'a [State],
    /// The metric that ranks the trials.
    pub monitor: Monitor,
}

/// A metric column of the text table.
type Column = (&'static str, fn(&MetricSummary) -> Option<f64>);

impl Results<'_> {
    /// The trial's validation metrics at its best epoch so far; `None` for a failed trial.
    pub fn metrics(&self, trial: usize) -> Option<&MetricSummary> {
        let record = &self.records[trial];
        record
            .last()
            .filter(|_| record.failure.is_none())
            .map(|result| &result.val)
    }

    pub fn watched(&self, trial: usize) -> Option<f64> {
        self.metrics(trial)?.watched(self.monitor)
    }

    /// All trials, best first; ties are ordered by number, and trials without metrics are last.
    pub fn ranked(&self) -> Vec<usize> {
        let mut order: Vec<_> = (0..self.trials.len()).collect();
        order.sort_by(|&one, &other| self.compare(one, other));
        order
    }

    fn compare(&self, one: usize, other: usize) -> Ordering {
        match (self.metrics(one), self.metrics(other)) {
            (Some(one), Some(other)) => one.ranked(other, self.monitor),
            (one, other) => other.is_some().cmp(&one.is_some()),
        }
    }

    /// The best finished trial.
    pub fn best(&self) -> Option<usize> {
        let mut ranked = self.ranked().into_iter();
        ranked.find(|&trial| self.states[trial] == State::Finished && self.metrics(trial).is_some())
    }

    pub fn count(&self, state: State) -> usize {
        self.states.iter().filter(|&&other| other == state).count()
    }

    /// The content of `sweep.csv`: a row per trial, in order.
    pub fn to_csv(&self) -> Vec<u8> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let names = self.trials.first().map_or(&[][..], |trial| &trial.values);
        let header = ["trial".to_owned()]
            .into_iter()
            .chain(names.iter().map(|(name, _)| name.clone()))
            // Not `epochs`, because that is a setting and may be varied.
            .chain(["state", "epochs_trained", "best_epoch"].map(String::from))
            .chain(METRIC_NAMES.iter().map(|name| format!("val_{name}")))
            .chain(["seconds", "reason"].map(String::from));
        writer.write_record(header).expect("writing into memory cannot fail");
        for (number, trial) in self.trials.iter().enumerate() {
            let (record, last) = (&self.records[number], self.records[number].last());
            let metrics = self.metrics(number).map_or([None; METRIC_NAMES.len()], values);
            let row = [number.to_string()]
                .into_iter()
                .chain(trial.values.iter().map(|(_, value)| show(value)))
                .chain([
                    self.states[number].name().to_owned(),
                    last.map_or(String::new(), |last| last.epochs.to_string()),
                    last.map_or(String::new(), |last| last.best_epoch.to_string()),
                ])
                .chain(metrics.map(|metric| metric.map_or(String::new(), |metric| format!("{metric:.6}"))))
                .chain([
                    last.map_or(String::new(), |last| format!("{:.3}", last.seconds)),
                    record.failure.clone().unwrap_or_default(),
                ]);
            let written = writer.write_record(row);
            written.expect("writing into memory cannot fail and rows are as long as the header");
        }
        writer.into_inner().expect("writing into memory cannot fail")
    }

    /// The text table for a terminal of this width, best trial first.
    pub fn to_text(&self, width: Option<usize>) -> String {
        let columns: [Column; 5] = [
            ("loss", |metrics| Some(metrics.loss)),
            ("top-1", |metrics| metrics.top1),
            ("macro F1", |metrics| Some(metrics.macro_f1)),
            ("AUC-ROC", |metrics| metrics.auc_roc),
            ("AUC-PR", |metrics| metrics.auc_pr),
        ];
        let any = |get: fn(&MetricSummary) -> Option<f64>| {
            (0..self.trials.len()).any(|trial| self.metrics(trial).and_then(get).is_some())
        };
        let columns: Vec<_> = columns.into_iter().filter(|(_, get)| any(*get)).collect();
        let names = self.trials.first().map_or(&[][..], |trial| &trial.values);
        let mut rows = vec![
            ["trial"]
                .into_iter()
                .chain(names.iter().map(|(name, _)| name.as_str()))
                .chain(columns.iter().map(|(name, _)| *name))
                .chain(["best epoch", "epochs trained", "seconds", "state"])
                .map(String::from)
                .collect::<Vec<_>>(),
        ];
        for trial in self.ranked() {
            let (metrics, last) = (self.metrics(trial), self.records[trial].last());
            let metric = |get: fn(&MetricSummary) -> Option<f64>| {
                metrics
                    .and_then(get)
                    .map_or("-".into(), |metric| format!("{metric:.4}"))
            };
            let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".into());
            rows.push(
                [trial.to_string()]
                    .into_iter()
                    .chain(self.trials[trial].values.iter().map(|(_, value)| show(value)))
                    .chain(columns.iter().map(|(_, get)| metric(*get)))
                    .chain([
                        or_dash(last.map(|last| last.best_epoch.to_string())),
                        or_dash(last.map(|last| last.epochs.to_string())),
                        or_dash(last.map(|last| format!("{:.1}", last.seconds))),
                        self.states[trial].name().to_owned(),
                    ])
                    .collect(),
            );
        }
        fitted_table(&rows, Align::Right, 1, width)
    }

    /// The rows as JSON, best trial first.
    pub fn to_json(&self) -> Value {
        let row = |trial: usize| {
            let (record, last) = (&self.records[trial], self.records[trial].last());
            let settings: serde_json::Map<_, _> = self.trials[trial]
                .values
                .iter()
                .map(|(name, value)| (name.clone(), json!(value)))
                .collect();
            json!({
                "trial": trial,
                "settings": settings,
                "state": self.states[trial].name(),
                "epochs": last.map(|last| last.epochs),
                "best_epoch": last.map(|last| last.best_epoch),
                "val": self.metrics(trial),
                "seconds": last.map(|last| last.seconds),
                "reason": record.failure,
            })
        };
        self.ranked().into_iter().map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::RungResult;
    use super::super::testing::{metrics, trials};
    use super::*;

    fn record(loss: f64) -> TrialRecord {
        TrialRecord {
            rungs: vec![RungResult {
                epochs: 4,
                best_epoch: 3,
                seconds: 1.25,
                val: metrics(loss),
            }],
            failure: None,
        }
    }

    #[test]
    fn result_columns_differ_from_setting_names() {
        for name in crate::settings::Settings::names() {
            let trials = trials(&["weight_decay=1e-5,0.01", "dropout=0.1,0.2"]);
            let trials: Vec<_> = trials
                .into_iter()
                .map(|mut trial| {
                    trial.values.iter_mut().for_each(|(varied, _)| varied.clone_from(&name));
                    trial.values.truncate(1);
                    trial
                })
                .collect();
            let records = vec![record(0.75); trials.len()];
            let states = vec![State::Finished; trials.len()];
            let results = Results {
                trials: &trials,
                records: &records,
                states: &states,
                monitor: Monitor::Loss,
            };
            let csv = String::from_utf8(results.to_csv()).unwrap();
            let header: Vec<_> = csv.lines().next().unwrap().split(',').collect();
            assert_eq!(header.iter().filter(|column| **column == name).count(), 1, "{csv}");
        }
    }

    #[test]
    fn tables_rank_trials_best_first() {
        let trials = trials(&["weight_decay=1e-5,0.01", "dropout=0.1,0.2"]);
        let mut failed = record(0.1);
        failed.failure = Some("out of memory, it says".into());
        let records = [record(0.75), record(0.5), failed, TrialRecord::default()];
        let states = [State::Dropped, State::Finished, State::Failed, State::Due];
        let results = Results {
            trials: &trials,
            records: &records,
            states: &states,
            monitor: Monitor::Loss,
        };
        assert_eq!((results.ranked(), results.best()), (vec![1, 0, 2, 3], Some(1)));
        let csv = String::from_utf8(results.to_csv()).unwrap();
        let lines: Vec<_> = csv.lines().collect();
        assert!(
            lines[0].starts_with(
                "trial,weight_decay,dropout,state,epochs_trained,best_epoch,val_loss,val_top1,val_macro_f1,"
            )
        );
        assert!(
            lines[1].starts_with("0,1e-5,0.1,dropped,4,3,0.750000,0.500000,"),
            "{csv}"
        );
        assert_eq!(
            lines[3],
            "2,0.01,0.1,failed,4,3,,,,,,,,,,1.250,\"out of memory, it says\""
        );
        assert_eq!(lines[4], "3,0.01,0.2,due,,,,,,,,,,,,,");
        let text = results.to_text(None);
        let lines: Vec<_> = text.lines().collect();
        assert!(
            lines[0].ends_with("loss   top-1  macro F1  best epoch  epochs trained  seconds     state"),
            "{text}"
        );
        assert!(
            lines[1]
                .trim_start()
                .starts_with("1          1e-5      0.2  0.5000  0.5000"),
            "{text}"
        );
        assert!(lines[3].ends_with("failed") && !text.contains("AUC"), "{text}");
        let json = results.to_json();
        assert_eq!(
            (&json[0]["trial"], &json[0]["settings"]["dropout"]),
            (&json!(1), &json!(0.2))
        );
        assert_eq!(
            (&json[2]["reason"], &json[2]["val"]),
            (&json!("out of memory, it says"), &Value::Null)
        );
    }
}
