//! Tile form through parser, loader, printer and verifier.

use diag::FileId;
use frontend::load::load;
use ir::tile::{Func, print, verify};
use isa::types::Space;

/// Every statement once; a cube and a vector block that talk through channels, at the last stage.
const EVERYTHING: &str = "\
tile all@910b2 stage synced groups 2 (in x: f16[64, 64], in size: f32, in w: i64[64], out y: f32[64, 64], out q: i8[64, 64], work ring: f32[2, 2, 64, 64]) {
  sizes M = 64, K = 64;
  does mads 262144 f16, vector_ops 4096, bytes 24576;
  chan t: ring depth 2 from cube;
  buf X1: f16[2][64, 64] NZ in l1 at 0x0;
  buf W1: i64[1, 64] ND in l1 at 0x4000;
  buf X0: f16[64, 64] zZ in l0a at 0x0;
  buf Y0: f16[64, 64] nZ in l0b at 0x0;
  buf C: f32[64, 64] NZ in l0c at 0x0;
  buf D: i32[64, 64] NZ in l0c at 0x4000;
  buf Q: i64[1, 64] ND in fb at 0x0;
  buf col: f32[2][64, 64] ND in ub at 0x0;
  buf M: bool[1, 256] ND in ub at 0x8000;
  buf S: f32[64, 8] ND in ub at 0x8020;
  buf R: f32[1, 64] ND in ub at 0x8820;
  buf L: f32[64, 64] ND in ub at 0x9000;
  phase {
    on cube {
      v0 = group;
      next X1;
      waitflag mte1 to mte2 id 2 slot X1;
      load X1[0, 0] <- x[0] size (64, 64) pitch 64;
      setflag mte2 to mte1 id 0;
      next X0;
      loadtile X0 <- X1[0, 0] size (64, 64);
      next Y0;
      loadtile Y0 <- X1[0, 0] size (64, 64) transposed;
      next Q;
      next W1;
      load W1[0, 0] <- w[0] size (1, 64) pitch 64;
      loadwords Q <- W1[0, 0] size (64);
      next C;
      mad C += X0 * Y0 size (64, 64, 64) init 1;
      slot_at = acquire t;
      drain ring[slot_at] <- C size (64, 64) pitch 64 relu;
      setcross fix id 3;
      publish t;
      next D;
      drain q[0] <- D size (0, 0) pitch 64 requant Q[0, 0];
      barrier all;
    }
    on vector {
      v0 = core;
      v1 = subcore;
      v2 = eq v1, 0;
      waitcross mte2 id 3;
      v3 = take t;
      next col;
      load col[0, 0] <- ring[v3] size (64, 64) pitch 64;
      release t;
      if v2 {
        next M;
        for i in -1..64 step 8 {
          v4 = max i, 0;
          ew cmp.lt M[0, 0] <- col[v4, 0], bits 0x0 size (1, 64);
          ew select col[v4, 0] <- M[0, 0], col[v4, 0], bits 0x80000000 size (1, 64);
        }
      } else {
        barrier v;
      }
      next L;
      next R;
      next S;
      ew copy L[0, 0] <- bits 0x0 size (64, 64);
      accumulate sum L[0, 0] <- col[0, 0] size (64, 64);
      lanes sum R[0, 0] <- L[0, 0] size (64);
      spread S[0, 0] <- R[0, 0] size (64);
      v5 = peek size[0];
      v6 = peek R[0, 5];
      poke R[0, 7] <- v6;
      ew add col[0, 0] <- col[0, 0], row R[0, 0] size (64, 64);
      ew mul col[0, 0] <- col S[0, 0], scalar v5 size (64, 64);
      ew round.floor col[0, 0] <- col[0, 0] size (64, 64);
      ew relu col[0, 0] <- col[0, 0] size (64, 64);
      store y[0] <- col[0, 0] size (64, 64) pitch 64;
      syncall;
    }
  }
}
";

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

