//! What the data set and its split hold.

use super::data_view::DataView;
use super::page::{Section, boxed, counted, duration, grouped, notice};
use super::run_view::{RunView, set_name};
use maud::{Markup, html};
use shared::dataset::manifest::TrackRow;
use shared::dataset::split::Set;
use std::collections::{BTreeMap, HashMap};

/// The section.
pub fn section(view: &RunView<'_>) -> Section {
    let body = match &view.data {
        Err(reason) => notice(&format!("The data set cannot be read: {reason}")),
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
            (counted(index.kept as u64, "track", "tracks")) " of " (duration(data.seconds(index.samples))) " in all"
            @if index.kept > listed { ", of which " (grouped((index.kept - listed) as u64)) " are in no set of the split" }
            ". " (counted(index.rejected as u64, "track was", "tracks were")) " rejected."
        }
        div.pair {
            div { h3 { "Tracks by class and set" } (boxed("Tracks by class and set", &classes(data.dataset.classes(), &sets))) }
            div {
                h3 { "Lengths" } (boxed("Lengths of tracks", &lengths(data, &sets)))
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
    let count = |name: &str, set: Set| counts.get(&(name, set)).copied().unwrap_or(0);
    html! {
        table.sortable.figures {
            thead {
                tr {
                    th scope="col" { "class" }
                    @for &set in sets.keys() { th.number scope="col" { (set_name(set)) } }
                }
            }
            tbody {
                @for name in names {
                    tr {
                        th scope="row" { (name) }
                        @for &set in sets.keys() { td.number { (count(name, set)) } }
                    }
                }
            }
            tfoot {
                tr {
                    th scope="row" { "tracks" }
                    @for rows in sets.values() { td.number { (rows.len()) } }
                }
            }
        }
    }
}

fn lengths(data: &DataView, sets: &BTreeMap<Set, Vec<&TrackRow>>) -> Markup {
    html! {
        table.figures {
            thead {
                tr {
                    th scope="col" { "set" }
                    @for heading in ["shortest", "median", "longest", "in all"] { th.number scope="col" { (heading) } }
                }
            }
            tbody {
                @for (&set, rows) in sets {
                    @let lengths = Lengths::of(rows);
                    tr {
                        th scope="row" { (set_name(set)) }
                        @for samples in [lengths.shortest, lengths.median, lengths.longest, lengths.total] {
                            td.number { (duration(data.seconds(samples))) }
                        }
                    }
                }
            }
        }
    }
}

/// In samples; 0 without a track.
#[derive(Debug, PartialEq)]
struct Lengths {
    shortest: u64,
    /// Of an even number of tracks, the longer of the two in the middle.
    median: u64,
    longest: u64,
    total: u64,
}

impl Lengths {
    fn of(rows: &[&TrackRow]) -> Self {
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
    let table = html! {
        table.figures {
            thead { tr { th scope="col" { "reason" } th.number scope="col" { "tracks" } } }
            tbody {
                @for (reason, count) in &reasons {
                    tr { th scope="row" { code { (reason) } } td.number { (count) } }
                }
            }
        }
    };
    html! {
        @if reasons.is_empty() { p { "No track was rejected." } } @else { (boxed("Rejected tracks by reason", &table)) }
    }
}
