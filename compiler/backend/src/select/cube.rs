//! Fractals to L0, products, and the way out through the fixpipe.

use diag::Diagnostic;
use ir::tile::{Arg, Buf, FixCast, Op, Tensor, View};
use isa::inst::{
    self, Adj, FixSrc, In, InOut, MmadTy, Out, PipeOp, QuantMode, Relu, Spr, SquareSize, UnitFlag,
};
use isa::types::{Elem, FRACTAL_BYTES, Layout, Space};

use super::code::Num;
use super::{Done, Sel};
use crate::errors;

const FRACTAL: i64 = FRACTAL_BYTES as i64;
/// Repeats of one fractal load: davinci-facts §3.4.
const MAX_REPEATS: i64 = 255;
/// Largest extent of an image: the width of its fields.
const MAX_IMAGE: i64 = 65535;
/// Rows of a fractal and of an L0C fractal.
const ROWS: i64 = 16;
/// Rows of one drain that turns NZ into plain rows: davinci-facts §3.6.
const MAX_DRAIN_ROWS: i64 = 8192;
/// Largest distance of rows of a drain, in elements: the width of its field.
const MAX_DRAIN_PITCH: i64 = 65535;
/// Bytes of one row of a fractal of an accumulator: sixteen elements of 32 bits.
const ACC_ROW: i32 = 64;

/// One axis of a grid of fractals (or of the squares that a transposing load turns).
#[derive(Copy, Clone)]
struct Axis {
    count: Num,
    /// Most it can be.
    most: i64,
    /// Fractals from one to the next in L1.
    src: Num,
    /// Fractals from one to the next in L0.
    dst: Num,
}

/// How one square is turned.
#[derive(Copy, Clone)]
struct Turn {
    size: SquareSize,
    src_pair: Num,
    dst_pair: Num,
    /// Whether the second fractal of a square may fall on the place of a later one, which then must overwrite it.
    spills: bool,
}

