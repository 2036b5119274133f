//! The section with the confusion matrix and the most frequent confusions.

use super::run_view::{RunView, no_predictions};
use crate::metrics::ConfusionMatrix;
use crate::report::{confusion, set_name};
use crate::run::predictions::Predictions;
use maud::{Markup, html};
use shared::dataset::split::Set;
use shared::page::Section;
use shared::runtime::text::counted;

/// A larger matrix is unreadable, so only the list of the most frequent confusions is shown.
const MOST_CLASSES: usize = 40;
/// Length of the list of confusions.
const PAIRS: usize = 10;

/// `None` for multi-label runs.
pub fn section(view: &RunView<'_>, set: Set) -> Option<Section> {
    (!view.has_tags()).then(|| Section {
        id: "confusion",
        heading: "Confusion",
        body: view
            .predictions
            .get(&set)
            .map_or_else(no_predictions, |predictions| body(predictions, set)),
    })
}

/// The confusion matrix of a table of predictions, without tracks that do not have exactly one label.
fn count(predictions: &Predictions) -> ConfusionMatrix {
    let mut matrix = ConfusionMatrix::new(predictions.classes.len());
    for track in &predictions.tracks {
        if let ([truth], [predicted]) = (&track.labels[..], &track.predicted[..]) {
            matrix.add(*truth, *predicted);
        }
    }
    matrix
}

fn body(predictions: &Predictions, set: Set) -> Markup {
    let (matrix, names) = (count(predictions), &predictions.classes);
    html! {
        div.matrix {
            @if names.len() <= MOST_CLASSES {
                div.box role="region" aria-label="Confusion matrix" tabindex="0" {
                    (confusion::chart(&matrix, names, set_name(set)).inline())
                }
            }
            div { (pairs(&matrix, names)) }
        }
    }
}

/// The most frequent confusions.
fn pairs(matrix: &ConfusionMatrix, names: &[String]) -> Markup {
    let all = (0..names.len()).flat_map(|truth| (0..names.len()).map(move |predicted| (truth, predicted)));
    let wrong = all.filter(|&(truth, predicted)| truth != predicted && matrix.count(truth, predicted) > 0);
    let mut wrong: Vec<_> = wrong.collect();
    wrong.sort_by_key(|&(truth, predicted)| std::cmp::Reverse(matrix.count(truth, predicted)));
    wrong.truncate(PAIRS);
    html! {
        @if !wrong.is_empty() {
            h3 { "Most frequent confusions" }
            ol {
                @for (truth, predicted) in wrong {
                    li {
                        b { (names[truth]) } " predicted as " b { (names[predicted]) } ": "
                        (matrix.count(truth, predicted)) " of " (counted(matrix.truth_total(truth) as usize, "track", "tracks"))
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::predictions::Prediction;

    #[test]
    fn confusions_are_drawn_and_listed() {
        let track = |truth: usize, predicted: usize| Prediction {
            track_id: 1,
            labels: vec![truth],
            predicted: vec![predicted],
            probabilities: vec![0.5, 0.5],
        };
        let predictions = Predictions {
            classes: ["Folk".to_owned(), "<script>".to_owned()].into(),
            tracks: vec![track(0, 0), track(0, 1), track(0, 1), track(1, 1)],
        };
        let html = body(&predictions, Set::Test).into_string();
        assert!(html.contains(">33 %<") && html.contains(">67 %<"), "{html}");
        assert!(
            html.contains("<b>Folk</b> predicted as <b>&lt;script&gt;</b>: 2 of 3 tracks"),
            "{html}"
        );
        assert!(!html.contains("<script>"));
    }
}
