//! The page: its title, and the sections on settings, curves and classes.

use super::contestant::{Contestant, Entry};
use super::{intervals, metrics};
use crate::report::curves::{COLUMNS, Column, lines_by_epoch};
use crate::report::html::outputs::f1;
use crate::report::html::settings::flat;
use crate::report::html::verdict::data_name;
use crate::report::reported_metric::PairedTest;
use crate::report::set_name;
use anyhow::bail;
use maud::html;
use shared::dataset::split::Set;
use shared::page::{Chart, Page, Section, Shape, Style, Table, cell, side_by_side};
use shared::runtime::text::counted;
use std::collections::{BTreeMap, BTreeSet};

/// The page of several runs: intervals, metrics on `set` with warnings, paired `tests` on the same set, settings that
/// differ, curves, and F1 by class. The first contestant is the reference.
///
/// # Errors
/// If there is no run, or a run has no trained epoch or a damaged file.
pub fn comparison(contestants: &[Contestant<'_>], set: Set, tests: &[PairedTest]) -> anyhow::Result<String> {
    if contestants.is_empty() {
        bail!("no run to compare; give at least one");
    }
    let entries = Entry::read_all(contestants)?;
    let data: BTreeSet<String> = contestants.iter().map(|one| data_name(one.config)).collect();
    let data = data.into_iter().collect::<Vec<_>>().join(", ");
    let title = format!("{} compared on {data}", counted(entries.len(), "run", "runs"));
    let page = Page {
        title: &title,
        lead: html! {
            (intervals::verdict(&entries, set, tests))
            p.note { "Metrics on the " (set_name(set)) " set, with the weights of each run's best epoch, or those imported." }
        },
        sections: intervals::section(&entries, set)
            .into_iter()
            .chain([
                metrics::section(&entries, set, tests),
                curves_section(&entries),
                outputs_section(&entries, set),
                settings_section(&entries),
            ])
            .collect(),
        refresh: None,
    };
    Ok(page.render())
}

/// The settings of a run. A set of runs has all its seeds.
fn settings(entry: &Entry<'_>) -> BTreeMap<String, String> {
    let mut settings = flat(entry.contestant.config);
    let seeds: BTreeSet<u64> = entry.views.iter().map(|view| view.config.seed).collect();
    let seeds: Vec<String> = seeds.iter().map(u64::to_string).collect();
    settings.insert("seed".into(), seeds.join(", "));
    settings
}

fn settings_section(entries: &[Entry<'_>]) -> Section {
    let settings: Vec<_> = entries.iter().map(settings).collect();
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

/// A line for each run. All runs of a set have one colour.
fn chart((name, metric): Column, entries: &[Entry<'_>]) -> Option<Chart> {
    let (mut lines, mut owners) = (Vec::new(), Vec::new());
    for (at, entry) in entries.iter().enumerate() {
        for view in &entry.views {
            let points = view
                .history
                .iter()
                .filter_map(|epoch| Some([epoch.epoch as f64, metric(&epoch.val)?]));
            lines.push((entry.name.clone(), points.collect::<Vec<_>>()));
            owners.push(at);
        }
    }
    if lines.iter().all(|(_, points)| points.is_empty()) {
        return None;
    }
    let mut plot = lines_by_epoch(name, lines);
    for (series, at) in plot.series.iter_mut().zip(owners) {
        series.style = Style::Series(at);
        if let Shape::Dotted(points) = &mut series.shape
            && entries[at].views.len() > 1
        {
            series.shape = Shape::Line(std::mem::take(points));
        }
    }
    Some(plot.draw())
}

fn curves_section(entries: &[Entry<'_>]) -> Section {
    let charts: Vec<Chart> = COLUMNS
        .into_iter()
        .filter_map(|column| chart(column, entries))
        .collect();
    Section {
        id: "curves",
        heading: "Curves",
        body: html! {
            p.note { "Metrics on the validation set, by epoch." }
            (side_by_side(&charts))
        },
    }
}

fn outputs_section(entries: &[Entry<'_>], set: Set) -> Section {
    let f1_by_run: Vec<Vec<(String, f64)>> = entries.iter().map(|entry| entry.f1_by_output(set)).collect();
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
