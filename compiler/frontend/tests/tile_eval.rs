//! The tile evaluator on hand-written tile forms, against plain loops.

use diag::FileId;
use frontend::load::load;
use ir::tile::eval::{Data, EvalErrorKind};
use ir::tile::{Func, eval, print};
use isa::num::{self, Overflow, QuantWord, Relu, Round};
use isa::types::Elem;

#[track_caller]
fn loaded(text: &str) -> Func {
    let func = load(FileId(0), text).unwrap_or_else(|errors| panic!("{errors:#?}"));
    assert_eq!(
        print(&load(FileId(0), &print(&func)).expect("canonical text")),
        print(&func)
    );
    func
}

#[track_caller]
fn run(text: &str, inputs: &[Option<Data>]) -> Vec<Data> {
    eval(&loaded(text), inputs).unwrap_or_else(|e| panic!("{e} at {:?}", text.get(e.span.range())))
}

#[track_caller]
fn fails(text: &str, inputs: &[Option<Data>], kind: EvalErrorKind, message: &str) {
    let error = eval(&loaded(text), inputs).expect_err("an error");
    assert!(
        error.kind == kind && error.message.contains(message),
        "{error:?}"
    );
}

fn f32s(count: usize, f: impl Fn(usize) -> f32) -> Data {
    Data::from_f32s(&(0..count).map(f).collect::<Vec<_>>())
}

fn f32_of(data: &Data, at: usize) -> f32 {
    f32::from_bits(data.bits(Elem::F32, at) as u32)
}

/// Numbers between -2 and 2 with many digits.
fn noise(at: usize) -> f64 {
    ((at * 7919 + 13) % 4001) as f64 / 1000.3 - 2.0
}

const GEMM: &str = "\
tile gemm@910b2 stage tiled groups 2 (in a: f16[40, 24], in b: f16[24, 56], out y: f16[40, 56]) {
  does mads 53760 f16, vector_ops 0, bytes 9088;
  buf A1: f16[2][32, 32] NZ in l1;
  buf B1: f16[32, 64] NZ in l1;
  buf A0: f16[2][32, 16] zZ in l0a;
  buf B0: f16[2][16, 64] nZ in l0b;
  buf C: f32[32, 64] NZ in l0c;
  phase {
    on cube {
      c = core;
      m = mul c, 32;
      v0 = sub 40, m;
      rows = min v0, 32;
      next A1;
      a_at = mul m, 24;
      load A1[0, 0] <- a[a_at] size (rows, 24) pitch 24;
      next B1;
      load B1[0, 0] <- b[0] size (24, 56) pitch 56;
      next C;
      for k in 0..24 step 16 {
        v1 = sub 24, k;
        kk = min v1, 16;
        next A0;
        loadtile A0 <- A1[0, k] size (rows, kk);
        next B0;
        loadtile B0 <- B1[k, 0] size (kk, 56);
        first = eq k, 0;
        mad C += A0 * B0 size (rows, kk, 56) init first;
      }
      y_at = mul m, 56;
      drain y[y_at] <- C size (rows, 56) pitch 56 relu;
    }
  }
}
";

#[test]
fn gemm_in_blocks_equals_the_plain_loop() {
    let a = Data::from_f64(Elem::F16, &(0..40 * 24).map(noise).collect::<Vec<_>>());
    let b = Data::from_f64(
        Elem::F16,
        &(0..24 * 56).map(|i| noise(i + 5)).collect::<Vec<_>>(),
    );
    let y = run(GEMM, &[Some(a.clone()), Some(b.clone()), None]);
    let half = |data: &Data, at| data.bits(Elem::F16, at) as u16;
    for m in 0..40 {
        for n in 0..56 {
            let sum = (0..24).fold(0.0, |sum, k| {
                num::mac_f16(sum, half(&a, m * 24 + k), half(&b, k * 56 + n))
            });
            let rounded = num::f32_to_f16(sum, Round::Even, Overflow::Saturate);
            assert_eq!(
                half(&y[0], m * 56 + n),
                num::f16_max(rounded, 0),
                "[{m}, {n}]"
            );
        }
    }
}

