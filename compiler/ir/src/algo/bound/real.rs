//! Exponential and logarithm in f64, to a few units in the last place, the same on every host.
//!
//! Written for accuracy alone and independent of `isa::num`, whose functions are checked against it.

use std::f64::consts::LN_2;

/// The first 33 bits of ln 2, so that its multiples by an exponent are exact.
const LN_2_HIGH: f64 = f64::from_bits(LN_2.to_bits() & !0xf_ffff);
/// The rest of ln 2: what `LN_2_HIGH` lacks of f64's, and what that lacks.
const LN_2_LOW: f64 = (LN_2 - LN_2_HIGH) + 2.319_046_813_846_299_6e-17;

/// `2^n` for any n; beyond the range of f64 zero or infinity.
pub(super) fn power_of_two(n: i32) -> f64 {
    match n {
        -1022..=1023 => f64::from_bits(((n + 1023) as u64) << 52),
        1024.. => f64::INFINITY,
        -1074..=-1023 => f64::from_bits(1 << (n + 1074)),
        _ => 0.0,
    }
}

/// `e` to the power `x`.
pub(super) fn exp(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x > 800.0 {
        return f64::INFINITY;
    }
    if x < -800.0 {
        return 0.0;
    }
    let k = (x / LN_2).round_ties_even();
    let r = (x - k * LN_2_HIGH) - k * LN_2_LOW;
    // r is at most 0.35: the 18th term is below 2^-70.
    let series = (1..=18)
        .rev()
        .fold(1.0, |sum, n| 1.0 + sum * r / f64::from(n));
    let half = k as i32 / 2;
    series * power_of_two(half) * power_of_two(k as i32 - half)
}

/// The natural logarithm: minus infinity at 0, NaN below.
pub(super) fn ln(x: f64) -> f64 {
    if x.is_nan() || x < 0.0 {
        return f64::NAN;
    }
    if x == 0.0 {
        return f64::NEG_INFINITY;
    }
    if x == f64::INFINITY {
        return x;
    }
    let scaled = if x < f64::MIN_POSITIVE {
        x * power_of_two(64)
    } else {
        x
    };
    let shift = if x < f64::MIN_POSITIVE { 64 } else { 0 };
    let exponent = (scaled.to_bits() >> 52) as i32 - 1023;
    let mantissa = f64::from_bits(scaled.to_bits() & ((1 << 52) - 1) | 1023 << 52);
    let (m, k) = match mantissa > std::f64::consts::SQRT_2 {
        true => (mantissa / 2.0, exponent + 1),
        false => (mantissa, exponent),
    };
    // 2 atanh(s), with s at most 0.172: the term s^47 is below 2^-115.
    let s = (m - 1.0) / (m + 1.0);
    let squared = s * s;
    let series = (0..24)
        .rev()
        .fold(0.0, |sum, n| 1.0 / f64::from(2 * n + 1) + sum * squared);
    let whole = f64::from(k - shift);
    whole * LN_2_HIGH + (whole * LN_2_LOW + 2.0 * s * series)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        let close = |a: f64, b: f64| assert!((a - b).abs() <= b.abs() * 1e-15, "{a} {b}");
        close(exp(1.0), std::f64::consts::E);
        close(exp(-0.5), 0.606_530_659_712_633_4);
        close(exp(10.0), 22_026.465_794_806_718);
        close(exp(-87.0), 1.645_811_431_082_273_7e-38);
        close(ln(2.0), LN_2);
        close(ln(10.0), std::f64::consts::LN_10);
        close(ln(1e-300), -690.775_527_898_213_7);
        assert_eq!((exp(0.0), ln(1.0)), (1.0, 0.0));
        for x in [-80.0, -1.5, 0.1, 3.0, 88.0] {
            assert!((ln(exp(x)) - x).abs() < 1e-14 * x.abs().max(1.0), "{x}");
        }
        assert_eq!(exp(f64::NEG_INFINITY), 0.0);
        assert_eq!(ln(0.0), f64::NEG_INFINITY);
    }
}
