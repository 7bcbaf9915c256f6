//! Conversions between element types, and counting.

use ir::algo::{Overflow, Round};
use ir::tile::Operand;
use isa::inst::{self, Addr, ConvKind, In, Out, Rep, Spr};
use isa::types::Elem;

use super::code::Num;
use super::ew::Work;
use super::vector::{LaneState, Place, REPEAT, Shape, Stride, st1, st2};
use super::{Done, Sel};

impl Sel<'_> {
    pub(super) fn iota(&mut self, work: Work, a: Operand, elem: Elem) -> Done {
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
        self.row_loop(&[dst], work.rows, None, |sel, ats| {
            let row = Place { at: ats[0], ..dst };
            sel.matrix(&[row], shape, [Num::Const(1), cols], 1, &emit)
        })
    }

    /// A conversion, with the overflow mode of CTRL changed around it where it is not the usual one.
    pub(super) fn cast(
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

    pub(super) fn control(&mut self, bits: u64) -> Done {
        let mark = self.homes.mark();
        let src = self.xval(Num::Const(bits as i64))?;
        self.push(inst::Wrspr {
            spr: Spr::Ctrl,
            src,
        });
        // A bit of CTRL is count mode, which this leaves.
        if matches!(self.lanes, LaneState::Count(_)) {
            self.lanes = LaneState::Unknown;
        }
        self.homes.cut(mark);
        Ok(())
    }

    pub(super) fn convert(
        &mut self,
        work: Work,
        a: Operand,
        [src, dst]: [Elem; 2],
        round: Round,
    ) -> Done {
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