#[test]
fn a_transposed_tile_is_the_same_matrix() {
    let text = GEMM
        .replace("in a: f16[40, 24]", "in a: f16[24, 40]")
        .replace("mul m, 24", "add m, 0")
        .replace("size (rows, 24) pitch 24", "size (24, rows) pitch 40")
        .replace(
            "A1[0, k] size (rows, kk)",
            "A1[k, 0] size (rows, kk) transposed",
        );
    let a: Vec<f64> = (0..40 * 24).map(noise).collect();
    let turned: Vec<f64> = (0..24 * 40).map(|i| a[i % 40 * 24 + i / 40]).collect();
    let b = Data::from_f64(Elem::F16, &(0..24 * 56).map(noise).collect::<Vec<_>>());
    let (a, turned) = (
        Data::from_f64(Elem::F16, &a),
        Data::from_f64(Elem::F16, &turned),
    );
    assert_eq!(
        run(&text, &[Some(turned), Some(b.clone()), None]),
        run(GEMM, &[Some(a), Some(b), None])
    );
}

#[test]
fn bytes_multiply_exactly_and_requantise_by_column() {
    let text = "\
tile q@910b2 groups 1 (in a: i8[3, 40], in b: i8[40, 5], in w: i64[5], out y: i8[3, 5], out s: i32[3, 5]) {
  buf A1: i8[32, 64] NZ in l1;
  buf B1: i8[64, 32] NZ in l1;
  buf W1: i64[1, 8] ND in l1;
  buf A0: i8[16, 64] zZ in l0a;
  buf B0: i8[64, 16] nZ in l0b;
  buf C: i32[16, 16] NZ in l0c;
  buf Q: i64[1, 8] ND in fb;
  phase {
    on cube {
      next A1; next B1; next W1; next A0; next B0; next C; next Q;
      load A1[0, 0] <- a[0] size (3, 40) pitch 40;
      load B1[0, 0] <- b[0] size (40, 5) pitch 5;
      load W1[0, 0] <- w[0] size (1, 5) pitch 5;
      loadwords Q <- W1[0, 0] size (5);
      loadtile A0 <- A1[0, 0] size (3, 40);
      loadtile B0 <- B1[0, 0] size (40, 5);
      mad C += A0 * B0 size (3, 40, 5) init 1;
      drain s[0] <- C size (3, 5) pitch 5;
      drain y[0] <- C size (3, 5) pitch 5 requant Q[0, 0];
    }
  }
}
";
    let a: Vec<i64> = (0..120).map(|i| i * 37 % 256 - 128).collect();
    let b: Vec<i64> = (0..200).map(|i| i * 91 % 256 - 128).collect();
    let words: Vec<QuantWord> = (1..6)
        .map(|i| QuantWord::scaling(i as f32 / 4096.0))
        .collect();
    let w: Vec<i64> = words.iter().map(|word| word.pack() as i64).collect();
    let of = |elem, values: &[i64]| Some(Data::from_i64(elem, values));
    let inputs = [
        of(Elem::I8, &a),
        of(Elem::I8, &b),
        of(Elem::I64, &w),
        None,
        None,
    ];
    let results = run(text, &inputs);
    for at in 0..15 {
        let (m, n) = (at / 5, at % 5);
        let sum: i64 = (0..40).map(|k| a[m * 40 + k] * b[k * 5 + n]).sum();
        assert_eq!(results[1].get_i64(Elem::I32, at), sum);
        let narrow = num::requant_s32_s8(i32::try_from(sum).expect("small"), words[n], Relu::None);
        assert_eq!(results[0].get_i64(Elem::I8, at), i64::from(narrow));
    }
}

/// A kernel over rows of one tensor; the vector cores take the rows in turn.
fn rows(elems: [&str; 2], bufs: &str, statements: &str) -> String {
    format!(
        "tile f@910b2 groups 1 (in x: {}[3, 100], out y: {}[3, 100]) {{
  buf X: {}[1, 128] ND in ub;
  {bufs}
  phase {{
    on vector {{
      c = core;
      for r in c..3 step 2 {{
        at = mul r, 100;
        next X;
        load X[0, 0] <- x[at] size (1, 100) pitch 100;
        {statements}
      }}
    }}
  }}
}}
",
        elems[0], elems[1], elems[0]
    )
}

