//! Barriers between dependent operations of one pipe.
//!
//! A pipe starts its operations in order but lets them overlap, so that reading or overwriting what an earlier one of
//! the same pipe writes needs a barrier (davinci-facts §7, rules 4 and 5); overwriting what it reads does not. Memory is
//! compared by addresses, so that temporaries that share bytes are covered. A barrier stands before the dependent
//! operation, or before the loop that contains it if what it depends on lies outside. The scalar unit counts as a pipe:
//! its stores complete after it goes on.

use std::collections::{BTreeMap, BTreeSet};

use ir::algo::CmpOp;
use ir::tile::{Arg, Block, Buf, EwOp, Func, Inst, Op, Operand, ScalarOp, View};
use isa::types::Pipe;
use smallvec::SmallVec;

use super::edits::{Edits, When};
use super::flags::next_sites;
use crate::plan::access::{self, Access, Place};

/// Accumulating products of fewer result fractals than this need a barrier between them: davinci-facts §7, rule 5.
const SAFE_FRACTALS: i64 = 10;

/// A write that may still be under way.
type Pending = BTreeSet<(Pipe, Inst, Buf)>;

struct Walk<'f> {
    func: &'f Func,
    /// Buffers whose generations are ordered by flags or drains even for the pipe that writes them.
    settled: BTreeSet<Buf>,
    barriers: BTreeSet<(Block, usize, Pipe)>,
}

/// Inserts the barriers of one root block.
pub(super) fn order_within(func: &Func, root: Block, edits: &mut Edits) {
    let mut walk = Walk {
        func,
        settled: settled(func, root),
        barriers: BTreeSet::new(),
    };
    walk.block(root, Pending::new());
    for (block, at, pipe) in walk.barriers {
        edits.before(block, at, When::Guard, Op::Barrier { pipe: Some(pipe) });
    }
}

impl Walk<'_> {
    /// Walks a block from the writes that are pending before it to those pending after it.
    fn block(&mut self, block: Block, mut pending: Pending) -> Pending {
        for (at, &inst) in self.func.blocks[block].insts.iter().enumerate() {
            let op = &self.func.insts[inst].op;
            if let Op::For { body, .. } = op {
                pending = self.repeat(block, at, inst, *body, pending);
            } else if let Op::If { .. } = op {
                pending = self.branch(op, pending);
            } else if let Op::Next { buf } = op {
                // The vector unit may have both generations under way.
                let settled = self.settled.contains(buf);
                pending
                    .retain(|&(pipe, _, written)| written != *buf || pipe == Pipe::V || !settled);
            } else {
                self.single(block, at, inst, &mut pending);
            }
        }
        pending
    }

    fn branch(&mut self, op: &Op, pending: Pending) -> Pending {
        let mut after = pending.clone();
        for inner in op.blocks() {
            after.extend(self.block(inner, pending.clone()));
        }
        after
    }

    /// What was pending before the loop is settled before it; then the loop is walked until nothing new is pending.
    fn repeat(
        &mut self,
        block: Block,
        at: usize,
        inst: Inst,
        body: Block,
        mut pending: Pending,
    ) -> Pending {
        let mut fresh = BTreeSet::new();
        turned_in(self.func, body, &mut fresh);
        let inside = access::lifted(self.func, inst);
        for pipe in Pipe::ALL {
            let mut here = inside.iter().filter(|access| access.pipe == pipe);
            let waits = here.any(|access| self.outside_hazard(access, &fresh, &pending));
            if waits && pipe != Pipe::M {
                self.barrier(block, at, pipe, &mut pending);
            }
        }
        loop {
            let mut round = pending.clone();
            round.extend(self.block(body, pending.clone()));
            if round == pending {
                return pending;
            }
            pending = round;
        }
    }

    /// A buffer that turns inside of the loop holds nothing from outside; see the `Next` of [`Walk::block`].
    fn outside_hazard(&self, access: &Access, fresh: &BTreeSet<Buf>, pending: &Pending) -> bool {
        let Place::Buf(buf) = access.place else {
            return false;
        };
        if fresh.contains(&buf) && access.pipe != Pipe::V && self.settled.contains(&buf) {
            return false;
        }
        pending
            .iter()
            .any(|&(pipe, _, written)| pipe == access.pipe && overlap(self.func, buf, written))
    }

    fn single(&mut self, block: Block, at: usize, inst: Inst, pending: &mut Pending) {
        let op = &self.func.insts[inst].op;
        let Some(pipe) = access::pipe_of(self.func, op) else {
            return;
        };
        if self.barriers.contains(&(block, at, pipe)) {
            pending.retain(|entry| entry.0 != pipe);
        }
        let accesses = access::accesses(self.func, op);
        if self.hazard(inst, pipe, &accesses, pending) {
            self.barrier(block, at, pipe, pending);
        }
        for access in accesses.iter().filter(|access| access.writes) {
            if let Place::Buf(buf) = access.place {
                pending.insert((pipe, inst, buf));
            }
        }
    }

    fn hazard(&self, inst: Inst, pipe: Pipe, accesses: &[Access], pending: &Pending) -> bool {
        if pipe == Pipe::M && has_many_fractals(&self.func.insts[inst].op) {
            return false;
        }
        let bufs = accesses.iter().filter_map(|access| {
            if let Place::Buf(buf) = access.place {
                Some(buf)
            } else {
                None
            }
        });
        bufs.into_iter().any(|buf| {
            pending.iter().any(|&(by, writer, written)| {
                by == pipe
                    && overlap(self.func, buf, written)
                    && !self.apart(inst, writer, buf, written)
            })
        })
    }

    /// Whether one operation provably touches no byte of what the other one writes to one generation of a buffer.
    fn apart(&self, inst: Inst, writer: Inst, buf: Buf, written: Buf) -> bool {
        let (one, other) = (&self.func.insts[inst].op, &self.func.insts[writer].op);
        let (Some(to), true) = (filled(other), buf == written && inst != writer) else {
            return false;
        };
        let parts = touched(one);
        let mut of_buf = parts.iter().flatten().filter(|part| part.0.buf == buf);
        parts.is_some() && of_buf.all(|part| disjoint(*part, to))
    }

    fn barrier(&mut self, block: Block, at: usize, pipe: Pipe, pending: &mut Pending) {
        self.barriers.insert((block, at, pipe));
        pending.retain(|entry| entry.0 != pipe);
    }
}

