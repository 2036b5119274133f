//! The predictions of one or several networks for the same tracks. Metrics can be computed with a weight per track, as
//! the bootstrap needs.

use crate::metrics::{ConfusionMatrix, Ranking, RankingError, SortedScores, mean};
use crate::run::predictions::{Prediction, Predictions};
use shared::dataset::Task;
use std::collections::{BTreeSet, HashMap};

/// The two metrics of [`metric_names`], by which runs are compared. NaN if undefined.
pub(super) type Pair = [f64; 2];

/// The names of the two metrics, the main one first.
pub(super) fn metric_names(task: Task) -> [&'static str; 2] {
    match task {
        Task::SingleLabel => ["top-1", "macro F1"],
        Task::MultiLabel => ["mean AUC-ROC", "mean AUC-PR"],
    }
}

/// The predictions of one or several networks for the tracks of a set.
#[derive(Clone, Debug)]
pub(super) struct PredictedSet {
    pub task: Task,
    /// One per network, all with tracks and classes in the order of the first.
    tables: Vec<Predictions>,
    networks: Vec<Network>,
    /// Number of tracks per class.
    counts: Vec<usize>,
}

/// A network's predictions in the form from which metrics are computed.
#[derive(Clone, Debug)]
enum Network {
    /// True and predicted class of each track.
    Classes(Vec<(usize, usize)>),
    /// For each tag, the tracks sorted by score.
    Tags(Vec<SortedScores>),
}

/// Why predictions cannot be used, alone or together with others.
#[derive(Debug, thiserror::Error, PartialEq)]
pub(super) enum UnusablePredictions {
    #[error("it has no tracks")]
    Empty,
    #[error("track {0} does not have one true and one predicted class")]
    NotSingleLabel(u64),
    #[error("track {0} is in it twice")]
    Twice(u64),
    #[error(transparent)]
    Scores(#[from] RankingError),
    #[error("one predicts classes and the other tags")]
    Tasks,
    #[error("their classes differ: only one of them has `{0}`")]
    Classes(String),
    #[error(
        "they were evaluated on different tracks: {only_first} of {first} tracks of the first and {only_second} of {second} \
         of the second are missing from the other; train both on the same split"
    )]
    Tracks {
        first: usize,
        only_first: usize,
        second: usize,
        only_second: usize,
    },
    #[error("the labels of track {track_id} differ: {first} and {second}")]
    Truth {
        track_id: u64,
        first: String,
        second: String,
    },
}

impl PredictedSet {
    /// One table per network. Tracks and classes are reordered as in the first table.
    ///
    /// # Panics
    /// If `tables` is empty.
    pub fn new(task: Task, tables: &[Predictions]) -> Result<Self, UnusablePredictions> {
        let tables: Vec<Predictions> = tables
            .iter()
            .map(|table| check(task, table).and_then(|()| aligned(table, &tables[0])))
            .collect::<Result<_, _>>()?;
        let networks = tables.iter().map(|table| Network::new(task, table));
        let mut counts = vec![0; tables[0].classes.len()];
        for track in &tables[0].tracks {
            track.labels.iter().for_each(|&class| counts[class] += 1);
        }
        Ok(Self {
            task,
            networks: networks.collect::<Result<_, _>>()?,
            tables,
            counts,
        })
    }

    /// The same predictions, with tracks and classes in the order of `other`.
    pub fn aligned_with(&self, other: &Self) -> Result<Self, UnusablePredictions> {
        if self.task != other.task {
            return Err(UnusablePredictions::Tasks);
        }
        let tables = self.tables.iter().map(|table| aligned(table, &other.tables[0]));
        Self::new(self.task, &tables.collect::<Result<Vec<_>, _>>()?)
    }

    pub fn networks(&self) -> usize {
        self.networks.len()
    }

    pub fn tracks(&self) -> usize {
        self.tables[0].tracks.len()
    }

    /// The metrics of one network, with `weight(track)` copies of each track.
    pub fn metrics(&self, network: usize, weight: impl Fn(usize) -> u64) -> Pair {
        match &self.networks[network] {
            Network::Classes(tracks) => {
                let mut confusion = ConfusionMatrix::new(self.counts.len());
                for (track, &(truth, predicted)) in tracks.iter().enumerate() {
                    confusion.add_weighted(truth, predicted, weight(track));
                }
                let macro_f1 = confusion.macro_f1_of_resample(|class| self.counts[class] > 0);
                [confusion.top1(), macro_f1]
            }
            Network::Tags(tags) => {
                let rankings: Vec<Ranking> = tags.iter().map(|tag| tag.ranking(&weight)).collect();
                let over_tags = |area: fn(&Ranking) -> Option<f64>| mean(rankings.iter().filter_map(area));
                [over_tags(Ranking::roc_auc), over_tags(Ranking::average_precision)]
                    .map(|area| area.unwrap_or(f64::NAN))
            }
        }
    }

