//! Settings of a run: as typed, in flags and a TOML file, and as resolved, complete and checked.
//!
//! [`Settings`] enter, all optional; a [`RunConfig`] leaves, which is saved in the run's directory before work starts
//! and read back by `eval` and `--resume`.

mod cache;
pub mod device;
pub mod precision;
mod settings;
mod template;

pub use cache::Cache;
pub use settings::Settings;
pub use template::template;

use crate::augment::{Augment, AugmentChoice};
use crate::frontend::{FrontEndPlace, Normalize, StatisticsKind};
use crate::loader::{Balance, EvalClips};
use crate::models::{ModelKind, Monitor, ParameterPattern, Penalty};
use crate::settings::precision::Precision;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

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
    /// The checksum of its `split.json`: the run keeps the split itself in `RUN/split`.
    pub split_checksum: String,
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
    /// That of the parameters that were loaded, if it is another.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub loaded_lr: Option<f64>,
    /// L2 penalty added to the gradient, as PyTorch's Adam does it.
    pub weight_decay: f32,
    /// L2 penalties added to the loss.
    #[serde(default)]
    pub l2: Vec<Penalty>,
    /// Share of activations zeroed before dense layers.
    pub dropout: f64,
    /// Where all randomness comes from.
    pub seed: u64,
    /// What is done to training clips.
    pub augment: Augment,
    /// The data set whose sounds are mixed in.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub background: Option<PathBuf>,
    /// That data set's checksum.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub background_checksum: Option<String>,
    /// What is done about classes of different sizes.
    #[serde(default)]
    pub balance: Balance,
    /// Epochs without a better validation figure before training stops; 0 never stops.
    pub patience: usize,
    /// The figure.
    #[serde(default)]
    pub monitor: Monitor,
    /// Weights the run started from.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub init_from: Option<PathBuf>,
    /// Whether their features may be others than the data set's.
    #[serde(default)]
    pub ignore_features: bool,
    /// Whether it began with a fresh last layer although the loaded one fits.
    #[serde(default)]
    pub replace_classifier: bool,
    /// Parameters that are not trained.
    #[serde(default)]
    pub freeze: Vec<ParameterPattern>,
    /// Length of the frames that tracks are cut into; none where a track is one clip.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub frame_seconds: Option<f64>,
    /// What is left out at either end of a track that is cut into frames.
    #[serde(default)]
    pub skip_seconds: f64,
    /// Which clips of a track are evaluated.
    pub eval_clips: EvalClips,
    /// Spectrogram frames of a clip, where it is not the data set's own clip.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub clip_frames: Option<usize>,
    /// Whether samples are rounded to 8 bits.
    #[serde(default)]
    pub pcm8: bool,
    /// How waveforms, mel spectrograms and statistics are normalized.
    #[serde(default)]
    pub normalize: Normalize,
    /// What models of whole tracks' statistics are fed with.
    #[serde(default)]
    pub statistics: Vec<StatisticsKind>,
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
    /// Whether each epoch's figures are written for TensorBoard too.
    #[serde(default)]
    pub tensorboard: bool,
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

/// A setting that cannot be trained with, and why.
pub fn invalid(name: &'static str, problem: impl Into<String>) -> InvalidSetting {
    InvalidSetting {
        name,
        problem: problem.into(),
    }
}

/// More than any machine can use: a mistake, or a file that nobody should be sent.
pub const MOST_THREADS: usize = 1024;
const MOST_BATCHES_AHEAD: usize = 1 << 16;
const MOST_CLIP_FRAMES: usize = 1 << 20;
const MOST_CLIPS_PER_STEP: usize = 1 << 20;

/// The largest whole number of a setting, 2^53: beyond, a double does not hold each, and with it many a reader of JSON.
pub const LARGEST_INTEGER: u64 = 1 << 53;

