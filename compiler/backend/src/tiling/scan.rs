//! Prefixes: a reduction whose items end at an index of the result, on the vector cores.
//!
//! One accumulator runs along that index and is stored after each item, so that the work is that of one reduction. The
//! last other index of the result runs along the vector. If the prefix runs along the rows of memory instead, elements
//! are stored a column at a time. Every partial sum ascends from the identity, as the masked reduction says.

use ir::algo::{BinaryOp, CmpOp, Expr, ExprKind, Func, Index, Order, Reduce, ReduceOp};
use ir::tile::{Arg, Buf, CoreQuery, EwOp, Op, Operand};
use isa::types::{Elem, Layout, Space};

use super::builder::{Builder, Shape, whole};
use super::expr::{Emitter, Extent, GmMap, Kind, Place, Val, ceil_div, decode, round_up};
use super::items::{copy_row, ew_op, one_row, store_form};
use super::rows::{identity, item, lane_elem, product};
use super::{Result, StepCx};
use crate::errors;
use std::collections::BTreeSet;

/// A reduction over a prefix.
#[derive(Clone, Debug)]
pub(crate) struct Prefix {
    /// The index of the result at which the items end.
    pub(crate) until: Index,
    /// Conditions besides.
    masks: Vec<Expr>,
}

/// The prefix that a definition reduces: one axis, a mask `axis <= index`, and nothing else that depends on the index.
pub(crate) fn prefix(func: &Func, def: usize) -> Option<Prefix> {
    let reduce = func.root_reduce(def)?;
    let [axis] = reduce.axes.as_slice() else {
        return None;
    };
    let ordered = match reduce.op {
        ReduceOp::Sum | ReduceOp::Prod => reduce.order == Order::Ascending,
        ReduceOp::Max | ReduceOp::Min => true,
        ReduceOp::Any | ReduceOp::All | ReduceOp::ArgMax | ReduceOp::ArgMin => false,
    };
    let mut masks = Vec::new();
    conjuncts(func, reduce.mask?, &mut masks);
    let own = &func.defs[def].indices;
    let found = masks.iter().find_map(|mask| {
        let until = ends_at(func, *mask, *axis)?;
        own.contains(&until).then_some((*mask, until))
    });
    let (end, until) = found?;
    masks.retain(|mask| *mask != end);
    let same = func.indices[until].extent == func.indices[*axis].extent;
    let others = masks.iter().copied().chain([reduce.body]);
    let pure = others.into_iter().all(|e| !mentions(func, e, until));
    let wide = func.tensors[func.defs[def].target].elem.bytes() > 1;
    let across = own.last() != Some(&until);
    (ordered && same && pure && (wide || across)).then_some(Prefix { until, masks })
}

fn conjuncts(func: &Func, mask: Expr, into: &mut Vec<Expr>) {
    if let ExprKind::Binary(BinaryOp::And, a, b) = func.exprs[mask].kind {
        conjuncts(func, a, into);
        conjuncts(func, b, into);
    } else {
        into.push(mask);
    }
}

/// The index of `axis <= index`.
fn ends_at(func: &Func, mask: Expr, axis: Index) -> Option<Index> {
    let ExprKind::Compare(CmpOp::Le, a, b) = func.exprs[mask].kind else {
        return None;
    };
    match (&func.exprs[a].kind, &func.exprs[b].kind) {
        (ExprKind::Index(a), ExprKind::Index(b)) if *a == axis => Some(*b),
        _ => None,
    }
}

fn mentions(func: &Func, root: Expr, index: Index) -> bool {
    let mut seen = BTreeSet::new();
    let mut work = vec![root];
    let mut found = BTreeSet::new();
    while let Some(e) = work.pop() {
        if seen.insert(e) {
            func.exprs[e].kind.visit_indices(&mut |index| {
                found.insert(index);
            });
            work.extend(func.exprs[e].kind.operands());
        }
    }
    found.contains(&index)
}

