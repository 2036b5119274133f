//! Fixtures for tests of sweeps.

use super::search::{Trial, trials as all};
use super::specification::Specification;
use crate::metrics::MetricSummary;
use crate::models::ModelKind;
use crate::settings::Settings;
use std::num::NonZeroUsize;

/// A sweep over settings of `crnn`.
pub fn specification(grid: &[&str], ranges: &[&str], random: usize) -> Specification {
    Specification {
        random: NonZeroUsize::new(random),
        settings: Settings {
            data: Some("fma".into()),
            model: Some(ModelKind::Crnn),
            ..Settings::default()
        },
        grid: grid.iter().map(|text| text.parse().unwrap()).collect(),
        ranges: ranges.iter().map(|text| text.parse().unwrap()).collect(),
        ..Specification::default()
    }
}

/// The trials of a grid.
pub fn trials(grid: &[&str]) -> Vec<Trial> {
    all(&specification(grid, &[], 0)).unwrap()
}

pub fn metrics(loss: f64) -> MetricSummary {
    MetricSummary {
        loss,
        top1: Some(0.5),
        macro_f1: 0.5,
        paper: [0.5; 4],
        auc_roc: None,
        auc_pr: None,
    }
}
