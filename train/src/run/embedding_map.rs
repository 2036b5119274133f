//! `embedding-map.json`: the tracks of an evaluated set on the first two principal components of their embeddings.

use crate::run::directory::{RunDirectory, RunError};
use serde::{Deserialize, Serialize};
use shared::dataset::split::Set;

/// The map of a set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmbeddingMap {
    /// Tracks of the set. If they are many, only some of them have coordinates.
    pub tracks: usize,
    /// Values of an embedding.
    pub dimension: usize,
    /// Fraction of the total variance along each component.
    pub explained_variance_ratio: [f64; 2],
    /// The tracks, in the order of `coordinates`.
    pub track_ids: Vec<u64>,
    pub coordinates: Vec<[f32; 2]>,
}

/// The file of a set. That of the test set has no suffix.
pub fn embedding_map_file(set: Set) -> &'static str {
    match set {
        Set::Train => "embedding-map-train.json",
        Set::Val => "embedding-map-val.json",
        Set::Test => "embedding-map.json",
    }
}

impl EmbeddingMap {
    /// Writes the file of a set, or removes it if there is no map.
    pub fn replace(map: Option<&Self>, run: &RunDirectory, set: Set) -> Result<(), RunError> {
        let file = embedding_map_file(set);
        let Some(map) = map else { return run.remove(file) };
        let mut json = serde_json::to_vec(map).expect("plain numbers always serialize");
        json.push(b'\n');
        run.write(file, &json)
    }

    /// Reads the file of a set; `None` if it does not exist.
    pub fn read(run: &RunDirectory, set: Set) -> Result<Option<Self>, RunError> {
        let file = embedding_map_file(set);
        let Some(bytes) = run.read(file)? else { return Ok(None) };
        let damaged = |detail: String| RunError::Damaged {
            path: run.path(file),
            detail,
        };
        let map: Self = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        if map.track_ids.len() != map.coordinates.len() {
            return Err(damaged("it does not have coordinates for each track".into()));
        }
        Ok(Some(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn map_is_read_back_replaced_and_removed() {
        let root = tempfile::tempdir().unwrap();
        let run = RunDirectory::begin(root.path()).unwrap();
        let map = EmbeddingMap {
            tracks: 5,
            dimension: 128,
            explained_variance_ratio: [0.5, 0.25],
            track_ids: vec![7, 9],
            coordinates: vec![[0.5, -1.0], [2.0, 0.0]],
        };
        let read = || EmbeddingMap::read(&run, Set::Val);
        assert_eq!(read().unwrap(), None);
        EmbeddingMap::replace(Some(&map), &run, Set::Val).unwrap();
        assert_eq!(read().unwrap().as_ref(), Some(&map));
        let file = embedding_map_file(Set::Val);
        let text = String::from_utf8(run.read(file).unwrap().unwrap()).unwrap();
        for (from, to) in [("[7,9]", "[7]"), ("-1.0", "null"), ("tracks", "rows"), ("128", "-1")] {
            assert!(text.contains(from), "{text}");
            run.write(file, text.replacen(from, to, 1).as_bytes()).unwrap();
            assert!(matches!(read(), Err(RunError::Damaged { .. })), "{to}");
        }
        EmbeddingMap::replace(None, &run, Set::Val).unwrap();
        assert_eq!(read().unwrap(), None);
    }
}
