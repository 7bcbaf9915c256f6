//! The exponential of sixteen f32 at a time, for AVX-512: the bits of `elementary::exp_f32`, found in half the operations.
//!
//! `exp_f32` rounds an f64; here two f32 hold the value: with n = round(16 x / ln 2), 2^(n mod 16 / 16) comes from a table in two
//! parts, exp of the rest (at most ln 2 / 32) from a cubic polynomial, and the sum of a large and a small part is rounded.
//! Where the small part, a little more or a little less, would round otherwise, and beyond what this way reaches, the
//! sixteen are left to `exp_f32`: about one group in twenty. [`MARGIN`] covers both ways' errors; that no f32 gives other
//! bits has been seen for all 2^32 of them, and `tests/bulk.rs` looks at a sample.

use std::arch::x86_64::{
    __m512, __mmask16, _CMP_LT_OQ, _mm512_add_epi32, _mm512_add_ps, _mm512_castps_si512,
    _mm512_castsi512_ps, _mm512_cmp_ps_mask, _mm512_cmple_epu32_mask, _mm512_cmpneq_epi32_mask,
    _mm512_fmadd_ps, _mm512_fmsub_ps, _mm512_fnmadd_ps, _mm512_loadu_ps, _mm512_maskz_mov_ps,
    _mm512_mul_ps, _mm512_permutexvar_ps, _mm512_set1_epi32, _mm512_set1_ps, _mm512_slli_epi32,
    _mm512_srli_epi32, _mm512_storeu_ps, _mm512_sub_epi32, _mm512_sub_ps,
};

use super::super::bulk::Single;
use super::super::elementary::exp_f32;

/// 2^(j/16), to nearest.
const HIGH: [u32; 16] = [
    0x3f80_0000,
    0x3f85_aac3,
    0x3f8b_95c2,
    0x3f91_c3d3,
    0x3f98_37f0,
    0x3f9e_f532,
    0x3fa5_fed7,
    0x3fad_583f,
    0x3fb5_04f3,
    0x3fbd_08a4,
    0x3fc5_672a,
    0x3fce_248c,
    0x3fd7_44fd,
    0x3fe0_ccdf,
    0x3fea_c0c7,
    0x3ff5_257d,
];
/// What [`HIGH`] leaves of it.
const LOW: [u32; 16] = [
    0x0000_0000,
    0x334f_9891,
    0xb260_aba1,
    0x3367_5624,
    0x3323_1b71,
    0x3341_2342,
    0xb32c_9d5e,
    0xb22d_eaf6,
    0x32cf_e77a,
    0xb341_4fe8,
    0x320a_a837,
    0x3228_fc24,
    0xb2d4_a58a,
    0xb21e_ab59,
    0xb241_16de,
    0x3229_2436,
];
/// 16 / ln 2, to nearest.
const STEPS: u32 = 0x41b8_aa3b;
/// ln 2 / 16, to nearest. Its multiples leave of an operand what an f32 holds.
const STEP: u32 = 0x3d31_7218;
/// What [`STEP`] is too large by.
const STEP_EXCESS: u32 = 0x2f02_e308;
/// Minimax coefficients of (exp(r) - 1 - r) / r² on |r| ≤ ln 2 / 32: error of exp 1e-11.
const EXP: [u32; 3] = [0x3f00_0000, 0x3e2a_ab70, 0x3d2a_ab2e];
/// Adding and subtracting this rounds to an integer, which is in the low bits of the sum.
const ROUNDER: f32 = 12_582_912.0;
/// How far the two ways may be apart, the result scaled to 1..2.
const MARGIN: f32 = 2.0e-10;
/// Below this the result is zero.
const LEAST: f32 = -104.0;
/// Numbers of steps whose results are normal: from -2010 to 2030.
const STEPS_BELOW: i32 = 2010;
const STEPS_REACHED: i32 = 4040;

/// Groups of sixteen that are done before the doubtful ones among them are done again.
const BATCH: usize = 64;

/// Sixteen operands in one line of the cache.
#[derive(Copy, Clone)]
#[repr(align(64))]
struct Operands([f32; 16]);

/// The doubtful groups of a batch: their numbers in it and what they were.
struct Doubtful {
    groups: [u8; BATCH],
    operands: [Operands; BATCH],
}

/// `exp_f32` of each item, in place.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn exp_avx512<S: Single>(items: &mut [S]) {
    let (groups, rest) = items.as_chunks_mut::<16>();
    let mut doubtful = Doubtful {
        groups: [0; BATCH],
        operands: [Operands([0.0; 16]); BATCH],
    };
    for batch in groups.chunks_mut(BATCH) {
        let count = exp_batch(batch, &mut doubtful);
        let again = doubtful.groups.iter().zip(&doubtful.operands);
        for (&group, operands) in again.take(count) {
            batch[usize::from(group)] = exp_exactly(&operands.0).map(S::from_value);
        }
    }
    for item in rest {
        *item = S::from_value(exp_f32(item.value()));
    }
}

