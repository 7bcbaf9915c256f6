//! What programs mean: values by the evaluator, shapes of the IR, and binding of sizes.

use super::{checked, lowered, sizes, typed};
use crate::{Bindings, bind};
use ir::algo::data::Data;
use ir::algo::verify::verify;
use ir::algo::{ExprKind, Func, Order, Tensor, eval, print};
use isa::types::Elem;

/// Evaluates a kernel with f32 parameters and results.
fn run(func: &Func, params: &[&[f32]]) -> Vec<Vec<f32>> {
    let params: Vec<Data> = params.iter().map(|p| Data::from_f32s(p)).collect();
    let results = eval::eval(func, &params).expect("evaluates");
    let read = |data: &Data| {
        (0..data.count(Elem::F32))
            .map(|n| data.get_f64(Elem::F32, n) as f32)
            .collect()
    };
    results.iter().map(read).collect()
}

fn reductions(func: &Func) -> Vec<(Order, bool)> {
    let reduce = |kind: &ExprKind| {
        if let ExprKind::Reduce(r) = kind {
            Some((r.order, r.exact_product))
        } else {
            None
        }
    };
    func.exprs
        .values()
        .filter_map(|data| reduce(&data.kind))
        .collect()
}

#[test]
fn definitions_stand_in_any_order_and_extents_come_from_everywhere() {
    let text = "kernel k<R, C>(x: f32[R, C]) -> y: f32[R, C] {
        y[r, c] = e[r, c] / z[r];
        let z[r] = sum(c) e[r, c];
        let e[r, c] = exp(x[r, c] - top[r]);
        let top[r] = max(c) x[r, c];
    }";
    let func = lowered(text, &sizes(&[("R", 1), ("C", 2)]));
    assert_eq!(run(&func, &[&[0.0, 0.0]]), [[0.5, 0.5]]);
}

#[test]
fn tensor_functions_expand_with_their_names() {
    let text = "fn softmax<R, C>(x: f32[R, C]) -> y: f32[R, C] {
        let z[r] = sum(c) exp(x[r, c]);
        y[r, c] = exp(x[r, c]) / z[r];
    }
    kernel k<M, N>(a: f32[M, N]) -> y: f32[M, N] {
        let s = softmax(a);
        y = softmax(s) * 2.0 + s;
    }";
    let func = lowered(text, &sizes(&[("M", 2), ("N", 1)]));
    let names: Vec<&str> = func.tensors.values().map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["a", "y", "s.z", "s", "softmax.z", "softmax"]);
    assert_eq!(run(&func, &[&[3.0, 4.0]]), [[3.0, 3.0]]);
}

#[test]
fn calls_of_slices_depend_on_the_indices_around_them() {
    let text =
        "fn total<N>(x: f32[N]) -> t: f32 { let double[n] = x[n] * 2.0; t = sum(n) double[n]; }
    kernel k<H, N>(x: f32[H, N]) -> y: f32[H] { y[h] = total(x[h, :]) + total(x[h, :] * 0.5); }";
    let func = lowered(text, &sizes(&[("H", 2), ("N", 2)]));
    assert_eq!(run(&func, &[&[1.0, 2.0, 3.0, 4.0]]), [[9.0, 21.0]]);
    let transposed = "fn total<N>(x: f32[N]) -> t: f32 { t = sum(n) x[n]; }
    kernel k<H, N>(x: f32[H, N]) -> y: f32[N] { y[n] = total(x[:, n]); }";
    let func = lowered(transposed, &sizes(&[("H", 2), ("N", 2)]));
    assert_eq!(run(&func, &[&[1.0, 2.0, 3.0, 4.0]]), [[4.0, 6.0]]);
}

#[test]
fn scalar_functions_share_their_arguments() {
    let text = "fn square(x: f32) -> f32 { x * x } kernel k<N>(x: f32[N]) -> y: f32[N] { y[i] = square(exp(x[i])); }";
    let func = lowered(text, &sizes(&[("N", 1)]));
    assert_eq!(
        func.exprs.len(),
        3,
        "load, exp and product\n{}",
        print::print(&func)
    );
}

