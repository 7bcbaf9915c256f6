//! The cube program of a pass: blocks of scores, and weights times values one block behind.

use ir::algo::{CmpOp, Index};
use ir::tile::{Arg, Buf, Chan, CoreQuery, FixCast, Op, Tensor, View};
use isa::types::{Elem, Layout, Space};

use super::{Pass, Rows, SCORE_DEPTH};
use crate::Level;
use crate::partition::{Factor, Product};
use crate::tiling::builder::{Builder, Shape, whole};
use crate::tiling::expr::round_up;
use crate::tiling::product::add_grouped;

/// Appends the cube program to the current block of `b`.
pub(super) fn emit(pass: &Pass<'_>, b: &mut Builder) {
    let core = Arg::Val(b.query(CoreQuery::Core));
    b.for_loop(core, pass.count(), i64::from(pass.cx.groups), |b, block| {
        let rows = pass.enter(b, Arg::Val(block));
        let left: Vec<Side<'_>> = (pass.stream.scores.iter())
            .map(|product| Side::rows(pass, b, product, &rows))
            .collect();
        let (first, last) = rows.blocks;
        let behind = match pass.parts.is_empty() {
            true => 0,
            false => i64::from(pass.lead()),
        };
        let end = b.add(last, behind);
        b.for_loop(first, end, 1, |b, j| {
            let j = Arg::Val(j);
            let ahead = b.cmp(CmpOp::Lt, j, last);
            let ahead = if behind == 0 { Arg::Const(1) } else { ahead };
            b.if_else(
                ahead,
                |b| {
                    for (side, chan) in left.iter().zip(&pass.scores) {
                        scores(pass, b, (side, *chan), &rows, j);
                    }
                },
                |_| {},
            );
            if behind == 0 {
                return;
            }
            let start = b.add(first, behind);
            let follows = b.cmp(CmpOp::Ge, j, start);
            b.if_else(
                follows,
                |b| {
                    let block = b.sub(j, behind);
                    for number in 0..pass.parts.len() {
                        part(pass, b, number, &rows, block);
                    }
                },
                |_| {},
            );
        });
    });
}

/// The rows of a left factor, in L1 for as long as the block of rows is, and in L0A too if there is room.
struct Side<'a> {
    product: &'a Product,
    buf: Buf,
    near: Option<Buf>,
}

impl<'a> Side<'a> {
    fn rows(pass: &Pass<'_>, b: &mut Builder, product: &'a Product, rows: &Rows) -> Side<'a> {
        let depth = pass.extent(product.k);
        let at = base(pass, b, product, &product.a, rows);
        let m = (pass.size.m, rows.m);
        let k = (depth, Arg::Const(depth));
        let buf = packet(pass, b, (&product.a, pass.size.ahead), at, m, k);
        let near = pass.size.resident.then(|| {
            let turned = product.a.k_major;
            tile(pass, b, (Space::L0a, 1), whole(buf), (m, k), turned)
        });
        Side { product, buf, near }
    }
}

/// The offset of a factor's first element for a block of rows.
fn base(pass: &Pass<'_>, b: &mut Builder, product: &Product, factor: &Factor, rows: &Rows) -> Arg {
    let own = &pass.cx.algo.defs[product.def].indices;
    let mut at = Arg::Const(factor.at.constant);
    for (index, value) in own.iter().zip(rows.outer.iter().chain([&rows.m0])) {
        let term = b.mul(*value, factor.at.stride(*index));
        at = b.add(at, term);
    }
    let values = own.iter().copied().zip(rows.outer.iter().copied());
    add_grouped(b, factor, at, &values.collect())
}

/// Brings part of a factor to L1, as it is stored: capacity and number along its free index and along the reduced one.
fn packet(
    pass: &Pass<'_>,
    b: &mut Builder,
    (factor, copies): (&Factor, u32),
    at: Arg,
    free: (i64, Arg),
    depth: (i64, Arg),
) -> Buf {
    let tensor = pass.gm.get(&factor.tensor).copied();
    debug_assert!(tensor.is_some(), "partition: factors are in global memory");
    let tensor = tensor.unwrap_or(Tensor::from_u32(0));
    let (rows, cols) = match factor.k_major {
        true => (depth, free),
        false => (free, depth),
    };
    load(pass, b, (tensor, at, factor.pitch), (rows, cols), copies)
}

