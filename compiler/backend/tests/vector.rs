//! The vector cores: chains, reductions, masks, conversions, several phases, and hand-over from the cube; planning.

mod common;
#[path = "vector/plan.rs"]
mod plan;
#[path = "vector/random.rs"]
mod random;

use common::{Build, MODES, as_f32, at, f16_bytes, f32_bytes, numbers, run};
use ir::algo::CmpOp;
use ir::tile::{
    Arg, Buf, ChanData, CoreQuery, EwOp, FixCast, Func, Op, Operand, Phase, RedOp, ScalarOp,
    Tensor, TensorRole, Value, View,
};
use isa::num::{Overflow, Round};
use isa::types::{CoreKind, Elem, Space};

fn full(buf: Buf) -> Operand {
    Operand::Full(at(buf))
}

/// Each vector core takes every fourth block of rows (two groups).
fn by_rows(b: &mut Build, rows: i64, block: i64, body: impl FnOnce(&mut Build, Value, Value)) {
    let core = b.query(CoreQuery::Core);
    let first = b.scalar(ScalarOp::Mul, core, block);
    b.repeat(first, rows, 4 * block, |b, row| {
        let left = b.scalar(ScalarOp::Sub, rows, row);
        let count = b.scalar(ScalarOp::Min, left, block);
        body(b, row, count);
    });
}

fn load(
    b: &mut Build,
    dst: Buf,
    tensor: Tensor,
    row: Value,
    pitch: i64,
    rows: impl Into<Arg>,
    cols: impl Into<Arg>,
) {
    let from = b.scalar(ScalarOp::Mul, row, pitch);
    b.next(dst);
    b.push(Op::Load {
        dst: at(dst),
        tensor,
        at: from.into(),
        rows: rows.into(),
        cols: cols.into(),
        pitch: pitch.into(),
    });
}

fn store(
    b: &mut Build,
    tensor: Tensor,
    src: Buf,
    row: Value,
    pitch: i64,
    rows: impl Into<Arg>,
    cols: impl Into<Arg>,
) {
    let to = b.scalar(ScalarOp::Mul, row, pitch);
    b.push(Op::Store {
        tensor,
        at: to.into(),
        src: at(src),
        rows: rows.into(),
        cols: cols.into(),
        pitch: pitch.into(),
    });
}

fn ew(
    b: &mut Build,
    op: EwOp,
    dst: Buf,
    operands: &[Operand],
    rows: impl Into<Arg>,
    cols: impl Into<Arg>,
) {
    b.next(dst);
    ew_onto(b, op, dst, operands, rows, cols);
}

fn ew_onto(
    b: &mut Build,
    op: EwOp,
    dst: Buf,
    operands: &[Operand],
    rows: impl Into<Arg>,
    cols: impl Into<Arg>,
) {
    let get = |n: usize| operands.get(n).copied();
    let a = get(0).expect("an operand");
    b.push(Op::Ew {
        op,
        dst: at(dst),
        a,
        b: get(1),
        c: get(2),
        rows: rows.into(),
        cols: cols.into(),
    });
}

fn round_up(value: i64, unit: i64) -> i64 {
    (value + unit - 1) / unit * unit
}

/// `y = (x · 2 + x) - 1`, in blocks of rows.
fn chain(rows: i64, cols: i64, depth: u32) -> Func {
    let mut b = Build::new("chain", 2);
    let x = b.tensor("x", Elem::F32, &[rows, cols], TensorRole::In);
    let y = b.tensor("y", Elem::F32, &[rows, cols], TensorRole::Out);
    let shape = [4, round_up(cols, 8)];
    let (xb, yb) = (
        b.buf("xb", Elem::F32, Space::Ub, depth, shape),
        b.buf("yb", Elem::F32, Space::Ub, depth, shape),
    );
    let t = b.buf("t", Elem::F32, Space::Ub, 1, shape);
    b.phase(false, |b| {
        by_rows(b, rows, 4, |b, row, count| {
            load(b, xb, x, row, cols, count, cols);
            ew(
                b,
                EwOp::Mul,
                t,
                &[full(xb), Operand::Bits(2f32.to_bits())],
                count,
                cols,
            );
            ew(b, EwOp::Add, yb, &[full(t), full(xb)], count, cols);
            ew_onto(
                b,
                EwOp::Sub,
                yb,
                &[full(yb), Operand::Bits(1f32.to_bits())],
                count,
                cols,
            );
            store(b, y, yb, row, cols, count, cols);
        });
    });
    b.func
}

