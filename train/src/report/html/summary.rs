//! What the run is and how good it is, before all else.

use super::metric::{Metric, interval, metrics, rounded, samples};
use super::published::published;
use super::run_view::RunView;
use crate::metrics::{SetMetrics, SetReport};
use crate::report::reported_metric::ReportedMetric;
use crate::report::set_name;
use maud::{Markup, Render, html};
use shared::dataset::split::{LeakAudit, Set, SplitIndex};
use shared::page::{Section, Table, cards, cell, facts, notice};
use shared::runtime::text::{counted, grouped};

/// Metrics in large type at the top of the page.
const LARGE: usize = 4;

/// Below the heading: what was evaluated, and its main metrics.
pub fn lead(view: &RunView<'_>, set: Set, report: &SetReport) -> Markup {
    let description = view.config.model.description();
    let shown = metrics(&report.tracks);
    let large: Vec<(&str, String)> = shown
        .iter()
        .take(LARGE)
        .map(|metric| (metric.name, rounded(metric.value)))
        .collect();
    html! {
        p.lead {
            b { (description.name) } ", " (description.summary) ", evaluated on " (counted(samples(&report.tracks), "track", "tracks"))
            " of the " (set_name(set)) " set of split " b { (view.config.split) } "."
        }
        (cards(&large))
    }
}

pub fn section(view: &RunView<'_>, set: Set, report: &SetReport, reported: &[ReportedMetric]) -> Section {
    Section {
        id: "summary",
        heading: "Summary",
        body: html! {
            @for mark in marks(reported) { (notice(mark)) }
            (leaks(view))
            (facts("The run", rows(view)))
            h3 { "Metrics" }
            p.note { "Under scikit-learn's names; zero_division=0. The best epoch was chosen on the validation set." }
            (table(view))
            @if !reported.is_empty() { (intervals(reported, set)) }
            @if let Some(clips) = &report.per_clip {
                p.note {
                    "A track's probabilities are the mean over its clips, " (grouped(report.clips)) " in all. Clip by clip: "
                    (clips.describe()) "."
                }
            }
        },
    }
}

/// Why a metric should not be taken at its word, each reason once.
fn marks(reported: &[ReportedMetric]) -> Vec<&str> {
    let mut marks: Vec<&str> = Vec::new();
    for mark in reported.iter().flat_map(|metric| &metric.warnings) {
        if !marks.contains(&&**mark) {
            marks.push(mark);
        }
    }
    marks
}

/// What is in more than one set.
fn leaked(audit: &LeakAudit) -> Option<String> {
    let counts = [
        (audit.artists.len(), "artist", "artists"),
        (audit.albums.len(), "album", "albums"),
        (audit.recordings.len(), "recording", "recordings"),
    ];
    let found: Vec<String> = counts
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, one, several)| counted(count, one, several))
        .collect();
    (!found.is_empty()).then(|| found.join(", "))
}

/// What the audit cannot see.
fn unknown(audit: &LeakAudit, tracks: usize) -> Option<String> {
    match audit.unknown_artists {
        0 => None,
        unknown if unknown >= tracks => Some("artists unknown".into()),
        unknown => Some(format!("artists of {} unknown", counted(unknown, "track", "tracks"))),
    }
}

fn leaks(view: &RunView<'_>) -> Markup {
    let audit = view.data.as_ref().ok().map(|data| &data.split.index.leaks);
    html! {
        @if let Some(found) = audit.and_then(leaked) {
            (notice(format!("More than one set of the split has {found}, so scores are too optimistic.")))
        }
    }
}

