//! A row per class or tag.

use super::page::{Section, boxed, counted, figure};
use super::run_view::set_name;
use crate::metrics::{ClassMetrics, SetMetrics, SetReport, TagMetrics};
use maud::{Markup, html};
use shared::dataset::split::Set;

/// The section.
pub fn section(set: Set, report: &SetReport) -> Section {
    let set = set_name(set);
    match &report.tracks {
        SetMetrics::Classes(metrics) => Section {
            id: "classes",
            heading: "Classes",
            body: html! {
                p.note {
                    "Each class against the rest on the " (set) " set, as scikit-learn's classification_report has it."
                    @let missing = metrics.missing();
                    @if !missing.is_empty() {
                        " The set has no track of " b { (missing.join(", ")) } "; macro F1 is the mean over classes that are true \
                         or predicted."
                    }
                }
                (boxed("Figures by class", &classes(&metrics.per_class)))
            },
        },
        SetMetrics::Tags(metrics) => Section {
            id: "tags",
            heading: "Tags",
            body: html! {
                p.note {
                    "Each tag by itself on the " (set) " set. Areas are not defined for a tag that all tracks have or none; "
                    (counted(metrics.per_tag.iter().filter(|tag| tag.auc_roc.is_none()).count() as u64, "tag is", "tags are"))
                    " without."
                }
                (boxed("Figures by tag", &tags(&metrics.per_tag)))
            },
        },
    }
}

fn classes(rows: &[ClassMetrics]) -> Markup {
    html! {
        table.sortable.figures {
            thead {
                tr {
                    th scope="col" { "class" }
                    @for heading in ["support", "precision", "recall", "F1"] { th.number scope="col" { (heading) } }
                }
            }
            tbody {
                @for row in rows {
                    tr {
                        th scope="row" { (row.name) }
                        td.number { (row.support) }
                        td.number { (figure(Some(row.precision))) }
                        td.number { (figure(Some(row.recall))) }
                        (bar(row.f1))
                    }
                }
            }
        }
    }
}

fn tags(rows: &[TagMetrics]) -> Markup {
    let headings = [
        "support",
        "AUC-ROC",
        "AUC-PR",
        "threshold",
        "accuracy",
        "precision",
        "recall",
        "F1",
    ];
    html! {
        table.sortable.figures {
            thead {
                tr {
                    th scope="col" { "tag" }
                    @for heading in headings { th.number scope="col" { (heading) } }
                }
            }
            tbody {
                @for row in rows {
                    tr {
                        th scope="row" { (row.name) }
                        td.number { (row.support) }
                        td.number { (figure(row.auc_roc)) }
                        td.number { (figure(row.auc_pr)) }
                        @for value in [row.threshold, row.accuracy, row.precision, row.recall] {
                            td.number { (figure(Some(value))) }
                        }
                        (bar(row.f1))
                    }
                }
            }
        }
    }
}

/// A share as a number and as a length.
pub fn bar(share: f64) -> Markup {
    html! {
        td.number.bar style=(format!("--length:{share:.3}")) data-value=(format!("{share:.6}")) {
            span { (figure(Some(share))) }
        }
    }
}
