//! The left side of a product whose left factor is a window over an image: a band of the image in L1, and parts of its
//! matrix from there to L0A.
//!
//! A block of the result is a run of positions. The band holds the rows of the image that they meet, one element of the
//! image a row of the buffer, channels along the columns. Rows above and below the image are zeros that the load makes.

use ir::tile::{Arg, Buf, Op, Tensor, View};
use isa::types::{Elem, Layout, Space};

use super::cube::Block;
use super::sizes::{Band, Tiles};
use crate::partition::{Product, Window};
use crate::tiling::StepCx;
use crate::tiling::builder::{Builder, Shape};
use crate::tiling::expr::{GmMap, round_up};

/// What a block of the result needs of an image.
pub(super) struct Image<'a> {
    window: &'a Window,
    band: Band,
    tensor: Tensor,
    elem: Elem,
    /// Flat offset of the band's first element.
    at: Arg,
    /// Elements from one element of the image to the next.
    pitch: i64,
    /// Rows of the image that are there, and rows of zeros above them.
    height: Arg,
    above: Arg,
    /// The first position, counted from the start of its row.
    position: Arg,
}

impl<'a> Image<'a> {
    pub(super) fn new(
        cx: &StepCx<'_>,
        b: &mut Builder,
        (product, window): (&Product, &'a Window),
        (outer, gm): (&[Arg], &GmMap),
        (m0, m): (Arg, Arg),
        t: &Tiles,
    ) -> Image<'a> {
        let factor = &product.a;
        let wide = window.positions[1];
        let first = b.div(m0, wide);
        let before = b.mul(first, wide);
        let position = b.sub(m0, before);
        let end = b.add(m0, m);
        let end = b.sub(end, 1);
        let last = b.div(end, wide);
        let top = b.mul(first, window.step[0]);
        let top = b.add(top, window.offset[0]);
        let from = b.max(top, 0);
        let above = b.sub(from, top);
        let bottom = b.mul(last, window.step[0]);
        let bottom = b.add(bottom, window.offset[0] + window.reach(0));
        let until = b.min(bottom, window.image[0]);
        let height = b.sub(until, from);
        let mut at = Arg::Const(factor.at.constant);
        for (&index, &value) in product.outer.iter().zip(outer) {
            let term = b.mul(value, factor.at.stride(index));
            at = b.add(at, term);
        }
        let down = b.mul(from, window.image[1] * factor.pitch);
        let tensor = gm.get(&factor.tensor).copied();
        debug_assert!(tensor.is_some(), "partition: factors are in global memory");
        Image {
            window,
            band: Band::of(
                cx.chip,
                t.l1_depth,
                t,
                window,
                cx.algo.tensors[factor.tensor].elem,
            ),
            tensor: tensor.unwrap_or(Tensor::from_u32(0)),
            elem: cx.algo.tensors[factor.tensor].elem,
            at: b.add(at, down),
            pitch: factor.pitch,
            height,
            above,
            position,
        }
    }

    /// Loads channels of the band from `channel` on.
    fn load(&self, b: &mut Builder, (channel, channels): (Arg, i64)) -> Buf {
        let unit = if self.elem == Elem::I8 { 32 } else { 16 };
        let shape = Shape {
            elem: self.elem,
            space: Space::L1,
            layout: Layout::NZ,
            depth: self.band.depth,
            rows: round_up(self.band.elements, unit),
            cols: round_up(channels, self.window.block.max(unit)),
        };
        let name = format!("{}_l1", b.func.tensors[self.tensor].name);
        let buf = b.buf(&name, shape);
        let rows = b.mul(self.height, self.window.image[1]);
        let at = b.add(self.at, channel);
        b.push(Op::Load {
            dst: View {
                buf,
                row: Arg::Const(0),
                col: Arg::Const(0),
            },
            tensor: self.tensor,
            at,
            rows,
            cols: Arg::Const(channels),
            pitch: Arg::Const(self.pitch),
        });
        buf
    }

    /// The part of the matrix for `columns` from element `tap` and channel `channel` of the band on.
    fn part(
        &self,
        b: &mut Builder,
        (dst, buf): (Buf, Buf),
        [rows, columns]: [Arg; 2],
        (tap, channel): (Arg, Arg),
    ) {
        let w = self.window;
        let window = ir::tile::Window {
            image: [self.height, Arg::Const(w.image[1])],
            pad: [
                self.above,
                Arg::Const(w.below()),
                Arg::Const(w.left()),
                Arg::Const(w.right()),
            ],
            extent: w.extent,
            step: w.step,
            apart: w.apart,
            from: [self.position, tap],
        };
        b.push(Op::LoadWindow {
            dst,
            src: View {
                buf,
                row: Arg::Const(0),
                col: channel,
            },
            rows,
            cols: columns,
            window,
        });
    }
}

/// The whole reduction: packets of weights, and steps of each packet, one block of channels or more at a time.
pub(super) fn reduce(block: &Block<'_>, image: &Image<'_>, b: &mut Builder) {
    let (total, t) = (block.extents.k, block.tiles);
    let w = image.window;
    let padded = w.padded();
    let band = image
        .band
        .whole
        .then(|| image.load(b, (Arg::Const(0), w.channels)));
    b.for_loop(0, total, t.k_l1, |b, k1| {
        let k1 = if total <= t.k_l1 {
            Arg::Const(0)
        } else {
            Arg::Val(k1)
        };
        let k = b.clip(t.k_l1.min(total), total, k1);
        // A part of the channels begins at a multiple of a packet.
        let (buf, skipped) = match band {
            Some(buf) => (buf, Arg::Const(0)),
            None => {
                let channel = b.rem(k1, padded);
                (image.load(b, (channel, t.k_l1)), channel)
            }
        };
        let right = if w.channels == padded {
            block.right.packet(block, b, (k1, k))
        } else {
            packet_by_element(block, w, b, (k1, k))
        };
        b.for_loop(0, k, t.k_l0, |b, k0| {
            let one = matches!(k, Arg::Const(k) if k <= t.k_l0);
            let k0 = if one { Arg::Const(0) } else { Arg::Val(k0) };
            let columns = block.step_length(b, k, k0);
            let at = b.add(k1, k0);
            let tap = b.div(at, padded);
            let channel = b.rem(at, padded);
            let channel = b.sub(channel, skipped);
            let a0 = block.left.l0(block, b, Space::L0a);
            image.part(b, (a0, buf), [block.left.count, columns], (tap, channel));
            block.multiply(b, a0, right, (k1, k0), columns);
        });
    });
}

/// Weights whose channels are no whole blocks: each element of the window by itself, filled up with zeros.
fn packet_by_element(block: &Block<'_>, w: &Window, b: &mut Builder, (k1, k): (Arg, Arg)) -> Buf {
    let padded = w.padded();
    let buf = block.right.buffer(block, b);
    let first = b.div(k1, padded);
    let taps = b.div(k, padded);
    let right = &block.right;
    b.for_loop(0, taps, 1, |b, tap| {
        let col = b.mul(tap, padded);
        let number = b.add(first, tap);
        let along = b.mul(number, w.channels);
        let at = b.add(right.at, along);
        b.push(Op::Load {
            dst: View {
                buf,
                row: Arg::Const(0),
                col,
            },
            tensor: right.tensor,
            at,
            rows: right.count,
            cols: Arg::Const(w.channels),
            pitch: Arg::Const(right.factor.pitch),
        });
    });
    buf
}
