//! Settings as TOML tables, the form in which a sweep puts them together.

use crate::settings::Settings;
use toml::{Table, Value};

/// Settings as a table, without those that are not given.
pub fn to_table(settings: &Settings) -> Table {
    // By way of text, in which an f32 has its own few digits; as a double it would have those of its binary value.
    let text = toml::to_string(settings).expect("plain settings always serialize");
    text.parse().expect("what was serialized is TOML")
}

/// The settings of a table. The error says which value is wrong.
pub fn from_table(table: Table) -> Result<Settings, String> {
    table
        .try_into()
        .map_err(|error: toml::de::Error| error.message().to_owned())
}

/// A value of a setting as settings files have it: of the setting's own type, and a path absolute.
pub(super) fn parse(name: &str, value: Value) -> Result<Value, String> {
    let settings = from_table(Table::from_iter([(name.to_owned(), value)]))?;
    settings.check_kept().map_err(|error| error.to_string())?;
    let settings = settings.absolute().map_err(|error| error.to_string())?;
    to_table(&settings)
        .remove(name)
        .ok_or_else(|| "it cannot be empty".into())
}
