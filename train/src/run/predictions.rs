//! `predictions.csv`: the predicted classes and probabilities of each track of a set.

use crate::loader::LabelsView;
use crate::metrics::{ReliabilityCurve, Tally, first_highest};
use shared::dataset::Task;
use shared::dataset::split::Set;

/// Separates several labels in one cell, as in `tracks.csv`.
const SEPARATOR: &str = "|";
/// The columns before those of the classes.
const COLUMNS: [&str; 3] = ["track_id", "labels", "predicted"];
/// A tag is predicted at this probability or above, unless a threshold is given.
const DEFAULT_THRESHOLD: f32 = 0.5;

#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    pub track_id: u64,
    /// The true classes as indices into [`Predictions::classes`], in the order of the track's row in `tracks.csv`.
    pub labels: Vec<usize>,
    /// The class of the highest probability (the first if several are equal), or the tags at or above their threshold.
    pub predicted: Vec<usize>,
    /// One per class: softmax over the classes, or sigmoid of each tag. The mean over the track's clips.
    pub probabilities: Vec<f32>,
}

/// Predictions of a set of tracks, in the order of evaluation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Predictions {
    /// Names of the classes or tags.
    pub classes: Vec<String>,
    pub tracks: Vec<Prediction>,
}

/// A table of predictions that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("row {row} (counted from 1, after the header): {detail}")]
pub struct PredictionsError {
    row: usize,
    detail: String,
}

/// The file name of a set's table. The table of the test set has no suffix.
pub fn predictions_file(set: Set) -> &'static str {
    match set {
        Set::Train => "predictions-train.csv",
        Set::Val => "predictions-val.csv",
        Set::Test => "predictions.csv",
    }
}

/// The probabilities of logits: softmax if single-label, sigmoid if multi-label.
pub fn probabilities(task: Task, logits: &[f32]) -> Vec<f64> {
    match task {
        Task::SingleLabel => {
            let highest = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
            let exponentials = logits.iter().map(|&logit| (f64::from(logit) - highest).exp());
            let mut all: Vec<f64> = exponentials.collect();
            let total: f64 = all.iter().sum();
            all.iter_mut().for_each(|value| *value /= total);
            all
        }
        Task::MultiLabel => {
            let sigmoid = |&logit: &f32| 1.0 / (1.0 + (-f64::from(logit)).exp());
            logits.iter().map(sigmoid).collect()
        }
    }
}

/// Logits whose [`probabilities`] are the given ones.
pub fn logits(task: Task, probabilities: impl IntoIterator<Item = f64>) -> Vec<f32> {
    // The logarithm of 0 is infinite, so clamp to the smallest normal f32. NaN stays NaN, so a diverged training is
    // noticed.
    let positive = |p: f64| {
        if p < f64::from(f32::MIN_POSITIVE) {
            f64::from(f32::MIN_POSITIVE)
        } else {
            p
        }
    };
    let logit = |p: f64| match task {
        Task::SingleLabel => positive(p).ln() as f32,
        Task::MultiLabel => (positive(p) / positive(1.0 - p)).ln() as f32,
    };
    probabilities.into_iter().map(logit).collect()
}

impl Prediction {
    /// The prediction for a track with the given logits, one per class. A tag is predicted at a probability of 0.5 or
    /// above.
    pub fn new(task: Task, track_id: u64, labels: Vec<usize>, logits: &[f32]) -> Self {
        let probabilities: Vec<f32> = probabilities(task, logits).into_iter().map(|p| p as f32).collect();
        let predicted = match task {
            // By logits, because different logits may have probabilities that are equal in f32.
            Task::SingleLabel => vec![first_highest(logits)],
            Task::MultiLabel => {
                let is_predicted = |&tag: &usize| probabilities[tag] >= DEFAULT_THRESHOLD;
                (0..logits.len()).filter(is_predicted).collect()
            }
        };
        Self {
            track_id,
            labels,
            predicted,
            probabilities,
        }
    }
}

impl Predictions {
    /// Accumulates the tracks for computing metrics.
    pub fn tally(&self, task: Task) -> Tally {
        let outputs = self.classes.len();
        let mut tally = Tally::new(task, outputs);
        for track in &self.tracks {
            let logits = logits(task, track.probabilities.iter().map(|&p| f64::from(p)));
            match task {
                Task::SingleLabel => tally.add(&logits, LabelsView::Classes(&track.labels)),
                Task::MultiLabel => {
                    let mut tags = vec![0.0; outputs];
                    track.labels.iter().for_each(|&tag| tags[tag] = 1.0);
                    tally.add(&logits, LabelsView::Tags(&tags));
                }
            }
        }
        tally
    }

