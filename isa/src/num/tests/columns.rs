//! Rows of quantised values equal the functions of one value.

use crate::num::{QuantColumns, QuantWord, Relu, RowRelu, mul_f32, quant_f32_s8, requant_s32_s8};

fn words(signed: bool) -> Vec<QuantWord> {
    let scales = [1.0, 0.5, 3e-3, -0.25, 1e30, 0.0, 1.5e-8, 7.0];
    let offsets = [0, 1, -256, 255, 17, -3, 100, -100];
    let word = |(&scale, &offset): (&f32, &i32)| QuantWord {
        offset,
        signed,
        ..QuantWord::scaling(scale)
    };
    scales.iter().zip(&offsets).map(word).collect()
}

#[test]
fn rows_equal_single_values() {
    let mut state = 1_u64;
    let mut draw = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1);
        let bits = (state >> 32) as u32;
        // Small numbers too, and specials.
        [bits, bits >> 20, 0x7fc0_0000, 0xff80_0000, 0x4300_0000][bits as usize % 5]
    };
    for signed in [false, true] {
        let words = words(signed);
        let columns = QuantColumns::new(&words).expect("words that agree");
        for _ in 0..4000 {
            let row: Vec<u32> = words.iter().map(|_| draw()).collect();
            for relu in [RowRelu::None, RowRelu::Zero, RowRelu::Leaky(0.1)] {
                let single = |word: QuantWord| match relu {
                    RowRelu::None => Relu::None,
                    RowRelu::Zero => Relu::Zero,
                    RowRelu::Leaky(alpha) => Relu::Multiplier(mul_f32(alpha, word.scale)),
                };
                let mut scaled = vec![0.0; row.len()];
                let mut narrow = vec![0; row.len()];
                columns.scale_s32(&mut scaled, &row, relu);
                columns.narrow_8(&mut narrow, &scaled);
                for ((&x, &word), &got) in row.iter().zip(&words).zip(&narrow) {
                    assert_eq!(got, requant_s32_s8(x as i32, word, single(word)) as u8);
                }
                columns.scale_f32(&mut scaled, &row, relu);
                columns.narrow_8(&mut narrow, &scaled);
                for ((&x, &word), &got) in row.iter().zip(&words).zip(&narrow) {
                    let x = f32::from_bits(x);
                    assert_eq!(
                        got,
                        quant_f32_s8(x, word, single(word)) as u8,
                        "{x} {word:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn words_that_shift_or_disagree_are_left_to_others() {
    let mut words = words(true);
    words[3].signed = false;
    assert!(QuantColumns::new(&words).is_none());
    words[3].signed = true;
    words[5].shift_first = true;
    assert!(QuantColumns::new(&words).is_none());
}
