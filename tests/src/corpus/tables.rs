//! The corpus's two tables: `tracks.csv`, with FMA's three header rows, and `damage.csv`.

use super::catalogue::Track;
use super::{CorpusError, failed};
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

/// Writes both tables into `directory`, which is made.
pub(super) fn write(directory: &Path, tracks: &[Track]) -> Result<(), CorpusError> {
    fs::create_dir_all(directory).map_err(failed(directory))?;
    for (name, rows) in [("tracks.csv", track_rows(tracks)), ("damage.csv", damage_rows(tracks))] {
        let path = directory.join(name);
        write_table(&path, &rows).map_err(failed(&path))?;
    }
    Ok(())
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

fn write_table(path: &Path, rows: &[Vec<String>]) -> std::io::Result<()> {
    let mut writer = csv::Writer::from_path(path)?;
    for row in rows {
        writer.write_record(row)?;
    }
    writer.flush()
}
