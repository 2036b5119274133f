//! The list of settings. Each entry is a flag of `train fit`, a key of settings files and of `RUN/config.toml`, a row
//! of docs/reference/settings.md, and a field of [`Settings`] and [`RunConfig`].

use super::precision::Precision;
use super::{Cache, Combination, InvalidSetting, invalid};
use crate::augment::{Augment, AugmentChoice};
use crate::frontend::{FrontEndPlace, Normalize, StatisticsKind};
use crate::loader::{Balance, EvalClips, TrainClips};
use crate::models::{Defaults, LrSchedule, ModelKind, Monitor, OptimizerKind, ParameterPattern, Penalty, Recipe};
use serde::{Deserialize, Serialize};
use std::fmt::Debug;
use std::io;
use std::path::{self, PathBuf};

/// The largest integer of a setting, 2^53: many JSON readers store numbers as doubles, which skip integers above it.
pub const LARGEST_INTEGER: u64 = 1 << 53;

/// Generates both structs, and the methods that visit every field, from one list. A resumed run may change `free`
/// settings but not `fixed` ones. A setting without a default is an `Option` in [`RunConfig`] too. `Typed => Complete`
/// converts the typed value with the help of the model.
macro_rules! settings {
    (|$model:ident, $defaults:ident| $(
        $(#[$meta:meta])+
        $change:ident $name:ident: $typed:ty $(=> $complete:ty)? $(= $default:expr)?;
    )+) => {
        /// Settings given by flags or in a file. All are optional.
        #[derive(Clone, Debug, Default, PartialEq, clap::Args, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct Settings {
            $($(#[$meta])+ pub $name: Option<$typed>,)+
        }

        /// The complete settings of a run, with the facts about its data set that they depend on. `RUN/config.toml`.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct RunConfig {
            $(pub $name: settings!(@complete $typed $(=> $complete)? $(= $default)?),)+
            /// The data set's checksum: a run cannot be continued or evaluated on another one.
            pub data_checksum: String,
            /// The checksum of `split.json`. `RUN/split` has a copy of the split.
            pub split_checksum: String,
            /// The checksum of the data set given by `--background`.
            pub background_checksum: Option<String>,
            /// Class names in the order of the model's outputs.
            pub classes: Vec<String>,
            /// Spectrogram frames per clip, if not the clip length of the data set.
            pub clip_frames: Option<usize>,
            /// Samples per clip of an imported run; `None` for a trained run.
            pub clip_samples: Option<usize>,
            /// Devices that share each batch. Batch norm sees the part of one device.
            pub devices: usize,
            /// The file that `train import` took the weights from; `None` for a trained run.
            pub imported_from: Option<String>,
            /// For a run that combines others. `model` is then the model of the first.
            pub combination: Option<Combination>,
        }

        impl Settings {
            /// These settings, with missing ones taken from `fallback`.
            pub fn or(self, fallback: Self) -> Self {
                Self { $($name: self.$name.or(fallback.$name)),+ }
            }

            /// Checks that a settings file can store every value: integers up to [`LARGEST_INTEGER`] and UTF-8 paths.
            pub fn check_kept(&self) -> Result<(), InvalidSetting> {
                $(self.$name.as_ref().map_or(Ok(()), |value| check_kept(stringify!($name), value))?;)+
                Ok(())
            }

            /// Fills in the defaults of a model. The fields about the data set stay empty.
            fn complete(self, $model: ModelKind, $defaults: Defaults) -> RunConfig {
                RunConfig {
                    $($name: self.$name$(.map_or_else(|| $default, |typed| typed.completed($model)))?,)+
                    data_checksum: String::new(),
                    split_checksum: String::new(),
                    background_checksum: None,
                    classes: Vec::new(),
                    clip_frames: $defaults.clip_frames,
                    clip_samples: None,
                    devices: 1,
                    imported_from: None,
                    combination: None,
                }
            }
        }

        impl RunConfig {
            /// The settings of a run to resume. The fields about the data set are left out.
            pub fn to_settings(&self) -> Settings {
                Settings { $($name: settings!(@typed self.$name.clone() $(, $default)?)),+ }
            }

            /// The first setting that differs from the `original` run and would change the weights of a resumed run.
            pub fn difference(&self, original: &Self) -> Option<String> {
                let same = [
                    ("--data".into(), self.data_checksum == original.data_checksum),
                    ("--split".into(), self.split_checksum == original.split_checksum),
                    $((flag(stringify!($name)), settings!(@same $change self.$name, original.$name)),)+
                    // Last, because a changed setting can change these too and should be reported first.
                    ("--background".into(), self.background_checksum == original.background_checksum),
                    ("length of a clip".into(), self.clip_frames == original.clip_frames),
                    ("number of devices".into(), self.devices == original.devices),
                ];
                same.into_iter().find(|(_, same)| !same).map(|(name, _)| name)
            }
        }
    };
    (@complete $typed:ty => $complete:ty = $default:expr) => { $complete };
    (@complete $typed:ty = $default:expr) => { $typed };
    (@complete $typed:ty) => { Option<$typed> };
    (@typed $value:expr, $default:expr) => { Some($value.into()) };
    (@typed $value:expr) => { $value };
    (@same fixed $now:expr, $original:expr) => { $now == $original };
    (@same free $now:expr, $original:expr) => { true };
}

settings! {
    |model, defaults|
    /// Data set made by `preprocess build`
    #[arg(long, value_name = "DATASET", help_heading = "Data")]
    free data: PathBuf = PathBuf::new();
    /// Split to train on [default: the current one]
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    fixed split: String = String::new();
    /// Length of a clip [default: the data set's, or per model]
    #[arg(long, value_name = "SECONDS", help_heading = "Data")]
    fixed clip_seconds: f64;
    /// Clips of a track per epoch: N or all at random positions, or grid [default: 1; grid with --clip-seconds]
    #[arg(long, value_name = "N|all|grid", help_heading = "Data")]
    fixed train_clips: TrainClips = TrainClips::random(defaults.train_clips);
    /// Seconds to skip at both ends [default: 0]
    #[arg(long, value_name = "SECONDS", help_heading = "Data")]
    fixed skip_seconds: f64 = 0.0;
    /// Clips to evaluate: all, or N spread evenly; 1: the middle [default: all]
    #[arg(long, value_name = "all|N", help_heading = "Data")]
    fixed eval_clips: EvalClips = EvalClips::default();
    /// Model to train; see `train models`
    #[arg(long, value_name = "NAME", value_enum, hide_possible_values = true, help_heading = "Model")]
    fixed model: ModelKind = model;
    /// Defaults of the other settings [default: paper]
    #[arg(long, value_name = "NAME", value_enum, help_heading = "Model")]
    fixed recipe: Recipe = Recipe::default();
    /// Dropout before the last dense layers; 0: none in any layer [default: per model]
    #[arg(long, value_name = "P", help_heading = "Model")]
    fixed dropout: f64 = defaults.dropout;
    /// Input normalization [default: per model]
    #[arg(long, value_name = "NAME", value_enum, help_heading = "Model")]
    fixed normalize: Normalize = normalize(model);
    /// Track statistics used as input [default: mfcc]
    #[arg(long, value_name = "NAME", value_enum, value_delimiter = ',', help_heading = "Model")]
    fixed statistics: Vec<StatisticsKind> = vec![StatisticsKind::Mfcc];
    /// Round samples to 8 bits [default: per model]
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL", help_heading = "Model")]
    fixed pcm8: bool = model.description().input.is_pcm8();
    /// Load weights of a run, .safetensors or .pt
    #[arg(long, value_name = "RUN|FILE", help_heading = "Transfer learning")]
    fixed init_from: PathBuf;
    /// Freeze parameters [default: per model]
    #[arg(long, value_name = "REGEX|none", value_delimiter = ',', help_heading = "Transfer learning")]
    fixed freeze: Vec<ParameterPattern> = patterns(defaults.freeze);
    /// Train frozen parameters after N epochs; 0: never [default: 0]
    #[arg(long, value_name = "N", help_heading = "Transfer learning")]
    fixed thaw_after: usize = 0;
    /// Freeze loaded batch norms for good
    #[arg(
        long,
        num_args = 0..=1,
        default_missing_value = "true",
        value_name = "BOOL",
        help_heading = "Transfer learning"
    )]
    fixed freeze_batch_norm: bool = false;
    /// Reinitialise the last layer even if it fits
    #[arg(
        long,
        num_args = 0..=1,
        default_missing_value = "true",
        value_name = "BOOL",
        help_heading = "Transfer learning"
    )]
    fixed replace_classifier: bool = false;
    /// Allow weights trained with other features
    #[arg(
        long,
        num_args = 0..=1,
        default_missing_value = "true",
        value_name = "BOOL",
        help_heading = "Transfer learning"
    )]
    free ignore_features: bool = false;
    /// Maximum number of epochs [default: per model]
    #[arg(long, value_name = "N", help_heading = "Optimisation")]
    free epochs: usize = defaults.epochs;
    /// Clips per batch [default: per model]
    #[arg(long, value_name = "N", help_heading = "Optimisation")]
    fixed batch_size: usize = defaults.batch_size;
    /// Clips that the device processes at once [default: the batch]
    #[arg(long, value_name = "N", help_heading = "Optimisation")]
    fixed micro_batch_size: usize;
    /// Optimizer [default: per model]
    #[arg(long, value_name = "NAME", value_enum, help_heading = "Optimisation")]
    fixed optimizer: OptimizerKind = defaults.optimizer;
    /// Learning rate [default: per model]
    #[arg(long, help_heading = "Optimisation")]
    fixed lr: f64 = defaults.lr;
    /// Learning rate of weights loaded by --init-from [default: --lr]
    #[arg(long, value_name = "LR", help_heading = "Optimisation")]
    fixed loaded_lr: f64;
    /// Learning rate schedule [default: per model]
    #[arg(long, value_name = "NAME", value_enum, help_heading = "Optimisation")]
    fixed lr_schedule: LrSchedule = defaults.lr_schedule;
    /// Epochs in which the learning rate rises from 0 [default: 0]
    #[arg(long, value_name = "N", help_heading = "Optimisation")]
    fixed warmup_epochs: f64 = 0.0;
    /// Largest norm of the gradient; 0: any [default: 0]
    #[arg(long, value_name = "N", help_heading = "Optimisation")]
    fixed clip_grad_norm: f64 = 0.0;
    /// Weight decay of the optimizer, as in PyTorch [default: per model]
    #[arg(long, value_name = "N", help_heading = "Optimisation")]
    fixed weight_decay: f32 = defaults.weight_decay;
    /// L2 penalty on matching weights, or `none` [default: per model]
    #[arg(long, value_name = "REGEX=N", value_delimiter = ',', help_heading = "Optimisation")]
    fixed l2: Vec<Penalty> = penalties(defaults.l2);
    /// Balancing [default: none]
    #[arg(long, value_name = "NAME", value_enum, help_heading = "Optimisation")]
    fixed balance: Balance = Balance::default();
    /// Label smoothing [default: 0]
    #[arg(long, value_name = "E", help_heading = "Optimisation")]
    fixed label_smoothing: f32 = 0.0;
    /// Gamma of the focal loss of tags; 0: off [default: 0]
    #[arg(long, value_name = "G", help_heading = "Optimisation")]
    fixed focal_gamma: f32 = 0.0;
    /// Best-epoch metric [default: per model]
    #[arg(long, value_name = "NAME", value_enum, help_heading = "Optimisation")]
    fixed monitor: Monitor = defaults.monitor;
    /// Stop after N epochs without improvement; 0: never [default: per model]
    #[arg(long, value_name = "N", help_heading = "Optimisation")]
    free patience: usize = defaults.patience;
    /// Smallest improvement that counts for --patience [default: 0]
    #[arg(long, value_name = "D", help_heading = "Optimisation")]
    free min_delta: f64 = 0.0;
    /// Decay of the moving average of the weights; 0: off [default: per model]
    #[arg(long, value_name = "DECAY", help_heading = "Optimisation")]
    fixed ema: f64 = defaults.ema;
    /// Average the weights of the last N epochs; 0: off [default: 0]
    #[arg(long, value_name = "N", help_heading = "Optimisation")]
    fixed average_last: usize = 0;
    /// Random seed [default: 0]
    #[arg(long, value_name = "N", help_heading = "Optimisation")]
    fixed seed: u64 = 0;
    /// Augmentations: paper, none or a list [default: per model]
    #[arg(long, value_name = "LIST", help_heading = "Augmentation")]
    fixed augment: AugmentChoice => Augment = defaults.augment;
    /// Data set of sounds for `--augment background`
    #[arg(long, value_name = "DATASET", help_heading = "Augmentation")]
    free background: PathBuf;
    /// Alpha of mixup; 0: off [default: 0]
    #[arg(long, value_name = "ALPHA", help_heading = "Augmentation")]
    fixed mixup: f64 = 0.0;
    /// Numeric precision [default: auto]
    #[arg(long, value_name = "NAME", value_enum, help_heading = "Hardware")]
    fixed precision: Precision = Precision::default();
    /// Where to compute model input [default: auto]
    #[arg(long, value_name = "NAME", value_enum, help_heading = "Hardware")]
    fixed front_end: FrontEndPlace = FrontEndPlace::default();
    /// Where to read shards from
    #[command(flatten, next_help_heading = "Hardware")]
    free cache: Cache = Cache::default();
    /// Shards to shuffle together; 0: all [default: by memory]
    #[arg(long, value_name = "N", help_heading = "Hardware")]
    fixed shuffle_window: usize = 0;
    /// Threads that prepare batches [default: one per core, at most 8]
    #[arg(long, value_name = "N", help_heading = "Hardware")]
    free loader_threads: usize = cores().min(8);
    /// Batches to prepare ahead [default: 4]
    #[arg(long, value_name = "N", help_heading = "Hardware")]
    free prefetch: usize = 4;
    /// Steps between checkpoints; 0: one per epoch [default: 0]
    #[arg(long, value_name = "N", help_heading = "Output")]
    free checkpoint_every: usize = 0;
    /// Write metrics for TensorBoard too [default: false]
    #[arg(
        long,
        num_args = 0..=1,
        default_missing_value = "true",
        value_name = "BOOL",
        help_heading = "Output"
    )]
    free tensorboard: bool = false;
}