#[test]
fn a_chain_of_any_width() {
    for (rows, cols) in [(1, 1), (3, 7), (16, 64), (37, 100), (9, 1000), (5, 1500)] {
        let x = numbers((rows * cols) as usize, 3);
        let want: Vec<f32> = x.iter().map(|x| x * 3.0 - 1.0).collect();
        for level in MODES {
            for depth in [1, 2, 3] {
                let outcome = run(
                    &chain(rows, cols, depth),
                    level,
                    &[Some(f32_bytes(&x)), None],
                );
                assert_eq!(
                    as_f32(&outcome.tensors[1]),
                    want,
                    "{rows}x{cols} {level:?} depth {depth}"
                );
            }
        }
    }
}

/// Softmax without the exponential: `y = (x - max) / sum(x - max + 1)`, the columns in chunks, the input read three times.
fn softmax_like(rows: i64, cols: i64) -> Func {
    let mut b = Build::new("softmax", 2);
    let f = Elem::F32;
    let x = b.tensor("x", f, &[rows, cols], TensorRole::In);
    let y = b.tensor("y", f, &[rows, cols], TensorRole::Out);
    let (block, chunk) = (8, 128);
    let chunks: Vec<Buf> = (0..3)
        .map(|n| b.buf(&format!("x{n}"), f, Space::Ub, 2, [block, chunk]))
        .collect();
    let out = b.buf("out", f, Space::Ub, 2, [block, chunk]);
    let t = b.buf("t", f, Space::Ub, 1, [block, chunk]);
    let lanes: Vec<Buf> = (0..2)
        .map(|n| b.buf(&format!("l{n}"), f, Space::Ub, 1, [block, 64]))
        .collect();
    let rows_of: Vec<Buf> = (0..2)
        .map(|n| b.buf(&format!("r{n}"), f, Space::Ub, 1, [1, 8]))
        .collect();
    let spread: Vec<Buf> = (0..2)
        .map(|n| b.buf(&format!("s{n}"), f, Space::Ub, 1, [8, 8]))
        .collect();
    let by_chunk = |b: &mut Build,
                    buf: Buf,
                    row: Value,
                    count: Value,
                    body: &dyn Fn(&mut Build, Value, Value)| {
        b.repeat(0, cols, chunk, |b, c| {
            let left = b.scalar(ScalarOp::Sub, cols, c);
            let width = b.scalar(ScalarOp::Min, left, chunk);
            let line = b.scalar(ScalarOp::Mul, row, cols);
            let from = b.scalar(ScalarOp::Add, line, c);
            b.next(buf);
            b.push(Op::Load {
                dst: at(buf),
                tensor: x,
                at: from.into(),
                rows: count.into(),
                cols: width.into(),
                pitch: cols.into(),
            });
            body(b, from, width);
        });
    };
    let reduced = |b: &mut Build, n: usize, op: RedOp, count: Value| {
        ew(b, EwOp::Copy, rows_of[n], &[Operand::Bits(0)], 1, 8);
        b.push(Op::Lanes {
            op,
            dst: at(rows_of[n]),
            acc: at(lanes[n]),
            rows: count.into(),
        });
        b.next(spread[n]);
        b.push(Op::Spread {
            dst: at(spread[n]),
            src: at(rows_of[n]),
            rows: count.into(),
        });
    };
    b.phase(false, |b| {
        by_rows(b, rows, block, |b, row, count| {
            ew(
                b,
                EwOp::Copy,
                lanes[0],
                &[Operand::Bits(f32::NEG_INFINITY.to_bits())],
                count,
                64,
            );
            by_chunk(b, chunks[0], row, count, &|b, _, width| {
                b.push(Op::Accumulate {
                    op: RedOp::Max,
                    acc: at(lanes[0]),
                    src: at(chunks[0]),
                    rows: count.into(),
                    cols: width.into(),
                });
            });
            reduced(b, 0, RedOp::Max, count);
            ew(b, EwOp::Copy, lanes[1], &[Operand::Bits(0)], count, 64);
            by_chunk(b, chunks[1], row, count, &|b, _, width| {
                ew(
                    b,
                    EwOp::Sub,
                    t,
                    &[full(chunks[1]), Operand::EachCol(at(spread[0]))],
                    count,
                    width,
                );
                ew_onto(
                    b,
                    EwOp::Add,
                    t,
                    &[full(t), Operand::Bits(1f32.to_bits())],
                    count,
                    width,
                );
                b.push(Op::Accumulate {
                    op: RedOp::Sum,
                    acc: at(lanes[1]),
                    src: at(t),
                    rows: count.into(),
                    cols: width.into(),
                });
            });
            reduced(b, 1, RedOp::Sum, count);
            by_chunk(b, chunks[2], row, count, &|b, to, width| {
                ew(
                    b,
                    EwOp::Sub,
                    out,
                    &[full(chunks[2]), Operand::EachCol(at(spread[0]))],
                    count,
                    width,
                );
                ew_onto(
                    b,
                    EwOp::Div,
                    out,
                    &[full(out), Operand::EachCol(at(spread[1]))],
                    count,
                    width,
                );
                b.push(Op::Store {
                    tensor: y,
                    at: to.into(),
                    src: at(out),
                    rows: count.into(),
                    cols: width.into(),
                    pitch: cols.into(),
                });
            });
        });
    });
    b.func
}

