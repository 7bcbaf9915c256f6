//! Indices and elements of tensors as values: what DMA can bring.

use super::convert::storage;
use super::lanes::solid;
use super::{Emitter, Internal, Kind, Loaded, Place, Result, Val, decode, element, low_bits, rep};
use crate::errors;
use crate::tiling::access::{self, Linear};
use crate::tiling::builder::{Shape, whole};
use ir::algo::{self, Affine, Expr, ExprKind, Index};
use ir::tile::{self, Arg, Buf, EwOp, Op, Operand, ScalarOp};
use isa::types::{Elem, Layout, Space};

/// Rows and columns of what is transposed are multiples of this.
pub(crate) const SQUARE: i64 = 16;

impl Emitter<'_> {
    pub(super) fn index_value(&mut self, index: Index) -> Result<Val> {
        match self.place.get(&index).copied() {
            Some(Place::Row(d)) => {
                let (extents, start) = (self.extent.rows.clone(), self.extent.row0);
                Ok(self.iota(Kind::Row, &extents, d, start))
            }
            Some(Place::Col(d)) => {
                let (extents, start) = (self.extent.cols.clone(), self.extent.col0);
                Ok(self.iota(Kind::Col, &extents, d, start))
            }
            Some(Place::Fixed(arg)) => Ok(Val::Scalar(arg)),
            None => Err(errors::not_compiled(
                self.b.span,
                "an index in this place is not compiled yet",
            )),
        }
    }

    pub(super) fn iota(&mut self, kind: Kind, extents: &[i64], dim: usize, start: Arg) -> Val {
        if extents.get(dim) == Some(&1) {
            return Val::Scalar(Arg::Const(0));
        }
        let dst = self.temp(kind, Elem::I32);
        let dims = self.dims(kind);
        if extents.iter().filter(|&&e| e > 1).count() <= 1 {
            let first = match start {
                Arg::Const(x) => Operand::Bits(low_bits(x)),
                Arg::Val(v) => Operand::Scalar(v),
            };
            self.b.ew(EwOp::Iota, dst, first, None, dims);
            return Val::Buf(kind, dst);
        }
        let extents = extents.to_vec();
        self.b.ew(EwOp::Copy, dst, Operand::Bits(0), None, dims);
        let count = if kind == Kind::Row {
            self.extent.row_count
        } else {
            self.extent.col_count
        };
        self.b.for_loop(0, count, 1, |b, c| {
            let at = b.add(start, c);
            let value = decode(b, at, &extents)[dim];
            let dst = element(dst, Arg::Const(0), Arg::Val(c));
            b.push(Op::Poke { dst, value });
        });
        Val::Buf(kind, dst)
    }

    pub(super) fn load(
        &mut self,
        expr: Expr,
        tensor: algo::Tensor,
        at: &[Affine],
        border: Option<Expr>,
    ) -> Result<Val> {
        match self.internal.get(&tensor).copied() {
            Some(Internal::Map(value)) => return self.value(value),
            Some(Internal::Ready(val, _)) => return Ok(val),
            Some(Internal::Pending(_)) => {
                return Err(errors::not_compiled(
                    self.algo.exprs[expr].span,
                    "a use of this reduction before it is complete is not compiled yet",
                ));
            }
            Some(Internal::Block { .. }) => return Ok(self.block_value(tensor)),
            None => {}
        }
        let kind = self.kind_at(at);
        if kind == Kind::Uniform
            && border.is_none()
            && let Some(linear) = access::flatten(self.algo, tensor, at)
        {
            return Ok(self.load_uniform(tensor, &linear));
        }
        let elem = self.algo.tensors[tensor].elem;
        let kind = solid(kind);
        let loaded = self.load_raw(tensor, at, border, kind)?;
        let val = self.as_computed(elem, kind, loaded.buf);
        match loaded.beyond {
            None => Ok(val),
            Some(otherwise) => {
                let inside = self.inside_mask(tensor, at, kind);
                self.b.span = self.algo.exprs[expr].span;
                self.select(elem, inside, val, otherwise)
            }
        }
    }

    /// An access as it lies in memory, by DMA if it can be.
    pub(super) fn load_raw(
        &mut self,
        tensor: algo::Tensor,
        at: &[Affine],
        border: Option<Expr>,
        kind: Kind,
    ) -> Result<Loaded> {
        if border.is_none()
            && let Some(linear) = access::flatten(self.algo, tensor, at)
        {
            let streamed = self.stream(tensor, &linear, kind);
            if let Some(buf) = streamed.or_else(|| self.across(tensor, &linear, kind)) {
                return Ok(Loaded { buf, beyond: None });
            }
        }
        self.poke_loads(tensor, at, border, kind)
    }

    /// An access over the whole block: as it lies in memory, and as it is computed with.
    pub(crate) fn block_of(&mut self, expr: Expr) -> Result<(Buf, Val)> {
        let ExprKind::Load { tensor, at, border } = self.algo.exprs[expr].kind.clone() else {
            return Err(errors::not_compiled(
                self.algo.exprs[expr].span,
                "an access in this place is not compiled yet",
            ));
        };
        let loaded = self.load_raw(tensor, &at, border, Kind::Full)?;
        let elem = self.algo.tensors[tensor].elem;
        let val = self.as_computed(elem, Kind::Full, loaded.buf);
        Ok((loaded.buf, val))
    }

    /// A value in a buffer that can be stored. What is only moved keeps its storage form, and so all its bits.
    pub(crate) fn stored_form(&mut self, elem: Elem, kind: Kind, value: Expr) -> Result<Buf> {
        if let ExprKind::Gather { .. } = &self.algo.exprs[value].kind
            && storage(elem) != rep(elem)
            && self.kind(value) == kind
        {
            let (loaded, _) = self.gather_raw(value)?;
            if loaded.beyond.is_none() {
                return Ok(loaded.buf);
            }
        }
        if let ExprKind::Load { tensor, at, border } = self.algo.exprs[value].kind.clone() {
            match self.internal.get(&tensor).copied() {
                Some(Internal::Map(inner)) => return self.stored_form(elem, kind, inner),
                Some(Internal::Ready(..) | Internal::Pending(_) | Internal::Block { .. }) => {}
                None => {
                    let own = self.kind_at(&at);
                    let one_row = self.extent.cap_rows == 1 && own == Kind::Col;
                    if storage(elem) != rep(elem) && (own == kind || one_row) {
                        let loaded = self.load_raw(tensor, &at, border, own)?;
                        if loaded.beyond.is_none() {
                            return Ok(loaded.buf);
                        }
                    }
                }
            }
        }
        let val = self.value(value)?;
        Ok(self.as_stored(elem, kind, val))
    }

    pub(super) fn kind_at(&self, at: &[Affine]) -> Kind {
        at.iter()
            .map(|a| self.affine_kind(a))
            .fold(Kind::Uniform, Kind::join)
    }

    pub(super) fn gm_tensor(&self, tensor: algo::Tensor) -> tile::Tensor {
        let found = self.gm.get(&tensor).copied();
        debug_assert!(
            found.is_some(),
            "partition: tensors of other steps are in global memory"
        );
        found.unwrap_or(tile::Tensor::from_u32(0))
    }

    /// The part of an offset that the code knows as a scalar.
    pub(super) fn base(&mut self, linear: &Linear) -> Arg {
        let mut base = Arg::Const(linear.constant);
        for (index, stride) in &linear.strides {
            if let Some(Place::Fixed(arg)) = self.place.get(index).copied() {
                let term = self.b.mul(arg, *stride);
                base = self.b.add(base, term);
            }
        }
        base
    }

    pub(super) fn load_uniform(&mut self, tensor: algo::Tensor, linear: &Linear) -> Val {
        let elem = self.algo.tensors[tensor].elem;
        let at = self.base(linear);
        let dst = self.b.func.add_value();
        let tensor = self.gm_tensor(tensor);
        self.b.push(Op::Peek { dst, tensor, at });
        let raw = Arg::Val(dst);
        Val::Scalar(match elem {
            Elem::Bf16 => self.b.scalar(ScalarOp::Shl, raw, Arg::Const(16)),
            Elem::I8 => self.sign_extend(raw, 8),
            Elem::I16 => self.sign_extend(raw, 16),
            Elem::I32 => self.sign_extend(raw, 32),
            Elem::F32 | Elem::F16 | Elem::I64 | Elem::U8 | Elem::Bool => raw,
        })
    }

    pub(super) fn sign_extend(&mut self, raw: Arg, bits: i64) -> Arg {
        let sign = self.b.scalar(ScalarOp::Shr, raw, Arg::Const(bits - 1));
        let weight = self.b.scalar(ScalarOp::Shl, sign, Arg::Const(bits));
        self.b.sub(raw, weight)
    }

    /// Loads by DMA what lies in rows of consecutive elements; `None` if it does not.
    pub(super) fn stream(
        &mut self,
        tensor: algo::Tensor,
        linear: &Linear,
        kind: Kind,
    ) -> Option<Buf> {
        let along_rows = access::collapse(&self.strides(linear, true));
        let along_cols = access::collapse(&self.strides(linear, false));
        let unit = match kind {
            Kind::Row => along_rows,
            Kind::Col | Kind::Full | Kind::Uniform => along_cols,
        };
        if unit != Some(1) {
            return None;
        }
        let elem = self.algo.tensors[tensor].elem;
        let gm = self.gm_tensor(tensor);
        let base = self.base(linear);
        let dst = self.dma_buf("x", kind, storage(elem));
        match (kind, along_rows) {
            (Kind::Row, _) => {
                self.clear_rows(dst, elem);
                let at = self.b.add(base, self.extent.row0);
                let (dst, cols) = (whole(dst), self.extent.row_count);
                self.b.push(Op::Load {
                    dst,
                    tensor: gm,
                    at,
                    rows: Arg::Const(1),
                    cols,
                    pitch: Arg::Const(0),
                });
            }
            (Kind::Full, Some(pitch)) if pitch > 0 && !self.overlaps(pitch) => {
                let (row0, col0) = (self.extent.row0, self.extent.col0);
                let down = self.b.mul(row0, pitch);
                let row = self.b.add(base, down);
                let at = self.b.add(row, col0);
                self.push_load(dst, gm, at, self.extent.row_count, Arg::Const(pitch));
            }
            (Kind::Full, _) => self.load_rows_apart(dst, gm, linear, base),
            (Kind::Col | Kind::Uniform, _) => {
                let at = self.b.add(base, self.extent.col0);
                self.push_load(dst, gm, at, Arg::Const(1), Arg::Const(0));
            }
        }
        Some(dst)
    }

    /// Loads by DMA what lies in columns of consecutive elements, and transposes it; `None` if it does not, or if the
    /// block is not one of whole squares.
    fn across(&mut self, tensor: algo::Tensor, linear: &Linear, kind: Kind) -> Option<Buf> {
        let elem = self.algo.tensors[tensor].elem;
        let along_rows = access::collapse(&self.strides(linear, true));
        let pitch = access::collapse(&self.strides(linear, false))?;
        let (rows, cols) = (self.extent.cap_rows, self.extent.cap_cols);
        let squares = rows % SQUARE == 0 && cols % SQUARE == 0;
        let movable = elem != Elem::Bool && matches!(elem.bytes(), 2 | 4);
        if kind != Kind::Full || along_rows != Some(1) || pitch <= 0 || !squares || !movable {
            return None;
        }
        let src = self.b.buf(
            "x",
            Shape {
                elem,
                space: Space::Ub,
                layout: Layout::Nd,
                depth: self.extent.depth,
                rows: cols,
                cols: rows,
            },
        );
        let (row_count, col_count) = (self.extent.row_count, self.extent.col_count);
        let whole_squares = |n: Arg| matches!(n, Arg::Const(n) if n % SQUARE == 0);
        let (all_rows, all_cols) = if whole_squares(row_count) && whole_squares(col_count) {
            (row_count, col_count)
        } else {
            // What a ragged block leaves out is transposed with the rest.
            let all = (Arg::Const(cols), Arg::Const(rows));
            self.b.ew(EwOp::Copy, src, Operand::Bits(0), None, all);
            (Arg::Const(rows), Arg::Const(cols))
        };
        let (base, tensor) = (self.base(linear), self.gm_tensor(tensor));
        let (row0, col0) = (self.extent.row0, self.extent.col0);
        let down = self.b.mul(col0, pitch);
        let at = self.b.add(base, down);
        let at = self.b.add(at, row0);
        self.b.push(Op::Load {
            dst: whole(src),
            tensor,
            at,
            rows: col_count,
            cols: row_count,
            pitch: Arg::Const(pitch),
        });
        let dst = self.temp(Kind::Full, elem);
        self.b.push(Op::Transpose {
            dst: whole(dst),
            src: whole(src),
            rows: all_cols,
            cols: all_rows,
        });
        Some(dst)
    }

    pub(super) fn push_load(
        &mut self,
        dst: Buf,
        tensor: tile::Tensor,
        at: Arg,
        rows: Arg,
        pitch: Arg,
    ) {
        let (dst, cols) = (whole(dst), self.extent.col_count);
        self.b.push(Op::Load {
            dst,
            tensor,
            at,
            rows,
            cols,
            pitch,
        });
    }

    /// Whether rows of a block so far apart share elements: no copy brings them together.
    fn overlaps(&self, pitch: i64) -> bool {
        let symbols = &self.algo.symbols;
        let width = self
            .extent
            .cols
            .iter()
            .try_fold(1_i64, |n, &extent| n.checked_mul(extent));
        let known = |n: i64| !symbols.is_symbolic(n);
        let width = width.filter(|&width| known(width)).unwrap_or(i64::MAX);
        known(pitch) && pitch < width.min(self.extent.cap_cols)
    }

    /// Rows that no single pitch reaches: one load a row.
    pub(super) fn load_rows_apart(
        &mut self,
        dst: Buf,
        tensor: tile::Tensor,
        linear: &Linear,
        base: Arg,
    ) {
        let strides = self.strides(linear, true);
        let extents = self.extent.rows.clone();
        let (row0, col0, cols) = (self.extent.row0, self.extent.col0, self.extent.col_count);
        let count = self.extent.row_count;
        self.b.for_loop(0, count, 1, |b, r| {
            let position = b.add(row0, r);
            let mut at = b.add(base, col0);
            for (value, (stride, _)) in decode(b, position, &extents).into_iter().zip(&strides) {
                let term = b.mul(value, *stride);
                at = b.add(at, term);
            }
            let dst = element(dst, Arg::Val(r), Arg::Const(0));
            b.push(Op::Load {
                dst,
                tensor,
                at,
                rows: Arg::Const(1),
                cols,
                pitch: Arg::Const(0),
            });
        });
    }

    /// Stride and extent of every row (or column) dimension.
    pub(super) fn strides(&self, linear: &Linear, rows: bool) -> Vec<(i64, i64)> {
        let extents = if rows {
            &self.extent.rows
        } else {
            &self.extent.cols
        };
        let mut dims: Vec<(i64, i64)> = extents.iter().map(|&e| (0, e)).collect();
        for (index, stride) in &linear.strides {
            match self.place.get(index) {
                Some(Place::Row(d)) if rows => dims[*d].0 += stride,
                Some(Place::Col(d)) if !rows => dims[*d].0 += stride,
                _ => {}
            }
        }
        dims
    }

    /// Row values are computed over their whole capacity, so what a load leaves out must hold something.
    pub(super) fn clear_rows(&mut self, dst: Buf, elem: Elem) {
        let complete = matches!(self.extent.row_count, Arg::Const(n) if n == self.row_capacity());
        if complete {
            return;
        }
        // A byte buffer is cleared as i8 through its load type; 16- and 32-bit types by a fill.
        if matches!(
            storage(elem),
            Elem::F32 | Elem::F16 | Elem::I32 | Elem::I16 | Elem::Bf16
        ) {
            let dims = (Arg::Const(1), Arg::Const(self.row_capacity()));
            self.b.ew(EwOp::Copy, dst, Operand::Bits(0), None, dims);
        } else {
            let capacity = self.row_capacity();
            self.b.for_loop(0, capacity, 1, |b, c| {
                let dst = element(dst, Arg::Const(0), Arg::Val(c));
                b.push(Op::Poke {
                    dst,
                    value: Arg::Const(0),
                });
            });
        }
    }
}
