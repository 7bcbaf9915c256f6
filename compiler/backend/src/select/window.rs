//! `ld3d`: parts of the matrix of a window over an image, to L0A, one block of channels at a time; and parts of plain
//! matrices, which are images one row high under a window of one element, to L0A or L0B.

use diag::Diagnostic;
use ir::tile::{Arg, Buf, View, Window};
use isa::inst::{self, ElemSize, In, Out, Reg, Spr, XIn, XOut, XVal};
use isa::types::{Elem, Space};

use super::code::Num;
use super::{Done, Sel};

/// Places of the fields of `ld3d`'s packed registers, after the manual page of `ld3d_a`.
mod field {
    pub(super) const ROWS: u32 = 16;
    pub(super) const FIRST_COLUMN: u32 = 32;
    pub(super) const FIRST_ROW: u32 = 48;
    pub(super) const STEP_DOWN: u32 = 6;
    pub(super) const WIDE: u32 = 12;
    pub(super) const HIGH: u32 = 20;
    pub(super) const APART_ACROSS: u32 = 28;
    pub(super) const APART_DOWN: u32 = 36;
    pub(super) const WIDE_9: u32 = 44;
    pub(super) const HIGH_9: u32 = 45;
    pub(super) const TRANSPOSED: u32 = 46;
    /// The image is described by the second register.
    pub(super) const SECOND: u32 = 47;
    pub(super) const CHANNELS: u32 = 48;
    pub(super) const HEIGHT: u32 = 16;
    /// Padding left, right, above, below: 8 bits each.
    pub(super) const LEFT: u32 = 32;
    pub(super) const RIGHT: u32 = 40;
    pub(super) const ABOVE: u32 = 48;
    pub(super) const BELOW: u32 = 56;
}

