//! The corpus's tables: `tracks.csv` with FMA's three header rows, or `annotations_final.csv` as MagnaTagATune has it, or
//! neither for GTZAN; and `damage.csv`.

use super::catalogue::Track;
use super::layout::{Layout, TAGS};
use super::{CorpusError, failed};
use csv::{QuoteStyle, WriterBuilder};
use std::fs;
use std::path::Path;

/// FMA's two-level column names; `track_id` stands in the third row.
const COLUMNS: [(&str, &str); 6] = [
    ("artist", "id"),
    ("artist", "name"),
    ("set", "split"),
    ("set", "subset"),
    ("track", "genre_top"),
    ("track", "title"),
];

/// Writes a layout's tables into `directory`, which is made.
pub(super) fn write(directory: &Path, layout: Layout, tracks: &[Track]) -> Result<(), CorpusError> {
    fs::create_dir_all(directory).map_err(failed(directory))?;
    let mut tables = vec![("damage.csv", damage_rows(tracks), WriterBuilder::new())];
    match layout {
        Layout::Fma => tables.push(("tracks.csv", track_rows(tracks), WriterBuilder::new())),
        Layout::MagnaTagATune => {
            let mut tabs = WriterBuilder::new();
            tabs.delimiter(b'\t').quote_style(QuoteStyle::Always);
            tables.push(("annotations_final.csv", annotation_rows(tracks), tabs));
        }
        Layout::Gtzan => {}
    }
    for (name, rows, format) in tables {
        let path = directory.join(name);
        write_table(&path, &rows, &format).map_err(failed(&path))?;
    }
    Ok(())
}

fn annotation_rows(tracks: &[Track]) -> Vec<Vec<String>> {
    let mut header = vec!["clip_id".to_owned()];
    header.extend(TAGS.iter().map(|tag| (*tag).to_owned()));
    header.push("mp3_path".to_owned());
    let mut rows = vec![header];
    rows.extend(tracks.iter().map(|track| {
        let mut row = vec![track.id.to_string()];
        row.extend(TAGS.iter().map(|tag| u8::from(track.labels.contains(tag)).to_string()));
        // Relative to the directory of audio files.
        row.push(track.path.split_once('/').map_or("", |(_, inside)| inside).to_owned());
        row
    }));
    rows
}

fn track_rows(tracks: &[Track]) -> Vec<Vec<String>> {
    let header = |first: &str, name: fn(&(&str, &str)) -> String| {
        let mut row = vec![first.to_owned()];
        row.extend(COLUMNS.iter().map(name));
        row
    };
    let mut rows = vec![
        header("", |(group, _)| (*group).to_owned()),
        header("", |(_, name)| (*name).to_owned()),
        header("track_id", |_| String::new()),
    ];
    rows.extend(tracks.iter().map(|track| {
        vec![
            track.id.to_string(),
            track.artist_id.to_string(),
            track.artist_name.clone(),
            track.split.name().to_owned(),
            "small".to_owned(),
            track.genre_name().to_owned(),
            track.title.clone(),
        ]
    }));
    rows
}

fn damage_rows(tracks: &[Track]) -> Vec<Vec<String>> {
    let mut rows = vec![vec!["track_id".to_owned(), "kind".to_owned()]];
    rows.extend(
        tracks
            .iter()
            .filter_map(|track| Some(vec![track.id.to_string(), track.damage?.name().to_owned()])),
    );
    rows
}

fn write_table(path: &Path, rows: &[Vec<String>], format: &WriterBuilder) -> std::io::Result<()> {
    let mut writer = format.from_path(path)?;
    for row in rows {
        writer.write_record(row)?;
    }
    writer.flush()
}
