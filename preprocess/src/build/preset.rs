//! Known data sets, described in `data-manifests`, and warnings about builds that differ from them.
//!
//! A difference is a warning and never an error, because a collection may have changed.

use crate::source::Listing;
use crate::source::fma::Subset;
use serde::Deserialize;
use serde::de::IgnoredAny;
use shared::dataset::manifest::{Flag, RejectedRow, TrackRow};
use shared::dsp::features::FeatureConfig;
use std::collections::{BTreeMap, HashMap, HashSet};

const FMA_SMALL: &str = include_str!("../../../data-manifests/fma_small.toml");
const MAGNATAGATUNE: &str = include_str!("../../../data-manifests/magnatagatune.toml");
const GTZAN: &str = include_str!("../../../data-manifests/gtzan.toml");

/// A known data set.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    pub name: String,
    pub source: String,
    pub subset: Option<Subset>,
    #[serde(default)]
    pub tags: Vec<String>,
    /// Tracks in the source, including those without a label.
    pub tracks: usize,
    /// Tracks that a build keeps.
    pub kept: usize,
    /// Minimum samples of a track, if it is not the length of a clip.
    pub min_samples: Option<u64>,
    /// Tracks with the same samples as another track; `None` if unknown.
    pub duplicate_pairs: Option<usize>,
    /// Ids of nearly silent tracks; `None` if unknown.
    pub near_silent: Option<Vec<u64>>,
    #[serde(default)]
    pub archives: Vec<Archive>,
    /// Results of training runs, which only `train` reads.
    #[serde(default)]
    pub from_scratch: Option<IgnoredAny>,
    /// Tracks per class; empty if unknown.
    #[serde(default)]
    pub classes: BTreeMap<String, usize>,
    #[serde(default)]
    pub bad: Vec<BadTrack>,
    /// Settings of the mel spectrograms, if not [`FeatureConfig::default`].
    pub features: Option<FeatureConfig>,
}
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Archive {
    pub name: String,
    pub url: String,
    /// Size, if known.
    pub bytes: Option<u64>,
    /// SHA-1 as 40 hexadecimal digits, if known.
    pub sha1: Option<String>,
}

/// A track that is known to be unusable.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BadTrack {
    pub track_id: u64,
    pub fault: Fault,
    /// Description of the fault.
    pub note: String,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    TooShort,
    Undecodable,
}

impl Fault {
    /// The reason codes that a build may give for it.
    fn codes(self) -> &'static [&'static str] {
        match self {
            Self::TooShort => &["too_short"],
            Self::Undecodable => &[
                "empty_file",
                "not_audio",
                "no_frames",
                "unsupported_format",
                "low_decoded_share",
                "too_short",
                "decoder_panic",
                "decoder_stalled",
            ],
        }
    }
}

impl Preset {
    pub fn fma_small() -> Self {
        Self::compiled_in(FMA_SMALL)
    }
    pub fn magnatagatune() -> Self {
        Self::compiled_in(MAGNATAGATUNE)
    }
    pub fn gtzan() -> Self {
        Self::compiled_in(GTZAN)
    }
    pub fn named(name: &str) -> Option<Self> {
        let known = [Self::fma_small(), Self::magnatagatune(), Self::gtzan()];
        known.into_iter().find(|preset| preset.name == name)
    }

    fn compiled_in(manifest: &str) -> Self {
        toml::from_str(manifest).expect("the manifests are compiled in and a test reads each")
    }

    /// Describes how a finished build differs from the manifest, in a fixed order.
    pub fn differences(&self, listing: &Listing, kept: &[TrackRow], rejected: &[RejectedRow]) -> Vec<String> {
        let name = &self.name;
        let mut found = Vec::new();
        let mut expect = |what: &str, expected: usize, actual: usize| {
            if expected != actual {
                found.push(format!("{name} should have {expected} {what} but has {actual}"));
            }
        };
        expect(
            "tracks in its source",
            self.tracks,
            listing.tracks.len() + listing.unlabelled.len(),
        );
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        if !self.classes.is_empty() {
            for label in listing.tracks.iter().flat_map(|track| &track.labels) {
                *counts.entry(label).or_default() += 1;
            }
        }
        for (class, &expected) in &self.classes {
            expect(
                &format!("{class} tracks in its source"),
                expected,
                counts.remove(class.as_str()).unwrap_or(0),
            );
        }
        for (class, count) in counts {
            expect(&format!("tracks of the unknown class {class}"), 0, count);
        }
        expect("tracks that can be used", self.kept, kept.len());
        let duplicates = kept.iter().filter(|row| row.flags.contains(&Flag::Duplicate)).count()
            + rejected.iter().filter(|row| row.reason == "duplicate").count();
        if let Some(expected) = self.duplicate_pairs {
            expect("tracks with the same samples as another", expected, duplicates);
        }
        found.extend(self.bad_track_differences(listing, rejected));
        found.extend(self.near_silent_differences(kept, rejected));
        found
    }

