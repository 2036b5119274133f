//! Settings as typed: flags, and `--config FILE.toml` with the same names in snake case.

use super::{Cache, InvalidSetting, LARGEST_INTEGER, RunConfig, invalid};
use crate::augment::AugmentChoice;
use crate::frontend::StatisticsKind;
use crate::frontend::{FrontEndPlace, Normalize};
use crate::loader::Balance;
use crate::loader::EvalClips;
use crate::models::{ModelKind, Monitor};
use crate::models::{ParameterPattern, Penalty};
use crate::settings::precision::Precision;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{self, Path, PathBuf};

/// What a run may be told. All optional; flags win over the file, the file over the defaults of the model's paper.
#[derive(Clone, Debug, Default, PartialEq, clap::Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Data set made by `preprocess build`
    #[arg(long, value_name = "DATASET")]
    pub data: Option<PathBuf>,
    /// System to train; `train models` lists them
    #[arg(long, value_name = "NAME", value_enum, hide_possible_values = true)]
    pub model: Option<ModelKind>,
    /// Split to train on [default: the current one]
    #[arg(long, value_name = "NAME")]
    pub split: Option<String>,
    /// Passes over the training set, at most [default: the paper's, or 50]
    #[arg(long)]
    pub epochs: Option<usize>,
    /// Clips per step [default: the paper's, or 32]
    #[arg(long)]
    pub batch_size: Option<usize>,
    /// Adam's learning rate [default: the paper's, or 0.001]
    #[arg(long)]
    pub lr: Option<f64>,
    /// Learning rate of the parameters that --init-from loaded [default: --lr]
    #[arg(long, value_name = "LR")]
    pub loaded_lr: Option<f64>,
    /// L2 penalty on all parameters, added to the gradient [default: the paper's]
    #[arg(long)]
    pub weight_decay: Option<f32>,
    /// L2 penalties on the weights whose names match, added to the loss: REGEX=LAMBDA,...; none for none
    /// [default: the paper's]
    #[arg(long, value_name = "REGEX=LAMBDA", value_delimiter = ',')]
    pub l2: Option<Vec<Penalty>>,
    /// Share of activations zeroed before the last dense layers [default: the paper's]
    #[arg(long)]
    pub dropout: Option<f64>,
    /// Where all randomness comes from [default: 0]
    #[arg(long)]
    pub seed: Option<u64>,
    /// On training clips: paper, none, or a list of noise, stretch, pitch-shift, background, image [default: paper]
    #[arg(long, value_name = "LIST")]
    pub augment: Option<AugmentChoice>,
    /// Data set whose sounds are mixed in by --augment background; make it with `preprocess build --source folder`
    #[arg(long, value_name = "DATASET")]
    pub background: Option<PathBuf>,
    /// What to do about classes of different sizes [default: none]
    #[arg(long, value_enum)]
    pub balance: Option<Balance>,
    /// Epochs without a better validation figure before training stops; 0 never stops [default: the paper's, or 10]
    #[arg(long)]
    pub patience: Option<usize>,
    /// Validation figure by which the best epoch is told [default: the paper's, or loss]
    #[arg(long, value_enum)]
    pub monitor: Option<Monitor>,
    /// Weights to start from: another run's directory, .safetensors, or a PyTorch .pt or .pth
    #[arg(long, value_name = "RUN|FILE")]
    pub init_from: Option<PathBuf>,
    /// Take weights although they were trained on other features than the data set has
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub ignore_features: Option<bool>,
    /// Begin with a fresh last layer although the loaded one fits
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub replace_classifier: Option<bool>,
    /// Parameters that stay as they were loaded, by regular expressions on their names; none for none [default: the
    /// paper's]
    #[arg(long, value_name = "REGEX", value_delimiter = ',')]
    pub freeze: Option<Vec<ParameterPattern>>,
    /// Cut tracks into excerpts of so many seconds, each a training sample [default: one clip a track, anywhere in it]
    #[arg(long, value_name = "SECONDS")]
    pub frame_seconds: Option<f64>,
    /// Leave out so many seconds at either end of a track that is cut into excerpts [default: 0]
    #[arg(long, value_name = "SECONDS")]
    pub skip_seconds: Option<f64>,
    /// Clips of a track that are evaluated, whose mean probabilities are the track's: all, or 1 from the middle
    /// [default: all]
    #[arg(long, value_enum, hide_possible_values = true)]
    pub eval_clips: Option<EvalClips>,
    /// Round samples to 8 bits [default: the model's]
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub pcm8: Option<bool>,
    /// How waveforms, mel spectrograms and statistics are normalized; of power densities, min-max alone changes anything
    /// [default: z-score]
    #[arg(long, value_enum)]
    pub normalize: Option<Normalize>,
    /// What models of whole tracks' statistics are fed with [default: mfcc]
    #[arg(long, value_enum, value_delimiter = ',')]
    pub statistics: Option<Vec<StatisticsKind>>,
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
    /// Where the shards are read from while training
    #[command(flatten)]
    pub cache: Option<Cache>,
    /// Shards that are shuffled together; 0 is all of them [default: 0, or what a quarter of memory holds where half of
    /// it does not hold all]
    #[arg(long, value_name = "SHARDS")]
    pub shuffle_window: Option<usize>,
    /// Write each epoch's figures for TensorBoard too [default: false]
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub tensorboard: Option<bool>,
}

