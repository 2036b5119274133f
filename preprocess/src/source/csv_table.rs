//! A table of one's own: a CSV file with a row per track.
//!
//! The columns `path` and `label` are needed; `artist`, `album` and `split` are used if the table has them. Columns are
//! found by name. Several labels are separated by `;`, and one such row makes the data set multi-label. The directory
//! is not searched: the table decides which files are tracks.

use super::listing::{Listing, TrackSource, label_problem, path_id};
use anyhow::{Context, anyhow, bail, ensure};
use csv::{ReaderBuilder, StringRecord, Trim};
use shared::dataset::split::Set;
use shared::runtime::file_error::FileError;
use shared::runtime::text::counted;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::Path;

/// Separates the labels of a track.
const SEPARATOR: char = ';';

/// Lists the tracks of `table`, whose paths are relative to `audio`.
pub(super) fn list(audio: &Path, table: &Path) -> anyhow::Result<Listing> {
    let file = File::open(table).map_err(FileError::at(table))?;
    let listing = read_table(io::BufReader::new(file), table)?;
    if let Some(first) = listing.tracks.first() {
        ensure!(
            listing.tracks.iter().any(|track| Path::new(&track.path).is_relative()),
            "all paths in {} are absolute, for example {}; write them relative to {}",
            table.display(),
            first.path,
            audio.display()
        );
    }
    Ok(listing)
}

/// Indices of the columns.
struct ColumnPlaces {
    path: usize,
    label: usize,
    artist: Option<usize>,
    album: Option<usize>,
    split: Option<usize>,
    /// Names of the other columns, except `title`, which is for the reader of the table.
    unused: Vec<String>,
}

impl ColumnPlaces {
    fn find(names: &StringRecord) -> Result<Self, String> {
        let names: Vec<String> = names.iter().map(str::to_lowercase).collect();
        let place = |wanted: &str| {
            let mut places = (0..names.len()).filter(|&at| names[at] == wanted);
            let first = places.next();
            match places.next() {
                Some(_) => Err(format!("the column `{wanted}` occurs twice")),
                None => Ok(first),
            }
        };
        let needed = |wanted: &str| {
            place(wanted)?.ok_or_else(|| {
                let found: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
                format!("the column `{wanted}` is missing; it has {}", found.join(", "))
            })
        };
        let known = ["path", "label", "artist", "album", "split", "title"];
        Ok(Self {
            path: needed("path")?,
            label: needed("label")?,
            artist: place("artist")?,
            album: place("album")?,
            split: place("split")?,
            unused: names
                .iter()
                .filter(|name| !name.is_empty() && !known.contains(&name.as_str()))
                .map(|name| format!("`{name}`"))
                .collect(),
        })
    }
}

/// The tracks of the table, in the order of their ids; `path` is for error messages.
pub fn read_table(table: impl io::Read, path: &Path) -> anyhow::Result<Listing> {
    let csv = || format!("{} cannot be read as CSV in UTF-8", path.display());
    let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(table);
    let places = ColumnPlaces::find(reader.headers().with_context(csv)?).map_err(|detail| {
        anyhow!(
            "the first line of {} must name the columns, separated by commas, for example path,label,artist: {detail}",
            path.display()
        )
    })?;
    let (mut listing, mut lines, mut without_label) = (Listing::default(), HashMap::new(), Vec::new());
    let mut row = StringRecord::new();
    while reader.read_record(&mut row).with_context(csv)? {
        let line = row.position().map_or(0, csv::Position::line);
        // The cell would contain all rows up to the next quote.
        if let Some(column) = row.iter().position(|cell| cell.contains(['\n', '\r'])) {
            bail!(
                "{}, line {line}: a cell in column {} continues in the next line; close its quote, or remove the line break",
                path.display(),
                column + 1
            );
        }
        let track =
            track(&row, &places).and_then(|track| match lines.insert(track.track_id, (line, track.path.clone())) {
                None => Ok(track),
                Some((first, path)) if path == track.path => Err(format!("{path} is already in line {first}")),
                // Expected in one of a thousand tables of 750,000 files.
                Some((first, path)) => Err(format!(
                    "{} has the same track id as {path} in line {first}; rename one of them",
                    track.path
                )),
            });
        match track {
            Ok(track) if track.labels.is_empty() => {
                without_label.push(line);
                listing.unlabelled.push(track);
            }
            Ok(track) => listing.tracks.push(track),
            Err(detail) => bail!("{}, line {line}: {detail}", path.display()),
        }
    }
    ensure!(
        !listing.tracks.is_empty(),
        "{} has no row with a label; write a row with a path and a label for each track",
        path.display()
    );
    if !places.unused.is_empty() {
        listing.notes.push(format!(
            "columns of {} that are not used: {}",
            path.display(),
            places.unused.join(", ")
        ));
    }
    if let Some(first) = without_label.first() {
        listing.notes.push(format!(
            "{} of {} without a label were left out, for example line {first}",
            counted(without_label.len(), "row", "rows"),
            path.display()
        ));
    }
    listing.tracks.sort_by_key(|track| track.track_id);
    listing.unlabelled.sort_by_key(|track| track.track_id);
    Ok(listing)
}