    fn bad_track_differences(&self, listing: &Listing, rejected: &[RejectedRow]) -> Vec<String> {
        let listed: HashSet<u64> = listing.tracks.iter().map(|track| track.track_id).collect();
        let reasons: HashMap<u64, &RejectedRow> = rejected
            .iter()
            .filter_map(|row| Some((row.track_id?, row)))
            .filter(|(track_id, _)| listed.contains(track_id))
            .collect();
        let known: HashMap<u64, &BadTrack> = self.bad.iter().map(|bad| (bad.track_id, bad)).collect();
        let mut found = Vec::new();
        for bad in &self.bad {
            let (id, note) = (bad.track_id, &bad.note);
            match reasons.get(&id) {
                None if listed.contains(&id) => {
                    found.push(format!("track {id} is known to be bad ({note}) but was kept"));
                }
                None => found.push(format!("track {id}, known to be bad ({note}), is not in the source")),
                Some(row) if !bad.fault.codes().contains(&row.reason.as_str()) => found.push(format!(
                    "track {id} is known to be bad ({note}) but was dropped for another reason: {}",
                    row.detail
                )),
                Some(_) => {}
            }
        }
        let mut unexpected: Vec<_> = reasons
            .into_iter()
            .filter(|(track_id, row)| !known.contains_key(track_id) && !is_flag(&row.reason))
            .collect();
        unexpected.sort_by_key(|(track_id, _)| *track_id);
        found.extend(
            unexpected
                .into_iter()
                .map(|(track_id, row)| format!("track {track_id} should be usable but was dropped: {}", row.detail)),
        );
        found
    }

    fn near_silent_differences(&self, kept: &[TrackRow], rejected: &[RejectedRow]) -> Vec<String> {
        let Some(expected) = &self.near_silent else {
            return Vec::new();
        };
        let mut actual: Vec<u64> = kept
            .iter()
            .filter(|row| row.flags.contains(&Flag::NearSilent))
            .map(|row| row.track_id)
            .chain(
                rejected
                    .iter()
                    .filter(|row| row.reason == "near_silent")
                    .filter_map(|row| row.track_id),
            )
            .collect();
        actual.sort_unstable();
        if actual == *expected {
            return Vec::new();
        }
        vec![format!(
            "the nearly silent tracks of {} should be {expected:?} but are {actual:?}",
            self.name
        )]
    }
}

