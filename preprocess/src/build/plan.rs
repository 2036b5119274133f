//! The settings of a build, written before the work starts and kept as `build.json` in the finished data set. A rerun
//! with other settings fails and lists the differences.

use super::part::Part;
use crate::source::{ALL, Listing, MAGNATAGATUNE, TrackSource};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::audio::validate::{Rejection, ValidateConfig};
use shared::dataset::manifest::Flag;
use shared::dataset::split::Set;
use shared::dataset::{self, DatasetError, DatasetIndex};
use shared::dsp::features::FeatureConfig;
use std::collections::BTreeSet;
use std::path::Path;

/// The plan of the build that made a data set, kept in it.
pub const PLAN_FILE: &str = "build.json";

/// Everything that determines a build's output. The number of jobs does not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuildPlan {
    pub source: String,
    /// `small`, `guitar,techno`, `all`.
    pub subset: String,
    pub preset: Option<String>,
    pub features: FeatureConfig,
    pub validate: ValidateConfig,
    /// [`DECODERS`](shared::audio::decode::DECODERS) that read the audio files.
    pub decoders: String,
    /// Flags whose tracks are dropped, by their names in `tracks.csv`.
    pub drop: Vec<String>,
    pub tracks: usize,
    /// BLAKE3 of the track descriptions and the file sizes.
    pub sources_blake3: String,
    /// The part of the tracks to build; `None` for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
}

impl BuildPlan {
    pub fn drops(&self, flag: Flag) -> bool {
        self.drop.iter().any(|word| word == flag.name())
    }

    /// Why a track with this root mean square is dropped: it is nearly silent, and this build drops such tracks.
    pub fn near_silent(&self, rms_dbfs: f64) -> Option<Rejection> {
        let is_dropped = self.drops(Flag::NearSilent) && self.validate.is_near_silent(rms_dbfs);
        is_dropped.then_some(Rejection::NearSilent { rms_dbfs })
    }

    /// The plan of the finished data set in `root`.
    pub fn read(root: &Path, index: &DatasetIndex) -> Result<Self, DatasetError> {
        let json = dataset::read_recorded(root, index, PLAN_FILE)?;
        serde_json::from_slice(&json).map_err(|error| DatasetError::damaged(root.join(PLAN_FILE), error))
    }

    /// The requested tags; empty if all tags are used or if tracks have genres.
    pub fn tags(&self) -> Vec<String> {
        if self.source != MAGNATAGATUNE || self.subset == ALL {
            return Vec::new();
        }
        self.subset.split(',').map(str::to_owned).collect()
    }
    pub fn flags_that_drop(&self) -> Vec<Flag> {
        self.drop.iter().filter_map(|word| word.parse().ok()).collect()
    }
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec_pretty(self).expect("plain data always serializes");
        json.push(b'\n');
        json
    }

    /// The plan of the whole build that this part belongs to.
    pub fn without_part(&self) -> Self {
        Self {
            part: None,
            ..self.clone()
        }
    }

    /// Differences other than the tracks. If there are any, a data set with the earlier plan cannot grow into this one.
    pub fn differences_in_kind(&self, earlier: &Self) -> Vec<String> {
        let as_large = Self {
            tracks: self.tracks,
            sources_blake3: self.sources_blake3.clone(),
            ..earlier.clone()
        };
        self.differences(&as_large)
    }

    /// Describes each difference between an earlier plan and this one; empty if they are equal.
    pub fn differences(&self, earlier: &Self) -> Vec<String> {
        let value = |plan: &Self| serde_json::to_value(plan).expect("plain data always serializes");
        let mut found = Vec::new();
        compare("", &value(earlier), &value(self), &mut found);
        found
    }
}

fn compare(name: &str, earlier: &Value, now: &Value, found: &mut Vec<String>) {
    match (earlier, now) {
        (Value::Object(earlier), Value::Object(now)) => {
            let keys: BTreeSet<&String> = earlier.keys().chain(now.keys()).collect();
            let setting = |plan: &Map<String, Value>, key: &String| plan.get(key).cloned().unwrap_or(Value::Null);
            for key in keys {
                compare(key, &setting(earlier, key), &setting(now, key), found);
            }
        }
        _ if earlier == now => {}
        _ if name == "sources_blake3" => found.push("the source's table or files changed".into()),
        _ => {
            let text = |value: &Value| match value {
                Value::Null => "unset".to_owned(),
                value => value.to_string(),
            };
            found.push(format!("{name} was {} and is now {}", text(earlier), text(now)));
        }
    }
}

/// The fields of a track that go into the checksum.
#[derive(Serialize)]
struct Described<'a> {
    track_id: u64,
    path: &'a str,
    genre: Option<&'a String>,
    artist: Option<&'a String>,
    album: Option<&'a String>,
    official_split: Option<Set>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    more_labels: &'a [String],
}

