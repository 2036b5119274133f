//! Settings of a run: as typed, in flags and a TOML file, and as resolved, complete and checked.
//!
//! [`Settings`] enter, all optional; a [`RunConfig`] leaves, which is saved in the run's directory before work starts
//! and read back by `eval` and `--resume`.

use crate::augment::Augment;
use crate::frontend::FrontEndPlace;
use crate::models::ModelKind;
use crate::precision::Precision;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What a run may be told, by flags or by `--config FILE.toml` with the same names in snake case. Flags win.
#[derive(Clone, Debug, Default, PartialEq, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Data set made by `preprocess build`
    #[arg(long, value_name = "DATASET")]
    pub data: Option<PathBuf>,
    /// System to train; `train models` lists them
    #[arg(long, value_enum)]
    pub model: Option<ModelKind>,
    /// Split to train on [default: the live one]
    #[arg(long, value_name = "NAME")]
    pub split: Option<String>,
    /// Passes over the training set, at most [default: 50]
    #[arg(long)]
    pub epochs: Option<usize>,
    /// Clips per step [default: 32]
    #[arg(long)]
    pub batch_size: Option<usize>,
    /// Adam's learning rate [default: 0.001]
    #[arg(long)]
    pub lr: Option<f64>,
    /// L2 penalty added to the gradient [default: the model's]
    #[arg(long)]
    pub weight_decay: Option<f32>,
    /// Share of activations zeroed before dense layers [default: the model's]
    #[arg(long)]
    pub dropout: Option<f64>,
    /// Where all randomness comes from [default: 0]
    #[arg(long)]
    pub seed: Option<u64>,
    /// Noise and time stretch on training clips [default: paper]
    #[arg(long, value_enum)]
    pub augment: Option<Augment>,
    /// Epochs without a lower validation loss before training stops; 0 never stops [default: 10]
    #[arg(long)]
    pub patience: Option<usize>,
    /// Weights to start from: .safetensors, or a PyTorch .pt or .pth
    #[arg(long, value_name = "FILE")]
    pub init_from: Option<PathBuf>,
    /// Threads that prepare batches [default: one per core, 8 at most]
    #[arg(long)]
    pub loader_threads: Option<usize>,
    /// Batches that may lie ready [default: 4]
    #[arg(long)]
    pub prefetch: Option<usize>,
    /// Steps between checkpoints within an epoch; 0 saves at the end of epochs only [default: 0]
    #[arg(long, value_name = "STEPS")]
    pub checkpoint_every: Option<usize>,
    /// In which numbers the encoders compute [default: auto]
    #[arg(long, value_enum)]
    pub precision: Option<Precision>,
    /// Where training clips become model input [default: auto]
    #[arg(long, value_enum)]
    pub front_end: Option<FrontEndPlace>,
    /// Where the shards are read from while training [default: mapped]
    #[arg(long, value_enum)]
    pub cache: Option<Cache>,
    /// Shards that are shuffled together; 0 is all of them [default: 0, or what a quarter of memory holds where half of
    /// it does not hold all]
    #[arg(long, value_name = "SHARDS")]
    pub shuffle_window: Option<usize>,
}

/// Where shards are read from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Cache {
    /// Memory maps, read ahead by the system and shared with its other programs.
    #[default]
    Mapped,
    /// A copy in this program's memory, made before training begins: for file systems that are slow at random access.
    Ram,
}

/// The settings of a run, complete. `RUN/config.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// The data set's directory.
    pub data: PathBuf,
    /// The data set's checksum, so that a run is never continued or judged on another one.
    pub data_checksum: String,
    /// The split's name.
    pub split: String,
    /// The system.
    pub model: ModelKind,
    /// Class names in the order of the model's outputs.
    pub classes: Vec<String>,
    /// Passes over the training set, at most.
    pub epochs: usize,
    /// Clips per step.
    pub batch_size: usize,
    /// Adam's learning rate.
    pub lr: f64,
    /// L2 penalty added to the gradient, as PyTorch's Adam does it.
    pub weight_decay: f32,
    /// Share of activations zeroed before dense layers.
    pub dropout: f64,
    /// Where all randomness comes from.
    pub seed: u64,
    /// Noise and time stretch on training clips.
    pub augment: Augment,
    /// Epochs without a lower validation loss before training stops; 0 never stops.
    pub patience: usize,
    /// Weights the run started from.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub init_from: Option<PathBuf>,
    /// Threads that prepare batches. Changes nothing but speed.
    pub loader_threads: usize,
    /// Batches that may lie ready. Changes nothing but speed.
    pub prefetch: usize,
    /// Steps between checkpoints within an epoch; 0 saves at the end of epochs only.
    pub checkpoint_every: usize,
    /// In which numbers the encoders compute.
    #[serde(default)]
    pub precision: Precision,
    /// Where training clips become model input.
    #[serde(default)]
    pub front_end: FrontEndPlace,
    /// Where shards are read from. Changes nothing but speed.
    #[serde(default)]
    pub cache: Cache,
    /// Shards that are shuffled together; 0 is all of them.
    #[serde(default)]
    pub shuffle_window: usize,
    /// Devices that share each batch: batch norm sees the parts.
    #[serde(default = "one_device")]
    pub devices: usize,
}

