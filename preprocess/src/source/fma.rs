//! The Free Music Archive data set (Defferrard et al., ISMIR 2017): its `tracks.csv` and its directory of clips.
//!
//! The table has three header rows. The first two form two-level column names such as (`track`, `genre_top`). The third
//! begins with `track_id`, the name of the first column. Columns are found by name, so a table may have fewer columns.

use super::files::unlisted_mp3_files;
use super::listing::{Listing, TrackSource, label_problem};
use anyhow::{Context, anyhow, ensure};
use clap::ValueEnum;
use csv::StringRecord;
use serde::{Deserialize, Serialize};
use shared::dataset::split::Set;
use shared::runtime::file_error::FileError;
use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;

/// FMA's nested subsets: medium contains small, large contains medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Subset {
    /// 8,000 tracks in 8 balanced genres.
    Small,
    /// 25,000 tracks in 16 unbalanced genres.
    Medium,
    /// All 106,574 tracks; about half have no top genre.
    Large,
}

impl Subset {
    const ALL: [Self; 3] = [Self::Small, Self::Medium, Self::Large];
    pub fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Medium => "medium",
            Self::Large => "large",
        }
    }
}

impl fmt::Display for Subset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Lists the tracks of `subset` in `table`, and the MP3 files below `audio` that the table does not mention.
pub(super) fn list(audio: &Path, table: &Path, subset: Subset) -> anyhow::Result<Listing> {
    let file = File::open(table).map_err(FileError::at(table))?;
    let (tracks, listed) = read_table(file, table, subset)?;
    ensure!(
        !tracks.is_empty(),
        "{} has no track in the subset `{subset}` ({} rows in all); choose another --subset",
        table.display(),
        listed.len()
    );
    let listed: HashSet<String> = listed.into_iter().map(clip_path).collect();
    let (unlisted, notes) = unlisted_mp3_files(audio, &listed, track_id_of)?;
    Ok(Listing {
        tracks,
        unlabelled: Vec::new(),
        unlisted,
        notes,
    })
}

/// Where FMA keeps a track's clip: `000/000002.mp3`.
fn clip_path(track_id: u64) -> String {
    format!("{:03}/{track_id:06}.mp3", track_id / 1000)
}

fn track_id_of(path: &str) -> Option<u64> {
    let (_, name) = path.rsplit_once('/')?;
    let track_id = name.strip_suffix(".mp3")?.parse().ok()?;
    (clip_path(track_id) == path).then_some(track_id)
}

/// Indices of the columns that are used.
struct ColumnPlaces {
    genre: usize,
    subset: usize,
    split: Option<usize>,
    artist: Option<usize>,
    album: Option<usize>,
}

impl ColumnPlaces {
    fn find(groups: &StringRecord, names: &StringRecord) -> Result<Self, String> {
        let place = |group: &str, name: &str| (0..names.len()).find(|&at| &groups[at] == group && &names[at] == name);
        let needed = |group, name| {
            place(group, name).ok_or_else(|| format!("the column `{group}` / `{name}` is missing from the first two"))
        };
        Ok(Self {
            genre: needed("track", "genre_top")?,
            subset: needed("set", "subset")?,
            split: place("set", "split"),
            artist: place("artist", "id"),
            album: place("album", "id"),
        })
    }
}

