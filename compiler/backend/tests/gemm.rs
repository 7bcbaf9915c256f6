//! Products on the cube cores: ragged tiles, every stored orientation and element type, both levelhronisation modes.

mod common;

use common::{Build, MODES, as_f32, at, f16_bytes, f32_bytes, numbers, run};
use ir::tile::{Arg, CoreQuery, FixCast, Func, Op, ScalarOp, TensorRole};
use isa::types::{Elem, Space};

#[derive(Copy, Clone, Debug)]
struct Case {
    elem: Elem,
    m: i64,
    k: i64,
    n: i64,
    /// Whether a is stored k×m, b n×k.
    a_turned: bool,
    b_turned: bool,
    tile: i64,
    depth: u32,
}

/// `c = a · b` tile by tile, each core every `groups`-th tile.
fn gemm(case: Case) -> Func {
    let Case {
        elem,
        m,
        k,
        n,
        tile,
        depth,
        ..
    } = case;
    let (groups, sum) = (
        2,
        if elem == Elem::I8 {
            Elem::I32
        } else {
            Elem::F32
        },
    );
    let mut b = Build::new("gemm", groups);
    let a_shape = if case.a_turned { [k, m] } else { [m, k] };
    let b_shape = if case.b_turned { [n, k] } else { [k, n] };
    let ta = b.tensor("a", elem, &a_shape, TensorRole::In);
    let tb = b.tensor("b", elem, &b_shape, TensorRole::In);
    let tc = b.tensor("c", sum, &[m, n], TensorRole::Out);
    let square = [tile, tile];
    let (a1, b1) = (
        b.buf("a1", elem, Space::L1, depth, square),
        b.buf("b1", elem, Space::L1, depth, square),
    );
    let (a0, b0) = (
        b.buf("a0", elem, Space::L0a, depth, square),
        b.buf("b0", elem, Space::L0b, depth, square),
    );
    let c0 = b.buf("c0", sum, Space::L0c, depth, square);
    let (m_tiles, n_tiles) = ((m + tile - 1) / tile, (n + tile - 1) / tile);
    b.phase(true, |b| {
        let core = b.query(CoreQuery::Core);
        b.repeat(core, m_tiles * n_tiles, i64::from(groups), |b, t| {
            let mt = b.scalar(ScalarOp::Div, t, n_tiles);
            let nt = b.scalar(ScalarOp::Rem, t, n_tiles);
            let (m0, n0) = (
                b.scalar(ScalarOp::Mul, mt, tile),
                b.scalar(ScalarOp::Mul, nt, tile),
            );
            let m_left = b.scalar(ScalarOp::Sub, m, m0);
            let n_left = b.scalar(ScalarOp::Sub, n, n0);
            let (tm, tn) = (
                b.scalar(ScalarOp::Min, m_left, tile),
                b.scalar(ScalarOp::Min, n_left, tile),
            );
            b.next(c0);
            b.repeat(0, k, tile, |b, k0| {
                let k_left = b.scalar(ScalarOp::Sub, k, k0);
                let tk = b.scalar(ScalarOp::Min, k_left, tile);
                let init = b.scalar(ScalarOp::Cmp(ir::algo::CmpOp::Eq), k0, 0);
                for (tensor, buf, l0, turned, outer, extents) in [
                    (ta, a1, a0, case.a_turned, m0, [tm, tk]),
                    (tb, b1, b0, case.b_turned, n0, [tk, tn]),
                ] {
                    let left = tensor == ta;
                    let rows_outer = left != turned;
                    let pitch = if left { a_shape[1] } else { b_shape[1] };
                    let (row, col) = if rows_outer { (outer, k0) } else { (k0, outer) };
                    let line = b.scalar(ScalarOp::Mul, row, pitch);
                    let from = b.scalar(ScalarOp::Add, line, col);
                    let [rows, cols] = if turned {
                        [extents[1], extents[0]]
                    } else {
                        extents
                    };
                    b.next(buf);
                    b.push(Op::Load {
                        dst: at(buf),
                        tensor,
                        at: from.into(),
                        rows: rows.into(),
                        cols: cols.into(),
                        pitch: pitch.into(),
                    });
                    b.next(l0);
                    b.push(Op::LoadTile {
                        dst: l0,
                        src: at(buf),
                        rows: extents[0].into(),
                        cols: extents[1].into(),
                        transposed: turned,
                    });
                }
                b.push(Op::Mad {
                    c: c0,
                    a: a0,
                    b: b0,
                    m: tm.into(),
                    k: tk.into(),
                    n: tn.into(),
                    init: init.into(),
                    hf32: false,
                });
            });
            let line = b.scalar(ScalarOp::Mul, m0, n);
            let to = b.scalar(ScalarOp::Add, line, n0);
            b.push(Op::Drain {
                tensor: tc,
                at: to.into(),
                src: c0,
                rows: tm.into(),
                cols: tn.into(),
                pitch: Arg::Const(n),
                cast: FixCast::Plain,
                relu: false,
            });
        });
    });
    b.func
}

