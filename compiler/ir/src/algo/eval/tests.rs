//! The evaluators against each other on random functions, and against hand-computed values.

use isa::types::Elem;

use super::{EvalErrorKind, eval, naive};
use crate::algo::data::{Data, Random, draw};
use crate::algo::sample::{Builder, matrix_product, random_func, wild_inputs};
use crate::algo::{Affine, Atom, BinaryOp, CmpOp, Func, Order, Overflow, ReduceOp, Round, UnaryOp};

fn outcome(result: Result<Vec<Data>, super::EvalError>) -> Result<Vec<Data>, EvalErrorKind> {
    result.map_err(|error| {
        assert_ne!(error.kind, EvalErrorKind::Invalid, "{}", error.message);
        error.kind
    })
}

#[test]
fn fast_and_naive_agree_on_random_functions() {
    let (mut done, mut faults) = (0, 0);
    for seed in 0..500 {
        let mut random = Random::new(seed);
        let func = random_func(&mut random);
        let params = wild_inputs(&func, &mut random);
        let fast = outcome(eval(&func, &params));
        assert_eq!(fast, outcome(naive::eval(&func, &params)), "seed {seed}");
        if fast.is_ok() { done += 1 } else { faults += 1 }
    }
    assert!(done > 200 && faults > 10, "{done} ran, {faults} faulted");
}

#[test]
fn contractions_agree_with_the_definition() {
    for elem in [
        Elem::F16,
        Elem::Bf16,
        Elem::F32,
        Elem::I8,
        Elem::U8,
        Elem::I16,
        Elem::I32,
    ] {
        for (m, k, n) in [
            (1, 1, 1),
            (1, 300, 1),
            (5, 600, 9),
            (70, 3, 17),
            (9, 257, 8),
            (1, 40, 33),
        ] {
            let func = matrix_product(elem, m, k, n);
            let params = [draw(elem, &[m, k], 1, "a"), draw(elem, &[k, n], 1, "b")];
            assert_eq!(
                eval(&func, &params),
                naive::eval(&func, &params),
                "{elem} {m}x{k}x{n}"
            );
        }
    }
}

#[test]
fn contractions_of_wild_values_agree() {
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let elem = [Elem::F16, Elem::Bf16, Elem::F32][(seed % 3) as usize];
        let func = matrix_product(elem, 6, 40, 10);
        let params = wild_inputs(&func, &mut random);
        assert_eq!(
            eval(&func, &params),
            naive::eval(&func, &params),
            "seed {seed}"
        );
    }
}

#[test]
fn batched_grouped_and_nested_contractions_agree() {
    // Attention with grouped heads: s[h, i, j] = sum(d) q[h, i, d] * k[h / 2, j, d]; y = sum(j) f16(s * scale) * v.
    let (heads, rows, columns, depth) = (4, 7, 19, 10);
    let mut b = Builder::new("attention");
    let q = b.param("q", Elem::F16, &[heads, rows, depth]);
    let k = b.param("k", Elem::F16, &[heads / 2, columns, depth]);
    let v = b.param("v", Elem::F16, &[columns, heads, depth]);
    let (h, i, e) = (b.index("h", heads), b.index("i", rows), b.index("e", depth));
    let (j, d) = (b.index("j", columns), b.index("d", depth));
    let group = Affine {
        constant: 0,
        terms: [(1, Atom::Div(Affine::index(h).into(), 2))]
            .into_iter()
            .collect(),
    };
    let left = b.load(q, &[h, i, d]);
    let right = b.load_at(k, &[group, Affine::index(j), Affine::index(d)], None);
    let product = b.binary(BinaryOp::Mul, left, right);
    let score = b.reduce(ReduceOp::Sum, &[d], None, product, Order::Ascending);
    let weight = b.cast(score, Elem::F16);
    let value = b.load(v, &[j, h, e]);
    let product = b.binary(BinaryOp::Mul, weight, value);
    let sum = b.reduce(ReduceOp::Sum, &[j], None, product, Order::Ascending);
    let halved = b.float(Elem::F32, 0.5);
    let scaled = b.binary(BinaryOp::Mul, sum, halved);
    b.result("y", &[i, h, e], scaled);
    let params: Vec<Data> = b
        .func
        .params
        .iter()
        .map(|&t| {
            draw(
                Elem::F16,
                &b.func.tensors[t].shape,
                3,
                &b.func.tensors[t].name,
            )
        })
        .collect();
    run(&b.func, &params);
}

