//! The two tables of a data set: `tracks.csv`, a row per kept track, and `rejected.csv`, a row per dropped one.
//!
//! Converts rows to CSV bytes and back. Opens no file.

use serde::{Deserialize, Serialize};

/// A kept track. Field names are the column names of `tracks.csv`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackRow {
    /// The source's number for the track; unique in the data set.
    pub track_id: u64,
    /// Class names: one if single-label, any number if multi-label. Joined by `|`.
    #[serde(with = "joined")]
    pub labels: Vec<String>,
    /// The source's number or name for the artist, or the name in the file's tags; empty if unknown.
    pub artist: String,
    /// The source's number or name for the album, or the name in the file's tags; empty if unknown.
    pub album: String,
    /// The track's set in the source's own split: `train`, `val`, `test`, or empty.
    pub official_split: String,
    /// The audio file, relative to the source's audio directory, with `/` between names.
    pub path: String,
    /// Samples of the stored waveform, at the data set's sample rate.
    pub samples: u64,
    /// Sample rate of the audio file, in Hz.
    pub source_rate: u32,
    /// Channels of the audio file.
    pub source_channels: u32,
    /// Coded frames of the audio file that could not be decoded.
    pub bad_frames: u64,
    /// Samples that did not fit 16 bits and were clipped.
    pub clipped_samples: u64,
    /// Notable properties of the track, see [`Flag`]. Joined by `|`.
    #[serde(with = "joined")]
    pub flags: Vec<Flag>,
    /// The lowest id of the tracks with the same recording; its own id if there is no other.
    pub recording: u64,
    /// Number of the shard pair that holds the track.
    pub shard: usize,
    /// BLAKE3 of the waveform tensor's bytes, 64 hexadecimal digits.
    pub waveform_blake3: String,
    /// BLAKE3 of the mel tensor's bytes, 64 hexadecimal digits.
    pub mel_blake3: String,
}

/// A notable property of a kept track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flag {
    /// Its samples are the same as those of a track with a lower id.
    Duplicate,
    /// It is barely audible.
    NearSilent,
    /// Its channels cancel each other when they are mixed down.
    CancellingChannels,
    /// Almost all of its samples have the same value, which is not 0.
    Constant,
    /// More than a hundredth of its samples did not fit 16 bits.
    Clipped,
}

impl Flag {
    /// All flags, in the order in which a track lists them.
    pub const ALL: [Self; 5] = [
        Self::Duplicate,
        Self::NearSilent,
        Self::CancellingChannels,
        Self::Constant,
        Self::Clipped,
    ];

    /// The word in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Duplicate => "duplicate",
            Self::NearSilent => "near_silent",
            Self::CancellingChannels => "cancelling_channels",
            Self::Constant => "constant",
            Self::Clipped => "clipped",
        }
    }
}

impl std::fmt::Display for Flag {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

impl std::str::FromStr for Flag {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|flag| flag.name() == word)
            .ok_or_else(|| format!("unknown flag `{word}`"))
    }
}

/// A dropped track. Field names are the column names of `rejected.csv`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedRow {
    /// The source's number for the track; `None` if the file has none.
    pub track_id: Option<u64>,
    /// The audio file, relative to the source's audio directory.
    pub path: String,
    /// The reason's code, in snake case.
    pub reason: String,
    /// The reason as a sentence.
    pub detail: String,
}

/// A table that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TableError(String);

/// Writes a table with a header row. Equal rows give equal bytes.
pub fn to_csv<Row: Serialize + Columns>(rows: &[Row]) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    // Written here, so a table without rows has a header, too.
    writer
        .write_record(Row::COLUMNS)
        .expect("writing into memory cannot fail");
    for row in rows {
        writer
            .serialize(row)
            .expect("rows are flat and writing into memory cannot fail");
    }
    writer.into_inner().expect("writing into memory cannot fail")
}

