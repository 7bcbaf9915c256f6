//! A matrix product on the cube cores, and what the fixpipe or the vector cores do with its blocks.
//!
//! Blocks of the result go to the groups in turn. The left factor comes to L1 as m×k, the right one as k×n, in packets
//! of k; from there to L0 in shorter steps; the accumulator stays in L0C over the whole reduction, k ascending. A block
//! leaves through the fixpipe: to its place, or to a ring in global memory from which the two vector cores of the group
//! take half of its rows each.

use ir::algo::Index;
use ir::tile::{Arg, Buf, Chan, ChanData, CoreQuery, FixCast, Op, ScalarOp, Tensor, View};
use isa::chip::Chip;
use isa::num::QuantWord;
use isa::types::{CoreKind, Elem, Layout, Space};

use super::access::pitches;
use super::builder::{Builder, Shape, whole};
use super::expr::{Emitter, Extent, GmMap, Internal, Kind, Place, ceil_div, decode, round_up};
use super::{Result, StepCx};
use crate::partition::{Factor, Product};

/// Sizes of blocks.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tiles {
    /// Rows of a block of the result.
    pub(crate) m: i64,
    /// Columns of a block of the result.
    pub(crate) n: i64,
    /// k of a packet in L1.
    pub(crate) k_l1: i64,
    /// k of a step in L0.
    pub(crate) k_l0: i64,
}

/// Extents of a product.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Extents {
    pub(crate) m: i64,
    pub(crate) n: i64,
    pub(crate) k: i64,
    pub(crate) outer: i64,
    pub(crate) elem: Elem,
}

impl Extents {
    pub(crate) fn of(cx: &StepCx<'_>, product: &Product) -> Extents {
        let extent = |i: Index| cx.algo.indices[i].extent;
        Extents {
            m: product.m.map_or(1, extent),
            n: extent(product.n),
            k: extent(product.k),
            outer: product.outer.iter().map(|&i| extent(i)).product(),
            elem: cx.algo.tensors[product.a.tensor].elem,
        }
    }
}

/// The block sizes of `-O0`: 64×64×64, one at a time.
pub(crate) const PLAIN: Tiles = Tiles {
    m: 64,
    n: 64,
    k_l1: 64,
    k_l0: 64,
};

/// Block sizes by rule: of those that fit twice into L0A, L0B and L1 and once into L0C, the one whose slowest resource
/// is done first, with all groups at work. Rates are the chip's.
pub(crate) fn choose(chip: &Chip, e: &Extents) -> Tiles {
    let size = i64::try_from(e.elem.bytes()).unwrap_or(4);
    let unit = 32 / size.min(2);
    let sides = [
        16, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256,
    ];
    let mut best: Option<(i64, Tiles)> = None;
    for m in sides.into_iter().filter(|m| *m == 16 || *m < e.m + 16) {
        for n in sides.into_iter().filter(|n| *n == 16 || *n < e.n + 16) {
            let (m, n) = (round_up(m, unit), round_up(n, unit));
            let Some(tiles) = fit(chip, m, n, e, size) else {
                continue;
            };
            let cost = estimate(chip, &tiles, e, size);
            let better = best.is_none_or(|(c, t)| cost < c || (cost == c && t.m * t.n < m * n));
            if better {
                best = Some((cost, tiles));
            }
        }
    }
    best.map_or(PLAIN, |(_, tiles)| tiles)
}

fn fit(chip: &Chip, m: i64, n: i64, e: &Extents, size: i64) -> Option<Tiles> {
    let bytes = |space: Space| i64::try_from(chip.usable_bytes(space)).unwrap_or(0);
    if m * n * 4 > bytes(Space::L0c) {
        return None;
    }
    let unit = if size == 1 { 32 } else { 16 };
    let longest = (bytes(Space::L0a) / 2 / (m * size)).min(bytes(Space::L0b) / 2 / (n * size));
    let k_l0 = (longest / unit * unit).min(256).min(round_up(e.k, unit));
    if k_l0 < unit {
        return None;
    }
    let k_l0 = k_l0.min(if size == 1 { 128 } else { 64 }.max(unit));
    let room = bytes(Space::L1) / 2 / ((m + n) * size) / k_l0;
    let packets = room.min(4).min(ceil_div(e.k, k_l0)).max(0);
    (packets > 0).then_some(Tiles {
        m,
        n,
        k_l1: k_l0 * packets,
        k_l0,
    })
}