/// Converts a typed setting to its type in [`RunConfig`].
trait Completed<T> {
    fn completed(self, model: ModelKind) -> T;
}

impl<T> Completed<T> for T {
    fn completed(self, _: ModelKind) -> T {
        self
    }
}

impl Completed<Augment> for AugmentChoice {
    fn completed(self, model: ModelKind) -> Augment {
        self.resolve(model.description().defaults.augment)
    }
}

fn penalties(defaults: &[(&str, f32)]) -> Vec<Penalty> {
    defaults
        .iter()
        .map(|&(pattern, lambda)| Penalty::new(pattern, lambda))
        .collect()
}

fn patterns(defaults: &[&str]) -> Vec<ParameterPattern> {
    defaults.iter().map(|&pattern| ParameterPattern::new(pattern)).collect()
}

/// Models that normalize their input themselves get the values as they are.
fn normalize(model: ModelKind) -> Normalize {
    if model.description().normalizes_input {
        Normalize::None
    } else {
        Normalize::default()
    }
}

/// The number of parallel threads of this machine.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn flag(field: &str) -> String {
    format!("--{}", field.replace('_', "-"))
}

fn check_kept<T: Serialize + Debug>(field: &str, value: &T) -> Result<(), InvalidSetting> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::Number(number)) if number.as_u64().is_some_and(|number| number > LARGEST_INTEGER) => {
            Err(invalid(flag(field), format!("must be at most 2^53, not {number}")))
        }
        Ok(_) => Ok(()),
        // All values serialize, except paths that are not UTF-8.
        Err(_) => Err(invalid(
            flag(field),
            format!(
                "must be a UTF-8 path, because config.toml cannot store {:?}; rename it, or pass a link to it",
                value
            ),
        )),
    }
}

