//! The section with the reliability curves.

use super::metric::rounded;
use super::run_view::{RunView, no_predictions};
use crate::metrics::{RELIABILITY_BINS, ReliabilityCurve};
use crate::report::set_name;
use maud::html;
use shared::dataset::Task;
use shared::dataset::split::Set;
use shared::page::{Axis, Chart, Plot, Point, Section, Series, Shape, Style, side_by_side};
use shared::runtime::text::counted;

/// Curves of all evaluated sets except the training set.
pub fn section(view: &RunView<'_>) -> Section {
    let task = if view.has_tags() {
        Task::MultiLabel
    } else {
        Task::SingleLabel
    };
    let evaluated = view.predictions.iter().filter(|(set, _)| **set != Set::Train);
    let charts: Vec<Chart> = evaluated
        .map(|(set, predictions)| chart(&predictions.reliability(task), task, *set))
        .collect();
    Section {
        id: "calibration",
        heading: "Calibration",
        body: html! {
            @if charts.is_empty() { (no_predictions()) } @else {
                p.note {
                    @match task {
                        Task::SingleLabel => {
                            "Tracks are in " (RELIABILITY_BINS) " bins by the probability of their predicted class. "
                        }
                        Task::MultiLabel => { "Each track and tag is in one of " (RELIABILITY_BINS) " bins by its probability. " }
                    }
                    "On the diagonal, probabilities are right on average. The expected calibration error (ECE) is the mean \
                     distance from it."
                    @if let Some(calibration) = &view.calibration { " Logits are divided by a temperature: " (calibration.describe()) "." }
                }
                (side_by_side(&charts))
            }
        },
    }
}

fn chart(curve: &ReliabilityCurve, task: Task, set: Set) -> Chart {
    let ([x, y], [one, several]) = match task {
        Task::SingleLabel => (["probability of the predicted class", "accuracy"], ["track", "tracks"]),
        Task::MultiLabel => (
            ["probability of the tag", "fraction with the tag"],
            ["decision", "decisions"],
        ),
    };
    let filled = || curve.bins.iter().filter(|bin| bin.count > 0);
    let points = filled().map(|bin| Point {
        at: [bin.confidence, bin.accuracy],
        link: String::new(),
        title: format!(
            "{}, mean probability {:.3}, {y} {:.3}",
            counted(bin.count as usize, one, several),
            bin.confidence,
            bin.accuracy
        ),
    });
    let series = |shape| Series {
        name: String::new(),
        style: Style::Series(0),
        shape,
    };
    let count: u64 = filled().map(|bin| bin.count).sum();
    Plot {
        subtitle: format!(
            "ECE {} of {} of the {} set",
            rounded(curve.ece()),
            counted(count as usize, one, several),
            set_name(set)
        ),
        height: 260.0,
        series: vec![
            series(Shape::Points(points.collect())),
            series(Shape::Line(
                filled().map(|bin| [bin.confidence, bin.accuracy]).collect(),
            )),
        ],
        diagonal: true,
        ..Plot::new("Reliability", Axis::linear(x, 0.0, 1.0), Axis::linear(y, 0.0, 1.0))
    }
    .draw()
}
