//! Which instruction an element-wise operation is.
//!
//! A scalar goes into the instruction where it has a form for it. Elsewhere it is first written to a block of its own
//! at the end of UB, which the instruction then reads for all lanes.

use diag::Diagnostic;
use ir::algo::{CmpOp, Overflow, Round};
use ir::tile::{Arg, EwOp, Func, Op, Operand, View};
use isa::inst::{
    self, Addr, Cond, ConvKind, In, Out, PipeOp, Rep, Spr, St1, St2, St3, StSel, VecScalar, VecTy,
    XVal,
};
use isa::types::{BLOCK_BYTES, Elem};

use super::code::Num;
use super::flow::cond;
use super::vector::{Place, REPEAT, Shape, Stride};
use super::{Done, Sel};

/// Scalars that one operation may have in blocks of their own.
const SCRATCH_BLOCKS: i64 = 2;

/// Bytes at the end of UB that the operations of a function need for scalars.
pub fn scratch_bytes(func: &Func) -> u64 {
    let needs = func.insts.values().any(|data| match &data.op {
        Op::Ew { op, a, b, c, .. } => {
            let scalars = [Some(a), b.as_ref(), c.as_ref()]
                .into_iter()
                .flatten()
                .filter(|operand| is_scalar(operand))
                .count();
            scalars > 0 && !has_scalar_form(*op, is_scalar(a), scalars)
        }
        _ => false,
    });
    if needs {
        SCRATCH_BLOCKS as u64 * BLOCK_BYTES
    } else {
        0
    }
}

fn is_scalar(operand: &Operand) -> bool {
    matches!(operand, Operand::Bits(_) | Operand::Scalar(_))
}

/// Whether an instruction takes the only scalar operand of an operation.
fn has_scalar_form(op: EwOp, first: bool, scalars: usize) -> bool {
    if scalars != 1 {
        return false;
    }
    match op {
        EwOp::Copy | EwOp::Iota | EwOp::Add | EwOp::Mul | EwOp::Max | EwOp::Min | EwOp::Cmp(_) => {
            true
        }
        EwOp::Sub | EwOp::Shl | EwOp::Shr => !first,
        EwOp::Div
        | EwOp::Rem
        | EwOp::Abs
        | EwOp::Neg
        | EwOp::Exp
        | EwOp::Ln
        | EwOp::Sqrt
        | EwOp::Relu
        | EwOp::Round(_)
        | EwOp::And
        | EwOp::Or
        | EwOp::Xor
        | EwOp::Not
        | EwOp::Select
        | EwOp::Cast(..) => false,
    }
}

/// An element-wise operation with its operands placed.
struct Work {
    dst: Place,
    rows: Num,
    cols: Num,
    most_rows: i64,
}

