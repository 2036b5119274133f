//! `train embed` of audio files.

use super::{Incomplete, Outcome};
use crate::cli::EmbedArgs;
use crate::combine::RunModel;
use crate::predict::{FileEmbedder, FileEmbeddings, Named, expand};
use crate::process::console::Console;
use crate::run::directory::BEST_FILE;
use crate::settings::cores;
use crate::settings::device::DeviceChoice;
use anyhow::{Context, bail};
use serde_json::json;
use shared::audio::validate::Rejection;
use shared::runtime::atomic_file;
use shared::runtime::output_file::check_new;
use shared::runtime::text::{counted, shown};
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// Writes the embeddings of audio files. A file that cannot be decoded is reported and skipped.
pub(super) fn embed_files(args: &EmbedArgs, choice: &DeviceChoice, console: Console) -> anyhow::Result<Outcome> {
    let models = RunModel::read_all(&args.runs)?;
    let named = expand(&args.files);
    let weights = models.iter().flat_map(RunModel::networks);
    let mut inputs: Vec<PathBuf> = weights.map(|network| network.root.join(BEST_FILE)).collect();
    inputs.extend(named.iter().map(|(path, _)| path.clone()));
    let out = args.out.as_ref().expect("audio files need --out");
    check_new("--out", out, &inputs, args.force)?;
    let (device, device_name) = choice.open()?;
    let embedder = FileEmbedder::load(&models, &device)?;
    console.line(&begun(&models, named.len(), &device_name));
    let (table, failed) = embed(&embedder, named, args.jobs, console)?;
    warn(&failed);
    if table.paths.is_empty() {
        bail!("none of the files could be decoded, so {} is not written", shown(out));
    }
    let bytes = table
        .to_safetensors()
        .context("the embeddings cannot be written as safetensors")?;
    atomic_file::write_bytes(out, &bytes)?;
    let (count, dimension) = (table.paths.len(), table.dimension());
    let reasons: Vec<_> = failed
        .iter()
        .map(|(path, rejection)| {
            json!({ "path": path.to_string_lossy(), "reason": rejection.code(), "detail": rejection.to_string() })
        })
        .collect();
    let outcome = Outcome {
        text: format!(
            "{} of {dimension} embeddings: {}",
            counted(count, "row", "rows"),
            shown(out)
        ),
        json: json!({ "command": "embed", "out": out, "rows": count, "dimension": dimension, "failed": reasons }),
    };
    if failed.is_empty() {
        return Ok(outcome);
    }
    let sentence = Some(format!(
        "{} of {} files could not be decoded",
        failed.len(),
        count + failed.len()
    ));
    Err(Incomplete { outcome, sentence }.into())
}

/// `crnn on cpu, 12 files`.
pub(super) fn begun(models: &[RunModel], files: usize, device: &str) -> String {
    let names: Vec<String> = models.iter().map(|model| model.config.model_name()).collect();
    format!("{} on {device}, {}", names.join(", "), counted(files, "file", "files"))
}

/// Reports files that could not be decoded.
pub(super) fn warn(failed: &[(PathBuf, Rejection)]) {
    for (path, rejection) in failed {
        tracing::warn!("{}: {rejection}", shown(path));
    }
}

/// The embeddings of files, and those that could not be decoded.
pub(super) fn embed(
    embedder: &FileEmbedder,
    named: Vec<Named>,
    jobs: Option<NonZeroUsize>,
    console: Console,
) -> anyhow::Result<(FileEmbeddings, Vec<(PathBuf, Rejection)>)> {
    let (mut files, mut failed) = (Vec::new(), Vec::new());
    for (path, problem) in named {
        match problem {
            None => files.push(path),
            Some(problem) => failed.push((path, problem)),
        }
    }
    let bar = console.count("files", files.len());
    let jobs = jobs.map_or_else(cores, NonZeroUsize::get);
    let table = embedder.embed(&files, jobs, |file, embedded| {
        if let Err(rejection) = embedded {
            failed.push((files[file].clone(), rejection));
        }
        bar.inc(1);
    });
    bar.finish_and_clear();
    Ok((table?, failed))
}
