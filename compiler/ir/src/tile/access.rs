//! What an operation uses: scalars, nested blocks, buffers it reads and writes.
//!
//! One exhaustive match each, shared by the verifier, the evaluator and passes.

use smallvec::SmallVec;

use super::{Arg, Block, Buf, FixCast, Op, Operand, Tensor, Value, View};

impl Op {
    /// The value that the operation defines for the rest of its block. A loop's variable is not one: it is visible in
    /// the body alone.
    pub fn defines(&self) -> Option<Value> {
        match self {
            Op::Scalar { dst, .. }
            | Op::Query { dst, .. }
            | Op::Peek { dst, .. }
            | Op::PeekBuf { dst, .. }
            | Op::Acquire { dst, .. }
            | Op::Take { dst, .. } => Some(*dst),
            Op::For { .. }
            | Op::If { .. }
            | Op::Next { .. }
            | Op::Poke { .. }
            | Op::Load { .. }
            | Op::Store { .. }
            | Op::LoadTile { .. }
            | Op::LoadWindow { .. }
            | Op::LoadWords { .. }
            | Op::Mad { .. }
            | Op::Drain { .. }
            | Op::Ew { .. }
            | Op::Spread { .. }
            | Op::Transpose { .. }
            | Op::Gather { .. }
            | Op::Sort { .. }
            | Op::Accumulate { .. }
            | Op::BlockReduce { .. }
            | Op::Lanes { .. }
            | Op::Publish { .. }
            | Op::Release { .. }
            | Op::SetFlag { .. }
            | Op::WaitFlag { .. }
            | Op::Barrier { .. }
            | Op::SyncAll
            | Op::SetCross { .. }
            | Op::WaitCross { .. } => None,
        }
    }

    /// The blocks nested directly in the operation, in order.
    pub fn blocks(&self) -> SmallVec<[Block; 2]> {
        let mut blocks = SmallVec::new();
        if let Op::For { body, .. } = self {
            blocks.push(*body);
        }
        if let Op::If { then, els, .. } = self {
            blocks.push(*then);
            blocks.extend(*els);
        }
        blocks
    }

    /// Every scalar operand, those of views included.
    pub fn args(&self) -> SmallVec<[Arg; 12]> {
        let mut args: SmallVec<[Arg; 12]> = SmallVec::new();
        for view in self.views() {
            args.extend([view.row, view.col]);
        }
        match self {
            Op::Scalar { a, b, .. } => args.extend([*a, *b]),
            Op::For { lo, hi, .. } => args.extend([*lo, *hi]),
            Op::If { cond, .. } => args.push(*cond),
            Op::Peek { at, .. } => args.push(*at),
            Op::Poke { value, .. } => args.push(*value),
            Op::Load {
                at,
                rows,
                cols,
                pitch,
                ..
            }
            | Op::Store {
                at,
                rows,
                cols,
                pitch,
                ..
            }
            | Op::Drain {
                at,
                rows,
                cols,
                pitch,
                ..
            } => args.extend([*at, *rows, *cols, *pitch]),
            Op::LoadTile { rows, cols, .. }
            | Op::Transpose { rows, cols, .. }
            | Op::Gather { rows, cols, .. }
            | Op::Sort { rows, cols, .. }
            | Op::BlockReduce { rows, cols, .. }
            | Op::Accumulate { rows, cols, .. } => args.extend([*rows, *cols]),
            Op::LoadWindow {
                rows, cols, window, ..
            } => {
                args.extend([*rows, *cols]);
                args.extend(window.args());
            }
            Op::LoadWords { cols, .. } => args.push(*cols),
            Op::Mad { m, k, n, init, .. } => args.extend([*m, *k, *n, *init]),
            Op::Ew {
                a,
                b,
                c,
                rows,
                cols,
                ..
            } => {
                for operand in [Some(*a), *b, *c].into_iter().flatten() {
                    if let Operand::Scalar(value) = operand {
                        args.push(Arg::Val(value));
                    }
                }
                args.extend([*rows, *cols]);
            }
            Op::Spread { rows, .. } | Op::Lanes { rows, .. } => args.push(*rows),
            Op::Query { .. }
            | Op::Next { .. }
            | Op::PeekBuf { .. }
            | Op::Acquire { .. }
            | Op::Publish { .. }
            | Op::Take { .. }
            | Op::Release { .. }
            | Op::SetFlag { .. }
            | Op::WaitFlag { .. }
            | Op::Barrier { .. }
            | Op::SyncAll
            | Op::SetCross { .. }
            | Op::WaitCross { .. } => {}
        }
        args
    }