impl Sel<'_> {
    pub(super) fn ew(
        &mut self,
        op: EwOp,
        dst: View,
        operands: [Option<Operand>; 3],
        extents: [Arg; 2],
    ) -> Done {
        let [rows, cols] = self.nums(extents)?;
        let data = &self.func.bufs[dst.buf];
        let most_rows = data.rows;
        let elem = self.operand_elem(&operands).unwrap_or(data.elem);
        let work = Work {
            dst: self.full(dst)?,
            rows,
            cols,
            most_rows,
        };
        let [a, b, c] = operands;
        let a = a.ok_or_else(|| self.missing("an operation without operands"))?;
        match (op, b, c) {
            (EwOp::Copy, None, None) => self.copy(work, a, data.elem),
            (EwOp::Iota, None, None) => self.iota(work, a, data.elem),
            (EwOp::Cast(round, overflow), None, None) => {
                self.cast(work, a, [elem, data.elem], round, overflow)
            }
            (EwOp::Round(round), None, None) => self.convert(work, a, [elem, elem], round),
            (EwOp::Not, None, None) => self.bitwise(work, op, [a, a], elem),
            (
                EwOp::Neg | EwOp::Abs | EwOp::Exp | EwOp::Ln | EwOp::Sqrt | EwOp::Relu,
                None,
                None,
            ) => self.unary(work, op, a, elem),
            (EwOp::And | EwOp::Or, Some(b), None) => self.bitwise(work, op, [a, b], elem),
            (EwOp::Cmp(cmp), Some(b), None) => self.compare(work, cmp, [a, b], elem),
            (EwOp::Select, Some(b), Some(c)) => self.choose(work, [a, b, c], data.elem),
            (
                EwOp::Add
                | EwOp::Sub
                | EwOp::Mul
                | EwOp::Div
                | EwOp::Max
                | EwOp::Min
                | EwOp::Shl
                | EwOp::Shr,
                Some(b),
                None,
            ) => self.binary(work, op, [a, b], elem),
            _ => Err(self.missing("this operation of the vector unit")),
        }
    }

    /// Element type of the first operand in a buffer that is no mask of a selection.
    fn operand_elem(&self, operands: &[Option<Operand>; 3]) -> Option<Elem> {
        operands
            .iter()
            .flatten()
            .find_map(|operand| operand.view())
            .map(|view| self.func.bufs[view.buf].elem)
    }

    fn vec_ty(&self, elem: Elem) -> Result<VecTy, Diagnostic> {
        match elem {
            Elem::F16 => Ok(VecTy::F16),
            Elem::F32 => Ok(VecTy::F32),
            Elem::I16 => Ok(VecTy::S16),
            Elem::I32 => Ok(VecTy::S32),
            Elem::Bf16 | Elem::I64 | Elem::I8 | Elem::U8 | Elem::Bool => {
                Err(self.missing("vector arithmetic on this type"))
            }
        }
    }

    /// A scalar operand as the instruction takes it.
    fn vec_scalar(&self, operand: Operand) -> Result<Option<VecScalar>, Diagnostic> {
        match operand {
            Operand::Bits(bits) => Ok(Some(VecScalar::Imm(bits))),
            Operand::Scalar(value) => Ok(Some(match self.num(Arg::Val(value))? {
                Num::Const(bits) => VecScalar::Imm(bits as u32),
                Num::Reg(reg) => VecScalar::Reg(reg),
            })),
            Operand::Full(_) | Operand::EachRow(_) | Operand::EachCol(_) => Ok(None),
        }
    }

    /// The place of an operand; a scalar is written to block `number` of the scratch first.
    fn place_or_block(
        &mut self,
        operand: Operand,
        ty: VecTy,
        number: i64,
    ) -> Result<Place, Diagnostic> {
        if let Some(place) = self.place(operand)? {
            return Ok(place);
        }
        let scalar = self
            .vec_scalar(operand)?
            .ok_or_else(|| self.missing("this operand"))?;
        let at = Num::Const(self.scratch + number * BLOCK_BYTES as i64);
        self.use_first((BLOCK_BYTES / ty.bytes()) as i64, ty.lanes() as i64)?;
        let dst = Out::at(self.addr(at)?);
        self.push(inst::Vdup {
            ty,
            dst,
            scalar,
            rep: Rep::Imm(1),
            st: St1::FLAT,
        });
        self.push(inst::Bar { pipe: PipeOp::V });
        Ok(Place {
            at,
            pitch: 0,
            bits: 8 * ty.bytes() as i64,
            spread: true,
        })
    }

    fn binary(&mut self, work: Work, op: EwOp, [a, b]: [Operand; 2], elem: Elem) -> Done {
        let ty = self.vec_ty(elem)?;
        let (left, right) = (self.vec_scalar(a)?, self.vec_scalar(b)?);
        match (op, left, right) {
            (EwOp::Add | EwOp::Mul | EwOp::Max | EwOp::Min, Some(scalar), None) => {
                self.with_scalar(work, op, b, scalar, ty)
            }
            (
                EwOp::Add | EwOp::Mul | EwOp::Max | EwOp::Min | EwOp::Shl | EwOp::Shr,
                None,
                Some(scalar),
            ) => self.with_scalar(work, op, a, scalar, ty),
            (EwOp::Sub, None, Some(scalar)) => {
                let scalar = self.negated(scalar, ty)?;
                self.with_scalar(work, EwOp::Add, a, scalar, ty)
            }
            _ => {
                let a = self.place_or_block(a, ty, 0)?;
                let b = self.place_or_block(b, ty, 1)?;
                self.two_places(work, op, [a, b], ty)
            }
        }
    }

    /// `x - s` is `x + (-s)`, for floats (one rounding of the same sum) as for wrapping integers.
    fn negated(&mut self, scalar: VecScalar, ty: VecTy) -> Result<VecScalar, Diagnostic> {
        let sign: i64 = if ty.bytes() == 2 { 0x8000 } else { 0x8000_0000 };
        match scalar {
            VecScalar::Imm(bits) if ty.is_float() => Ok(VecScalar::Imm(bits ^ sign as u32)),
            VecScalar::Imm(bits) => Ok(VecScalar::Imm(bits.wrapping_neg())),
            VecScalar::Reg(reg) => {
                let dst = self.temporary()?;
                let out = inst::XOut(dst);
                if ty.is_float() {
                    let b = self.xval(Num::Const(sign))?;
                    self.push(inst::Xor {
                        dst: out,
                        a: XVal::Reg(reg),
                        b,
                    });
                } else {
                    self.push(inst::Sub {
                        dst: out,
                        a: XVal::Imm(0),
                        b: XVal::Reg(reg),
                    });
                }
                Ok(VecScalar::Reg(dst))
            }
        }
    }

    fn with_scalar(
        &mut self,
        work: Work,
        op: EwOp,
        a: Operand,
        scalar: VecScalar,
        ty: VecTy,
    ) -> Done {
        let a = self
            .place(a)?
            .ok_or_else(|| self.missing("an operation on scalars alone"))?;
        self.lanewise(work, &[a], ty, &|sel, at, rep, st| {
            let (dst, a, st) = (Out::at(at[0]), In::at(at[1]), st2(st));
            match op {
                EwOp::Add => sel.push(inst::Vadds {
                    ty,
                    dst,
                    a,
                    scalar,
                    rep,
                    st,
                }),
                EwOp::Mul => sel.push(inst::Vmuls {
                    ty,
                    dst,
                    a,
                    scalar,
                    rep,
                    st,
                }),
                EwOp::Max => sel.push(inst::Vmaxs {
                    ty,
                    dst,
                    a,
                    scalar,
                    rep,
                    st,
                }),
                EwOp::Min => sel.push(inst::Vmins {
                    ty,
                    dst,
                    a,
                    scalar,
                    rep,
                    st,
                }),
                EwOp::Shl => sel.push(inst::Vshl {
                    ty,
                    dst,
                    a,
                    scalar,
                    rep,
                    st,
                }),
                EwOp::Shr => sel.push(inst::Vshr {
                    ty,
                    dst,
                    a,
                    scalar,
                    rep,
                    st,
                }),
                _ => return Err(sel.missing("this operation with a scalar")),
            }
            Ok(())
        })
    }

    fn two_places(&mut self, work: Work, op: EwOp, places: [Place; 2], ty: VecTy) -> Done {
        self.lanewise(work, &places, ty, &|sel, at, rep, st| {
            let (dst, a, b, st) = (Out::at(at[0]), In::at(at[1]), In::at(at[2]), st3(st));
            match op {
                EwOp::Add => sel.push(inst::Vadd {
                    ty,
                    dst,
                    a,
                    b,
                    rep,
                    st,
                }),
                EwOp::Sub => sel.push(inst::Vsub {
                    ty,
                    dst,
                    a,
                    b,
                    rep,
                    st,
                }),
                EwOp::Mul => sel.push(inst::Vmul {
                    ty,
                    dst,
                    a,
                    b,
                    rep,
                    st,
                }),
                EwOp::Div => sel.push(inst::Vdiv {
                    ty,
                    dst,
                    a,
                    b,
                    rep,
                    st,
                }),
                EwOp::Max => sel.push(inst::Vmax {
                    ty,
                    dst,
                    a,
                    b,
                    rep,
                    st,
                }),
                EwOp::Min => sel.push(inst::Vmin {
                    ty,
                    dst,
                    a,
                    b,
                    rep,
                    st,
                }),
                _ => return Err(sel.missing("this operation on two buffers")),
            }
            Ok(())
        })
    }

    /// An operation whose destination and sources have elements of one width.
    fn lanewise(
        &mut self,
        work: Work,
        sources: &[Place],
        ty: VecTy,
        emit: super::vector::Emit<'_>,
    ) -> Done {
        let places: Vec<Place> = std::iter::once(work.dst)
            .chain(sources.iter().copied())
            .collect();
        let shape = Shape {
            lanes: ty.lanes() as i64,
            tails: true,
            by_columns: true,
        };
        self.matrix(&places, shape, [work.rows, work.cols], work.most_rows, emit)
    }

    fn unary(&mut self, work: Work, op: EwOp, a: Operand, elem: Elem) -> Done {
        let ty = self.vec_ty(elem)?;
        let a = self.place_or_block(a, ty, 0)?;
        self.lanewise(work, &[a], ty, &|sel, at, rep, st| {
            let (dst, a, st) = (Out::at(at[0]), In::at(at[1]), st2(st));
            match op {
                EwOp::Neg => sel.push(inst::Vmuls {
                    ty,
                    dst,
                    a,
                    scalar: VecScalar::Imm(minus_one(ty)),
                    rep,
                    st,
                }),
                EwOp::Abs => sel.push(inst::Vabs {
                    ty,
                    dst,
                    a,
                    rep,
                    st,
                }),
                EwOp::Exp => sel.push(inst::Vexp {
                    ty,
                    dst,
                    a,
                    rep,
                    st,
                }),
                EwOp::Ln => sel.push(inst::Vln {
                    ty,
                    dst,
                    a,
                    rep,
                    st,
                }),
                EwOp::Sqrt => sel.push(inst::Vsqrt {
                    ty,
                    dst,
                    a,
                    rep,
                    st,
                }),
                EwOp::Relu => sel.push(inst::Vrelu {
                    ty,
                    dst,
                    a,
                    rep,
                    st,
                }),
                _ => return Err(sel.missing("this operation on one buffer")),
            }
            Ok(())
        })
    }

    fn iota(&mut self, work: Work, a: Operand, elem: Elem) -> Done {
        let ty = self.vec_ty(elem)?;
        let scalar = self
            .vec_scalar(a)?
            .ok_or_else(|| self.missing("an iota from a buffer"))?;
        let shape = Shape {
            lanes: ty.lanes() as i64,
            tails: false,
            by_columns: false,
        };
        // Every row counts from its own start: rows never run together.
        let dst = Place {
            pitch: work.dst.pitch,
            ..work.dst
        };
        let emit = |sel: &mut Sel<'_>, at: &[Addr], rep: Rep, st: &[Stride]| {
            sel.push(inst::Viota {
                ty,
                dst: Out::at(at[0]),
                scalar,
                rep,
                st: st1(st),
            });
            Ok(())
        };
        if work.rows == Num::Const(1) {
            return self.matrix(&[dst], shape, [work.rows, work.cols], work.most_rows, &emit);
        }
        let cols = work.cols;
        self.row_loop(&[dst], work.rows, |sel, ats| {
            let row = Place { at: ats[0], ..dst };
            sel.matrix(&[row], shape, [Num::Const(1), cols], 1, &emit)
        })
    }

    fn compare(&mut self, work: Work, cmp: CmpOp, [a, b]: [Operand; 2], elem: Elem) -> Done {
        self.clear_last_lane(&work)?;
        let ty = self.vec_ty(elem)?;
        let shape = Shape {
            lanes: ty.lanes() as i64,
            tails: false,
            by_columns: false,
        };
        let extents = [work.rows, work.cols];
        let (left, right) = (self.vec_scalar(a)?, self.vec_scalar(b)?);
        let (buffer, scalar, cond) = match (left, right) {
            (None, Some(scalar)) => (a, scalar, cond(cmp)),
            (Some(scalar), None) => (b, scalar, flipped(cond(cmp))),
            _ => {
                let (a, b) = (
                    self.place_or_block(a, ty, 0)?,
                    self.place_or_block(b, ty, 1)?,
                );
                let cond = cond(cmp);
                return self.matrix(
                    &[work.dst, a, b],
                    shape,
                    extents,
                    work.most_rows,
                    &|sel, at, rep, st| {
                        let (dst, a, b) = (Out::at(at[0]), In::at(at[1]), In::at(at[2]));
                        sel.push(inst::Vcmpv {
                            cond,
                            ty,
                            dst,
                            a,
                            b,
                            rep,
                            st: st3(st),
                        });
                        Ok(())
                    },
                );
            }
        };
        let a = self.place_or_block(buffer, ty, 0)?;
        self.matrix(
            &[work.dst, a],
            shape,
            extents,
            work.most_rows,
            &|sel, at, rep, st| {
                let (dst, a) = (Out::at(at[0]), In::at(at[1]));
                sel.push(inst::Vcmpvs {
                    cond,
                    ty,
                    dst,
                    a,
                    scalar,
                    rep,
                    st: st2(st),
                });
                Ok(())
            },
        )
    }

    /// A comparison writes whole bytes, bitwise operations read lanes of two: where the last lane may be half written,
    /// the mask is cleared first.
    fn clear_last_lane(&mut self, work: &Work) -> Done {
        if work
            .cols
            .known()
            .is_some_and(|cols| !(1..=8).contains(&(cols % 16)))
        {
            return Ok(());
        }
        let cols = self.ceil_div(work.cols, 16)?;
        let lanes = Work {
            dst: Place {
                bits: 16,
                ..work.dst
            },
            cols,
            ..*work
        };
        let (ty, scalar) = (VecTy::F16, VecScalar::Imm(0));
        self.lanewise(lanes, &[], ty, &|sel, at, rep, st| {
            let (dst, st) = (Out::at(at[0]), st1(st));
            sel.push(inst::Vdup {
                ty,
                dst,
                scalar,
                rep,
                st,
            });
            Ok(())
        })?;
        self.push(inst::Bar { pipe: PipeOp::V });
        Ok(())
    }

    /// `mask ? b : c`; the machine moves bits, so any type of the width will do.
    fn choose(&mut self, work: Work, [mask, b, c]: [Operand; 3], elem: Elem) -> Done {
        let ty = self.width_ty(elem)?;
        let shape = Shape {
            lanes: ty.lanes() as i64,
            tails: false,
            by_columns: false,
        };
        let mask = self
            .place(mask)?
            .ok_or_else(|| self.missing("a selection without a mask"))?;
        let (a, b) = (
            self.place_or_block(b, ty, 0)?,
            self.place_or_block(c, ty, 1)?,
        );
        let extents = [work.rows, work.cols];
        self.matrix(
            &[work.dst, mask, a, b],
            shape,
            extents,
            work.most_rows,
            &|sel, at, rep, st| {
                let (dst, mask, a, b) =
                    (Out::at(at[0]), In::at(at[1]), In::at(at[2]), In::at(at[3]));
                let st = StSel(st3(&[st[0], st[2], st[3]]));
                sel.push(inst::Vsel {
                    ty,
                    dst,
                    mask,
                    a,
                    b,
                    rep,
                    st,
                });
                Ok(())
            },
        )
    }

    fn width_ty(&self, elem: Elem) -> Result<VecTy, Diagnostic> {
        match elem.bytes() {
            2 => Ok(VecTy::F16),
            4 => Ok(VecTy::F32),
            _ => Err(self.missing("a selection of elements of this size")),
        }
    }

    /// Bits as lanes of 16: columns of a mask or of bytes are rounded up, those of words count twice.
    fn half_lanes(&mut self, work: Work, operands: &mut [Place]) -> Result<Work, Diagnostic> {
        let bits = work.dst.bits;
        let cols = match bits {
            1 => self.ceil_div(work.cols, 16)?,
            8 => self.ceil_div(work.cols, 2)?,
            _ => self.scaled(work.cols, bits / 16, Num::Const(0))?,
        };
        operands.iter_mut().for_each(|place| place.bits = 16);
        Ok(Work {
            dst: Place {
                bits: 16,
                ..work.dst
            },
            cols,
            ..work
        })
    }

    fn bitwise(&mut self, work: Work, op: EwOp, [a, b]: [Operand; 2], elem: Elem) -> Done {
        let wide = if elem.bytes() == 4 {
            VecTy::F32
        } else {
            VecTy::F16
        };
        let (a, b) = (self.doubled(a, elem)?, self.doubled(b, elem)?);
        let a = self.block_or(a, wide, 0)?;
        let mut places = match op {
            EwOp::Not => vec![a],
            _ => vec![a, self.block_or(b, wide, 1)?],
        };
        let work = self.half_lanes(work, &mut places)?;
        self.lanewise(work, &places, VecTy::F16, &|sel, at, rep, st| {
            let (dst, a) = (Out::at(at[0]), In::at(at[1]));
            match op {
                EwOp::Not => sel.push(inst::Vnot {
                    dst,
                    a,
                    rep,
                    st: st2(st),
                }),
                EwOp::And => sel.push(inst::Vand {
                    dst,
                    a,
                    b: In::at(at[2]),
                    rep,
                    st: st3(st),
                }),
                _ => sel.push(inst::Vor {
                    dst,
                    a,
                    b: In::at(at[2]),
                    rep,
                    st: st3(st),
                }),
            }
            Ok(())
        })
    }

    fn block_or(&mut self, operand: Doubled, ty: VecTy, number: i64) -> Result<Place, Diagnostic> {
        match operand {
            Doubled::Place(operand) => self.place_or_block(operand, ty, number),
            Doubled::Bits(bits) => self.place_or_block(Operand::Bits(bits), ty, number),
        }
    }

    /// A scalar of less than 16 bits, repeated to fill a lane.
    fn doubled(&self, operand: Operand, elem: Elem) -> Result<Doubled, Diagnostic> {
        let Some(scalar) = self.vec_scalar(operand)? else {
            return Ok(Doubled::Place(operand));
        };
        match (scalar, elem) {
            (VecScalar::Imm(bits), Elem::Bool) => {
                Ok(Doubled::Bits(if bits & 1 == 0 { 0 } else { 0xffff }))
            }
            (VecScalar::Imm(bits), Elem::I8 | Elem::U8) => Ok(Doubled::Bits((bits & 0xff) * 0x101)),
            (VecScalar::Reg(_), Elem::Bool | Elem::I8 | Elem::U8) => {
                Err(self.missing("a scalar of a byte or less that is known at run time alone"))
            }
            (_, Elem::F32 | Elem::F16 | Elem::Bf16 | Elem::I64 | Elem::I32 | Elem::I16) => {
                Ok(Doubled::Place(operand))
            }
        }
    }

    fn copy(&mut self, work: Work, a: Operand, elem: Elem) -> Done {
        if elem == Elem::I64 {
            return Err(self.missing("a copy of 8-byte elements"));
        }
        let narrow = elem.bytes() < 2;
        let ty = if elem.bytes() == 4 {
            VecTy::F32
        } else {
            VecTy::F16
        };
        if let Some(place) = self.place(a)? {
            let mut places = [place];
            let work = if narrow {
                self.half_lanes(work, &mut places)?
            } else {
                work
            };
            return self.lanewise(work, &places, ty, &|sel, at, rep, st| {
                sel.push(inst::Vcopy {
                    ty,
                    dst: Out::at(at[0]),
                    a: In::at(at[1]),
                    rep,
                    st: st2(st),
                });
                Ok(())
            });
        }
        let scalar = match self.doubled(a, elem)? {
            Doubled::Bits(bits) => VecScalar::Imm(bits),
            Doubled::Place(operand) => self
                .vec_scalar(operand)?
                .ok_or_else(|| self.missing("this operand"))?,
        };
        let work = if narrow {
            self.half_lanes(work, &mut [])?
        } else {
            work
        };
        self.lanewise(work, &[], ty, &|sel, at, rep, st| {
            sel.push(inst::Vdup {
                ty,
                dst: Out::at(at[0]),
                scalar,
                rep,
                st: st1(st),
            });
            Ok(())
        })
    }

    /// A conversion, with the overflow mode of CTRL changed around it where it is not the usual one.
    fn cast(
        &mut self,
        work: Work,
        a: Operand,
        [src, dst]: [Elem; 2],
        round: Round,
        overflow: Overflow,
    ) -> Done {
        if src == dst {
            return self.copy(work, a, dst);
        }
        let ctrl = match overflow {
            Overflow::Saturate => Spr::CTRL_RESET,
            Overflow::Keep => Spr::CTRL_RESET | Spr::CTRL_KEEP_INF,
            Overflow::Wrap => Spr::CTRL_RESET & !Spr::CTRL_SATURATE,
        };
        let changes = ctrl != Spr::CTRL_RESET
            && matches!(
                dst,
                Elem::F16 | Elem::Bf16 | Elem::I32 | Elem::I16 | Elem::I8 | Elem::U8
            );
        if changes {
            self.control(ctrl)?;
        }
        self.convert(work, a, [src, dst], round)?;
        if changes {
            self.control(Spr::CTRL_RESET)?;
        }
        Ok(())
    }

    fn control(&mut self, bits: u64) -> Done {
        let mark = self.homes.mark();
        let src = self.xval(Num::Const(bits as i64))?;
        self.push(inst::Wrspr {
            spr: Spr::Ctrl,
            src,
        });
        self.homes.cut(mark);
        Ok(())
    }

    fn convert(&mut self, work: Work, a: Operand, [src, dst]: [Elem; 2], round: Round) -> Done {
        let kind = ConvKind::new(src, dst, round).or_else(|| ConvKind::exact(src, dst));
        let kind = kind.ok_or_else(|| self.missing("this conversion"))?;
        let a = self
            .place(a)?
            .ok_or_else(|| self.missing("a conversion of a scalar"))?;
        let shape = Shape {
            lanes: REPEAT / src.bytes().max(dst.bytes()) as i64,
            tails: true,
            by_columns: true,
        };
        self.matrix(
            &[work.dst, a],
            shape,
            [work.rows, work.cols],
            work.most_rows,
            &|sel, at, rep, st| {
                sel.push(inst::Vconv {
                    kind,
                    dst: Out::at(at[0]),
                    a: In::at(at[1]),
                    rep,
                    st: st2(st),
                });
                Ok(())
            },
        )
    }
}

