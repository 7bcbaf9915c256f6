//! `i4`: two elements to a byte along the last dimension, the first in the low half, rows padded to whole bytes.
//!
//! Only parameters and results are packed, and they are tensors of `u8` from here on. A load takes its half out of the
//! byte, as `i8`; what is read in other ways (borders, gathers) reads a tensor of `i8` that is unpacked once. A result
//! is computed as `i8` and packed behind the last statement. Nothing below the front end knows of `i4`.

use super::{Binding, Frame, Lower, Lowered, Slot, Stop, Target, View};
use crate::affine;
use crate::errors::{sizes, types};
use crate::hir::{Local, LocalId};
use diag::Span;
use ir::algo::{
    Affine, BinaryOp, CmpOp, Def, Expr, ExprKind, Index, Overflow, Role, Round, Tensor,
};
use isa::types::Elem;

/// A packed parameter.
#[derive(Clone, Debug)]
pub(super) struct Packed {
    /// Its extents in elements.
    shape: Vec<i64>,
    span: Span,
    /// The unpacked tensor, if anything needed it.
    wide: Option<Tensor>,
}

/// A packed result: the tensor of bytes, and the local that is computed.
pub(super) struct PackedResult {
    tensor: Tensor,
    local: LocalId,
    shape: Vec<i64>,
}

impl<'a> Lower<'a> {
    /// The tensor of bytes of a parameter or result.
    fn bytes_tensor(&mut self, local: &Local, shape: &[i64], role: Role) -> Lowered<Tensor> {
        let mut bytes = shape.to_vec();
        let Some(last) = bytes.last_mut() else {
            return self.stop(types::i4_alone(&local.name, local.span));
        };
        *last = *last / 2 + *last % 2;
        self.tensor(local.name.clone(), Elem::U8, &bytes, role, local.span)
    }

    pub(super) fn packed_param(&mut self, local: &Local, shape: Vec<i64>) -> Lowered<Tensor> {
        let tensor = self.bytes_tensor(local, &shape, Role::Param)?;
        let packed = Packed {
            shape,
            span: local.span,
            wide: None,
        };
        self.packed.insert(tensor, packed);
        Ok(tensor)
    }

    /// Declares a result; what defines it goes to a tensor of `i8`.
    pub(super) fn packed_result(
        &mut self,
        f: &mut Frame<'a>,
        id: LocalId,
        shape: Vec<i64>,
    ) -> Lowered<Tensor> {
        let local = &f.item.body[id];
        let tensor = self.bytes_tensor(local, &shape, Role::Result)?;
        let target = Target {
            tensor: None,
            name: format!("{}.wide", local.name),
        };
        f.targets.insert(id, target);
        self.packed_results.push(PackedResult {
            tensor,
            local: id,
            shape,
        });
        Ok(tensor)
    }

    /// Defines the results that are packed.
    pub(super) fn pack_results(&mut self, f: &mut Frame<'a>) -> Lowered<()> {
        for result in std::mem::take(&mut self.packed_results) {
            self.pack_result(f, &result)?;
        }
        Ok(())
    }

    fn pack_result(&mut self, f: &mut Frame<'a>, result: &PackedResult) -> Lowered<()> {
        let span = f.item.body[result.local].span;
        let Some(Binding::View(wide)) = f.locals[result.local.0].clone() else {
            return Err(Stop);
        };
        let bytes = self.func.tensors[result.tensor].shape.clone();
        let own: Vec<Index> = (bytes.iter().enumerate())
            .map(|(n, extent)| self.index(&format!("i{n}"), *extent, span))
            .collect();
        let low = self.half_of(f, &wide, &own, (0, result), span)?;
        let high = self.half_of(f, &wide, &own, (1, result), span)?;
        let four = self.integer(4, Elem::U8, span)?;
        let high = self.node(ExprKind::Binary(BinaryOp::Shl, high, four), Elem::U8, span)?;
        let value = self.node(ExprKind::Binary(BinaryOp::Or, low, high), Elem::U8, span)?;
        self.func.defs.push(Def {
            target: result.tensor,
            indices: own.into_iter().collect(),
            value,
            span,
        });
        Ok(())
    }

    /// The low four bits of the first or second element of a byte; beyond the row they are 0.
    fn half_of(
        &mut self,
        f: &Frame<'a>,
        wide: &View,
        own: &[Index],
        (half, result): (i64, &PackedResult),
        span: Span,
    ) -> Lowered<Expr> {
        let mut at: Vec<Affine> = own.iter().map(|index| Affine::index(*index)).collect();
        let last = at.last_mut().and_then(|last| {
            let twice = affine::scale(last, 2)?;
            *last = affine::add_scaled(&twice, &Affine::constant(half), 1)?;
            Some(last.clone())
        });
        let (Some(last), Some(extent)) = (last, result.shape.last()) else {
            return self.stop(sizes::size_overflow(span, "this index expression"));
        };
        let border = match self.stays_inside(&last, *extent) {
            true => None,
            false => Some(self.integer(0, Elem::I8, span)?),
        };
        let value = self.load(f, wide, &at, border, span)?;
        let value = self.convert(value, Overflow::Wrap, Elem::U8, span)?;
        let mask = self.integer(15, Elem::U8, span)?;
        self.node(ExprKind::Binary(BinaryOp::And, value, mask), Elem::U8, span)
    }

