//! Slice forms against the single-value forms, for every 16-bit pattern and all lengths around a vector.

use super::reference::{Values, f32_samples};
use crate::num::*;

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| x.to_bits()).collect()
}

#[test]
fn widening_slices_agree() {
    let all: Vec<u16> = (0..=u16::MAX).collect();
    let mut wide = vec![0.0; all.len()];
    f16_to_f32_slice(&mut wide, &all);
    assert!(
        wide.iter()
            .zip(&all)
            .all(|(w, &n)| w.to_bits() == f16_to_f32(n).to_bits())
    );
    bf16_to_f32_slice(&mut wide, &all);
    assert!(
        wide.iter()
            .zip(&all)
            .all(|(w, &n)| w.to_bits() == bf16_to_f32(n).to_bits())
    );
}

#[test]
fn bytes_of_memory_serve_as_well() {
    let memory: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
    let (halves, _) = memory.as_chunks::<2>();
    let mut wide = vec![0.0; halves.len()];
    let mut back = memory.clone();
    f16_to_f32_slice(&mut wide, halves);
    assert!(
        wide.iter()
            .zip(0..=u16::MAX)
            .all(|(w, bits)| w.to_bits() == f16_to_f32(bits).to_bits())
    );
    f32_to_f16_slice(back.as_chunks_mut::<2>().0, &wide, Overflow::Keep);
    assert!(
        back.as_chunks::<2>()
            .0
            .iter()
            .zip(0..=u16::MAX)
            .all(|(&b, bits)| u16::from_le_bytes(b) == f16_neg(f16_neg(bits)))
    );
    bf16_to_f32_slice(&mut wide, halves);
    f32_to_bf16_slice(back.as_chunks_mut::<2>().0, &wide, Overflow::Keep);
    assert!(
        back.as_chunks::<2>()
            .0
            .iter()
            .zip(0..=u16::MAX)
            .all(|(&b, bits)| u16::from_le_bytes(b) == bf16_neg(bf16_neg(bits)))
    );
}

#[test]
fn narrowing_slices_agree() {
    let f16 = Values::f16();
    let critical = f16.critical().map(|x| x as f32);
    let samples: Vec<f32> = f32_samples(4093).chain(critical).collect();
    let mut narrow = vec![0; samples.len()];
    for overflow in [Overflow::Saturate, Overflow::Keep, Overflow::Wrap] {
        f32_to_f16_slice(&mut narrow, &samples, overflow);
        for (&n, &x) in narrow.iter().zip(&samples) {
            assert_eq!(
                n,
                f32_to_f16(x, Round::Even, overflow),
                "{x:e} {overflow:?}"
            );
        }
        f32_to_bf16_slice(&mut narrow, &samples, overflow);
        for (&n, &x) in narrow.iter().zip(&samples) {
            assert_eq!(
                n,
                f32_to_bf16(x, Round::Even, overflow),
                "{x:e} {overflow:?}"
            );
        }
    }
}

#[test]
fn function_slices_agree() {
    let samples: Vec<f32> = f32_samples(3571).collect();
    let mut results = vec![0.0; samples.len()];
    ln_f32_slice(&mut results, &samples);
    assert_eq!(
        bits(&results),
        bits(&samples.iter().map(|&x| ln_f32(x)).collect::<Vec<_>>())
    );
    let shifted: Vec<f32> = samples.iter().skip(17).copied().collect();
    for operation in [add_f32, sub_f32, mul_f32, div_f32, max_f32, min_f32] {
        apply2_slice(&mut results, &samples, &shifted, operation);
        let one_by_one: Vec<f32> = samples
            .iter()
            .zip(&shifted)
            .map(|(&a, &b)| operation(a, b))
            .collect();
        assert_eq!(bits(&results[..shifted.len()]), bits(&one_by_one));
    }
}

#[test]
fn exponentials_in_place_agree() {
    let of_bits = |bits: std::ops::Range<u32>, step| bits.step_by(step).map(f32::from_bits);
    let usual = of_bits(0xbf00_0000..0xc2d2_0000, 97);
    let beside_nothing = of_bits(0x3200_0000..0x42b4_0000, 997);
    // Operands whose f32 result is nearly a tie: the first would be wrong if the margin were a fifth less.
    let hard = [0xc231_e30d, 0xc231_e30e].map(f32::from_bits);
    let samples: Vec<f32> = f32_samples(3571)
        .chain(usual)
        .chain(beside_nothing)
        .chain(hard)
        .collect();
    let expected: Vec<f32> = samples.iter().map(|&x| exp_f32(x)).collect();
    for length in [1, 15, 16, 17, samples.len()] {
        let mut results = samples[samples.len() - length..].to_vec();
        exp_f32_in_place(&mut results);
        assert_eq!(bits(&results), bits(&expected[samples.len() - length..]));
    }
}

#[test]
fn lengths_around_a_vector_are_paired_from_the_start() {
    let halves: Vec<u16> = (0..40).map(|n| 0x3c00 + n).collect();
    for (to, from) in (0..=40).flat_map(|to| (0..=40).map(move |from| (to, from))) {
        let mut wide = vec![-1.0; to];
        f16_to_f32_slice(&mut wide, &halves[..from]);
        for (index, &x) in wide.iter().enumerate() {
            assert_eq!(
                x,
                if index < from {
                    f16_to_f32(halves[index])
                } else {
                    -1.0
                }
            );
        }
        let source: Vec<f32> = halves[..from].iter().map(|&h| f16_to_f32(h)).collect();
        let mut narrow = vec![7; to];
        f32_to_f16_slice(&mut narrow, &source, Overflow::Saturate);
        for (index, &x) in narrow.iter().enumerate() {
            assert_eq!(x, if index < from { halves[index] } else { 7 });
        }
    }
}
