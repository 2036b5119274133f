//! Eigenvalues and eigenvectors of a symmetric matrix by Jacobi rotations (Golub and Van Loan, Matrix Computations,
//! 8.5).

/// About eight sweeps over all pairs are enough; the limit ends the loop if rounding errors prevent convergence.
const MAX_SWEEPS: usize = 40;

/// Eigenvalues of a symmetric matrix (a list of rows), each with its unit eigenvector, in descending order.
pub(super) fn eigen(mut matrix: Vec<Vec<f64>>) -> Vec<(f64, Vec<f64>)> {
    let size = matrix.len();
    let unit = |at: usize| (0..size).map(|column| f64::from(u8::from(at == column))).collect();
    let mut vectors: Vec<Vec<f64>> = (0..size).map(unit).collect();
    let norm = matrix.iter().flatten().map(|entry| entry * entry).sum::<f64>().sqrt();
    let small = f64::EPSILON * norm / size.max(1) as f64;
    for _ in 0..MAX_SWEEPS {
        let mut rotated = false;
        for p in 0..size {
            for q in p + 1..size {
                if matrix[p][q].abs() > small {
                    rotate_away(&mut matrix, &mut vectors, p, q);
                    rotated = true;
                }
            }
        }
        if !rotated {
            break;
        }
    }
    let mut found: Vec<(f64, Vec<f64>)> = (0..size).map(|at| matrix[at][at]).zip(vectors).collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    found
}

/// Rotates the axes `p` < `q` to make the entry `[p][q]` 0.
fn rotate_away(matrix: &mut [Vec<f64>], vectors: &mut [Vec<f64>], p: usize, q: usize) {
    let (pp, qq, pq) = (matrix[p][p], matrix[q][q], matrix[p][q]);
    let theta = (qq - pp) / (2.0 * pq);
    let tangent = theta.signum() / (theta.abs() + theta.hypot(1.0));
    let cosine = 1.0 / tangent.hypot(1.0);
    let sine = tangent * cosine;
    rotate(matrix, p, q, cosine, sine);
    rotate(vectors, p, q, cosine, sine);
    // The matrix is symmetric: columns equal rows, except where the two cross.
    let (row_p, row_q) = (matrix[p].clone(), matrix[q].clone());
    for (row, (at_p, at_q)) in matrix.iter_mut().zip(row_p.into_iter().zip(row_q)) {
        (row[p], row[q]) = (at_p, at_q);
    }
    (matrix[p][p], matrix[q][q]) = (pp - tangent * pq, qq + tangent * pq);
    (matrix[p][q], matrix[q][p]) = (0.0, 0.0);
}

fn rotate(rows: &mut [Vec<f64>], p: usize, q: usize, cosine: f64, sine: f64) {
    let (before, from) = rows.split_at_mut(q);
    for (a, b) in before[p].iter_mut().zip(&mut from[0]) {
        (*a, *b) = (cosine * *a - sine * *b, sine * *a + cosine * *b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `[[2, 1], [1, 2]]` has the eigenvalues 3 along (1, 1) and 1 along (1, -1).
    #[test]
    fn eigenvalues_of_a_2x2_matrix_are_as_computed_by_hand() {
        let found = eigen(vec![vec![2.0, 1.0], vec![1.0, 2.0]]);
        let root = 0.5f64.sqrt();
        assert!(
            (found[0].0 - 3.0).abs() < 1e-12 && (found[1].0 - 1.0).abs() < 1e-12,
            "{found:?}"
        );
        assert!((found[0].1[0] - found[0].1[1]).abs() < 1e-12 && (found[0].1[0].abs() - root).abs() < 1e-12);
        assert_eq!(eigen(vec![vec![7.0]]), [(7.0, vec![1.0])]);
        assert_eq!(eigen(Vec::new()), []);
    }

    /// The second-difference matrix of size 40 has the eigenvalues 2 - 2 cos(k π / 41).
    #[test]
    fn eigenvalues_of_the_second_difference_matrix_are_correct() {
        let size = 40;
        let entry = |row: usize, column: usize| match row.abs_diff(column) {
            0 => 2.0,
            1 => -1.0,
            _ => 0.0,
        };
        let found = eigen(
            (0..size)
                .map(|row| (0..size).map(|column| entry(row, column)).collect())
                .collect(),
        );
        for (at, (value, _)) in found.iter().rev().enumerate() {
            let angle = (at + 1) as f64 * std::f64::consts::PI / (size + 1) as f64;
            assert!((value - (2.0 - 2.0 * angle.cos())).abs() < 1e-12, "{at}");
        }
    }

    proptest! {
        #[test]
        fn matrix_scales_its_eigenvectors_by_their_eigenvalues(entries in prop::collection::vec(-100f64..100.0, 36)) {
            let matrix: Vec<Vec<f64>> = (0..6).map(|a| (0..6).map(|b| entries[6 * a.min(b) + a.max(b)]).collect()).collect();
            for (value, vector) in eigen(matrix.clone()) {
                for (row, entry) in matrix.iter().zip(&vector) {
                    let stretched: f64 = row.iter().zip(&vector).map(|(a, b)| a * b).sum();
                    prop_assert!((stretched - value * entry).abs() < 1e-10);
                }
            }
        }
    }
}
