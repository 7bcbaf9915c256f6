//! The loops for processors with AVX2 and FMA, or AVX-512.
//!
//! A block of rows and columns of the result stays in registers over all of k. Its rows are those of L0C, so nothing is
//! shuffled on the way; columns that do not count are masked.
#![expect(
    unsafe_code,
    reason = "vector loads and stores; bounds are asserted by `super::multiply`, twins are tested equal"
)]

use std::arch::x86_64::*;

use super::{FRACTAL_WORDS, Product, Spread, Start, Step};

/// What the loops work on; pointers into slices whose lengths are asserted.
#[derive(Copy, Clone)]
struct Tile {
    a: *const f32,
    b: *const f32,
    c: *mut f32,
    /// Words to start from, one a column; null for none.
    row: *const f32,
    zero: bool,
    m: usize,
    n: usize,
    /// Fractals along each extent.
    m1: usize,
    k1: usize,
    n1: usize,
    fractal_steps: usize,
    steps: usize,
    half_last: bool,
}

impl Tile {
    fn new(c: &mut [u8], start: Start<'_>, p: &Product<'_>) -> Tile {
        Tile {
            a: p.a.as_ptr().cast(),
            b: p.b.as_ptr().cast(),
            c: c.as_mut_ptr().cast(),
            row: match start {
                Start::Kept | Start::Zero => std::ptr::null(),
                Start::Row(words) => words.as_ptr().cast(),
            },
            zero: matches!(start, Start::Zero),
            m: p.m,
            n: p.n,
            m1: p.m.div_ceil(16),
            k1: p.k_fractals(),
            n1: p.n.div_ceil(16),
            fractal_steps: p.fractal_steps,
            steps: p.steps,
            half_last: p.half_last,
        }
    }

    /// Columns of a block that count.
    fn width(&self, block: usize) -> usize {
        (self.n - block * 16).min(16)
    }
}

