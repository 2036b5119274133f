//! Charts of the metrics over the epochs.

use crate::metrics::MetricSummary;
use crate::run::history::EpochRecord;
use shared::page::{Axis, Chart, Plot, Series, Shape, Style, file};

/// A metric's name and value; `None` if the task does not have the metric.
pub type Column = (&'static str, fn(&MetricSummary) -> Option<f64>);

/// The metrics to draw, three for each task.
pub const COLUMNS: [Column; 5] = [
    LOSS,
    ("top-1", |metrics| metrics.top1),
    ("macro F1", |metrics| metrics.top1.and(Some(metrics.macro_f1))),
    ("mean AUC-ROC", |metrics| metrics.auc_roc),
    ("mean AUC-PR", |metrics| metrics.auc_pr),
];

const LOSS: Column = ("loss", |metrics| Some(metrics.loss));
const MACRO_F1: Column = ("macro F1", |metrics| Some(metrics.macro_f1));

/// `curves.svg`: loss and macro F1 side by side.
pub fn picture(history: &[EpochRecord]) -> String {
    let charts = [LOSS, MACRO_F1].map(|column| training_and_validation(column, history, None));
    file(&charts, 2)
}

/// A metric on the training and the validation set, with a vertical line at the best epoch if there is one.
pub fn training_and_validation((name, metric): Column, history: &[EpochRecord], best: Option<usize>) -> Chart {
    let points = |set: fn(&EpochRecord) -> &MetricSummary| -> Vec<[f64; 2]> {
        let point = |epoch: &EpochRecord| Some([epoch.epoch as f64, metric(set(epoch))?]);
        history.iter().filter_map(point).collect()
    };
    let lines = vec![
        ("validation".to_owned(), points(|epoch| &epoch.val)),
        ("training".to_owned(), points(|epoch| &epoch.train)),
    ];
    let at_best = best.and_then(|best| history.iter().find(|epoch| epoch.epoch == best));
    let plot = lines_by_epoch(name, lines);
    Plot {
        subtitle: at_best.map_or(String::new(), |epoch| {
            let value = metric(&epoch.val).map_or("undefined".into(), |value| format!("{value:.3}"));
            format!("{value} on the validation set at the best epoch ({})", epoch.epoch)
        }),
        rule: best.map(|best| (best as f64, "best epoch".into())),
        ..plot
    }
    .draw()
}

/// A metric by epoch, one line per name.
pub fn lines_by_epoch(title: &str, lines: Vec<(String, Vec<[f64; 2]>)>) -> Plot {
    let all = || lines.iter().flat_map(|(_, points)| points);
    let last = all().map(|point| point[0]).fold(2.0, f64::max);
    let axes = [
        Axis::linear("epoch", 1.0, last).integer_ticks(),
        Axis::around("", all().map(|point| point[1])),
    ];
    let [x, y] = axes;
    let series = lines.into_iter().enumerate().map(|(at, (name, points))| Series {
        name,
        style: Style::Series(at),
        shape: Shape::Dotted(points),
    });
    Plot {
        series: series.collect(),
        ..Plot::new(title, x, y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_are_drawn_for_any_number_of_epochs() {
        let metrics = |loss| MetricSummary {
            loss,
            top1: Some(0.5),
            macro_f1: 0.5,
            paper: [0.5; 4],
            auc_roc: None,
            auc_pr: None,
        };
        let record = |epoch: usize| EpochRecord {
            epoch,
            seconds: 1.0,
            data_wait: 0.0,
            clips: 4,
            lr: 1e-3,
            train: metrics(2.0 / epoch as f64),
            val: metrics(2.1 / epoch as f64),
        };
        for epochs in [0, 1, 2, 30] {
            let history: Vec<_> = (1..=epochs).map(record).collect();
            let svg = picture(&history);
            assert!(svg.starts_with("<svg") && svg.contains("macro F1") && svg.contains("validation"));
            assert_eq!(svg.matches("<polyline").count(), 4, "two lines in each of two charts");
            assert_eq!(svg.matches("<circle").count(), 4 * epochs);
        }
        let chart = training_and_validation(LOSS, &[record(1), record(2)], Some(2))
            .inline()
            .into_string();
        assert!(
            chart.contains("1.050 on the validation set at the best epoch (2)"),
            "{chart}"
        );
    }
}
