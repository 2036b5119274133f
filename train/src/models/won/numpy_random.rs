//! NumPy's `RandomState(seed).random_sample()`: the Mersenne Twister MT19937 of Matsumoto and Nishimura 1998.

const STATE: usize = 624;
const MIDDLE: usize = 397;

/// The words of the generator's first 312 numbers.
fn words(seed: u32) -> [u32; STATE] {
    let mut state = [seed; STATE];
    for at in 1..STATE {
        let before = state[at - 1];
        state[at] = (before ^ (before >> 30))
            .wrapping_mul(1_812_433_253)
            .wrapping_add(at as u32);
    }
    for at in 0..STATE {
        let y = (state[at] & 0x8000_0000) | (state[(at + 1) % STATE] & 0x7FFF_FFFF);
        let odd = if y & 1 == 1 { 0x9908_B0DF } else { 0 };
        state[at] = state[(at + MIDDLE) % STATE] ^ (y >> 1) ^ odd;
    }
    state.map(|word| {
        let y = word ^ (word >> 11);
        let y = y ^ ((y << 7) & 0x9D2C_5680);
        let y = y ^ ((y << 15) & 0xEFC6_0000);
        y ^ (y >> 18)
    })
}

/// The first `N` numbers, uniform in [0, 1).
pub fn uniform<const N: usize>(seed: u32) -> [f32; N] {
    const { assert!(2 * N <= STATE) };
    let words = words(seed);
    std::array::from_fn(|at| {
        // 53 bits of two words.
        let (high, low) = (words[2 * at] >> 5, words[2 * at + 1] >> 6);
        ((f64::from(high) * 67_108_864.0 + f64::from(low)) / 9_007_199_254_740_992.0) as f32
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_match_numpy() {
        // numpy.random.RandomState(0).random_sample(256), at 0, 1, 2 and 255, and the sum.
        let numbers = uniform::<256>(0);
        assert_eq!(
            [numbers[0], numbers[1], numbers[2], numbers[255]],
            [0.5488135, 0.71518934, 0.60276335, 0.08342244]
        );
        let sum: f64 = numbers.iter().copied().map(f64::from).sum();
        assert!((sum - 126.907673).abs() < 1e-5, "{sum}");
    }
}