#[track_caller]
fn loaded(text: &str) -> Func {
    load(FileId(0), text).unwrap_or_else(|errors| {
        let all: Vec<String> = errors
            .iter()
            .map(|e| format!("{} at {:?}", e.message, text.get(e.span().range())))
            .collect();
        panic!("{all:#?}")
    })
}

#[track_caller]
fn messages(text: &str) -> Vec<String> {
    let errors = load(FileId(0), text).expect_err("errors");
    assert!(
        errors.iter().all(|e| e.code.as_str() == "E0605"),
        "{errors:#?}"
    );
    errors.into_iter().map(|e| e.message).collect()
}

/// A function around statements of a vector core.
fn around(statements: &str) -> String {
    format!(
        "tile f@910b2 stage tiled groups 1 (in x: f32[64], out y: f32[64]) {{\n  \
         buf A: f32[1, 64] ND in ub;\n  phase {{\n    on vector {{\n{statements}\n    }}\n  }}\n}}\n"
    )
}

#[test]
fn everything_round_trips() {
    let func = loaded(EVERYTHING);
    assert_eq!(print(&func), EVERYTHING);
    assert_eq!(verify(&func, &capacity), Ok(()));
}

#[test]
fn other_spellings_print_canonically() {
    let func = loaded(
        "// a remark\ntile f@\"910b2\" (in x: f32[64]) { phase { on vector { v7 = add 0x10, -1; \
         \"n\" = mul v7, v7; } } buf A: f32[1][1,64] ND in ub; does bytes 1; }",
    );
    let expected = "\
tile f@910b2 stage tiled groups 1 (in x: f32[64]) {
  does mads 0, vector_ops 0, bytes 1;
  buf A: f32[1, 64] ND in ub;
  phase {
    on vector {
      v0 = add 16, -1;
      n = mul v0, v0;
    }
  }
}
";
    assert_eq!(print(&func), expected);
    assert_eq!(print(&loaded(expected)), expected);
}

#[test]
fn the_reserved_words_of_printer_and_parser_agree() {
    assert_eq!(ir::tile::names::RESERVED, syntax::TILE_RESERVED);
}

#[test]
fn a_name_may_come_again_when_it_is_out_of_sight() {
    let text = around(
        "      for i in 0..2 step 1 {\n      }\n      for i in 0..2 step 1 {\n      }\n      i = core;",
    );
    let text = text.replace("phase {", "does mads 0, vector_ops 0, bytes 0;\n  phase {");
    let func = loaded(&text);
    assert_eq!(print(&loaded(&print(&func))), print(&func));
    assert_eq!(print(&func).matches(" i ").count(), 3);
    assert_eq!(
        messages(&around("i = core; for i in 0..2 step 1 { }")),
        ["value `i` is defined twice"]
    );
}

#[test]
fn several_mistakes_are_reported_one_each() {
    let text = around(
        "next B;\nload A[0] <- x[0] size (1, 64) pitch 64;\nv0 = frob 1, 2;\nv1 = add v0, 1;\n\
         ew frob A[0, 0] <- A[0, 0] size (1, 64);\newe add;\nfor i in 0 { next A; }\n\
         ew add A[0, 0] <- A[0, 0] size (1);\nbarrier pipe;\nstore y[q] <- A[0, 0] size (1, 64) pitch 64;",
    );
    assert_eq!(
        messages(&text),
        [
            "unknown buffer `B`",
            "a part of a buffer has a row and a column",
            "`frob` does not define a value from these operands",
            "unknown vector operation `frob`",
            "expected `=`, found `add`",
            "expected `..`, found `{`",
            "2 extents are expected, not 1",
            "unknown pipe `pipe`",
            "unknown value `q`",
        ]
    );
}

