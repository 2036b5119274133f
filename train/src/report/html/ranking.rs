//! How well a tagger's scores rank: the ROC and precision-recall curves of its tags.

use super::page::{Section, notice};
use super::plot::{Line, Look, Plot};
use super::run_view::{RunView, set_name};
use crate::metrics::rankings;
use crate::report::tag_curves::{PLACES, TagCurves, places};
use crate::run::predictions::Predictions;
use maud::{Markup, html};
use shared::dataset::split::Set;
use std::cmp::Reverse;

/// Tags that have a colour: those of most tracks.
const NAMED: usize = 6;
/// Tags that are drawn: those of most tracks.
const DRAWN: usize = 60;
/// Every so many-th place of a curve is drawn, for the page to stay small.
const STEP: usize = 4;

/// The section; none of classes.
pub fn section(view: &RunView<'_>, set: Set) -> Option<Section> {
    if !view.has_tags() {
        return None;
    }
    let body = match view.predictions.get(&set) {
        None => notice("The table of predictions is not there; judge the set again with this version of train."),
        Some(predictions) => body(predictions, set),
    };
    Some(Section {
        id: "ranking",
        heading: "Ranking",
        body,
    })
}

fn body(predictions: &Predictions, set: Set) -> Markup {
    let tags = predictions.classes.len();
    let scores: Vec<f32> = predictions
        .tracks
        .iter()
        .flat_map(|track| track.probabilities.clone())
        .collect();
    let truths = predictions
        .tracks
        .iter()
        .flat_map(|track| (0..tags).map(|tag| track.labels.contains(&tag)));
    let truths: Vec<bool> = truths.collect();
    let rankings = match rankings(&scores, &truths, tags) {
        Ok(rankings) => rankings,
        Err(error) => return notice(&format!("The curves cannot be drawn: {error}.")),
    };
    let curves = rankings.iter().zip(&predictions.classes);
    let mut curves: Vec<_> = curves
        .filter_map(|(ranking, name)| TagCurves::new(ranking, name))
        .collect();
    curves.sort_by_key(|tag| Reverse(tag.support));
    if curves.is_empty() {
        return notice(
            "There is no tag that some tracks of the set have and some have not, so that nothing is ranked.",
        );
    }
    html! {
        p.note {
            "The mean is taken over " (curves.len()) " of " (tags) " tags of the " (set_name(set)) " set: those that some tracks \
             have and some have not. The tags of most tracks have colours"
            @if curves.len() > DRAWN { ", and the " (DRAWN) " of most tracks are drawn" }
            "; point at another line for its name."
        }
        div.plots {
            (plot("ROC", ["false positive rate", "true positive rate"], &curves, true, |tag| &tag.roc, |tag| tag.roc_auc))
            (plot("Precision and recall", ["recall", "precision"], &curves, false, |tag| &tag.precision,
                |tag| tag.average_precision))
        }
    }
}

type Heights = for<'a> fn(&'a TagCurves<'_>) -> &'a [f64];

fn plot(
    title: &str,
    [x, y]: [&str; 2],
    curves: &[TagCurves<'_>],
    diagonal: bool,
    heights: Heights,
    area: fn(&TagCurves<'_>) -> f64,
) -> Markup {
    let line = |name: String, look: Look, heights: &dyn Fn(usize) -> f64| {
        // A ROC curve begins at the origin, below its height at the first place.
        let begin = diagonal.then_some([0.0, 0.0]);
        let points = places()
            .enumerate()
            .step_by(STEP)
            .map(|(at, place)| [place, heights(at)]);
        Line {
            name,
            look,
            points: begin.into_iter().chain(points).collect(),
            dots: false,
        }
    };
    let mean_area = curves.iter().map(area).sum::<f64>() / curves.len() as f64;
    let mean = |at: usize| curves.iter().map(|tag| heights(tag)[at]).sum::<f64>() / curves.len() as f64;
    let mut lines = vec![line(format!("mean, area {mean_area:.3}"), Look::Mean, &mean)];
    for (at, tag) in curves.iter().enumerate().take(DRAWN) {
        let look = if at < NAMED { Look::Series(at) } else { Look::Background };
        lines.push(line(format!("{}, area {:.3}", tag.name, area(tag)), look, &|at| {
            heights(tag)[at]
        }));
    }
    debug_assert!(PLACES.is_multiple_of(STEP), "the last place is drawn");
    Plot {
        title,
        description: format!("{title}: {} tags, mean area {mean_area:.3}", curves.len()),
        x,
        y,
        lines,
        range: Some([0.0, 1.0]),
        across: Some([0.0, 1.0]),
        mark: None,
        diagonal,
        whole: false,
    }
    .render()
}
