//! Squared Euclidean distance.

/// Sums computed in parallel, which lets the compiler vectorise them.
const LANES: usize = 16;

/// Sums squared differences. Unlike `|a|² + |b|² - 2ab`, this has no cancellation for near vectors.
#[inline(always)]
pub(super) fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; LANES];
    for (a, b) in a.chunks(LANES).zip(b.chunks(LANES)) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += (a - b) * (a - b);
        }
    }
    sums.iter().sum()
}
