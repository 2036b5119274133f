//! Conversion of settings to and from TOML tables, in which a sweep combines them.

use crate::settings::Settings;
use toml::{Table, Value};

/// The given settings as a table.
pub fn to_table(settings: &Settings) -> Table {
    // Through text, so an f32 keeps its short decimal form; converted to a double it would get extra digits.
    let text = toml::to_string(settings).expect("plain settings always serialize");
    text.parse().expect("what was serialized is TOML")
}

/// The settings of a table. The error says which value is wrong.
pub fn from_table(table: Table) -> Result<Settings, String> {
    table
        .try_into()
        .map_err(|error: toml::de::Error| error.message().to_owned())
}

/// A value converted to the type of its setting; paths become absolute.
pub(super) fn parse(name: &str, value: Value) -> Result<Value, String> {
    let settings = from_table(Table::from_iter([(name.to_owned(), value)]))?;
    settings.check_kept().map_err(|error| error.to_string())?;
    let settings = settings.absolute().map_err(|error| error.to_string())?;
    to_table(&settings)
        .remove(name)
        .ok_or_else(|| "it cannot be empty".into())
}