fn one_device() -> usize {
    1
}

/// Settings that cannot be trained with.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{name} {problem}")]
pub struct InvalidSetting {
    name: &'static str,
    problem: String,
}

fn invalid(name: &'static str, problem: impl Into<String>) -> InvalidSetting {
    InvalidSetting {
        name,
        problem: problem.into(),
    }
}

impl Settings {
    /// These settings, with `fallback`'s where they say nothing.
    pub fn or(self, fallback: Self) -> Self {
        Self {
            data: self.data.or(fallback.data),
            model: self.model.or(fallback.model),
            split: self.split.or(fallback.split),
            epochs: self.epochs.or(fallback.epochs),
            batch_size: self.batch_size.or(fallback.batch_size),
            lr: self.lr.or(fallback.lr),
            weight_decay: self.weight_decay.or(fallback.weight_decay),
            dropout: self.dropout.or(fallback.dropout),
            seed: self.seed.or(fallback.seed),
            augment: self.augment.or(fallback.augment),
            patience: self.patience.or(fallback.patience),
            init_from: self.init_from.or(fallback.init_from),
            loader_threads: self.loader_threads.or(fallback.loader_threads),
            prefetch: self.prefetch.or(fallback.prefetch),
            checkpoint_every: self.checkpoint_every.or(fallback.checkpoint_every),
            precision: self.precision.or(fallback.precision),
            front_end: self.front_end.or(fallback.front_end),
            cache: self.cache.or(fallback.cache),
            shuffle_window: self.shuffle_window.or(fallback.shuffle_window),
        }
    }

    /// Fills in the defaults and checks every value. `data_checksum`, `split` and `classes` are the data set's and left
    /// empty here, but for a split that was named.
    pub fn resolve(self) -> Result<RunConfig, InvalidSetting> {
        let data = self
            .data
            .ok_or_else(|| invalid("--data", "is missing: name a data set made by `preprocess build`"))?;
        let model = self
            .model
            .ok_or_else(|| invalid("--model", "is missing: `train models` lists the systems"))?;
        let defaults = model.defaults();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let config = RunConfig {
            data,
            data_checksum: String::new(),
            split: self.split.unwrap_or_default(),
            model,
            classes: Vec::new(),
            epochs: self.epochs.unwrap_or(50),
            batch_size: self.batch_size.unwrap_or(32),
            lr: self.lr.unwrap_or(1e-3),
            weight_decay: self.weight_decay.unwrap_or(defaults.weight_decay),
            dropout: self.dropout.unwrap_or(defaults.dropout),
            seed: self.seed.unwrap_or(0),
            augment: self.augment.unwrap_or_default(),
            patience: self.patience.unwrap_or(10),
            init_from: self.init_from,
            loader_threads: self.loader_threads.unwrap_or(cores.min(8)),
            prefetch: self.prefetch.unwrap_or(4),
            checkpoint_every: self.checkpoint_every.unwrap_or(0),
            precision: self.precision.unwrap_or_default(),
            front_end: self.front_end.unwrap_or_default(),
            cache: self.cache.unwrap_or_default(),
            shuffle_window: self.shuffle_window.unwrap_or(0),
            devices: one_device(),
        };
        config.validate()?;
        Ok(config)
    }
}

impl RunConfig {
    fn validate(&self) -> Result<(), InvalidSetting> {
        let at_least_one = [
            ("--epochs", self.epochs),
            ("--batch-size", self.batch_size),
            ("--loader-threads", self.loader_threads),
            ("--prefetch", self.prefetch),
        ];
        if let Some((name, _)) = at_least_one.into_iter().find(|(_, value)| *value == 0) {
            return Err(invalid(name, "must be at least 1"));
        }
        // The seed is kept in TOML, whose integers are signed.
        if i64::try_from(self.seed).is_err() {
            return Err(invalid("--seed", format!("must be below 2^63, not {}", self.seed)));
        }
        if !(self.lr > 0.0 && self.lr.is_finite()) {
            return Err(invalid("--lr", format!("must be above 0, not {}", self.lr)));
        }
        if !(self.weight_decay >= 0.0 && self.weight_decay.is_finite()) {
            return Err(invalid(
                "--weight-decay",
                format!("must be 0 or more, not {}", self.weight_decay),
            ));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(invalid(
                "--dropout",
                format!("must be at least 0 and below 1, not {}", self.dropout),
            ));
        }
        Ok(())
    }

