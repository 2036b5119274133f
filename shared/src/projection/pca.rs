//! Principal component analysis of a table with one row per track.
//!
//! Columns with different units are standardised first, others only centred. All steps match scikit-learn's
//! `StandardScaler` and `PCA`, including constant columns and the choice of signs.

use super::eigen::eigen;
use super::subspace::leading;
use ndarray::{Array2, Axis};
use serde::Serialize;

/// Up to this many columns all components are computed, and the first ones taken, which is slow for more.
const MOST_EXACT: usize = 256;

/// A table whose columns have mean 0.
#[derive(Clone, Debug)]
pub struct Scaled {
    /// Mean of each column before.
    pub mean: Vec<f64>,
    /// By which each column was divided.
    pub scale: Vec<f64>,
    /// `[rows, columns]`.
    pub values: Array2<f64>,
}

/// The first principal components of a table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pca {
    /// Mean of each column.
    pub mean: Vec<f64>,
    /// Divisor of each column, as in [`Scaled::scale`].
    pub scale: Vec<f64>,
    /// Orthonormal directions in descending order of variance. The entry with the largest absolute value is positive.
    pub components: Vec<Vec<f64>>,
    /// Variance of the rows along each component, with n - 1 degrees of freedom.
    pub explained_variance: Vec<f64>,
    /// Fraction of the total variance along each component.
    pub explained_variance_ratio: Vec<f64>,
    /// `[rows, components]`: the projected rows.
    pub coordinates: Vec<Vec<f64>>,
}

/// Why a table has no principal components.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPca {
    /// A plane needs three points.
    #[error("a projection needs at least three tracks, but there are {0}")]
    TooFew(usize),
    /// The variance is 0.
    #[error("all tracks are the same")]
    Constant,
    /// NaN or infinite numbers.
    #[error("the statistics are not all finite numbers")]
    NotFinite,
}

/// Subtracts the mean of each column.
pub fn center(mut values: Array2<f64>) -> Scaled {
    let count = values.nrows() as f64;
    let mut means = Vec::with_capacity(values.ncols());
    for mut column in values.axis_iter_mut(Axis(1)) {
        let mean = column.sum() / count;
        column.mapv_inplace(|value| value - mean);
        means.push(mean);
    }
    Scaled {
        scale: vec![1.0; means.len()],
        mean: means,
        values,
    }
}

/// Standardises columns to z-scores; constant columns become 0. All rows must have the same length.
pub fn standardize(rows: &[Vec<f64>]) -> Scaled {
    let columns = rows.first().map_or(0, Vec::len);
    let mut values = Array2::from_shape_fn((rows.len(), columns), |(row, column)| rows[row][column]);
    let count = rows.len() as f64;
    let (mut means, mut scales) = (Vec::with_capacity(columns), Vec::with_capacity(columns));
    for mut column in values.axis_iter_mut(Axis(1)) {
        let mean = column.sum() / count;
        let variance = column.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
        // Variance this small is rounding error: `_is_constant_feature` in sklearn/preprocessing/_data.py.
        let rounding = count * f64::EPSILON * variance + (count * mean * f64::EPSILON).powi(2);
        let scale = if variance <= rounding { 1.0 } else { variance.sqrt() };
        column.mapv_inplace(|value| (value - mean) / scale);
        means.push(mean);
        scales.push(scale);
    }
    Scaled {
        mean: means,
        scale: scales,
        values,
    }
}