#[test]
fn headers_and_declarations_are_checked() {
    let text = "tile f@910b2 stage late groups 99999999999 (x: f32[4], in y: f33, in y2: f32, in y2: f32) {\n\
                sizes N = 99999999999999999999; does miles 3; chan c: none depth 1 from cube;\n\
                buf A: f32[4] ND in ub; buf B: f32[1, 8] XX in ub; phase { on tube { } } }";
    assert_eq!(
        messages(text),
        [
            "unknown stage `late`",
            "number 99999999999 is out of range here",
            "unknown element type `f33`",
            "tensor `y2` is defined twice",
            "number 99999999999999999999 is out of range here",
            "unknown work `miles`",
            "unknown tensor `none`",
            "buffer `A` is no matrix",
            "unknown layout `XX`",
            "unknown kind of core `tube`",
        ]
    );
}

#[test]
fn a_missing_end_is_one_mistake() {
    let text = "tile copy@910b2 (x: f32[64], y: f32[64]) {\n";
    assert_eq!(messages(text).len(), 1);
    assert_eq!(messages("").len(), 1);
    assert_eq!(messages("tile for@910b2 () { }").len(), 1);
}

#[test]
fn nesting_is_limited() {
    let deep = |n: usize| around(&format!("{}{}", "if 1 { ".repeat(n), "}".repeat(n)));
    let func = loaded(&deep(197));
    assert_eq!(print(&loaded(&print(&func))), print(&func));
    assert_eq!(verify(&func, &capacity), Ok(()));
    assert_eq!(messages(&deep(100_000)), ["blocks nest more than 200 deep"]);
}

#[test]
fn no_text_makes_a_panic() {
    let text = EVERYTHING;
    for end in 0..text.len() {
        let _ = load(FileId(0), &text[..end]);
    }
    // A fixed generator: pieces of the text, cut and joined anywhere.
    let mut state = 1_u64;
    let mut next = |bound: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap_or(0) % bound
    };
    for _ in 0..2_000 {
        let mut bytes = text.as_bytes().to_vec();
        for _ in 0..=next(4) {
            let at = next(bytes.len());
            match next(3) {
                0 => bytes[at] = u8::try_from(next(128)).unwrap_or(0),
                1 => drop(bytes.drain(at..(at + next(40)).min(text.len() - 200).max(at))),
                _ => {
                    let from = next(text.len() - 40);
                    let piece = text.as_bytes()[from..from + next(40)].to_vec();
                    bytes.splice(at..at, piece);
                }
            }
        }
        if let Ok(func) = load(FileId(0), &String::from_utf8_lossy(&bytes)) {
            let printed = print(&func);
            assert_eq!(print(&loaded(&printed)), printed);
            let _ = verify(&func, &capacity);
        }
    }
}

