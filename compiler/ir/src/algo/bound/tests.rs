//! The typed evaluator stays within the bound, and the bound is not idle.

use isa::types::Elem;

use super::{compare, eval_bounded, spread_sample};
use crate::algo::data::{Data, Random, draw};
use crate::algo::eval::eval;
use crate::algo::sample::{Builder, matrix_product, random_func, wild_inputs};
use crate::algo::{BinaryOp, CmpOp, ExprKind, Func, Order, ReduceOp, Role, UnaryOp};

/// Every result of the evaluator against its reference; the worst ratio of deviation to bound.
fn check(func: &Func, params: &[Data]) -> Vec<super::Deviation> {
    let got = eval(func, params).expect("the test's function runs");
    let reference = eval_bounded(func, params, None).expect("the test's function runs");
    let mut deviations = Vec::new();
    for ((&tensor, got), reference) in func.results.iter().zip(&got).zip(&reference) {
        let reference: Vec<_> = reference
            .iter()
            .enumerate()
            .map(|(i, &(value, error))| (i, value, error))
            .collect();
        deviations.push(compare(func.tensors[tensor].elem, got, &reference));
    }
    deviations
}

#[test]
fn random_functions_stay_within_their_bounds() {
    let (mut compared, mut promised) = (0, 0);
    for seed in 0..250 {
        let mut random = Random::new(seed);
        let func = random_func(&mut random);
        let params = wild_inputs(&func, &mut random);
        if eval(&func, &params).is_err() || eval_bounded(&func, &params, None).is_err() {
            continue;
        }
        let reference = eval_bounded(&func, &params, None).expect("it ran before");
        promised += reference
            .iter()
            .flatten()
            .filter(|(_, error)| error.is_finite())
            .count();
        for (result, deviation) in check(&func, &params).into_iter().enumerate() {
            assert!(
                deviation.within,
                "seed {seed}, result {result}: {deviation:?}"
            );
            compared += deviation.checked;
        }
    }
    assert!(
        compared > 5_000 && promised * 10 > compared * 7,
        "{promised} of {compared}"
    );
}

#[test]
fn matrix_products_are_within_a_bound_that_is_not_idle() {
    for elem in [Elem::F16, Elem::Bf16, Elem::F32] {
        let func = matrix_product(elem, 20, 500, 20);
        let params = [
            draw(elem, &[20, 500], 1, "a"),
            draw(elem, &[500, 20], 1, "b"),
        ];
        let deviation = &check(&func, &params)[0];
        assert!(deviation.within, "{deviation:?}");
        // Partial sums reach about 10: 500 roundings of half an ulp there are 2.4e-4.
        assert!(
            deviation.allowed > 0.0 && deviation.allowed < 3e-4,
            "{deviation:?}"
        );
        assert!(deviation.max_abs > 0.0);
    }
}

#[test]
fn whole_products_are_bounded_like_sampled_ones() {
    for (elem, order) in [
        (Elem::F16, Order::Ascending),
        (Elem::F32, Order::Ascending),
        (Elem::F32, Order::Free),
        (Elem::Bf16, Order::Lanes(64)),
    ] {
        let mut func = matrix_product(elem, 13, 300, 21);
        for data in func.exprs.values_mut() {
            if let ExprKind::Reduce(reduce) = &mut data.kind {
                reduce.order = order;
            }
        }
        let params = [
            draw(elem, &[13, 300], 1, "a"),
            draw(elem, &[300, 21], 1, "b"),
        ];
        let every: Vec<usize> = (0..13 * 21).collect();
        let all = eval_bounded(&func, &params, None).expect("valid");
        let each = eval_bounded(&func, &params, Some(&[every])).expect("valid");
        for (all, each) in all[0].iter().zip(&each[0]) {
            assert_eq!(all.0, each.0);
            let ratio = all.1 / each.1;
            assert!(
                (0.999..1.1).contains(&ratio),
                "{elem} {order:?}: {all:?} {each:?}"
            );
        }
    }
}

#[test]
fn a_wrong_bit_is_found() {
    let func = matrix_product(Elem::F16, 4, 8, 4);
    let params = [
        draw(Elem::F16, &[4, 8], 1, "a"),
        draw(Elem::F16, &[8, 4], 1, "b"),
    ];
    let mut got = eval(&func, &params).expect("valid")[0].clone();
    let reference = eval_bounded(&func, &params, Some(&[vec![5]])).expect("valid");
    let (value, error) = reference[0][0];
    assert!(compare(Elem::F32, &got, &[(5, value, error)]).within);
    let bits = got.bits(Elem::F32, 5);
    got.set_bits(Elem::F32, 5, bits ^ 64);
    let deviation = compare(Elem::F32, &got, &[(5, value, error)]);
    assert!(!deviation.within && deviation.outside == 1 && deviation.worst_index == 5);
}

