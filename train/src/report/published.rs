//! Metrics published in the papers, from the table in `scripts/papers`, which was copied by hand.

use crate::models::ModelKind;
use crate::settings::RunConfig;
use serde::{Deserialize, Serialize};
use shared::dataset::DatasetIndex;
use shared::dataset::split::SplitIndex;

const TABLE: &str = include_str!("../../../scripts/papers/published.csv");

/// A row of the table. `scripts/papers/published.csv` explains the columns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedMetric {
    pub paper: String,
    pub model: String,
    pub metric: String,
    /// A number, as the paper prints it.
    pub value: String,
    pub data: String,
    pub split: String,
    /// Why the value cannot be compared with ours; empty if it can.
    pub note: String,
    pub source: String,
}

/// The published metrics of a run's model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// Of the data and the kind of split that the run has.
    pub comparable: Vec<PublishedMetric>,
    /// Of the same data, but of another split, or with a note that forbids the comparison.
    pub others: Vec<PublishedMetric>,
}

impl Published {
    /// The comparable value of a metric.
    pub fn value(&self, metric: &str) -> Option<&str> {
        let found = self.comparable.iter().find(|row| row.metric == metric)?;
        Some(&found.value)
    }
}

/// The published metrics of the model of a run that was trained on this data set and split. A run that combines others
/// has none, because its `model` is only that of its first member.
pub fn published(config: &RunConfig, data: &DatasetIndex, split: &SplitIndex) -> Published {
    if config.combination.is_some() {
        return Published::default();
    }
    select(&rows(TABLE), &names(config), &data_name(data), split_kind(split))
}

/// All published metrics of a model, also those of its variants, whose names are `MODEL+VARIANT`.
pub fn published_of_model(model: ModelKind) -> Vec<PublishedMetric> {
    let mut rows = rows(TABLE);
    rows.retain(|row| row.model.split('+').next() == Some(model.name()));
    rows
}

/// The name of a data set in the table: its preset, and for MagnaTagATune, whose preset has ten tags only, the number of
/// tags.
fn data_name(data: &DatasetIndex) -> String {
    match &*data.source.name {
        "magnatagatune" => format!("magnatagatune-{}", data.classes.len()),
        _ => data.source.preset.clone().unwrap_or_default(),
    }
}

/// The kind of a split in the table.
fn split_kind(split: &SplitIndex) -> &str {
    match &*split.strategy {
        "random" | "stratified" => "random",
        other => other,
    }
}

/// Names of the model in the table, in order of preference. Some papers have separate results with augmentation.
fn names(config: &RunConfig) -> Vec<String> {
    let model = config.model.name();
    if config.augment.changes_samples() {
        vec![format!("{model}+augment"), model.into()]
    } else {
        vec![model.into()]
    }
}

fn rows(table: &str) -> Vec<PublishedMetric> {
    let mut reader = csv::ReaderBuilder::new()
        .comment(Some(b'#'))
        .from_reader(table.as_bytes());
    let rows = reader.deserialize().collect::<Result<_, _>>();
    rows.expect("the table is compiled in and a test reads it")
}

/// The metrics of the first of `names` that the table has for this data.
fn select(rows: &[PublishedMetric], names: &[String], data: &str, split: &str) -> Published {
    let of_model = |name: &String| -> Vec<PublishedMetric> {
        let matching = rows.iter().filter(|row| row.model == *name && row.data == data);
        matching.cloned().collect()
    };
    let found = names.iter().map(of_model).find(|found| !found.is_empty());
    let (comparable, others) = found
        .unwrap_or_default()
        .into_iter()
        .partition(|row| row.split == split && row.note.is_empty());
    Published { comparable, others }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const HEADER: &str = "# a comment\npaper,model,metric,value,data,split,note,source\n";

    #[test]
    fn only_metrics_of_the_model_data_and_split_are_comparable() {
        let table = format!(
            "{HEADER}x,cnn2d,top1,0.5,fma_small,random,,Table 1\nx,cnn2d+augment,top1,0.6,fma_small,random,,\"Table 1, \
             right\"\nx,crnn,f1,0.7,fma_small,official,,Table 2\nx,crnn,top1,0.8,fma_small,random,validation \
             set,Table 2\n"
        );
        let found = |names: &[&str], data: &str| {
            let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
            select(&rows(&table), &names, data, "random")
        };
        assert_eq!(found(&["cnn2d"], "fma_small").value("top1"), Some("0.5"));
        assert_eq!(
            found(&["cnn2d+augment", "cnn2d"], "fma_small").value("top1"),
            Some("0.6")
        );
        let crnn = found(&["crnn+augment", "crnn"], "fma_small");
        assert!(crnn.comparable.is_empty());
        let others: Vec<&str> = crnn.others.iter().map(|row| &*row.value).collect();
        assert_eq!(others, ["0.7", "0.8"], "of another split, and with a note");
        assert_eq!(found(&["cnn2d"], "gtzan"), Published::default());
        assert_eq!(found(&["vgg16"], "fma_small"), Published::default());
    }

    #[test]
    fn data_and_split_of_a_run_decide_what_is_comparable() {
        let data = crate::testing::dataset();
        let mut index = shared::dataset::Dataset::read_index(data.path()).unwrap();
        let mut split = shared::dataset::split::Split::read(data.path(), &index, None)
            .unwrap()
            .index;
        let cnn1d = ModelKind::ALL.iter().find(|kind| kind.name() == "cnn1d").unwrap();
        let config = crate::testing::config(data.path(), *cnn1d);
        assert_eq!(
            published(&config, &index, &split),
            Published::default(),
            "not FMA small"
        );
        index.source.preset = Some("fma_small".into());
        for (strategy, top1, accuracy) in [("stratified", None, Some("0.88")), ("official", None, None)] {
            split.strategy = strategy.into();
            let found = published(&config, &index, &split);
            assert_eq!(
                (found.value("top1"), found.value("accuracy")),
                (top1, accuracy),
                "{strategy}"
            );
            assert_eq!(found.comparable.len() + found.others.len(), 4);
        }
    }

    #[test]
    fn table_is_complete_and_names_known_metrics_data_and_splits() {
        let rows = rows(TABLE);
        assert!(rows.len() >= 64);
        let mut keys = BTreeSet::new();
        for row in &rows {
            let value: f64 = row.value.parse().unwrap();
            assert!((0.0..=1.0).contains(&value) && !row.source.is_empty(), "{row:?}");
            assert!(
                keys.insert((&row.model, &row.metric, &row.data, &row.split)),
                "{row:?} twice"
            );
            let metrics = [
                "top1",
                "macro_f1",
                "accuracy",
                "precision",
                "recall",
                "f1",
                "auc_roc",
                "auc_pr",
            ];
            assert!(metrics.contains(&&*row.metric), "{row:?}");
            let data = ["fma_small", "gtzan", "magnatagatune-10", "magnatagatune-50"];
            assert!(data.contains(&&*row.data), "{row:?}");
            let splits = ["official", "random", "won-mtat", "musicnn-mtat", "clmr-mtat"];
            assert!(splits.contains(&&*row.split), "{row:?}");
        }
    }

    #[test]
    fn variants_of_a_model_are_among_its_published_metrics() {
        let model = ModelKind::ALL.iter().find(|kind| kind.name() == "cnn1d").unwrap();
        let names: BTreeSet<String> = published_of_model(*model).into_iter().map(|row| row.model).collect();
        assert!(names.contains("cnn1d") && names.contains("cnn1d+similar"), "{names:?}");
        assert!(!names.contains("cnn2d"));
    }
}