fn load(
    pass: &Pass<'_>,
    b: &mut Builder,
    (tensor, at, pitch): (Tensor, Arg, i64),
    (rows, cols): ((i64, Arg), (i64, Arg)),
    copies: u32,
) -> Buf {
    let data = &b.func.tensors[tensor];
    let (name, elem) = (format!("{}_l1", data.name), data.elem);
    let shape = Shape {
        elem,
        space: Space::L1,
        layout: Layout::NZ,
        depth: copies.min(pass.cx.depth()),
        rows: round_up(rows.0, 16),
        cols: round_up(cols.0, 16),
    };
    let buf = b.buf(&name, shape);
    b.push(Op::Load {
        dst: whole(buf),
        tensor,
        at,
        rows: rows.1,
        cols: cols.1,
        pitch: Arg::Const(pitch),
    });
    buf
}

/// A matrix in L0, from a place in L1; capacity and number of its rows and columns.
fn tile(
    pass: &Pass<'_>,
    b: &mut Builder,
    (space, depth): (Space, u32),
    src: View,
    (rows, cols): ((i64, Arg), (i64, Arg)),
    transposed: bool,
) -> Buf {
    let data = &b.func.bufs[src.buf];
    let (name, elem) = (format!("{}_{}", data.name, space.name()), data.elem);
    let layout = if space == Space::L0a {
        Layout::ZZ
    } else {
        Layout::NZn
    };
    let shape = Shape {
        elem,
        space,
        layout,
        depth: depth.min(pass.cx.depth()),
        rows: round_up(rows.0, 16),
        cols: round_up(cols.0, 16),
    };
    let dst = b.buf(&name, shape);
    b.push(Op::LoadTile {
        dst,
        src,
        rows: rows.1,
        cols: cols.1,
        transposed,
    });
    dst
}

/// The part of a packet from a position along the reduced index on.
fn from(packet: Buf, factor: &Factor, k: Arg) -> View {
    let zero = Arg::Const(0);
    let (row, col) = if factor.k_major { (k, zero) } else { (zero, k) };
    View {
        buf: packet,
        row,
        col,
    }
}

fn accumulator(pass: &Pass<'_>, b: &mut Builder, name: &str, cols: i64, depth: u32) -> Buf {
    let shape = Shape {
        elem: Elem::F32,
        space: Space::L0c,
        layout: Layout::NZ,
        depth: depth.min(pass.cx.depth()),
        rows: round_up(pass.size.m, 16),
        cols: round_up(cols, 16),
    };
    b.buf(name, shape)
}

/// A loop over parts of a length: capacity, number and first position of each.
fn parts(
    b: &mut Builder,
    (most, length): (i64, Arg),
    step: i64,
    mut body: impl FnMut(&mut Builder, Arg, (i64, Arg)),
) {
    if most <= step {
        return body(b, Arg::Const(0), (most, length));
    }
    b.for_loop(0, length, step, |b, first| {
        let first = Arg::Val(first);
        let count = match length {
            Arg::Const(total) => b.clip(step.min(total), total, first),
            Arg::Val(_) => {
                let left = b.sub(length, first);
                b.min(left, step)
            }
        };
        body(b, first, (step, count));
    });
}

