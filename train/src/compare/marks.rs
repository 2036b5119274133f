//! What is suspicious about a figure, or makes it say less than it seems to. Facts enter, sentences leave.

use super::bootstrap::Interval;
use serde::Serialize;
use shared::dataset::split::{Leak, LeakAudit, Set};
use std::collections::BTreeSet;

/// An interval wider than this says little: systems that differ by less than 0.1 look alike.
const WIDE: f64 = 0.1;
/// Top-1 that trainings from scratch on the official split of fma_small, of 8 equal genres, are known to come to. The band
/// stands in this project's requirements.
const FMA_SMALL_BAND: [f64; 2] = [0.48, 0.53];
/// So far above that band a figure is more likely leaked than earned.
const FMA_SMALL_LEAKED: f64 = 0.60;
/// Below this many groups a cluster bootstrap is known to be too sure of itself (A. C. Cameron, J. B. Gelbach and D. L. Miller,
/// Bootstrap-based improvements for inference with clustered errors, Review of Economics and Statistics 90, 2008: 5 to 30).
const FEW_GROUPS: usize = 30;
/// With fewer seeds the spread between them is hardly known: the deviation of four figures is within a factor of 0.57 to 3.7
/// of the true one with 95 % confidence (the chi-squared distribution with 3 degrees of freedom).
const FEW_SEEDS: usize = 5;

/// One remark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// A word for scripts.
    pub code: &'static str,
    /// Whether the model may have seen what it is judged on: such a figure is not to be compared with others.
    pub leak: bool,
    /// For people.
    pub sentence: String,
}

/// What a split has in common between the judged set and those that training and the choice of the epoch saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Overlap {
    /// Artists of the judged set that are in another one.
    pub artists: usize,
    /// Judged tracks by them.
    pub artist_tracks: usize,
    /// Recordings of the judged set that are in another one under another id.
    pub recordings: usize,
    /// Judged tracks whose artist is not known, so that nothing can be said of them.
    pub tracks_without_artist: usize,
}

impl Overlap {
    /// What the audits of one split, or of all folds, say of one set.
    pub fn of<'a>(audits: impl Iterator<Item = &'a LeakAudit> + Clone, set: Set, tracks_without_artist: usize) -> Self {
        let shared = |leaks: fn(&LeakAudit) -> &Vec<Leak>| -> (usize, usize) {
            let (mut names, mut ids) = (BTreeSet::new(), BTreeSet::<u64>::new());
            for leak in audits.clone().flat_map(leaks) {
                if let Some(tracks) = leak.tracks.get(&set).filter(|_| leak.tracks.len() > 1) {
                    names.insert(&leak.name);
                    ids.extend(tracks);
                }
            }
            (names.len(), ids.len())
        };
        let (artists, artist_tracks) = shared(|audit| &audit.artists);
        Self {
            artists,
            artist_tracks,
            recordings: shared(|audit| &audit.recordings).0,
            tracks_without_artist,
        }
    }
}

