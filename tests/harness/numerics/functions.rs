//! Arithmetic of `isa::num` that no vector instruction reaches, by name.

use isa::num::{self, Overflow, QuantWord, Relu, Round};

/// The bits of one result. `mode` is 1 to keep infinities, the number of a rounding, or that of an activation.
pub(super) fn call(name: &str, [x, y]: [u32; 2], word: u64, mode: u64) -> u64 {
    match narrow(name, [x as u16, y as u16], mode) {
        Some(bits) => bits.into(),
        None => fixpipe(name, x, word, mode),
    }
}

/// Functions of f16 and bf16.
fn narrow(name: &str, [x, y]: [u16; 2], mode: u64) -> Option<u16> {
    const ROUNDS: [Round; 5] = [
        Round::Even,
        Round::Away,
        Round::Floor,
        Round::Ceil,
        Round::Trunc,
    ];
    let overflow = match mode {
        0 => Overflow::Saturate,
        _ => Overflow::Keep,
    };
    let round = ROUNDS[mode as usize % ROUNDS.len()];
    Some(match name {
        "exp_f16" => num::exp_f16(x, overflow),
        "ln_f16" => num::ln_f16(x, overflow),
        "f16_sqrt" => num::f16_sqrt(x, overflow),
        "f16_neg" => num::f16_neg(x),
        "f16_abs" => num::f16_abs(x),
        "round_to_integral_f16" => num::round_to_integral_f16(x, round),
        "exp_bf16" => num::exp_bf16(x, overflow),
        "ln_bf16" => num::ln_bf16(x, overflow),
        "bf16_sqrt" => num::bf16_sqrt(x, overflow),
        "bf16_neg" => num::bf16_neg(x),
        "bf16_abs" => num::bf16_abs(x),
        "round_to_integral_bf16" => num::round_to_integral_bf16(x, round),
        "bf16_add" => num::bf16_add(x, y, overflow),
        "bf16_sub" => num::bf16_sub(x, y, overflow),
        "bf16_mul" => num::bf16_mul(x, y, overflow),
        "bf16_div" => num::bf16_div(x, y, overflow),
        "bf16_max" => num::bf16_max(x, y),
        "bf16_min" => num::bf16_min(x, y),
        _ => return None,
    })
}

/// The arithmetic of the fixpipe; `slope` says which activation.
fn fixpipe(name: &str, x: u32, word: u64, slope: u64) -> u64 {
    let (word, signed, float) = (QuantWord::unpack(word), x as i32, f32::from_bits(x));
    let relu = match slope {
        0 => Relu::None,
        1 => Relu::Zero,
        _ => Relu::Multiplier(-0.125),
    };
    match name {
        "requant_s32_s8" => u64::from(num::requant_s32_s8(signed, word, relu) as u8),
        "requant_s32_s4" => u64::from(num::requant_s32_s4(signed, word, relu) as u8),
        "quant_f32_s8" => u64::from(num::quant_f32_s8(float, word, relu) as u8),
        "quant_f32_s4" => u64::from(num::quant_f32_s4(float, word, relu) as u8),
        "shift_s32_s16" => u64::from(num::shift_s32_s16(signed, word) as u16),
        "dequant_s32_f16" => u64::from(num::dequant_s32_f16(signed, word, relu)),
        other => panic!("there is no `{other}`"),
    }
}
