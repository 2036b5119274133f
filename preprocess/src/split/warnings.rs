//! Warnings about a new split: missing classes, unknown artists, leaks, and mel bands that hardly vary.

use super::audit;
use super::divided::DividedDataset;
use super::groups::GroupBy;
use super::missing::{Advisor, Request, describe, missing};
use super::strategy::{Method, Strategy};
use shared::dataset::split::{LeakAudit, Set, Split};
use std::collections::BTreeSet;

pub(super) fn for_split(dataset: &DividedDataset<'_>, strategy: &Strategy, split: &Split) -> Vec<String> {
    let lacking = Set::ALL.map(|set| (format!("the {} set", set.name()), missing(&split.index, set)));
    let mut warnings = match *strategy {
        Strategy::Drawn { method, ratios, seed } => {
            let request = Request::Ratios(ratios.shares());
            let advisor = || Advisor::new(&dataset.tracks, method, seed);
            missing_classes(dataset, &lacking, |classes| advisor().advice(classes, request))
        }
        Strategy::Official => missing_classes(dataset, &lacking, |_| Vec::new()),
    };
    if let Strategy::Drawn { method, .. } = *strategy {
        warnings.extend(unknown_artists(dataset, method, &split.index.leaks));
    }
    warnings.extend(leaks(&[split]));
    warnings.extend(constant_bands(dataset, split));
    warnings
}

pub(super) fn for_folds(
    dataset: &DividedDataset<'_>,
    method: Method,
    folds: usize,
    seed: u64,
    splits: &[Split],
) -> Vec<String> {
    // Each validation set is the test set of another fold.
    let lacking: Vec<(String, Vec<&str>)> = splits
        .iter()
        .flat_map(|split| {
            [Set::Train, Set::Test].map(|set| {
                let name = format!("the {} set of {}", set.name(), split.index.name);
                (name, missing(&split.index, set))
            })
        })
        .collect();
    let advisor = || Advisor::new(&dataset.tracks, method, seed);
    let request = Request::Folds(folds);
    let mut warnings = missing_classes(dataset, &lacking, |classes| advisor().advice(classes, request));
    if let Some(first) = splits.first() {
        warnings.extend(unknown_artists(dataset, method, &first.index.leaks));
        warnings.extend(leaks(&splits.iter().collect::<Vec<_>>()));
        warnings.extend(constant_bands(dataset, first));
    }
    warnings
}

/// A warning for each set that lacks classes, and advice for all of them.
fn missing_classes(
    dataset: &DividedDataset<'_>,
    lacking: &[(String, Vec<&str>)],
    advice: impl FnOnce(&[&str]) -> Vec<String>,
) -> Vec<String> {
    let lacking = lacking.iter().filter(|(_, classes)| !classes.is_empty());
    let classes: BTreeSet<&str> = lacking.clone().flat_map(|(_, classes)| classes).copied().collect();
    let mut warnings: Vec<String> = lacking
        .map(|(set, classes)| format!("{set} has {}", describe(classes, dataset.index.classes.len())))
        .collect();
    if !warnings.is_empty() {
        warnings.extend(advice(&Vec::from_iter(classes)));
    }
    warnings
}

/// Tracks that a grouped division cannot keep together.
fn unknown_artists(dataset: &DividedDataset<'_>, method: Method, leaks: &LeakAudit) -> Option<String> {
    let by_artist = method.group_by().is_some_and(|by| by != GroupBy::Recording);
    (by_artist && leaks.unknown_artists > 0).then(|| {
        format!(
            "the artist of {} of {} tracks is unknown, so these tracks were not grouped by artist",
            leaks.unknown_artists,
            dataset.tracks.len()
        )
    })
}

/// Artists, albums and recordings in more than one set, of one split or of any fold.
fn leaks(splits: &[&Split]) -> impl Iterator<Item = String> {
    let kinds = ["artist", "album", "recording"].into_iter();
    let kinds = kinds.zip(audit::leaking(splits.iter().copied()));
    kinds.filter_map(|(what, names)| {
        let first = names.first()?;
        let (plural, verb) = if names.len() == 1 { ("", "is") } else { ("s", "are") };
        Some(format!(
            "{} {what}{plural} {verb} in more than one set, for example {first}; split.json lists all",
            names.len()
        ))
    })
}

fn constant_bands(dataset: &DividedDataset<'_>, split: &Split) -> Option<String> {
    let constant = &split.normalization.constant_bands;
    let ([first, .., last] | [first @ last]) = constant.as_slice() else {
        return None;
    };
    Some(format!(
        "{} of {} mel bands, between {first} and {last}, hardly vary in the training set; normalization.json lists them",
        constant.len(),
        dataset.index.features.n_mels
    ))
}
