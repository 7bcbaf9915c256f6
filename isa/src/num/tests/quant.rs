//! The quantisation word's fields and the fixpipe's arithmetic, with numbers worked out by hand or in f64.

use super::reference::mixed;
use crate::num::*;

#[test]
fn the_word_has_its_fields_in_place() {
    let word = QuantWord {
        scale: 0.5,
        shift: 5,
        shift_first: true,
        offset: -3,
        signed: true,
    };
    let bits = 0x3f00_0000 | 4 << 32 | 1 << 36 | 0x1fd << 37 | 1 << 46;
    assert_eq!(word.pack(), bits);
    assert_eq!(QuantWord::unpack(bits), word);
    assert_eq!(
        QuantWord::unpack(!0x7fff_ffff_e000),
        QuantWord {
            scale: 0.0,
            shift: 1,
            shift_first: false,
            offset: 0,
            signed: false
        }
    );
    assert_eq!(QuantWord::scaling(0.1).scale.to_bits(), 0x3dcc_c000);
    for bits in mixed(10_000).map(|bits| bits & 0x7fff_ffff_e000) {
        assert_eq!(QuantWord::unpack(bits).pack(), bits);
    }
}

#[test]
fn requantisation_rounds_half_to_even_and_saturates() {
    let word = QuantWord::scaling(0.5);
    let s8 = |x| requant_s32_s8(x, word, Relu::None);
    assert_eq!([0, 1, 3, 5, -1, -3, -5].map(s8), [0, 0, 2, 2, 0, -2, -2]);
    assert_eq!(
        [253, 254, 255, 300, -256, -257, i32::MAX, i32::MIN].map(s8),
        [126, 127, 127, 127, -128, -128, 127, -128]
    );
    let u8 = QuantWord {
        signed: false,
        ..word
    };
    assert_eq!(
        [-4, 510, 511, 512].map(|x| requant_s32_s8(x, u8, Relu::None)),
        [0, 255, 255, 255]
    );
}

#[test]
fn the_offset_comes_after_the_clip() {
    let word = QuantWord {
        offset: -256,
        ..QuantWord::scaling(1.0)
    };
    // Clipped to 255 before the offset: a million cannot come out at 127.
    assert_eq!(
        [1_000_000, 255, 200].map(|x| requant_s32_s8(x, word, Relu::None)),
        [-1, -1, -56]
    );
    let word = QuantWord {
        offset: 255,
        signed: false,
        ..QuantWord::scaling(1.0)
    };
    assert_eq!(
        [-1_000_000, -200, 3].map(|x| requant_s32_s8(x, word, Relu::None)),
        [0, 55, 255]
    );
}

#[test]
fn relu_changes_negative_values_only() {
    let word = QuantWord::scaling(0.25);
    for x in -2000..2000 {
        let plain = requant_s32_s8(x, word, Relu::None);
        assert_eq!(requant_s32_s8(x, word, Relu::Zero), plain.max(0));
        let leaky = requant_s32_s8(x, word, Relu::Multiplier(0.125));
        let slope = if x < 0 { 0.125 } else { 0.25 };
        assert_eq!(
            leaky,
            (f64::from(x) * slope)
                .round_ties_even()
                .clamp(-128.0, 127.0) as i32
        );
    }
    assert_eq!(dequant_s32_f16(-5, word, Relu::Zero), 0);
    assert_eq!(dequant_s32_f16(-8, word, Relu::Multiplier(0.125)), 0xbc00);
}

#[test]
fn the_shift_saturates_to_sixteen_bits_first() {
    let word = QuantWord {
        shift: 4,
        shift_first: true,
        ..QuantWord::scaling(1.0 / 256.0)
    };
    assert_eq!(
        [16, 31, -1, -16, -17].map(|x| shift_s32_s16(x, word)),
        [1, 1, -1, -1, -2]
    );
    assert_eq!(
        [i32::MAX, i32::MIN].map(|x| shift_s32_s16(x, word)),
        [32767, -32768]
    );
    assert_eq!(
        [i32::MAX, i32::MIN, 1 << 13].map(|x| requant_s32_s8(x, word, Relu::None)),
        [127, -128, 2]
    );
    let plain = QuantWord {
        shift_first: false,
        ..word
    };
    assert_eq!(requant_s32_s8(1 << 13, plain, Relu::None), 32);
}

#[test]
fn conversion_and_product_round_once_each() {
    for bits in mixed(200_000) {
        let x = bits as i32;
        let word = QuantWord::scaling(f32::from_bits(
            0x2f80_0000 + (bits >> 32 & 0x0fff_ffff) as u32,
        ));
        let product = x as f32 * word.scale;
        let expected = half::f16::from_f32(product.clamp(-65504.0, 65504.0)).to_bits();
        assert_eq!(dequant_s32_f16(x, word, Relu::None), expected);
        let expected = f64::from(product).round_ties_even().clamp(-128.0, 127.0) as i32;
        assert_eq!(requant_s32_s8(x, word, Relu::None), expected);
        assert_eq!(quant_f32_s8(x as f32, word, Relu::None), expected);
    }
}

#[test]
fn float_sources_saturate_and_nan_counts_as_zero() {
    let word = QuantWord {
        offset: 5,
        ..QuantWord::scaling(1.0)
    };
    assert_eq!(quant_f32_s8(f32::INFINITY, word, Relu::None), 127);
    assert_eq!(quant_f32_s8(f32::NEG_INFINITY, word, Relu::Zero), 5);
    assert_eq!(quant_f32_s8(f32::NAN, word, Relu::Zero), 5);
    assert_eq!(
        dequant_s32_f16(i32::MIN, word, Relu::None),
        F16_MAX | 0x8000
    );
}