/// Cycles of the whole product on all groups, if its slowest resource never waits.
fn estimate(chip: &Chip, t: &Tiles, e: &Extents, size: i64) -> i64 {
    let rate = |x: u64| i64::try_from(x).unwrap_or(1).max(1);
    let groups = rate(chip.cores.cube);
    let blocks = ceil_div(e.m, t.m) * ceil_div(e.n, t.n) * e.outer;
    let steps = ceil_div(e.k, t.k_l0);
    let k0 = 32 / size;
    let passes = if e.elem == Elem::F32 {
        rate(chip.cube.k_f16) / 2 / rate(chip.cube.k_f32)
    } else {
        1
    };
    let (mf, nf, kf) = (ceil_div(t.m, 16), ceil_div(t.n, 16), ceil_div(t.k_l0, k0));
    let cube = steps * (mf * nf * kf * passes + rate(chip.cube.fixed));
    let mte1 = steps * kf * (mf * rate(chip.mte1.l0a_fractal) + nf * rate(chip.mte1.l0b_fractal));
    let clock = rate(chip.cores.clock_mhz);
    let l2 =
        rate(chip.memory.l2_mbps) * 1000 / rate(chip.memory.l2_shared_line_milli) / clock / groups;
    let port = rate(chip.mte2.nd2nz_port).min(l2.max(1));
    let mte2 = (t.m + t.n) * e.k * size / port;
    let drain = t.m * t.n * 4 / rate(chip.fix.gm_port_shared);
    ceil_div(blocks, groups) * (cube.max(mte1).max(mte2) + drain)
}

/// Where the blocks of the result go.
pub(crate) enum Output {
    /// Through the fixpipe to a tensor of the result's shape.
    Direct {
        /// The tensor.
        tensor: Tensor,
        /// Clamp below at zero.
        relu: bool,
        /// Quantisation words, one per column.
        words: Option<Tensor>,
    },
    /// To the vector cores of the group.
    Ring(Chan),
}

/// One way to walk the blocks, for the cube program and the vector program alike.
struct Walk {
    outer: Vec<i64>,
    blocks_n: i64,
    blocks_m: i64,
}

impl Walk {
    fn new(cx: &StepCx<'_>, product: &Product, e: &Extents, t: &Tiles) -> Walk {
        Walk {
            outer: product
                .outer
                .iter()
                .map(|&i| cx.algo.indices[i].extent)
                .collect(),
            blocks_n: ceil_div(e.n, t.n),
            blocks_m: ceil_div(e.m, t.m),
        }
    }

    fn count(&self) -> i64 {
        self.outer.iter().product::<i64>() * self.blocks_m * self.blocks_n
    }

    /// Outer indices, first row, first column of block `t`.
    fn decode(&self, b: &mut Builder, t: Arg, tiles: &Tiles) -> (Vec<Arg>, Arg, Arg) {
        let mut extents = self.outer.clone();
        extents.extend([self.blocks_m, self.blocks_n]);
        let mut values = decode(b, t, &extents);
        let n = values.pop().unwrap_or(Arg::Const(0));
        let m = values.pop().unwrap_or(Arg::Const(0));
        (values, b.mul(m, tiles.m), b.mul(n, tiles.n))
    }
}

/// Declares the ring through which blocks reach the vector cores.
pub(crate) fn ring(cx: &StepCx<'_>, b: &mut Builder, t: &Tiles, elem: Elem) -> Chan {
    let depth = cx.depth();
    let count = b.func.chans.len();
    let tensor = super::workspace(
        &mut b.func,
        &format!("ring{count}"),
        elem,
        &[i64::from(cx.groups), i64::from(depth), t.m, t.n],
        b.span,
    );
    b.func.chans.push(ChanData {
        name: format!("blocks{count}"),
        tensor,
        depth,
        from: CoreKind::Cube,
    })
}