#[test]
fn masks_choose_between_operands() {
    let text = rows(
        ["f32", "f32"],
        "buf M: bool[1, 256] ND in ub; buf N: bool[1, 256] ND in ub; buf Y: f32[1, 128] ND in ub;",
        "next M; next N; next Y;
        ew cmp.lt M[0, 0] <- X[0, 0], bits 0x0 size (1, 100);
        ew cmp.gt N[0, 0] <- bits 0x3f800000, X[0, 0] size (1, 100);
        ew not N[0, 0] <- N[0, 0] size (1, 100);
        ew or N[0, 0] <- N[0, 0], M[0, 0] size (1, 100);
        ew mul Y[0, 0] <- X[0, 0], bits 0x3f000000 size (1, 100);
        ew select Y[0, 0] <- M[0, 0], Y[0, 0], X[0, 0] size (1, 100);
        ew exp X[0, 0] <- X[0, 0] size (1, 100);
        ew select Y[0, 0] <- N[0, 0], Y[0, 0], X[0, 0] size (1, 100);
        store y[at] <- Y[0, 0] size (1, 100) pitch 100;",
    );
    let x = |i: usize| noise(i) as f32;
    let y = run(&text, &[Some(f32s(300, x)), None]);
    for i in 0..300 {
        let expected = match x(i) {
            x if x < 0.0 => x * 0.5,
            x if x >= 1.0 => x,
            x => num::exp_f32(x),
        };
        assert_eq!(f32_of(&y[0], i).to_bits(), expected.to_bits(), "{i}");
    }
}

#[test]
fn half_precision_saturates_and_integers_wrap() {
    let chain = "ew mul X[0, 0] <- X[0, 0], bits 0x7bff size (1, 100);
        store y[at] <- X[0, 0] size (1, 100) pitch 100;";
    let x = Data::from_f64(Elem::F16, &(0..300).map(noise).collect::<Vec<_>>());
    let y = run(&rows(["f16", "f16"], "", chain), &[Some(x.clone()), None]);
    for i in 0..300 {
        let expected = num::f16_mul(
            x.bits(Elem::F16, i) as u16,
            num::F16_MAX,
            Overflow::Saturate,
        );
        assert_eq!(y[0].bits(Elem::F16, i), u64::from(expected));
    }
    let chain = "ew shl X[0, 0] <- X[0, 0], bits 0x1e size (1, 100);
        ew add X[0, 0] <- X[0, 0], X[0, 0] size (1, 100);
        ew xor X[0, 0] <- X[0, 0], scalar r size (1, 100);
        store y[at] <- X[0, 0] size (1, 100) pitch 100;";
    let x: Vec<i64> = (0..300).map(|i| i * 77 - 9999).collect();
    let y = run(
        &rows(["i32", "i32"], "", chain),
        &[Some(Data::from_i64(Elem::I32, &x)), None],
    );
    for (i, &x) in x.iter().enumerate() {
        let expected = ((x as i32) << 30).wrapping_add((x as i32) << 30) ^ (i as i32 / 100);
        assert_eq!(y[0].get_i64(Elem::I32, i), i64::from(expected));
    }
}

#[test]
fn casts_round_as_they_say() {
    let chain = "next Y;
        ew cast.floor.saturate Y[0, 0] <- X[0, 0] size (1, 100);
        store y[at] <- Y[0, 0] size (1, 100) pitch 100;";
    let text = rows(["f32", "i8"], "buf Y: i8[1, 128] ND in ub;", chain);
    let x = |i: usize| noise(i) as f32 * 100.0;
    let y = run(&text, &[Some(f32s(300, x)), None]);
    for i in 0..300 {
        let expected = num::f32_to_int(x(i), Round::Floor, Overflow::Saturate, 8, true);
        assert_eq!(y[0].get_i64(Elem::I8, i), expected);
    }
}

