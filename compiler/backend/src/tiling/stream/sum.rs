//! The weights of a block of items times its values, on the cube core.
//!
//! Where L0C takes all columns of the product at a time, weights and values come in packets of items; else the weights of
//! the block stay in L1, and its values come column by column.

use ir::tile::{Arg, Buf, Chan, Op, View};
use isa::types::Space;

use super::cube::{
    accumulator, base, bring, drain, from, full, load, multiply, packet_room, parts, room, tile,
};
use super::{Pass, Rows};
use crate::Level;
use crate::partition::Product;
use crate::tiling::builder::{Builder, whole};
use crate::tiling::expr::{ceil_div, round_up};

/// A product of weights with values, for one block of items.
#[derive(Copy, Clone)]
pub(super) struct Sum<'a> {
    pass: &'a Pass<'a>,
    pub(super) product: &'a Product,
    /// The channels of the weights and of the products.
    weights: Chan,
    out: Chan,
    /// Rows: room for them, and how many there are.
    m: (i64, Arg),
    /// Where the value of the first item of the block lies.
    right: Arg,
    /// Room for and number of its items.
    items: (i64, Arg),
    pub(super) width: (i64, Arg),
}

impl<'a> Sum<'a> {
    /// The product with this number; none if there are fewer.
    pub(super) fn new(
        pass: &'a Pass<'a>,
        b: &mut Builder,
        number: usize,
        (rows, block): (&Rows, Arg),
    ) -> Option<Sum<'a>> {
        let (_, product) = pass.stream.sums.get(number)?;
        let (weights, out) = (*pass.weights.get(number)?, *pass.parts.get(number)?);
        let (first, count) = pass.items_of(b, block);
        let right = base(pass, b, product, &product.b, rows);
        let down = b.mul(first, product.b.at.stride(product.k));
        Some(Sum {
            pass,
            product,
            weights,
            out,
            m: (pass.size.m, rows.m),
            right: b.add(right, down),
            items: (pass.size.n.min(round_up(pass.items(), 16)), count),
            width: full(pass, product.n),
        })
    }

    /// Whether L0C takes some columns at a time.
    pub(super) fn in_turns(&self) -> bool {
        self.pass.size.columns < self.width.0
    }

    /// Columns that L0C takes at a time, and in how many turns it takes all.
    pub(super) fn turns(&self) -> (i64, i64) {
        let each = self.pass.size.columns.min(self.width.0);
        (each, ceil_div(self.width.0, each.max(1)))
    }

    pub(super) fn take(&self, b: &mut Builder) -> Arg {
        let taken = b.func.add_value();
        b.push(Op::Take {
            dst: taken,
            chan: self.weights,
        });
        Arg::Val(taken)
    }

    pub(super) fn release(&self, b: &mut Builder) {
        b.push(Op::Release { chan: self.weights });
    }

    pub(super) fn acquire(&self, b: &mut Builder) -> Arg {
        let at = b.func.add_value();
        b.push(Op::Acquire {
            dst: at,
            chan: self.out,
        });
        Arg::Val(at)
    }

    pub(super) fn publish(&self, b: &mut Builder) {
        b.push(Op::Publish { chan: self.out });
    }

    /// Hands a tile of the product over: its first column and its columns.
    pub(super) fn drain(&self, b: &mut Builder, c: Buf, at: Arg, (n0, n): (Arg, Arg)) {
        let ring = b.func.chans[self.out].tensor;
        let to = b.add(at, n0);
        drain(b, ring, to, c, (self.m.1, n), self.pass.width(self.product));
    }

    // ---- all columns at once ----

    /// Room for the values of the whole block, which come while the weights are waited for, where they take no more room
    /// than packets do.
    pub(super) fn early(&self, b: &mut Builder) -> Option<Buf> {
        let pass = self.pass;
        let fits = pass.cx.level != Level::O0 && pass.size.n <= 2 * pass.size.packet;
        fits.then(|| packet_room(pass, b, (&self.product.b, 1), self.width, self.items))
    }

    /// Brings values of items: the first inside the block, and how many.
    pub(super) fn bring(&self, b: &mut Builder, dst: Buf, (k1, k): (Arg, Arg)) {
        let factor = &self.product.b;
        let down = b.mul(k1, factor.at.stride(self.product.k));
        let at = b.add(self.right, down);
        bring(self.pass, b, (factor, dst), at, self.width.1, k);
    }

    pub(super) fn bring_all(&self, b: &mut Builder, dst: Buf) {
        self.bring(b, dst, (Arg::Const(0), self.items.1));
    }

    /// The product of the whole block, with values that are there or come packet by packet.
    pub(super) fn at_once(&self, b: &mut Builder, taken: Arg, early: Option<Buf>) -> Buf {
        let (pass, product, width) = (self.pass, self.product, self.width);
        let c = accumulator(pass, b, "sums", width.0, 1);
        let ring = b.func.chans[self.weights].tensor;
        parts(b, self.items, pass.size.packet, |b, k1, in_packet| {
            let at = b.add(taken, k1);
            let left = load(pass, b, (ring, at, pass.size.n), (self.m, in_packet), 2);
            let items = early.unwrap_or_else(|| {
                let dst = packet_room(pass, b, (&product.b, 2), width, in_packet);
                self.bring(b, dst, (k1, in_packet.1));
                dst
            });
            parts(b, in_packet, pass.size.steps, |b, k0, k| {
                let position = b.add(k1, k0);
                let within = if early.is_some() { position } else { k0 };
                let places = ((left, k0), (items, within));
                self.step(b, c, places, (position, k), width);
            });
        });
        c
    }

    // ---- some columns at a time ----

    /// Room in L1 for the weights of the whole block.
    pub(super) fn weights_room(&self, b: &mut Builder, copies: u32) -> Buf {
        let ring = b.func.chans[self.weights].tensor;
        room(self.pass, b, ring, (self.m.0, self.items.0), copies)
    }

    /// Brings the weights of the whole block.
    pub(super) fn bring_weights(&self, b: &mut Builder, dst: Buf, taken: Arg) {
        b.push(Op::Load {
            dst: whole(dst),
            tensor: b.func.chans[self.weights].tensor,
            at: taken,
            rows: self.m.1,
            cols: self.items.1,
            pitch: Arg::Const(self.pass.size.n),
        });
    }

    /// Some columns of the product, with the weights in L1.
    pub(super) fn some_columns(
        &self,
        b: &mut Builder,
        left: Buf,
        (n0, n): (Arg, (i64, Arg)),
    ) -> Buf {
        let (pass, product) = (self.pass, self.product);
        let across = b.mul(n0, product.b.at.stride(product.n));
        let right = b.add(self.right, across);
        let c = accumulator(pass, b, "sums", n.0, 1);
        let columns = Sum {
            right,
            width: n,
            ..*self
        };
        parts(b, self.items, pass.size.values, |b, k1, in_packet| {
            let items = packet_room(pass, b, (&product.b, 2), n, in_packet);
            columns.bring(b, items, (k1, in_packet.1));
            parts(b, in_packet, pass.size.steps, |b, k0, k| {
                let position = b.add(k1, k0);
                let places = ((left, position), (items, k0));
                self.step(b, c, places, (position, k), n);
            });
        });
        c
    }

    /// Some items of some columns: where weights and values lie, which items of the block they are.
    fn step(
        &self,
        b: &mut Builder,
        c: Buf,
        ((left, column), (items, within)): ((Buf, Arg), (Buf, Arg)),
        (position, k): (Arg, (i64, Arg)),
        n: (i64, Arg),
    ) {
        let (pass, product) = (self.pass, self.product);
        let weights = View {
            col: column,
            ..whole(left)
        };
        let a0 = tile(pass, b, (Space::L0a, 2), weights, (self.m, k), false);
        let values = from(items, &product.b, within);
        let turned = !product.b.k_major;
        let b0 = tile(pass, b, (Space::L0b, 2), values, (k, n), turned);
        multiply(b, c, (a0, b0), (self.m.1, k.1, n.1), position);
    }
}
