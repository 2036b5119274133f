//! The cosine transform of size 32 of the polyphase synthesis, for many time steps at once.

use super::bands::SUBBANDS;
use super::synthesis::{HISTORY, Row, STEPS};
use std::f64::consts::PI;

/// 1 / (2 cos(π (2k + 1) / 2n)) for sizes n of 32, 16, 8, 4 and 2, one after the other.
pub(super) struct Dct {
    half_secants: [f32; 31],
}

impl Dct {
    pub fn new() -> Self {
        let mut half_secants = [0.0; 31];
        let mut at = 0;
        for size in [32, 16, 8, 4, 2] {
            for k in 0..size / 2 {
                half_secants[at] = (0.5 / ((2 * k + 1) as f64 * PI / (2 * size) as f64).cos()) as f32;
                at += 1;
            }
        }
        Self { half_secants }
    }

    /// Replaces each column x of these rows, behind the history, with its type II transform: row n gets the sum over k of
    /// x(k) cos(π n (2k + 1) / 64), where row n is at the index whose five bits are those of n in reverse.
    ///
    /// Lee's algorithm: the sums of opposite inputs give the even outputs, and their scaled differences, after adding
    /// neighbouring outputs, the odd ones.
    #[inline(never)]
    pub fn apply(&self, rows: &mut [Row; SUBBANDS]) {
        let mut secants = &self.half_secants[..];
        for size in [32, 16, 8, 4, 2] {
            let (now, rest) = secants.split_at(size / 2);
            secants = rest;
            for block in rows.chunks_exact_mut(size) {
                split(block, now);
            }
        }
        for size in [4, 8, 16, 32] {
            for block in rows.chunks_exact_mut(size) {
                let odd = &mut block[size / 2..];
                for k in 0..size / 2 - 1 {
                    let bits = (size / 2).ilog2();
                    let [to, from] = [reversed(k, bits), reversed(k + 1, bits)];
                    let [to, from] = odd.get_disjoint_mut([to, from]).expect("two different rows");
                    for (to, from) in to[HISTORY..].iter_mut().zip(&from[HISTORY..]) {
                        *to += *from;
                    }
                }
            }
        }
    }
}

/// Replaces rows with the sums of opposite rows, followed by their scaled differences.
fn split(rows: &mut [Row], half_secants: &[f32]) {
    let half = rows.len() / 2;
    for k in 0..half.div_ceil(2) {
        let opposite = half - 1 - k;
        if opposite == k {
            let (low, high) = rows.split_at_mut(half);
            for (low, high) in low[0][HISTORY..].iter_mut().zip(&mut high[0][HISTORY..]) {
                (*low, *high) = (*low + *high, (*low - *high) * half_secants[0]);
            }
            continue;
        }
        let places = [k, opposite, half + k, half + opposite];
        let [a, b, c, d] = rows.get_disjoint_mut(places).expect("four different rows");
        let (first, second) = (half_secants[k], half_secants[opposite]);
        for step in HISTORY..HISTORY + STEPS {
            // `d` is opposite `a`, and `c` is opposite `b`.
            let (a1, b1, c1, d1) = (a[step], b[step], c[step], d[step]);
            a[step] = a1 + d1;
            b[step] = b1 + c1;
            c[step] = (a1 - d1) * first;
            d[step] = (b1 - c1) * second;
        }
    }
}

/// A number with this many bits in reverse.
pub(super) fn reversed(number: usize, bits: u32) -> usize {
    number.reverse_bits() >> (usize::BITS - bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transform_is_the_cosine_transform() {
        let input: [Row; SUBBANDS] =
            std::array::from_fn(|k| std::array::from_fn(|step| ((k * 37 + step * 11 + 5) % 61) as f32 / 30.0 - 1.0));
        let mut rows = input;
        Dct::new().apply(&mut rows);
        for n in 0..32 {
            assert_eq!(rows[n][..HISTORY], input[n][..HISTORY]);
            for step in HISTORY..HISTORY + STEPS {
                let expected: f64 = (0..32)
                    .map(|k| f64::from(input[k][step]) * (PI * (n * (2 * k + 1)) as f64 / 64.0).cos())
                    .sum();
                let error = f64::from(rows[reversed(n, 5)][step]) - expected;
                assert!(error.abs() < 1e-5, "{n} {step}: {error}");
            }
        }
    }
}
