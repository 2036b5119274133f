//! Writes combined runs. `config.toml`, which makes a directory a run, is written last.

use super::network::NetworkOnData;
use super::run_model::{CLASSIFIER_FILE, RunModel, member_path};
use crate::classical::VectorClassifier;
use crate::data::front_end_record::{FRONT_END_FILE, FrontEndRecord};
use crate::data::run_data::RunData;
use crate::models::export_weights;
use crate::run::directory::{BEST_FILE, CALIBRATION_FILE, CONFIG_FILE, MEMBERS_DIRECTORY, RunDirectory, RunError};
use crate::run::split_copy::{self, SPLIT_DIRECTORY};
use crate::settings::{Combination, RunConfig};
use anyhow::Context;
use shared::runtime::atomic_file;
use shared::runtime::file_error::FileError;
use std::fs;
use std::path::{self, Path, PathBuf};

/// Writes a classifier on the embeddings of `embedders` into `run`. `split_from` is the directory of their split.
/// Returns the settings of the run, which are those of the first network on this data set.
pub fn save_classifier(
    run: &RunDirectory,
    embedders: &[NetworkOnData],
    classifier: &VectorClassifier,
    combination: Combination,
    split_from: &Path,
) -> anyhow::Result<RunConfig> {
    let data = &embedders[0].data;
    for (number, embedder) in embedders.iter().enumerate() {
        let member = member_directory(&member_path(run.root(), number))?;
        let config = on_data(&embedder.config, data)?;
        FrontEndRecord::new(&embedder.data).write(&member)?;
        if let Some(network) = &embedder.network {
            member.write_weights(&export_weights(network).map_err(anyhow::Error::msg)?)?;
        }
        // Its classes are those that the network was trained on.
        member.save_config(&config)?;
    }
    let bytes = classifier
        .to_safetensors()
        .context("the classifier cannot be written as safetensors")?;
    run.write(CLASSIFIER_FILE, &bytes)?;
    split_copy::keep(&data.split, split_from, data.dataset.index(), run)?;
    // Reports warn of weights that may have been trained on the same tracks.
    let pretrained = embedders.iter().find_map(|embedder| embedder.config.init_from.as_ref());
    let config = RunConfig {
        init_from: pretrained.map(path::absolute).transpose()?,
        classes: data.dataset.classes().to_vec(),
        combination: Some(combination),
        ..on_data(&embedders[0].config, data)?
    };
    run.save_config(&config)?;
    Ok(config)
}

/// A directory for a member. Left-over files of an interrupted command are overwritten.
fn member_directory(path: &Path) -> Result<RunDirectory, RunError> {
    if RunDirectory::is_at(path) {
        Ok(RunDirectory::open(path)?.0)
    } else {
        RunDirectory::begin(path)
    }
}

/// The settings with the facts about the data set.
fn on_data(config: &RunConfig, data: &RunData) -> anyhow::Result<RunConfig> {
    // The run may be used later from other directories.
    let absolute = path::absolute(data.dataset.root());
    Ok(RunConfig {
        data: absolute.with_context(|| format!("{} has no absolute path", data.dataset.root().display()))?,
        data_checksum: data.dataset.index().checksum.clone(),
        split: data.split.index.name.clone(),
        split_checksum: data.split.index.checksum.clone(),
        ..config.clone()
    })
}

/// Writes an ensemble of `members` into `run`; their files are copied if `copies` is true. `data` is that of the first
/// member. Returns the settings of the run, which are those of the first member.
pub fn save_ensemble(
    run: &RunDirectory,
    members: &[RunModel],
    data: &RunData,
    copies: bool,
) -> anyhow::Result<RunConfig> {
    if copies {
        for (number, member) in members.iter().enumerate() {
            copy_run(&member.root, &member_path(run.root(), number))?;
        }
    }
    let first = &members[0];
    // Reports warn of weights that may have been trained on the same tracks.
    let pretrained = members.iter().find_map(|RunModel { config, .. }| {
        config
            .imported_from
            .as_ref()
            .map(PathBuf::from)
            .or_else(|| config.init_from.clone())
    });
    split_copy::keep(
        &data.split,
        &first.root.join(SPLIT_DIRECTORY),
        data.dataset.index(),
        run,
    )?;
    let config = RunConfig {
        combination: Some(Combination {
            classifier: None,
            members: members.iter().map(|member| member.config.model_name()).collect(),
        }),
        init_from: pretrained,
        imported_from: None,
        ..first.config.clone()
    };
    run.save_config(&config)?;
    Ok(config)
}

/// Copies the files of a run that predicting needs: settings last.
fn copy_run(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to).with_context(|| format!("could not create {}", to.display()))?;
    let members = from.join(MEMBERS_DIRECTORY);
    for number in 0.. {
        if !members.join(number.to_string()).is_dir() {
            break;
        }
        copy_run(&members.join(number.to_string()), &member_path(to, number))?;
    }
    let split = from.join(SPLIT_DIRECTORY);
    if split.is_dir() {
        let copy = to.join(SPLIT_DIRECTORY);
        fs::create_dir_all(&copy).with_context(|| format!("could not create {}", copy.display()))?;
        for file in fs::read_dir(&split).map_err(FileError::at(&split))? {
            let name = file?.file_name();
            copy_file(&split.join(&name), &copy.join(&name))?;
        }
    }
    // A temperature that an interrupted command left belongs to other weights.
    let left_over = to.join(CALIBRATION_FILE);
    if left_over.exists() {
        fs::remove_file(&left_over).with_context(|| format!("could not remove {}", left_over.display()))?;
    }
    for name in [
        BEST_FILE,
        CALIBRATION_FILE,
        FRONT_END_FILE,
        CLASSIFIER_FILE,
        CONFIG_FILE,
    ] {
        if from.join(name).exists() {
            copy_file(&from.join(name), &to.join(name))?;
        }
    }
    Ok(())
}

fn copy_file(from: &Path, to: &Path) -> anyhow::Result<()> {
    let bytes = fs::read(from).map_err(FileError::at(from))?;
    Ok(atomic_file::write_bytes(to, &bytes)?)
}
