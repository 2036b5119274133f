//! Spectrograms as images: resizing, and the rotation, shift and flip of image classifiers.
//!
//! Images are `[height, width]`, row by row. Results are written to the caller's memory.
//!
//! Resizing is `torch.nn.functional.interpolate(mode="bilinear", align_corners=False, antialias=True)`. The random
//! transformation is that of Keras' `ImageDataGenerator(rotation_range=20, width_shift_range=0.2,
//! height_shift_range=0.2, horizontal_flip=True)`, whose `apply_affine_transform` is
//! `scipy.ndimage.affine_transform(order=1, mode="nearest")` about the image's centre.

use crate::augment::ImagePlan;

/// Working memory of [`resize_bilinear`]. It caches the filters, so repeated calls with the same sizes compute none and
/// allocate nothing.
#[derive(Clone, Debug, Default)]
pub struct ResizeScratch {
    rows: Filters,
    columns: Filters,
    /// Image after its columns are resized, `[height before, width after]`.
    between: Vec<f32>,
}

/// Filters of one axis: the input values and weights of each output value.
#[derive(Clone, Debug, Default)]
struct Filters {
    from: usize,
    to: usize,
    /// For each output, its first input and the end of its weights.
    spans: Vec<(usize, usize)>,
    /// The weights of all outputs, concatenated.
    weights: Vec<f32>,
}

impl Filters {
    /// Triangles as wide as the distance between outputs or between inputs, whichever is larger, cut off at the image's
    /// ends. Their weights sum to 1.
    fn plan(&mut self, from: usize, to: usize) {
        if (self.from, self.to) == (from, to) {
            return;
        }
        self.spans.clear();
        self.weights.clear();
        let ratio = from as f64 / to as f64;
        let reach = ratio.max(1.0);
        for at in 0..to {
            let centre = (at as f64 + 0.5) * ratio;
            let begin = (centre - reach + 0.5).max(0.0) as usize;
            let end = ((centre + reach + 0.5) as usize).min(from);
            let weight = |value: usize| (1.0 - ((value as f64 + 0.5 - centre) / reach).abs()).max(0.0);
            let sum: f64 = (begin..end).map(weight).sum();
            self.weights
                .extend((begin..end).map(|value| (weight(value) / sum) as f32));
            self.spans.push((begin, self.weights.len()));
        }
        (self.from, self.to) = (from, to);
    }

    /// For each output, its first input and the weights of that and the following inputs.
    fn iter(&self) -> impl Iterator<Item = (usize, &[f32])> {
        let mut before = 0;
        self.spans.iter().map(move |&(begin, end)| {
            let weights = &self.weights[before..end];
            before = end;
            (begin, weights)
        })
    }
}

/// Resizes an image of `size` to `out_size`. When shrinking, each output is a mean weighted by a triangle
/// (antialiasing). When growing, this is plain bilinear interpolation.
///
/// # Panics
/// Panics if a side is 0, or a slice does not have the length of its size.
pub fn resize_bilinear(
    src: &[f32],
    size: [usize; 2],
    scratch: &mut ResizeScratch,
    out: &mut [f32],
    out_size: [usize; 2],
) {
    check(src, size);
    check(out, out_size);
    let ([height, width], [out_height, out_width]) = (size, out_size);
    let ResizeScratch { rows, columns, between } = scratch;
    rows.plan(height, out_height);
    columns.plan(width, out_width);
    between.resize(height * out_width, 0.0);
    for (src, line) in src.chunks_exact(width).zip(between.chunks_exact_mut(out_width)) {
        for (value, (begin, weights)) in line.iter_mut().zip(columns.iter()) {
            *value = src[begin..]
                .iter()
                .zip(weights)
                .map(|(value, weight)| value * weight)
                .sum();
        }
    }
    for (out, (begin, weights)) in out.chunks_exact_mut(out_width).zip(rows.iter()) {
        out.fill(0.0);
        for (line, weight) in between[begin * out_width..].chunks_exact(out_width).zip(weights) {
            for (out, value) in out.iter_mut().zip(line) {
                *out += value * weight;
            }
        }
    }
}

fn check(image: &[f32], [height, width]: [usize; 2]) {
    assert!(height > 0 && width > 0, "an image has at least one row and one column");
    assert_eq!(
        image.len(),
        height * width,
        "an image of {height} rows and {width} columns"
    );
}

