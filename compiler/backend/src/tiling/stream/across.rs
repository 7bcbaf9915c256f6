//! The walk over units from one block of rows into the next: what a group multiplies last of one block is beside the
//! scores of the next, so that neither kind of core waits where blocks of rows meet.
//!
//! In turn `w` the cube core makes the scores of unit `w` and multiplies the weights of unit `w - lead`; the vector cores
//! reduce unit `w` and merge unit `w - 1`. Every turn uses one slot of every channel, so slots go by that nothing was
//! written to: of products in the first turns, of scores in the last ones.

use ir::algo::CmpOp;
use ir::tile::{Arg, CoreQuery, Op};

use super::Pass;
use super::cube::{Side, base, packet_of_scores};
use super::sum::Sum;
use super::vector::{self, Kept};
use super::walk::{Units, Visit};
use crate::tiling::Result;
use crate::tiling::builder::Builder;
use crate::tiling::expr::{Emitter, ceil_div, round_up};

// ---- cube ----

/// Appends the cube program to the current block of `b`.
pub(super) fn cube(pass: &Pass<'_>, b: &mut Builder) {
    let core = Arg::Val(b.query(CoreQuery::Core));
    let units = Units::of(pass, b, core);
    let odd = b.rem(core, 2);
    let lead = i64::from(pass.lead());
    b.for_loop(units.low, units.high, units.step, |b, block| {
        let visit = units.visit(b, Arg::Val(block));
        let rows = pass.enter(b, visit.block);
        let sides: Vec<Side<'_>> = (pass.stream.scores.iter())
            .map(|product| Side::rows(pass, b, product, &rows))
            .collect();
        let high = visit.high(b, lead);
        b.for_loop(visit.low, high, 1, |b, unit| {
            let unit = Arg::Val(unit);
            let scores = Scores::new(pass, b, (&sides, &rows), (&visit, unit));
            turn(pass, b, (&units, odd), scores, unit);
        });
    });
}

/// The scores of a unit: tiles of them can be made whenever the cube has room.
struct Scores<'a> {
    pass: &'a Pass<'a>,
    sides: &'a [Side<'a>],
    /// Where the first item of each side lies, rows, and how many items there are to make scores of.
    places: Vec<Arg>,
    m: Arg,
    count: Arg,
    slots: Vec<Arg>,
}

impl<'a> Scores<'a> {
    fn new(
        pass: &'a Pass<'a>,
        b: &mut Builder,
        (sides, rows): (&'a [Side<'a>], &super::Rows),
        (visit, unit): (&Visit, Arg),
    ) -> Scores<'a> {
        let ahead = b.cmp(CmpOp::Lt, unit, visit.end);
        let j = visit.items(b, unit);
        let (first, count) = pass.items_of(b, j);
        let mut places = Vec::new();
        for side in sides {
            let right = base(pass, b, side.product, &side.product.b, rows);
            let down = b.mul(first, side.product.b.at.stride(side.product.n));
            places.push(b.add(right, down));
        }
        Scores {
            pass,
            sides,
            places,
            m: rows.m,
            count: b.mul(count, ahead),
            slots: Vec::new(),
        }
    }

    fn acquire(&mut self, b: &mut Builder) {
        for &chan in &self.pass.scores {
            let slot = b.func.add_value();
            b.push(Op::Acquire { dst: slot, chan });
            self.slots.push(Arg::Val(slot));
        }
    }

    fn publish(&self, b: &mut Builder) {
        for &chan in &self.pass.scores {
            b.push(Op::Publish { chan });
        }
    }

    /// Makes the scores of a part of the items, if they are wanted: the number of the part, and how many parts there are.
    fn make(&self, b: &mut Builder, (part, parts): (Arg, i64), there: Arg) {
        let packet = self.pass.size.packet;
        let most = self.pass.size.n.min(round_up(self.pass.items(), 16));
        let each = ceil_div(ceil_div(most, packet), parts) * packet;
        let low = b.mul(part, each);
        let high = match parts {
            1 => self.count,
            _ => {
                let next = b.add(low, each);
                let count = b.mul(self.count, there);
                let high = b.min(next, count);
                b.max(low, high)
            }
        };
        let even = self.pass.items() % self.pass.size.n == 0 && self.pass.size.n % packet == 0;
        for (number, side) in self.sides.iter().enumerate() {
            let (chan, slot) = (self.pass.scores[number], self.slots[number]);
            let place = self.places[number];
            b.for_loop(low, high, packet, |b, n1| {
                let n1 = Arg::Val(n1);
                let length = match even {
                    true => Arg::Const(packet),
                    false => {
                        let left = b.sub(self.count, n1);
                        b.min(left, packet)
                    }
                };
                let items = (place, Arg::Const(0), n1, (packet.min(most), length));
                packet_of_scores(self.pass, b, side, (chan, slot), self.m, items);
            });
        }
    }
}