    /// An element of a packed tensor at its coordinates, as `i8`.
    pub(super) fn load_packed(
        &mut self,
        tensor: Tensor,
        coordinates: &[Affine],
        span: Span,
    ) -> Lowered<Expr> {
        let extent = |index| self.func.indices[index].extent;
        let parts = coordinates.split_last().and_then(|(last, rows)| {
            let byte = affine::div(last, 2, &extent)?;
            Some((rows, byte, affine::rem(last, 2, &extent)?))
        });
        let Some((rows, byte, half)) = parts else {
            return self.stop(sizes::size_overflow(span, "this index expression"));
        };
        let load = ExprKind::Load {
            tensor,
            at: rows.iter().cloned().chain([byte]).collect(),
            border: None,
        };
        let byte = self.node(load, Elem::U8, span)?;
        let mask = self.integer(15, Elem::U8, span)?;
        let low = self.node(ExprKind::Binary(BinaryOp::And, byte, mask), Elem::U8, span)?;
        let four = self.integer(4, Elem::U8, span)?;
        let high = self.node(ExprKind::Binary(BinaryOp::Shr, byte, four), Elem::U8, span)?;
        let half = self.form_value(&half, span)?;
        let zero = self.integer(0, Elem::I64, span)?;
        let first = self.node(ExprKind::Compare(CmpOp::Eq, half, zero), Elem::Bool, span)?;
        let bits = self.node(ExprKind::Select(first, low, high), Elem::U8, span)?;
        self.signed(bits, span)
    }

    /// The value of four bits: with the sign's bit flipped they count from -8.
    fn signed(&mut self, bits: Expr, span: Span) -> Lowered<Expr> {
        let eight = self.integer(8, Elem::U8, span)?;
        let flipped = self.node(ExprKind::Binary(BinaryOp::Xor, bits, eight), Elem::U8, span)?;
        let value = self.convert(flipped, Overflow::Wrap, Elem::I8, span)?;
        let eight = self.integer(8, Elem::I8, span)?;
        self.node(
            ExprKind::Binary(BinaryOp::Sub, value, eight),
            Elem::I8,
            span,
        )
    }

    /// The tensor to read instead of a packed one.
    pub(super) fn unpacked(&mut self, f: &Frame<'a>, view: &View) -> Lowered<View> {
        let Some(packed) = self.packed.get(&view.tensor).cloned() else {
            return Ok(view.clone());
        };
        let wide = match packed.wide {
            Some(wide) => wide,
            None => {
                let wide = self.unpack(f, view.tensor, &packed)?;
                if let Some(packed) = self.packed.get_mut(&view.tensor) {
                    packed.wide = Some(wide);
                }
                wide
            }
        };
        let at = view.at.clone();
        Ok(View { tensor: wide, at })
    }

    fn unpack(&mut self, f: &Frame<'a>, tensor: Tensor, packed: &Packed) -> Lowered<Tensor> {
        let span = packed.span;
        let own: Vec<Index> = (packed.shape.iter().enumerate())
            .map(|(n, extent)| self.index(&format!("i{n}"), *extent, span))
            .collect();
        let at: Vec<Affine> = own.iter().map(|index| Affine::index(*index)).collect();
        let slots = own.iter().map(|_| Slot::Open).collect();
        let bytes = View { tensor, at: slots };
        let value = self.load(f, &bytes, &at, None, span)?;
        let name = format!("{}.wide", self.func.tensors[tensor].name);
        Ok(self.store(value, &[], &own, name, span)?.tensor)
    }

    /// A value as `i4`, in a byte.
    pub(super) fn narrow(
        &mut self,
        value: Expr,
        (round, overflow): (Round, Overflow),
        span: Span,
    ) -> Lowered<Expr> {
        let mut value = value;
        if self.func.exprs[value].elem != Elem::I8 {
            let kind = ExprKind::Cast {
                value,
                round,
                overflow,
            };
            value = self.node(kind, Elem::I8, span)?;
        }
        if overflow == Overflow::Wrap {
            let bits = self.convert(value, Overflow::Wrap, Elem::U8, span)?;
            let mask = self.integer(15, Elem::U8, span)?;
            let bits = self.node(ExprKind::Binary(BinaryOp::And, bits, mask), Elem::U8, span)?;
            return self.signed(bits, span);
        }
        let least = self.integer(-8, Elem::I8, span)?;
        let value = self.node(
            ExprKind::Binary(BinaryOp::Max, value, least),
            Elem::I8,
            span,
        )?;
        let greatest = self.integer(7, Elem::I8, span)?;
        self.node(
            ExprKind::Binary(BinaryOp::Min, value, greatest),
            Elem::I8,
            span,
        )
    }

    fn convert(
        &mut self,
        value: Expr,
        overflow: Overflow,
        elem: Elem,
        span: Span,
    ) -> Lowered<Expr> {
        let kind = ExprKind::Cast {
            value,
            round: Round::Even,
            overflow,
        };
        self.node(kind, elem, span)
    }
}
