//! The catalog as a page with links to the pages of the runs.

use super::row::{Facts, Metric, Row};
use crate::report::html::REPORT_FILE;
use crate::run::directory::directory_name;
use maud::{Markup, html};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use shared::page::{Cell, Page, Section, Table, cell};
use shared::runtime::text::counted;
use std::path::{Component, Path, PathBuf};

/// Seconds after which the page is read again while a run is trained.
const REFRESH: u32 = 30;
/// What a path may have in a link as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_');

/// The page of all runs below `root`, to be written to `file`.
pub fn page(rows: &[Row], root: &Path, file: &Path) -> String {
    let is_training = |row: &&Row| row.facts.as_ref().is_ok_and(|facts| facts.state.is_training());
    let training = rows.iter().filter(is_training).count();
    let page = Page {
        title: &format!("Runs in {}", directory_name(root)),
        lead: html! {
            p.lead {
                (counted(rows.len(), "run or set of runs", "runs and sets of runs"))
                @if training > 0 { ", " (training) " in training. The page is read again every " (REFRESH) " seconds" }
                "."
            }
        },
        sections: vec![Section {
            id: "runs",
            heading: "Runs",
            body: table(rows, root, file),
        }],
        refresh: (training > 0).then_some(REFRESH),
    };
    page.render()
}

fn table(rows: &[Row], root: &Path, file: &Path) -> Markup {
    let mut table = Table::new("Runs").text("run");
    for heading in ["model", "data set", "split"] {
        table = table.text(heading);
    }
    let table = table
        .number("validation")
        .number("test")
        .text("changed (UTC)")
        .text("state");
    let from = file.parent().unwrap_or(Path::new(""));
    let row = |row: &Row| -> Vec<Cell> {
        let name = row.name(root);
        let link = row.facts.as_ref().ok().filter(|facts| facts.has_page);
        let link = link.and_then(|_| relative(from, &row.path.join(REPORT_FILE)));
        let members = row.facts.as_ref().ok().and_then(|facts| facts.members.as_ref());
        let mut cells = vec![cell(html! {
            @if let Some(link) = link { a href=(link) { (name) } } @else { (name) }
            @if let Some(members) = members { small { (members) } }
        })];
        match &row.facts {
            Ok(facts) => cells.extend(known(facts, row.changed())),
            Err(reason) => {
                cells.extend(std::iter::repeat_with(|| cell("–")).take(5));
                cells.extend([cell(row.changed()), cell(reason).class("words")]);
            }
        }
        cells
    };
    table.sortable().rows(rows.iter().map(row)).render()
}

fn known(facts: &Facts, changed: String) -> [Cell; 7] {
    [
        cell(&facts.model),
        cell(facts.data_name()),
        cell(&facts.split),
        metric(facts.val.as_ref()),
        metric(facts.test.as_ref()),
        cell(changed),
        cell(facts.state.to_string()),
    ]
}

/// A metric with its name and interval, sorted by its value.
fn metric(metric: Option<&Metric>) -> Cell {
    let Some(metric) = metric else { return cell("–") };
    let body = html! {
        (format!("{:.3}", metric.value))
        small {
            (metric.metric)
            @if let Some([low, high]) = metric.interval { ", " (format!("{low:.3} to {high:.3}")) }
        }
    };
    cell(body).sorted_by(metric.value)
}

/// The link from a directory to a file; `None` if one of them cannot be found.
fn relative(from: &Path, to: &Path) -> Option<String> {
    let from = if from.as_os_str().is_empty() {
        Path::new(".")
    } else {
        from
    };
    let (from, to) = (from.canonicalize().ok()?, to.canonicalize().ok()?);
    let [from, to] = [&from, &to].map(|path| path.components().collect::<Vec<Component<'_>>>());
    let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n(Component::ParentDir, from.len() - shared);
    let path: PathBuf = up.chain(to[shared..].iter().copied()).collect();
    Some(utf8_percent_encode(path.to_str()?, PLAIN).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn links_are_relative_and_escaped() {
        let root = tempfile::tempdir().unwrap();
        for directory in ["runs/a #1?", "pages"] {
            fs::create_dir_all(root.path().join(directory)).unwrap();
        }
        let report = root.path().join("runs/a #1?/report.html");
        fs::write(&report, "").unwrap();
        let link = |from: &str| relative(&root.path().join(from), &report).unwrap();
        assert_eq!(link("runs"), "a%20%231%3F/report.html");
        assert_eq!(link("pages"), "../runs/a%20%231%3F/report.html");
        assert_eq!(relative(root.path(), &root.path().join("none")), None);
    }
}
