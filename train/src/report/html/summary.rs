//! What the run is and how good it is, before all else.

use super::figures::{Figure, figures, samples};
use super::page::{Section, boxed, counted, figure, grouped, notice};
use super::published::{Published, published};
use super::run_view::{RunView, set_name};
use crate::metrics::{SetMetrics, SetReport};
use crate::report::standing::Standing;
use maud::{Markup, html};
use shared::dataset::split::{LeakAudit, Set};

/// Figures that stand large at the top of the page.
const LARGE: usize = 4;

/// Below the heading: what was judged, and its main figures.
pub fn lead(view: &RunView<'_>, set: Set, report: &SetReport) -> Markup {
    let description = view.config.model.description();
    html! {
        p.lead {
            b { (description.name) } ", " (description.summary) ", judged on " (counted(samples(&report.tracks), "track", "tracks")) " of the "
            (set_name(set)) " set of split " b { (view.config.split) } "."
        }
        dl.large {
            @for shown in figures(&report.tracks).iter().take(LARGE) {
                div { dt { (shown.name) } dd { (figure(shown.value)) } }
            }
        }
    }
}

/// The section.
pub fn section(view: &RunView<'_>, set: Set, report: &SetReport, standings: &[Standing]) -> Section {
    let published = published(view.config);
    Section {
        id: "summary",
        heading: "Summary",
        body: html! {
            @for mark in marks(standings) { (notice(mark)) }
            (leaks(view))
            (boxed("The run", &facts(view)))
            h3 { "Figures" }
            p.note { "Under scikit-learn's names; zero_division=0. The best epoch was chosen on the validation set." }
            (boxed("Figures of each set", &table(view, &published)))
            @if !standings.is_empty() { (standing_table(standings, set)) }
            @if let Some(clips) = &report.per_clip {
                p.note {
                    "A track's probabilities are the mean over its clips, " (grouped(report.clips)) " in all. Clip by clip: "
                    (clips.describe()) "."
                }
            }
        },
    }
}

/// Why a figure should not be taken at its word, each reason once.
fn marks(standings: &[Standing]) -> Vec<&str> {
    let mut marks: Vec<&str> = Vec::new();
    for mark in standings.iter().flat_map(|standing| &standing.marks) {
        if !marks.contains(&&**mark) {
            marks.push(mark);
        }
    }
    marks
}

/// What stands in more than one set.
fn leaked(audit: &LeakAudit) -> Option<String> {
    let counts = [
        (audit.artists.len(), "artist", "artists"),
        (audit.albums.len(), "album", "albums"),
        (audit.recordings.len(), "recording", "recordings"),
    ];
    let found: Vec<String> = counts
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, one, several)| counted(count as u64, one, several))
        .collect();
    (!found.is_empty()).then(|| found.join(", "))
}

/// What the audit cannot see.
fn unknown(audit: &LeakAudit, tracks: usize) -> Option<String> {
    match audit.unknown_artists {
        0 => None,
        unknown if unknown >= tracks => Some("artists unknown".into()),
        unknown => Some(format!(
            "artists of {} unknown",
            counted(unknown as u64, "track", "tracks")
        )),
    }
}

fn leaks(view: &RunView<'_>) -> Markup {
    let audit = view.data.as_ref().ok().map(|data| &data.split.index.leaks);
    html! {
        @if let Some(found) = audit.and_then(leaked) {
            (notice(&format!("More than one set of the split has {found}, so that figures flatter.")))
        }
    }
}

