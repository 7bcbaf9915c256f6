//! Which arguments are read past L2: those of which everything is read once, where L2 has no room for everything. What is
//! kept in L2 then is what is read again, and results, which need not be written back before the kernel has ended.
//!
//! Counts what loads read over all cores, and takes the largest for what only the run knows; a wrong guess costs time and
//! nothing else.

use std::collections::{BTreeMap, BTreeSet};

use ir::tile::{Arg, Block, CoreQuery, Func, Op, Tensor, TensorRole, Value};
use isa::chip::Chip;

/// The tensors whose loads go past L2.
pub(super) fn tensors(func: &Func, chip: &Chip) -> BTreeSet<Tensor> {
    let bytes = |tensor: Tensor| size(func, tensor).saturating_mul(elem(func, tensor));
    let all = func
        .tensors
        .keys()
        .fold(0_i64, |sum, t| sum.saturating_add(bytes(t)));
    let room = i64::try_from(chip.memory.l2_bytes).unwrap_or(i64::MAX);
    if !func.symbols.is_empty() || all <= room {
        return BTreeSet::new();
    }
    let mut count = Count {
        func,
        sector: i64::try_from(chip.memory.l2_sector).unwrap_or(1).max(1),
        starts: BTreeMap::new(),
        read: BTreeMap::new(),
    };
    for phase in &func.phases {
        let groups = i64::from(func.groups);
        for (root, cores) in [(phase.cube, groups), (phase.vector, 2 * groups)] {
            if let Some(root) = root {
                count.block(root, cores, cores);
            }
        }
    }
    let once = |(tensor, read): (Tensor, Option<i64>)| {
        let argument = func.tensors[tensor].role == TensorRole::In;
        // Ragged blocks are counted as whole ones.
        let all = size(func, tensor);
        let once = read.is_some_and(|read| (all - all / 8..=all + all / 8).contains(&read));
        (argument && once).then_some(tensor)
    };
    count.read.into_iter().filter_map(once).collect()
}

fn elem(func: &Func, tensor: Tensor) -> i64 {
    i64::try_from(func.tensors[tensor].elem.bytes()).unwrap_or(1)
}

fn size(func: &Func, tensor: Tensor) -> i64 {
    let shape = func.tensors[tensor].shape.iter();
    shape.fold(1, |all: i64, extent| all.saturating_mul(*extent))
}

struct Count<'f> {
    func: &'f Func,
    sector: i64,
    /// Cores that have the same first value of a walk, by that value.
    starts: BTreeMap<Value, i64>,
    /// Elements that are read of each tensor, by all cores; none if nobody can tell.
    read: BTreeMap<Tensor, Option<i64>>,
}

impl Count<'_> {
    /// Counts a block that so many cores go through `times` times together.
    fn block(&mut self, block: Block, times: i64, cores: i64) {
        for &inst in &self.func.blocks[block].insts {
            match &self.func.insts[inst].op {
                Op::Query { dst, what } => {
                    let alike = match what {
                        CoreQuery::Core => 1,
                        CoreQuery::Group => cores / i64::from(self.func.groups).max(1),
                        CoreQuery::Sub | CoreQuery::Size(_) => continue,
                    };
                    self.starts.insert(*dst, alike);
                }
                Op::For {
                    lo, hi, step, body, ..
                } => {
                    let times = self.turns(*lo, *hi, *step, (times, cores));
                    self.block(*body, times, cores);
                }
                Op::If { then, els, .. } => {
                    self.block(*then, times, cores);
                    if let Some(els) = els {
                        self.block(*els, times, cores);
                    }
                }
                Op::Load {
                    dst,
                    tensor,
                    rows,
                    cols,
                    ..
                } => {
                    let buf = &self.func.bufs[dst.buf];
                    let known = |arg: &Arg, most: i64| match arg {
                        Arg::Const(known) => *known,
                        Arg::Val(_) => most,
                    };
                    let (rows, cols) = (known(rows, buf.rows), known(cols, buf.cols));
                    // Parts of a sector that are read by themselves would come twice.
                    let whole = cols * elem(self.func, *tensor) % self.sector == 0;
                    let items = rows.saturating_mul(cols).saturating_mul(times);
                    let read = self.read.entry(*tensor).or_insert(Some(0));
                    *read = read.filter(|_| whole).map(|sum| sum.saturating_add(items));
                }
                Op::Peek { tensor, .. } => {
                    self.read.insert(*tensor, None);
                }
                Op::Scalar { .. }
                | Op::Next { .. }
                | Op::PeekBuf { .. }
                | Op::Poke { .. }
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
    }

    /// How often all cores go through the body of a loop together.
    fn turns(&self, lo: Arg, hi: Arg, step: i64, (times, cores): (i64, i64)) -> i64 {
        let Arg::Const(hi) = hi else {
            return i64::MAX;
        };
        match lo {
            Arg::Const(lo) => {
                let length = (hi - lo).max(0);
                times.saturating_mul((length + step - 1).div_euclid(step.max(1)))
            }
            // A walk over blocks: each block once.
            Arg::Val(first) => match self.starts.get(&first) {
                Some(alike) if times == cores => hi.saturating_mul(*alike),
                Some(_) | None => i64::MAX,
            },
        }
    }
}
