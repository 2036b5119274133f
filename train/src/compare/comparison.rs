//! The comparison of several runs with the first one, as JSON, as CSV and for pages.

use super::bootstrap::{Difference, RESAMPLES, differences};
use super::entry::Entry;
use super::estimate::MetricEstimate;
use super::split_facts::SplitFacts;
use super::warnings::Warning;
use crate::report::reported_metric::PairedTest;
use crate::run::set::RunSet;
use serde::Serialize;
use serde_json::{Value, json};

/// Runs, and the differences of each from the first.
#[derive(Debug)]
pub struct Comparison {
    /// The runs, in the order in which they were named.
    pub entries: Vec<Entry>,
    /// For each run except the first: its differences from the first, or why they cannot be compared.
    pub(super) differences: Vec<Result<Differences, String>>,
}

/// One per metric; `None` if the metric is undefined.
pub(super) type Differences = [Option<Difference>; 2];

impl Comparison {
    /// Compares all runs with the first one. Comparing with the best one would be biased, because the best is chosen by
    /// the same results.
    pub fn new(entries: Vec<Entry>) -> Self {
        let differences = match entries.split_first() {
            Some((first, others)) => others.iter().map(|other| differ(first, other)).collect(),
            None => Vec::new(),
        };
        Self { entries, differences }
    }

    /// All runs except the first, each with its differences from the first.
    pub(super) fn others(&self) -> impl Iterator<Item = (&Entry, &Result<Differences, String>)> {
        self.entries.iter().skip(1).zip(&self.differences)
    }

    /// The test's name, such as `paired bootstrap over 40 artists`.
    pub(super) fn test(&self) -> String {
        let first = &self.entries[0];
        let seeds = if first.predicted.networks() > 1 {
            "seeds and "
        } else {
            ""
        };
        format!("paired bootstrap over {seeds}{}", first.groups.describe())
    }

    /// The differences as pages show them, one per run and metric.
    pub fn paired_tests(&self) -> Vec<PairedTest> {
        let mut tests = Vec::new();
        for (entry, differences) in self.others() {
            let Ok(differences) = differences else { continue };
            for (metric, difference) in entry.metrics.iter().zip(differences) {
                let Some((difference, p_value)) = difference.and_then(|difference| Some((difference, difference.p?)))
                else {
                    continue;
                };
                tests.push(PairedTest {
                    metric: metric.name.into(),
                    runs: [&self.entries[0], entry].map(|entry| entry.path.display().to_string()),
                    difference: difference.difference,
                    interval: difference.interval,
                    p_value,
                    method: self.test(),
                });
            }
        }
        tests
    }

    /// An object with the keys `runs` and `comparisons`.
    pub fn to_json(&self) -> Value {
        let comparisons = self.others().map(|(entry, differences)| {
            let mut line = json!({
                "first": self.entries[0].path.to_string_lossy(),
                "second": entry.path.to_string_lossy(),
                "metrics": entry.metrics.each_ref().map(|metric| metric.name),
            });
            match differences {
                Ok(differences) => {
                    line["test"] = json!(self.test());
                    line["differences"] = json!(differences);
                }
                Err(reason) => line["not_compared"] = json!(reason),
            }
            line
        });
        let comparisons: Vec<Value> = comparisons.collect();
        let runs: Vec<Row<'_>> = self.entries.iter().map(Row::new).collect();
        json!({ "runs": runs, "comparisons": comparisons })
    }

