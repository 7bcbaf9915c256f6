//! What a placement costs in UB: cycles that the repeats of element-wise operations lose where operands meet in the banks
//! (davinci-facts §7, rule 1). An estimate, by which placements of one function are compared.

use std::collections::BTreeMap;

use ir::tile::{Arg, Block, Buf, Func, Op, Operand, View};
use isa::types::{REPEAT_BYTES, Space};

use super::assign::{BANK_BYTES, BANK_PERIOD, Plan};

/// Rounds that a loop is taken to have (we choose).
const ROUNDS: u64 = 16;
/// What a repeat loses in eighths of a cycle: to a second read of a group, to the write before it in the same bank, and
/// to that where the write goes by half as fast, so that every other one meets it.
const READ_TWICE: u64 = 8;
const WRITTEN: u64 = 6;
const WRITTEN_BY_HALVES: u64 = 3;

/// What is lost in all, and the part of each buffer of an operation that loses something.
pub(super) fn lost(func: &Func, plan: &Plan) -> (u64, BTreeMap<Buf, u64>) {
    let mut lost = (0, BTreeMap::new());
    for phase in &func.phases {
        if let Some(root) = phase.vector {
            in_block(func, plan, (root, 1), &mut lost);
        }
    }
    lost
}

fn in_block(
    func: &Func,
    plan: &Plan,
    (block, times): (Block, u64),
    lost: &mut (u64, BTreeMap<Buf, u64>),
) {
    for &inst in &func.blocks[block].insts {
        let op = &func.insts[inst].op;
        let cycles = of_one(func, plan, op).saturating_mul(times);
        if cycles > 0 {
            lost.0 = lost.0.saturating_add(cycles);
            for buf in op.reads().into_iter().chain(op.writes()) {
                let sum = lost.1.entry(buf).or_insert(0_u64);
                *sum = sum.saturating_add(cycles);
            }
        }
        let rounds = if matches!(op, Op::For { .. }) {
            ROUNDS
        } else {
            1
        };
        let inner = times.saturating_mul(rounds);
        for body in op.blocks() {
            in_block(func, plan, (body, inner), lost);
        }
    }
}

/// Eighths of a cycle that one operation loses, if its extents are known.
fn of_one(func: &Func, plan: &Plan, op: &Op) -> u64 {
    let Op::Ew {
        dst,
        a,
        b,
        c,
        rows: Arg::Const(rows),
        cols: Arg::Const(cols),
        ..
    } = op
    else {
        return 0;
    };
    let place = |view: View| place(func, plan, view);
    let full = |operand: &Operand| match operand {
        Operand::Full(view) | Operand::EachRow(view) => place(*view),
        Operand::EachCol(_) | Operand::Bits(_) | Operand::Scalar(_) => None,
    };
    let sources = [Some(a), b.as_ref(), c.as_ref()].into_iter().flatten();
    let sources: Vec<(u64, u64)> = sources.filter_map(full).collect();
    let Some((to, width)) = place(*dst) else {
        return 0;
    };
    let widest = sources.iter().map(|source| source.1).fold(width, u64::max);
    let cells = u64::try_from(rows.saturating_mul(*cols)).unwrap_or(0);
    let repeats = (cells.saturating_mul(widest)).div_ceil(REPEAT_BYTES);
    let mut each = 0;
    if let [(one, _), (other, _)] = sources[..] {
        each += READ_TWICE * u64::from(half(one) == half(other));
    }
    let meets = |&(from, wide): &(u64, u64)| {
        if from / BANK_BYTES != to / BANK_BYTES || from == to {
            return 0;
        }
        match (wide == width, half(from) == half(to)) {
            (true, true) => 0,
            (true, false) => WRITTEN,
            (false, _) => WRITTEN_BY_HALVES,
        }
    };
    each += sources.iter().map(meets).max().unwrap_or(0);
    repeats.saturating_mul(each)
}

/// Which half of the groups a repeat begins in.
const fn half(at: u64) -> bool {
    at % BANK_PERIOD >= BANK_PERIOD / 2
}

/// Where a view of UB begins, as far as that is known, and how wide its elements are.
fn place(func: &Func, plan: &Plan, view: View) -> Option<(u64, u64)> {
    let data = &func.bufs[view.buf];
    let start = u64::from(*plan.addr.get(&view.buf)?);
    let bytes = data.elem.bytes();
    let col = match view.col {
        Arg::Const(col) => u64::try_from(col).ok()?,
        Arg::Val(_) => 0,
    };
    (data.space == Space::Ub).then(|| (start + col * bytes, bytes))
}
