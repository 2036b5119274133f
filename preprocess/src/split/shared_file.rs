//! A split as one file, to share it with people who build the same collection.
//!
//! ```text
//! # name: grouped-0
//! # strategy: grouped
//! # group_by: artist
//! # ratios: 0.8,0.1,0.1
//! # seed: 0
//! # checksum: BLAKE3 of the lines above and of the table
//! track_id,path,set
//! 2,000/000002.mp3,train
//! ```
//!
//! Tracks are in the order of their ids, so two files can be compared line by line. A table written by hand needs
//! only the columns `track_id` and `set`. The lines with `#` are trusted only if the checksum matches.

use csv::{ReaderBuilder, StringRecord, WriterBuilder};
use shared::dataset::split::{Set, SplitIndex};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The strategy of a split whose file does not say how it was made.
const UNKNOWN_STRATEGY: &str = "file";

/// The content of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SharedSplit {
    /// The split's name; `None` if the file does not say.
    pub name: Option<String>,
    /// How it was made, as in `split.json`.
    pub strategy: String,
    pub group_by: Option<String>,
    pub ratios: Option<[f64; 3]>,
    pub seed: Option<u64>,
    /// The path and the set of each track, by its id. The path is empty if the file does not have it.
    pub tracks: BTreeMap<u64, (String, Set)>,
}

impl SharedSplit {
    /// The description of a split with these tracks.
    pub fn new(index: &SplitIndex, tracks: BTreeMap<u64, (String, Set)>) -> Self {
        Self {
            name: Some(index.name.clone()),
            strategy: index.strategy.clone(),
            group_by: index.group_by.clone(),
            ratios: index.ratios,
            seed: index.seed,
            tracks,
        }
    }

    /// The text of the file.
    pub fn to_text(&self) -> String {
        format!("{}# checksum: {}\n{}", self.header(), self.checksum(), self.table())
    }

    /// The checksum of everything else in the file.
    fn checksum(&self) -> String {
        let content = self.header() + &self.table();
        blake3::hash(content.as_bytes()).to_hex().to_string()
    }

    /// The lines before the checksum. All of them are always there, so a reader can skip a fixed number.
    fn header(&self) -> String {
        let ratios = self
            .ratios
            .map(|ratios| ratios.map(|ratio| ratio.to_string()).join(","));
        let seed = self.seed.map(|seed| seed.to_string());
        let lines = [
            ("name", self.name.as_ref()),
            ("strategy", Some(&self.strategy)),
            ("group_by", self.group_by.as_ref()),
            ("ratios", ratios.as_ref()),
            ("seed", seed.as_ref()),
        ];
        let mut header = String::new();
        for (key, value) in lines {
            let _ = writeln!(
                header,
                "{}",
                format!("# {key}: {}", value.map_or("", String::as_str)).trim_end()
            );
        }
        header
    }

    fn table(&self) -> String {
        let mut writer = WriterBuilder::new().from_writer(Vec::new());
        let mut write = |row: [&str; 3]| writer.write_record(row).expect("writing into memory cannot fail");
        write(["track_id", "path", "set"]);
        for (track_id, (path, set)) in &self.tracks {
            write([&track_id.to_string(), path, set.name()]);
        }
        let bytes = writer.into_inner().expect("writing into memory cannot fail");
        String::from_utf8(bytes).expect("all cells are UTF-8")
    }

    /// Parses the bytes of a file. The error is to be read after the file's name.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| ": it is not UTF-8".to_owned())?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let tracks = tracks(text)?;
        let fields = fields(text);
        let field = |key: &str| {
            fields
                .get(key)
                .filter(|value| !value.is_empty())
                .map(|value| (*value).to_owned())
        };
        let Some(checksum) = field("checksum") else {
            return Ok(Self {
                strategy: UNKNOWN_STRATEGY.into(),
                tracks,
                ..Self::default()
            });
        };
        let shared = Self {
            name: field("name"),
            strategy: field("strategy").unwrap_or_default(),
            group_by: field("group_by"),
            ratios: field("ratios").and_then(|text| numbers(&text)),
            seed: field("seed").and_then(|text| text.parse().ok()),
            tracks,
        };
        if shared.checksum() != checksum {
            return Err(
                " was changed after its export, because its checksum does not match; get it again, or remove its line \
                 `# checksum` to use it as it is"
                    .into(),
            );
        }
        Ok(shared)
    }
}

/// The values of the lines with `#` at the beginning.
fn fields(text: &str) -> BTreeMap<&str, &str> {
    let lines = text.lines().map_while(|line| line.strip_prefix('#'));
    let fields = lines.filter_map(|line| line.split_once(':'));
    fields.map(|(key, value)| (key.trim(), value.trim())).collect()
}

fn numbers(text: &str) -> Option<[f64; 3]> {
    let numbers: Result<Vec<f64>, _> = text.split(',').map(str::parse).collect();
    numbers.ok()?.try_into().ok()
}