/// One block of scores, in tiles of as many items as L0 takes.
fn scores(pass: &Pass<'_>, b: &mut Builder, (side, chan): (&Side<'_>, Chan), rows: &Rows, j: Arg) {
    let product = side.product;
    let (first, count) = pass.items_of(b, j);
    let slot = b.func.add_value();
    b.push(Op::Acquire { dst: slot, chan });
    let right = base(pass, b, product, &product.b, rows);
    let depth = pass.extent(product.k);
    let most = pass.size.n.min(round_up(pass.items(), 16));
    parts(b, (most, count), pass.size.packet, |b, n1, in_packet| {
        let item = b.add(first, n1);
        let down = b.mul(item, product.b.at.stride(product.n));
        let at = b.add(right, down);
        let items = packet(
            pass,
            b,
            (&product.b, 2),
            at,
            in_packet,
            (depth, Arg::Const(depth)),
        );
        parts(b, in_packet, pass.size.scores, |b, n0, n| {
            let c = accumulator(pass, b, "dots", n.0, 2);
            dots(pass, b, side, c, (items, n0), (rows.m, n));
            let within = b.add(n1, n0);
            let at = b.add(Arg::Val(slot), within);
            let ring = b.func.chans[chan].tensor;
            drain(b, ring, at, c, (rows.m, n.1), pass.size.n);
        });
    });
    b.push(Op::Publish { chan });
}

/// A tile of scores: all of the rows' factor at once if it stays in L0A, else part by part.
fn dots(
    pass: &Pass<'_>,
    b: &mut Builder,
    side: &Side<'_>,
    c: Buf,
    (items, n0): (Buf, Arg),
    (m, n): (Arg, (i64, Arg)),
) {
    let product = side.product;
    let turned = !product.b.k_major;
    let depth = pass.extent(product.k);
    let all = (depth, Arg::Const(depth));
    let from_items = |k0: Arg| {
        let (row, col) = if turned { (n0, k0) } else { (k0, n0) };
        View {
            buf: items,
            row,
            col,
        }
    };
    if let Some(a0) = side.near {
        let zero = Arg::Const(0);
        let b0 = tile(pass, b, (Space::L0b, 2), from_items(zero), (all, n), turned);
        return multiply(b, c, (a0, b0), (m, all.1, n.1), zero);
    }
    parts(b, all, SCORE_DEPTH, |b, k0, k| {
        let left = from(side.buf, &product.a, k0);
        let rows = (pass.size.m, m);
        let a0 = tile(pass, b, (Space::L0a, 2), left, (rows, k), product.a.k_major);
        let b0 = tile(pass, b, (Space::L0b, 2), from_items(k0), (k, n), turned);
        multiply(b, c, (a0, b0), (m, k.1, n.1), k0);
    });
}

fn multiply(
    b: &mut Builder,
    c: Buf,
    (left, right): (Buf, Buf),
    (m, k, n): (Arg, Arg, Arg),
    k0: Arg,
) {
    let init = b.cmp(CmpOp::Eq, k0, 0);
    b.push(Op::Mad {
        c,
        a: left,
        b: right,
        m,
        k,
        n,
        init,
        hf32: false,
    });
}

fn drain(b: &mut Builder, tensor: Tensor, at: Arg, src: Buf, (rows, cols): (Arg, Arg), pitch: i64) {
    b.push(Op::Drain {
        tensor,
        at,
        src,
        rows,
        cols,
        pitch: Arg::Const(pitch),
        cast: FixCast::Plain,
        relu: false,
    });
}