const ROW_SUM: &str = "\
tile s@910b2 groups 1 (in x: f32[2, 200], out s: f32[2], out z: f32[2, 200]) {
  buf X: f32[2, 200] ND in ub;
  buf L: f32[2, 64] ND in ub;
  buf S: f32[1, 8] ND in ub;
  buf B: f32[2, 8] ND in ub;
  phase {
    on vector {
      c = subcore;
      if c {
      } else {
        next X;
        next L;
        next S;
        next B;
        load X[0, 0] <- x[0] size (2, 200) pitch 200;
        ew copy L[0, 0] <- bits 0x0 size (2, 64);
        accumulate sum L[0, 0] <- X[0, 0] size (2, 128);
        accumulate sum L[0, 0] <- X[0, 128] size (2, 72);
        lanes sum S[0, 0] <- L[0, 0] size (2);
        store s[0] <- S[0, 0] size (1, 2) pitch 2;
        spread B[0, 0] <- S[0, 0] size (2);
        ew sub X[0, 0] <- X[0, 0], col B[0, 0] size (2, 200);
        ew add X[0, 0] <- X[0, 0], row X[1, 0] size (1, 200);
        store z[0] <- X[0, 0] size (2, 200) pitch 200;
      }
    }
  }
}
";

#[test]
fn sums_run_in_lanes_and_spread_over_rows() {
    let x = |i: usize| noise(i) as f32;
    let results = run(ROW_SUM, &[Some(f32s(400, x)), None, None]);
    let sum = |row: usize| {
        let mut lanes = [0_f32; 64];
        (0..200).for_each(|c| lanes[c % 64] += x(row * 200 + c));
        num::tree_sum_f32(&lanes)
    };
    for row in 0..2 {
        assert_eq!(f32_of(&results[0], row), sum(row));
        for c in 0..200 {
            let own = x(row * 200 + c) - sum(row);
            let expected = if row == 0 {
                own + (x(200 + c) - sum(1))
            } else {
                own
            };
            assert_eq!(f32_of(&results[1], row * 200 + c), expected);
        }
    }
}

/// The cube sends blocks of products, the vector cores take a half each, and send sums back.
const EXCHANGE: &str = "\
tile x@910b2 groups 2 (in a: f16[64, 16], in b: f16[16, 16], out y: f32[64, 16], work there: f32[2, 2, 16, 16], work back: f16[2, 1, 16, 16]) {
  chan t: there depth 2 from cube;
  chan u: back depth 1 from vector;
  buf A1: f16[2][16, 16] NZ in l1;
  buf B1: f16[16, 16] NZ in l1;
  buf A0: f16[16, 16] zZ in l0a;
  buf B0: f16[16, 16] nZ in l0b;
  buf C: f32[16, 16] NZ in l0c;
  buf V: f32[8, 16] ND in ub;
  buf H: f16[8, 16] ND in ub;
  phase {
    on cube {
      g = core;
      lo = mul g, 32;
      hi = add lo, 32;
      next B1;
      load B1[0, 0] <- b[0] size (16, 16) pitch 16;
      next B0;
      loadtile B0 <- B1[0, 0] size (16, 16);
      for m in lo..hi step 16 {
        at = mul m, 16;
        next A1;
        load A1[0, 0] <- a[at] size (16, 16) pitch 16;
        next A0;
        loadtile A0 <- A1[0, 0] size (16, 16);
        next C;
        mad C += A0 * B0 size (16, 16, 16) init 1;
        s = acquire t;
        drain there[s] <- C size (16, 16) pitch 16;
        publish t;
        q = take u;
        next A1;
        load A1[0, 0] <- back[q] size (16, 16) pitch 16;
        release u;
        next A0;
        loadtile A0 <- A1[0, 0] size (16, 16);
        mad C += A0 * B0 size (16, 16, 16) init 0;
        drain y[at] <- C size (16, 16) pitch 16;
      }
    }
    on vector {
      h = subcore;
      half = mul h, 128;
      for i in 0..2 step 1 {
        s = take t;
        from_at = add s, half;
        next V;
        load V[0, 0] <- there[from_at] size (8, 16) pitch 16;
        release t;
        ew add V[0, 0] <- V[0, 0], bits 0x3f800000 size (8, 16);
        next H;
        ew cast.even.saturate H[0, 0] <- V[0, 0] size (8, 16);
        q = acquire u;
        to_at = add q, half;
        store back[to_at] <- H[0, 0] size (8, 16) pitch 16;
        publish u;
      }
    }
  }
}
";

