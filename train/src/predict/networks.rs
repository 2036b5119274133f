//! Several networks that run on the same files.

use super::file_decoder::InputSetup;
use super::predictor::{ClipOutput, FileVector, NetworkPredictor};
use crate::combine::NetworkSource;
use crate::data::front_end_record::FrontEndRecord;
use crate::loader::EvalClips;
use crate::run::directory::RunDirectory;
use crate::settings::precision::Precision;
use burn::tensor::Device;
use shared::audio::validate::Rejection;
use shared::audio::watchdog::Patience;
use shared::dataset::Task;
use std::path::PathBuf;
use std::sync::Arc;

/// Files that each of several networks runs on before the next. Results appear after so many files.
const FILES_AT_ONCE: usize = 64;

/// Decodes `files` with `jobs` threads and passes the vectors of all networks to `each`, in the order of the files. A
/// file that cannot be decoded only fails its own result, but if more decoders than threads stall, the remaining files
/// are skipped. Each network decodes the files anew, because networks differ in sample rate and clips. `keep_clips` also
/// returns the vector of each clip.
pub fn file_vectors(
    networks: &[NetworkPredictor],
    files: &[PathBuf],
    jobs: usize,
    keep_clips: bool,
    mut each: impl FnMut(usize, Result<Vec<FileVector>, Rejection>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    if let [network] = networks {
        return network.predict(files, jobs, keep_clips, |file, vector| {
            each(file, vector.map(|vector| vec![vector]))
        });
    }
    for (number, files) in files.chunks(FILES_AT_ONCE).enumerate() {
        let mut all = Vec::new();
        for network in networks {
            let mut vectors = Vec::new();
            network.predict(files, jobs, keep_clips, |_, vector| {
                vectors.push(vector);
                Ok(())
            })?;
            all.push(vectors);
        }
        for (at, vectors) in transposed(all).into_iter().enumerate() {
            each(number * FILES_AT_ONCE + at, vectors)?;
        }
    }
    Ok(())
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
pub fn load(
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
