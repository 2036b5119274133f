//! Predicts files with any run: a single network, an ensemble, or a classifier on embeddings.

use super::file_decoder::Decoded;
use super::networks::{file_vectors, load};
use super::predictor::{FileVector, NetworkPredictor};
use super::span::{Span, mean_around, rows};
use crate::classical::VectorClassifier;
use crate::combine::{Parts, RunModel};
use crate::frontend::VectorError;
use crate::loader::EvalClips;
use anyhow::bail;
use burn::tensor::Device;
use shared::audio::validate::Rejection;
use shared::dataset::Task;
use std::path::PathBuf;

#[derive(Clone, Debug, PartialEq)]
pub struct FilePrediction {
    /// Of the first network.
    pub decoded: Decoded,
    /// Probability of each class or tag.
    pub probabilities: Vec<f64>,
    /// The probabilities over time; empty unless a window was given.
    pub timeline: Vec<TimelineRow>,
}

/// A part of a file with its probabilities.
#[derive(Clone, Debug, PartialEq)]
pub struct TimelineRow {
    pub span: Span,
    /// Of the clips in the window around the part.
    pub probabilities: Vec<f64>,
}

/// A run that is ready to predict files.
#[derive(Debug)]
pub struct RunPredictor {
    pub classes: Vec<String>,
    pub task: Task,
    networks: Vec<NetworkPredictor>,
    combination: Combination,
}

/// How probabilities are computed from the vectors of the networks, which are in the order of this tree.
#[derive(Debug)]
enum Combination {
    /// Those of one network.
    Network,
    /// The mean of several.
    Mean(Vec<Combination>),
    /// A classifier on the embeddings of so many networks.
    OnEmbeddings(usize, Box<VectorClassifier>),
}

impl RunPredictor {
    /// Loads the networks of a run. Several runs are averaged; they may have been trained on different data sets or
    /// folds. `eval_clips` replaces each run's own.
    ///
    /// # Errors
    /// If a file of a run is missing or damaged, or the runs do not fit together.
    pub fn load(mut models: Vec<RunModel>, eval_clips: Option<EvalClips>, device: &Device) -> anyhow::Result<Self> {
        if models.len() == 1 {
            return Self::one(models.remove(0), eval_clips, device);
        }
        let roots: Vec<PathBuf> = models.iter().map(|model| model.root.clone()).collect();
        let load = |model| Self::one(model, eval_clips, device);
        let members = models.into_iter().map(load).collect::<anyhow::Result<Vec<_>>>()?;
        let (classes, task) = (members[0].classes.clone(), members[0].task);
        if let Some(other) = members
            .iter()
            .position(|member| member.classes != classes || member.task != task)
        {
            bail!(
                "{} predicts other classes than {}: {} instead of {}; an ensemble needs runs with the same classes in the \
                 same order",
                roots[other].display(),
                roots[0].display(),
                members[other].classes.join(", "),
                classes.join(", ")
            );
        }
        let (mut networks, mut combinations) = (Vec::new(), Vec::new());
        for member in members {
            networks.extend(member.networks);
            combinations.push(member.combination);
        }
        Ok(Self {
            classes,
            task,
            networks,
            combination: Combination::Mean(combinations),
        })
    }

    fn one(model: RunModel, eval_clips: Option<EvalClips>, device: &Device) -> anyhow::Result<Self> {
        let (networks, task, combination) = match model.parts {
            Parts::Ensemble(members) => return Self::load(members, eval_clips, device),
            Parts::Network(source) => {
                let (network, task) = load(&source, eval_clips, device, false)?;
                (vec![network], task, Combination::Network)
            }
            Parts::OnEmbeddings { embedders, classifier } => {
                let load = |source| Ok(load(source, eval_clips, device, true)?.0);
                let networks = embedders.iter().map(load).collect::<anyhow::Result<Vec<_>>>()?;
                let combination = Combination::OnEmbeddings(networks.len(), Box::new(classifier));
                (networks, Task::SingleLabel, combination)
            }
        };
        Ok(Self {
            classes: model.config.classes,
            task,
            networks,
            combination,
        })
    }

    /// Whether a network takes whole files, so it has no probabilities over time.
    pub fn takes_whole_files(&self) -> bool {
        self.networks.iter().any(|network| network.setup.takes_whole_files())
    }

    /// Decodes `files` with `jobs` threads and passes each prediction to `each`, in the order of the files. A file that
    /// cannot be decoded only fails its own prediction, but if more decoders than threads stall, the remaining files
    /// are skipped. With a window in seconds, predictions have a timeline.
    pub fn predict(
        &self,
        files: &[PathBuf],
        jobs: usize,
        window: Option<f64>,
        mut each: impl FnMut(usize, Result<FilePrediction, Rejection>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        file_vectors(&self.networks, files, jobs, window.is_some(), |file, vectors| {
            let prediction = vectors.and_then(|vectors| {
                self.prediction(&vectors, window).map_err(|error| Rejection::IoError {
                    message: error.to_string(),
                })
            });
            each(file, prediction)
        })
    }

    fn prediction(&self, vectors: &[FileVector], window: Option<f64>) -> Result<FilePrediction, VectorError> {
        let decoded = vectors[0].decoded;
        let values: Vec<&[f64]> = vectors.iter().map(|vector| &vector.values[..]).collect();
        let mut timeline = Vec::new();
        if let Some(window) = window {
            let clips = vectors.iter().map(|vector| vector.clips.len()).max().unwrap_or(0);
            for span in rows(decoded.seconds, clips, window) {
                let means: Vec<Vec<f64>> = vectors
                    .iter()
                    .map(|vector| mean_around(&vector.clips, span, window))
                    .collect();
                let probabilities = self.combination.probabilities(&mut means.iter().map(Vec::as_slice))?;
                timeline.push(TimelineRow { span, probabilities });
            }
        }
        Ok(FilePrediction {
            decoded,
            probabilities: self.combination.probabilities(&mut values.into_iter())?,
            timeline,
        })
    }
}

impl Combination {
    /// Takes the vectors of its networks from the front of `vectors`.
    fn probabilities<'a>(&self, vectors: &mut impl Iterator<Item = &'a [f64]>) -> Result<Vec<f64>, VectorError> {
        match self {
            Self::Network => Ok(vectors.next().expect("there is a vector per network").to_vec()),
            Self::Mean(members) => {
                let mut mean: Vec<f64> = Vec::new();
                for member in members {
                    let probabilities = member.probabilities(vectors)?;
                    mean.resize(probabilities.len(), 0.0);
                    mean.iter_mut().zip(probabilities).for_each(|(sum, p)| *sum += p);
                }
                mean.iter_mut().for_each(|sum| *sum /= members.len() as f64);
                Ok(mean)
            }
            Self::OnEmbeddings(networks, classifier) => {
                let embeddings = vectors.take(*networks).flatten();
                // As f32, like the embeddings that the classifier was trained on.
                let joined: Vec<f32> = embeddings.map(|&value| value as f32).collect();
                classifier.probabilities(&joined)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_of_nested_ensembles_takes_the_networks_in_order() {
        use Combination::{Mean, Network};
        let vectors: [&[f64]; 3] = [&[1.0, 0.0], &[0.5, 0.5], &[0.0, 1.0]];
        let nested = Mean(vec![Network, Mean(vec![Network, Network])]);
        let mean = nested.probabilities(&mut vectors.into_iter()).unwrap();
        assert_eq!(mean, [0.625, 0.375]);
    }
}