impl Sel<'_> {
    pub(super) fn load_window(
        &mut self,
        dst: Buf,
        src: View,
        extents: [Arg; 2],
        window: &Window,
    ) -> Done {
        let [rows, cols] = self.nums(extents)?;
        self.unless_empty(&[rows, cols], |sel| {
            sel.img2col(dst, src, [rows, cols], window)
        })
    }

    /// A part of a matrix in L1, as it is or transposed.
    pub(super) fn load_matrix(
        &mut self,
        dst: Buf,
        src: View,
        [rows, cols]: [Num; 2],
        transposed: bool,
    ) -> Done {
        let (data, from) = (&self.func.bufs[dst], &self.func.bufs[src.buf]);
        let left = data.space == Space::L0a;
        let size = elem_size(data.elem);
        let block = 32 / data.elem.bytes() as i64;
        // As it is stored: rows of m×k or n×k, unless the load turns it.
        let (stored_rows, stored_cols) = if transposed {
            (cols, rows)
        } else {
            (rows, cols)
        };
        let blocks = self.ceil_div(stored_cols, block)?;
        let columns = self.scaled(blocks, block, Num::Const(0))?;
        let (first_row, first_column) = (self.num(src.row)?, self.num(src.col)?);
        let part = self.packed(&[
            (columns, 0),
            (stored_rows, field::ROWS),
            (first_column, field::FIRST_COLUMN),
            (first_row, field::FIRST_ROW),
        ])?;
        let turns = left == transposed;
        let word = MATRIX
            | i64::from(turns) << field::TRANSPOSED
            | i64::from(!left) << field::SECOND
            | from.cols << field::CHANNELS;
        let window = self.in_reg(Num::Const(word))?;
        let spr = if left { Spr::Fmatrix } else { Spr::FmatrixB };
        let image = self.xval(Num::Const(from.rows | 1 << field::HEIGHT))?;
        self.push(inst::Wrspr { spr, src: image });
        let (to, from) = (self.copy_addr(dst)?, self.copy_addr(src.buf)?);
        let (to, src) = (self.addr(to)?, In::at(self.addr(from)?));
        let (part, window) = (XIn(part), XIn(window));
        if left {
            let dst = Out::at(to);
            self.push(inst::Ld3dA {
                size,
                dst,
                src,
                part,
                window,
            });
        } else {
            let dst = Out::at(to);
            self.push(inst::Ld3dB {
                size,
                dst,
                src,
                part,
                window,
            });
        }
        Ok(())
    }

    fn img2col(&mut self, dst: Buf, src: View, [rows, cols]: [Num; 2], window: &Window) -> Done {
        let bytes = self.func.bufs[dst].elem.bytes() as i64;
        let size = elem_size(self.func.bufs[dst].elem);
        let block = 32 / bytes;
        let mark = self.homes.mark();
        let [height, width] = self.nums(window.image)?;
        let [above, below, left, right] = self.nums(window.pad)?;
        let image = self.packed(&[
            (width, 0),
            (height, field::HEIGHT),
            (left, field::LEFT),
            (right, field::RIGHT),
            (above, field::ABOVE),
            (below, field::BELOW),
        ])?;
        self.push(inst::Wrspr {
            spr: Spr::Fmatrix,
            src: XVal::Reg(image),
        });
        self.homes.cut(mark);
        let [position, tap] = self.nums(window.from)?;
        let first = self.scaled(tap, block, Num::Const(0))?;
        let part = self.packed(&[
            (cols, 0),
            (rows, field::ROWS),
            (first, field::FIRST_COLUMN),
            (position, field::FIRST_ROW),
        ])?;
        let shape = self.in_reg(Num::Const(shape_word(window, block)))?;
        let (to, from) = (self.copy_addr(dst)?, self.view_addr(src)?);
        let (to, from) = (self.addr(to)?, self.addr(from)?);
        self.push(inst::Ld3dA {
            size,
            dst: Out::at(to),
            src: In::at(from),
            part: XIn(part),
            window: XIn(shape),
        });
        Ok(())
    }

    /// The sum of numbers that stand from different bits on; what is known is one constant.
    fn packed(&mut self, fields: &[(Num, u32)]) -> Result<Reg, Diagnostic> {
        let known = fields
            .iter()
            .filter_map(|(value, low)| value.known().map(|v| v << low));
        let known = known.fold(0, i64::wrapping_add);
        let word = self.temporary()?;
        self.set(word, Num::Const(known));
        for &(value, low) in fields {
            let Num::Reg(value) = value else { continue };
            let mark = self.homes.mark();
            let mut part = value;
            if low > 0 {
                part = self.temporary()?;
                self.push(inst::Shl {
                    dst: XOut(part),
                    a: XVal::Reg(value),
                    b: XVal::Imm(low as i32),
                });
            }
            self.push(inst::Add {
                dst: XOut(word),
                a: XVal::Reg(word),
                b: XVal::Reg(part),
            });
            self.homes.cut(mark);
        }
        Ok(word)
    }
}

/// A window of one element: all its steps, extents and distances are 1.
const MATRIX: i64 = 1
    | 1 << field::STEP_DOWN
    | 1 << field::WIDE
    | 1 << field::HIGH
    | 1 << field::APART_ACROSS
    | 1 << field::APART_DOWN;

fn elem_size(elem: Elem) -> ElemSize {
    match elem.bytes() {
        1 => ElemSize::B8,
        2 => ElemSize::B16,
        _ => ElemSize::B32,
    }
}

/// The packed register that says what the window is like, for an image of one block of channels.
fn shape_word(window: &Window, block: i64) -> i64 {
    let [high, wide] = window.extent;
    let fields = [
        (window.step[1], 0),
        (window.step[0], field::STEP_DOWN),
        (wide & 0xff, field::WIDE),
        (high & 0xff, field::HIGH),
        (window.apart[1], field::APART_ACROSS),
        (window.apart[0], field::APART_DOWN),
        (wide >> 8, field::WIDE_9),
        (high >> 8, field::HIGH_9),
        (block, field::CHANNELS),
    ];
    fields
        .into_iter()
        .fold(0, |word, (value, low)| word | value << low)
}
