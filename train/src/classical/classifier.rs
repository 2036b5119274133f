//! A classifier of vectors with everything that it needs to give probabilities: the scaling of its input, the machine,
//! and the temperature of its scores.

use super::calibration::{softmax, temperature};
use super::knn::KNearest;
use super::linear_svm::{LinearSvm, SvmConfig};
use super::logistic::{Logistic, LogisticConfig};
use super::rbf_svm::{RbfKernel, RbfSvm, RbfSvmConfig};
use super::training_set::TrainingSet;
use crate::frontend::{Normalize, VectorError, VectorScaler};
use crate::metrics::{ConfusionMatrix, first_highest};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The values of C that are tried on the validation set.
pub const TRIED_C: [f64; 4] = [0.1, 1.0, 10.0, 100.0];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum ClassifierKind {
    /// The majority among the nearest training vectors.
    Knn,
    /// A linear support vector machine, one class against the rest.
    Svm,
    /// A support vector machine with an RBF kernel, one class against one.
    RbfSvm,
    /// Multinomial logistic regression.
    Logistic,
}

impl ClassifierKind {
    /// The name on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Knn => "knn",
            Self::Svm => "svm",
            Self::RbfSvm => "rbf-svm",
            Self::Logistic => "logistic",
        }
    }
}

impl fmt::Display for ClassifierKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// What to train.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassifierConfig {
    pub kind: ClassifierKind,
    /// Of k-NN; at most the number of training vectors is used.
    pub n_neighbors: usize,
    /// Inverse regularisation strength of the others; `None` chooses the best of [`TRIED_C`] on the validation set.
    pub c: Option<f64>,
}