fn facts(view: &RunView<'_>) -> Markup {
    let config = view.config;
    let description = config.model.description();
    let outputs = if view.has_tags() {
        ["tag", "tags"]
    } else {
        ["class", "classes"]
    };
    let epochs = view.history.len();
    html! {
        table.facts {
            tbody {
                tr { th scope="row" { "model" } td { b { (config.model) } ", of: " (description.paper) } }
                tr { th scope="row" { "fed with" } td { (description.input.describe()) } }
                @if let Some(best) = view.metrics.best_epoch {
                    tr {
                    th scope="row" { "best epoch" }
                    td {
                        (best)
                        @if epochs > 0 { " of " (epochs) " that were trained" }
                        @if epochs != config.epochs { "; " (config.epochs) " were asked for" }
                    }
                    }
                }
                tr {
                    th scope="row" { "training" }
                    td { (view.metrics.ended.map_or_else(|| "has not ended".to_owned(), |ending| ending.to_string())) }
                }
                @match &view.data {
                    Ok(data) => {
                        @let index = data.dataset.index();
                        @let split = &data.split.index;
                        tr {
                            th scope="row" { "data set" }
                            td {
                                (index.source.name) " (" (index.source.subset) "), " (grouped(index.kept as u64)) " tracks of "
                                (counted(config.classes.len() as u64, outputs[0], outputs[1]))
                            }
                        }
                        tr {
                            th scope="row" { "split" }
                            td {
                                b { (config.split) } ", " (split.strategy)
                                @if let Some(by) = &split.group_by { " by " (by) }
                                @if let Some(ratios) = split.ratios {
                                    ", " (ratios.map(|ratio| format!("{:.0}", 100.0 * ratio)).join(" : "))
                                }
                                @if let Some(seed) = split.seed { ", seed " (seed) }
                                @if let Some(fold) = &split.fold {
                                    @if view.metrics.best_epoch.is_some() { ", fold " (fold.number) " of " (fold.of) }
                                    @else { ", " (fold.of) " folds, each track evaluated by the one that has it in this set" }
                                }
                            }
                        }
                        tr {
                            th scope="row" { "leak audit" }
                            td {
                                @match leaked(&split.leaks) {
                                    None => "no known artist, album or recording is in more than one set",
                                    Some(found) => { (found) " in more than one set" }
                                }
                                @if let Some(unknown) = unknown(&split.leaks, data.split.tracks.values().map(Vec::len).sum()) { "; " (unknown) }
                            }
                        }
                    }
                    Err(reason) => {
                        tr { th scope="row" { "data set" } td { (config.data.display()) ", which cannot be read: " (reason) } }
                        tr { th scope="row" { "split" } td { b { (config.split) } } }
                    }
                }
            }
        }
    }
}

/// A row per figure, a column per set that was judged, and one for the paper's figures where some are known.
fn table(view: &RunView<'_>, published: &Published) -> Markup {
    let judged: Vec<(Set, &SetMetrics)> = Set::ALL
        .into_iter()
        .rev()
        .filter_map(|set| Some((set, &view.report(set)?.tracks)))
        .collect();
    let columns: Vec<Vec<Figure>> = judged.iter().map(|(_, metrics)| figures(metrics)).collect();
    let rows = columns.first().map_or(0, Vec::len);
    html! {
        table.figures {
            thead {
                tr {
                    th scope="col" { "figure" }
                    @for (set, metrics) in &judged {
                        th.number scope="col" { (set_name(*set)) small { (counted(samples(metrics), "track", "tracks")) } }
                    }
                    @if !published.is_empty() { th.number scope="col" { "the paper's" } }
                    th scope="col" { "what it is" }
                }
            }
            tbody {
                @for row in 0..rows {
                    @let first = columns[0][row];
                    tr {
                        th scope="row" { (first.name) }
                        @for column in &columns { td.number { (figure(column[row].value)) } }
                        @if !published.is_empty() {
                            td.number { (published.get(first.key).map_or("–", String::as_str)) }
                        }
                        td.definition { (first.definition) }
                    }
                }
            }
        }
    }
}

/// Figures with their intervals.
pub fn standing_table(standings: &[Standing], shown: Set) -> Markup {
    let of_set = standings.iter().filter(|standing| standing.set == shown.name());
    let table = html! {
        table.figures {
            thead {
                tr {
                    th scope="col" { "figure" }
                    th.number scope="col" { "mean" }
                    th.number scope="col" { "95 % interval" }
                    th.number scope="col" { "runs" }
                    th scope="col" { "method" }
                }
            }
            tbody {
                @for standing in of_set {
                    tr {
                        th scope="row" { (standing.figure) }
                        td.number { (figure(Some(standing.mean))) }
                        td.number { (interval(standing.interval)) }
                        td.number { (standing.runs) }
                        td.definition { (standing.method) }
                    }
                }
            }
        }
    };
    html! { h3 { "How sure the figures are" } (boxed("Intervals", &table)) }
}

/// `0.481 to 0.523`.
pub fn interval(ends: Option<[f64; 2]>) -> String {
    ends.map_or_else(|| "–".into(), |[low, high]| format!("{low:.3} to {high:.3}"))
}