/// Transforms an image of `size` as planned. `out` has the same size. Positions outside the image get the nearest
/// pixel's value.
///
/// # Panics
/// Panics if a side is 0, or a slice does not have the length of its size.
pub fn transform(src: &[f32], size: [usize; 2], plan: &ImagePlan, out: &mut [f32]) {
    check(src, size);
    check(out, size);
    let [height, width] = size;
    let (sin, cos) = plan.rotation_degrees.to_radians().sin_cos();
    let centre = size.map(|side| (side as f64 - 1.0) / 2.0);
    // Maps each output pixel to the source: first the shift, then the rotation about the centre.
    let [down, right] = [plan.shift_rows * height as f64, plan.shift_columns * width as f64];
    for (row, line) in out.chunks_exact_mut(width).enumerate() {
        let y = row as f64 - centre[0] + down;
        for (column, value) in line.iter_mut().enumerate() {
            let column = if plan.flip { width - 1 - column } else { column };
            let x = column as f64 - centre[1] + right;
            let (row, column) = (cos * y - sin * x + centre[0], sin * y + cos * x + centre[1]);
            *value = sample(src, size, row, column);
        }
    }
}

/// The value between pixels, by bilinear interpolation.
fn sample(image: &[f32], [height, width]: [usize; 2], row: f64, column: f64) -> f32 {
    let split = |place: f64, side: usize| {
        let place = place.clamp(0.0, (side - 1) as f64);
        let before = place as usize;
        (before, (before + 1).min(side - 1), (place - before as f64) as f32)
    };
    let ((above, below, down), (left, right, over)) = (split(row, height), split(column, width));
    let between = |row: usize| {
        let (a, b) = (image[row * width + left], image[row * width + right]);
        a + (b - a) * over
    };
    let (a, b) = (between(above), between(below));
    a + (b - a) * down
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use shared::runtime::rng::{Purpose, stream};

    const SIZE: [usize; 2] = [6, 9];
    /// The tables are rounded to seven decimals, and sums are in f32.
    const TOLERANCE: f32 = 2e-6;

    /// Six rows of nine multiples of an eighth, as in the Python script that computed the tables: `((r * 29 + c * 53 +
    /// r * c * 7) % 32) / 8`.
    fn image() -> Vec<f32> {
        let value = |at: usize| (at / 9 * 29 + at % 9 * 53 + at / 9 * (at % 9) * 7) % 32;
        (0..54).map(|at| value(at) as f32 / 8.0).collect()
    }

    fn resized(src: &[f32], size: [usize; 2], out_size: [usize; 2]) -> Vec<f32> {
        let mut out = vec![f32::NAN; out_size[0] * out_size[1]];
        resize_bilinear(src, size, &mut ResizeScratch::default(), &mut out, out_size);
        out
    }

    fn applied(plan: ImagePlan, src: &[f32], size: [usize; 2]) -> Vec<f32> {
        let mut out = vec![f32::NAN; src.len()];
        transform(src, size, &plan, &mut out);
        out
    }

    fn worst(ours: &[f32], expected: &[f32]) -> f32 {
        assert_eq!(ours.len(), expected.len());
        let error = |(ours, expected): (&f32, &f32)| (ours - expected).abs();
        ours.iter().zip(expected).map(error).fold(0.0, f32::max)
    }

    // PyTorch 2.15, `interpolate(image, size, mode="bilinear", align_corners=False, antialias=True)` in float64.
    const SMALLER: [f32; 12] = [
        2.359694, 2.1912022, 1.6006098, 1.847449, 2.1785715, 1.6128049, 1.695122, 2.1178572, 1.5035714, 1.9368467,
        1.7791812, 2.347449,
    ];
    const FLATTER_AND_WIDER: [f32; 40] = [
        2.53125, 2.5695312, 2.6679688, 2.653906, 2.0773437, 1.5007812, 1.7742187, 2.0976562, 2.096094, 1.9695312,
        1.7304688, 1.3789062, 1.2148438, 1.5382813, 1.8367187, 1.7101562, 1.5835937, 1.8320312, 2.1554687, 2.28125,
        2.59375, 2.3148437, 1.5976562, 1.0304687, 1.2132812, 1.3960937, 1.5789063, 1.7617188, 2.1070313, 2.5148437,
        2.3601563, 1.6429688, 1.2382812, 1.6460938, 2.0414062, 2.2242188, 2.4070313, 2.4023438, 2.3601563, 2.34375,
    ];
    const LARGER: [f32; 84] = [
        0.0, 1.640625, 2.109375, 1.578125, 3.546875, 3.015625, 1.984375, 1.453125, 3.421875, 2.890625, 1.859375, 1.0,
        2.8482144, 2.954241, 2.7600446, 2.3515625, 2.4787946, 2.0703125, 1.5546875, 1.1462054, 1.2734375, 0.8649554,
        1.5279018, 3.0625, 3.3839285, 3.422991, 2.5055804, 0.9453125, 0.9921875, 1.0390625, 1.0859375, 1.1328125,
        1.1796875, 1.2265625, 1.8091518, 2.7410715, 3.0625, 2.3203125, 1.4296875, 0.7890625, 1.3984375, 2.0078125,
        1.8671875, 1.2265625, 1.8359375, 2.4453125, 2.3046875, 1.5625, 2.7410715, 1.2176338, 0.8895089, 1.8828125,
        1.9832588, 2.9765625, 2.6484375, 1.3203125, 2.4921875, 2.7712054, 2.4430804, 1.8125, 2.419643, 1.3649554,
        1.2779018, 2.0837054, 1.4609375, 2.266741, 2.1796875, 1.3069196, 2.3984375, 2.061384, 2.295759, 3.205357,
        2.125, 1.5, 0.75, 0.5, 2.75, 2.5, 1.75, 1.0, 0.25, 2.0, 2.75, 2.125,
    ];

    #[test]
    fn resizing_matches_pytorch() {
        for (out_size, expected) in [
            ([3, 4], &SMALLER[..]),
            ([2, 20], &FLATTER_AND_WIDER),
            ([7, 12], &LARGER),
        ] {
            let worst = worst(&resized(&image(), SIZE, out_size), expected);
            println!("resize to {out_size:?}: largest error {worst:.2e}");
            assert!(worst <= TOLERANCE, "{out_size:?}: {worst}");
        }
    }

    // SciPy 1.17.1, `affine_transform(image, m[:2, :2], m[:2, 2], order=1, mode="nearest")` in float64 with the matrix
    // m of Keras' `apply_affine_transform`: centre · rotation · shift · centre⁻¹; the second one then `[:, ::-1]`.
    const TURNED: [f32; 54] = [
        3.1984644, 3.311229, 3.3949163, 2.1405492, 2.2850108, 2.1097527, 1.3922954, 2.9091232, 2.8414998, 2.8408203,
        2.355606, 1.6149945, 0.3641291, 0.6110758, 1.1122559, 1.1115566, 0.664158, 0.8625232, 2.4831765, 1.3657548,
        1.2309896, 1.9680533, 2.7668579, 1.9136993, 1.3326974, 1.5468768, 1.637479, 2.1255326, 1.1170293, 1.5664982,
        1.3810523, 2.6882043, 1.8161246, 2.0557175, 2.986655, 2.0807955, 1.891185, 0.937468, 0.5487468, 3.030034,
        2.284856, 1.1267341, 2.7143598, 1.8445005, 2.3215656, 1.5904793, 0.6367622, 1.4508642, 2.7293284, 1.7756114,
        0.8218944, 0.8954676, 2.6972194, 2.8119953,
    ];
    const TURNED_AND_FLIPPED: [f32; 54] = [
        1.0, 1.0, 1.0, 2.2816098, 3.6265628, 1.4180154, 2.3164687, 3.6614215, 1.715103, 3.5497386, 3.0039704,
        2.2424498, 1.7428243, 3.0549462, 1.2573943, 2.6023474, 3.7369723, 1.2922533, 2.3194697, 2.605348, 2.213711,
        0.7698386, 0.8575103, 1.3010767, 2.1005375, 2.7287526, 1.9118752, 0.9745167, 1.2603953, 2.2535567, 2.0505824,
        1.338902, 0.983116, 0.9832246, 1.3392277, 2.523276, 3.252651, 2.706883, 2.4451025, 2.708881, 1.4643991,
        2.804031, 2.143224, 0.868228, 1.9322113, 2.2846107, 2.570298, 2.1984785, 2.4197197, 1.2235023, 2.9912453,
        1.6809151, 1.9539146, 0.4339105,
    ];

    #[test]
    fn transforms_match_scipy_and_keras() {
        let first = ImagePlan {
            rotation_degrees: 17.5,
            shift_rows: 0.11,
            shift_columns: -0.07,
            flip: false,
        };
        let second = ImagePlan {
            rotation_degrees: -12.0,
            shift_rows: -0.2,
            shift_columns: 0.15,
            flip: true,
        };
        for (plan, expected) in [(first, TURNED), (second, TURNED_AND_FLIPPED)] {
            let worst = worst(&applied(plan, &image(), SIZE), &expected);
            println!("{plan:?}: largest error {worst:.2e}");
            assert!(worst <= TOLERANCE, "{plan:?}: {worst}");
        }
    }

    #[test]
    fn scratch_can_be_reused_for_other_sizes() {
        let mut scratch = ResizeScratch::default();
        for out_size in [[3, 4], [7, 12], [3, 4], [1, 1], [6, 9]] {
            let mut out = vec![0.0; out_size[0] * out_size[1]];
            resize_bilinear(&image(), SIZE, &mut scratch, &mut out, out_size);
            assert_eq!(out, resized(&image(), SIZE, out_size), "{out_size:?}");
        }
    }

    #[test]
    fn rotation_by_90_degrees_moves_whole_pixels() {
        let src: Vec<f32> = (0..25).map(|value| value as f32).collect();
        let turned = applied(
            ImagePlan {
                rotation_degrees: 90.0,
                ..ImagePlan::default()
            },
            &src,
            [5, 5],
        );
        // The pixel at (row, column) comes from (4 - column, row).
        let expected: Vec<f32> = (0..25).map(|at| ((4 - at % 5) * 5 + at / 5) as f32).collect();
        assert!(worst(&turned, &expected) < 1e-5);
    }

    #[test]
    fn whole_pixel_shifts_and_flips_are_exact() {
        assert_eq!(applied(ImagePlan::default(), &image(), SIZE), image());
        let flipped = ImagePlan {
            flip: true,
            ..ImagePlan::default()
        };
        assert_eq!(applied(flipped, &applied(flipped, &image(), SIZE), SIZE), image());
        assert_eq!(applied(flipped, &image(), SIZE)[0], image()[8]);
        // Shifts left by two of eight columns; the last column's value fills the gap.
        let shifted = ImagePlan {
            shift_columns: 0.25,
            ..ImagePlan::default()
        };
        let row: Vec<f32> = (0..8).map(|value| value as f32).collect();
        assert_eq!(applied(shifted, &row, [1, 8]), [2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 7.0, 7.0]);
    }

    proptest! {
        #[test]
        fn resizing_keeps_the_value_range_and_constant_images(
            [height, width] in prop::array::uniform2(1usize..24),
            out_size in prop::array::uniform2(1usize..24),
        ) {
            let constant = resized(&vec![3.5; height * width], [height, width], out_size);
            prop_assert!(constant.iter().all(|value| (value - 3.5).abs() < 1e-5));
            let src: Vec<f32> = (0..height * width).map(|at| (at * 37 % 64) as f32 / 64.0).collect();
            let out = resized(&src, [height, width], out_size);
            prop_assert!(out.iter().all(|value| (-1e-6..1.0).contains(value)));
            prop_assert!(worst(&resized(&src, [height, width], [height, width]), &src) < 1e-6);
        }

        #[test]
        fn transforms_keep_the_value_range(seed in any::<u64>(), size in prop::array::uniform2(1usize..24)) {
            let plan = ImagePlan::draw(&mut stream(seed, 0, 0, Purpose::Image));
            let src: Vec<f32> = (0..size[0] * size[1]).map(|at| (at * 37 % 64) as f32 / 64.0).collect();
            let low = src.iter().copied().fold(1.0, f32::min);
            let high = src.iter().copied().fold(0.0, f32::max);
            let out = applied(plan, &src, size);
            prop_assert!(out.iter().all(|value| (low - 1e-6..=high + 1e-6).contains(value)));
        }
    }
}
