//! Slice forms of the operations that a unit applies to whole tiles: the same bits, faster.
//!
//! Destination and sources are paired from the start; what the longer ones have more is left alone. `simd` compiles
//! the loops for newer processors; the loops here serve everywhere else.

use super::convert::{
    bf16_to_f32, f16_to_f32, f32_to_bf16_keep, f32_to_bf16_saturate, f32_to_f16_keep,
    f32_to_f16_saturate,
};
use super::elementary::{exp_f32, ln_f32};
use super::{Overflow, simd};

/// Applies a function of this module to each item, with the widest vectors that the processor has.
///
/// The function must be small, inlinable and free of branches to gain from it.
pub fn apply_slice<T: Copy, S: Copy>(dst: &mut [T], src: &[S], function: impl Fn(S) -> T) {
    if !simd::apply(dst, src, &function) {
        apply_portable(dst, src, function);
    }
}

/// Applies a function of two operands to each pair; see [`apply_slice`].
pub fn apply2_slice<T: Copy, A: Copy, B: Copy>(
    dst: &mut [T],
    a: &[A],
    b: &[B],
    function: impl Fn(A, B) -> T,
) {
    if !simd::apply2(dst, a, b, &function) {
        apply2_portable(dst, a, b, function);
    }
}

/// Widens f16 to f32.
pub fn f16_to_f32_slice(dst: &mut [f32], src: &[u16]) {
    if !simd::f16_to_f32(dst, src) {
        apply_portable(dst, src, f16_to_f32);
    }
}

/// Rounds f32 to f16, to nearest even.
pub fn f32_to_f16_slice(dst: &mut [u16], src: &[f32], overflow: Overflow) {
    if simd::f32_to_f16(dst, src, overflow) {
        return;
    }
    match overflow {
        Overflow::Saturate => apply_portable(dst, src, f32_to_f16_saturate),
        Overflow::Keep | Overflow::Wrap => apply_portable(dst, src, f32_to_f16_keep),
    }
}

/// Widens bf16 to f32.
pub fn bf16_to_f32_slice(dst: &mut [f32], src: &[u16]) {
    apply_slice(dst, src, bf16_to_f32);
}

/// Rounds f32 to bf16, to nearest even.
pub fn f32_to_bf16_slice(dst: &mut [u16], src: &[f32], overflow: Overflow) {
    match overflow {
        Overflow::Saturate => apply_slice(dst, src, f32_to_bf16_saturate),
        Overflow::Keep | Overflow::Wrap => apply_slice(dst, src, f32_to_bf16_keep),
    }
}

/// [`exp_f32`] of each item.
pub fn exp_f32_slice(dst: &mut [f32], src: &[f32]) {
    apply_slice(dst, src, exp_f32);
}

/// [`ln_f32`] of each item.
pub fn ln_f32_slice(dst: &mut [f32], src: &[f32]) {
    apply_slice(dst, src, ln_f32);
}

/// The loop itself; always inlined, so that a caller's processor features reach it.
#[inline(always)]
pub(super) fn apply_portable<T: Copy, S: Copy>(
    dst: &mut [T],
    src: &[S],
    function: impl Fn(S) -> T,
) {
    for (to, &from) in dst.iter_mut().zip(src) {
        *to = function(from);
    }
}

/// The loop over pairs; always inlined, so that a caller's processor features reach it.
#[inline(always)]
pub(super) fn apply2_portable<T: Copy, A: Copy, B: Copy>(
    dst: &mut [T],
    a: &[A],
    b: &[B],
    function: impl Fn(A, B) -> T,
) {
    for ((to, &a), &b) in dst.iter_mut().zip(a).zip(b) {
        *to = function(a, b);
    }
}
