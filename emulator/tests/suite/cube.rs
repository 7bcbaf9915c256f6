//! The cube path: GM → L1 → L0 → `mmad` → fixpipe → GM, against plain loops.

use crate::common::*;
use isa::num::{self, Overflow, QuantWord, Round};
use isa::object::{Object, ParamDir};
use isa::types::Elem;

/// C = A·B for one tile, A m×k and B k×n row-major, f16 to f32.
fn tile(m: u64, k: u64, n: u64) -> Object {
    let params = vec![
        param("a", Elem::F16, &[m, k], ParamDir::In),
        param("b", Elem::F16, &[k, n], ParamDir::In),
        param("c", Elem::F32, &[m, n], ParamDir::Out),
    ];
    let (m16, k16, n16) = (
        m.div_ceil(16) * 16,
        k.div_ceil(16) * 16,
        n.div_ceil(16) * 16,
    );
    let (m1, k1, n1) = (m16 / 16, k16 / 16, n16 / 16);
    let mut loads = String::new();
    // A in L1 is NZ (k1, m1): L0A wants (m1, k1).
    for i in 0..m1 {
        loads += &format!(
            "ld2d_a l0a+{}, l1+{}, {k1}, {m1}, 0\n",
            i * k1 * 512,
            i * 512
        );
    }
    // B in L1 is NZ (n1, k1) of k×n: L0B wants (k1, n1), transposed.
    for i in 0..k1 {
        loads += &format!(
            "ld2dt_b.b16 l0b+{}, l1+{}, {n1}, {k1}, 0, 0, 0\n",
            i * n1 * 512,
            0x20000 + i * 512
        );
    }
    let text = format!(
        "rdspr x1, para_base
         ld.b64.gm x2, x1, 0
         ld.b64.gm x3, x1, 8
         ld.b64.gm x4, x1, 16
         nd2nz_gm_l1.b16 l1+0, gm+x2, {m}, {k}, {k}, {m16}
         nd2nz_gm_l1.b16 l1+0x20000, gm+x3, {k}, {n}, {n}, {k16}
         set_flag mte2, mte1, 0
         wait_flag mte2, mte1, 0
         {loads}
         set_flag mte1, m, 0
         wait_flag mte1, m, 0
         mmad.f16 l0c+0, l0a+0, l0b+0, {m}, {k}, {n}, 1, bt+0, unit_off
         set_flag m, fix, 0
         wait_flag m, fix, 0
         fix_l0c_gm.f32.none.norelu.nd unit_off, gm+x4, l0c+0, {m}, {n}, {m16}, {n}
         end"
    );
    object(params, &text, "", 1)
}

fn values(count: u64, seed: u64) -> Vec<f32> {
    (0..count)
        .map(|i| (((i * 37 + seed * 11) % 41) as f32 - 20.0) / 16.0)
        .collect()
}

#[test]
fn any_extents_give_the_product() {
    for (m, k, n) in [
        (16, 16, 16),
        (32, 48, 64),
        (17, 33, 65),
        (1, 1, 1),
        (128, 64, 128),
        (5, 100, 3),
    ] {
        let (a, b) = (values(m * k, 1), values(k * n, 2));
        let inputs = [Some(bytes_f16(&a)), Some(bytes_f16(&b)), None];
        let outcome =
            try_run(&tile(m, k, n), &inputs).unwrap_or_else(|f| panic!("{m} {k} {n}: {f}"));
        let c = to_f32(&outcome.tensors[2]);
        for i in 0..m {
            for j in 0..n {
                let mut sum = 0.0_f32;
                for l in 0..k {
                    sum += a[(i * k + l) as usize] * b[(l * n + j) as usize];
                }
                assert_eq!(c[(i * n + j) as usize], sum, "{m} {k} {n} at {i} {j}");
            }
        }
    }
}

/// How an operand type is laid out and loaded.
struct Kind {
    elem: Elem,
    word: &'static str,
    size: u64,
}

const F32: Kind = Kind {
    elem: Elem::F32,
    word: "f32",
    size: 4,
};
const BF16: Kind = Kind {
    elem: Elem::Bf16,
    word: "bf16",
    size: 2,
};
const S8: Kind = Kind {
    elem: Elem::I8,
    word: "s8",
    size: 1,
};