#[test]
fn a_convolution_with_borders_agrees() {
    // y[o, x] = sum(c, p) (img[c, x + p - 1] else 0) * w[o, c, p]
    let (outs, ins, width) = (5, 3, 40);
    for elem in [Elem::F16, Elem::I8] {
        let mut b = Builder::new("conv");
        let image = b.param("img", elem, &[ins, width]);
        let weights = b.param("w", elem, &[outs, ins, 3]);
        let (o, x) = (b.index("o", outs), b.index("x", width));
        let (c, p) = (b.index("c", ins), b.index("p", 3));
        let mut at = Affine::index(x);
        at.terms.push((1, Atom::Index(p)));
        at.constant = -1;
        let zero = if elem == Elem::F16 {
            b.float(elem, 0.0)
        } else {
            b.int(elem, 0)
        };
        let pixel = b.load_at(image, &[Affine::index(c), at], Some(zero));
        let weight = b.load(weights, &[o, c, p]);
        let product = b.binary(BinaryOp::Mul, pixel, weight);
        let sum = b.reduce(ReduceOp::Sum, &[c, p], None, product, Order::Ascending);
        b.result("y", &[o, x], sum);
        run(
            &b.func,
            &[
                draw(elem, &[ins, width], 1, "i"),
                draw(elem, &[outs, ins, 3], 1, "w"),
            ],
        );
    }
}

#[test]
fn bf16_products_beyond_f32_are_fused() {
    // 2^128 is no f32, but 2^128 - (2 - 2^-7) * 2^127 is: it is 2^120.
    let (wide, most) = (
        two_to(64),
        f64::from(isa::num::bf16_to_f32(isa::num::BF16_MAX)),
    );
    let func = matrix_product(Elem::Bf16, 20, 2, 30);
    let a = Data::from_f64(Elem::Bf16, &[-1.0, wide].repeat(20));
    let b = Data::from_f64(Elem::Bf16, &[[most; 30], [wide; 30]].concat());
    assert_eq!(f64::from(f32_at(&run(&func, &[a, b])[0], 7)), two_to(120));
}

/// A power of two in the normal range.
fn two_to(n: i32) -> f64 {
    f64::from_bits(((n + 1023) as u64) << 52)
}

/// Evaluates both ways.
fn run(func: &Func, params: &[Data]) -> Vec<Data> {
    let fast = eval(func, params).expect("the test's function is valid");
    assert_eq!(Ok(&fast), naive::eval(func, params).as_ref());
    fast
}

fn f32_at(data: &Data, position: usize) -> f32 {
    f32::from_bits(data.bits(Elem::F32, position) as u32)
}

fn sum_of(values: &[f32], order: Order) -> f32 {
    let n = values.len() as i64;
    let mut b = Builder::new("f");
    let x = b.param("x", Elem::F32, &[n]);
    let i = b.index("i", n);
    let load = b.load(x, &[i]);
    let sum = b.reduce(ReduceOp::Sum, &[i], None, load, order);
    b.result("y", &[], sum);
    f32_at(&run(&b.func, &[Data::from_f32s(values)])[0], 0)
}

fn rough(count: usize) -> Vec<f32> {
    let mut random = Random::new(7);
    (0..count)
        .map(|i| random.unit() as f32 * [1.0, 1e4, 1e-4][i % 3])
        .collect()
}

