//! The cube program of a product: packets to L1, steps to L0, multiply-adds, and the way out of L0C.

use ir::algo::{CmpOp, Index};
use ir::tile::{Arg, Buf, CoreQuery, FixCast, Op, Tensor, View};
use isa::types::{Elem, Layout, Space};

use super::sizes::Tiles;
use super::window::{self, Image};
use super::words::load_words;
use super::{Extents, Output, Walk, add_grouped, result_offset};
use crate::partition::{Chosen, Factor, Product};
use crate::tiling::StepCx;
use crate::tiling::builder::{Builder, Shape, whole};
use crate::tiling::expr::{GmMap, round_up};

/// Appends the cube program to the current block of `b`.
pub(crate) fn emit(
    cx: &StepCx<'_>,
    product: &Product,
    t: &Tiles,
    out: &Output,
    b: &mut Builder,
    gm: &GmMap,
) {
    let e = Extents::of(cx, product);
    let walk = Walk::new(cx, b, product, (&e, t));
    let core = Arg::Val(b.query(CoreQuery::Core));
    let count = walk.count(b);
    b.for_loop(core, count, i64::from(cx.groups), |b, block| {
        let (outer, m0, n0) = walk.decode(b, Arg::Val(block), t);
        let m = b.clip(t.m.min(e.m), e.m, m0);
        let n = b.clip(t.n.min(e.n), e.n, n0);
        let c = accumulator(cx, product, t, e.elem, b);
        let block = Block {
            cx,
            product,
            tiles: t,
            extents: &e,
            left: Side::new(
                b,
                &product.a,
                (product, &outer, gm),
                (product.m, m0, m),
                t.m,
            ),
            right: Side::new(
                b,
                &product.b,
                (product, &outer, gm),
                (Some(product.n), n0, n),
                t.n,
            ),
            c,
        };
        match &product.window {
            None => block.reduce(b),
            Some(shape) => {
                let side = (product, &**shape);
                let image = Image::new(cx, b, side, (&outer, gm), (m0, m), t);
                window::reduce(&block, &image, b);
            }
        }
        block.drain(b, out, (&outer, m0, n0));
    });
}

/// One block of the result.
pub(super) struct Block<'a> {
    cx: &'a StepCx<'a>,
    product: &'a Product,
    pub(super) tiles: &'a Tiles,
    pub(super) extents: &'a Extents,
    pub(super) left: Side<'a>,
    pub(super) right: Side<'a>,
    c: Buf,
}

/// One factor of a block.
pub(super) struct Side<'a> {
    pub(super) factor: &'a Factor,
    pub(super) tensor: Tensor,
    /// Flat offset of the block's first element.
    pub(super) at: Arg,
    /// Rows (columns) of the block that are there, and that there is room for.
    pub(super) count: Arg,
    cap: i64,
}

