//! Exponential and logarithm: error over all exponents, special values, and the same bits everywhere.

use super::reference::{f32_samples, fingerprint, two_to};
use crate::num::*;

/// ln 2 as a sum: the first part has few enough digits that its product with an exponent is exact.
const LN_2: (f64, f64) = (
    f64::from_bits(0x3fe6_2e42_fee0_0000),
    f64::from_bits(0x3dea_39ef_3579_3c76),
);

/// e to the power x by Taylor's series, to f64's accuracy.
fn exp_reference(x: f64) -> f64 {
    let k = (x / LN_2.0).round();
    let r = (x - k * LN_2.0) - k * LN_2.1;
    let series = (1..=18)
        .rev()
        .fold(1.0, |sum, n| 1.0 + sum * r / f64::from(n));
    series * two_to(k as i32)
}

/// The logarithm of a positive number by the series of the inverse hyperbolic tangent, to f64's accuracy.
fn ln_reference(x: f64) -> f64 {
    let exponent = (x.to_bits() >> 52) as i32 - 1023;
    let fraction = x / two_to(exponent);
    let (k, m) = if fraction > 1.4 {
        (exponent + 1, fraction / 2.0)
    } else {
        (exponent, fraction)
    };
    let s = (m - 1.0) / (m + 1.0);
    let series = (0..=14)
        .rev()
        .fold(0.0, |sum, n| sum * s * s + 2.0 / f64::from(2 * n + 1));
    f64::from(k) * LN_2.0 + (s * series + f64::from(k) * LN_2.1)
}

/// How many units in the last place of f32 a result is off.
fn ulps(result: f32, exact: f64) -> f64 {
    let exponent = ((exact.abs().to_bits() >> 52) as i32 - 1023).max(-126);
    (f64::from(result) - exact).abs() / two_to(exponent - 23)
}

fn worst(
    samples: impl Iterator<Item = f32>,
    ours: fn(f32) -> f32,
    reference: fn(f64) -> f64,
) -> f64 {
    samples
        .map(|x| ulps(ours(x), reference(x.into())))
        .fold(0.0, f64::max)
}

#[test]
fn exp_is_within_its_error() {
    let samples = f32_samples(797).filter(|x| (-103.97..88.722).contains(x));
    let error = worst(samples, exp_f32, exp_reference);
    assert!(error < 0.5008, "{error}");
}

#[test]
fn ln_is_within_its_error() {
    let everywhere = f32_samples(797).filter(|&x| x > 0.0 && x.is_finite());
    let near_one = (0x3f00_0000..0x4000_0000).step_by(7).map(f32::from_bits);
    let error = worst(everywhere.chain(near_one), ln_f32, ln_reference);
    assert!(error < 0.5001, "{error}");
}

#[test]
fn values_known_to_fifty_digits() {
    let exp = [
        (1.0, 0x402d_f854),
        (-1.0, 0x3ebc_5ab2),
        (0.5, 0x3fd3_094c),
        (10.0, 0x46ac_14ee),
        (-87.5, 0x006c_b2bc),
        (88.0, 0x7ef8_82b7),
    ];
    for (x, bits) in exp {
        assert_eq!(exp_f32(x).to_bits(), bits, "{x}");
    }
    let ln = [
        (2.0, 0x3f31_7218),
        (0.5, 0xbf31_7218),
        (10.0, 0x4013_5d8e),
        (1.0 + f32::EPSILON, 0x33ff_ffff),
        (1e-40, 0xc2b8_34f2),
        (3e38, 0x42b1_3196),
    ];
    for (x, bits) in ln {
        assert_eq!(ln_f32(x).to_bits(), bits, "{x}");
    }
}

#[test]
fn special_values() {
    let inf = f32::INFINITY;
    assert_eq!(
        (
            exp_f32(0.0),
            exp_f32(-0.0),
            exp_f32(inf),
            exp_f32(-inf).to_bits()
        ),
        (1.0, 1.0, inf, 0)
    );
    assert_eq!(
        (
            exp_f32(88.722_84),
            exp_f32(f32::MAX),
            exp_f32(f32::MIN).to_bits()
        ),
        (inf, inf, 0)
    );
    assert!(exp_f32(88.722_83).is_finite());
    assert_eq!(
        (exp_f32(-103.97).to_bits(), exp_f32(-103.98).to_bits()),
        (1, 0)
    );
    assert_eq!(
        (
            ln_f32(0.0),
            ln_f32(-0.0),
            ln_f32(inf),
            ln_f32(1.0).to_bits()
        ),
        (-inf, -inf, inf, 0)
    );
    assert!(ln_f32(-f32::MIN_POSITIVE).is_nan() && ln_f32(-inf).is_nan());
    assert_eq!(exp_f16(0x7bff, Overflow::Saturate), F16_MAX);
    assert_eq!(exp_f16(0x7c00, Overflow::Keep), 0x7c00);
    assert_eq!(ln_f16(0, Overflow::Saturate), F16_MAX | 0x8000);
    assert_eq!(ln_bf16(0x8000, Overflow::Keep), 0xff80);
    assert_eq!(ln_f16(0xbc00, Overflow::Saturate), 0);
}

#[test]
fn every_f16_and_bf16_is_the_f32_result_rounded() {
    for bits in 0..=u16::MAX {
        for overflow in [Overflow::Saturate, Overflow::Keep] {
            let (x, y) = (f16_to_f32(bits), bf16_to_f32(bits));
            assert_eq!(
                exp_f16(bits, overflow),
                f32_to_f16(exp_f32(x), Round::Even, overflow)
            );
            assert_eq!(
                ln_f16(bits, overflow),
                f32_to_f16(ln_f32(x), Round::Even, overflow)
            );
            assert_eq!(
                exp_bf16(bits, overflow),
                f32_to_bf16(exp_f32(y), Round::Even, overflow)
            );
            assert_eq!(
                ln_bf16(bits, overflow),
                f32_to_bf16(ln_f32(y), Round::Even, overflow)
            );
        }
    }
}

#[test]
fn bits_are_the_same_on_every_host() {
    let of =
        |function: fn(f32) -> f32| fingerprint(f32_samples(1021).map(|x| function(x).to_bits()));
    assert_eq!(
        [of(exp_f32), of(ln_f32)],
        [3_356_922_775_239_700_160, 17_395_054_084_979_194_092]
    );
}
