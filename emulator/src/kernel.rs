//! The inner loops of the cube on packed operands: one 16×16 block of L0C, k ascending.
//!
//! The only module with unsafe code. Each vector loop has a portable twin that computes the same bits by the functions
//! of [`isa::num`]; a test compares them. Knows nothing of instructions, addresses or layouts beyond the packed panels.
//!
//! Packed form: a fractal of A is 16 rows of `steps` words; a fractal of B is `steps` rows of 16 words. A word is an f32,
//! or for i8 two neighbours in k as i16. One step multiplies one word.

use isa::num;

/// Words of a packed fractal.
pub(crate) const FRACTAL_WORDS: usize = 256;

/// How a step accumulates.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Products exact in f32 (f16): fused or not, the bits are the same.
    Exact,
    /// One rounding for product and sum (bf16).
    Fused,
    /// Product and sum round each (f32).
    Rounded,
    /// Two i8 products, exact, wrapping.
    Pairs,
}

/// The panels of one block: a row of A's fractals and a column of B's.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Panels<'a> {
    pub(crate) step: Step,
    /// Fractals of A, [`FRACTAL_WORDS`] apart along k.
    pub(crate) a: &'a [u32],
    /// Fractals of B, `b_stride` words apart along k.
    pub(crate) b: &'a [u32],
    pub(crate) b_stride: usize,
    /// Steps in one fractal.
    pub(crate) fractal_steps: usize,
    /// Steps in all.
    pub(crate) steps: usize,
    /// Whether the last step has only its lower half (i8, odd k).
    pub(crate) half_last: bool,
}

/// Accumulates onto a block of 16×16 words, row-major, little endian.
pub(crate) fn accumulate(c: &mut [u8; 1024], panels: &Panels<'_>) {
    let fractals = panels.steps.div_ceil(panels.fractal_steps);
    let words = 16 * panels.fractal_steps;
    // The vector loops read unchecked inside these bounds.
    assert!(fractals == 0 || panels.a.len() >= (fractals - 1) * FRACTAL_WORDS + words);
    assert!(fractals == 0 || panels.b.len() >= (fractals - 1) * panels.b_stride + words);
    if !vector::accumulate(c, panels) {
        accumulate_portable(c, panels);
    }
}

/// Transposes 16 rows of `steps` words, which turns a converted fractal of L0B into its packed form.
pub(crate) fn transpose(rows: &[u32; FRACTAL_WORDS], steps: usize, out: &mut [u32]) {
    let out = &mut out[..16 * steps];
    if !vector::transpose(rows, steps, out) {
        transpose_portable(rows, steps, out);
    }
}

fn transpose_portable(rows: &[u32; FRACTAL_WORDS], steps: usize, out: &mut [u32]) {
    for (k, line) in out.chunks_exact_mut(16).enumerate() {
        for (n, word) in line.iter_mut().enumerate() {
            *word = rows[n * steps + k];
        }
    }
}

fn accumulate_portable(c: &mut [u8; 1024], panels: &Panels<'_>) {
    for (row, line) in c.chunks_exact_mut(64).enumerate() {
        let mut sums = [0_u32; 16];
        for (sum, bytes) in sums.iter_mut().zip(line.chunks_exact(4)) {
            *sum = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        }
        for step in 0..panels.steps {
            let (fractal, inner) = (step / panels.fractal_steps, step % panels.fractal_steps);
            let mut a = panels.a[fractal * FRACTAL_WORDS + row * panels.fractal_steps + inner];
            if panels.half_last && step + 1 == panels.steps {
                a &= 0xffff;
            }
            let from = fractal * panels.b_stride + inner * 16;
            let b = &panels.b[from..from + 16];
            step_portable(panels.step, &mut sums, a, b);
        }
        for (sum, bytes) in sums.iter().zip(line.chunks_exact_mut(4)) {
            bytes.copy_from_slice(&sum.to_le_bytes());
        }
    }
}

fn step_portable(step: Step, sums: &mut [u32; 16], a: u32, b: &[u32]) {
    let float = f32::from_bits;
    for (sum, &b) in sums.iter_mut().zip(b) {
        let old = *sum;
        *sum = match step {
            Step::Exact | Step::Rounded => num::mac_f32(float(old), float(a), float(b)).to_bits(),
            Step::Fused => num::fma_f32(float(a), float(b), float(old)).to_bits(),
            Step::Pairs => {
                let low = i32::from(a as i16) * i32::from(b as i16);
                let high = i32::from((a >> 16) as i16) * i32::from((b >> 16) as i16);
                old.wrapping_add(low.wrapping_add(high) as u32)
            }
        };
    }
}

