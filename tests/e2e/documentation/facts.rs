//! Compares the flags, commands, settings, defaults, links and files in the documentation with the programs and the
//! repository.

use super::page::{Page, root};
use super::replaced::REPLACED;
use regex::Regex;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use tests::harness::{Program, json_line};

/// The help of a program or of one of its commands.
fn help(program: Program, command: Option<&str>) -> String {
    let words = command.into_iter().chain(["--help"]);
    let assert = program.command(words).assert().success();
    String::from_utf8_lossy(&assert.get_output().stdout).into_owned()
}

/// The commands in the help of a program.
fn commands(program: Program) -> Vec<String> {
    let help = help(program, None);
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names = listed.take_while(|line| !line.is_empty());
    // Continuation lines of descriptions are indented further.
    let names = names.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

/// The options in the help of a command. Descriptions, which may name other options, are indented further.
fn options(help: &str) -> BTreeSet<String> {
    let option = Regex::new(r"(?m)^ {2,6}(?:-\w, )?--([a-z][a-z0-9-]*)").unwrap();
    let global_options = ["help", "version", "json", "quiet", "verbose", "log-format"];
    let names = option.captures_iter(help).map(|found| found[1].to_owned());
    names.filter(|name| !global_options.contains(&name.as_str())).collect()
}

/// Everything in `text` that looks like a flag.
fn flags(text: &str) -> BTreeSet<String> {
    let flag = Regex::new(r"(?:^|[^\w-])(--[a-z][a-z0-9-]*)").unwrap();
    flag.captures_iter(text).map(|found| found[1].to_owned()).collect()
}

/// All flags of the programs, of the scripts, and of other commands that the pages use.
fn known_flags() -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    for program in [Program::Preprocess, Program::Train] {
        known.extend(flags(&help(program, None)));
        for command in commands(program) {
            known.extend(flags(&help(program, Some(&command))));
        }
    }
    known.extend(flags(&help(Program::MakeCorpus, None)));
    let mut directories = vec![root().join("scripts")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if let Ok(text) = fs::read_to_string(&path) {
                // The usage comment at the top of a script.
                let top: Vec<&str> = text.lines().take(40).collect();
                known.extend(flags(&top.join("\n")));
            }
        }
    }
    let others = REPLACED
        .iter()
        .filter(|replaced| ["cargo", "sbatch"].contains(&replaced.name));
    known.extend(others.flat_map(|replaced| flags(replaced.script)));
    known
}

#[test]
fn flags_in_the_documentation_exist() {
    let known = known_flags();
    assert!(
        !known.contains("--frame")
            && known.contains("--loaded-lr")
            && known.contains("--tasks")
            && known.contains("--strategy")
    );
    let mut wrong = Vec::new();
    for page in Page::all() {
        for (at, line) in page.text.lines().enumerate() {
            let unknown = flags(line).into_iter().filter(|flag| !known.contains(flag));
            wrong.extend(unknown.map(|flag| format!("{}:{}: {flag}", page.path.display(), at + 1)));
        }
    }
    assert!(wrong.is_empty(), "these flags are in no --help:\n{}", wrong.join("\n"));
}

#[test]
fn every_command_and_flag_is_documented() {
    for (program, name) in [(Program::Preprocess, "preprocess"), (Program::Train, "train")] {
        let page = Page::read(format!("docs/reference/{name}.md")).text;
        let settings = Page::read("docs/reference/settings.md").text;
        let commands = commands(program);
        assert!(commands.len() >= 5, "{commands:?}");
        for command in commands {
            let heading = format!("\n## {name} {command}\n");
            assert!(
                page.contains(&heading),
                "docs/reference/{name}.md has no `{}`",
                heading.trim()
            );
            let section = page.split(&heading).nth(1).unwrap();
            let section = section.split("\n## ").next().unwrap();
            for option in options(&help(program, Some(&command))) {
                let flag = format!("--{option}");
                // Training settings are documented on their own page.
                let set = section.contains("settings.md") && flags(&settings).contains(&flag);
                let named = flags(section).contains(&flag);
                assert!(
                    named || set,
                    "docs/reference/{name}.md does not document {name} {command} {flag}"
                );
            }
        }
    }
}