/// The first `count` principal components, or as many as there are columns.
///
/// # Errors
/// If the table has none.
pub fn pca(table: Scaled, count: usize) -> Result<Pca, NoPca> {
    let Scaled { mean, scale, values } = table;
    let (rows, columns) = values.dim();
    if rows < 3 {
        return Err(NoPca::TooFew(rows));
    }
    if values.iter().any(|value| !value.is_finite()) {
        return Err(NoPca::NotFinite);
    }
    let total = values.iter().map(|value| value * value).sum::<f64>() / (rows as f64 - 1.0);
    if total <= f64::EPSILON * columns as f64 {
        return Err(NoPca::Constant);
    }
    let mut found = if columns > MOST_EXACT {
        leading(&values, count)
    } else {
        let covariance = values.t().dot(&values) / (rows as f64 - 1.0);
        eigen(covariance.outer_iter().map(|row| row.to_vec()).collect())
    };
    found.truncate(count);
    let explained_variance: Vec<f64> = found.iter().map(|(value, _)| value.max(0.0)).collect();
    let components: Vec<Vec<f64>> = found
        .into_iter()
        .map(|(_, direction)| largest_positive(direction))
        .collect();
    let along = |row: ndarray::ArrayView1<'_, f64>| -> Vec<f64> {
        let dot = |direction: &Vec<f64>| row.iter().zip(direction).map(|(a, b)| a * b).sum();
        components.iter().map(dot).collect()
    };
    Ok(Pca {
        mean,
        scale,
        coordinates: values.outer_iter().map(along).collect(),
        explained_variance_ratio: explained_variance.iter().map(|variance| variance / total).collect(),
        explained_variance,
        components,
    })
}

