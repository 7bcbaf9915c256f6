//! The verifier's rules for operations on buffers and tensors: spaces, types, ranges, alignment.

use isa::types::{Elem, Layout, Space};

use super::Checker;
use crate::tile::{Buf, Op};

mod cube;
mod places;
mod vector;

use places::{Check, Columns, inside, whole};

impl Checker<'_> {
    /// Checks an operation that touches buffers or tensors.
    pub(super) fn operation(&mut self, op: &Op) {
        for buf in op.reads().into_iter().chain(op.writes()) {
            self.accessed(buf);
        }
        if let Err(problem) = self.rules(op) {
            self.say(&problem);
        }
    }

    fn accessed(&mut self, buf: Buf) {
        if self.buf_here(buf) && !self.live[buf] {
            let name = self.func.bufs[buf].name.clone();
            self.say(&format!(
                "buffer `{name}` is accessed without a `next` of its own that is still alive"
            ));
        }
    }

    fn rules(&mut self, op: &Op) -> Check {
        match op {
            Op::Peek { dst: _, tensor, at } => {
                self.ring_access(*tensor, false);
                inside(self.tensor(*tensor)?, *at, [1.into(), 1.into()], 1.into())
            }
            Op::PeekBuf { dst: _, src } => {
                self.in_space(src.buf, &[Space::Ub])?;
                self.in_range(*src, 1.into(), 1.into(), Columns::Free)
            }
            Op::Poke { dst, value: _ } => {
                self.in_space(dst.buf, &[Space::Ub])?;
                if self.buf(dst.buf)?.elem == Elem::Bool {
                    return Err(String::from("a mask cannot be poked"));
                }
                self.in_range(*dst, 1.into(), 1.into(), Columns::Free)
            }
            Op::Load {
                dst,
                tensor,
                at,
                rows,
                cols,
                pitch,
            } => {
                self.ring_access(*tensor, false);
                self.in_space(dst.buf, &[Space::Ub, Space::L1])?;
                self.gm_copy(*dst, *tensor)?;
                self.in_range(*dst, *rows, *cols, Columns::Aligned)?;
                inside(self.tensor(*tensor)?, *at, [*rows, *cols], *pitch)
            }
            Op::Store {
                tensor,
                at,
                src,
                rows,
                cols,
                pitch,
            } => {
                self.written(*tensor)?;
                self.in_space(src.buf, &[Space::Ub])?;
                self.gm_copy(*src, *tensor)?;
                self.in_range(*src, *rows, *cols, Columns::Aligned)?;
                inside(self.tensor(*tensor)?, *at, [*rows, *cols], *pitch)
            }
            Op::LoadTile {
                dst,
                src,
                rows,
                cols,
                transposed,
            } => self.load_tile(*dst, *src, *rows, *cols, *transposed),
            Op::LoadWindow {
                dst,
                src,
                rows,
                cols,
                window,
            } => self.load_window(*dst, *src, [*rows, *cols], window),
            Op::LoadWords { dst, src, cols } => {
                self.in_space(src.buf, &[Space::L1])?;
                self.in_space(*dst, &[Space::Bt, Space::Fb])?;
                self.same_elem(*dst, src.buf)?;
                if self.buf(src.buf)?.layout != Layout::Nd {
                    return Err(String::from("words come from an ND buffer"));
                }
                self.in_range(*src, 1.into(), *cols, Columns::Aligned)?;
                self.in_range(whole(*dst), 1.into(), *cols, Columns::Free)
            }
            Op::Mad {
                c,
                a,
                b,
                m,
                k,
                n,
                init: _,
                hf32,
            } => {
                if *hf32 && self.buf(*a)?.elem != Elem::F32 {
                    return Err(String::from("only factors of f32 are rounded to hf32"));
                }
                self.mad([*c, *a, *b], [*m, *k, *n])
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
                self.written(*tensor)?;
                self.drain(*tensor, *src, *cast, *cols)?;
                self.in_range(whole(*src), *rows, *cols, Columns::Free)?;
                inside(self.tensor(*tensor)?, *at, [*rows, *cols], *pitch)
            }
            Op::Ew {
                op,
                dst,
                a,
                b,
                c,
                rows,
                cols,
            } => self.ew(*op, *dst, [Some(*a), *b, *c], [*rows, *cols]),
            Op::Spread { dst, src, rows } => {
                self.in_space(dst.buf, &[Space::Ub])?;
                self.same_elem(dst.buf, src.buf)?;
                self.one_block(dst.buf)?;
                self.in_range(*dst, *rows, 1.into(), Columns::Aligned)?;
                self.in_range(*src, 1.into(), *rows, Columns::Aligned)
            }
            Op::Transpose {
                dst,
                src,
                rows,
                cols,
            } => self.transpose(*dst, *src, [*rows, *cols]),
            Op::Gather {
                dst,
                src,
                at,
                rows,
                cols,
            } => self.gather([*dst, *src, *at], [*rows, *cols]),
            Op::Sort {
                dst,
                keys,
                places,
                rows,
                cols,
            } => self.sort([*dst, *keys, *places], [*rows, *cols]),
            Op::Accumulate {
                op: _,
                acc,
                src,
                rows,
                cols,
            } => {
                self.same_elem(acc.buf, src.buf)?;
                self.lanes(*acc, *rows)?;
                self.in_range(*src, *rows, *cols, Columns::Aligned)
            }
            Op::BlockReduce {
                op: _,
                dst,
                src,
                rows,
                cols,
            } => self.block_reduce(*dst, *src, [*rows, *cols]),
            Op::Lanes {
                op: _,
                dst,
                acc,
                rows,
            } => {
                self.same_elem(dst.buf, acc.buf)?;
                self.lanes(*acc, *rows)?;
                self.in_range(*dst, 1.into(), *rows, Columns::Free)
            }
            Op::Scalar { .. }
            | Op::Query { .. }
            | Op::For { .. }
            | Op::If { .. }
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
            | Op::WaitCross { .. } => Ok(()),
        }
    }
}
