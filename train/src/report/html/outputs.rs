//! The section with the metrics of each class or tag.

use super::metric::rounded;
use crate::metrics::{ClassMetrics, SetMetrics, SetReport, TagMetrics};
use crate::report::set_name;
use maud::{Markup, html};
use shared::dataset::split::Set;
use shared::page::{Cell, Section, Table, bar, cell};
use shared::runtime::text::counted;

pub fn section(set: Set, report: &SetReport) -> Section {
    let set = set_name(set);
    match &report.tracks {
        SetMetrics::Classes(metrics) => Section {
            id: "classes",
            heading: "Classes",
            body: html! {
                p.note {
                    "One-vs-rest metrics of each class on the " (set) " set, as in scikit-learn's classification_report."
                    @let missing = metrics.missing();
                    @if !missing.is_empty() {
                        " The set has no tracks of " b { (missing.join(", ")) } ". Macro F1 is the mean over the classes that are \
                         labels or predictions of any track."
                    }
                }
                (classes(&metrics.per_class))
            },
        },
        SetMetrics::Tags(metrics) => Section {
            id: "tags",
            heading: "Tags",
            body: html! {
                p.note {
                    "Metrics of each tag on the " (set) " set. AUC is undefined for tags that all tracks or no tracks have: "
                    (counted(metrics.per_tag.iter().filter(|tag| tag.auc_roc.is_none()).count(), "tag", "tags"))
                    "."
                }
                (tags(&metrics.per_tag))
            },
        },
    }
}

fn classes(rows: &[ClassMetrics]) -> Markup {
    let row = |row: &ClassMetrics| {
        let measured = [row.precision, row.recall].map(|value| cell(rounded(value)));
        [cell(&row.name), cell(row.support)]
            .into_iter()
            .chain(measured)
            .chain([f1(row.f1)])
            .collect()
    };
    let table = Table::new("Metrics by class")
        .text("class")
        .numbers(["support", "precision", "recall", "F1"]);
    table.sortable().rows(rows.iter().map(row)).render()
}

fn tags(rows: &[TagMetrics]) -> Markup {
    let row = |row: &TagMetrics| {
        let areas = [row.auc_roc, row.auc_pr].map(|area| cell(rounded(area)));
        let measured = [row.threshold, row.accuracy, row.precision, row.recall].map(|value| cell(rounded(value)));
        let first = [cell(&row.name), cell(row.support)];
        first
            .into_iter()
            .chain(areas)
            .chain(measured)
            .chain([f1(row.f1)])
            .collect()
    };
    let table = Table::new("Metrics by tag")
        .text("tag")
        .numbers(["support", "AUC-ROC", "AUC-PR", "threshold"]);
    table
        .numbers(["accuracy", "precision", "recall", "F1"])
        .sortable()
        .rows(rows.iter().map(row))
        .render()
}

/// F1 as a number and a bar.
pub fn f1(value: f64) -> Cell {
    bar(value, rounded(value))
}
