//! Predicts files with any run: a single network, an ensemble, or a classifier on embeddings.

use super::file_decoder::{Decoded, InputSetup};
use super::predictor::{ClipOutput, FileVector, NetworkPredictor};
use crate::classical::VectorClassifier;
use crate::combine::{NetworkSource, Parts, RunModel};
use crate::data::front_end_record::FrontEndRecord;
use crate::loader::EvalClips;
use crate::run::directory::RunDirectory;
use crate::settings::precision::Precision;
use anyhow::bail;
use burn::tensor::Device;
use shared::audio::validate::Rejection;
use shared::audio::watchdog::Patience;
use shared::dataset::Task;
use std::path::PathBuf;
use std::sync::Arc;

/// Files that each network of a combined run predicts before the next. Results appear after so many files.
const FILES_AT_ONCE: usize = 64;

#[derive(Clone, Debug, PartialEq)]
pub struct FilePrediction {
    /// Of the first network.
    pub decoded: Decoded,
    /// Probability of each class or tag.
    pub probabilities: Vec<f64>,
}

/// A run that is ready to predict files.
#[derive(Debug)]
pub struct RunPredictor {
    pub classes: Vec<String>,
    pub task: Task,
    kind: Kind,
}

#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a program has few of these, and their tensors are elsewhere"
)]
enum Kind {
    Network(NetworkPredictor),
    Ensemble(Vec<RunPredictor>),
    OnEmbeddings {
        embedders: Vec<NetworkPredictor>,
        classifier: VectorClassifier,
    },
}

impl RunPredictor {
    /// Loads the networks of a run. `eval_clips` replaces each run's own.
    ///
    /// # Errors
    /// If a file of a run is missing or damaged, or the members of an ensemble do not fit together.
    pub fn load(model: RunModel, eval_clips: Option<EvalClips>, device: &Device) -> anyhow::Result<Self> {
        let classes = model.config.classes;
        let (kind, task) = match model.parts {
            Parts::Ensemble(members) => return Self::ensemble(members, eval_clips, device),
            Parts::Network(source) => {
                let (predictor, task) = network(&source, eval_clips, device, false)?;
                (Kind::Network(predictor), task)
            }
            Parts::OnEmbeddings { embedders, classifier } => {
                let load = |source: &NetworkSource| Ok(network(source, eval_clips, device, true)?.0);
                let embedders = embedders.iter().map(load).collect::<anyhow::Result<_>>()?;
                (Kind::OnEmbeddings { embedders, classifier }, Task::SingleLabel)
            }
        };
        Ok(Self { classes, task, kind })
    }

    /// The mean of several runs, which may have been trained on different data sets or folds.
    pub fn ensemble(members: Vec<RunModel>, eval_clips: Option<EvalClips>, device: &Device) -> anyhow::Result<Self> {
        let roots: Vec<PathBuf> = members.iter().map(|member| member.root.clone()).collect();
        let load = |member| Self::load(member, eval_clips, device);
        let members = members.into_iter().map(load).collect::<anyhow::Result<Vec<_>>>()?;
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
        Ok(Self {
            classes,
            task,
            kind: Kind::Ensemble(members),
        })
    }

