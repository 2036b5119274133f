//! MagnaTagATune (Law et al., ISMIR 2009): its `annotations_final.csv` and its sixteen directories of clips.
//!
//! The table is tab-separated: `clip_id`, a column of 0 and 1 for each of 188 tags, `mp3_path`. Columns are found by
//! name, so a table may have fewer tags. The usual split follows the directory of a clip: `0` to `b` are train, `c` is
//! val, `d` to `f` are test.

use super::files::unlisted_mp3_files;
use super::listing::{Listing, TrackSource, label_problem};
use anyhow::{Context, anyhow, bail, ensure};
use csv::StringRecord;
use shared::dataset::split::Set;
use shared::runtime::file_error::FileError;
use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::path::Path;

const ID_COLUMN: &str = "clip_id";
const PATH_COLUMN: &str = "mp3_path";

/// Lists the clips in `annotations` with at least one of `tags`, the other clips, and the MP3 files below `audio` that
/// are missing from the table. If `tags` is empty, all tags of the table are used.
pub(super) fn list(audio: &Path, annotations: &Path, tags: &[String]) -> anyhow::Result<Listing> {
    let file = File::open(annotations).map_err(FileError::at(annotations))?;
    let clips = read_annotations(io::BufReader::new(file), annotations, tags)?;
    let rows = clips.len();
    let listed: HashSet<String> = clips.iter().map(|clip| clip.path.clone()).collect();
    let (unlabelled, tracks): (Vec<_>, Vec<_>) = clips.into_iter().partition(|clip| clip.labels.is_empty());
    ensure!(
        !tracks.is_empty(),
        "none of the {rows} clips in {} has any of the requested tags; choose other --tags",
        annotations.display()
    );
    let (unlisted, notes) = unlisted_mp3_files(audio, &listed, |_| None)?;
    Ok(Listing {
        tracks,
        unlabelled,
        unlisted,
        notes,
    })
}

/// Indices of the columns.
struct ColumnPlaces {
    id: usize,
    path: usize,
    /// Column and name of each wanted tag.
    tags: Vec<(usize, String)>,
}

impl ColumnPlaces {
    fn find(names: &StringRecord, wanted: &[String]) -> Result<Self, String> {
        let needed = |wanted: &str| {
            let place = names.iter().position(|name| name == wanted);
            place.ok_or_else(|| format!("the column `{wanted}` is missing"))
        };
        let (id, path) = (needed(ID_COLUMN)?, needed(PATH_COLUMN)?);
        let mut seen = HashSet::new();
        let mut tags = Vec::new();
        for (place, name) in names.iter().enumerate() {
            if !seen.insert(name) {
                return Err(format!("the column `{name}` occurs twice"));
            }
            if place == id || place == path {
                continue;
            }
            if name.trim().is_empty() {
                return Err(format!("column {} has no name", place + 1));
            }
            if let Some(problem) = label_problem(name) {
                return Err(format!("the tag {problem}"));
            }
            if wanted.is_empty() || wanted.iter().any(|tag| tag == name) {
                tags.push((place, name.to_owned()));
            }
        }
        Ok(Self { id, path, tags })
    }
}

/// All clips in the order of their ids, including those without a wanted tag; `path` is for error messages.
pub fn read_annotations(table: impl io::Read, path: &Path, wanted: &[String]) -> anyhow::Result<Vec<TrackSource>> {
    let csv = || format!("{} cannot be read as a table separated by tabs", path.display());
    let mut reader = csv::ReaderBuilder::new().delimiter(b'\t').from_reader(table);
    let names = reader.headers().with_context(csv)?;
    let places = ColumnPlaces::find(names, wanted).map_err(|detail| {
        anyhow!(
            "{} does not begin with the column names of annotations_final.csv: {detail}; give the annotations_final.csv of \
             MagnaTagATune",
            path.display()
        )
    })?;
    let unknown = wanted
        .iter()
        .filter(|tag| places.tags.iter().all(|(_, name)| name != *tag));
    let unknown: Vec<String> = unknown.map(|tag| format!("`{tag}`")).collect();
    ensure!(
        unknown.is_empty(),
        "{} has no tag {}; its first line lists its tags",
        path.display(),
        unknown.join(", ")
    );
    let (mut clips, mut seen) = (Vec::new(), HashSet::new());
    let mut row = StringRecord::new();
    while reader.read_record(&mut row).with_context(csv)? {
        let clip = clip(&row, &places).and_then(|clip| match seen.insert(clip.track_id) {
            true => Ok(clip),
            false => Err(format!("clip {} is listed a second time", clip.track_id)),
        });
        match clip {
            Ok(clip) => clips.push(clip),
            Err(detail) => {
                let line = row.position().map_or(0, csv::Position::line);
                bail!("{}, line {line}: {detail}", path.display());
            }
        }
    }
    clips.sort_by_key(|clip| clip.track_id);
    Ok(clips)
}