    /// A row per run and metric.
    pub fn to_csv(&self) -> Vec<u8> {
        const HEADER: [&str; 18] = [
            "run",
            "model",
            "seeds",
            "data",
            "split",
            "strategy",
            "group_by",
            "overlapping_artists",
            "overlapping_recordings",
            "set",
            "tracks",
            "groups",
            "metric",
            "mean",
            "standard_deviation",
            "low",
            "high",
            "warnings",
        ];
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(HEADER).expect("writing into memory cannot fail");
        let number = |value: Option<f64>| {
            value
                .filter(|value| !value.is_nan())
                .map_or(String::new(), |value| format!("{value:.6}"))
        };
        for entry in &self.entries {
            let split = entry.split.as_ref();
            let overlap = |get: fn(&SplitFacts) -> usize| split.map_or(String::new(), |split| get(split).to_string());
            let codes: Vec<_> = entry.warnings.iter().map(|warning| warning.code).collect();
            for metric in &entry.metrics {
                let row = [
                    entry.path.to_string_lossy().into_owned(),
                    entry.config.model_name(),
                    entry.predicted.networks().to_string(),
                    entry.config.data.to_string_lossy().into_owned(),
                    entry.config.split.clone(),
                    split.map_or(String::new(), |split| split.strategy.clone()),
                    split.and_then(|split| split.group_by.clone()).unwrap_or_default(),
                    overlap(|split| split.overlap.artists),
                    overlap(|split| split.overlap.recordings),
                    entry.set.name().into(),
                    entry.tracks().to_string(),
                    entry.groups.len().to_string(),
                    metric.name.into(),
                    number(Some(metric.mean)),
                    number(metric.standard_deviation),
                    number(metric.interval.map(|[low, _]| low)),
                    number(metric.interval.map(|[_, high]| high)),
                    codes.join("|"),
                ];
                writer
                    .write_record(row)
                    .expect("writing into memory cannot fail and rows are as long as the header");
            }
        }
        writer.into_inner().expect("writing into memory cannot fail")
    }
}

/// How the second differs from the first, or why they cannot be compared.
fn differ(first: &Entry, second: &Entry) -> Result<Differences, String> {
    if first.set != second.set {
        return Err(format!(
            "it was evaluated on the {} set and the first run on the {} set",
            second.set.name(),
            first.set.name()
        ));
    }
    let aligned = second.predicted.aligned_with(&first.predicted);
    let aligned = aligned.map_err(|error| error.to_string())?;
    let is_single = |entry: &Entry| entry.predicted.networks() == 1;
    // The variance between seeds cannot be estimated from one seed.
    let (single, several) = match (is_single(first), is_single(second)) {
        (true, false) => (first, second),
        (false, true) => (second, first),
        _ => return Ok(differences(&first.predicted, &aligned, &first.groups, RESAMPLES)),
    };
    Err(format!(
        "{0} has a single seed and {1} has several, so the variation between seeds of {0} is unknown; train {0} with --seeds, \
         or name one run of {1}",
        single.path.display(),
        several.path.display()
    ))
}

/// An element of `runs` in [`Comparison::to_json`].
#[derive(Serialize)]
struct Row<'a> {
    run: String,
    model: String,
    seeds: Option<&'a [u64]>,
    folds: Option<usize>,
    data: String,
    split: &'a str,
    how_split: Option<&'a SplitFacts>,
    set: &'a str,
    tracks: usize,
    groups: usize,
    method: String,
    metrics: &'a [MetricEstimate; 2],
    leaked: bool,
    warnings: &'a [Warning],
}

