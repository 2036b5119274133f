//! The section on the data set and its split, with their statistics.

use super::data_view::DataView;
use super::run_view::RunView;
use crate::report::set_name;
use maud::{Markup, html};
use shared::dataset::manifest::TrackRow;
use shared::dataset::split::{LeakAudit, Set, SplitIndex};
use shared::page::{Section, Table, cell, facts, notice};
use shared::runtime::text::{counted, duration, grouped};
use std::collections::{BTreeMap, HashMap};

pub fn section(view: &RunView<'_>) -> Section {
    let body = match &view.data {
        Err(reason) => notice(format!(
            "The data set {} cannot be read: {reason}",
            view.config.data.display()
        )),
        Ok(data) => body(view, data),
    };
    Section {
        id: "data",
        heading: "Data",
        body,
    }
}

/// Numbers of artists, albums and recordings in more than one set.
pub fn leaked(audit: &LeakAudit) -> Option<String> {
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

/// The rows of each set's tracks.
fn rows(data: &DataView) -> BTreeMap<Set, Vec<&TrackRow>> {
    let rows = |ids: &Vec<u64>| ids.iter().filter_map(|&id| data.track(id)).collect();
    data.split.tracks.iter().map(|(&set, ids)| (set, rows(ids))).collect()
}

fn body(view: &RunView<'_>, data: &DataView) -> Markup {
    let index = data.dataset.index();
    let sets = rows(data);
    let listed: usize = sets.values().map(Vec::len).sum();
    html! {
        (facts("Data set and split", [
            ("data set", html! {
                (index.source.name) " " (index.source.subset) ": " (counted(index.kept, "track", "tracks")) ", "
                (duration(data.seconds(index.samples))) " in total"
                @if index.kept > listed { "; " (grouped((index.kept - listed) as u64)) " of them in no set of the split" }
                "; " (counted(index.rejected, "track was", "tracks were")) " rejected"
            }),
            ("split", describe_split(view, &data.split.index)),
            ("leak audit", html! {
                @match leaked(&data.split.index.leaks) {
                    None => "no known artist, album or recording is in more than one set",
                    Some(found) => { (found) " in more than one set" }
                }
                @if let Some(unknown) = unknown(&data.split.index.leaks, listed) { "; " (unknown) }
            }),
        ]))
        div.pair {
            div { h3 { "Tracks by class and set" } (classes(&view.config.classes, &sets)) }
            div {
                h3 { "Lengths" } (lengths(data, &sets))
                h3 { "Rejected" } (rejected(data))
            }
        }
    }
}

fn classes(names: &[String], sets: &BTreeMap<Set, Vec<&TrackRow>>) -> Markup {
    let mut counts: HashMap<(&str, Set), usize> = HashMap::new();
    for (&set, rows) in sets {
        for label in rows.iter().flat_map(|row| &row.labels) {
            *counts.entry((label, set)).or_default() += 1;
        }
    }
    let row = |name: &String| {
        let count = |&set: &Set| cell(counts.get(&(name, set)).copied().unwrap_or(0));
        [cell(name)].into_iter().chain(sets.keys().map(count)).collect()
    };
    let totals = sets.values().map(|rows| cell(rows.len()));
    Table::new("Tracks by class and set")
        .text("class")
        .numbers(sets.keys().map(|&set| set_name(set)))
        .sortable()
        .rows(names.iter().map(row))
        .foot([cell("tracks")].into_iter().chain(totals).collect())
        .render()
}

fn lengths(data: &DataView, sets: &BTreeMap<Set, Vec<&TrackRow>>) -> Markup {
    let row = |(&set, rows): (&Set, &Vec<&TrackRow>)| {
        let Lengths {
            shortest,
            median,
            longest,
            total,
        } = Lengths::new(rows);
        let lengths = [shortest, median, longest, total].map(|samples| cell(duration(data.seconds(samples))));
        [cell(set_name(set))].into_iter().chain(lengths).collect()
    };
    let table = Table::new("Lengths of tracks")
        .text("set")
        .numbers(["shortest", "median", "longest", "total"]);
    table.rows(sets.iter().map(row)).render()
}

/// In samples; 0 if there are no tracks.
#[derive(Debug, PartialEq)]
struct Lengths {
    shortest: u64,
    /// The upper median if the number of tracks is even.
    median: u64,
    longest: u64,
    total: u64,
}

impl Lengths {
    fn new(rows: &[&TrackRow]) -> Self {
        let mut samples: Vec<u64> = rows.iter().map(|row| row.samples).collect();
        samples.sort_unstable();
        let at = |place: usize| samples.get(place).copied().unwrap_or(0);
        Self {
            shortest: at(0),
            median: at(samples.len() / 2),
            longest: at(samples.len().saturating_sub(1)),
            total: samples.iter().sum(),
        }
    }
}

fn rejected(data: &DataView) -> Markup {
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for row in &data.rejected {
        *reasons.entry(&row.reason).or_default() += 1;
    }
    if reasons.is_empty() {
        return html! { p { "No track was rejected." } };
    }
    let row = |(reason, count): (&&str, &usize)| vec![cell(html! { code { (reason) } }), cell(count)];
    let table = Table::new("Rejected tracks by reason").text("reason").number("tracks");
    table.rows(reasons.iter().map(row)).render()
}
