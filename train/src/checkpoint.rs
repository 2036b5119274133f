//! Where a run stands, in one file that appears whole: weights, optimizer, and the number of the next step.
//!
//! The file is a safetensors container of three byte tensors: `progress` (JSON), `model` and `optimizer` (Burn's own
//! record format, which keeps the parameters' identities that the optimizer's state hangs on).

use crate::history::EpochRecord;
use crate::metrics::Tally;
use crate::models::Model;
use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::store::ModuleRecord;
use burn::tensor::Bytes;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The version of the container that this code writes and reads.
const FORMAT_VERSION: u32 = 2;

/// What a run knows besides weights and optimizer. Because batches are functions of their numbers, one number says
/// where the data stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    format_version: u32,
    /// Steps done since the run began; the next step's number.
    pub step: u64,
    /// What is known so far of the epoch under way.
    pub tally: Tally,
    /// Names of the parameters that were loaded when the run began.
    pub loaded: BTreeSet<String>,
    /// The epochs that are done.
    pub history: Vec<EpochRecord>,
}

impl Progress {
    /// A run that has not begun.
    pub fn new(tally: Tally, loaded: BTreeSet<String>) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            step: 0,
            tally,
            loaded,
            history: Vec::new(),
        }
    }

    /// The same run after `step` steps, with the tally of the epoch under way.
    pub fn at(&self, step: u64, tally: Tally) -> Self {
        Self {
            format_version: self.format_version,
            step,
            tally,
            loaded: self.loaded.clone(),
            history: self.history.clone(),
        }
    }
}

/// A checkpoint that cannot be made or used. The caller knows the file's name.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CheckpointError(String);

fn wrong(error: impl ToString) -> CheckpointError {
    CheckpointError(error.to_string())
}

/// The container's bytes.
pub fn to_bytes(progress: &Progress, model: &Model, optimizer: &ModuleOptimizer) -> Result<Vec<u8>, CheckpointError> {
    let progress = serde_json::to_vec(progress).map_err(wrong)?;
    // Batch norm keeps the last step's statistics aside until its next use; `valid` folds them in, a record would lose
    // them.
    let model = model.valid().into_record().into_bytes().map_err(wrong)?;
    let optimizer = optimizer.into_bytes().map_err(wrong)?;
    let parts: [(&str, &[u8]); 3] = [("progress", &progress), ("model", &model), ("optimizer", &optimizer)];
    let views =
        parts.map(|(name, bytes)| TensorView::new(Dtype::U8, vec![bytes.len()], bytes).map(|view| (name, view)));
    let views = views.into_iter().collect::<Result<Vec<_>, _>>().map_err(wrong)?;
    safetensors::serialize(views, None).map_err(wrong)
}

/// What the container holds, put into a model and an optimizer of the same make.
pub fn from_bytes(
    bytes: &[u8],
    model: Model,
    optimizer: ModuleOptimizer,
) -> Result<(Progress, Model, ModuleOptimizer), CheckpointError> {
    let file = SafeTensors::deserialize(bytes).map_err(wrong)?;
    let part = |name: &str| file.tensor(name).map(|view| view.data().to_vec()).map_err(wrong);
    let progress: Progress = serde_json::from_slice(&part("progress")?).map_err(wrong)?;
    if progress.format_version != FORMAT_VERSION {
        let found = progress.format_version;
        return Err(wrong(format!(
            "it has version {found} and this program reads {FORMAT_VERSION}"
        )));
    }
    let record = ModuleRecord::from_bytes(Bytes::from_bytes_vec(part("model")?)).map_err(wrong)?;
    let optimizer = optimizer
        .from_bytes(Bytes::from_bytes_vec(part("optimizer")?))
        .map_err(wrong)?;
    let model = model.try_load_record(record).map_err(wrong)?;
    Ok((progress, model, optimizer))
}
