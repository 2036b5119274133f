//! Loads or copies the shards that training reads, according to `--cache`.

use crate::data::local_copy::{CopyError, copy_shards};
use crate::data::run_data::{RunData, training_kinds};
use crate::process::console::Console;
use crate::process::mapping_fault::FaultWatch;
use crate::process::stop::StopRequest;
use crate::settings::{Cache, RunConfig};
use shared::dataset::DatasetError;
use std::io;
use std::path::PathBuf;

/// Shards that could not be loaded or copied.
#[derive(Debug, thiserror::Error)]
pub enum PreparationError {
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// The copies differ from the shards.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    #[error("could not load the shards of {} into memory: {source}; use --cache mapped", path.display())]
    Memory {
        path: PathBuf,
        /// The error of the operating system.
        r#source: io::Error,
    },
}

/// Prepares the shards that training with `config` reads: loads them into memory, copies them to a local directory, or
/// asks the operating system to read mapped ones ahead if they fit into memory. Returns the directory of local copies.
/// The sounds of `--background` are not copied.
pub fn prepare(
    data: &mut RunData,
    config: &RunConfig,
    watch: &FaultWatch,
    stop: StopRequest<'_>,
    console: Console,
) -> Result<Option<PathBuf>, PreparationError> {
    let kinds = training_kinds(config, &data.features);
    let mut copies = None;
    match &config.cache {
        Cache::Ram => {
            let loaded = kinds.iter().try_for_each(|&kind| data.dataset.load(kind));
            loaded.map_err(|source| PreparationError::Memory {
                path: config.data.clone(),
                source,
            })?;
        }
        Cache::Local(cache) => {
            let directory = copy_shards(&data.dataset, &kinds, cache, stop, console)?.directory;
            for &kind in &kinds {
                watch.copies(data.dataset.root(), kind, &directory);
                data.dataset.relocate(kind, &directory)?;
            }
            copies = Some(directory);
        }
        Cache::Mapped => {}
    }
    if config.cache != Cache::Ram && config.shuffle_window == 0 {
        for &kind in &kinds {
            for shard in 0..data.dataset.index().shards.len() {
                // Only a hint, so an error does not matter.
                let _ = data.dataset.shard(kind, shard).will_need();
            }
        }
    }
    Ok(copies)
}
