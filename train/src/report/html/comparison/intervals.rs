//! The charts of the intervals, and the result of the comparison in one sentence.

use super::contestant::Entry;
use crate::report::html::metric::interval;
use crate::report::reported_metric::PairedTest;
use crate::report::set_name;
use maud::{Markup, html};
use shared::dataset::split::Set;
use shared::page::{IntervalRow, Intervals, Section, notice};

/// A chart for each metric that has intervals; `None` if there are none.
pub(super) fn section(entries: &[Entry<'_>], set: Set) -> Option<Section> {
    let mut names: Vec<&str> = Vec::new();
    for metric in entries.iter().flat_map(|entry| entry.contestant.reported) {
        if metric.set == set.name() && !names.contains(&&*metric.metric) {
            names.push(&metric.metric);
        }
    }
    (!names.is_empty()).then(|| Section {
        id: "intervals",
        heading: "Intervals",
        body: html! {
            p.note { "Dots are values on the " (set_name(set)) " set, lines their 95 % bootstrap intervals." }
            div.pair {
                @for name in &names {
                    div {
                        div.box role="region" aria-label={ "Intervals of " (name) } tabindex="0" {
                            (chart(entries, name, set).draw().inline())
                        }
                    }
                }
            }
        },
    })
}

fn chart(entries: &[Entry<'_>], name: &str, set: Set) -> Intervals {
    let row = |entry: &Entry<'_>| {
        let metric = entry.reported(name, set);
        IntervalRow {
            name: entry.name.clone(),
            value: metric.map(|metric| metric.mean),
            interval: metric.and_then(|metric| metric.interval),
        }
    };
    Intervals {
        title: name.to_owned(),
        subtitle: method(entries, name, set),
        rows: entries.iter().map(row).collect(),
        reference: (entries.len() > 1).then_some(0),
    }
}

/// The method of the intervals if it is the same for all.
fn method(entries: &[Entry<'_>], name: &str, set: Set) -> String {
    let mut methods: Vec<&str> = Vec::new();
    for metric in entries.iter().filter_map(|entry| entry.reported(name, set)) {
        if !metric.method.is_empty() && !methods.contains(&&*metric.method) {
            methods.push(&metric.method);
        }
    }
    if let [method] = methods[..] {
        method.to_owned()
    } else {
        String::new()
    }
}

/// Which run has the highest value of the main metric, and its difference from the reference, the first run. Empty if the
/// runs cannot be compared.
pub(super) fn verdict(entries: &[Entry<'_>], set: Set, tests: &[PairedTest]) -> Markup {
    let [reference, others @ ..] = entries else {
        return html! {};
    };
    let main = reference.contestant.reported.first();
    let is_comparable = |other: &Entry<'_>| other.tracks_from() == reference.tracks_from();
    let Some(main) = main.filter(|_| !others.is_empty() && others.iter().all(is_comparable)) else {
        return html! {};
    };
    let candidates = entries
        .iter()
        .filter_map(|entry| Some((entry, entry.reported(&main.metric, set)?)));
    // The first of equal ones.
    let Some((best, metric)) = candidates.reduce(|a, b| if b.1.mean > a.1.mean { b } else { a }) else {
        return html! {};
    };
    let paths = [reference, best].map(|entry| entry.contestant.path.display().to_string());
    let test = tests
        .iter()
        .find(|test| test.metric == main.metric && test.runs == paths);
    html! {
        p.lead {
            b { (best.name) } " has the highest " (metric.metric) " on the " (set_name(set)) " set: "
            (format!("{:.3}", metric.mean))
            @if metric.interval.is_some() { ", 95 % interval " (interval(metric.interval)) }
            @if let Some(test) = test {
                "; " (format!("{:+.3}", test.difference)) " compared with the reference " (reference.name)
                @if test.interval.is_some() { ", 95 % interval " (interval(test.interval)) }
                ", p " (format!("{:.3}", test.p_value))
            }
            "."
        }
    }
}

/// The warnings of each run, in one box so they take little space.
pub(super) fn warnings(entries: &[Entry<'_>], set: Set) -> Markup {
    let run_warnings = |entry: &Entry<'_>| -> Vec<String> {
        let on_set = entry
            .contestant
            .reported
            .iter()
            .filter(|metric| metric.set == set.name());
        let mut warnings: Vec<String> = Vec::new();
        for warning in on_set.flat_map(|metric| &metric.warnings) {
            if !warnings.contains(warning) {
                warnings.push(warning.clone());
            }
        }
        warnings
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