#[test]
fn lanes_are_interleaved_and_joined_by_adjacent_pairs() {
    for count in [1, 63, 64, 65, 1000, 1111] {
        let values = rough(count);
        let mut lanes = [0.0f32; 64];
        for (i, x) in values.iter().enumerate() {
            lanes[i % 64] += x;
        }
        let mut width = 64;
        while width > 1 {
            for i in 0..width / 2 {
                lanes[i] = lanes[2 * i] + lanes[2 * i + 1];
            }
            width /= 2;
        }
        assert_eq!(
            sum_of(&values, Order::Lanes(64)).to_bits(),
            lanes[0].to_bits(),
            "{count}"
        );
        assert_eq!(
            sum_of(&values, Order::Free).to_bits(),
            lanes[0].to_bits(),
            "{count}"
        );
    }
}

#[test]
fn ascending_and_tree_are_what_they_say() {
    let values = rough(5);
    let [a, b, c, d, e] = values[..] else {
        unreachable!("five values")
    };
    assert_eq!(
        sum_of(&values, Order::Ascending),
        ((((0.0 + a) + b) + c) + d) + e
    );
    assert_eq!(
        sum_of(&values, Order::Tree),
        ((a + b) + (c + d)) + ((e + 0.0) + (0.0 + 0.0))
    );
    // 1e8 + 1 - 1e8: what ascending loses.
    assert_eq!(sum_of(&[1e8, 1.0, -1e8], Order::Ascending), 0.0);
}

#[test]
fn exact_products_are_not_rounded_to_f16() {
    let func = matrix_product(Elem::F16, 1, 2, 1);
    // (1 + 2^-10)² = 1 + 2^-9 + 2^-20 has more digits than f16.
    let x = 1.0 + two_to(-10);
    let a = Data::from_f64(Elem::F16, &[x, 0.0]);
    let y = run(&func, &[a.clone(), a]);
    assert_eq!(f64::from(f32_at(&y[0], 0)), 1.0 + two_to(-9) + two_to(-20));
}

#[test]
fn f16_overflow_is_infinite_only_in_the_accumulator() {
    let func = matrix_product(Elem::F16, 1, 2, 1);
    let a = Data::from_f64(Elem::F16, &[60000.0, 60000.0]);
    assert_eq!(
        f32_at(&run(&func, &[a.clone(), a])[0], 0),
        2.0 * (60000.0f32 * 60000.0)
    );
}

#[test]
fn f32_products_round_before_they_are_added() {
    let func = matrix_product(Elem::F32, 1, 2, 1);
    let x = 1.0 + f32::EPSILON;
    let a = Data::from_f32s(&[-1.0, x]);
    let b = Data::from_f32s(&[x * x, x]);
    // A fused step would leave 2^-46.
    assert_eq!(
        f32_at(&run(&func, &[a, b])[0], 0).to_bits(),
        0.0f32.to_bits()
    );
}

#[test]
fn i8_sums_are_exact_and_i32_sums_wrap() {
    let func = matrix_product(Elem::I8, 1, 70_000, 2);
    let a = Data::from_i64(Elem::I8, &[-128; 70_000]);
    let b = Data::from_i64(Elem::I8, &[-128; 140_000]);
    let y = run(&func, &[a, b]);
    assert_eq!(y[0].get_i64(Elem::I32, 1), 16384 * 70_000);
    let func = matrix_product(Elem::I32, 1, 2, 1);
    let a = Data::from_i64(Elem::I32, &[i64::from(i32::MAX), 1]);
    let b = Data::from_i64(Elem::I32, &[1, 1]);
    assert_eq!(
        run(&func, &[a, b])[0].get_i64(Elem::I32, 0),
        i64::from(i32::MIN)
    );
}

/// One binary operation on two scalars.
fn scalar(elem: Elem, op: BinaryOp, a: f64, b: f64) -> f64 {
    let mut f = Builder::new("f");
    let (p, q) = (f.param("p", elem, &[]), f.param("q", elem, &[]));
    let (x, y) = (f.load(p, &[]), f.load(q, &[]));
    let value = f.binary(op, x, y);
    f.result("y", &[], value);
    let params = [Data::from_f64(elem, &[a]), Data::from_f64(elem, &[b])];
    run(&f.func, &params)[0].get_f64(elem, 0)
}

