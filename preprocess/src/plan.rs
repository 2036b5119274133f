//! What a build is made from and how: written into the directory before work starts, kept as `build.json` in the finished
//! data set. A rerun with anything else is told what differs.

use crate::source::Listing;
use crate::validate::ValidateConfig;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::features::FeatureConfig;
use shared::manifest::Flag;
use std::fs;
use std::path::Path;

/// Everything that decides what a build's output is. The number of jobs does not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuildPlan {
    /// The source's name: `fma`.
    pub source: String,
    /// The part of it: `small`.
    pub subset: String,
    /// The preset that the result is compared with.
    pub preset: Option<String>,
    /// How mel spectrograms are made.
    pub features: FeatureConfig,
    /// What a track must have.
    pub validate: ValidateConfig,
    /// Flags whose tracks are dropped, by their words in `tracks.csv`.
    pub drop: Vec<String>,
    /// Tracks in the source.
    pub tracks: usize,
    /// BLAKE3 of the tracks' descriptions and of the sizes of their files.
    pub sources_blake3: String,
}

impl BuildPlan {
    /// Whether tracks with this flag are dropped.
    pub fn drops(&self, flag: Flag) -> bool {
        self.drop.iter().any(|word| word == flag.name())
    }

    /// The document.
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec_pretty(self).expect("plain data always serializes");
        json.push(b'\n');
        json
    }

    /// What differs between the plan of an earlier build and this one, in words; empty when they are the same.
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
            for (key, value) in now {
                compare(key, earlier.get(key).unwrap_or(&Value::Null), value, found);
            }
        }
        _ if earlier == now => {}
        _ if name == "sources_blake3" => found.push("the source's table or files have changed".into()),
        _ => found.push(format!("{name} was {earlier} and is now {now}")),
    }
}

/// A checksum over what a source lists and over the sizes of the files, so that a file that was replaced is noticed and
/// one that was merely copied is not.
pub fn sources_blake3(listing: &Listing, audio: &Path) -> String {
    let mut hasher = blake3::Hasher::new();
    for track in &listing.tracks {
        let bytes = fs::metadata(audio.join(&track.path))
            .ok()
            .map(|metadata| metadata.len());
        let entry = serde_json::to_vec(&(track, bytes)).expect("plain data always serializes");
        hasher.update(&entry);
    }
    hasher.update(&serde_json::to_vec(&listing.unlisted).expect("plain data always serializes"));
    hasher.finalize().to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::TrackSource;

    fn plan() -> BuildPlan {
        BuildPlan {
            source: "fma".into(),
            subset: "small".into(),
            preset: None,
            features: FeatureConfig::default(),
            validate: ValidateConfig::default(),
            drop: vec!["duplicate".into()],
            tracks: 7,
            sources_blake3: "ab".into(),
        }
    }

    #[test]
    fn each_difference_is_named() {
        assert_eq!(plan().differences(&plan()), [""; 0]);
        let mut now = plan();
        now.validate.min_decoded_share = 0.5;
        now.drop.clear();
        now.sources_blake3 = "cd".into();
        assert_eq!(
            now.differences(&plan()),
            [
                "drop was [\"duplicate\"] and is now []",
                "the source's table or files have changed",
                "min_decoded_share was 0.9 and is now 0.5",
            ]
        );
        assert!(plan().drops(Flag::Duplicate) && !plan().drops(Flag::NearSilent));
    }

    #[test]
    fn the_checksum_follows_descriptions_and_sizes() {
        let audio = tempfile::tempdir().unwrap();
        let mut listing = Listing {
            tracks: vec![TrackSource {
                track_id: 2,
                path: "2.mp3".into(),
                genre: Some("Pop".into()),
                artist: None,
                album: None,
                official_split: None,
            }],
            unlisted: Vec::new(),
        };
        let missing = sources_blake3(&listing, audio.path());
        fs::write(audio.path().join("2.mp3"), b"abc").unwrap();
        let present = sources_blake3(&listing, audio.path());
        fs::write(audio.path().join("2.mp3"), b"xyz").unwrap();
        assert_eq!(sources_blake3(&listing, audio.path()), present);
        assert_ne!(missing, present);
        listing.tracks[0].genre = None;
        assert_ne!(sources_blake3(&listing, audio.path()), present);
    }
}