#[test]
fn orders_follow_the_language() {
    let orders = |body: &str| {
        let text = format!(
            "kernel k<M, N>(a: f16[M, N], b: f16[N, M], c: f32[M, N]) -> y: f32[M, M] {{ {body} }}"
        );
        reductions(&lowered(&text, &sizes(&[("M", 2), ("N", 2)])))
    };
    assert_eq!(
        orders("y[i, j] = sum(k) a[i, k] * b[k, j];"),
        [(Order::Ascending, true)]
    );
    assert_eq!(
        orders("y[i, j] = sum(k) a[i, k] * a[i, k];"),
        [(Order::Lanes(64), true)]
    );
    assert_eq!(
        orders("y[i, j] = sum(k) c[i, k] * c[j, k];"),
        [(Order::Ascending, false)]
    );
    assert_eq!(
        orders("y[i, j] = sum(k) c[i, k] * c[j, k] * c[i, k];"),
        [(Order::Lanes(64), false)]
    );
    assert_eq!(
        orders("y[i, j] = sum(k) c[i, k];"),
        [(Order::Lanes(64), false)]
    );
    assert_eq!(
        orders("y[i, j] = sum(k, order: tree) c[i, k];"),
        [(Order::Tree, false)]
    );
    assert_eq!(
        orders("y[i, j] = sum(k, order: lanes(8)) a[i, k] * b[k, j];"),
        [(Order::Lanes(8), true)]
    );
    let inlined = "fn dot<N>(a: f16[N], b: f16[N]) -> f32 { sum(k) a[k] * b[k] }
        kernel k<M, N>(a: f16[M, N], b: f16[N, M]) -> y: f32[M, M] { y[i, j] = dot(a[i, :], b[:, j]); }";
    assert_eq!(
        reductions(&lowered(inlined, &sizes(&[("M", 2), ("N", 2)]))),
        [(Order::Ascending, true)]
    );
    let free = "kernel k<N>(x: f32[N]) -> y: f32 order free { y = sum(i) x[i]; }";
    assert_eq!(
        reductions(&lowered(free, &sizes(&[("N", 2)]))),
        [(Order::Free, false)]
    );
}

#[test]
fn borders_affine_indices_and_quotients() {
    let text = "kernel k<N>(x: f32[N]) -> (y: f32[N], z: f32[2 * N], w: f32[N / 2]) {
        y[i] = sum(r: 3) (x[i + r - 1] else 0.0);
        z[i] = x[i / 2];
        w[i] = max(p: 2) x[2 * i + p];
    }";
    let func = lowered(text, &sizes(&[("N", 4)]));
    let results = run(&func, &[&[1.0, 2.0, 3.0, 4.0]]);
    assert_eq!(results[0], [3.0, 6.0, 9.0, 7.0]);
    assert_eq!(results[1], [1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0]);
    assert_eq!(results[2], [2.0, 4.0]);
}

#[test]
fn clamped_indices_pad_with_the_edge() {
    let text = "kernel k<N>(x: f32[N]) -> y: f32[N] { y[i] = x[clamp(i - 1, 0, N - 1)]; }";
    let func = lowered(text, &sizes(&[("N", 3)]));
    assert_eq!(run(&func, &[&[1.0, 2.0, 3.0]]), [[1.0, 1.0, 2.0]]);
}

#[test]
fn masks_conditions_and_indices_as_values() {
    let text = "kernel k<N>(x: f32[N]) -> (y: f32[N], z: f32[N]) {
        y[i] = sum(j where j <= i) x[j];
        z[i] = if (i + 1) % 2 == 0 && i > 0 then -x[i] else (i / 2) as f32;
    }";
    let func = lowered(text, &sizes(&[("N", 4)]));
    let results = run(&func, &[&[1.0, 2.0, 3.0, 4.0]]);
    assert_eq!(results[0], [1.0, 3.0, 6.0, 10.0]);
    assert_eq!(results[1], [0.0, -2.0, 1.0, -4.0]);
}