    /// The metrics of each network, with each track counted once.
    pub fn plain_metrics(&self) -> Vec<Pair> {
        (0..self.networks())
            .map(|network| self.metrics(network, |_| 1))
            .collect()
    }

    /// The main metric of a constant guess: the fraction of the most common class, or an AUC of 0.5.
    pub fn guessing(&self) -> f64 {
        match self.task {
            Task::MultiLabel => 0.5,
            Task::SingleLabel => self.counts.iter().copied().max().unwrap_or(0) as f64 / self.tracks() as f64,
        }
    }
}

impl Network {
    fn new(task: Task, table: &Predictions) -> Result<Self, UnusablePredictions> {
        match task {
            Task::SingleLabel => {
                let tracks = table.tracks.iter().map(|track| (track.labels[0], track.predicted[0]));
                Ok(Self::Classes(tracks.collect()))
            }
            Task::MultiLabel => {
                let tags = table.classes.len();
                let mut truth = vec![false; tags * table.tracks.len()];
                for (row, track) in truth.chunks_exact_mut(tags).zip(&table.tracks) {
                    track.labels.iter().for_each(|&tag| row[tag] = true);
                }
                let scores: Vec<f32> = table
                    .tracks
                    .iter()
                    .flat_map(|track| track.probabilities.iter().copied())
                    .collect();
                Ok(Self::Tags(SortedScores::per_tag(&scores, &truth, tags)?))
            }
        }
    }
}

/// Checks that metrics can be computed from a table.
fn check(task: Task, table: &Predictions) -> Result<(), UnusablePredictions> {
    let mut seen = BTreeSet::new();
    for track in &table.tracks {
        if !seen.insert(track.track_id) {
            return Err(UnusablePredictions::Twice(track.track_id));
        }
        if task == Task::SingleLabel && (track.labels.len(), track.predicted.len()) != (1, 1) {
            return Err(UnusablePredictions::NotSingleLabel(track.track_id));
        }
    }
    if seen.is_empty() {
        return Err(UnusablePredictions::Empty);
    }
    Ok(())
}

