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

/// Two bytes that hold an f16 or bf16: a `u16`, or bytes of memory, the lower first.
///
/// Invariant: implementors have a size of two bytes and, on a little-endian host, the layout of a `u16`. `num` does not
/// export it, so there are no others.
pub trait Half: Copy {
    /// The value's bits.
    fn bits(self) -> u16;
    /// The value with these bits.
    fn from_bits(bits: u16) -> Self;
}

impl Half for u16 {
    #[inline]
    fn bits(self) -> u16 {
        self
    }

    #[inline]
    fn from_bits(bits: u16) -> u16 {
        bits
    }
}

impl Half for [u8; 2] {
    #[inline]
    fn bits(self) -> u16 {
        u16::from_le_bytes(self)
    }

    #[inline]
    fn from_bits(bits: u16) -> [u8; 2] {
        bits.to_le_bytes()
    }
}

/// Four bytes that hold an f32: an `f32`, or bytes of memory, the lowest first.
///
/// Invariant: implementors have a size of four bytes and, on a little-endian host, the layout of an `f32`. `num` does not
/// export it, so there are no others.
pub trait Single: Copy {
    /// The value.
    fn value(self) -> f32;
    /// What holds a value.
    fn from_value(value: f32) -> Self;
}

impl Single for f32 {
    #[inline]
    fn value(self) -> f32 {
        self
    }

    #[inline]
    fn from_value(value: f32) -> f32 {
        value
    }
}

impl Single for [u8; 4] {
    #[inline]
    fn value(self) -> f32 {
        f32::from_le_bytes(self)
    }

    #[inline]
    fn from_value(value: f32) -> [u8; 4] {
        value.to_le_bytes()
    }
}

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

/// Loops that are compiled once more for each kind of vector registers.
pub trait Loops {
    /// Runs them. Implementors mark it `#[inline(always)]`, and the functions that it calls inlinable: what is not
    /// inlined is compiled for the oldest processors.
    fn run(self);
}

/// Runs loops with the widest vectors that the processor has.
pub fn run_widest(loops: impl Loops) {
    if let Some(loops) = simd::run(loops) {
        loops.run();
    }
}

/// Items that the f16 forms widen at a time.
const BLOCK: usize = 64;

/// Applies a function on f32 to f16 items, widened before and rounded to nearest even after.
pub fn apply_f16_slice<H: Half>(
    dst: &mut [H],
    src: &[H],
    overflow: Overflow,
    function: impl Fn(f32) -> f32,
) {
    if simd::apply_f16(dst, src, overflow, &function) {
        return;
    }
    let mut wide = [0.0; BLOCK];
    let mut result = [0.0; BLOCK];
    for (dst, src) in dst.chunks_mut(BLOCK).zip(src.chunks(BLOCK)) {
        let length = dst.len().min(src.len());
        f16_to_f32_slice(&mut wide, src);
        apply_slice(&mut result[..length], &wide, &function);
        f32_to_f16_slice(dst, &result[..length], overflow);
    }
}

/// Applies a function of two operands to pairs of f16 items; see [`apply_f16_slice`].
pub fn apply2_f16_slice<H: Half>(
    dst: &mut [H],
    a: &[H],
    b: &[H],
    overflow: Overflow,
    function: impl Fn(f32, f32) -> f32,
) {
    if simd::apply2_f16(dst, a, b, overflow, &function) {
        return;
    }
    let (mut wide_a, mut wide_b) = ([0.0; BLOCK], [0.0; BLOCK]);
    let mut result = [0.0; BLOCK];
    let sources = a.chunks(BLOCK).zip(b.chunks(BLOCK));
    for (dst, (a, b)) in dst.chunks_mut(BLOCK).zip(sources) {
        let length = dst.len().min(a.len()).min(b.len());
        f16_to_f32_slice(&mut wide_a, a);
        f16_to_f32_slice(&mut wide_b, b);
        apply2_slice(&mut result[..length], &wide_a, &wide_b, &function);
        f32_to_f16_slice(dst, &result[..length], overflow);
    }
}

/// Widens f16 to f32. Items are `u16` and `f32`, or `[u8; 2]` and `[u8; 4]` as `as_chunks` makes them of memory.
pub fn f16_to_f32_slice<H: Half, S: Single>(dst: &mut [S], src: &[H]) {
    if !simd::f16_to_f32(dst, src) {
        apply_portable(dst, src, |x| S::from_value(f16_to_f32(x.bits())));
    }
}

/// Rounds f32 to f16, to nearest even; items as of [`f16_to_f32_slice`].
pub fn f32_to_f16_slice<H: Half, S: Single>(dst: &mut [H], src: &[S], overflow: Overflow) {
    if simd::f32_to_f16(dst, src, overflow) {
        return;
    }
    match overflow {
        Overflow::Saturate => {
            apply_portable(dst, src, |x| H::from_bits(f32_to_f16_saturate(x.value())))
        }
        Overflow::Keep | Overflow::Wrap => {
            apply_portable(dst, src, |x| H::from_bits(f32_to_f16_keep(x.value())))
        }
    }
}

/// Widens bf16 to f32; items as of [`f16_to_f32_slice`].
pub fn bf16_to_f32_slice<H: Half, S: Single>(dst: &mut [S], src: &[H]) {
    apply_slice(dst, src, |x| S::from_value(bf16_to_f32(x.bits())));
}

/// Rounds f32 to bf16, to nearest even; items as of [`f16_to_f32_slice`].
pub fn f32_to_bf16_slice<H: Half, S: Single>(dst: &mut [H], src: &[S], overflow: Overflow) {
    match overflow {
        Overflow::Saturate => {
            apply_slice(dst, src, |x| H::from_bits(f32_to_bf16_saturate(x.value())))
        }
        Overflow::Keep | Overflow::Wrap => {
            apply_slice(dst, src, |x| H::from_bits(f32_to_bf16_keep(x.value())))
        }
    }
}

/// [`exp_f32`] of each item, where it is; items as of [`f16_to_f32_slice`].
pub fn exp_f32_in_place<S: Single>(items: &mut [S]) {
    if !simd::exp_in_place(items) {
        run_widest(InPlace(items, |x: S| S::from_value(exp_f32(x.value()))));
    }
}

/// A function applied to each item, where it is.
struct InPlace<'a, S, F>(&'a mut [S], F);

impl<S: Copy, F: Fn(S) -> S> Loops for InPlace<'_, S, F> {
    #[inline(always)]
    fn run(self) {
        for item in self.0 {
            *item = (self.1)(*item);
        }
    }
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
