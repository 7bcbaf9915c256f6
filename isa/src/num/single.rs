//! Operations on f32: one IEEE 754 operation each, NaN made canonical.

use super::F32_NAN;

/// The same value, with the canonical NaN for any NaN.
#[inline]
pub fn canonical_f32(x: f32) -> f32 {
    // On bits: LLVM takes `if y.is_nan() { NAN } else { y }` with y = x.sqrt() for y, whatever NaN that is.
    let bits = x.to_bits();
    let nan = bits & 0x7fff_ffff > 0x7f80_0000;
    f32::from_bits(if nan { F32_NAN.to_bits() } else { bits })
}

/// Sum, rounded to nearest even.
#[inline]
pub fn add_f32(a: f32, b: f32) -> f32 {
    canonical_f32(a + b)
}

/// Difference, rounded to nearest even.
#[inline]
pub fn sub_f32(a: f32, b: f32) -> f32 {
    canonical_f32(a - b)
}

/// Product, rounded to nearest even.
#[inline]
pub fn mul_f32(a: f32, b: f32) -> f32 {
    canonical_f32(a * b)
}

/// Quotient, rounded to nearest even.
#[inline]
pub fn div_f32(a: f32, b: f32) -> f32 {
    canonical_f32(a / b)
}

/// Square root, rounded to nearest even; NaN below zero, and -0 for -0.
#[inline]
pub fn sqrt_f32(a: f32) -> f32 {
    canonical_f32(a.sqrt())
}

/// Negation; NaN stays canonical.
#[inline]
pub fn neg_f32(a: f32) -> f32 {
    canonical_f32(-a)
}

/// Absolute value; NaN stays canonical.
#[inline]
pub fn abs_f32(a: f32) -> f32 {
    canonical_f32(a.abs())
}

/// The greater operand; NaN if either is, and +0 is greater than -0.
#[inline]
pub fn max_f32(a: f32, b: f32) -> f32 {
    // Equal operands differ in bits only as zeros, and AND of their bits clears a lone sign.
    let greater = if a > b { a } else { b };
    let chosen = if a == b {
        f32::from_bits(a.to_bits() & b.to_bits())
    } else {
        greater
    };
    if a.is_nan() || b.is_nan() {
        F32_NAN
    } else {
        chosen
    }
}

/// The lesser operand; NaN if either is, and -0 is less than +0.
#[inline]
pub fn min_f32(a: f32, b: f32) -> f32 {
    let lesser = if a < b { a } else { b };
    let chosen = if a == b {
        f32::from_bits(a.to_bits() | b.to_bits())
    } else {
        lesser
    };
    if a.is_nan() || b.is_nan() {
        F32_NAN
    } else {
        chosen
    }
}

/// The six IEEE comparisons: all but `Ne` are false if an operand is NaN, and -0 equals +0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Compare {
    /// Equal.
    Eq,
    /// Not equal, or unordered.
    Ne,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
}

/// Compares two f32; f16 and bf16 operands are widened first, which is exact.
#[inline]
pub fn cmp_f32(relation: Compare, a: f32, b: f32) -> bool {
    match relation {
        Compare::Eq => a == b,
        Compare::Ne => a != b,
        Compare::Lt => a < b,
        Compare::Le => a <= b,
        Compare::Gt => a > b,
        Compare::Ge => a >= b,
    }
}
