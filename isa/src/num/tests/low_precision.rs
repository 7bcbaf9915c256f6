//! The quick reciprocals against exact integer comparisons.

use crate::num::*;

/// Whether `cut`, between one half and one, is the greatest value with 8 bits of mantissa that is not above the
/// exact result after its rounding to f32: half a digit less (2^-25) must satisfy `not_above`, in units of 2^-25.
fn is_cut(cut: f32, not_above: impl Fn(u128) -> bool) -> bool {
    let less = |r: f32| (f64::from(r) * 33_554_432.0) as u128 - 1;
    let next = f32::from_bits(cut.to_bits() + 0x8000);
    cut.to_bits() & 0x7fff == 0 && not_above(less(cut)) && !not_above(less(next))
}

#[test]
fn results_are_cut_to_eight_bits() {
    for mantissa in (0..1 << 23).step_by(3) {
        let x = f32::from_bits(127 << 23 | mantissa);
        let significand = u128::from(1 << 23 | mantissa);
        assert!(
            is_cut(vrec_f32(x), |r| r * significand <= 1 << (25 + 23)),
            "{x}"
        );
        let square_within = |r: u128, one: u32| r * r * significand <= 1 << one;
        assert!(is_cut(vrsqrt_f32(x), |r| square_within(r, 50 + 23)), "{x}");
        assert!(
            is_cut(vrsqrt_f32(2.0 * x), |r| square_within(r, 50 + 22)),
            "{x}"
        );
    }
}

#[test]
fn special_values() {
    let inf = f32::INFINITY;
    assert_eq!(
        (vrec_f32(0.0), vrec_f32(-0.0), vrec_f32(-inf).to_bits()),
        (inf, -inf, 0x8000_0000)
    );
    assert_eq!(
        (vrsqrt_f32(0.0), vrsqrt_f32(-0.0), vrsqrt_f32(inf)),
        (inf, -inf, 0.0)
    );
    assert_eq!(
        (vrec_f32(4.0), vrec_f32(-0.5), vrsqrt_f32(0.0625)),
        (0.25, -2.0, 4.0)
    );
    assert!(vrsqrt_f32(-1.0).is_nan());
    assert_eq!(vrec_f32(3.0), 341.0 / 1024.0);
    assert_eq!(vrec_f16(0, Overflow::Saturate), F16_MAX);
    assert_eq!(vrec_f16(0x4000, Overflow::Saturate), 0x3800);
    assert_eq!(vrsqrt_f16(0xbc00, Overflow::Saturate), 0);
    assert_eq!(vrsqrt_f16(0xbc00, Overflow::Keep), F16_NAN);
    assert_eq!(vrsqrt_f16(0x4400, Overflow::Keep), 0x3800);
}
