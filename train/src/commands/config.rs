//! `train config`.

use super::{Outcome, UsageError};
use crate::cli::ConfigArgs;
use crate::settings::{Settings, template};
use serde_json::json;

/// Placeholders for a data set, or for required weights, that are not given, because other settings cannot be resolved
/// without them.
const DATA: &str = "DATASET";
const WEIGHTS: &str = "WEIGHTS.pt";

pub fn run_config(args: ConfigArgs) -> anyhow::Result<Outcome> {
    let has_data = args.settings.data.is_some();
    let needs_weights = args
        .settings
        .model
        .is_some_and(|model| model.description().needs_weights);
    let settings = args.settings.or(Settings {
        data: Some(DATA.into()),
        init_from: needs_weights.then(|| WEIGHTS.into()),
        ..Settings::default()
    });
    let config = settings.resolve().map_err(UsageError::from)?;
    Ok(Outcome {
        // The caller prints the last line break.
        text: template(&config, has_data).trim_end().to_owned(),
        json: json!({ "command": "config", "settings": config }),
    })
}
