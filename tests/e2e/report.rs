//! `report.html` of `fit` and `eval` is complete, well-formed and loads no other files.

use crate::papers::{fit, genres, tagged};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use tempfile::TempDir;
use tests::harness::{Program, json_line, stderr_text};

/// A trained run, evaluated with sounds.
fn evaluated(dataset: &Path, model: &str) -> TempDir {
    let root = TempDir::new().unwrap();
    let run = root.path().join("run");
    fit(dataset, model, &run, &["--epochs", "2"]).assert().success();
    let page = fs::read_to_string(run.join("report.html")).unwrap();
    assert!(page.contains("of the validation set of split") && !page.contains("<audio"));
    Program::Train
        .command(["eval", "--device", "cpu", "--audio", "--run"])
        .arg(&run)
        .assert()
        .success();
    root
}

/// A single-label run, shared by all tests.
pub fn classes() -> PathBuf {
    static RUN: LazyLock<TempDir> = LazyLock::new(|| evaluated(&genres().path(), "mfcc-dense"));
    RUN.path().join("run")
}

/// A multi-label run, shared by all tests.
pub fn tags() -> PathBuf {
    static RUN: LazyLock<TempDir> = LazyLock::new(|| evaluated(&tagged().path(), "chunk-cnn"));
    RUN.path().join("run")
}

/// The page that compares three single-label runs.
pub fn compared() -> PathBuf {
    static PAGE: LazyLock<TempDir> = LazyLock::new(|| {
        let root = TempDir::new().unwrap();
        let run = |name: &str| root.path().join(name);
        for (name, more) in [("slow", ["--lr", "1e-4"]), ("heavy", ["--weight-decay", "0.01"])] {
            fit(&genres().path(), "mfcc-dense", &run(name), &more)
                .assert()
                .success();
        }
        Program::Train
            .command(["report", "--set", "val", "--html"])
            .args([run("compared.html"), classes(), run("slow"), run("heavy")])
            .assert()
            .success();
        root
    });
    PAGE.path().join("compared.html")
}

pub fn page(run: &Path) -> String {
    fs::read_to_string(run.join("report.html")).unwrap()
}

/// An opening or closing tag.
#[derive(Debug, PartialEq)]
struct Tag<'a> {
    name: &'a str,
    attributes: Vec<(&'a str, &'a str)>,
    closes: bool,
}

/// All tags of a page, in order. The content of `style` and `script` is not markup. Panics if an attribute has no
/// quotes or a tag has no end.
fn tags_of(page: &str) -> Vec<Tag<'_>> {
    let (mut tags, mut rest) = (Vec::new(), page);
    while let Some(begin) = rest.find('<') {
        rest = &rest[begin + 1..];
        let closes = rest.starts_with('/');
        rest = rest.strip_prefix('/').unwrap_or(rest);
        let length = rest
            .find(|letter: char| letter.is_whitespace() || letter == '>')
            .unwrap();
        let name = &rest[..length];
        rest = &rest[length..];
        let mut attributes = Vec::new();
        loop {
            rest = rest.trim_start();
            if let Some(after) = rest.strip_prefix('>') {
                rest = after;
                break;
            }
            let end = rest.find(['=', '>', ' ']).unwrap();
            let attribute = &rest[..end];
            if name == "!DOCTYPE" || !rest[end..].starts_with("=\"") {
                attributes.push((attribute, ""));
                rest = &rest[end..];
                continue;
            }
            let (value, after) = rest[end + 2..].split_once('"').unwrap();
            attributes.push((attribute, value));
            rest = after;
        }
        tags.push(Tag {
            name,
            attributes,
            closes,
        });
        if !closes && ["style", "script"].contains(&name) {
            rest = &rest[rest.find(&format!("</{name}>")).unwrap()..];
        }
    }
    tags
}

