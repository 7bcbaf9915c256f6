//! Operations on bits: comparisons into masks, selections by masks, bitwise operations, copies.

use diag::Diagnostic;
use ir::algo::CmpOp;
use ir::tile::Operand;
use isa::inst::{self, Cond, In, Out, PipeOp, StSel, VecScalar, VecTy};
use isa::types::Elem;

use super::code::Num;
use super::ew::Work;
use super::flow::cond;
use super::vector::{Place, Shape, st1, st2, st3};
use super::{Done, Sel};

/// Operations on bits.
#[derive(Copy, Clone)]
pub(super) enum Bitwise {
    And(Operand),
    Or(Operand),
    Not,
}

impl Sel<'_> {
    pub(super) fn compare(
        &mut self,
        work: Work,
        cmp: CmpOp,
        [a, b]: [Operand; 2],
        elem: Elem,
    ) -> Done {
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
    pub(super) fn choose(&mut self, work: Work, [mask, b, c]: [Operand; 3], elem: Elem) -> Done {
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

    pub(super) fn bitwise(&mut self, work: Work, op: Bitwise, a: Operand, elem: Elem) -> Done {
        let wide = if elem.bytes() == 4 {
            VecTy::F32
        } else {
            VecTy::F16
        };
        let a = self.doubled(a, elem)?;
        let mut places = vec![self.block_or(a, wide, 0)?];
        if let Bitwise::And(b) | Bitwise::Or(b) = op {
            let b = self.doubled(b, elem)?;
            places.push(self.block_or(b, wide, 1)?);
        }
        let work = self.half_lanes(work, &mut places)?;
        self.lanewise(work, &places, VecTy::F16, &|sel, at, rep, st| {
            let (dst, a) = (Out::at(at[0]), In::at(at[1]));
            match op {
                Bitwise::Not => sel.push(inst::Vnot {
                    dst,
                    a,
                    rep,
                    st: st2(st),
                }),
                Bitwise::And(_) => sel.push(inst::Vand {
                    dst,
                    a,
                    b: In::at(at[2]),
                    rep,
                    st: st3(st),
                }),
                Bitwise::Or(_) => sel.push(inst::Vor {
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
    fn doubled(&mut self, operand: Operand, elem: Elem) -> Result<Doubled, Diagnostic> {
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

    pub(super) fn copy(&mut self, work: Work, a: Operand, elem: Elem) -> Done {
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
}

/// An operand of a bitwise operation: as it is, or a constant filled up to 16 bits.
enum Doubled {
    Place(Operand),
    Bits(u32),
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