    /// The first setting in which a continued run would differ from what it was begun with. How many epochs, how much
    /// patience, how many threads and checkpoints may change; the rest would give weights that no uninterrupted run
    /// has.
    pub fn difference(&self, begun: &Self) -> Option<&'static str> {
        let same = [
            ("--data", self.data_checksum == begun.data_checksum),
            ("--split", self.split == begun.split),
            ("--model", self.model == begun.model),
            ("--batch-size", self.batch_size == begun.batch_size),
            ("--lr", self.lr == begun.lr),
            ("--weight-decay", self.weight_decay == begun.weight_decay),
            ("--dropout", self.dropout == begun.dropout),
            ("--seed", self.seed == begun.seed),
            ("--augment", self.augment == begun.augment),
            ("--init-from", self.init_from == begun.init_from),
            ("--precision", self.precision == begun.precision),
            ("--front-end", self.front_end == begun.front_end),
            ("--shuffle-window", self.shuffle_window == begun.shuffle_window),
            ("number of devices", self.devices == begun.devices),
        ];
        same.into_iter().find(|(_, same)| !same).map(|(name, _)| name)
    }

    /// As settings, so that `--resume` needs no flag repeated.
    pub fn to_settings(&self) -> Settings {
        Settings {
            data: Some(self.data.clone()),
            model: Some(self.model),
            split: Some(self.split.clone()),
            epochs: Some(self.epochs),
            batch_size: Some(self.batch_size),
            lr: Some(self.lr),
            weight_decay: Some(self.weight_decay),
            dropout: Some(self.dropout),
            seed: Some(self.seed),
            augment: Some(self.augment),
            patience: Some(self.patience),
            init_from: self.init_from.clone(),
            loader_threads: Some(self.loader_threads),
            prefetch: Some(self.prefetch),
            checkpoint_every: Some(self.checkpoint_every),
            precision: Some(self.precision),
            front_end: Some(self.front_end),
            cache: Some(self.cache),
            shuffle_window: Some(self.shuffle_window),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minimal() -> Settings {
        Settings {
            data: Some("fma".into()),
            model: Some(ModelKind::Crnn),
            ..Settings::default()
        }
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let file: Settings = toml::from_str("data = 'fma'\nmodel = 'mm-crnn'\nepochs = 3\nlr = 0.01\n").unwrap();
        let flags = Settings {
            epochs: Some(7),
            ..Settings::default()
        };
        let config = flags.or(file).resolve().unwrap();
        assert_eq!((config.epochs, config.lr, config.batch_size), (7, 0.01, 32));
        assert_eq!(config.model, ModelKind::MmCrnn);
    }

    #[test]
    fn a_setting_that_does_not_exist_is_refused() {
        let error = toml::from_str::<Settings>("learning_rate = 1").unwrap_err().to_string();
        assert!(error.contains("learning_rate"), "{error}");
    }

    #[test]
    fn a_run_reads_back_what_it_saved() {
        let mut config = minimal().resolve().unwrap();
        config.classes = vec!["Hip-Hop".into(), "Rock".into()];
        config.init_from = Some("weights.pt".into());
        let text = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<RunConfig>(&text).unwrap(), config);
        let again = config.to_settings().resolve().unwrap();
        assert_eq!(
            again.difference(&RunConfig {
                data_checksum: String::new(),
                ..config
            }),
            None
        );
    }

    #[test]
    fn impossible_values_are_named() {
        let cases: [(Settings, &str); 9] = [
            (
                Settings {
                    data: None,
                    ..minimal()
                },
                "--data",
            ),
            (
                Settings {
                    model: None,
                    ..minimal()
                },
                "--model",
            ),
            (
                Settings {
                    epochs: Some(0),
                    ..minimal()
                },
                "--epochs",
            ),
            (
                Settings {
                    batch_size: Some(0),
                    ..minimal()
                },
                "--batch-size",
            ),
            (
                Settings {
                    lr: Some(f64::NAN),
                    ..minimal()
                },
                "--lr",
            ),
            (
                Settings {
                    weight_decay: Some(-1.0),
                    ..minimal()
                },
                "--weight-decay",
            ),
            (
                Settings {
                    dropout: Some(1.0),
                    ..minimal()
                },
                "--dropout",
            ),
            (
                Settings {
                    loader_threads: Some(0),
                    ..minimal()
                },
                "--loader-threads",
            ),
            (
                Settings {
                    seed: Some(u64::MAX),
                    ..minimal()
                },
                "--seed",
            ),
        ];
        for (settings, name) in cases {
            assert!(settings.resolve().unwrap_err().to_string().starts_with(name), "{name}");
        }
    }

    #[test]
    fn what_a_continued_run_may_not_change_is_named() {
        let begun = minimal().resolve().unwrap();
        let longer = RunConfig {
            epochs: 90,
            patience: 3,
            loader_threads: 5,
            ..begun.clone()
        };
        assert_eq!(longer.difference(&begun), None);
        assert_eq!(
            RunConfig {
                lr: 0.5,
                ..begun.clone()
            }
            .difference(&begun),
            Some("--lr")
        );
        assert_eq!(
            RunConfig {
                seed: 9,
                ..begun.clone()
            }
            .difference(&begun),
            Some("--seed")
        );
    }
}
