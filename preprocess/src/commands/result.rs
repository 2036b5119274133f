//! The outcome of a command, with the fields that all commands share.

use serde_json::Value;
use shared::runtime::outcome::Outcome;

/// Logs the warnings, and adds them and the command's name to the JSON.
pub(super) fn outcome(command: &str, text: String, mut json: Value, warnings: &[String]) -> Outcome {
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    json["command"] = command.into();
    json["warnings"] = warnings.into();
    Outcome { text, json }
}