macro_rules! first_of {
    ($first:ident, $second:ident: $($field:ident),+ $(,)?) => {
        Settings { $($field: $first.$field.or($second.$field)),+ }
    };
}

impl Settings {
    /// The names of all settings, as files of settings spell them.
    pub fn names() -> Vec<String> {
        let command = <Self as clap::Args>::augment_args(clap::Command::new("settings"));
        command
            .get_arguments()
            .map(|argument| argument.get_id().to_string())
            .collect()
    }

    /// These settings, with `fallback`'s where they say nothing.
    pub fn or(self, fallback: Self) -> Self {
        first_of!(self, fallback: data, model, split, epochs, batch_size, lr, loaded_lr, weight_decay, l2, dropout, seed,
            augment, background, balance, patience, monitor, init_from, ignore_features, replace_classifier, freeze, frame_seconds,
            skip_seconds, eval_clips, pcm8, normalize, statistics, loader_threads, prefetch, checkpoint_every, precision, front_end, cache,
            shuffle_window, tensorboard)
    }

    /// The same settings wherever they are read from: paths that are looked at again when a run is resumed are absolute.
    ///
    /// # Errors
    /// When there is no current directory, or a path is empty.
    pub fn absolute(mut self) -> io::Result<Self> {
        for path in [&mut self.data, &mut self.background, &mut self.init_from]
            .into_iter()
            .flatten()
        {
            *path = path::absolute(&*path)?;
        }
        Ok(self)
    }

    /// Checks that a settings file can keep every value: whole numbers up to [`LARGEST_INTEGER`], and paths in UTF-8.
    pub fn check_kept(&self) -> Result<(), InvalidSetting> {
        let counts = [
            ("--epochs", self.epochs),
            ("--batch-size", self.batch_size),
            ("--patience", self.patience),
            ("--loader-threads", self.loader_threads),
            ("--prefetch", self.prefetch),
            ("--checkpoint-every", self.checkpoint_every),
            ("--shuffle-window", self.shuffle_window),
        ];
        let mut numbers = counts
            .into_iter()
            .filter_map(|(name, count)| Some((name, count? as u64)))
            .chain(self.seed.map(|seed| ("--seed", seed)));
        if let Some((name, number)) = numbers.find(|(_, number)| *number > LARGEST_INTEGER) {
            return Err(invalid(name, format!("must be at most 2^53, not {number}")));
        }
        let copies = self.cache.as_ref().and_then(|cache| match cache {
            Cache::Local(directory) => Some(directory),
            Cache::Mapped | Cache::Ram => None,
        });
        let paths = [
            ("--data", self.data.as_ref()),
            ("--background", self.background.as_ref()),
            ("--init-from", self.init_from.as_ref()),
            ("--cache", copies),
        ];
        match paths
            .into_iter()
            .find(|(_, path)| path.is_some_and(|path| path.to_str().is_none()))
        {
            Some((name, path)) => Err(invalid(
                name,
                format!(
                    "must be a path in UTF-8, which config.toml can keep, not {}; rename it, or give a link to it",
                    path.map_or(Path::new(""), PathBuf::as_path).display()
                ),
            )),
            None => Ok(()),
        }
    }