    /// Shows every scalar operand that is an [`Arg`] to `visit`, which may change it. Operands that are values by
    /// their kind ([`Operand::Scalar`]), and what a window is made of, are left out.
    pub fn visit_args(&mut self, visit: &mut dyn FnMut(&mut Arg)) {
        match self {
            Op::Scalar { a, b, .. } => [a, b].into_iter().for_each(visit),
            Op::For { lo, hi, .. } => [lo, hi].into_iter().for_each(visit),
            Op::If { cond, .. } => visit(cond),
            Op::Peek { at, .. } => visit(at),
            Op::PeekBuf { src, .. } => src.visit_args(visit),
            Op::Poke { dst, value } => {
                dst.visit_args(visit);
                visit(value);
            }
            Op::Load {
                dst: view,
                at,
                rows,
                cols,
                pitch,
                ..
            }
            | Op::Store {
                src: view,
                at,
                rows,
                cols,
                pitch,
                ..
            } => {
                view.visit_args(visit);
                [at, rows, cols, pitch].into_iter().for_each(visit);
            }
            Op::Drain {
                at,
                rows,
                cols,
                pitch,
                cast,
                ..
            } => {
                [at, rows, cols, pitch].into_iter().for_each(&mut *visit);
                if let FixCast::Requant(words) = cast {
                    words.visit_args(visit);
                }
            }
            Op::LoadWindow {
                src, rows, cols, ..
            }
            | Op::LoadTile {
                src, rows, cols, ..
            } => {
                src.visit_args(visit);
                [rows, cols].into_iter().for_each(visit);
            }
            Op::LoadWords { src, cols, .. } => {
                src.visit_args(visit);
                visit(cols);
            }
            Op::Mad { m, k, n, init, .. } => [m, k, n, init].into_iter().for_each(visit),
            Op::Ew {
                dst,
                a,
                b,
                c,
                rows,
                cols,
                ..
            } => {
                dst.visit_args(visit);
                for operand in [Some(a), b.as_mut(), c.as_mut()].into_iter().flatten() {
                    if let Operand::Full(v) | Operand::EachRow(v) | Operand::EachCol(v) = operand {
                        v.visit_args(visit);
                    }
                }
                [rows, cols].into_iter().for_each(visit);
            }
            Op::Spread { dst, src, rows }
            | Op::Lanes {
                dst,
                acc: src,
                rows,
                ..
            } => {
                dst.visit_args(visit);
                src.visit_args(visit);
                visit(rows);
            }
            Op::Transpose {
                dst,
                src,
                rows,
                cols,
            }
            | Op::BlockReduce {
                dst,
                src,
                rows,
                cols,
                ..
            }
            | Op::Accumulate {
                acc: dst,
                src,
                rows,
                cols,
                ..
            } => {
                dst.visit_args(visit);
                src.visit_args(visit);
                [rows, cols].into_iter().for_each(visit);
            }
            Op::Gather {
                dst,
                src: one,
                at: other,
                rows,
                cols,
            }
            | Op::Sort {
                dst,
                keys: one,
                places: other,
                rows,
                cols,
            } => {
                [dst, one, other]
                    .into_iter()
                    .for_each(|view| view.visit_args(visit));
                [rows, cols].into_iter().for_each(visit);
            }
            Op::Query { .. }
            | Op::Next { .. }
            | Op::Acquire { .. }
            | Op::Publish { .. }
            | Op::Take { .. }
            | Op::Release { .. }
            | Op::SetFlag { .. }
            | Op::WaitFlag { .. }
            | Op::Barrier { .. }
            | Op::SyncAll
            | Op::SetCross { .. }
            | Op::WaitCross { .. } => {}
        }
    }

    /// The buffers whose contents the operation reads; an accumulator is read and written.
    pub fn reads(&self) -> SmallVec<[Buf; 4]> {
        let mut bufs: SmallVec<[Buf; 4]> = SmallVec::new();
        match self {
            Op::PeekBuf { src, .. }
            | Op::Store { src, .. }
            | Op::LoadTile { src, .. }
            | Op::LoadWindow { src, .. }
            | Op::LoadWords { src, .. }
            | Op::Spread { src, .. }
            | Op::BlockReduce { src, .. }
            | Op::Transpose { src, .. } => bufs.push(src.buf),
            Op::Gather { src, at, .. } => bufs.extend([src.buf, at.buf]),
            Op::Sort { keys, places, .. } => bufs.extend([keys.buf, places.buf]),
            Op::Mad { c, a, b, init, .. } => {
                bufs.extend([*a, *b]);
                if *init != Arg::Const(1) {
                    bufs.push(*c);
                }
            }
            Op::Drain { src, cast, .. } => {
                bufs.push(*src);
                if let FixCast::Requant(words) = cast {
                    bufs.push(words.buf);
                }
            }
            Op::Ew { a, b, c, .. } => {
                let operands = [Some(*a), *b, *c].into_iter().flatten();
                bufs.extend(operands.filter_map(Operand::view).map(|view| view.buf));
            }
            Op::Accumulate { acc, src, .. } => bufs.extend([acc.buf, src.buf]),
            Op::Lanes { acc, .. } => bufs.push(acc.buf),
            Op::Scalar { .. }
            | Op::Query { .. }
            | Op::For { .. }
            | Op::If { .. }
            | Op::Next { .. }
            | Op::Peek { .. }
            | Op::Poke { .. }
            | Op::Load { .. }
            | Op::Acquire { .. }
            | Op::Publish { .. }
            | Op::Take { .. }
            | Op::Release { .. }
            | Op::SetFlag { .. }
            | Op::WaitFlag { .. }
            | Op::Barrier { .. }
            | Op::SyncAll
            | Op::SetCross { .. }
            | Op::WaitCross { .. } => {}
        }
        bufs
    }

