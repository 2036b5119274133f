//! Computes embeddings of audio files with the networks of runs.

use super::file_embeddings::{FileEmbeddings, NetworkRecord};
use super::networks::{file_vectors, load};
use super::predictor::NetworkPredictor;
use crate::combine::RunModel;
use burn::tensor::Device;
use shared::audio::validate::Rejection;
use std::path::PathBuf;

/// The networks of one or several runs.
#[derive(Debug)]
pub struct FileEmbedder {
    networks: Vec<NetworkPredictor>,
    /// BLAKE3 of the file that each network was loaded from.
    checksums: Vec<String>,
}

impl FileEmbedder {
    /// Loads all networks of the runs, also those of combined runs.
    ///
    /// # Errors
    /// If a file of a run is missing or damaged.
    pub fn load(models: &[RunModel], device: &Device) -> anyhow::Result<Self> {
        let (mut networks, mut checksums) = (Vec::new(), Vec::new());
        for source in models.iter().flat_map(RunModel::networks) {
            networks.push(load(source, None, device, true)?.0);
            checksums.push(source.checksum()?);
        }
        Ok(Self { networks, checksums })
    }

    /// Decodes `files` with `jobs` threads and adds their embeddings to a table: the mean over a file's clips of each
    /// network. `each` gets the result of each file, in order. A file that cannot be decoded is not in the table.
    pub fn embed(
        &self,
        files: &[PathBuf],
        jobs: usize,
        mut each: impl FnMut(usize, Result<(), Rejection>),
    ) -> anyhow::Result<FileEmbeddings> {
        let mut table = FileEmbeddings::default();
        file_vectors(&self.networks, files, jobs, false, |file, vectors| {
            let added = vectors.and_then(|vectors| {
                let networks = self
                    .checksums
                    .iter()
                    .zip(&vectors)
                    .map(|(checksum, vector)| NetworkRecord {
                        blake3: checksum.clone(),
                        dimension: vector.values.len(),
                    });
                let values = vectors.iter().flat_map(|vector| &vector.values);
                let embedding: Vec<f32> = values.map(|&value| value as f32).collect();
                if embedding.iter().any(|value| !value.is_finite()) {
                    return Err(Rejection::IoError {
                        message: "its embedding has values that are not finite".into(),
                    });
                }
                table.networks = networks.collect();
                table.paths.push(files[file].to_string_lossy().into_owned());
                table.values.extend(embedding);
                Ok(())
            });
            each(file, added);
            Ok(())
        })?;
        Ok(table)
    }
}
