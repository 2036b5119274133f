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
fn no_setting_is_forgotten_between_two_runs() {
    let text = r#"
        data = "fma"
        model = "mm-crnn"
        split = "main"
        epochs = 3
        batch_size = 4
        lr = 0.5
        loaded_lr = 0.25
        weight_decay = 0.125
        l2 = ["conv=0.01", "linear=0.02"]
        dropout = 0.75
        seed = 9
        augment = "background,pitch-shift"
        background = "sounds"
        balance = "oversample"
        patience = 2
        monitor = "macro-f1"
        init_from = "weights.pt"
        ignore_features = true
        replace_classifier = true
        freeze = ["blocks.0", "blocks.1"]
        frame_seconds = 3.5
        skip_seconds = 1.5
        eval_clips = "1"
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
    let usual = minimal().resolve().unwrap();
    let config = settings.resolve().unwrap();
    assert_eq!(config.to_settings().resolve().unwrap(), config);
    let saved = toml::to_string(&config).unwrap();
    assert_eq!(toml::from_str::<RunConfig>(&saved).unwrap(), config);
    // None of them has its usual value, or this test would see nothing.
    let (of_config, of_usual) = (toml::Table::try_from(&config), toml::Table::try_from(&usual));
    for (name, value) in of_config.unwrap() {
        let set_by_the_data =
            ["data", "data_checksum", "split_checksum", "classes", "devices"].contains(&name.as_str());
        let usual = of_usual.as_ref().unwrap().get(&name);
        assert!(set_by_the_data || usual != Some(&value), "{name} = {value}");
    }
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