#[test]
fn rows_are_reduced_and_spread() {
    for (rows, cols) in [(1, 1), (5, 64), (33, 200), (64, 1000)] {
        let x = numbers((rows * cols) as usize, 5);
        let mut want = Vec::new();
        for row in x.chunks(cols as usize) {
            let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let sum: f32 = row.iter().map(|x| x - top + 1.0).sum();
            want.extend(row.iter().map(|x| (x - top) / sum));
        }
        let mut cycles = Vec::new();
        for level in MODES {
            let outcome = run(
                &softmax_like(rows, cols),
                level,
                &[Some(f32_bytes(&x)), None],
            );
            assert_eq!(as_f32(&outcome.tensors[1]), want, "{rows}x{cols} {level:?}");
            cycles.push(outcome.report.cycles);
        }
        assert!(cycles[1] <= cycles[0], "{cycles:?}");
    }
}

/// `y = x < 0.5 ? -1 : x`, and a mask combined with its complement; f16 in, by way of f32.
fn masks(cols: i64) -> Func {
    let mut b = Build::new("masks", 2);
    let x = b.tensor("x", Elem::F16, &[cols], TensorRole::In);
    let y = b.tensor("y", Elem::F32, &[cols], TensorRole::Out);
    let wide = round_up(cols, 256);
    let xb = b.buf("xb", Elem::F16, Space::Ub, 1, [1, wide]);
    let f = b.buf("f", Elem::F32, Space::Ub, 1, [1, wide]);
    let yb = b.buf("yb", Elem::F32, Space::Ub, 1, [1, wide]);
    let masks: Vec<Buf> = (0..3)
        .map(|n| b.buf(&format!("m{n}"), Elem::Bool, Space::Ub, 1, [1, wide]))
        .collect();
    b.phase(false, |b| {
        let core = b.query(CoreQuery::Core);
        let first = b.scalar(ScalarOp::Cmp(CmpOp::Eq), core, 0);
        let then = b.func.add_block();
        b.push(Op::If {
            cond: first.into(),
            then,
            els: None,
        });
        b.within(then, |b| {
            b.next(xb);
            b.push(Op::Load {
                dst: at(xb),
                tensor: x,
                at: 0.into(),
                rows: 1.into(),
                cols: cols.into(),
                pitch: cols.into(),
            });
            ew(
                b,
                EwOp::Cast(Round::Even, Overflow::Saturate),
                f,
                &[full(xb)],
                1,
                cols,
            );
            ew(
                b,
                EwOp::Cmp(CmpOp::Lt),
                masks[0],
                &[full(f), Operand::Bits(0.5f32.to_bits())],
                1,
                cols,
            );
            ew(
                b,
                EwOp::Cmp(CmpOp::Ge),
                masks[1],
                &[Operand::Bits(0.5f32.to_bits()), full(f)],
                1,
                cols,
            );
            ew(b, EwOp::Not, masks[2], &[full(masks[1])], 1, cols);
            ew_onto(
                b,
                EwOp::Or,
                masks[2],
                &[full(masks[2]), full(masks[0])],
                1,
                cols,
            );
            ew_onto(
                b,
                EwOp::And,
                masks[2],
                &[full(masks[2]), full(masks[0])],
                1,
                cols,
            );
            ew(
                b,
                EwOp::Select,
                yb,
                &[full(masks[2]), Operand::Bits((-1f32).to_bits()), full(f)],
                1,
                cols,
            );
            b.push(Op::Store {
                tensor: y,
                at: 0.into(),
                src: at(yb),
                rows: 1.into(),
                cols: cols.into(),
                pitch: cols.into(),
            });
        });
    });
    b.func
}

