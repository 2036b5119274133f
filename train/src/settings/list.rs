//! Every setting, once. An entry of the list below is a flag of `train fit`, a key of a settings file and of
//! `RUN/config.toml`, a row of the settings page, and a field of [`Settings`] and [`RunConfig`].

use super::precision::Precision;
use super::{Cache, InvalidSetting, invalid};
use crate::augment::{Augment, AugmentChoice};
use crate::frontend::{FrontEndPlace, Normalize, StatisticsKind};
use crate::loader::{Balance, EvalClips};
use crate::models::{ModelKind, Monitor, ParameterPattern, Penalty};
use serde::{Deserialize, Serialize};
use std::fmt::Debug;
use std::io;
use std::path::{self, PathBuf};

/// The largest whole number of a setting, 2^53: beyond, a double does not hold each, and with it many a reader of JSON.
pub const LARGEST_INTEGER: u64 = 1 << 53;

/// Makes both structs and what goes through all of their fields out of one list. `fixed` settings cannot be changed when a
/// run is continued, `free` ones can. A setting without a default may be missing from a complete configuration too.
/// `Typed => Complete` is a setting that is completed by its default.
macro_rules! settings {
    (|$model:ident, $paper:ident| $(
        $(#[$meta:meta])+
        $change:ident $name:ident: $typed:ty $(=> $complete:ty)? $(= $default:expr)?;
    )+) => {
        /// Settings as typed, in flags or in a file. All optional.
        #[derive(Clone, Debug, Default, PartialEq, clap::Args, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct Settings {
            $($(#[$meta])+ pub $name: Option<$typed>,)+
        }

        /// The settings of a run, complete, and what they were found to mean for its data set. `RUN/config.toml`.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct RunConfig {
            $(pub $name: settings!(@complete $typed $(=> $complete)? $(= $default)?),)+
            /// The data set's checksum, so that a run is never continued or evaluated on another one.
            pub data_checksum: String,
            /// The checksum of its `split.json`: the run keeps the split itself in `RUN/split`.
            pub split_checksum: String,
            /// The checksum of the data set whose sounds are mixed in.
            pub background_checksum: Option<String>,
            /// Class names in the order of the model's outputs.
            pub classes: Vec<String>,
            /// Spectrogram frames of a clip, where it is not the data set's own clip.
            pub clip_frames: Option<usize>,
            /// Devices that share each batch: batch norm sees the parts.
            pub devices: usize,
        }

        impl Settings {
            /// These settings, and `fallback`'s where these are silent.
            pub fn or(self, fallback: Self) -> Self {
                Self { $($name: self.$name.or(fallback.$name)),+ }
            }

            /// Checks that a settings file can keep every value: whole numbers up to [`LARGEST_INTEGER`], and paths in UTF-8.
            pub fn check_kept(&self) -> Result<(), InvalidSetting> {
                $(self.$name.as_ref().map_or(Ok(()), |value| check_kept(stringify!($name), value))?;)+
                Ok(())
            }

            /// With the defaults of a model. What the data set knows is still empty.
            fn complete(self, $model: ModelKind) -> RunConfig {
                let $paper = $model.description().defaults;
                RunConfig {
                    $($name: self.$name$(.map_or_else(|| $default, |typed| typed.completed($default)))?,)+
                    data_checksum: String::new(),
                    split_checksum: String::new(),
                    background_checksum: None,
                    classes: Vec::new(),
                    clip_frames: $paper.clip_frames,
                    devices: 1,
                }
            }
        }

        impl RunConfig {
            /// As settings, so that `--resume` needs no flag repeated. What the data set knows is left out.
            pub fn to_settings(&self) -> Settings {
                Settings { $($name: settings!(@typed self.$name.clone() $(, $default)?)),+ }
            }

            /// The first setting in which a continued run would differ from what it was begun with, and which would give
            /// weights that no uninterrupted run has.
            pub fn difference(&self, begun: &Self) -> Option<String> {
                let same = [
                    ("--data".into(), self.data_checksum == begun.data_checksum),
                    ("--split".into(), self.split_checksum == begun.split_checksum),
                    $((flag(stringify!($name)), settings!(@same $change self.$name, begun.$name)),)+
                    // After the settings, some of which change these too.
                    ("--background".into(), self.background_checksum == begun.background_checksum),
                    ("length of a clip".into(), self.clip_frames == begun.clip_frames),
                    ("number of devices".into(), self.devices == begun.devices),
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
    (@same fixed $now:expr, $begun:expr) => { $now == $begun };
    (@same free $now:expr, $begun:expr) => { true };
}

settings! {
    |model, paper|
    /// Data set made by `preprocess build`
    #[arg(long, value_name = "DATASET")]
    free data: PathBuf = PathBuf::new();
    /// Model to train; `train models` lists them
    #[arg(long, value_name = "NAME", value_enum, hide_possible_values = true)]
    fixed model: ModelKind = model;
    /// Split to train on [default: the current one]
    #[arg(long, value_name = "NAME")]
    fixed split: String = String::new();
    /// Passes over the training set, at most [default: the paper's, or 50]
    #[arg(long)]
    free epochs: usize = paper.epochs;
    /// Clips per step [default: the paper's, or 32]
    #[arg(long)]
    fixed batch_size: usize = paper.batch_size;
    /// Adam's learning rate [default: the paper's, or 0.001]
    #[arg(long)]
    fixed lr: f64 = paper.lr;
    /// Learning rate of the parameters that --init-from loaded [default: --lr]
    #[arg(long, value_name = "LR")]
    fixed loaded_lr: f64;
    /// L2 penalty on all parameters, added to the gradient [default: the paper's]
    #[arg(long)]
    fixed weight_decay: f32 = paper.weight_decay;
    /// L2 penalties on the weights whose names match, added to the loss: REGEX=LAMBDA,...; none for none. A pattern that
    /// matches no weight is refused [default: the paper's]
    #[arg(long, value_name = "REGEX=LAMBDA", value_delimiter = ',')]
    fixed l2: Vec<Penalty> = penalties(paper.l2);
    /// Share of activations zeroed before the last dense layers [default: the paper's]
    #[arg(long)]
    fixed dropout: f64 = paper.dropout;
    /// Where all randomness comes from [default: 0]
    #[arg(long)]
    fixed seed: u64 = 0;
    /// On training clips: paper, none, or a list of noise, stretch, pitch-shift, background, image [default: paper]
    #[arg(long, value_name = "LIST")]
    fixed augment: AugmentChoice => Augment = paper.augment;
    /// Data set whose sounds are mixed in by --augment background; make it with `preprocess build --source folder`
    #[arg(long, value_name = "DATASET")]
    free background: PathBuf;
    /// What to do about classes of different sizes [default: none]
    #[arg(long, value_enum)]
    fixed balance: Balance = Balance::default();
    /// Epochs without a better validation metric before training stops; 0 never stops [default: the paper's, or 10]
    #[arg(long)]
    free patience: usize = paper.patience;
    /// Validation metric that selects the best epoch [default: the paper's, or loss]
    #[arg(long, value_enum)]
    fixed monitor: Monitor = paper.monitor;
    /// Weights to start from: another run's directory, .safetensors, or a PyTorch .pt or .pth
    #[arg(long, value_name = "RUN|FILE")]
    fixed init_from: PathBuf;
    /// Load weights of a run even if they were trained on other features than the data set has
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    free ignore_features: bool = false;
    /// Reinitialise the last layer even if the loaded one fits
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    fixed replace_classifier: bool = false;
    /// Parameters that stay as they were loaded, by regular expressions on their names; none for none [default: the
    /// paper's]
    #[arg(long, value_name = "REGEX", value_delimiter = ',')]
    fixed freeze: Vec<ParameterPattern> = patterns(paper.freeze);
    /// Cut tracks into excerpts of so many seconds, each a training sample [default: one clip a track, anywhere in it]
    #[arg(long, value_name = "SECONDS")]
    fixed excerpt_seconds: f64;
    /// Leave out so many seconds at either end of a track that is cut into excerpts [default: 0]
    #[arg(long, value_name = "SECONDS")]
    fixed skip_seconds: f64 = 0.0;
    /// Clips of a track that are evaluated, whose mean probabilities are the track's: all, or 1 from the middle
    /// [default: all]
    #[arg(long, value_enum, hide_possible_values = true)]
    fixed eval_clips: EvalClips = EvalClips::default();
    /// Round samples to 8 bits [default: the model's]
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    fixed pcm8: bool = model.description().input.is_pcm8();
    /// How waveforms, mel spectrograms and statistics are normalized; of power densities, min-max alone changes anything
    /// [default: z-score]
    #[arg(long, value_enum)]
    fixed normalize: Normalize = Normalize::default();
    /// Inputs of models that take statistics of whole tracks [default: mfcc]
    #[arg(long, value_enum, value_delimiter = ',')]
    fixed statistics: Vec<StatisticsKind> = vec![StatisticsKind::Mfcc];
    /// Threads that prepare batches [default: one per core, 8 at most]
    #[arg(long)]
    free loader_threads: usize = cores().min(8);
    /// Batches that are prepared ahead [default: 4]
    #[arg(long)]
    free prefetch: usize = 4;
    /// Steps between checkpoints within an epoch; 0 saves at the end of epochs only [default: 0]
    #[arg(long, value_name = "STEPS")]
    free checkpoint_every: usize = 0;
    /// Number format in which the encoders compute [default: auto]
    #[arg(long, value_enum)]
    fixed precision: Precision = Precision::default();
    /// Where training clips become model input [default: auto]
    #[arg(long, value_enum)]
    fixed front_end: FrontEndPlace = FrontEndPlace::default();
    /// Where the shards are read from while training
    #[command(flatten)]
    free cache: Cache = Cache::default();
    /// Shards that are shuffled together; 0 is all of them [default: 0, or what a quarter of memory holds where half of
    /// it does not hold all]
    #[arg(long, value_name = "SHARDS")]
    fixed shuffle_window: usize = 0;
    /// Write each epoch's metrics for TensorBoard too [default: false]
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    free tensorboard: bool = false;
}

/// A setting as typed becomes one of a complete configuration.
trait Completed<T> {
    fn completed(self, default: T) -> T;
}

impl<T> Completed<T> for T {
    fn completed(self, _: T) -> T {
        self
    }
}

impl Completed<Augment> for AugmentChoice {
    fn completed(self, default: Augment) -> Augment {
        self.resolve(default)
    }
}

fn penalties(of_paper: &[(&str, f32)]) -> Vec<Penalty> {
    of_paper
        .iter()
        .map(|&(pattern, lambda)| Penalty::new(pattern, lambda))
        .collect()
}

fn patterns(of_paper: &[&str]) -> Vec<ParameterPattern> {
    of_paper.iter().map(|&pattern| ParameterPattern::new(pattern)).collect()
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// A setting's flag, by the name of its field.
fn flag(field: &str) -> String {
    format!("--{}", field.replace('_', "-"))
}

fn check_kept<T: Serialize + Debug>(field: &str, value: &T) -> Result<(), InvalidSetting> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::Number(number)) if number.as_u64().is_some_and(|number| number > LARGEST_INTEGER) => {
            Err(invalid(flag(field), format!("must be at most 2^53, not {number}")))
        }
        Ok(_) => Ok(()),
        // Plain values always serialize, except paths that are not UTF-8.
        Err(_) => Err(invalid(
            flag(field),
            format!(
                "must be a path in UTF-8, which config.toml can keep, not {:?}; rename it, or give a link to it",
                value
            ),
        )),
    }
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

    /// The same settings wherever they are read from: paths that are read again when a run is resumed are absolute.
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

    /// Fills in the defaults and checks every value. What the data set knows is left empty: checksums, classes, and the
    /// split if none was named.
    pub fn resolve(self) -> Result<RunConfig, InvalidSetting> {
        if self.data.is_none() {
            return Err(invalid(
                "--data",
                "is missing: name a data set made by `preprocess build`",
            ));
        }
        let model = self
            .model
            .ok_or_else(|| invalid("--model", "is missing: `train models` lists the models"))?;
        let mut config = self.complete(model);
        config.l2.retain(|penalty| !penalty.is_none());
        config.freeze.retain(|pattern| !pattern.is_none());
        config.clip_frames = config.clip_frames.filter(|_| config.excerpt_seconds.is_none());
        config.validate()?;
        Ok(config)
    }
}