impl<'a> Described<'a> {
    fn new(track: &'a TrackSource) -> Self {
        Self {
            track_id: track.track_id,
            path: &track.path,
            genre: track.labels.first(),
            artist: track.artist.as_ref(),
            album: track.album.as_ref(),
            official_split: track.official_split,
            more_labels: track.labels.get(1..).unwrap_or_default(),
        }
    }
}

/// Checksum of a source's listing and file sizes. It changes if a file is replaced by one of another size, but not if
/// files are only copied.
pub fn sources_blake3(listing: &Listing, sizes: &[Option<u64>]) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut add = |entry: serde_json::Result<Vec<u8>>| {
        hasher.update(&entry.expect("plain data always serializes"));
    };
    for (track, bytes) in listing.tracks.iter().zip(sizes) {
        add(serde_json::to_vec(&(Described::new(track), bytes)));
    }
    for track in &listing.unlabelled {
        add(serde_json::to_vec(&Described::new(track)));
    }
    add(serde_json::to_vec(&listing.unlisted));
    hasher.finalize().to_hex().to_string()
}

#[cfg(test)]
impl BuildPlan {
    pub(super) fn example() -> Self {
        Self {
            source: "fma".into(),
            subset: "small".into(),
            preset: None,
            features: FeatureConfig::default(),
            validate: ValidateConfig::default(),
            decoders: "one 1".into(),
            drop: vec!["duplicate".into()],
            tracks: 7,
            sources_blake3: "ab".into(),
            part: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_difference_is_named() {
        assert_eq!(BuildPlan::example().differences(&BuildPlan::example()), [""; 0]);
        let mut now = BuildPlan::example();
        now.validate.min_decoded_share = 0.5;
        now.drop.clear();
        now.sources_blake3 = "cd".into();
        now.decoders = "one 2".into();
        assert_eq!(
            now.differences(&BuildPlan::example()),
            [
                "decoders was \"one 1\" and is now \"one 2\"",
                "drop was [\"duplicate\"] and is now []",
                "the source's table or files changed",
                "min_decoded_share was 0.9 and is now 0.5",
            ]
        );
        assert!(BuildPlan::example().drops(Flag::Duplicate) && !BuildPlan::example().drops(Flag::NearSilent));
        let part = BuildPlan {
            part: Some("2/4".parse().unwrap()),
            ..BuildPlan::example()
        };
        assert_eq!(
            part.differences(&BuildPlan::example()),
            ["part was unset and is now \"2/4\""]
        );
        assert_eq!(
            BuildPlan::example().differences(&part),
            ["part was \"2/4\" and is now unset"]
        );
        assert_eq!(part.without_part(), BuildPlan::example());
    }

    #[test]
    fn tags_are_the_requested_ones() {
        let tagged = |subset: &str| BuildPlan {
            source: "magnatagatune".into(),
            subset: subset.into(),
            ..BuildPlan::example()
        };
        assert_eq!(tagged("guitar,no voice").tags(), ["guitar", "no voice"]);
        assert_eq!(tagged("all").tags(), [""; 0]);
        assert_eq!(BuildPlan::example().tags(), [""; 0]);
    }

    #[test]
    fn differences_in_kind_ignore_the_tracks() {
        let grown = BuildPlan {
            tracks: 9,
            sources_blake3: "cd".into(),
            ..BuildPlan::example()
        };
        assert_eq!(grown.differences(&BuildPlan::example()).len(), 2);
        assert_eq!(grown.differences_in_kind(&BuildPlan::example()), [""; 0]);
        let mut other = grown;
        other.subset = "large".into();
        other.decoders = "one 2".into();
        assert_eq!(other.differences_in_kind(&BuildPlan::example()).len(), 2);
    }

    #[test]
    fn checksum_depends_on_descriptions_and_sizes() {
        let mut listing = Listing {
            tracks: vec![TrackSource {
                track_id: 2,
                path: "2.mp3".into(),
                labels: vec!["Pop".into()],
                ..TrackSource::default()
            }],
            ..Listing::default()
        };
        let missing = sources_blake3(&listing, &[None]);
        let present = sources_blake3(&listing, &[Some(3)]);
        assert_ne!(missing, present);
        let described =
            r#"[{"track_id":2,"path":"2.mp3","genre":"Pop","artist":null,"album":null,"official_split":null},3][]"#;
        assert_eq!(present, blake3::hash(described.as_bytes()).to_hex().as_str());
        let mut checksums = vec![present];
        let mut changed = |change: fn(&mut Listing)| {
            change(&mut listing);
            let checksum = sources_blake3(&listing, &[Some(3)]);
            assert!(!checksums.contains(&checksum));
            checksums.push(checksum);
        };
        changed(|listing| listing.tracks[0].labels.push("Rock".into()));
        changed(|listing| listing.tracks[0].labels.clear());
        changed(|listing| listing.unlabelled = listing.tracks.clone());
    }
}
