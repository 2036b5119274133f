//! The tables of a corpus: FMA's `tracks.csv` with its three header rows or MagnaTagATune's `annotations_final.csv`
//! (GTZAN has no table), and `damage.csv`.

use super::catalogue::Track;
use super::layout::{Layout, TAGS};
use csv::{QuoteStyle, WriterBuilder};
use std::fs;
use std::path::Path;

/// FMA's two-level column names, and `track_id` in the third row.
const FMA_HEADER: [&str; 3] = [
    ",artist,artist,set,set,track,track",
    ",id,name,split,subset,genre_top,title",
    "track_id,,,,,,",
];

/// Writes the tables of a layout into `directory`, which it creates.
pub(super) fn write(directory: &Path, layout: Layout, tracks: &[Track]) -> csv::Result<()> {
    fs::create_dir_all(directory)?;
    let mut damage = vec![cells("track_id,kind")];
    damage.extend(
        tracks
            .iter()
            .filter_map(|track| Some(vec![track.id.to_string(), track.damage?.name().into()])),
    );
    write_table(&directory.join("damage.csv"), damage, &WriterBuilder::new())?;
    let mut format = WriterBuilder::new();
    let rows: Vec<Vec<String>> = match layout {
        Layout::Fma => FMA_HEADER
            .into_iter()
            .map(cells)
            .chain(tracks.iter().map(fma_row))
            .collect(),
        Layout::MagnaTagATune => {
            format.delimiter(b'\t').quote_style(QuoteStyle::Always);
            let header = format!("clip_id {TAGS} mp3_path").replace(' ', ",");
            [cells(&header)]
                .into_iter()
                .chain(tracks.iter().map(magnatagatune_row))
                .collect()
        }
        Layout::Gtzan => return Ok(()),
    };
    write_table(&directory.join(layout.table().unwrap_or_default()), rows, &format)
}

fn cells(line: &str) -> Vec<String> {
    line.split(',').map(str::to_owned).collect()
}

fn fma_row(track: &Track) -> Vec<String> {
    vec![
        track.id.to_string(),
        track.artist_id.to_string(),
        track.artist_name.clone(),
        track.split.name().to_owned(),
        "small".to_owned(),
        track.genre_name().to_owned(),
        track.title.clone(),
    ]
}

fn magnatagatune_row(track: &Track) -> Vec<String> {
    let tags = TAGS
        .split(' ')
        .map(|tag| u8::from(track.labels.contains(&tag)).to_string());
    // Relative to the directory of audio files.
    let path = track.path.trim_start_matches("audio/").to_owned();
    [track.id.to_string()].into_iter().chain(tags).chain([path]).collect()
}

fn write_table(path: &Path, rows: Vec<Vec<String>>, format: &WriterBuilder) -> csv::Result<()> {
    let mut writer = format.from_path(path)?;
    rows.iter().try_for_each(|row| writer.write_record(row))?;
    Ok(writer.flush()?)
}