/// One turn: scores of a unit, and the products of the one that is so many behind.
fn turn(
    pass: &Pass<'_>,
    b: &mut Builder,
    (units, odd): (&Units, Arg),
    mut scores: Scores<'_>,
    unit: Arg,
) {
    let lead = i64::from(pass.lead());
    let start = b.add(units.first, lead);
    let follows = b.cmp(CmpOp::Ge, unit, start);
    let earlier = b.sub(unit, lead);
    let earlier = b.max(earlier, 0);
    let (block, j) = units.place(b, earlier);
    let rows = pass.enter(b, block);
    let sums: Vec<Sum<'_>> = (0..pass.parts.len())
        .filter_map(|number| Sum::new(pass, b, number, (&rows, j)))
        .collect();
    scores.acquire(b);
    match sums.iter().any(Sum::in_turns) {
        true => in_turns(b, (&sums, follows), &scores, odd),
        false => {
            scores.make(b, (Arg::Const(0), 1), Arg::Const(1));
            scores.publish(b);
            for sum in &sums {
                at_once(b, sum, follows);
            }
        }
    }
}

/// All columns of a product after the scores.
fn at_once(b: &mut Builder, sum: &Sum<'_>, follows: Arg) {
    let early = sum.early(b);
    if let Some(values) = early {
        b.for_loop(0, follows, 1, |b, _| sum.bring_all(b, values));
    }
    let taken = sum.take(b);
    let at = sum.acquire(b);
    b.for_loop(0, follows, 1, |b, _| {
        let c = sum.at_once(b, taken, early);
        sum.drain(b, c, at, (Arg::Const(0), sum.width.1));
    });
    sum.release(b);
    sum.publish(b);
}

