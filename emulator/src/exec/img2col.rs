//! `ld3d`: the matrix of a convolution, gathered from an image in L1 while it is loaded. The geometry is [`isa::img2col`].

use isa::img2col::{Img2col, Source};
use isa::inst::*;
use isa::types::Space;

use super::mte::{BLOCK, FRACTAL};
use super::mte1::l0_path;
use crate::core::Core;
use crate::fault::{FaultKind, Stop};
use crate::l0::Turn;
use crate::memory::{Local, copy_blocks};

/// Rows of a fractal.
const ROWS: u64 = 16;

/// The fault of a field of a packed register.
pub(super) fn refused((operand, value, expected): (&'static str, u64, &'static str)) -> Stop {
    Box::new(FaultKind::IllegalValue {
        operand,
        value: value as i64,
        expected,
    })
}

impl Core<'_> {
    /// Loads the fractals of every repeat, one behind the other.
    pub(super) fn load_image(
        &mut self,
        to: Space,
        dst: u64,
        src: u64,
        image: Img2col,
    ) -> Result<(), Stop> {
        if let Some(field) = image.refused() {
            return Err(refused(field));
        }
        let fractals = image.all_fractals();
        if fractals == 0 {
            return Ok(());
        }
        let bytes = fractals * FRACTAL as u64;
        let at = self.memory(to).aligned("dst", dst, bytes, FRACTAL as u64)?;
        let from = self
            .memory(Space::L1)
            .aligned("src", src, image.image_bytes(), BLOCK as u64)?;
        self.writes("dst", to, at, bytes as usize)?;
        let pad = self.context.spr(Spr::Padding).to_le_bytes();
        let plain = image.plain();
        let [rows, blocks] = image.fractals();
        // L0A has the fractals of a row side by side, L0B those of a column; a transposed part swaps the two.
        let by_rows = (to == Space::L0a) != image.transpose;
        let (outer, inner) = if by_rows {
            (rows, blocks)
        } else {
            (blocks, rows)
        };
        let mut dst = at;
        for repeat in 0..image.repeats {
            for (a, b) in (0..outer).flat_map(|a| (0..inner).map(move |b| (a, b))) {
                let (row, block) = if by_rows { (a, b) } else { (b, a) };
                let row = row * ROWS;
                match plain {
                    Some(plain) => {
                        let piece = plain.piece(repeat, row, block);
                        self.copy_rows(piece, to, dst, from)?;
                    }
                    None => {
                        let place = Square { repeat, row, block };
                        self.fill_square(&image, place, to, dst, from, pad)?;
                    }
                }
                dst += FRACTAL;
            }
        }
        self.memory(to).touch(dst);
        let turn = match image.transpose {
            true => Turn::Halves,
            false => Turn::Plain,
        };
        self.replaced(to, at, bytes as usize, turn);
        self.count(l0_path(to), bytes as usize);
        Ok(())
    }

    /// Copies the rows of a fractal that lie in one piece, and fills those behind with zeros.
    fn copy_rows(
        &mut self,
        (offset, rows): (u64, u64),
        to: Space,
        dst: usize,
        from: usize,
    ) -> Result<(), Stop> {
        let len = rows as usize * BLOCK;
        if len > 0 {
            let from = from + offset as usize;
            self.reads("src", Space::L1, from, len, false)?;
            let (l1, l0) = self.two(Space::L1, to);
            copy_blocks(l1, from, l0, dst, len);
        }
        if len < FRACTAL {
            let l0 = self.memory(to);
            l0.bytes[dst + len..dst + FRACTAL].fill(0);
            l0.shadow.set(dst + len, FRACTAL - len);
        }
        Ok(())
    }

    /// Gathers one fractal; where it is to be transposed, the image of L0 does that (see `l0`).
    fn fill_square(
        &mut self,
        image: &Img2col,
        place: Square,
        to: Space,
        dst: usize,
        from: usize,
        pad: [u8; 8],
    ) -> Result<(), Stop> {
        for row in 0..ROWS {
            let at = dst + row as usize * BLOCK;
            match image.source(place.repeat, place.row + row, place.block) {
                Source::Image(offset) => {
                    let from = from + offset as usize;
                    self.reads("src", Space::L1, from, BLOCK, false)?;
                    let (l1, l0) = self.two(Space::L1, to);
                    copy_blocks(l1, from, l0, at, BLOCK);
                }
                Source::Pad => {
                    let size = image.size.bytes() as usize;
                    put_value(self.memory(to), at, &pad[..size]);
                }
                Source::Outside => put_value(self.memory(to), at, &[0]),
            }
        }
        Ok(())
    }
}

/// Writes a value over a whole block.
pub(super) fn put_value(local: &mut Local, at: usize, value: &[u8]) {
    for element in local.bytes[at..at + BLOCK].chunks_exact_mut(value.len()) {
        element.copy_from_slice(value);
    }
    local.shadow.set(at, BLOCK);
    local.touch(at + BLOCK);
}

/// Where a fractal of L0 lies in the matrix: repeat, first row and block of columns.
#[derive(Copy, Clone, Debug)]
struct Square {
    repeat: u64,
    row: u64,
    block: u64,
}
