//! Elements that data names: the index of each is read back from the unified buffer and checked by scalar code.
//!
//! Where the index is the same for a whole row and the row lies in consecutive elements, one DMA brings it. An index out
//! of range divides by zero, which is a fault of the machine; with a border it takes the border.

use super::convert::{storage, storage_bits};
use super::lanes::solid;
use super::{Emitter, Kind, Loaded, Result, Val, element};
use crate::tiling::access;
use crate::tiling::builder::Builder;
use ir::algo::{self, Affine, CmpOp, Expr, ExprKind, Index};
use ir::tile::{Arg, Op, ScalarOp};
use isa::types::Elem;
use std::collections::BTreeMap;

/// A gather of the algorithm.
struct Gather {
    tensor: algo::Tensor,
    dim: usize,
    at: Vec<Affine>,
    index: Val,
    border: bool,
}

impl Emitter<'_> {
    /// The value of a gather.
    pub(super) fn gather(&mut self, expr: Expr) -> Result<Val> {
        let elem = self.algo.exprs[expr].elem;
        let (loaded, kind) = self.gather_raw(expr)?;
        let val = self.as_computed(elem, kind, loaded.buf);
        match loaded.beyond {
            None => Ok(val),
            Some(otherwise) => {
                let inside = self.gathered_inside(expr, kind)?;
                self.b.span = self.algo.exprs[expr].span;
                self.select(elem, inside, val, otherwise)
            }
        }
    }

    /// A gather as it lies in memory, and what it varies with.
    pub(super) fn gather_raw(&mut self, expr: Expr) -> Result<(Loaded, Kind)> {
        let kind = solid(self.kind(expr));
        let (gather, border) = self.gather_of(expr)?;
        let elem = self.algo.tensors[gather.tensor].elem;
        let otherwise = match border {
            None => None,
            Some(e) => Some(self.value(e)?),
        };
        let constant = match otherwise {
            None => Some(0),
            Some(Val::Bits(bits)) => Some(storage_bits(bits, elem)),
            Some(Val::Scalar(Arg::Const(x))) => Some(x),
            Some(Val::Scalar(Arg::Val(_)) | Val::Buf(..)) => None,
        };
        let dst = self.dma_buf("g", kind, storage(elem));
        if kind == Kind::Row {
            self.clear_rows(dst, elem);
        }
        if self.gathers_rows(&gather, kind) {
            self.load_named_rows(&gather, dst);
        } else {
            self.poke_named(&gather, kind, dst, constant.unwrap_or(0));
        }
        let beyond = otherwise.filter(|_| constant.is_none());
        Ok((Loaded { buf: dst, beyond }, kind))
    }

    fn gather_of(&mut self, expr: Expr) -> Result<(Gather, Option<Expr>)> {
        let ExprKind::Gather {
            tensor,
            index,
            dim,
            at,
            border,
        } = self.algo.exprs[expr].kind.clone()
        else {
            return Err(crate::errors::not_compiled(
                self.b.span,
                "this access is not compiled yet",
            ));
        };
        let gather = Gather {
            tensor,
            dim,
            at: at.to_vec(),
            index: self.value(index)?,
            border: border.is_some(),
        };
        Ok((gather, border))
    }

    /// Whether the index is the same along a row whose elements are consecutive.
    fn gathers_rows(&self, gather: &Gather, kind: Kind) -> bool {
        let along_rows = matches!(Self::kind_of(gather.index), Kind::Uniform | Kind::Row);
        let Some(linear) = access::flatten(self.algo, gather.tensor, &gather.at) else {
            return false;
        };
        let unit = access::collapse(&self.strides(&linear, false));
        kind == Kind::Full && along_rows && !gather.border && unit == Some(1)
    }

    /// One load a row.
    fn load_named_rows(&mut self, gather: &Gather, dst: ir::tile::Buf) {
        let gm = self.gm_tensor(gather.tensor);
        let rows = self.extent.row_count;
        let (zero, cols) = (Arg::Const(0), self.extent.col_count);
        self.for_loop(0, rows, 1, |e, r| {
            let env = e.environment(Some(r), Some(zero));
            let (offset, ok) = e.named_offset(gather, (zero, r, zero), &env);
            let at = e.proved(offset, ok);
            e.b.push(Op::Load {
                dst: element(dst, r, zero),
                tensor: gm,
                at,
                rows: Arg::Const(1),
                cols,
                pitch: Arg::Const(0),
            });
        });
    }

    fn poke_named(&mut self, gather: &Gather, kind: Kind, dst: ir::tile::Buf, otherwise: i64) {
        let gm = self.gm_tensor(gather.tensor);
        self.each_element((kind, false), |e, cell, env| {
            let (row, col) = cell;
            let position = match kind {
                Kind::Row => (Arg::Const(0), col, Arg::Const(0)),
                Kind::Col => (Arg::Const(0), Arg::Const(0), col),
                Kind::Full | Kind::Uniform => (Arg::Const(0), row, col),
            };
            let (offset, ok) = e.named_offset(gather, position, &env);
            let dst = element(dst, row, col);
            let take = |b: &mut Builder, at: Arg| {
                let value = b.func.add_value();
                b.push(Op::Peek {
                    dst: value,
                    tensor: gm,
                    at,
                });
                b.push(Op::Poke {
                    dst,
                    value: Arg::Val(value),
                });
            };
            if !gather.border {
                let at = e.proved(offset, ok);
                return take(&mut e.b, at);
            }
            e.b.if_else(
                ok,
                |b| take(b, offset),
                |b| {
                    b.push(Op::Poke {
                        dst,
                        value: Arg::Const(otherwise),
                    });
                },
            );
        });
    }

    /// The mask of elements whose coordinates are all in range.
    fn gathered_inside(&mut self, expr: Expr, kind: Kind) -> Result<Val> {
        let (gather, _) = self.gather_of(expr)?;
        let dst = self.dma_buf("g", kind, Elem::I32);
        if kind == Kind::Row {
            self.clear_rows(dst, Elem::I32);
        }
        self.each_element((kind, false), |e, (row, col), env| {
            let zero = Arg::Const(0);
            let position = match kind {
                Kind::Row => (zero, col, zero),
                Kind::Col => (zero, zero, col),
                Kind::Full | Kind::Uniform => (zero, row, col),
            };
            let (_, ok) = e.named_offset(&gather, position, &env);
            let dst = element(dst, row, col);
            e.b.push(Op::Poke { dst, value: ok });
        });
        let one = Val::Scalar(Arg::Const(1));
        Ok(self.compare_ints(CmpOp::Eq, Val::Buf(kind, dst), one))
    }

    /// The flat offset of an element, and whether it is in range.
    fn named_offset(
        &mut self,
        gather: &Gather,
        (zero, row, col): (Arg, Arg, Arg),
        env: &BTreeMap<Index, Arg>,
    ) -> (Arg, Arg) {
        let named = match gather.index {
            Val::Bits(bits) => Arg::Const(i64::from(bits.cast_signed())),
            Val::Scalar(arg) => arg,
            Val::Buf(kind, buf) => {
                let src = match kind {
                    Kind::Row => element(buf, zero, row),
                    Kind::Col | Kind::Uniform => element(buf, zero, col),
                    Kind::Full => element(buf, row, col),
                };
                let raw = self.b.func.add_value();
                self.b.push(Op::PeekBuf { dst: raw, src });
                self.sign_extend(Arg::Val(raw), 32)
            }
        };
        let shape = self.algo.tensors[gather.tensor].shape.clone();
        let mut offset = Arg::Const(0);
        let mut ok = Arg::Const(1);
        let pitches = access::pitches(&shape);
        for (d, (coordinate, pitch)) in gather.at.iter().zip(pitches).enumerate() {
            let mut value = self.affine_arg(coordinate, env);
            if d == gather.dim {
                value = self.b.add(value, named);
            }
            if d == gather.dim || gather.border {
                let extent = shape.get(d).copied().unwrap_or(1);
                let low = self.b.cmp(CmpOp::Ge, value, 0);
                let high = self.b.cmp(CmpOp::Lt, value, extent);
                let inside = self.b.scalar(ScalarOp::And, low, high);
                ok = match ok {
                    Arg::Const(1) => inside,
                    Arg::Const(_) | Arg::Val(_) => self.b.scalar(ScalarOp::And, ok, inside),
                };
            }
            let term = self.b.mul(value, pitch);
            offset = self.b.add(offset, term);
        }
        (offset, ok)
    }

    /// The offset, or a fault if it is not in range: the quotient by whether it is.
    fn proved(&mut self, offset: Arg, ok: Arg) -> Arg {
        let one = self.b.div(1, ok);
        self.b.mul(offset, one)
    }
}
