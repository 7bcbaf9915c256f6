//! Which pipe runs an operation, and what it reads and writes.
//!
//! Planner and synchronisation both ask here; what an operation reads and writes is the tile IR's own knowledge.

use ir::tile::{Block, Buf, Func, Inst, Op, Tensor, Use, View};
use isa::types::{CoreKind, Pipe, Space};
use smallvec::SmallVec;

/// What an operation touches.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A buffer of the core.
    Buf(Buf),
    /// A tensor in global memory.
    Tensor(Tensor),
}

/// One place that an operation touches.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The pipe that does it.
    pub pipe: Pipe,
    /// What it touches.
    pub place: Place,
    /// Whether it reads there.
    pub reads: bool,
    /// Whether it writes there.
    pub writes: bool,
}

/// Everything an operation touches; empty for operations without memory.
pub type Accesses = SmallVec<[Access; 6]>;

/// The pipe that an operation of memory or arithmetic runs on; `None` for control flow and synchronisation.
pub fn pipe_of(func: &Func, op: &Op) -> Option<Pipe> {
    match op {
        Op::Load { .. } => Some(Pipe::Mte2),
        Op::Store { .. } => Some(Pipe::Mte3),
        Op::LoadTile { .. } | Op::LoadWindow { .. } => Some(Pipe::Mte1),
        Op::LoadWords { dst, .. } if func.bufs[*dst].space == Space::Fb => Some(Pipe::Fix),
        Op::LoadWords { .. } => Some(Pipe::Mte1),
        Op::Mad { .. } => Some(Pipe::M),
        Op::Drain { .. } => Some(Pipe::Fix),
        Op::Ew { .. }
        | Op::Spread { .. }
        | Op::Transpose { .. }
        | Op::Gather { .. }
        | Op::Sort { .. }
        | Op::BlockReduce { .. }
        | Op::Accumulate { .. } => Some(Pipe::V),
        Op::Lanes { acc, .. } => Some(lanes_pipe(func, *acc)),
        Op::Peek { .. } | Op::PeekBuf { .. } | Op::Poke { .. } => Some(Pipe::S),
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
        | Op::WaitCross { .. } => None,
    }
}

/// The machine reduces repeats of floats only: integer lanes are joined by the scalar unit.
fn lanes_pipe(func: &Func, acc: View) -> Pipe {
    if func.bufs[acc.buf].elem.is_float() {
        Pipe::V
    } else {
        Pipe::S
    }
}

/// Everything that one operation touches itself; not what stands in blocks nested in it.
pub fn accesses(func: &Func, op: &Op) -> Accesses {
    let mut list = Accesses::new();
    let Some(pipe) = pipe_of(func, op) else {
        return list;
    };
    let mut touch = |place: Place, how: Use| {
        let access = Access {
            pipe,
            place,
            reads: how.reads(),
            writes: how.writes(),
        };
        merge(&mut list, access);
    };
    for (buf, how) in op.buffers() {
        touch(Place::Buf(buf), how);
    }
    if let Some((tensor, how)) = op.tensor() {
        touch(Place::Tensor(tensor), how);
    }
    list
}

/// One entry per place: an operand used twice counts once.
fn merge(list: &mut Accesses, access: Access) {
    match list
        .iter_mut()
        .find(|a| a.place == access.place && a.pipe == access.pipe)
    {
        Some(known) => {
            known.reads |= access.reads;
            known.writes |= access.writes;
        }
        None => list.push(access),
    }
}

/// Everything that an operation and the blocks nested in it touch, one entry per pipe and place.
pub fn lifted(func: &Func, inst: Inst) -> Accesses {
    let mut all = Accesses::new();
    gather(func, inst, &mut all);
    all
}

fn gather(func: &Func, inst: Inst, all: &mut Accesses) {
    let op = &func.insts[inst].op;
    for access in accesses(func, op) {
        merge(all, access);
    }
    for block in op.blocks() {
        for &inner in &func.blocks[block].insts {
            gather(func, inner, all);
        }
    }
}

/// The blocks that run, in order, with the phase and the kind of core that runs each.
pub fn roots(func: &Func) -> Vec<(usize, CoreKind, Block)> {
    let mut roots = Vec::new();
    for (number, phase) in func.phases.iter().enumerate() {
        roots.extend(phase.cube.map(|block| (number, CoreKind::Cube, block)));
        roots.extend(phase.vector.map(|block| (number, CoreKind::Vector, block)));
    }
    roots
}
