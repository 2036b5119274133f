//! Warnings about a metric: leaks, selection on the same set, and too few tracks, artists or seeds.

use super::estimate::MetricEstimate;
use super::known_results::FromScratch;
use super::split_facts::SplitFacts;
use serde::Serialize;
use shared::dataset::split::Set;
use std::path::Path;

/// With a wider interval, models that differ by less than 0.1 cannot be distinguished.
const WIDE: f64 = 0.1;
/// With fewer groups, intervals of a cluster bootstrap are too narrow (A. C. Cameron, J. B. Gelbach and D. L. Miller,
/// Bootstrap-based improvements for inference with clustered errors, Review of Economics and Statistics 90, 2008: 5 to
/// 30).
const FEW_GROUPS: usize = 30;
/// With fewer seeds the standard deviation between seeds is unreliable: the 95 % confidence interval of the true one,
/// given four values, is 0.57 to 3.7 times the estimate (chi-squared distribution with 3 degrees of freedom).
const FEW_SEEDS: usize = 5;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Warning {
    pub code: &'static str,
    /// Whether the model was probably trained on evaluated artists or recordings, so the metric must not be compared.
    pub leak: bool,
    pub sentence: String,
}

/// The facts about a run, or a set of runs, that warnings depend on.
#[derive(Clone, Debug)]
pub(super) struct Facts<'a> {
    pub set: Set,
    /// Number of evaluated tracks.
    pub tracks: usize,
    /// The split, or why it is unknown.
    pub split: Result<&'a SplitFacts, &'a str>,
    /// Number of networks that the mean is taken over.
    pub networks: usize,
    /// Number of known artists; `None` if the bootstrap drew single tracks.
    pub artists: Option<usize>,
    /// Artists, and tracks of unknown artist, that the bootstrap drew from; or tracks.
    pub drawn: usize,
    pub metric: &'a MetricEstimate,
    /// The main metric of a constant guess.
    pub guessing: f64,
    /// Known results of training from scratch on this data set.
    pub from_scratch: Option<FromScratch>,
    pub init_from: Option<&'a Path>,
    /// The weights of an imported run.
    pub imported_from: Option<&'a str>,
    /// Number of epochs whose weights were evaluated on the test set; the maximum over the runs.
    pub tested_epochs: usize,
    /// Number of runs whose training has not finished.
    pub unfinished: usize,
}

pub(super) fn warnings(facts: &Facts<'_>) -> Vec<Warning> {
    let leaks = leaks(facts).map(|(code, sentence)| (code, true, sentence));
    let doubts = unknown_leaks(facts)
        .chain(selection(facts))
        .chain(width(facts))
        .chain(few_draws(facts));
    leaks
        .chain(doubts.map(|(code, sentence)| (code, false, sentence)))
        .map(|(code, leak, sentence)| Warning { code, leak, sentence })
        .collect()
}