/// The indices of a prefix by the part they play.
struct Roles {
    outer: Vec<Index>,
    /// Runs along the vector; none in a vector's prefix.
    vector: Option<Index>,
    /// Elements apart of neighbours along the vector, and of neighbours of the prefix.
    steps: (i64, i64),
    /// Elements apart of neighbours along each outer index.
    strides: Vec<i64>,
}

fn roles(func: &Func, def: usize, until: Index) -> Roles {
    let own = &func.defs[def].indices;
    let pitches = super::access::pitches(&func.tensors[func.defs[def].target].shape);
    let pitch = |index: Index| {
        let place = own.iter().position(|i| *i == index);
        place.and_then(|p| pitches.get(p)).copied().unwrap_or(0)
    };
    let mut others: Vec<Index> = own.iter().copied().filter(|i| *i != until).collect();
    let vector = others.pop();
    Roles {
        strides: others.iter().map(|i| pitch(*i)).collect(),
        steps: (vector.map_or(1, pitch), pitch(until)),
        outer: others,
        vector,
    }
}

/// The index that runs along the vector.
pub(crate) fn vector_index(func: &Func, def: usize) -> Option<Index> {
    roles(func, def, prefix(func, def)?.until).vector
}

/// Widths worth trying, best first.
pub(crate) fn capacities(cx: &StepCx<'_>, def: usize) -> Vec<i64> {
    let width = prefix(cx.algo, def)
        .and_then(|prefix| roles(cx.algo, def, prefix.until).vector)
        .map_or(1, |i| cx.algo.symbols.assumed(cx.algo.indices[i].extent));
    let share = round_up(ceil_div(width, cx.vector_cores()), 256);
    let mut cap = share.min(round_up(cx.block_elements() / 8, 256));
    let mut sizes = Vec::new();
    while cap >= 256 {
        sizes.push(cap);
        cap = if cap == 256 {
            0
        } else {
            round_up(cap / 2, 256)
        };
    }
    sizes
}

/// Appends the step to the current block of `b`, which every vector core runs.
pub(crate) fn emit(
    cx: &StepCx<'_>,
    def: usize,
    cap: i64,
    b: Builder,
    gm: &GmMap,
) -> Result<Builder> {
    let algo = cx.algo;
    let data = &algo.defs[def];
    let (Some(reduce), Some(prefix)) = (algo.root_reduce(def), prefix(algo, def)) else {
        return Err(errors::not_compiled(
            data.span,
            "this definition is not compiled yet",
        ));
    };
    let roles = roles(algo, def, prefix.until);
    let width = roles.vector.map_or(1, |i| algo.indices[i].extent);
    let mut e = Emitter::new(algo, b, gm, extent(cx, width, cap));
    let chunks = ceil_div(width, cap);
    let outer: Vec<i64> = (roles.outer.iter())
        .map(|&i| algo.indices[i].extent)
        .collect();
    let core = Arg::Val(e.b.query(CoreQuery::Core));
    let blocks = product(&outer) * chunks;
    e.for_loop(core, blocks, cx.vector_cores(), |e, t| -> Result<()> {
        let position = e.b.div(t, chunks);
        let mut base = Arg::Const(0);
        let values = decode(&mut e.b, position, &outer);
        for ((&index, value), stride) in roles.outer.iter().zip(values).zip(&roles.strides) {
            e.place.insert(index, Place::Fixed(value));
            let term = e.b.mul(value, *stride);
            base = e.b.add(base, term);
        }
        let chunk = e.b.rem(t, chunks);
        e.extent.col0 = e.b.mul(chunk, cap);
        let col0 = e.extent.col0;
        e.extent.col_count = e.b.clip(cap.min(width), width, col0);
        if let Some(index) = roles.vector {
            let place = if width == 1 {
                Place::Fixed(Arg::Const(0))
            } else {
                Place::Col(0)
            };
            e.place.insert(index, place);
        }
        let start = e.b.mul(col0, roles.steps.0);
        let base = e.b.add(base, start);
        run(e, cx, (def, reduce, &prefix), (base, roles.steps))
    })?;
    Ok(e.b)
}

