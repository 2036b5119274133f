//! Axes: a range of numbers or a list of words, with ticks at round numbers.

use crate::runtime::text::grouped;

/// Approximate number of ticks per axis.
const TICKS: usize = 5;

/// An axis of a [`Plot`](super::Plot). Its ends are finite and differ.
#[derive(Clone, Debug)]
pub struct Axis {
    name: String,
    first: f64,
    last: f64,
    log: bool,
    ticks: Vec<(f64, String)>,
}

impl Axis {
    /// A linear axis from `first` to `last` with ticks at round numbers. An empty range is widened.
    pub fn linear(name: &str, first: f64, last: f64) -> Self {
        let (first, last) = widened(first, last);
        let step = round_step(last - first, TICKS);
        let ticks = (first / step - 1e-6).ceil() as i64..=(last / step + 1e-6).floor() as i64;
        Self::with_ticks(
            name,
            first,
            last,
            ticks.map(|at| tick(at as f64 * step, step)).collect(),
        )
    }

    /// A linear axis that contains all finite values. Both ends are round numbers.
    pub fn around(name: &str, values: impl IntoIterator<Item = f64>) -> Self {
        let (least, most) = ends(values);
        let (least, most) = widened(least, most);
        let step = round_step(most - least, TICKS);
        let (first, last) = ((least / step + 1e-6).floor(), (most / step - 1e-6).ceil());
        let ticks = (first as i64..=last as i64).map(|at| tick(at as f64 * step, step));
        Self::with_ticks(name, first * step, last * step, ticks.collect())
    }

    /// A logarithmic axis from `first` to `last`, both above 0, with ticks at powers of ten, or at 1, 2 and 5 times
    /// these.
    pub fn log(name: &str, first: f64, last: f64) -> Self {
        let inside = |value: f64| {
            if value.is_finite() {
                value.clamp(1e-300, 1e299)
            } else {
                1e-300
            }
        };
        let first = inside(first);
        let last = if inside(last) > first {
            inside(last)
        } else {
            10.0 * first
        };
        let (low, high) = (first.log10().floor() as i32, last.log10().ceil() as i32);
        let multiples = |factors: &[f64]| -> Vec<f64> {
            let all = (low..=high).flat_map(|power| factors.iter().map(move |factor| factor * 10f64.powi(power)));
            all.filter(|value| (first * (1.0 - 1e-9)..=last * (1.0 + 1e-9)).contains(value))
                .collect()
        };
        let mut ticks = multiples(&[1.0]);
        if ticks.len() < 2 {
            ticks = multiples(&[1.0, 2.0, 5.0]);
        }
        let every = ticks.len().div_ceil(TICKS + 1).max(1);
        let ticks = ticks.into_iter().step_by(every).map(|value| (value, plain(value)));
        Self {
            name: name.to_owned(),
            first,
            last,
            log: true,
            ticks: ticks.collect(),
        }
    }

    /// An axis of categories: the word at position `i` is at the number `i`.
    pub fn words(name: &str, words: &[String]) -> Self {
        let ticks = words.iter().enumerate().map(|(at, word)| (at as f64, word.clone()));
        Self::with_ticks(name, -0.5, words.len().max(1) as f64 - 0.5, ticks.collect())
    }

    /// A linear axis from `first` to `last` with these ticks.
    pub fn with_ticks(name: &str, first: f64, last: f64, ticks: Vec<(f64, String)>) -> Self {
        let (first, last) = widened(first, last);
        Self {
            name: name.to_owned(),
            first,
            last,
            log: false,
            ticks,
        }
    }

    /// Keeps only the ticks at whole numbers, for counts and epochs.
    pub fn integer_ticks(mut self) -> Self {
        self.ticks.retain(|(value, _)| value.fract() == 0.0);
        self.ticks
            .iter_mut()
            .for_each(|(value, words)| *words = number(*value, 0));
        self
    }

    /// The quantity on the axis, and its unit.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The positions of the ticks, and their labels.
    pub fn ticks(&self) -> &[(f64, String)] {
        &self.ticks
    }

    /// The position of a number on the axis: 0 at the beginning, 1 at the end, and clamped to these. `None` for NaN and
    /// infinities.
    pub fn share(&self, value: f64) -> Option<f64> {
        let scaled = |value: f64| if self.log { value.max(1e-300).ln() } else { value };
        let share = (scaled(value) - scaled(self.first)) / (scaled(self.last) - scaled(self.first));
        value.is_finite().then(|| share.clamp(0.0, 1.0))
    }
}

fn ends(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    let finite = values.into_iter().filter(|value| value.is_finite());
    let (least, most) = finite.fold((f64::MAX, f64::MIN), |(least, most), value| {
        (least.min(value), most.max(value))
    });
    if least <= most { (least, most) } else { (0.0, 1.0) }
}