fn exchange_inputs() -> [Option<Data>; 3] {
    let data = |count: usize, shift: usize| {
        let values: Vec<f64> = (0..count).map(|i| noise(i + shift)).collect();
        Some(Data::from_f64(Elem::F16, &values))
    };
    [data(64 * 16, 0), data(256, 3), None]
}

#[test]
fn channels_go_both_ways() {
    let inputs = exchange_inputs();
    let y = run(EXCHANGE, &inputs);
    let half = |data: &Option<Data>, at| data.as_ref().map_or(0, |d| d.bits(Elem::F16, at) as u16);
    let b = |k: usize, n: usize| half(&inputs[1], k * 16 + n);
    for m in 0..64 {
        let product = |n: usize| {
            (0..16).fold(0.0, |s, k| {
                num::mac_f16(s, half(&inputs[0], m * 16 + k), b(k, n))
            })
        };
        let again: Vec<u16> = (0..16)
            .map(|k| num::f32_to_f16(product(k) + 1.0, Round::Even, Overflow::Saturate))
            .collect();
        for n in 0..16 {
            let expected = (0..16).fold(product(n), |s, k| num::mac_f16(s, again[k], b(k, n)));
            assert_eq!(f32_of(&y[0], m * 16 + n), expected, "[{m}, {n}]");
        }
    }
}

#[test]
fn synchronisation_changes_nothing() {
    let mut synced = EXCHANGE.replace("groups 2", "stage synced groups 2");
    let places = [
        ("A1", "l1"),
        ("B1", "l1"),
        ("A0", "l0a"),
        ("B0", "l0b"),
        ("C", "l0c"),
        ("V", "ub"),
        ("H", "ub"),
    ];
    for (at, (_, space)) in places.iter().enumerate() {
        let address = format!(" in {space} at {};", at * 2048);
        synced = synced.replacen(&format!(" in {space};"), &address, 1);
    }
    synced = synced
        .replace(
            "next A1;",
            "next A1; waitflag mte1 to mte2 id 0 slot A1; barrier m;",
        )
        .replace(
            "release t;",
            "release t; setcross mte2 id 1; barrier all; syncall;",
        );
    assert_eq!(
        run(&synced, &exchange_inputs()),
        run(EXCHANGE, &exchange_inputs())
    );
}

#[test]
fn a_wait_that_nothing_ends_is_a_deadlock() {
    let text = EXCHANGE.replace("release t;", "").replace(
        "s = take t;",
        "s = take t; release t; x = take t; release t;",
    );
    fails(
        &text
            .replace("there[from_at]", "a[from_at]")
            .replace("in a: f16[64, 16]", "in a: f32[64, 16]")
            .replace("load A1[0, 0] <- a[at]", "load A1[0, 0] <- b[0]"),
        &[
            Some(f32s(1024, |_| 0.0)),
            exchange_inputs()[1].clone(),
            None,
        ],
        EvalErrorKind::Deadlock,
        "waits for a channel",
    );
    let text = EXCHANGE.replace("for i in 0..2 step 1", "for i in 0..1 step 1");
    fails(
        &text,
        &exchange_inputs(),
        EvalErrorKind::Deadlock,
        "waits for a channel",
    );
}

#[test]
fn slots_that_are_left_over_are_told() {
    let text = "\
tile l@910b2 groups 1 (work w: f32[1, 2, 1, 8]) {
  chan t: w depth 2 from vector;
  phase {
    on cube {
      v0 = take t;
      release t;
    }
    on vector {
      for i in 0..2 step 1 {
        v0 = acquire t;
        publish t;
      }
    }
  }
}
";
    fails(
        text,
        &[],
        EvalErrorKind::Deadlock,
        "slots of channel `t` are left over",
    );
    assert_eq!(run(&text.replace("0..2", "0..1"), &[]), []);
}

