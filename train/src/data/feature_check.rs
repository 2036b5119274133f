//! Checks that weights were trained on the same feature settings as the data set. A network accepts any spectrogram of
//! the right size, so other settings would go unnoticed.

use crate::data::front_end_record::FrontEndRecord;
use crate::models::InputKind;
use crate::process::console::Console;
use crate::run::directory::{BEST_FILE, RunDirectory, RunError};
use crate::settings::RunConfig;
use shared::dsp::features::FeatureConfig;
use std::fmt::Debug;
use std::path::{Path, PathBuf};

/// Weights that were trained on other features.
#[derive(Debug, thiserror::Error)]
pub enum FeatureError {
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(
        "the weights of {} were trained on other features than {} has: {differences}; build a data set with \
         the settings of the weights, or use them anyway with --ignore-features",
        run.display(), data.display()
    )]
    Differ {
        run: PathBuf,
        data: PathBuf,
        differences: String,
    },
}

/// The directory of the run if `path` is a run or its file of best weights.
pub fn run_of_weights(path: &Path) -> Option<&Path> {
    if path.is_dir() {
        return Some(path);
    }
    let directory = path.parent().filter(|_| path.ends_with(BEST_FILE))?;
    RunDirectory::is_at(directory).then_some(directory)
}

/// Compares the feature settings that the weights in `path` were trained on with `features`, those of the data set of
/// `config`. Logs a line if they are unknown, or differ and --ignore-features is given.
pub fn check_features(
    path: &Path,
    config: &RunConfig,
    features: &FeatureConfig,
    console: Console,
) -> Result<(), FeatureError> {
    let Some(root) = run_of_weights(path) else {
        console.line(&format!(
            "{} does not record its feature settings, so they were not compared with those of {}",
            path.display(),
            config.data.display()
        ));
        return Ok(());
    };
    let (run, run_config) = RunDirectory::open_network(root)?;
    let trained = FrontEndRecord::read(&run, &run_config)?.features;
    let differences = differences(config.model.description().input, &trained, features).join(", ");
    if differences.is_empty() {
        return Ok(());
    }
    if config.ignore_features {
        console.line(&format!(
            "--ignore-features: the weights of {} were trained on other features: {differences}",
            root.display()
        ));
        return Ok(());
    }
    Err(FeatureError::Differ {
        run: root.to_owned(),
        data: config.data.clone(),
        differences,
    })
}

/// Describes the differing settings that the model's input depends on. The clip length is not compared, because the
/// model checks its input shape itself.
fn differences(input: InputKind, trained: &FeatureConfig, found: &FeatureConfig) -> Vec<String> {
    let settings = |features: &FeatureConfig| {
        let rate = [("sample_rate", features.sample_rate.to_string())];
        // As the options of `preprocess build` are given.
        let lowercase = |value: &dyn Debug| format!("{value:?}").to_lowercase();
        let mel = [
            ("n_fft", features.n_fft.to_string()),
            ("hop_length", features.hop_length.to_string()),
            ("n_mels", features.n_mels.to_string()),
            ("f_min", features.f_min.to_string()),
            ("f_max", features.f_max.to_string()),
            ("mel_scale", lowercase(&features.mel_scale)),
            ("mel_norm", lowercase(&features.mel_norm)),
            ("pad_mode", lowercase(&features.pad_mode)),
            ("db_reference", lowercase(&features.db_reference)),
            ("db_multiplier", features.db_multiplier.to_string()),
            (
                "top_db",
                features.top_db.map_or("none".into(), |top_db| top_db.to_string()),
            ),
            ("final_frame", features.final_frame.to_string()),
        ];
        let mel = mel.into_iter().filter(|_| input.has_mel());
        rate.into_iter().chain(mel).collect::<Vec<_>>()
    };
    let pairs = settings(trained).into_iter().zip(settings(found));
    pairs
        .filter(|((_, trained), (_, found))| trained != found)
        .map(|((name, trained), (_, found))| format!("{name} {trained} instead of {found}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::run_data::RunData;
    use crate::models::ModelKind;
    use crate::testing;
    use shared::dsp::features::{DbReference, MelNorm, MelScale, PadMode};
    use std::fs;

    #[test]
    fn only_settings_that_the_model_input_depends_on_are_compared() {
        let trained = FeatureConfig::default();
        let found = FeatureConfig {
            sample_rate: 22_050,
            clip_samples: 1 << 18,
            n_fft: 2048,
            hop_length: 512,
            n_mels: 96,
            f_min: 20.0,
            f_max: 8000.0,
            mel_scale: MelScale::Htk,
            mel_norm: MelNorm::None,
            pad_mode: PadMode::Reflect,
            db_reference: DbReference::One,
            db_multiplier: 20,
            top_db: None,
            final_frame: true,
        };
        let model_differences = |model: ModelKind| differences(model.description().input, &trained, &found);
        assert_eq!(model_differences(ModelKind::Cnn2d).len(), 13);
        assert_eq!(model_differences(ModelKind::Cnn2d)[1], "n_fft 4096 instead of 2048");
        assert_eq!(
            model_differences(ModelKind::Cnn2d)[6],
            "mel_scale slaney instead of htk"
        );
        assert_eq!(model_differences(ModelKind::Cnn2d)[11], "top_db 80 instead of none");
        // The inputs are the waveform and statistics of MFCCs, whose settings are fixed.
        for model in [ModelKind::Cnn1d, ModelKind::MfccDense] {
            assert_eq!(model_differences(model), ["sample_rate 44100 instead of 22050"]);
        }
        let input = ModelKind::MmCrnn.description().input;
        assert!(differences(input, &trained, &trained).is_empty());
    }

    #[test]
    fn weights_with_other_features_are_refused_without_ignore_features() {
        let (root, runs) = (testing::dataset(), tempfile::tempdir().unwrap());
        let mut config = RunConfig {
            split: "main".into(),
            ..testing::config(root.path(), ModelKind::Cnn2d)
        };
        let data = RunData::open(&config).unwrap();
        let run = RunDirectory::begin(&runs.path().join("run")).unwrap();
        run.save_config(&config).unwrap();
        FrontEndRecord::new(&data).write(&run).unwrap();
        fs::write(run.path(BEST_FILE), b"weights").unwrap();
        let other = FeatureConfig {
            hop_length: 512,
            ..data.features.clone()
        };
        let console = Console::new(true);
        let best = run.path(BEST_FILE);
        for path in [run.root(), &best] {
            check_features(path, &config, &data.features, console).unwrap();
            let error = check_features(path, &config, &other, console).unwrap_err().to_string();
            assert!(
                error.contains("hop_length 1024 instead of 512") && error.contains("--ignore-features"),
                "{error}"
            );
        }
        // A file outside a run is accepted, because its features are unknown.
        let bare = runs.path().join(BEST_FILE);
        fs::write(&bare, b"weights").unwrap();
        check_features(&bare, &config, &other, console).unwrap();
        config.ignore_features = true;
        check_features(run.root(), &config, &other, console).unwrap();
    }
}