#[test]
fn negative_quotients_of_indices_floor() {
    let text = "kernel k<N>(x: f32[N]) -> (y: f32[N], z: f32[N]) {
        y[i] = ((i - 3) / 2) as f32 + x[i];
        z[i] = ((i - 3) % 2) as f32 + x[i];
    }";
    let func = lowered(text, &sizes(&[("N", 4)]));
    let results = run(&func, &[&[0.0; 4]]);
    assert_eq!(results[0], [-2.0, -1.0, -1.0, 0.0]);
    assert_eq!(results[1], [1.0, 0.0, 1.0, 0.0]);
}

#[test]
fn several_results_tuples_and_constants() {
    let text = "const HALF: f32 = 0.5; const N2 = 2;
    fn both<N>(x: f32[N]) -> (a: f32[N], b: f32) { a[i] = x[i] * HALF; b = sum(i) a[i]; }
    kernel k<N>(x: f32[N2 * N]) -> (y: f32[2 * N], t: f32) where N >= 1 {
        let (p, q) = both(x);
        y = p + q;
        t = q;
        assert N < 100;
    }";
    let func = lowered(text, &sizes(&[("N", 1)]));
    assert_eq!(run(&func, &[&[2.0, 4.0]]), [vec![4.0, 5.0], vec![3.0]]);
}

#[test]
fn generic_functions_take_their_types_from_arguments() {
    let text = "fn twice<T: num>(x: T) -> T { x * 2 }
    kernel k<N, T: float>(x: T[N], i: i32[N]) -> (y: T[N], j: i32[N]) { y[n] = twice(x[n]); j[n] = twice(i[n]); }";
    for elem in [Elem::F16, Elem::F32, Elem::Bf16] {
        let func = lowered(text, &typed(&[("N", 2)], &[("T", elem)]));
        assert_eq!(func.tensors[func.results[0]].elem, elem);
    }
}

#[test]
fn roundings_and_overflow_reach_the_ir() {
    let text = "kernel k<N>(x: f32[N]) -> (a: f16[N], b: i8[N], c: f16[N], d: bool[N]) {
        a[i] = x[i] as f16 round floor inf;
        b[i] = x[i] as i8 round away wrap;
        c[i] = x[i] as f16 round odd saturate;
        d[i] = x[i] == inf || !(x[i] != nan);
    }";
    let shown = print::print(&lowered(text, &sizes(&[("N", 2)])));
    assert!(shown.contains("as f16 round floor inf"), "{shown}");
    assert!(shown.contains("as i8 round away wrap"), "{shown}");
    assert!(shown.contains("as f16 round odd;"), "{shown}");
}

#[test]
fn every_reduction_compiles() {
    let text = "kernel k<N>(x: f32[N]) -> (a: f32, b: f32, c: bool, d: bool, e: i32, f: i32) {
        a = prod(i) x[i]; b = min(i) x[i]; c = any(i) (x[i] > 1.0); d = all(i) (x[i] > 0.0);
        e = argmax(i) x[i]; f = argmin(i) x[i];
    }";
    let func = lowered(text, &sizes(&[("N", 3)]));
    let results = eval::eval(&func, &[Data::from_f32s(&[2.0, 3.0, 0.5])]).expect("evaluates");
    assert_eq!(results[0].get_f64(Elem::F32, 0), 3.0);
    assert_eq!(results[4].get_i64(Elem::I32, 0), 1);
    assert_eq!(results[5].get_i64(Elem::I32, 0), 2);
}

