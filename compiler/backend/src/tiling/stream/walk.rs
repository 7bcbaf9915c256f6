//! Which units a group of cores has: blocks of items of blocks of rows, one behind the other.
//!
//! A unit is one block of items of one block of rows. A group has the units of whole blocks of rows, or as many units as
//! every other group, wherever blocks of rows begin and end among them. Units are numbered from 0 in the first case, and
//! over all groups in the second; both kinds of core walk them in the same order.

use ir::algo::CmpOp;
use ir::tile::{Arg, Op, ScalarOp};

use super::Pass;
use crate::tiling::builder::Builder;

/// The units of the group that the code runs on.
#[derive(Copy, Clone, Debug)]
pub(super) struct Units {
    /// The first.
    pub(super) first: Arg,
    /// The one behind the last, if that lies anywhere in a block of rows.
    end: Option<Arg>,
    /// The loop over blocks of rows.
    pub(super) low: Arg,
    pub(super) high: Arg,
    pub(super) step: i64,
    /// Block of rows number `k` of the walk is `base + step * k`.
    base: Arg,
    /// Units of a block of rows.
    per: i64,
}

/// The units of one block of rows of a walk.
#[derive(Copy, Clone, Debug)]
pub(super) struct Visit {
    /// The block.
    pub(super) block: Arg,
    /// The number of its first unit, whether or not that is the group's.
    own: Arg,
    /// The first unit that is the group's, and the one behind the last.
    pub(super) low: Arg,
    pub(super) end: Arg,
    /// Whether this is the last block.
    last: Arg,
}

impl Units {
    pub(super) fn of(pass: &Pass<'_>, b: &mut Builder, group: Arg) -> Units {
        let (per, count) = (pass.turns(), pass.count());
        let groups = i64::from(pass.cx.groups);
        if !pass.size.split {
            return Units {
                first: Arg::Const(0),
                end: None,
                low: group,
                high: bound(b, count),
                step: groups,
                base: group,
                per,
            };
        }
        let total = count.saturating_mul(per);
        let share = |b: &mut Builder, number: Arg| {
            let all = b.mul(number, total);
            b.div(all, groups)
        };
        let first = share(b, group);
        let next = b.add(group, 1);
        let end = share(b, next);
        let up = b.add(end, per - 1);
        Units {
            first,
            end: Some(end),
            low: b.div(first, per),
            high: b.div(up, per),
            step: 1,
            base: Arg::Const(0),
            per,
        }
    }

    /// Whether the group has any.
    pub(super) fn some(&self, b: &mut Builder) -> Arg {
        b.cmp(CmpOp::Lt, self.low, self.high)
    }

    /// What the loop over blocks of rows comes to.
    pub(super) fn visit(&self, b: &mut Builder, block: Arg) -> Visit {
        let before = b.sub(block, self.base);
        let k = b.div(before, self.step);
        let own = b.mul(k, self.per);
        let next = b.add(own, self.per);
        let low = match self.end {
            None => own,
            Some(_) => b.max(own, self.first),
        };
        let end = match self.end {
            None => next,
            Some(end) => b.min(next, end),
        };
        let after = b.add(block, self.step);
        let last = b.cmp(CmpOp::Ge, after, self.high);
        Visit {
            block,
            own,
            low,
            end,
            last,
        }
    }

    /// The block of rows in which a unit is, and its block of items.
    pub(super) fn place(&self, b: &mut Builder, unit: Arg) -> (Arg, Arg) {
        let k = b.div(unit, self.per);
        let across = b.mul(k, self.step);
        (b.add(self.base, across), b.rem(unit, self.per))
    }
}

impl Visit {
    /// The one behind the last unit; the last block has `more` beyond.
    pub(super) fn high(&self, b: &mut Builder, more: i64) -> Arg {
        let more = b.mul(self.last, more);
        b.add(self.end, more)
    }

    /// The block of items of a unit.
    pub(super) fn items(&self, b: &mut Builder, unit: Arg) -> Arg {
        b.sub(unit, self.own)
    }
}

/// A number that a loop and what depends on its last round share: one place to change both.
fn bound(b: &mut Builder, number: i64) -> Arg {
    let dst = b.func.add_value();
    b.push(Op::Scalar {
        dst,
        op: ScalarOp::Add,
        a: Arg::Const(number),
        b: Arg::Const(0),
    });
    Arg::Val(dst)
}

/// The first and the last group that has units of a block of rows.
pub(super) fn holders(pass: &Pass<'_>, b: &mut Builder, block: Arg) -> (Arg, Arg) {
    let groups = i64::from(pass.cx.groups);
    let per = pass.turns();
    let total = pass.count().saturating_mul(per);
    let first = b.mul(block, per);
    let last = b.add(first, per - 1);
    let holder = |b: &mut Builder, unit: Arg| {
        let behind = b.add(unit, 1);
        let scaled = b.mul(behind, groups);
        let scaled = b.sub(scaled, 1);
        b.div(scaled, total)
    };
    (holder(b, first), holder(b, last))
}