impl<'a> Row<'a> {
    fn new(entry: &'a Entry) -> Self {
        let named = |by: fn(&RunSet) -> bool| entry.run_set.as_ref().filter(|set| by(set));
        Self {
            run: entry.path.to_string_lossy().into_owned(),
            model: entry.config.model_name(),
            seeds: named(RunSet::has_seeds).map(|set| &set.seeds[..]),
            folds: named(RunSet::is_folds).map(|set| set.folds.len()),
            data: entry.config.data.to_string_lossy().into_owned(),
            split: &entry.config.split,
            how_split: entry.split.as_ref(),
            set: entry.set.name(),
            tracks: entry.tracks(),
            groups: entry.groups.len(),
            method: entry.method(),
            metrics: &entry.metrics,
            leaked: entry.warnings.iter().any(|warning| warning.leak),
            warnings: &entry.warnings,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::example::{Example, classifiers};
    use super::*;
    use crate::models::ModelKind;
    use crate::testing;
    use shared::dataset::split::Set;
    use std::ops::Range;
    use std::path::Path;

    fn entry(example: &Example, path: &str, networks: Range<usize>) -> Entry {
        let predicted = example.set(networks.clone());
        let metrics = predicted.plain_metrics()[0];
        let metric = |at: usize, name| MetricEstimate {
            name,
            mean: metrics[at],
            standard_deviation: None,
            interval: Some([0.25, 0.75]),
        };
        let config = testing::config(Path::new("data/fma"), ModelKind::MfccDense);
        Entry {
            path: path.into(),
            run_set: (networks.len() > 1).then(|| RunSet {
                seeds: networks.map(|seed| seed as u64).collect(),
                folds: Vec::new(),
                settings: config.clone(),
            }),
            config,
            set: Set::Test,
            predicted,
            groups: example.artists.clone(),
            split: None,
            metrics: [metric(0, "top-1"), metric(1, "macro F1")],
            warnings: vec![Warning {
                code: "artist_overlap",
                leak: true,
                sentence: "leaked".into(),
            }],
        }
    }

    #[test]
    fn all_runs_are_compared_with_the_first() {
        let example = Example::new();
        let mut other = entry(&example, "d", 2..3);
        other.predicted = classifiers(4, &[0, 1], &[vec![0, 1]]);
        let comparison = Comparison::new(vec![
            entry(&example, "a", 0..1),
            entry(&example, "b", 1..2),
            entry(&example, "c", 3..4),
            other,
        ]);
        // Two metrics for each of two comparable runs.
        let tests = comparison.paired_tests();
        assert_eq!(tests.len(), 4);
        assert_eq!((&*tests[0].runs[0], &*tests[2].runs[1]), ("a", "c"));
        assert_eq!(tests[3].method, "paired bootstrap over 40 artists");
        let text = comparison.describe(None);
        for expected in [
            "!! leaked",
            "paired bootstrap over 40 artists",
            "d is not compared",
            "(unknown)",
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        let json = comparison.to_json();
        let difference = &json["comparisons"][1]["differences"][1];
        assert_eq!(
            (&json["comparisons"][1]["first"], &difference["p"]),
            (&json!("a"), &json!(tests[3].p_value))
        );
        let reason = json["comparisons"][2]["not_compared"].as_str().unwrap();
        assert!(reason.contains("different tracks"), "{reason}");
        let table = comparison.to_csv();
        let rows: Vec<csv::StringRecord> = csv::Reader::from_reader(&table[..])
            .records()
            .map(Result::unwrap)
            .collect();
        assert_eq!(rows.len(), 8);
        let cells = (&rows[4][0], &rows[4][2], &rows[4][12], &rows[4][17]);
        assert_eq!(cells, ("c", "1", "top-1", "artist_overlap"));
    }

    #[test]
    fn several_seeds_are_not_compared_with_a_single_seed() {
        let example = Example::new();
        let comparison = Comparison::new(vec![entry(&example, "a", 0..3), entry(&example, "b", 3..5)]);
        let tests = comparison.paired_tests();
        assert_eq!(tests.len(), 2);
        assert_eq!(tests[0].method, "paired bootstrap over seeds and 40 artists");
        // mean(0.69167, 0.68333) - mean(0.62917, 0.70833, 0.49583)
        assert!(
            (tests[0].difference - 0.076_388_89).abs() < 1e-6,
            "{}",
            tests[0].difference
        );
        let reported = comparison.entries[1].reported();
        assert_eq!(
            (reported.len(), reported[0].runs, reported[0].warnings.len()),
            (2, 2, 1)
        );
        assert!(comparison.describe(None).contains("b (2 seeds)"));
        assert_eq!(comparison.to_json()["runs"][1]["seeds"], json!([3, 4]));
        let single = || entry(&example, "one", 0..1);
        let several = || entry(&example, "set", 3..5);
        for entries in [vec![single(), several()], vec![several(), single()]] {
            let comparison = Comparison::new(entries);
            let reason = comparison.differences[0].as_ref().unwrap_err();
            assert!(
                reason.starts_with("one has a single seed and set has several"),
                "{reason}"
            );
        }
    }

    #[test]
    fn metrics_of_different_sets_are_not_compared() {
        let example = Example::new();
        let mut second = entry(&example, "b", 1..2);
        second.set = Set::Val;
        let comparison = Comparison::new(vec![entry(&example, "a", 0..1), second]);
        let reason = comparison.differences[0].as_ref().unwrap_err();
        assert_eq!(
            reason,
            "it was evaluated on the val set and the first run on the test set"
        );
    }
}
