//! The metrics of a set of runs: one row per run, then mean and standard deviation.

use crate::metrics::{MetricSummary, SetMetrics};
use serde_json::{Map, Value, json};

/// One run's metrics on a set.
pub(super) struct MemberMetrics {
    /// `seed 4`, `fold 2`.
    pub(super) label: String,
    pub(super) best_epoch: usize,
    pub(super) metrics: MetricSummary,
}

impl MemberMetrics {
    pub(super) fn new(label: &str, best_epoch: usize, metrics: &SetMetrics) -> Self {
        Self {
            label: label.to_owned(),
            best_epoch,
            metrics: MetricSummary::from(metrics),
        }
    }
}

/// Mean and standard deviation of a metric over the runs, with `n - 1` in the denominator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) mean: f64,
    pub(super) standard_deviation: f64,
}

impl Spread {
    fn from_values(values: &[f64]) -> Self {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Self {
            mean,
            standard_deviation: (squares / (count - 1.0)).sqrt(),
        }
    }
}

/// The metrics that the task has: display name, JSON key, and one value per run.
fn columns(runs: &[MemberMetrics]) -> Vec<(&'static str, &'static str, Vec<f64>)> {
    type Get = fn(&MetricSummary) -> Option<f64>;
    let all: [(&str, &str, Get); 5] = [
        ("top-1", "top1", |metrics| metrics.top1),
        ("AUC-ROC", "auc_roc", |metrics| metrics.auc_roc),
        ("AUC-PR", "auc_pr", |metrics| metrics.auc_pr),
        ("macro F1", "macro_f1", |metrics| Some(metrics.macro_f1)),
        ("loss", "loss", |metrics| Some(metrics.loss)),
    ];
    let column = |(name, key, get): (&'static str, &'static str, Get)| {
        let values: Option<Vec<f64>> = runs.iter().map(|run| get(&run.metrics)).collect();
        values.map(|values| (name, key, values))
    };
    all.into_iter().filter_map(column).collect()
}

pub(super) fn text(runs: &[MemberMetrics]) -> String {
    let columns = columns(runs);
    let mut table = format!("{:<18}  {:>10}", "run", "best epoch");
    columns.iter().for_each(|(name, ..)| table += &format!("  {name:>8}"));
    for (row, run) in runs.iter().enumerate() {
        table += &format!("\n{:<18}  {:>10}", run.label, run.best_epoch);
        columns
            .iter()
            .for_each(|(.., values)| table += &format!("  {:>8.4}", values[row]));
    }
    let spreads: Vec<Spread> = columns.iter().map(|(.., values)| Spread::from_values(values)).collect();
    type Get = fn(&Spread) -> f64;
    let rows: [(&str, Get); 2] = [
        ("mean", |spread| spread.mean),
        ("standard deviation", |spread| spread.standard_deviation),
    ];
    for (name, get) in rows {
        table += &format!("\n{name:<18}  {:>10}", "");
        spreads
            .iter()
            .for_each(|spread| table += &format!("  {:>8.4}", get(spread)));
    }
    table
}

/// An object with the keys `runs`, `mean` and `standard_deviation`.
pub(super) fn json(runs: &[MemberMetrics]) -> Map<String, Value> {
    let columns = columns(runs);
    let row = |(row, run): (usize, &MemberMetrics)| {
        let mut line = json!({ "run": run.label, "best_epoch": run.best_epoch });
        columns
            .iter()
            .for_each(|(_, key, values)| line[*key] = json!(values[row]));
        line
    };
    let statistic = |get: fn(Spread) -> f64| -> Value {
        columns
            .iter()
            .map(|(_, key, values)| ((*key).to_owned(), json!(get(Spread::from_values(values)))))
            .collect::<Map<_, _>>()
            .into()
    };
    let rows: Vec<Value> = runs.iter().enumerate().map(row).collect();
    Map::from_iter([
        ("runs".to_owned(), json!(rows)),
        ("mean".to_owned(), statistic(|spread| spread.mean)),
        (
            "standard_deviation".to_owned(),
            statistic(|spread| spread.standard_deviation),
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(label: &str, top1: f64) -> MemberMetrics {
        MemberMetrics {
            label: label.into(),
            best_epoch: 3,
            metrics: MetricSummary {
                loss: 1.0,
                top1: Some(top1),
                macro_f1: 0.5,
                paper: [0.5; 4],
                auc_roc: None,
                auc_pr: None,
            },
        }
    }

    #[test]
    fn table_ends_with_mean_and_standard_deviation() {
        let runs = [run("seed 4", 0.5), run("seed 5", 0.7), run("seed 6", 0.6)];
        let table = text(&runs);
        let lines: Vec<_> = table
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .collect();
        assert_eq!(lines[0], ["run", "best", "epoch", "top-1", "macro", "F1", "loss"]);
        assert_eq!(lines[2], ["seed", "5", "3", "0.7000", "0.5000", "1.0000"]);
        assert_eq!(lines[4], ["mean", "0.6000", "0.5000", "1.0000"]);
        // numpy.std([0.5, 0.7, 0.6], ddof=1) is 0.1.
        assert_eq!(lines[5], ["standard", "deviation", "0.1000", "0.0000", "0.0000"]);
        let json = json(&runs);
        assert_eq!(json["runs"][2]["run"], "seed 6");
        assert!((json["standard_deviation"]["top1"].as_f64().unwrap() - 0.1).abs() < 1e-12);
        assert!(json["mean"].get("auc_roc").is_none());
    }
}