impl Sel<'_> {
    pub(super) fn load_tile(
        &mut self,
        dst: Buf,
        src: View,
        extents: [Arg; 2],
        transposed: bool,
    ) -> Done {
        let extents = self.nums(extents)?;
        self.unless_empty(&extents, |sel| {
            if sel.is_image(dst, src, extents, transposed) {
                return sel.load_matrix(dst, src, extents, transposed);
            }
            sel.fractals(dst, src, extents, transposed)
        })
    }

    /// Whether one `ld3d` loads what would take several loads of fractals: a matrix in L1 is an image one row high, and
    /// its columns are channels under a window of one element. Only elements of 16 bits are transposed on the way.
    fn is_image(&self, dst: Buf, src: View, [rows, cols]: [Num; 2], transposed: bool) -> bool {
        let (to, from) = (&self.func.bufs[dst], &self.func.bufs[src.buf]);
        let bytes = to.elem.bytes() as i64;
        let turns = (to.space == Space::L0a) == transposed;
        let one = |extent: Num, unit: i64| extent.known().is_some_and(|e| e <= unit);
        // One row or column of fractals is one plain load.
        let lone = one(rows, ROWS) || one(cols, ROWS);
        let known = rows.known().is_some() && cols.known().is_some();
        (!turns || bytes == 2)
            && !(known && lone)
            && from.layout == Layout::NZ
            && from.elem == to.elem
            && from.rows.max(from.cols) <= MAX_IMAGE
            && from.cols % (32 / bytes) == 0
    }

    /// Chooses the grid: L0A is (m, k) with k inside, L0B is (k, n) with n inside; both hold k in blocks of 32 B.
    fn fractals(&mut self, dst: Buf, src: View, [rows, cols]: [Num; 2], transposed: bool) -> Done {
        let left = self.func.bufs[dst].space == Space::L0a;
        let bytes = self.func.bufs[dst].elem.bytes() as i64;
        let k0 = 32 / bytes;
        // A is stored m×k and B is stored n×k where the plain load does it: `transposed` means otherwise for A.
        let plain = left != transposed;
        let column = self.func.bufs[src.buf].rows / ROWS;
        let (k, outer) = if left { (cols, rows) } else { (rows, cols) };
        let most_cells = self.func.bufs[dst]
            .rows
            .saturating_mul(self.func.bufs[dst].cols);
        let (k_count, mn_count) = (self.ceil_div(k, k0)?, self.ceil_div(outer, ROWS)?);
        // Distance in L0 of neighbours along k, and along m or n.
        let (k_dst, mn_dst) = if left {
            (Num::Const(1), k_count)
        } else {
            (mn_count, Num::Const(1))
        };
        let most_fractals = most_cells.saturating_mul(bytes) / FRACTAL;
        if plain {
            let along_k = Axis {
                count: k_count,
                most: most_fractals,
                src: Num::Const(column),
                dst: k_dst,
            };
            let along_mn = Axis {
                count: mn_count,
                most: most_fractals,
                src: Num::Const(1),
                dst: mn_dst,
            };
            return self.grid(dst, src, [along_k, along_mn], None);
        }
        let (along_k, along_mn, turn) = match bytes {
            1 => {
                let squares = self.ceil_div(outer, 2 * ROWS)?;
                let step = self.scaled(mn_dst, 2, Num::Const(0))?;
                self.check_room(dst, left, 2 * ROWS)?;
                let spills = !left && mn_count.known().is_none_or(|count| count % 2 == 1);
                let turn = Turn {
                    size: SquareSize::B8,
                    src_pair: Num::Const(1),
                    dst_pair: mn_dst,
                    spills,
                };
                let along_k = Axis {
                    count: k_count,
                    most: most_fractals,
                    src: Num::Const(2),
                    dst: k_dst,
                };
                (
                    along_k,
                    Axis {
                        count: squares,
                        most: most_fractals,
                        src: Num::Const(column),
                        dst: step,
                    },
                    turn,
                )
            }
            2 => {
                let turn = Turn {
                    size: SquareSize::B16,
                    src_pair: Num::Const(0),
                    dst_pair: Num::Const(0),
                    spills: false,
                };
                let along_k = Axis {
                    count: k_count,
                    most: most_fractals,
                    src: Num::Const(1),
                    dst: k_dst,
                };
                (
                    along_k,
                    Axis {
                        count: mn_count,
                        most: most_fractals,
                        src: Num::Const(column),
                        dst: mn_dst,
                    },
                    turn,
                )
            }
            _ => {
                let squares = self.ceil_div(k, ROWS)?;
                let step = self.scaled(k_dst, 2, Num::Const(0))?;
                self.check_room(dst, !left, ROWS)?;
                let spills = left && k_count.known().is_none_or(|count| count % 2 == 1);
                let turn = Turn {
                    size: SquareSize::B32,
                    src_pair: Num::Const(column),
                    dst_pair: k_dst,
                    spills,
                };
                let along_k = Axis {
                    count: squares,
                    most: most_fractals,
                    src: Num::Const(1),
                    dst: step,
                };
                (
                    along_k,
                    Axis {
                        count: mn_count,
                        most: most_fractals,
                        src: Num::Const(2 * column),
                        dst: mn_dst,
                    },
                    turn,
                )
            }
        };
        self.grid(dst, src, [along_k, along_mn], Some(turn))
    }

    /// A turned square writes two fractals even where the matrix has one; the buffer must have room for the other.
    fn check_room(&self, dst: Buf, by_rows: bool, unit: i64) -> Done {
        let data = &self.func.bufs[dst];
        let extent = if by_rows { data.rows } else { data.cols };
        if extent % unit == 0 {
            Ok(())
        } else {
            Err(self.missing("a transposing load into a buffer that is no multiple of its squares"))
        }
    }

    /// Loads the grid with the longer axis in the repeats, unless its stride does not fit or squares spill.
    fn grid(&mut self, dst: Buf, src: View, [k, mn]: [Axis; 2], turn: Option<Turn>) -> Done {
        let left = self.func.bufs[dst].space == Space::L0a;
        let fits = |axis: Axis| axis.dst.known().is_some_and(|step| step <= 256);
        let longer = mn.count.known().unwrap_or(mn.most) >= k.count.known().unwrap_or(k.most);
        let spills = turn.is_some_and(|turn| turn.spills);
        // The axis with neighbours side by side always fits; spilling squares must go in the order of the other.
        let beside_mn = !left;
        let inner_mn = if spills {
            beside_mn
        } else {
            (longer && fits(mn)) || !fits(k)
        };
        let (outer, inner) = if inner_mn { (k, mn) } else { (mn, k) };
        let (to, from) = (self.copy_addr(dst)?, self.view_addr(src)?);
        if let (Num::Const(count), true) = (
            outer.count,
            outer.src.known().is_some() && outer.dst.known().is_some(),
        ) {
            return self.unrolled(dst, [to, from], count, [outer, inner], turn);
        }
        let (to_row, from_row) = (self.copied(to)?, self.copied(from)?);
        let from_step = self.scaled(outer.src, FRACTAL, Num::Const(0))?;
        let to_step = self.scaled(outer.dst, FRACTAL, Num::Const(0))?;
        let (from_step, to_step) = (self.xval(from_step)?, self.xval(to_step)?);
        self.counted(outer.count, |sel| {
            sel.line(dst, [Num::Reg(to_row), Num::Reg(from_row)], inner, turn)?;
            sel.push(inst::Add {
                dst: inst::XOut(from_row),
                a: inst::XVal::Reg(from_row),
                b: from_step,
            });
            sel.push(inst::Add {
                dst: inst::XOut(to_row),
                a: inst::XVal::Reg(to_row),
                b: to_step,
            });
            Ok(())
        })
    }

    fn unrolled(
        &mut self,
        dst: Buf,
        [to, from]: [Num; 2],
        count: i64,
        [outer, inner]: [Axis; 2],
        turn: Option<Turn>,
    ) -> Done {
        let (src, step) = (
            outer.src.known().unwrap_or(0),
            outer.dst.known().unwrap_or(0),
        );
        for number in 0..count {
            let mark = self.homes.mark();
            let to = self.sum(to, Num::Const(number * step * FRACTAL))?;
            let from = self.sum(from, Num::Const(number * src * FRACTAL))?;
            self.line(dst, [to, from], inner, turn)?;
            self.homes.cut(mark);
        }
        Ok(())
    }

    /// One run of repeats, in pieces of at most 255.
    fn line(&mut self, dst: Buf, [to, from]: [Num; 2], axis: Axis, turn: Option<Turn>) -> Done {
        let count = axis.count.known().unwrap_or(0);
        if count <= MAX_REPEATS {
            return self.run(dst, [to, from], axis, turn);
        }
        let (Some(src), Some(step)) = (axis.src.known(), axis.dst.known()) else {
            return Err(errors::operand_too_large(
                self.span,
                "a number of fractals",
                count,
                MAX_REPEATS,
            ));
        };
        let mut start = 0;
        while start < count {
            let piece = (count - start).min(MAX_REPEATS);
            let mark = self.homes.mark();
            let to = self.sum(to, Num::Const(start * step * FRACTAL))?;
            let from = self.sum(from, Num::Const(start * src * FRACTAL))?;
            self.run(
                dst,
                [to, from],
                Axis {
                    count: Num::Const(piece),
                    ..axis
                },
                turn,
            )?;
            self.homes.cut(mark);
            start += piece;
        }
        Ok(())
    }

    fn run(&mut self, dst: Buf, [to, from]: [Num; 2], axis: Axis, turn: Option<Turn>) -> Done {
        let left = self.func.bufs[dst].space == Space::L0a;
        let (to, src) = (self.addr(to)?, In::at(self.addr(from)?));
        let rep = self.val(axis.count)?;
        let src_stride = self.val(axis.src)?;
        let gap = self.difference(axis.dst, Num::Const(1))?;
        let dst_gap = self.val(gap)?;
        let Some(Turn {
            size,
            src_pair,
            dst_pair,
            spills,
        }) = turn
        else {
            if left {
                self.push(inst::Ld2dA {
                    dst: Out::at(to),
                    src,
                    rep,
                    src_stride,
                    dst_gap,
                });
            } else {
                self.push(inst::Ld2dB {
                    dst: Out::at(to),
                    src,
                    rep,
                    src_stride,
                    dst_gap,
                });
            }
            return Ok(());
        };
        let (src_pair, dst_pair) = (self.val(src_pair)?, self.val(dst_pair)?);
        if left {
            self.push(inst::Ld2dtA {
                size,
                dst: Out::at(to),
                src,
                rep,
                src_stride,
                dst_gap,
                src_pair,
                dst_pair,
            });
        } else {
            self.push(inst::Ld2dtB {
                size,
                dst: Out::at(to),
                src,
                rep,
                src_stride,
                dst_gap,
                src_pair,
                dst_pair,
            });
        }
        if spills {
            self.push(inst::Bar { pipe: PipeOp::Mte1 });
        }
        Ok(())
    }

    pub(super) fn mad(
        &mut self,
        [c, a, b]: [Buf; 3],
        extents: [Arg; 3],
        init: Arg,
        hf32: bool,
    ) -> Done {
        let ty = match self.func.bufs[a].elem {
            Elem::F16 => MmadTy::F16,
            Elem::Bf16 => MmadTy::Bf16,
            Elem::F32 => MmadTy::F32,
            Elem::I8 => MmadTy::S8,
            Elem::I64 | Elem::I32 | Elem::I16 | Elem::U8 | Elem::Bool => {
                return Err(self.missing("a product of this type"));
            }
        };
        let [m, k, n] = self.nums(extents)?;
        let init = self.num(init)?;
        let (c, a, b) = (self.copy_addr(c)?, self.copy_addr(a)?, self.copy_addr(b)?);
        let dst = InOut::at(self.addr(c)?);
        let (a, b) = (In::at(self.addr(a)?), In::at(self.addr(b)?));
        let (m, k, n) = (self.val(m)?, self.val(k)?, self.val(n)?);
        let init = self.val(init)?;
        if hf32 {
            self.control(Spr::CTRL_RESET | Spr::CTRL_HF32)?;
        }
        self.push(inst::Mmad {
            ty,
            dst,
            a,
            b,
            m,
            k,
            n,
            init,
            bias: In::imm(0),
            unit: UnitFlag::Off,
        });
        if hf32 {
            self.control(Spr::CTRL_RESET)?;
        }
        Ok(())
    }

    pub(super) fn drain(
        &mut self,
        tensor: Tensor,
        at: Arg,
        src: Buf,
        extents: [Arg; 3],
        cast: FixCast,
        relu: bool,
    ) -> Done {
        let [rows, cols, pitch] = self.nums(extents)?;
        let m = self.product_rows(src, extents[0])?;
        let (ty, quant) = self.quant(src, tensor, cast)?;
        if let Num::Const(rows) = rows
            && rows > MAX_DRAIN_ROWS
        {
            return Err(errors::operand_too_large(
                self.span,
                "a number of rows",
                rows,
                MAX_DRAIN_ROWS,
            ));
        }
        self.unless_empty(&[rows, cols], |sel| {
            if let FixCast::Requant(words) = cast {
                let words = sel.view_addr(words)?;
                let src = sel.xval(words)?;
                sel.push(inst::Wrspr { spr: Spr::Fpc, src });
            }
            let fractal_rows = sel.ceil_div(m, ROWS)?;
            let src_rows = sel.scaled(fractal_rows, ROWS, Num::Const(0))?;
            let from = sel.copy_addr(src)?;
            let to = sel.global(tensor, at)?;
            let far = pitch.known().is_some_and(|pitch| pitch > MAX_DRAIN_PITCH);
            let (n, src_rows) = (sel.val(cols)?, sel.val(src_rows)?);
            let relu = if relu { Relu::On } else { Relu::Off };
            let fix = |dst, src, m, dst_stride| inst::FixL0cGm {
                ty,
                quant,
                relu,
                nd: Adj::On,
                unit: UnitFlag::Off,
                dst,
                src,
                m,
                n,
                src_rows,
                dst_stride,
            };
            if !far || rows == Num::Const(1) {
                let src = In::at(sel.addr(from)?);
                let (m, dst_stride) = (sel.val(rows)?, sel.val(if far { cols } else { pitch })?);
                sel.push(fix(Out::reg(to), src, m, dst_stride));
                return Ok(());
            }
            // No stride reaches from row to row, so each goes by itself.
            let (to, from) = (sel.copied(Num::Reg(to))?, sel.copied(from)?);
            let bytes = sel.func.tensors[tensor].elem.bytes() as i64;
            let step = sel.scaled(pitch, bytes, Num::Const(0))?;
            let step = sel.xval(step)?;
            let dst_stride = sel.val(cols)?;
            sel.counted(rows, |sel| {
                let row = fix(Out::reg(to), In::reg(from), inst::Val::Imm(1), dst_stride);
                sel.push(row);
                sel.step(from, inst::XVal::Imm(ACC_ROW));
                sel.step(to, step);
                Ok(())
            })
        })
    }

    /// Rows of the products in an accumulator: they decide how far its column blocks lie apart.
    fn product_rows(&mut self, c: Buf, drained: Arg) -> Result<Num, Diagnostic> {
        let mut found: Option<Arg> = None;
        for data in self.func.insts.values() {
            if let Op::Mad { c: into, m, .. } = &data.op
                && *into == c
            {
                if found.is_some_and(|other| other != *m) {
                    return Err(self.missing("an accumulator of products of several heights"));
                }
                found = Some(*m);
            }
        }
        match found {
            Some(m) if m == drained => self.num(m),
            Some(Arg::Const(m)) => Ok(Num::Const(m)),
            Some(Arg::Val(_)) => Err(self.missing("a drain of other rows than the product has")),
            None => self.num(drained),
        }
    }

    fn quant(
        &self,
        src: Buf,
        tensor: Tensor,
        cast: FixCast,
    ) -> Result<(FixSrc, QuantMode), Diagnostic> {
        let (from, to) = (self.func.bufs[src].elem, self.func.tensors[tensor].elem);
        match (from, to, cast) {
            (Elem::F32, Elem::F32, FixCast::Plain) => Ok((FixSrc::F32, QuantMode::None)),
            (Elem::I32, Elem::I32, FixCast::Plain) => Ok((FixSrc::S32, QuantMode::None)),
            (Elem::F32, Elem::F16, FixCast::Plain) => Ok((FixSrc::F32, QuantMode::F32F16)),
            (Elem::F32, Elem::Bf16, FixCast::Plain) => Ok((FixSrc::F32, QuantMode::F32Bf16)),
            (Elem::I32, Elem::I8, FixCast::Requant(_)) => Ok((FixSrc::S32, QuantMode::S32S8Vec)),
            _ => Err(self.missing("this conversion by the fixpipe")),
        }
    }
}
