//! `train config`: a settings file with the help and the value of every setting.

use super::{RunConfig, Settings};
use clap::{Args, Command};
use std::fmt::Write as _;

const WIDTH: usize = 100;
/// Settings that belong to a machine or a data set. They are written as comments, so the file also works elsewhere.
const LOCAL: [&str; 3] = ["split", "loader_threads", "shuffle_window"];

/// The text of the file. `has_data` says whether --data was given; otherwise that setting is a comment.
pub fn template(config: &RunConfig, has_data: bool) -> String {
    // Through text, because a `toml::Table` would write the `f32` 1e-5 with all digits of the nearest `f64`.
    let table = toml::to_string(config).expect("plain settings always serialize");
    let table: toml::Table = toml::from_str(&table).expect("what was just written can be read");
    let mut text = format!(
        "# Settings of `train fit --config FILE` for {}. Flags override them; lines that begin with # keep their\n\
         # defaults.\n",
        config.model
    );
    for argument in Settings::augment_args(Command::new("fit")).get_arguments() {
        let name = argument.get_id().as_str();
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        text.push('\n');
        for line in wrapped(&help) {
            let _ = writeln!(text, "# {line}");
        }
        let words = argument.get_possible_values();
        if !words.is_empty() && !argument.is_hide_possible_values_set() {
            let words: Vec<_> = words.iter().map(|word| word.get_name()).collect();
            let _ = writeln!(text, "# One of: {}", words.join(", "));
        }
        let place = argument
            .get_value_names()
            .and_then(<[_]>::first)
            .map_or("VALUE", |name| name.as_str());
        let _ = match table.get(name) {
            Some(_) if name == "data" && !has_data => writeln!(text, "# data = \"{place}\""),
            Some(value) if LOCAL.contains(&name) => writeln!(text, "# {name} = {value}"),
            Some(value) => writeln!(text, "{name} = {value}"),
            None => writeln!(text, "# {name} = {place}"),
        };
    }
    text
}

fn wrapped(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::ModelKind;
    use crate::settings::Cache;

    fn resolved(settings: Settings) -> RunConfig {
        settings.resolve().unwrap()
    }

    #[test]
    fn unedited_template_resolves_to_the_same_settings() {
        for &model in ModelKind::ALL {
            let settings = || Settings {
                data: Some("fma".into()),
                model: Some(model),
                init_from: model.description().needs_weights.then(|| "weights.pt".into()),
                ..Settings::default()
            };
            let config = resolved(settings());
            let text = template(&config, false);
            let read: Settings = toml::from_str(&text).unwrap_or_else(|error| panic!("{model}: {error}\n{text}"));
            assert_eq!(read.data, None);
            let flags = Settings {
                data: Some("fma".into()),
                ..Settings::default()
            };
            assert_eq!(resolved(flags.or(read)), config, "{model}");
        }
    }

    #[test]
    fn template_keeps_given_values_and_explains_every_setting() {
        let config = resolved(Settings {
            data: Some("fma".into()),
            model: Some(ModelKind::Crnn),
            lr: Some(0.25),
            cache: Some(Cache::Local("/scratch".into())),
            ..Settings::default()
        });
        let text = template(&config, true);
        let read: Settings = toml::from_str(&text).unwrap();
        assert_eq!(resolved(read), config);
        assert!(
            text.contains("data = \"fma\"\n") && text.contains("lr = 0.25\n"),
            "{text}"
        );
        assert!(
            text.contains("# One of: ") && text.contains("# Learning rate"),
            "{text}"
        );
        let settings = Settings::augment_args(Command::new("fit"));
        for argument in settings.get_arguments() {
            let name = argument.get_id();
            assert!(
                text.contains(&format!("\n{name} = ")) || text.contains(&format!("\n# {name} = ")),
                "{name}"
            );
        }
        assert!(text.lines().all(|line| line.len() <= 120), "{text}");
    }
}