#[test]
fn masks_compare_combine_and_select() {
    for cols in [1, 64, 100, 256, 1000] {
        let x = numbers(cols as usize, 7);
        let want: Vec<f32> = x.iter().map(|&x| if x < 0.5 { -1.0 } else { x }).collect();
        for level in MODES {
            let outcome = run(&masks(cols), level, &[Some(f16_bytes(&x)), None]);
            assert_eq!(as_f32(&outcome.tensors[1]), want, "{cols} {level:?}");
        }
    }
}

/// Integer sums: `y[r] = sum_c x[r, c]`, joined by the scalar unit, one element read back and written doubled.
#[test]
fn integers_are_summed_and_poked() {
    let (rows, cols) = (8i64, 150i64);
    let mut b = Build::new("sums", 2);
    let x = b.tensor("x", Elem::I32, &[rows, cols], TensorRole::In);
    let y = b.tensor("y", Elem::I32, &[rows], TensorRole::Out);
    let xb = b.buf("xb", Elem::I32, Space::Ub, 1, [8, round_up(cols, 8)]);
    let acc = b.buf("acc", Elem::I32, Space::Ub, 1, [8, 64]);
    let yb = b.buf("yb", Elem::I32, Space::Ub, 1, [1, 8]);
    b.phase(false, |b| {
        let core = b.query(CoreQuery::Core);
        let first = b.scalar(ScalarOp::Cmp(CmpOp::Eq), core, 3);
        let then = b.func.add_block();
        b.push(Op::If {
            cond: first.into(),
            then,
            els: None,
        });
        b.within(then, |b| {
            b.next(xb);
            b.push(Op::Load {
                dst: at(xb),
                tensor: x,
                at: 0.into(),
                rows: rows.into(),
                cols: cols.into(),
                pitch: cols.into(),
            });
            ew(b, EwOp::Copy, acc, &[Operand::Bits(0)], rows, 64);
            b.push(Op::Accumulate {
                op: RedOp::Sum,
                acc: at(acc),
                src: at(xb),
                rows: rows.into(),
                cols: cols.into(),
            });
            b.next(yb);
            b.push(Op::Lanes {
                op: RedOp::Sum,
                dst: at(yb),
                acc: at(acc),
                rows: rows.into(),
            });
            let last = View {
                buf: yb,
                row: 0.into(),
                col: 7.into(),
            };
            let dst = b.func.add_value();
            b.push(Op::PeekBuf { dst, src: last });
            let double = b.scalar(ScalarOp::Mul, dst, 2);
            b.push(Op::Poke {
                dst: last,
                value: double.into(),
            });
            b.push(Op::Store {
                tensor: y,
                at: 0.into(),
                src: at(yb),
                rows: 1.into(),
                cols: rows.into(),
                pitch: rows.into(),
            });
        });
    });
    let values: Vec<i32> = (0..rows * cols)
        .map(|n| (n * 37 % 101) as i32 - 50)
        .collect();
    let mut want: Vec<i32> = values
        .chunks(cols as usize)
        .map(|row| row.iter().sum())
        .collect();
    want[7] *= 2;
    let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
    for level in MODES {
        let outcome = run(&b.func, level, &[Some(bytes.clone()), None]);
        let got: Vec<i32> = outcome.tensors[1]
            .chunks_exact(4)
            .map(|c| i32::from_le_bytes([c[0], c[1], c[2], c[3]]))
            .collect();
        assert_eq!(got, want, "{level:?}");
    }
}

