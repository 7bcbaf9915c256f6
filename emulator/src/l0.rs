//! The packed image of L0A or L0B: what the cube multiplies, beside the bytes that a program wrote.
//!
//! Nobody but the cube reads L0, so a fractal is converted once, when an `mmad` first meets it, and a load merely marks
//! the image as stale. A transposing load of 16-bit elements keeps the fractal as it came and marks it *flipped*: the
//! transposition then costs nothing where the packed form wants that order.

use isa::inst::MmadTy;
use isa::num;

use crate::kernel::{FRACTAL_WORDS, Step, transpose};

/// Bytes of a fractal.
const BYTES: usize = 512;

/// Which rows of a fractal the packed form has.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// L0A: as the buffer holds them.
    Rows,
    /// L0B: transposed.
    Columns,
}

/// The packed image of one buffer.
#[derive(Clone, Debug)]
pub(crate) struct Packed {
    pub(crate) words: Vec<u32>,
    /// Type of each packed fractal; none if its image is stale.
    kinds: Vec<Option<MmadTy>>,
    /// Whether the bytes of a fractal are the transpose of what the program loaded.
    pub(crate) flipped: Vec<bool>,
}

impl Packed {
    pub(crate) fn new(bytes: usize) -> Packed {
        let fractals = bytes / BYTES;
        Packed {
            words: vec![0; fractals * FRACTAL_WORDS],
            kinds: vec![None; fractals],
            flipped: vec![false; fractals],
        }
    }

    /// Forgets all images.
    pub(crate) fn clear(&mut self) {
        self.kinds.fill(None);
        self.flipped.fill(false);
    }

    /// Notes that a load has replaced a fractal.
    pub(crate) fn replaced(&mut self, fractal: usize, flipped: bool) {
        self.kinds[fractal] = None;
        self.flipped[fractal] = flipped;
    }

    /// Brings the image of a fractal up to date.
    #[inline]
    pub(crate) fn pack(&mut self, fractal: usize, ty: MmadTy, side: Side, bytes: &[u8]) {
        if self.kinds[fractal] != Some(ty) {
            self.convert(fractal, ty, side, bytes);
        }
    }

    fn convert(&mut self, fractal: usize, ty: MmadTy, side: Side, bytes: &[u8]) {
        let mut rows = [0_u32; FRACTAL_WORDS];
        widen(ty, &bytes[fractal * BYTES..][..BYTES], &mut rows);
        let steps = fractal_steps(ty);
        let out = &mut self.words[fractal * FRACTAL_WORDS..][..16 * steps];
        let turned = match side {
            Side::Rows => self.flipped[fractal],
            Side::Columns => !self.flipped[fractal],
        };
        match turned {
            true => transpose(&rows, steps, out),
            false => out.copy_from_slice(&rows[..16 * steps]),
        }
        self.kinds[fractal] = Some(ty);
    }
}

/// Steps of one fractal in the packed form.
pub(crate) const fn fractal_steps(ty: MmadTy) -> usize {
    match ty {
        MmadTy::F16 | MmadTy::Bf16 | MmadTy::S8 => 16,
        MmadTy::F32 => 8,
    }
}

/// How an operand type accumulates.
pub(crate) const fn step(ty: MmadTy) -> Step {
    match ty {
        MmadTy::F16 => Step::Exact,
        MmadTy::Bf16 => Step::Fused,
        MmadTy::F32 => Step::Rounded,
        MmadTy::S8 => Step::Pairs,
    }
}

/// Turns the elements of a fractal into words, in order.
fn widen(ty: MmadTy, bytes: &[u8], words: &mut [u32; FRACTAL_WORDS]) {
    let halves: [u16; 256] =
        std::array::from_fn(|i| u16::from_le_bytes([bytes[2 * i], bytes[2 * i + 1]]));
    let mut floats = [0.0_f32; FRACTAL_WORDS];
    match ty {
        MmadTy::F16 => num::f16_to_f32_slice(&mut floats, &halves),
        MmadTy::Bf16 => num::bf16_to_f32_slice(&mut floats, &halves),
        MmadTy::F32 => {
            for (word, b) in words.iter_mut().zip(bytes.chunks_exact(4)) {
                *word = u32::from_le_bytes([b[0], b[1], b[2], b[3]]);
            }
            return;
        }
        MmadTy::S8 => {
            for (word, &pair) in words.iter_mut().zip(&halves) {
                let [low, high] = pair.to_le_bytes().map(|b| i16::from(b as i8) as u16);
                *word = u32::from(low) | u32::from(high) << 16;
            }
            return;
        }
    }
    for (word, x) in words.iter_mut().zip(floats) {
        *word = x.to_bits();
    }
}