#[test]
fn every_training_setting_has_a_row_in_the_reference() {
    let page = Page::read("docs/reference/settings.md").text;
    let name = |line: &str| Some(line.strip_prefix("| `--")?.split(['`', ' ']).next()?.to_owned());
    let rows: BTreeSet<String> = page.lines().filter_map(name).collect();
    let mut options = options(&help(Program::Train, Some("fit")));
    assert!(options.len() > 30, "{options:?}");
    // An alias of `--device`, which the help does not list.
    options.insert("devices".to_owned());
    assert_eq!(
        rows, options,
        "the rows of docs/reference/settings.md and the options of `train fit`"
    );
}

#[test]
fn links_have_existing_targets() {
    let mut broken = Vec::new();
    for page in Page::all() {
        for (link, place) in page.links().iter().filter(|(link, _)| !link.starts_with("http")) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() {
                page.path.clone()
            } else {
                page.target(file)
            };
            let is_there = root().join(&target).exists()
                && (heading.is_empty() || Page::read(&target).anchors().iter().any(|anchor| anchor == heading));
            if !is_there {
                broken.push(format!("{place}: {link}"));
            }
        }
    }
    assert!(broken.is_empty(), "these links have no target:\n{}", broken.join("\n"));
}

#[test]
fn files_named_in_the_documentation_exist() {
    let mut pages = Page::all();
    pages.extend(["ARCHITECTURE.md", "fuzz/README.md"].map(Page::read));
    let (mut checked, mut missing) = (0, Vec::new());
    for page in &pages {
        for (name, place) in page.names() {
            // `scripts/papers/gtzan.sh --tiny`, `shared/src/dsp/stft.rs`, `fuzz/seeds/`, but not `train/val/test`.
            let path = name.split_whitespace().next().unwrap_or_default();
            let first = path.split_once('/').map_or("", |(first, _)| first);
            let is_ours = ["docs", "scripts"].contains(&first) || root().join(first).join("Cargo.toml").exists();
            let is_file = path.ends_with('/') || path.rsplit('/').next().is_some_and(|file| file.contains('.'));
            if !first.is_empty() && is_ours && is_file {
                checked += 1;
                if !root().join(path).exists() {
                    missing.push(format!("{place}: {name}"));
                }
            }
        }
    }
    assert!(checked > 10, "{checked}");
    assert!(missing.is_empty(), "these files do not exist:\n{}", missing.join("\n"));
}

#[test]
fn index_links_every_page() {
    let index = Page::read("docs/README.md");
    let linked: BTreeSet<_> = index.links().iter().map(|(link, _)| index.target(link)).collect();
    for page in Page::all() {
        let is_listed = !page.path.starts_with("docs") || page.path == index.path || linked.contains(&page.path);
        assert!(is_listed, "docs/README.md does not link {}", page.path.display());
    }
}

/// The cells of the table of defaults by row and column name, both without backticks.
fn rows_by_column(page: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let cells = |line: &str| -> Vec<String> {
        let cells = line.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().trim_matches('`').to_owned()).collect()
    };
    let lines: Vec<&str> = page.lines().filter(|line| line.starts_with("| ")).collect();
    let header = lines
        .iter()
        .find(|line| line.contains("`batch_size`"))
        .expect("the table of defaults");
    let columns = cells(header);
    let rows = lines
        .iter()
        .skip_while(|line| *line != header)
        .skip(1)
        .map(|line| cells(line));
    rows.map(|row| (row[0].clone(), columns.iter().cloned().zip(row).skip(1).collect()))
        .collect()
}

#[test]
fn documented_defaults_of_models_are_those_of_the_program() {
    let page = Page::read("docs/reference/settings.md").text;
    let documented = rows_by_column(&page);
    let models = Program::Train.command(["models", "--json"]).assert().success();
    let models = json_line(&models)["models"].clone();
    let names: BTreeSet<&str> = models
        .as_array()
        .unwrap()
        .iter()
        .map(|model| model["name"].as_str().unwrap())
        .collect();
    assert!(documented.keys().map(String::as_str).eq(names));
    for (model, settings) in documented {
        let template = Program::Train
            .command(["config", "--model", &model, "--init-from", "weights"])
            .assert()
            .success();
        let template = String::from_utf8_lossy(&template.get_output().stdout).into_owned();
        for (name, value) in settings {
            let line = template
                .lines()
                .find_map(|line| line.strip_prefix(&format!("{name} = ")));
            let line = line.unwrap_or_else(|| panic!("{model}: {name} in {template}"));
            let line = line.trim_matches('"');
            // Some settings are stored as f32.
            let same = line.parse::<f32>().is_ok_and(|number| value.parse() == Ok(number));
            assert!(same || line == value, "{model}: {name} is {line}, not {value}");
        }
    }
}
