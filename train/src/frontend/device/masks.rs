//! SpecAugment on the device: masked rows and columns of each clip's spectrogram become its mean.

use super::{positions, upload};
use crate::augment::ClipPlan;
use burn::tensor::{Device, Int, Tensor};
use std::ops::Range;

/// Masks spectrograms `[clips, 1, rows, columns]` as planned. `device` has no autodiff.
pub(super) fn mask_spectrograms(spectrograms: Tensor<4>, plans: &[ClipPlan], device: &Device) -> Tensor<4> {
    if plans.iter().all(|plan| plan.spec_augment.is_none()) {
        return spectrograms;
    }
    let [clips, _, rows, columns] = spectrograms.dims();
    // The default plan masks nothing.
    let masks = plans.iter().map(|plan| plan.spec_augment.unwrap_or_default());
    let kept_rows = kept(rows, masks.clone().map(|plan| plan.rows(rows)), clips, device);
    let kept_columns = kept(columns, masks.map(|plan| plan.columns(columns)), clips, device);
    let kept = kept_rows.reshape([clips, 1, rows, 1]) * kept_columns.reshape([clips, 1, 1, columns]);
    let mean = spectrograms
        .clone()
        .reshape([clips, rows * columns])
        .mean_dim(1)
        .reshape([clips, 1, 1, 1]);
    let masked = kept.clone().neg().add_scalar(1.0);
    // Factors of 0 and 1, so the values that are kept do not change at all.
    spectrograms * kept + masked * mean
}

/// 1 for each position outside of both masks of a clip, else 0: `[clips, length]`.
fn kept(length: usize, masks: impl Iterator<Item = [Range<usize>; 2]>, clips: usize, device: &Device) -> Tensor<2> {
    let mut bounds = [const { Vec::new() }; 4];
    for [first, second] in masks {
        for (bounds, bound) in bounds
            .iter_mut()
            .zip([first.start, first.end, second.start, second.end])
        {
            bounds.push(bound as i32);
        }
    }
    let shape = [clips, length];
    let positions = positions(length, device).expand(shape);
    let [first_begin, first_end, second_begin, second_end] =
        bounds.map(|bound| -> Tensor<2, Int> { upload(bound, [clips, 1], device).expand(shape) });
    let outside = |begin: Tensor<2, Int>, end: Tensor<2, Int>| {
        let before = positions.clone().lower(begin);
        before.bool_or(positions.clone().greater_equal(end)).float()
    };
    outside(first_begin, first_end) * outside(second_begin, second_end)
}