#[test]
fn every_rule_of_the_verifier_finds_its_violation() {
    let cases = [
        ("groups 2 (", "groups 0 (", "groups may run, not 0"),
        (
            "in w: i64[64], out y: f32[64, 64], ",
            "out y: f32[64, 64], work v: f32, in w: i64[64], ",
            "stands behind a workspace",
        ),
        (
            "f32[2, 2, 64, 64]",
            "f32[2, 3, 64, 64]",
            "is not [2, 2, rows, columns]",
        ),
        ("chan t: ring", "chan t: x", "is no workspace"),
        (
            "buf X1: f16[2][64, 64] NZ",
            "buf X1: f16[2][60, 64] NZ",
            "60 rows are no multiple of 16",
        ),
        (
            "buf X0: f16[64, 64] zZ",
            "buf X0: f16[64, 64] nZ",
            "no buffer in l0a has the layout nZ",
        ),
        (
            "buf C: f32[64, 64]",
            "buf C: f16[64, 64]",
            "an accumulator has no elements of f16",
        ),
        (
            "bool[1, 256]",
            "bool[1, 128]",
            "128 columns are no multiple of 256",
        ),
        ("in l1 at 0x0", "in l1 at 0x10", "no multiple of 32"),
        (
            "in ub at 0x9000",
            "in ub at 0x2f000",
            "end beyond the 196608 bytes of ub",
        ),
        ("      next Y0;\n", "", "accessed without a `next`"),
        (
            "on cube {\n",
            "on cube {\n      next M;\n",
            "is not on a cube core",
        ),
        (
            "loadtile X0 <- X1[0, 0] size (64, 64)",
            "loadtile X0 <- X1[0, 8] size (64, 16)",
            "start at a block of 32 bytes",
        ),
        (
            "loadtile X0 <- X1[0, 0] size (64, 64)",
            "loadtile X0 <- X1[0, 16] size (64, 64)",
            "leave buffer `X1`",
        ),
        (
            "loadtile X0 <- X1",
            "loadtile X0 <- W1",
            "`X0` holds f16 and `W1` holds i64",
        ),
        ("mad C +=", "mad D +=", "accumulate in f32, not in i32"),
        (
            "drain q[0] <- D size (0, 0) pitch 64 requant Q[0, 0]",
            "drain q[0] <- D size (0, 0) pitch 64",
            "does not turn i32 into i8",
        ),
        ("drain q[0]", "drain x[0]", "argument `x` is written"),
        (
            "store y[0] <- col[0, 0] size (64, 64)",
            "store y[64] <- col[0, 0] size (64, 64)",
            "leaves tensor `y`",
        ),
        ("store y[0]", "store q[0]", "of another size"),
        ("v3 = take t;", "v3 = acquire t;", "wrong side"),
        ("      publish t;\n", "", "not handed on in its block"),
        (
            "      release t;\n",
            "      release t;\n      release t;\n",
            "was opened in this block",
        ),
        (
            "load col[0, 0] <- ring[v3] size (64, 64) pitch 64;\n      release t;",
            "release t;\n      load col[0, 0] <- ring[v3] size (64, 64) pitch 64;",
            "accessed without a slot",
        ),
        (
            "waitflag mte1 to mte2 id 2",
            "waitflag mte1 to mte2 id 7",
            "8 flags",
        ),
        (
            "setflag mte2 to mte1",
            "setflag v to mte1",
            "a cube core has no pipe v",
        ),
        (
            "setcross fix id 3",
            "setcross fix id 16",
            "16 cross-core counters",
        ),
        ("stage synced", "stage placed", "before the stage `synced`"),
        (
            "ew cmp.lt M[0, 0]",
            "ew cmp.lt R[0, 0]",
            "`cmp.lt` does not go from (f32) to f32",
        ),
        (
            "ew select col[v4, 0] <- M[0, 0],",
            "ew select col[v4, 0] <- L[0, 0],",
            "`select` does not go from",
        ),
        (
            "ew round.floor col[0, 0] <- col[0, 0]",
            "ew round.floor col[0, 0] <- col[0, 0], L[0, 0]",
            "takes 1 operands, not 2",
        ),
        (
            "ew mul col[0, 0] <- col S[0, 0]",
            "ew mul col[0, 0] <- col L[0, 0]",
            "one block of 32 bytes a row",
        ),
        (
            "ew relu col[0, 0] <- col[0, 0]",
            "ew cast.odd.wrap M[0, 0] <- col[0, 0]",
            "leave buffer `M`",
        ),
        (
            "ew round.floor",
            "ew round.odd",
            "the machine has no `round.odd`",
        ),
        (
            "accumulate sum L[0, 0]",
            "accumulate sum R[0, 0]",
            "leave buffer `R`",
        ),
        (
            "v6 = peek R[0, 5]",
            "v6 = peek R[0, 64]",
            "leave buffer `R`",
        ),
        ("step 8", "step 0", "the step is not positive"),
        (
            "v4 = max i, 0",
            "v4 = div i, 0",
            "the divisor is not positive",
        ),
    ];
    for (from, to, message) in cases {
        assert!(EVERYTHING.contains(from), "{from}");
        let func = loaded(&EVERYTHING.replacen(from, to, 1));
        let problems = verify(&func, &capacity).expect_err(to);
        let found = problems.iter().any(|p| p.contains(message));
        assert!(found, "{to}: {problems:?}");
    }
}