/// Does a batch and gives the number of groups that must be done again; which these are and their operands are noted.
/// That is done without a branch, which would be taken too seldom to be foreseen and too often to be cheap.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn exp_batch<S: Single>(batch: &mut [[S; 16]], noted: &mut Doubtful) -> usize {
    const { assert!(size_of::<S>() == 4) };
    #[expect(
        unsafe_code,
        reason = "arrays of sixteen items of four bytes; no alignment needed"
    )]
    let (high, low) = unsafe {
        (
            _mm512_loadu_ps(HIGH.as_ptr().cast()),
            _mm512_loadu_ps(LOW.as_ptr().cast()),
        )
    };
    let mut count = 0;
    for (number, group) in batch.iter_mut().enumerate() {
        let operands = &mut noted.operands[count % BATCH].0;
        #[expect(
            unsafe_code,
            reason = "arrays of sixteen items of four bytes; no alignment needed"
        )]
        let doubtful = unsafe {
            let x = _mm512_loadu_ps(group.as_ptr().cast());
            let (result, doubtful) = exp_16(x, high, low);
            _mm512_storeu_ps(group.as_mut_ptr().cast(), result);
            _mm512_storeu_ps(operands.as_mut_ptr(), x);
            doubtful
        };
        noted.groups[count % BATCH] = number as u8;
        count += usize::from(doubtful != 0);
    }
    count
}

/// The definition itself.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[inline(never)]
fn exp_exactly(operands: &[f32; 16]) -> [f32; 16] {
    let mut results = [0.0; 16];
    for (result, &x) in results.iter_mut().zip(operands) {
        *result = exp_f32(x);
    }
    results
}

/// Sixteen results, and those of which they may be wrong.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[inline]
fn exp_16(x: __m512, high: __m512, low: __m512) -> (__m512, __mmask16) {
    let all = |value: f32| _mm512_set1_ps(value);
    let bits = |bits: u32| _mm512_set1_ps(f32::from_bits(bits));
    // x = n ln 2 / 16 + r + s: r is exact, s is small.
    let shifted = _mm512_fmadd_ps(x, bits(STEPS), all(ROUNDER));
    let n = _mm512_sub_ps(shifted, all(ROUNDER));
    let r = _mm512_fnmadd_ps(n, bits(STEP), x);
    let s = _mm512_mul_ps(n, bits(STEP_EXCESS));
    // exp(r + s) = 1 + r + p.
    let both = _mm512_add_ps(r, s);
    let square = _mm512_mul_ps(both, both);
    let cubic = _mm512_fmadd_ps(bits(EXP[2]), both, bits(EXP[1]));
    let polynomial = _mm512_fmadd_ps(cubic, both, bits(EXP[0]));
    let p = _mm512_fmadd_ps(square, polynomial, s);
    // (h + l) (1 + r + p): the product h r and the sum of the large parts are kept whole.
    let number = _mm512_castps_si512(shifted);
    let h = _mm512_permutexvar_ps(number, high);
    let l = _mm512_permutexvar_ps(number, low);
    let product = _mm512_mul_ps(h, r);
    let product_rest = _mm512_fmsub_ps(h, r, product);
    let sum = _mm512_add_ps(h, product);
    let sum_rest = _mm512_add_ps(_mm512_sub_ps(h, sum), product);
    let small = _mm512_add_ps(
        _mm512_fmadd_ps(h, p, _mm512_fmadd_ps(l, r, product_rest)),
        _mm512_add_ps(sum_rest, l),
    );
    let upper = _mm512_add_ps(sum, _mm512_add_ps(small, all(MARGIN)));
    let lower = _mm512_add_ps(sum, _mm512_sub_ps(small, all(MARGIN)));
    let exponent = _mm512_slli_epi32::<23>(_mm512_srli_epi32::<4>(number));
    let scaled = _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(upper), exponent));
    let differ = _mm512_cmpneq_epi32_mask(_mm512_castps_si512(upper), _mm512_castps_si512(lower));
    let zero = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(x, all(LEAST));
    let first = ROUNDER.to_bits() as i32 - STEPS_BELOW;
    let reached = _mm512_cmple_epu32_mask(
        _mm512_sub_epi32(number, _mm512_set1_epi32(first)),
        _mm512_set1_epi32(STEPS_REACHED),
    );
    let doubtful = (differ | !reached) & !zero;
    (_mm512_maskz_mov_ps(!zero, scaled), doubtful)
}