/// Parses a table that [`to_csv`] made. It must have the expected columns in their order.
pub fn from_csv<Row: for<'de> Deserialize<'de> + Columns>(bytes: &[u8]) -> Result<Vec<Row>, TableError> {
    let mut reader = csv::Reader::from_reader(bytes);
    let headers = reader.headers().map_err(|error| TableError(error.to_string()))?;
    if headers.iter().ne(Row::COLUMNS.iter().copied()) {
        let expected = Row::COLUMNS.join(",");
        let found: Vec<_> = headers.iter().collect();
        return Err(TableError(format!(
            "its columns should be {expected}, not {}",
            found.join(",")
        )));
    }
    reader
        .deserialize()
        .map(|row| row.map_err(|error| TableError(error.to_string())))
        .collect()
}

/// The columns of a table, in order.
pub trait Columns {
    /// Their names.
    const COLUMNS: &'static [&'static str];
}

impl Columns for TrackRow {
    const COLUMNS: &'static [&'static str] = &[
        "track_id",
        "labels",
        "artist",
        "album",
        "official_split",
        "path",
        "samples",
        "source_rate",
        "source_channels",
        "bad_frames",
        "clipped_samples",
        "flags",
        "recording",
        "shard",
        "waveform_blake3",
        "mel_blake3",
    ];
}

impl Columns for RejectedRow {
    const COLUMNS: &'static [&'static str] = &["track_id", "path", "reason", "detail"];
}

/// Lists in one cell, joined by `|`.
pub mod joined {
    use serde::{Deserialize, Deserializer, Serializer, de, ser};
    use std::fmt::Display;
    use std::str::FromStr;

    const SEPARATOR: &str = "|";

    /// Serializes a list as one cell.
    pub fn serialize<T: Display, S: Serializer>(list: &[T], serializer: S) -> Result<S::Ok, S::Error> {
        let words: Vec<String> = list.iter().map(T::to_string).collect();
        if let Some(word) = words.iter().find(|word| word.is_empty() || word.contains(SEPARATOR)) {
            return Err(ser::Error::custom(format!(
                "`{word}` cannot be in a list joined by `{SEPARATOR}`"
            )));
        }
        serializer.serialize_str(&words.join(SEPARATOR))
    }

    /// Parses a cell that [`serialize`] made.
    pub fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<T>, D::Error> {
        let cell = String::deserialize(deserializer)?;
        if cell.is_empty() {
            return Ok(Vec::new());
        }
        cell.split(SEPARATOR)
            .map(|word| word.parse().map_err(de::Error::custom))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row() -> TrackRow {
        TrackRow {
            track_id: 2,
            labels: vec!["Hip-Hop".into()],
            artist: "1".into(),
            album: "1".into(),
            official_split: "train".into(),
            path: "000/000002.mp3".into(),
            samples: 1_321_967,
            source_rate: 44_100,
            source_channels: 2,
            bad_frames: 0,
            clipped_samples: 12,
            flags: vec![Flag::Duplicate, Flag::NearSilent],
            recording: 1,
            shard: 0,
            waveform_blake3: "ab".into(),
            mel_blake3: "cd".into(),
        }
    }

    /// Text with quotes, separators, line ends, control characters, and spaces at the ends.
    fn text() -> impl Strategy<Value = String> {
        let awkward = [
            "",
            " ",
            "\"",
            "\"\"",
            "\r\n",
            "\r",
            "a\"b",
            ",",
            " a ",
            "\u{feff}a",
            "\0",
            "-1",
            "é,漢\n",
        ];
        prop_oneof![
            any::<String>(),
            "[ \"',;\t\r\na]{0,8}",
            prop::sample::select(awkward.map(str::to_owned).to_vec()),
        ]
    }

    fn label() -> impl Strategy<Value = String> {
        text().prop_filter("a label is not empty and has no `|`", |label| {
            !label.is_empty() && !label.contains('|')
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 256 }))]
        #[test]
        fn any_track_row_round_trips(
            numbers in any::<(u64, u64, u32, u32, u64, u64)>(),
            (shard, samples, recording) in any::<(usize, u64, u64)>(),
            labels in prop::collection::vec(label(), 0..4),
            flags in prop::sample::subsequence(Flag::ALL.to_vec(), 0..=Flag::ALL.len()),
            texts in prop::collection::vec(text(), 6),
        ) {
            let [artist, album, path, official_split, waveform_blake3, mel_blake3] = texts.try_into().unwrap();
            let rows = vec![TrackRow {
                track_id: numbers.0,
                labels,
                artist,
                album,
                official_split,
                path,
                samples,
                source_rate: numbers.2,
                source_channels: numbers.3,
                bad_frames: numbers.4,
                clipped_samples: numbers.5,
                flags,
                recording,
                shard,
                waveform_blake3,
                mel_blake3,
            }];
            prop_assert_eq!(from_csv::<TrackRow>(&to_csv(&rows)).unwrap(), rows);
        }

