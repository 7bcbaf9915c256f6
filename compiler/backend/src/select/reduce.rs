//! Reductions over the columns of a matrix, and the spreading of their results.

use ir::tile::{Arg, Buf, Inst, Op, RedOp, View};
use isa::inst::{
    self, In, MemSize, Out, PipeOp, Rep, SImm, ScalarMem, St1, StRed, VecTy, XIn, XOut, XVal,
};
use isa::types::Elem;

use super::code::Num;
use super::vector::{LaneState, Place, Stride, row_stride, rows_can_repeat, st3};
use super::{Done, Sel};
use crate::errors;
use crate::plan::access;

/// Lanes of a 32-bit type.
const LANES: i64 = 64;
/// Rows up to which an instruction a row is written out.
const WRITTEN_OUT: i64 = 8;
/// Chunks of columns up to which an instruction a chunk is written out.
const WRITTEN_OUT_CHUNKS: i64 = 32;
/// Elements of a 32-bit type in a block, which a reduction of blocks makes one.
const BLOCK: i64 = 8;
/// Bytes of so many lanes.
const CHUNK_BYTES: i32 = 256;
/// Blocks of a repeat.
const REPEAT_BLOCKS: u8 = 8;
const MAX_REPEATS: i64 = 255;
/// Rows from which joining by groups takes less time than joining whole repeats, with the barrier between its steps.
const GROUPED_ROWS: i64 = 8;
/// Rows that one repeat of `vbrcb` spreads.
const SPREAD_ROWS: i64 = 8;
/// Rows from which all rows at once, with a barrier after each chunk, take less time than row after row, where every
/// repeat waits for the result of the one before (davinci-facts §2.2: a barrier takes about as long as that).
const MANY_ROWS: i64 = 2;

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
        let data = [&self.func.bufs[acc.buf], &self.func.bufs[src.buf]];
        let most_rows = data[0].rows.min(data[1].rows);
        let places = [self.full(acc)?, self.full(src)?];
        let rows_bound = rows.known().unwrap_or(most_rows);
        let repeats = rows_can_repeat(&places, rows, most_rows) && rows_bound <= MAX_REPEATS;
        if rows_bound >= MANY_ROWS {
            return self.add_chunks(places, [rows, cols], &|sel, from| match repeats {
                true => sel.add_rows_at_once(op, ty, places, from, rows),
                false => sel.add_rows_in_turn(op, ty, places, from, rows),
            });
        }
        self.row_loop(&places, rows, None, |sel, ats| {
            sel.use_count(cols)?;
            sel.combine(op, ty, [ats[0], ats[1]], Rep::Imm(1), &IN_PLACE)
        })
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

    /// Chunk after chunk of columns, all rows of each; a chunk depends on the one before. `add` gets where it starts.
    fn add_chunks(
        &mut self,
        [_, src]: [Place; 2],
        [rows, cols]: [Num; 2],
        add: &dyn Fn(&mut Self, Num) -> Done,
    ) -> Done {
        let (whole, tail) = self.split_lanes(cols)?;
        if let (Num::Const(chunks), Num::Const(start)) = (whole, src.at)
            && chunks <= WRITTEN_OUT_CHUNKS
        {
            return self.add_written_out(start, chunks, [rows, tail], add);
        }
        let single = matches!(whole, Num::Const(..=1));
        let from = match single {
            true => src.at,
            false => Num::Reg(self.copied(src.at)?),
        };
        self.unless_empty(&[rows], |sel| {
            sel.use_first(LANES, LANES)?;
            sel.counted(whole, |sel| {
                add(sel, from)?;
                sel.push(inst::Bar { pipe: PipeOp::V });
                if let (Num::Reg(reg), false) = (from, single) {
                    sel.step(reg, XVal::Imm(CHUNK_BYTES));
                }
                Ok(())
            })?;
            let rest = match whole {
                Num::Const(1) => sel.sum(from, Num::Const(i64::from(CHUNK_BYTES)))?,
                Num::Const(_) | Num::Reg(_) => from,
            };
            sel.unless_empty(&[tail], |sel| {
                sel.use_some(tail)?;
                add(sel, rest)
            })
        })?;
        self.lanes = LaneState::Unknown;
        Ok(())
    }

    /// The same where the chunks are known and few: their addresses are constants.
    fn add_written_out(
        &mut self,
        start: i64,
        chunks: i64,
        [rows, tail]: [Num; 2],
        add: &dyn Fn(&mut Self, Num) -> Done,
    ) -> Done {
        let chunk_at = |chunk: i64| Num::Const(start + chunk * i64::from(CHUNK_BYTES));
        let has_tail = tail != Num::Const(0);
        let unconditional = rows.known().is_some();
        self.unless_empty(&[rows], |sel| {
            for chunk in 0..chunks {
                sel.use_first(LANES, LANES)?;
                add(sel, chunk_at(chunk))?;
                if chunk + 1 < chunks || has_tail {
                    sel.push(inst::Bar { pipe: PipeOp::V });
                }
            }
            if has_tail {
                sel.use_some(tail)?;
                add(sel, chunk_at(chunks))?;
            }
            Ok(())
        })?;
        if !unconditional {
            self.lanes = LaneState::Unknown;
        }
        Ok(())
    }

    /// The rows are the repeats of one instruction.
    fn add_rows_at_once(
        &mut self,
        op: RedOp,
        ty: VecTy,
        [acc, src]: [Place; 2],
        from: Num,
        rows: Num,
    ) -> Done {
        let strides = [row_stride(&acc), row_stride(&acc), row_stride(&src)];
        let rep = self.val(rows)?;
        self.combine(op, ty, [acc.at, from], rep, &strides)
    }

    /// An instruction a row: rows that lie too far apart for a stride, or are too many.
    fn add_rows_in_turn(
        &mut self,
        op: RedOp,
        ty: VecTy,
        [acc, src]: [Place; 2],
        from: Num,
        rows: Num,
    ) -> Done {
        if let Num::Const(rows) = rows
            && rows <= WRITTEN_OUT
        {
            for row in 0..rows {
                let mark = self.homes.mark();
                let to = self.sum(acc.at, Num::Const(row * acc.pitch / 8))?;
                let from = self.sum(from, Num::Const(row * src.pitch / 8))?;
                self.combine(op, ty, [to, from], Rep::Imm(1), &IN_PLACE)?;
                self.homes.cut(mark);
            }
            return Ok(());
        }
        let mark = self.homes.mark();
        let (to, from) = (self.copied(acc.at)?, self.copied(from)?);
        let steps = [acc.pitch / 8, src.pitch / 8];
        let steps = [
            self.xval(Num::Const(steps[0]))?,
            self.xval(Num::Const(steps[1]))?,
        ];
        self.counted(rows, |sel| {
            sel.combine(
                op,
                ty,
                [Num::Reg(to), Num::Reg(from)],
                Rep::Imm(1),
                &IN_PLACE,
            )?;
            sel.step(to, steps[0]);
            sel.step(from, steps[1]);
            Ok(())
        })?;
        self.homes.cut(mark);
        Ok(())
    }

    /// Whole chunks, and the columns that are left.
    fn split_lanes(&mut self, cols: Num) -> Result<(Num, Num), diag::Diagnostic> {
        if let Num::Const(cols) = cols {
            return Ok((Num::Const(cols / LANES), Num::Const(cols % LANES)));
        }
        let cols = self.xval(cols)?;
        let (whole, tail) = (self.temporary()?, self.temporary()?);
        let shift = LANES.trailing_zeros() as i32;
        self.push(inst::Sar {
            dst: XOut(whole),
            a: cols,
            b: XVal::Imm(shift),
        });
        self.push(inst::And {
            dst: XOut(tail),
            a: cols,
            b: XVal::Imm(LANES as i32 - 1),
        });
        Ok((Num::Reg(whole), Num::Reg(tail)))
    }

    /// Lets the following instructions process the first lanes of each repeat, fewer than a repeat has.
    fn use_some(&mut self, lanes: Num) -> Done {
        let count = match lanes {
            Num::Const(lanes) => return self.use_first(lanes, LANES),
            Num::Reg(reg) => reg,
        };
        let mask = self.temporary()?;
        self.set(mask, Num::Const(1));
        let (dst, own) = (XOut(mask), XVal::Reg(mask));
        self.push(inst::Shl {
            dst,
            a: own,
            b: XVal::Reg(count),
        });
        self.push(inst::Sub {
            dst,
            a: own,
            b: XVal::Imm(1),
        });
        self.lanes = LaneState::Unknown;
        // 32-bit types use the low word alone.
        self.push(inst::Vsetmask {
            lo: XIn(mask),
            hi: XIn(mask),
        });
        Ok(())
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

    /// Each block of a repeat joined to one element; the rows of the source follow each other without gaps.
    pub(super) fn block_reduce(
        &mut self,
        op: RedOp,
        [dst, src]: [View; 2],
        extents: [Arg; 2],
    ) -> Done {
        let [rows, cols] = self.nums(extents)?;
        let ty = self.lane_ty(src)?;
        let width = cols.known().unwrap_or(self.func.bufs[src.buf].cols);
        let (chunks, pitch) = (width / LANES, self.func.bufs[dst.buf].cols);
        let ats = [self.view_addr(dst)?, self.view_addr(src)?];
        self.use_first(LANES, LANES)?;
        match rows {
            Num::Const(rows) if pitch == width / BLOCK || rows <= 1 => {
                let repeats = rows.saturating_mul(chunks);
                return self.join_blocks(op, ty, ats, (repeats, StRed::FLAT8));
            }
            Num::Const(rows) if chunks < rows => {
                if let (Ok(dst_rep), Ok(a_rep)) = (
                    u16::try_from(pitch),
                    u8::try_from(chunks * i64::from(REPEAT_BLOCKS)),
                ) {
                    let st = StRed {
                        dst_rep,
                        a_blk: 1,
                        a_rep,
                    };
                    for chunk in 0..chunks {
                        let first = chunk * i64::from(CHUNK_BYTES);
                        let mark = self.homes.mark();
                        let to = self.sum(ats[0], Num::Const(first / BLOCK))?;
                        let from = self.sum(ats[1], Num::Const(first))?;
                        self.join_blocks(op, ty, [to, from], (rows, st))?;
                        self.homes.cut(mark);
                    }
                    return Ok(());
                }
            }
            Num::Const(_) | Num::Reg(_) => {}
        }
        let mark = self.homes.mark();
        let (to, from) = (self.copied(ats[0])?, self.copied(ats[1])?);
        let steps = [pitch * 4, chunks * i64::from(CHUNK_BYTES)];
        let steps = [
            self.xval(Num::Const(steps[0]))?,
            self.xval(Num::Const(steps[1]))?,
        ];
        self.counted(rows, |sel| {
            let ats = [Num::Reg(to), Num::Reg(from)];
            sel.join_blocks(op, ty, ats, (chunks, StRed::FLAT8))?;
            sel.step(to, steps[0]);
            sel.step(from, steps[1]);
            Ok(())
        })?;
        self.homes.cut(mark);
        Ok(())
    }

    /// So many repeats at these strides, in pieces that a count of repeats can say.
    fn join_blocks(
        &mut self,
        op: RedOp,
        ty: VecTy,
        [to, from]: [Num; 2],
        (repeats, st): (i64, StRed),
    ) -> Done {
        let apart = [
            i64::from(st.dst_rep) * 4,
            i64::from(st.a_rep) * i64::from(CHUNK_BYTES) / i64::from(REPEAT_BLOCKS),
        ];
        let mut done = 0;
        while done < repeats {
            let piece = (repeats - done).min(MAX_REPEATS);
            let mark = self.homes.mark();
            let to = self.sum(to, Num::Const(done * apart[0]))?;
            let from = self.sum(from, Num::Const(done * apart[1]))?;
            let (dst, a) = (Out::at(self.addr(to)?), In::at(self.addr(from)?));
            let rep = self.val(Num::Const(piece))?;
            match op {
                RedOp::Sum => self.push(inst::Vcgadd {
                    ty,
                    dst,
                    a,
                    rep,
                    st,
                }),
                RedOp::Max => self.push(inst::Vcgmax {
                    ty,
                    dst,
                    a,
                    rep,
                    st,
                }),
                RedOp::Min => self.push(inst::Vcgmin {
                    ty,
                    dst,
                    a,
                    rep,
                    st,
                }),
            }
            self.homes.cut(mark);
            done += piece;
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
        if let Num::Const(count) = rows
            && (GROUPED_ROWS..=MAX_REPEATS).contains(&count)
            && self.is_done_with(acc.buf)
        {
            return self.join_by_groups(op, [to, from], count);
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

    /// Lanes of known rows by groups of eight, then the groups: the tree of a whole repeat in two instructions that take
    /// a cycle a repeat instead of seven. The groups take the place of the lanes.
    fn join_by_groups(&mut self, op: RedOp, [to, from]: [Num; 2], rows: i64) -> Done {
        self.use_first(LANES, LANES)?;
        self.join_blocks(op, VecTy::F32, [from, from], (rows, StRed::FLAT8))?;
        self.push(inst::Bar { pipe: PipeOp::V });
        let (whole, rest) = (rows / BLOCK, rows % BLOCK);
        if whole > 0 {
            self.join_blocks(op, VecTy::F32, [to, from], (whole, StRed::FLAT8))?;
        }
        if rest > 0 {
            self.use_first(rest * BLOCK, LANES)?;
            let to = self.sum(to, Num::Const(4 * whole * BLOCK))?;
            let from = self.sum(from, Num::Const(4 * whole * LANES))?;
            self.join_blocks(op, VecTy::F32, [to, from], (1, StRed::FLAT8))?;
        }
        Ok(())
    }

    /// Whether nothing reads this generation of a buffer after the operation that is being selected: the buffer turns
    /// before it in the same block, and nothing behind it touches the buffer.
    pub(super) fn is_done_with(&self, buf: Buf) -> bool {
        let func = self.func;
        let Some(inst) = self.inst else { return false };
        let mut blocks = func.blocks.values();
        let Some((here, at)) = blocks.find_map(|block| {
            let at = block.insts.iter().position(|&other| other == inst);
            at.map(|at| (block, at))
        }) else {
            return false;
        };
        let (before, behind) = here.insts.split_at(at);
        let turns =
            |&inst: &Inst| matches!(func.insts[inst].op, Op::Next { buf: other } if other == buf);
        let touches = |&inst: &Inst| {
            let all = access::lifted(func, inst);
            all.iter().any(|a| a.place == access::Place::Buf(buf))
        };
        before.iter().any(turns) && !behind[1..].iter().any(touches)
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
