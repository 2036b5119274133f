//! The section with the ROC and precision-recall curves of a multi-label run.

use super::run_view::{RunView, no_predictions};
use crate::metrics::rankings;
use crate::report::{ranking, set_name};
use crate::run::predictions::Predictions;
use maud::{Markup, html};
use shared::dataset::split::Set;
use shared::page::{Section, notice, side_by_side};

/// `None` for single-label runs.
pub fn section(view: &RunView<'_>, set: Set) -> Option<Section> {
    view.has_tags().then(|| Section {
        id: "ranking",
        heading: "Ranking",
        body: view
            .predictions
            .get(&set)
            .map_or_else(no_predictions, |predictions| body(predictions, set)),
    })
}

fn body(predictions: &Predictions, set: Set) -> Markup {
    let tags = predictions.classes.len();
    let tracks = &predictions.tracks;
    let scores: Vec<f32> = tracks.iter().flat_map(|track| track.probabilities.clone()).collect();
    let truths: Vec<bool> = tracks
        .iter()
        .flat_map(|track| (0..tags).map(|tag| track.labels.contains(&tag)))
        .collect();
    match rankings(&scores, &truths, tags) {
        Err(error) => notice(format!("The curves cannot be drawn: {error}.")),
        Ok(rankings) => html! {
            p.note {
                "The mean is over the tags that some tracks have and some do not. The most frequent tags have colours; point at \
                 another line to see its name."
            }
            (side_by_side(&ranking::charts(&rankings, &predictions.classes, set_name(set))))
        },
    }
}