/// What is known of a run, or a set of seeds, and its figures on one set.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The set.
    pub set: Set,
    /// Tracks judged.
    pub tracks: usize,
    /// How the split was made and what its sets share, or why that is not known.
    pub split: Result<(String, Overlap), String>,
    /// Networks whose figures are averaged.
    pub seeds: usize,
    /// Groups that were drawn, where they are not single tracks.
    pub groups: Option<usize>,
    /// Names, values and intervals of the figures, the main one first.
    pub figures: [(&'static str, f64, Option<Interval>); 2],
    /// The main figure of a guess that knows nothing of the music: the share of the commonest class, or half an area.
    pub guessing: f64,
    /// Whether the data set is fma_small itself: what was built with its preset and has the preset's counts.
    pub is_fma_small: bool,
    /// Weights that the run began with.
    pub init_from: Option<String>,
    /// Epochs whose weights have been judged on the test set so far, at most of the seeds.
    pub epochs_looked_at: usize,
    /// Seeds, or the run itself, whose training has not ended.
    pub unfinished: usize,
}

/// All that there is to remark.
pub fn marks(facts: &Facts) -> Vec<Mark> {
    let mut marks = leaks(facts);
    let mut add = |code, sentence: String| {
        marks.push(Mark {
            code,
            leak: false,
            sentence,
        });
    };
    if facts.set == Set::Val {
        let sentence =
            "figures of the validation set, on which the epoch was chosen, so they flatter; judge the test set";
        add("chosen_on", sentence.into());
    }
    if facts.set == Set::Test && facts.epochs_looked_at > 1 {
        add(
            "looks",
            format!(
                "the test set was looked at after {} different epochs; a choice between them by these figures would flatter",
                facts.epochs_looked_at
            ),
        );
    }
    if facts.unfinished > 0 {
        let sentence = if facts.seeds == 1 {
            "training has not ended; continue it with --resume".into()
        } else {
            format!(
                "training has not ended for {} of {} seeds; continue with --resume",
                facts.unfinished, facts.seeds
            )
        };
        add("unfinished", sentence);
    }
    let (name, _, interval) = facts.figures[0];
    let by = match facts.groups {
        Some(groups) => format!("{} tracks of {groups} artists", facts.tracks),
        None => format!("{} tracks", facts.tracks),
    };
    match interval {
        None => add(
            "no_interval",
            format!("judged by {by}: too few to say how sure {name} is"),
        ),
        Some([low, high]) if high - low > WIDE => {
            add(
                "few_tracks",
                format!("judged by {by}: the interval of {name} is {:.2} wide", high - low),
            );
        }
        // All right or all wrong: the bootstrap cannot imagine any other answer. By the rule of three the share may still
        // be off by 3 / n (J. A. Hanley and A. Lippman-Hand, JAMA 249, 1983).
        Some([low, high]) if low == high => {
            let independent = facts.groups.unwrap_or(facts.tracks);
            let off = (3.0 / independent as f64).min(1.0);
            add(
                "all_alike",
                format!("judged by {by}, all answered alike: {name} may be off by {off:.2} all the same"),
            );
        }
        Some(_) => {}
    }
    if let Some([low, _]) = interval.filter(|[low, _]| *low <= facts.guessing) {
        let sentence = format!(
            "not better than guessing: {name} of a guess is {:.3}, and the interval begins at {low:.3}",
            facts.guessing
        );
        add("guessing", sentence);
    }
    if let Some(groups) = facts.groups.filter(|groups| *groups < FEW_GROUPS) {
        let sentence = format!("with {groups} artists, fewer than {FEW_GROUPS}, intervals come out too narrow");
        add("few_artists", sentence);
    }
    if (2..FEW_SEEDS).contains(&facts.seeds) {
        let sentence = format!(
            "with {} seeds, fewer than {FEW_SEEDS}, the spread between seeds is hardly known",
            facts.seeds
        );
        add("few_seeds", sentence);
    }
    marks
}

fn leaks(facts: &Facts) -> Vec<Mark> {
    let mut marks = Vec::new();
    let mut add = |code, leak, sentence: String| marks.push(Mark { code, leak, sentence });
    match &facts.split {
        Err(reason) => {
            let sentence = format!(
                "nothing is known of leaks, and tracks are taken for independent of each other: {reason}; if the data set was \
                 moved, say where with --data"
            );
            add("split_unknown", false, sentence);
        }
        Ok((strategy, overlap)) => {
            if overlap.artists > 0 {
                let sentence = format!(
                    "leaked: {} of {} tracks are by {} artists who are in another set of this {strategy} split as well; make \
                     one with --strategy grouped",
                    overlap.artist_tracks, facts.tracks, overlap.artists
                );
                add("artist_overlap", true, sentence);
            }
            if overlap.recordings > 0 {
                let sentence = format!(
                    "leaked: {} recordings of the set are in another one too, under other ids; make a split with --strategy \
                     grouped --group-by recording",
                    overlap.recordings
                );
                add("recordings", true, sentence);
            }
            if overlap.tracks_without_artist > 0 {
                let sentence = format!(
                    "the artist of {} of {} tracks is not known: artists may be in several sets of this {strategy} split",
                    overlap.tracks_without_artist, facts.tracks
                );
                add("artists_unknown", false, sentence);
            }
        }
    }
    let (_, top1, _) = facts.figures[0];
    if facts.is_fma_small && facts.init_from.is_none() && top1 > FMA_SMALL_LEAKED {
        let sentence = format!(
            "looks leaked: from scratch fma_small is known to give {} to {}, and this is {top1:.3}",
            FMA_SMALL_BAND[0], FMA_SMALL_BAND[1]
        );
        add("above_known_band", true, sentence);
    }
    if let Some(weights) = &facts.init_from {
        let sentence = format!("began with {weights}: whether those weights have seen these tracks is not known here");
        add("pretrained", false, sentence);
    }
    marks
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::dataset::split::Leak;
    use std::collections::BTreeMap;

    fn facts() -> Facts {
        Facts {
            set: Set::Test,
            tracks: 800,
            split: Ok(("official".into(), Overlap::default())),
            seeds: 1,
            groups: Some(160),
            figures: [
                ("top-1", 0.51, Some([0.47, 0.55])),
                ("macro F1", 0.5, Some([0.46, 0.54])),
            ],
            guessing: 0.125,
            is_fma_small: true,
            init_from: None,
            epochs_looked_at: 1,
            unfinished: 0,
        }
    }

    fn codes(facts: &Facts) -> Vec<&'static str> {
        marks(facts).iter().map(|mark| mark.code).collect()
    }

    #[test]
    fn an_honest_figure_has_no_mark_and_each_fault_has_its_own() {
        assert_eq!(codes(&facts()), [""; 0]);
        let overlap = |overlap| Ok(("random".to_owned(), overlap));
        type Spoil = Box<dyn Fn(&mut Facts)>;
        let all: [(&str, Spoil); 16] = [
            (
                "split_unknown",
                Box::new(|facts| facts.split = Err("it is gone".into())),
            ),
            (
                "artist_overlap",
                Box::new(move |facts| {
                    facts.split = overlap(Overlap {
                        artists: 3,
                        artist_tracks: 7,
                        ..Overlap::default()
                    });
                }),
            ),
            (
                "recordings",
                Box::new(move |facts| {
                    facts.split = overlap(Overlap {
                        recordings: 1,
                        ..Overlap::default()
                    });
                }),
            ),
            (
                "artists_unknown",
                Box::new(move |facts| {
                    facts.split = overlap(Overlap {
                        tracks_without_artist: 800,
                        ..Overlap::default()
                    });
                }),
            ),
            ("chosen_on", Box::new(|facts| facts.set = Set::Val)),
            ("looks", Box::new(|facts| facts.epochs_looked_at = 2)),
            ("unfinished", Box::new(|facts| facts.unfinished = 1)),
            ("few_tracks", Box::new(|facts| facts.figures[0].2 = Some([0.45, 0.56]))),
            ("no_interval", Box::new(|facts| facts.figures[0].2 = None)),
            ("all_alike", Box::new(|facts| facts.figures[0].2 = Some([1.0, 1.0]))),
            ("guessing", Box::new(|facts| facts.guessing = 0.5)),
            ("few_artists", Box::new(|facts| facts.groups = Some(29))),
            ("few_seeds", Box::new(|facts| facts.seeds = 4)),
            ("above_known_band", Box::new(|facts| facts.figures[0].1 = 0.61)),
            ("pretrained", Box::new(|facts| facts.init_from = Some("a.pt".into()))),
            (
                "pretrained",
                Box::new(|facts| {
                    facts.init_from = Some("a.pt".into());
                    facts.figures[0].1 = 0.61;
                }),
            ),
        ];
        for (code, spoil) in all {
            let mut spoilt = facts();
            spoil(&mut spoilt);
            assert_eq!(codes(&spoilt), [code]);
        }
        let other = Facts {
            is_fma_small: false,
            figures: [("top-1", 0.9, Some([0.88, 0.92])), ("macro F1", 0.9, None)],
            ..facts()
        };
        assert_eq!(codes(&other), [""; 0], "nothing is known of another data set");
    }

    #[test]
    fn what_only_other_sets_share_is_no_overlap_of_this_one() {
        let leak = |name: &str, tracks: &[(Set, &[u64])]| Leak {
            name: name.into(),
            tracks: tracks
                .iter()
                .map(|&(set, ids)| (set, ids.to_vec()))
                .collect::<BTreeMap<_, _>>(),
        };
        let leaks = LeakAudit {
            artists: vec![
                leak("a", &[(Set::Train, &[1, 2]), (Set::Test, &[3, 4])]),
                leak("b", &[(Set::Val, &[5]), (Set::Test, &[6])]),
                leak("c", &[(Set::Train, &[7]), (Set::Val, &[8])]),
            ],
            albums: Vec::new(),
            recordings: vec![leak("d", &[(Set::Train, &[9]), (Set::Val, &[10])])],
            ..LeakAudit::default()
        };
        let test = Overlap::of([&leaks].into_iter(), Set::Test, 0);
        assert_eq!((test.artists, test.artist_tracks, test.recordings), (2, 3, 0));
        let val = Overlap::of([&leaks].into_iter(), Set::Val, 0);
        assert_eq!((val.artists, val.artist_tracks, val.recordings), (2, 2, 1));
    }
}
