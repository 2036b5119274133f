//! Several runs beside each other.

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

/// A run that is compared.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    pub run: &'a RunDirectory,
    pub config: &'a RunConfig,
    /// What is known of its metrics beyond the numbers.
    pub reported: &'a [ReportedMetric],
}

/// A run, read, under the name that the page gives it.
struct Entry<'a> {
    name: String,
    view: RunView<'a>,
    reported: &'a [ReportedMetric],
}

/// The page of several runs: their metrics on `set`, with what is known of these; the settings in which they differ; their
/// curves in one frame; F1 by class. `tests`, on the same set, are shown where there are some.
///
/// # Errors
/// Where there is no run, one has no trained epoch, or a file of one is damaged.
pub fn comparison(candidates: &[Candidate<'_>], set: Set, tests: &[PairedTest]) -> anyhow::Result<String> {
    if candidates.is_empty() {
        bail!("there is no run to compare; name at least one");
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
    tell_apart(&mut entries, candidates);
    let title = format!("{} compared", counted(entries.len(), "run", "runs"));
    let page = Page {
        title: &title,
        lead: html! {
            p.lead { "Metrics are those of the " (set_name(set)) " set, with the weights of each run's best epoch." }
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

/// Runs of one name get their whole path.
fn tell_apart(entries: &mut [Entry<'_>], candidates: &[Candidate<'_>]) {
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
                (notice("Some runs give classes and some tags. A metric that a run does not have is a dash, and those of one name \
                         are not the same thing."))
            } @else if splits.len() > 1 {
                (notice("The runs were not evaluated on one split of one data set, so their metrics cannot be compared."))
            }
            (metrics_table(entries, set))
            (marks(entries, set))
            @if !tests.is_empty() { (paired(tests, set)) }
        },
    }
}

/// Names of the metrics that any of the runs has, in their order, and the best value of each.
fn best_values(entries: &[Entry<'_>], set: Set) -> Vec<(&'static str, Option<f64>)> {
    let mut best: Vec<(&'static str, Option<f64>)> = Vec::new();
    for report in entries.iter().filter_map(|entry| entry.view.report(set)) {
        for metric in metrics(&report.tracks) {
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
        .numbers(["tracks", "best epoch", "epoch takes"])
        .sortable();
    for (at, entry) in entries.iter().enumerate() {
        let report = entry.view.report(set);
        let own = report.map_or(Vec::new(), |report| metrics(&report.tracks));
        let measured = |(name, best): &(&str, Option<f64>)| -> Cell {
            let value = own
                .iter()
                .find(|metric| metric.name == *name)
                .and_then(|metric| metric.value);
            let metric = entry
                .reported
                .iter()
                .find(|one| one.metric == *name && one.set == set.name());
            let shown = cell(html! { (rounded(value)) @if let Some(metric) = metric { small { (sureness(metric)) } } });
            shown.class(if value.is_some() && value == *best { "best" } else { "" })
        };
        let seconds = median(entry.view.history.iter().map(|epoch| epoch.seconds).collect());
        let mut cells = vec![
            cell(html! { (swatch(Style::Series(at))) (entry.name) }),
            cell(entry.view.config.model.to_string()),
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

/// Where the metric's true value may be, and of several runs their mean too.
fn sureness(metric: &ReportedMetric) -> String {
    let ends = interval(metric.interval);
    match metric.runs {
        0 | 1 => ends,
        runs => format!("mean of {runs}: {:.3}, {ends}", metric.mean),
    }
}

/// The remarks on each run, in one box, so that many remarks do not hide what they are about.
fn marks(entries: &[Entry<'_>], set: Set) -> Markup {
    let of_run = |entry: &Entry<'_>| -> BTreeSet<String> {
        let of_set = entry.reported.iter().filter(|metric| metric.set == set.name());
        of_set.flat_map(|metric| &metric.warnings).cloned().collect()
    };
    let marked = entries.iter().map(|entry| (&entry.name, of_run(entry)));
    let marked: Vec<_> = marked.filter(|(_, marks)| !marks.is_empty()).collect();
    let remarks = html! {
        @for (name, marks) in &marked {
            p { b { (name) } }
            ul { @for mark in marks { li { (mark) } } }
        }
    };
    html! { @if !marked.is_empty() { (notice(remarks)) } }
}

fn paired(tests: &[PairedTest], set: Set) -> Markup {
    let row = |test: &PairedTest| {
        vec![
            cell(html! { (test.runs[1]) " against " (test.runs[0]) }),
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
        h3 { "Tested on the same tracks of the " (set_name(set)) " set" }
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
            html! { p { "There is none." } }
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
            p.note { "On the validation set." }
            (side_by_side(&COLUMNS.into_iter().filter_map(chart).collect::<Vec<_>>()))
        },
    }
}

fn outputs_section(entries: &[Entry<'_>], set: Set) -> Section {
    let of_run = |entry: &Entry<'_>| -> Vec<(String, f64)> {
        let report = entry.view.report(set).map(|report| f1_by_output(&report.tracks));
        report
            .into_iter()
            .flatten()
            .map(|(name, f1)| (name.to_owned(), f1))
            .collect()
    };
    let of_runs: Vec<Vec<(String, f64)>> = entries.iter().map(of_run).collect();
    let mut names: Vec<&String> = Vec::new();
    for (name, _) in of_runs.iter().flatten() {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let row = |name: &&String| {
        let f1s = of_runs
            .iter()
            .map(|of_run| match of_run.iter().find(|(of, _)| of == *name) {
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
