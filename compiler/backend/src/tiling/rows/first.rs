//! The first lanes of a wide sum, computed where the sum is.
//!
//! ```text
//! before   ew mul t[0, 0] <- x[0, 0], x[0, 0] size (1, 8192)
//!          next acc
//!          ew add acc[0, 0] <- t[0, 0], t[0, 2048] size (1, 2048)
//! after    next acc
//!          ew mul acc[0, 0] <- x[0, 0], x[0, 0] size (1, 2048)
//!          ew mul t[0, 0] <- x[0, 2048], x[0, 2048] size (1, 6144)
//!          ew add acc[0, 0] <- acc[0, 0], t[0, 0] size (1, 2048)
//! ```
//!
//! Lanes of one buffer lie a multiple of the banks' period apart, so that each repeat of their sum would read twice from
//! each group (davinci-facts §7, rule 1). Another buffer lies where the planner puts it; and the items take less room.

use ir::tile::{Arg, Block, Buf, EwOp, Func, Inst, Op, Operand, View};

/// Does so with every sum of items that nothing else reads.
pub(super) fn lanes_where_they_are_added(func: &mut Func, root: Block) {
    let mut blocks = vec![root];
    while let Some(block) = blocks.pop() {
        let mut at = 0;
        while let Some(&inst) = func.blocks[block].insts.get(at) {
            blocks.extend(func.insts[inst].op.blocks());
            if let Some(found) = found(func, &func.blocks[block].insts[at..]) {
                split(func, (block, at), found);
            }
            at += 1;
        }
    }
}

/// Items, the operation that makes them and the one that adds the first lanes of them, and the lanes.
#[derive(Copy, Clone)]
struct Found {
    items: Buf,
    made: Inst,
    added: Inst,
    acc: Buf,
    lanes: i64,
}

fn found(func: &Func, insts: &[Inst]) -> Option<Found> {
    let &[made, next, added, ..] = insts else {
        return None;
    };
    let Op::Ew {
        op,
        dst: items,
        rows: Arg::Const(1),
        cols: Arg::Const(cols),
        ..
    } = func.insts[made].op
    else {
        return None;
    };
    let Op::Ew {
        op: EwOp::Add,
        dst: acc,
        a: Operand::Full(first),
        b: Some(Operand::Full(second)),
        rows: Arg::Const(1),
        cols: Arg::Const(lanes),
        ..
    } = func.insts[added].op
    else {
        return None;
    };
    let starts = |view: View, buf: Buf, col: i64| {
        view.buf == buf && view.row == Arg::Const(0) && view.col == Arg::Const(col)
    };
    let (from, into) = (&func.bufs[items.buf], &func.bufs[acc.buf]);
    let mut sources = func.insts[made].op.reads().into_iter();
    let fits = sources.all(|buf| buf != items.buf && buf != acc.buf)
        && [items, first].map(|view| starts(view, items.buf, 0)) == [true; 2]
        && starts(second, items.buf, lanes)
        && starts(acc, acc.buf, 0)
        && matches!(func.insts[next].op, Op::Next { buf } if buf == acc.buf)
        && acc.buf != items.buf
        && (from.rows, from.cols, from.depth) == (1, cols, 1)
        && (into.rows, into.cols, into.elem) == (1, lanes, from.elem)
        && lanes < cols
        && is_arithmetic(op);
    let own = [made, added];
    let others = || func.insts.keys().filter(|inst| !own.contains(inst));
    (fits && others().all(|inst| reads_behind(&func.insts[inst].op, items.buf, lanes))).then_some(
        Found {
            items: items.buf,
            made,
            added,
            acc: acc.buf,
            lanes,
        },
    )
}

/// Whether each element of the result is of the elements at its own place.
fn is_arithmetic(op: EwOp) -> bool {
    match op {
        EwOp::Copy
        | EwOp::Add
        | EwOp::Sub
        | EwOp::Mul
        | EwOp::Div
        | EwOp::Max
        | EwOp::Min
        | EwOp::Abs
        | EwOp::Neg
        | EwOp::Exp
        | EwOp::Ln
        | EwOp::Sqrt
        | EwOp::Relu
        | EwOp::Round(_)
        | EwOp::Cast(..) => true,
        EwOp::Rem
        | EwOp::And
        | EwOp::Or
        | EwOp::Xor
        | EwOp::Not
        | EwOp::Shl
        | EwOp::Shr
        | EwOp::Cmp(_)
        | EwOp::Select
        | EwOp::Iota => false,
    }
}

/// Whether an operation has nothing to do with the first lanes of a buffer.
fn reads_behind(op: &Op, buf: Buf, lanes: i64) -> bool {
    if let Op::Next { .. } = op {
        return true;
    }
    let Op::Ew { dst, a, b, c, .. } = op else {
        return !op.reads().contains(&buf) && op.writes() != Some(buf);
    };
    let behind = |view: View| matches!(view.col, Arg::Const(col) if col >= lanes);
    let views = [Some(*a), *b, *c].into_iter().flatten();
    let mut views = views.filter_map(Operand::view);
    dst.buf != buf && views.all(|view| view.buf != buf || behind(view))
}

/// Makes the first lanes in the accumulator, the rest where it was.
fn split(func: &mut Func, (block, at): (Block, usize), found: Found) {
    let Found {
        items,
        made,
        added,
        acc,
        lanes,
    } = found;
    let all: Vec<Inst> = func.insts.keys().collect();
    for inst in all {
        if inst != made {
            each_operand(&mut func.insts[inst].op, &mut |view| {
                if view.buf == items {
                    view.col = moved(view.col, -lanes);
                }
            });
        }
    }
    func.bufs[items].cols -= lanes;
    let mut rest = func.insts[made].op.clone();
    each_operand(&mut rest, &mut |view| view.col = moved(view.col, lanes));
    if let Op::Ew { cols, .. } = &mut rest {
        *cols = moved(*cols, -lanes);
    }
    let into = View {
        buf: acc,
        row: Arg::Const(0),
        col: Arg::Const(0),
    };
    if let Op::Ew { dst, cols, .. } = &mut func.insts[made].op {
        (*dst, *cols) = (into, Arg::Const(lanes));
    }
    if let Op::Ew { a, .. } = &mut func.insts[added].op {
        *a = Operand::Full(into);
    }
    let span = func.insts[made].span;
    func.push(block, rest, span);
    let insts = &mut func.blocks[block].insts;
    if let Some(rest) = insts.pop() {
        // The accumulator turns first.
        insts.swap(at, at + 1);
        insts.insert(at + 2, rest);
    }
}

/// Changes what an operation reads element for element.
fn each_operand(op: &mut Op, change: &mut dyn FnMut(&mut View)) {
    let Op::Ew { a, b, c, .. } = op else {
        return;
    };
    for operand in [Some(a), b.as_mut(), c.as_mut()].into_iter().flatten() {
        match operand {
            Operand::Full(view) | Operand::EachRow(view) => change(view),
            Operand::EachCol(_) | Operand::Bits(_) | Operand::Scalar(_) => {}
        }
    }
}

fn moved(col: Arg, by: i64) -> Arg {
    match col {
        Arg::Const(col) => Arg::Const(col + by),
        Arg::Val(_) => col,
    }
}