#[test]
fn half_arithmetic_rounds_once_and_saturates() {
    assert_eq!(scalar(Elem::F16, BinaryOp::Add, 2048.0, 1.0), 2048.0);
    assert_eq!(scalar(Elem::F16, BinaryOp::Add, 2048.0, 3.0), 2052.0);
    assert_eq!(scalar(Elem::F16, BinaryOp::Mul, 60000.0, 2.0), 65504.0);
    assert_eq!(
        scalar(Elem::F16, BinaryOp::Sub, f64::INFINITY, f64::INFINITY),
        0.0
    );
    assert_eq!(scalar(Elem::F16, BinaryOp::Div, -1.0, 0.0), -65504.0);
    assert_eq!(scalar(Elem::Bf16, BinaryOp::Add, 256.0, 1.0), 256.0);
    assert_eq!(scalar(Elem::F32, BinaryOp::Mul, 3e38, 2.0), f64::INFINITY);
}

#[test]
fn integers_wrap_and_truncate() {
    assert_eq!(scalar(Elem::I8, BinaryOp::Add, 127.0, 1.0), -128.0);
    assert_eq!(scalar(Elem::I8, BinaryOp::Div, -128.0, -1.0), -128.0);
    assert_eq!(scalar(Elem::I32, BinaryOp::Div, -7.0, 2.0), -3.0);
    assert_eq!(scalar(Elem::I32, BinaryOp::Rem, -7.0, 2.0), -1.0);
    assert_eq!(scalar(Elem::U8, BinaryOp::Sub, 0.0, 1.0), 255.0);
    assert_eq!(scalar(Elem::I32, BinaryOp::Shl, 1.0, 33.0), 2.0);
    assert_eq!(scalar(Elem::I32, BinaryOp::Shr, -8.0, 33.0), -4.0);
}

#[test]
fn maximum_and_minimum_know_nan_and_signed_zero() {
    assert!(scalar(Elem::F32, BinaryOp::Max, f64::NAN, 1.0).is_nan());
    assert!(scalar(Elem::F16, BinaryOp::Min, 1.0, f64::NAN).is_nan());
    assert!(scalar(Elem::F32, BinaryOp::Max, -0.0, 0.0).is_sign_positive());
    assert!(scalar(Elem::F32, BinaryOp::Min, 0.0, -0.0).is_sign_negative());
}

/// A reduction of a vector, items above `limit` masked.
fn reduced(op: ReduceOp, elem: Elem, values: &[f64], limit: Option<f64>) -> f64 {
    let n = values.len() as i64;
    let mut b = Builder::new("f");
    let x = b.param("x", elem, &[n]);
    let i = b.index("i", n);
    let load = b.load(x, &[i]);
    let mask = limit.map(|limit| {
        let limit = b.float(elem, limit);
        b.compare(CmpOp::Le, load, limit)
    });
    let value = b.reduce(op, &[i], mask, load, Order::Lanes(64));
    let out = b.elem(value);
    b.result("y", &[], value);
    run(&b.func, &[Data::from_f64(elem, values)])[0].get_f64(out, 0)
}

#[test]
fn positions_take_the_first_and_nan_wins() {
    let nan = f64::NAN;
    assert_eq!(
        reduced(ReduceOp::ArgMax, Elem::F32, &[1.0, 3.0, 3.0], None),
        1.0
    );
    assert_eq!(
        reduced(ReduceOp::ArgMin, Elem::F16, &[3.0, 1.0, 1.0], None),
        1.0
    );
    assert_eq!(
        reduced(ReduceOp::ArgMax, Elem::F32, &[1.0, nan, 9.0, nan], None),
        1.0
    );
    assert_eq!(
        reduced(ReduceOp::ArgMin, Elem::F32, &[1.0, -9.0, nan], None),
        2.0
    );
    assert_eq!(
        reduced(ReduceOp::ArgMax, Elem::F32, &[-0.0, 0.0], None),
        1.0
    );
    assert_eq!(
        reduced(ReduceOp::ArgMax, Elem::F32, &[1.0, 3.0, 2.0], Some(2.0)),
        2.0
    );
    assert_eq!(
        reduced(ReduceOp::ArgMax, Elem::F32, &[1.0, 3.0], Some(0.0)),
        0.0
    );
    assert_eq!(
        reduced(ReduceOp::ArgMax, Elem::I8, &[-3.0, -1.0], None),
        1.0
    );
}