/// Buffers that turn at several places, where all pipes drain, and those that another pipe touches after the last write
/// of each generation: the writing pipe meets that one before it writes the next generation to the same place.
fn settled(func: &Func, root: Block) -> BTreeSet<Buf> {
    let mut sites = BTreeMap::new();
    next_sites(func, root, &mut sites);
    let settles = |(buf, sites): (Buf, Vec<(Block, usize)>)| match sites[..] {
        [(block, at)] => every_write_is_met(func, block, at, buf).then_some(buf),
        _ => Some(buf),
    };
    sites.into_iter().filter_map(settles).collect()
}

fn every_write_is_met(func: &Func, block: Block, at: usize, buf: Buf) -> bool {
    // The last write of each pipe that no other pipe has touched after.
    let mut open: BTreeSet<Pipe> = BTreeSet::new();
    for &inst in &func.blocks[block].insts[at + 1..] {
        let here = access::lifted(func, inst).into_iter();
        let here: Vec<Access> = here.filter(|a| a.place == Place::Buf(buf)).collect();
        if here.len() > 1 && here.iter().any(|access| access.writes) {
            return false;
        }
        for access in here {
            open.retain(|&pipe| pipe == access.pipe);
            if access.writes {
                open.insert(access.pipe);
            }
        }
    }
    open.is_empty()
}

/// The buffers that turn in a block or in one nested in it.
fn turned_in(func: &Func, block: Block, bufs: &mut BTreeSet<Buf>) {
    for &inst in &func.blocks[block].insts {
        let op = &func.insts[inst].op;
        if let Op::Next { buf } = op {
            bufs.insert(*buf);
        }
        for inner in op.blocks() {
            turned_in(func, inner, bufs);
        }
    }
}

/// Whether two buffers share bytes.
fn overlap(func: &Func, a: Buf, b: Buf) -> bool {
    if a == b {
        return true;
    }
    let range = |buf: Buf| {
        let data = &func.bufs[buf];
        let start = u64::from(data.addr.unwrap_or(0));
        let bytes = data
            .copy_bytes()
            .unwrap_or(u64::MAX)
            .saturating_mul(u64::from(data.depth.max(1)));
        (start, start.saturating_add(bytes))
    };
    let ((a_start, a_end), (b_start, b_end)) = (range(a), range(b));
    func.bufs[a].space == func.bufs[b].space && a_start < b_end && b_start < a_end
}

/// A view with its extents.
type Part = (View, Arg, Arg);

/// The part that an operation fills, and nothing else: a load, or arithmetic that is one instruction an element.
fn filled(op: &Op) -> Option<Part> {
    if let Op::Load {
        dst, rows, cols, ..
    } = op
    {
        return Some((*dst, *rows, *cols));
    }
    if let Op::Ew {
        op: EwOp::Add | EwOp::Sub | EwOp::Mul | EwOp::Max | EwOp::Min,
        dst,
        rows,
        cols,
        ..
    } = op
    {
        return Some((*dst, *rows, *cols));
    }
    None
}

