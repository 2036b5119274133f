//! A set of tracks that one network judged, or several from different seeds, and whether two such sets are the same.

use super::outcomes::Outcomes;
use crate::run::predictions::Predictions;
use shared::dataset::Task;
use std::collections::{BTreeSet, HashMap};

/// Answers to the tracks of a set.
#[derive(Clone, Debug)]
pub struct Judged {
    /// Names of classes or tags.
    pub classes: Vec<String>,
    /// Tracks, in the order in which they were judged.
    pub track_ids: Vec<u64>,
    /// Of each track the true classes, in ascending order.
    truth: Vec<Vec<usize>>,
    /// What the networks answered.
    pub outcomes: Outcomes,
}

/// Two tables of predictions that are not of the same tracks, or not of the same truth.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NotPaired {
    /// One has classes and the other tags.
    #[error("one judges classes and the other tags")]
    Tasks,
    /// The classes are others.
    #[error("their classes are not the same: `{0}` is known to one of them only")]
    Classes(String),
    /// Tracks of one that are none of the other.
    #[error(
        "they were judged on different tracks: {only_first} of {first} tracks of the first and {only_second} of {second} of \
         the second are not among the other's; train both on the same split"
    )]
    Tracks {
        /// Tracks of the first.
        first: usize,
        /// Those that are none of the second.
        only_first: usize,
        /// Tracks of the second.
        second: usize,
        /// Those that are none of the first.
        only_second: usize,
    },
    /// The truth is not the same.
    #[error("track {track_id} is {first} for one of them and {second} for the other")]
    Truth {
        /// The track.
        track_id: u64,
        /// Its labels for the first.
        first: String,
        /// Its labels for the second.
        second: String,
    },
}

/// A table of predictions by which nothing can be judged.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NotJudged {
    /// There is no track.
    #[error("it has no tracks")]
    Empty,
    /// A track that has not one class.
    #[error("track {0} does not have one true and one predicted class")]
    NotSingleLabel(u64),
    /// A track that stands there twice.
    #[error("track {0} stands there twice")]
    Twice(u64),
}