/// Appends the cube program to the current block of `b`.
pub(crate) fn emit_cube(
    cx: &StepCx<'_>,
    product: &Product,
    t: &Tiles,
    out: &Output,
    b: &mut Builder,
    gm: &GmMap,
) {
    let e = Extents::of(cx, product);
    let walk = Walk::new(cx, product, &e, t);
    let core = Arg::Val(b.query(CoreQuery::Core));
    b.for_loop(core, walk.count(), i64::from(cx.groups), |b, block| {
        let (outer, m0, n0) = walk.decode(b, Arg::Val(block), t);
        let m = b.clip(t.m.min(e.m), e.m, m0);
        let n = b.clip(t.n.min(e.n), e.n, n0);
        let a_at = base(b, &product.a, product, &outer, (product.m, m0));
        let b_at = base(b, &product.b, product, &outer, (Some(product.n), n0));
        let c = accumulator(cx, b, t, e.elem);
        let sources = (gm_of(gm, &product.a), gm_of(gm, &product.b));
        reduce(cx, product, t, &e, b, (a_at, b_at), sources, c, (m, n));
        drain(cx, product, t, out, b, c, (&outer, m0, n0), (m, n));
    });
}

fn gm_of(gm: &GmMap, factor: &Factor) -> Tensor {
    debug_assert!(
        gm.contains_key(&factor.tensor),
        "partition: factors are in global memory"
    );
    gm.get(&factor.tensor)
        .copied()
        .unwrap_or(Tensor::from_u32(0))
}

fn accumulator(cx: &StepCx<'_>, b: &mut Builder, t: &Tiles, elem: Elem) -> Buf {
    let elem = if elem == Elem::I8 {
        Elem::I32
    } else {
        Elem::F32
    };
    // Two accumulators let the cube go on while the fixpipe drains, where L0C has room for both.
    let twice = t.m * t.n * 8 <= i64::try_from(cx.chip.usable_bytes(Space::L0c)).unwrap_or(0);
    let depth = if twice { cx.depth() } else { 1 };
    let shape = Shape {
        elem,
        space: Space::L0c,
        layout: Layout::NZ,
        depth,
        rows: t.m,
        cols: t.n,
    };
    b.buf("c", shape)
}

/// The flat offset of a factor's first element in a block.
fn base(
    b: &mut Builder,
    f: &Factor,
    product: &Product,
    outer: &[Arg],
    (free, start): (Option<Index>, Arg),
) -> Arg {
    let mut at = Arg::Const(f.at.constant);
    for (&index, &value) in product.outer.iter().zip(outer) {
        let term = b.mul(value, f.at.stride(index));
        at = b.add(at, term);
    }
    let term = b.mul(start, free.map_or(0, |i| f.at.stride(i)));
    b.add(at, term)
}

#[expect(
    clippy::too_many_arguments,
    reason = "the state of one block, used once"
)]
fn reduce(
    cx: &StepCx<'_>,
    product: &Product,
    t: &Tiles,
    e: &Extents,
    b: &mut Builder,
    at: (Arg, Arg),
    sources: (Tensor, Tensor),
    c: Buf,
    (m, n): (Arg, Arg),
) {
    let depth = cx.depth();
    let single = e.k <= t.k_l1;
    b.for_loop(0, e.k, t.k_l1, |b, k1| {
        let k1 = if single { Arg::Const(0) } else { Arg::Val(k1) };
        let k = b.clip(t.k_l1.min(e.k), e.k, k1);
        let a1 = packet(
            b,
            &product.a,
            sources.0,
            at.0,
            (product.k, k1),
            (m, k),
            (t.m, t.k_l1),
            depth,
            e.elem,
        );
        let b1 = packet(
            b,
            &product.b,
            sources.1,
            at.1,
            (product.k, k1),
            (n, k),
            (t.n, t.k_l1),
            depth,
            e.elem,
        );
        b.for_loop(0, k, t.k_l0, |b, k0| {
            let one = matches!(k, Arg::Const(k) if k <= t.k_l0);
            let k0 = if one { Arg::Const(0) } else { Arg::Val(k0) };
            let step = match k {
                Arg::Const(total) => b.clip(t.k_l0.min(total), total, k0),
                Arg::Val(_) => {
                    let left = b.sub(k, k0);
                    b.min(t.k_l0, left)
                }
            };
            let shape = |space, layout, rows, cols| Shape {
                elem: e.elem,
                space,
                layout,
                depth,
                rows,
                cols,
            };
            let a0 = b.buf("a", shape(Space::L0a, Layout::ZZ, t.m, t.k_l0));
            b.push(Op::LoadTile {
                dst: a0,
                src: stored(a1, product.a.k_major, k0),
                rows: m,
                cols: step,
                transposed: product.a.k_major,
            });
            let b0 = b.buf("b", shape(Space::L0b, Layout::NZn, t.k_l0, t.n));
            b.push(Op::LoadTile {
                dst: b0,
                src: stored(b1, product.b.k_major, k0),
                rows: step,
                cols: n,
                transposed: !product.b.k_major,
            });
            let position = b.add(k1, k0);
            let init = b.cmp(ir::algo::CmpOp::Eq, position, 0);
            b.push(Op::Mad {
                c,
                a: a0,
                b: b0,
                m,
                k: step,
                n,
                init,
            });
        });
    });
}

