//! Probabilities of scores: softmax with a temperature that fits a validation set, Guo et al. (2017) and scikit-learn's
//! `CalibratedClassifierCV(method="temperature")`.

use super::golden_section::golden_section;

/// Range of the logarithm of 1 / temperature.
const RANGE: [f64; 2] = [-7.0, 7.0];

/// The softmax of the scores divided by the temperature.
pub(super) fn softmax(scores: &[f32], temperature: f64) -> Vec<f64> {
    let highest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exponentials = scores
        .iter()
        .map(|&score| (f64::from(score - highest) / temperature).exp());
    let mut all: Vec<f64> = exponentials.collect();
    let total: f64 = all.iter().sum();
    all.iter_mut().for_each(|value| *value /= total);
    all
}

/// The temperature with the lowest cross-entropy of `rows`, scores and their true class. As in Platt's calibration, the
/// true class has probability (n + 1) / (n + classes) instead of 1, so a set without mistakes does not give certainty.
/// 1 without rows.
pub(super) fn temperature(rows: &[(&[f32], usize)]) -> f64 {
    if rows.is_empty() {
        return 1.0;
    }
    let count = rows.len() as f64;
    let loss = |log: f64| -> f64 {
        let loss = |&(scores, class): &(&[f32], usize)| {
            let scale = log.exp();
            let highest = f64::from(scores.iter().copied().fold(f32::NEG_INFINITY, f32::max)) * scale;
            let total: f64 = scores
                .iter()
                .map(|&score| (f64::from(score) * scale - highest).exp())
                .sum();
            let of = |score: f32| highest + total.ln() - f64::from(score) * scale;
            let all: f64 = scores.iter().map(|&score| of(score)).sum();
            (all + count * of(scores[class])) / (count + scores.len() as f64)
        };
        rows.iter().map(loss).sum()
    };
    // The loss is convex in the scale, so it has one minimum in its logarithm too.
    (-golden_section(RANGE, loss)).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temperature_restores_probabilities_of_scaled_scores() {
        // Of 1000 rows with logits 0 and ln 3, three quarters have the second class.
        let scores = [0.0, 3f32.ln() * 20.0];
        let rows: Vec<(&[f32], usize)> = (0..1000).map(|at| (&scores[..], usize::from(at % 4 != 0))).collect();
        let found = temperature(&rows);
        assert!((found - 20.0).abs() < 0.2, "{found}");
        assert!((softmax(&scores, found)[1] - 0.75).abs() < 0.003);
        assert_eq!(temperature(&[]), 1.0);
    }

    #[test]
    fn few_rows_without_mistakes_do_not_give_certainty() {
        let scores = [2.0f32, 0.0];
        let found = temperature(&[(&scores, 0), (&scores, 0)]);
        // (2 + 1) / (2 + 2)
        assert!((softmax(&scores, found)[0] - 0.75).abs() < 1e-4, "{found}");
    }
}
