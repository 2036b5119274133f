//! The outcome of a command, with what all of them have in it.

use serde_json::Value;
use shared::runtime::outcome::Outcome;

/// Of a command that has done its work. Warnings are logged, and are in the JSON.
pub(super) fn outcome(command: &str, text: String, mut json: Value, warnings: &[String]) -> Outcome {
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    json["command"] = command.into();
    json["warnings"] = warnings.into();
    Outcome { text, json }
}