    /// Calibration of the probability of each track's predicted class, or of each track and tag.
    pub fn reliability(&self, task: Task) -> ReliabilityCurve {
        let decisions = |track: &Prediction| -> Vec<(f32, bool)> {
            match task {
                Task::SingleLabel => {
                    let highest = track.probabilities.iter().copied().fold(0.0, f32::max);
                    vec![(highest, track.labels.first() == track.predicted.first())]
                }
                Task::MultiLabel => (0..)
                    .zip(&track.probabilities)
                    .map(|(tag, &probability)| (probability, track.labels.contains(&tag)))
                    .collect(),
            }
        };
        ReliabilityCurve::new(self.tracks.iter().flat_map(decisions))
    }

    pub fn new(classes: Vec<String>) -> Self {
        Self {
            classes,
            tracks: Vec::new(),
        }
    }

    /// The same probabilities with tags predicted by one threshold per tag.
    ///
    /// # Panics
    /// If the number of thresholds differs from the number of tags.
    #[must_use]
    pub fn decided_at(mut self, thresholds: &[f64]) -> Self {
        assert_eq!(thresholds.len(), self.classes.len(), "one threshold per tag");
        for track in &mut self.tracks {
            let is_predicted = |&tag: &usize| f64::from(track.probabilities[tag]) >= thresholds[tag];
            track.predicted = (0..thresholds.len()).filter(is_predicted).collect();
        }
        self
    }

