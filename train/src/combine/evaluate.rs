//! Evaluates any run on a set of its data set: a single network, an ensemble, or a classifier on embeddings.

use super::network::{NetworkOnData, NetworkSource};
use super::run_model::{Parts, RunModel};
use crate::classical::VectorClassifier;
use crate::data::run_data::{RunData, index_of_run};
use crate::evaluation::embeddings::{EmbeddingTable, joined};
use crate::evaluation::evaluate::Evaluation;
use crate::loader::EvalClips;
use crate::run::predictions::{Prediction, Predictions, logits};
use anyhow::{Context, bail, ensure};
use burn::tensor::Device;
use shared::dataset::Task;
use shared::dataset::split::{Set, Split};
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// What the command line changes of a run.
#[derive(Clone, Debug, Default)]
pub struct DataOptions {
    /// The data set, if it was moved.
    pub data: Option<PathBuf>,
    pub eval_clips: Option<EvalClips>,
}

/// A run with the tracks of its data set.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a program has few of these, and their tensors are elsewhere"
)]
pub enum RunOnData {
    Network(NetworkOnData),
    /// The members with their directories.
    Ensemble(Vec<(PathBuf, Self)>),
    OnEmbeddings {
        embedders: Vec<NetworkOnData>,
        classifier: VectorClassifier,
    },
}

impl RunOnData {
    /// Opens the data set of the run, or of each member.
    ///
    /// # Errors
    /// If a data set is not the one that the run was trained on, or the members of an ensemble do not fit together.
    pub fn open(model: RunModel, options: &DataOptions, device: &Device) -> anyhow::Result<Self> {
        let RunModel { root, config, parts } = model;
        let opened = match parts {
            Parts::Network(source) => Self::Network(open_network(&source, &root, &config.classes, options, device)?),
            Parts::Ensemble(members) => return Self::ensemble(members, options, device),
            Parts::OnEmbeddings { embedders, classifier } => {
                let open = |source: &NetworkSource| open_network(source, &root, &config.classes, options, device);
                Self::OnEmbeddings {
                    embedders: embedders.iter().map(open).collect::<anyhow::Result<_>>()?,
                    classifier,
                }
            }
        };
        if opened.data().dataset.classes() != config.classes {
            return Err(another_data_set(opened.data().dataset.root(), &root));
        }
        Ok(opened)
    }

    /// The mean of runs that were trained on the same tracks.
    pub fn ensemble(members: Vec<RunModel>, options: &DataOptions, device: &Device) -> anyhow::Result<Self> {
        let mut opened: Vec<(PathBuf, Self)> = Vec::new();
        for member in members {
            let root = member.root.clone();
            let member = Self::open(member, options, device)?;
            if let Some((first_root, first)) = opened.first() {
                check_fit(&root, member.data(), first_root, first.data())?;
            }
            opened.push((root, member));
        }
        ensure!(!opened.is_empty(), "an ensemble needs at least one run");
        Ok(Self::Ensemble(opened))
    }

    /// The data set of the first network, with the split of the run.
    pub fn data(&self) -> &RunData {
        &self.networks()[0].data
    }

    /// All networks.
    pub fn networks(&self) -> Vec<&NetworkOnData> {
        match self {
            Self::Network(network) => vec![network],
            Self::Ensemble(members) => members.iter().flat_map(|(_, member)| member.networks()).collect(),
            Self::OnEmbeddings { embedders, .. } => embedders.iter().collect(),
        }
    }

    /// The network of a run that does not combine others.
    pub fn network_mut(&mut self) -> Option<&mut NetworkOnData> {
        match self {
            Self::Network(network) => Some(network),
            Self::Ensemble(_) | Self::OnEmbeddings { .. } => None,
        }
    }

    /// Predicts the tracks of a set.
    pub fn evaluate(&self, set: Set) -> anyhow::Result<Evaluation> {
        match self {
            Self::Network(network) => network.evaluate(set),
            Self::Ensemble(members) => {
                let predict = |(_, member): &(PathBuf, Self)| Ok(member.evaluate(set)?.predictions);
                let all = members.iter().map(predict).collect::<anyhow::Result<Vec<_>>>()?;
                of_tracks(self.data().dataset.task(), mean(self.data().dataset.task(), &all)?)
            }
            Self::OnEmbeddings { embedders, classifier } => {
                let tables = embedders.iter().map(|embedder| embedder.embeddings(set));
                let tables = tables.collect::<anyhow::Result<Vec<_>>>()?;
                classified(classifier, self.data(), &joined(&tables))
            }
        }
    }
}

/// Opens the data set of a network with the split and the classes of the run in `split_root`.
fn open_network(
    source: &NetworkSource,
    split_root: &Path,
    classes: &[String],
    options: &DataOptions,
    device: &Device,
) -> anyhow::Result<NetworkOnData> {
    let mut config = source.config.clone();
    if let Some(moved) = &options.data {
        config.data.clone_from(moved);
    }
    config.eval_clips = options.eval_clips.unwrap_or(config.eval_clips);
    // Before the split, whose error would not name the run.
    if !index_of_run(split_root, &config.data)?.covers(&config.data_checksum) {
        return Err(another_data_set(&config.data, split_root));
    }
    let data = RunData::open_in_run(&config, split_root, Some(classes))?;
    let mut network = NetworkOnData::new(config, data, device.clone(), |_, data, device| {
        Ok(source.load(*data.front_end.shape(), device)?)
    })?;
    network.temperature = source.temperature;
    Ok(network)
}

