//! The checkpoint of a run: weights, optimizer state and progress in one file.
//!
//! The file is a safetensors container of byte tensors: `progress` (JSON), `model`, `average` and `optimizer` (Burn's
//! own record format, because the optimizer's state refers to Burn's parameter ids), and `checksum`, the BLAKE3 hash of the
//! four. `average` is empty if no weights were averaged.

use crate::loader::PrefetchReport;
use crate::metrics::Tally;
use crate::models::Model;
use crate::run::history::EpochRecord;
use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::store::ModuleRecord;
use burn::tensor::Bytes;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};
use shared::runtime::guard;
use std::collections::BTreeSet;
use std::time::Duration;

/// The version of the file format.
const FORMAT_VERSION: u32 = 1;

/// The state of a run without weights and optimizer. A batch depends only on its number, so the step number is enough
/// to continue with the right data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    format_version: u32,
    /// Steps done since the run began, which is the number of the next step.
    pub step: u64,
    /// The training metrics of the current epoch so far.
    pub tally: Tally,
    /// Time and clips of the current epoch so far.
    pub spent: Spent,
    /// Names of the parameters that were loaded when the run began.
    pub loaded: BTreeSet<String>,
    /// The finished epochs.
    pub history: Vec<EpochRecord>,
}

/// Time and clips of an epoch's training, summed over all processes that trained it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spent {
    /// Wall-clock seconds.
    pub seconds: f64,
    /// Seconds of these spent waiting for batches.
    pub waited: f64,
    /// Number of training clips.
    pub clips: usize,
}

impl Spent {
    /// Adds `elapsed` and the waiting time and clips of `report`.
    pub fn and(self, elapsed: Duration, report: &PrefetchReport) -> Self {
        Self {
            seconds: self.seconds + elapsed.as_secs_f64(),
            waited: self.waited + report.waited.as_secs_f64(),
            clips: self.clips + report.clips,
        }
    }
}

impl Progress {
    /// The progress of a new run.
    pub fn new(tally: Tally, loaded: BTreeSet<String>) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            step: 0,
            tally,
            spent: Spent::default(),
            loaded,
            history: Vec::new(),
        }
    }

    /// The same run after `step` steps, with the metrics, time and clips of the current epoch.
    pub fn at(&self, step: u64, tally: Tally, spent: Spent) -> Self {
        Self {
            format_version: self.format_version,
            step,
            tally,
            spent,
            loaded: self.loaded.clone(),
            history: self.history.clone(),
        }
    }
}

/// A checkpoint that cannot be written or read. The caller adds the file's name.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CheckpointError(String);

fn wrong(error: impl ToString) -> CheckpointError {
    CheckpointError(error.to_string())
}

/// The bytes of a checkpoint file. `average` has the averaged weights.
pub fn to_bytes(
    progress: &Progress,
    model: &Model,
    average: Option<&Model>,
    optimizer: &ModuleOptimizer,
) -> Result<Vec<u8>, CheckpointError> {
    let progress = serde_json::to_vec(progress).map_err(wrong)?;
    // Burn's batch norm merges the statistics of the last step only at its next use. A record would lose them, so
    // `valid` merges them first.
    let record = |model: &Model| model.valid().into_record().into_bytes().map_err(wrong);
    let (model, average) = (record(model)?, average.map(record).transpose()?);
    let optimizer = optimizer.into_bytes().map_err(wrong)?;
    to_container([&progress, &model, average.as_deref().unwrap_or_default(), &optimizer])
}

/// The tensors without the checksum, in the order in which they are hashed.
const PARTS: [&str; 4] = ["progress", "model", "average", "optimizer"];
const CHECKSUM: &str = "checksum";

fn to_container(parts: [&[u8]; 4]) -> Result<Vec<u8>, CheckpointError> {
    let checksum = checksum(parts);
    let parts = PARTS
        .into_iter()
        .zip(parts)
        .chain([(CHECKSUM, checksum.as_bytes().as_slice())]);
    let views =
        parts.map(|(name, bytes)| TensorView::new(Dtype::U8, vec![bytes.len()], bytes).map(|view| (name, view)));
    let views = views.collect::<Result<Vec<_>, _>>().map_err(wrong)?;
    safetensors::serialize(views, None).map_err(wrong)
}

fn checksum(parts: [&[u8]; 4]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize()
}