fn track(row: &StringRecord, places: &ColumnPlaces) -> Result<TrackSource, String> {
    let cell = |place: Option<usize>| place.map(|at| &row[at]).filter(|cell| !cell.is_empty());
    let path = plain_path(&row[places.path]);
    if path.is_empty() {
        return Err("the path is empty".into());
    }
    let official_split = match cell(places.split) {
        None => None,
        Some(word) => {
            let set = Set::named(word);
            Some(set.ok_or_else(|| format!("`{word}` in the column `split` is not train, val or test"))?)
        }
    };
    Ok(TrackSource {
        track_id: path_id(&path),
        path,
        labels: labels(&row[places.label])?,
        artist: cell(places.artist).map(str::to_owned),
        album: cell(places.album).map(str::to_owned),
        official_split,
    })
}

/// The labels in a cell; none if it is empty.
fn labels(cell: &str) -> Result<Vec<String>, String> {
    let mut labels: Vec<String> = Vec::new();
    if cell.is_empty() {
        return Ok(labels);
    }
    for label in cell.split(SEPARATOR).map(str::trim) {
        if label.is_empty() {
            return Err(format!("`{cell}` has an empty label"));
        }
        if let Some(problem) = label_problem(label) {
            return Err(format!("the label {problem}"));
        }
        if labels.iter().any(|other| other == label) {
            return Err(format!("`{cell}` has the label `{label}` twice"));
        }
        labels.push(label.to_owned());
    }
    Ok(labels)
}