impl Judged {
    /// One network's answers.
    pub fn new(task: Task, predictions: &Predictions) -> Result<Self, NotJudged> {
        let (classes, tracks) = (&predictions.classes, &predictions.tracks);
        if tracks.is_empty() {
            return Err(NotJudged::Empty);
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = tracks.iter().find(|track| !seen.insert(track.track_id)) {
            return Err(NotJudged::Twice(twice.track_id));
        }
        let sorted = |labels: &[usize]| labels.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        let truth: Vec<Vec<usize>> = tracks.iter().map(|track| sorted(&track.labels)).collect();
        let outcomes = match task {
            Task::SingleLabel => {
                let one = |track: &crate::run::predictions::Prediction| match (&track.labels[..], &track.predicted[..])
                {
                    (&[truth], &[predicted]) => Ok((truth as u32, predicted as u32)),
                    _ => Err(NotJudged::NotSingleLabel(track.track_id)),
                };
                let (truth, predicted): (Vec<u32>, Vec<u32>) = tracks
                    .iter()
                    .map(one)
                    .collect::<Result<Vec<_>, _>>()?
                    .into_iter()
                    .unzip();
                Outcomes::of_classes(classes.len(), &truth, &[predicted])
            }
            Task::MultiLabel => {
                let mut has = vec![false; classes.len() * tracks.len()];
                for (at, labels) in truth.iter().enumerate() {
                    labels.iter().for_each(|label| has[at * classes.len() + label] = true);
                }
                let scores = tracks.iter().flat_map(|track| track.probabilities.iter().copied());
                Outcomes::of_tags(classes.len(), has, vec![scores.collect()])
            }
        };
        Ok(Self {
            classes: classes.clone(),
            track_ids: tracks.iter().map(|track| track.track_id).collect(),
            truth,
            outcomes,
        })
    }

    /// The answers of several networks to the same tracks; those of the first say the order.
    ///
    /// # Panics
    /// When there is none.
    pub fn together(networks: Vec<Self>) -> Result<Self, NotPaired> {
        let mut networks = networks.into_iter();
        let mut all = networks.next().expect("a set of seeds has one at least");
        for other in networks {
            let other = other.arranged_like(&all)?;
            match (&mut all.outcomes, other.outcomes) {
                (Outcomes::Classes(all), Outcomes::Classes(other)) => all.cells.extend(other.cells),
                (Outcomes::Tags(all), Outcomes::Tags(other)) => all.extend(other),
                _ => unreachable!("arranged_like compares the tasks"),
            }
        }
        Ok(all)
    }

    /// The same answers, with tracks and classes in the order that `model` has them.
    ///
    /// # Errors
    /// When tracks, classes or truth are not the same.
    pub fn arranged_like(self, model: &Self) -> Result<Self, NotPaired> {
        if matches!(self.outcomes, Outcomes::Classes(_)) != matches!(model.outcomes, Outcomes::Classes(_)) {
            return Err(NotPaired::Tasks);
        }
        let names = |judged: &Self| judged.classes.iter().cloned().collect::<BTreeSet<_>>();
        if let Some(name) = names(&self).symmetric_difference(&names(model)).next() {
            return Err(NotPaired::Classes(name.clone()));
        }
        let places: HashMap<u64, usize> = self.track_ids.iter().enumerate().map(|(at, &id)| (id, at)).collect();
        let common = model.track_ids.iter().filter(|&id| places.contains_key(id)).count();
        if common != self.track_ids.len() || common != model.track_ids.len() {
            return Err(NotPaired::Tracks {
                first: model.track_ids.len(),
                only_first: model.track_ids.len() - common,
                second: self.track_ids.len(),
                only_second: self.track_ids.len() - common,
            });
        }
        let place_of: HashMap<&str, usize> = model
            .classes
            .iter()
            .enumerate()
            .map(|(at, c)| (c.as_str(), at))
            .collect();
        let classes: Vec<usize> = self.classes.iter().map(|class| place_of[class.as_str()]).collect();
        let tracks: Vec<usize> = model.track_ids.iter().map(|id| places[id]).collect();
        for (at, &own) in tracks.iter().enumerate() {
            let mut labels: Vec<usize> = self.truth[own].iter().map(|&label| classes[label]).collect();
            labels.sort_unstable();
            if labels != model.truth[at] {
                let name = |labels: &[usize]| match labels {
                    [] => "without a label".to_owned(),
                    labels => labels
                        .iter()
                        .map(|&at| model.classes[at].as_str())
                        .collect::<Vec<_>>()
                        .join("|"),
                };
                return Err(NotPaired::Truth {
                    track_id: model.track_ids[at],
                    first: name(&model.truth[at]),
                    second: name(&labels),
                });
            }
        }
        Ok(Self {
            outcomes: self.outcomes.arranged(&tracks, &classes),
            classes: model.classes.clone(),
            track_ids: model.track_ids.clone(),
            truth: model.truth.clone(),
        })
    }

    /// The main figure of a guess that knows nothing of the music: the share of the commonest class, or half an area.
    pub fn guessing(&self) -> f64 {
        match self.outcomes {
            Outcomes::Tags(_) => 0.5,
            Outcomes::Classes(_) => {
                let mut counts = vec![0u32; self.classes.len()];
                self.truth.iter().flatten().for_each(|&class| counts[class] += 1);
                f64::from(counts.into_iter().max().unwrap_or(0)) / self.track_ids.len() as f64
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::predictions::Prediction;

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

    fn judged(classes: &[&str], rows: &[(u64, &str, &str)]) -> Judged {
        Judged::new(Task::SingleLabel, &predictions(classes, rows)).unwrap()
    }

    #[test]
    fn order_of_tracks_and_classes_does_not_matter() {
        let first = judged(&["a", "b"], &[(1, "a", "a"), (2, "b", "a"), (3, "a", "b")]);
        let second = judged(&["b", "a"], &[(3, "a", "b"), (1, "a", "a"), (2, "b", "a")]);
        let arranged = second.clone().arranged_like(&first).unwrap();
        assert_eq!(arranged.outcomes, first.outcomes);
        assert_eq!(
            Judged::together(vec![first.clone(), second])
                .unwrap()
                .outcomes
                .networks(),
            2
        );
        assert!((first.guessing() - 2.0 / 3.0).abs() < 1e-12);
        let tags = |classes: &[&str], rows: &[(u64, &str, &str)]| {
            Judged::new(Task::MultiLabel, &predictions(classes, rows)).unwrap()
        };
        let one = tags(&["a", "b"], &[(1, "a", "a"), (2, "b", "a"), (3, "a", "b")]);
        let other = tags(&["b", "a"], &[(3, "a", "b"), (1, "a", "a"), (2, "b", "a")]);
        let arranged = other.arranged_like(&one).unwrap();
        assert_eq!(arranged.outcomes, one.outcomes);
        assert_eq!(Judged::together(vec![one, arranged]).unwrap().outcomes.networks(), 2);
    }

    #[test]
    fn what_is_not_the_same_is_said() {
        let first = judged(&["a", "b"], &[(1, "a", "a"), (2, "b", "a")]);
        let refused = |classes: &[&str], rows: &[(u64, &str, &str)]| {
            judged(classes, rows).arranged_like(&first).unwrap_err().to_string()
        };
        let said = refused(&["a", "b"], &[(1, "a", "a"), (3, "b", "a")]);
        assert!(
            said.contains("1 of 2 tracks of the first and 1 of 2 of the second"),
            "{said}"
        );
        let said = refused(&["a", "b"], &[(1, "a", "a")]);
        assert!(
            said.contains("1 of 2 tracks of the first and 0 of 1 of the second"),
            "{said}"
        );
        let said = refused(&["a", "c"], &[(1, "a", "a"), (2, "c", "a")]);
        assert!(said.contains("`b`"), "{said}");
        let said = refused(&["a", "b"], &[(1, "a", "a"), (2, "a", "a")]);
        assert_eq!(said, "track 2 is b for one of them and a for the other");
        let tags = Judged::new(
            Task::MultiLabel,
            &predictions(&["a", "b"], &[(1, "a", "a"), (2, "b", "a")]),
        );
        assert_eq!(tags.unwrap().arranged_like(&first).unwrap_err(), NotPaired::Tasks);
    }

    #[test]
    fn a_table_that_cannot_be_judged_is_refused() {
        let of = |predictions: &Predictions| Judged::new(Task::SingleLabel, predictions).unwrap_err();
        assert_eq!(of(&predictions(&["a"], &[])), NotJudged::Empty);
        assert_eq!(
            of(&predictions(&["a"], &[(4, "a", "a"), (4, "a", "a")])),
            NotJudged::Twice(4)
        );
        let mut two = predictions(&["a", "b"], &[(7, "a", "a")]);
        two.tracks[0].labels.push(1);
        assert_eq!(of(&two), NotJudged::NotSingleLabel(7));
    }
}
