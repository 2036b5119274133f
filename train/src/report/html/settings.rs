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
        // Without the digits that a single-precision setting gains as a double.
        Value::Float(value) if f64::from(*value as f32) == *value => format!("{:?}", *value as f32),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::ModelKind;
    use std::path::Path;

    #[test]
    fn settings_in_single_precision_have_few_digits() {
        let config = RunConfig {
            weight_decay: 1e-5,
            min_delta: 0.3,
            ..crate::testing::config(Path::new("fma"), ModelKind::Cnn1d)
        };
        let settings = flat(&config);
        assert_eq!(
            (settings["weight_decay"].as_str(), settings["min_delta"].as_str()),
            ("1e-5", "0.3")
        );
    }
}