fn extent(cx: &StepCx<'_>, width: i64, cap: i64) -> Extent {
    Extent {
        rows: Vec::new(),
        cols: vec![width],
        cap_rows: 1,
        cap_cols: cap,
        row0: Arg::Const(0),
        col0: Arg::Const(0),
        row_count: Arg::Const(1),
        col_count: Arg::Const(cap.min(width)),
        padded: cap == width,
        depth: cx.depth(),
    }
}

/// One accumulator along the prefix, stored after each item.
fn run(
    e: &mut Emitter<'_>,
    cx: &StepCx<'_>,
    (def, reduce, prefix): (usize, &Reduce, &Prefix),
    (base, (across, along)): (Arg, (i64, i64)),
) -> Result<()> {
    let algo = cx.algo;
    let target = algo.defs[def].target;
    let result = algo.exprs[algo.defs[def].value].elem;
    let acc = start(e, reduce.op, result);
    let items = algo.indices[prefix.until].extent;
    let axis = reduce.axes[0];
    e.for_loop(0, items, 1, |e, k| -> Result<()> {
        e.place.insert(axis, Place::Fixed(k));
        let src = next(e, reduce, &prefix.masks, result)?;
        let cell = whole(acc);
        let sources = [Operand::Full(cell), Operand::Full(whole(src))];
        one_row(e, ew_op(reduce.op), cell, sources);
        let src = store_form(e, cx, def, acc);
        let down = e.b.mul(k, along);
        let at = e.b.add(base, down);
        let Some(&tensor) = e.gm.get(&target) else {
            return Ok(());
        };
        let count = e.extent.col_count;
        if across == 1 || matches!(count, Arg::Const(1)) {
            e.b.push(Op::Store {
                tensor,
                at,
                src: whole(src),
                rows: Arg::Const(1),
                cols: count,
                pitch: Arg::Const(0),
            });
        } else {
            let column = apart(e, algo.tensors[target].elem, src);
            e.b.push(Op::Store {
                tensor,
                at,
                src: whole(column),
                rows: count,
                cols: Arg::Const(1),
                pitch: Arg::Const(across),
            });
        }
        Ok(())
    })
}

/// The accumulator at the identity.
fn start(e: &mut Emitter<'_>, op: ReduceOp, result: Elem) -> Buf {
    let acc = e.temp(Kind::Col, lane_elem(result));
    let cap = e.extent.cap_cols;
    let bits = Operand::Bits(identity(op, result));
    let all = (Arg::Const(1), Arg::Const(cap));
    e.b.ew(EwOp::Copy, acc, bits, None, all);
    acc
}

/// The next item, or the identity where it is masked out.
fn next(e: &mut Emitter<'_>, reduce: &Reduce, masks: &[Expr], result: Elem) -> Result<Buf> {
    let elem = lane_elem(result);
    let mut val = item(e, reduce)?;
    for mask in masks {
        let nothing = Val::Bits(identity(reduce.op, result));
        val = e.choose(elem, *mask, val, nothing)?;
    }
    Ok(e.materialise(Kind::Col, elem, val))
}

/// Elements of a row, each in a block of its own. Spreading reads whole blocks, so what the row lacks is filled.
fn apart(e: &mut Emitter<'_>, elem: Elem, src: Buf) -> Buf {
    let src = if e.extent.padded {
        src
    } else {
        let line = e.temp(Kind::Col, elem);
        let all = (Arg::Const(1), Arg::Const(e.extent.cap_cols));
        e.b.ew(EwOp::Copy, line, Operand::Bits(0), None, all);
        copy_row(e, whole(line), src);
        line
    };
    let rows = e.extent.cap_cols;
    let shape = Shape {
        elem,
        space: Space::Ub,
        layout: Layout::Nd,
        depth: e.extent.depth,
        rows,
        cols: 32 / i64::try_from(elem.bytes()).unwrap_or(4),
    };
    let dst = e.b.buf("column", shape);
    let rows = e.extent.col_count;
    e.b.push(Op::Spread {
        dst: whole(dst),
        src: whole(src),
        rows,
    });
    dst
}