/// Flips the sign if the entry with the largest absolute value is negative.
fn largest_positive(direction: Vec<f64>) -> Vec<f64> {
    let largest = direction.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs()));
    let sign = if largest < Some(0.0) { -1.0 } else { 1.0 };
    direction.into_iter().map(|entry| sign * entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn near(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-9, "{found} {expected}");
        }
    }

    /// By hand: the columns [0, 1, 2] and [0, 2, 1] have the z-scores ∓√1.5 and 0, and their correlation is 1/2. So the
    /// covariance, with n - 1 = 2, is [[1.5, 0.75], [0.75, 1.5]]. Its eigenvalues are 2.25 along (1, 1)/√2 and 0.75 along
    /// (1, -1)/√2. The third column is constant and contributes nothing.
    #[test]
    fn projection_of_three_points_is_as_computed_by_hand() {
        let rows = [vec![0.0, 0.0, 0.1], vec![1.0, 2.0, 0.1], vec![2.0, 1.0, 0.1]];
        let found = pca(standardize(&rows), 2).unwrap();
        let root = 0.5f64.sqrt();
        near(&found.explained_variance, &[2.25, 0.75]);
        near(&found.explained_variance_ratio, &[0.75, 0.25]);
        near(&found.components[0], &[root, root, 0.0]);
        near(
            &found.components[1].iter().map(|value| value.abs()).collect::<Vec<_>>(),
            &[root, root, 0.0],
        );
        let z = 1.5f64.sqrt();
        near(
            &found.coordinates.iter().map(|row| row[0]).collect::<Vec<_>>(),
            &[-2.0 * z * root, z * root, z * root],
        );
        near(&found.mean, &[1.0, 1.0, 0.1]);
        near(&found.scale, &[(2.0f64 / 3.0).sqrt(), (2.0f64 / 3.0).sqrt(), 1.0]);
    }

    /// `PCA(2)` of scikit-learn 1.9.1 on `StandardScaler().fit_transform(rows)`.
    #[test]
    fn projection_of_five_points_equals_scikit_learn() {
        let rows = [
            vec![2.5, -1.0, 30.0, 0.5],
            vec![0.5, 4.0, 10.0, 0.25],
            vec![2.2, 0.0, 25.0, 1.5],
            vec![1.9, 2.0, 12.0, -0.75],
            vec![3.1, -3.0, 41.0, 0.125],
        ];
        let found = pca(standardize(&rows), 2).unwrap();
        near(
            &found.explained_variance,
            &[3.692_868_325_486_926_6, 1.191_911_535_838_403_6],
        );
        near(
            &found.explained_variance_ratio,
            &[0.738_573_665_097_385_1, 0.238_382_307_167_680_63],
        );
        near(
            &found.components[0],
            &[
                -0.552_816_333_442_535_1,
                0.579_206_927_710_866_8,
                -0.569_129_478_960_612,
                -0.187_096_425_804_751_9,
            ],
        );
        near(
            &found.components[1],
            &[
                -0.231_049_172_362_759_8,
                0.094_681_817_126_260_82,
                0.002_457_646_838_236_045,
                0.968_321_017_756_080_7,
            ],
        );
        let expected = [
            [-0.990_192_633_107_220_6, 0.058_250_900_962_891_185],
            [2.536_085_307_687_635, 0.448_429_663_195_672_5],
            [-0.571_187_734_162_09, 1.515_984_904_353_097],
            [1.323_446_093_315_180_1, -1.342_516_810_017_047_3],
            [-2.298_151_033_733_505, -0.680_148_658_494_613],
        ];
        found
            .coordinates
            .iter()
            .zip(expected)
            .for_each(|(row, expected)| near(row, &expected));
    }

    /// By hand: the squares of the columns sum to 8, 2 and 0.
    #[test]
    fn centred_rows_are_not_scaled() {
        let rows = ndarray::array![[2.0, 0.0, 1.0], [-2.0, 0.0, 1.0], [0.0, 1.0, 1.0], [0.0, -1.0, 1.0]];
        let found = pca(center(rows), 2).unwrap();
        near(&found.explained_variance, &[8.0 / 3.0, 2.0 / 3.0]);
        near(&found.explained_variance_ratio, &[0.8, 0.2]);
        near(&found.components[0], &[1.0, 0.0, 0.0]);
        near(&found.coordinates[1], &[-2.0, 0.0]);
        near(&found.mean, &[0.0, 0.0, 1.0]);
    }

    #[test]
    fn many_columns_have_the_same_components_as_few() {
        // Columns that are all 0 change nothing.
        let entry = |row: usize, column: usize| ((row * row * (column + 2)) as f64 * 0.7).sin() / (column + 1) as f64;
        let few = Array2::from_shape_fn((30, 5), |(row, column)| entry(row, column));
        let many = Array2::from_shape_fn((30, MOST_EXACT + 5), |(row, column)| match column {
            0..5 => entry(row, column),
            _ => 0.0,
        });
        let (few, many) = (pca(center(few), 2).unwrap(), pca(center(many), 2).unwrap());
        near(&few.explained_variance_ratio, &many.explained_variance_ratio);
        for (few, many) in few.coordinates.iter().zip(&many.coordinates) {
            for (few, many) in few.iter().zip(many) {
                assert!((few - many).abs() < 1e-5, "{few} {many}");
            }
        }
    }

    #[test]
    fn too_few_constant_or_non_finite_rows_are_errors() {
        let table = |rows: &[[f64; 2]]| standardize(&rows.iter().map(|row| row.to_vec()).collect::<Vec<_>>());
        assert_eq!(pca(standardize(&[]), 2), Err(NoPca::TooFew(0)));
        assert_eq!(pca(table(&[[1.0, 2.0], [2.0, 3.0]]), 2), Err(NoPca::TooFew(2)));
        assert_eq!(pca(table(&[[1.1, 2.3]; 5]), 2), Err(NoPca::Constant));
        assert_eq!(
            pca(table(&[[1.0, f64::NAN], [0.0, 1.0], [2.0, 2.0]]), 2),
            Err(NoPca::NotFinite)
        );
        assert_eq!(pca(standardize(&vec![Vec::new(); 4]), 2), Err(NoPca::Constant));
        // One column has one component.
        let one = pca(standardize(&[vec![1.0], vec![2.0], vec![4.0]]), 2).unwrap();
        near(&one.explained_variance_ratio, &[1.0]);
    }

    proptest! {
        #[test]
        fn variances_along_orthonormal_directions_are_the_eigenvalues(
            rows in prop::collection::vec(prop::collection::vec(-1e3f64..1e3, 6), 3..40),
        ) {
            let table = standardize(&rows);
            let found = pca(table, 6).unwrap();
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            for (a, first) in found.components.iter().enumerate() {
                for (b, second) in found.components.iter().enumerate() {
                    prop_assert!((dot(first, second) - f64::from(u8::from(a == b))).abs() < 1e-9);
                }
                let along: Vec<f64> = found.coordinates.iter().map(|row| row[a]).collect();
                let mean = along.iter().sum::<f64>() / along.len() as f64;
                let variance = along.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (along.len() - 1) as f64;
                prop_assert!((variance - found.explained_variance[a]).abs() < 1e-9 * (1.0 + variance), "{variance}");
            }
            prop_assert!(found.explained_variance.windows(2).all(|pair| pair[0] >= pair[1]));
            prop_assert!((found.explained_variance_ratio.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        }
    }
}
