//! Exports a model's weights to this project's safetensors files.

use crate::models::Model;
use burn::store::SafetensorsStore;

/// The weights as a safetensors file, with names as they are and without metadata. The same weights give the same
/// bytes.
pub fn export_weights(model: &Model) -> Result<Vec<u8>, String> {
    let mut store = SafetensorsStore::from_bytes(None).clear_metadata();
    model.save_into(&mut store).map_err(|error| error.to_string())?;
    store.get_bytes().map_err(|error| error.to_string())
}
