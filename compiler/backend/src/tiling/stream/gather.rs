//! What several groups have of one block of rows is merged over global memory, in a phase of its own.
//!
//! Every group that had units of a block of rows has left what it accumulated at a place of its own. The vector cores
//! take blocks of few rows, so that all have as much to do, and merge what the groups left, in the order of the items.

use ir::tile::{Arg, CoreQuery, Func, Op, Tensor};
use isa::types::Elem;

use super::vector::{self, Kept};
use super::{Pass, Size, walk};
use crate::tiling::Result;
use crate::tiling::builder::{Builder, whole};
use crate::tiling::expr::{Emitter, ceil_div};
use crate::tiling::workspace;

/// Rows of a block: what the two vector cores of a group merge at a time.
const ROWS: i64 = 32;

/// Where groups leave what they accumulated.
pub(super) struct Left {
    /// For each field its values, by place and row.
    pub(super) fields: Vec<Tensor>,
}

impl Left {
    /// Workspaces for as many places as groups and blocks of rows can need: each group begins one block of rows at most
    /// that another has begun.
    pub(super) fn new(pass: &Pass<'_>, func: &mut Func, span: diag::Span) -> Left {
        let places = pass.count().saturating_add(i64::from(pass.cx.groups));
        let fields = (pass.stream.cascade.fields.iter().enumerate()).map(|(number, field)| {
            let name = format!("left{}", func.tensors.len());
            let mut shape = vec![places, pass.size.m];
            if !vector::is_row(field) {
                shape.push(vector::width(pass, number));
            }
            workspace(func, &name, Elem::F32, &shape, span)
        });
        Left {
            fields: fields.collect(),
        }
    }
}

/// The place of a group and a block of rows, as a number of rows.
pub(super) fn place(pass: &Pass<'_>, b: &mut Builder, (block, group): (Arg, Arg)) -> Arg {
    let place = b.add(block, group);
    b.mul(place, pass.size.m)
}

/// Appends the vector program that merges what groups left.
pub(super) fn emit(first: &Pass<'_>, left: &Left, b: Builder) -> Result<Builder> {
    let size = Size {
        m: ROWS,
        rows: ROWS / 2,
        copies: 2,
        ..first.size
    };
    let mut pass = Pass::new(first.cx, first.stream, size, first.gm);
    pass.parts.clone_from(&first.parts);
    pass.rings = (first.stream.sums.iter())
        .filter_map(|(field, _)| left.fields.get(*field).copied())
        .collect();
    let mut em = Emitter::new(pass.cx.algo, b, pass.gm, vector::items_extent(&pass));
    let group = Arg::Val(em.b.query(CoreQuery::Group));
    em.for_loop(
        group,
        pass.count(),
        i64::from(pass.cx.groups),
        |em, block| few_rows(&pass, em, (first, left), block),
    )?;
    Ok(em.b)
}

fn few_rows(
    pass: &Pass<'_>,
    em: &mut Emitter<'_>,
    (first, left): (&Pass<'_>, &Left),
    block: Arg,
) -> Result<()> {
    let rows = pass.enter(&mut em.b, block);
    vector::place(pass, em, &rows.outer);
    vector::hoist(pass, em)?;
    let kept = vector::keep_room(pass, em);
    // Not all rows of a record need be there.
    for (number, field) in pass.stream.cascade.fields.iter().enumerate() {
        if let Some(record) = kept.record(pass, number) {
            vector::set_to_start(em, field, record);
        }
    }
    let here = ceil_div(pass.rows, pass.size.m);
    let (whole_block, inside) = {
        let b = &mut em.b;
        let (outer, number) = (b.div(block, here), b.rem(block, here));
        let row = b.mul(number, pass.size.m);
        let before = b.mul(outer, ceil_div(pass.rows, first.size.m));
        let down = b.div(row, first.size.m);
        (b.add(before, down), b.rem(row, first.size.m))
    };
    let (low, high) = walk::holders(first, &mut em.b, whole_block);
    let behind = em.b.add(high, 1);
    em.for_loop(low, behind, 1, |em, holder| -> Result<()> {
        let at = place(first, &mut em.b, (whole_block, holder));
        let at = em.b.add(at, inside);
        bring_rows(pass, em, (left, &kept), (at, rows.m));
        let slots: Vec<Arg> = (pass.stream.sums.iter())
            .map(|(field, _)| em.b.mul(at, vector::width(pass, *field)))
            .collect();
        em.scoped(|em| vector::merge_all(pass, em, block, &kept, &slots))
    })?;
    vector::strips(pass, em, block, &kept, |em, strip| {
        vector::results(pass, em, strip, &kept)
    })
}

/// Brings the fields of the rows of a place.
fn bring_rows(
    pass: &Pass<'_>,
    em: &mut Emitter<'_>,
    (left, kept): (&Left, &Kept),
    (at, m): (Arg, Arg),
) {
    let sub = Arg::Val(em.b.query(CoreQuery::Sub));
    let inside = em.b.mul(sub, pass.half());
    let at = em.b.add(at, inside);
    let rest = em.b.sub(m, inside);
    let rest = em.b.max(rest, 0);
    let cols = em.b.min(rest, pass.half());
    for (number, &tensor) in left.fields.iter().enumerate() {
        if let Some(record) = kept.record(pass, number) {
            em.b.push(Op::Load {
                dst: whole(record),
                tensor,
                at,
                rows: Arg::Const(1),
                cols,
                pitch: Arg::Const(pass.size.m),
            });
        }
    }
}