#[test]
fn elements_that_nothing_wrote_are_not_read() {
    let x = || Some(f32s(400, |_| 1.0));
    let text = ROW_SUM
        .replace("X[0, 0] size (2, 128)", "X[0, 0] size (2, 200)")
        .replace(
            "size (2, 200) pitch 200;\n        ew copy",
            "size (2, 150) pitch 200;\n        ew copy",
        );
    // The copy fills the last block of 32 B: columns 150 and 151 are zero.
    fails(
        &text,
        &[x(), None, None],
        EvalErrorKind::Uninitialised,
        "nothing has written [0, 152] of buffer `X`",
    );
    let text = ROW_SUM.replace("ew copy L[0, 0] <- bits 0x0 size (2, 64);", "");
    fails(
        &text,
        &[x(), None, None],
        EvalErrorKind::Uninitialised,
        "[0, 0] of buffer `L`",
    );
    let text = ROW_SUM.replace(
        "store s[0] <- S[0, 0] size (1, 2)",
        "store s[0] <- S[0, 0] size (1, 1)",
    );
    fails(
        &text,
        &[x(), None, None],
        EvalErrorKind::Uninitialised,
        "element 1 of result `s` is not written",
    );
}

#[test]
fn accesses_stay_inside_at_run_time() {
    let x = || Some(f32s(300, |_| 1.0));
    let text = |statement: &str| rows(["f32", "f32"], "", statement);
    let bounds = EvalErrorKind::OutOfBounds;
    fails(
        &text("store y[at] <- X[0, 0] size (1, 100) pitch 100; v0 = mul at, 4; v1 = peek x[v0];"),
        &[x(), None],
        bounds,
        "of tensor `x`",
    );
    fails(
        &text("v0 = add r, 128; v1 = peek X[0, v0];"),
        &[x(), None],
        bounds,
        "buffer `X` has no element [0, 128]",
    );
    fails(
        &text("v0 = sub r, 1; store y[at] <- X[0, 0] size (1, v0) pitch 100;"),
        &[x(), None],
        bounds,
        "an extent is negative",
    );
    fails(
        &text("v0 = sub r, 5; v1 = div v0, 2;"),
        &[x(), None],
        EvalErrorKind::Value,
        "-5 by 2",
    );
    fails(
        &text("store y[0] <- X[0, 0] size (1, 100) pitch 100;"),
        &[None, None],
        EvalErrorKind::BadInput,
        "`x` needs 1200 bytes",
    );
}

#[test]
fn poked_elements_are_peeked() {
    let text = rows(
        ["f32", "f32"],
        "",
        "v0 = peek X[0, 3]; poke X[0, 4] <- v0; v1 = peek x[at]; poke X[0, 3] <- v1;
        store y[at] <- X[0, 0] size (1, 100) pitch 100;",
    );
    let y = run(&text, &[Some(f32s(300, |i| i as f32)), None]);
    let row: Vec<f32> = (100..106).map(|i| f32_of(&y[0], i)).collect();
    assert_eq!(row, [100.0, 101.0, 102.0, 100.0, 103.0, 105.0]);
}

#[test]
fn no_form_makes_a_panic() {
    let mut state = 7_u64;
    let mut next = |bound: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap_or(0) % bound
    };
    let mut evaluated = 0;
    for (text, inputs) in [
        (
            GEMM,
            vec![
                Some(Data::zeros(Elem::F16, 960)),
                Some(Data::zeros(Elem::F16, 1344)),
                None,
            ],
        ),
        (ROW_SUM, vec![Some(f32s(400, |_| 1.0)), None, None]),
        (EXCHANGE, exchange_inputs().to_vec()),
    ] {
        let start = text.find("phase").unwrap_or(0);
        let digits: Vec<usize> = (start..text.len())
            .filter(|&at| text.as_bytes()[at].is_ascii_digit())
            .collect();
        for _ in 0..700 {
            let mut bytes = text.as_bytes().to_vec();
            for _ in 0..=next(3) {
                let with = ["0", "1", "7", "-", "99999", "9223372036854775807"][next(6)];
                let at = digits[next(digits.len())];
                bytes.splice(at..=at, with.bytes());
            }
            let text = String::from_utf8_lossy(&bytes);
            if let Ok(func) = load(FileId(0), &text) {
                let _ = eval(&func, &inputs);
                evaluated += 1;
            }
        }
    }
    assert!(evaluated > 300, "{evaluated}");
}
