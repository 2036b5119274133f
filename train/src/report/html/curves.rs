//! The section with the metrics by epoch.

use super::run_view::RunView;
use crate::report::curves::{COLUMNS, training_and_validation};
use maud::html;
use shared::page::{Chart, Section, notice, side_by_side};

pub fn section(view: &RunView<'_>) -> Section {
    let history = &view.history;
    let best = view.metrics.best_epoch;
    let drawn = COLUMNS
        .into_iter()
        .filter(|(_, metric)| history.iter().any(|epoch| metric(&epoch.val).is_some()));
    let charts: Vec<Chart> = drawn
        .map(|column| training_and_validation(column, history, best))
        .collect();
    Section {
        id: "curves",
        heading: "Curves",
        body: html! {
            @if history.is_empty() { (notice("history.csv is missing, so the curves cannot be drawn.")) } @else {
                p.note {
                    "Training metrics are computed during training: with the run's augmentation and dropout, while the weights change. \
                     The vertical line is the best epoch, whose weights were kept."
                }
                (side_by_side(&charts))
            }
        },
    }
}
