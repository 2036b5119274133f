//! Several runs beside each other.

use super::curves::COLUMNS;
use super::figures::{f1_by_output, figures, samples};
use super::outputs::bar;
use super::page::{Page, Section, boxed, counted, duration, figure, notice};
use super::plot::{Line, Look, Plot};
use super::run_view::{RunView, set_name};
use super::settings::flat;
use super::summary::interval;
use super::throughput::median;
use crate::report::standing::{PairedTest, Standing};
use crate::run::directory::RunDirectory;
use crate::settings::RunConfig;
use anyhow::bail;
use maud::{Markup, html};
use shared::dataset::split::Set;
use std::collections::BTreeSet;

/// A run that is compared.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Its directory.
    pub run: &'a RunDirectory,
    /// Its settings.
    pub config: &'a RunConfig,
    /// What is known of its figures beyond the numbers.
    pub standings: &'a [Standing],
}

/// A run, read, under the name that the page gives it.
struct Entry<'a> {
    name: String,
    view: RunView<'a>,
    standings: &'a [Standing],
}

/// The page of several runs: their figures on `set`, with what is known of these; the settings in which they differ; their
/// curves in one frame; F1 by class. `tests`, on the same set, are shown where there are some.
///
/// # Errors
/// Where there is no run, one has no trained epoch, or a file of one is damaged.
pub fn comparison(candidates: &[Candidate<'_>], set: Set, tests: &[PairedTest]) -> anyhow::Result<String> {
    if candidates.is_empty() {
        bail!("there is no run to compare; name at least one");
    }
    let mut entries = Vec::new();
    for candidate in candidates {
        let view = RunView::read(candidate.run, candidate.config)?;
        entries.push(Entry {
            name: view.name.clone(),
            view,
            standings: candidate.standings,
        });
    }
    tell_apart(&mut entries, candidates);
    let title = format!("{} compared", counted(entries.len() as u64, "run", "runs"));
    let page = Page {
        title: &title,
        lead: html! {
            p.lead { "Figures are those of the " (set_name(set)) " set, with the weights of each run's best epoch." }
        },
        sections: vec![
            figures_section(&entries, set, tests),
            settings_section(&entries),
            curves_section(&entries),
            outputs_section(&entries, set),
        ],
    };
    Ok(page.render())
}

/// Runs of one name get their whole path.
fn tell_apart(entries: &mut [Entry<'_>], candidates: &[Candidate<'_>]) {
    let names: Vec<String> = entries.iter().map(|entry| entry.name.clone()).collect();
    for (at, entry) in entries.iter_mut().enumerate() {
        if names.iter().filter(|name| **name == names[at]).count() > 1 {
            entry.name = candidates[at].run.root().display().to_string();
        }
    }
}

fn figures_section(entries: &[Entry<'_>], set: Set, tests: &[PairedTest]) -> Section {
    let splits: BTreeSet<_> = entries
        .iter()
        .map(|entry| (&entry.view.config.data_checksum, &entry.view.config.split))
        .collect();
    let mixed = entries.iter().any(|entry| entry.view.has_tags()) && !entries.iter().all(|entry| entry.view.has_tags());
    Section {
        id: "figures",
        heading: "Figures",
        body: html! {
            @if mixed {
                (notice("Some runs give classes and some tags. A figure that a run has not is a dash, and those of one name are \
                         not the same thing."))
            } @else if splits.len() > 1 {
                (notice("The runs were not judged on one split of one data set, so that their figures cannot be compared."))
            }
            (boxed("Figures by run", &figures_table(entries, set)))
            (marks(entries, set))
            @if !tests.is_empty() { (paired(tests, set)) }
        },
    }
}

/// Names of the figures that any of the runs has, in their order.
fn figure_names(entries: &[Entry<'_>], set: Set) -> Vec<(&'static str, bool)> {
    let mut names = Vec::new();
    for report in entries.iter().filter_map(|entry| entry.view.report(set)) {
        for shown in figures(&report.tracks) {
            if !names.iter().any(|(name, _)| *name == shown.name) {
                names.push((shown.name, shown.lower_is_better));
            }
        }
    }
    names
}

fn value(entry: &Entry<'_>, set: Set, name: &str) -> Option<f64> {
    let figures = figures(&entry.view.report(set)?.tracks);
    figures.into_iter().find(|shown| shown.name == name)?.value
}

fn figures_table(entries: &[Entry<'_>], set: Set) -> Markup {
    let names = figure_names(entries, set);
    let best = |name: &str, lower: bool| {
        let values = entries.iter().filter_map(|entry| value(entry, set, name));
        if lower {
            values.reduce(f64::min)
        } else {
            values.reduce(f64::max)
        }
    };
    html! {
        table.sortable.figures {
            thead {
                tr {
                    th scope="col" { "run" }
                    th scope="col" { "model" }
                    @for (name, _) in &names { th.number scope="col" { (name) } }
                    @for heading in ["tracks", "best epoch", "epoch takes"] { th.number scope="col" { (heading) } }
                }
            }
            tbody {
                @for (at, entry) in entries.iter().enumerate() {
                    tr {
                        th scope="row" { (swatch(at)) (entry.name) }
                        td { (entry.view.config.model) }
                        @for &(name, lower) in &names {
                            @let value = value(entry, set, name);
                            @let standing = entry.standings.iter().find(|one| one.figure == name && one.set == set.name());
                            td.number.best[value.is_some() && value == best(name, lower)] {
                                (figure(value))
                                @if let Some(standing) = standing { small { (sureness(standing)) } }
                            }
                        }
                        td.number { (entry.view.report(set).map_or(0, |report| samples(&report.tracks))) }
                        td.number { @if let Some(best) = entry.view.metrics.best_epoch { (best) } }
                        @let seconds = median(entry.view.history.iter().map(|epoch| epoch.seconds).collect());
                        td.number data-value=[seconds.map(|seconds| format!("{seconds:.3}"))] {
                            (seconds.map_or("–".into(), duration))
                        }
                    }
                }
            }
        }
    }
}

/// Where the figure lies, and of several runs their mean too.
fn sureness(standing: &Standing) -> String {
    let ends = interval(standing.interval);
    match standing.runs {
        0 | 1 => ends,
        runs => format!("mean of {runs}: {:.3}, {ends}", standing.mean),
    }
}

/// A piece of the run's line, as in the curves.
fn swatch(at: usize) -> Markup {
    html! {
        svg.swatch viewBox="0 0 28 8" aria-hidden="true" {
            line class={ "line " (Look::Series(at).classes()) } x1="1" x2="27" y1="4" y2="4" {}
        }
    }
}

/// What is to be remarked of each run, in one box, so that many remarks do not hide what they are about.
fn marks(entries: &[Entry<'_>], set: Set) -> Markup {
    let of_run = |entry: &Entry<'_>| -> BTreeSet<String> {
        let of_set = entry.standings.iter().filter(|standing| standing.set == set.name());
        let marks = of_set.flat_map(|standing| &standing.marks);
        marks.cloned().collect()
    };
    let marked = entries.iter().map(|entry| (&entry.name, of_run(entry)));
    let marked: Vec<_> = marked.filter(|(_, marks)| !marks.is_empty()).collect();
    html! {
        @if !marked.is_empty() {
            div.notice role="note" {
                @for (name, marks) in &marked {
                    p { b { (name) } }
                    ul { @for mark in marks { li { (mark) } } }
                }
            }
        }
    }
}

fn paired(tests: &[PairedTest], set: Set) -> Markup {
    let table = html! {
        table.figures {
            thead {
                tr {
                    th scope="col" { "runs" }
                    th scope="col" { "figure" }
                    @for heading in ["difference", "95 % interval", "p"] { th.number scope="col" { (heading) } }
                    th scope="col" { "test" }
                }
            }
            tbody {
                @for test in tests {
                    tr {
                        th scope="row" { (test.runs[1]) " against " (test.runs[0]) }
                        td { (test.figure) }
                        td.number { (format!("{:+.3}", test.difference)) }
                        td.number { (interval(test.interval)) }
                        td.number { (format!("{:.3}", test.p_value)) }
                        td { (test.method) }
                    }
                }
            }
        }
    };
    html! {
        h3 { "Tested on the same tracks of the " (set_name(set)) " set" }
        (boxed("Paired tests", &table))
    }
}

fn settings_section(entries: &[Entry<'_>]) -> Section {
    let settings: Vec<_> = entries.iter().map(|entry| flat(entry.view.config)).collect();
    let names: BTreeSet<&String> = settings.iter().flat_map(|settings| settings.keys()).collect();
    let differing = names.into_iter().filter(|name| {
        let first = settings[0].get(*name);
        settings.iter().any(|settings| settings.get(*name) != first)
    });
    let differing: Vec<_> = differing.collect();
    let table = html! {
        table {
            thead {
                tr {
                    th scope="col" { "setting" }
                    @for entry in entries { th scope="col" { (entry.name) } }
                }
            }
            tbody {
                @for name in &differing {
                    tr {
                        th scope="row" { code { (name) } }
                        @for settings in &settings { td.value { (settings.get(*name).map_or("–", String::as_str)) } }
                    }
                }
            }
        }
    };
    Section {
        id: "settings",
        heading: "Settings that differ",
        body: html! {
            @if differing.is_empty() { p { "There is none." } } @else { (boxed("Settings that differ", &table)) }
        },
    }
}

fn curves_section(entries: &[Entry<'_>]) -> Section {
    let plot = |name: &str, column: fn(&crate::metrics::Figures) -> Option<f64>| {
        let lines = entries.iter().enumerate().map(|(at, entry)| Line {
            name: entry.name.clone(),
            look: Look::Series(at),
            points: entry
                .view
                .history
                .iter()
                .filter_map(|epoch| Some([epoch.epoch as f64, column(&epoch.val)?]))
                .collect(),
            dots: true,
        });
        Plot {
            title: name,
            description: format!("{name} on the validation set over the epochs of {} runs", entries.len()),
            x: "epoch",
            y: name,
            lines: lines.collect(),
            range: None,
            across: None,
            mark: None,
            diagonal: false,
            whole: true,
        }
        .render()
    };
    let histories = || entries.iter().flat_map(|entry| &entry.view.history);
    Section {
        id: "curves",
        heading: "Curves",
        body: html! {
            p.note { "On the validation set." }
            div.plots {
                @for (name, column) in COLUMNS {
                    @if histories().any(|epoch| column(&epoch.val).is_some()) { (plot(name, column)) }
                }
            }
        },
    }
}

fn outputs_section(entries: &[Entry<'_>], set: Set) -> Section {
    let mut names: Vec<&str> = Vec::new();
    let of_runs: Vec<Vec<(&str, f64)>> = entries
        .iter()
        .map(|entry| {
            entry
                .view
                .report(set)
                .map_or(Vec::new(), |report| f1_by_output(&report.tracks))
        })
        .collect();
    for (name, _) in of_runs.iter().flatten() {
        if !names.contains(name) {
            names.push(name);
        }
    }
    let table = html! {
        table.sortable.figures {
            thead {
                tr {
                    th scope="col" { "class or tag" }
                    @for entry in entries { th.number scope="col" { (entry.name) } }
                }
            }
            tbody {
                @for name in &names {
                    tr {
                        th scope="row" { (name) }
                        @for of_run in &of_runs {
                            @match of_run.iter().find(|(of, _)| of == name) {
                                Some((_, f1)) => (bar(*f1)),
                                None => td.number { "–" },
                            }
                        }
                    }
                }
            }
        }
    };
    Section {
        id: "outputs",
        heading: "F1 by class",
        body: boxed("F1 by class and run", &table),
    }
}