/// The loops of one instruction set. `$rows` rows of `$blocks` blocks are in registers at once, `$parts` vectors a block;
/// what is left over goes in smaller pieces. The functions in braces are the instruction set.
macro_rules! loops {
    (
        $name:ident, features $features:literal, vector $vector:ty, mask $mask:ty, parts $parts:literal,
        pieces $(($rows:literal, $blocks:literal))+,
        { $($set:item)* }
    ) => {
        mod $name {
            use super::*;

            const LANES: usize = 16 / $parts;

            $($set)*

            /// All of a tile.
            #[target_feature(enable = $features)]
            pub(super) unsafe fn tile<const KIND: u8>(t: &Tile) {
                let mut block = 0;
                while block < t.n1 {
                    let mut row = 0;
                    let mut blocks = 1;
                    while row < t.m {
                        // SAFETY: pieces end at the last row and block; see `Tile`.
                        let (rows, wide) = unsafe { piece::<KIND>(t, row, block) };
                        row += rows;
                        blocks = wide;
                    }
                    block += blocks;
                }
            }

            /// The largest piece that fits; its rows and blocks.
            #[inline]
            #[target_feature(enable = $features)]
            unsafe fn piece<const KIND: u8>(t: &Tile, row: usize, block: usize) -> (usize, usize) {
                let (rows, blocks) = (t.m - row, t.n1 - block);
                $(
                    if rows >= $rows && blocks >= $blocks {
                        // SAFETY: the piece lies inside.
                        unsafe { micro::<KIND, $rows, $blocks>(t, row, block) };
                        return ($rows, $blocks);
                    }
                )+
                (rows, blocks)
            }

            #[inline]
            #[target_feature(enable = $features)]
            unsafe fn micro<const KIND: u8, const ROWS: usize, const BLOCKS: usize>(
                t: &Tile,
                row: usize,
                block: usize,
            ) {
                let steps = t.fractal_steps;
                // SAFETY: rows `row..row + ROWS` and blocks `block..block + BLOCKS` are inside the tile, whose operands
                // and result have the asserted lengths; reads along k end at `t.steps`.
                unsafe {
                    let masks: [[$mask; $parts]; BLOCKS] =
                        std::array::from_fn(|j| std::array::from_fn(|p| mask(t.width(block + j), p)));
                    let place = |r: usize, j: usize, p: usize| {
                        t.c.add(((block + j) * t.m1 * 16 + row + r) * 16 + p * LANES)
                    };
                    let mut sums = [[[zero(); $parts]; BLOCKS]; ROWS];
                    for (r, line) in sums.iter_mut().enumerate() {
                        for (j, parts) in line.iter_mut().enumerate() {
                            for (p, sum) in parts.iter_mut().enumerate() {
                                if !t.row.is_null() {
                                    *sum = load(masks[j][p], t.row.add((block + j) * 16 + p * LANES));
                                } else if !t.zero {
                                    *sum = load(masks[j][p], place(r, j, p));
                                }
                            }
                        }
                    }
                    let rows: [*const f32; ROWS] = std::array::from_fn(|r| {
                        let row = row + r;
                        t.a.add(row / 16 * t.k1 * FRACTAL_WORDS + row % 16 * steps)
                    });
                    let whole = t.steps - usize::from(t.half_last);
                    let (mut done, mut a, mut b) = (0, 0, t.b.add(block * FRACTAL_WORDS));
                    while done < whole {
                        let count = steps.min(whole - done);
                        for k in 0..count {
                            let mut right = [[zero(); $parts]; BLOCKS];
                            for (j, parts) in right.iter_mut().enumerate() {
                                for (p, part) in parts.iter_mut().enumerate() {
                                    *part = whole_load(b.add(j * FRACTAL_WORDS + k * 16 + p * LANES));
                                }
                            }
                            for (r, line) in sums.iter_mut().enumerate() {
                                let left = broadcast(*rows[r].add(a + k));
                                for (j, parts) in line.iter_mut().enumerate() {
                                    for (p, sum) in parts.iter_mut().enumerate() {
                                        *sum = step::<KIND>(left, right[j][p], *sum);
                                    }
                                }
                            }
                        }
                        done += count;
                        a += FRACTAL_WORDS;
                        b = b.add(t.n1 * FRACTAL_WORDS);
                    }
                    if t.half_last {
                        let (fractal, k) = (whole / steps, whole % steps);
                        let b = t.b.add((fractal * t.n1 + block) * FRACTAL_WORDS + k * 16);
                        for (r, line) in sums.iter_mut().enumerate() {
                            let word = *rows[r].add(fractal * FRACTAL_WORDS + k);
                            let left = broadcast(f32::from_bits(word.to_bits() & 0xffff));
                            for (j, parts) in line.iter_mut().enumerate() {
                                for (p, sum) in parts.iter_mut().enumerate() {
                                    let right = whole_load(b.add(j * FRACTAL_WORDS + p * LANES));
                                    *sum = step::<KIND>(left, right, *sum);
                                }
                            }
                        }
                    }
                    for (r, line) in sums.iter().enumerate() {
                        for (j, parts) in line.iter().enumerate() {
                            for (p, sum) in parts.iter().enumerate() {
                                store(place(r, j, p), masks[j][p], finish::<KIND>(*sum));
                            }
                        }
                    }
                }
            }
        }
    };
}

/// Kinds of steps as numbers, which is what a function can be compiled for.
const FUSED: u8 = 0;
const ROUNDED: u8 = 1;
const PAIRS: u8 = 2;

