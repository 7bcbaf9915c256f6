//! Conversions between float formats and between floats and integers, one value at a time.
//!
//! Owns which conversion exists and its special cases; `format` does the rounding, `bulk` the slices.

use super::format::{
    BF16, Exact, F16, F32, Format, exact_f32, exact_f64, exact_i64, round_shift, round_to_format,
};
use super::integer::{int_limits, wrap_int};
use super::single::canonical_f32;
use super::{BF16_MAX, BF16_NAN, F16_MAX, F16_NAN, F32_NAN, Overflow, Round};

/// The value of an f16.
#[inline]
pub fn f16_to_f32(bits: u16) -> f32 {
    let sign = u32::from(bits & 0x8000) << 16;
    let magnitude = u32::from(bits & 0x7fff);
    // 0x1.0p112 moves the exponent from f16's bias to f32's and normalises subnormals; the product is exact.
    let finite = f32::from_bits(magnitude << 13) * f32::from_bits(0x7780_0000);
    let special = if magnitude > 0x7c00 {
        F32_NAN
    } else {
        f32::from_bits(sign | 0x7f80_0000)
    };
    let signed = f32::from_bits(sign | finite.to_bits());
    if magnitude >= 0x7c00 { special } else { signed }
}

/// The value of a bf16.
#[inline]
pub fn bf16_to_f32(bits: u16) -> f32 {
    canonical_f32(f32::from_bits(u32::from(bits) << 16))
}

/// Rounds an f32 to f16.
#[inline]
pub fn f32_to_f16(x: f32, round: Round, overflow: Overflow) -> u16 {
    match (round, overflow) {
        (Round::Even, Overflow::Saturate) => f32_to_f16_saturate(x),
        (Round::Even, Overflow::Keep | Overflow::Wrap) => f32_to_f16_keep(x),
        (Round::Away | Round::Floor | Round::Ceil | Round::Trunc | Round::Odd, _) => {
            narrow(exact_f32(x), F16, round, overflow)
        }
    }
}

/// Rounds an f32 to bf16.
#[inline]
pub fn f32_to_bf16(x: f32, round: Round, overflow: Overflow) -> u16 {
    match (round, overflow) {
        (Round::Even, Overflow::Saturate) => f32_to_bf16_saturate(x),
        (Round::Even, Overflow::Keep | Overflow::Wrap) => f32_to_bf16_keep(x),
        (Round::Away | Round::Floor | Round::Ceil | Round::Trunc | Round::Odd, _) => {
            narrow(exact_f32(x), BF16, round, overflow)
        }
    }
}

/// The magnitude of an f32 rounded to nearest even in f16, without NaN: infinity is 0x7c00.
#[inline]
fn f16_magnitude(magnitude: u32) -> u32 {
    // Below the smallest normal f16, adding 0.5 leaves the subnormal's bits at the bottom of the sum, rounded.
    let subnormal = (f32::from_bits(magnitude) + 0.5)
        .to_bits()
        .wrapping_sub(0x3f00_0000);
    let odd = magnitude >> 13 & 1;
    // Moves the exponent bias from 127 to 15 and rounds in the same addition.
    let normal = magnitude.wrapping_add(0xc800_0fff).wrapping_add(odd) >> 13;
    if magnitude < 0x3880_0000 {
        subnormal
    } else {
        normal
    }
}

/// Nearest even, overflow to the largest finite value, NaN to zero.
#[inline]
pub(super) fn f32_to_f16_saturate(x: f32) -> u16 {
    let magnitude = x.to_bits() & 0x7fff_ffff;
    let sign = x.to_bits() >> 16 & 0x8000;
    let finite = if magnitude >= 0x477f_f000 {
        u32::from(F16_MAX)
    } else {
        f16_magnitude(magnitude)
    };
    (if magnitude > 0x7f80_0000 {
        0
    } else {
        sign | finite
    }) as u16
}

/// Nearest even, infinities and NaN kept.
#[inline]
pub(super) fn f32_to_f16_keep(x: f32) -> u16 {
    let magnitude = x.to_bits() & 0x7fff_ffff;
    let sign = x.to_bits() >> 16 & 0x8000;
    let finite = if magnitude >= 0x477f_f000 {
        0x7c00
    } else {
        f16_magnitude(magnitude)
    };
    (if magnitude > 0x7f80_0000 {
        u32::from(F16_NAN)
    } else {
        sign | finite
    }) as u16
}

/// The bits of an f32 rounded to nearest even at bit 16, without regard to NaN.
#[inline]
fn bf16_bits(bits: u32) -> u32 {
    bits.wrapping_add(0x7fff).wrapping_add(bits >> 16 & 1) >> 16
}

/// Nearest even, overflow to the largest finite value, NaN to zero.
#[inline]
pub(super) fn f32_to_bf16_saturate(x: f32) -> u16 {
    let magnitude = x.to_bits() & 0x7fff_ffff;
    let sign = x.to_bits() >> 16 & 0x8000;
    let finite = if magnitude >= 0x7f7f_8000 {
        u32::from(BF16_MAX)
    } else {
        bf16_bits(magnitude)
    };
    (if magnitude > 0x7f80_0000 {
        0
    } else {
        sign | finite
    }) as u16
}

/// Nearest even, infinities and NaN kept.
#[inline]
pub(super) fn f32_to_bf16_keep(x: f32) -> u16 {
    let magnitude = x.to_bits() & 0x7fff_ffff;
    (if magnitude > 0x7f80_0000 {
        u32::from(BF16_NAN)
    } else {
        bf16_bits(x.to_bits())
    }) as u16
}

