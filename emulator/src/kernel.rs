//! The inner loops of the cube on packed operands: a whole tile of L0C, k ascending.
//!
//! Unsafe code is in `x86`, and elsewhere only where global memory is copied (`gm::shared`). Each vector loop has a
//! portable twin that computes the same bits by the functions of [`isa::num`]; a test compares them. Knows nothing of
//! instructions, addresses or spaces.
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

/// Asks the host to bring an item near, because it will be needed soon. Changes nothing but time.
#[inline]
pub(crate) fn bring_near<T>(items: &[T], at: usize) {
    #[cfg(target_arch = "x86_64")]
    if let Some(item) = items.get(at) {
        x86::bring_near(item);
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (items, at);
}

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

/// Transposes rows of `columns` words; there are as many rows as `out` has room for.
pub(crate) fn transpose(from: &[u32; FRACTAL_WORDS], columns: usize, rows: usize, out: &mut [u32]) {
    assert!(out.len() == rows * columns && rows * columns <= FRACTAL_WORDS);
    if !vector::transpose(from, columns, rows, out) {
        transpose_portable(from, columns, rows, out);
    }
}

fn transpose_portable(from: &[u32; FRACTAL_WORDS], columns: usize, rows: usize, out: &mut [u32]) {
    for (column, line) in out.chunks_exact_mut(rows).enumerate() {
        for (row, word) in line.iter_mut().enumerate() {
            *word = from[row * columns + column];
        }
    }
}

/// How the elements of a fractal become words.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Spread {
    /// f16 to f32; which NaN a NaN becomes is open, because sums have one form of it.
    F16,
    /// bf16 to f32.
    Bf16,
    /// Words as they are.
    Words,
    /// Neighbouring bytes to two i16.
    Pairs,
    /// As `Pairs`, where the second byte is in the next row of 16.
    PairedRows,
}

impl Spread {
    /// Bytes that become a word.
    const fn bytes(self) -> usize {
        match self {
            Spread::F16 | Spread::Bf16 | Spread::Pairs | Spread::PairedRows => 2,
            Spread::Words => 4,
        }
    }
}

/// Turns the elements of a fractal into words, in order.
pub(crate) fn spread(how: Spread, bytes: &[u8], out: &mut [u32]) {
    assert!(bytes.len() == out.len() * how.bytes() && out.len().is_multiple_of(16));
    if !vector::spread(how, bytes, out) {
        spread_portable(how, bytes, out);
    }
}

fn spread_portable(how: Spread, bytes: &[u8], out: &mut [u32]) {
    let pair = |low: u8, high: u8| {
        let wide = |byte: u8| u32::from(i16::from(byte as i8) as u16);
        wide(low) | wide(high) << 16
    };
    for (at, word) in out.iter_mut().enumerate() {
        let half = || u16::from_le_bytes([bytes[2 * at], bytes[2 * at + 1]]);
        *word = match how {
            Spread::F16 => num::f16_to_f32(half()).to_bits(),
            Spread::Bf16 => u32::from(half()) << 16,
            Spread::Words => u32::from_le_bytes(std::array::from_fn(|i| bytes[4 * at + i])),
            Spread::Pairs => pair(bytes[2 * at], bytes[2 * at + 1]),
            Spread::PairedRows => {
                let first = at / 16 * 32 + at % 16;
                pair(bytes[first], bytes[first + 16])
            }
        };
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

    use super::{FRACTAL_WORDS, Product, Spread, Start};

    pub(super) fn spread(_how: Spread, _bytes: &[u8], _out: &mut [u32]) -> bool {
        false
    }

    pub(super) fn multiply(_c: &mut [u8], _start: Start<'_>, _product: &Product<'_>) -> bool {
        false
    }

    pub(super) fn transpose(
        _from: &[u32; FRACTAL_WORDS],
        _columns: usize,
        _rows: usize,
        _out: &mut [u32],
    ) -> bool {
        false
    }
}

#[cfg(test)]
mod tests;
