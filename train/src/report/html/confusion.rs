//! What classes were taken for: counts, and shares of each class's tracks.

use super::page::{Section, boxed, counted, notice};
use super::run_view::{RunView, set_name};
use crate::metrics::ConfusionMatrix;
use crate::run::predictions::Predictions;
use maud::{Markup, html};
use shared::dataset::split::Set;

/// Of more classes a table of all pairs cannot be read; then the pairs that are confused most are all that is shown.
const MOST_CLASSES: usize = 40;
/// Confused pairs in the list.
const PAIRS: usize = 10;
/// Shares from which on a cell's text changes between black and white, on light pages and on dark ones. With the shades
/// of the style sheet, text has a contrast of 4.58 to its cell or more.
const HIGH: f64 = 0.74;
const MIDDLE: f64 = 0.5;

/// The section; none of tags, of which a track may have several.
pub fn section(view: &RunView<'_>, set: Set) -> Option<Section> {
    if view.has_tags() {
        return None;
    }
    let body = match view.predictions.get(&set) {
        None => notice("The table of predictions is not there; judge the set again with this version of train."),
        Some(predictions) => body(predictions, set),
    };
    Some(Section {
        id: "confusion",
        heading: "Confusion",
        body,
    })
}

/// Counts of a table of predictions. Tracks without exactly one label do not count.
fn confusion(predictions: &Predictions) -> ConfusionMatrix {
    let mut matrix = ConfusionMatrix::new(predictions.classes.len());
    for track in &predictions.tracks {
        if let ([truth], [predicted]) = (&track.labels[..], &track.predicted[..]) {
            matrix.add(*truth, *predicted);
        }
    }
    matrix
}

fn body(predictions: &Predictions, set: Set) -> Markup {
    let matrix = confusion(predictions);
    let names = &predictions.classes;
    let set = set_name(set);
    html! {
        @if names.len() <= MOST_CLASSES {
            p.note {
                "A row per true class of the " (set) " set, a column per predicted one. Each cell has the number of tracks, \
                 and below it their share of the row, by which it is shaded; the diagonal is right."
            }
            (boxed("Confusion matrix", &table(&matrix, names)))
        }
        (pairs(&matrix, names))
    }
}

fn table(matrix: &ConfusionMatrix, names: &[String]) -> Markup {
    let classes = || 0..matrix.classes();
    html! {
        table.confusion {
            thead {
                tr {
                    th scope="col" { "true ↓ predicted →" }
                    @for name in names { th scope="col" { span { (name) } } }
                    th scope="col" { span { "tracks" } }
                }
            }
            tbody {
                @for truth in classes() {
                    @let total = matrix.truth_total(truth);
                    tr {
                        th scope="row" { (names[truth]) }
                        @for predicted in classes() {
                            @let count = matrix.count(truth, predicted);
                            @let share = if total == 0 { 0.0 } else { count as f64 / total as f64 };
                            td class=(cell_class(share, truth == predicted)) style=(format!("--share:{:.0}%", 100.0 * share)) {
                                (count)
                                @if total > 0 { small { (format!("{:.0} %", 100.0 * share)) } }
                            }
                        }
                        td.total { (total) }
                    }
                }
            }
        }
    }
}

fn cell_class(share: f64, right: bool) -> String {
    let shade = match share {
        HIGH.. => "high",
        MIDDLE..HIGH => "middle",
        _ => "low",
    };
    if right { format!("{shade} right") } else { shade.into() }
}

/// The pairs that are confused most.
fn pairs(matrix: &ConfusionMatrix, names: &[String]) -> Markup {
    let all = (0..names.len()).flat_map(|truth| (0..names.len()).map(move |predicted| (truth, predicted)));
    let wrong = all.filter(|&(truth, predicted)| truth != predicted && matrix.count(truth, predicted) > 0);
    let mut wrong: Vec<_> = wrong.collect();
    wrong.sort_by_key(|&(truth, predicted)| std::cmp::Reverse(matrix.count(truth, predicted)));
    wrong.truncate(PAIRS);
    html! {
        @if !wrong.is_empty() {
            h3 { "Taken for another most often" }
            ol.pairs {
                @for (truth, predicted) in wrong {
                    @let total = matrix.truth_total(truth);
                    li {
                        b { (names[truth]) } " taken for " b { (names[predicted]) } ": "
                        (matrix.count(truth, predicted)) " of " (counted(total, "track", "tracks"))
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
    fn counts_and_shares_of_rows_are_written() {
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
        assert!(
            html.contains("1<small>33 %</small>") && html.contains("2<small>67 %</small>"),
            "{html}"
        );
        assert!(html.contains("class=\"high right\" style=\"--share:100%\""), "{html}");
        assert!(
            html.contains("<b>Folk</b> taken for <b>&lt;script&gt;</b>: 2 of 3 tracks"),
            "{html}"
        );
        assert!(!html.contains("<script>"));
    }
}