#[test]
fn nothing_reduces_to_the_identity() {
    let empty = Some(-1.0);
    assert_eq!(reduced(ReduceOp::Sum, Elem::F32, &[1.0, 2.0], empty), 0.0);
    assert_eq!(reduced(ReduceOp::Prod, Elem::F16, &[1.0, 2.0], empty), 1.0);
    assert_eq!(
        reduced(ReduceOp::Max, Elem::F16, &[1.0, 2.0], empty),
        f64::NEG_INFINITY
    );
    assert_eq!(
        reduced(ReduceOp::Min, Elem::F32, &[1.0, 2.0], empty),
        f64::INFINITY
    );
    assert_eq!(
        reduced(ReduceOp::Max, Elem::F32, &[1.0, 2.0, 8.0], Some(4.0)),
        2.0
    );
    assert_eq!(
        reduced(ReduceOp::Sum, Elem::F32, &[1.0, 2.0, 8.0], Some(4.0)),
        3.0
    );
}

/// `if c[i] then x[i] / d[i] else -1` over i32.
fn guarded_division(c: &[i64], d: &[i64]) -> Result<Vec<i64>, EvalErrorKind> {
    let n = c.len() as i64;
    let mut b = Builder::new("f");
    let (tc, td) = (
        b.param("c", Elem::Bool, &[n]),
        b.param("d", Elem::I32, &[n]),
    );
    let i = b.index("i", n);
    let (c_i, d_i, hundred) = (b.load(tc, &[i]), b.load(td, &[i]), b.int(Elem::I32, 100));
    let quotient = b.binary(BinaryOp::Div, hundred, d_i);
    let otherwise = b.int(Elem::I32, -1);
    let value = b.select(c_i, quotient, otherwise);
    b.result("y", &[i], value);
    let params = [Data::from_i64(Elem::Bool, c), Data::from_i64(Elem::I32, d)];
    let fast = outcome(eval(&b.func, &params));
    assert_eq!(fast, outcome(naive::eval(&b.func, &params)));
    fast.map(|y| (0..c.len()).map(|i| y[0].get_i64(Elem::I32, i)).collect())
}

#[test]
fn the_unchosen_side_does_not_fault() {
    assert_eq!(
        guarded_division(&[1, 0, 1], &[7, 0, -3]),
        Ok(vec![14, -1, -33])
    );
    assert_eq!(
        guarded_division(&[1, 0, 1], &[7, 1, 0]),
        Err(EvalErrorKind::DivisionByZero)
    );
}

#[test]
fn a_masked_item_does_not_fault() {
    let mut b = Builder::new("f");
    let d = b.param("d", Elem::I32, &[4]);
    let i = b.index("i", 4);
    let (load, zero, twelve) = (b.load(d, &[i]), b.int(Elem::I32, 0), b.int(Elem::I32, 12));
    let mask = b.compare(CmpOp::Ne, load, zero);
    let quotient = b.binary(BinaryOp::Div, twelve, load);
    let sum = b.reduce(ReduceOp::Sum, &[i], Some(mask), quotient, Order::Ascending);
    b.result("y", &[], sum);
    let y = run(&b.func, &[Data::from_i64(Elem::I32, &[1, 0, 5, -3])]);
    assert_eq!(y[0].get_i64(Elem::I32, 0), 12 + 2 - 4);
}

