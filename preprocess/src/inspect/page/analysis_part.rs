//! The part of the page on the data analysis: its drawings, and what each of them shows.

use crate::inspect::analysis::{Analysis, CLASSES_DRAWN, SampleTracks};
use crate::inspect::chart::drawings::{Drawings, Named};
use crate::inspect::overview::Overview;
use maud::{Markup, html};
use shared::dataset::Task;
use shared::runtime::text::{counted, grouped};

pub(super) fn draw(
    overview: &Overview,
    analysis: &Analysis,
    drawings: &Drawings,
    sample_tracks: SampleTracks,
) -> Markup {
    let filled = analysis.classes.iter().filter(|class| class.tracks > 0).count();
    html! {
        h2 { "Data analysis" }
        @if analysis.tracks == 0 { p { "There are no tracks to analyse." } } @else {
            @if filled > CLASSES_DRAWN { p { "Drawn are the " (CLASSES_DRAWN) " classes with the most tracks, of " (filled) "." } }
            h3 { "Sample values" }
            (describe_samples(analysis, sample_tracks))
            (charts(&drawings.samples, false))
            h3 { "Mean spectra" }
            p { "Mel power in dB below each track's loudest value, cut at " (overview.index.features.top_db) " dB below it, as a model sees it:
                the mean over all tracks of a class of their means over time." }
            (charts(&drawings.spectra, drawings.spectra.len() == 1))
            h3 { "Principal components" }
            p {
                "Every track's statistics, each a z-score, on the two directions in which they vary most: the mean and the standard
                 deviation over time of each mel band, and seven statistics of each of 20 MFCCs."
                @if overview.index.task == Task::MultiLabel { " A track has the colour of the first of its tags that is drawn." }
            }
            div.charts.large {
                @for (what, drawing) in [("mel", &drawings.mel), ("MFCC", &drawings.mfcc)] {
                    div {
                        @match drawing {
                            Ok((_, drawing)) => (drawing.inline()),
                            Err(reason) => p { "No projection of the " (what) " statistics: " (reason) "." },
                        }
                    }
                }
            }
            h3 { "Typical tracks" }
            p {
                "Mel spectrograms of the tracks whose mel statistics lie nearest to the mean of their class. Light is a track's loudest value,
                 and dark " (overview.index.features.top_db) " dB below: "
                span.shades {}
            }
            (charts(&drawings.examples, false))
        }
    }
}

fn describe_samples(analysis: &Analysis, sample_tracks: SampleTracks) -> Markup {
    let read = analysis.all.samples.as_ref();
    html! {
        p {
            "How often each value of the stored 16-bit samples occurs in a class (line) and in all tracks that were looked at (area), on a
             logarithmic scale. Looked at were "
            (counted(read.map_or(0, |samples| samples.tracks), "track", "tracks")) " of " (grouped(analysis.tracks as u64)) " with "
            (grouped(read.map_or(0, |samples| samples.samples))) " samples"
            @if let SampleTracks::AtMost(most) = sample_tracks {
                ": at most " (grouped(most.get() as u64)) " of each class, evenly spaced in the order of their ids"
            }
            "."
        }
    }
}

fn charts(drawings: &[Named], large: bool) -> Markup {
    html! {
        div.charts.large[large] {
            @for (_, drawing) in drawings { div { (drawing.inline()) } }
        }
    }
}