/// C = A·B with B transposed on its way to L0B, then `fix` and an output of `out`; extents are multiples of 32.
fn product(
    kind: &Kind,
    (m, k, n): (u64, u64, u64),
    before: &str,
    init: &str,
    fix: &str,
    out: Elem,
) -> Object {
    let params = vec![
        param("a", kind.elem, &[m, k], ParamDir::In),
        param("b", kind.elem, &[k, n], ParamDir::In),
        param("extra", Elem::I32, &[n, 2], ParamDir::In),
        param("c", out, &[m, n], ParamDir::Out),
    ];
    let (k0, bits) = (32 / kind.size, kind.size * 8);
    let (m1, k1, n1, rows) = (m / 16, k / k0, n / 16, k / 16);
    let mut loads = String::new();
    for i in 0..m1 {
        loads += &format!(
            "ld2d_a l0a+{}, l1+{}, {k1}, {m1}, 0\n",
            i * k1 * 512,
            i * 512
        );
    }
    let square = if kind.size == 1 { 32 } else { 16 };
    for i in 0..k / square {
        let from = 0x20000 + i * square * 32;
        loads += &match kind.size {
            1 => format!(
                "ld2dt_b.b8 l0b+{}, l1+{from}, {}, {rows}, 1, 1, 1\n",
                i * n1 * 512,
                n / 32
            ),
            2 => format!(
                "ld2dt_b.b16 l0b+{}, l1+{from}, {n1}, {rows}, 0, 0, 0\n",
                i * n1 * 512
            ),
            _ => format!(
                "ld2dt_b.b32 l0b+{}, l1+{from}, {n1}, {}, 0, {rows}, {n1}\n",
                2 * i * n1 * 512,
                2 * rows
            ),
        };
    }
    let text = format!(
        "rdspr x1, para_base
         ld.b64.gm x2, x1, 0
         ld.b64.gm x3, x1, 8
         ld.b64.gm x4, x1, 16
         ld.b64.gm x5, x1, 24
         nd2nz_gm_l1.b{bits} l1+0, gm+x2, {m}, {k}, {k}, {m}
         nd2nz_gm_l1.b{bits} l1+0x20000, gm+x3, {k}, {n}, {n}, {k}
         mov_gm_l1 l1+0x40000, gm+x4, burst(1, {extra}), 0, 0
         set_flag mte2, mte1, 0
         wait_flag mte2, mte1, 0
         set_flag mte2, fix, 0
         wait_flag mte2, fix, 0
         {before}
         {loads}
         set_flag mte1, m, 0
         wait_flag mte1, m, 0
         mmad.{ty} l0c+0, l0a+0, l0b+0, {m}, {k}, {n}, {init}, bt+0, unit_off
         set_flag m, fix, 0
         wait_flag m, fix, 0
         {fix}
         end",
        extra = n * 8 / 32,
        ty = kind.word,
    );
    object(params, &text, "", 1)
}

fn bytes_bf16(values: &[f32]) -> Vec<u8> {
    let narrow = |&v: &f32| num::f32_to_bf16(v, Round::Even, Overflow::Keep).to_le_bytes();
    values.iter().flat_map(narrow).collect()
}

const PLAIN_F32: &str = "fix_l0c_gm.f32.none.norelu.nd unit_off, gm+x5, l0c+0, 32, 64, 32, 64";

/// The extra input when nothing uses it.
fn unused() -> Option<Vec<u8>> {
    Some(vec![0; 64 * 8])
}

#[test]
fn f32_products_round_before_they_are_added() {
    let (a, b) = (values(32 * 64, 3), values(64 * 64, 4));
    let a: Vec<f32> = a.iter().map(|x| x * 1.1 + 1e-3).collect();
    let kernel = product(&F32, (32, 64, 64), "", "1", PLAIN_F32, Elem::F32);
    let inputs = [Some(bytes_f32(&a)), Some(bytes_f32(&b)), unused(), None];
    let outcome = try_run(&kernel, &inputs).unwrap_or_else(|f| panic!("{f}"));
    for (at, &c) in to_f32(&outcome.tensors[3]).iter().enumerate() {
        let (i, j) = (at / 64, at % 64);
        let sum = (0..64).fold(0.0, |sum, l| {
            num::mac_f32(sum, a[i * 64 + l], b[l * 64 + j])
        });
        assert_eq!(c, sum, "at {i} {j}");
    }
}