/// An operand of a bitwise operation: as it is, or a constant filled up to 16 bits.
enum Doubled {
    Place(Operand),
    Bits(u32),
}

/// -1 in a lane type.
const fn minus_one(ty: VecTy) -> u32 {
    match ty {
        VecTy::F16 => 0xbc00,
        VecTy::F32 => 0xbf80_0000,
        VecTy::S16 => 0xffff,
        VecTy::S32 => 0xffff_ffff,
    }
}

/// The comparison with its operands exchanged.
const fn flipped(cond: Cond) -> Cond {
    match cond {
        Cond::Eq => Cond::Eq,
        Cond::Ne => Cond::Ne,
        Cond::Lt => Cond::Gt,
        Cond::Le => Cond::Ge,
        Cond::Gt => Cond::Lt,
        Cond::Ge => Cond::Le,
    }
}

fn st1(st: &[Stride]) -> St1 {
    St1 {
        dst_blk: st[0].blk,
        dst_rep: st[0].rep,
    }
}

fn st2(st: &[Stride]) -> St2 {
    St2 {
        dst_blk: st[0].blk,
        a_blk: st[1].blk,
        dst_rep: st[0].rep,
        a_rep: st[1].rep,
    }
}

pub(super) fn st3(st: &[Stride]) -> St3 {
    St3 {
        dst_blk: st[0].blk,
        a_blk: st[1].blk,
        b_blk: st[2].blk,
        dst_rep: st[0].rep,
        a_rep: st[1].rep,
        b_rep: st[2].rep,
    }
}
