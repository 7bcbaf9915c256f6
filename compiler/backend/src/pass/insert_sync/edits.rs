//! Operations to insert, collected first and applied at once so that positions stay valid meanwhile.

use std::collections::BTreeMap;

use diag::Span;
use ir::tile::{Block, Func, Op};

/// Order of insertions that fall into the same gap between two operations.
///
/// Sets stand before waits: a wait that stops the scalar unit must not hold back a set that it needs.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum When {
    /// Barriers that belong to the operation before.
    Barrier,
    /// Flags and counters that are set after the operation before.
    Set,
    /// Waits of the operation after.
    Wait,
    /// Barriers of the operation after.
    Guard,
}

/// Insertions by block and gap; gap `n` lies before operation `n`.
#[derive(Default)]
pub(super) struct Edits {
    gaps: BTreeMap<(Block, usize), Vec<(When, Op)>>,
}

impl Edits {
    /// Inserts after operation `position`.
    pub(super) fn after(&mut self, block: Block, position: usize, when: When, op: Op) {
        self.gap(block, position + 1, when, op);
    }

    /// Inserts before operation `position`.
    pub(super) fn before(&mut self, block: Block, position: usize, when: When, op: Op) {
        self.gap(block, position, when, op);
    }

    /// Inserts at the start of a block.
    pub(super) fn first(&mut self, block: Block, op: Op) {
        self.gap(block, 0, When::Set, op);
    }

    /// Inserts at the end of a block.
    pub(super) fn last(&mut self, func: &Func, block: Block, op: Op) {
        self.gap(block, func.blocks[block].insts.len(), When::Wait, op);
    }

    fn gap(&mut self, block: Block, gap: usize, when: When, op: Op) {
        self.gaps.entry((block, gap)).or_default().push((when, op));
    }

    /// Rebuilds the blocks with the insertions; each takes the span of the operation beside it.
    pub(super) fn apply(self, func: &mut Func) {
        let mut by_block: BTreeMap<Block, BTreeMap<usize, Vec<(When, Op)>>> = BTreeMap::new();
        for ((block, gap), ops) in self.gaps {
            by_block.entry(block).or_default().insert(gap, ops);
        }
        for (block, mut gaps) in by_block {
            let old = std::mem::take(&mut func.blocks[block].insts);
            for position in 0..=old.len() {
                let mut ops = gaps.remove(&position).unwrap_or_default();
                ops.sort_by_key(|(when, _)| *when);
                for (when, op) in ops {
                    let beside = if when <= When::Set {
                        position.checked_sub(1)
                    } else {
                        Some(position)
                    };
                    let span = beside
                        .and_then(|at| old.get(at))
                        .map_or(Span::NONE, |&i| func.insts[i].span);
                    func.push(block, op, span);
                }
                if let Some(&inst) = old.get(position) {
                    func.blocks[block].insts.push(inst);
                }
            }
        }
    }
}