impl<'a> Side<'a> {
    fn new(
        b: &mut Builder,
        factor: &'a Factor,
        (product, outer, gm): (&Product, &[Arg], &GmMap),
        (free, start, count): (Option<Index>, Arg, Arg),
        cap: i64,
    ) -> Side<'a> {
        let tensor = gm.get(&factor.tensor).copied();
        debug_assert!(tensor.is_some(), "partition: factors are in global memory");
        let mut at = Arg::Const(factor.at.constant);
        for (&index, &value) in product.outer.iter().zip(outer) {
            let term = b.mul(value, factor.at.stride(index));
            at = b.add(at, term);
        }
        let values = product.outer.iter().copied().zip(outer.iter().copied());
        at = add_grouped(b, factor, at, &values.collect());
        if let Some(chosen) = &factor.chosen {
            let number = read_number(b, chosen, (product, outer, gm));
            let term = b.mul(number, chosen.step);
            at = b.add(at, term);
        }
        let term = b.mul(start, free.map_or(0, |i| factor.at.stride(i)));
        Side {
            factor,
            tensor: tensor.unwrap_or(Tensor::from_u32(0)),
            at: b.add(at, term),
            count,
            cap,
        }
    }

    /// Brings a packet of `k` from `k1` on to L1, as it is stored.
    pub(super) fn packet(&self, block: &Block<'_>, b: &mut Builder, (k1, k): (Arg, Arg)) -> Buf {
        let buf = self.buffer(block, b);
        // Along the reduction lie single elements, or rows.
        let turned = self.factor.k_major;
        let step = b.mul(k1, if turned { self.factor.pitch } else { 1 });
        let at = b.add(self.at, step);
        let (rows, cols) = if turned {
            (k, self.count)
        } else {
            (self.count, k)
        };
        b.push(Op::Load {
            dst: whole(buf),
            tensor: self.tensor,
            at,
            rows,
            cols,
            pitch: Arg::Const(self.factor.pitch),
        });
        buf
    }

    /// A buffer in L1 for a packet.
    pub(super) fn buffer(&self, block: &Block<'_>, b: &mut Builder) -> Buf {
        let elem = block.extents.elem;
        let unit = if elem == Elem::I8 { 32 } else { 16 };
        let (free, depth) = (round_up(self.cap, unit), round_up(block.tiles.k_l1, unit));
        let turned = self.factor.k_major;
        let (rows, cols) = if turned { (depth, free) } else { (free, depth) };
        let shape = Shape {
            elem,
            space: Space::L1,
            layout: Layout::NZ,
            depth: block.tiles.l1_depth,
            rows,
            cols,
        };
        let name = format!("{}_l1", b.func.tensors[self.tensor].name);
        b.buf(&name, shape)
    }

    /// A buffer in L0 for one step.
    pub(super) fn l0(&self, block: &Block<'_>, b: &mut Builder, space: Space) -> Buf {
        let (layout, rows, cols) = if space == Space::L0a {
            (Layout::ZZ, self.cap, block.tiles.k_l0)
        } else {
            (Layout::NZn, block.tiles.k_l0, self.cap)
        };
        let shape = Shape {
            elem: block.extents.elem,
            space,
            layout,
            depth: block.tiles.l0_depth,
            rows,
            cols,
        };
        let name = format!("{}_{}", b.func.tensors[self.tensor].name, space.name());
        b.buf(&name, shape)
    }

    /// The part of a packet from `k` on, in the orientation in which it is stored.
    fn stored(&self, packet: Buf, k: Arg) -> View {
        let zero = Arg::Const(0);
        let (row, col) = if self.factor.k_major {
            (k, zero)
        } else {
            (zero, k)
        };
        View {
            buf: packet,
            row,
            col,
        }
    }
}

/// Which part of a tensor this block takes, from data.
fn read_number(
    b: &mut Builder,
    chosen: &Chosen,
    (product, outer, gm): (&Product, &[Arg], &GmMap),
) -> Arg {
    let tensor = gm.get(&chosen.tensor).copied();
    debug_assert!(tensor.is_some(), "partition: numbers are in global memory");
    let mut at = Arg::Const(chosen.at.constant);
    for (&index, &value) in product.outer.iter().zip(outer) {
        let term = b.mul(value, chosen.at.stride(index));
        at = b.add(at, term);
    }
    let dst = b.func.add_value();
    b.push(Op::Peek {
        dst,
        tensor: tensor.unwrap_or(Tensor::from_u32(0)),
        at,
    });
    Arg::Val(dst)
}

fn accumulator(cx: &StepCx<'_>, product: &Product, t: &Tiles, elem: Elem, b: &mut Builder) -> Buf {
    let elem = if elem == Elem::I8 {
        Elem::I32
    } else {
        Elem::F32
    };
    let shape = Shape {
        elem,
        space: Space::L0c,
        layout: Layout::NZ,
        // Two accumulators let the cube go on while the fixpipe drains.
        depth: t.acc_depth,
        rows: t.m,
        cols: t.n,
    };
    let target = cx.algo.defs[product.def].target;
    b.buf(&cx.algo.tensors[target].name.replace('.', "_"), shape)
}

