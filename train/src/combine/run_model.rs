//! What a run predicts with, read from its directory.

use super::network::NetworkSource;
use crate::classical::VectorClassifier;
use crate::run::calibration::Calibration;
use crate::run::directory::{MEMBERS_DIRECTORY, RunDirectory, RunError};
use crate::run::set::RunSet;
use crate::settings::{Combination, RunConfig, STATISTICS};
use std::path::{Path, PathBuf};

/// The parameters of the classifier of a combined run.
pub(super) const CLASSIFIER_FILE: &str = "classifier.safetensors";

/// A run and what it predicts with.
#[derive(Clone, Debug)]
pub struct RunModel {
    pub root: PathBuf,
    pub config: RunConfig,
    pub parts: Parts,
}

#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a program has few of these, and their tensors are elsewhere"
)]
pub enum Parts {
    Network(NetworkSource),
    /// The mean of the members' probabilities.
    Ensemble(Vec<RunModel>),
    /// A classifier on the mean embeddings of each track, those of all networks one after the other.
    OnEmbeddings {
        embedders: Vec<NetworkSource>,
        classifier: VectorClassifier,
    },
}

/// The directory of a member of the combined run in `root`.
pub(super) fn member_path(root: &Path, number: usize) -> PathBuf {
    root.join(MEMBERS_DIRECTORY).join(number.to_string())
}

impl RunModel {
    /// Reads the run in `root`, with the settings of its members.
    ///
    /// # Errors
    /// If a file of the run or of a member is missing or damaged.
    pub fn read(root: &Path) -> Result<Self, RunError> {
        let (run, config) = RunDirectory::open(root)?;
        Ok(Self {
            root: root.to_owned(),
            parts: parts(&run, &config)?,
            config,
        })
    }

    /// Reads several runs. A set of runs stands for all its runs.
    ///
    /// # Errors
    /// If a file of a run or of a member is missing or damaged.
    pub fn read_all(roots: &[PathBuf]) -> Result<Vec<Self>, RunError> {
        let mut models = Vec::new();
        for root in roots {
            let paths = match RunSet::open(root)? {
                Some(set) => set.members(root).into_iter().map(|member| member.path).collect(),
                None => vec![root.clone()],
            };
            for path in paths {
                models.push(Self::read(&path)?);
            }
        }
        Ok(models)
    }

    /// All networks.
    pub fn networks(&self) -> Vec<&NetworkSource> {
        match &self.parts {
            Parts::Network(network) => vec![network],
            Parts::Ensemble(members) => members.iter().flat_map(Self::networks).collect(),
            Parts::OnEmbeddings { embedders, .. } => embedders.iter().collect(),
        }
    }
}

fn parts(run: &RunDirectory, config: &RunConfig) -> Result<Parts, RunError> {
    let root = run.root();
    let Some(combination) = &config.combination else {
        return Ok(Parts::Network(NetworkSource {
            temperature: Calibration::temperature(run)?,
            ..NetworkSource::of_run(root, config.clone())
        }));
    };
    let members = combination.members.iter().enumerate();
    if combination.classifier.is_none() {
        let members = members.map(|(number, _)| RunModel::read(&member_path(root, number)));
        return Ok(Parts::Ensemble(members.collect::<Result<_, _>>()?));
    }
    let embedder = |(number, name): (usize, &String)| {
        let path = member_path(root, number);
        let (_, config) = RunDirectory::open_network(&path)?;
        Ok(NetworkSource {
            is_statistics: name == STATISTICS,
            ..NetworkSource::of_run(&path, config)
        })
    };
    Ok(Parts::OnEmbeddings {
        embedders: members.map(embedder).collect::<Result<_, RunError>>()?,
        classifier: read_classifier(run, config, combination)?,
    })
}

fn read_classifier(
    run: &RunDirectory,
    config: &RunConfig,
    combination: &Combination,
) -> Result<VectorClassifier, RunError> {
    let damaged = |detail: String| RunError::Damaged {
        path: run.path(CLASSIFIER_FILE),
        detail,
    };
    let kind = combination.classifier.expect("the run has a classifier");
    let bytes = run
        .read(CLASSIFIER_FILE)?
        .ok_or_else(|| damaged("it is missing".into()))?;
    VectorClassifier::from_safetensors(&bytes, kind, config.classes.len()).map_err(damaged)
}