fn rows(view: &RunView<'_>) -> Vec<(&'static str, Markup)> {
    let config = view.config;
    let description = config.model.description();
    let mut rows = vec![
        ("model", html! { b { (config.model) } ", of: " (description.paper) }),
        ("input", description.input.describe().render()),
    ];
    if let Some(best) = view.metrics.best_epoch {
        let epochs = view.history.len();
        let trained = html! {
            (best)
            @if epochs > 0 { " of " (epochs) " that were trained" }
            @if epochs != config.epochs { "; " (config.epochs) " were asked for" }
        };
        rows.push(("best epoch", trained));
    }
    let ended = view
        .metrics
        .ended
        .map_or_else(|| "has not ended".to_owned(), |ending| ending.to_string());
    rows.push(("training", ended.render()));
    match &view.data {
        Err(reason) => {
            rows.push((
                "data set",
                html! { (config.data.display()) ", which cannot be read: " (reason) },
            ));
            rows.push(("split", html! { b { (config.split) } }));
        }
        Ok(data) => {
            let (index, split) = (data.dataset.index(), &data.split.index);
            let [one, several] = if view.has_tags() {
                ["tag", "tags"]
            } else {
                ["class", "classes"]
            };
            let classes = counted(config.classes.len(), one, several);
            let tracks = data.split.tracks.values().map(Vec::len).sum();
            rows.push((
                "data set",
                html! { (index.source.name) " (" (index.source.subset) "), " (grouped(index.kept as u64)) " tracks of " (classes) },
            ));
            rows.push(("split", describe_split(view, split)));
            rows.push((
                "leak audit",
                html! {
                    @match leaked(&split.leaks) {
                        None => "no known artist, album or recording is in more than one set",
                        Some(found) => { (found) " in more than one set" }
                    }
                    @if let Some(unknown) = unknown(&split.leaks, tracks) { "; " (unknown) }
                },
            ));
        }
    }
    rows
}

fn describe_split(view: &RunView<'_>, split: &SplitIndex) -> Markup {
    html! {
        b { (view.config.split) } ", " (split.strategy)
        @if let Some(by) = &split.group_by { " by " (by) }
        @if let Some(ratios) = split.ratios { ", " (ratios.map(|ratio| format!("{:.0}", 100.0 * ratio)).join(" : ")) }
        @if let Some(seed) = split.seed { ", seed " (seed) }
        @if let Some(fold) = &split.fold {
            @if view.metrics.best_epoch.is_some() { ", fold " (fold.number) " of " (fold.of) }
            @else { ", " (fold.of) " folds, each track evaluated by the one that has it in this set" }
        }
    }
}

/// A row per metric, a column per set that was evaluated, and one for the paper's metrics where some are known.
fn table(view: &RunView<'_>) -> Markup {
    let published = published(view.config);
    let sets = Set::ALL.into_iter().rev();
    let evaluated: Vec<(Set, &SetMetrics)> = sets.filter_map(|set| Some((set, &view.report(set)?.tracks))).collect();
    let columns: Vec<Vec<Metric>> = evaluated.iter().map(|(_, set)| metrics(set)).collect();
    let heading = |(set, metrics): &(Set, &SetMetrics)| {
        html! { (set_name(*set)) small { (counted(samples(metrics), "track", "tracks")) } }
    };
    let mut table = Table::new("Metrics of each set")
        .text("metric")
        .numbers(evaluated.iter().map(heading));
    if !published.is_empty() {
        table = table.number("the paper's");
    }
    let mut table = table.text("what it is");
    for (at, metric) in columns.first().into_iter().flatten().enumerate() {
        let mut cells = vec![cell(metric.name)];
        cells.extend(columns.iter().map(|column| cell(rounded(column[at].value))));
        if !published.is_empty() {
            cells.push(cell(published.get(metric.key).map_or("–", String::as_str)));
        }
        cells.push(cell(metric.definition).class("words"));
        table.row(cells);
    }
    table.render()
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
    let of_set = reported.iter().filter(|metric| metric.set == shown.name());
    let table = Table::new("Intervals")
        .text("metric")
        .numbers(["mean", "95 % interval", "runs"])
        .text("method");
    html! { h3 { "How sure the metrics are" } (table.rows(of_set.map(row)).render()) }
}
