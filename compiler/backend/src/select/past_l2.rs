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
            let op = &self.func.insts[inst].op;
            if let Op::Query { dst, what } = op {
                match what {
                    CoreQuery::Core => self.starts.insert(*dst, 1),
                    CoreQuery::Group => {
                        let groups = i64::from(self.func.groups).max(1);
                        self.starts.insert(*dst, cores / groups)
                    }
                    CoreQuery::Sub | CoreQuery::Size(_) => None,
                };
            } else if let Some((tensor, how)) = op.tensor()
                && how.reads()
            {
                let items = self.loaded(op).map(|items| items.saturating_mul(times));
                let read = self.read.entry(tensor).or_insert(Some(0));
                *read = read
                    .zip(items)
                    .map(|(sum, items)| sum.saturating_add(items));
            }
            let inside = if let Op::For { lo, hi, step, .. } = op {
                self.turns(*lo, *hi, *step, (times, cores))
            } else {
                times
            };
            for inner in op.blocks() {
                self.block(inner, inside, cores);
            }
        }
    }

    /// The elements that an operation reads, at most. Nothing where it reads parts of a sector: they would come twice.
    fn loaded(&self, op: &Op) -> Option<i64> {
        let Op::Load {
            dst,
            tensor,
            rows,
            cols,
            ..
        } = op
        else {
            return None;
        };
        let buf = &self.func.bufs[dst.buf];
        let known = |arg: &Arg, most: i64| match arg {
            Arg::Const(known) => *known,
            Arg::Val(_) => most,
        };
        let (rows, cols) = (known(rows, buf.rows), known(cols, buf.cols));
        let whole = cols * elem(self.func, *tensor) % self.sector == 0;
        whole.then(|| rows.saturating_mul(cols))
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
