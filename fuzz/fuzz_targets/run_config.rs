//! Reads arbitrary text as the settings file of `train fit --config` and as the `config.toml` of a run.

#![no_main]

use libfuzzer_sys::fuzz_target;
use train::settings::{RunConfig, Settings};

fuzz_target!(|text: &str| {
    if let Ok(config) = toml::from_str::<Settings>(text).map(Settings::resolve)
        && let Ok(config) = config
    {
        let saved = toml::to_string(&config).expect("plain settings always serialize");
        let read: RunConfig = toml::from_str(&saved).expect("a saved config can be read");
        // A config with NaN does not equal itself.
        if config == config.clone() {
            assert_eq!(read, config);
        }
        let _ = (config.check_beginning(), config.to_settings().resolve());
    }
    let _ = toml::from_str::<RunConfig>(text);
});