/// Two phases: each vector core writes its rows to a workspace, then reads rows of others.
#[test]
fn phases_see_what_other_cores_wrote() {
    let (rows, cols) = (16i64, 40i64);
    let mut b = Build::new("phases", 2);
    let x = b.tensor("x", Elem::F32, &[rows, cols], TensorRole::In);
    let y = b.tensor("y", Elem::F32, &[rows, cols], TensorRole::Out);
    let w = b.tensor("w", Elem::F32, &[rows, cols], TensorRole::Work);
    let one = b.buf("one", Elem::F32, Space::Ub, 2, [2, cols]);
    let two = b.buf("two", Elem::F32, Space::Ub, 2, [2, cols]);
    b.phase(false, |b| {
        by_rows(b, rows, 2, |b, row, count| {
            load(b, one, x, row, cols, count, cols);
            ew_onto(
                b,
                EwOp::Add,
                one,
                &[full(one), Operand::Bits(1f32.to_bits())],
                count,
                cols,
            );
            store(b, w, one, row, cols, count, cols);
        });
    });
    b.phase(false, |b| {
        by_rows(b, rows, 2, |b, row, count| {
            let mirrored = b.scalar(ScalarOp::Sub, rows - 2, row);
            load(b, two, w, mirrored, cols, count, cols);
            store(b, y, two, row, cols, count, cols);
        });
    });
    let values = numbers((rows * cols) as usize, 11);
    let mut want = Vec::new();
    for pair in values.chunks(2 * cols as usize).rev() {
        want.extend(pair.iter().map(|x| x + 1.0));
    }
    for level in MODES {
        let outcome = run(&b.func, level, &[Some(f32_bytes(&values)), None, None]);
        assert_eq!(as_f32(&outcome.tensors[1]), want, "{level:?}");
    }
}

