//! The fixpipe's quantisation: its parameter word and the arithmetic of each mode.
//!
//! Source: facts §3.6 (quant parameter word, REQ8). Fixpipe conversions always saturate; there is no INF/NaN mode.
//! What the source leaves open is marked *we choose*.

use super::convert::{f32_to_f16, f32_to_int};
use super::integer::saturate_int;
use super::{Overflow, Round};

/// The 64-bit quantisation parameter, unpacked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuantWord {
    /// The multiplier M1. The word holds sign, exponent and the upper 10 bits of its mantissa (bits 31:13).
    pub scale: f32,
    /// How far to shift to the right, 1 to 16 (bits 35:32 hold one less).
    pub shift: u32,
    /// Whether the shift, and a saturation to 16 bits, come first (bit 36).
    pub shift_first: bool,
    /// What is added last, -256 to 255 (bits 45:37).
    pub offset: i32,
    /// Whether the result is s8 rather than u8 (bit 46).
    pub signed: bool,
}

impl QuantWord {
    /// A word that scales to s8, without shift or offset.
    pub fn scaling(scale: f32) -> QuantWord {
        let scale = f32::from_bits(scale.to_bits() & SCALE_BITS);
        QuantWord {
            scale,
            shift: 1,
            shift_first: false,
            offset: 0,
            signed: true,
        }
    }

    /// The word's bits. Scale, shift and offset lose what their fields cannot hold.
    pub const fn pack(self) -> u64 {
        let scale = (self.scale.to_bits() & SCALE_BITS) as u64;
        let shift = (self.shift.wrapping_sub(1) & 0xf) as u64;
        let offset = (self.offset & 0x1ff) as u64;
        scale
            | shift << 32
            | (self.shift_first as u64) << 36
            | offset << 37
            | (self.signed as u64) << 46
    }

    /// Reads a word; bits outside the fields have no meaning.
    pub const fn unpack(word: u64) -> QuantWord {
        QuantWord {
            scale: f32::from_bits(word as u32 & SCALE_BITS),
            shift: (word >> 32 & 0xf) as u32 + 1,
            shift_first: word >> 36 & 1 == 1,
            offset: ((word >> 37 & 0x1ff) as i32) << 23 >> 23,
            signed: word >> 46 & 1 == 1,
        }
    }
}

/// Bits 31:13 of the multiplier.
const SCALE_BITS: u32 = 0xffff_e000;

/// What the fixpipe does with negative values before it narrows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Relu {
    /// They are treated like the others.
    None,
    /// They become zero.
    Zero,
    /// They are multiplied by this instead of the scale, as the hardware does it: a leaky slope of α is α·M1.
    Multiplier(f32),
}

/// REQ8, s32 to s8 or u8: shift if asked, to f32, multiply, clip, round half to even, add the offset, saturate.
pub fn requant_s32_s8(x: i32, word: QuantWord, relu: Relu) -> i32 {
    narrow_to_8(scaled_s32(x, word, relu), word)
}

/// QF8, f32 to s8 or u8: as REQ8 without the shift. A NaN counts as 0 (*we choose*).
pub fn quant_f32_s8(x: f32, word: QuantWord, relu: Relu) -> i32 {
    narrow_to_8(scale(x, word, relu), word)
}

/// REQ4, s32 to s4: as REQ8, saturating to s4 (*we choose*: the rest is as for s8).
pub fn requant_s32_s4(x: i32, word: QuantWord, relu: Relu) -> i32 {
    narrow_to_4(scaled_s32(x, word, relu), word)
}

/// QF4, f32 to s4: as QF8, saturating to s4 (*we choose*: the rest is as for s8).
pub fn quant_f32_s4(x: f32, word: QuantWord, relu: Relu) -> i32 {
    narrow_to_4(scale(x, word, relu), word)
}

/// DEQ16, s32 to f16: shift if asked, to f32, multiply, round to nearest even, saturating.
pub fn dequant_s32_f16(x: i32, word: QuantWord, relu: Relu) -> u16 {
    f32_to_f16(scaled_s32(x, word, relu), Round::Even, Overflow::Saturate)
}

/// DEQS16, s32 to s16: shift to the right, dropping bits (*we choose*), and saturate.
pub fn shift_s32_s16(x: i32, word: QuantWord) -> i32 {
    let shifted = i64::from(x) >> word.shift.min(63);
    saturate_int(shifted, 16, true) as i32
}

/// DEQS16 with an activation of what is shifted: a slope's product rounds to nearest even (*we choose*).
pub fn activate_s32_s16(x: i32, word: QuantWord, relu: Relu) -> i32 {
    let shifted = shift_s32_s16(x, word);
    match relu {
        Relu::Zero => shifted.max(0),
        Relu::Multiplier(slope) if shifted < 0 => {
            let product = shifted as f32 * slope;
            f32_to_int(product, Round::Even, Overflow::Saturate, 16, true) as i32
        }
        Relu::None | Relu::Multiplier(_) => shifted,
    }
}

fn scaled_s32(x: i32, word: QuantWord, relu: Relu) -> f32 {
    let shifted = if word.shift_first {
        shift_s32_s16(x, word)
    } else {
        x
    };
    scale(shifted as f32, word, relu)
}

fn scale(x: f32, word: QuantWord, relu: Relu) -> f32 {
    match relu {
        Relu::Zero if x < 0.0 => 0.0,
        Relu::Multiplier(negative) if x < 0.0 => x * negative,
        Relu::None | Relu::Zero | Relu::Multiplier(_) => x * word.scale,
    }
}

fn narrow_to_8(scaled: f32, word: QuantWord) -> i32 {
    saturate_int(narrow_to_9(scaled, word), 8, word.signed) as i32
}

fn narrow_to_4(scaled: f32, word: QuantWord) -> i32 {
    saturate_int(narrow_to_9(scaled, word), 4, true) as i32
}

/// Clips to 9 bits, rounds and adds the offset.
fn narrow_to_9(scaled: f32, word: QuantWord) -> i64 {
    // Clipping to 9 bits and rounding commute, because both ends are whole numbers.
    let rounded = f32_to_int(scaled, Round::Even, Overflow::Saturate, 9, true);
    rounded + i64::from(word.offset)
}
