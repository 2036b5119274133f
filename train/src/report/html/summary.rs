//! The top of a run's page: main metrics, warnings, model, data set and split.

use super::metric::{Metric, interval, metrics, rounded, samples};
use super::run_view::RunView;
use crate::metrics::SetReport;
use crate::report::published::{Published, PublishedMetric, published};
use crate::report::reported_metric::ReportedMetric;
use crate::report::set_name;
use crate::settings::RunConfig;
use maud::{Markup, Render, html};
use shared::dataset::split::{LeakAudit, Set, SplitIndex};
use shared::page::{Section, Table, cards, cell, facts, notice};
use shared::runtime::text::{counted, grouped};

/// Number of metrics in large type at the top of the page.
const LARGE: usize = 4;

/// The text below the heading: model, set and main metrics.
pub fn lead(view: &RunView<'_>, set: Set, report: &SetReport) -> Markup {
    let shown = metrics(report);
    let large: Vec<(&str, String)> = shown
        .iter()
        .take(LARGE)
        .map(|metric| (metric.name, rounded(metric.value)))
        .collect();
    html! {
        p.lead {
            b { (view.config.model_name()) } ", " (summary(view.config)) "evaluated on " (counted(samples(&report.tracks), "track", "tracks"))
            " of the " (set_name(set)) " set of split " b { (view.config.split) } "."
        }
        (cards(&large))
    }
}

/// What kind of model it is.
fn summary(config: &RunConfig) -> String {
    match &config.combination {
        None => format!("{}, ", config.model.description().summary),
        Some(_) => String::new(),
    }
}

pub fn section(view: &RunView<'_>, set: Set, report: &SetReport, reported: &[ReportedMetric]) -> Section {
    let published = match &view.data {
        Ok(data) => published(view.config, data.dataset.index(), &data.split.index),
        Err(_) => Published::default(),
    };
    Section {
        id: "summary",
        heading: "Summary",
        body: html! {
            @for warning in warnings(reported) { (notice(warning)) }
            (leaks(view))
            (facts("The run", rows(view)))
            h3 { "Metrics" }
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
                    (clips.describe()) "."
                }
            }
        },
    }
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

/// The warnings of all metrics, without repetitions.
fn warnings(reported: &[ReportedMetric]) -> Vec<&str> {
    let mut warnings: Vec<&str> = Vec::new();
    for warning in reported.iter().flat_map(|metric| &metric.warnings) {
        if !warnings.contains(&&**warning) {
            warnings.push(warning);
        }
    }
    warnings
}

/// Numbers of artists, albums and recordings in more than one set.
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

/// Tracks without a known artist, which the audit cannot check.
fn unknown(audit: &LeakAudit, tracks: usize) -> Option<String> {
    match audit.unknown_artists {
        0 => None,
        unknown if unknown >= tracks => Some("artists unknown".into()),
        unknown => Some(format!("artists of {} unknown", counted(unknown, "track", "tracks"))),
    }
}

fn leaks(view: &RunView<'_>) -> Markup {
    // An imported network was not trained on the split's training set.
    let data = view.data.as_ref().ok().filter(|_| view.config.imported_from.is_none());
    let audit = data.map(|data| &data.split.index.leaks);
    html! {
        @if let Some(found) = audit.and_then(leaked) {
            (notice(format!("Leaked: {found} in more than one set of the split, so scores are too optimistic.")))
        }
    }
}

fn rows(view: &RunView<'_>) -> Vec<(&'static str, Markup)> {
    let config = view.config;
    let description = config.model.description();
    let mut rows = match &config.combination {
        None => vec![
            ("model", html! { b { (config.model) } ": " (description.paper) }),
            ("input", description.input.describe().render()),
        ],
        Some(combination) => vec![("model", html! { b { (combination.describe()) } })],
    };
    if let Some(best) = view.metrics.best_epoch {
        let epochs = view.history.len();
        let trained = html! {
            (best)
            @if epochs > 0 { " of " (epochs) " trained" }
            @if epochs != config.epochs { "; " (config.epochs) " requested" }
        };
        rows.push(("best epoch", trained));
    }
    if config.combination.is_none() {
        let ended = match (&config.imported_from, view.metrics.ended) {
            (Some(file), _) => format!("imported from {file}, not trained here"),
            (None, Some(ending)) => ending.to_string(),
            (None, None) => "not finished".to_owned(),
        };
        rows.push(("training", ended.render()));
    }
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
            @if view.metrics.best_epoch.is_some() || view.config.imported_from.is_some() || view.config.combination.is_some() { ", fold " (fold.number) " of " (fold.of) }
            @else { ", " (fold.of) " folds; each track is evaluated by the fold that has it in this set" }
        }
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
