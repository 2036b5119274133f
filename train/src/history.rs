//! What happened epoch by epoch: `history.csv`.

use crate::metrics::ClassificationMetrics;
use serde::{Deserialize, Serialize};

/// One epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Counted from 1.
    pub epoch: usize,
    /// Wall-clock seconds of training, without validation. Of a resumed epoch, those since it was resumed.
    pub seconds: f64,
    /// Share of those seconds spent waiting for batches.
    pub data_wait: f64,
    /// Over the training clips as they were trained on: augmented, with dropout, weights changing.
    pub train: Figures,
    /// Over the validation clips, after the epoch.
    pub val: Figures,
}

/// The figures of one set in one epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Mean cross-entropy.
    pub loss: f64,
    /// See [`ClassificationMetrics::top1`].
    pub top1: f64,
    /// See [`ClassificationMetrics::macro_f1`].
    pub macro_f1: f64,
    /// The paper's accuracy, precision, recall and F1.
    pub paper: [f64; 4],
}

impl From<&ClassificationMetrics> for Figures {
    fn from(metrics: &ClassificationMetrics) -> Self {
        let paper = metrics.paper;
        Self {
            loss: metrics.loss,
            top1: metrics.top1,
            macro_f1: metrics.macro_f1,
            paper: [paper.accuracy, paper.precision, paper.recall, paper.f1],
        }
    }
}

impl Figures {
    const NAMES: [&str; 7] = [
        "loss",
        "top1",
        "macro_f1",
        "paper_accuracy",
        "paper_precision",
        "paper_recall",
        "paper_f1",
    ];

    fn values(&self) -> [f64; 7] {
        let [accuracy, precision, recall, f1] = self.paper;
        [self.loss, self.top1, self.macro_f1, accuracy, precision, recall, f1]
    }
}

/// The bytes of `history.csv`: a header and a row per epoch.
pub fn to_csv(history: &[EpochRecord]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let header = ["epoch", "seconds", "data_wait"].map(String::from).into_iter().chain(
        ["train", "val"]
            .iter()
            .flat_map(|set| Figures::NAMES.iter().map(move |name| format!("{set}_{name}"))),
    );
    writer.write_record(header).expect("writing into memory cannot fail");
    for record in history {
        let first = [
            record.epoch.to_string(),
            format!("{:.3}", record.seconds),
            format!("{:.4}", record.data_wait),
        ];
        let figures = record
            .train
            .values()
            .into_iter()
            .chain(record.val.values())
            .map(|value| format!("{value:.6}"));
        let row = first.into_iter().chain(figures);
        writer
            .write_record(row)
            .expect("writing into memory cannot fail and rows are as long as the header");
    }
    writer.into_inner().expect("writing into memory cannot fail")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_per_epoch_with_named_columns() {
        let figures = Figures {
            loss: 1.25,
            top1: 0.5,
            macro_f1: 0.4,
            paper: [0.9, 0.6, 0.5, 0.55],
        };
        let record = EpochRecord {
            epoch: 1,
            seconds: 2.0,
            data_wait: 0.015,
            train: figures,
            val: figures,
        };
        let csv = String::from_utf8(to_csv(&[record])).unwrap();
        let mut lines = csv.lines();
        assert!(
            lines
                .next()
                .unwrap()
                .starts_with("epoch,seconds,data_wait,train_loss,train_top1,train_macro_f1,")
        );
        let row: Vec<_> = lines.next().unwrap().split(',').collect();
        assert_eq!(row.len(), 17);
        assert_eq!(row[..5], ["1", "2.000", "0.0150", "1.250000", "0.500000"]);
    }
}
