//! The page that compares several runs.

use super::metric::{f1_by_output, interval, metrics, rounded, samples};
use super::outputs::f1;
use super::run_view::RunView;
use super::settings::flat;
use super::throughput::median;
use crate::report::curves::{COLUMNS, Column, lines_by_epoch};
use crate::report::reported_metric::{PairedTest, ReportedMetric};
use crate::report::set_name;
use crate::run::directory::RunDirectory;
use crate::settings::RunConfig;
use anyhow::bail;
use maud::{Markup, html};
use shared::dataset::split::Set;
use shared::page::{Cell, Chart, Page, Section, Style, Table, cell, notice, side_by_side, swatch};
use shared::runtime::text::{counted, duration};
use std::collections::BTreeSet;

/// A run to compare.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    pub run: &'a RunDirectory,
    pub config: &'a RunConfig,
    /// Intervals and warnings of its metrics.
    pub reported: &'a [ReportedMetric],
}

/// A run that was read, with its unique name on the page.
struct Entry<'a> {
    name: String,
    view: RunView<'a>,
    reported: &'a [ReportedMetric],
}

/// The page of several runs: metrics on `set` with intervals and warnings, paired `tests` on the same set, settings
/// that differ, curves, and F1 by class.
///
/// # Errors
/// If there is no run, or a run has no trained epoch or a damaged file.
pub fn comparison(candidates: &[Candidate<'_>], set: Set, tests: &[PairedTest]) -> anyhow::Result<String> {
    if candidates.is_empty() {
        bail!("no run to compare; give at least one");
    }
    let mut entries = Vec::new();
    for candidate in candidates {
        let view = RunView::read(candidate.run, candidate.config)?;
        entries.push(Entry {
            name: view.name.clone(),
            view,
            reported: candidate.reported,
        });
    }
    make_names_unique(&mut entries, candidates);
    let title = format!("{} compared", counted(entries.len(), "run", "runs"));
    let page = Page {
        title: &title,
        lead: html! {
            p.lead { "Metrics on the " (set_name(set)) " set, with the weights of each run's best epoch, or those imported." }
        },
        sections: vec![
            metrics_section(&entries, set, tests),
            settings_section(&entries),
            curves_section(&entries),
            outputs_section(&entries, set),
        ],
    };
    Ok(page.render())
}

/// Replaces names that several runs have with full paths.
fn make_names_unique(entries: &mut [Entry<'_>], candidates: &[Candidate<'_>]) {
    let names: Vec<String> = entries.iter().map(|entry| entry.name.clone()).collect();
    for (at, entry) in entries.iter_mut().enumerate() {
        if names.iter().filter(|name| **name == names[at]).count() > 1 {
            entry.name = candidates[at].run.root().display().to_string();
        }
    }
}

fn metrics_section(entries: &[Entry<'_>], set: Set, tests: &[PairedTest]) -> Section {
    let splits: BTreeSet<_> = entries
        .iter()
        .map(|entry| (&entry.view.config.data_checksum, &entry.view.config.split))
        .collect();
    let mixed = entries.iter().any(|entry| entry.view.has_tags()) && !entries.iter().all(|entry| entry.view.has_tags());
    Section {
        id: "metrics",
        heading: "Metrics",
        body: html! {
            @if mixed {
                (notice("Some runs are single-label and some are multi-label, so their metrics cannot be compared, even if they \
                         have the same name. A dash means that the run does not have the metric."))
            } @else if splits.len() > 1 {
                (notice("The runs were evaluated on different splits or data sets, so their metrics cannot be compared."))
            }
            (metrics_table(entries, set))
            (warnings(entries, set))
            @if !tests.is_empty() { (paired(tests, set)) }
        },
    }
}

/// The metrics that any of the runs has, in order, with the best value of each.
fn best_values(entries: &[Entry<'_>], set: Set) -> Vec<(&'static str, Option<f64>)> {
    let mut best: Vec<(&'static str, Option<f64>)> = Vec::new();
    for report in entries.iter().filter_map(|entry| entry.view.report(set)) {
        for metric in metrics(report) {
            let better = if metric.lower_is_better() { f64::min } else { f64::max };
            match best.iter_mut().find(|(name, _)| *name == metric.name) {
                Some((_, best)) => *best = [*best, metric.value].into_iter().flatten().reduce(better),
                None => best.push((metric.name, metric.value)),
            }
        }
    }
    best
}

fn metrics_table(entries: &[Entry<'_>], set: Set) -> Markup {
    let best = best_values(entries, set);
    let mut table = Table::new("Metrics by run")
        .text("run")
        .text("model")
        .numbers(best.iter().map(|(name, _)| name))
        .numbers(["tracks", "best epoch", "time per epoch"])
        .sortable();
    for (at, entry) in entries.iter().enumerate() {
        let report = entry.view.report(set);
        let values = report.map_or(Vec::new(), metrics);
        let measured = |(name, best): &(&str, Option<f64>)| -> Cell {
            let value = values
                .iter()
                .find(|metric| metric.name == *name)
                .and_then(|metric| metric.value);
            let metric = entry
                .reported
                .iter()
                .find(|one| one.metric == *name && one.set == set.name());
            let interval = metric.map(|metric| html! { small { (mean_and_interval(metric)) } });
            let shown = cell(html! { (rounded(value)) (interval.unwrap_or_default()) });
            shown.class(if value.is_some() && value == *best { "best" } else { "" })
        };
        let seconds = median(entry.view.history.iter().map(|epoch| epoch.seconds).collect());
        let mut cells = vec![
            cell(html! { (swatch(Style::Series(at))) (entry.name) }),
            cell(entry.view.config.model_name()),
        ];
        cells.extend(best.iter().map(measured));
        cells.push(cell(report.map_or(0, |report| samples(&report.tracks))));
        cells.push(cell(
            entry
                .view
                .metrics
                .best_epoch
                .map_or(String::new(), |best| best.to_string()),
        ));
        cells.push(seconds.map_or_else(|| cell("–"), |seconds| cell(duration(seconds)).sorted_by(seconds)));
        table.row(cells);
    }
    table.render()
}

/// The interval, and for several runs their mean.
fn mean_and_interval(metric: &ReportedMetric) -> String {
    let ends = interval(metric.interval);
    match metric.runs {
        0 | 1 => ends,
        runs => format!("mean of {runs}: {:.3}, {ends}", metric.mean),
    }
}

/// The warnings of each run, in one box so they take little space.
fn warnings(entries: &[Entry<'_>], set: Set) -> Markup {
    let run_warnings = |entry: &Entry<'_>| -> BTreeSet<String> {
        let on_set = entry.reported.iter().filter(|metric| metric.set == set.name());
        on_set.flat_map(|metric| &metric.warnings).cloned().collect()
    };
    let warned = entries.iter().map(|entry| (&entry.name, run_warnings(entry)));
    let warned: Vec<_> = warned.filter(|(_, warnings)| !warnings.is_empty()).collect();
    let lists = html! {
        @for (name, warnings) in &warned {
            p { b { (name) } }
            ul { @for warning in warnings { li { (warning) } } }
        }
    };
    html! { @if !warned.is_empty() { (notice(lists)) } }
}

fn paired(tests: &[PairedTest], set: Set) -> Markup {
    let row = |test: &PairedTest| {
        vec![
            cell(html! { (test.runs[1]) " minus " (test.runs[0]) }),
            cell(&test.metric),
            cell(format!("{:+.3}", test.difference)),
            cell(interval(test.interval)),
            cell(format!("{:.3}", test.p_value)),
            cell(&test.method).class("words"),
        ]
    };
    let table = Table::new("Paired tests").text("runs").text("metric");
    let table = table.numbers(["difference", "95 % interval", "p"]).text("test");
    html! {
        h3 { "Paired tests on the same tracks of the " (set_name(set)) " set" }
        (table.rows(tests.iter().map(row)).render())
    }
}

fn settings_section(entries: &[Entry<'_>]) -> Section {
    let settings: Vec<_> = entries.iter().map(|entry| flat(entry.view.config)).collect();
    let names: BTreeSet<&String> = settings.iter().flat_map(|settings| settings.keys()).collect();
    let mut table = Table::new("Settings that differ").text("setting");
    for entry in entries {
        table = table.text(&entry.name);
    }
    let mut differ = false;
    for name in names {
        let values: Vec<Option<&String>> = settings.iter().map(|settings| settings.get(name)).collect();
        if values.iter().any(|value| *value != values[0]) {
            let values = values.into_iter().map(|value| cell(value.map_or("–", String::as_str)));
            table.row([cell(html! { code { (name) } })].into_iter().chain(values).collect());
            differ = true;
        }
    }
    Section {
        id: "settings",
        heading: "Settings that differ",
        body: if differ {
            table.render()
        } else {
            html! { p { "All settings are the same." } }
        },
    }
}

fn curves_section(entries: &[Entry<'_>]) -> Section {
    let chart = |(name, metric): Column| -> Option<Chart> {
        let line = |entry: &Entry<'_>| {
            let points = entry
                .view
                .history
                .iter()
                .filter_map(|epoch| Some([epoch.epoch as f64, metric(&epoch.val)?]));
            (entry.name.clone(), points.collect::<Vec<_>>())
        };
        let lines: Vec<_> = entries.iter().map(line).collect();
        lines
            .iter()
            .any(|(_, points)| !points.is_empty())
            .then(|| lines_by_epoch(name, lines).draw())
    };
    Section {
        id: "curves",
        heading: "Curves",
        body: html! {
            p.note { "Metrics on the validation set, by epoch." }
            (side_by_side(&COLUMNS.into_iter().filter_map(chart).collect::<Vec<_>>()))
        },
    }
}

fn outputs_section(entries: &[Entry<'_>], set: Set) -> Section {
    let f1_of_run = |entry: &Entry<'_>| -> Vec<(String, f64)> {
        let report = entry.view.report(set).map(|report| f1_by_output(&report.tracks));
        report
            .into_iter()
            .flatten()
            .map(|(name, f1)| (name.to_owned(), f1))
            .collect()
    };
    let f1_by_run: Vec<Vec<(String, f64)>> = entries.iter().map(f1_of_run).collect();
    let mut names: Vec<&String> = Vec::new();
    for (name, _) in f1_by_run.iter().flatten() {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let row = |name: &&String| {
        let f1s = f1_by_run
            .iter()
            .map(|run| match run.iter().find(|(class, _)| class == *name) {
                Some((_, value)) => f1(*value),
                None => cell("–"),
            });
        [cell(name)].into_iter().chain(f1s).collect()
    };
    let table = Table::new("F1 by class and run")
        .text("class or tag")
        .numbers(entries.iter().map(|entry| &entry.name));
    Section {
        id: "outputs",
        heading: "F1 by class",
        body: table.sortable().rows(names.iter().map(row)).render(),
    }
}