impl Settings {
    /// The names of all settings in settings files.
    pub fn names() -> Vec<String> {
        let command = <Self as clap::Args>::augment_args(clap::Command::new("settings"));
        command
            .get_arguments()
            .map(|argument| argument.get_id().to_string())
            .collect()
    }

    /// Makes paths absolute, so a run can be resumed from any directory.
    ///
    /// # Errors
    /// If the current directory is unknown or a path is empty.
    pub fn absolute(mut self) -> io::Result<Self> {
        for path in [&mut self.data, &mut self.background, &mut self.init_from]
            .into_iter()
            .flatten()
        {
            *path = path::absolute(&*path)?;
        }
        Ok(self)
    }

    /// Fills in the defaults and checks every value. The fields about the data set stay empty: checksums, classes, and
    /// the split if it was not given.
    pub fn resolve(mut self) -> Result<RunConfig, InvalidSetting> {
        if self.data.is_none() {
            return Err(invalid(
                "--data",
                "is missing: name a data set made by `preprocess build`",
            ));
        }
        let model = self
            .model
            .ok_or_else(|| invalid("--model", "is missing: `train models` lists the models"))?;
        let recipe = self.recipe.unwrap_or_default();
        let Some(defaults) = recipe.defaults(model) else {
            return Err(invalid(
                "--recipe",
                format!("strong does not exist for {model}, only for cnn1d, cnn2d, crnn and mm-crnn; leave it out"),
            ));
        };
        self.clip_seconds = self.clip_seconds.or(defaults.clip_seconds);
        // The papers that cut tracks into clips of a given length train on all of them.
        if recipe == Recipe::Paper {
            self.train_clips = self.train_clips.or(self.clip_seconds.map(|_| TrainClips::Grid));
        }
        let mut config = self.complete(model, defaults);
        config.l2.retain(|penalty| !penalty.is_none());
        config.freeze.retain(|pattern| !pattern.is_none());
        config.clip_frames = config.clip_frames.filter(|_| config.clip_seconds.is_none());
        config.validate()?;
        Ok(config)
    }
}