#[cfg(target_arch = "x86_64")]
mod vector {
    //! The loops for processors with AVX2 and FMA.
    #![expect(
        unsafe_code,
        reason = "vector loads and stores; bounds are asserted by `super::accumulate`, twins are tested equal"
    )]

    use std::arch::x86_64::*;

    use super::{FRACTAL_WORDS, Panels, Step};

    /// Whether the processor has what the loops need; the standard library remembers the answer.
    fn available() -> bool {
        is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
    }

    /// Accumulates the block, or says that it cannot.
    pub(super) fn accumulate(c: &mut [u8; 1024], panels: &Panels<'_>) -> bool {
        if !available() {
            return false;
        }
        // SAFETY: the features are there, and the caller has asserted the panels' lengths.
        unsafe {
            match panels.step {
                Step::Exact | Step::Fused => block::<0>(c, panels),
                Step::Rounded => block::<1>(c, panels),
                Step::Pairs => block::<2>(c, panels),
            }
        }
        true
    }

    /// Six, six and four rows: twelve sums keep both multipliers busy and fit the registers.
    #[target_feature(enable = "avx2,fma")]
    unsafe fn block<const KIND: u8>(c: &mut [u8; 1024], panels: &Panels<'_>) {
        // SAFETY: the rows add up to the block's 16; the rest is passed on.
        unsafe {
            rows::<KIND, 6>(c, panels, 0);
            rows::<KIND, 6>(c, panels, 6);
            rows::<KIND, 4>(c, panels, 12);
        }
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn rows<const KIND: u8, const ROWS: usize>(
        c: &mut [u8; 1024],
        panels: &Panels<'_>,
        first: usize,
    ) {
        let steps = panels.fractal_steps;
        // SAFETY: rows `first..first + ROWS` are inside 16×64 bytes; reads of A and B stay inside the fractals whose
        // presence the caller has asserted, because `done + count` never exceeds `panels.steps`.
        unsafe {
            let out = c.as_mut_ptr().add(first * 64).cast::<f32>();
            let mut sums = [[_mm256_setzero_ps(); 2]; ROWS];
            for (r, sum) in sums.iter_mut().enumerate() {
                *sum = [
                    _mm256_loadu_ps(out.add(r * 16)),
                    _mm256_loadu_ps(out.add(r * 16 + 8)),
                ];
            }
            let whole = panels.steps - usize::from(panels.half_last);
            let mut a = panels.a.as_ptr().add(first * steps).cast::<f32>();
            let mut b = panels.b.as_ptr().cast::<f32>();
            let mut left = whole;
            while left > 0 {
                let count = left.min(steps);
                for k in 0..count {
                    let b0 = _mm256_loadu_ps(b.add(k * 16));
                    let b1 = _mm256_loadu_ps(b.add(k * 16 + 8));
                    for (r, sum) in sums.iter_mut().enumerate() {
                        let x = _mm256_broadcast_ss(&*a.add(r * steps + k));
                        sum[0] = step::<KIND>(x, b0, sum[0]);
                        sum[1] = step::<KIND>(x, b1, sum[1]);
                    }
                }
                left -= count;
                if count == steps && left + usize::from(panels.half_last) > 0 {
                    a = a.add(FRACTAL_WORDS);
                    b = b.add(panels.b_stride);
                }
            }
            if panels.half_last {
                let k = whole % steps;
                let b0 = _mm256_loadu_ps(b.add(k * 16));
                let b1 = _mm256_loadu_ps(b.add(k * 16 + 8));
                for (r, sum) in sums.iter_mut().enumerate() {
                    let word = (*a.add(r * steps + k)).to_bits() & 0xffff;
                    let x = _mm256_castsi256_ps(_mm256_set1_epi32(word as i32));
                    sum[0] = step::<KIND>(x, b0, sum[0]);
                    sum[1] = step::<KIND>(x, b1, sum[1]);
                }
            }
            for (r, sum) in sums.iter().enumerate() {
                _mm256_storeu_ps(out.add(r * 16), finish::<KIND>(sum[0]));
                _mm256_storeu_ps(out.add(r * 16 + 8), finish::<KIND>(sum[1]));
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn step<const KIND: u8>(a: __m256, b: __m256, sum: __m256) -> __m256 {
        match KIND {
            0 => _mm256_fmadd_ps(a, b, sum),
            1 => _mm256_add_ps(sum, _mm256_mul_ps(a, b)),
            _ => {
                let products = _mm256_madd_epi16(_mm256_castps_si256(a), _mm256_castps_si256(b));
                _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(sum), products))
            }
        }
    }

    /// Makes NaN canonical; integers stay as they are.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn finish<const KIND: u8>(sum: __m256) -> __m256 {
        if KIND == 2 {
            return sum;
        }
        let nan = _mm256_set1_ps(isa::num::F32_NAN);
        _mm256_blendv_ps(sum, nan, _mm256_cmp_ps::<_CMP_UNORD_Q>(sum, sum))
    }

    /// Transposes 16 rows of `steps` words, or says that it cannot.
    pub(super) fn transpose(rows: &[u32; FRACTAL_WORDS], steps: usize, out: &mut [u32]) -> bool {
        if !available() || !steps.is_multiple_of(8) || 16 * steps > FRACTAL_WORDS {
            return false;
        }
        assert!(out.len() == 16 * steps);
        for n in [0, 8] {
            for k in (0..steps).step_by(8) {
                // SAFETY: the features are there; both 8×8 squares lie inside 16×`steps` words.
                unsafe {
                    let from = rows.as_ptr().add(n * steps + k).cast::<f32>();
                    let to = out.as_mut_ptr().add(k * 16 + n).cast::<f32>();
                    square(from, steps, to);
                }
            }
        }
        true
    }

    #[target_feature(enable = "avx2,fma")]
    unsafe fn square(from: *const f32, stride: usize, to: *mut f32) {
        // SAFETY: the caller vouches for 8 rows of 8 words on both sides.
        unsafe {
            let row = |i: usize| _mm256_loadu_ps(from.add(i * stride));
            let pair = |i: usize| {
                let (x, y) = (row(i), row(i + 1));
                (_mm256_unpacklo_ps(x, y), _mm256_unpackhi_ps(x, y))
            };
            let ((a0, a1), (a2, a3), (a4, a5), (a6, a7)) = (pair(0), pair(2), pair(4), pair(6));
            let b = [
                _mm256_shuffle_ps::<0x44>(a0, a2),
                _mm256_shuffle_ps::<0xee>(a0, a2),
                _mm256_shuffle_ps::<0x44>(a1, a3),
                _mm256_shuffle_ps::<0xee>(a1, a3),
                _mm256_shuffle_ps::<0x44>(a4, a6),
                _mm256_shuffle_ps::<0xee>(a4, a6),
                _mm256_shuffle_ps::<0x44>(a5, a7),
                _mm256_shuffle_ps::<0xee>(a5, a7),
            ];
            for i in 0..4 {
                let low = _mm256_permute2f128_ps::<0x20>(b[i], b[i + 4]);
                let high = _mm256_permute2f128_ps::<0x31>(b[i], b[i + 4]);
                _mm256_storeu_ps(to.add(i * 16), low);
                _mm256_storeu_ps(to.add((i + 4) * 16), high);
            }
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod vector {
    //! No vector loops for this processor: the portable ones serve.

    use super::{FRACTAL_WORDS, Panels};

    pub(super) fn accumulate(_c: &mut [u8; 1024], _panels: &Panels<'_>) -> bool {
        false
    }

    pub(super) fn transpose(_rows: &[u32; FRACTAL_WORDS], _steps: usize, _out: &mut [u32]) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(seed: &mut u64) -> u32 {
        *seed = seed
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (*seed >> 32) as u32
    }

    /// Values of every magnitude, some infinities and NaN.
    fn word(step: Step, seed: &mut u64) -> u32 {
        let bits = noise(seed);
        match step {
            Step::Exact => num::f16_to_f32(bits as u16).to_bits(),
            Step::Fused => bits & 0xffff_0000,
            Step::Rounded | Step::Pairs => bits,
        }
    }

    #[test]
    fn vector_loops_equal_their_portable_twins() {
        let mut seed = 1;
        for step in [Step::Exact, Step::Fused, Step::Rounded, Step::Pairs] {
            for (fractal_steps, steps, half_last) in [
                (16, 1, false),
                (16, 40, false),
                (8, 19, false),
                (16, 48, false),
                (16, 33, true),
                (16, 32, true),
            ] {
                if half_last && step != Step::Pairs {
                    continue;
                }
                for special in [false, true] {
                    let mut draw = || {
                        let bits = word(step, &mut seed);
                        let tame = step == Step::Pairs || special;
                        if tame || f32::from_bits(bits).abs() < 1e15 {
                            bits
                        } else {
                            0x3f80_0000
                        }
                    };
                    let a: Vec<u32> = (0..3 * 256).map(|_| draw()).collect();
                    let b: Vec<u32> = (0..3 * 512).map(|_| draw()).collect();
                    let start: Vec<u8> = (0..256).flat_map(|_| draw().to_le_bytes()).collect();
                    let mut fast: [u8; 1024] = start.try_into().expect("256 words");
                    let mut slow = fast;
                    let panels = Panels {
                        step,
                        a: &a,
                        b: &b,
                        b_stride: 512,
                        fractal_steps,
                        steps,
                        half_last,
                    };
                    accumulate(&mut fast, &panels);
                    accumulate_portable(&mut slow, &panels);
                    assert!(fast == slow, "{step:?} {fractal_steps} {steps}");
                }
            }
        }
    }

    #[test]
    fn transposes_are_equal() {
        let mut seed = 7;
        let rows: [u32; FRACTAL_WORDS] = std::array::from_fn(|_| noise(&mut seed));
        for steps in [8, 16] {
            let (mut fast, mut slow) = (vec![0; 16 * steps], vec![0; 16 * steps]);
            transpose(&rows, steps, &mut fast);
            transpose_portable(&rows, steps, &mut slow);
            assert_eq!(fast, slow);
        }
    }
}
