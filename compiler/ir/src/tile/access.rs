//! What an operation uses: scalars, nested blocks, buffers and tensors that it reads and writes.
//!
//! One exhaustive match, [`Op::visit`]; everything else here asks it, as do the verifier, the evaluator and passes.

use smallvec::SmallVec;

use super::{Arg, Block, Buf, FixCast, Op, Operand, Tensor, Value, View};

/// How an operation uses a buffer or a tensor.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Use {
    /// Its contents are read.
    Read,
    /// Its contents are written.
    Write,
    /// Both: an accumulator.
    Update,
}

impl Use {
    /// Whether contents are read.
    pub const fn reads(self) -> bool {
        matches!(self, Use::Read | Use::Update)
    }

    /// Whether contents are written.
    pub const fn writes(self) -> bool {
        matches!(self, Use::Write | Use::Update)
    }
}

/// One of the things that an operation is made of.
#[derive(Debug)]
pub enum Part<'a> {
    /// The value that the operation defines for the rest of its block. A loop's variable is not one: it is visible in
    /// the body alone.
    Defines(&'a mut Value),
    /// A scalar operand.
    Arg(&'a mut Arg),
    /// A scalar operand that cannot be a constant.
    Value(&'a mut Value),
    /// A part of a buffer; its row and column are not shown again.
    View(&'a mut View, Use),
    /// A buffer from its first element.
    Buf(&'a mut Buf, Use),
    /// A tensor in global memory.
    Tensor(&'a mut Tensor, Use),
    /// A block nested directly in the operation.
    Block(&'a mut Block),
}

impl Op {
    /// Shows every part of the operation to `see`, which may change it: what is read before what is written, buffers
    /// before scalars, blocks in order. A buffer that is only turned to its next copy, or chooses a flag, is none.
    pub fn visit(&mut self, mut see: impl FnMut(Part<'_>)) {
        use Use::{Read, Update, Write};
        let see = &mut see;
        match self {
            Op::Scalar { dst, a, b, op: _ } => {
                each([a, b], see);
                see(Part::Defines(dst));
            }
            Op::Query { dst, what: _ }
            | Op::Acquire { dst, chan: _ }
            | Op::Take { dst, chan: _ } => {
                see(Part::Defines(dst));
            }
            Op::For {
                lo,
                hi,
                body,
                var: _,
                step: _,
            } => {
                each([lo, hi], see);
                see(Part::Block(body));
            }
            Op::If { cond, then, els } => {
                see(Part::Arg(cond));
                see(Part::Block(then));
                if let Some(els) = els {
                    see(Part::Block(els));
                }
            }
            Op::Peek { dst, tensor, at } => {
                see(Part::Tensor(tensor, Read));
                see(Part::Arg(at));
                see(Part::Defines(dst));
            }
            Op::PeekBuf { dst, src } => {
                see(Part::View(src, Read));
                see(Part::Defines(dst));
            }
            Op::Poke { dst, value } => {
                see(Part::View(dst, Write));
                see(Part::Arg(value));
            }
            Op::Load {
                dst,
                tensor,
                at,
                rows,
                cols,
                pitch,
            } => {
                see(Part::Tensor(tensor, Read));
                see(Part::View(dst, Write));
                each([at, rows, cols, pitch], see);
            }
            Op::Store {
                tensor,
                at,
                src,
                rows,
                cols,
                pitch,
            } => {
                see(Part::View(src, Read));
                see(Part::Tensor(tensor, Write));
                each([at, rows, cols, pitch], see);
            }
            Op::LoadTile {
                dst,
                src,
                rows,
                cols,
                transposed: _,
            } => {
                see(Part::View(src, Read));
                see(Part::Buf(dst, Write));
                each([rows, cols], see);
            }
            Op::LoadWindow {
                dst,
                src,
                rows,
                cols,
                window,
            } => {
                see(Part::View(src, Read));
                see(Part::Buf(dst, Write));
                each([rows, cols], see);
                each(window.args_mut(), see);
            }
            Op::LoadWords { dst, src, cols } => {
                see(Part::View(src, Read));
                see(Part::Buf(dst, Write));
                see(Part::Arg(cols));
            }
            Op::Mad {
                c,
                a,
                b,
                m,
                k,
                n,
                init,
                hf32: _,
            } => {
                see(Part::Buf(a, Read));
                see(Part::Buf(b, Read));
                let fresh = *init == Arg::Const(1);
                see(Part::Buf(c, if fresh { Write } else { Update }));
                each([m, k, n, init], see);
            }
            Op::Drain {
                tensor,
                at,
                src,
                rows,
                cols,
                pitch,
                cast,
                relu: _,
            } => {
                see(Part::Buf(src, Read));
                match cast {
                    FixCast::Plain => {}
                    FixCast::Requant(words) => see(Part::View(words, Read)),
                }
                see(Part::Tensor(tensor, Write));
                each([at, rows, cols, pitch], see);
            }
            Op::Ew {
                dst,
                a,
                b,
                c,
                rows,
                cols,
                op: _,
            } => {
                for operand in [Some(a), b.as_mut(), c.as_mut()].into_iter().flatten() {
                    match operand {
                        Operand::Full(view) | Operand::EachRow(view) | Operand::EachCol(view) => {
                            see(Part::View(view, Read));
                        }
                        Operand::Scalar(value) => see(Part::Value(value)),
                        Operand::Bits(_) => {}
                    }
                }
                see(Part::View(dst, Write));
                each([rows, cols], see);
            }
            Op::Spread { dst, src, rows }
            | Op::Lanes {
                dst,
                acc: src,
                rows,
                op: _,
            } => {
                see(Part::View(src, Read));
                see(Part::View(dst, Write));
                see(Part::Arg(rows));
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
                op: _,
            } => {
                see(Part::View(src, Read));
                see(Part::View(dst, Write));
                each([rows, cols], see);
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
                see(Part::View(one, Read));
                see(Part::View(other, Read));
                see(Part::View(dst, Write));
                each([rows, cols], see);
            }
            Op::Accumulate {
                acc,
                src,
                rows,
                cols,
                op: _,
            } => {
                see(Part::View(acc, Update));
                see(Part::View(src, Read));
                each([rows, cols], see);
            }
            Op::Next { .. }
            | Op::Publish { .. }
            | Op::Release { .. }
            | Op::SetFlag { .. }
            | Op::WaitFlag { .. }
            | Op::Barrier { .. }
            | Op::SyncAll
            | Op::SetCross { .. }
            | Op::WaitCross { .. } => {}
        }
    }

    /// The value that the operation defines for the rest of its block.
    pub fn defines(&self) -> Option<Value> {
        let mut defined = None;
        self.clone().visit(|part| {
            if let Part::Defines(value) = part {
                defined = Some(*value);
            }
        });
        defined
    }

    /// The blocks nested directly in the operation, in order.
    pub fn blocks(&self) -> SmallVec<[Block; 2]> {
        let mut blocks = SmallVec::new();
        if let Op::For { .. } | Op::If { .. } = self {
            self.clone().visit(|part| {
                if let Part::Block(block) = part {
                    blocks.push(*block);
                }
            });
        }
        blocks
    }

    /// Every scalar operand, those of views included.
    pub fn args(&self) -> SmallVec<[Arg; 12]> {
        let mut args = SmallVec::new();
        self.clone().visit(|part| match part {
            Part::Arg(arg) => args.push(*arg),
            Part::Value(value) => args.push(Arg::Val(*value)),
            Part::View(view, _) => args.extend([view.row, view.col]),
            Part::Defines(_) | Part::Buf(..) | Part::Tensor(..) | Part::Block(_) => {}
        });
        args
    }

    /// Shows every scalar operand that may be a constant to `change`, those of views included.
    pub fn visit_args(&mut self, mut change: impl FnMut(&mut Arg)) {
        self.visit(|part| match part {
            Part::Arg(arg) => change(arg),
            Part::View(view, _) => [&mut view.row, &mut view.col]
                .into_iter()
                .for_each(&mut change),
            Part::Defines(_)
            | Part::Value(_)
            | Part::Buf(..)
            | Part::Tensor(..)
            | Part::Block(_) => {}
        });
    }

    /// Every buffer whose contents the operation uses, and how.
    pub fn buffers(&self) -> SmallVec<[(Buf, Use); 4]> {
        let mut buffers = SmallVec::new();
        self.clone().visit(|part| match part {
            Part::View(view, how) => buffers.push((view.buf, how)),
            Part::Buf(buf, how) => buffers.push((*buf, how)),
            Part::Defines(_)
            | Part::Arg(_)
            | Part::Value(_)
            | Part::Tensor(..)
            | Part::Block(_) => {}
        });
        buffers
    }

    /// The buffers whose contents the operation reads; an accumulator is read and written.
    pub fn reads(&self) -> SmallVec<[Buf; 4]> {
        let used = self.buffers().into_iter();
        used.filter_map(|(buf, how)| how.reads().then_some(buf))
            .collect()
    }

    /// The buffer that the operation writes.
    pub fn writes(&self) -> Option<Buf> {
        let mut used = self.buffers().into_iter();
        used.find_map(|(buf, how)| how.writes().then_some(buf))
    }

    /// The tensor in global memory that the operation uses, and how.
    pub fn tensor(&self) -> Option<(Tensor, Use)> {
        let mut used = None;
        self.clone().visit(|part| {
            if let Part::Tensor(tensor, how) = part {
                used = Some((*tensor, how));
            }
        });
        used
    }
}

/// Shows scalar operands in order.
fn each<'a>(args: impl IntoIterator<Item = &'a mut Arg>, see: &mut impl FnMut(Part<'_>)) {
    args.into_iter().for_each(|arg| see(Part::Arg(arg)));
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