/// Makes the ends finite and different.
fn widened(first: f64, last: f64) -> (f64, f64) {
    const FAR: f64 = 1e15;
    let finite = |value: f64| if value.is_finite() { value.clamp(-FAR, FAR) } else { 0.0 };
    let (first, last) = (finite(first), finite(last));
    if last - first > 1e-9 * first.abs().max(last.abs()).max(1e-6) {
        (first, last)
    } else {
        (first - 0.5 - 1e-3 * first.abs(), first + 0.5 + 1e-3 * first.abs())
    }
}

/// The smallest of 1, 2, 5, 10, 20 and so on (times any power of ten) that fits into `range`, above 0, at most `count`
/// times.
pub fn round_step(range: f64, count: usize) -> f64 {
    let least = range / count.max(1) as f64;
    let power = 10f64.powi(least.log10().floor() as i32);
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    let enough = steps.into_iter().find(|step| *step >= least * (1.0 - 1e-9));
    enough.unwrap_or(10.0 * power)
}

/// A tick whose label has as many decimals as `step`.
fn tick(value: f64, step: f64) -> (f64, String) {
    (value, number(value, (-step.log10().floor()).clamp(0.0, 9.0) as usize))
}

/// A number with this many decimals, grouped digits and a true minus sign. Zero has no minus.
pub fn number(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let is_zero = text.chars().all(|letter| matches!(letter, '0' | '.'));
    let (integer, fraction) = text.split_at(text.find('.').unwrap_or(text.len()));
    let integer = integer.parse().map_or_else(|_| integer.to_owned(), grouped);
    format!("{}{integer}{fraction}", if value < 0.0 && !is_zero { "−" } else { "" })
}

/// `0.001`, `1e-4`.
fn plain(value: f64) -> String {
    if (1e-3 * (1.0 - 1e-9)..1e6).contains(&value) {
        let decimals = (-value.log10().floor()).clamp(0.0, 3.0) as usize;
        number(value, decimals)
    } else {
        format!("{value:.0e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, words)| words.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_numbers_inside_the_range() {
        assert_eq!(words(&Axis::linear("s", 0.0, 29.9)), ["0", "10", "20"]);
        assert_eq!(
            words(&Axis::linear("dB", -80.0, 0.0)),
            ["−80", "−60", "−40", "−20", "0"]
        );
        assert_eq!(words(&Axis::linear("n", 0.0, 50_000.0))[1], "10,000");
        let around = Axis::around("loss", [0.13, 0.93, f64::NAN, f64::INFINITY]);
        assert_eq!(words(&around), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(
            (around.share(0.0), around.share(1.0), around.share(f64::NAN)),
            (Some(0.0), Some(1.0), None)
        );
        assert_eq!(words(&Axis::linear("epoch", 1.0, 3.0).integer_ticks()), ["1", "2", "3"]);
    }

    #[test]
    fn log_axis_has_ticks_at_powers_of_ten() {
        assert_eq!(
            words(&Axis::log("lr", 1e-5, 1e-1)),
            ["1e-5", "1e-4", "0.001", "0.01", "0.1"]
        );
        assert_eq!(words(&Axis::log("lr", 0.15, 0.9)), ["0.2", "0.5"]);
        let axis = Axis::log("lr", 1e-4, 1e-2);
        assert!((axis.share(1e-3).unwrap() - 0.5).abs() < 1e-9);
        assert_eq!(axis.share(0.0), Some(0.0));
    }

    #[test]
    fn category_is_at_the_centre_of_its_section() {
        let axis = Axis::words("balance", &["none".into(), "oversample".into()]);
        assert_eq!((axis.share(0.0), axis.share(1.0)), (Some(0.25), Some(0.75)));
    }

    proptest! {
        #[test]
        fn round_step_fits_at_most_count_times_into_the_range(range in 1e-6f64..1e9, count in 1usize..40) {
            let step = round_step(range, count);
            prop_assert!(range / step <= count as f64 * (1.0 + 1e-6));
            prop_assert!(range / step * 2.6 > count as f64);
        }

        #[test]
        fn axis_is_valid_for_any_two_ends(first in any::<f64>(), last in any::<f64>(), value in any::<f64>()) {
            for axis in [Axis::linear("", first, last), Axis::around("", [first, last]), Axis::log("", first, last)] {
                prop_assert!(axis.ticks.len() < 20, "{axis:?}");
                if let Some(share) = axis.share(value) {
                    prop_assert!((0.0..=1.0).contains(&share), "{axis:?}");
                }
            }
        }
    }
}
