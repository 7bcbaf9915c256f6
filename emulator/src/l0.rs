//! The packed image of L0A or L0B: what the cube multiplies, beside the bytes that a program wrote.
//!
//! Nobody but the cube reads L0, so a fractal is converted once, when an `mmad` first meets it, and a load merely marks
//! the image as stale. A transposing load keeps each fractal the other way round and marks how: the transposition then
//! costs nothing where the packed form wants that order.

use isa::inst::{MmadTy, Spr};
use isa::num::{self, Hf32};

use crate::aligned::Aligned;
use crate::kernel::{self, FRACTAL_WORDS, Spread, Step};
use crate::memory::Local;

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

/// How the bytes of a fractal lie. A turned one has 16 columns and as many rows as there are elements in 32 bytes.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// As the program sees them.
    Plain,
    /// Transposed, in elements of one byte.
    Bytes,
    /// Transposed, in elements of two bytes.
    Halves,
    /// Transposed, in elements of four bytes.
    Words,
}

impl Turn {
    /// Bytes of an element of a turned fractal.
    const fn size(self) -> Option<usize> {
        match self {
            Turn::Plain => None,
            Turn::Bytes => Some(1),
            Turn::Halves => Some(2),
            Turn::Words => Some(4),
        }
    }
}

/// What the words of a packed fractal are.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Image {
    F16,
    Bf16,
    F32,
    /// f32 rounded as HF32.
    Rounded(Hf32),
    S8,
    U8,
}

impl Image {
    /// The image of an operand; none for a type that is multiplied from its bytes.
    pub(crate) const fn of(ty: MmadTy, side: Side, ctrl: u64) -> Option<Image> {
        Some(match (ty, side) {
            (MmadTy::F16 | MmadTy::F16F16, _) => Image::F16,
            (MmadTy::Bf16, _) => Image::Bf16,
            (MmadTy::F32, _) if ctrl & Spr::CTRL_HF32 == 0 => Image::F32,
            (MmadTy::F32, _) if ctrl & Spr::CTRL_HF32_ZERO == 0 => Image::Rounded(Hf32::Even),
            (MmadTy::F32, _) => Image::Rounded(Hf32::TiesToZero),
            (MmadTy::S8, _) | (MmadTy::U8S8, Side::Columns) => Image::S8,
            (MmadTy::U8, _) | (MmadTy::U8S8, Side::Rows) => Image::U8,
            (MmadTy::S4, _) => return None,
        })
    }

    /// Steps of one fractal in the packed form.
    pub(crate) const fn fractal_steps(self) -> usize {
        match self {
            Image::F16 | Image::Bf16 | Image::S8 | Image::U8 => 16,
            Image::F32 | Image::Rounded(_) => 8,
        }
    }

    /// How it accumulates.
    pub(crate) const fn step(self) -> Step {
        match self {
            Image::F16 => Step::Exact,
            Image::Bf16 | Image::Rounded(_) => Step::Fused,
            Image::F32 => Step::Rounded,
            Image::S8 | Image::U8 => Step::Pairs,
        }
    }

    /// How elements become words.
    const fn spread(self, turned: bool) -> Spread {
        match (self, turned) {
            (Image::F16, _) => Spread::F16,
            (Image::Bf16, _) => Spread::Bf16,
            (Image::F32 | Image::Rounded(_), _) => Spread::Words,
            (Image::S8 | Image::U8, false) => Spread::Pairs,
            (Image::S8 | Image::U8, true) => Spread::PairedRows,
        }
    }

    /// Makes of spread words what the image holds.
    fn finish(self, words: &mut [u32]) {
        match self {
            Image::F16 | Image::Bf16 | Image::F32 | Image::S8 => {}
            Image::Rounded(mode) => {
                for word in words {
                    *word = num::round_hf32(f32::from_bits(*word), mode).to_bits();
                }
            }
            // Both halves came with a sign that the bytes do not have.
            Image::U8 => words.iter_mut().for_each(|word| *word &= 0x00ff_00ff),
        }
    }
}

/// The packed image of one buffer.
#[derive(Clone, Debug)]
pub(crate) struct Packed {
    pub(crate) words: Aligned<u32>,
    /// What each packed fractal holds; none if its image is stale.
    kinds: Vec<Option<Image>>,
    turns: Vec<Turn>,
}

impl Packed {
    pub(crate) fn new(bytes: usize) -> Packed {
        let fractals = bytes / BYTES;
        Packed {
            words: Aligned::new(fractals * FRACTAL_WORDS),
            kinds: vec![None; fractals],
            turns: vec![Turn::Plain; fractals],
        }
    }

