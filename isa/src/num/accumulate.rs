//! Multiply-accumulate of the cube and vector units, and reductions in a tree.

use super::convert::{bf16_to_f32, f16_to_f32};
use super::single::canonical_f32;

/// `a · b + c` with one rounding, to nearest even.
///
/// The product of two f32 is exact in f64. The sum there is rounded to odd, which has 53 ≥ 24 + 2 digits, so the
/// rounding to f32 that follows gives what one rounding would.
#[inline]
pub fn fma_f32(a: f32, b: f32, c: f32) -> f32 {
    let product = f64::from(a) * f64::from(b);
    let addend = f64::from(c);
    let sum = product + addend;
    // What the rounding of `sum` lost, exactly (Knuth's two-sum); NaN if anything was infinite.
    let kept = sum - product;
    let lost = (product - (sum - kept)) + (addend - kept);
    let inexact = (lost < 0.0) | (lost > 0.0);
    let even = sum.to_bits() & 1 == 0;
    let away = (lost > 0.0) == (sum > 0.0);
    let step = if away { 1 } else { u64::MAX };
    let odd = sum
        .to_bits()
        .wrapping_add(if inexact & even { step } else { 0 });
    canonical_f32(f64::from_bits(odd) as f32)
}

/// One step of an f16 `mmad`: the product is exact in f32, the sum rounds once.
#[inline]
pub fn mac_f16(accumulator: f32, a: u16, b: u16) -> f32 {
    canonical_f32(accumulator + f16_to_f32(a) * f16_to_f32(b))
}

/// One step of a bf16 `mmad`: fused, because a product may leave the range of f32.
#[inline]
pub fn mac_bf16(accumulator: f32, a: u16, b: u16) -> f32 {
    fma_f32(bf16_to_f32(a), bf16_to_f32(b), accumulator)
}

/// One step of an f32 `mmad`: product and sum round each, as the language's "no contraction" asks (*we choose*).
#[inline]
pub fn mac_f32(accumulator: f32, a: f32, b: f32) -> f32 {
    canonical_f32(accumulator + a * b)
}

/// One step of an i8 `mmad`: exact, the sum wraps. The flag says that it did.
#[inline]
pub fn mac_i8(accumulator: i32, a: i8, b: i8) -> (i32, bool) {
    accumulator.overflowing_add(i32::from(a) * i32::from(b))
}

/// Joins adjacent pairs until one item is left; `None` if there is none.
///
/// Made for lengths that are a power of two. In others the last item of an odd level moves up as it is.
pub fn tree_reduce<T: Copy>(items: &[T], join: impl Fn(T, T) -> T) -> Option<T> {
    join_pairs(items, &join)
}

fn join_pairs<T: Copy>(items: &[T], join: &impl Fn(T, T) -> T) -> Option<T> {
    match *items {
        [] => None,
        [only] => Some(only),
        [a, b] => Some(join(a, b)),
        [a, b, c, d] => Some(join(join(a, b), join(c, d))),
        _ => {
            // The greatest power of two below the length: both sides are then trees of adjacent pairs.
            let middle = items.len().next_power_of_two() / 2;
            let (left, right) = items.split_at(middle);
            Some(join(join_pairs(left, join)?, join_pairs(right, join)?))
        }
    }
}

/// The sum by adjacent pairs, each rounded to nearest even; +0 for an empty slice.
pub fn tree_sum_f32(items: &[f32]) -> f32 {
    canonical_f32(tree_reduce(items, |a, b| a + b).unwrap_or(0.0))
}
