//! Warnings about a source's labels: near-identical names, names that mean a missing value, labels without a kept
//! track.

use crate::source::Listing;
use icu_normalizer::ComposingNormalizer;
use shared::dataset::{DatasetIndex, Task};
use std::collections::{BTreeMap, BTreeSet};

/// Words that spreadsheets and data frames write for a missing value, in lower case.
const MISSING_VALUES: [&str; 4] = ["nan", "none", "null", "n/a"];

/// Compares the labels of a source and the requested labels with those of the built data set.
pub fn all(listing: &Listing, requested: &[String], index: &DatasetIndex) -> Vec<String> {
    let (tracks, (noun, _)) = (count(listing), nouns(index.task));
    let mut found = of_labels(listing, index.task);
    if index.kept > 0 {
        let expected = tracks.keys().copied().chain(requested.iter().map(String::as_str));
        found.extend(without_tracks(noun, expected, &index.classes));
    }
    found
}

/// Warnings that need no data set.
pub fn of_labels(listing: &Listing, task: Task) -> Vec<String> {
    let (tracks, (noun, plural)) = (count(listing), nouns(task));
    let mut found = near_identical(plural, tracks.keys().copied());
    if task == Task::SingleLabel {
        found.extend(only_class(&tracks));
    }
    found.extend(missing_values(noun, &tracks));
    found
}

/// Tracks per label.
fn count(listing: &Listing) -> BTreeMap<&str, usize> {
    let mut tracks = BTreeMap::new();
    for label in listing.tracks.iter().flat_map(|track| &track.labels) {
        *tracks.entry(label.as_str()).or_default() += 1;
    }
    tracks
}

/// The singular and the plural of a label.
pub fn nouns(task: Task) -> (&'static str, &'static str) {
    match task {
        Task::SingleLabel => ("class", "classes"),
        Task::MultiLabel => ("tag", "tags"),
    }
}

/// Labels that differ only in case, in leading or trailing space, or in the Unicode encoding of accented letters.
fn near_identical<'a>(plural: &str, labels: impl Iterator<Item = &'a str>) -> Vec<String> {
    let nfc = ComposingNormalizer::new_nfc();
    let mut alike: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for label in labels {
        let key = nfc.normalize(label.trim()).to_lowercase();
        alike.entry(nfc.normalize(&key).into_owned()).or_default().push(label);
    }
    let several = alike.into_values().filter(|labels| labels.len() > 1);
    several
        .map(|labels| {
            // Two encodings of a letter look the same when printed, so they are escaped.
            let encoded_twice = labels
                .iter()
                .enumerate()
                .any(|(at, label)| labels[..at].iter().any(|other| nfc.normalize(label) == nfc.normalize(other)));
            let (names, difference) = if encoded_twice {
                let escaped = labels.iter().map(|label| format!("`{label}` ({})", label.escape_default()));
                (joined(escaped), "the Unicode encoding of their letters")
            } else {
                (joined(labels.iter().map(|label| format!("`{label}`"))), "upper and lower case or spaces")
            };
            format!(
                "the labels {names} differ only in {difference} and count as different {plural}; rename them if they mean the \
                 same"
            )
        })
        .collect()
}

/// The class of all tracks.
fn only_class(tracks: &BTreeMap<&str, usize>) -> Option<String> {
    let (class, _) = tracks.first_key_value().filter(|_| tracks.len() == 1)?;
    Some(format!(
        "all tracks are of the class `{class}`; a classifier needs two or more classes"
    ))
}

/// Labels that mean a missing value.
fn missing_values(noun: &str, tracks: &BTreeMap<&str, usize>) -> Vec<String> {
    let is_missing = |label: &str| MISSING_VALUES.contains(&label.trim().to_lowercase().as_str());
    let found = tracks.iter().filter(|(label, _)| is_missing(label));
    found
        .map(|(label, count)| {
            let tracks = if *count == 1 { "track has" } else { "tracks have" };
            format!(
                "{count} {tracks} the label `{label}`, which usually means a missing value but counts as a {noun} here; \
                 remove it from the source if it is not a real {noun}"
            )
        })
        .collect()
}

/// Labels that no kept track has.
fn without_tracks<'a>(noun: &str, expected: impl Iterator<Item = &'a str>, kept: &[String]) -> Option<String> {
    let kept: BTreeSet<&str> = kept.iter().map(String::as_str).collect();
    let lost: BTreeSet<&str> = expected.filter(|label| !kept.contains(label)).collect();
    let names = joined(lost.iter().map(|label| format!("`{label}`")));
    (!lost.is_empty()).then(|| {
        format!(
            "no track of {names} was kept, so the data set has no such {noun}; rejected.csv has the reason for each track"
        )
    })
}

fn joined(names: impl Iterator<Item = String>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alike(labels: &[&str]) -> Vec<String> {
        near_identical("classes", labels.iter().copied())
    }

    #[test]
    fn labels_that_differ_in_case_or_encoding_are_both_named() {
        let found = alike(&["Dub", "Rock", "rock", "rock "]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].contains("`Rock`, `rock`, `rock `") && found[0].contains("upper and lower case"),
            "{found:?}"
        );
        let found = alike(&["Caf\u{e9}", "Cafe\u{301}", "Cafe"]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].contains(r"(Caf\u{e9})") && found[0].contains(r"(Cafe\u{301})"),
            "{found:?}"
        );
        // Both at once.
        assert_eq!(alike(&["CAF\u{c9}", "cafe\u{301}"]).len(), 1);
        assert_eq!(
            alike(&["Caf\u{e9}", "Cafe", "Rock", "Rocks", "Hip-Hop", "Hip Hop"]),
            [""; 0]
        );
    }

    #[test]
    fn single_class_is_named() {
        let mut tracks = BTreeMap::from([("Dub", 7)]);
        assert!(only_class(&tracks).is_some_and(|warning| warning.contains("of the class `Dub`")));
        tracks.insert("Rock", 1);
        assert_eq!(only_class(&tracks), None);
    }

    #[test]
    fn labels_that_mean_missing_are_counted() {
        let tracks = BTreeMap::from([("NaN", 7), ("None", 1), ("Nonet", 2), ("null", 3)]);
        let found = missing_values("class", &tracks);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].starts_with("7 tracks have the label `NaN`"), "{found:?}");
    }

    #[test]
    fn labels_without_a_kept_track_are_named_once() {
        let kept = ["guitar".to_owned()];
        let found = without_tracks("tag", ["guitar", "dub", "techno", "dub"].into_iter(), &kept).unwrap();
        assert!(found.starts_with("no track of `dub`, `techno` was kept"), "{found}");
        assert_eq!(without_tracks("tag", ["guitar"].into_iter(), &kept), None);
    }
}
