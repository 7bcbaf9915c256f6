//! The cube path: GM → L1 → L0 → `mmad` → fixpipe → GM, against plain loops.

use crate::common::*;
use isa::object::{Object, ParamDir};
use isa::types::Elem;

/// C = A·B for one tile, A m×k and B k×n row-major, by `elem`.
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