/// A classifier that cannot be trained.
#[derive(Debug, thiserror::Error)]
pub enum ClassifierError {
    #[error(transparent)]
    Vector(#[from] VectorError),
    #[error("all tracks of the training set have one class; give a data set with tracks of two classes or more")]
    OneClass,
    #[error("C is chosen on the validation set, which has no tracks; give --c")]
    NoValidation,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Machine {
    Knn(KNearest),
    Svm(LinearSvm),
    RbfSvm(RbfSvm),
    Logistic(Logistic),
}

/// A trained classifier.
#[derive(Clone, Debug, PartialEq)]
pub struct VectorClassifier {
    /// All classes. Those without training vectors have probability 0.
    pub(super) classes: usize,
    /// The classes of the machine, those with training vectors.
    pub(super) present: Vec<usize>,
    pub(super) scaler: VectorScaler,
    pub(super) machine: Machine,
    /// The chosen C; `None` for k-NN.
    pub(super) c: Option<f64>,
    /// Divides the scores of a support vector machine before their softmax.
    pub(super) temperature: f64,
}

impl VectorClassifier {
    /// Trains on `train`, standardized with its means and standard deviations. C and the temperature of a support
    /// vector machine are chosen on `val`; the temperature is 1 if `val` has no vectors.
    ///
    /// # Errors
    /// If a value is not finite, the training set has fewer than two classes, or C is to be chosen and `val` is empty.
    pub fn fit(
        config: &ClassifierConfig,
        train: &TrainingSet<'_>,
        val: &TrainingSet<'_>,
    ) -> Result<Self, ClassifierError> {
        train.check()?;
        val.check()?;
        let present: Vec<usize> = (0..train.classes)
            .filter(|class| train.labels.contains(class))
            .collect();
        if present.len() < 2 {
            return Err(ClassifierError::OneClass);
        }
        let scaler = Normalize::ZScore.fit(train.vectors, train.dimension)?;
        let mut vectors = train.vectors.to_vec();
        scaler.apply(&mut vectors)?;
        let place = |label: &usize| present.binary_search(label).expect("every label is present");
        let labels: Vec<usize> = train.labels.iter().map(place).collect();
        let set = TrainingSet {
            vectors: &vectors,
            labels: &labels,
            classes: present.len(),
            ..*train
        };
        let with = |machine: Machine, c: Option<f64>| Self {
            classes: train.classes,
            present: present.clone(),
            scaler: scaler.clone(),
            machine,
            c,
            temperature: 1.0,
        };
        let mut candidates: Vec<Self> = match config.kind {
            ClassifierKind::Knn => {
                let k = config.n_neighbors.min(labels.len());
                vec![with(Machine::Knn(KNearest::fit(&set, k)?), None)]
            }
            kind => {
                if config.c.is_none() && val.labels.is_empty() {
                    return Err(ClassifierError::NoValidation);
                }
                let tried = config.c.map_or_else(|| TRIED_C.to_vec(), |c| vec![c]);
                let machines = machines(kind, &set, &tried)?;
                machines
                    .into_iter()
                    .zip(tried)
                    .map(|(machine, c)| with(machine, Some(c)))
                    .collect()
            }
        };
        let mut best = (0, f64::NEG_INFINITY);
        if candidates.len() > 1 {
            for (at, candidate) in candidates.iter().enumerate() {
                // The smaller C, which overfits less, wins a tie.
                let macro_f1 = candidate.macro_f1(val)?;
                if macro_f1 > best.1 {
                    best = (at, macro_f1);
                }
            }
        }
        let mut chosen = candidates.swap_remove(best.0);
        chosen.calibrate(val)?;
        Ok(chosen)
    }

    /// The chosen or given C; `None` for k-NN.
    pub fn c(&self) -> Option<f64> {
        self.c
    }

    /// Values per vector.
    pub fn dimension(&self) -> usize {
        self.scaler.dimension()
    }

    pub fn classes(&self) -> usize {
        self.classes
    }

    /// For each of `vectors`, `[n, dimension]` row by row, the probability of each class, `[n, classes]` row by row:
    /// the fractions of k-NN's votes, the softmax of the logistic regression, or the softmax of a support vector
    /// machine's scores, divided by its temperature.
    pub fn probabilities(&self, vectors: &[f32]) -> Result<Vec<f64>, VectorError> {
        let scores = self.scores(vectors)?;
        let mut all = vec![0.0; scores.len() / self.present.len() * self.classes];
        let rows = scores
            .chunks_exact(self.present.len())
            .zip(all.chunks_exact_mut(self.classes));
        for (scores, row) in rows {
            let probabilities = match self.machine {
                Machine::Knn(_) => scores.iter().map(|&votes| f64::from(votes)).collect(),
                _ => softmax(scores, self.temperature),
            };
            self.present
                .iter()
                .zip(probabilities)
                .for_each(|(&class, p)| row[class] = p);
        }
        Ok(all)
    }

    /// Scores of the present classes.
    fn scores(&self, vectors: &[f32]) -> Result<Vec<f32>, VectorError> {
        let mut scaled = vectors.to_vec();
        self.scaler.apply(&mut scaled)?;
        match &self.machine {
            Machine::Knn(knn) => knn.scores(&scaled),
            Machine::Svm(svm) => svm.scores(&scaled),
            Machine::RbfSvm(svm) => svm.scores(&scaled),
            Machine::Logistic(logistic) => logistic.scores(&scaled),
        }
    }

    fn macro_f1(&self, set: &TrainingSet<'_>) -> Result<f64, VectorError> {
        let mut confusion = ConfusionMatrix::new(self.classes);
        let scores = self.scores(set.vectors)?;
        for (scores, &label) in scores.chunks_exact(self.present.len()).zip(set.labels) {
            confusion.add(label, self.present[first_highest(scores)]);
        }
        Ok(confusion.macro_f1())
    }

    fn calibrate(&mut self, val: &TrainingSet<'_>) -> Result<(), VectorError> {
        if !matches!(self.machine, Machine::Svm(_) | Machine::RbfSvm(_)) {
            return Ok(());
        }
        let scores = self.scores(val.vectors)?;
        let rows = scores.chunks_exact(self.present.len()).zip(val.labels);
        let known = rows.filter_map(|(scores, label)| Some((scores, self.present.binary_search(label).ok()?)));
        self.temperature = temperature(&known.collect::<Vec<_>>());
        Ok(())
    }
}

/// A machine for each value of C.
fn machines(kind: ClassifierKind, set: &TrainingSet<'_>, tried: &[f64]) -> Result<Vec<Machine>, VectorError> {
    match kind {
        ClassifierKind::Knn => Ok(Vec::new()),
        ClassifierKind::Svm => {
            let fit = |&c: &f64| {
                Ok(Machine::Svm(LinearSvm::fit(
                    set,
                    &SvmConfig {
                        c,
                        ..SvmConfig::default()
                    },
                )?))
            };
            tried.iter().map(fit).collect()
        }
        ClassifierKind::RbfSvm => {
            let kernel = RbfKernel::scaled(set)?;
            let fit = |&c: &f64| {
                Machine::RbfSvm(RbfSvm::fit(
                    &kernel,
                    &RbfSvmConfig {
                        c,
                        ..RbfSvmConfig::default()
                    },
                ))
            };
            Ok(tried.iter().map(fit).collect())
        }
        ClassifierKind::Logistic => {
            let config = |c| LogisticConfig {
                c,
                ..LogisticConfig::default()
            };
            let fit = |&c: &f64| Ok(Machine::Logistic(Logistic::fit(set, &config(c))?));
            tried.iter().map(fit).collect()
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub const KINDS: [ClassifierKind; 4] = [
        ClassifierKind::Knn,
        ClassifierKind::Svm,
        ClassifierKind::RbfSvm,
        ClassifierKind::Logistic,
    ];

    /// Two rings of classes 1 and 3 of four, which only curved boundaries separate.
    pub fn rings(count: usize, offset: f32) -> (Vec<f32>, Vec<usize>) {
        let point = |at: usize| {
            let (angle, radius) = (
                at as f32 * 2.4 + offset,
                if at.is_multiple_of(2) { 100.0 } else { 300.0 },
            );
            [radius * angle.cos(), 7.0, radius * angle.sin()]
        };
        let labels = (0..count).map(|at| if at.is_multiple_of(2) { 1 } else { 3 });
        ((0..count).flat_map(point).collect(), labels.collect())
    }

    pub fn set<'a>(vectors: &'a [f32], labels: &'a [usize]) -> TrainingSet<'a> {
        TrainingSet {
            vectors,
            dimension: 3,
            labels,
            classes: 4,
        }
    }

    pub fn fit(kind: ClassifierKind, c: Option<f64>) -> VectorClassifier {
        let (train, val) = (rings(40, 0.0), rings(20, 1.0));
        let config = ClassifierConfig {
            kind,
            n_neighbors: 3,
            c,
        };
        VectorClassifier::fit(&config, &set(&train.0, &train.1), &set(&val.0, &val.1)).unwrap()
    }

    #[test]
    fn curved_classifiers_separate_rings_and_absent_classes_have_probability_zero() {
        let (queries, labels) = rings(30, 0.5);
        for kind in KINDS {
            let classifier = fit(kind, None);
            let all = classifier.probabilities(&queries).unwrap();
            let mut right = 0;
            for (row, label) in all.chunks_exact(4).zip(&labels) {
                assert!(
                    (row.iter().sum::<f64>() - 1.0).abs() < 1e-6 && row[0] == 0.0 && row[2] == 0.0,
                    "{kind}: {row:?}"
                );
                right += usize::from(row[*label] > 0.5);
            }
            let is_curved = matches!(kind, ClassifierKind::Knn | ClassifierKind::RbfSvm);
            assert_eq!(right == labels.len(), is_curved, "{kind}: {right} of {}", labels.len());
            assert_eq!(classifier.c().is_none(), kind == ClassifierKind::Knn);
            assert!(classifier.probabilities(&queries[1..]).is_err());
        }
    }

    #[test]
    fn c_is_the_best_on_the_validation_set_or_the_given_one() {
        assert_eq!(fit(ClassifierKind::RbfSvm, Some(3.0)).c(), Some(3.0));
        let (train, val) = (rings(40, 0.0), rings(20, 1.0));
        let macro_f1 = |c| {
            fit(ClassifierKind::RbfSvm, Some(c))
                .macro_f1(&set(&val.0, &val.1))
                .unwrap()
        };
        let all = TRIED_C.map(macro_f1);
        let best = all.iter().copied().fold(0.0, f64::max);
        let expected = TRIED_C[all.iter().position(|&value| value == best).unwrap()];
        assert_eq!(fit(ClassifierKind::RbfSvm, None).c(), Some(expected), "{all:?}");
        let config = ClassifierConfig {
            kind: ClassifierKind::Svm,
            n_neighbors: 1,
            c: None,
        };
        let without = VectorClassifier::fit(&config, &set(&train.0, &train.1), &set(&[], &[])).unwrap_err();
        assert!(without.to_string().contains("give --c"), "{without}");
        let one = VectorClassifier::fit(&config, &set(&train.0[..3], &[1]), &set(&[], &[])).unwrap_err();
        assert!(matches!(one, ClassifierError::OneClass));
    }
}
