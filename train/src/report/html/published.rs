//! Metrics published in the papers, from the table in `scripts/papers`, which was copied by hand.

use crate::settings::RunConfig;
use std::collections::BTreeMap;

const TABLE: &str = include_str!("../../../../scripts/papers/published.csv");

/// Published metrics by key, as text.
pub type Published = BTreeMap<String, String>;

/// The published metrics of the run's model; empty if the table has none or the run combines others.
pub fn published(config: &RunConfig) -> Published {
    if config.combination.is_some() {
        return Published::new();
    }
    find_metrics(TABLE, &model_names(config))
}

/// Names in the table, in order of preference. Some papers have separate results with augmentation.
fn model_names(config: &RunConfig) -> Vec<String> {
    let model = config.model.name();
    if config.augment.changes_samples() {
        vec![format!("{model}+augment"), model.into()]
    } else {
        vec![model.into()]
    }
}

/// The metrics of the first of `names` that is in the table.
fn find_metrics(table: &str, names: &[String]) -> Published {
    let mut reader = csv::ReaderBuilder::new()
        .comment(Some(b'#'))
        .flexible(true)
        .from_reader(table.as_bytes());
    let rows: Vec<_> = reader.records().flatten().collect();
    let metrics = |name: &String| -> Published {
        let matching = rows.iter().filter(|row| row.get(1) == Some(name));
        matching
            .filter_map(|row| Some((row.get(2)?.to_owned(), row.get(3)?.to_owned())))
            .collect()
    };
    names
        .iter()
        .map(metrics)
        .find(|found| !found.is_empty())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_metrics_of_the_model_are_found() {
        let table = "# a comment\npaper,model,metric,value,source\nx,cnn2d,top1,0.5,Table 1\nx,cnn2d+augment,top1,0.6,Table \
                     1, right\nx,crnn,f1,0.7,Table 2\n";
        let found =
            |names: &[&str]| find_metrics(table, &names.iter().map(|name| name.to_string()).collect::<Vec<_>>());
        assert_eq!(found(&["cnn2d"])["top1"], "0.5");
        assert_eq!(found(&["cnn2d+augment", "cnn2d"])["top1"], "0.6");
        assert_eq!(found(&["crnn+augment", "crnn"])["f1"], "0.7");
        assert!(found(&["vgg16"]).is_empty());
    }

    #[test]
    fn table_has_the_expected_columns() {
        let header = csv::ReaderBuilder::new()
            .comment(Some(b'#'))
            .from_reader(TABLE.as_bytes())
            .headers()
            .cloned();
        assert_eq!(header.unwrap(), ["paper", "model", "metric", "value", "source"][..]);
    }
}
