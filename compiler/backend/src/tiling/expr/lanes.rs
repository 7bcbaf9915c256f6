//! Element-wise operations on buffers: extents, operands, broadcasts.

use super::{Emitter, Kind, Scope, Val, full, low_bits, round_up};
use crate::tiling::builder::{Shape, whole};
use ir::tile::{Arg, Buf, EwOp, FloatOp, Op, Operand, ScalarOp};
use isa::types::{Elem, Layout, Space};

/// Columns from which the only row's value is a scalar: what the scalar unit waits for is some tens of cycles, and every
/// second repeat would lose one (we choose).
const LEAST_PEEKED: i64 = 2048;

impl Emitter<'_> {
    /// Rows and columns that an operation on values of a kind covers.
    pub(super) fn dims(&self, kind: Kind) -> (Arg, Arg) {
        let columns = if self.extent.padded {
            Arg::Const(self.extent.cap_cols)
        } else {
            self.extent.col_count
        };
        match kind {
            Kind::Uniform => (Arg::Const(1), Arg::Const(8)),
            Kind::Row => (Arg::Const(1), Arg::Const(self.row_capacity())),
            Kind::Col => (Arg::Const(1), columns),
            Kind::Full => (self.extent.row_count, columns),
        }
    }

    /// All elements of a value of the rows.
    pub(crate) fn row_dims(&self) -> (Arg, Arg) {
        self.dims(Kind::Row)
    }

    /// Rows are held as one padded row of a buffer.
    pub(super) fn row_capacity(&self) -> i64 {
        round_up(self.extent.cap_rows, 16)
    }

    pub(super) fn shape(&self, kind: Kind, elem: Elem, depth: u32) -> Shape {
        let (rows, cols) = match kind {
            Kind::Uniform => (1, 16),
            Kind::Row => (1, self.row_capacity()),
            Kind::Col => (1, self.extent.cap_cols),
            Kind::Full => (self.extent.cap_rows, self.extent.cap_cols),
        };
        // Every row starts at a block: of masks, which are bits, and of bytes too.
        let cols = match elem {
            Elem::Bool => round_up(cols, 256),
            Elem::I8 | Elem::U8 => round_up(cols, 32),
            Elem::F32 | Elem::F16 | Elem::Bf16 | Elem::I64 | Elem::I32 | Elem::I16 => cols,
        };
        Shape {
            elem,
            space: Space::Ub,
            layout: Layout::Nd,
            depth,
            rows,
            cols,
        }
    }

    /// A fresh temporary.
    pub(crate) fn temp(&mut self, kind: Kind, elem: Elem) -> Buf {
        let shape = self.shape(kind, elem, 1);
        self.b.buf("t", shape)
    }

    pub(super) fn dma_buf(&mut self, role: &str, kind: Kind, elem: Elem) -> Buf {
        let shape = self.shape(kind, elem, self.extent.depth);
        self.b.buf(role, shape)
    }

    /// A buffer that DMA drains.
    pub(super) fn out_buf(&mut self, role: &str, kind: Kind, elem: Elem) -> Buf {
        let shape = self.shape(kind, elem, self.out_depth);
        self.b.buf(role, shape)
    }

    pub(super) fn ew1(&mut self, op: EwOp, rep: Elem, a: Val) -> Val {
        if let Some(val) = self.in_scalars(op, rep, a, None) {
            return val;
        }
        let kind = solid(Self::kind_of(a));
        let source = self.materialise(kind, rep, a);
        let dst = self.temp(kind, rep);
        let dims = self.dims(kind);
        self.b.ew(op, dst, full(source), None, dims);
        Val::Buf(kind, dst)
    }

    /// Two operands, broadcast to the wider kind. A constant or scalar stays one where the machine takes it.
    pub(super) fn ew2(&mut self, op: EwOp, rep: Elem, a: Val, b: Val) -> Val {
        let commutes = matches!(
            op,
            EwOp::Add | EwOp::Mul | EwOp::Max | EwOp::Min | EwOp::And | EwOp::Or
        );
        let (a, b) = if commutes && !matches!(a, Val::Buf(..)) {
            (b, a)
        } else {
            (a, b)
        };
        let kind = solid(Self::kind_of(a).join(Self::kind_of(b)));
        let takes_scalar = rep != Elem::Bool
            && matches!(
                op,
                EwOp::Add
                    | EwOp::Mul
                    | EwOp::Max
                    | EwOp::Min
                    | EwOp::Shl
                    | EwOp::Shr
                    | EwOp::Cmp(_)
            )
            && !(rep == Elem::I32 && matches!(op, EwOp::Cmp(_)));
        if let Some(val) = self.in_scalars(op, rep, a, Some(b)) {
            return val;
        }
        let peeks = self.peeks(rep)
            && matches!(kind, Kind::Full | Kind::Col)
            && matches!(
                op,
                EwOp::Add | EwOp::Sub | EwOp::Mul | EwOp::Max | EwOp::Min
            );
        let (a, b) = match peeks {
            true if commutes => self.row_second(a, b),
            true => (a, self.peeked(b)),
            false => (a, b),
        };
        let takes_scalar = takes_scalar || (peeks && matches!(b, Val::Scalar(Arg::Val(_))));
        let left = self.operand(kind, rep, a, false);
        let right = self.operand(kind, rep, b, takes_scalar);
        let to = if matches!(op, EwOp::Cmp(_)) {
            Elem::Bool
        } else {
            rep
        };
        let dst = self.temp(kind, to);
        let dims = self.dims(kind);
        self.b.ew(op, dst, left, Some(right), dims);
        Val::Buf(kind, dst)
    }

    /// An operation on values of a block's only row, done by the scalar unit: a chain of them on the vector unit starts and
    /// drains its pipe for each.
    fn in_scalars(&mut self, op: EwOp, rep: Elem, a: Val, b: Option<Val>) -> Option<Val> {
        let float = match (op, b) {
            (EwOp::Add, Some(_)) => FloatOp::Add,
            (EwOp::Sub, Some(_)) => FloatOp::Sub,
            (EwOp::Mul, Some(_)) => FloatOp::Mul,
            (EwOp::Div, Some(_)) => FloatOp::Div,
            (EwOp::Sqrt, None) => FloatOp::Sqrt,
            _ => return None,
        };
        let of_row = |val: Val| matches!(val, Val::Buf(Kind::Row, _) | Val::Scalar(Arg::Val(_)));
        let constant = |val: Val| matches!(val, Val::Bits(_));
        let all = [Some(a), b];
        let known = all.into_iter().flatten();
        if !self.peeks(rep)
            || !known.clone().all(|val| of_row(val) || constant(val))
            || !known.clone().any(of_row)
        {
            return None;
        }
        let mut arg = |val: Val| match self.peeked(val) {
            Val::Scalar(arg) => arg,
            Val::Bits(bits) => Arg::Const(i64::from(bits)),
            Val::Buf(..) => Arg::Const(0),
        };
        let (a, b) = (arg(a), b.map_or(Arg::Const(0), arg));
        let op = ScalarOp::Float(float);
        let dst = self.b.func.add_value();
        self.b.push(Op::Scalar { dst, op, a, b });
        Some(Val::Scalar(Arg::Val(dst)))
    }

    /// Whether values of rows are for the scalar unit: there is one row, and many repeats read each.
    fn peeks(&self, rep: Elem) -> bool {
        let wide = matches!(self.extent.col_count, Arg::Const(cols) if cols >= LEAST_PEEKED);
        wide && self.extent.cap_rows == 1 && rep == Elem::F32
    }

    /// Of two operands of a wide operation that commute, the value of a block's only row comes second.
    fn row_second(&mut self, a: Val, b: Val) -> (Val, Val) {
        match (self.peeked(a), self.peeked(b)) {
            (Val::Scalar(first), second @ Val::Buf(..)) => (second, Val::Scalar(first)),
            (first, second) => (first, second),
        }
    }

    /// The value of a block's only row as the scalar unit reads it: a scalar operand meets no bank, while a block that
    /// every repeat reads is half of the time in the groups of the other source.
    fn peeked(&mut self, val: Val) -> Val {
        let Val::Buf(Kind::Row, source) = val else {
            return val;
        };
        let key = source.as_u32();
        let known = |scope: &Scope| scope.peeked.get(&key).copied();
        if let Some(done) = self.scopes.iter().rev().find_map(known) {
            return Val::Scalar(Arg::Val(done));
        }
        let dst = self.b.func.add_value();
        let src = whole(source);
        self.b.push(Op::PeekBuf { dst, src });
        if let Some(scope) = self.scopes.last_mut() {
            scope.peeked.insert(key, dst);
        }
        Val::Scalar(Arg::Val(dst))
    }

    /// In a block of one row, what varies with the column is what varies with both.
    pub(super) fn in_one_row(&self, kind: Kind, val: Val) -> Val {
        match (kind, val) {
            (Kind::Full, Val::Buf(Kind::Col, buf)) | (Kind::Col, Val::Buf(Kind::Full, buf))
                if self.extent.cap_rows == 1 =>
            {
                Val::Buf(kind, buf)
            }
            (
                Kind::Uniform | Kind::Row | Kind::Col | Kind::Full,
                Val::Buf(..) | Val::Bits(_) | Val::Scalar(_),
            ) => val,
        }
    }

    /// A value as an operand of an operation of a kind.
    pub(super) fn operand(&mut self, kind: Kind, rep: Elem, val: Val, scalar: bool) -> Operand {
        match self.in_one_row(kind, val) {
            Val::Bits(bits) if scalar => Operand::Bits(bits),
            Val::Scalar(Arg::Const(x)) if scalar => Operand::Bits(low_bits(x)),
            Val::Scalar(Arg::Val(v)) if scalar => Operand::Scalar(v),
            Val::Buf(k, buf) if k == kind => full(buf),
            Val::Buf(Kind::Col, buf) => Operand::EachRow(whole(buf)),
            Val::Buf(Kind::Row, buf) => Operand::EachCol(whole(self.spread(rep, buf))),
            Val::Bits(_) | Val::Scalar(_) | Val::Buf(Kind::Uniform | Kind::Full, _) => {
                full(self.materialise(kind, rep, val))
            }
        }
    }

    /// A value as a buffer of a kind.
    pub(crate) fn materialise(&mut self, kind: Kind, rep: Elem, val: Val) -> Buf {
        match self.in_one_row(kind, val) {
            Val::Buf(k, buf) if k == kind => buf,
            Val::Bits(bits) => self.fill(kind, rep, Operand::Bits(bits)),
            Val::Scalar(Arg::Const(x)) => self.fill(kind, rep, Operand::Bits(low_bits(x))),
            Val::Scalar(Arg::Val(v)) => self.fill(kind, rep, Operand::Scalar(v)),
            Val::Buf(..) => {
                let source = self.operand(kind, rep, val, false);
                let dst = self.temp(kind, rep);
                let dims = self.dims(kind);
                self.b.ew(EwOp::Copy, dst, source, None, dims);
                dst
            }
        }
    }

    pub(super) fn fill(&mut self, kind: Kind, rep: Elem, value: Operand) -> Buf {
        let dst = self.temp(kind, rep);
        let dims = self.dims(kind);
        self.b.ew(EwOp::Copy, dst, value, None, dims);
        dst
    }

    /// A row value with one block per row, for use in full operations.
    pub(crate) fn spread(&mut self, rep: Elem, source: Buf) -> Buf {
        let key = source.as_u32();
        if let Some(done) = self.scopes.iter().rev().find_map(|s| s.spread.get(&key)) {
            return *done;
        }
        let block = 32 / i64::try_from(rep.bytes()).unwrap_or(4);
        let shape = Shape {
            elem: rep,
            space: Space::Ub,
            layout: Layout::Nd,
            depth: 1,
            rows: round_up(self.extent.cap_rows, 8),
            cols: block,
        };
        let dst = self.b.buf("s", shape);
        let rows = self.extent.row_count;
        self.b.push(Op::Spread {
            dst: whole(dst),
            src: whole(source),
            rows,
        });
        if let Some(scope) = self.scopes.last_mut() {
            scope.spread.insert(key, dst);
        }
        dst
    }
}

/// Vector code works on buffers, so a uniform value is held like a row.
pub(super) fn solid(kind: Kind) -> Kind {
    if kind == Kind::Uniform {
        Kind::Row
    } else {
        kind
    }
}