    /// Decodes `files` with `jobs` threads and passes each prediction to `each`, in the order of the files. A file that
    /// cannot be decoded only fails its own prediction, but if more decoders than threads stall, the remaining files
    /// are skipped. Each network of a combined run decodes the files anew, because networks differ in sample rate and
    /// clips.
    pub fn predict(
        &self,
        files: &[PathBuf],
        jobs: usize,
        mut each: impl FnMut(usize, Result<FilePrediction, Rejection>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        if let Kind::Network(network) = &self.kind {
            return network.predict(files, jobs, |file, vector| {
                each(
                    file,
                    vector.map(|FileVector { decoded, values }| FilePrediction {
                        decoded,
                        probabilities: values,
                    }),
                )
            });
        }
        for (number, files) in files.chunks(FILES_AT_ONCE).enumerate() {
            for (at, prediction) in self.predict_some(files, jobs)?.into_iter().enumerate() {
                each(number * FILES_AT_ONCE + at, prediction)?;
            }
        }
        Ok(())
    }

    fn predict_some(&self, files: &[PathBuf], jobs: usize) -> anyhow::Result<Vec<Result<FilePrediction, Rejection>>> {
        let prediction = |decoded, probabilities| FilePrediction { decoded, probabilities };
        match &self.kind {
            Kind::Network(network) => {
                let vectors = network_vectors(network, files, jobs)?;
                let of = |vector: FileVector| prediction(vector.decoded, vector.values);
                Ok(vectors.into_iter().map(|vector| vector.map(of)).collect())
            }
            Kind::Ensemble(members) => {
                let all = members.iter().map(|member| member.predict_some(files, jobs));
                let count = members.len() as f64;
                let rows = transposed(all.collect::<anyhow::Result<_>>()?);
                let mean = |predictions: Vec<FilePrediction>| {
                    let mut sums = vec![0.0; self.classes.len()];
                    for prediction in &predictions {
                        sums.iter_mut()
                            .zip(&prediction.probabilities)
                            .for_each(|(sum, p)| *sum += p);
                    }
                    prediction(predictions[0].decoded, sums.iter().map(|sum| sum / count).collect())
                };
                Ok(rows.into_iter().map(|row| row.map(mean)).collect())
            }
            Kind::OnEmbeddings { embedders, classifier } => {
                let all = embedders.iter().map(|embedder| network_vectors(embedder, files, jobs));
                let rows = transposed(all.collect::<anyhow::Result<_>>()?);
                let classify = |vectors: Vec<FileVector>| {
                    // As f32, like the embeddings that the classifier was trained on.
                    let joined = vectors
                        .iter()
                        .flat_map(|vector| &vector.values)
                        .map(|&value| value as f32);
                    let probabilities = classifier.probabilities(&joined.collect::<Vec<_>>());
                    let unusable = |error: crate::frontend::VectorError| Rejection::IoError {
                        message: error.to_string(),
                    };
                    Ok(prediction(vectors[0].decoded, probabilities.map_err(unusable)?))
                };
                Ok(rows.into_iter().map(|row| row.and_then(classify)).collect())
            }
        }
    }
}

/// The results of all files.
fn network_vectors(
    network: &NetworkPredictor,
    files: &[PathBuf],
    jobs: usize,
) -> anyhow::Result<Vec<Result<FileVector, Rejection>>> {
    let mut vectors = Vec::new();
    network.predict(files, jobs, |_, vector| {
        vectors.push(vector);
        Ok(())
    })?;
    Ok(vectors)
}

/// For each file, the results of all networks, or the first rejection.
fn transposed<T>(networks: Vec<Vec<Result<T, Rejection>>>) -> Vec<Result<Vec<T>, Rejection>> {
    let mut files: Vec<Result<Vec<T>, Rejection>> = networks[0].iter().map(|_| Ok(Vec::new())).collect();
    for network in networks {
        for (file, result) in files.iter_mut().zip(network) {
            match (file.as_mut(), result) {
                (Ok(all), Ok(value)) => all.push(value),
                (Ok(_), Err(rejection)) => *file = Err(rejection),
                (Err(_), _) => {}
            }
        }
    }
    files
}

/// Loads the best weights of a network for its probabilities or its embeddings.
fn network(
    source: &NetworkSource,
    eval_clips: Option<EvalClips>,
    device: &Device,
    embeds: bool,
) -> anyhow::Result<(NetworkPredictor, Task)> {
    let mut source = source.clone();
    source.config.eval_clips = eval_clips.unwrap_or(source.config.eval_clips);
    let (run, _) = RunDirectory::open(&source.root)?;
    let record = FrontEndRecord::read(&run, &source.config)?;
    let setup = Arc::new(InputSetup::new(&record, &source.config));
    let output = match source.load(*setup.front_end().shape(), device)? {
        None => ClipOutput::Statistics,
        Some(model) if embeds => ClipOutput::Embeddings(model),
        Some(model) => ClipOutput::Probabilities {
            model,
            task: record.task,
            temperature: source.temperature,
        },
    };
    // Weights trained on a GPU may be used on the CPU, which may not support the run's precision.
    let dtype = source
        .config
        .precision
        .dtype(device)
        .or_else(|_| Precision::Auto.dtype(device))?;
    let predictor = NetworkPredictor {
        output,
        device: device.clone(),
        dtype,
        patience: Patience::default(),
        setup,
    };
    Ok((predictor, record.task))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_that_one_network_rejects_is_rejected() {
        let rejection = || Rejection::IoError { message: "gone".into() };
        let rows = transposed(vec![
            vec![Ok(1), Ok(2), Err(rejection())],
            vec![Ok(3), Err(rejection()), Ok(4)],
        ]);
        assert_eq!(rows[0].as_ref().unwrap(), &[1, 3]);
        assert!(rows[1].is_err() && rows[2].is_err());
    }
}
