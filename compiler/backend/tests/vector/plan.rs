//! The planner: what may share memory, and what it says where memory ends.

use super::common::{Build, at};
use backend::plan::{plan, report};
use ir::tile::{Arg, Buf, EwOp, Func, Op, Operand, TensorRole};
use isa::chip::Chip;
use isa::types::{Elem, Space};

/// Loads `x`, passes it through two temporaries, and stores it.
fn steps(elem: Elem, cols: i64) -> (Func, [Buf; 4]) {
    let mut b = Build::new("steps", 1);
    let x = b.tensor("x", elem, &[1, cols], TensorRole::In);
    let y = b.tensor("y", elem, &[1, cols], TensorRole::Out);
    let names = ["loaded", "first", "second", "stored"];
    let bufs = names.map(|name| b.buf(name, elem, Space::Ub, 1, [1, cols]));
    let (rows, cols) = (Arg::Const(1), Arg::Const(cols));
    b.phase(false, |b| {
        b.next(bufs[0]);
        let dst = at(bufs[0]);
        b.push(Op::Load {
            dst,
            tensor: x,
            at: 0.into(),
            rows,
            cols,
            pitch: cols,
        });
        for pair in bufs.windows(2) {
            b.next(pair[1]);
            let (dst, a) = (at(pair[1]), Operand::Full(at(pair[0])));
            let second = Some(Operand::Full(at(pair[0])));
            b.push(Op::Ew {
                op: EwOp::Max,
                dst,
                a,
                b: second,
                c: None,
                rows,
                cols,
            });
        }
        b.push(Op::Store {
            tensor: y,
            at: 0.into(),
            src: at(bufs[3]),
            rows,
            cols,
            pitch: cols,
        });
    });
    (b.func, bufs)
}

fn chip() -> Chip {
    Chip::builtin("910b2").expect("a built-in chip")
}

#[test]
fn buffers_of_several_pipes_keep_their_place() {
    let (func, bufs) = steps(Elem::F32, 1024);
    let plan = plan(&func, &chip()).expect("it fits");
    let range = |buf: Buf| (plan.addr[&buf], plan.addr[&buf] + 4096);
    let apart = |a: Buf, b: Buf| range(a).1 <= range(b).0 || range(b).1 <= range(a).0;
    for (one, other) in [(0, 1), (0, 3), (1, 2), (1, 3), (2, 3)] {
        assert!(apart(bufs[one], bufs[other]), "{plan:?}");
    }
    // DMA has handed the first over, once, to the vector unit, whose last use of it comes before the third is written.
    assert_eq!(range(bufs[0]), range(bufs[2]), "{plan:?}");
    assert!(report(&func, &chip()).contains("4096 B  1 x loaded  f32[1, 1024]"));
}

#[test]
fn overflow_names_what_is_alive() {
    let (func, bufs) = steps(Elem::F32, 16384);
    let overflow = plan(&func, &chip()).expect_err("four times 64 KiB is too much");
    assert_eq!(
        (overflow.space, overflow.needed, overflow.available),
        (Space::Ub, 4 * 65536, 192 * 1024 - 256)
    );
    assert_eq!(
        overflow.live.iter().map(|live| live.0).collect::<Vec<_>>(),
        bufs
    );
    let found = backend::errors::capacity(&func, &overflow);
    assert_eq!(found.code.as_str(), "E0501");
}