    /// Forgets all images.
    pub(crate) fn clear(&mut self) {
        self.kinds.fill(None);
        self.turns.fill(Turn::Plain);
    }

    /// Notes that a load has replaced fractals from a byte on.
    pub(crate) fn replaced(&mut self, at: usize, len: usize, turn: Turn) {
        let fractals = at / BYTES..(at + len) / BYTES;
        self.kinds[fractals.clone()].fill(None);
        self.turns[fractals].fill(turn);
    }

    /// Whether the bytes of a fractal lie the other way round.
    pub(crate) fn is_turned(&self, fractal: usize) -> bool {
        self.turns[fractal] != Turn::Plain
    }

    /// Turns fractals back that were turned in elements of another size than the one that they are read in; all of them
    /// where that is none.
    pub(crate) fn settle(
        &mut self,
        memory: &mut Local,
        at: usize,
        len: usize,
        read: Option<usize>,
    ) {
        for fractal in at / BYTES..(at + len) / BYTES {
            match self.turns[fractal].size() {
                Some(size) if Some(size) != read => {
                    turn_back(memory, fractal * BYTES, size);
                    self.turns[fractal] = Turn::Plain;
                }
                Some(_) | None => {}
            }
        }
    }

    /// Brings the image of fractals up to date, which are [settled](Packed::settle).
    pub(crate) fn pack(&mut self, at: usize, len: usize, image: Image, side: Side, bytes: &[u8]) {
        for fractal in at / BYTES..(at + len) / BYTES {
            if self.kinds[fractal] != Some(image) {
                self.convert(fractal, image, side, &bytes[fractal * BYTES..][..BYTES]);
            }
        }
    }

    fn convert(&mut self, fractal: usize, image: Image, side: Side, bytes: &[u8]) {
        let steps = image.fractal_steps();
        let turned = self.is_turned(fractal);
        let out = &mut self.words[fractal * FRACTAL_WORDS..][..16 * steps];
        if turned == (side == Side::Columns) {
            kernel::spread(image.spread(turned), bytes, out);
        } else {
            let mut other = [0; FRACTAL_WORDS];
            kernel::spread(image.spread(turned), bytes, &mut other[..16 * steps]);
            match turned {
                true => kernel::transpose(&other, 16, steps, out),
                false => kernel::transpose(&other, steps, 16, out),
            }
        }
        image.finish(out);
        self.kinds[fractal] = Some(image);
    }
}

/// Transposes a turned fractal in its place, values and shadow.
fn turn_back(memory: &mut Local, at: usize, size: usize) {
    let (old, bits): ([u8; BYTES], [bool; BYTES]) = (
        std::array::from_fn(|i| memory.bytes[at + i]),
        std::array::from_fn(|i| memory.shadow.bits(at + i, 1) == 1),
    );
    let columns = BLOCK / size;
    for row in 0..16 {
        for column in 0..columns {
            for byte in 0..size {
                let from = (column * 16 + row) * size + byte;
                let to = at + row * BLOCK + column * size + byte;
                memory.bytes[to] = old[from];
                memory.shadow.put_bits(to, 1, u32::from(bits[from]));
            }
        }
    }
}

/// Bytes of a row of a fractal.
const BLOCK: usize = 32;

#[cfg(test)]
mod tests {
    use isa::types::Space;

    use super::*;

    #[test]
    fn a_fractal_turned_in_other_elements_is_turned_back() {
        for (turn, size) in [(Turn::Bytes, 1), (Turn::Halves, 2), (Turn::Words, 4)] {
            let mut memory = Local::new(Space::L0a, BYTES, true);
            let mut packed = Packed::new(BYTES);
            // Element (row, column) is to hold its column; the turned fractal has columns as rows.
            for element in 0..BYTES / size {
                memory.bytes[element * size] = (element / 16) as u8;
            }
            memory.shadow.set(0, 16 * size);
            packed.replaced(0, BYTES, turn);
            packed.settle(&mut memory, 0, BYTES, Some(size));
            assert!(packed.is_turned(0), "{turn:?}");
            let other = if size == 4 { None } else { Some(2 * size) };
            packed.settle(&mut memory, 0, BYTES, other);
            assert!(!packed.is_turned(0), "{turn:?}");
            for (row, line) in memory.bytes.chunks_exact(BLOCK).enumerate() {
                for (column, element) in line.chunks_exact(size).enumerate() {
                    assert_eq!(usize::from(element[0]), column, "{turn:?}");
                    let known = memory.shadow.bits(row * BLOCK + column * size, size);
                    assert_eq!(known != 0, column == 0, "{turn:?} {row} {column}");
                }
            }
        }
    }
}