    /// The buffer that the operation writes.
    pub fn writes(&self) -> Option<Buf> {
        match self {
            Op::Poke { dst, .. } | Op::Load { dst, .. } | Op::Ew { dst, .. } => Some(dst.buf),
            Op::Spread { dst, .. }
            | Op::Transpose { dst, .. }
            | Op::Gather { dst, .. }
            | Op::Sort { dst, .. }
            | Op::BlockReduce { dst, .. }
            | Op::Lanes { dst, .. } => Some(dst.buf),
            Op::LoadTile { dst, .. } | Op::LoadWindow { dst, .. } | Op::LoadWords { dst, .. } => {
                Some(*dst)
            }
            Op::Mad { c, .. } => Some(*c),
            Op::Accumulate { acc, .. } => Some(acc.buf),
            Op::Scalar { .. }
            | Op::Query { .. }
            | Op::For { .. }
            | Op::If { .. }
            | Op::Next { .. }
            | Op::Peek { .. }
            | Op::PeekBuf { .. }
            | Op::Store { .. }
            | Op::Drain { .. }
            | Op::Acquire { .. }
            | Op::Publish { .. }
            | Op::Take { .. }
            | Op::Release { .. }
            | Op::SetFlag { .. }
            | Op::WaitFlag { .. }
            | Op::Barrier { .. }
            | Op::SyncAll
            | Op::SetCross { .. }
            | Op::WaitCross { .. } => None,
        }
    }

    /// The tensor in global memory that the operation reads.
    pub fn reads_tensor(&self) -> Option<Tensor> {
        if let Op::Load { tensor, .. } | Op::Peek { tensor, .. } = self {
            return Some(*tensor);
        }
        None
    }

    /// The tensor in global memory that the operation writes.
    pub fn writes_tensor(&self) -> Option<Tensor> {
        if let Op::Store { tensor, .. } | Op::Drain { tensor, .. } = self {
            return Some(*tensor);
        }
        None
    }

    /// The views among the operands, destination first.
    pub fn views(&self) -> SmallVec<[View; 4]> {
        let mut views: SmallVec<[View; 4]> = SmallVec::new();
        match self {
            Op::PeekBuf { src, .. }
            | Op::Store { src, .. }
            | Op::LoadTile { src, .. }
            | Op::LoadWindow { src, .. }
            | Op::LoadWords { src, .. } => views.push(*src),
            Op::Poke { dst, .. } | Op::Load { dst, .. } => views.push(*dst),
            Op::Drain { cast, .. } => {
                if let FixCast::Requant(words) = cast {
                    views.push(*words);
                }
            }
            Op::Ew { dst, a, b, c, .. } => {
                views.push(*dst);
                views.extend(
                    [Some(*a), *b, *c]
                        .into_iter()
                        .flatten()
                        .filter_map(Operand::view),
                );
            }
            Op::Spread { dst, src, .. }
            | Op::Transpose { dst, src, .. }
            | Op::BlockReduce { dst, src, .. } => {
                views.extend([*dst, *src]);
            }
            Op::Gather { dst, src, at, .. } => views.extend([*dst, *src, *at]),
            Op::Sort {
                dst, keys, places, ..
            } => views.extend([*dst, *keys, *places]),
            Op::Accumulate { acc, src, .. } => views.extend([*acc, *src]),
            Op::Lanes { dst, acc, .. } => views.extend([*dst, *acc]),
            Op::Scalar { .. }
            | Op::Query { .. }
            | Op::For { .. }
            | Op::If { .. }
            | Op::Next { .. }
            | Op::Peek { .. }
            | Op::Mad { .. }
            | Op::Acquire { .. }
            | Op::Publish { .. }
            | Op::Take { .. }
            | Op::Release { .. }
            | Op::SetFlag { .. }
            | Op::WaitFlag { .. }
            | Op::Barrier { .. }
            | Op::SyncAll
            | Op::SetCross { .. }
            | Op::WaitCross { .. } => {}
        }
        views
    }
}

impl View {
    fn visit_args(&mut self, visit: &mut dyn FnMut(&mut Arg)) {
        visit(&mut self.row);
        visit(&mut self.col);
    }
}

impl Operand {
    /// The view of an operand that lies in a buffer.
    pub fn view(self) -> Option<View> {
        match self {
            Operand::Full(view) | Operand::EachRow(view) | Operand::EachCol(view) => Some(view),
            Operand::Bits(_) | Operand::Scalar(_) => None,
        }
    }
}
