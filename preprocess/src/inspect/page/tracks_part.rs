//! The section with all tracks, to search and to sort.

use super::is_multi_label;
use crate::inspect::analysis::Analysis;
use crate::inspect::analysis::pictures::PIXELS;
use crate::inspect::overview::Overview;
use crate::inspect::track_list::TrackList;
use maud::html;
use shared::dataset::manifest::TrackRow;
use shared::dataset::split::Set;
use shared::page::{Browser, BrowserColumn, BrowserKind, BrowserValue, Section};
use shared::runtime::text::grouped;

/// Typical tracks have this and their number as id, so the browser links to them.
pub(super) const LINK: &str = "track-";

pub(super) fn section(overview: &Overview, analysis: &Analysis, tracks: &TrackList) -> Section {
    let drawn = analysis.pictures.len();
    Section {
        id: "tracks",
        heading: "Tracks",
        body: html! {
            @if drawn < tracks.rows.len() {
                p.note {
                    "The " (grouped(drawn as u64)) " tracks that were read for the analysis have a picture; with "
                    code { "--sample-tracks all" } " all have one."
                }
            }
            (browser(overview, analysis, tracks).render())
        },
    }
}

fn browser(overview: &Overview, analysis: &Analysis, tracks: &TrackList) -> Browser {
    let classes = &overview.index.classes;
    let rate = f64::from(overview.index.features.sample_rate);
    let has_sets = !tracks.sets.is_empty();
    let column = |heading, kind| BrowserColumn { heading, kind };
    let mut columns = vec![
        column("track", BrowserKind::Text),
        column("file", BrowserKind::Text),
        column("artist", BrowserKind::Text),
        column(
            if is_multi_label(overview) { "tags" } else { "class" },
            BrowserKind::Choice(classes.clone()),
        ),
    ];
    if has_sets {
        let sets = Set::ALL.map(|set| set.name().to_owned());
        columns.push(column("set", BrowserKind::Choice(sets.into())));
    }
    columns.push(column("seconds", BrowserKind::Number(1)));
    let row = |row: &TrackRow| {
        let labels = row
            .labels
            .iter()
            .filter_map(|label| classes.iter().position(|class| class == label));
        let mut values = vec![
            BrowserValue::Text(row.track_id.to_string()),
            BrowserValue::Text(row.path.clone()),
            BrowserValue::Text(row.artist.clone()),
            BrowserValue::Choice(labels.collect()),
        ];
        if has_sets {
            let set = tracks.sets.get(&row.track_id);
            let at = Set::ALL.iter().position(|one| Some(one) == set);
            values.push(BrowserValue::Choice(at.into_iter().collect()));
        }
        values.push(BrowserValue::Number(Some(row.samples as f64 / rate)));
        values
    };
    let picture = |row: &TrackRow| analysis.pictures.get(&row.track_id).cloned();
    Browser {
        label: "Tracks".into(),
        things: "tracks",
        columns,
        rows: tracks.rows.iter().map(row).collect(),
        pictures: tracks.rows.iter().map(picture).collect(),
        picture_size: PIXELS,
        link_prefix: LINK,
    }
}
