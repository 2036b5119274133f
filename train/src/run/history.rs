//! `history.csv`: one row of metrics per epoch.

use crate::metrics::MetricSummary;
use crate::models::Monitor;
use serde::{Deserialize, Serialize};

pub const HISTORY_FILE: &str = "history.csv";

/// One epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Counted from 1.
    pub epoch: usize,
    /// Wall-clock seconds of training without validation, summed over all processes that trained the epoch.
    pub seconds: f64,
    /// Fraction of those seconds spent waiting for batches.
    pub data_wait: f64,
    /// Number of training clips.
    pub clips: usize,
    /// The learning rate at the last step.
    pub lr: f64,
    /// On the training clips during training: augmented, with dropout, while the weights change.
    pub train: MetricSummary,
    /// On the validation tracks after the epoch. Each track counts once, even if it is cut into several clips; `train`
    /// counts every clip.
    pub val: MetricSummary,
}

impl EpochRecord {
    /// Training clips per second; `None` if no time was measured.
    pub fn clips_per_second(&self) -> Option<f64> {
        (self.seconds > 0.0).then(|| self.clips as f64 / self.seconds)
    }
}

/// The epoch with the best validation metric; the earliest if several are equal.
pub fn best(history: &[EpochRecord], monitor: Monitor) -> Option<&EpochRecord> {
    let better = |best: &'_ EpochRecord, record: &'_ EpochRecord| record.val.better(&best.val, monitor);
    history
        .iter()
        .reduce(|best, record| if better(best, record) { record } else { best })
}

/// The last epoch whose validation metric was better by more than `min_delta` than that of the last such epoch before
/// it, as in Keras' and Lightning's early stopping. The first epoch counts. With a `min_delta` of 0 it is the best one.
pub fn last_improvement(history: &[EpochRecord], monitor: Monitor, min_delta: f64) -> Option<&EpochRecord> {
    let improves = |last: &'_ EpochRecord, record: &'_ EpochRecord| record.val.improves(&last.val, monitor, min_delta);
    history
        .iter()
        .reduce(|last, record| if improves(last, record) { record } else { last })
}

/// Names of the metrics, used as column names.
pub const METRIC_NAMES: [&str; 9] = [
    "loss",
    "top1",
    "macro_f1",
    "paper_accuracy",
    "paper_precision",
    "paper_recall",
    "paper_f1",
    "auc_roc",
    "auc_pr",
];

/// The metrics in the order of [`METRIC_NAMES`]; `None` if the task does not have a metric.
pub fn values(metrics: &MetricSummary) -> [Option<f64>; 9] {
    let [accuracy, precision, recall, f1] = metrics.paper.map(Some);
    [
        Some(metrics.loss),
        metrics.top1,
        Some(metrics.macro_f1),
        accuracy,
        precision,
        recall,
        f1,
        metrics.auc_roc,
        metrics.auc_pr,
    ]
}

/// The bytes of `history.csv`: a header and a row per epoch.
pub fn to_csv(history: &[EpochRecord]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let header = ["epoch", "seconds", "data_wait", "clips", "lr"]
        .map(String::from)
        .into_iter()
        .chain(
            ["train", "val"]
                .iter()
                .flat_map(|set| METRIC_NAMES.iter().map(move |name| format!("{set}_{name}"))),
        );
    writer.write_record(header).expect("writing into memory cannot fail");
    for record in history {
        let first = [
            record.epoch.to_string(),
            format!("{:.3}", record.seconds),
            format!("{:.4}", record.data_wait),
            record.clips.to_string(),
            format!("{:.6e}", record.lr),
        ];
        let metrics = [&record.train, &record.val].into_iter().flat_map(values);
        let metrics = metrics.map(|metric| metric.map_or(String::new(), |metric| format!("{metric:.6}")));
        let row = first.into_iter().chain(metrics);
        writer
            .write_record(row)
            .expect("writing into memory cannot fail and rows are as long as the header");
    }
    writer.into_inner().expect("writing into memory cannot fail")
}

/// A table that [`to_csv`] did not write.
#[derive(Debug, thiserror::Error)]
#[error("row {row} (counted from 1, after the header): {detail}")]
pub struct HistoryError {
    row: usize,
    detail: String,
}