/// The path without `.` and repeated `/`, so one file cannot have two ids. An absolute path is not changed: it is
/// rejected when it is opened, and so is one with `..`.
fn plain_path(path: &str) -> String {
    if path.starts_with('/') {
        return path.to_owned();
    }
    let names = path.split('/').filter(|name| !matches!(*name, "" | "."));
    names.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs;

    fn read(table: &str) -> anyhow::Result<Listing> {
        read_table(table.as_bytes(), Path::new("table.csv"))
    }

    fn track_of<'a>(listing: &'a Listing, path: &str) -> &'a TrackSource {
        let mut all = listing.tracks.iter().chain(&listing.unlabelled);
        all.find(|track| track.path == path).unwrap()
    }

    #[test]
    fn track_is_read_from_the_named_columns() {
        // As a spreadsheet writes it: a byte order mark, line ends of two bytes, other columns, spaces.
        let table = "\u{feff}Label,bpm,path,title,Artist,album,split\r\n\
                     Dub, 120 ,./a//1.wav,One,\"Tubby, King\",Roots,test\r\n\
                     Rock; loud ,,b/2.mp3,,,,\r\n";
        let listing = read(table).unwrap();
        assert!(listing.tracks.is_sorted_by_key(|track| track.track_id));
        assert_eq!(
            *track_of(&listing, "a/1.wav"),
            TrackSource {
                track_id: path_id("a/1.wav"),
                path: "a/1.wav".into(),
                labels: vec!["Dub".into()],
                artist: Some("Tubby, King".into()),
                album: Some("Roots".into()),
                official_split: Some(Set::Test),
            }
        );
        let second = track_of(&listing, "b/2.mp3");
        assert_eq!(second.labels, ["Rock", "loud"]);
        assert_eq!(
            (&second.artist, &second.album, second.official_split),
            (&None, &None, None)
        );
        assert_eq!(listing.notes, ["columns of table.csv that are not used: `bpm`"]);
    }

    #[test]
    fn added_rows_do_not_change_the_ids_of_others() {
        let before = read("path,label\na.wav,Dub\nb.wav,Rock\n").unwrap();
        let after = read("path,label\nc.wav,Dub\nb.wav,Rock\na.wav,Dub\n").unwrap();
        assert_eq!(after.tracks.len(), 3);
        for track in &before.tracks {
            assert_eq!(track_of(&after, &track.path), track);
        }
    }

    #[test]
    fn rows_without_a_label_are_left_out_and_counted() {
        let listing = read("path,label\na.wav,Dub\nb.wav,\nc.wav,  \n").unwrap();
        assert_eq!((listing.tracks.len(), listing.unlabelled.len()), (1, 2));
        assert_eq!(
            listing.notes,
            ["2 rows of table.csv without a label were left out, for example line 3"]
        );
        let error = read("path,label\nb.wav,\n").unwrap_err().to_string();
        assert!(error.contains("has no row with a label"), "{error}");
    }

    #[test]
    fn errors_in_a_table_are_named_with_their_line() {
        let header = "path,label,split\n";
        for (rows, expected) in [
            (
                "a.wav,Dub,\n./a.wav,Rock,\n",
                "table.csv, line 3: a.wav is already in line 2",
            ),
            (
                "a.wav,Dub,validation\n",
                "line 2: `validation` in the column `split` is not train, val or test",
            ),
            ("a.wav,Dub;,\n", "`Dub;` has an empty label"),
            ("a.wav,Dub;Rock;Dub,\n", "has the label `Dub` twice"),
            ("a.wav,Dub|Rock,\n", "`Dub|Rock` contains `|`"),
            ("./,Dub,\n", "line 2: the path is empty"),
            ("a.wav,Dub\n", "cannot be read as CSV"),
            (
                "b.wav,Dub,\na.wav,Dub,\"test\nc.wav,Rock,\n",
                "table.csv, line 3: a cell in column 3 continues in the next line; close its quote",
            ),
        ] {
            let error = format!("{:#}", read(&format!("{header}{rows}")).unwrap_err());
            assert!(error.contains(expected), "{error} should contain {expected}");
        }
        for (table, expected) in [
            ("", "the column `path` is missing"),
            (
                "path;label\na.wav;Dub\n",
                "separated by commas, for example path,label,artist: the column `path` is missing; it has `path;label`",
            ),
            (
                "path,genre\na.wav,Dub\n",
                "the column `label` is missing; it has `path`, `genre`",
            ),
            ("path,label,Path\na.wav,Dub,b\n", "`path` occurs twice"),
        ] {
            let error = read(table).unwrap_err().to_string();
            assert!(error.contains(expected), "{error} should contain {expected}");
        }
    }

    #[test]
    fn table_with_absolute_paths_only_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let table = root.path().join("table.csv");
        fs::write(&table, "path,label\n/music/a.wav,Dub\n").unwrap();
        let refused = |table: &Path| list(Path::new("music"), table).unwrap_err().to_string();
        let error = refused(&table);
        assert!(
            error.contains("are absolute, for example /music/a.wav; write them relative to music"),
            "{error}"
        );
        assert!(refused(&root.path().join("absent")).ends_with("absent does not exist"));
        fs::write(&table, "path,label\n/music/a.wav,Dub\nb.wav,Dub\n").unwrap();
        assert_eq!(list(Path::new("music"), &table).unwrap().tracks.len(), 2);
    }

    proptest! {
        #[test]
        fn hostile_bytes_are_an_error_and_never_a_panic(
            prefix in prop::sample::select(vec!["", "path,label\n", "label,split,path\nDub,", "\u{feff}path,label\n\""]),
            bytes in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let table = [prefix.as_bytes(), &bytes].concat();
            if let Ok(listing) = read_table(table.as_slice(), Path::new("table.csv")) {
                prop_assert!(listing.tracks.is_sorted_by(|a, b| a.track_id < b.track_id));
                prop_assert!(listing.tracks.iter().all(|track| !track.labels.is_empty()));
                prop_assert!(listing.tracks.iter().flat_map(|track| &track.labels).all(|label| !label.contains('|')));
            }
        }

        #[test]
        fn any_written_table_is_read_back(
            rows in prop::collection::btree_map(
                "[a-z][a-z,\"/]{0,8}[a-z]",
                (prop::collection::btree_set("[A-Z][a-z,\"]{0,5}", 1..4), "[A-Za-z\"][A-Za-z,\" ]{0,8}[A-Za-z,\"]"),
                1..20,
            ),
        ) {
            let mut table = csv::Writer::from_writer(Vec::new());
            table.write_record(["artist", "path", "label"]).unwrap();
            let mut paths = std::collections::BTreeSet::new();
            for (path, (labels, artist)) in &rows {
                prop_assume!(paths.insert(plain_path(path)));
                let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
                table.write_record([artist, path, &labels.join(" ; ")]).unwrap();
            }
            let listing = read_table(table.into_inner().unwrap().as_slice(), Path::new("table.csv")).unwrap();
            prop_assert_eq!(listing.tracks.len(), rows.len());
            for (path, (labels, artist)) in &rows {
                let track = track_of(&listing, &plain_path(path));
                prop_assert!(track.labels.iter().eq(labels));
                prop_assert_eq!(track.artist.as_ref(), Some(artist));
            }
        }
    }
}