loops! {
    avx2, features "avx2,fma", vector __m256, mask __m256i, parts 2,
    pieces (6, 1) (4, 1) (2, 1) (1, 1),
    {
        #[inline]
        #[target_feature(enable = "avx2,fma")]
        fn zero() -> __m256 {
            _mm256_setzero_ps()
        }

        #[inline]
        #[target_feature(enable = "avx2,fma")]
        fn mask(width: usize, part: usize) -> __m256i {
            let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
            _mm256_cmpgt_epi32(_mm256_set1_epi32(width as i32 - 8 * part as i32), lanes)
        }

        #[inline]
        #[target_feature(enable = "avx2,fma")]
        unsafe fn load(mask: __m256i, from: *const f32) -> __m256 {
            // SAFETY: lanes that are not masked out lie inside.
            unsafe { _mm256_maskload_ps(from, mask) }
        }

        #[inline]
        #[target_feature(enable = "avx2,fma")]
        unsafe fn whole_load(from: *const f32) -> __m256 {
            // SAFETY: the caller reads inside an operand.
            unsafe { _mm256_loadu_ps(from) }
        }

        #[inline]
        #[target_feature(enable = "avx2,fma")]
        unsafe fn store(to: *mut f32, mask: __m256i, what: __m256) {
            // SAFETY: lanes that are not masked out lie inside.
            unsafe { _mm256_maskstore_ps(to, mask, what) }
        }

        #[inline]
        #[target_feature(enable = "avx2,fma")]
        fn broadcast(word: f32) -> __m256 {
            _mm256_set1_ps(word)
        }

        #[inline]
        #[target_feature(enable = "avx2,fma")]
        fn step<const KIND: u8>(a: __m256, b: __m256, sum: __m256) -> __m256 {
            match KIND {
                FUSED => _mm256_fmadd_ps(a, b, sum),
                ROUNDED => _mm256_add_ps(sum, _mm256_mul_ps(a, b)),
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
            if KIND == PAIRS {
                return sum;
            }
            let nan = _mm256_set1_ps(isa::num::F32_NAN);
            _mm256_blendv_ps(sum, nan, _mm256_cmp_ps::<_CMP_UNORD_Q>(sum, sum))
        }
    }
}

/// What the loops of AVX-512 share; a vector is a row of a block.
mod wide {
    use std::arch::x86_64::*;

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    pub(super) fn zero() -> __m512 {
        _mm512_setzero_ps()
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    pub(super) fn mask(width: usize, _part: usize) -> __mmask16 {
        u16::MAX >> (16 - width)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    pub(super) unsafe fn load(mask: __mmask16, from: *const f32) -> __m512 {
        // SAFETY: lanes that are not masked out lie inside.
        unsafe { _mm512_maskz_loadu_ps(mask, from) }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    pub(super) unsafe fn whole_load(from: *const f32) -> __m512 {
        // SAFETY: the caller reads inside an operand.
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    pub(super) unsafe fn store(to: *mut f32, mask: __mmask16, what: __m512) {
        // SAFETY: lanes that are not masked out lie inside.
        unsafe { _mm512_mask_storeu_ps(to, mask, what) }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    pub(super) fn broadcast(word: f32) -> __m512 {
        _mm512_set1_ps(word)
    }

    /// Makes NaN canonical; integers stay as they are.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    pub(super) fn finish<const KIND: u8>(sum: __m512) -> __m512 {
        if KIND == super::PAIRS {
            return sum;
        }
        let unordered = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(sum, sum);
        _mm512_mask_mov_ps(sum, unordered, _mm512_set1_ps(isa::num::F32_NAN))
    }
}

loops! {
    avx512, features "avx512f,avx512bw", vector __m512, mask __mmask16, parts 1,
    pieces (8, 3) (8, 2) (8, 1) (4, 3) (4, 2) (4, 1) (3, 3) (3, 2) (3, 1) (1, 3) (1, 2) (1, 1),
    {
        use super::wide::*;

        #[inline]
        #[target_feature(enable = "avx512f,avx512bw")]
        fn step<const KIND: u8>(a: __m512, b: __m512, sum: __m512) -> __m512 {
            match KIND {
                FUSED => _mm512_fmadd_ps(a, b, sum),
                ROUNDED => _mm512_add_ps(sum, _mm512_mul_ps(a, b)),
                _ => {
                    let products = _mm512_madd_epi16(_mm512_castps_si512(a), _mm512_castps_si512(b));
                    _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(sum), products))
                }
            }
        }
    }
}

// Pairs only: product and sum in one instruction.
loops! {
    vnni, features "avx512f,avx512bw,avx512vnni", vector __m512, mask __mmask16, parts 1,
    pieces (8, 3) (8, 2) (8, 1) (4, 3) (4, 2) (4, 1) (3, 3) (3, 2) (3, 1) (1, 3) (1, 2) (1, 1),
    {
        use super::wide::*;

        #[inline]
        #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
        fn step<const KIND: u8>(a: __m512, b: __m512, sum: __m512) -> __m512 {
            const { assert!(KIND == PAIRS) };
            let (a, b) = (_mm512_castps_si512(a), _mm512_castps_si512(b));
            _mm512_castsi512_ps(_mm512_dpwssd_epi32(_mm512_castps_si512(sum), a, b))
        }
    }
}

/// See [`super::bring_near`].
#[inline]
pub(super) fn bring_near<T>(item: &T) {
    // SAFETY: every x86-64 has the instruction, and it neither reads nor writes as far as a program can tell.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(item).cast()) };
}

fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
}

fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw")
}

fn has_vnni() -> bool {
    has_avx512() && is_x86_feature_detected!("avx512vnni")
}

/// Multiplies the tile, or says that it cannot.
pub(super) fn multiply(c: &mut [u8], start: Start<'_>, product: &Product<'_>) -> bool {
    let tile = Tile::new(c, start, product);
    // SAFETY: the features are there, and the caller has asserted all lengths.
    unsafe {
        match (has_avx512(), has_avx2(), product.step) {
            (true, _, Step::Exact | Step::Fused) => avx512::tile::<FUSED>(&tile),
            (true, _, Step::Rounded) => avx512::tile::<ROUNDED>(&tile),
            (true, _, Step::Pairs) if has_vnni() => vnni::tile::<PAIRS>(&tile),
            (true, _, Step::Pairs) => avx512::tile::<PAIRS>(&tile),
            (false, true, Step::Exact | Step::Fused) => avx2::tile::<FUSED>(&tile),
            (false, true, Step::Rounded) => avx2::tile::<ROUNDED>(&tile),
            (false, true, Step::Pairs) => avx2::tile::<PAIRS>(&tile),
            (false, false, _) => return false,
        }
    }
    true
}

/// As [`multiply`] with AVX2 alone, for the test that compares all loops.
#[cfg(test)]
pub(super) fn multiply_avx2(c: &mut [u8], start: Start<'_>, product: &Product<'_>) -> bool {
    if !has_avx2() {
        return false;
    }
    let tile = Tile::new(c, start, product);
    // SAFETY: the features are there, and the caller has asserted all lengths.
    unsafe {
        match product.step {
            Step::Exact | Step::Fused => avx2::tile::<FUSED>(&tile),
            Step::Rounded => avx2::tile::<ROUNDED>(&tile),
            Step::Pairs => avx2::tile::<PAIRS>(&tile),
        }
    }
    true
}

/// As [`multiply`] of pairs with AVX-512 but not its VNNI, for the test that compares all loops.
#[cfg(test)]
pub(super) fn multiply_pairs(c: &mut [u8], start: Start<'_>, product: &Product<'_>) -> bool {
    if !has_avx512() || product.step != Step::Pairs {
        return false;
    }
    let tile = Tile::new(c, start, product);
    // SAFETY: the features are there, and the caller has asserted all lengths.
    unsafe { avx512::tile::<PAIRS>(&tile) };
    true
}

/// Transposes rows of `columns` words, or says that it cannot.
pub(super) fn transpose(
    from: &[u32; FRACTAL_WORDS],
    columns: usize,
    rows: usize,
    out: &mut [u32],
) -> bool {
    if !has_avx2() || !columns.is_multiple_of(8) || !rows.is_multiple_of(8) {
        return false;
    }
    for row in (0..rows).step_by(8) {
        for column in (0..columns).step_by(8) {
            // SAFETY: the features are there; both 8×8 squares lie inside `rows`×`columns` words.
            unsafe {
                let from = from.as_ptr().add(row * columns + column).cast::<f32>();
                let to = out.as_mut_ptr().add(column * rows + row).cast::<f32>();
                square(from, columns, to, rows);
            }
        }
    }
    true
}

#[target_feature(enable = "avx2,fma")]
unsafe fn square(from: *const f32, stride: usize, to: *mut f32, to_stride: usize) {
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
            _mm256_storeu_ps(to.add(i * to_stride), low);
            _mm256_storeu_ps(to.add((i + 4) * to_stride), high);
        }
    }
}

