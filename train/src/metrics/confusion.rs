//! Confusion matrix of true and predicted classes.

use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// `counts[[truth, predicted]]`, in the layout of `sklearn.metrics.confusion_matrix`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<Vec<u64>>", try_from = "Vec<Vec<u64>>")]
pub struct ConfusionMatrix {
    counts: Array2<u64>,
}

/// Division that gives 0 for a zero denominator, like scikit-learn's `zero_division=0`.
pub(super) fn ratio(numerator: f64, denominator: f64) -> f64 {
    if denominator == 0.0 {
        0.0
    } else {
        numerator / denominator
    }
}

impl ConfusionMatrix {
    pub fn new(classes: usize) -> Self {
        Self {
            counts: Array2::zeros((classes, classes)),
        }
    }

    pub fn add(&mut self, truth: usize, predicted: usize) {
        self.add_weighted(truth, predicted, 1);
    }

    /// Counts one sample `weight` times.
    pub fn add_weighted(&mut self, truth: usize, predicted: usize, weight: u64) {
        self.counts[[truth, predicted]] += weight;
    }

    pub fn classes(&self) -> usize {
        self.counts.nrows()
    }

    pub fn total(&self) -> u64 {
        self.counts.sum()
    }

    /// Samples of class `truth` that were predicted as `predicted`.
    pub fn count(&self, truth: usize, predicted: usize) -> u64 {
        self.counts[[truth, predicted]]
    }

    /// Samples whose true class is `class`.
    pub fn truth_total(&self, class: usize) -> u64 {
        self.counts.row(class).sum()
    }

    /// Samples predicted as `class`.
    pub fn predicted_total(&self, class: usize) -> u64 {
        self.counts.column(class).sum()
    }

    /// Fraction of samples on the diagonal: scikit-learn's `accuracy_score`.
    pub fn top1(&self) -> f64 {
        ratio(self.counts.diag().sum() as f64, self.total() as f64)
    }

    /// `2 TP / (2 TP + FP + FN)` of a class; 0 for 0/0.
    pub fn f1(&self, class: usize) -> f64 {
        let occurrences = self.truth_total(class) + self.predicted_total(class);
        ratio(2.0 * self.count(class, class) as f64, occurrences as f64)
    }

    /// Mean F1 of the classes that occur in the truth or the predictions: scikit-learn's
    /// `f1_score(average="macro", zero_division=0)`.
    pub fn macro_f1(&self) -> f64 {
        self.mean_f1(self.occurring())
    }

    /// The classes that occur in the truth or the predictions.
    pub fn occurring(&self) -> Vec<usize> {
        let occurs = |&class: &usize| self.truth_total(class) + self.predicted_total(class) > 0;
        (0..self.classes()).filter(occurs).collect()
    }

    fn mean_f1(&self, classes: Vec<usize>) -> f64 {
        ratio(classes.iter().map(|&class| self.f1(class)).sum(), classes.len() as f64)
    }

    /// [`macro_f1`](Self::macro_f1) of a resample. A class of the original set (`in_set`) without a resampled track is
    /// ignored, even if it was predicted. Otherwise its F1 of 0 would lower the mean, although no model could do
    /// better; resamples often miss classes with few artists.
    pub fn macro_f1_of_resample(&self, in_set: impl Fn(usize) -> bool) -> f64 {
        let occurs =
            |&class: &usize| self.truth_total(class) > 0 || (!in_set(class) && self.predicted_total(class) > 0);
        self.mean_f1((0..self.classes()).filter(occurs).collect())
    }

    /// A row per true class.
    pub fn rows(&self) -> Vec<Vec<u64>> {
        self.counts.rows().into_iter().map(|row| row.to_vec()).collect()
    }

    /// The content of `confusion.csv`: a header of predicted classes, then one row per true class.
    pub fn to_csv(&self, names: &[String]) -> Vec<u8> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let header = std::iter::once("truth \\ predicted").chain(names.iter().map(String::as_str));
        writer.write_record(header).expect("writing to memory cannot fail");
        for (name, row) in names.iter().zip(self.rows()) {
            let cells = std::iter::once(name.clone()).chain(row.iter().map(u64::to_string));
            writer
                .write_record(cells)
                .expect("writing to memory cannot fail, and rows are as long as the header");
        }
        writer.into_inner().expect("writing to memory cannot fail")
    }
}

impl From<ConfusionMatrix> for Vec<Vec<u64>> {
    fn from(matrix: ConfusionMatrix) -> Self {
        matrix.rows()
    }
}

impl TryFrom<Vec<Vec<u64>>> for ConfusionMatrix {
    type Error = &'static str;

    fn try_from(rows: Vec<Vec<u64>>) -> Result<Self, Self::Error> {
        const NOT_SQUARE: &str = "a confusion matrix must have as many columns as rows";
        let classes = rows.len();
        if rows.iter().any(|row| row.len() != classes) {
            return Err(NOT_SQUARE);
        }
        let counts = Array2::from_shape_vec((classes, classes), rows.concat()).map_err(|_| NOT_SQUARE)?;
        Ok(Self { counts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_matches_scikit_learn_and_survives_json_and_csv() {
        let mut matrix = ConfusionMatrix::new(3);
        for (truth, predicted) in [(0, 0), (0, 2), (1, 2), (2, 2), (2, 2)] {
            matrix.add(truth, predicted);
        }
        assert_eq!(matrix.rows(), [[1, 0, 1], [0, 0, 1], [0, 0, 2]]);
        assert_eq!((matrix.total(), matrix.top1()), (5, 0.6));
        assert_eq!((matrix.truth_total(0), matrix.predicted_total(2)), (2, 4));
        assert_eq!(ConfusionMatrix::try_from(matrix.rows()), Ok(matrix.clone()));
        assert!(ConfusionMatrix::try_from(vec![vec![1, 2], vec![3]]).is_err());
        let names = ["a", "b,c", "d"].map(String::from);
        let csv = String::from_utf8(matrix.to_csv(&names)).unwrap();
        assert_eq!(csv, "truth \\ predicted,a,\"b,c\",d\na,1,0,1\n\"b,c\",0,0,1\nd,0,0,2\n");
    }
}
