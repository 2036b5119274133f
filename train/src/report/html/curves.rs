//! What became of the figures epoch by epoch.

use super::page::{Section, notice};
use super::plot::{Line, Look, Plot};
use super::run_view::RunView;
use crate::metrics::Figures;
use crate::run::history::EpochRecord;
use maud::{Markup, html};

/// A column pair of `history.csv`.
pub type Column = (&'static str, fn(&Figures) -> Option<f64>);

/// The columns that are drawn, the ones of a task that has them.
pub const COLUMNS: [Column; 10] = [
    ("loss", |figures| Some(figures.loss)),
    ("top-1", |figures| figures.top1),
    ("mean AUC-ROC", |figures| figures.auc_roc),
    ("mean AUC-PR", |figures| figures.auc_pr),
    ("macro F1", |figures| Some(figures.macro_f1)),
    ("one-vs-rest accuracy", |figures| {
        figures.top1.is_some().then_some(figures.paper[0])
    }),
    ("accuracy of the tags", |figures| {
        figures.top1.is_none().then_some(figures.paper[0])
    }),
    ("macro precision", |figures| Some(figures.paper[1])),
    ("macro recall", |figures| Some(figures.paper[2])),
    ("F1 of the means", |figures| Some(figures.paper[3])),
];

/// The section.
pub fn section(view: &RunView<'_>) -> Section {
    let history = &view.history;
    let best = view.metrics.best_epoch.unwrap_or(0);
    let body = if history.is_empty() {
        notice("history.csv is not there, so that no curve can be drawn.")
    } else {
        html! {
            p.note {
                "Figures of the training set are those of the clips as they were trained on: augmented, with dropout, while \
                 weights change. The upright line is epoch " (best) ", whose weights were kept."
            }
            div.plots {
                @for (name, column) in COLUMNS {
                    @if history.iter().any(|epoch| column(&epoch.val).is_some()) {
                        (plot(name, column, history, best))
                    }
                }
            }
        }
    };
    Section {
        id: "curves",
        heading: "Curves",
        body,
    }
}

fn plot(name: &str, column: fn(&Figures) -> Option<f64>, history: &[EpochRecord], best: usize) -> Markup {
    let line = |name: &str, look: usize, figures: fn(&EpochRecord) -> &Figures| Line {
        name: name.into(),
        look: Look::Series(look),
        points: history
            .iter()
            .filter_map(|epoch| Some([epoch.epoch as f64, column(figures(epoch))?]))
            .collect(),
        dots: true,
    };
    let at_best = history.iter().find(|epoch| epoch.epoch == best);
    let at_best = at_best.and_then(|epoch| column(&epoch.val));
    let described = at_best.map_or(String::new(), |value| {
        format!(", {value:.3} on the validation set at the best epoch")
    });
    Plot {
        title: name,
        description: format!(
            "{name} over {} epochs, training and validation{described}",
            history.len()
        ),
        x: "epoch",
        y: name,
        lines: vec![
            line("validation", 0, |epoch| &epoch.val),
            line("training", 1, |epoch| &epoch.train),
        ],
        range: None,
        across: None,
        mark: Some((best as f64, "the best epoch")),
        diagonal: false,
        whole: true,
    }
    .render()
}