/// Rounds an f64 to f16, once.
pub fn f64_to_f16(x: f64, round: Round, overflow: Overflow) -> u16 {
    narrow(exact_f64(x), F16, round, overflow)
}

/// Rounds an f64 to bf16, once.
pub fn f64_to_bf16(x: f64, round: Round, overflow: Overflow) -> u16 {
    narrow(exact_f64(x), BF16, round, overflow)
}

/// Rounds an f64 to f32; f32 always keeps infinities and NaN.
pub fn f64_to_f32(x: f64, round: Round) -> f32 {
    f32::from_bits(round_to_format(exact_f64(x), F32, round, Overflow::Keep))
}

/// Rounds an integer to f32.
#[inline]
pub fn i64_to_f32(x: i64, round: Round) -> f32 {
    match round {
        Round::Even => x as f32,
        Round::Away | Round::Floor | Round::Ceil | Round::Trunc | Round::Odd => {
            f32::from_bits(round_to_format(exact_i64(x), F32, round, Overflow::Keep))
        }
    }
}

/// Rounds an integer to f16, once.
pub fn i64_to_f16(x: i64, round: Round, overflow: Overflow) -> u16 {
    narrow(exact_i64(x), F16, round, overflow)
}

/// Rounds an integer to bf16, once.
pub fn i64_to_bf16(x: i64, round: Round, overflow: Overflow) -> u16 {
    narrow(exact_i64(x), BF16, round, overflow)
}

fn narrow(value: Exact, format: Format, round: Round, overflow: Overflow) -> u16 {
    round_to_format(value, format, round, overflow) as u16
}

/// Rounds an f32 to an integer of `bits` bits, 1 to 64 if signed and 1 to 63 if not.
///
/// NaN gives 0. `Wrap` keeps the low bits of the exactly rounded integer, however large, and gives 0 for infinities.
pub fn f32_to_int(x: f32, round: Round, overflow: Overflow, bits: u32, signed: bool) -> i64 {
    exact_to_int(exact_f32(x), round, overflow, bits, signed)
}

/// Rounds an f64 to an integer; see [`f32_to_int`].
pub fn f64_to_int(x: f64, round: Round, overflow: Overflow, bits: u32, signed: bool) -> i64 {
    exact_to_int(exact_f64(x), round, overflow, bits, signed)
}

/// Rounds an f16 to an integer; see [`f32_to_int`].
pub fn f16_to_int(x: u16, round: Round, overflow: Overflow, bits: u32, signed: bool) -> i64 {
    f32_to_int(f16_to_f32(x), round, overflow, bits, signed)
}

/// Rounds a bf16 to an integer; see [`f32_to_int`].
pub fn bf16_to_int(x: u16, round: Round, overflow: Overflow, bits: u32, signed: bool) -> i64 {
    f32_to_int(bf16_to_f32(x), round, overflow, bits, signed)
}

fn exact_to_int(value: Exact, round: Round, overflow: Overflow, bits: u32, signed: bool) -> i64 {
    let (least, greatest) = int_limits(bits, signed);
    let end = |negative: bool| if negative { least } else { greatest };
    match (value, overflow) {
        (Exact::Nan, _) | (Exact::Infinite { .. }, Overflow::Wrap) => 0,
        (Exact::Infinite { negative }, Overflow::Saturate | Overflow::Keep) => end(negative),
        (
            Exact::Finite {
                negative,
                significand,
                exponent,
            },
            Overflow::Wrap,
        ) => {
            let (low, _) = whole(significand, exponent, negative, round);
            wrap_int(
                if negative { low.wrapping_neg() } else { low } as i64,
                bits,
                signed,
            )
        }
        (
            Exact::Finite {
                negative,
                significand,
                exponent,
            },
            Overflow::Saturate | Overflow::Keep,
        ) => {
            let (magnitude, exceeds) = whole(significand, exponent, negative, round);
            if exceeds || magnitude > end(negative).unsigned_abs() {
                end(negative)
            } else if negative {
                0i64.wrapping_sub_unsigned(magnitude)
            } else {
                magnitude as i64
            }
        }
    }
}

/// The magnitude rounded to a whole number: its low 64 bits, and whether there are more.
fn whole(significand: u64, exponent: i32, negative: bool, round: Round) -> (u64, bool) {
    if exponent <= 0 {
        return (
            round_shift(significand, exponent.unsigned_abs(), negative, round),
            false,
        );
    }
    let shift = exponent as u32;
    (
        significand.checked_shl(shift).unwrap_or(0),
        significand != 0 && shift > significand.leading_zeros(),
    )
}

/// Rounds an f32 to a whole number in f32; zero results keep the operand's sign.
pub fn round_to_integral(x: f32, round: Round) -> f32 {
    match exact_f32(x) {
        Exact::Nan => F32_NAN,
        Exact::Infinite { .. } => x,
        Exact::Finite { exponent: 0.., .. } => x,
        Exact::Finite {
            negative,
            significand,
            exponent,
        } => {
            let magnitude = round_shift(significand, exponent.unsigned_abs(), negative, round);
            // At most 2^24, so exact.
            (magnitude as f32).copysign(x)
        }
    }
}

/// Rounds an f16 to a whole number in f16, which is always exact; infinities stay.
pub fn round_to_integral_f16(x: u16, round: Round) -> u16 {
    f32_to_f16_keep(round_to_integral(f16_to_f32(x), round))
}

/// Rounds a bf16 to a whole number in bf16, which is always exact; infinities stay.
pub fn round_to_integral_bf16(x: u16, round: Round) -> u16 {
    f32_to_bf16_keep(round_to_integral(bf16_to_f32(x), round))
}