fn tracks(text: &str) -> Result<BTreeMap<u64, (String, Set)>, String> {
    let csv = |error: csv::Error| format!(" cannot be read as CSV: {error}");
    let mut reader = ReaderBuilder::new().comment(Some(b'#')).from_reader(text.as_bytes());
    let names = reader.headers().map_err(csv)?;
    let place = |wanted: &str| names.iter().position(|name| name == wanted);
    let needed = |wanted: &str| {
        place(wanted)
            .ok_or_else(|| format!(" has no column `{wanted}`; give a file that `preprocess split --export` wrote"))
    };
    let (id, set, path) = (needed("track_id")?, needed("set")?, place("path"));
    let (mut tracks, mut row) = (BTreeMap::new(), StringRecord::new());
    while reader.read_record(&mut row).map_err(csv)? {
        let line = row.position().map_or(0, csv::Position::line);
        let fail = |detail: String| Err(format!(", line {line}: {detail}"));
        let Ok(track_id) = row[id].trim().parse() else {
            return fail(format!("`{}` is not a track id", &row[id]));
        };
        let Some(set) = Set::named(row[set].trim()) else {
            return fail(format!("`{}` is not train, val or test", &row[set]));
        };
        let path = path.map_or(String::new(), |at| row[at].to_owned());
        if tracks.insert(track_id, (path, set)).is_some() {
            return fail(format!("track {track_id} is listed a second time"));
        }
    }
    Ok(tracks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shared() -> SharedSplit {
        SharedSplit {
            name: Some("grouped-7".into()),
            strategy: "grouped".into(),
            group_by: Some("artist".into()),
            ratios: Some([0.8, 0.1, 0.1]),
            seed: Some(7),
            tracks: BTreeMap::from([
                (2, ("000/000002.mp3".into(), Set::Train)),
                (10, ("a, \"b\"/#1.mp3".into(), Set::Test)),
            ]),
        }
    }

    #[test]
    fn file_has_a_fixed_header_and_a_row_per_track() {
        let text = shared().to_text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[..5],
            [
                "# name: grouped-7",
                "# strategy: grouped",
                "# group_by: artist",
                "# ratios: 0.8,0.1,0.1",
                "# seed: 7"
            ]
        );
        assert!(
            lines[5].starts_with("# checksum: ") && lines[5].len() == 12 + 64,
            "{text}"
        );
        assert_eq!(
            lines[6..],
            [
                "track_id,path,set",
                "2,000/000002.mp3,train",
                "10,\"a, \"\"b\"\"/#1.mp3\",test"
            ]
        );
        let official = SharedSplit {
            strategy: "official".into(),
            group_by: None,
            ratios: None,
            seed: None,
            ..shared()
        };
        let text = official.to_text();
        assert_eq!(text.lines().nth(2), Some("# group_by:"));
        assert_eq!(SharedSplit::parse(text.as_bytes()), Ok(official));
    }

    #[test]
    fn changed_file_is_refused_unless_its_checksum_is_removed() {
        let text = shared().to_text();
        // Other line ends and a byte order mark are no change.
        let moved = format!("\u{feff}{}", text.replace('\n', "\r\n"));
        assert_eq!(SharedSplit::parse(moved.as_bytes()), Ok(shared()));
        for changed in [
            text.replace(",test", ",val"),
            text.replace("seed: 7", "seed: 8"),
            text.replace("0.8,", "0.7,"),
        ] {
            let error = SharedSplit::parse(changed.as_bytes()).unwrap_err();
            assert!(error.contains("was changed after its export"), "{error}");
        }
        let cut: String = text
            .replace(",test", ",val")
            .lines()
            .filter(|line| !line.contains("checksum"))
            .map(|line| format!("{line}\n"))
            .collect();
        let by_hand = SharedSplit::parse(cut.as_bytes()).unwrap();
        assert_eq!(
            (by_hand.name, by_hand.strategy.as_str(), by_hand.seed),
            (None, "file", None)
        );
        assert_eq!(by_hand.tracks[&10].1, Set::Val);
    }

    #[test]
    fn file_written_by_hand_needs_two_columns() {
        let by_hand = SharedSplit::parse(b"set,comment,track_id\ntrain,good,5\n test ,, 6\n").unwrap();
        assert_eq!(
            by_hand.tracks,
            BTreeMap::from([(5, (String::new(), Set::Train)), (6, (String::new(), Set::Test))])
        );
        for (text, expected) in [
            ("", "has no column `track_id`"),
            ("track_id,path\n", "has no column `set`"),
            (
                "# by me\ntrack_id,set\n5,train\nx,val\n",
                ", line 4: `x` is not a track id",
            ),
            ("track_id,set\n5,dev\n", ", line 2: `dev` is not train, val or test"),
            (
                "track_id,set\n5,val\n5,val\n",
                ", line 3: track 5 is listed a second time",
            ),
            ("track_id,set\n5\n", "cannot be read as CSV"),
        ] {
            let error = SharedSplit::parse(text.as_bytes()).unwrap_err();
            assert!(error.contains(expected), "{error} should contain {expected}");
        }
        assert!(
            SharedSplit::parse(b"track_id,set\n\xff,val\n")
                .unwrap_err()
                .contains("not UTF-8")
        );
    }

    proptest! {
        #[test]
        fn any_split_round_trips(
            name in "[a-z0-9._-]{1,12}",
            tracks in prop::collection::btree_map(any::<u64>(), (any::<String>(), prop::sample::select(Set::ALL.to_vec())), 0..20),
            (ratios, seed) in (any::<Option<[f64; 3]>>(), any::<Option<u64>>()),
        ) {
            prop_assume!(ratios.is_none_or(|ratios| ratios.iter().all(|ratio| ratio.is_finite())));
            let split = SharedSplit { name: Some(name), ratios, seed, tracks, ..shared() };
            prop_assert_eq!(SharedSplit::parse(split.to_text().as_bytes()), Ok(split));
        }

        #[test]
        fn hostile_bytes_are_an_error_and_never_a_panic(
            prefix in prop::sample::select(vec!["", "# checksum: 0\n", "track_id,set\n", "# name: a\ntrack_id,path,set\n5,"]),
            bytes in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let _ = SharedSplit::parse(&[prefix.as_bytes(), &bytes].concat());
        }
    }
}
