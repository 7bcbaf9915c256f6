//! Printer and verifier on functions built by hand; what needs a parser is tested in `frontend`.

use diag::Span;
use isa::types::{CoreKind, Elem, Layout, Space};
use smallvec::SmallVec;

use super::*;
use crate::tile::names::{RESERVED, all_ew_ops, ew_from_name, ew_name, quoted};

fn capacity(space: Space) -> u64 {
    match space {
        Space::Gm => u64::MAX,
        Space::L1 => 512 << 10,
        Space::L0a | Space::L0b => 64 << 10,
        Space::L0c => 128 << 10,
        Space::Ub => 192 << 10,
        Space::Bt => 1 << 10,
        Space::Fb => 7 << 10,
    }
}

fn tensor(f: &mut Func, name: &str, elem: Elem, shape: &[i64], role: TensorRole) -> Tensor {
    f.tensors.push(TensorData {
        name: name.to_owned(),
        elem,
        shape: SmallVec::from_slice(shape),
        role,
        span: Span::NONE,
    })
}

fn buf(f: &mut Func, name: &str, elem: Elem, space: Space, rows: i64, cols: i64) -> Buf {
    f.bufs.push(BufData {
        name: name.to_owned(),
        elem,
        space,
        layout: Layout::Nd,
        depth: 2,
        rows,
        cols,
        addr: None,
        span: Span::NONE,
    })
}

struct Sample {
    func: Func,
    block: Block,
    body: Block,
    x: Tensor,
    a: Buf,
}

/// Adds 1 to four rows of 64, two buffers of UB in turn.
fn sample() -> Sample {
    let mut func = Func {
        name: "inc".to_owned(),
        target: "910b2".to_owned(),
        groups: 1,
        ..Func::default()
    };
    func.sizes.push(("N".to_owned(), 64));
    let x = tensor(&mut func, "x", Elem::F32, &[4, 64], TensorRole::In);
    let y = tensor(&mut func, "size", Elem::F32, &[4, 64], TensorRole::Out);
    let a = buf(&mut func, "A", Elem::F32, Space::Ub, 1, 64);
    let block = func.add_block();
    let body = func.add_block();
    let (sub, row, at) = (func.add_value(), func.add_value(), func.add_value());
    func.values[row].name = Some("r".to_owned());
    let view = View {
        buf: a,
        row: Arg::Const(0),
        col: Arg::Const(0),
    };
    let (one, wide) = (Arg::Const(1), Arg::Const(64));
    let ops = [
        Op::Scalar {
            dst: at,
            op: ScalarOp::Mul,
            a: row.into(),
            b: wide,
        },
        Op::Next { buf: a },
        Op::Load {
            dst: view,
            tensor: x,
            at: at.into(),
            rows: one,
            cols: wide,
            pitch: wide,
        },
        Op::Ew {
            op: EwOp::Add,
            dst: view,
            a: Operand::Full(view),
            b: Some(Operand::Bits(0x3f80_0000)),
            c: None,
            rows: one,
            cols: wide,
        },
        Op::Store {
            tensor: y,
            at: at.into(),
            src: view,
            rows: one,
            cols: wide,
            pitch: wide,
        },
    ];
    func.push(
        block,
        Op::Query {
            dst: sub,
            what: CoreQuery::Sub,
        },
        Span::NONE,
    );
    let round = Op::For {
        var: row,
        lo: sub.into(),
        hi: Arg::Const(4),
        step: 2,
        body,
    };
    func.push(block, round, Span::NONE);
    for op in ops {
        func.push(body, op, Span::NONE);
    }
    func.phases.push(Phase {
        cube: None,
        vector: Some(block),
    });
    Sample {
        func,
        block,
        body,
        x,
        a,
    }
}

const SAMPLE: &str = "\
tile inc@910b2 stage tiled groups 1 (in x: f32[4, 64], out size: f32[4, 64]) {
  sizes N = 64;
  does mads 0, vector_ops 0, bytes 0;
  buf A: f32[2][1, 64] ND in ub;
  phase {
    on vector {
      v0 = subcore;
      for r in v0..4 step 2 {
        v1 = mul r, 64;
        next A;
        load A[0, 0] <- x[v1] size (1, 64) pitch 64;
        ew add A[0, 0] <- A[0, 0], bits 0x3f800000 size (1, 64);
        store size[v1] <- A[0, 0] size (1, 64) pitch 64;
      }
    }
  }
}
";

/// Asserts that exactly one problem is found and that it says `text`.
#[track_caller]
fn refused(func: &Func, text: &str) {
    let problems = verify(func, &capacity).expect_err("a problem");
    assert!(
        problems.len() == 1 && problems[0].contains(text),
        "{problems:?}"
    );
}

#[test]
fn the_sample_prints_and_verifies() {
    let sample = sample();
    assert_eq!(print(&sample.func), SAMPLE);
    assert_eq!(verify(&sample.func, &capacity), Ok(()));
}

#[test]
fn words_of_the_form_and_odd_names_stand_in_quotes() {
    assert!(RESERVED.is_sorted());
    assert_eq!(quoted("for"), "\"for\"");
    assert_eq!(quoted("s.top"), "\"s.top\"");
    assert_eq!(quoted("row"), "row");
}

#[test]
fn every_operation_has_a_name_of_its_own() {
    for op in all_ew_ops() {
        assert_eq!(ew_from_name(&ew_name(op)), Some(op));
    }
}

#[test]
fn a_value_is_used_where_it_is_visible() {
    let mut s = sample();
    let late = s.func.add_value();
    s.func.push(
        s.block,
        Op::Scalar {
            dst: late,
            op: ScalarOp::Add,
            a: Arg::Val(late),
            b: 1.into(),
        },
        Span::NONE,
    );
    refused(&s.func, "no definition is visible");
}