/// The part of a packet from `k` on, in the orientation in which it is stored.
fn stored(buf: Buf, k_major: bool, k: Arg) -> View {
    let zero = Arg::Const(0);
    if k_major {
        View {
            buf,
            row: k,
            col: zero,
        }
    } else {
        View {
            buf,
            row: zero,
            col: k,
        }
    }
}

/// Brings `free × k` elements of a factor to L1, as they are stored.
#[expect(
    clippy::too_many_arguments,
    reason = "one load with all its extents, used for both factors"
)]
fn packet(
    b: &mut Builder,
    f: &Factor,
    tensor: Tensor,
    at: Arg,
    (index, k1): (Index, Arg),
    (free, k): (Arg, Arg),
    (cap_free, cap_k): (i64, i64),
    depth: u32,
    elem: Elem,
) -> Buf {
    let unit = if elem == Elem::I8 { 32 } else { 16 };
    let (cap_free, cap_k) = (round_up(cap_free, unit), round_up(cap_k, unit));
    let (rows, cols) = if f.k_major {
        (cap_k, cap_free)
    } else {
        (cap_free, cap_k)
    };
    let buf = b.buf(
        "p",
        Shape {
            elem,
            space: Space::L1,
            layout: Layout::NZ,
            depth,
            rows,
            cols,
        },
    );
    let step = b.mul(k1, f.at.stride(index));
    let at = b.add(at, step);
    let (rows, cols) = if f.k_major { (k, free) } else { (free, k) };
    b.push(Op::Load {
        dst: whole(buf),
        tensor,
        at,
        rows,
        cols,
        pitch: Arg::Const(f.pitch),
    });
    buf
}

#[expect(
    clippy::too_many_arguments,
    reason = "the state of one block, used once"
)]
fn drain(
    cx: &StepCx<'_>,
    product: &Product,
    t: &Tiles,
    out: &Output,
    b: &mut Builder,
    c: Buf,
    (outer, m0, n0): (&[Arg], Arg, Arg),
    (m, n): (Arg, Arg),
) {
    match out {
        Output::Ring(chan) => {
            let at = b.func.add_value();
            b.push(Op::Acquire {
                dst: at,
                chan: *chan,
            });
            let tensor = b.func.chans[*chan].tensor;
            b.push(Op::Drain {
                tensor,
                at: Arg::Val(at),
                src: c,
                rows: m,
                cols: n,
                pitch: Arg::Const(t.n),
                cast: FixCast::Plain,
                relu: false,
            });
            b.push(Op::Publish { chan: *chan });
        }
        Output::Direct {
            tensor,
            relu,
            words,
        } => {
            let (at, pitch) = result_offset(cx, product, b, (outer, m0, n0));
            let cast = match words {
                None => FixCast::Plain,
                Some(words) => FixCast::Requant(scale_words(cx, t, b, *words, n0, n)),
            };
            b.push(Op::Drain {
                tensor: *tensor,
                at,
                src: c,
                rows: m,
                cols: n,
                pitch: Arg::Const(pitch),
                cast,
                relu: *relu,
            });
        }
    }
}

/// Flat offset of a block in a tensor of the result's shape, and its row pitch.
fn result_offset(
    cx: &StepCx<'_>,
    product: &Product,
    b: &mut Builder,
    (outer, m0, n0): (&[Arg], Arg, Arg),
) -> (Arg, i64) {
    let def = &cx.algo.defs[product.def];
    let steps = pitches(&cx.algo.tensors[def.target].shape);
    let pitch_of = |i: Index| {
        let found = def.indices.iter().position(|&d| d == i);
        found.and_then(|d| steps.get(d).copied()).unwrap_or(0)
    };
    let mut at = n0;
    for (&index, &value) in product.outer.iter().zip(outer) {
        let term = b.mul(value, pitch_of(index));
        at = b.add(at, term);
    }
    let pitch = product.m.map_or(0, pitch_of);
    let down = b.mul(m0, pitch);
    (b.add(at, down), pitch)
}

