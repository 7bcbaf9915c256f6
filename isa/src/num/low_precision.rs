//! The machine's quick reciprocal and reciprocal square root, which the language never uses.
//!
//! Their accuracy on real parts is not published; *we choose* the correctly rounded f32 result cut to 8 bits of
//! mantissa (facts §5: "8-bit-mantissa class").

use super::convert::{f16_to_f32, f32_to_f16};
use super::single::canonical_f32;
use super::{Overflow, Round};

/// Reciprocal: 1/x correctly rounded, then the low 15 bits of the result cleared; 1/±0 is ±∞.
#[inline]
pub fn vrec_f32(x: f32) -> f32 {
    cut(1.0 / x)
}

/// Reciprocal square root, correctly rounded, then the low 15 bits cleared; ±∞ at ±0, NaN below.
#[inline]
pub fn vrsqrt_f32(x: f32) -> f32 {
    // Two roundings in f64 and one to f32: the first two are too small to move the third.
    cut((1.0 / f64::from(x).sqrt()) as f32)
}

/// [`vrec_f32`] rounded to f16.
#[inline]
pub fn vrec_f16(x: u16, overflow: Overflow) -> u16 {
    f32_to_f16(vrec_f32(f16_to_f32(x)), Round::Even, overflow)
}

/// [`vrsqrt_f32`] rounded to f16.
#[inline]
pub fn vrsqrt_f16(x: u16, overflow: Overflow) -> u16 {
    f32_to_f16(vrsqrt_f32(f16_to_f32(x)), Round::Even, overflow)
}

#[inline]
fn cut(x: f32) -> f32 {
    f32::from_bits(canonical_f32(x).to_bits() & !0x7fff)
}
