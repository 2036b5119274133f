//! Normalization of model input and of feature vectors, with statistics of the training set or of one clip.
//!
//! [`Normalize::fit`] computes a [`VectorScaler`] from training vectors, which then scales all others. Spectrograms
//! take their statistics from the data set's split; they use only [`Normalize`] from this module.

use serde::{Deserialize, Serialize};

/// How model input is normalized.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Normalize {
    /// Training mean and standard deviation.
    #[default]
    ZScore,
    /// Training mean only.
    Mean,
    /// Smallest value of each clip to 0, largest to 1; for vectors, each column's in the training set.
    MinMax,
    /// Values as they are.
    None,
}

/// Vectors that cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum VectorError {
    /// There are no vectors to take statistics from.
    #[error("there are no training vectors; give at least one")]
    Empty,
    #[error(
        "{values} values are not a multiple of {dimension}, the length of a vector; extract the same features for all"
    )]
    Shape {
        values: usize,
        /// Values per vector.
        dimension: usize,
    },
    /// A value is NaN or infinite.
    #[error("value {column} of vector {row} (both counted from 0) is {value}; remove that vector or extract it again")]
    NotFinite {
        row: usize,
        /// Index within the vector.
        column: usize,
        value: f32,
    },
}

/// A shift and a scale for each column: `(x - shift) · scale`.
#[derive(Clone, Debug, PartialEq)]
pub struct VectorScaler {
    shift: Vec<f64>,
    scale: Vec<f64>,
}

impl Normalize {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::ZScore => "z-score",
            Self::Mean => "mean",
            Self::MinMax => "min-max",
            Self::None => "none",
        }
    }

    /// Fits a scaler to training vectors, `[n, dimension]` row by row: scikit-learn's `StandardScaler` for z-scores,
    /// `StandardScaler(with_std=False)` for the mean and `MinMaxScaler` for the range.
    ///
    /// With z-scores and ranges, a column that is constant in training becomes 0 in every vector. scikit-learn keeps
    /// such a column's scale, so a value not seen in training would reach the model unscaled.
    ///
    /// # Errors
    /// If there are no vectors, their values are not whole rows, or a value is not finite.
    pub fn fit(self, vectors: &[f32], dimension: usize) -> Result<VectorScaler, VectorError> {
        check_vectors(vectors, dimension)?;
        if vectors.is_empty() {
            return Err(VectorError::Empty);
        }
        let column = |column| {
            vectors
                .iter()
                .skip(column)
                .step_by(dimension)
                .map(|&value| f64::from(value))
        };
        let (shift, scale) = (0..dimension).map(|at| self.shift_and_scale(column(at))).unzip();
        Ok(VectorScaler { shift, scale })
    }

    fn shift_and_scale(self, column: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
        let count = column.clone().count() as f64;
        let lowest = column.clone().fold(f64::INFINITY, f64::min);
        let highest = column.clone().fold(f64::NEG_INFINITY, f64::max);
        let mean = || column.clone().sum::<f64>() / count;
        match self {
            Self::None => (0.0, 1.0),
            Self::Mean => (mean(), 1.0),
            // The mean of equal values may be off by a bit, which would give a tiny standard deviation instead of 0.
            _ if lowest == highest => (lowest, 0.0),
            Self::MinMax => (lowest, 1.0 / (highest - lowest)),
            Self::ZScore => {
                let mean = mean();
                let variance = column.map(|value| (value - mean) * (value - mean)).sum::<f64>() / count;
                (mean, 1.0 / variance.sqrt())
            }
        }
    }
}

impl VectorScaler {
    /// Rebuilds a scaler from [`shift`](Self::shift) and [`scale`](Self::scale). `None` if their lengths differ or a
    /// number is not finite.
    pub fn from_parts(shift: Vec<f64>, scale: Vec<f64>) -> Option<Self> {
        let finite = shift.iter().chain(&scale).all(|value| value.is_finite());
        (finite && shift.len() == scale.len()).then_some(Self { shift, scale })
    }

    /// Values per vector.
    pub fn dimension(&self) -> usize {
        self.shift.len()
    }

    /// Subtracted from each column.
    pub fn shift(&self) -> &[f64] {
        &self.shift
    }

    /// Each column is multiplied by this after the shift.
    pub fn scale(&self) -> &[f64] {
        &self.scale
    }

    /// Scales vectors in place, `[n, dimension]` row by row.
    pub fn apply(&self, vectors: &mut [f32]) -> Result<(), VectorError> {
        check_vectors(vectors, self.dimension())?;
        if vectors.is_empty() {
            return Ok(());
        }
        for vector in vectors.chunks_exact_mut(self.dimension()) {
            for (value, (shift, scale)) in vector.iter_mut().zip(self.shift.iter().zip(&self.scale)) {
                *value = ((f64::from(*value) - shift) * scale) as f32;
            }
        }
        Ok(())
    }
}

/// Checks that `vectors` are whole rows of `dimension` finite values.
pub(crate) fn check_vectors(vectors: &[f32], dimension: usize) -> Result<(), VectorError> {
    if dimension == 0 || !vectors.len().is_multiple_of(dimension) {
        return Err(VectorError::Shape {
            values: vectors.len(),
            dimension,
        });
    }
    match vectors.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(at) => Err(VectorError::NotFinite {
            row: at / dimension,
            column: at % dimension,
            value: vectors[at],
        }),
    }
}

