//! The section with the metrics of each run, their warnings, and the paired tests.

use super::contestant::Entry;
use super::intervals::warnings;
use crate::report::html::metric::{Metric, interval, metrics, rounded, samples};
use crate::report::html::provenance::median;
use crate::report::reported_metric::PairedTest;
use crate::report::set_name;
use maud::{Markup, html};
use shared::dataset::split::Set;
use shared::page::{Cell, Section, Style, Table, cell, details, notice, swatch};
use shared::runtime::text::duration;
use std::collections::BTreeSet;

pub(super) fn section(entries: &[Entry<'_>], set: Set, tests: &[PairedTest]) -> Section {
    let splits: BTreeSet<_> = entries.iter().map(Entry::tracks_from).collect();
    let mixed = entries.iter().any(Entry::has_tags) && !entries.iter().all(Entry::has_tags);
    let has_sets = entries.iter().any(|entry| entry.views.len() > 1);
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
            (table(entries, set))
            @if has_sets {
                p.note { "Metrics of a set of runs without an interval are means over its runs." }
                (details("Metrics of each run", each_run(entries, set)))
            }
            (warnings(entries, set))
            @if !tests.is_empty() { (paired(entries, tests, set)) }
        },
    }
}

/// The metrics that any of the runs has, in order, with the best value of each.
fn best_values(all: &[Vec<Metric>]) -> Vec<(&'static str, Option<f64>)> {
    let mut best: Vec<(&'static str, Option<f64>)> = Vec::new();
    for metric in all.iter().flatten() {
        let better = if metric.lower_is_better() { f64::min } else { f64::max };
        match best.iter_mut().find(|(name, _)| *name == metric.name) {
            Some((_, best)) => *best = [*best, metric.value].into_iter().flatten().reduce(better),
            None => best.push((metric.name, metric.value)),
        }
    }
    best
}

fn value_of(metrics: &[Metric], name: &str) -> Option<f64> {
    metrics.iter().find(|metric| metric.name == name)?.value
}

fn table(entries: &[Entry<'_>], set: Set) -> Markup {
    let all: Vec<Vec<Metric>> = entries.iter().map(|entry| entry.metrics(set)).collect();
    let best = best_values(&all);
    let mut table = Table::new("Metrics by run")
        .text("run")
        .text("model")
        .numbers(best.iter().map(|(name, _)| name))
        .numbers(["tracks", "best epoch", "time per epoch"])
        .sortable();
    for (at, (entry, metrics)) in entries.iter().zip(&all).enumerate() {
        let measured = |(name, best): &(&str, Option<f64>)| -> Cell {
            let value = value_of(metrics, name);
            let reported = entry.reported(name, set);
            let shown = cell(html! {
                (rounded(value))
                @if let Some(reported) = reported { small { (interval(reported.interval)) } }
            });
            shown.class(if value.is_some() && value == *best { "best" } else { "" })
        };
        let best_epoch = match &entry.views[..] {
            [view] => view.metrics.best_epoch,
            _ => None,
        };
        let epochs = entry.views.iter().flat_map(|view| &view.history);
        let seconds = median(epochs.map(|epoch| epoch.seconds).collect());
        let contestant = &entry.contestant;
        let name = html! {
            (swatch(Style::Series(at))) (entry.name)
            @if at == 0 && entries.len() > 1 { small { "reference" } }
            @if !contestant.members.is_empty() { small { (contestant.members) } }
        };
        let mut cells = vec![cell(name), cell(contestant.config.model_name())];
        cells.extend(best.iter().map(measured));
        cells.push(cell(contestant.tracks));
        cells.push(cell(best_epoch.map_or_else(|| "–".into(), |best| best.to_string())));
        cells.push(seconds.map_or_else(|| cell("–"), |seconds| cell(duration(seconds)).sorted_by(seconds)));
        table.row(cells);
    }
    table.render()
}

/// A row for each run of the sets of runs.
fn each_run(entries: &[Entry<'_>], set: Set) -> Markup {
    let all: Vec<Vec<Metric>> = entries.iter().map(|entry| entry.metrics(set)).collect();
    let names: Vec<&str> = best_values(&all).into_iter().map(|(name, _)| name).collect();
    let mut table = Table::new("Metrics of each run")
        .text("run")
        .numbers(&names)
        .numbers(["tracks", "best epoch"])
        .sortable();
    for entry in entries.iter().filter(|entry| entry.views.len() > 1) {
        for view in &entry.views {
            let report = view.report(set);
            let metrics = report.map_or(Vec::new(), metrics);
            let mut cells = vec![cell(format!("{}/{}", entry.name, view.name))];
            cells.extend(names.iter().map(|name| cell(rounded(value_of(&metrics, name)))));
            cells.push(cell(report.map_or(0, |report| samples(&report.tracks))));
            let best = view.metrics.best_epoch;
            cells.push(cell(best.map_or_else(|| "–".into(), |best| best.to_string())));
            table.row(cells);
        }
    }
    table.render()
}

fn paired(entries: &[Entry<'_>], tests: &[PairedTest], set: Set) -> Markup {
    let name = |path: &str| {
        let found = entries
            .iter()
            .find(|entry| entry.contestant.path.display().to_string() == path);
        found.map_or(path, |entry| &entry.name).to_owned()
    };
    let row = |test: &PairedTest| {
        vec![
            cell(html! { (name(&test.runs[1])) " minus " (name(&test.runs[0])) }),
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
