//! Operations on f16 and bf16: computed in f32, then rounded once more.
//!
//! f32 has at least twice the digits of both types and two more (24 ≥ 2·11 + 2), so the second rounding gives the
//! same bits as one rounding of the exact result would, for sum, difference, product, quotient and square root. The
//! tests check it against exact arithmetic on part of the operands; all pairs were checked once. It would not hold for
//! a fused multiply-add, so there is none.
//!
//! Arithmetic takes an [`Overflow`]: `Saturate` is the language's rule and the machine's default (largest finite
//! value, NaN becomes 0), `Keep` the machine's INF/NaN mode. Negation, absolute value, maximum and minimum choose or
//! flip and compute nothing: they keep infinities and NaN in both modes.

use super::convert::{bf16_to_f32, f16_to_f32, f32_to_bf16, f32_to_f16};
use super::{BF16_NAN, F16_NAN, Overflow, Round};

/// Sum of two f16.
#[inline]
pub fn f16_add(a: u16, b: u16, overflow: Overflow) -> u16 {
    f32_to_f16(f16_to_f32(a) + f16_to_f32(b), Round::Even, overflow)
}

/// Difference of two f16.
#[inline]
pub fn f16_sub(a: u16, b: u16, overflow: Overflow) -> u16 {
    f32_to_f16(f16_to_f32(a) - f16_to_f32(b), Round::Even, overflow)
}

/// Product of two f16.
#[inline]
pub fn f16_mul(a: u16, b: u16, overflow: Overflow) -> u16 {
    f32_to_f16(f16_to_f32(a) * f16_to_f32(b), Round::Even, overflow)
}

/// Quotient of two f16.
#[inline]
pub fn f16_div(a: u16, b: u16, overflow: Overflow) -> u16 {
    f32_to_f16(f16_to_f32(a) / f16_to_f32(b), Round::Even, overflow)
}

/// Square root of an f16.
#[inline]
pub fn f16_sqrt(a: u16, overflow: Overflow) -> u16 {
    f32_to_f16(f16_to_f32(a).sqrt(), Round::Even, overflow)
}

/// The greater of two f16; NaN if either is, and -0 < +0.
#[inline]
pub fn f16_max(a: u16, b: u16) -> u16 {
    greater(a, b, F16_INFINITY, F16_NAN)
}

/// The lesser of two f16; NaN if either is, and -0 < +0.
#[inline]
pub fn f16_min(a: u16, b: u16) -> u16 {
    lesser(a, b, F16_INFINITY, F16_NAN)
}

/// Negation of an f16.
#[inline]
pub fn f16_neg(a: u16) -> u16 {
    canonical(a ^ SIGN, F16_INFINITY, F16_NAN)
}

/// Absolute value of an f16.
#[inline]
pub fn f16_abs(a: u16) -> u16 {
    canonical(a & !SIGN, F16_INFINITY, F16_NAN)
}

/// Sum of two bf16.
#[inline]
pub fn bf16_add(a: u16, b: u16, overflow: Overflow) -> u16 {
    f32_to_bf16(bf16_to_f32(a) + bf16_to_f32(b), Round::Even, overflow)
}

/// Difference of two bf16.
#[inline]
pub fn bf16_sub(a: u16, b: u16, overflow: Overflow) -> u16 {
    f32_to_bf16(bf16_to_f32(a) - bf16_to_f32(b), Round::Even, overflow)
}

/// Product of two bf16.
#[inline]
pub fn bf16_mul(a: u16, b: u16, overflow: Overflow) -> u16 {
    f32_to_bf16(bf16_to_f32(a) * bf16_to_f32(b), Round::Even, overflow)
}

/// Quotient of two bf16.
#[inline]
pub fn bf16_div(a: u16, b: u16, overflow: Overflow) -> u16 {
    f32_to_bf16(bf16_to_f32(a) / bf16_to_f32(b), Round::Even, overflow)
}

/// Square root of a bf16.
#[inline]
pub fn bf16_sqrt(a: u16, overflow: Overflow) -> u16 {
    f32_to_bf16(bf16_to_f32(a).sqrt(), Round::Even, overflow)
}

/// The greater of two bf16; NaN if either is, and -0 < +0.
#[inline]
pub fn bf16_max(a: u16, b: u16) -> u16 {
    greater(a, b, BF16_INFINITY, BF16_NAN)
}

/// The lesser of two bf16; NaN if either is, and -0 < +0.
#[inline]
pub fn bf16_min(a: u16, b: u16) -> u16 {
    lesser(a, b, BF16_INFINITY, BF16_NAN)
}

/// Negation of a bf16.
#[inline]
pub fn bf16_neg(a: u16) -> u16 {
    canonical(a ^ SIGN, BF16_INFINITY, BF16_NAN)
}

/// Absolute value of a bf16.
#[inline]
pub fn bf16_abs(a: u16) -> u16 {
    canonical(a & !SIGN, BF16_INFINITY, BF16_NAN)
}

const SIGN: u16 = 0x8000;
const F16_INFINITY: u16 = 0x7c00;
const BF16_INFINITY: u16 = 0x7f80;

#[inline]
fn canonical(bits: u16, infinity: u16, nan: u16) -> u16 {
    if bits & !SIGN > infinity { nan } else { bits }
}

/// Maps sign and magnitude to an integer with the order of the values, -0 below +0.
#[inline]
fn rank(bits: u16) -> i16 {
    let signed = bits as i16;
    signed ^ ((signed >> 15) & 0x7fff)
}

#[inline]
fn greater(a: u16, b: u16, infinity: u16, nan: u16) -> u16 {
    let chosen = if rank(a) >= rank(b) { a } else { b };
    if (a & !SIGN).max(b & !SIGN) > infinity {
        nan
    } else {
        chosen
    }
}

#[inline]
fn lesser(a: u16, b: u16, infinity: u16, nan: u16) -> u16 {
    let chosen = if rank(a) <= rank(b) { a } else { b };
    if (a & !SIGN).max(b & !SIGN) > infinity {
        nan
    } else {
        chosen
    }
}