/// Whether a track was dropped because of `--drop`, which is not a fault of its file.
fn is_flag(reason: &str) -> bool {
    matches!(reason, "duplicate" | "near_silent")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::TrackSource;
    use crate::source::gtzan::GENRES;

    #[test]
    fn manifest_of_fma_small_is_consistent() {
        let preset = Preset::fma_small();
        assert_eq!(preset.name, "fma_small");
        assert_eq!(preset.classes.len(), 8);
        assert_eq!(preset.classes.values().sum::<usize>(), preset.tracks);
        assert_eq!(preset.tracks - preset.bad.len(), preset.kept);
        assert!(preset.near_silent.is_some_and(|tracks| tracks.is_sorted()));
        for archive in &preset.archives {
            assert_eq!(archive.sha1.as_ref().map(String::len), Some(40));
            assert!(archive.url.ends_with(&archive.name));
        }
    }

    #[test]
    fn manifest_of_magnatagatune_is_consistent() {
        let preset = Preset::magnatagatune();
        assert_eq!(
            (preset.name.as_str(), preset.source.as_str()),
            ("magnatagatune", "magnatagatune")
        );
        assert_eq!(preset.tags.len(), 10);
        assert!(preset.kept < preset.tracks);
        let features = preset.features.unwrap();
        assert_eq!(features.validate(), Ok(()));
        assert_eq!(features.clip_samples, 465_984);
        assert_eq!(preset.min_samples, Some(288 * u64::from(features.sample_rate) / 10));
        assert!(
            preset
                .archives
                .iter()
                .all(|archive| archive.url.ends_with(&archive.name))
        );
    }

    #[test]
    fn manifest_of_gtzan_is_consistent() {
        let preset = Preset::gtzan();
        assert_eq!((preset.name.as_str(), preset.source.as_str()), ("gtzan", "gtzan"));
        assert!(preset.classes.keys().eq(GENRES.iter()));
        assert_eq!(preset.classes.values().sum::<usize>(), preset.tracks);
        assert_eq!(preset.tracks - preset.bad.len(), preset.kept);
        let features = preset.features.unwrap();
        assert_eq!(features.validate(), Ok(()));
        assert_eq!(features.clip_frames(), 1366);
    }

    #[test]
    fn values_missing_from_a_manifest_are_not_compared() {
        let preset = Preset {
            tracks: 3,
            kept: 1,
            ..Preset::magnatagatune()
        };
        let listing = Listing {
            unlabelled: vec![source(5, "none")],
            ..listing(&[source(1, "guitar"), source(2, "techno")])
        };
        let kept = [row(1, vec![Flag::Duplicate, Flag::NearSilent])];
        assert_eq!(preset.differences(&listing, &kept, &[dropped(2, "duplicate")]), [""; 0]);
        let fewer = preset.differences(
            &Listing {
                unlabelled: vec![],
                ..listing
            },
            &kept,
            &[],
        );
        assert_eq!(fewer, ["magnatagatune should have 3 tracks in its source but has 2"]);
    }

    fn tiny() -> Preset {
        Preset {
            tracks: 3,
            kept: 2,
            duplicate_pairs: Some(0),
            near_silent: Some(vec![2]),
            from_scratch: None,
            classes: [("Pop".to_owned(), 2), ("Rock".to_owned(), 1)].into(),
            bad: vec![BadTrack {
                track_id: 3,
                fault: Fault::TooShort,
                note: "1.5 s".into(),
            }],
            ..Preset::fma_small()
        }
    }

    fn source(track_id: u64, genre: &str) -> TrackSource {
        TrackSource {
            track_id,
            path: format!("{track_id}.mp3"),
            labels: vec![genre.into()],
            ..TrackSource::default()
        }
    }

    fn listing(tracks: &[TrackSource]) -> Listing {
        Listing {
            tracks: tracks.to_vec(),
            ..Listing::default()
        }
    }

    fn row(track_id: u64, flags: Vec<Flag>) -> TrackRow {
        TrackRow {
            track_id,
            flags,
            ..TrackRow::default()
        }
    }

    fn dropped(track_id: u64, reason: &str) -> RejectedRow {
        RejectedRow {
            track_id: Some(track_id),
            reason: reason.into(),
            detail: "because".into(),
            ..RejectedRow::default()
        }
    }

    #[test]
    fn expected_build_has_no_differences() {
        let sources = [source(1, "Pop"), source(2, "Rock"), source(3, "Pop")];
        let kept = [row(1, vec![]), row(2, vec![Flag::NearSilent])];
        assert_eq!(
            tiny().differences(&listing(&sources), &kept, &[dropped(3, "too_short")]),
            [""; 0]
        );
    }

    #[test]
    fn each_difference_is_described() {
        let sources = [source(1, "Pop"), source(2, "Polka"), source(3, "Pop"), source(4, "Pop")];
        let kept = [row(1, vec![]), row(3, vec![Flag::Duplicate])];
        let differences = tiny().differences(
            &listing(&sources),
            &kept,
            &[dropped(2, "no_frames"), dropped(4, "duplicate")],
        );
        for expected in [
            "3 tracks in its source but has 4",
            "2 Pop tracks in its source but has 3",
            "1 Rock tracks in its source but has 0",
            "0 tracks of the unknown class Polka but has 1",
            "0 tracks with the same samples as another but has 2",
            "track 3 is known to be bad (1.5 s) but was kept",
            "track 2 should be usable but was dropped: because",
            "should be [2] but are []",
        ] {
            assert!(
                differences.iter().any(|sentence| sentence.contains(expected)),
                "{expected}: {differences:?}"
            );
        }
        assert_eq!(differences.len(), 8);
        let other_reason = tiny().differences(&listing(&sources), &kept, &[dropped(3, "io_error")]);
        assert!(
            other_reason
                .iter()
                .any(|sentence| sentence.contains("another reason: because"))
        );
        let absent = tiny().differences(&listing(&sources[..2]), &kept, &[]);
        assert!(absent.iter().any(|sentence| sentence.contains("is not in the source")));
    }
}
