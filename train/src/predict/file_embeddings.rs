//! Embeddings of audio files as a safetensors file. Its content is checked when it is read, because the file may come
//! from anywhere.

use bytemuck::{cast_slice, pod_collect_to_vec};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError, SafeTensors};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

const TENSOR: &str = "embeddings";
/// The key of the metadata. A second key would make the order of the bytes random.
const METADATA: &str = "files";

/// A row per file: the embeddings of all networks, one after the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FileEmbeddings {
    pub networks: Vec<NetworkRecord>,
    pub paths: Vec<String>,
    /// `[paths, dimension]`, row by row.
    pub values: Vec<f32>,
}

/// A network, as it is recorded in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkRecord {
    /// The checksum of the weights.
    pub blake3: String,
    /// Values per embedding.
    pub dimension: usize,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    paths: Vec<String>,
    networks: Vec<NetworkRecord>,
}

impl FileEmbeddings {
    /// Values per row.
    pub fn dimension(&self) -> usize {
        self.networks
            .iter()
            .fold(0, |sum, network| sum.saturating_add(network.dimension))
    }

    pub fn row(&self, file: usize) -> &[f32] {
        &self.values[file * self.dimension()..][..self.dimension()]
    }

    /// The tensor `embeddings` `[n, dimension]` F32. The metadata has a JSON object with the `paths` and the `networks`.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, SafeTensorError> {
        let metadata = Metadata {
            paths: self.paths.clone(),
            networks: self.networks.clone(),
        };
        let json = serde_json::to_string(&metadata).map_err(|error| SafeTensorError::IoError(error.into()))?;
        let shape = vec![self.paths.len(), self.dimension()];
        let view = TensorView::new(Dtype::F32, shape, cast_slice(&self.values))?;
        safetensors::serialize([(TENSOR, view)], Some(HashMap::from([(METADATA.to_owned(), json)])))
    }

    /// # Errors
    /// With the reason if the bytes are anything else.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self, String> {
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
        let metadata = header.metadata().as_ref().and_then(|metadata| metadata.get(METADATA));
        let metadata = metadata.ok_or("it does not have the names of audio files")?;
        let Metadata { paths, networks } =
            serde_json::from_str(metadata).map_err(|error| format!("its metadata is damaged: {error}"))?;
        let tensors = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
        let tensor = tensors.tensor(TENSOR).map_err(|error| error.to_string())?;
        let table = Self {
            values: Vec::new(),
            networks,
            paths,
        };
        let shape = [table.paths.len(), table.dimension()];
        if tensor.dtype() != Dtype::F32 || tensor.shape() != shape || shape.contains(&0) {
            return Err(format!(
                "its tensor `{TENSOR}` is {:?} {:?} instead of F32 {shape:?}",
                tensor.dtype(),
                tensor.shape()
            ));
        }
        let values: Vec<f32> = pod_collect_to_vec(tensor.data());
        match values.iter().position(|value| !value.is_finite()) {
            Some(at) => Err(format!("the embedding of {} is not finite", table.paths[at / shape[1]])),
            None => Ok(Self { values, ..table }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> FileEmbeddings {
        let network = |dimension| NetworkRecord {
            blake3: "ab".into(),
            dimension,
        };
        FileEmbeddings {
            networks: vec![network(2), network(1)],
            paths: vec!["a.mp3".into(), "b \"c\".mp3".into()],
            values: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        }
    }

    #[test]
    fn written_embeddings_are_read_again() {
        let bytes = table().to_safetensors().unwrap();
        let read = FileEmbeddings::from_safetensors(&bytes).unwrap();
        assert_eq!(read, table());
        assert_eq!((read.dimension(), read.row(1)), (3, &[4.0, 5.0, 6.0][..]));
    }

    #[test]
    fn other_and_damaged_files_are_refused_with_a_reason() {
        let refused = |bytes: &[u8]| FileEmbeddings::from_safetensors(bytes).unwrap_err();
        let change = |change: fn(&mut FileEmbeddings)| {
            let mut changed = table();
            change(&mut changed);
            changed.to_safetensors()
        };
        let not_finite = change(|table| table.values[4] = f32::NAN).unwrap();
        assert_eq!(refused(&not_finite), "the embedding of b \"c\".mp3 is not finite");
        let empty = FileEmbeddings::default().to_safetensors().unwrap();
        assert!(refused(&empty).contains("[0, 0] instead of F32 [0, 0]"));
        let bytes = table().to_safetensors().unwrap();
        let text = |from: &str, to: &str| {
            let at = bytes
                .windows(from.len())
                .position(|bytes| bytes == from.as_bytes())
                .unwrap();
            [&bytes[..at], to.as_bytes(), &bytes[at + from.len()..]].concat()
        };
        assert!(refused(&text("\\\"dimension\\\":2", "\\\"dimension\\\":3")).contains("[2, 3] instead of F32 [2, 4]"));
        assert!(refused(&text("\\\"paths\\\"", "\\\"pathz\\\"")).contains("its metadata is damaged"));
        assert!(refused(&text("\"files\"", "\"filez\"")).contains("does not have the names of audio files"));
        assert!(!refused(&bytes[..bytes.len() - 1]).is_empty() && !refused(b"").is_empty());
    }
}
