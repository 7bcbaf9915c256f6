//! Integer arithmetic in a given width, carried in `i64`.
//!
//! Operands are already in range for `bits` (1 to 64 if signed, 1 to 63 if not); results are again. Arithmetic wraps.

use super::Overflow;

/// The least and the greatest integer of `bits` bits.
pub(super) const fn int_limits(bits: u32, signed: bool) -> (i64, i64) {
    debug_assert!(
        bits >= 1 && bits <= 64 && (signed || bits <= 63),
        "integer width out of range"
    );
    if signed {
        (i64::MIN >> (64 - bits), i64::MAX >> (64 - bits))
    } else {
        (0, (u64::MAX >> (64 - bits)) as i64)
    }
}

/// Keeps the low `bits` bits, sign-extended or zero-extended.
#[inline]
pub const fn wrap_int(x: i64, bits: u32, signed: bool) -> i64 {
    debug_assert!(
        bits >= 1 && bits <= 64 && (signed || bits <= 63),
        "integer width out of range"
    );
    let unused = 64 - bits;
    if signed {
        x << unused >> unused
    } else {
        ((x as u64) << unused >> unused) as i64
    }
}

/// Clamps to the range of `bits` bits.
#[inline]
pub const fn saturate_int(x: i64, bits: u32, signed: bool) -> i64 {
    let (least, greatest) = int_limits(bits, signed);
    if x < least {
        least
    } else if x > greatest {
        greatest
    } else {
        x
    }
}

/// Converts an integer to another width; `Keep` means `Saturate`.
#[inline]
pub const fn int_to_int(x: i64, overflow: Overflow, bits: u32, signed: bool) -> i64 {
    match overflow {
        Overflow::Saturate | Overflow::Keep => saturate_int(x, bits, signed),
        Overflow::Wrap => wrap_int(x, bits, signed),
    }
}

/// The low `bits` bits as an unsigned pattern, for writing to memory.
#[inline]
pub const fn int_bits(x: i64, bits: u32) -> u64 {
    (x as u64) & (u64::MAX >> (64 - bits))
}

/// Sum, wrapping.
#[inline]
pub const fn int_add(a: i64, b: i64, bits: u32, signed: bool) -> i64 {
    wrap_int(a.wrapping_add(b), bits, signed)
}

/// Difference, wrapping.
#[inline]
pub const fn int_sub(a: i64, b: i64, bits: u32, signed: bool) -> i64 {
    wrap_int(a.wrapping_sub(b), bits, signed)
}

/// Product, wrapping.
#[inline]
pub const fn int_mul(a: i64, b: i64, bits: u32, signed: bool) -> i64 {
    wrap_int(a.wrapping_mul(b), bits, signed)
}

/// Negation, wrapping: the least signed integer is its own negation.
#[inline]
pub const fn int_neg(a: i64, bits: u32, signed: bool) -> i64 {
    wrap_int(a.wrapping_neg(), bits, signed)
}

/// Absolute value, wrapping: the least signed integer stays as it is.
#[inline]
pub const fn int_abs(a: i64, bits: u32, signed: bool) -> i64 {
    wrap_int(a.wrapping_abs(), bits, signed)
}

/// Quotient truncated toward zero, wrapping; `None` for a division by zero.
#[inline]
pub const fn int_div(a: i64, b: i64, bits: u32, signed: bool) -> Option<i64> {
    if b == 0 {
        None
    } else {
        Some(wrap_int(a.wrapping_div(b), bits, signed))
    }
}

/// Remainder of the truncating division, with the dividend's sign; `None` for a division by zero.
#[inline]
pub const fn int_rem(a: i64, b: i64, bits: u32, signed: bool) -> Option<i64> {
    if b == 0 {
        None
    } else {
        Some(wrap_int(a.wrapping_rem(b), bits, signed))
    }
}

/// Shift to the left by the amount modulo the width, wrapping.
#[inline]
pub const fn int_shl(a: i64, amount: i64, bits: u32, signed: bool) -> i64 {
    wrap_int(a << amount.rem_euclid(bits as i64), bits, signed)
}

/// Shift to the right by the amount modulo the width, copying the sign of a signed operand.
#[inline]
pub const fn int_shr(a: i64, amount: i64, bits: u32) -> i64 {
    a >> amount.rem_euclid(bits as i64)
}
