//! `preprocess inspect` of one track of a data set, or of one audio file outside it.

use super::result::outcome;
use crate::cli::InspectArgs;
use crate::inspect::audio_file::AudioFile;
use crate::inspect::track::Track;
use anyhow::anyhow;
use serde_json::json;
use shared::runtime::atomic_file::write_bytes;
use shared::runtime::file_error::FileError;
use shared::runtime::outcome::Outcome;
use shared::runtime::output_file::check_place;
use shared::runtime::text::shown;
use std::fs;
use std::path::Path;

/// Describes a track, and draws it if `png` is given.
pub(super) fn track(dataset: &Path, given: &str, png: Option<&Path>) -> anyhow::Result<Outcome> {
    let track = Track::find(dataset, given)?;
    if let Some(png) = png {
        check_place("--png", png, std::slice::from_ref(&track.file))?;
    }
    let drawn = png.map(|_| track.png(dataset)).transpose()?;
    let (row, set) = (&track.row, track.set.as_ref().ok().and_then(Option::as_ref));
    let json = json!({
        "track": row.track_id,
        "path": row.path,
        "labels": row.labels,
        "artist": row.artist,
        "album": row.album,
        "seconds": track.seconds,
        "flags": row.flags.iter().map(|flag| flag.name()).collect::<Vec<_>>(),
        "set": set.map(|(set, _)| set.name()),
        "split": set.map(|(_, split)| split),
        "split_error": track.set.as_ref().err(),
    });
    finish(track.to_string(), json, png.zip(drawn))
}

/// Decodes an audio file and describes it, and draws it if `--png` is given.
pub(super) fn audio_file(args: &InspectArgs) -> anyhow::Result<Outcome> {
    let png = args.png.as_deref();
    if let Some(png) = png {
        // The file may be given as a link under another name.
        let real = fs::canonicalize(&args.dataset).map_err(FileError::at(&args.dataset))?;
        check_place("--png", png, &[args.dataset.clone(), real])?;
    }
    let (features, validate) = InspectArgs::default_settings();
    let file = AudioFile::read(&args.dataset, &features, &validate)?;
    let drawn = match (&file.decoded, png) {
        (Ok(decoded), Some(_)) => Some(decoded.png()),
        (Err(rejection), Some(_)) => return Err(anyhow!("{} cannot be drawn: {rejection}", shown(&file.path))),
        (_, None) => None,
    };
    let decoded = file.decoded.as_ref().ok();
    let json = json!({
        "file": file.path.to_string_lossy(),
        "bytes": file.bytes,
        "codec": decoded.map(|decoded| decoded.waveform.codec),
        "seconds": decoded.map(|decoded| decoded.seconds),
        "source_rate": decoded.map(|decoded| decoded.waveform.source_rate),
        "source_channels": decoded.map(|decoded| decoded.waveform.source_channels),
        "bad_frames": decoded.map(|decoded| decoded.waveform.report.bad_frames),
        "flags": decoded.map(|decoded| decoded.flags.iter().map(|flag| flag.name()).collect::<Vec<_>>()),
        "artist": file.tags.artist,
        "album": file.tags.album,
        "kept": file.rejection().is_none(),
        "reason": file.rejection().map(|rejection| rejection.code()),
        "detail": file.rejection().map(ToString::to_string),
    });
    finish(file.to_string(), json, png.zip(drawn))
}

/// Writes the picture, and adds its path to the result.
fn finish(mut text: String, mut json: serde_json::Value, picture: Option<(&Path, Vec<u8>)>) -> anyhow::Result<Outcome> {
    if let Some((path, png)) = &picture {
        write_bytes(path, png)?;
        text += &format!("\npicture   {}", path.display());
    }
    json["png"] = json!(picture.map(|(path, _)| path.to_string_lossy()));
    Ok(outcome("inspect", text, json, &[]))
}