#[test]
fn bf16_accumulates_in_f32() {
    let (a, b) = (
        bytes_bf16(&values(32 * 64, 3)),
        bytes_bf16(&values(64 * 64, 4)),
    );
    let kernel = product(&BF16, (32, 64, 64), "", "1", PLAIN_F32, Elem::F32);
    let inputs = [Some(a.clone()), Some(b.clone()), unused(), None];
    let outcome = try_run(&kernel, &inputs).unwrap_or_else(|f| panic!("{f}"));
    let half = |bytes: &[u8], at: usize| u16::from_le_bytes([bytes[2 * at], bytes[2 * at + 1]]);
    for (at, &c) in to_f32(&outcome.tensors[3]).iter().enumerate() {
        let (i, j) = (at / 64, at % 64);
        let step = |sum, l| num::mac_bf16(sum, half(&a, i * 64 + l), half(&b, l * 64 + j));
        assert_eq!(c, (0..64).fold(0.0, step), "at {i} {j}");
    }
}

fn small_ints(count: usize, seed: usize) -> Vec<u8> {
    (0..count).map(|i| (i * 89 + seed * 31) as u8).collect()
}

fn int_sums(a: &[u8], b: &[u8], (m, k, n): (usize, usize, usize)) -> Vec<i32> {
    let mut sums = Vec::new();
    for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
        let step = |sum, l: usize| num::mac_i8(sum, a[i * k + l] as i8, b[l * n + j] as i8).0;
        sums.push((0..k).fold(0, step));
    }
    sums
}

#[test]
fn s8_is_exact_and_starts_from_the_bias() {
    let (a, b) = (small_ints(32 * 96, 1), small_ints(96 * 64, 2));
    let before = "mov_l1_bt bt+0, l1+0x40000, 8";
    let fix = "fix_l0c_gm.s32.none.norelu.nd unit_off, gm+x5, l0c+0, 32, 64, 32, 64";
    let kernel = product(&S8, (32, 96, 64), before, "2", fix, Elem::I32);
    let bias: Vec<u8> = (0..128_i32)
        .flat_map(|n| (n * 1000 - 7).to_le_bytes())
        .collect();
    let inputs = [Some(a.clone()), Some(b.clone()), Some(bias), None];
    let outcome = try_run(&kernel, &inputs).unwrap_or_else(|f| panic!("{f}"));
    let sums = int_sums(&a, &b, (32, 96, 64));
    for (at, &bits) in to_f32(&outcome.tensors[3]).iter().enumerate() {
        let expected = sums[at] + (at as i32 % 64) * 1000 - 7;
        assert_eq!(bits.to_bits() as i32, expected, "at {at}");
    }
}

#[test]
fn s32_requantises_by_columns() {
    let (a, b) = (small_ints(32 * 64, 1), small_ints(64 * 64, 2));
    let before = "mov_l1_fb fb+0, l1+0x40000, 16\nbar fix\nwrspr fpc, 0";
    let fix = "fix_l0c_gm.s32.s32s8v.relu.nd unit_off, gm+x5, l0c+0, 32, 64, 32, 64";
    let kernel = product(&S8, (32, 64, 64), before, "1", fix, Elem::I8);
    let word = |n: usize| QuantWord::scaling(0.001 * (n as f32 + 1.0));
    let words: Vec<u8> = (0..64).flat_map(|n| word(n).pack().to_le_bytes()).collect();
    let inputs = [Some(a.clone()), Some(b.clone()), Some(words), None];
    let outcome = try_run(&kernel, &inputs).unwrap_or_else(|f| panic!("{f}"));
    let sums = int_sums(&a, &b, (32, 64, 64));
    for (at, &byte) in outcome.tensors[3].iter().enumerate() {
        let expected = num::requant_s32_s8(sums[at], word(at % 64), num::Relu::Zero);
        assert_eq!(i32::from(byte as i8), expected, "at {at}");
    }
}

