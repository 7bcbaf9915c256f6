//! f32 operations where they differ from the host's: NaN, signed zeros, the order of equals.

use crate::num::*;

const ODD_NANS: [u32; 4] = [0x7f80_0001, 0xffc0_0000, 0x7fff_ffff, 0xff80_1234];

#[test]
fn every_nan_is_canonical() {
    for nan in ODD_NANS.map(f32::from_bits) {
        for x in [0.0, -1.0, f32::INFINITY, nan] {
            for operation in [add_f32, sub_f32, mul_f32, div_f32, max_f32, min_f32] {
                assert_eq!(operation(nan, x).to_bits(), 0x7fc0_0000);
                assert_eq!(operation(x, nan).to_bits(), 0x7fc0_0000);
            }
            assert_eq!(fma_f32(x, nan, 1.0).to_bits(), 0x7fc0_0000);
            assert_eq!(fma_f32(x, 1.0, nan).to_bits(), 0x7fc0_0000);
            assert_eq!(tree_sum_f32(&[x, nan, x]).to_bits(), 0x7fc0_0000);
        }
        for operation in [
            neg_f32,
            abs_f32,
            sqrt_f32,
            exp_f32,
            ln_f32,
            vrec_f32,
            vrsqrt_f32,
            canonical_f32,
        ] {
            assert_eq!(operation(nan).to_bits(), 0x7fc0_0000);
        }
        assert_eq!(round_to_integral(nan, Round::Odd).to_bits(), 0x7fc0_0000);
    }
    let inf = f32::INFINITY;
    for made in [
        sub_f32(inf, inf),
        mul_f32(0.0, -inf),
        div_f32(0.0, -0.0),
        sqrt_f32(-1.0),
        ln_f32(-1.0),
    ] {
        assert_eq!(made.to_bits(), 0x7fc0_0000);
    }
}

#[test]
fn zeros_are_ordered_for_max_and_min_only() {
    for (a, b) in [(0.0, -0.0), (-0.0, 0.0)] {
        assert_eq!(max_f32(a, b).to_bits(), 0);
        assert_eq!(min_f32(a, b).to_bits(), 0x8000_0000);
        assert!(cmp_f32(Compare::Eq, a, b) && !cmp_f32(Compare::Lt, a, b));
    }
    assert_eq!(max_f32(-0.0, -0.0).to_bits(), 0x8000_0000);
    assert_eq!(min_f32(0.0, 0.0).to_bits(), 0);
    assert_eq!(max_f32(f32::NEG_INFINITY, -1.0), -1.0);
    assert_eq!(min_f32(-3.0, -2.0), -3.0);
    assert_eq!(max_f32(-3.0, -3.0), -3.0);
    assert_eq!(sqrt_f32(-0.0).to_bits(), 0x8000_0000);
    assert_eq!(neg_f32(0.0).to_bits(), 0x8000_0000);
    assert_eq!(round_to_integral(-0.25, Round::Even).to_bits(), 0x8000_0000);
}

#[test]
fn comparisons_with_nan_are_false_but_for_not_equal() {
    use Compare::{Eq, Ge, Gt, Le, Lt, Ne};
    for relation in [Eq, Ne, Lt, Le, Gt, Ge] {
        assert_eq!(cmp_f32(relation, f32::NAN, 1.0), relation == Ne);
        assert_eq!(cmp_f32(relation, f32::NAN, f32::NAN), relation == Ne);
        assert_eq!(
            cmp_f32(relation, 1.0, 2.0),
            matches!(relation, Ne | Lt | Le)
        );
        assert_eq!(
            cmp_f32(relation, 2.0, 2.0),
            matches!(relation, Eq | Le | Ge)
        );
        assert_eq!(
            cmp_f32(relation, 2.0, f32::NEG_INFINITY),
            matches!(relation, Ne | Gt | Ge)
        );
    }
}

#[test]
fn subnormals_are_kept() {
    let least = f32::from_bits(1);
    assert_eq!(add_f32(least, least).to_bits(), 2);
    assert_eq!(mul_f32(f32::MIN_POSITIVE, 0.5).to_bits(), 0x40_0000);
    assert_eq!(exp_f32(-100.0).to_bits(), 27);
}