#[test]
fn a_division_computed_for_some_lanes_is_not_taken_for_all() {
    // `(if c then 100 / d else -1) + 100 / d`: the quotient is one shared node.
    let mut b = Builder::new("f");
    let (tc, td) = (
        b.param("c", Elem::Bool, &[2]),
        b.param("d", Elem::I32, &[2]),
    );
    let i = b.index("i", 2);
    let (c, d, hundred) = (b.load(tc, &[i]), b.load(td, &[i]), b.int(Elem::I32, 100));
    let quotient = b.binary(BinaryOp::Div, hundred, d);
    let otherwise = b.int(Elem::I32, -1);
    let guarded = b.select(c, quotient, otherwise);
    let both = b.binary(BinaryOp::Add, guarded, quotient);
    b.result("y", &[i], both);
    let params = [
        Data::from_i64(Elem::Bool, &[1, 0]),
        Data::from_i64(Elem::I32, &[4, 0]),
    ];
    assert_eq!(
        outcome(eval(&b.func, &params)),
        Err(EvalErrorKind::DivisionByZero)
    );
    assert_eq!(
        outcome(naive::eval(&b.func, &params)),
        Err(EvalErrorKind::DivisionByZero)
    );
}

#[test]
fn a_division_outside_the_items_still_hides_behind_their_mask() {
    // sum(k where m[i]) 12 / d[i]
    let mut b = Builder::new("f");
    let (tm, td) = (
        b.param("m", Elem::Bool, &[3]),
        b.param("d", Elem::I32, &[3]),
    );
    let (i, k) = (b.index("i", 3), b.index("k", 2));
    let (mask, d, twelve) = (b.load(tm, &[i]), b.load(td, &[i]), b.int(Elem::I32, 12));
    let quotient = b.binary(BinaryOp::Div, twelve, d);
    let sum = b.reduce(ReduceOp::Sum, &[k], Some(mask), quotient, Order::Ascending);
    b.result("y", &[i], sum);
    let params = [
        Data::from_i64(Elem::Bool, &[1, 0, 1]),
        Data::from_i64(Elem::I32, &[4, 0, 3]),
    ];
    let y = run(&b.func, &params);
    assert_eq!(
        (0..3)
            .map(|i| y[0].get_i64(Elem::I32, i))
            .collect::<Vec<_>>(),
        [6, 0, 8]
    );
}

#[test]
fn lanes_and_trees_of_many_rows_agree() {
    for order in [
        Order::Lanes(64),
        Order::Lanes(4),
        Order::Tree,
        Order::Ascending,
    ] {
        for masked in [false, true] {
            let (rows, columns) = (70, 333);
            let mut b = Builder::new("f");
            let x = b.param("x", Elem::F32, &[rows, columns]);
            let (r, c) = (b.index("r", rows), b.index("c", columns));
            let load = b.load(x, &[r, c]);
            let limit = b.float(Elem::F32, 0.5);
            let mask = masked.then(|| b.compare(CmpOp::Lt, load, limit));
            let sum = b.reduce(ReduceOp::Sum, &[c], mask, load, order);
            b.result("y", &[r], sum);
            run(&b.func, &[draw(Elem::F32, &[rows, columns], 2, "x")]);
        }
    }
}

#[test]
fn a_border_is_taken_exactly_outside() {
    let mut b = Builder::new("f");
    let x = b.param("x", Elem::F32, &[4]);
    let (i, p) = (b.index("i", 4), b.index("p", 3));
    let mut at = Affine::index(i);
    at.terms.push((1, Atom::Index(p)));
    at.constant = -1;
    let border = b.float(Elem::F32, 0.5);
    let load = b.load_at(x, &[at], Some(border));
    let sum = b.reduce(ReduceOp::Sum, &[p], None, load, Order::Ascending);
    b.result("y", &[i], sum);
    let y = run(&b.func, &[Data::from_f32s(&[1.0, 2.0, 3.0, 4.0])]);
    let sums: Vec<f32> = (0..4).map(|i| f32_at(&y[0], i)).collect();
    assert_eq!(sums, [3.5, 6.0, 9.0, 7.5]);
}

