//! Vector loops equal their portable twins.

use super::*;

fn noise(seed: &mut u64) -> u32 {
    *seed = seed
        .wrapping_mul(6364136223846793005)
        .wrapping_add(1442695040888963407);
    (*seed >> 32) as u32
}

/// Values of every magnitude, some infinities and NaN.
fn word(step: Step, seed: &mut u64, special: bool) -> u32 {
    let bits = noise(seed);
    let word = match step {
        Step::Exact => num::f16_to_f32(bits as u16).to_bits(),
        Step::Fused => bits & 0xffff_0000,
        Step::Rounded => bits,
        // Sign-extended bytes, as a load leaves them.
        Step::Pairs => {
            let [low, high, ..] = bits.to_le_bytes().map(|byte| i16::from(byte as i8) as u16);
            return u32::from(low) | u32::from(high) << 16;
        }
    };
    let tame = f32::from_bits(word).abs() < 1e15;
    if special || tame { word } else { 0x3f80_0000 }
}

fn product<'a>(
    step: Step,
    a: &'a [u32],
    b: &'a [u32],
    extents: (usize, usize, usize),
) -> Product<'a> {
    let (m, k, n) = extents;
    let pairs = step == Step::Pairs;
    Product {
        step,
        a,
        b,
        m,
        n,
        fractal_steps: if step == Step::Rounded { 8 } else { 16 },
        steps: if pairs { k.div_ceil(2) } else { k },
        half_last: pairs && !k.is_multiple_of(2),
    }
}

#[test]
fn vector_loops_equal_their_portable_twins() {
    let mut seed = 1;
    let extents: [(usize, usize, usize); 8] = [
        (1, 1, 1),
        (16, 16, 16),
        (17, 33, 40),
        (128, 64, 48),
        (31, 7, 77),
        (6, 65, 16),
        (8, 19, 33),
        (13, 40, 96),
    ];
    for step in [Step::Exact, Step::Fused, Step::Rounded, Step::Pairs] {
        for (m, k, n) in extents {
            for special in [false, true] {
                let mut draw = |count: usize| -> Vec<u32> {
                    (0..count).map(|_| word(step, &mut seed, special)).collect()
                };
                let fractals = |x: usize| x.div_ceil(16);
                let k1 = k.div_ceil(8);
                let a = draw(fractals(m) * k1 * FRACTAL_WORDS);
                let b = draw(k1 * fractals(n) * FRACTAL_WORDS);
                let words = draw(fractals(m) * fractals(n) * 256 + n);
                let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
                let (bias, c) = bytes.split_at(n * 4);
                let p = product(step, &a, &b, (m, k, n));
                for start in [Start::Kept, Start::Zero, Start::Row(bias)] {
                    let mut slow = c.to_vec();
                    multiply_portable(&mut slow, start, &p);
                    let mut fast = c.to_vec();
                    multiply(&mut fast, start, &p);
                    assert!(fast == slow, "{step:?} {m} {k} {n} {special} {start:?}");
                    #[cfg(target_arch = "x86_64")]
                    {
                        let mut older = c.to_vec();
                        if x86::multiply_avx2(&mut older, start, &p) {
                            assert!(
                                older == slow,
                                "avx2 {step:?} {m} {k} {n} {special} {start:?}"
                            );
                        }
                        let mut older = c.to_vec();
                        if x86::multiply_pairs(&mut older, start, &p) {
                            assert!(older == slow, "avx512 {m} {k} {n} {start:?}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn transposes_are_equal() {
    let mut seed = 7;
    let rows: [u32; FRACTAL_WORDS] = std::array::from_fn(|_| noise(&mut seed));
    for (columns, count) in [(8, 16), (16, 8), (16, 16), (3, 16)] {
        let (mut fast, mut slow) = (vec![0; count * columns], vec![0; count * columns]);
        transpose(&rows, columns, count, &mut fast);
        transpose_portable(&rows, columns, count, &mut slow);
        assert_eq!(fast, slow);
    }
}

#[test]
fn spreading_is_equal() {
    let every: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
    let ways = [
        Spread::F16,
        Spread::Bf16,
        Spread::Words,
        Spread::Pairs,
        Spread::PairedRows,
    ];
    for how in ways {
        let count = every.len() / how.bytes();
        let (mut fast, mut slow) = (vec![0; count], vec![0; count]);
        spread(how, &every, &mut fast);
        spread_portable(how, &every, &mut slow);
        let nan = |word: u32| how == Spread::F16 && f32::from_bits(word).is_nan();
        let same = |(&x, &y): (&u32, &u32)| x == y || nan(x) && nan(y);
        assert!(fast.iter().zip(&slow).all(same), "{how:?}");
    }
}