#[test]
fn sizes_follow_from_arguments() {
    let text = "kernel k<H, G, D>(q: f32[H * G, D], k: f32[H, D]) -> y: f32[H * G, D] { y[h, d] = q[h, d] * k[h / G, d]; }";
    let (_, checked) = checked(text);
    let mut given = Bindings::default();
    given.params.insert("q".into(), (Elem::F32, vec![12, 8]));
    given.params.insert("k".into(), (Elem::F32, vec![3, 8]));
    let func = bind(&checked, "k", &given).expect("binds");
    assert_eq!(
        func.sizes,
        [("H".into(), 3), ("G".into(), 4), ("D".into(), 8)]
    );
}

#[test]
fn constants_fold() {
    let text =
        "kernel k<N, D>(x: f32[N]) -> y: f32[N] { let s = rsqrt(D as f32); y[i] = x[i] * s; }";
    let func = lowered(text, &sizes(&[("N", 2), ("D", 16)]));
    assert_eq!(func.defs.len(), 1, "{}", print::print(&func));
    assert_eq!(run(&func, &[&[1.0, 2.0]]), [[0.25, 0.5]]);
}

#[test]
fn scalars_reach_tensor_functions_by_value_and_by_index() {
    let text = "fn affine<N>(x: f32[N], a: f32, b: f32) -> y: f32[N] { y[n] = x[n] * a + b; }
    kernel k<H, N>(x: f32[H, N], s: f32[H], eps: f32) -> (y: f32[H, N], z: f32[N]) {
        y[h, n] = affine(x[h, :], s[h] * 2.0, eps)[n];
        z = affine(x[0, :], 3.0, sum(h) s[h]);
    }";
    let func = lowered(text, &sizes(&[("H", 2), ("N", 1)]));
    let results = run(&func, &[&[1.0, 2.0], &[3.0, 4.0], &[0.5]]);
    assert_eq!(results[0], [6.5, 16.5], "{}", print::print(&func));
    assert_eq!(results[1], [10.0]);
}

#[test]
fn unused_definitions_are_dropped() {
    let text = "fn two<N>(x: f32[N]) -> (a: f32[N], b: f32[N]) { a[i] = x[i]; b[i] = exp(x[i]); }
    kernel k<N>(x: f32[N]) -> y: f32[N] { let (p, q) = two(x); let unused = q * 2.0; y = p; }";
    let func = lowered(text, &sizes(&[("N", 1)]));
    let names: Vec<&str> = func.tensors.values().map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["x", "y", "p"]);
}

#[test]
fn a_fold_keeps_what_merges_it_beside_its_fields() {
    let text = "kernel k<R, C>(x: f32[R, C]) -> (y: f32[R], z: f32[R]) {
        let low[r] = min(c) x[r, c];
        let _spread[r] = low[r] * 2.0;
        let st[r] = fold(c) logsumexp(x[r, c]);
        y[r] = st[r].m + log(st[r].l);
        let top[r] = max(c) x[r, c];
        z[r] = sum(c, order: ascending) (x[r, c] - top[r]);
    }";
    let func = lowered(text, &sizes(&[("R", 2), ("C", 3)]));
    let name = |tensor: &Tensor| func.tensors[*tensor].name.as_str();
    let regrouped: Vec<&str> = func.regrouped.iter().map(name).collect();
    assert_eq!(regrouped, ["st.m", "st.m_2", "st.l"]);
    let [merge] = func.merges.as_slice() else {
        panic!("one fold, one merge");
    };
    let fields: Vec<&str> = merge.fields.iter().flatten().map(name).collect();
    assert_eq!(
        (merge.monoid.as_str(), fields),
        ("logsumexp", vec!["st.m", "st.l"])
    );
    assert_eq!(merge.start, [f64::NEG_INFINITY, 0.0]);
    assert_eq!(verify(&merge.func), Ok(()));
}

