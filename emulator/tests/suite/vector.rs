//! Vector instructions against values worked out by hand or by `isa::num`'s own scalar forms.

use isa::num::{self, Overflow, Round};
use isa::object::ParamDir;
use isa::types::Elem;

use crate::common::*;

/// Loads inputs to UB at 0, 0x8000, …, runs `text`, and gives `bytes` bytes of UB from 0x18000 on.
fn try_vector(text: &str, inputs: &[Vec<u8>], bytes: usize) -> Result<Vec<u8>, emulator::Fault> {
    let mut params: Vec<_> = inputs
        .iter()
        .enumerate()
        .map(|(n, data)| {
            param(
                &format!("in{n}"),
                Elem::U8,
                &[data.len() as u64],
                ParamDir::In,
            )
        })
        .collect();
    params.push(param("out", Elem::U8, &[bytes as u64], ParamDir::Out));
    let mut full = String::from("rdspr x1, subblockid\nbcc.ne x1, 0, done\nrdspr x1, para_base\n");
    for (n, data) in inputs.iter().enumerate() {
        full += &format!(
            "ld.b64.gm x2, x1, {}
             movpad_gm_ub.b8 ub+{}, gm+x2, burst(1, {}), 0, 0\n",
            n * 8,
            n * 0x8000,
            data.len()
        );
    }
    full += &format!(
        "set_flag mte2, v, 0
         wait_flag mte2, v, 0
         {text}
         set_flag v, mte3, 0
         wait_flag v, mte3, 0
         ld.b64.gm x2, x1, {}
         movpad_ub_gm gm+x2, ub+0x18000, burst(1, {bytes}), 0, 0
         done:
         end",
        inputs.len() * 8
    );
    let mut given: Vec<_> = inputs.iter().cloned().map(Some).collect();
    given.push(None);
    let mut outcome = try_run(&object(params, "", &full, 1), &given)?;
    Ok(outcome.tensors.pop().expect("the last parameter"))
}

fn vector(text: &str, inputs: &[Vec<u8>], bytes: usize) -> Vec<u8> {
    try_vector(text, inputs, bytes).unwrap_or_else(|f| panic!("{text}: {f}"))
}

/// Floats of many magnitudes, signs, zeros and specials.
fn wild() -> Vec<f32> {
    let specials = [
        0.0,
        -0.0,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        1e-40,
        65504.0,
        65520.0,
        -1e30,
        6e-8,
    ];
    let mut list: Vec<f32> = specials.into();
    for n in 0..118_u32 {
        let sign = if n % 3 == 0 { -1.0 } else { 1.0 };
        list.push(sign * f32::from_bits(0x3000_0000 + n * 0x0123_4567 % 0x2000_0000));
    }
    list
}

fn halves(bytes: &[u8]) -> Vec<u16> {
    bytes
        .chunks_exact(2)
        .map(|b| u16::from_le_bytes([b[0], b[1]]))
        .collect()
}

fn words(bytes: &[u8]) -> Vec<u32> {
    bytes
        .chunks_exact(4)
        .map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect()
}