/// The tracks of `subset` in the order of their ids, and the ids of all rows; `path` is for error messages.
pub fn read_table(table: impl io::Read, path: &Path, subset: Subset) -> anyhow::Result<(Vec<TrackSource>, Vec<u64>)> {
    let csv = || format!("{} cannot be read as CSV", path.display());
    let header = |detail: String| {
        anyhow!(
            "{} does not begin with the three header rows of FMA's tracks.csv: {detail}; give the tracks.csv of \
             fma_metadata.zip",
            path.display()
        )
    };
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(table);
    let mut row = StringRecord::new();
    let mut headers = Vec::new();
    while headers.len() < 3 {
        if !reader.read_record(&mut row).with_context(csv)? {
            return Err(header(format!("it has only {} rows", headers.len())));
        }
        headers.push(row.clone());
    }
    if headers[2].get(0) != Some("track_id") {
        return Err(header("the third row does not begin with `track_id`".into()));
    }
    let places = ColumnPlaces::find(&headers[0], &headers[1]).map_err(header)?;
    let (mut tracks, mut listed, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
    while reader.read_record(&mut row).with_context(csv)? {
        let fail = |detail: String| {
            let line = row.position().map_or(0, csv::Position::line);
            anyhow!("{}, line {line}: {detail}", path.display())
        };
        let track_id: u64 = row[0]
            .parse()
            .map_err(|_| fail(format!("`{}` in the first column is not a track id", &row[0])))?;
        if !seen.insert(track_id) {
            return Err(fail(format!("track {track_id} is listed a second time")));
        }
        listed.push(track_id);
        let own = parse_subset(&row[places.subset]).map_err(fail)?;
        if own.is_some_and(|own| own <= subset) {
            tracks.push(track(track_id, &row, &places).map_err(fail)?);
        }
    }
    tracks.sort_by_key(|track| track.track_id);
    Ok((tracks, listed))
}

fn track(track_id: u64, row: &StringRecord, places: &ColumnPlaces) -> Result<TrackSource, String> {
    let genre = Some(row[places.genre].trim()).filter(|genre| !genre.is_empty());
    if let Some(problem) = genre.and_then(label_problem) {
        return Err(format!("the genre {problem}"));
    }
    // FMA writes -1 for the album of a track without one.
    let id_at = |place: Option<usize>| {
        let cell = row[place?].trim();
        (!cell.is_empty() && cell != "-1").then(|| cell.to_owned())
    };
    Ok(TrackSource {
        track_id,
        path: clip_path(track_id),
        labels: genre.map(str::to_owned).into_iter().collect(),
        artist: id_at(places.artist),
        album: id_at(places.album),
        official_split: places.split.map_or(Ok(None), |place| parse_split(&row[place]))?,
    })
}

fn parse_subset(word: &str) -> Result<Option<Subset>, String> {
    if word.is_empty() {
        return Ok(None);
    }
    match Subset::ALL.into_iter().find(|subset| subset.name() == word) {
        Some(subset) => Ok(Some(subset)),
        None => Err(format!("unknown subset `{word}`; expected small, medium or large")),
    }
}

fn parse_split(word: &str) -> Result<Option<Set>, String> {
    match word {
        "" => Ok(None),
        "training" => Ok(Some(Set::Train)),
        "validation" => Ok(Some(Set::Val)),
        "test" => Ok(Some(Set::Test)),
        _ => Err(format!("unknown split `{word}`; expected training, validation or test")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs;

    // Cut from the real table: columns of other groups in between, quotes, a line break inside a cell.
    const TABLE: &str = "\
,album,album,artist,artist,set,set,track,track\n\
,id,title,id,bio,split,subset,genre_top,title\n\
track_id,,,,,,,,\n\
10,6,Constant Hitmaker,6,\"<p>Kurt Vile,\nof \"\"Philadelphia\"\"</p>\",training,small,Pop,Freeway\n\
2,1,AWOL,1,,training,small,Hip-Hop,Food\n\
20,-1,,4,,test,large,,Spiritual Level\n\
137,58,Boogie,52,,validation,medium,Experimental,Side A\n";

    fn read(table: &str, subset: Subset) -> anyhow::Result<Vec<TrackSource>> {
        read_table(table.as_bytes(), Path::new("tracks.csv"), subset).map(|(tracks, _)| tracks)
    }

    fn ids(subset: Subset) -> Vec<u64> {
        read(TABLE, subset)
            .unwrap()
            .iter()
            .map(|track| track.track_id)
            .collect()
    }

    #[test]
    fn subsets_are_nested_and_tracks_are_sorted_by_id() {
        assert_eq!(ids(Subset::Small), [2, 10]);
        assert_eq!(ids(Subset::Medium), [2, 10, 137]);
        assert_eq!(ids(Subset::Large), [2, 10, 20, 137]);
    }

    #[test]
    fn columns_are_found_by_their_two_level_names() {
        let tracks = read(TABLE, Subset::Large).unwrap();
        assert_eq!(
            tracks[1],
            TrackSource {
                track_id: 10,
                path: "000/000010.mp3".into(),
                labels: vec!["Pop".into()],
                artist: Some("6".into()),
                album: Some("6".into()),
                official_split: Some(Set::Train),
            }
        );
        assert_eq!((tracks[2].labels.len(), tracks[2].album.as_deref()), (0, None));
        assert_eq!(tracks[2].official_split, Some(Set::Test));
    }

    #[test]
    fn missing_columns_give_unknown_values() {
        let table = ",set,track\n,subset,genre_top\ntrack_id,,\n1917,small,Folk\n";
        let track = read(table, Subset::Small).unwrap().remove(0);
        assert_eq!((track.artist, track.album, track.official_split), (None, None, None));
        assert_eq!(track.path, "001/001917.mp3");
    }

    #[test]
    fn errors_in_a_table_are_named() {
        let cases = [
            ("", "only 0 rows"),
            ("a,b\n1,2\n", "only 2 rows"),
            (",track\n,genre_top\nid,\n", "`track_id`"),
            (",track\n,genre_top\ntrack_id,\n", "`set` / `subset`"),
            (",set\n,subset\ntrack_id,\n", "`track` / `genre_top`"),
            (
                ",set,track\n,subset,genre_top\ntrack_id,,\nx,small,Pop\n",
                "line 4: `x`",
            ),
            (",set,track\n,subset,genre_top\ntrack_id,,\n1,tiny,Pop\n", "`tiny`"),
            (",set,track\n,subset,genre_top\ntrack_id,,\n1,small,A|B\n", "`A|B`"),
            (
                ",set,track\n,subset,genre_top\ntrack_id,,\n1,small,A\n1,small,A\n",
                "second time",
            ),
            (",set,track\n,subset,genre_top\ntrack_id,,\n1,small\n", "CSV"),
            (
                ",set,set,track\n,subset,split,genre_top\ntrack_id,,,\n1,small,dev,A\n",
                "`dev`",
            ),
        ];
        for (table, expected) in cases {
            let error = format!("{:#}", read(table, Subset::Small).unwrap_err());
            assert!(error.contains(expected), "{error} should contain {expected}");
        }
    }

    #[test]
    fn files_missing_from_the_table_are_listed() {
        let root = tempfile::tempdir().unwrap();
        let audio = root.path().join("audio");
        for path in [
            "000/000002.mp3",
            "000/000003.mp3",
            "000/notes.txt",
            "stray.MP3",
            "000/000020.mp3",
        ] {
            let path = audio.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"x").unwrap();
        }
        let table = root.path().join("tracks.csv");
        fs::write(&table, TABLE).unwrap();
        let listing = list(&audio, &table, Subset::Small).unwrap();
        // Track 20 is in the table, though not in the subset.
        let unlisted: Vec<_> = listing
            .unlisted
            .iter()
            .map(|file| (file.track_id, file.path.as_str()))
            .collect();
        assert_eq!(unlisted, [(Some(3), "000/000003.mp3"), (None, "stray.MP3")]);
        fs::write(&table, ",set,track\n,subset,genre_top\ntrack_id,,\n1,large,Pop\n").unwrap();
        let error = list(&audio, &table, Subset::Small).unwrap_err().to_string();
        assert!(error.contains("`small` (1 rows in all)"), "{error}");
    }

    proptest! {
        #[test]
        fn hostile_bytes_are_an_error_and_never_a_panic(
            prefix in prop::sample::select(vec!["", ",set,track\n,subset,genre_top\ntrack_id,,\n"]),
            bytes in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let table = [prefix.as_bytes(), &bytes].concat();
            let _ = read_table(table.as_slice(), Path::new("tracks.csv"), Subset::Large);
        }
    }
}