type Reason = (&'static str, String);

/// Leaks, known or probable. An imported network was not trained on the split's training set.
fn leaks(facts: &Facts<'_>) -> impl Iterator<Item = Reason> {
    let split = facts.split.ok().filter(|_| facts.imported_from.is_none());
    let artists = split.filter(|split| split.overlap.artists > 0).map(|split| {
        let sentence = format!(
            "leaked: {} of {} tracks are by {} artists who also appear in another set of this {} split; make a split with \
             `preprocess split --strategy grouped`",
            split.overlap.artist_tracks, facts.tracks, split.overlap.artists, split.strategy
        );
        ("artist_overlap", sentence)
    });
    let recordings = split.filter(|split| split.overlap.recordings > 0).map(|split| {
        let sentence = format!(
            "leaked: {} recordings also appear in another set under other track ids; make a split with \
             `preprocess split --strategy grouped --group-by recording`",
            split.overlap.recordings
        );
        ("recordings", sentence)
    });
    let top1 = facts.metric.mean;
    let known = facts
        .from_scratch
        .filter(|known| facts.init_from.is_none() && facts.imported_from.is_none() && top1 > known.leaked_above);
    let above = known.map(|FromScratch { top1: [low, high], .. }| {
        let sentence = format!(
            "probably leaked: top-1 is {top1:.3}, and training from scratch reaches {low} to {high} on this data set"
        );
        ("above_known_band", sentence)
    });
    artists.into_iter().chain(recordings).chain(above)
}

/// Leaks that cannot be ruled out.
fn unknown_leaks(facts: &Facts<'_>) -> impl Iterator<Item = Reason> {
    let split = match facts.split {
        Err(reason) => Some((
            "split_unknown",
            format!(
                "leaks cannot be checked, and intervals treat tracks as independent: {reason}; if the data set was moved, give \
                 its path with --data"
            ),
        )),
        Ok(split) if split.overlap.tracks_without_artist > 0 && facts.imported_from.is_none() => Some((
            "artists_unknown",
            format!(
                "the artists of {} of {} tracks are unknown and may appear in several sets of this {} split",
                split.overlap.tracks_without_artist, facts.tracks, split.strategy
            ),
        )),
        Ok(_) => None,
    };
    let pretrained = facts.init_from.map(|weights| {
        let sentence = format!(
            "training started from {}, and these weights may have been trained on the evaluated tracks",
            weights.display()
        );
        ("pretrained", sentence)
    });
    let imported = facts.imported_from.map(|weights| {
        let sentence = format!(
            "imported from {weights}, not trained here: the weights may have been trained on the evaluated tracks"
        );
        ("imported", sentence)
    });
    split.into_iter().chain(pretrained).chain(imported)
}

/// The best epoch was selected on this set, or could have been, or training has not finished.
fn selection(facts: &Facts<'_>) -> impl Iterator<Item = Reason> {
    let chosen = (facts.set == Set::Val && facts.imported_from.is_none()).then(|| {
        let sentence =
            "validation metrics are too optimistic, because they selected the best epoch or classifier; evaluate the test set";
        ("chosen_on", sentence.to_owned())
    });
    let tested = (facts.set == Set::Test && facts.tested_epochs > 1).then(|| {
        let sentence = format!(
            "the test set was evaluated after {} different epochs; the best of these results is too optimistic",
            facts.tested_epochs
        );
        ("tested_repeatedly", sentence)
    });
    let unfinished = (facts.unfinished > 0).then(|| {
        let which = match facts.networks {
            1 => String::new(),
            networks => format!(" for {} of {networks} seeds", facts.unfinished),
        };
        (
            "unfinished",
            format!("training has not finished{which}; continue with --resume"),
        )
    });
    [chosen, tested, unfinished].into_iter().flatten()
}

/// Intervals that are wide, missing, or do not exclude guessing.
fn width(facts: &Facts<'_>) -> impl Iterator<Item = Reason> {
    let name = facts.metric.name;
    let by = match facts.artists {
        Some(artists) => format!("{} tracks of {artists} {}", facts.tracks, known_artists(facts, artists)),
        None => format!("{} tracks", facts.tracks),
    };
    let width = match facts.metric.interval {
        None => Some((
            "no_interval",
            format!("{name} has no interval, because {by} are too few"),
        )),
        Some([low, high]) if high - low > WIDE => {
            let width = high - low;
            let sentence = format!("the interval of {name} is {width:.2} wide, because only {by} were evaluated");
            Some(("few_tracks", sentence))
        }
        // All predictions are right, or all are wrong, so all resamples are equal. By the rule of three the true
        // fraction may still differ by 3 / n (J. A. Hanley and A. Lippman-Hand, JAMA 249, 1983).
        Some([low, high]) if low == high => {
            let off = (3.0 / facts.drawn as f64).min(1.0);
            Some((
                "all_alike",
                format!("{name} is equal in all resamples of {by}, but the true value may differ by {off:.2}"),
            ))
        }
        Some(_) => None,
    };
    let guessing = facts
        .metric
        .interval
        .filter(|[low, _]| *low <= facts.guessing)
        .map(|[low, _]| {
            let sentence = format!(
                "not shown to be better than guessing: guessing gives a {name} of {:.3}, and the interval starts at {low:.3}",
                facts.guessing
            );
            ("guessing", sentence)
        });
    width.into_iter().chain(guessing)
}

/// `known artists` if some tracks have an unknown one.
fn known_artists(facts: &Facts<'_>, artists: usize) -> &'static str {
    if artists < facts.drawn {
        "known artists"
    } else {
        "artists"
    }
}

/// Too few artists or seeds for the bootstrap.
fn few_draws(facts: &Facts<'_>) -> impl Iterator<Item = Reason> {
    let artists = facts.artists.filter(|artists| *artists < FEW_GROUPS).map(|artists| {
        let what = known_artists(facts, artists);
        let sentence = format!(
            "intervals are too narrow, because there are only {artists} {what}; {FEW_GROUPS} or more are needed"
        );
        ("few_artists", sentence)
    });
    let seeds = (2..FEW_SEEDS).contains(&facts.networks).then(|| {
        let sentence = format!(
            "the variation between seeds is uncertain, because there are only {} seeds; {FEW_SEEDS} or more are needed",
            facts.networks
        );
        ("few_seeds", sentence)
    });
    artists.into_iter().chain(seeds)
}

#[cfg(test)]
mod tests {
    use super::super::split_facts::Overlap;
    use super::*;
    use std::collections::BTreeSet;

    const METRIC: MetricEstimate = MetricEstimate {
        name: "top-1",
        mean: 0.51,
        standard_deviation: None,
        interval: Some([0.47, 0.55]),
    };

    fn facts<'a>(split: &'a SplitFacts, metric: &'a MetricEstimate) -> Facts<'a> {
        Facts {
            set: Set::Test,
            tracks: 800,
            split: Ok(split),
            networks: 1,
            artists: Some(160),
            drawn: 160,
            metric,
            guessing: 0.125,
            from_scratch: Some(FromScratch {
                top1: [0.48, 0.53],
                leaked_above: 0.6,
            }),
            init_from: None,
            imported_from: None,
            tested_epochs: 1,
            unfinished: 0,
        }
    }

    fn codes(facts: &Facts<'_>) -> Vec<&'static str> {
        warnings(facts).iter().map(|warning| warning.code).collect()
    }

    #[test]
    fn each_problem_has_its_own_documented_warning() {
        type Change = fn(&mut Facts<'_>);
        let changes: [(&str, Change); 9] = [
            ("split_unknown", |facts| facts.split = Err("it is gone")),
            ("chosen_on", |facts| facts.set = Set::Val),
            ("tested_repeatedly", |facts| facts.tested_epochs = 2),
            ("unfinished", |facts| facts.unfinished = 1),
            ("guessing", |facts| facts.guessing = 0.5),
            ("few_artists", |facts| facts.artists = Some(29)),
            ("few_seeds", |facts| facts.networks = 4),
            ("pretrained", |facts| facts.init_from = Some(Path::new("a.pt"))),
            ("imported", |facts| facts.imported_from = Some("a.pt")),
        ];
        let split = SplitFacts::default();
        let mut all = BTreeSet::new();
        assert_eq!(codes(&facts(&split, &METRIC)), [""; 0]);
        for (code, change) in changes {
            let mut facts = facts(&split, &METRIC);
            change(&mut facts);
            assert_eq!(codes(&facts), [code]);
            all.insert(code);
        }
        let overlap = |artists, recordings, tracks_without_artist| Overlap {
            artists,
            artist_tracks: artists,
            recordings,
            tracks_without_artist,
        };
        for (code, overlap) in [
            ("artist_overlap", overlap(3, 0, 0)),
            ("recordings", overlap(0, 1, 0)),
            ("artists_unknown", overlap(0, 0, 800)),
        ] {
            let split = SplitFacts {
                overlap,
                ..split.clone()
            };
            assert_eq!(codes(&facts(&split, &METRIC)), [code]);
            all.insert(code);
        }
        for (code, mean, interval) in [
            ("few_tracks", 0.51, Some([0.45, 0.56])),
            ("no_interval", 0.51, None),
            ("all_alike", 0.51, Some([0.55, 0.55])),
            ("above_known_band", 0.61, METRIC.interval),
        ] {
            let metric = MetricEstimate {
                mean,
                interval,
                ..METRIC
            };
            assert_eq!(codes(&facts(&split, &metric)), [code]);
            all.insert(code);
        }
        let page = include_str!("../../../docs/reference/train.md");
        let (_, table) = page.split_once("| warning |").unwrap();
        let rows = table
            .split("\n\n")
            .next()
            .unwrap()
            .lines()
            .filter_map(|row| row.strip_prefix("| `"));
        let documented: BTreeSet<&str> = rows.map(|row| row.split('`').next().unwrap()).collect();
        assert_eq!(documented, all);
    }

    #[test]
    fn high_metrics_are_suspicious_only_if_results_from_scratch_are_known() {
        let (split, high) = (SplitFacts::default(), MetricEstimate { mean: 0.9, ..METRIC });
        let unknown = Facts {
            from_scratch: None,
            ..facts(&split, &high)
        };
        assert_eq!(codes(&unknown), [""; 0]);
        let pretrained = Facts {
            init_from: Some(Path::new("a.pt")),
            ..facts(&split, &high)
        };
        assert_eq!(codes(&pretrained), ["pretrained"]);
        let imported = Facts {
            imported_from: Some("a.pt"),
            ..facts(&split, &high)
        };
        assert_eq!(codes(&imported), ["imported"]);
    }
}