/// Reads a checkpoint into a model and an optimizer with the same architecture and settings. The third value has the
/// averaged weights.
pub fn from_bytes(
    bytes: &[u8],
    model: Model,
    optimizer: ModuleOptimizer,
) -> Result<(Progress, Model, Option<Model>, ModuleOptimizer), CheckpointError> {
    let file = SafeTensors::deserialize(bytes).map_err(wrong)?;
    let part = |name: &str| file.tensor(name).map(|view| view.data()).map_err(wrong);
    let [progress, model_bytes, average_bytes, optimizer_bytes] =
        [part(PARTS[0])?, part(PARTS[1])?, part(PARTS[2])?, part(PARTS[3])?];
    if part(CHECKSUM)? != checksum([progress, model_bytes, average_bytes, optimizer_bytes]).as_bytes() {
        return Err(wrong("it is damaged: its content does not match its checksum"));
    }
    let progress: Progress = serde_json::from_slice(progress).map_err(wrong)?;
    if progress.format_version != FORMAT_VERSION {
        let found = progress.format_version;
        return Err(wrong(format!(
            "it has version {found} and this program reads {FORMAT_VERSION}"
        )));
    }
    // Burn's readers may panic on a manipulated file.
    let (model, average, optimizer) = guard::catch(|| {
        let load = |model: Model, bytes: &[u8]| {
            let record = ModuleRecord::from_bytes(Bytes::from_bytes_vec(bytes.to_vec())).map_err(wrong)?;
            model.try_load_record(record).map_err(wrong)
        };
        let bytes = Bytes::from_bytes_vec(optimizer_bytes.to_vec());
        let optimizer = optimizer.from_bytes(bytes).map_err(wrong)?;
        let model = load(model, model_bytes)?;
        // Clones of a model share its running statistics. `valid` copies them.
        let average = (!average_bytes.is_empty()).then(|| load(model.valid(), average_bytes));
        Ok((model, average.transpose()?, optimizer))
    })
    .map_err(|panic| wrong(format!("its reader failed: {panic}")))??;
    Ok((progress, model, average, optimizer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{ModelKind, export_weights, testing};
    use crate::step::optimization::adam;
    use crate::testing::fault_rounds;
    use burn::optim::GradientsParams;
    use burn::tensor::Device;
    use proptest::prelude::*;
    use shared::dataset::Task;
    use std::sync::LazyLock;

    fn untrained() -> (Model, ModuleOptimizer) {
        (
            testing::model(ModelKind::MfccDense, 8, &Device::flex().autodiff()),
            adam(0.0),
        )
    }

    /// The tensors of a checkpoint after one step, because the optimizer has no state before.
    fn parts() -> &'static [Vec<u8>; 4] {
        static GOOD: LazyLock<[Vec<u8>; 4]> = LazyLock::new(|| {
            let (model, mut optimizer) = untrained();
            let input = testing::input(
                2,
                &ModelKind::MfccDense.description().usual_shape,
                &Device::flex().autodiff(),
            );
            let gradients = GradientsParams::from_grads(model.forward(input).mean().backward(), &model);
            let model = optimizer.step(0.1, model, gradients);
            let progress = Progress::new(Tally::new(Task::SingleLabel, 8), BTreeSet::new()).at(
                1,
                Tally::new(Task::SingleLabel, 8),
                Spent::default(),
            );
            let bytes = to_bytes(&progress, &model, Some(&untrained().0), &optimizer).unwrap();
            let file = SafeTensors::deserialize(&bytes).unwrap();
            PARTS.map(|name| file.tensor(name).unwrap().data().to_vec())
        });
        &GOOD
    }

    fn container(parts: &[Vec<u8>; 4]) -> Vec<u8> {
        to_container(parts.each_ref().map(Vec::as_slice)).unwrap()
    }

    fn read(bytes: &[u8]) -> Result<Progress, CheckpointError> {
        let (model, optimizer) = untrained();
        from_bytes(bytes, model, optimizer).map(|(progress, ..)| progress)
    }

    #[test]
    fn plain_and_averaged_weights_are_read_back() {
        let device = Device::flex().autodiff();
        let [plain, average] = [(); 2].map(|()| testing::model(ModelKind::Cnn1d, 8, &device));
        let weights = |model: &Model| export_weights(model).unwrap();
        assert_ne!(weights(&plain), weights(&average));
        let progress = Progress::new(Tally::new(Task::SingleLabel, 8), BTreeSet::new());
        for average in [Some(&average), None] {
            let bytes = to_bytes(&progress, &plain, average, &adam(0.0)).unwrap();
            let new = testing::model(ModelKind::Cnn1d, 8, &device);
            let (_, read, read_average, _) = from_bytes(&bytes, new, adam(0.0)).unwrap();
            assert_eq!(weights(&read), weights(&plain));
            assert_eq!(read_average.as_ref().map(weights), average.map(weights));
        }
    }

    #[test]
    fn checkpoint_is_read_back_and_refused_without_a_checksum() {
        let bytes = container(parts());
        assert_eq!(read(&bytes).unwrap().step, 1);
        let at = bytes.windows(8).position(|window| window == b"checksum").unwrap();
        let mut renamed = bytes.clone();
        renamed[at] ^= 1;
        assert!(read(&renamed).unwrap_err().to_string().contains("checksum"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(fault_rounds(64)))]

        #[test]
        fn flipped_bit_is_detected(at in any::<prop::sample::Index>(), bit in 0..8) {
            let mut bytes = container(parts());
            let at = at.index(bytes.len());
            bytes[at] ^= 1u8 << bit;
            // A flip in the JSON header may change only white space. Then the checkpoint is read unchanged.
            if let Ok(progress) = read(&bytes) {
                prop_assert_eq!(progress.step, 1);
                prop_assert!(at < 600, "byte {}", at);
            }
        }

        #[test]
        fn damaged_content_with_a_valid_checksum_never_panics(
            part in 0..PARTS.len(), places in prop::collection::vec((0..4000usize, any::<u8>()), 1..5), cut in prop::option::weighted(0.2, 0..4000usize)
        ) {
            let mut parts = parts().clone();
            let bytes = &mut parts[part];
            let length = bytes.len();
            places.into_iter().for_each(|(at, value)| bytes[at % length] = value);
            bytes.truncate(cut.map_or(length, |cut| cut % length));
            let _ = read(&container(&parts));
        }

        #[test]
        fn arbitrary_bytes_are_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(read(&bytes).is_err());
        }
    }
}