fn another_data_set(data: &Path, root: &Path) -> anyhow::Error {
    anyhow::anyhow!(
        "{} is not the data set that {} was trained on",
        data.display(),
        root.display()
    )
}

/// Checks that two runs have the same classes and the same tracks in each set. Their data sets may have other features.
fn check_fit(root: &Path, data: &RunData, first_root: &Path, first: &RunData) -> anyhow::Result<()> {
    let (classes, first_classes) = (data.dataset.classes(), first.dataset.classes());
    if classes != first_classes {
        bail!(
            "{} has the classes {}, and {} has {}; an ensemble needs runs with the same classes in the same order",
            root.display(),
            classes.join(", "),
            first_root.display(),
            first_classes.join(", ")
        );
    }
    same_tracks(root, &data.split, first_root, &first.split)
}

/// Checks that each set of two splits has the same tracks.
///
/// # Errors
/// If a set differs. The error says which, and by how many tracks.
pub fn same_tracks(root: &Path, split: &Split, first_root: &Path, first: &Split) -> anyhow::Result<()> {
    for set in Set::ALL {
        let ids = |split: &Split| -> BTreeSet<u64> { split.tracks.get(&set).into_iter().flatten().copied().collect() };
        let (ids, first_ids) = (ids(split), ids(first));
        let differing = ids.symmetric_difference(&first_ids).count();
        if differing > 0 {
            bail!(
                "split `{}` of {} and split `{}` of {} differ in {differing} tracks of the {} set; combine runs that were \
                 trained on the same split",
                split.index.name,
                root.display(),
                first.index.name,
                first_root.display(),
                set.name()
            );
        }
    }
    Ok(())
}

/// The mean probabilities of each track, in the order of the first run.
fn mean(task: Task, runs: &[Predictions]) -> anyhow::Result<Predictions> {
    let (first, others) = runs.split_first().context("an ensemble needs at least one run")?;
    let by_id = |run: &'_ Predictions| -> HashMap<u64, usize> {
        run.tracks
            .iter()
            .enumerate()
            .map(|(at, track)| (track.track_id, at))
            .collect()
    };
    let places: Vec<HashMap<u64, usize>> = others.iter().map(by_id).collect();
    let mut all = Predictions::new(first.classes.clone());
    for track in &first.tracks {
        let mut sums: Vec<f64> = track.probabilities.iter().map(|&p| f64::from(p)).collect();
        for (run, places) in others.iter().zip(&places) {
            let at = places.get(&track.track_id);
            let at = at.with_context(|| format!("track {} is missing in a run of the ensemble", track.track_id))?;
            let probabilities = &run.tracks[*at].probabilities;
            sums.iter_mut()
                .zip(probabilities)
                .for_each(|(sum, &p)| *sum += f64::from(p));
        }
        let logits = logits(task, sums.into_iter().map(|sum| sum / runs.len() as f64));
        all.tracks
            .push(Prediction::new(task, track.track_id, track.labels.clone(), &logits));
    }
    Ok(all)
}

/// The predictions of a classifier for the tracks of `table`, which has one row per track.
pub fn classified(classifier: &VectorClassifier, data: &RunData, table: &EmbeddingTable) -> anyhow::Result<Evaluation> {
    let task = data.dataset.task();
    let probabilities = classifier.probabilities(&table.values)?;
    let mut all = Predictions::new(data.dataset.classes().to_vec());
    for (clip, row) in table.clips.iter().zip(probabilities.chunks_exact(classifier.classes())) {
        let track_id = data.dataset.tracks()[clip.position].track_id;
        let labels = data.dataset.tags(clip.position).collect();
        let logits = logits(task, row.iter().copied());
        all.tracks.push(Prediction::new(task, track_id, labels, &logits));
    }
    of_tracks(task, all)
}

/// An evaluation with one sample per track.
fn of_tracks(task: Task, predictions: Predictions) -> anyhow::Result<Evaluation> {
    let tally = predictions.tally(task);
    Ok(Evaluation {
        clips: tally.clone(),
        tracks: tally,
        predictions,
        map: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[(u64, [f32; 2])]) -> Predictions {
        let mut all = Predictions::new(["a", "b"].map(String::from).into());
        for (track_id, p) in rows {
            let logits = logits(Task::SingleLabel, p.map(f64::from));
            all.tracks
                .push(Prediction::new(Task::SingleLabel, *track_id, vec![0], &logits));
        }
        all
    }

    #[test]
    fn probabilities_of_each_track_are_averaged_in_any_order() {
        let first = table(&[(7, [0.9, 0.1]), (8, [0.2, 0.8])]);
        let second = table(&[(8, [0.4, 0.6]), (7, [0.3, 0.7])]);
        let mean = |runs: &[Predictions]| mean(Task::SingleLabel, runs);
        let both = mean(&[first.clone(), second]).unwrap();
        let found: Vec<(u64, f32)> = both
            .tracks
            .iter()
            .map(|track| (track.track_id, track.probabilities[0]))
            .collect();
        assert!(found[0].0 == 7 && (found[0].1 - 0.6).abs() < 1e-6, "{found:?}");
        assert!(found[1].0 == 8 && (found[1].1 - 0.3).abs() < 1e-6, "{found:?}");
        assert_eq!(both.tracks[0].predicted, [0]);
        let missing = mean(&[first, table(&[(7, [0.5, 0.5])])]).unwrap_err();
        assert!(missing.to_string().contains("track 8 is missing"), "{missing}");
    }
}
