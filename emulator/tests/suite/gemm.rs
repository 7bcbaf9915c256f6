//! A whole GEMM on several cores, double buffered with the fewest flags: values, time and threads together.

use emulator::{Options, Sanitize, run};
use isa::inst::MmadTy;
use isa::object::{Object, ParamDir};
use isa::types::Elem;

use crate::common::*;

/// C = A·B in blocks of 128×256, 64 of k a step; extents are multiples of those, 128 for k.
pub(crate) fn gemm(m: u64, k: u64, n: u64, cores: u32) -> Object {
    let params = vec![
        param("a", Elem::F16, &[m, k], ParamDir::In),
        param("b", Elem::F16, &[k, n], ParamDir::In),
        param("c", Elem::F16, &[m, n], ParamDir::Out),
    ];
    let mut text = format!(
        "rdspr x1, para_base
         ld.b64.gm x2, x1, 0
         ld.b64.gm x3, x1, 8
         ld.b64.gm x4, x1, 16
         rdspr x5, blockid
         rdspr x6, blocknum
         set_flag mte1, mte2, 0
         set_flag mte1, mte2, 1
         set_flag m, mte1, 0
         set_flag m, mte1, 1
         set_flag fix, m, 0
         jmp test
         tile:
         div x8, x5, {columns}
         rem x9, x5, {columns}
         mul x10, x8, {a_block}
         add x10, x10, x2
         mul x11, x9, 512
         add x11, x11, x3
         mul x12, x8, {c_block}
         madd x12, x9, 512, x12
         add x12, x12, x4
         li x13, 1
         wait_flag fix, m, 0
         loop {steps}, last\n",
        columns = n / 256,
        a_block = 128 * k * 2,
        c_block = 128 * n * 2,
        steps = k / 128,
    );
    for half in 0..2_u64 {
        let (l1a, l1b) = (half * 0x4000, 0x10000 + half * 0x8000);
        let (l0a, l0b) = (half * 0x4000, half * 0x8000);
        text += &format!(
            "wait_flag mte1, mte2, {half}
             nd2nz_gm_l1.b16 l1+{l1a}, gm+x10, 128, 64, {k}, 128
             nd2nz_gm_l1.b16 l1+{l1b}, gm+x11, 64, 256, {n}, 64
             set_flag mte2, mte1, {half}
             add x10, x10, 128
             add x11, x11, {b_step}
             wait_flag m, mte1, {half}
             wait_flag mte2, mte1, {half}\n",
            b_step = 64 * n * 2,
        );
        for row in 0..8 {
            text += &format!(
                "ld2d_a l0a+{}, l1+{}, 4, 8, 0\n",
                l0a + row * 2048,
                l1a + row * 512
            );
        }
        for row in 0..4 {
            let (to, from) = (l0b + row * 8192, l1b + row * 512);
            text += &format!("ld2dt_b.b16 l0b+{to}, l1+{from}, 16, 4, 0, 0, 0\n");
        }
        text += &format!(
            "set_flag mte1, mte2, {half}
             set_flag mte1, m, {half}
             wait_flag mte1, m, {half}
             mmad.f16 l0c+0, l0a+{l0a}, l0b+{l0b}, 128, 64, 256, x13, bt+0, unit_off
             li x13, 0
             set_flag m, mte1, {half}\n"
        );
    }
    text += &format!(
        "last:
         endloop
         set_flag m, fix, 0
         wait_flag m, fix, 0
         fix_l0c_gm.f32.f32f16.norelu.nd unit_off, gm+x12, l0c+0, 128, 256, 128, {n}
         set_flag fix, m, 0
         add x5, x5, x6
         test:
         bcc.lt x5, {tiles}, tile
         wait_flag mte1, mte2, 0
         wait_flag mte1, mte2, 1
         wait_flag m, mte1, 0
         wait_flag m, mte1, 1
         wait_flag fix, m, 0
         end",
        tiles = (m / 128) * (n / 256),
    );
    let mut object = object(params, &text, "", cores);
    object.kernel.mads = m * n * k;
    object.kernel.mad_ty = Some(MmadTy::F16);
    object.kernel.compulsory_bytes = 2 * (m * k + k * n + m * n);
    object
}

fn values(count: u64, seed: u64) -> Vec<f32> {
    (0..count)
        .map(|i| (((i * 37 + seed * 11) % 41) as f32 - 20.0) / 16.0)
        .collect()
}

#[test]
fn threads_change_neither_bits_nor_cycles() {
    let (m, k, n) = (512, 256, 512);
    let object = gemm(m, k, n, 4);
    let (a, b) = (values(m * k, 1), values(k * n, 2));
    let inputs = [Some(bytes_f16(&a)), Some(bytes_f16(&b)), None];
    let with = |threads, sanitize| {
        let options = Options {
            threads,
            sanitize,
            ..Options::default()
        };
        run(&object, &inputs, &chip(), &options).unwrap_or_else(|f| panic!("{f}"))
    };
    let one = with(1, Sanitize::ALL);
    for (threads, sanitize) in [(2, Sanitize::ALL), (4, Sanitize::NONE)] {
        let other = with(threads, sanitize);
        assert_eq!(one.tensors, other.tensors);
        assert_eq!(one.report, other.report);
    }
    let c = from_f16(&one.tensors[2]);
    for (i, j) in [(0, 0), (3, 500), (511, 511), (200, 17)] {
        let mut sum = 0.0_f32;
        for l in 0..k {
            sum += a[(i * k + l) as usize] * b[(l * n + j) as usize];
        }
        let expected = from_f16(&bytes_f16(&[sum]));
        assert_eq!(c[(i * n + j) as usize], expected[0], "at {i} {j}");
    }
    assert_eq!(one.report.mads, m * k * n);
    assert_eq!(one.report.cube_cores, 4);
}
