//! The gates' activations. NaN stays NaN.

use pulp::Simd;

/// `1 / (1 + exp(-x))`, to 2e-7.
#[inline(always)]
pub fn sigmoid<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let one = simd.splat_f32s(1.0);
    let exp = exp(simd, simd.mul_f32s(x, simd.splat_f32s(-1.0)));
    simd.div_f32s(one, simd.add_f32s(one, exp))
}

/// `(1 - exp(-2x)) / (1 + exp(-2x))`, to 2e-7.
#[inline(always)]
pub fn tanh<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let one = simd.splat_f32s(1.0);
    let exp = exp(simd, simd.mul_f32s(x, simd.splat_f32s(-2.0)));
    simd.div_f32s(simd.sub_f32s(one, exp), simd.add_f32s(one, exp))
}

/// Coefficients of the Taylor series of `exp` without its first two terms, the highest first.
const TAYLOR: [f32; 5] = [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5];
/// A larger exponent is no longer a finite number.
const LARGEST: f32 = 88.0;
/// Added to a value, it moves the value's integer part to the lowest bits.
const INTEGER: f32 = (3 << 22) as f32;
/// `ln(2)` in two parts. The first has so few bits that its products with exponents are exact.
const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];

/// `exp(x)` from `2ⁿ · exp(r)` with an integer n and `|r| ≤ ln(2) / 2`.
#[inline(always)]
fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let [low, high] = [simd.splat_f32s(-LARGEST), simd.splat_f32s(LARGEST)];
    let x = simd.select_f32s(simd.less_than_f32s(x, low), low, x);
    let x = simd.select_f32s(simd.greater_than_f32s(x, high), high, x);
    let shifted = simd.mul_add_e_f32s(x, simd.splat_f32s(std::f32::consts::LOG2_E), simd.splat_f32s(INTEGER));
    let n = simd.sub_f32s(shifted, simd.splat_f32s(INTEGER));
    let mut r = x;
    for part in LN_2 {
        r = simd.mul_add_e_f32s(n, simd.splat_f32s(-part), r);
    }
    let mut series = simd.splat_f32s(1.0 / 5040.0);
    for coefficient in TAYLOR {
        series = simd.mul_add_e_f32s(series, r, simd.splat_f32s(coefficient));
    }
    let one = simd.splat_f32s(1.0);
    let series = simd.mul_add_e_f32s(simd.mul_add_e_f32s(series, r, one), r, one);
    // 2ⁿ: n plus the exponent's bias in the exponent's bits.
    let exponent = simd.add_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(127));
    let exponent = simd.wrapping_dyn_shl_u32s(exponent, simd.splat_u32s(23));
    simd.mul_f32s(series, simd.transmute_f32s_u32s(exponent))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pulp::{Arch, WithSimd};

    /// The sigmoid and tanh of a value.
    struct Activations(f32);

    impl WithSimd for Activations {
        type Output = [f32; 2];

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> [f32; 2] {
            let x = simd.splat_f32s(self.0);
            [sigmoid(simd, x), tanh(simd, x)].map(|y| bytemuck::cast_slice(&[y])[0])
        }
    }

    fn activations(x: f32) -> [f32; 2] {
        Arch::new().dispatch(Activations(x))
    }

    #[test]
    fn activations_match_double_precision() {
        for at in -40_000..=40_000 {
            let x = at as f32 * 0.0025;
            let [sigmoid, tanh] = activations(x).map(f64::from);
            let x = f64::from(x);
            assert!((sigmoid - 1.0 / (1.0 + (-x).exp())).abs() < 2e-7, "sigmoid of {x}");
            assert!((tanh - x.tanh()).abs() < 2e-7, "tanh of {x}");
        }
    }

    #[test]
    fn activations_of_huge_values_are_limits_and_of_nan_are_nan() {
        for x in [100.0, f32::MAX, f32::INFINITY] {
            assert_eq!(activations(x), [1.0, 1.0]);
            assert_eq!(activations(-x)[1], -1.0);
            assert!((0.0..1e-37).contains(&activations(-x)[0]));
        }
        assert!(activations(f32::NAN).iter().all(|y| y.is_nan()));
    }
}
