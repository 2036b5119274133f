//! The section with the resolved settings.

use super::run_view::RunView;
use crate::settings::RunConfig;
use maud::html;
use shared::page::{Section, Table, cell, details};
use std::collections::BTreeMap;
use toml::{Table as TomlTable, Value};

pub fn section(view: &RunView<'_>) -> Section {
    let settings = flat(view.config);
    let summary = html! { (settings.len()) " settings, including defaults, as in " code { "config.toml" } };
    let row = |(name, value): (String, String)| vec![cell(html! { code { (name) } }), cell(value)];
    let table = Table::new("Settings").text("setting").text("value");
    Section {
        id: "settings",
        heading: "Settings",
        body: details(summary, table.rows(settings.into_iter().map(row)).render()),
    }
}

/// Settings by name; nested settings as `table.name`.
pub fn flat(config: &RunConfig) -> BTreeMap<String, String> {
    let mut settings = BTreeMap::new();
    let table = TomlTable::try_from(config).expect("plain settings always serialize");
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
