//! Reductions over the columns of a matrix, and the spreading of their results.

use ir::tile::{Arg, RedOp, View};
use isa::inst::{
    self, In, MemSize, Out, PipeOp, Rep, SImm, ScalarMem, St1, StRed, VecTy, XIn, XOut, XVal,
};
use isa::types::Elem;

use super::code::Num;
use super::vector::{Place, Stride, row_stride, rows_can_repeat, st3};
use super::{Done, Sel};
use crate::errors;

/// Lanes of a 32-bit type.
const LANES: i64 = 64;
/// Blocks of a repeat.
const REPEAT_BLOCKS: u8 = 8;
const MAX_REPEATS: i64 = 255;
/// Rows that one repeat of `vbrcb` spreads.
const SPREAD_ROWS: i64 = 8;
/// Cycles between dependent vector instructions, about: davinci-facts §2.2.
const BARRIER_CYCLES: i64 = 25;
/// Cycles the scalar unit needs for a turn of a loop of one instruction, about.
const LOOP_CYCLES: i64 = 5;

impl Sel<'_> {
    pub(super) fn accumulate(
        &mut self,
        op: RedOp,
        acc: View,
        src: View,
        extents: [Arg; 2],
    ) -> Done {
        let [rows, cols] = self.nums(extents)?;
        let ty = self.lane_ty(acc)?;
        let most_rows = self.func.bufs[acc.buf]
            .rows
            .min(self.func.bufs[src.buf].rows);
        let (acc, src) = (self.full(acc)?, self.full(src)?);
        let rows_bound = rows.known().unwrap_or(most_rows);
        let repeats = rows_can_repeat(&[acc, src], rows, most_rows) && rows_bound <= MAX_REPEATS;
        let Num::Const(cols) = cols else {
            return self.add_rows_counted(op, ty, [acc, src], rows, cols);
        };
        let (whole, tail) = (cols / LANES, cols % LANES);
        let by_columns =
            whole * (rows_bound + BARRIER_CYCLES) <= rows_bound * whole.max(LOOP_CYCLES);
        if repeats && by_columns {
            return self.add_chunks(op, ty, [acc, src], rows, cols, 0);
        }
        if !repeats || whole > MAX_REPEATS {
            return self.add_rows_counted(op, ty, [acc, src], rows, Num::Const(cols));
        }
        self.add_rows(op, ty, [acc, src], rows, whole)?;
        if tail > 0 && whole > 0 {
            self.push(inst::Bar { pipe: PipeOp::V });
        }
        self.add_chunks(op, ty, [acc, src], rows, cols, whole * LANES)
    }

    fn lane_ty(&self, acc: View) -> Result<VecTy, diag::Diagnostic> {
        match self.func.bufs[acc.buf].elem {
            Elem::F32 => Ok(VecTy::F32),
            Elem::I32 => Ok(VecTy::S32),
            Elem::F16 | Elem::Bf16 | Elem::I64 | Elem::I16 | Elem::I8 | Elem::U8 | Elem::Bool => {
                Err(self.missing("a reduction of this type"))
            }
        }
    }

    /// Chunk after chunk of columns from `start` on, all rows at once; each depends on the one before.
    fn add_chunks(
        &mut self,
        op: RedOp,
        ty: VecTy,
        [acc, src]: [Place; 2],
        rows: Num,
        cols: i64,
        start: i64,
    ) -> Done {
        let strides = [row_stride(&acc), row_stride(&acc), row_stride(&src)];
        let mut at = start;
        while at < cols {
            if at > start {
                self.push(inst::Bar { pipe: PipeOp::V });
            }
            self.use_first((cols - at).min(LANES), LANES)?;
            let mark = self.homes.mark();
            let from = self.sum(src.at, Num::Const(at * 4))?;
            let rep = self.val(rows)?;
            self.combine(op, ty, [acc.at, from], rep, &strides)?;
            self.homes.cut(mark);
            at += LANES;
        }
        Ok(())
    }

    /// Row after row; the repeats of a row all add to the same lanes.
    fn add_rows(
        &mut self,
        op: RedOp,
        ty: VecTy,
        places: [Place; 2],
        rows: Num,
        whole: i64,
    ) -> Done {
        if whole == 0 {
            return Ok(());
        }
        let rep = self.val(Num::Const(whole))?;
        self.row_loop(&places, rows, |sel, ats| {
            sel.use_first(LANES, LANES)?;
            sel.combine(op, ty, [ats[0], ats[1]], rep, &IN_PLACE)
        })
    }

    fn add_rows_counted(
        &mut self,
        op: RedOp,
        ty: VecTy,
        places: [Place; 2],
        rows: Num,
        cols: Num,
    ) -> Done {
        self.row_loop(&places, rows, |sel, ats| {
            sel.use_count(cols)?;
            sel.combine(op, ty, [ats[0], ats[1]], Rep::Imm(1), &IN_PLACE)
        })
    }

    fn combine(
        &mut self,
        op: RedOp,
        ty: VecTy,
        [acc, src]: [Num; 2],
        rep: Rep,
        st: &[Stride; 3],
    ) -> Done {
        let acc = self.addr(acc)?;
        let (dst, a, b, st) = (Out::at(acc), In::at(acc), In::at(self.addr(src)?), st3(st));
        match op {
            RedOp::Sum => self.push(inst::Vadd {
                ty,
                dst,
                a,
                b,
                rep,
                st,
            }),
            RedOp::Max => self.push(inst::Vmax {
                ty,
                dst,
                a,
                b,
                rep,
                st,
            }),
            RedOp::Min => self.push(inst::Vmin {
                ty,
                dst,
                a,
                b,
                rep,
                st,
            }),
        }
        Ok(())
    }

    pub(super) fn join_lanes(&mut self, op: RedOp, dst: View, acc: View, rows: Arg) -> Done {
        let rows = self.num(rows)?;
        let most = rows.known().unwrap_or(self.func.bufs[acc.buf].rows);
        let ty = self.lane_ty(acc)?;
        let (to, from) = (self.view_addr(dst)?, self.view_addr(acc)?);
        if ty == VecTy::S32 {
            return self.join_integers(op, [to, from], rows);
        }
        if most > MAX_REPEATS && rows.known().is_none() {
            return Err(errors::operand_too_large(
                self.span,
                "a number of rows",
                most,
                MAX_REPEATS,
            ));
        }
        self.use_first(LANES, LANES)?;
        let mut row = 0;
        while row < most {
            let piece = rows
                .known()
                .map_or(rows, |rows| Num::Const((rows - row).min(MAX_REPEATS)));
            let mark = self.homes.mark();
            let to = self.sum(to, Num::Const(row * 4))?;
            let from = self.sum(from, Num::Const(row * LANES * 4))?;
            let (dst, a) = (Out::at(self.addr(to)?), In::at(self.addr(from)?));
            let (rep, st) = (self.val(piece)?, StRed::FLAT);
            match op {
                RedOp::Sum => self.push(inst::Vcadd {
                    ty,
                    dst,
                    a,
                    rep,
                    st,
                }),
                RedOp::Max => self.push(inst::Vcmax {
                    ty,
                    dst,
                    a,
                    rep,
                    st,
                }),
                RedOp::Min => self.push(inst::Vcmin {
                    ty,
                    dst,
                    a,
                    rep,
                    st,
                }),
            }
            self.homes.cut(mark);
            row += MAX_REPEATS;
        }
        Ok(())
    }

    /// Integer lanes by the scalar unit; any order gives the same bits.
    fn join_integers(&mut self, op: RedOp, [to, from]: [Num; 2], rows: Num) -> Done {
        let (to, from) = (self.copied(to)?, self.copied(from)?);
        let (sum, lane) = (self.temporary()?, self.temporary()?);
        self.counted(rows, |sel| {
            sel.load_lane(sum, from);
            sel.counted(Num::Const(LANES - 1), |sel| {
                sel.load_lane(lane, from);
                let (dst, a, b) = (XOut(sum), XVal::Reg(sum), XVal::Reg(lane));
                match op {
                    RedOp::Sum => sel.push(inst::Add { dst, a, b }),
                    RedOp::Max => sel.push(inst::Max { dst, a, b }),
                    RedOp::Min => sel.push(inst::Min { dst, a, b }),
                }
                Ok(())
            })?;
            sel.push(inst::St {
                size: MemSize::B32,
                mem: ScalarMem::Ub,
                base: XIn(to),
                offset: SImm(0),
                src: XIn(sum),
            });
            sel.push(inst::Add {
                dst: XOut(to),
                a: XVal::Reg(to),
                b: XVal::Imm(4),
            });
            Ok(())
        })
    }

    /// Loads a 32-bit lane with its sign and steps to the next one.
    fn load_lane(&mut self, dst: inst::Reg, from: inst::Reg) {
        let (out, own) = (XOut(dst), XVal::Reg(dst));
        self.push(inst::Ld {
            size: MemSize::B32,
            mem: ScalarMem::Ub,
            dst: out,
            base: XIn(from),
            offset: SImm(0),
        });
        self.push(inst::Shl {
            dst: out,
            a: own,
            b: XVal::Imm(32),
        });
        self.push(inst::Sar {
            dst: out,
            a: own,
            b: XVal::Imm(32),
        });
        self.push(inst::Add {
            dst: XOut(from),
            a: XVal::Reg(from),
            b: XVal::Imm(4),
        });
    }

    pub(super) fn spread(&mut self, dst: View, src: View, rows: Arg) -> Done {
        let rows = self.num(rows)?;
        let most = rows.known().unwrap_or(self.func.bufs[dst.buf].rows);
        let ty = match self.func.bufs[dst.buf].elem.bytes() {
            2 => VecTy::F16,
            4 => VecTy::F32,
            _ => return Err(self.missing("a spread of elements of this size")),
        };
        let (to, from) = (self.view_addr(dst)?, self.view_addr(src)?);
        let repeats = self.ceil_div(rows, SPREAD_ROWS)?;
        if repeats.known().is_none() && most > MAX_REPEATS * SPREAD_ROWS {
            return Err(errors::operand_too_large(
                self.span,
                "a number of rows",
                most,
                MAX_REPEATS * SPREAD_ROWS,
            ));
        }
        let mut done = 0;
        while done < repeats.known().unwrap_or(1) {
            let piece = repeats.known().map_or(repeats, |repeats| {
                Num::Const((repeats - done).min(MAX_REPEATS - 3))
            });
            let mark = self.homes.mark();
            let to = self.sum(to, Num::Const(done * 256))?;
            let from = self.sum(from, Num::Const(done * SPREAD_ROWS * ty.bytes() as i64))?;
            let (dst, a) = (Out::at(self.addr(to)?), In::at(self.addr(from)?));
            let rep = self.val(piece)?;
            let st = St1 {
                dst_blk: 1,
                dst_rep: REPEAT_BLOCKS,
            };
            self.push(inst::Vbrcb {
                ty,
                dst,
                a,
                rep,
                st,
            });
            self.homes.cut(mark);
            done += MAX_REPEATS - 3;
        }
        Ok(())
    }
}

/// All repeats of an accumulation write the same block row and read the next repeat of the source.
const IN_PLACE: [Stride; 3] = [
    Stride { blk: 1, rep: 0 },
    Stride { blk: 1, rep: 0 },
    Stride {
        blk: 1,
        rep: REPEAT_BLOCKS,
    },
];
