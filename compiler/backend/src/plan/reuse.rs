//! Temporaries of the vector unit that may be computed in place.
//!
//! An element-wise operation reads an element of each source before it writes that element, so its result may take the
//! bytes of a source of the same geometry that nothing reads afterwards. Such buffers get one place together.

use std::collections::BTreeMap;

use ir::tile::{Buf, BufData, Func, Op, Operand, View};

use super::live::{Births, Life};

/// For each buffer that is computed in place the buffer whose place it takes: one that takes no other's.
pub(super) type Shared = BTreeMap<Buf, Buf>;

/// Joins the lives of buffers that are computed in place.
pub(super) fn share(func: &Func, lives: Vec<Life>, births: &Births) -> (Vec<Life>, Shared) {
    let mut shared = Shared::new();
    let mut lives: BTreeMap<Buf, Life> = lives.into_iter().map(|life| (life.buf, life)).collect();
    let own = lives.clone();
    for (&dst, birth) in births {
        let sources = in_place_sources(func, &func.insts[birth.inst].op, dst);
        let dies = |src: &Buf| {
            let depths = birth.depth_of.get(src) == Some(&birth.depth);
            depths && both_meet(&own, *src, dst, birth.clock)
        };
        let Some(src) = sources.into_iter().find(dies) else {
            continue;
        };
        let root = shared.get(&src).copied().unwrap_or(src);
        let Some(taken) = lives.remove(&dst) else {
            continue;
        };
        if let (Some(life), Some(range)) = (lives.get_mut(&root), taken.ranges.first())
            && let Some(whole) = life.ranges.first_mut()
        {
            whole.end = whole.end.max(range.end);
        }
        shared.insert(dst, root);
    }
    (lives.into_values().collect(), shared)
}

/// Whether one buffer is last read where the other is first written, and the vector unit alone knows both.
fn both_meet(lives: &BTreeMap<Buf, Life>, src: Buf, dst: Buf, clock: u32) -> bool {
    let range = |buf: Buf| match lives.get(&buf).map(|life| &life.ranges[..]) {
        Some([range]) if range.is_vector_only() => Some(range),
        Some(_) | None => None,
    };
    match (range(src), range(dst)) {
        (Some(a), Some(b)) => a.phase == b.phase && a.end == clock && a.start < b.start,
        (Some(_) | None, Some(_) | None) => false,
    }
}

/// Sources of an element-wise operation that lie element for element as its destination does.
fn in_place_sources(func: &Func, op: &Op, buf: Buf) -> Vec<Buf> {
    let Op::Ew { dst, a, b, c, .. } = op else {
        return Vec::new();
    };
    if dst.buf != buf {
        return Vec::new();
    }
    let operands = || [Some(*a), *b, *c].into_iter().flatten();
    let uses = |src: Buf| {
        let views = operands().filter_map(Operand::view);
        views.filter(|view| view.buf == src).count()
    };
    let fits = |operand: Operand| match operand {
        Operand::Full(view) => {
            (lies_alike(func, view, *dst) && uses(view.buf) == 1).then_some(view.buf)
        }
        Operand::EachRow(_) | Operand::EachCol(_) | Operand::Bits(_) | Operand::Scalar(_) => None,
    };
    operands().filter_map(fits).collect()
}

fn lies_alike(func: &Func, a: View, b: View) -> bool {
    let shape = |data: &BufData| {
        (
            data.space,
            data.depth,
            data.rows,
            data.cols,
            data.elem.bytes(),
        )
    };
    let (one, other) = (&func.bufs[a.buf], &func.bufs[b.buf]);
    let masks = [one, other].map(|data| data.elem == isa::types::Elem::Bool);
    a.buf != b.buf
        && a.row == b.row
        && a.col == b.col
        && masks == [false; 2]
        && one.depth == 1
        && shape(one) == shape(other)
}
