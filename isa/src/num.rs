//! Arithmetic of the language and of the machine, defined bit for bit.
//!
//! The reference evaluator, the emulator's units and constant folding all call this module, so that they cannot
//! disagree. Every function is made of integer operations and single IEEE 754 operations (`+ - * /`, square root) in
//! `f32` or `f64`, written out in order; nothing comes from the host's mathematical library and nothing is contracted.
//!
//! Rules that hold everywhere:
//! - f16 and bf16 values are raw bits in a `u16`.
//! - Every float result that is NaN is the canonical quiet NaN of its type: [`F32_NAN`], [`F16_NAN`], [`BF16_NAN`].
//! - Subnormals are kept, and the sign of zero follows IEEE 754.
//! - No function panics on any operand, and none depends on the host processor.
//!
//! It knows nothing of instructions, tensors or memory. Start with [`Round`] and [`Overflow`], then `convert`;
//! `bulk` has the slice forms, which give the same bits faster.

mod accumulate;
mod bulk;
mod columns;
mod convert;
mod elementary;
mod format;
mod hf32;
mod integer;
mod low_precision;
mod narrow;
mod quant;
mod simd;
mod single;
#[cfg(test)]
mod tests;

pub use accumulate::{fma_f32, mac_bf16, mac_f16, mac_f32, mac_i8, tree_reduce, tree_sum_f32};
pub use bulk::{
    Loops, apply_f16_slice, apply_slice, apply2_f16_slice, apply2_slice, bf16_to_f32_slice,
    exp_f32_in_place, f16_to_f32_slice, f32_to_bf16_slice, f32_to_f16_slice, ln_f32_slice,
    run_widest,
};
pub use columns::{QuantColumns, RowRelu};
pub use convert::{
    bf16_to_f32, bf16_to_int, f16_to_f32, f16_to_int, f32_to_bf16, f32_to_f16, f32_to_int,
    f64_to_bf16, f64_to_f16, f64_to_f32, f64_to_int, i64_to_bf16, i64_to_f16, i64_to_f32,
    round_to_integral, round_to_integral_bf16, round_to_integral_f16,
};
pub use elementary::{exp_bf16, exp_f16, exp_f32, ln_bf16, ln_f16, ln_f32};
pub use hf32::{Hf32, round_hf32};
pub use integer::{
    int_abs, int_add, int_bits, int_div, int_mul, int_neg, int_rem, int_shl, int_shr, int_sub,
    int_to_int, saturate_int, wrap_int,
};
pub use low_precision::{vrec_f16, vrec_f32, vrsqrt_f16, vrsqrt_f32};
pub use narrow::{
    bf16_abs, bf16_add, bf16_div, bf16_max, bf16_min, bf16_mul, bf16_neg, bf16_sqrt, bf16_sub,
    f16_abs, f16_add, f16_div, f16_max, f16_min, f16_mul, f16_neg, f16_sqrt, f16_sub,
};
pub use quant::{
    QuantWord, Relu, activate_s32_s16, dequant_s32_f16, quant_f32_s4, quant_f32_s8, requant_s32_s4,
    requant_s32_s8, shift_s32_s16,
};
pub use single::{
    Compare, abs_f32, add_f32, canonical_f32, cmp_f32, div_f32, max_f32, min_f32, mul_f32, neg_f32,
    sqrt_f32, sub_f32,
};

/// The canonical NaN of f32, `0x7fc00000`.
pub const F32_NAN: f32 = f32::from_bits(0x7fc0_0000);
/// The canonical NaN of f16.
pub const F16_NAN: u16 = 0x7e00;
/// The canonical NaN of bf16.
pub const BF16_NAN: u16 = 0x7fc0;
/// The largest finite f16, 65504.
pub const F16_MAX: u16 = 0x7bff;
/// The largest finite bf16, about 3.39e38.
pub const BF16_MAX: u16 = 0x7f7f;

/// What becomes of the digits that a narrower type cannot hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Round {
    /// To nearest, ties to the even neighbour.
    Even,
    /// To nearest, ties away from zero.
    Away,
    /// Toward minus infinity.
    Floor,
    /// Toward plus infinity.
    Ceil,
    /// Toward zero.
    Trunc,
    /// Inexact values go to the neighbour whose last bit is one (von Neumann rounding).
    Odd,
}

/// What becomes of a value beyond the largest of its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Overflow {
    /// Floats: the largest finite value of the same sign, also for infinities, and +0 for NaN.
    /// Integers: the nearest end of the range, and 0 for NaN.
    Saturate,
    /// Floats: infinities and NaN stay, and a finite value that overflows becomes what IEEE 754 says for the rounding:
    /// infinity for `Even` and `Away`, the largest finite value for `Trunc` and `Odd`, and for `Floor` and `Ceil`
    /// infinity on the side they round to, the largest finite value on the other. Integers: as `Saturate`.
    Keep,
    /// Integers: the low bits of the rounded integer in two's complement; 0 for NaN and infinities.
    /// Floats: as `Keep`.
    Wrap,
}
