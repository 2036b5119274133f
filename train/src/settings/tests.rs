use super::*;
use crate::augment::{Augment, AugmentChoice};
use crate::frontend::Normalize;
use crate::loader::TrainClips;
use crate::models::{LrSchedule, ModelKind, ParameterPattern, Recipe};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

fn minimal() -> Settings {
    Settings {
        data: Some("fma".into()),
        model: Some(ModelKind::Crnn),
        ..Settings::default()
    }
}

#[test]
fn flags_override_the_file_and_the_file_overrides_defaults() {
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
fn models_that_normalize_their_input_get_it_as_it_is_by_default() {
    for &model in ModelKind::ALL {
        let settings = || Settings {
            model: Some(model),
            ..minimal()
        };
        let expected = match model.description().normalizes_input {
            true => Normalize::None,
            false => Normalize::ZScore,
        };
        assert_eq!(settings().resolve().unwrap().normalize, expected, "{model}");
        let given = Settings {
            normalize: Some(Normalize::MinMax),
            ..settings()
        };
        assert_eq!(given.resolve().unwrap().normalize, Normalize::MinMax, "{model}");
    }
    assert!(ModelKind::Musicnn.description().normalizes_input && !ModelKind::Crnn.description().normalizes_input);
}

#[test]
fn unknown_setting_is_refused() {
    let error = toml::from_str::<Settings>("learning_rate = 1").unwrap_err().to_string();
    assert!(error.contains("learning_rate"), "{error}");
}

#[test]
fn saved_settings_are_read_back() {
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
fn every_setting_survives_saving_and_resolving_again() {
    let text = r#"
        data = "fma"
        model = "mm-crnn"
        recipe = "strong"
        split = "main"
        epochs = 3
        batch_size = 4
        micro_batch_size = 2
        optimizer = "adamw"
        lr = 0.5
        loaded_lr = 0.25
        lr_schedule = "plateau"
        warmup_epochs = 0.5
        clip_grad_norm = 2.0
        weight_decay = 0.125
        l2 = ["conv=0.01", "linear=0.02"]
        dropout = 0.75
        label_smoothing = 0.125
        focal_gamma = 2.0
        seed = 9
        augment = "background,pitch-shift"
        background = "sounds"
        mixup = 0.25
        balance = "oversample"
        patience = 2
        min_delta = 0.001
        ema = 0.875
        monitor = "macro-f1"
        init_from = "weights.pt"
        ignore_features = true
        replace_classifier = true
        freeze = ["blocks.0", "blocks.1"]
        clip_seconds = 3.5
        train_clips = "all"
        thaw_after = 2
        freeze_batch_norm = true
        skip_seconds = 1.5
        eval_clips = 3
        pcm8 = true
        normalize = "min-max"
        statistics = ["chroma", "mfcc"]
        loader_threads = 3
        prefetch = 7
        checkpoint_every = 11
        precision = "bf16"
        front_end = "host"
        cache = "ram"
        shuffle_window = 5
        tensorboard = true
    "#;
    let settings: Settings = toml::from_str(text).unwrap();
    let default_config = minimal().resolve().unwrap();
    let config = settings.resolve().unwrap();
    assert_eq!(config.to_settings().resolve().unwrap(), config);
    let saved = toml::to_string(&config).unwrap();
    assert_eq!(toml::from_str::<RunConfig>(&saved).unwrap(), config);
    // No setting has its default value: a lost default would not be noticed.
    let (values, defaults) = (toml::Table::try_from(&config), toml::Table::try_from(&default_config));
    for (name, value) in values.unwrap() {
        let set_by_the_data =
            ["data", "data_checksum", "split_checksum", "classes", "devices"].contains(&name.as_str());
        let default = defaults.as_ref().unwrap().get(&name);
        // It excludes `ema`, and the next lines test it.
        let other = name == "average_last";
        assert!(set_by_the_data || other || default != Some(&value), "{name} = {value}");
    }
    let averaged = RunConfig {
        ema: 0.0,
        average_last: 2,
        ..config
    };
    assert_eq!(averaged.to_settings().resolve().unwrap(), averaged);
    let saved = toml::to_string(&averaged).unwrap();
    assert_eq!(toml::from_str::<RunConfig>(&saved).unwrap(), averaged);
}

#[test]
fn clips_of_a_given_length_are_those_of_the_grid_by_default() {
    let train_clips = |clip_seconds, train_clips| {
        let settings = Settings {
            clip_seconds,
            train_clips,
            ..minimal()
        };
        settings.resolve().unwrap().train_clips
    };
    assert_eq!(train_clips(None, None), TrainClips::default());
    assert_eq!(train_clips(Some(3.0), None), TrainClips::Grid);
    assert_eq!(
        train_clips(Some(3.0), Some(TrainClips::default())),
        TrainClips::default()
    );
    assert_eq!(train_clips(None, Some(TrainClips::All)), TrainClips::All);
}

#[test]
fn settings_of_clips_are_refused_for_models_of_whole_tracks() {
    for (flag, change) in [
        (
            "--clip-seconds",
            Settings {
                clip_seconds: Some(3.0),
                ..minimal()
            },
        ),
        (
            "--train-clips",
            Settings {
                train_clips: Some(TrainClips::All),
                ..minimal()
            },
        ),
        (
            "--skip-seconds",
            Settings {
                skip_seconds: Some(1.0),
                ..minimal()
            },
        ),
    ] {
        let settings = Settings {
            model: Some(ModelKind::MfccDense),
            ..change
        };
        let refused = settings.resolve().unwrap_err().to_string();
        assert_eq!(
            refused,
            format!("{flag} does not apply to mfcc-dense, whose input is statistics of whole tracks")
        );
    }
}

#[test]
fn strong_recipe_changes_the_defaults_of_the_models_that_have_it() {
    let strong = |model, change: fn(&mut Settings)| {
        let mut settings = Settings {
            model: Some(model),
            recipe: Some(Recipe::Strong),
            ..minimal()
        };
        change(&mut settings);
        settings.resolve()
    };
    let config = strong(ModelKind::Crnn, |_| {}).unwrap();
    let paper = minimal().resolve().unwrap();
    assert_eq!(
        (config.clip_seconds, config.train_clips),
        (Some(4.0), TrainClips::random(4))
    );
    assert_eq!((config.augment, config.lr), (Augment::NONE, paper.lr));
    let saved = toml::to_string(&config).unwrap();
    assert_eq!(toml::from_str::<RunConfig>(&saved).unwrap(), config);
    assert_eq!(config.to_settings().resolve().unwrap(), config);
    // Given settings win. `--augment paper` are those of the paper with any recipe.
    let given = strong(ModelKind::Crnn, |settings| {
        settings.augment = Some(AugmentChoice::Paper);
        settings.clip_seconds = Some(2.0);
    });
    let given = given.unwrap();
    assert_eq!(given.augment, Augment::NOISE_AND_STRETCH);
    assert_eq!(
        (given.clip_seconds, given.train_clips),
        (Some(2.0), TrainClips::random(4))
    );
    let refused = strong(ModelKind::Musicnn, |_| {}).unwrap_err().to_string();
    assert!(
        refused.starts_with("--recipe strong does not exist for musicnn"),
        "{refused}"
    );
}

#[test]
fn missing_data_or_model_is_named() {
    let without_data = Settings {
        data: None,
        ..minimal()
    };
    let without_model = Settings {
        model: None,
        ..minimal()
    };
    for (settings, name) in [(without_data, "--data"), (without_model, "--model")] {
        assert!(settings.resolve().unwrap_err().to_string().starts_with(name), "{name}");
    }
}

/// The allowed values of a numeric setting.
struct Numeric {
    name: &'static str,
    /// Whether fractions are allowed.
    fractions: bool,
    zero: bool,
    /// The largest allowed number of [`NUMBERS`].
    most: f64,
}

const fn whole(name: &'static str, zero: bool, most: f64) -> Numeric {
    Numeric {
        name,
        fractions: false,
        zero,
        most,
    }
}

const fn fraction(name: &'static str, zero: bool, most: f64) -> Numeric {
    Numeric {
        name,
        fractions: true,
        zero,
        most,
    }
}

const LARGEST: f64 = LARGEST_INTEGER as f64;
const NUMERIC: [Numeric; 26] = [
    whole("epochs", false, LARGEST),
    whole("batch_size", false, 32.0),
    whole("micro_batch_size", false, 32.0),
    fraction("lr", false, f64::MAX),
    fraction("loaded_lr", false, f64::MAX),
    fraction("warmup_epochs", true, f64::MAX),
    fraction("clip_grad_norm", true, f64::MAX),
    fraction("weight_decay", true, 1e30),
    fraction("dropout", true, 0.5),
    fraction("label_smoothing", true, 0.5),
    fraction("focal_gamma", true, 1e30),
    fraction("mixup", true, 32.0),
    whole("seed", true, LARGEST),
    whole("patience", true, LARGEST),
    fraction("min_delta", true, f64::MAX),
    fraction("ema", true, 0.5),
    whole("average_last", true, 32.0),
    whole("thaw_after", true, LARGEST),
    fraction("clip_seconds", false, f64::MAX),
    fraction("skip_seconds", true, f64::MAX),
    whole("train_clips", false, 32.0),
    whole("eval_clips", false, 32.0),
    whole("loader_threads", false, 32.0),
    whole("prefetch", false, 32.0),
    whole("checkpoint_every", true, LARGEST),
    whole("shuffle_window", true, LARGEST),
];

/// Numbers as typed, and as floats.
const NUMBERS: [(&str, f64); 16] = [
    ("0", 0.0),
    ("1", 1.0),
    ("32", 32.0),
    ("0.5", 0.5),
    ("-1", -1.0),
    ("-0.5", -0.5),
    ("1e30", 1e30),
    ("1.7976931348623157e308", f64::MAX),
    ("5e-324", 5e-324),
    ("inf", f64::INFINITY),
    ("-inf", f64::NEG_INFINITY),
    ("nan", f64::NAN),
    // 2^53, the next integer, the largest integer of TOML and the largest u64.
    ("9007199254740992", LARGEST),
    ("9007199254740993", LARGEST + 2.0),
    ("9223372036854775807", 9.3e18),
    ("18446744073709551615", 1.9e19),
];

/// Minimal settings and one more, from a settings file or a flag; an error if it cannot be parsed.
fn with(name: &str, value: &str, from_file: bool) -> Result<Settings, String> {
    let base = Settings {
        // Required by these settings.
        freeze: (name == "thaw_after").then(|| vec![ParameterPattern::new("encoder")]),
        init_from: (name == "loaded_lr").then(|| "weights.pt".into()),
        ..minimal()
    };
    let one = if from_file {
        toml::from_str(&format!("{name} = {value}")).map_err(|error| error.to_string())?
    } else {
        let command = <Settings as clap::Args>::augment_args(clap::Command::new("fit"));
        let flag = format!("--{}={value}", name.replace('_', "-"));
        let matches = command
            .try_get_matches_from(["fit", &flag])
            .map_err(|error| error.to_string())?;
        <Settings as clap::FromArgMatches>::from_arg_matches(&matches).map_err(|error| error.to_string())?
    };
    Ok(one.or(base))
}

#[test]
fn every_numeric_setting_refuses_invalid_numbers() {
    let numeric = Settings::names()
        .into_iter()
        .filter(|name| with(name, "1", true).is_ok());
    let mut expected = NUMERIC.map(|setting| setting.name);
    expected.sort_unstable();
    let mut numeric: Vec<_> = numeric.collect();
    numeric.sort_unstable();
    assert_eq!(numeric, expected);
    for setting in NUMERIC {
        let name = setting.name;
        for (text, number) in NUMBERS {
            let possible = number.is_finite()
                && number >= 0.0
                && (setting.zero || number > 0.0)
                && number <= setting.most
                && (setting.fractions || number.fract() == 0.0);
            for from_file in [true, false] {
                let resolved = with(name, text, from_file).and_then(|settings| {
                    let refused = |error: InvalidSetting| {
                        let message = error.to_string();
                        let flag = format!("--{}", name.replace('_', "-"));
                        assert!(message.starts_with(&flag), "{name} = {text}: {message}");
                        message
                    };
                    settings.resolve().map_err(refused)
                });
                match resolved {
                    Ok(config) => {
                        assert!(possible, "{name} = {text} was taken");
                        // TOML, JSON and the template can store the value.
                        let saved = toml::to_string(&config).unwrap();
                        assert_eq!(toml::from_str::<RunConfig>(&saved).unwrap(), config, "{name} = {text}");
                        let json = serde_json::to_string(&config).unwrap();
                        assert_eq!(
                            serde_json::from_str::<RunConfig>(&json).unwrap(),
                            config,
                            "{name} = {text}"
                        );
                        let read: Settings = toml::from_str(&template(&config, true)).unwrap();
                        assert!(read.resolve().is_ok(), "{name} = {text}");
                    }
                    Err(message) => assert!(!possible, "{name} = {text} was refused: {message}"),
                }
            }
        }
    }
}

#[test]
fn path_that_is_not_utf8_is_refused() {
    let path = || Some(PathBuf::from(OsStr::from_bytes(b"gr\xfcn")));
    let cache = |mut settings: Settings| {
        settings.cache = path().map(Cache::Local);
        settings
    };
    let cases = [
        (
            "--data",
            Settings {
                data: path(),
                ..minimal()
            },
        ),
        (
            "--background",
            Settings {
                background: path(),
                ..minimal()
            },
        ),
        (
            "--init-from",
            Settings {
                init_from: path(),
                ..minimal()
            },
        ),
        ("--cache", cache(minimal())),
    ];
    for (name, settings) in cases {
        let message = settings.resolve().unwrap_err().to_string();
        assert!(message.starts_with(name) && message.contains("UTF-8"), "{message}");
        assert!(!message.contains("Some"), "{message}");
    }
}

#[test]
fn changed_model_is_reported_before_its_changed_clip_length() {
    let saved = minimal().resolve().unwrap();
    let other = Settings {
        model: Some(ModelKind::SmallCnn),
        ..minimal()
    };
    let other = other.resolve().unwrap();
    assert_ne!(other.clip_frames, saved.clip_frames);
    assert_eq!(other.difference(&saved).as_deref(), Some("--model"));
}

#[test]
fn warm_up_and_micro_batches_must_fit_the_other_settings() {
    let refused = |settings: Settings| settings.resolve().unwrap_err().to_string();
    let warm_up = |schedule, warmup_epochs, epochs| Settings {
        lr_schedule: Some(schedule),
        warmup_epochs: Some(warmup_epochs),
        epochs: Some(epochs),
        ..minimal()
    };
    assert!(warm_up(LrSchedule::Cosine, 1.5, 2).resolve().is_ok());
    assert!(warm_up(LrSchedule::Constant, 9.0, 2).resolve().is_ok());
    assert!(warm_up(LrSchedule::OneCycle, 0.0, 2).resolve().is_ok());
    assert_eq!(
        refused(warm_up(LrSchedule::Cosine, 2.0, 2)),
        "--warmup-epochs must be below --epochs 2, not 2"
    );
    assert!(refused(warm_up(LrSchedule::OneCycle, 1.0, 2)).contains("one-cycle"));
    let micro = |micro_batch_size| Settings {
        batch_size: Some(4),
        micro_batch_size: Some(micro_batch_size),
        ..minimal()
    };
    assert!(micro(4).resolve().is_ok());
    assert_eq!(
        refused(micro(5)),
        "--micro-batch-size must be at most --batch-size 4, not 5"
    );
}

#[test]
fn setting_that_a_resumed_run_may_not_change_is_named() {
    let saved = minimal().resolve().unwrap();
    let longer = RunConfig {
        epochs: 90,
        patience: 3,
        loader_threads: 5,
        ..saved.clone()
    };
    assert_eq!(longer.difference(&saved), None);
    assert_eq!(
        RunConfig {
            lr: 0.5,
            ..saved.clone()
        }
        .difference(&saved)
        .as_deref(),
        Some("--lr")
    );
    assert_eq!(
        RunConfig {
            seed: 9,
            ..saved.clone()
        }
        .difference(&saved)
        .as_deref(),
        Some("--seed")
    );
}

#[test]
fn averaging_and_freezing_settings_must_fit_the_others() {
    let refused = |change: fn(&mut Settings)| {
        let mut settings = minimal();
        change(&mut settings);
        settings.resolve().unwrap_err().to_string()
    };
    let message = refused(|settings| (settings.ema, settings.average_last) = (Some(0.9), Some(2)));
    assert_eq!(message, "--average-last and --ema exclude each other");
    let message = refused(|settings| (settings.epochs, settings.average_last) = (Some(3), Some(4)));
    assert_eq!(message, "--average-last must be at most --epochs 3, not 4");
    assert_eq!(
        refused(|settings| settings.thaw_after = Some(2)),
        "--thaw-after needs --freeze"
    );
    let message = refused(|settings| settings.freeze_batch_norm = Some(true));
    assert_eq!(message, "--freeze-batch-norm needs --init-from");
    // A model may freeze parameters by default.
    let frozen_by_default = Settings {
        model: Some(ModelKind::Vgg16),
        thaw_after: Some(2),
        ..minimal()
    };
    assert!(frozen_by_default.clone().resolve().is_ok());
    let none_frozen = Settings {
        freeze: Some(vec![ParameterPattern::new("none")]),
        ..frozen_by_default
    };
    assert!(none_frozen.resolve().is_err());
}

#[test]
fn augmentations_that_do_not_fit_the_input_are_refused() {
    let resolve = |model, augment: &str| {
        let settings = Settings {
            model: Some(model),
            augment: Some(augment.parse().unwrap()),
            ..minimal()
        };
        settings.resolve().map_err(|error| error.to_string())
    };
    for (model, augment) in [
        (ModelKind::MmCrnn, "gain,polarity,spec-augment"),
        (ModelKind::Crnn, "gain,spec-augment"),
        (ModelKind::Cnn1d, "polarity"),
        (ModelKind::Crnn2dGru, "spec-augment"),
    ] {
        assert_eq!(resolve(model, augment).map(|_| ()), Ok(()), "{model} {augment}");
    }
    for (model, augment, part) in [
        (ModelKind::Crnn, "polarity", "polarity inverts waveforms, and crnn"),
        (ModelKind::Cnn1d, "spec-augment", "spec-augment masks spectrograms"),
        (ModelKind::SmallCnn, "polarity", "polarity inverts"),
        (ModelKind::Vgg16, "spec-augment", "spec-augment masks"),
        (ModelKind::MfccDense, "spec-augment", "spec-augment masks"),
        (ModelKind::MfccDense, "gain", "must be none for mfcc-dense"),
    ] {
        let error = resolve(model, augment).unwrap_err();
        assert!(error.starts_with("--augment") && error.contains(part), "{error}");
    }
}
