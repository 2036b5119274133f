//! The section on the data analysis: its charts, with a description of each.

use super::tracks_part::LINK;
use crate::inspect::analysis::{Analysis, SampleTracks};
use crate::inspect::drawings::{Drawings, NamedChart};
use crate::inspect::overview::Overview;
use maud::{Markup, html};
use shared::dsp::features::DbReference;
use shared::page::{CLASSES_DRAWN, Chart, Section, excerpt_player, side_by_side};
use shared::runtime::text::{counted, grouped};
use std::collections::HashSet;

pub(super) fn section(
    overview: &Overview,
    analysis: &Analysis,
    drawings: &Drawings,
    sample_tracks: SampleTracks,
) -> Section {
    Section {
        id: "analysis",
        heading: "Data analysis",
        body: if analysis.tracks == 0 {
            html! { p { "There are no tracks to analyse." } }
        } else {
            body(overview, analysis, drawings, sample_tracks)
        },
    }
}

fn body(overview: &Overview, analysis: &Analysis, drawings: &Drawings, sample_tracks: SampleTracks) -> Markup {
    let filled = analysis.classes.iter().filter(|class| class.tracks > 0).count();
    let features = &overview.index.features;
    let relative_to = match features.db_reference {
        DbReference::Max => "relative to each track's maximum",
        DbReference::One => "relative to power 1",
    };
    let clipped = match features.top_db {
        Some(top_db) => format!(", clipped {top_db} dB below its maximum"),
        None => String::new(),
    };
    let charts = |named: &[NamedChart]| side_by_side(&named.iter().map(|(_, chart)| chart.clone()).collect::<Vec<_>>());
    let projections: Vec<Chart> = [&drawings.mel, &drawings.mfcc]
        .into_iter()
        .filter_map(|projection| Some(projection.as_ref().ok()?.1.clone()))
        .collect();
    html! {
        @if filled > CLASSES_DRAWN { p { "Charts show the " (CLASSES_DRAWN) " classes with the most tracks, of " (filled) "." } }
        h3 { "Sample values" }
        (describe_samples(analysis, sample_tracks))
        (charts(&drawings.samples))
        h3 { "Mean spectra and principal components" }
        p {
            "Mel power in dB " (relative_to) (clipped) ", as in a model's input: averaged over time for each track, then over the
             tracks of a class."
        }
        p {
            "Points are all tracks on the first two principal components of their standardised statistics: the mean and the standard
             deviation over time of each mel band, and seven statistics of each of 20 MFCCs."
            @if super::is_multi_label(overview) { " A track has the colour of the first of its tags that is in the legend." }
        }
        @for (what, drawing) in [("mel", &drawings.mel), ("MFCC", &drawings.mfcc)] {
            @if let Err(reason) = drawing { p { "No projection of the " (what) " statistics: " (reason) "." } }
        }
        (side_by_side(&drawings.spectra.iter().map(|(_, chart)| chart.clone()).chain(projections).collect::<Vec<_>>()))
        h3 { "Typical tracks" }
        p {
            "Mel spectrograms of the tracks whose mel statistics are nearest to the mean of their class. The brightest colour is the
             track's maximum, black is " (features.drawn_db()) " dB below it."
        }
        (typical(overview, analysis, drawings))
    }
}

/// The typical tracks, with a player if their sound was read.
fn typical(overview: &Overview, analysis: &Analysis, drawings: &Drawings) -> Markup {
    let examples = analysis
        .drawn()
        .into_iter()
        .flat_map(|class| &analysis.classes[class].examples);
    let rate = overview.index.features.sample_rate;
    // A track with several tags may be typical of several.
    let mut linked = HashSet::new();
    html! {
        div.charts {
            @for (example, (_, chart)) in examples.zip(&drawings.examples) {
                @let id = linked.insert(example.track_id).then(|| format!("{LINK}{}", example.track_id));
                figure {
                    div id=[id] { (chart.inline()) }
                    @if let Some(samples) = &example.sound { (excerpt_player(&format!("Track {}", example.track_id), samples, rate)) }
                }
            }
        }
    }
}

fn describe_samples(analysis: &Analysis, sample_tracks: SampleTracks) -> Markup {
    let read = analysis.all.samples.as_ref();
    html! {
        p {
            "How often each value of the stored 16-bit samples occurs in a class (line) and in all tracks that were read (area), on a
             logarithmic scale. "
            (counted(read.map_or(0, |samples| samples.tracks), "track", "tracks")) " of " (grouped(analysis.tracks as u64))
            " were read, with " (grouped(read.map_or(0, |samples| samples.samples))) " samples"
            @if let SampleTracks::AtMost(most) = sample_tracks {
                ": at most " (grouped(most.get() as u64)) " of each class, evenly spaced in the order of their ids"
            }
            "."
        }
    }
}
