//! Vector operations on whole buffers: their extents are what the operands hold, and the result holds as much.

use diag::Span;
use ir::tile::{Arg, Buf, Operand, View};
use isa::num;
use isa::types::Elem;
use syntax::ast::Name;
use syntax::tile_ast::{TileStmt, TileStmtKind};

use super::extents::Extent;
use super::{Loader, wrong};

impl Loader {
    /// As much as the first whole operand holds; constants fill all of the result.
    pub(super) fn ew_size(
        &mut self,
        dst: Buf,
        operands: &[Operand],
        span: Span,
    ) -> Option<[Arg; 2]> {
        let mut found: Option<[Extent; 2]> = None;
        for operand in operands {
            let Operand::Full(view) = operand else {
                continue;
            };
            let own = self.extents_of(view.buf);
            self.same_shape((dst, None), (view.buf, &own), span)?;
            found.get_or_insert(own);
        }
        if found.is_none() {
            found = self.broadcast(dst, operands);
        }
        let extents = found.unwrap_or_else(|| {
            let data = self.data(dst);
            [Extent::whole(data.rows), Extent::whole(data.cols)]
        });
        let size = self.extent_args(&extents, span)?;
        self.extents.insert(dst, extents);
        Some(size)
    }

    /// Of operands that are used for every row or column: as many columns or rows as they have.
    fn broadcast(&self, dst: Buf, operands: &[Operand]) -> Option<[Extent; 2]> {
        let data = self.data(dst);
        let (mut rows, mut cols) = (Extent::whole(data.rows), Extent::whole(data.cols));
        let mut any = false;
        for operand in operands {
            match operand {
                Operand::EachRow(view) => {
                    let [_, held] = self.extents_of(view.buf);
                    (cols, any) = (held, true);
                }
                Operand::EachCol(view) => {
                    let [held, _] = self.extents_of(view.buf);
                    (rows, any) = (held, true);
                }
                Operand::Full(_) | Operand::Bits(_) | Operand::Scalar(_) => {}
            }
        }
        any.then_some([rows, cols])
    }

    fn same_shape(
        &mut self,
        (dst, wanted): (Buf, Option<[i64; 2]>),
        (src, held): (Buf, &[Extent; 2]),
        span: Span,
    ) -> Option<()> {
        let data = self.data(dst);
        let [rows, cols] = wanted.unwrap_or([data.rows, data.cols]);
        if held[0].most <= rows && held[1].most <= cols {
            return Some(());
        }
        let (name, other) = (data.name.clone(), self.data(src).clone());
        let left = format!("`{name}` is {rows} × {cols}");
        let right = format!("`{}` is {} × {}", other.name, held[0].most, held[1].most);
        let what = "the result has no room";
        self.diagnostics
            .push(wrong::shape(what, (&left, span), (&right, other.span)));
        None
    }

    /// A column of blocks with one for each element of a row.
    pub(super) fn spread_size(&mut self, dst: Buf, src: Buf, span: Span) -> Option<[Arg; 1]> {
        let [_, held] = self.extents_of(src);
        let cols = self.data(dst).cols;
        let extents = [held, Extent::whole(cols)];
        self.same_shape((dst, None), (src, &extents), span)?;
        let size = self.extent_arg(&extents[0], span)?;
        self.extents.insert(dst, extents);
        Some([size])
    }

    /// A transpose takes whole buffers.
    pub(super) fn transpose_size(&mut self, dst: Buf, src: Buf) -> [Arg; 2] {
        let (rows, cols) = (self.data(src).rows, self.data(src).cols);
        let [held_rows, held_cols] = self.extents_of(src);
        self.extents.insert(dst, [held_cols, held_rows]);
        [Arg::Const(rows), Arg::Const(cols)]
    }

    pub(super) fn accumulate_size(&mut self, acc: Buf, src: Buf, span: Span) -> Option<[Arg; 2]> {
        let held = self.extents_of(src);
        let cols = self.data(acc).cols;
        let lanes = [held[0].clone(), Extent::whole(cols)];
        self.same_shape((acc, None), (src, &lanes), span)?;
        let size = self.extent_args(&held, span)?;
        self.extents.insert(acc, lanes);
        Some(size)
    }

    /// A row with one element for each row of lanes.
    pub(super) fn lanes_size(&mut self, dst: Buf, acc: Buf, span: Span) -> Option<[Arg; 1]> {
        let [held, _] = self.extents_of(acc);
        let extents = [Extent::whole(1), held];
        self.same_shape((dst, None), (acc, &extents), span)?;
        let size = self.extent_arg(&extents[1], span)?;
        self.extents.insert(dst, extents);
        Some([size])
    }

    /// A number in the type of the first operand, or of the result.
    pub(super) fn float_bits(&mut self, text: &Name, before: &[Operand], dst: View) -> Option<u32> {
        let typed = before.iter().find_map(|operand| match operand {
            Operand::Full(view) | Operand::EachRow(view) | Operand::EachCol(view) => Some(view.buf),
            Operand::Bits(_) | Operand::Scalar(_) => None,
        });
        let elem = self.data(typed.unwrap_or(dst.buf)).elem;
        let value: Option<f64> = text.text.replace(char::is_whitespace, "").parse().ok();
        let (round, overflow) = (num::Round::Even, num::Overflow::Saturate);
        let bits = value.and_then(|value| match elem {
            Elem::F32 => Some((value as f32).to_bits()),
            Elem::F16 => Some(u32::from(num::f64_to_f16(value, round, overflow))),
            Elem::Bf16 => Some(u32::from(num::f64_to_bf16(value, round, overflow))),
            Elem::I64 | Elem::I32 | Elem::I16 | Elem::I8 | Elem::U8 | Elem::Bool => None,
        });
        if bits.is_none() {
            let message = format!("`{}` is no `{elem}`", text.text);
            self.problem(text.span, &message, "not of the type of the operands");
        }
        bits
    }

    /// A pipelined loop overlaps its turns: what it fills has two copies.
    pub(super) fn check_copies(&mut self, body: &[TileStmt], span: Span) {
        for stmt in body {
            let (TileStmtKind::Copy { dst, .. } | TileStmtKind::Receive { dst, .. }) = &stmt.kind
            else {
                continue;
            };
            let Some(buf) = self.bufs.get(&dst.text) else {
                continue;
            };
            let data = self.data(*buf);
            if data.depth > 1 {
                continue;
            }
            let message = format!("a pipelined loop fills `{}`, which has one copy", dst.text);
            let error = wrong::extent(message, dst.span, "no second copy to fill meanwhile")
                .label(data.span, "declared here")
                .label(span, "this loop")
                .help(format!("declare it with two: `{}[2][…]`", data.elem));
            self.diagnostics.push(error);
        }
    }
}