/// Some columns of the products, then some of the scores, and so on: while one accumulator drains, the other one is
/// filled. Every other core begins with the scores: items come from far away for the first time and from near by for the
/// second, and so half of the cores ask for the one while the others ask for the other.
fn in_turns(b: &mut Builder, (sums, follows): (&[Sum<'_>], Arg), scores: &Scores<'_>, odd: Arg) {
    let mut ready = Vec::new();
    for sum in sums {
        let left = sum.weights_room(b, 1);
        let taken = sum.take(b);
        b.for_loop(0, follows, 1, |b, _| sum.bring_weights(b, left, taken));
        sum.release(b);
        ready.push((left, sum.acquire(b)));
    }
    let turns = sums.iter().map(|sum| sum.turns().1).max().unwrap_or(1);
    b.for_loop(0, turns, 1, |b, part| {
        let part = Arg::Val(part);
        b.for_loop(0, 2, 1, |b, which| {
            let columns = b.cmp(CmpOp::Eq, Arg::Val(which), odd);
            let follows = b.mul(columns, follows);
            for (sum, &(left, at)) in sums.iter().zip(&ready) {
                let (each, own) = sum.turns();
                let there = match own == turns {
                    true => follows,
                    false => {
                        let within = b.cmp(CmpOp::Lt, part, own);
                        b.mul(within, follows)
                    }
                };
                b.for_loop(0, there, 1, |b, _| {
                    let n0 = b.mul(part, each);
                    let n = (each, b.clip(each, sum.width.0, n0));
                    let c = sum.some_columns(b, left, (n0, n));
                    sum.drain(b, c, at, (n0, n.1));
                });
            }
            let scored = b.sub(1, columns);
            scores.make(b, (part, turns), scored);
        });
    });
    scores.publish(b);
    for sum in sums {
        sum.publish(b);
    }
}

// ---- vector ----

/// Appends the vector program to the current block of `b`.
pub(super) fn vector(pass: &Pass<'_>, b: Builder) -> Result<Builder> {
    let mut em = Emitter::new(pass.cx.algo, b, pass.gm, vector::items_extent(pass));
    let group = Arg::Val(em.b.query(CoreQuery::Group));
    let units = Units::of(pass, &mut em.b, group);
    let outer = vec![Arg::Const(0); pass.outer.len()];
    vector::place(pass, &mut em, &outer);
    vector::hoist(pass, &mut em)?;
    let kept = vector::keep_room(pass, &mut em);
    let some = units.some(&mut em.b);
    let lead = em.b.mul(some, i64::from(pass.lead()));
    em.b.for_loop(0, lead, 1, |b, _| {
        for &chan in &pass.weights {
            let dst = b.func.add_value();
            b.push(Op::Acquire { dst, chan });
            b.push(Op::Publish { chan });
        }
    });
    em.for_loop(units.low, units.high, units.step, |em, block| {
        let visit = units.visit(&mut em.b, block);
        let high = visit.high(&mut em.b, 1);
        em.for_loop(visit.low, high, 1, |em, unit| {
            turn_of_rows(pass, em, (&units, &visit, group), &kept, unit)
        })
    })?;
    em.b.for_loop(0, lead, 1, |b, _| {
        pass_by(b, &pass.scores);
    });
    Ok(em.b)
}

/// Takes slots that nothing was written to.
fn pass_by(b: &mut Builder, chans: &[ir::tile::Chan]) {
    for &chan in chans {
        let dst = b.func.add_value();
        b.push(Op::Take { dst, chan });
        b.push(Op::Release { chan });
    }
}

/// One turn: a unit to its record and weights, the one before merged; where that was the last of its block of rows, the
/// block is finished.
fn turn_of_rows(
    pass: &Pass<'_>,
    em: &mut Emitter<'_>,
    (units, visit, group): (&Units, &Visit, Arg),
    kept: &Kept,
    unit: Arg,
) -> Result<()> {
    let ahead = em.b.cmp(CmpOp::Lt, unit, visit.end);
    vector::when(em, ahead, |em| {
        let j = visit.items(&mut em.b, unit);
        vector::items(pass, em, visit.block, kept, j)
    })?;
    let follows = em.b.cmp(CmpOp::Gt, unit, units.first);
    let none = em.b.sub(1, follows);
    let skipped = em.b.mul(none, i64::from(pass.lead()));
    em.b.for_loop(0, skipped, 1, |b, _| pass_by(b, &pass.parts));
    let earlier = em.b.sub(unit, follows);
    let (block, _) = units.place(&mut em.b, earlier);
    vector::when(em, follows, |em| vector::merge(pass, em, block, kept))?;
    let starts = em.b.cmp(CmpOp::Eq, unit, visit.low);
    let ends = em.b.cmp(CmpOp::Eq, unit, visit.end);
    let done = em.b.max(starts, ends);
    let done = em.b.mul(done, follows);
    em.for_loop(0, done, 1, |em, _| -> Result<()> {
        vector::finish(pass, em, (block, group), kept)?;
        vector::clear(pass, em, kept);
        Ok(())
    })?;
    vector::turn(pass, em, kept);
    Ok(())
}
