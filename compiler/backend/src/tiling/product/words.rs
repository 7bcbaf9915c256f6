//! Quantisation words for the fixpipe: made by the vector cores from a vector of scales, loaded by the cube cores.

use ir::algo::CmpOp;
use ir::tile::{Arg, CoreQuery, Op, ScalarOp, Tensor, View};
use isa::num::QuantWord;
use isa::types::{Elem, Layout, Space};

use super::sizes::Tiles;
use crate::tiling::StepCx;
use crate::tiling::builder::{Builder, Shape, whole};

/// Brings the words of a block's columns to the fixpipe's buffer.
pub(super) fn load_words(
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
    let staged = b.buf("words", shape(Space::L1));
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
pub(crate) fn emit(
    cx: &StepCx<'_>,
    b: &mut Builder,
    (scale, wide): (Tensor, bool),
    words: Tensor,
    count: i64,
) {
    const CHUNK: i64 = 256;
    let plain = i64::try_from(QuantWord::scaling(0.0).pack()).unwrap_or(0);
    let core = Arg::Val(b.query(CoreQuery::Core));
    let chunks = b.parts(count, CHUNK);
    b.for_loop(core, chunks, cx.vector_cores(), |b, t| {
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
        let staged = b.buf("words", shape);
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
    let number = b.cmp(CmpOp::Le, magnitude, INFINITY);
    let signed = b.scalar(ScalarOp::Or, sign, bounded);
    b.mul(signed, number)
}
