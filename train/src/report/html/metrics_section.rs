//! The section with all metrics, their caveats, their intervals and the published ones.

use super::data_statistics::leaked;
use super::metric::{Metric, interval, metrics, rounded, samples};
use super::run_view::RunView;
use crate::metrics::SetReport;
use crate::report::published::{Published, PublishedMetric, published};
use crate::report::reported_metric::ReportedMetric;
use crate::report::set_name;
use crate::settings::RunConfig;
use maud::{Markup, html};
use shared::dataset::split::Set;
use shared::page::{Section, Table, cell, notice};
use shared::runtime::text::{counted, grouped};

/// The id of the list of caveats.
pub const CAVEATS: &str = "caveats";

pub fn section(view: &RunView<'_>, set: Set, report: &SetReport, reported: &[ReportedMetric]) -> Section {
    let published = match &view.data {
        Ok(data) => published(view.config, data.dataset.index(), &data.split.index),
        Err(_) => Published::default(),
    };
    let caveats = caveats(view, reported);
    Section {
        id: "metrics",
        heading: "Metrics",
        body: html! {
            @if !caveats.is_empty() {
                div id=(CAVEATS) { (notice(html! { ul { @for caveat in &caveats { li { (caveat) } } } })) }
            }
            p.note {
                "Definitions as in scikit-learn, with zero_division=0."
                (selected(view.config))
            }
            (table(view, &published))
            (published_notes(view, &published))
            @if !reported.is_empty() { (intervals(reported, set)) }
            @if let Some(clips) = &report.per_clip {
                p.note {
                    "The probabilities of a track are the mean over its clips (" (grouped(report.clips)) " in total). Metrics per clip: "
                    (clips.describe().join("; ")) "."
                }
            }
        },
    }
}

/// Reasons to distrust the metrics: leaks of the split, and the warnings of all metrics without repetitions.
pub fn caveats(view: &RunView<'_>, reported: &[ReportedMetric]) -> Vec<String> {
    let mut caveats: Vec<String> = Vec::new();
    for warning in reported.iter().flat_map(|metric| &metric.warnings) {
        let caveat = sentence(warning);
        if !caveats.contains(&caveat) {
            caveats.push(caveat);
        }
    }
    if !caveats.iter().any(|caveat| caveat.starts_with("Leaked: ")) {
        caveats.splice(0..0, leak(view));
    }
    caveats
}

/// A warning of the terminal as a sentence of the page.
fn sentence(warning: &str) -> String {
    let mut letters = warning.chars().filter(|letter| *letter != '`');
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).chain(['.']).collect()
}

fn leak(view: &RunView<'_>) -> Option<String> {
    // An imported network was not trained on the split's training set.
    let data = view.data.as_ref().ok().filter(|_| view.config.imported_from.is_none());
    let found = leaked(&data?.split.index.leaks)?;
    Some(format!(
        "Leaked: {found} in more than one set of the split, so scores are too optimistic."
    ))
}

/// Explains the choices that were made with the validation set.
fn selected(config: &RunConfig) -> &'static str {
    let combination = config.combination.as_ref();
    if combination.is_some_and(|combination| combination.classifier.is_some()) {
        " The parameters of the classifier were selected on the validation set."
    } else if config.imported_from.is_some() || combination.is_some() {
        ""
    } else {
        " The best epoch was selected on the validation set."
    }
}

/// One row per metric and one column per evaluated set, plus a column with the paper's metrics if there are any of the
/// same data and split.
fn table(view: &RunView<'_>, published: &Published) -> Markup {
    let split = published.comparable.first().map(|row| &*row.split);
    let sets = Set::ALL.into_iter().rev();
    let evaluated: Vec<(Set, &SetReport)> = sets.filter_map(|set| Some((set, view.report(set)?))).collect();
    let columns: Vec<Vec<Metric>> = evaluated.iter().map(|(_, set)| metrics(set)).collect();
    let heading = |(set, report): &(Set, &SetReport)| {
        html! { (set_name(*set)) small { (counted(samples(&report.tracks), "track", "tracks")) } }
    };
    let mut table = Table::new("Metrics of each set")
        .text("metric")
        .numbers(evaluated.iter().map(heading));
    if let Some(split) = split {
        table = table.number(html! { "published" small { (split) " split" } });
    }
    let mut table = table.text("definition");
    for (at, metric) in columns.first().into_iter().flatten().enumerate() {
        let mut cells = vec![cell(metric.name)];
        cells.extend(columns.iter().map(|column| cell(rounded(column[at].value))));
        if split.is_some() {
            cells.push(cell(published.value(metric.key).unwrap_or("–")));
        }
        cells.push(cell(metric.definition).class("words"));
        table.row(cells);
    }
    table.render()
}

/// Where the published metrics are from, and those that cannot be compared with the run's.
fn published_notes(view: &RunView<'_>, published: &Published) -> Markup {
    let names: Vec<_> = metrics_of_sets(view).map(|metric| (metric.key, metric.name)).collect();
    let name = |key: &str| {
        let found = names.iter().find(|(known, _)| *known == key);
        found.map_or(key, |(_, name)| name).to_owned()
    };
    let list = |rows: &[PublishedMetric], describe: &dyn Fn(&PublishedMetric) -> String| {
        let mut parts: Vec<String> = Vec::new();
        for part in rows.iter().map(describe) {
            if !parts.contains(&part) {
                parts.push(part);
            }
        }
        parts.join("; ")
    };
    let source = |row: &PublishedMetric| row.source.clone();
    let other = |row: &PublishedMetric| {
        let note = if row.note.is_empty() {
            String::new()
        } else {
            format!(", {}", row.note)
        };
        format!(
            "{} {} ({} split{note}, {})",
            name(&row.metric),
            row.value,
            row.split,
            row.source
        )
    };
    let differs = view
        .data
        .as_ref()
        .is_ok_and(|data| !data.dataset.index().source.preset_differences.is_empty());
    html! {
        @if !published.comparable.is_empty() {
            p.note {
                "Published: " (list(&published.comparable, &source)) ", on the test set."
                @if differs { " The data set differs from the one of its preset, so the published metrics are of other tracks." }
            }
        }
        @if !published.others.is_empty() {
            p.note { "Published, but not comparable with this run: " (list(&published.others, &other)) "." }
        }
    }
}

/// The metrics of the first evaluated set.
fn metrics_of_sets(view: &RunView<'_>) -> impl Iterator<Item = Metric> {
    let first = Set::ALL.into_iter().find_map(|set| view.report(set));
    first.map(metrics).into_iter().flatten()
}

fn intervals(reported: &[ReportedMetric], shown: Set) -> Markup {
    let row = |metric: &ReportedMetric| {
        vec![
            cell(&metric.metric),
            cell(rounded(metric.mean)),
            cell(interval(metric.interval)),
            cell(metric.runs),
            cell(&metric.method).class("words"),
        ]
    };
    let on_set = reported.iter().filter(|metric| metric.set == shown.name());
    let table = Table::new("Intervals")
        .text("metric")
        .numbers(["mean", "95 % interval", "runs"])
        .text("method");
    html! { h3 { "Bootstrap intervals" } (table.rows(on_set.map(row)).render()) }
}