impl Block<'_> {
    /// The whole reduction: packets, and steps of each packet.
    fn reduce(&self, b: &mut Builder) {
        let (total, t) = (self.extents.k, self.tiles);
        b.for_loop(0, total, t.k_l1, |b, k1| {
            let k1 = if total <= t.k_l1 {
                Arg::Const(0)
            } else {
                Arg::Val(k1)
            };
            let k = b.clip(t.k_l1.min(total), total, k1);
            let left = self.left.packet(self, b, (k1, k));
            let right = self.right.packet(self, b, (k1, k));
            b.for_loop(0, k, t.k_l0, |b, k0| {
                let one = matches!(k, Arg::Const(k) if k <= t.k_l0);
                let k0 = if one { Arg::Const(0) } else { Arg::Val(k0) };
                self.step(b, (left, right), (k1, k), k0);
            });
        });
    }

    /// One step: both parts to L0, one multiply-add.
    fn step(&self, b: &mut Builder, (left, right): (Buf, Buf), (k1, k): (Arg, Arg), k0: Arg) {
        // Where steps divide the reduction they divide each packet, the last one too.
        let step = match self.extents.k % self.tiles.k_l0 {
            0 => Arg::Const(self.tiles.k_l0),
            _ => self.step_length(b, k, k0),
        };
        let a0 = self.left.l0(self, b, Space::L0a);
        b.push(Op::LoadTile {
            dst: a0,
            src: self.left.stored(left, k0),
            rows: self.left.count,
            cols: step,
            transposed: self.left.factor.k_major,
        });
        self.multiply(b, a0, right, (k1, k0), step);
    }

    /// How much of a packet of `k` a step from `k0` on takes.
    pub(super) fn step_length(&self, b: &mut Builder, k: Arg, k0: Arg) -> Arg {
        let longest = self.tiles.k_l0;
        match k {
            Arg::Const(total) => b.clip(longest.min(total), total, k0),
            Arg::Val(_) => {
                let rest = b.sub(k, k0);
                b.min(longest, rest)
            }
        }
    }

    /// The right factor's part to L0B, and the multiply-add.
    pub(super) fn multiply(
        &self,
        b: &mut Builder,
        a0: Buf,
        right: Buf,
        (k1, k0): (Arg, Arg),
        step: Arg,
    ) {
        let (m, n) = (self.left.count, self.right.count);
        let b0 = self.right.l0(self, b, Space::L0b);
        b.push(Op::LoadTile {
            dst: b0,
            src: self.right.stored(right, k0),
            rows: step,
            cols: n,
            transposed: !self.right.factor.k_major,
        });
        let position = b.add(k1, k0);
        let init = b.cmp(CmpOp::Eq, position, 0);
        b.push(Op::Mad {
            c: self.c,
            a: a0,
            b: b0,
            m,
            k: step,
            n,
            init,
            hf32: self.product.hf32,
        });
    }

    /// The way out: to the result's place, or into the ring.
    fn drain(&self, b: &mut Builder, out: &Output, (outer, m0, n0): (&[Arg], Arg, Arg)) {
        let (rows, cols) = (self.left.count, self.right.count);
        match out {
            Output::Ring(chan) => {
                let at = b.func.add_value();
                b.push(Op::Acquire {
                    dst: at,
                    chan: *chan,
                });
                b.push(Op::Drain {
                    tensor: b.func.chans[*chan].tensor,
                    at: Arg::Val(at),
                    src: self.c,
                    rows,
                    cols,
                    pitch: Arg::Const(self.tiles.n),
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
                let (at, pitch) = result_offset(self.cx, self.product, b, (outer, m0, n0));
                let cast = match words {
                    None => FixCast::Plain,
                    Some(words) => {
                        FixCast::Requant(load_words(self.cx, self.tiles, b, *words, n0, cols))
                    }
                };
                b.push(Op::Drain {
                    tensor: *tensor,
                    at,
                    src: self.c,
                    rows,
                    cols,
                    pitch: Arg::Const(pitch),
                    cast,
                    relu: *relu,
                });
            }
        }
    }
}
