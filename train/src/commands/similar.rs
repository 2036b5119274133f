//! `train similar`.

use super::embed_files::{begun, embed, warn};
use super::{Incomplete, Outcome, UsageError};
use crate::cli::SimilarArgs;
use crate::combine::RunModel;
use crate::predict::{FileEmbedder, FileEmbeddings, Named, expand, nearest};
use crate::process::console::Console;
use crate::settings::device::DeviceChoice;
use anyhow::{Context, bail};
use serde_json::json;
use shared::runtime::atomic_file;
use shared::runtime::file_error::FileError;
use shared::runtime::output_file::{check_distinct, check_new, is_same_file};
use shared::runtime::text::shown;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// A file of the list.
struct Found {
    path: PathBuf,
    similarity: f64,
}

/// Lists the files of a library that are most similar to songs. A file of the library that cannot be decoded is reported
/// and skipped.
pub fn run_similar(args: &SimilarArgs, console: Console) -> anyhow::Result<Outcome> {
    let choice: DeviceChoice = args.device.parse().map_err(UsageError::Device)?;
    let models = RunModel::read_all(&args.runs)?;
    let library = Library::open(args)?;
    let mut inputs = args.songs.clone();
    match &library {
        Library::Files(named) => inputs.extend(named.iter().map(|(path, _)| path.clone())),
        Library::Embeddings(_) => inputs.push(args.library.clone()),
    }
    let written = [("--csv", &args.csv), ("--playlist", &args.playlist)];
    for (flag, path) in written.iter().filter_map(|(flag, path)| Some((flag, path.as_ref()?))) {
        check_new(flag, path, &inputs, args.force)?;
    }
    check_distinct(&written.map(|(flag, path)| (flag, path.as_deref())))?;
    let (device, device_name) = choice.open()?;
    let embedder = FileEmbedder::load(&models, &device)?;
    let songs = args.songs.iter().map(|song| (song.clone(), None)).collect();
    // The table has names as text, which is not every path.
    let paths: Vec<PathBuf> = match &library {
        Library::Files(named) => named.iter().map(|(path, _)| path.clone()).collect(),
        Library::Embeddings(_) => Vec::new(),
    };
    let (songs, failed) = embed(&embedder, songs, args.jobs, console)?;
    if let Some((path, rejection)) = failed.into_iter().next() {
        bail!("{} cannot be compared: {rejection}", shown(&path));
    }
    let (library, failed) = match library {
        Library::Embeddings(table) => (table, Vec::new()),
        Library::Files(named) => {
            console.line(&begun(&models, named.len(), &device_name));
            let (table, failed) = embed(&embedder, named, args.jobs, console)?;
            warn(&failed);
            (table, failed)
        }
    };
    if library.paths.is_empty() {
        bail!(
            "no file of {} could be decoded; give another library",
            shown(&args.library)
        );
    }
    if library.networks != songs.networks {
        bail!(
            "{} does not have embeddings of {}; make it again with `train embed`, or give the run that it was made with",
            shown(&args.library),
            joined(&args.runs)
        );
    }
    let found: Vec<Found> = nearest(&library, &songs)
        .into_iter()
        .map(|neighbor| Found {
            path: library_path(&paths, &library.paths[neighbor.file]),
            similarity: neighbor.similarity,
        })
        .filter(|found| !args.songs.iter().any(|song| is_same_file(song, &found.path)))
        .take(args.top.get())
        .collect();
    if found.is_empty() {
        bail!(
            "{} has no files except the songs; give another library",
            shown(&args.library)
        );
    }
    let mut text = table(&found);
    let mut problems = Vec::new();
    let mut note = |kind: &str, path: &Path, result: anyhow::Result<()>| match result {
        Ok(()) => text += &format!("\n{kind} {}", shown(path)),
        Err(error) => problems.push(format!("{error:#}")),
    };
    if let Some(path) = &args.csv {
        let result = atomic_file::write(path, |file| write_csv(&found, file));
        note("table", path, result.map_err(Into::into));
    }
    if let Some(path) = &args.playlist {
        note("playlist", path, write_playlist(&found, path));
    }
    let files: Vec<_> = found
        .iter()
        .enumerate()
        .map(|(at, found)| {
            json!({ "rank": at + 1, "similarity": found.similarity, "path": found.path.to_string_lossy() })
        })
        .collect();
    let json = json!({ "command": "similar", "runs": args.runs, "device": device_name, "songs": args.songs,
                       "library": args.library, "failed": failed.len(), "csv": args.csv, "playlist": args.playlist,
                       "files": files });
    let outcome = Outcome { text, json };
    if problems.is_empty() {
        return Ok(outcome);
    }
    let sentence = Some(problems.join("; "));
    Err(Incomplete { outcome, sentence }.into())
}

/// The path of a library's file.
fn library_path(paths: &[PathBuf], name: &str) -> PathBuf {
    let known = paths.iter().find(|path| path.to_string_lossy() == name);
    known.cloned().unwrap_or_else(|| name.into())
}

enum Library {
    /// Without the songs.
    Files(Vec<Named>),
    Embeddings(FileEmbeddings),
}

impl Library {
    fn open(args: &SimilarArgs) -> anyhow::Result<Self> {
        let path = &args.library;
        if path.is_dir() {
            let mut named = expand(std::slice::from_ref(path));
            named.retain(|(path, _)| !args.songs.iter().any(|song| is_same_file(song, path)));
            if named.is_empty() {
                bail!("{} has no files except the songs; give another library", shown(path));
            }
            return Ok(Self::Files(named));
        }
        let bytes = fs::read(path).map_err(FileError::at(path))?;
        match FileEmbeddings::from_safetensors(&bytes) {
            Ok(table) => Ok(Self::Embeddings(table)),
            Err(reason) => bail!(
                "{} is not a library: {reason}; give a directory, or a file that `train embed` made of audio files",
                shown(path)
            ),
        }
    }
}

fn joined(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| shown(path)).collect::<Vec<_>>().join(", ")
}

fn table(found: &[Found]) -> String {
    let mut table = String::from("rank  similarity  file");
    for (at, Found { path, similarity }) in found.iter().enumerate() {
        let _ = write!(table, "\n{:>4}  {similarity:>10.4}  {}", at + 1, shown(path));
    }
    table
}

fn write_csv(found: &[Found], file: &mut dyn io::Write) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(file);
    writer.write_record(["rank", "similarity", "path"])?;
    for (at, Found { path, similarity }) in found.iter().enumerate() {
        writer.write_record([
            (at + 1).to_string(),
            format!("{similarity:.6}"),
            path.to_string_lossy().into_owned(),
        ])?;
    }
    writer.flush()
}

/// Writes absolute paths, so the playlist may be moved.
fn write_playlist(found: &[Found], playlist: &Path) -> anyhow::Result<()> {
    let mut lines = Vec::from(*b"#EXTM3U\n");
    for Found { path, .. } in found {
        let absolute = fs::canonicalize(path).with_context(|| {
            format!(
                "{} cannot be added to the playlist; run the command in the directory in which the library was embedded",
                shown(path)
            )
        })?;
        let line = absolute.to_string_lossy();
        if line.contains(['\n', '\r']) {
            bail!(
                "a playlist cannot have the file {}, because its name has a line break",
                shown(path)
            );
        }
        writeln!(lines, "{line}")?;
    }
    Ok(atomic_file::write_bytes(playlist, &lines)?)
}