/// Turns elements into words, or says that it cannot.
pub(super) fn spread(how: Spread, bytes: &[u8], out: &mut [u32]) -> bool {
    if !has_avx2() || !is_x86_feature_detected!("f16c") {
        return false;
    }
    // SAFETY: the features are there, and the caller has asserted the lengths.
    unsafe {
        match how {
            Spread::F16 if has_avx512() => spread_f16_wide(bytes, out),
            Spread::F16 => spread_f16(bytes, out),
            Spread::Bf16 => spread_bf16(bytes, out),
            Spread::Pairs => spread_pairs(bytes, out),
            Spread::PairedRows => spread_rows(bytes, out),
            Spread::Words => {
                std::ptr::copy_nonoverlapping(bytes.as_ptr(), out.as_mut_ptr().cast(), bytes.len())
            }
        }
    }
    true
}

/// Calls `put` with pointers to each 16 bytes and each 8 words.
#[inline(always)]
fn eights(bytes: &[u8], out: &mut [u32], put: impl Fn(*const __m128i, *mut __m256i)) {
    for (from, to) in bytes
        .as_chunks::<16>()
        .0
        .iter()
        .zip(out.as_chunks_mut::<8>().0)
    {
        put(from.as_ptr().cast(), to.as_mut_ptr().cast());
    }
}