    /// The CSV table: a header and one row per track. Reading it gives exactly the same `f32` probabilities.
    pub fn to_csv(&self) -> Vec<u8> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let header = COLUMNS.into_iter().chain(self.classes.iter().map(String::as_str));
        writer.write_record(header).expect("writing into memory cannot fail");
        let names = |classes: &[usize]| {
            let names: Vec<_> = classes.iter().map(|&class| self.classes[class].as_str()).collect();
            names.join(SEPARATOR)
        };
        for track in &self.tracks {
            let first = [
                track.track_id.to_string(),
                names(&track.labels),
                names(&track.predicted),
            ];
            // `{:?}` writes the shortest decimal that reads back as the same f32, with an exponent for very small
            // numbers.
            let probabilities = track.probabilities.iter().map(|p| format!("{p:?}"));
            writer
                .write_record(first.into_iter().chain(probabilities))
                .expect("writing into memory cannot fail and rows are as long as the header");
        }
        writer.into_inner().expect("writing into memory cannot fail")
    }

    /// Reads the table that [`Self::to_csv`] wrote.
    ///
    /// # Errors
    /// If the header is wrong, a row has another length, a class has no column, or a probability is not between 0 and
    /// 1.
    pub fn from_csv(bytes: &[u8]) -> Result<Self, PredictionsError> {
        let wrong = |row: usize, detail: String| PredictionsError { row, detail };
        let mut reader = csv::Reader::from_reader(bytes);
        let header = reader.headers().map_err(|error| wrong(0, error.to_string()))?;
        if header.iter().take(COLUMNS.len()).ne(COLUMNS) || header.len() == COLUMNS.len() {
            let detail = format!("the columns should be {}, and one per class", COLUMNS.join(","));
            return Err(wrong(0, detail));
        }
        let classes: Vec<String> = header.iter().skip(COLUMNS.len()).map(String::from).collect();
        let indices = |cell: &str| -> Result<Vec<usize>, String> {
            let names = cell.split(SEPARATOR).filter(|_| !cell.is_empty());
            let index = |name: &str| classes.iter().position(|class| class == name);
            names
                .map(|name| index(name).ok_or_else(|| format!("`{name}` has no column")))
                .collect()
        };
        let probability = |cell: &str| match cell.parse::<f32>() {
            Ok(p) if (0.0..=1.0).contains(&p) => Ok(p),
            _ => Err(format!("`{cell}` is not a probability")),
        };
        let parse = |record: csv::StringRecord| -> Result<Prediction, String> {
            let mut cells = record.iter();
            let mut next = || cells.next().unwrap_or("");
            let id = next();
            Ok(Prediction {
                track_id: id.parse().map_err(|_| format!("`{id}` is not a track id"))?,
                labels: indices(next())?,
                predicted: indices(next())?,
                probabilities: cells.map(probability).collect::<Result<_, _>>()?,
            })
        };
        let mut tracks = Vec::new();
        for (at, record) in reader.records().enumerate() {
            let track = record.map_err(|error| error.to_string()).and_then(parse);
            tracks.push(track.map_err(|detail| wrong(at + 1, detail))?);
        }
        Ok(Self { classes, tracks })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn highest_class_and_tags_above_their_threshold_are_predicted() {
        let track = Prediction::new(Task::SingleLabel, 7, vec![0], &[1.0, 3.0, 3.0]);
        assert_eq!(track.predicted, [1], "the first of two equal logits");
        assert!((track.probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        // e^-2 / (e^-2 + 2)
        assert!((track.probabilities[0] - 0.063_379).abs() < 1e-5);
        let track = Prediction::new(Task::MultiLabel, 7, vec![], &[0.0, -0.1, 2000.0]);
        assert_eq!((&track.predicted[..], track.probabilities[2]), (&[0, 2][..], 1.0));
        let all = Predictions {
            classes: ["a", "b", "c"].map(String::from).into(),
            tracks: vec![track],
        };
        assert_eq!(all.decided_at(&[0.9, 0.1, 1.0]).tracks[0].predicted, [1, 2]);
    }

    #[test]
    fn tally_of_a_table_matches_its_probabilities() {
        for (task, labels, rows) in [
            (Task::SingleLabel, vec![1], [0.25f32, 0.75]),
            (Task::MultiLabel, vec![0], [0.5, 0.125]),
        ] {
            let mut all = Predictions::new(["a", "b"].map(String::from).into());
            let logits = logits(task, rows.map(f64::from));
            for (p, expected) in probabilities(task, &logits).into_iter().zip(rows) {
                assert!((p - f64::from(expected)).abs() < 1e-6, "{task:?}");
            }
            all.tracks.push(Prediction::new(task, 1, labels, &logits));
            let expected = match task {
                Task::SingleLabel => -(0.75f64.ln()),
                Task::MultiLabel => -(0.5f64.ln() + 0.875f64.ln()) / 2.0,
            };
            let tally = all.tally(task);
            assert!((tally.loss() - expected).abs() < 1e-6, "{task:?}: {}", tally.loss());
            assert_eq!(tally.samples(), 1);
        }
    }

    #[test]
    fn calibration_is_of_predicted_classes_or_of_all_tags() {
        let track = |labels: &[usize], predicted: &[usize], probabilities: [f32; 2]| Prediction {
            track_id: 1,
            labels: labels.into(),
            predicted: predicted.into(),
            probabilities: probabilities.into(),
        };
        let all = Predictions {
            classes: ["a", "b"].map(String::from).into(),
            tracks: vec![track(&[1], &[1], [0.25, 0.75]), track(&[1], &[0], [0.875, 0.125])],
        };
        // Right at 0.75 and wrong at 0.875.
        let classes = all.reliability(Task::SingleLabel);
        assert_eq!(classes.ece(), (0.25 + 0.875) / 2.0);
        // The tag is absent at 0.25 and 0.875, and present at 0.75 and 0.125.
        let tags = all.reliability(Task::MultiLabel);
        assert_eq!(tags.ece(), (0.25 + 0.25 + 0.875 + 0.875) / 4.0);
    }

    #[test]
    fn csv_has_the_documented_columns_and_quoting() {
        let mut all = Predictions::new(["Folk", "Hip, Hop"].map(String::from).into());
        all.tracks.push(Prediction {
            track_id: 2,
            labels: vec![1, 0],
            predicted: vec![],
            probabilities: vec![0.1, 1e-9],
        });
        let csv = String::from_utf8(all.to_csv()).unwrap();
        assert_eq!(
            csv,
            "track_id,labels,predicted,Folk,\"Hip, Hop\"\n2,\"Hip, Hop|Folk\",,0.1,1e-9\n"
        );
    }

    #[test]
    fn error_names_the_row_and_the_problem() {
        let error = |csv: &str| Predictions::from_csv(csv.as_bytes()).unwrap_err().to_string();
        for (csv, detail) in [
            ("id,labels\n", "the columns should be track_id,labels,predicted"),
            ("track_id,labels,predicted\n", "one per class"),
            (
                "track_id,labels,predicted,a\n1,a,b,0.5\n",
                "row 1 (counted from 1, after the header): `b`",
            ),
            ("track_id,labels,predicted,a\n1,a,a,0.5\nx,a,a,0.5\n", "row 2"),
            ("track_id,labels,predicted,a\n1,a,a,NaN\n", "`NaN` is not a probability"),
            ("track_id,labels,predicted,a\n1,a,a,1.5\n", "`1.5` is not a probability"),
            ("track_id,labels,predicted,a\n1,a,a\n", "row 1"),
        ] {
            assert!(error(csv).contains(detail), "{}", error(csv));
        }
    }

    fn predictions() -> impl Strategy<Value = Predictions> {
        let class = "[a-z \",\n\r<>&']{1,6}";
        prop::collection::btree_set(class, 1..5).prop_flat_map(|classes| {
            let count = classes.len();
            let subset = move || prop::sample::subsequence((0..count).collect::<Vec<_>>(), 0..=count);
            let chance = prop_oneof![0f32..=1.0, Just(0.0), Just(1.0), Just(f32::MIN_POSITIVE), Just(1e-44)];
            let track = (any::<u64>(), subset(), subset(), prop::collection::vec(chance, count));
            let track = track.prop_map(|(track_id, labels, predicted, probabilities)| Prediction {
                track_id,
                labels,
                predicted,
                probabilities,
            });
            prop::collection::vec(track, 0..5).prop_map(move |tracks| Predictions {
                classes: classes.iter().cloned().collect(),
                tracks,
            })
        })
    }

    proptest! {
        #[test]
        fn any_predictions_survive_a_round_trip_through_csv(all in predictions()) {
            prop_assert_eq!(Predictions::from_csv(&all.to_csv()).unwrap(), all);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Predictions::from_csv(&bytes);
        }
    }
}