fn turned(values: &[f32], rows: usize, cols: usize) -> Vec<f32> {
    (0..rows * cols)
        .map(|n| values[n % rows * cols + n / rows])
        .collect()
}

fn check(case: Case) {
    let (m, k, n) = (case.m as usize, case.k as usize, case.n as usize);
    let (a, b) = (numbers(m * k, 1), numbers(k * n, 2));
    let bytes = |values: &[f32]| -> Vec<u8> {
        if case.elem == Elem::I8 {
            values.iter().map(|&x| x as i8 as u8).collect()
        } else if case.elem == Elem::F32 {
            f32_bytes(values)
        } else {
            f16_bytes(values)
        }
    };
    let a_stored = if case.a_turned {
        turned(&a, m, k)
    } else {
        a.clone()
    };
    let b_stored = if case.b_turned {
        turned(&b, k, n)
    } else {
        b.clone()
    };
    let mut want = vec![0f32; m * n];
    for r in 0..m {
        for x in 0..k {
            for c in 0..n {
                want[r * n + c] += a[r * k + x] * b[x * n + c];
            }
        }
    }
    let func = gemm(case);
    let mut cycles = Vec::new();
    for level in MODES {
        let outcome = run(
            &func,
            level,
            &[Some(bytes(&a_stored)), Some(bytes(&b_stored)), None],
        );
        let words = outcome.tensors[2].chunks_exact(4);
        let got: Vec<f32> = if case.elem == Elem::I8 {
            words
                .map(|c| i32::from_le_bytes([c[0], c[1], c[2], c[3]]) as f32)
                .collect()
        } else {
            as_f32(&outcome.tensors[2])
        };
        assert_eq!(got, want, "{case:?} {level:?}");
        cycles.push(outcome.report.cycles);
    }
    assert!(
        cycles[1] <= cycles[0],
        "flags are no slower than barriers: {cycles:?}"
    );
}

#[test]
fn f16_whole_tiles() {
    check(Case {
        elem: Elem::F16,
        m: 128,
        k: 192,
        n: 128,
        a_turned: false,
        b_turned: false,
        tile: 64,
        depth: 2,
    });
}

#[test]
fn f16_ragged_in_every_orientation() {
    for (a_turned, b_turned) in [(false, false), (false, true), (true, false), (true, true)] {
        check(Case {
            elem: Elem::F16,
            m: 77,
            k: 101,
            n: 83,
            a_turned,
            b_turned,
            tile: 32,
            depth: 2,
        });
    }
}

#[test]
fn i8_ragged_in_every_orientation() {
    for (a_turned, b_turned) in [(false, false), (false, true), (true, false), (true, true)] {
        check(Case {
            elem: Elem::I8,
            m: 77,
            k: 101,
            n: 83,
            a_turned,
            b_turned,
            tile: 64,
            depth: 2,
        });
    }
}

#[test]
fn f32_ragged_in_every_orientation() {
    for (a_turned, b_turned) in [(false, false), (false, true), (true, false), (true, true)] {
        check(Case {
            elem: Elem::F32,
            m: 77,
            k: 101,
            n: 83,
            a_turned,
            b_turned,
            tile: 32,
            depth: 1,
        });
    }
}

#[test]
fn one_element() {
    check(Case {
        elem: Elem::F16,
        m: 1,
        k: 1,
        n: 1,
        a_turned: false,
        b_turned: false,
        tile: 16,
        depth: 1,
    });
}
