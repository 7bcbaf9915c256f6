//! A matrix product on the cube cores, and what the fixpipe or the vector cores do with its blocks.
//!
//! Blocks of the result go to the groups in turn. The left factor comes to L1 as m×k, the right one as k×n, in packets
//! of k; from there to L0 in shorter steps; the accumulator stays in L0C over the whole reduction, k ascending. A block
//! leaves through the fixpipe: to its place, or to a ring in global memory from which the two vector cores of the group
//! take half of its rows each.
//!
//! Here is what the programs of both kinds of core must agree on: extents, the walk over blocks, rings and offsets.

mod cube;
pub(crate) mod pad;
pub(crate) mod phases;
pub(crate) mod sizes;
pub(crate) mod vector;
mod window;
pub(crate) mod words;

use std::collections::BTreeMap;

use ir::algo::{Atom, Index};
use ir::symbols::Symbols;
use ir::tile::{Arg, Chan, ChanData, Tensor};
use isa::types::{CoreKind, Elem};

use self::sizes::Tiles;
use super::StepCx;
use super::access::pitches;
use super::builder::Builder;
use super::expr::decode;
use crate::partition::{Factor, Product};

/// Extents of a product.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Extents {
    pub(crate) m: i64,
    pub(crate) n: i64,
    pub(crate) k: i64,
    pub(crate) outer: i64,
    pub(crate) elem: Elem,
    /// Whether the left (right) factor is stored with k as its row.
    pub(crate) k_major: [bool; 2],
    /// Whether rows of the left (right) factor begin at sectors of L2.
    pub(crate) even: [bool; 2],
}

impl Extents {
    /// Bytes of an element of the factors.
    pub(crate) fn size(&self) -> i64 {
        i64::try_from(self.elem.bytes()).unwrap_or(4)
    }

    pub(crate) fn of(cx: &StepCx<'_>, product: &Product) -> Extents {
        let extent = |i: Index| cx.algo.indices[i].extent;
        let elem = cx.algo.tensors[product.a.tensor].elem;
        let size = i64::try_from(elem.bytes()).unwrap_or(4);
        // What is symbolic is taken to be even.
        let even = |pitch: i64| !cx.algo.symbols.is_empty() || pad::is_even(cx.chip, pitch, size);
        Extents {
            m: product.rows().into_iter().map(extent).product(),
            n: extent(product.n),
            k: match &product.window {
                None => cx
                    .algo
                    .root_reduce(product.def)
                    .map_or(1, |reduce| reduce.axes.iter().map(|&i| extent(i)).product()),
                Some(window) => window.taps() * window.padded(),
            },
            outer: product.outer.iter().map(|&i| extent(i)).product(),
            elem,
            k_major: [product.a.k_major, product.b.k_major],
            even: [even(product.a.pitch), even(product.b.pitch)],
        }
    }

    /// What to take for sizes that the launch gives where blocks are chosen.
    pub(crate) fn assumed(&self, symbols: &Symbols) -> Extents {
        Extents {
            m: symbols.assumed(self.m),
            n: symbols.assumed(self.n),
            k: symbols.assumed(self.k),
            outer: symbols.assumed(self.outer),
            ..*self
        }
    }
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
    blocks_n: Arg,
    blocks_m: Arg,
    /// As [`Tiles::diagonal`].
    diagonal: i64,
}

impl Walk {
    fn new(
        cx: &StepCx<'_>,
        b: &mut Builder,
        product: &Product,
        (e, t): (&Extents, &Tiles),
    ) -> Walk {
        Walk {
            outer: product
                .outer
                .iter()
                .map(|&i| cx.algo.indices[i].extent)
                .collect(),
            blocks_n: b.parts(e.n, t.n),
            blocks_m: b.parts(e.m, t.m),
            diagonal: t.diagonal,
        }
    }

    fn count(&self, b: &mut Builder) -> Arg {
        let outer = self.outer.iter().product::<i64>();
        let rows = b.mul(outer, self.blocks_m);
        b.mul(rows, self.blocks_n)
    }

    /// Outer indices, first row, first column of block `t`.
    fn decode(&self, b: &mut Builder, t: Arg, tiles: &Tiles) -> (Vec<Arg>, Arg, Arg) {
        let mut extents: Vec<Arg> = self.outer.iter().map(|&e| Arg::Const(e)).collect();
        extents.extend([self.blocks_m, self.blocks_n]);
        let mut values = decode(b, t, &extents);
        let mut n = values.pop().unwrap_or(Arg::Const(0));
        let mut m = values.pop().unwrap_or(Arg::Const(0));
        match self.diagonal {
            0 => {}
            1.. => {
                let down = b.div(n, self.diagonal);
                let down = b.add(m, down);
                m = b.rem(down, self.blocks_m);
            }
            _ => (m, n) = self.in_strip(b, (m, n)),
        }
        (values, b.mul(m, tiles.m), b.mul(n, tiles.n))
    }

    /// The block of a strip that comes when the strip's blocks are counted column by column; the last strip may be lower.
    fn in_strip(&self, b: &mut Builder, (m, n): (Arg, Arg)) -> (Arg, Arg) {
        let height = self.diagonal.saturating_neg();
        let inner = b.rem(m, height);
        let first = b.sub(m, inner);
        let rows = match self.blocks_m {
            Arg::Const(all) if all % height == 0 => Arg::Const(height),
            all @ (Arg::Const(_) | Arg::Val(_)) => {
                let left = b.sub(all, first);
                b.min(left, height)
            }
        };
        let before = b.mul(inner, self.blocks_n);
        let number = b.add(before, n);
        let down = b.rem(number, rows);
        (b.add(first, down), b.div(number, rows))
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

/// An offset with what quotients and remainders of batch indices add to it.
pub(crate) fn add_grouped(
    b: &mut Builder,
    factor: &Factor,
    mut at: Arg,
    values: &BTreeMap<Index, Arg>,
) -> Arg {
    for grouped in &factor.grouped {
        let mut of = Arg::Const(grouped.of.constant);
        for (times, atom) in &grouped.of.terms {
            if let Atom::Index(index) = atom {
                let value = values.get(index).copied().unwrap_or(Arg::Const(0));
                let term = b.mul(value, *times);
                of = b.add(of, term);
            }
        }
        let part = match grouped.remainder {
            true => b.rem(of, grouped.by),
            false => b.div(of, grouped.by),
        };
        let term = b.mul(part, grouped.step);
        at = b.add(at, term);
    }
    at
}