/// Checks that elements are closed in order, heading levels are not skipped, ids are unique, images and sounds have
/// labels, and nothing is loaded from elsewhere.
pub fn check_form(page: &str) {
    const VOID: [&str; 4] = ["!DOCTYPE", "meta", "img", "input"];
    assert!(page.starts_with("<!DOCTYPE html><html lang=\"en\">"));
    let (mut open, mut level, mut ids) = (Vec::new(), 0, Vec::new());
    for tag in tags_of(page) {
        if tag.closes {
            assert_eq!(open.pop(), Some(tag.name), "in {open:?}");
            continue;
        }
        let attribute = |name: &str| {
            tag.attributes
                .iter()
                .find(|(other, _)| *other == name)
                .map(|(_, value)| *value)
        };
        for (name, value) in &tag.attributes {
            if ["src", "href"].contains(name) {
                assert!(value.starts_with('#') || value.starts_with("data:"), "{value}");
            }
        }
        if let Some(id) = attribute("id") {
            assert!(!ids.contains(&id), "{id} twice");
            ids.push(id);
        }
        match tag.name {
            "img" => assert!(!attribute("alt").unwrap().is_empty()),
            "svg" => assert!(
                attribute("aria-hidden").is_some() || attribute("aria-label").is_some_and(|label| !label.is_empty())
            ),
            "audio" => assert!(attribute("aria-label").is_some()),
            "h1" | "h2" | "h3" => {
                let heading: u32 = tag.name[1..].parse().unwrap();
                assert!(heading <= level + 1, "{} after h{level}", tag.name);
                level = heading;
            }
            _ => {}
        }
        if !VOID.contains(&tag.name) {
            open.push(tag.name);
        }
    }
    assert_eq!(open, Vec::<&str>::new());
    for url in ["http://", "https://", "@import", "url("] {
        assert!(!page.contains(url), "{url}");
    }
}

#[test]
fn report_is_well_formed_and_loads_no_other_files() {
    for (run, sections) in [(classes(), ["confusion", "classes"]), (tags(), ["ranking", "tags"])] {
        let page = page(&run);
        check_form(&page);
        for section in ["metrics", "curves", "mistakes", "data", "run", "settings"]
            .iter()
            .chain(&sections)
        {
            assert!(page.contains(&format!("<section id=\"{section}\"")), "{section}");
            assert!(page.contains(&format!("<a href=\"#{section}\"")), "{section}");
        }
        assert!(page.len() < 10_000_000, "{}", page.len());
    }
}

#[test]
fn comparison_shows_only_settings_that_differ() {
    let page = fs::read_to_string(compared()).unwrap();
    check_form(&page);
    for text in [
        "3 runs compared",
        "<code>lr</code>",
        "<code>weight_decay</code>",
        "heavy",
        " minus ",
        "Metrics on the validation set",
    ] {
        assert!(page.contains(text), "{text}");
    }
    assert!(!page.contains("<code>dropout</code>") && !page.contains("cannot be compared"));
}

#[test]
fn report_has_the_metrics_of_the_set_evaluated_last() {
    let run = classes();
    let page = page(&run);
    let metrics: Value = serde_json::from_slice(&fs::read(run.join("metrics.json")).unwrap()).unwrap();
    assert!(page.contains("of the test set of split"));
    for set in ["test", "val"] {
        for metric in ["top1", "macro_f1", "loss"] {
            let value = metrics[set][metric].as_f64().unwrap();
            assert!(
                page.contains(&format!("<td class=\"number\">{value:.3}</td>")),
                "{set}: {metric} {value}"
            );
        }
    }
    for class in metrics["test"]["per_class"].as_array().unwrap() {
        assert!(page.contains(&format!("<th scope=\"row\">{}</th>", class["name"].as_str().unwrap())));
    }
    // At most twenty mistakes, each with an image and a sound.
    let mut reader = csv::Reader::from_path(run.join("predictions.csv")).unwrap();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let wrong: Vec<_> = rows.iter().filter(|row| row[1] != row[2]).collect();
    let shown = wrong.len().min(20);
    for element in [
        "<article class=\"mistake\">",
        "data:image/png;base64,",
        "data:audio/wav;base64,",
    ] {
        assert_eq!(page.matches(element).count(), shown, "{element}");
    }
    let highest = |row: &csv::StringRecord| row.iter().skip(3).map(|p| p.parse().unwrap()).fold(0.0, f32::max);
    let most_confident = wrong
        .iter()
        .copied()
        .max_by(|a, b| highest(a).total_cmp(&highest(b)))
        .unwrap();
    let first = page.split("<article class=\"mistake\">").nth(1).unwrap();
    let heading = format!(
        "<h3><b>{}</b> {:.1} %",
        &most_confident[2],
        100.0 * highest(most_confident)
    );
    assert!(first.contains(&heading), "{heading}");
    assert!(first.contains(&format!("<dt>track</dt><dd>{}</dd>", &most_confident[0])));
}

#[test]
fn report_that_cannot_be_written_gives_a_warning_only() {
    let root = TempDir::new().unwrap();
    let run = root.path().join("run");
    fs::create_dir_all(run.join("report.html/in the way")).unwrap();
    let fitted = fit(&genres().path(), "mfcc-dense", &run, &[]).assert().success();
    assert!(stderr_text(&fitted).contains("warning: ") && stderr_text(&fitted).contains("could not make the report"));
    assert_eq!(json_line(&fitted)["best_epoch"], 1);
    assert!(run.join("best.safetensors").is_file() && run.join("metrics.json").is_file());
}