fn bytes_i32(values: &[i32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

const FLAT3: &str = "st(1, 1, 1, 8, 8, 8)";
const FLAT2: &str = "st(1, 1, 8, 8)";

#[test]
fn two_sources_in_f32() {
    type Case = (&'static str, fn(f32, f32) -> f32);
    let cases: [Case; 6] = [
        ("vadd", num::add_f32),
        ("vsub", num::sub_f32),
        ("vmul", num::mul_f32),
        ("vdiv", num::div_f32),
        ("vmax", num::max_f32),
        ("vmin", num::min_f32),
    ];
    let a = wild();
    let b: Vec<f32> = a.iter().rev().copied().collect();
    for (name, f) in cases {
        let out = vector(
            &format!("{name}.f32 ub+0x18000, ub+0, ub+0x8000, 2, {FLAT3}"),
            &[bytes_f32(&a), bytes_f32(&b)],
            512,
        );
        let expected: Vec<u32> = a.iter().zip(&b).map(|(&a, &b)| f(a, b).to_bits()).collect();
        assert_eq!(words(&out), expected, "{name}");
    }
}

#[test]
fn two_sources_in_f16_saturate_or_keep() {
    type Case = (&'static str, fn(u16, u16, Overflow) -> u16);
    let cases: [Case; 6] = [
        ("vadd", num::f16_add),
        ("vsub", num::f16_sub),
        ("vmul", num::f16_mul),
        ("vdiv", num::f16_div),
        ("vmax", |a, b, _| num::f16_max(a, b)),
        ("vmin", |a, b, _| num::f16_min(a, b)),
    ];
    let a = bytes_f16(&wild());
    let b: Vec<u8> = halves(&a)
        .iter()
        .rev()
        .flat_map(|h| h.to_le_bytes())
        .collect();
    for (mode, overflow) in [
        ("", Overflow::Saturate),
        ("li x9, 0x1000000000000\nwrspr ctrl, x9\n", Overflow::Keep),
    ] {
        for (name, f) in cases {
            let out = vector(
                &format!("{mode}{name}.f16 ub+0x18000, ub+0, ub+0x8000, 1, {FLAT3}"),
                &[a.clone(), b.clone()],
                256,
            );
            let pairs = halves(&a).into_iter().zip(halves(&b));
            let expected: Vec<u16> = pairs.map(|(a, b)| f(a, b, overflow)).collect();
            assert_eq!(halves(&out), expected, "{name} {overflow:?}");
        }
    }
}

#[test]
fn one_source_and_scalars() {
    type Case = (&'static str, fn(f32) -> f32);
    let cases: [Case; 12] = [
        ("vabs.f32 D, ub+0, 2, st(1, 1, 8, 8)", num::abs_f32),
        ("vexp.f32 D, ub+0, 2, st(1, 1, 8, 8)", num::exp_f32),
        ("vln.f32 D, ub+0, 2, st(1, 1, 8, 8)", num::ln_f32),
        ("vsqrt.f32 D, ub+0, 2, st(1, 1, 8, 8)", num::sqrt_f32),
        ("vrsqrt.f32 D, ub+0, 2, st(1, 1, 8, 8)", num::vrsqrt_f32),
        ("vrec.f32 D, ub+0, 2, st(1, 1, 8, 8)", num::vrec_f32),
        ("vrelu.f32 D, ub+0, 2, st(1, 1, 8, 8)", |x| {
            num::max_f32(x, 0.0)
        }),
        ("vadds.f32 D, ub+0, 0x3fc00000, 2, st(1, 1, 8, 8)", |x| {
            num::add_f32(x, 1.5)
        }),
        ("vmuls.f32 D, ub+0, 0x3fc00000, 2, st(1, 1, 8, 8)", |x| {
            num::mul_f32(x, 1.5)
        }),
        ("vmaxs.f32 D, ub+0, 0x3fc00000, 2, st(1, 1, 8, 8)", |x| {
            num::max_f32(x, 1.5)
        }),
        ("vmins.f32 D, ub+0, 0x3fc00000, 2, st(1, 1, 8, 8)", |x| {
            num::min_f32(x, 1.5)
        }),
        ("vlrelu.f32 D, ub+0, 0x3f000000, 2, st(1, 1, 8, 8)", |x| {
            if x < 0.0 {
                num::mul_f32(x, 0.5)
            } else {
                num::canonical_f32(x)
            }
        }),
    ];
    let a = wild();
    for (text, f) in cases {
        let out = vector(&text.replace('D', "ub+0x18000"), &[bytes_f32(&a)], 512);
        let expected: Vec<u32> = a.iter().map(|&a| f(a).to_bits()).collect();
        assert_eq!(words(&out), expected, "{text}");
    }
    let half = bytes_f16(&a);
    let out = vector(
        &format!("vexp.f16 ub+0x18000, ub+0, 1, {FLAT2}"),
        std::slice::from_ref(&half),
        256,
    );
    let expected: Vec<u16> = halves(&half)
        .iter()
        .map(|&h| num::exp_f16(h, Overflow::Saturate))
        .collect();
    assert_eq!(halves(&out), expected);
}

#[test]
fn accumulating_forms() {
    let a = wild();
    let b: Vec<f32> = a.iter().rev().copied().collect();
    let d: Vec<f32> = (0..128).map(|n| n as f32 * 0.37).collect();
    let load = format!("vcopy.f32 ub+0x18000, ub+0x10000, 2, {FLAT2}\nbar v\n");
    let inputs = [bytes_f32(&a), bytes_f32(&b), bytes_f32(&d)];
    let out = vector(
        &format!("{load}vmla.f32 ub+0x18000, ub+0, ub+0x8000, 2, {FLAT3}"),
        &inputs,
        512,
    );
    for n in 0..128 {
        assert_eq!(
            words(&out)[n],
            num::fma_f32(a[n], b[n], d[n]).to_bits(),
            "{n}"
        );
    }
    let out = vector(
        &format!("{load}vaxpy.f32 ub+0x18000, ub+0, 0x3fc00000, 2, {FLAT2}"),
        &inputs,
        512,
    );
    for n in 0..128 {
        assert_eq!(
            words(&out)[n],
            num::add_f32(num::mul_f32(a[n], 1.5), d[n]).to_bits(),
            "{n}"
        );
    }
    let inputs = [bytes_f16(&a), bytes_f16(&b), bytes_f16(&d)];
    let load = format!("vcopy.f16 ub+0x18000, ub+0x10000, 1, {FLAT2}\nbar v\n");
    let out = vector(
        &format!("{load}vmla.f16 ub+0x18000, ub+0, ub+0x8000, 1, {FLAT3}"),
        &inputs,
        256,
    );
    let [a, b, d] = inputs.map(|bytes| halves(&bytes));
    for n in 0..128 {
        let product = num::f16_mul(a[n], b[n], Overflow::Saturate);
        assert_eq!(
            halves(&out)[n],
            num::f16_add(product, d[n], Overflow::Saturate),
            "{n}"
        );
    }
}

#[test]
fn integers_wrap_and_shift() {
    let a: Vec<i32> = (0..64)
        .map(|n| (n - 30_i32).wrapping_mul(0x0765_4321))
        .collect();
    let b: Vec<i32> = a.iter().rev().copied().collect();
    let inputs = [bytes_i32(&a), bytes_i32(&b)];
    let check = |text: &str, f: &dyn Fn(i32, i32) -> i32| {
        let out = vector(text, &inputs, 256);
        let expected: Vec<u32> = a.iter().zip(&b).map(|(&a, &b)| f(a, b) as u32).collect();
        assert_eq!(words(&out), expected, "{text}");
    };
    check(
        &format!("vadd.s32 ub+0x18000, ub+0, ub+0x8000, 1, {FLAT3}"),
        &i32::wrapping_add,
    );
    check(
        &format!("vmul.s32 ub+0x18000, ub+0, ub+0x8000, 1, {FLAT3}"),
        &i32::wrapping_mul,
    );
    check(
        &format!("vmax.s32 ub+0x18000, ub+0, ub+0x8000, 1, {FLAT3}"),
        &|a, b| a.max(b),
    );
    check(
        &format!("vshl.s32 ub+0x18000, ub+0, 5, 1, {FLAT2}"),
        &|a, _| a << 5,
    );
    check(
        &format!("vshr.s32 ub+0x18000, ub+0, 5, 1, {FLAT2}"),
        &|a, _| a >> 5,
    );
    check(&format!("vnot ub+0x18000, ub+0, 1, {FLAT2}"), &|a, _| !a);
    check(
        &format!("vand ub+0x18000, ub+0, ub+0x8000, 1, {FLAT3}"),
        &|a, b| a & b,
    );
    check(
        &format!("vor ub+0x18000, ub+0, ub+0x8000, 1, {FLAT3}"),
        &|a, b| a | b,
    );
}

#[test]
fn masks_counts_and_strides_choose_lanes() {
    let a: Vec<f32> = (0..256).map(|n| n as f32).collect();
    let fill = "vdup.f32 ub+0x18000, 0xbf800000, 4, st(1, 8)\nbar v\n";
    // Lanes 0, 1 and 9.
    let masked = format!(
        "{fill}li x8, 0x203\nli x9, 0\nvsetmask x8, x9\nvadds.f32 ub+0x18000, ub+0, 0, 1, {FLAT2}"
    );
    let out = to_f32(&vector(&masked, &[bytes_f32(&a)], 256));
    for (n, &x) in out.iter().enumerate() {
        let on = [0, 1, 9].contains(&n);
        assert_eq!(x, if on { a[n] } else { -1.0 }, "{n}");
    }
    // 70 elements: one repeat and six lanes, whatever the repeat operand says.
    let counted = format!("{fill}vsetcount 70\nvadds.f32 ub+0x18000, ub+0, 0, 1, {FLAT2}");
    let out = to_f32(&vector(&counted, &[bytes_f32(&a)], 512));
    for (n, &x) in out.iter().enumerate() {
        assert_eq!(x, if n < 70 { a[n] } else { -1.0 }, "{n}");
    }
    // Every other block of the source, repeats 17 blocks apart.
    let strided = "vadds.f32 ub+0x18000, ub+0, 0, 2, st(1, 2, 8, 16)";
    let out = to_f32(&vector(strided, &[bytes_f32(&a)], 512));
    for (n, &x) in out.iter().enumerate() {
        let (repeat, block, lane) = (n / 64, n % 64 / 8, n % 8);
        assert_eq!(x, a[repeat * 128 + block * 16 + lane], "{n}");
    }
}

#[test]
fn conversions_round_and_saturate() {
    let a = wild();
    let convert = |kind: &str, bytes: &[u8], repeats: usize, out: usize, st: &str| {
        vector(
            &format!("vconv.{kind} ub+0x18000, ub+0, {repeats}, {st}"),
            &[bytes.to_vec()],
            out,
        )
    };
    let down = "st(1, 1, 4, 8)";
    let out = convert("f32.f16.r", &bytes_f32(&a), 2, 256, down);
    let expected: Vec<u16> = a
        .iter()
        .map(|&x| num::f32_to_f16(x, Round::Even, Overflow::Saturate))
        .collect();
    assert_eq!(halves(&out), expected);
    let out = convert("f32.f16.o", &bytes_f32(&a), 2, 256, down);
    let expected: Vec<u16> = a
        .iter()
        .map(|&x| num::f32_to_f16(x, Round::Odd, Overflow::Saturate))
        .collect();
    assert_eq!(halves(&out), expected);
    let out = convert("f32.bf16.r", &bytes_f32(&a), 2, 256, down);
    let expected: Vec<u16> = a
        .iter()
        .map(|&x| num::f32_to_bf16(x, Round::Even, Overflow::Saturate))
        .collect();
    assert_eq!(halves(&out), expected);
    let out = convert("f32.s32.f", &bytes_f32(&a), 2, 512, FLAT2);
    let floor = |&x: &f32| num::f32_to_int(x, Round::Floor, Overflow::Saturate, 32, true) as u32;
    assert_eq!(words(&out), a.iter().map(floor).collect::<Vec<_>>());
    let half = bytes_f16(&a);
    let out = convert("f16.f32", &half, 2, 512, "st(1, 1, 8, 4)");
    let expected: Vec<u32> = halves(&half)
        .iter()
        .map(|&h| num::f16_to_f32(h).to_bits())
        .collect();
    assert_eq!(words(&out), expected);
    let out = convert("f16.s8.r", &half, 1, 128, "st(1, 1, 4, 8)");
    let narrow = |&h: &u16| num::f16_to_int(h, Round::Even, Overflow::Saturate, 8, true) as u8;
    assert_eq!(out, halves(&half).iter().map(narrow).collect::<Vec<_>>());
    let bytes: Vec<u8> = (0..128).map(|n| (n * 2) as u8).collect();
    let out = convert("s8.f16", &bytes, 1, 256, "st(1, 1, 8, 4)");
    assert_eq!(
        from_f16(&out),
        bytes
            .iter()
            .map(|&b| f32::from(b as i8))
            .collect::<Vec<_>>()
    );
}

#[test]
fn comparisons_select_by_bits() {
    let a: Vec<f32> = (0..128).map(|n| ((n * 29) % 50) as f32).collect();
    let b: Vec<f32> = (0..128).map(|n| ((n * 13) % 50) as f32).collect();
    let text = format!(
        "vcmpv.lt.f32 ub+0x10000, ub+0, ub+0x8000, 2, {FLAT3}
         bar v
         vsel.f32 ub+0x18000, ub+0x10000, ub+0, ub+0x8000, 2, st(1, 1, 1, 8, 8, 8)"
    );
    let out = to_f32(&vector(&text, &[bytes_f32(&a), bytes_f32(&b)], 512));
    for n in 0..128 {
        assert_eq!(out[n], a[n].min(b[n]), "{n}");
    }
    let text = format!("vcmpvs.ge.f32 ub+0x18000, ub+0, 0x41c80000, 2, {FLAT2}");
    let out = vector(&text, &[bytes_f32(&a)], 16);
    for n in 0..128 {
        assert_eq!(out[n / 8] >> (n % 8) & 1 == 1, a[n] >= 25.0, "{n}");
    }
}

#[test]
fn generators_and_broadcasts() {
    let out = to_f32(&vector(
        "viota.f32 ub+0x18000, 0x41200000, 2, st(1, 8)",
        &[vec![0; 32]],
        512,
    ));
    assert_eq!(out, (0..128).map(|n| 10.0 + n as f32).collect::<Vec<_>>());
    let out = words(&vector(
        "viota.s32 ub+0x18000, 7, 1, st(1, 8)",
        &[vec![0; 32]],
        256,
    ));
    assert_eq!(out, (7..71).collect::<Vec<_>>());
    let a: Vec<f32> = (0..16).map(|n| n as f32).collect();
    let out = to_f32(&vector(
        "vbrcb.f32 ub+0x18000, ub+0, 2, st(1, 8)",
        &[bytes_f32(&a)],
        512,
    ));
    assert_eq!(out, (0..128).map(|n| (n / 8) as f32).collect::<Vec<_>>());
    let out = to_f32(&vector(
        "mov_ub_ub ub+0x18000, ub+0, burst(2, 1), 0, 0",
        &[bytes_f32(&a)],
        64,
    ));
    assert_eq!(out, a);
}

#[test]
fn reductions_are_trees_of_neighbours() {
    let a: Vec<f32> = (0..128)
        .map(|n| 1.0 / (n as f32 + 1.0) * if n % 5 == 0 { 1e6 } else { 1.0 })
        .collect();
    let tree = |x: &[f32]| num::tree_sum_f32(x);
    let out = to_f32(&vector(
        "vcadd.f32 ub+0x18000, ub+0, 2, st(1, 1, 8)",
        &[bytes_f32(&a)],
        8,
    ));
    assert_eq!(out, [tree(&a[..64]), tree(&a[64..])]);
    let out = to_f32(&vector(
        "vcgadd.f32 ub+0x18000, ub+0, 2, st(8, 1, 8)",
        &[bytes_f32(&a)],
        64,
    ));
    assert_eq!(out, a.chunks(8).map(tree).collect::<Vec<_>>());
    let out = to_f32(&vector(
        "vcpadd.f32 ub+0x18000, ub+0, 2, st(32, 1, 8)",
        &[bytes_f32(&a)],
        256,
    ));
    assert_eq!(out, a.chunks(2).map(tree).collect::<Vec<_>>());
    let greatest = |x: &[f32]| x.iter().copied().reduce(f32::max).unwrap_or(0.0);
    let out = to_f32(&vector(
        "vcmax.f32 ub+0x18000, ub+0, 2, st(1, 1, 8)",
        &[bytes_f32(&a)],
        8,
    ));
    assert_eq!(out, [greatest(&a[..64]), greatest(&a[64..])]);
    let counted = "vsetcount 70\nvcmin.f32 ub+0x18000, ub+0, 2, st(1, 1, 8)";
    let out = to_f32(&vector(counted, &[bytes_f32(&a)], 8));
    let least = |x: &[f32]| x.iter().copied().reduce(f32::min).unwrap_or(0.0);
    assert_eq!(out, [least(&a[..64]), least(&a[64..70])]);
    // Every join rounds to f16.
    let half = bytes_f16(&a);
    let out = vector(
        "vcadd.f16 ub+0x18000, ub+0, 1, st(1, 1, 8)",
        std::slice::from_ref(&half),
        2,
    );
    let join = |x, y| num::f16_add(x, y, Overflow::Saturate);
    assert_eq!(
        Some(halves(&out)[0]),
        num::tree_reduce(&halves(&half), join)
    );
}

#[test]
fn lanes_without_values_are_found_only_where_they_count() {
    let a: Vec<f32> = (0..10).map(|n| n as f32).collect();
    // 40 bytes fill 64 with padding: 16 elements have values.
    let whole = format!("vadds.f32 ub+0x18000, ub+0, 0, 1, {FLAT2}");
    let fault = try_vector(&whole, &[bytes_f32(&a)], 40).expect_err("48 lanes have no value");
    assert_eq!(fault.kind.code(), "F0001");
    let counted = format!("vsetcount 10\n{whole}");
    assert_eq!(to_f32(&vector(&counted, &[bytes_f32(&a)], 40)), a);
}