#[test]
fn a_loop_variable_ends_with_its_body() {
    let mut s = sample();
    let row = s.func.values.keys().nth(1).expect("three values");
    s.func.push(s.block, Op::Next { buf: s.a }, Span::NONE);
    let dst = View {
        buf: s.a,
        row: Arg::Const(0),
        col: Arg::Const(0),
    };
    s.func.push(
        s.block,
        Op::Poke {
            dst,
            value: row.into(),
        },
        Span::NONE,
    );
    refused(&s.func, "no definition is visible");
}

#[test]
fn an_access_needs_a_generation() {
    let mut s = sample();
    s.func.blocks[s.body].insts.remove(1);
    let problems = verify(&s.func, &capacity).expect_err("problems");
    assert!(
        problems.iter().all(|p| p.contains("without a `next`")),
        "{problems:?}"
    );
}

#[test]
fn a_generation_does_not_outlive_its_block() {
    let mut s = sample();
    let dst = View {
        buf: s.a,
        row: Arg::Const(0),
        col: Arg::Const(0),
    };
    s.func.push(
        s.block,
        Op::Poke {
            dst,
            value: 1.into(),
        },
        Span::NONE,
    );
    refused(&s.func, "without a `next`");
}

#[test]
fn a_generation_from_before_the_loop_ends_where_the_loop_turns_the_buffer() {
    let mut s = sample();
    let before = s.func.insts.push(InstData {
        op: Op::Next { buf: s.a },
        span: Span::NONE,
    });
    s.func.blocks[s.block].insts.insert(0, before);
    let dst = View {
        buf: s.a,
        row: Arg::Const(0),
        col: Arg::Const(0),
    };
    let poke = s.func.insts.push(InstData {
        op: Op::Poke {
            dst,
            value: 1.into(),
        },
        span: Span::NONE,
    });
    s.func.blocks[s.body].insts.insert(0, poke);
    refused(&s.func, "without a `next`");
}

#[test]
fn arguments_are_not_written() {
    let mut s = sample();
    let last = *s.func.blocks[s.body].insts.last().expect("five operations");
    if let Op::Store { tensor, .. } = &mut s.func.insts[last].op {
        *tensor = s.x;
    }
    refused(&s.func, "argument `x` is written");
}

#[test]
fn a_view_stays_in_its_buffer() {
    let mut s = sample();
    let load = s.func.blocks[s.body].insts[2];
    if let Op::Load { cols, .. } = &mut s.func.insts[load].op {
        *cols = Arg::Const(65);
    }
    refused(&s.func, "leave buffer `A`");
}

#[test]
fn synchronisation_waits_for_its_stage() {
    let mut s = sample();
    s.func.push(s.block, Op::SyncAll, Span::NONE);
    refused(&s.func, "before the stage `synced`");
}

#[test]
fn placed_buffers_lie_in_their_space() {
    let mut s = sample();
    s.func.stage = Stage::Placed;
    refused(&s.func, "no address");
    s.func.bufs[s.a].addr = Some(16);
    refused(&s.func, "no multiple of 32");
    s.func.bufs[s.a].addr = Some((192 << 10) - 256);
    refused(&s.func, "end beyond");
    s.func.bufs[s.a].addr = Some(0);
    assert_eq!(verify(&s.func, &capacity), Ok(()));
}

#[test]
fn the_machine_must_have_a_legal_operation() {
    let mut s = sample();
    let ew = s.func.blocks[s.body].insts[3];
    if let Op::Ew { op, .. } = &mut s.func.insts[ew].op {
        *op = EwOp::Rem;
    }
    refused(&s.func, "does not go from");
    let mut s = sample();
    s.func.bufs[s.a].elem = Elem::I32;
    s.func.tensors.values_mut().for_each(|t| t.elem = Elem::I32);
    if let Op::Ew { op, .. } = &mut s.func.insts[ew].op {
        *op = EwOp::Xor;
    }
    assert_eq!(verify(&s.func, &capacity), Ok(()));
    s.func.stage = Stage::Legal;
    refused(&s.func, "the machine has no `xor`");
}

#[test]
fn a_slot_is_handed_on_by_the_side_that_opened_it() {
    let mut s = sample();
    let ring = tensor(
        &mut s.func,
        "w",
        Elem::F32,
        &[1, 2, 4, 64],
        TensorRole::Work,
    );
    let chan = s.func.chans.push(ChanData {
        name: "t".to_owned(),
        tensor: ring,
        depth: 2,
        from: CoreKind::Cube,
    });
    let dst = s.func.add_value();
    let take = s.func.push(s.block, Op::Take { dst, chan }, Span::NONE);
    refused(&s.func, "not handed on");
    s.func.push(s.block, Op::Release { chan }, Span::NONE);
    assert_eq!(verify(&s.func, &capacity), Ok(()));
    s.func.insts[take].op = Op::Acquire { dst, chan };
    let problems = verify(&s.func, &capacity).expect_err("problems");
    assert!(problems[0].contains("wrong side"), "{problems:?}");
}

#[test]
fn a_block_that_holds_itself_is_refused_and_printed() {
    let mut s = sample();
    let var = s.func.add_value();
    s.func.push(
        s.body,
        Op::For {
            var,
            lo: 0.into(),
            hi: 1.into(),
            step: 1,
            body: s.body,
        },
        Span::NONE,
    );
    refused(&s.func, "two places");
    assert!(print(&s.func).contains('?'));
}
