//! Slice forms of the fixpipe's quantisation: a row of a tile with a parameter word for each column.
//!
//! The same bits as the functions of `quant`, item by item, in loops that a processor's vectors can run.

use super::bulk::{apply_slice, apply2_slice};
use super::quant::QuantWord;
use super::single::mul_f32;

/// What happens to negative values before the scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RowRelu {
    /// They are treated like the others.
    None,
    /// They become zero.
    Zero,
    /// They are multiplied by this times the scale, the product rounded.
    Leaky(f32),
}

/// The parameter words of all columns, taken apart.
#[derive(Clone, Debug, Default)]
pub struct QuantColumns {
    scales: Vec<f32>,
    offsets: Vec<i32>,
    signed: bool,
}

impl QuantColumns {
    /// Takes words apart; none if they shift first or do not agree on the sign of results, which these loops leave out.
    pub fn new(words: &[QuantWord]) -> Option<QuantColumns> {
        let signed = words.first().is_none_or(|word| word.signed);
        let plain = |word: &QuantWord| !word.shift_first && word.signed == signed;
        words.iter().all(plain).then(|| QuantColumns {
            scales: words.iter().map(|word| word.scale).collect(),
            offsets: words.iter().map(|word| word.offset).collect(),
            signed,
        })
    }

    /// Scales s32, given as bits.
    pub fn scale_s32(&self, dst: &mut [f32], row: &[u32], relu: RowRelu) {
        self.scale(dst, row, relu, |bits| bits as i32 as f32);
    }

    /// Scales f32, given as bits.
    pub fn scale_f32(&self, dst: &mut [f32], row: &[u32], relu: RowRelu) {
        self.scale(dst, row, relu, f32::from_bits);
    }

    fn scale(&self, dst: &mut [f32], row: &[u32], relu: RowRelu, value: impl Fn(u32) -> f32) {
        let scales = &self.scales;
        match relu {
            RowRelu::None => apply2_slice(dst, row, scales, |bits, scale| value(bits) * scale),
            RowRelu::Zero => apply2_slice(dst, row, scales, |bits, scale| {
                let x = value(bits);
                if x < 0.0 { 0.0 } else { x * scale }
            }),
            RowRelu::Leaky(alpha) => apply2_slice(dst, row, scales, |bits, scale| {
                let x = value(bits);
                x * if x < 0.0 {
                    mul_f32(alpha, scale)
                } else {
                    scale
                }
            }),
        }
    }

    /// Clips, rounds half to even, adds the offset and saturates to eight bits. A NaN counts as 0.
    pub fn narrow_8(&self, dst: &mut [u8], scaled: &[f32]) {
        let (least, greatest) = if self.signed { (-128, 127) } else { (0, 255) };
        let narrow = |x: f32, offset: i32| (rounded(x) + offset).max(least).min(greatest) as u8;
        if self.offsets.iter().all(|&offset| offset == 0) {
            apply_slice(dst, scaled, |x| narrow(x, 0));
        } else {
            apply2_slice(dst, scaled, &self.offsets, narrow);
        }
    }
}

/// The nearest whole number, halves to even, from -256 to 255.
#[inline]
fn rounded(x: f32) -> i32 {
    // Adding this leaves no bits behind the point, so the addition itself rounds; the sum's low bits are the number.
    const POINT: f32 = 12_582_912.0;
    let known = if x.is_nan() { 0.0 } else { x };
    let clipped = known.clamp(-256.0, 255.0);
    (clipped + POINT).to_bits() as i32 - POINT.to_bits() as i32
}