/// The weights of one block times its values.
fn part(pass: &Pass<'_>, b: &mut Builder, number: usize, rows: &Rows, block: Arg) {
    let (Some((_, product)), Some(&weights), Some(&out)) = (
        pass.stream.sums.get(number),
        pass.weights.get(number),
        pass.parts.get(number),
    ) else {
        return;
    };
    let width: (i64, Arg) = full(pass, product.n);
    if pass.size.columns < width.0 {
        return part_in_turns(pass, b, product, rows, block, (weights, out));
    }
    let (first, count) = pass.items_of(b, block);
    let right = base(pass, b, product, &product.b, rows);
    let values = |b: &mut Builder, k1: Arg, k: (i64, Arg), copies: u32| {
        let item = b.add(first, k1);
        let down = b.mul(item, product.b.at.stride(product.k));
        let at = b.add(right, down);
        packet(pass, b, (&product.b, copies), at, width, k)
    };
    let most = pass.size.n.min(round_up(pass.items(), 16));
    // The values of the whole block come while the weights are waited for, where they take no more room.
    let early = (pass.cx.level != Level::O0 && pass.size.n <= 2 * pass.size.packet)
        .then(|| values(b, Arg::Const(0), (most, count), 1));
    let taken = b.func.add_value();
    b.push(Op::Take {
        dst: taken,
        chan: weights,
    });
    let c = accumulator(pass, b, "sums", width.0, 1);
    let ring = b.func.chans[weights].tensor;
    parts(b, (most, count), pass.size.packet, |b, k1, in_packet| {
        let m = (pass.size.m, rows.m);
        let at = b.add(Arg::Val(taken), k1);
        let left = load(pass, b, (ring, at, pass.size.n), (m, in_packet), 2);
        let items = early.unwrap_or_else(|| values(b, k1, in_packet, 2));
        parts(b, in_packet, pass.size.steps, |b, k0, k| {
            let weights = View {
                col: k0,
                ..whole(left)
            };
            let a0 = tile(pass, b, (Space::L0a, 2), weights, (m, k), false);
            let turned = !product.b.k_major;
            let position = b.add(k1, k0);
            let within = if early.is_some() { position } else { k0 };
            let values = from(items, &product.b, within);
            let b0 = tile(pass, b, (Space::L0b, 2), values, (k, width), turned);
            multiply(b, c, (a0, b0), (rows.m, k.1, width.1), position);
        });
    });
    b.push(Op::Release { chan: weights });
    let at = b.func.add_value();
    b.push(Op::Acquire { dst: at, chan: out });
    let ring = b.func.chans[out].tensor;
    drain(
        b,
        ring,
        Arg::Val(at),
        c,
        (rows.m, width.1),
        pass.width(product),
    );
    b.push(Op::Publish { chan: out });
}

/// The same where L0C takes some columns at a time: the weights of the block stay in L1, and its values come column by
/// column.
fn part_in_turns(
    pass: &Pass<'_>,
    b: &mut Builder,
    product: &Product,
    rows: &Rows,
    block: Arg,
    (weights, out): (Chan, Chan),
) {
    let (first, count) = pass.items_of(b, block);
    let right = base(pass, b, product, &product.b, rows);
    let most = pass.size.n.min(round_up(pass.items(), 16));
    let m = (pass.size.m, rows.m);
    let taken = b.func.add_value();
    b.push(Op::Take {
        dst: taken,
        chan: weights,
    });
    let ring = b.func.chans[weights].tensor;
    let left = load(
        pass,
        b,
        (ring, Arg::Val(taken), pass.size.n),
        (m, (most, count)),
        2,
    );
    b.push(Op::Release { chan: weights });
    let at = b.func.add_value();
    b.push(Op::Acquire { dst: at, chan: out });
    parts(b, full(pass, product.n), pass.size.columns, |b, n0, n| {
        let across = b.mul(n0, product.b.at.stride(product.n));
        let right = b.add(right, across);
        let c = accumulator(pass, b, "sums", n.0, 1);
        parts(b, (most, count), pass.size.values, |b, k1, in_packet| {
            let item = b.add(first, k1);
            let down = b.mul(item, product.b.at.stride(product.k));
            let at = b.add(right, down);
            let items = packet(pass, b, (&product.b, 2), at, n, in_packet);
            parts(b, in_packet, pass.size.steps, |b, k0, k| {
                let position = b.add(k1, k0);
                let weights = View {
                    col: position,
                    ..whole(left)
                };
                let a0 = tile(pass, b, (Space::L0a, 2), weights, (m, k), false);
                let turned = !product.b.k_major;
                let values = from(items, &product.b, k0);
                let b0 = tile(pass, b, (Space::L0b, 2), values, (k, n), turned);
                multiply(b, c, (a0, b0), (rows.m, k.1, n.1), position);
            });
        });
        let ring = b.func.chans[out].tensor;
        let to = b.add(Arg::Val(at), n0);
        drain(b, ring, to, c, (rows.m, n.1), pass.width(product));
    });
    b.push(Op::Publish { chan: out });
}

/// All of an index: capacity and number.
fn full(pass: &Pass<'_>, index: Index) -> (i64, Arg) {
    let extent = pass.extent(index);
    (extent, Arg::Const(extent))
}
