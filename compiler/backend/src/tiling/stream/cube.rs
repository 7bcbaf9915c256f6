//! The cube program of a pass: blocks of scores, and weights times values one block behind.

use ir::algo::{CmpOp, Index};
use ir::tile::{Arg, Buf, Chan, CoreQuery, FixCast, Op, Tensor, View};
use isa::types::{Elem, Layout, Space};

use super::sum::Sum;
use super::{Pass, Rows, SCORE_DEPTH};
use crate::partition::{Factor, Product};
use crate::tiling::builder::{Builder, Shape, whole};
use crate::tiling::expr::round_up;
use crate::tiling::product::add_grouped;

/// Appends the cube program to the current block of `b`.
pub(super) fn emit(pass: &Pass<'_>, b: &mut Builder) {
    let core = Arg::Val(b.query(CoreQuery::Core));
    let blocks = pass.blocks(b);
    b.for_loop(core, blocks, i64::from(pass.cx.groups), |b, block| {
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
pub(super) struct Side<'a> {
    pub(super) product: &'a Product,
    buf: Buf,
    near: Option<Buf>,
}

impl<'a> Side<'a> {
    pub(super) fn rows(
        pass: &Pass<'_>,
        b: &mut Builder,
        product: &'a Product,
        rows: &Rows,
    ) -> Side<'a> {
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
pub(super) fn base(
    pass: &Pass<'_>,
    b: &mut Builder,
    product: &Product,
    factor: &Factor,
    rows: &Rows,
) -> Arg {
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
    let dst = packet_room(pass, b, (factor, copies), free, depth);
    bring(pass, b, (factor, dst), at, free.1, depth.1);
    dst
}

/// Room in L1 for part of a factor.
pub(super) fn packet_room(
    pass: &Pass<'_>,
    b: &mut Builder,
    (factor, copies): (&Factor, u32),
    free: (i64, Arg),
    depth: (i64, Arg),
) -> Buf {
    let extents = match factor.k_major {
        true => (depth.0, free.0),
        false => (free.0, depth.0),
    };
    room(pass, b, memory(pass, factor), extents, copies)
}

fn memory(pass: &Pass<'_>, factor: &Factor) -> Tensor {
    let tensor = pass.gm.get(&factor.tensor).copied();
    debug_assert!(tensor.is_some(), "partition: factors are in global memory");
    tensor.unwrap_or(Tensor::from_u32(0))
}

/// Brings part of a factor to its room.
pub(super) fn bring(
    pass: &Pass<'_>,
    b: &mut Builder,
    (factor, dst): (&Factor, Buf),
    at: Arg,
    free: Arg,
    depth: Arg,
) {
    let (rows, cols) = match factor.k_major {
        true => (depth, free),
        false => (free, depth),
    };
    b.push(Op::Load {
        dst: whole(dst),
        tensor: memory(pass, factor),
        at,
        rows,
        cols,
        pitch: Arg::Const(factor.pitch),
    });
}

/// Room in L1 for part of a tensor.
pub(super) fn room(
    pass: &Pass<'_>,
    b: &mut Builder,
    tensor: Tensor,
    (rows, cols): (i64, i64),
    copies: u32,
) -> Buf {
    let data = &b.func.tensors[tensor];
    let (name, elem) = (format!("{}_l1", data.name), data.elem);
    let shape = Shape {
        elem,
        space: Space::L1,
        layout: Layout::NZ,
        depth: copies.min(pass.cx.depth()),
        rows: round_up(rows, 16),
        cols: round_up(cols, 16),
    };
    b.buf(&name, shape)
}

/// Brings part of a tensor to L1: capacity and number of its rows and columns.
pub(super) fn load(
    pass: &Pass<'_>,
    b: &mut Builder,
    (tensor, at, pitch): (Tensor, Arg, i64),
    (rows, cols): ((i64, Arg), (i64, Arg)),
    copies: u32,
) -> Buf {
    let dst = room(pass, b, tensor, (rows.0, cols.0), copies);
    b.push(Op::Load {
        dst: whole(dst),
        tensor,
        at,
        rows: rows.1,
        cols: cols.1,
        pitch: Arg::Const(pitch),
    });
    dst
}

/// A matrix in L0, from a place in L1; capacity and number of its rows and columns.
pub(super) fn tile(
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
pub(super) fn from(packet: Buf, factor: &Factor, k: Arg) -> View {
    let zero = Arg::Const(0);
    let (row, col) = if factor.k_major { (k, zero) } else { (zero, k) };
    View {
        buf: packet,
        row,
        col,
    }
}

pub(super) fn accumulator(
    pass: &Pass<'_>,
    b: &mut Builder,
    name: &str,
    cols: i64,
    depth: u32,
) -> Buf {
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
pub(super) fn parts(
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
    let (first, count) = pass.items_of(b, j);
    let slot = b.func.add_value();
    b.push(Op::Acquire { dst: slot, chan });
    let right = base(pass, b, side.product, &side.product.b, rows);
    let most = pass.size.n.min(round_up(pass.items(), 16));
    let ring = (chan, Arg::Val(slot));
    parts(b, (most, count), pass.size.packet, |b, n1, in_packet| {
        packet_of_scores(pass, b, side, ring, rows.m, (right, first, n1, in_packet));
    });
    b.push(Op::Publish { chan });
}

/// The scores of a packet: where the first item of all lies, the first of the block, how far behind that the packet
/// begins, and its length.
pub(super) fn packet_of_scores(
    pass: &Pass<'_>,
    b: &mut Builder,
    side: &Side<'_>,
    (chan, slot): (Chan, Arg),
    m: Arg,
    (right, first, n1, in_packet): (Arg, Arg, Arg, (i64, Arg)),
) {
    let product = side.product;
    let depth = full(pass, product.k);
    let item = b.add(first, n1);
    let down = b.mul(item, product.b.at.stride(product.n));
    let at = b.add(right, down);
    let ring = b.func.chans[chan].tensor;
    if pass.size.slice < depth.0 {
        let c = in_slices(pass, b, side, (m, in_packet), at);
        let to = b.add(slot, n1);
        return drain(b, ring, to, c, (m, in_packet.1), pass.size.n);
    }
    let copies = pass.size.packets;
    let items = packet(pass, b, (&product.b, copies), at, in_packet, depth);
    parts(b, in_packet, pass.size.scores, |b, n0, n| {
        let c = accumulator(pass, b, "dots", n.0, pass.size.dots);
        dots(pass, b, side, c, (items, n0), (m, n));
        let within = b.add(n1, n0);
        let at = b.add(slot, within);
        drain(b, ring, at, c, (m, n.1), pass.size.n);
    });
}

/// A tile of scores whose items come slice by slice.
fn in_slices(
    pass: &Pass<'_>,
    b: &mut Builder,
    side: &Side<'_>,
    (m, n): (Arg, (i64, Arg)),
    at: Arg,
) -> Buf {
    let product = side.product;
    let c = accumulator(pass, b, "dots", n.0, pass.size.dots);
    parts(
        b,
        full(pass, product.k),
        pass.size.slice,
        |b, k1, in_slice| {
            let across = b.mul(k1, product.b.at.stride(product.k));
            let at = b.add(at, across);
            let copies = pass.size.packets;
            let items = packet(pass, b, (&product.b, copies), at, n, in_slice);
            parts(b, in_slice, SCORE_DEPTH, |b, k0, k| {
                let position = b.add(k1, k0);
                let left = from(side.buf, &product.a, position);
                let rows = (pass.size.m, m);
                let a0 = tile(pass, b, (Space::L0a, 2), left, (rows, k), product.a.k_major);
                let right = from(items, &product.b, k0);
                let b0 = tile(pass, b, (Space::L0b, 2), right, (k, n), !product.b.k_major);
                multiply(b, c, (a0, b0), (m, k.1, n.1), position);
            });
        },
    );
    c
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

pub(super) fn multiply(
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

pub(super) fn drain(
    b: &mut Builder,
    tensor: Tensor,
    at: Arg,
    src: Buf,
    (rows, cols): (Arg, Arg),
    pitch: i64,
) {
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
    let Some(sum) = Sum::new(pass, b, number, (rows, block)) else {
        return;
    };
    if sum.in_turns() {
        let taken = sum.take(b);
        let left = sum.weights_room(b, 2);
        sum.bring_weights(b, left, taken);
        sum.release(b);
        let at = sum.acquire(b);
        let (each, _) = sum.turns();
        parts(b, full(pass, sum.product.n), each, |b, n0, n| {
            let c = sum.some_columns(b, left, (n0, n));
            sum.drain(b, c, at, (n0, n.1));
        });
        return sum.publish(b);
    }
    let early = sum.early(b);
    if let Some(values) = early {
        sum.bring_all(b, values);
    }
    let taken = sum.take(b);
    let c = sum.at_once(b, taken, early);
    sum.release(b);
    let at = sum.acquire(b);
    sum.drain(b, c, at, (Arg::Const(0), sum.width.1));
    sum.publish(b);
}

/// All of an index: capacity and number.
pub(super) fn full(pass: &Pass<'_>, index: Index) -> (i64, Arg) {
    let extent = pass.extent(index);
    (extent, Arg::Const(extent))
}
