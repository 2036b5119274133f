//! A range of numbers enters; an axis with ticks at round numbers leaves.

/// An axis of a drawing. Logarithms and bands are drawn by giving those numbers in and other words for ticks.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    /// What is drawn along it, and its unit.
    pub name: String,
    /// The number at its beginning.
    pub first: f64,
    /// The number at its end; another than `first`.
    pub last: f64,
    /// Where ticks are, and their words.
    pub ticks: Vec<(f64, String)>,
}

impl Axis {
    /// From `first` to `last`, with about so many ticks.
    pub fn linear(name: &str, first: f64, last: f64, ticks: usize) -> Self {
        // A range of nothing is widened, so that something can be drawn in it.
        let last = if last > first {
            last
        } else {
            first + first.abs().max(1.0) * 1e-3
        };
        let step = round_step(last - first, ticks);
        let from = (first / step - 1e-9).ceil() as i64;
        let to = (last / step + 1e-9).floor() as i64;
        let ticks = (from..=to).map(|at| at as f64 * step).map(|at| (at, words(at, step)));
        Self {
            name: name.to_owned(),
            first,
            last,
            ticks: ticks.collect(),
        }
    }

    /// Of mel bands, each one unit long, that peak at these frequencies; ticks at octaves that are at least such a share of
    /// the axis apart, for the scale is linear below 1 kHz, where octaves crowd.
    pub fn mel_bands(name: &str, band_hz: &[f64], apart: f64) -> Self {
        let hertz = [32_000.0, 16_000.0, 8000.0, 4000.0, 2000.0, 1000.0, 500.0, 250.0, 125.0];
        let bands = band_hz.len().max(1) as f64;
        let mut ticks: Vec<(f64, String)> = Vec::new();
        for hz in hertz {
            let Some(place) = band_at(band_hz, hz) else { continue };
            if ticks.last().is_none_or(|(above, _)| above - place >= apart * bands) {
                ticks.push((place, frequency(hz)));
            }
        }
        ticks.reverse();
        Self {
            name: name.to_owned(),
            first: 0.0,
            last: bands,
            ticks,
        }
    }

    /// Where a number is, from 0 at the beginning to 1 at the end.
    pub fn share(&self, value: f64) -> f64 {
        (value - self.first) / (self.last - self.first)
    }
}

/// Where a frequency is among bands, in the middle of each of which its peak is.
fn band_at(band_hz: &[f64], hz: f64) -> Option<f64> {
    let above = band_hz.partition_point(|peak| *peak < hz);
    let (below, above_hz) = (band_hz.get(above.checked_sub(1)?)?, band_hz.get(above)?);
    Some(above as f64 - 0.5 + (hz - below) / (above_hz - below))
}

/// `500`, `2k`.
fn frequency(hz: f64) -> String {
    if hz < 1000.0 {
        format!("{hz}")
    } else {
        format!("{}k", hz / 1000.0)
    }
}

/// The least of 1, 2, 5, 10, 20 and so on that is contained in `range` no more than `count` times.
pub(in crate::inspect) fn round_step(range: f64, count: usize) -> f64 {
    let least = range / count.max(1) as f64;
    let power = 10f64.powi(least.log10().floor() as i32);
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    steps
        .into_iter()
        .find(|step| *step >= least * (1.0 - 1e-9))
        .unwrap_or(10.0 * power)
}

/// A tick's number, with as many decimals as its step has.
fn words(value: f64, step: f64) -> String {
    number(value, (-step.log10().floor()).clamp(0.0, 9.0) as usize)
}

/// A number with so many decimals and a true minus, but none before a zero.
pub(super) fn number(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let is_zero = text.chars().all(|letter| matches!(letter, '0' | '.'));
    if value < 0.0 && !is_zero {
        format!("−{text}")
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tick_words(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, words)| words.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_numbers_inside_the_range() {
        assert_eq!(
            tick_words(&Axis::linear("s", 0.0, 29.9, 6)),
            ["0", "5", "10", "15", "20", "25"]
        );
        assert_eq!(
            tick_words(&Axis::linear("dB", -80.0, 0.0, 4)),
            ["−80", "−60", "−40", "−20", "0"]
        );
        assert_eq!(tick_words(&Axis::linear("s", 1.18, 1.31, 3)), ["1.20", "1.25", "1.30"]);
        let point = Axis::linear("s", 3.0, 3.0, 4);
        assert!(point.last > point.first && point.share(3.0) == 0.0);
    }

    #[test]
    fn octaves_stand_where_their_bands_are() {
        let hz = shared::dsp::mel::band_peaks(128, 0.0, 22_050.0);
        let axis = Axis::mel_bands("Hz", &hz, 0.06);
        assert_eq!(tick_words(&axis), ["250", "500", "1k", "2k", "4k", "8k", "16k"]);
        // 1 kHz is mel 15 of 59.99, and bands peak every 59.99 / 129 mels.
        let at_1k = axis.ticks.iter().find(|(_, words)| words == "1k").unwrap().0;
        assert!((at_1k - (15.0 / 59.992_5 * 129.0 - 0.5)).abs() < 0.05, "{at_1k}");
        assert!(
            Axis::mel_bands("Hz", &[], 0.1).ticks.is_empty() && Axis::mel_bands("Hz", &[500.0], 0.1).ticks.is_empty()
        );
    }

    proptest! {
        #[test]
        fn a_step_fits_as_often_as_asked_and_not_much_less(range in 1e-6f64..1e9, count in 1usize..40) {
            let step = round_step(range, count);
            prop_assert!(range / step <= count as f64 * (1.0 + 1e-6));
            prop_assert!(range / step * 2.6 > count as f64);
        }
    }
}