#[test]
fn sizes_may_be_named_and_small_types_work() {
    let text = "kernel k<N>(x: u8[N], m: bool[N], w: i16[N]) -> (y: i32[N / 2], c: i32, d: i32) {
        let half = N / 2;
        y[i] = x[i + 0] as i32 + (half * 2 + i) as i32;
        c = sum(i where m[i]) x[i];
        d = sum(i) w[i] * w[i];
    }";
    let func = lowered(text, &sizes(&[("N", 4)]));
    let params = [
        Data::from_i64(Elem::U8, &[1, 2, 250, 255]),
        Data::from_i64(Elem::Bool, &[1, 0, 1, 1]),
        Data::from_i64(Elem::I16, &[1000, -1000, 1, 2]),
    ];
    let results = eval::eval(&func, &params).expect("evaluates");
    assert_eq!(
        (
            results[0].get_i64(Elem::I32, 0),
            results[0].get_i64(Elem::I32, 1)
        ),
        (5, 7)
    );
    assert_eq!(results[1].get_i64(Elem::I32, 0), 506);
    assert_eq!(results[2].get_i64(Elem::I32, 0), 2_000_005);
}

#[test]
fn conditions_of_functions_are_checked_where_they_are_called() {
    let text = "fn even<N>(x: f32[N]) -> y: f32[N] where N % 2 == 0 { y = x; }
    kernel k<N>(x: f32[N]) -> y: f32[N] { y = even(x); }";
    let (_, checked) = checked(text);
    assert!(bind(&checked, "k", &sizes(&[("N", 4)])).is_ok());
    let found = bind(&checked, "k", &sizes(&[("N", 3)])).expect_err("N is odd");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].code.as_str(), "E0309");
    assert_eq!(found[0].labels().len(), 2, "the condition and the call");
}

#[test]
fn definitions_come_in_parts() {
    let rotary = "kernel k<H, D>(x: f32[H, 2 * D], c: f32[D], s: f32[D]) -> y: f32[H, 2 * D] {
        y[h, 2 * p]     = x[h, 2 * p] * c[p] - x[h, 2 * p + 1] * s[p];
        y[h, 2 * p + 1] = x[h, 2 * p] * s[p] + x[h, 2 * p + 1] * c[p];
    }";
    let func = lowered(rotary, &sizes(&[("H", 1), ("D", 2)]));
    let y = run(&func, &[&[1.0, 2.0, 3.0, 4.0], &[1.0, 0.0], &[0.0, 1.0]]);
    assert_eq!(y, [[1.0, 2.0, -4.0, 3.0]]);
    let concat = "kernel k<M, N>(a: f32[M], b: f32[N]) -> (y: f32[M + N], z: f32) {
        y[i] = a[i];
        z = sum(i) y[i];
        y[M + j] = b[j] + j as f32;
    }";
    let func = lowered(concat, &sizes(&[("M", 2), ("N", 3)]));
    let results = run(&func, &[&[1.0, 2.0], &[3.0, 4.0, 5.0]]);
    assert_eq!(
        results[0],
        [1.0, 2.0, 3.0, 5.0, 7.0],
        "{}",
        print::print(&func)
    );
    assert_eq!(results[1], [18.0]);
    let product = "kernel k<M, N>(a: f32[M, N], b: f32[N, M]) -> y: f32[2 * M, M] {
        y[2 * i, j] = sum(k) a[i, k] * b[k, j];
        y[2 * i + 1, j] = a[i, 0] * 0.0;
    }";
    let func = lowered(product, &sizes(&[("M", 1), ("N", 2)]));
    assert_eq!(reductions(&func), [(Order::Ascending, false)]);
    assert_eq!(run(&func, &[&[1.0, 2.0], &[3.0, 4.0]]), [[11.0, 0.0]]);
}

#[test]
fn calls_nest_and_contexts_accumulate() {
    let text = "fn total<N>(x: f32[N]) -> t: f32 { t = sum(n) x[n]; }
    fn share<M, N>(x: f32[M, N]) -> y: f32[M, N] { y[m, n] = x[m, n] / total(x[m, :]); }
    kernel k<H, M, N>(x: f32[H, M, N]) -> y: f32[H, M, N] { y[h, m, n] = share(x[h, :, :])[m, n]; }";
    let func = lowered(text, &sizes(&[("H", 2), ("M", 1), ("N", 2)]));
    assert_eq!(
        run(&func, &[&[1.0, 3.0, 2.0, 2.0]]),
        [[0.25, 0.75, 0.5, 0.5]]
    );
}