/// Scales one clip's smallest value to 0 and its largest to 1, or all values to 0 if they are equal. Values must be
/// finite.
pub fn min_max(values: &mut [f32]) {
    let lowest = values.iter().copied().fold(f32::INFINITY, f32::min);
    let highest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if lowest == highest {
        values.fill(0.0);
        return;
    }
    for value in values {
        *value = (*value - lowest) / (highest - lowest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;
    use proptest::prelude::*;

    /// Four vectors of three values. The last column is constant, and sums of 0.1 are not exact.
    const VECTORS: [f32; 12] = [1.0, -4.0, 0.1, 2.0, 0.0, 0.1, 3.0, 2.0, 0.1, 6.0, 4.0, 0.1];

    fn scaled(normalize: Normalize) -> Vec<f32> {
        let mut vectors = VECTORS;
        normalize.fit(&VECTORS, 3).unwrap().apply(&mut vectors).unwrap();
        vectors.to_vec()
    }

    fn assert_near(ours: &[f32], expected: &[f32]) {
        assert_eq!(ours.len(), expected.len());
        for (ours, expected) in ours.iter().zip(expected) {
            assert!((ours - expected).abs() < 1e-6, "{ours} {expected}");
        }
    }

    #[test]
    fn scaling_matches_scikit_learn() {
        // scikit-learn 1.9.1's `StandardScaler().fit_transform`.
        let z_score = [
            -1.069045, -1.5212777, 0.0, -0.5345225, -0.1690309, 0.0, 0.0, 0.5070926, 0.0, 1.6035674, 1.183216, 0.0,
        ];
        assert_near(&scaled(Normalize::ZScore), &z_score);
        let mean = [-2.0, -4.5, 0.0, -1.0, -0.5, 0.0, 0.0, 1.5, 0.0, 3.0, 3.5, 0.0];
        assert_near(&scaled(Normalize::Mean), &mean);
        let min_max = [0.0, 0.0, 0.0, 0.2, 0.5, 0.0, 0.4, 0.75, 0.0, 1.0, 1.0, 0.0];
        assert_near(&scaled(Normalize::MinMax), &min_max);
        assert_eq!(scaled(Normalize::None), VECTORS);
    }

    #[test]
    fn a_column_constant_in_training_is_zero_in_every_vector() {
        let scaler = Normalize::ZScore.fit(&VECTORS, 3).unwrap();
        let mut vector = [3.0, 0.5, 1000.0];
        scaler.apply(&mut vector).unwrap();
        assert_near(&vector, &[0.0, 0.0, 0.0]);
        let rebuilt = VectorScaler::from_parts(scaler.shift().to_vec(), scaler.scale().to_vec());
        assert_eq!(rebuilt, Some(scaler));
        assert_eq!(VectorScaler::from_parts(vec![0.0], vec![]), None);
        assert_eq!(VectorScaler::from_parts(vec![0.0], vec![f64::NAN]), None);
    }

    #[test]
    fn missing_ragged_and_non_finite_vectors_are_errors() {
        let fit = |vectors: &[f32], dimension| Normalize::ZScore.fit(vectors, dimension);
        assert_eq!(fit(&[], 3).unwrap_err(), VectorError::Empty);
        for dimension in [0, 5] {
            let error = fit(&VECTORS, dimension).unwrap_err();
            assert_eq!(error, VectorError::Shape { values: 12, dimension });
        }
        let error = fit(&[1.0, 2.0, 3.0, f32::INFINITY], 2).unwrap_err();
        assert!(error.to_string().starts_with("value 1 of vector 1 "), "{error}");
        let scaler = fit(&VECTORS, 3).unwrap();
        assert!(scaler.apply(&mut [1.0; 4]).is_err());
        assert_eq!(scaler.apply(&mut []), Ok(()));
    }

    #[test]
    fn min_max_scales_a_clip_to_0_to_1() {
        let mut clip = [-80.0, -20.0, 0.0, -40.0];
        min_max(&mut clip);
        assert_eq!(clip, [0.0, 0.75, 1.0, 0.5]);
        let mut silence = [-80.0; 3];
        min_max(&mut silence);
        assert_eq!(silence, [0.0; 3]);
        min_max(&mut []);
    }

    #[test]
    fn names_agree_with_the_command_line_and_serde() {
        for normalize in Normalize::value_variants() {
            let value = normalize.to_possible_value().unwrap();
            assert_eq!(value.get_name(), normalize.name());
            assert_eq!(serde_json::to_value(normalize).unwrap(), normalize.name());
        }
        assert_eq!(Normalize::default(), Normalize::ZScore);
    }

    proptest! {
        #[test]
        fn scaled_training_vectors_have_the_expected_statistics(
            vectors in prop::collection::vec(-1e4f32..1e4, 2..80),
            dimension in 1usize..4,
        ) {
            let vectors = &vectors[..vectors.len() / dimension * dimension];
            prop_assume!(!vectors.is_empty());
            let scaled = |normalize: Normalize| {
                let mut scaled = vectors.to_vec();
                normalize.fit(vectors, dimension).unwrap().apply(&mut scaled).unwrap();
                scaled
            };
            let (z_scores, ranged) = (scaled(Normalize::ZScore), scaled(Normalize::MinMax));
            for column in 0..dimension {
                let values = |rows: &[f32]| -> Vec<f64> {
                    rows.iter().skip(column).step_by(dimension).map(|&value| f64::from(value)).collect()
                };
                let (before, z_scores, ranged) = (values(vectors), values(&z_scores), values(&ranged));
                let expected = if before.iter().all(|value| *value == before[0]) { 0.0 } else { 1.0 };
                let count = before.len() as f64;
                let mean = z_scores.iter().sum::<f64>() / count;
                let variance = z_scores.iter().map(|value| value * value).sum::<f64>() / count;
                prop_assert!(mean.abs() < 1e-4);
                prop_assert!((variance - expected).abs() < 1e-4);
                prop_assert_eq!(ranged.iter().copied().fold(f64::MAX, f64::min), 0.0);
                prop_assert_eq!(ranged.iter().copied().fold(0.0, f64::max), expected);
            }
        }
    }
}