fn scale_words(
    cx: &StepCx<'_>,
    t: &Tiles,
    b: &mut Builder,
    words: Tensor,
    n0: Arg,
    n: Arg,
) -> View {
    let depth = cx.depth();
    let shape = |space| Shape {
        elem: Elem::I64,
        space,
        layout: Layout::Nd,
        depth,
        rows: 1,
        cols: t.n,
    };
    let staged = b.buf("w", shape(Space::L1));
    b.push(Op::Load {
        dst: whole(staged),
        tensor: words,
        at: n0,
        rows: Arg::Const(1),
        cols: n,
        pitch: Arg::Const(0),
    });
    let ready = b.buf(
        "q",
        Shape {
            depth: 1,
            ..shape(Space::Fb)
        },
    );
    b.push(Op::LoadWords {
        dst: ready,
        src: whole(staged),
        cols: n,
    });
    whole(ready)
}

/// Appends a vector program that turns a vector of scales into quantisation words.
pub(crate) fn emit_words(
    cx: &StepCx<'_>,
    b: &mut Builder,
    (scale, wide): (Tensor, bool),
    words: Tensor,
    count: i64,
) {
    const CHUNK: i64 = 256;
    let plain = i64::try_from(QuantWord::scaling(0.0).pack()).unwrap_or(0);
    let core = Arg::Val(b.query(CoreQuery::Core));
    b.for_loop(core, ceil_div(count, CHUNK), cx.vector_cores(), |b, t| {
        let first = b.mul(t, CHUNK);
        let here = b.clip(CHUNK.min(count), count, first);
        let shape = Shape {
            elem: Elem::I64,
            space: Space::Ub,
            layout: Layout::Nd,
            depth: 1,
            rows: 1,
            cols: CHUNK,
        };
        let staged = b.buf("w", shape);
        b.for_loop(0, here, 1, |b, c| {
            let at = b.add(first, c);
            let raw = b.func.add_value();
            b.push(Op::Peek {
                dst: raw,
                tensor: scale,
                at,
            });
            let bits = if wide {
                rounded_to_bf16(b, Arg::Val(raw))
            } else {
                b.scalar(ScalarOp::Shl, Arg::Val(raw), Arg::Const(16))
            };
            let word = b.scalar(ScalarOp::Or, bits, Arg::Const(plain));
            let dst = View {
                buf: staged,
                row: Arg::Const(0),
                col: Arg::Val(c),
            };
            b.push(Op::Poke { dst, value: word });
        });
        b.push(Op::Store {
            tensor: words,
            at: first,
            src: whole(staged),
            rows: Arg::Const(1),
            cols: here,
            pitch: Arg::Const(0),
        });
    });
}

/// The bits of an f32 rounded to bf16, nearest even and saturating, NaN to 0, as f32 bits: scalar code.
fn rounded_to_bf16(b: &mut Builder, bits: Arg) -> Arg {
    const INFINITY: i64 = 0x7f80_0000;
    const LARGEST: i64 = 0x7f7f_0000;
    let sign = b.scalar(ScalarOp::And, bits, Arg::Const(0x8000_0000));
    let magnitude = b.scalar(ScalarOp::And, bits, Arg::Const(0x7fff_ffff));
    let upper = b.scalar(ScalarOp::Shr, magnitude, Arg::Const(16));
    let odd = b.scalar(ScalarOp::And, upper, Arg::Const(1));
    let half = b.add(odd, 0x7fff);
    let raised = b.add(magnitude, half);
    let rounded = b.scalar(ScalarOp::And, raised, Arg::Const(0xffff_0000));
    let bounded = b.min(rounded, LARGEST);
    let number = b.cmp(ir::algo::CmpOp::Le, magnitude, INFINITY);
    let signed = b.scalar(ScalarOp::Or, sign, bounded);
    b.mul(signed, number)
}

