//! A network of a run, and the same network on a data set.

use crate::data::front_end_record::FRONT_END_FILE;
use crate::data::run_data::RunData;
use crate::evaluation::embeddings::{EmbeddingTable, extract};
use crate::evaluation::evaluate::{Evaluation, evaluate_logits, infer};
use crate::evaluation::track_sample::TrackSample;
use crate::loader::Prefetch;
use crate::models::{Blueprint, ImportError, InputShape, Model, ModelInput, import_weights};
use crate::run::directory::{BEST_FILE, RunDirectory, RunError};
use crate::run::embedding_map::EmbeddingMap;
use crate::settings::RunConfig;
use crate::step::batch::DeviceFailure;
use crate::step::compute::Compute;
use burn::tensor::{Device, Tensor};
use shared::dataset::split::Set;
use std::path::{Path, PathBuf};

/// Where a network and its settings are.
#[derive(Clone, Debug)]
pub struct NetworkSource {
    /// The directory of its run.
    pub root: PathBuf,
    pub config: RunConfig,
    /// Whether the embeddings are the model's input, statistics of tracks. There are no weights then.
    pub is_statistics: bool,
    /// By which logits are divided before probabilities are computed.
    pub temperature: f64,
}

impl NetworkSource {
    /// Without a temperature.
    pub fn of_run(root: &Path, config: RunConfig) -> Self {
        Self {
            root: root.to_owned(),
            config,
            is_statistics: false,
            temperature: 1.0,
        }
    }

    /// A checksum of what embeddings depend on: the weights if there are any, the front end, and the clips of a track.
    pub fn checksum(&self) -> Result<String, RunError> {
        let run = RunDirectory::open(&self.root)?.0;
        let weights = if self.is_statistics {
            ""
        } else {
            &run.blake3(BEST_FILE)?
        };
        let front_end = run.blake3(FRONT_END_FILE)?;
        let clips = self.config.eval_clips;
        let all = format!("{weights} {front_end} {clips}");
        Ok(blake3::hash(all.as_bytes()).to_string())
    }

    /// Loads the best weights; `None` for statistics.
    pub fn load(&self, shape: InputShape, device: &Device) -> Result<Option<Model>, ImportError> {
        let load = || load_network(&self.config, shape, device, &self.root.join(BEST_FILE));
        (!self.is_statistics).then(load).transpose()
    }
}

/// The network of `config` with the weights in `path`.
pub fn load_network(config: &RunConfig, shape: InputShape, device: &Device, path: &Path) -> Result<Model, ImportError> {
    let blueprint = Blueprint {
        shape,
        classes: config.classes.len(),
        dropout: config.dropout,
    };
    Ok(import_weights(config.model.init(&blueprint, device), path)?.0)
}

/// A network with the tracks of a data set as its input.
#[derive(Debug)]
pub struct NetworkOnData {
    pub config: RunConfig,
    pub data: RunData,
    compute: Compute,
    /// `None`: the embeddings are the model's input, statistics of tracks.
    pub network: Option<Model>,
    /// By which logits are divided before probabilities are computed.
    pub temperature: f64,
}

impl NetworkOnData {
    /// `load` returns the network for an input shape and a device.
    pub fn new(
        config: RunConfig,
        data: RunData,
        device: Device,
        load: impl FnOnce(&RunConfig, &RunData, &Device) -> anyhow::Result<Option<Model>>,
    ) -> anyhow::Result<Self> {
        let compute = Compute::new(&config, &data, vec![device])?;
        let network = load(&config, &data, &compute.device)?;
        Ok(Self {
            config,
            data,
            compute,
            network,
            temperature: 1.0,
        })
    }

    fn prefetch(&self) -> Prefetch {
        Prefetch::new(self.config.loader_threads, self.config.prefetch)
    }

    /// Predicts the tracks of a set.
    ///
    /// # Panics
    /// Panics if there is no network.
    pub fn evaluate(&self, set: Set) -> anyhow::Result<Evaluation> {
        let (logits, map) = self.logits(set)?;
        let evaluation = evaluate_logits(&self.data, &logits, self.temperature);
        Ok(Evaluation { map, ..evaluation })
    }

    fn model(&self) -> &Model {
        let model = self.network.as_ref();
        model.expect("only embeddings of statistics have no network")
    }

    /// The embeddings of all clips of a set.
    pub fn embeddings(&self, set: Set) -> anyhow::Result<EmbeddingTable> {
        let forward = |input: ModelInput| match &self.network {
            Some(network) => network.embed(input),
            None => input.statistics(),
        };
        let clips = self.data.clips(set)?;
        let (batch_size, mut prefetch) = (self.config.batch_size, self.prefetch());
        Ok(extract(
            forward,
            &self.data,
            &clips,
            batch_size,
            &mut prefetch,
            &self.compute,
        )?)
    }

    /// The logits of all clips of a set, not divided by the temperature, and the map of the embeddings.
    ///
    /// # Panics
    /// Panics if there is no network.
    pub fn logits(&self, set: Set) -> anyhow::Result<(EmbeddingTable, Option<EmbeddingMap>)> {
        let clips = self.data.clips(set)?;
        let (mut table, mut sample) = (EmbeddingTable::default(), TrackSample::new(&clips));
        let outputs = self.data.dataset.classes().len();
        let forward = |input| {
            let embeddings = self.model().embed(input);
            Tensor::cat(vec![self.model().classify(embeddings.clone()), embeddings], 1)
        };
        let (batch_size, mut prefetch) = (self.config.batch_size, self.prefetch());
        infer::<DeviceFailure>(
            &self.data,
            &clips,
            batch_size,
            &mut prefetch,
            &self.compute,
            forward,
            |batch, rows| {
                let width = rows.len() / batch.excerpts.len();
                for (&clip, row) in batch.excerpts.iter().zip(rows.chunks_exact(width)) {
                    let (logits, embedding) = row.split_at(outputs);
                    table.clips.push(clips[clip]);
                    table.values.extend_from_slice(logits);
                    sample.add(clips[clip].position, embedding);
                }
                Ok(())
            },
        )?;
        Ok((table, sample.map(&self.data.dataset)))
    }
}
