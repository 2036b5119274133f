//! A run as one page, `report.html`, and several runs beside each other as another.
//!
//! A page of [`shared::page`] is made of the run's files, and of those of its data set if it is still there. All text is
//! escaped by maud's macros.

mod clip_audio;
mod comparison;
mod confusion;
mod curves;
mod data_statistics;
mod data_view;
mod metric;
mod mistakes;
mod outputs;
mod published;
mod ranking;
mod run_view;
mod settings;
mod summary;
mod throughput;

pub use comparison::{Candidate, comparison};

use super::reported_metric::ReportedMetric;
use crate::run::directory::RunDirectory;
use crate::settings::RunConfig;
use anyhow::Context;
use run_view::RunView;
use shared::dataset::split::Set;
use shared::page::{Page, Section};
use std::path::PathBuf;

/// The page of a run.
pub const REPORT_FILE: &str = "report.html";

/// What a page shows beyond a run's own files.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// The set whose tracks are shown; none takes the test set where it was evaluated, else the validation set.
    pub set: Option<Set>,
    /// Whether mistakes can be listened to. A clip makes the page larger by up to 430 kB.
    pub audio: bool,
    /// What is known of the metrics beyond the numbers.
    pub reported: &'a [ReportedMetric],
}

/// Writes [`REPORT_FILE`] into the run's directory; its path. The data set is looked for where `config` says.
///
/// # Errors
/// Where no epoch was trained, the set was not evaluated, a file of the run is damaged, or the page cannot be written. A
/// data set that is gone is no error: the page says so.
pub fn write(run: &RunDirectory, config: &RunConfig, options: &Options<'_>) -> anyhow::Result<PathBuf> {
    let view = RunView::read(run, config)?;
    let set = options.set.unwrap_or_else(|| view.last_evaluated());
    let report = view.report(set).with_context(|| {
        format!(
            "the {} set of {} was not evaluated yet",
            set.name(),
            run.root().display()
        )
    })?;
    let sections: Vec<Section> = [
        Some(summary::section(&view, set, report, options.reported)),
        view.metrics.best_epoch.map(|_| curves::section(&view)),
        confusion::section(&view, set),
        ranking::section(&view, set),
        Some(outputs::section(set, report)),
        Some(mistakes::section(&view, set, options.audio)),
        Some(data_statistics::section(&view)),
        view.metrics.best_epoch.map(|_| throughput::section(&view)),
        Some(settings::section(&view)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let page = Page {
        title: &view.name,
        lead: summary::lead(&view, set, report),
        sections,
    };
    run.write(REPORT_FILE, page.render().as_bytes())?;
    Ok(run.path(REPORT_FILE))
}

#[cfg(test)]
mod tests;
