//! Products of the cube that have no fast loop: s4 from its bytes, and f16 that accumulates in f16.

use isa::num::{self, Overflow, Round};

use crate::kernel::{FRACTAL_WORDS, Product, Start};

/// Bytes of a fractal.
const FRACTAL: usize = 512;
/// Bytes of a row of a block of L0C.
const ROW: usize = 64;
/// Elements of a row of an s4 fractal.
const K0: usize = 64;

/// A fractal of s4: 16 rows of 64 half bytes, the even one in the low half.
pub(super) struct Nibbles([[i8; K0]; 16]);

/// The fractals in a run of bytes.
pub(super) fn nibbles(bytes: &[u8]) -> Vec<Nibbles> {
    bytes.chunks_exact(FRACTAL).map(Nibbles::new).collect()
}

impl Nibbles {
    fn new(bytes: &[u8]) -> Nibbles {
        let mut rows = [[0; K0]; 16];
        for (row, line) in rows.iter_mut().zip(bytes.chunks_exact(K0 / 2)) {
            for (pair, byte) in row.as_chunks_mut::<2>().0.iter_mut().zip(line) {
                *pair = [(byte << 4) as i8 >> 4, *byte as i8 >> 4];
            }
        }
        Nibbles(rows)
    }
}

/// s4 products, from the fractals of both sides.
pub(super) fn multiply_nibbles(
    c: &mut [u8],
    start: Start<'_>,
    [a, b]: [&[Nibbles]; 2],
    [m, k, n]: [usize; 3],
) {
    let (k1, n1) = (k.div_ceil(K0), n.div_ceil(16));
    each_word(c, start, [m, n], |row, column, word| {
        let mut sum = word as i32;
        for fractal in 0..k1 {
            let count = (k - fractal * K0).min(K0);
            let left = &a[row / 16 * k1 + fractal].0[row % 16][..count];
            let right = &b[fractal * n1 + column / 16].0[column % 16];
            let products = left.iter().zip(right);
            let products = products.map(|(&x, &y)| i32::from(x) * i32::from(y));
            sum = sum.wrapping_add(products.sum());
        }
        sum as u32
    });
}

/// f16 products onto f16 sums: each sum is rounded to f32 and then to f16, and kept as f32.
pub(super) fn multiply_halves(c: &mut [u8], start: Start<'_>, p: &Product<'_>) {
    let (k1, n1) = (p.steps.div_ceil(p.fractal_steps), p.n.div_ceil(16));
    each_word(c, start, [p.m, p.n], |row, column, word| {
        let mut sum = f32::from_bits(word);
        for step in 0..p.steps {
            let (fractal, k) = (step / p.fractal_steps, step % p.fractal_steps);
            let left = (row / 16 * k1 + fractal) * FRACTAL_WORDS + row % 16 * p.fractal_steps + k;
            let right = (fractal * n1 + column / 16) * FRACTAL_WORDS + k * 16 + column % 16;
            let [a, b] = [p.a[left], p.b[right]].map(f32::from_bits);
            let exact = num::mac_f32(sum, a, b);
            sum = num::f16_to_f32(num::f32_to_f16(exact, Round::Even, Overflow::Keep));
        }
        sum.to_bits()
    });
}

/// Replaces every word of the result that counts by what `next` makes of its row, column and start.
fn each_word(
    c: &mut [u8],
    start: Start<'_>,
    [m, n]: [usize; 2],
    next: impl Fn(usize, usize, u32) -> u32,
) {
    let m1 = m.div_ceil(16);
    for column in 0..n {
        let first = match start {
            Start::Row(words) => read_word(words, column * 4),
            Start::Kept | Start::Zero => 0,
        };
        for row in 0..m {
            let at = (column / 16 * m1 * 16 + row) * ROW + column % 16 * 4;
            let before = match start {
                Start::Kept => read_word(c, at),
                Start::Zero | Start::Row(_) => first,
            };
            c[at..at + 4].copy_from_slice(&next(row, column, before).to_le_bytes());
        }
    }
}

fn read_word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