/// Greatest error in ulps of f32 over a grid of arguments.
fn worst_ulps(name: &str, range: (f64, f64), exact: impl Fn(f64) -> f64) -> f64 {
    let text = format!("kernel k<N>(x: f32[N]) -> y: f32[N] {{ y[i] = {name}(x[i]); }}");
    let count = 20_000;
    let func = lowered(&text, &sizes(&[("N", count)]));
    let step = (range.1 - range.0) / count as f64;
    let xs: Vec<f32> = (0..count)
        .map(|n| (range.0 + (n as f64 + 0.37) * step) as f32)
        .collect();
    let ys = run(&func, &[&xs]).remove(0);
    let ulps = xs.iter().zip(ys).map(|(x, y)| {
        let exact = exact(f64::from(*x));
        let near = exact as f32;
        let ulp = f64::from(f32::from_bits(near.abs().to_bits() + 1)) - f64::from(near.abs());
        (f64::from(y) - exact).abs() / ulp
    });
    ulps.fold(0.0, f64::max)
}

/// tanh from its exponential in f64, by a series near 0.
fn tanh(x: f64) -> f64 {
    let e = exp(2.0 * x);
    let s = x * x;
    let series =
        x * (1.0 - s * (1.0 / 3.0 - s * (2.0 / 15.0 - s * (17.0 / 315.0 - s * (62.0 / 2835.0)))));
    if x.abs() < 0.02 {
        series
    } else {
        1.0 - 2.0 / (e + 1.0)
    }
}

/// The exponential by halving and its series: good to 1e-14.
pub(super) fn exp(x: f64) -> f64 {
    let small = x / 1024.0;
    let mut term = 1.0;
    let mut sum = 0.0;
    for n in 1..12 {
        term *= small / f64::from(n);
        sum += term;
    }
    // (1 + s)² - 1 = s (2 + s) keeps the digits.
    (0..10).for_each(|_| sum *= 2.0 + sum);
    1.0 + sum
}

/// The sine by its series after reduction.
fn sin(x: f64) -> f64 {
    let turns = (x / std::f64::consts::PI).round();
    let r = x - turns * std::f64::consts::PI;
    let (mut term, mut sum) = (r, r);
    for n in 1..12 {
        let n = f64::from(n);
        term *= -r * r / ((2.0 * n) * (2.0 * n + 1.0));
        sum += term;
    }
    if turns.rem_euclid(2.0) == 0.0 {
        sum
    } else {
        -sum
    }
}

/// The error function by its series, which alternates too much beyond 3.
fn erf(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for n in 1..120 {
        let n = f64::from(n);
        term *= -x * x / n;
        sum += term / (2.0 * n + 1.0);
    }
    sum * 2.0 / std::f64::consts::PI.sqrt()
}

#[test]
fn prelude_functions_keep_their_stated_errors() {
    assert!(worst_ulps("tanh", (-10.0, 10.0), tanh) <= 1.5);
    assert!(worst_ulps("tanh", (-0.6, 0.6), tanh) <= 1.0);
    assert!(worst_ulps("sigmoid", (-80.0, 80.0), |x| 1.0 / (1.0 + exp(-x))) <= 2.5);
    assert!(worst_ulps("rsqrt", (1e-3, 1e3), |x| 1.0 / x.sqrt()) <= 1.5);
    assert!(worst_ulps("reciprocal", (1e-3, 1e3), |x| 1.0 / x) <= 0.5);
    assert!(worst_ulps("erf", (-2.9, 2.9), erf) <= 1.5);
    assert!(worst_ulps("sin", (-3.0, 3.0), sin) <= 2.5);
    assert!(worst_ulps("cos", (-1.5, 1.5), |x| sin(x + std::f64::consts::FRAC_PI_2)) <= 2.5);
}