#[test]
fn casts_round_and_overflow_as_written() {
    let cast = |x: f64, to: Elem, round: Round, overflow: Overflow| {
        let mut b = Builder::new("f");
        let p = b.param("x", Elem::F32, &[]);
        let load = b.load(p, &[]);
        let value = b.cast_as(load, to, round, overflow);
        b.result("y", &[], value);
        run(&b.func, &[Data::from_f64(Elem::F32, &[x])])[0].get_f64(to, 0)
    };
    let (saturate, keep, wrap) = (Overflow::Saturate, Overflow::Keep, Overflow::Wrap);
    assert_eq!(cast(2.5, Elem::I32, Round::Even, saturate), 2.0);
    assert_eq!(cast(2.5, Elem::I32, Round::Away, saturate), 3.0);
    assert_eq!(cast(-2.5, Elem::I32, Round::Floor, saturate), -3.0);
    assert_eq!(cast(-2.5, Elem::I32, Round::Trunc, saturate), -2.0);
    assert_eq!(cast(300.0, Elem::I8, Round::Even, saturate), 127.0);
    assert_eq!(cast(300.0, Elem::I8, Round::Even, wrap), 44.0);
    assert_eq!(cast(f64::NAN, Elem::I8, Round::Even, saturate), 0.0);
    assert_eq!(cast(1e9, Elem::F16, Round::Even, saturate), 65504.0);
    assert_eq!(cast(1e9, Elem::F16, Round::Even, keep), f64::INFINITY);
    assert_eq!(cast(f64::NAN, Elem::F16, Round::Even, saturate), 0.0);
}

#[test]
fn reductions_of_several_indices_flatten_the_last_fastest() {
    let mut b = Builder::new("f");
    let x = b.param("x", Elem::F32, &[2, 3]);
    let (i, j) = (b.index("i", 3), b.index("j", 2));
    let load = b.load(x, &[j, i]);
    // Position of the greatest over (i, j): i outer, j inner.
    let position = b.reduce(ReduceOp::ArgMax, &[i, j], None, load, Order::Ascending);
    b.result("y", &[], position);
    let y = run(&b.func, &[Data::from_f32s(&[0.0, 1.0, 2.0, 3.0, 9.0, 5.0])]);
    assert_eq!(y[0].get_i64(Elem::I32, 0), 3);
}

#[test]
fn softmax_is_the_written_sequence_of_operations() {
    let (rows, columns) = (3, 100);
    let mut b = Builder::new("softmax");
    let x = b.param("x", Elem::F32, &[rows, columns]);
    let (r, c) = (b.index("r", rows), b.index("c", columns));
    let load = b.load(x, &[r, c]);
    let top = b.reduce(ReduceOp::Max, &[c], None, load, Order::Ascending);
    let top = b.defined("top", crate::algo::Role::Let, &[r], top);
    let (r1, c1) = (b.index("r", rows), b.index("c", columns));
    let (load, top) = (b.load(x, &[r1, c1]), b.load(top, &[r1]));
    let shifted = b.binary(BinaryOp::Sub, load, top);
    let e = b.unary(UnaryOp::Exp, shifted);
    let e = b.defined("e", crate::algo::Role::Let, &[r1, c1], e);
    let (r2, c2) = (b.index("r", rows), b.index("c", columns));
    let load = b.load(e, &[r2, c2]);
    let z = b.reduce(ReduceOp::Sum, &[c2], None, load, Order::Lanes(64));
    b.result("z", &[r2], z);
    let x = draw(Elem::F32, &[rows, columns], 5, "x");
    let z = run(&b.func, std::slice::from_ref(&x));
    for row in 0..rows as usize {
        let values: Vec<f32> = (0..100).map(|c| f32_at(&x, row * 100 + c)).collect();
        let top = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let e: Vec<f32> = values.iter().map(|x| isa::num::exp_f32(x - top)).collect();
        assert_eq!(f32_at(&z[0], row), sum_of(&e, Order::Lanes(64)));
    }
}

#[test]
fn wrong_inputs_are_refused() {
    let func = matrix_product(Elem::F16, 2, 2, 2);
    let kind = |params: &[Data]| eval(&func, params).map_err(|error| error.kind);
    assert_eq!(kind(&[]), Err(EvalErrorKind::BadInput));
    let good = Data::zeros(Elem::F16, 4);
    let short = Data::zeros(Elem::F16, 3);
    assert_eq!(kind(&[good, short]), Err(EvalErrorKind::BadInput));
}