/// Appends the vector program that computes `defs` from the blocks of a ring. `rows` is how many rows at a time.
#[expect(
    clippy::too_many_arguments,
    reason = "one step with its sizes and its ring"
)]
pub(crate) fn emit_vector(
    cx: &StepCx<'_>,
    product: &Product,
    defs: &[usize],
    t: &Tiles,
    chan: Chan,
    rows: i64,
    b: Builder,
    gm: &GmMap,
) -> Result<Builder> {
    let e = Extents::of(cx, product);
    let walk = Walk::new(cx, product, &e, t);
    let extent = Extent {
        rows: product.m.map(|_| e.m).into_iter().collect(),
        cols: vec![e.n],
        cap_rows: rows,
        cap_cols: t.n,
        row0: Arg::Const(0),
        col0: Arg::Const(0),
        row_count: Arg::Const(rows),
        col_count: Arg::Const(t.n),
        padded: false,
        depth: cx.depth(),
    };
    let ring = b.func.chans[chan].tensor;
    let mut em = Emitter::new(cx.algo, b, gm, extent);
    let group = Arg::Val(em.b.query(CoreQuery::Group));
    let sub = Arg::Val(em.b.query(CoreQuery::Sub));
    let half = round_up(t.m, 32) / 2;
    let first_row = em.b.mul(sub, half);
    em.for_loop_strided(group, walk.count(), i64::from(cx.groups), |em, block| {
        let (outer, m0, n0) = walk.decode(&mut em.b, block, t);
        let m = em.b.clip(t.m.min(e.m), e.m, m0);
        em.extent.col0 = n0;
        em.extent.col_count = em.b.clip(t.n.min(e.n), e.n, n0);
        em.extent.padded = matches!(em.extent.col_count, Arg::Const(n) if n == t.n);
        let slot = em.b.func.add_value();
        em.b.push(Op::Take { dst: slot, chan });
        place_block(cx, product, defs, em, &outer);
        for &def in defs {
            em.hoist(cx.algo.defs[def].value, &|kind| {
                matches!(kind, Kind::Uniform | Kind::Col)
            })?;
        }
        let mine = em.b.sub(m, first_row);
        let mine = em.b.max(mine, 0);
        let mine = em.b.min(mine, half);
        em.for_loop(0, mine, rows, |em, r| -> Result<()> {
            let left = em.b.sub(mine, r);
            em.extent.row_count = em.b.min(left, rows);
            let in_block = em.b.add(first_row, r);
            em.extent.row0 = em.b.add(m0, in_block);
            let down = em.b.mul(in_block, t.n);
            let at = em.b.add(Arg::Val(slot), down);
            let target = cx.algo.defs[product.def].target;
            em.internal.insert(
                target,
                Internal::Block {
                    ring,
                    at,
                    pitch: t.n,
                },
            );
            let (row0, col0) = (em.extent.row0, em.extent.col0);
            let (at, pitch) = result_offset(cx, product, &mut em.b, (&outer, row0, col0));
            store_defs(cx, product, defs, em, at, pitch)
        })?;
        em.b.push(Op::Release { chan });
        Ok(())
    })?;
    Ok(em.b)
}

fn place_block(
    cx: &StepCx<'_>,
    product: &Product,
    defs: &[usize],
    em: &mut Emitter<'_>,
    outer: &[Arg],
) {
    let own = &cx.algo.defs[product.def].indices;
    let target = cx.algo.defs[product.def].target;
    em.internal.insert(target, Internal::Pending(Kind::Full));
    for &def in defs {
        let data = &cx.algo.defs[def];
        em.internal.insert(data.target, Internal::Map(data.value));
        for (&index, &as_own) in data.indices.iter().zip(own) {
            let place = if cx.algo.indices[index].extent == 1 {
                Place::Fixed(Arg::Const(0))
            } else if Some(as_own) == product.m {
                Place::Row(0)
            } else if as_own == product.n {
                Place::Col(0)
            } else {
                let found = product.outer.iter().position(|&i| i == as_own);
                Place::Fixed(
                    found
                        .and_then(|i| outer.get(i).copied())
                        .unwrap_or(Arg::Const(0)),
                )
            };
            em.place.insert(index, place);
        }
    }
}

fn store_defs(
    cx: &StepCx<'_>,
    product: &Product,
    defs: &[usize],
    em: &mut Emitter<'_>,
    at: Arg,
    pitch: i64,
) -> Result<()> {
    for def in [product.def].into_iter().chain(defs.iter().copied()) {
        let data = &cx.algo.defs[def];
        if !cx.stored(def) {
            continue;
        }
        let val = if def == product.def {
            em.block_value(data.target)
        } else {
            em.value(data.value)?
        };
        let src = em.to_storage(cx.algo.tensors[data.target].elem, Kind::Full, val);
        let (rows, cols) = (em.extent.row_count, em.extent.col_count);
        if let Some(&tensor) = em.gm.get(&data.target) {
            em.b.push(Op::Store {
                tensor,
                at,
                src: whole(src),
                rows,
                cols,
                pitch: Arg::Const(pitch),
            });
        }
    }
    Ok(())
}
