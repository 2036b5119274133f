//! SpecAugment on the host: masked rows and columns of a clip's spectrogram become its mean.

use crate::augment::SpecAugmentPlan;

/// Masks a spectrogram `[rows, columns]`.
pub fn mask_spectrogram(values: &mut [f32], [rows, columns]: [usize; 2], plan: &SpecAugmentPlan) {
    let sum: f64 = values.iter().map(|&value| f64::from(value)).sum();
    let mean = (sum / values.len() as f64) as f32;
    for masked in plan.rows(rows) {
        values[masked.start * columns..masked.end * columns].fill(mean);
    }
    for masked in plan.columns(columns) {
        for row in values.chunks_exact_mut(columns) {
            row[masked.clone()].fill(mean);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::runtime::rng::{Purpose, stream};

    #[test]
    fn masked_values_are_the_mean_and_others_are_unchanged() {
        let [rows, columns] = [32, 64];
        let values: Vec<f32> = (0..rows * columns).map(|at| ((at * at) as f32).sin() + 2.0).collect();
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        let mut rng = stream(4, 0, 0, Purpose::SpecAugment);
        let mut changed = 0;
        for _ in 0..50 {
            let plan = SpecAugmentPlan::draw(&mut rng);
            let mut masked = values.clone();
            mask_spectrogram(&mut masked, [rows, columns], &plan);
            for (at, (before, after)) in values.iter().zip(&masked).enumerate() {
                let hidden = plan.rows(rows).iter().any(|range| range.contains(&(at / columns)))
                    || plan
                        .columns(columns)
                        .iter()
                        .any(|range| range.contains(&(at % columns)));
                if hidden {
                    assert!((after - mean).abs() < 1e-5, "{after} {mean}");
                    changed += 1;
                } else {
                    assert_eq!(before, after);
                }
            }
        }
        assert!(changed > 50 * rows, "{changed}");
    }
}
