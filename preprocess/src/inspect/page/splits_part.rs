//! The section on splits: tracks per class and set, class balance and leaks.

use crate::inspect::overview::Overview;
use crate::inspect::overview_text::{describe_strategy, share};
use crate::inspect::splits::{LeakOverview, SplitDetails, SplitState};
use maud::{Markup, html};
use shared::dataset::split::Set;
use shared::page::{Section, Table, cell};
use shared::runtime::text::{counted, grouped};

/// Number of leaked names on the page; `split.json` has all.
const MAX_NAMES: usize = 20;

pub(super) fn section(overview: &Overview) -> Section {
    let dangling = overview
        .current_split
        .as_ref()
        .filter(|_| !overview.splits.iter().any(|split| split.current));
    Section {
        id: "splits",
        heading: "Splits",
        body: html! {
            @if overview.splits.is_empty() { p { "There is no split yet; create one with preprocess split." } }
            @if let Some(name) = dangling { p.bad { "splits/current names the split " (name) ", which does not exist." } }
            div.pair { @for split in &overview.splits { div {
                h3 { (split.name) " " @if split.current { span.badge { "current" } } }
                @match &split.state {
                    SplitState::Usable(details) => (one(&split.name, details, overview)),
                    SplitState::Unusable { problem } => p.bad { (problem) },
                }
            } } }
        },
    }
}

fn one(name: &str, details: &SplitDetails, overview: &Overview) -> Markup {
    let tracks = |set: Set| details.sets.get(&set).map_or(0, |own| own.tracks);
    let all: usize = Set::ALL.into_iter().map(tracks).sum();
    let count = |set: Set, class: &str| {
        details
            .sets
            .get(&set)
            .and_then(|own| own.classes.get(class))
            .copied()
            .unwrap_or(0)
    };
    let with_share =
        |count: usize, whole: usize| cell(html! { (grouped(count as u64)) small { (share(count, whole)) } });
    let columns = Table::new(format!("Tracks of split {name} by set and class"))
        .text("")
        .numbers(Set::ALL.map(Set::name));
    let total = [cell("tracks")]
        .into_iter()
        .chain(Set::ALL.map(|set| with_share(tracks(set), all)));
    let rows = overview.classes.iter().map(|(class, _)| {
        let counts = Set::ALL.map(|set| with_share(count(set, class), tracks(set)));
        [cell(class)].into_iter().chain(counts).collect()
    });
    html! {
        p {
            (describe_strategy(details))
            @if details.left_out > 0 { "; " (counted(details.left_out, "track is", "tracks are")) " in none of its sets" }
        }
        (columns.rows([total.collect()]).rows(rows).render())
        @if let Some(deviation) = &details.largest_deviation {
            p.note {
                "Percentages are of the set's tracks. They differ most for " (deviation.class) ": "
                (format!("{:.1} % of {} and {:.1} % of all.", deviation.percent_of_set, deviation.set.name(), deviation.percent_of_all))
            }
        }
        (leaks(details))
    }
}

fn leaks(details: &SplitDetails) -> Markup {
    let leaks = &details.leaks;
    let kinds: [(&str, &str, &LeakOverview); 3] = [
        ("artist", "artists", &leaks.artists),
        ("album", "albums", &leaks.albums),
        ("recording", "recordings", &leaks.recordings),
    ];
    if kinds.iter().all(|(_, _, leak)| leak.count == 0 && leak.unknown == 0) {
        return html! { p.good { "No artist, album or recording is in more than one set." } };
    }
    html! { @for (one, more, leak) in kinds { (leaks_of_kind(one, more, leak, details.tracks())) } }
}

fn leaks_of_kind(one: &str, more: &str, leak: &LeakOverview, tracks: usize) -> Markup {
    let unknown = format!(
        "{more} unknown for {} of {}",
        grouped(leak.unknown as u64),
        counted(tracks, "track", "tracks")
    );
    html! {
        @if leak.count > 0 {
            p {
                span.bad { (counted(leak.count, one, more)) " in more than one set" } ", with "
                (counted(leak.tracks, "track", "tracks")) ": "
                (leak.names.iter().take(MAX_NAMES).map(String::as_str).collect::<Vec<_>>().join(", "))
                @if leak.count > MAX_NAMES { " …" }
                @if leak.unknown > 0 { "; " (unknown) }
            }
        } @else if leak.unknown == 0 {
            p.good { "No " (one) " is in more than one set." }
        } @else if leak.unknown == tracks {
            p.bad { (unknown) }
        } @else {
            p { "No known " (one) " is in more than one set; " span.bad { (unknown) } }
        }
    }
}