#[test]
fn the_fixpipe_feeds_a_second_product_through_l1() {
    // y = relu(a·b) as f16 in L1, then y·b by loading it as the left operand again.
    let (a, b) = (values(64 * 64, 5), values(64 * 64, 6));
    let params = vec![
        param("a", Elem::F16, &[64, 64], ParamDir::In),
        param("b", Elem::F16, &[64, 64], ParamDir::In),
        param("c", Elem::F32, &[64, 64], ParamDir::Out),
    ];
    let mut text = String::from(
        "rdspr x1, para_base
         ld.b64.gm x2, x1, 0
         ld.b64.gm x3, x1, 8
         ld.b64.gm x4, x1, 16
         nd2nz_gm_l1.b16 l1+0, gm+x2, 64, 64, 64, 64
         nd2nz_gm_l1.b16 l1+0x2000, gm+x3, 64, 64, 64, 64
         set_flag mte2, mte1, 0
         wait_flag mte2, mte1, 0\n",
    );
    for row in 0..4 {
        text += &format!(
            "ld2dt_b.b16 l0b+{}, l1+{}, 4, 4, 0, 0, 0\n",
            row * 2048,
            0x2000 + row * 512
        );
    }
    for (from, init) in [(0, 1), (0x4000, 1)] {
        for row in 0..4 {
            text += &format!(
                "ld2d_a l0a+{}, l1+{}, 4, 4, 0\n",
                row * 2048,
                from + row * 512
            );
        }
        text += &format!(
            "set_flag mte1, m, 0
             wait_flag mte1, m, 0
             mmad.f16 l0c+0, l0a+0, l0b+0, 64, 64, 64, {init}, bt+0, unit_last\n"
        );
        if from == 0 {
            text += "fix_l0c_l1.f32.f32f16.relu unit_last, l1+0x4000, l0c+0, 64, 64, 64, 64
                set_flag fix, mte1, 0
                set_flag m, mte1, 0
                wait_flag m, mte1, 0
                wait_flag fix, mte1, 0\n";
        }
    }
    text += "fix_l0c_gm.f32.none.norelu.nd unit_last, gm+x4, l0c+0, 64, 64, 64, 64\nend";
    let inputs = [Some(bytes_f16(&a)), Some(bytes_f16(&b)), None];
    let outcome = try_run(&object(params, &text, "", 1), &inputs).unwrap_or_else(|f| panic!("{f}"));
    let multiply = |x: &[f32], y: &[f32]| -> Vec<f32> {
        let at = |i: usize, j: usize| (0..64).fold(0.0, |s, l| s + x[i * 64 + l] * y[l * 64 + j]);
        (0..64 * 64).map(|n| at(n / 64, n % 64)).collect()
    };
    let hidden: Vec<f32> = multiply(&a, &b).iter().map(|x| x.max(0.0)).collect();
    let hidden = from_f16(&bytes_f16(&hidden));
    assert_eq!(to_f32(&outcome.tensors[2]), multiply(&hidden, &b));
}

#[test]
fn fractals_leave_as_they_are() {
    // 16×32 of f32 as NZ: columns of 8 elements, 16 rows each.
    let (a, b) = (values(32 * 64, 3), values(64 * 64, 4));
    let fix = "fix_l0c_gm.f32.none.norelu.nz unit_off, gm+x5, l0c+0, 32, 64, 32, 32";
    let kernel = product(&F32, (32, 64, 64), "", "1", fix, Elem::F32);
    let plain = product(&F32, (32, 64, 64), "", "1", PLAIN_F32, Elem::F32);
    let inputs = [Some(bytes_f32(&a)), Some(bytes_f32(&b)), unused(), None];
    let run = |kernel| {
        to_f32(
            &try_run(kernel, &inputs)
                .unwrap_or_else(|f| panic!("{f}"))
                .tensors[3],
        )
    };
    let (nz, nd) = (run(&kernel), run(&plain));
    for (at, &x) in nd.iter().enumerate() {
        let (row, column) = (at / 64, at % 64);
        assert_eq!(
            nz[column / 8 * 32 * 8 + row * 8 + column % 8],
            x,
            "at {row} {column}"
        );
    }
}
