//! The minimum of a function of one number.

/// Steps of the search. Each narrows the range to 0.618 of its width, together to less than 1e-8 of it.
const STEPS: usize = 40;

/// The argument in `range` at which `function` is lowest, if it has a single minimum there, by golden-section search.
pub fn golden_section(range: [f64; 2], function: impl Fn(f64) -> f64) -> f64 {
    let golden = (5f64.sqrt() - 1.0) / 2.0;
    let [mut low, mut high] = range;
    for _ in 0..STEPS {
        let width = golden * (high - low);
        if function(high - width) < function(low + width) {
            high = low + width;
        } else {
            low = high - width;
        }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minimum_is_found_inside_the_range_and_at_its_ends() {
        let found = |minimum: f64| golden_section([-2.0, 3.0], |x| (x - minimum).abs());
        for (minimum, expected) in [(0.7, 0.7), (-1.9, -1.9), (-5.0, -2.0), (9.0, 3.0)] {
            assert!(
                (found(minimum) - expected).abs() < 1e-7,
                "{minimum}: {}",
                found(minimum)
            );
        }
    }
}