#[target_feature(enable = "avx512f,avx512bw")]
fn spread_f16_wide(bytes: &[u8], out: &mut [u32]) {
    let rows = bytes.as_chunks::<32>().0;
    for (from, to) in rows.iter().zip(out.as_chunks_mut::<16>().0) {
        // SAFETY: 32 bytes and 16 words.
        unsafe {
            let wide = _mm512_cvtph_ps(_mm256_loadu_si256(from.as_ptr().cast()));
            _mm512_storeu_ps(to.as_mut_ptr().cast(), wide);
        }
    }
}

#[target_feature(enable = "avx2,f16c")]
unsafe fn spread_f16(bytes: &[u8], out: &mut [u32]) {
    eights(bytes, out, |from, to| {
        // SAFETY: 16 bytes and 8 words.
        unsafe { _mm256_storeu_ps(to.cast(), _mm256_cvtph_ps(_mm_loadu_si128(from))) }
    });
}

#[target_feature(enable = "avx2,f16c")]
unsafe fn spread_bf16(bytes: &[u8], out: &mut [u32]) {
    eights(bytes, out, |from, to| {
        // SAFETY: 16 bytes and 8 words.
        unsafe {
            let wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(from));
            _mm256_storeu_si256(to, _mm256_slli_epi32::<16>(wide));
        }
    });
}

#[target_feature(enable = "avx2,f16c")]
unsafe fn spread_pairs(bytes: &[u8], out: &mut [u32]) {
    eights(bytes, out, |from, to| {
        // SAFETY: 16 bytes and 8 words.
        unsafe { _mm256_storeu_si256(to, _mm256_cvtepi8_epi16(_mm_loadu_si128(from))) }
    });
}

#[target_feature(enable = "avx2,f16c")]
unsafe fn spread_rows(bytes: &[u8], out: &mut [u32]) {
    let rows = bytes.as_chunks::<32>().0;
    for (from, to) in rows.iter().zip(out.as_chunks_mut::<16>().0) {
        // SAFETY: two rows of 16 bytes and 16 words.
        unsafe {
            let low = _mm_loadu_si128(from.as_ptr().cast());
            let high = _mm_loadu_si128(from.as_ptr().add(16).cast());
            let (first, second) = (_mm_unpacklo_epi8(low, high), _mm_unpackhi_epi8(low, high));
            let to = to.as_mut_ptr().cast::<__m256i>();
            _mm256_storeu_si256(to, _mm256_cvtepi8_epi16(first));
            _mm256_storeu_si256(to.add(1), _mm256_cvtepi8_epi16(second));
        }
    }
}