/// The parts of buffers that an operation reads or writes, if it says.
fn touched(op: &Op) -> Option<SmallVec<[Part; 4]>> {
    let mut parts = SmallVec::new();
    parts.push(filled(op)?);
    let Op::Ew {
        a,
        b,
        c,
        rows,
        cols,
        ..
    } = op
    else {
        return Some(parts);
    };
    for operand in [Some(*a), *b, *c].into_iter().flatten() {
        match operand {
            Operand::Full(view) => parts.push((view, *rows, *cols)),
            Operand::EachRow(view) => parts.push((view, Arg::Const(1), *cols)),
            // A row has one block of a spread value, and masks are bits.
            Operand::EachCol(_) => return None,
            Operand::Bits(_) | Operand::Scalar(_) => {}
        }
    }
    Some(parts)
}

fn disjoint((a, a_rows, a_cols): (View, Arg, Arg), (b, b_rows, b_cols): (View, Arg, Arg)) -> bool {
    let ends_before = |start: Arg, extent: Arg, next: Arg| match (start, extent, next) {
        (Arg::Const(start), Arg::Const(extent), Arg::Const(next)) => {
            start.saturating_add(extent) <= next
        }
        _ => false,
    };
    ends_before(a.row, a_rows, b.row)
        || ends_before(b.row, b_rows, a.row)
        || ends_before(a.col, a_cols, b.col)
        || ends_before(b.col, b_cols, a.col)
}

/// Lets barriers before products of unknown extent be passed by where the products turn out to be large: an If around each,
/// whose condition counts the fractals.
pub(super) fn spare_large_products(func: &mut Func) {
    let blocks: Vec<Block> = func.blocks.keys().collect();
    for block in blocks {
        let old = std::mem::take(&mut func.blocks[block].insts);
        for (at, &inst) in old.iter().enumerate() {
            let barrier = Some(Pipe::M);
            let op = &func.insts[inst].op;
            let stands = matches!(op, Op::Barrier { pipe } if *pipe == barrier);
            let next = old.get(at + 1).filter(|_| stands);
            let extents = next.and_then(|&next| open_extents(func, next));
            match extents {
                Some(extents) => {
                    let small = is_small(func, (block, inst), extents);
                    let then = func.add_block();
                    func.blocks[then].insts.push(inst);
                    let span = func.insts[inst].span;
                    let op = Op::If {
                        cond: small,
                        then,
                        els: None,
                    };
                    func.push(block, op, span);
                }
                None => func.blocks[block].insts.push(inst),
            }
        }
    }
}

/// The extents of a product's result, if not all are known and there is room for a large one.
fn open_extents(func: &Func, inst: Inst) -> Option<[Arg; 2]> {
    let Op::Mad { c, m, n, .. } = &func.insts[inst].op else {
        return None;
    };
    let fractals = |extent: i64| extent.saturating_add(15) / 16;
    let room = &func.bufs[*c];
    let large = fractals(room.rows).saturating_mul(fractals(room.cols)) >= SAFE_FRACTALS;
    let known = matches!((m, n), (Arg::Const(_), Arg::Const(_)));
    (large && !known).then_some([*m, *n])
}

/// Appends what says whether a product of these extents has few fractals.
fn is_small(func: &mut Func, (block, near): (Block, Inst), extents: [Arg; 2]) -> Arg {
    let span = func.insts[near].span;
    let mut scalar = |op: ScalarOp, a: Arg, b: i64, other: Option<Arg>| {
        let dst = func.add_value();
        let b = other.unwrap_or(Arg::Const(b));
        func.push(block, Op::Scalar { dst, op, a, b }, span);
        Arg::Val(dst)
    };
    let [m, n] = extents.map(|extent| match extent {
        Arg::Const(extent) => Arg::Const(extent.saturating_add(15) / 16),
        Arg::Val(_) => {
            let up = scalar(ScalarOp::Add, extent, 15, None);
            scalar(ScalarOp::Shr, up, 4, None)
        }
    });
    let all = scalar(ScalarOp::Mul, m, 0, Some(n));
    scalar(ScalarOp::Cmp(CmpOp::Lt), all, SAFE_FRACTALS, None)
}

/// Whether a product is known to be long enough to hide the latency of its accumulator.
fn has_many_fractals(op: &Op) -> bool {
    if let Op::Mad {
        m: Arg::Const(m),
        n: Arg::Const(n),
        ..
    } = op
    {
        let fractals = |extent: i64| extent.saturating_add(15) / 16;
        return fractals(*m).saturating_mul(fractals(*n)) >= SAFE_FRACTALS;
    }
    false
}