impl RunConfig {
    /// Checks every value, also of settings that were saved and may have been changed since.
    pub fn validate(&self) -> Result<(), InvalidSetting> {
        self.to_settings().check_kept()?;
        let at_least_one = [
            ("--epochs", self.epochs),
            ("--batch-size", self.batch_size),
            ("--loader-threads", self.loader_threads),
            ("--prefetch", self.prefetch),
        ];
        if let Some((name, _)) = at_least_one.into_iter().find(|(_, value)| *value == 0) {
            return Err(invalid(name, "must be at least 1"));
        }
        let at_most = [
            ("--loader-threads", self.loader_threads, MOST_THREADS),
            ("--prefetch", self.prefetch, MOST_BATCHES_AHEAD),
            ("--batch-size", self.batch_size, MOST_CLIPS_PER_STEP),
            ("length of a clip", self.clip_frames.unwrap_or(0), MOST_CLIP_FRAMES),
        ];
        if let Some((name, value, most)) = at_most.into_iter().find(|(_, value, most)| value > most) {
            return Err(invalid(name, format!("must be at most {most}, not {value}")));
        }
        for (name, rate) in [("--lr", Some(self.lr)), ("--loaded-lr", self.loaded_lr)] {
            if let Some(rate) = rate.filter(|rate| !(*rate > 0.0 && rate.is_finite())) {
                return Err(invalid(name, format!("must be above 0, not {rate}")));
            }
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
        if let Some(seconds) = self
            .frame_seconds
            .filter(|seconds| !(*seconds > 0.0 && seconds.is_finite()))
        {
            return Err(invalid("--frame-seconds", format!("must be above 0, not {seconds}")));
        }
        if !(self.skip_seconds >= 0.0 && self.skip_seconds.is_finite()) {
            return Err(invalid(
                "--skip-seconds",
                format!("must be 0 or more, not {}", self.skip_seconds),
            ));
        }
        if self.skip_seconds > 0.0 && self.frame_seconds.is_none() {
            return Err(invalid("--skip-seconds", "needs --frame-seconds"));
        }
        self.validate_consistency()
    }

    /// What contradicts other settings or the model.
    fn validate_consistency(&self) -> Result<(), InvalidSetting> {
        let description = self.model.description();
        if self.augment.background != self.background.is_some() {
            return Err(invalid(
                "--background",
                "and --augment background need each other: the one names the sounds, the other mixes them in",
            ));
        }
        if self.augment.image && !description.input.is_image() {
            return Err(invalid(
                "--augment",
                format!("image turns and shifts images, and {} is not fed with one", self.model),
            ));
        }
        if self.augment.changes_samples() && description.input.is_statistics_only() {
            return Err(invalid(
                "--augment",
                format!("must be none for {}, which sees statistics of whole tracks", self.model),
            ));
        }
        if self.frame_seconds.is_some() && description.input.is_statistics_only() {
            return Err(invalid(
                "--frame-seconds",
                format!("means nothing to {}, which sees statistics of whole tracks", self.model),
            ));
        }
        if self.loaded_lr.is_some() && self.init_from.is_none() {
            return Err(invalid("--loaded-lr", "needs --init-from"));
        }
        let twice = (1..self.statistics.len()).any(|at| self.statistics[..at].contains(&self.statistics[at]));
        if self.statistics.is_empty() || twice {
            return Err(invalid("--statistics", "must name each kind once, and at least one"));
        }
        Ok(())
    }

    /// Whether the parameter of this name is not trained.
    pub fn freezes(&self, name: &str) -> bool {
        self.freeze.iter().any(|pattern| pattern.matches(name))
    }

    /// Whether a run can begin: a system of which most is frozen needs weights to begin with.
    pub fn check_beginning(&self) -> Result<(), InvalidSetting> {
        if self.model.description().needs_weights && self.init_from.is_none() && !self.freeze.is_empty() {
            return Err(invalid(
                "--init-from",
                format!(
                    "is missing: {} keeps most of its weights as they were loaded; name them, or train all with --freeze \
                     none",
                    self.model
                ),
            ));
        }
        Ok(())
    }

    /// The first setting in which a continued run would differ from what it was begun with. How many epochs, how much
    /// patience, how many threads and checkpoints may change; the rest would give weights that no uninterrupted run
    /// has.
    pub fn difference(&self, begun: &Self) -> Option<&'static str> {
        macro_rules! first_difference {
            ($($name:literal: $field:ident),+; may change: $($free:ident),+) => {{
                // So that a field that is added must be put into one of the lists.
                let Self { $($field,)+ $($free: _,)+ } = self;
                let same = [$(($name, *$field == begun.$field)),+];
                same.into_iter().find(|(_, same)| !same).map(|(name, _)| name)
            }};
        }
        first_difference!(
            "--data": data_checksum, "--split": split, "--split": split_checksum, "--model": model, "--batch-size": batch_size, "--lr": lr,
            "--loaded-lr": loaded_lr, "--weight-decay": weight_decay, "--l2": l2, "--dropout": dropout, "--seed": seed,
            "--augment": augment, "--background": background_checksum, "--balance": balance, "--monitor": monitor,
            "--init-from": init_from, "--replace-classifier": replace_classifier, "--freeze": freeze,
            "--frame-seconds": frame_seconds, "--skip-seconds": skip_seconds, "--eval-clips": eval_clips, "length of a clip": clip_frames,
            "--pcm8": pcm8, "--normalize": normalize, "--statistics": statistics, "--precision": precision,
            "--front-end": front_end, "--shuffle-window": shuffle_window, "number of devices": devices;
            may change: data, classes, epochs, patience, background, ignore_features, loader_threads, prefetch, checkpoint_every, cache,
            tensorboard
        )
    }

    /// As settings, so that `--resume` needs no flag repeated. The length of a clip is its model's.
    pub fn to_settings(&self) -> Settings {
        Settings {
            data: Some(self.data.clone()),
            model: Some(self.model),
            split: Some(self.split.clone()),
            epochs: Some(self.epochs),
            batch_size: Some(self.batch_size),
            lr: Some(self.lr),
            loaded_lr: self.loaded_lr,
            weight_decay: Some(self.weight_decay),
            l2: Some(self.l2.clone()),
            dropout: Some(self.dropout),
            seed: Some(self.seed),
            augment: Some(AugmentChoice::These(self.augment)),
            background: self.background.clone(),
            balance: Some(self.balance),
            patience: Some(self.patience),
            monitor: Some(self.monitor),
            init_from: self.init_from.clone(),
            ignore_features: Some(self.ignore_features),
            replace_classifier: Some(self.replace_classifier),
            freeze: Some(self.freeze.clone()),
            frame_seconds: self.frame_seconds,
            skip_seconds: Some(self.skip_seconds),
            eval_clips: Some(self.eval_clips),
            pcm8: Some(self.pcm8),
            normalize: Some(self.normalize),
            statistics: Some(self.statistics.clone()),
            loader_threads: Some(self.loader_threads),
            prefetch: Some(self.prefetch),
            checkpoint_every: Some(self.checkpoint_every),
            precision: Some(self.precision),
            front_end: Some(self.front_end),
            cache: Some(self.cache.clone()),
            shuffle_window: Some(self.shuffle_window),
            tensorboard: Some(self.tensorboard),
        }
    }
}

#[cfg(test)]
mod tests;