/// `table` with tracks and classes in the order of `other`, if both have the same tracks, classes and labels.
fn aligned(table: &Predictions, other: &Predictions) -> Result<Predictions, UnusablePredictions> {
    let names = |table: &Predictions| table.classes.iter().cloned().collect::<BTreeSet<_>>();
    if let Some(name) = names(table).symmetric_difference(&names(other)).next() {
        return Err(UnusablePredictions::Classes(name.clone()));
    }
    let tracks: HashMap<u64, &Prediction> = table.tracks.iter().map(|track| (track.track_id, track)).collect();
    let (first, second) = (other.tracks.len(), table.tracks.len());
    let common = other
        .tracks
        .iter()
        .filter(|track| tracks.contains_key(&track.track_id))
        .count();
    if common != first || common != second {
        return Err(UnusablePredictions::Tracks {
            first,
            only_first: first - common,
            second,
            only_second: second - common,
        });
    }
    let places: HashMap<&str, usize> = other.classes.iter().map(String::as_str).zip(0..).collect();
    let places: Vec<usize> = table.classes.iter().map(|class| places[class.as_str()]).collect();
    let aligned_track = |track: &Prediction| {
        let prediction = tracks[&track.track_id];
        let placed = |classes: &[usize]| -> Vec<usize> { classes.iter().map(|&class| places[class]).collect() };
        let labels = placed(&prediction.labels);
        if labels.iter().collect::<BTreeSet<_>>() != track.labels.iter().collect() {
            let name = |labels: &[usize]| match labels {
                [] => "none".to_owned(),
                labels => labels
                    .iter()
                    .map(|&at| other.classes[at].as_str())
                    .collect::<Vec<_>>()
                    .join("|"),
            };
            return Err(UnusablePredictions::Truth {
                track_id: track.track_id,
                first: name(&track.labels),
                second: name(&labels),
            });
        }
        let mut probabilities = prediction.probabilities.clone();
        places
            .iter()
            .zip(&prediction.probabilities)
            .for_each(|(&place, &p)| probabilities[place] = p);
        Ok(Prediction {
            track_id: track.track_id,
            labels,
            predicted: placed(&prediction.predicted),
            probabilities,
        })
    };
    Ok(Predictions {
        classes: other.classes.clone(),
        tracks: other.tracks.iter().map(aligned_track).collect::<Result<_, _>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::ClassificationMetrics;
    use proptest::prelude::*;

    fn predictions(classes: &[&str], rows: &[(u64, &str, &str)]) -> Predictions {
        let place = |name: &str| classes.iter().position(|class| *class == name).unwrap();
        let track = |&(track_id, truth, predicted): &(u64, &str, &str)| Prediction {
            track_id,
            labels: vec![place(truth)],
            predicted: vec![place(predicted)],
            probabilities: classes
                .iter()
                .map(|class| f32::from(u8::from(*class == predicted)))
                .collect(),
        };
        Predictions {
            classes: classes.iter().map(|class| (*class).into()).collect(),
            tracks: rows.iter().map(track).collect(),
        }
    }

    fn classes(classes: &[&str], rows: &[(u64, &str, &str)]) -> PredictedSet {
        PredictedSet::new(Task::SingleLabel, &[predictions(classes, rows)]).unwrap()
    }

    #[test]
    fn order_of_tracks_and_classes_does_not_matter() {
        let one = predictions(&["a", "b"], &[(1, "a", "a"), (2, "b", "a"), (3, "a", "b")]);
        let other = predictions(&["b", "a"], &[(3, "a", "b"), (1, "a", "a"), (2, "b", "a")]);
        for task in [Task::SingleLabel, Task::MultiLabel] {
            let both = PredictedSet::new(task, &[one.clone(), other.clone()]).unwrap();
            assert_eq!(both.tables[1], both.tables[0]);
            assert_eq!(both.plain_metrics()[1], both.plain_metrics()[0]);
        }
        let guessing = PredictedSet::new(Task::SingleLabel, &[one]).unwrap().guessing();
        assert!((guessing - 2.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn sets_with_different_tracks_classes_or_labels_are_refused() {
        let first = classes(&["a", "b"], &[(1, "a", "a"), (2, "b", "a")]);
        let refused = |names: &[&str], rows: &[(u64, &str, &str)]| {
            classes(names, rows).aligned_with(&first).unwrap_err().to_string()
        };
        let error = refused(&["a", "b"], &[(1, "a", "a"), (3, "b", "a")]);
        assert!(
            error.contains("1 of 2 tracks of the first and 1 of 2 of the second"),
            "{error}"
        );
        let error = refused(&["a", "b"], &[(1, "a", "a")]);
        assert!(
            error.contains("1 of 2 tracks of the first and 0 of 1 of the second"),
            "{error}"
        );
        let error = refused(&["a", "c"], &[(1, "a", "a"), (2, "c", "a")]);
        assert!(error.contains("`b`"), "{error}");
        let error = refused(&["a", "b"], &[(1, "a", "a"), (2, "a", "a")]);
        assert_eq!(error, "the labels of track 2 differ: b and a");
        let tags = predictions(&["a", "b"], &[(1, "a", "a"), (2, "b", "a")]);
        let tags = PredictedSet::new(Task::MultiLabel, &[tags]).unwrap();
        assert_eq!(tags.aligned_with(&first).unwrap_err(), UnusablePredictions::Tasks);
    }

    #[test]
    fn a_table_without_usable_predictions_is_refused() {
        let refused =
            |table: &Predictions| PredictedSet::new(Task::SingleLabel, std::slice::from_ref(table)).unwrap_err();
        assert_eq!(refused(&predictions(&["a"], &[])), UnusablePredictions::Empty);
        let twice = predictions(&["a"], &[(4, "a", "a"), (4, "a", "a")]);
        assert_eq!(refused(&twice), UnusablePredictions::Twice(4));
        let mut two = predictions(&["a", "b"], &[(7, "a", "a")]);
        two.tracks[0].labels.push(1);
        assert_eq!(refused(&two), UnusablePredictions::NotSingleLabel(7));
    }

    proptest! {
        #[test]
        fn weights_repeat_tracks_and_macro_f1_skips_missing_classes(
            tracks in prop::collection::vec((0u32..3, 0u32..3, 0u32..4), 1..40),
        ) {
            let name = |class: u32| ["a", "b", "c"][class as usize];
            let rows: Vec<_> = (0..).zip(&tracks).map(|(id, &(t, p, _))| (id, name(t), name(p))).collect();
            let set = classes(&["a", "b", "c"], &rows);
            let mut confusion = ConfusionMatrix::new(3);
            for &(truth, predicted, weight) in &tracks {
                (0..weight).for_each(|_| confusion.add(truth as usize, predicted as usize));
            }
            let names = ["a", "b", "c"].map(String::from);
            let expected = ClassificationMetrics::new(&confusion, &names, 0.0);
            let metrics = set.metrics(0, |track| tracks[track].2.into());
            prop_assert_eq!(metrics[0], expected.top1);
            let drawn = |class: &usize| {
                let elsewhere = set.counts[*class] == 0 && confusion.predicted_total(*class) > 0;
                expected.per_class[*class].support > 0 || elsewhere
            };
            let f1: Vec<f64> = (0..3).filter(drawn).map(|class| expected.per_class[class].f1).collect();
            let macro_f1 = f1.iter().sum::<f64>() / f1.len().max(1) as f64;
            prop_assert!((metrics[1] - macro_f1).abs() < 1e-12);
            // With all weights 1 the metrics equal those of `metrics.json`.
            let mut unweighted = ConfusionMatrix::new(3);
            tracks.iter().for_each(|&(truth, predicted, _)| unweighted.add(truth as usize, predicted as usize));
            prop_assert_eq!(set.plain_metrics()[0], [unweighted.top1(), unweighted.macro_f1()]);
        }
    }
}
