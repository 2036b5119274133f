//! The resolved settings as a table.

use super::page::{Section, boxed};
use super::run_view::RunView;
use crate::settings::RunConfig;
use maud::html;
use std::collections::BTreeMap;
use toml::{Table, Value};

/// The section.
pub fn section(view: &RunView<'_>) -> Section {
    let table = html! {
        table {
            thead { tr { th scope="col" { "setting" } th scope="col" { "value" } } }
            tbody {
                @for (name, value) in flat(view.config) {
                    tr { th scope="row" { code { (name) } } td.value { (value) } }
                }
            }
        }
    };
    Section {
        id: "settings",
        heading: "Settings",
        body: html! {
            p.note { "All that the run was told or took by default, as in " code { "config.toml" } "." }
            (boxed("Settings", &table))
        },
    }
}

/// Settings by name; those of tables as `table.name`.
pub fn flat(config: &RunConfig) -> BTreeMap<String, String> {
    let mut settings = BTreeMap::new();
    let table = Table::try_from(config).expect("plain settings always serialize");
    flatten(String::new(), &Value::Table(table), &mut settings);
    settings
}

fn flatten(name: String, value: &Value, settings: &mut BTreeMap<String, String>) {
    match value {
        Value::Table(table) => {
            for (key, value) in table {
                let name = if name.is_empty() {
                    key.clone()
                } else {
                    format!("{name}.{key}")
                };
                flatten(name, value, settings);
            }
        }
        Value::Array(values) => {
            let texts: Vec<String> = values.iter().map(text).collect();
            let list = if texts.is_empty() {
                "none".into()
            } else {
                texts.join(", ")
            };
            settings.insert(name, list);
        }
        plain => {
            settings.insert(name, text(plain));
        }
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Boolean(yes) => if *yes { "yes" } else { "no" }.into(),
        other => other.to_string(),
    }
}
