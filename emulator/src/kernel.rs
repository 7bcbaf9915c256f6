//! The inner loops of the cube on packed operands: a whole tile of L0C, k ascending.
//!
//! The only module with unsafe code (in `x86`). Each vector loop has a portable twin that computes the same bits by the
//! functions of [`isa::num`]; a test compares them. Knows nothing of instructions, addresses or spaces.
//!
//! Packed form: a fractal of A is 16 rows of `fractal_steps` words; a fractal of B is `fractal_steps` rows of 16 words. A
//! word is an f32, or for i8 two neighbours in k as i16. One step multiplies one word. Fractals follow each other row by
//! row of fractals in both. The result is blocks of 16×16 words, column by column of blocks, as L0C has it.

#[cfg(target_arch = "x86_64")]
mod x86;

use isa::num;

/// Words of a packed fractal.
pub(crate) const FRACTAL_WORDS: usize = 256;
/// Bytes of a row of a block of the result.
const ROW: usize = 64;

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

/// Two packed operands and their extents.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Product<'a> {
    pub(crate) step: Step,
    /// Fractals of A, row by row.
    pub(crate) a: &'a [u32],
    /// Fractals of B, row by row.
    pub(crate) b: &'a [u32],
    /// Rows and columns that count.
    pub(crate) m: usize,
    pub(crate) n: usize,
    /// Steps in one fractal.
    pub(crate) fractal_steps: usize,
    /// Steps in all.
    pub(crate) steps: usize,
    /// Whether the last step has only its lower half (i8, odd k).
    pub(crate) half_last: bool,
}

/// What an accumulation starts from.
#[derive(Copy, Clone, Debug)]
pub(crate) enum Start<'a> {
    /// What is there.
    Kept,
    Zero,
    /// A word a column.
    Row(&'a [u8]),
}

impl Product<'_> {
    /// Fractals along k.
    fn k_fractals(&self) -> usize {
        self.steps.div_ceil(self.fractal_steps)
    }

    /// Whether operands, start and result are as long as the extents say; the vector loops read unchecked.
    fn fits(&self, c: &[u8], start: Start<'_>) -> bool {
        let (m1, n1, k1) = (self.m.div_ceil(16), self.n.div_ceil(16), self.k_fractals());
        let started = match start {
            Start::Kept | Start::Zero => true,
            Start::Row(words) => words.len() >= self.n * 4,
        };
        started
            && 16 * self.fractal_steps <= FRACTAL_WORDS
            && self.a.len() >= m1 * k1 * FRACTAL_WORDS
            && self.b.len() >= k1 * n1 * FRACTAL_WORDS
            && c.len() >= m1 * n1 * 16 * ROW
    }
}

/// Multiplies the operands onto a tile of the result. Rows and columns that do not count stay as they are.
pub(crate) fn multiply(c: &mut [u8], start: Start<'_>, product: &Product<'_>) {
    assert!(product.fits(c, start), "the caller cuts whole tiles");
    if !vector::multiply(c, start, product) {
        multiply_portable(c, start, product);
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

fn multiply_portable(c: &mut [u8], start: Start<'_>, p: &Product<'_>) {
    let m1 = p.m.div_ceil(16);
    for column in 0..p.n.div_ceil(16) {
        let words = (p.n - column * 16).min(16);
        for row in 0..p.m {
            let at = (column * m1 * 16 + row) * ROW;
            let line = &mut c[at..at + words * 4];
            let mut sums = [0_u32; 16];
            match start {
                Start::Kept => load_words(&mut sums, line),
                Start::Zero => {}
                Start::Row(all) => load_words(&mut sums, &all[column * ROW..][..words * 4]),
            }
            row_portable(p, row, column, &mut sums);
            for (sum, bytes) in sums.iter().zip(line.as_chunks_mut::<4>().0) {
                *bytes = sum.to_le_bytes();
            }
        }
    }
}

fn load_words(words: &mut [u32; 16], bytes: &[u8]) {
    for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<4>().0) {
        *word = u32::from_le_bytes(*bytes);
    }
}

fn row_portable(p: &Product<'_>, row: usize, column: usize, sums: &mut [u32; 16]) {
    let (k1, n1) = (p.k_fractals(), p.n.div_ceil(16));
    for step in 0..p.steps {
        let (fractal, inner) = (step / p.fractal_steps, step % p.fractal_steps);
        let of_row = row % 16 * p.fractal_steps + inner;
        let mut a = p.a[(row / 16 * k1 + fractal) * FRACTAL_WORDS + of_row];
        if p.half_last && step + 1 == p.steps {
            a &= 0xffff;
        }
        let from = (fractal * n1 + column) * FRACTAL_WORDS + inner * 16;
        step_portable(p.step, sums, a, &p.b[from..from + 16]);
    }
    // A start that is NaN stays NaN, in the one form that sums have.
    if p.step != Step::Pairs {
        for sum in sums {
            *sum = num::canonical_f32(f32::from_bits(*sum)).to_bits();
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
use x86 as vector;

#[cfg(not(target_arch = "x86_64"))]
mod vector {
    //! No vector loops for this processor: the portable ones serve.

    use super::{FRACTAL_WORDS, Product, Start};

    pub(super) fn multiply(_c: &mut [u8], _start: Start<'_>, _product: &Product<'_>) -> bool {
        false
    }

    pub(super) fn transpose(_rows: &[u32; FRACTAL_WORDS], _steps: usize, _out: &mut [u32]) -> bool {
        false
    }
}

#[cfg(test)]
mod tests;