/// A product on the cube core, handed over tile by tile; each of the two vector cores adds 1 to half of the rows.
fn hand_over(steps: i64, depth: u32) -> Func {
    let t = 32i64;
    let mut b = Build::new("hand_over", 2);
    let ta = b.tensor("a", Elem::F16, &[2 * steps * t, t], TensorRole::In);
    let tb = b.tensor("b", Elem::F16, &[t, t], TensorRole::In);
    let ty = b.tensor("y", Elem::F32, &[2 * steps * t, t], TensorRole::Out);
    let ring = b.tensor(
        "ring",
        Elem::F32,
        &[2, i64::from(depth), t, t],
        TensorRole::Work,
    );
    let chan = b.func.chans.push(ChanData {
        name: "ch".to_owned(),
        tensor: ring,
        depth,
        from: CoreKind::Cube,
    });
    let (a1, b1) = (
        b.buf("a1", Elem::F16, Space::L1, 2, [t, t]),
        b.buf("b1", Elem::F16, Space::L1, 1, [t, t]),
    );
    let (a0, b0) = (
        b.buf("a0", Elem::F16, Space::L0a, 2, [t, t]),
        b.buf("b0", Elem::F16, Space::L0b, 1, [t, t]),
    );
    let c0 = b.buf("c0", Elem::F32, Space::L0c, 2, [t, t]);
    let half = b.buf("half", Elem::F32, Space::Ub, 2, [t / 2, t]);
    let (cube, vector) = (b.func.add_block(), b.func.add_block());
    b.func.phases.push(Phase {
        cube: Some(cube),
        vector: Some(vector),
    });
    b.within(cube, |b| {
        let group = b.query(CoreQuery::Group);
        b.next(b1);
        b.push(Op::Load {
            dst: at(b1),
            tensor: tb,
            at: 0.into(),
            rows: t.into(),
            cols: t.into(),
            pitch: t.into(),
        });
        b.next(b0);
        b.push(Op::LoadTile {
            dst: b0,
            src: at(b1),
            rows: t.into(),
            cols: t.into(),
            transposed: false,
        });
        b.repeat(group, 2 * steps, 2, |b, step| {
            let from = b.scalar(ScalarOp::Mul, step, t * t);
            b.next(a1);
            b.push(Op::Load {
                dst: at(a1),
                tensor: ta,
                at: from.into(),
                rows: t.into(),
                cols: t.into(),
                pitch: t.into(),
            });
            b.next(a0);
            b.push(Op::LoadTile {
                dst: a0,
                src: at(a1),
                rows: t.into(),
                cols: t.into(),
                transposed: false,
            });
            b.next(c0);
            b.push(Op::Mad {
                c: c0,
                a: a0,
                b: b0,
                m: t.into(),
                k: t.into(),
                n: t.into(),
                init: 1.into(),
                hf32: false,
            });
            let dst = b.func.add_value();
            b.push(Op::Acquire { dst, chan });
            b.push(Op::Drain {
                tensor: ring,
                at: dst.into(),
                src: c0,
                rows: t.into(),
                cols: t.into(),
                pitch: t.into(),
                cast: FixCast::Plain,
                relu: false,
            });
            b.push(Op::Publish { chan });
        });
    });
    b.within(vector, |b| {
        let (group, sub) = (b.query(CoreQuery::Group), b.query(CoreQuery::Sub));
        let mine = b.scalar(ScalarOp::Mul, sub, t / 2 * t);
        b.repeat(group, 2 * steps, 2, |b, step| {
            let dst = b.func.add_value();
            b.push(Op::Take { dst, chan });
            let from = b.scalar(ScalarOp::Add, dst, mine);
            b.next(half);
            b.push(Op::Load {
                dst: at(half),
                tensor: ring,
                at: from.into(),
                rows: (t / 2).into(),
                cols: t.into(),
                pitch: t.into(),
            });
            b.push(Op::Release { chan });
            ew_onto(
                b,
                EwOp::Add,
                half,
                &[full(half), Operand::Bits(1f32.to_bits())],
                t / 2,
                t,
            );
            let tile = b.scalar(ScalarOp::Mul, step, t * t);
            let to = b.scalar(ScalarOp::Add, tile, mine);
            b.push(Op::Store {
                tensor: ty,
                at: to.into(),
                src: at(half),
                rows: (t / 2).into(),
                cols: t.into(),
                pitch: t.into(),
            });
        });
    });
    b.func
}

#[test]
fn tiles_go_from_cube_to_vector() {
    for (steps, depth) in [(1, 1), (3, 2), (7, 3)] {
        let t = 32;
        let (a, w) = (numbers(2 * steps * t * t, 13), numbers(t * t, 17));
        let mut want = Vec::new();
        for row in a.chunks(t) {
            want.extend((0..t).map(|c| {
                1.0 + row
                    .iter()
                    .enumerate()
                    .map(|(k, x)| x * w[k * t + c])
                    .sum::<f32>()
            }));
        }
        let mut cycles = Vec::new();
        for level in MODES {
            let inputs = [Some(f16_bytes(&a)), Some(f16_bytes(&w)), None, None];
            let outcome = run(&hand_over(steps as i64, depth), level, &inputs);
            assert_eq!(
                as_f32(&outcome.tensors[2]),
                want,
                "{steps} steps, depth {depth}, {level:?}"
            );
            cycles.push(outcome.report.cycles);
        }
        assert!(cycles[1] <= cycles[0], "{cycles:?}");
    }
}