/// Reads the table that [`to_csv`] wrote. Columns are found by name, so the table may have others.
///
/// # Errors
/// If a column is missing or a cell is not a number.
pub fn from_csv(bytes: &[u8]) -> Result<Vec<EpochRecord>, HistoryError> {
    let wrong = |row: usize, detail: String| HistoryError { row, detail };
    let mut reader = csv::Reader::from_reader(bytes);
    let header = reader.headers().map_err(|error| wrong(0, error.to_string()))?.clone();
    let mut history = Vec::new();
    for (at, record) in reader.records().enumerate() {
        let record = record.map_err(|error| wrong(at + 1, error.to_string()))?;
        let cell = |name: &str| {
            let column = header.iter().position(|column| column == name);
            let cell = column.and_then(|column| record.get(column));
            cell.ok_or_else(|| wrong(at + 1, format!("there is no column {name}")))
        };
        let number = |name: &str| {
            let cell = cell(name)?;
            cell.parse::<f64>()
                .map_err(|_| wrong(at + 1, format!("{name} is `{cell}`, not a number")))
        };
        let optional = |name: &str| match cell(name)? {
            "" => Ok(None),
            _ => number(name).map(Some),
        };
        let metrics = |set: &str| -> Result<MetricSummary, HistoryError> {
            let paper = |name: &str| number(&format!("{set}_paper_{name}"));
            Ok(MetricSummary {
                loss: number(&format!("{set}_loss"))?,
                top1: optional(&format!("{set}_top1"))?,
                macro_f1: number(&format!("{set}_macro_f1"))?,
                paper: [paper("accuracy")?, paper("precision")?, paper("recall")?, paper("f1")?],
                auc_roc: optional(&format!("{set}_auc_roc"))?,
                auc_pr: optional(&format!("{set}_auc_pr"))?,
            })
        };
        history.push(EpochRecord {
            epoch: number("epoch")? as usize,
            seconds: number("seconds")?,
            data_wait: number("data_wait")?,
            clips: number("clips")? as usize,
            lr: number("lr")?,
            train: metrics("train")?,
            val: metrics("val")?,
        });
    }
    Ok(history)
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// Epochs with these validation losses.
    pub fn history(losses: &[f64]) -> Vec<EpochRecord> {
        let metrics = |loss| MetricSummary {
            loss,
            top1: Some(0.0),
            macro_f1: 0.0,
            paper: [0.0; 4],
            auc_roc: None,
            auc_pr: None,
        };
        let record = |(at, &loss): (usize, &f64)| EpochRecord {
            epoch: at + 1,
            seconds: 1.0,
            data_wait: 0.0,
            clips: 4,
            lr: 1e-3,
            train: metrics(1.0),
            val: metrics(loss),
        };
        losses.iter().enumerate().map(record).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn best_epoch_is_the_first_with_the_best_metric() {
        let past = testing::history(&[3.0, 1.5, 2.0, 1.5]);
        assert_eq!(best(&past, Monitor::Loss).unwrap().epoch, 2);
        assert_eq!(best(&past[..1], Monitor::Loss).unwrap().epoch, 1);
        assert!(best(&[], Monitor::Loss).is_none());
    }

    #[test]
    fn small_improvements_count_once_they_add_up_to_min_delta() {
        let past = testing::history(&[3.0, 2.75, 2.5, 2.25, 2.125]);
        let last = |min_delta| last_improvement(&past, Monitor::Loss, min_delta).unwrap().epoch;
        assert_eq!(last(0.0), 5);
        assert_eq!(last(0.125), 4);
        // 2.5 is not better than 3 by more than 0.5, and 2.25 is.
        assert_eq!(last(0.5), 4);
        assert_eq!(last(0.8), 5);
        assert_eq!(last(1.0), 1);
        assert!(last_improvement(&[], Monitor::Loss, 0.0).is_none());
    }

    #[test]
    fn history_is_read_back_from_a_csv_with_named_columns() {
        let metrics = MetricSummary {
            loss: 1.25,
            top1: Some(0.5),
            macro_f1: 0.4,
            paper: [0.9, 0.6, 0.5, 0.55],
            auc_roc: None,
            auc_pr: None,
        };
        let record = EpochRecord {
            epoch: 1,
            seconds: 2.0,
            data_wait: 0.015,
            clips: 70,
            lr: 1e-3,
            train: metrics,
            val: metrics,
        };
        let history = [record];
        assert_eq!(from_csv(&to_csv(&history)).unwrap(), history);
        let csv = String::from_utf8(to_csv(&history)).unwrap();
        let error = |csv: String| from_csv(csv.as_bytes()).unwrap_err().to_string();
        assert!(error(csv.replace("1.250000", "high")).contains("`high`"));
        assert!(error(csv.replace("val_loss", "loss")).contains("no column val_loss"));
        let mut lines = csv.lines();
        assert!(
            lines
                .next()
                .unwrap()
                .starts_with("epoch,seconds,data_wait,clips,lr,train_loss,train_top1,train_macro_f1,")
        );
        let row: Vec<_> = lines.next().unwrap().split(',').collect();
        assert_eq!(row.len(), 23);
        assert_eq!(row[..6], ["1", "2.000", "0.0150", "70", "1.000000e-3", "1.250000"]);
        assert_eq!(row[12..15], ["", "", "1.250000"]);
        assert_eq!(history[0].clips_per_second(), Some(35.0));
    }
}
