//! The first principal components of a wide table by subspace iteration (Golub and Van Loan, Matrix Computations, 8.2),
//! without its covariance matrix.

use super::eigen::eigen;
use ndarray::{Array2, ArrayView1};

/// Directions in addition to the wanted ones. The more there are, the fewer steps are needed.
const EXTRA: usize = 8;
/// Components with almost the same variance need many steps; how they are mixed does not matter.
const MOST_STEPS: usize = 100;
/// Relative change of the variances in a step at which they have converged.
const CONVERGED: f64 = 1e-10;

/// The first `count` eigenvalues of the covariance of `values`, whose columns have mean 0, with their unit eigenvectors.
pub(super) fn leading(values: &Array2<f64>, count: usize) -> Vec<(f64, Vec<f64>)> {
    let (rows, columns) = values.dim();
    let size = (count + EXTRA).min(columns);
    // Any directions that are not all orthogonal to the wanted ones.
    let mut basis =
        Array2::from_shape_fn((columns, size), |(row, column)| ((row + 1) * (column + 1)) as f64).mapv(f64::sin);
    let mut found: Vec<(f64, Vec<f64>)> = Vec::new();
    for _ in 0..MOST_STEPS {
        orthonormalize(&mut basis);
        let image = values.t().dot(&values.dot(&basis)) / (rows as f64 - 1.0);
        let small = eigen(basis.t().dot(&image).outer_iter().map(|row| row.to_vec()).collect());
        let turn = Array2::from_shape_fn((size, size), |(row, column)| small[column].1[row]);
        let turned = basis.dot(&turn);
        let near = CONVERGED * small[0].0;
        let has_converged =
            !found.is_empty() && (found.iter().zip(&small)).all(|(old, new)| (new.0 - old.0).abs() <= near);
        let vectors = turned.columns().into_iter().map(|column| column.to_vec());
        let values = small.iter().map(|(value, _)| *value);
        found = values.zip(vectors).take(count).collect();
        if has_converged {
            break;
        }
        basis = image.dot(&turn);
    }
    found
}

/// Makes the columns orthonormal. A column that depends on those before it becomes 0.
fn orthonormalize(basis: &mut Array2<f64>) {
    let norm = |column: ArrayView1<'_, f64>| column.dot(&column).sqrt();
    for at in 0..basis.ncols() {
        let before = norm(basis.column(at));
        // Once is not enough with rounding errors.
        for _ in 0..2 {
            for other in 0..at {
                let along = basis.column(other).dot(&basis.column(at));
                let direction = basis.column(other).to_owned();
                basis.column_mut(at).scaled_add(-along, &direction);
            }
        }
        let after = norm(basis.column(at));
        let scale = if after > before * f64::EPSILON * 64.0 {
            1.0 / after
        } else {
            0.0
        };
        basis.column_mut(at).mapv_inplace(|value| value * scale);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(table: &Array2<f64>, count: usize) {
        let covariance = table.t().dot(table) / (table.nrows() as f64 - 1.0);
        let expected = eigen(covariance.outer_iter().map(|row| row.to_vec()).collect());
        for ((value, vector), (expected, direction)) in leading(table, count).iter().zip(&expected) {
            assert!((value - expected).abs() < 1e-9 * (1.0 + expected), "{value} {expected}");
            let along: f64 = vector.iter().zip(direction).map(|(a, b)| a * b).sum();
            assert!((along.abs() - 1.0).abs() < 1e-5, "{along}");
        }
    }

    /// Columns with falling variance, turned into each other.
    #[test]
    fn components_are_those_of_the_covariance_matrix() {
        let table = Array2::from_shape_fn((90, 40), |(row, column)| {
            let wave = |at: usize| ((row * at) as f64 * 0.37 + at as f64).sin() / (at * at) as f64;
            wave(column + 1) + wave(40 - column) / 2.0
        });
        let mean = table.mean_axis(ndarray::Axis(0)).unwrap();
        near(&(&table - &mean), 2);
    }

    /// Three rows have two components, whatever the number of columns.
    #[test]
    fn fewer_rows_than_directions_are_enough() {
        let mut table = Array2::zeros((3, 60));
        for (row, entry, value) in [(0, 5, 3.0), (1, 5, -3.0), (0, 7, 1.0), (1, 7, 1.0), (2, 7, -2.0)] {
            table[[row, entry]] = value;
        }
        let found = leading(&table, 2);
        assert!(
            (found[0].0 - 9.0).abs() < 1e-9 && (found[1].0 - 3.0).abs() < 1e-9,
            "{found:?}"
        );
        assert!((found[0].1[5].abs() - 1.0).abs() < 1e-9 && (found[1].1[7].abs() - 1.0).abs() < 1e-9);
    }
}