fn clip(row: &StringRecord, places: &ColumnPlaces) -> Result<TrackSource, String> {
    let id = &row[places.id];
    let track_id = id.parse().map_err(|_| format!("`{id}` is not a clip id"))?;
    let mut labels = Vec::new();
    for (place, tag) in &places.tags {
        match &row[*place] {
            "0" => {}
            "1" => labels.push(tag.clone()),
            other => return Err(format!("`{other}` in the column `{tag}` is neither 0 nor 1")),
        }
    }
    let path = &row[places.path];
    let (artist, album) = artist_and_album(path);
    Ok(TrackSource {
        track_id,
        path: path.to_owned(),
        labels,
        artist,
        album,
        official_split: official_split(path),
    })
}

/// Artist and album of `artist-album-01-title-0-29.mp3`: the parts before the first and the second `-`.
fn artist_and_album(path: &str) -> (Option<String>, Option<String>) {
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    let mut parts = name.split('-');
    // The last part includes the extension and is neither artist nor album.
    parts.next_back();
    let mut next = || parts.next().filter(|part| !part.is_empty()).map(str::to_owned);
    (next(), next())
}

fn official_split(path: &str) -> Option<Set> {
    let (directory, _) = path.split_once('/')?;
    match directory.as_bytes() {
        [b'0'..=b'9' | b'a' | b'b'] => Some(Set::Train),
        [b'c'] => Some(Set::Val),
        [b'd'..=b'f'] => Some(Set::Test),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs;

    // In the real table's form: tabs, and every cell in quotes.
    const TABLE: &str = "\
\"clip_id\"\t\"no voice\"\t\"guitar\"\t\"techno\"\t\"mp3_path\"\n\
\"26\"\t\"0\"\t\"1\"\t\"1\"\t\"d/ambient_teknology-phoenix-01-phoenix-88-117.mp3\"\n\
\"2\"\t\"1\"\t\"1\"\t\"0\"\t\"f/american_bach_soloists-j_s__bach_solo_cantatas-01-bwv54__i_aria-30-59.mp3\"\n\
\"6\"\t\"1\"\t\"0\"\t\"0\"\t\"c/solo.mp3\"\n";

    fn tags(tags: &[&str]) -> Vec<String> {
        tags.iter().map(|tag| (*tag).to_owned()).collect()
    }

    fn read(table: &str, wanted: &[&str]) -> anyhow::Result<Vec<TrackSource>> {
        read_annotations(table.as_bytes(), Path::new("annotations_final.csv"), &tags(wanted))
    }

    #[test]
    fn clip_is_read_from_its_row_and_its_file_name() {
        let clips = read(TABLE, &[]).unwrap();
        assert_eq!(
            clips[0],
            TrackSource {
                track_id: 2,
                path: "f/american_bach_soloists-j_s__bach_solo_cantatas-01-bwv54__i_aria-30-59.mp3".into(),
                labels: tags(&["no voice", "guitar"]),
                artist: Some("american_bach_soloists".into()),
                album: Some("j_s__bach_solo_cantatas".into()),
                official_split: Some(Set::Test),
            }
        );
        assert_eq!(
            (clips[1].track_id, &clips[1].artist, &clips[1].album),
            (6, &None, &None)
        );
        assert_eq!(clips[1].official_split, Some(Set::Val));
        assert_eq!(clips[2].labels, ["guitar", "techno"]);
    }

    #[test]
    fn wanted_tags_are_listed_in_the_order_of_the_table() {
        let labels = |wanted: &[&str]| -> Vec<Vec<String>> {
            let clips = read(TABLE, wanted).unwrap();
            clips.into_iter().map(|clip| clip.labels).collect()
        };
        assert_eq!(
            labels(&["techno", "guitar"]),
            [tags(&["guitar"]), tags(&[]), tags(&["guitar", "techno"])]
        );
        assert_eq!(labels(&["techno"]), [tags(&[]), tags(&[]), tags(&["techno"])]);
    }

    #[test]
    fn all_unknown_tags_are_named() {
        let error = read(TABLE, &["polka", "guitar", "dub"]).unwrap_err().to_string();
        assert!(error.contains("has no tag `polka`, `dub`;"), "{error}");
    }

    #[test]
    fn official_split_follows_the_directory() {
        let set = |directory: &str| official_split(&format!("{directory}/a-b-c.mp3"));
        for (directories, expected) in [
            ("0 5 9 a b", Some(Set::Train)),
            ("c", Some(Set::Val)),
            ("d e f", Some(Set::Test)),
            ("g A 10 ab", None),
        ] {
            for directory in directories.split(' ') {
                assert_eq!(set(directory), expected, "{directory}");
            }
        }
        assert_eq!(official_split("c.mp3"), None);
    }

    #[test]
    fn errors_in_a_table_are_named() {
        let header = "clip_id\tguitar\tmp3_path\n";
        for (rows, expected) in [
            ("x\t0\t0/a.mp3\n", "line 2: `x`"),
            ("-1\t0\t0/a.mp3\n", "`-1`"),
            ("1\t2\t0/a.mp3\n", "`2` in the column `guitar`"),
            ("1\t\t0/a.mp3\n", "neither 0 nor 1"),
            (
                "1\t0\t0/a.mp3\n1\t0\t0/b.mp3\n",
                "line 3: clip 1 is listed a second time",
            ),
            ("1\t0\n", "separated by tabs"),
        ] {
            let error = format!("{:#}", read(&format!("{header}{rows}"), &[]).unwrap_err());
            assert!(error.contains(expected), "{error} should contain {expected}");
        }
        for (table, expected) in [
            ("", "`clip_id` is missing"),
            ("clip_id,guitar,mp3_path\n1,0,a.mp3\n", "`clip_id` is missing"),
            ("clip_id\tguitar\n", "`mp3_path` is missing"),
            ("clip_id\tguitar\tguitar\tmp3_path\n", "`guitar` occurs twice"),
            ("clip_id\t\tmp3_path\n", "column 2 has no name"),
            ("clip_id\ta|b\tmp3_path\n", "`a|b`"),
        ] {
            let error = read(table, &[]).unwrap_err().to_string();
            assert!(error.contains(expected), "{error} should contain {expected}");
        }
    }

    #[test]
    fn unlabelled_clips_and_unlisted_files_are_listed_separately() {
        let root = tempfile::tempdir().unwrap();
        let audio = root.path().join("mp3");
        for directory in ["c", "d"] {
            fs::create_dir_all(audio.join(directory)).unwrap();
        }
        for path in ["c/solo.mp3", "c/stray.mp3", "d/notes.txt"] {
            fs::write(audio.join(path), b"x").unwrap();
        }
        let table = root.path().join("annotations_final.csv");
        fs::write(&table, TABLE).unwrap();
        let listing = list(&audio, &table, &tags(&["techno"])).unwrap();
        let ids = |tracks: &[TrackSource]| tracks.iter().map(|track| track.track_id).collect::<Vec<_>>();
        assert_eq!((ids(&listing.tracks), ids(&listing.unlabelled)), (vec![26], vec![2, 6]));
        let unlisted: Vec<&str> = listing.unlisted.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(unlisted, ["c/stray.mp3"]);
        fs::write(&table, "clip_id\tguitar\tmp3_path\n1\t0\t0/a.mp3\n").unwrap();
        let refused = |table: &Path| list(&audio, table, &[]).unwrap_err().to_string();
        assert!(refused(&table).contains("none of the 1 clips"));
        assert!(refused(&root.path().join("absent")).ends_with("absent does not exist"));
    }

    proptest! {
        #[test]
        fn hostile_bytes_are_an_error_and_never_a_panic(
            prefix in prop::sample::select(vec!["", "clip_id\tguitar\tmp3_path\n", "\"clip_id\"\t\"mp3_path\"\n7\t"]),
            bytes in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let table = [prefix.as_bytes(), &bytes].concat();
            if let Ok(clips) = read_annotations(table.as_slice(), Path::new("annotations_final.csv"), &[]) {
                prop_assert!(clips.iter().all(|clip| Path::new(&clip.path).is_relative()));
            }
        }

        #[test]
        fn any_written_annotations_are_read_back(
            rows in prop::collection::btree_map(any::<u64>(), (any::<[bool; 3]>(), "[a-z_\"\t]{1,9}"), 0..20),
        ) {
            let mut table = csv::WriterBuilder::new().delimiter(b'\t').from_writer(Vec::new());
            table.write_record(["clip_id", "a", "b b", "c", "mp3_path"]).unwrap();
            for (id, (present, name)) in &rows {
                let cells = present.map(|present| u8::from(present).to_string());
                let [a, b, c] = &cells;
                table.write_record([&id.to_string(), a, b, c, &format!("c/{name}-x-y.mp3")]).unwrap();
            }
            let table = table.into_inner().unwrap();
            let clips = read_annotations(table.as_slice(), Path::new("annotations_final.csv"), &[]).unwrap();
            prop_assert_eq!(clips.len(), rows.len());
            for (clip, (id, (present, name))) in clips.iter().zip(&rows) {
                let expected: Vec<&str> =
                    ["a", "b b", "c"].into_iter().zip(present).filter(|(_, present)| **present).map(|(tag, _)| tag).collect();
                prop_assert_eq!((clip.track_id, &clip.labels), (*id, &tags(&expected)));
                prop_assert_eq!(clip.artist.as_ref(), Some(name));
            }
        }
    }
}