        #[test]
        fn any_rejected_row_round_trips(
            rows in prop::collection::vec((any::<Option<u64>>(), text(), text(), text()), 0..4),
        ) {
            let rows: Vec<RejectedRow> = rows
                .into_iter()
                .map(|(track_id, path, reason, detail)| RejectedRow { track_id, path, reason, detail })
                .collect();
            prop_assert_eq!(from_csv::<RejectedRow>(&to_csv(&rows)).unwrap(), rows);
        }

        #[test]
        fn parsing_a_changed_table_does_not_panic(at in any::<prop::sample::Index>(), value in any::<u8>()) {
            let mut csv = to_csv(&[row(), row()]);
            let at = at.index(csv.len());
            csv[at] = value;
            let _ = from_csv::<TrackRow>(&csv);
        }

        #[test]
        fn parsing_hostile_bytes_does_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = from_csv::<TrackRow>(&bytes);
            let _ = from_csv::<RejectedRow>(&bytes);
        }
    }

    #[test]
    fn table_is_csv_with_a_header_row() {
        let csv = String::from_utf8(to_csv(&[row()])).unwrap();
        assert_eq!(
            csv,
            "track_id,labels,artist,album,official_split,path,samples,source_rate,source_channels,bad_frames,\
             clipped_samples,flags,recording,shard,waveform_blake3,mel_blake3\n\
             2,Hip-Hop,1,1,train,000/000002.mp3,1321967,44100,2,0,12,duplicate|near_silent,1,0,ab,cd\n"
        );
    }

    #[test]
    fn every_flag_parses_and_is_documented() {
        let page = include_str!("../../../docs/reference/data-set.md");
        for flag in Flag::ALL {
            assert_eq!(flag.name().parse(), Ok(flag));
            assert!(page.contains(&format!("`{flag}`:")), "{flag}");
        }
    }

    #[test]
    fn table_without_rows_has_a_header() {
        let csv = to_csv::<RejectedRow>(&[]);
        assert_eq!(csv, b"track_id,path,reason,detail\n");
        assert_eq!(from_csv::<RejectedRow>(&csv).unwrap(), []);
    }

    #[test]
    fn rejected_file_without_an_id_round_trips() {
        let rows = vec![RejectedRow {
            track_id: None,
            path: "notes.mp3".into(),
            reason: "unlisted".into(),
            detail: "The file, \"notes.mp3\", is not in tracks.csv.".into(),
        }];
        assert_eq!(from_csv::<RejectedRow>(&to_csv(&rows)).unwrap(), rows);
    }

    #[test]
    fn errors_name_wrong_columns_and_wrong_cells() {
        let error = from_csv::<TrackRow>(b"id,genre\n1,Rock\n").unwrap_err().to_string();
        assert!(error.contains("track_id") && error.contains("id,genre"), "{error}");
        let csv = String::from_utf8(to_csv(&[row()]))
            .unwrap()
            .replace("duplicate|", "loud|");
        let error = from_csv::<TrackRow>(csv.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("loud"), "{error}");
    }
}
