//! The section with statistics of the data set and its split.

use super::data_view::DataView;
use super::run_view::RunView;
use crate::report::set_name;
use maud::{Markup, html};
use shared::dataset::manifest::TrackRow;
use shared::dataset::split::Set;
use shared::page::{Section, Table, cell, notice};
use shared::runtime::text::{counted, duration, grouped};
use std::collections::{BTreeMap, HashMap};

pub fn section(view: &RunView<'_>) -> Section {
    let body = match &view.data {
        Err(reason) => notice(format!("The data set cannot be read: {reason}")),
        Ok(data) => body(data),
    };
    Section {
        id: "data",
        heading: "Data",
        body,
    }
}

/// The rows of each set's tracks.
fn rows(data: &DataView) -> BTreeMap<Set, Vec<&TrackRow>> {
    let rows = |ids: &Vec<u64>| ids.iter().filter_map(|&id| data.track(id)).collect();
    data.split.tracks.iter().map(|(&set, ids)| (set, rows(ids))).collect()
}

fn body(data: &DataView) -> Markup {
    let index = data.dataset.index();
    let sets = rows(data);
    let listed: usize = sets.values().map(Vec::len).sum();
    html! {
        p {
            (index.source.name) " (" (index.source.subset) "): "
            (counted(index.kept, "track", "tracks")) ", " (duration(data.seconds(index.samples))) " in total"
            @if index.kept > listed { "; " (grouped((index.kept - listed) as u64)) " of them in no set of the split" }
            ". " (counted(index.rejected, "track was", "tracks were")) " rejected."
        }
        div.pair {
            div { h3 { "Tracks by class and set" } (classes(data.dataset.classes(), &sets)) }
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
