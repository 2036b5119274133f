//! Generates the table of docs/reference/settings.md from the help of the flags.

use super::Settings;
use clap::{Arg, Args, Command};
use std::fmt::Write as _;

const BEGIN: &str = "<!-- Written by `CRATEDIGGER_UPDATE_DOCS=1 cargo test -p train settings::page`. -->\n";
const END: &str = "<!-- End. -->\n";

/// One row per setting: the flag, its default, its help and its possible values.
fn table() -> String {
    let mut table = String::from("| option | default | description |\n|---|---|---|\n");
    for argument in Settings::augment_args(Command::new("fit")).get_arguments() {
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let (description, default) = match help.rsplit_once(" [default: ") {
            Some((description, default)) => (description, default.trim_end_matches(']')),
            None => (help.as_str(), ""),
        };
        let _ = writeln!(
            table,
            "| `{}` | {default} | {}{} |",
            flag_with_values(argument),
            description.replace('|', "\\|"),
            possible_values(argument)
        );
    }
    table
}

/// The flag with the names of its values.
fn flag_with_values(argument: &Arg) -> String {
    let flag = format!("--{}", argument.get_long().expect("every setting is a long flag"));
    let optional = argument.get_num_args().is_some_and(|count| count.min_values() == 0);
    match argument.get_value_names() {
        // Without an explicit value name clap repeats the flag's name in capitals, which adds nothing.
        Some([name]) if name.eq_ignore_ascii_case(argument.get_id().as_str()) => flag,
        Some(names) if !optional && argument.get_possible_values().is_empty() => {
            let names: Vec<_> = names.iter().map(|name| name.replace('|', "\\|")).collect();
            format!("{flag} {}", names.join(" "))
        }
        _ => flag,
    }
}

/// The possible values of a setting, each with its help.
fn possible_values(argument: &Arg) -> String {
    let words = argument.get_possible_values();
    let is_flag = words.iter().any(|word| word.matches("true", true));
    if argument.is_hide_possible_values_set() || is_flag {
        return String::new();
    }
    let words = words.into_iter().map(|word| {
        let help = word.get_help().map(|help| help.to_string().replace('|', "\\|"));
        let help = help.map(|help| format!(": {}", help.trim_end_matches('.')));
        format!("<br>`{}`{}", word.get_name(), help.unwrap_or_default())
    });
    words.collect()
}

#[test]
fn settings_page_contains_the_generated_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/settings.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (before, after_begin) = page.split_once(BEGIN).expect("the page has the line before the table");
    let (written, after) = after_begin
        .split_once(END)
        .expect("the page has the line after the table");
    if std::env::var_os("CRATEDIGGER_UPDATE_DOCS").is_some() {
        std::fs::write(path, format!("{before}{BEGIN}{}{END}{after}", table())).unwrap();
        return;
    }
    assert_eq!(written, table(), "run the command above the table");
}
