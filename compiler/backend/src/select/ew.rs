//! Which instruction an element-wise operation is.
//!
//! Arithmetic is here; [`super::masks`] has what works on bits, [`super::convert`] what changes types or counts.
//! A scalar goes into the instruction where it has a form for it. Elsewhere it is first written to a block of its own
//! at the end of UB, which the instruction then reads for all lanes.

use diag::Diagnostic;
use ir::tile::{Arg, EwOp, Func, Op, Operand, View};
use isa::inst::{self, In, Out, PipeOp, Rep, St1, VecScalar, VecTy, XVal};
use isa::types::{BLOCK_BYTES, Elem};

use super::code::Num;
use super::masks::Bitwise;
use super::vector::{Place, Shape, st2, st3};
use super::{Done, Sel};

/// Scalars that one operation may have in blocks of their own.
const SCRATCH_BLOCKS: i64 = 2;

/// Bytes at the end of UB that the operations of a function need for scalars.
pub fn scratch_bytes(func: &Func) -> u64 {
    let needs = func.insts.values().any(|data| needs_block(&data.op));
    if needs {
        SCRATCH_BLOCKS as u64 * BLOCK_BYTES
    } else {
        0
    }
}

fn needs_block(op: &Op) -> bool {
    let Op::Ew { op, a, b, c, .. } = op else {
        return false;
    };
    let operands = [Some(a), b.as_ref(), c.as_ref()];
    let scalars = operands.into_iter().flatten().filter(|o| is_scalar(o));
    let scalars = scalars.count();
    scalars > 0 && !has_scalar_form(*op, is_scalar(a), scalars)
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

/// Operations on two buffers.
#[derive(Copy, Clone)]
enum Two {
    Add,
    Sub,
    Mul,
    Div,
    Max,
    Min,
}

/// Operations on a buffer and a scalar.
#[derive(Copy, Clone)]
enum WithScalar {
    Add,
    Mul,
    Max,
    Min,
    Shl,
    Shr,
}

/// Operations on one buffer.
#[derive(Copy, Clone)]
enum One {
    Neg,
    Abs,
    Exp,
    Ln,
    Sqrt,
    Relu,
}

/// An element-wise operation with its operands placed.
pub(super) struct Work {
    pub(super) dst: Place,
    pub(super) rows: Num,
    pub(super) cols: Num,
    pub(super) most_rows: i64,
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
        let arity = 1 + usize::from(b.is_some()) + usize::from(c.is_some());
        let b = b.unwrap_or(a);
        let missing = || Err(self.missing("this operation of the vector unit"));
        match (op, arity) {
            (EwOp::Copy, 1) => self.copy(work, a, data.elem),
            (EwOp::Iota, 1) => self.iota(work, a, data.elem),
            (EwOp::Cast(round, overflow), 1) => {
                self.cast(work, a, [elem, data.elem], round, overflow)
            }
            (EwOp::Round(round), 1) => self.convert(work, a, [elem, elem], round),
            (EwOp::Neg, 1) => self.unary(work, One::Neg, a, elem),
            (EwOp::Abs, 1) => self.unary(work, One::Abs, a, elem),
            (EwOp::Exp, 1) => self.unary(work, One::Exp, a, elem),
            (EwOp::Ln, 1) => self.unary(work, One::Ln, a, elem),
            (EwOp::Sqrt, 1) => self.unary(work, One::Sqrt, a, elem),
            (EwOp::Relu, 1) => self.unary(work, One::Relu, a, elem),
            (EwOp::Not, 1) => self.bitwise(work, Bitwise::Not, a, elem),
            (EwOp::And, 2) => self.bitwise(work, Bitwise::And(b), a, elem),
            (EwOp::Or, 2) => self.bitwise(work, Bitwise::Or(b), a, elem),
            (EwOp::Add, 2) => self.binary(work, Two::Add, Some(WithScalar::Add), [a, b], elem),
            (EwOp::Mul, 2) => self.binary(work, Two::Mul, Some(WithScalar::Mul), [a, b], elem),
            (EwOp::Max, 2) => self.binary(work, Two::Max, Some(WithScalar::Max), [a, b], elem),
            (EwOp::Min, 2) => self.binary(work, Two::Min, Some(WithScalar::Min), [a, b], elem),
            (EwOp::Sub, 2) => self.subtract(work, [a, b], elem),
            (EwOp::Div, 2) => self.binary(work, Two::Div, None, [a, b], elem),
            (EwOp::Shl, 2) => self.shift(work, WithScalar::Shl, [a, b], elem),
            (EwOp::Shr, 2) => self.shift(work, WithScalar::Shr, [a, b], elem),
            (EwOp::Cmp(cmp), 2) => self.compare(work, cmp, [a, b], elem),
            (EwOp::Select, 3) => self.choose(work, [a, b, c.unwrap_or(b)], data.elem),
            _ => missing(),
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

    pub(super) fn vec_ty(&self, elem: Elem) -> Result<VecTy, Diagnostic> {
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
    pub(super) fn vec_scalar(&mut self, operand: Operand) -> Result<Option<VecScalar>, Diagnostic> {
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
    pub(super) fn place_or_block(
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

    /// An operation with a scalar form, if any, where one operand is a scalar; the operands of those commute.
    fn binary(
        &mut self,
        work: Work,
        op: Two,
        form: Option<WithScalar>,
        [a, b]: [Operand; 2],
        elem: Elem,
    ) -> Done {
        let ty = self.vec_ty(elem)?;
        match (form, self.vec_scalar(a)?, self.vec_scalar(b)?) {
            (Some(form), Some(scalar), None) => self.with_scalar(work, form, b, scalar, ty),
            (Some(form), None, Some(scalar)) => self.with_scalar(work, form, a, scalar, ty),
            _ => {
                let a = self.place_or_block(a, ty, 0)?;
                let b = self.place_or_block(b, ty, 1)?;
                self.two_places(work, op, [a, b], ty)
            }
        }
    }

    fn subtract(&mut self, work: Work, [a, b]: [Operand; 2], elem: Elem) -> Done {
        let ty = self.vec_ty(elem)?;
        match (self.vec_scalar(a)?, self.vec_scalar(b)?) {
            (None, Some(scalar)) => {
                let scalar = self.negated(scalar, ty)?;
                self.with_scalar(work, WithScalar::Add, a, scalar, ty)
            }
            _ => self.binary(work, Two::Sub, None, [a, b], elem),
        }
    }

    fn shift(&mut self, work: Work, form: WithScalar, [a, b]: [Operand; 2], elem: Elem) -> Done {
        let ty = self.vec_ty(elem)?;
        let scalar = self.vec_scalar(b)?;
        let scalar = scalar.ok_or_else(|| self.missing("a shift by a buffer"))?;
        self.with_scalar(work, form, a, scalar, ty)
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
        op: WithScalar,
        a: Operand,
        scalar: VecScalar,
        ty: VecTy,
    ) -> Done {
        let a = self.place(a)?;
        let a = a.ok_or_else(|| self.missing("an operation on scalars alone"))?;
        self.lanewise(work, &[a], ty, &|sel, at, rep, st| {
            let (dst, a, st) = (Out::at(at[0]), In::at(at[1]), st2(st));
            match op {
                WithScalar::Add => sel.push(inst::Vadds {
                    ty,
                    dst,
                    a,
                    scalar,
                    rep,
                    st,
                }),
                WithScalar::Mul => sel.push(inst::Vmuls {
                    ty,
                    dst,
                    a,
                    scalar,
                    rep,
                    st,
                }),
                WithScalar::Max => sel.push(inst::Vmaxs {
                    ty,
                    dst,
                    a,
                    scalar,
                    rep,
                    st,
                }),
                WithScalar::Min => sel.push(inst::Vmins {
                    ty,
                    dst,
                    a,
                    scalar,
                    rep,
                    st,
                }),
                WithScalar::Shl => sel.push(inst::Vshl {
                    ty: ty.into(),
                    dst,
                    a,
                    scalar,
                    rep,
                    st,
                }),
                WithScalar::Shr => sel.push(inst::Vshr {
                    ty: ty.into(),
                    dst,
                    a,
                    scalar,
                    rep,
                    st,
                }),
            }
            Ok(())
        })
    }

    fn two_places(&mut self, work: Work, op: Two, places: [Place; 2], ty: VecTy) -> Done {
        self.lanewise(work, &places, ty, &|sel, at, rep, st| {
            let (dst, a, b, st) = (Out::at(at[0]), In::at(at[1]), In::at(at[2]), st3(st));
            match op {
                Two::Add => sel.push(inst::Vadd {
                    ty,
                    dst,
                    a,
                    b,
                    rep,
                    st,
                }),
                Two::Sub => sel.push(inst::Vsub {
                    ty,
                    dst,
                    a,
                    b,
                    rep,
                    st,
                }),
                Two::Mul => sel.push(inst::Vmul {
                    ty,
                    dst,
                    a,
                    b,
                    rep,
                    st,
                }),
                Two::Div => sel.push(inst::Vdiv {
                    ty,
                    dst,
                    a,
                    b,
                    rep,
                    st,
                }),
                Two::Max => sel.push(inst::Vmax {
                    ty,
                    dst,
                    a,
                    b,
                    rep,
                    st,
                }),
                Two::Min => sel.push(inst::Vmin {
                    ty,
                    dst,
                    a,
                    b,
                    rep,
                    st,
                }),
            }
            Ok(())
        })
    }

    /// An operation whose destination and sources have elements of one width.
    pub(super) fn lanewise(
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

    fn unary(&mut self, work: Work, op: One, a: Operand, elem: Elem) -> Done {
        let ty = self.vec_ty(elem)?;
        let a = self.place_or_block(a, ty, 0)?;
        let scalar = VecScalar::Imm(minus_one(ty));
        self.lanewise(work, &[a], ty, &|sel, at, rep, st| {
            let (dst, a, st) = (Out::at(at[0]), In::at(at[1]), st2(st));
            match op {
                // A product of f16 would saturate an infinity; as an integer the sign bit is turned by itself.
                One::Neg if ty == VecTy::F16 => sel.push(inst::Vadds {
                    ty: VecTy::S16,
                    dst,
                    a,
                    scalar: VecScalar::Imm(0x8000),
                    rep,
                    st,
                }),
                One::Neg => sel.push(inst::Vmuls {
                    ty,
                    dst,
                    a,
                    scalar,
                    rep,
                    st,
                }),
                One::Abs => sel.push(inst::Vabs {
                    ty,
                    dst,
                    a,
                    rep,
                    st,
                }),
                One::Exp => sel.push(inst::Vexp {
                    ty,
                    dst,
                    a,
                    rep,
                    st,
                }),
                One::Ln => sel.push(inst::Vln {
                    ty,
                    dst,
                    a,
                    rep,
                    st,
                }),
                One::Sqrt => sel.push(inst::Vsqrt {
                    ty,
                    dst,
                    a,
                    rep,
                    st,
                }),
                One::Relu => sel.push(inst::Vrelu {
                    ty,
                    dst,
                    a,
                    rep,
                    st,
                }),
            }
            Ok(())
        })
    }
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
