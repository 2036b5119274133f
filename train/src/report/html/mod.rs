//! The page of a run, `report.html`, and the page that compares several runs.
//!
//! Pages are built with [`shared::page`] from the run's files, and from its data set if that still exists. maud's
//! macros escape all text.

mod calibration;
mod comparison;
mod confusion;
mod curves;
mod data_statistics;
mod data_view;
mod embedding_map;
mod metric;
mod metrics_section;
mod mistakes;
mod outputs;
mod provenance;
mod ranking;
mod run_view;
mod settings;
mod verdict;

pub use comparison::{Contestant, comparison};

use super::reported_metric::ReportedMetric;
use crate::run::directory::RunDirectory;
use crate::settings::RunConfig;
use anyhow::Context;
use run_view::RunView;
use shared::dataset::split::Set;
use shared::page::{Page, Section};
use std::path::PathBuf;

pub const REPORT_FILE: &str = "report.html";

/// What a page shows in addition to the run's files.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// The set to show; `None` means the test set if it was evaluated, else the validation set.
    pub set: Option<Set>,
    /// Whether mistakes have audio, which adds up to 430 kB per track.
    pub audio: bool,
    /// Intervals and warnings of the metrics.
    pub reported: &'a [ReportedMetric],
}

/// Writes [`REPORT_FILE`] into the run's directory and returns its path. The data set is expected at the path in
/// `config`.
///
/// # Errors
/// If no epoch was trained, the set was not evaluated, a file of the run is damaged, or the page cannot be written. A
/// missing data set is not an error; the page reports it.
pub fn write(run: &RunDirectory, config: &RunConfig, options: &Options<'_>) -> anyhow::Result<PathBuf> {
    let view = RunView::read(run, config)?;
    let set = options.set.unwrap_or_else(|| view.last_evaluated());
    let report = view.report(set).with_context(|| {
        format!(
            "the {0} set of {1} was not evaluated yet; run `train eval --run {1} --set {0}`",
            set.name(),
            run.root().display()
        )
    })?;
    let sections: Vec<Section> = [
        confusion::section(&view, set),
        ranking::section(&view, set),
        view.metrics.best_epoch.map(|_| curves::section(&view)),
        Some(metrics_section::section(&view, set, report, options.reported)),
        Some(outputs::section(set, report)),
        embedding_map::section(&view, set),
        Some(mistakes::section(&view, set, options.audio)),
        Some(calibration::section(&view)),
        Some(data_statistics::section(&view)),
        Some(settings::section(&view)),
        Some(provenance::section(&view)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let page = Page {
        title: &verdict::title(config),
        lead: verdict::lead(&view, set, report, options.reported),
        sections,
        refresh: None,
    };
    run.write(REPORT_FILE, page.render().as_bytes())?;
    Ok(run.path(REPORT_FILE))
}

#[cfg(test)]
mod tests;