fn softmax(rows: i64, columns: i64, elem: Elem) -> Func {
    let mut b = Builder::new("softmax");
    let x = b.param("x", elem, &[rows, columns]);
    let (r, c) = (b.index("r", rows), b.index("c", columns));
    let load = b.load(x, &[r, c]);
    let wide = b.cast(load, Elem::F32);
    let top = b.reduce(ReduceOp::Max, &[c], None, wide, Order::Ascending);
    let top = b.defined("top", Role::Let, &[r], top);
    let (r1, c1) = (b.index("r", rows), b.index("c", columns));
    let (load, top) = (b.load(x, &[r1, c1]), b.load(top, &[r1]));
    let wide = b.cast(load, Elem::F32);
    let shifted = b.binary(BinaryOp::Sub, wide, top);
    let e = b.unary(UnaryOp::Exp, shifted);
    let e = b.defined("e", Role::Let, &[r1, c1], e);
    let (r2, c2) = (b.index("r", rows), b.index("c", columns));
    let load = b.load(e, &[r2, c2]);
    let z = b.reduce(ReduceOp::Sum, &[c2], None, load, Order::Lanes(64));
    let z = b.defined("z", Role::Let, &[r2], z);
    let (r3, c3) = (b.index("r", rows), b.index("c", columns));
    let (e, z) = (b.load(e, &[r3, c3]), b.load(z, &[r3]));
    let quotient = b.binary(BinaryOp::Div, e, z);
    let y = b.cast(quotient, elem);
    b.result("y", &[r3, c3], y);
    b.func
}

#[test]
fn softmax_is_close_and_a_sample_equals_the_whole() {
    for elem in [Elem::F16, Elem::F32] {
        let func = softmax(3, 1000, elem);
        let params = [draw(elem, &[3, 1000], 9, "x")];
        let deviation = &check(&func, &params)[0];
        assert!(deviation.within, "{deviation:?}");
        let all = eval_bounded(&func, &params, None).expect("valid");
        let sample = spread_sample(3000, 7);
        let some = eval_bounded(&func, &params, Some(std::slice::from_ref(&sample)));
        let expected: Vec<(f64, f64)> = sample.iter().map(|&i| all[0][i]).collect();
        assert_eq!(some.expect("valid")[0], expected);
        let total: f64 = all[0][..1000].iter().map(|(value, _)| value).sum();
        assert!((total - 1.0).abs() < 1e-12, "{total}");
    }
}

/// The reference of one scalar expression of an f32 parameter.
fn one(x: f32, build: impl Fn(&mut Builder, crate::algo::Expr) -> crate::algo::Expr) -> (f64, f64) {
    let mut b = Builder::new("f");
    let p = b.param("x", Elem::F32, &[]);
    let load = b.load(p, &[]);
    let value = build(&mut b, load);
    b.result("y", &[], value);
    eval_bounded(&b.func, &[Data::from_f32s(&[x])], None).expect("valid")[0][0]
}

#[test]
fn one_operation_costs_half_an_ulp_and_an_exact_one_nothing() {
    let third = one(3.0, |b, x| {
        let unit = b.float(Elem::F32, 1.0);
        b.binary(BinaryOp::Div, unit, x)
    });
    assert_eq!(third.0, 1.0 / 3.0);
    assert!(
        (1.0 / 67_108_864.0..1.01 / 67_108_864.0).contains(&third.1),
        "{third:?}"
    );
    let exact = one(3.0, |b, x| b.binary(BinaryOp::Add, x, x));
    assert_eq!(exact, (6.0, 0.0));
    let saturated = one(1e6, |b, x| b.cast(x, Elem::F16));
    assert_eq!(saturated, (65504.0, 0.0));
}

#[test]
fn an_uncertain_choice_allows_both_sides() {
    // exp(x) is only known to half an ulp, so `exp(x) < f32(exp(x))` may go either way.
    let close = f64::from(isa::num::exp_f32(0.3));
    let (_, error) = one(0.3, |b, x| {
        let e = b.unary(UnaryOp::Exp, x);
        let limit = b.float(Elem::F32, close);
        let below = b.compare(CmpOp::Lt, e, limit);
        let (five, seven) = (b.float(Elem::F32, 5.0), b.float(Elem::F32, 7.0));
        b.select(below, five, seven)
    });
    assert_eq!(error, 2.0);
}

#[test]
fn samples_are_spread_from_the_first_to_the_last() {
    assert_eq!(spread_sample(3, 10), [0, 1, 2]);
    assert_eq!(spread_sample(101, 5), [0, 25, 50, 75, 100]);
    assert_eq!(spread_sample(10, 1), [0]);
}

#[test]
fn a_product_whose_parts_leave_the_range_is_not_bounded() {
    let mut b = Builder::new("product");
    let x = b.param("x", Elem::F32, &[4]);
    let i = b.index("i", 4);
    let load = b.load(x, &[i]);
    let product = b.reduce(ReduceOp::Prod, &[i], None, load, Order::Lanes(64));
    b.result("p", &[], product);
    for (items, bounded) in [
        ([1e-30, 1e-30, 1e38, 1e38], false),
        ([3e38, 3e38, 1e-38, 1e-38], false),
        ([1e-30, 1e-30, 1e30, 1e7], true),
        ([2.0, 3.0, 0.5, 7.0], true),
    ] {
        let data = Data::from_f32s(&items);
        let got = eval(&b.func, std::slice::from_ref(&data)).expect("valid");
        let reference = eval_bounded(&b.func, &[data], None).expect("valid");
        let (value, error) = reference[0][0];
        assert_eq!(error.is_finite(), bounded, "{items:?}");
        assert!(compare(Elem::F32, &got[0], &[(0, value, error)]).within);
    }
}