    /// Fills in the defaults and checks every value. `data_checksum`, `split`, `split_checksum` and `classes` are
    /// the data set's and left empty here, except a split that was named.
    pub fn resolve(self) -> Result<RunConfig, InvalidSetting> {
        let data = self
            .data
            .ok_or_else(|| invalid("--data", "is missing: name a data set made by `preprocess build`"))?;
        let model = self
            .model
            .ok_or_else(|| invalid("--model", "is missing: `train models` lists the systems"))?;
        let description = model.description();
        let defaults = description.defaults;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let paper_penalties = || {
            defaults
                .l2
                .iter()
                .map(|&(pattern, lambda)| Penalty::new(pattern, lambda))
        };
        let paper_frozen = || defaults.freeze.iter().map(|&pattern| ParameterPattern::new(pattern));
        let config = RunConfig {
            data,
            data_checksum: String::new(),
            split: self.split.unwrap_or_default(),
            split_checksum: String::new(),
            model,
            classes: Vec::new(),
            epochs: self.epochs.unwrap_or(defaults.epochs),
            batch_size: self.batch_size.unwrap_or(defaults.batch_size),
            lr: self.lr.unwrap_or(defaults.lr),
            loaded_lr: self.loaded_lr,
            weight_decay: self.weight_decay.unwrap_or(defaults.weight_decay),
            l2: match self.l2 {
                Some(penalties) => penalties.into_iter().filter(|penalty| !penalty.is_none()).collect(),
                None => paper_penalties().collect(),
            },
            dropout: self.dropout.unwrap_or(defaults.dropout),
            seed: self.seed.unwrap_or(0),
            augment: self.augment.unwrap_or_default().resolve(defaults.augment),
            background: self.background,
            background_checksum: None,
            balance: self.balance.unwrap_or_default(),
            patience: self.patience.unwrap_or(defaults.patience),
            monitor: self.monitor.unwrap_or(defaults.monitor),
            init_from: self.init_from,
            ignore_features: self.ignore_features.unwrap_or(false),
            replace_classifier: self.replace_classifier.unwrap_or(false),
            freeze: match self.freeze {
                Some(patterns) => patterns.into_iter().filter(|pattern| !pattern.is_none()).collect(),
                None => paper_frozen().collect(),
            },
            frame_seconds: self.frame_seconds,
            skip_seconds: self.skip_seconds.unwrap_or(0.0),
            eval_clips: self.eval_clips.unwrap_or_default(),
            clip_frames: defaults.clip_frames.filter(|_| self.frame_seconds.is_none()),
            pcm8: self.pcm8.unwrap_or(description.input.is_pcm8()),
            normalize: self.normalize.unwrap_or_default(),
            statistics: self.statistics.unwrap_or_else(|| vec![StatisticsKind::Mfcc]),
            loader_threads: self.loader_threads.unwrap_or(cores.min(8)),
            prefetch: self.prefetch.unwrap_or(4),
            checkpoint_every: self.checkpoint_every.unwrap_or(0),
            precision: self.precision.unwrap_or_default(),
            front_end: self.front_end.unwrap_or_default(),
            cache: self.cache.unwrap_or_default(),
            shuffle_window: self.shuffle_window.unwrap_or(0),
            devices: 1,
            tensorboard: self.tensorboard.unwrap_or(false),
        };
        config.validate()?;
        Ok(config)
    }
}
