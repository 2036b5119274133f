//! Dot products, summed in several lanes so the compiler can vectorize them.

/// Number of partial sums. A single sum would fix the order of the additions.
const LANES: usize = 8;

/// `Σ a[i] b[i]` over the length of the shorter slice.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let tail: f32 = a_chunks
        .remainder()
        .iter()
        .zip(b_chunks.remainder())
        .map(|(x, y)| x * y)
        .sum();
    let mut lanes = [0.0f32; LANES];
    for (x, y) in a_chunks.zip(b_chunks) {
        for lane in 0..LANES {
            lanes[lane] += x[lane] * y[lane];
        }
    }
    lanes.iter().sum::<f32>() + tail
}

/// Dot product of `x` with `a + between (b − a)`. All three slices have the same length.
pub(super) fn dot_between(x: &[f32], a: &[f32], b: &[f32], between: f32) -> f32 {
    debug_assert!(x.len() == a.len() && x.len() == b.len());
    let (x_chunks, x_tail) = x.as_chunks();
    let (a_chunks, a_tail) = a.as_chunks();
    let (b_chunks, b_tail) = b.as_chunks();
    let [from, to] = lane_sums(x_chunks, [a_chunks, b_chunks]);
    let lanes: [f32; LANES] = std::array::from_fn(|lane| from[lane] + between * (to[lane] - from[lane]));
    let tail: f32 = (x_tail.iter().zip(a_tail).zip(b_tail))
        .map(|((x, a), b)| x * (a + between * (b - a)))
        .sum();
    lanes.iter().sum::<f32>() + tail
}

/// Dot products of `x` with each of two others, as one partial sum per lane.
///
/// Not inlined: if the compiler sees the lanes being added up, it mixes lanes of different sums in one register and
/// shuffles them at every step, which takes three times as long.
#[inline(never)]
fn lane_sums(x: &[[f32; LANES]], others: [&[[f32; LANES]]; 2]) -> [[f32; LANES]; 2] {
    let mut sums = [[0.0; LANES]; 2];
    for ((x, a), b) in x.iter().zip(others[0]).zip(others[1]) {
        for lane in 0..LANES {
            sums[0][lane] += x[lane] * a[lane];
        }
        for lane in 0..LANES {
            sums[1][lane] += x[lane] * b[lane];
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dot_products_match_naive_sums_at_every_length() {
        // Integers, so every order of summation gives the same result.
        let values = |factor: usize, length: usize| -> Vec<f32> {
            (0..length).map(|at| (at * factor % 17) as f32 - 8.0).collect()
        };
        for length in 0..40 {
            let (x, a, b) = (values(3, length), values(5, length), values(7, length));
            let sum = |y: &[f32]| -> f32 { x.iter().zip(y).map(|(x, y)| x * y).sum() };
            assert_eq!(dot(&x, &a), sum(&a), "{length}");
            let middle: Vec<f32> = a.iter().zip(&b).map(|(a, b)| (a + b) / 2.0).collect();
            for (between, truth) in [(0.0, sum(&a)), (1.0, sum(&b)), (0.5, sum(&middle))] {
                assert_eq!(dot_between(&x, &a, &b, between), truth, "{length}");
            }
        }
    }
}
