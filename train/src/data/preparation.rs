//! Brings the shards that training reads to where `--cache` wants them.

use crate::data::local_copy::{CopyError, copy_shards};
use crate::data::run_data::{RunData, training_kinds};
use crate::process::console::Console;
use crate::process::mapping_fault::FaultWatch;
use crate::process::stop::StopRequest;
use crate::settings::{Cache, RunConfig};
use shared::dataset::DatasetError;
use std::io;
use std::path::PathBuf;

/// Shards that could not be brought there.
#[derive(Debug, thiserror::Error)]
pub enum PreparationError {
    /// They could not be copied.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// The copies are not the shards.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// They do not fit into memory.
    #[error("could not bring the shards of {} into memory: {source}; use --cache mapped", path.display())]
    Memory {
        path: PathBuf,
        /// What the operating system answered.
        r#source: io::Error,
    },
}

/// Copies the shards that training with `config` reads into memory or to a directory of this machine; of mapped ones that
/// fit, asks the system to read them ahead. Returns the directory of the copies, where they are in one. The sounds of
/// `--background` stay where they are.
pub fn prepare(
    data: &mut RunData,
    config: &RunConfig,
    watch: &FaultWatch,
    stop: StopRequest<'_>,
    console: Console,
) -> Result<Option<PathBuf>, PreparationError> {
    let kinds = training_kinds(config);
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
                // Advice only: without it the same bytes are read later.
                let _ = data.dataset.shard(kind, shard).will_need();
            }
        }
    }
    Ok(copies)
}
