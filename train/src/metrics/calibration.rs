//! Whether probabilities are right on average: the reliability curve and the expected calibration error (ECE) of
//! [Guo et al. (2017)](https://arxiv.org/abs/1706.04599).

use super::confusion::ratio;

/// Bins of equal width between the probabilities 0 and 1.
pub const RELIABILITY_BINS: usize = 15;

/// The decisions whose probability is in one bin.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ReliabilityBin {
    pub count: u64,
    /// Mean probability; 0 if the bin is empty.
    pub confidence: f64,
    /// Fraction that was right; 0 if the bin is empty.
    pub accuracy: f64,
}

/// Accuracy by probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReliabilityCurve {
    pub bins: [ReliabilityBin; RELIABILITY_BINS],
}

impl ReliabilityCurve {
    /// Of decisions: their probability, and whether they were right. A bin contains its upper end, as in the paper.
    pub fn new(decisions: impl IntoIterator<Item = (f32, bool)>) -> Self {
        let mut bins = [ReliabilityBin::default(); RELIABILITY_BINS];
        for (probability, right) in decisions {
            let probability = f64::from(probability);
            // A cast of NaN or of a negative number gives 0.
            let end = (probability * RELIABILITY_BINS as f64).ceil() as usize;
            let bin = &mut bins[end.clamp(1, RELIABILITY_BINS) - 1];
            bin.count += 1;
            bin.confidence += probability;
            bin.accuracy += f64::from(u8::from(right));
        }
        for bin in &mut bins {
            bin.confidence = ratio(bin.confidence, bin.count as f64);
            bin.accuracy = ratio(bin.accuracy, bin.count as f64);
        }
        Self { bins }
    }

    /// The expected calibration error: the mean over decisions of the difference between accuracy and mean probability
    /// of their bin. 0 without decisions.
    pub fn ece(&self) -> f64 {
        let count: u64 = self.bins.iter().map(|bin| bin.count).sum();
        let gap = |bin: &ReliabilityBin| bin.count as f64 * (bin.accuracy - bin.confidence).abs();
        ratio(self.bins.iter().map(gap).sum(), count as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `(probability, right)` of a small generator that NumPy repeats exactly.
    fn decisions() -> Vec<(f32, bool)> {
        let mut state = 1u32;
        let mut uniform = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32
        };
        (0..1000)
            .map(|_| {
                let probability = uniform();
                (probability, uniform() < probability * probability)
            })
            .collect()
    }

    #[test]
    fn ece_and_curve_match_numpy() {
        // bins = np.clip(np.ceil(p.astype(float) * 15).astype(int) - 1, 0, 14), then for each bin the means of p and of
        // right; sum(count * abs(accuracy - confidence)) / 1000.
        let curve = ReliabilityCurve::new(decisions());
        let close = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-9, "{found} {expected}");
        close(curve.ece(), 0.164_120_836_079);
        for (bin, (count, confidence, accuracy)) in [
            (0, (75, 0.028_848_470_847, 0.0)),
            (7, (57, 0.496_137_628_430, 0.280_701_754_386)),
            (14, (80, 0.966_017_537_564, 0.95)),
        ] {
            assert_eq!(curve.bins[bin].count, count);
            close(curve.bins[bin].confidence, confidence);
            close(curve.bins[bin].accuracy, accuracy);
        }
    }

    #[test]
    fn upper_ends_belong_to_their_bin_and_empty_curves_have_no_error() {
        let curve = ReliabilityCurve::new([(0.0, false), (1.0, true), (0.2, true), (0.25, true)]);
        let counts: Vec<u64> = curve.bins.iter().map(|bin| bin.count).collect();
        // 0.2f32 is a little more than 3 / 15.
        assert_eq!(counts, [1, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        // Bin 4 has the mean probability 0.225 and accuracy 1.
        assert!((curve.ece() - 2.0 * 0.775 / 4.0).abs() < 1e-7, "{}", curve.ece());
        assert_eq!(ReliabilityCurve::new([]).ece(), 0.0);
    }
}
