//! One bad program for each kind of mistake: its code, the text under its span, and nothing besides.

use super::{checked, shown, sizes, typed};
use crate::{Bindings, bind};
use diag::FileId;
use isa::types::Elem;

/// Checks a text and compares `CODE text under the span` lines; what differs, if anything.
fn differs(text: &str, wanted: &[&str]) -> Option<String> {
    let (diagnostics, _) = checked(text);
    let line = |d: &diag::Diagnostic| {
        let span = d.span();
        let place = if span.file == FileId(0) {
            text.get(span.range()).unwrap_or("?")
        } else {
            ""
        };
        format!("{} {place}", d.code)
    };
    let found: Vec<String> = diagnostics.iter().map(line).collect();
    (found != wanted).then(|| {
        format!(
            "{text}\n  wanted {wanted:?}\n  found  {found:?}\n{}\n",
            shown(text, &diagnostics)
        )
    })
}

/// Checks a table of texts.
fn expect(table: &[(&str, &[&str])]) {
    let all: Vec<String> = table
        .iter()
        .filter_map(|(text, wanted)| differs(text, wanted))
        .collect();
    assert!(all.is_empty(), "{}", all.join("\n"));
}

/// A kernel over `x: f32[M, N]`, `v: f32[N]`, `h: f16[N]`, `n: i32[N]` with the result `y: f32[M]`.
fn bodies(table: &[(&str, &[&str])]) {
    let kernel = |body: &str| {
        format!(
            "kernel k<M, N>(x: f32[M, N], v: f32[N], h: f16[N], n: i32[N]) -> y: f32[M] {{ {body} }}"
        )
    };
    let all: Vec<String> = table
        .iter()
        .filter_map(|(body, wanted)| differs(&kernel(body), wanted))
        .collect();
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn names() {
    bodies(&[
        ("y[i] = sum(j) x[i, j] * vv[j];", &["E0201 vv"]),
        (
            "y[i] = (sum(j) x[i, j] * w[j]) + w[0] + u;",
            &["E0201 w", "E0201 u"],
        ),
        ("y[i] = sum(j) x[i, k] * v[j];", &["E0205 k"]),
        ("y[i] = x[i, j];", &["E0205 j"]),
        ("y[i] = gleu(x[i, 0]);", &["E0209 gleu"]),
        ("let t = 1.0; let t = 2.0; y[i] = t;", &["E0202 t"]),
        (
            "let a[i: M] = b[i]; let b[i: M] = a[i]; y[i] = a[i];",
            &["E0203 let a[i: M] = b[i];"],
        ),
        ("y[i] = y[i];", &["E0203 y[i] = y[i];"]),
        ("let a = v;", &["E0204 y: f32[M]"]),
        ("y[i] = x[i, 0]; y[i] = x[i, 0];", &["E0204 y"]),
        ("x[i, j] = 0.0; y[i] = 0.0;", &["E0204 x"]),
        ("z[i] = 0.0;", &["E0201 z"]),
        ("1.0 = 2.0; y[i] = 0.0;", &["E0204 1.0"]),
        ("y[i] = 0.0; y", &["E0204 y"]),
        ("y[i] = sum(j) x[i, 0];", &["E0206 j"]),
        ("y[M] = 0.0;", &["E0207 M"]),
        ("y[i] = sum(i) x[i, 0];", &["E0207 i"]),
        ("y[i] = exp[i];", &["E0201 exp"]),
        ("y[i] = tanh[i];", &["E0208 tanh"]),
        ("y[i] = tanh;", &["E0208 tanh"]),
        ("y[i] = v(i);", &["E0208 v"]),
        ("y[i] = x[i, 0] as f32 round nearest;", &["E0201 nearest"]),
    ]);
}

#[test]
fn items() {
    expect(&[
        (
            "fn f(x: f32) -> f32 { g(x) } fn g(x: f32) -> f32 { f(x) }",
            &["E0203 g"],
        ),
        ("fn f(x: f32) -> f32 { f(x) }", &["E0203 f"]),
        (
            "const A = B; const B = A; fn f(x: f32) -> f32 { x + A }",
            &["E0203 A"],
        ),
        ("fn f(x: f32) -> f32 { let a = x; }", &["E0204 f"]),
        (
            "fn f(x: f32) -> f32 { x } fn f(x: f32) -> f32 { x }",
            &["E0202 f"],
        ),
        (
            "kernel a<N>(x: f32[N]) -> y: f32[N] { y = x; } kernel b<N>(x: f32[N]) -> y: f32[N] { y = a(x); }",
            &["E0208 a"],
        ),
        ("use nn::softmax;", &["E0209 softmax"]),
        ("fn f(x: f33) -> f32 { 1.0 }", &["E0313 f33"]),
        ("fn f<T: real>(x: T) -> T { x }", &["E0313 real"]),
        (
            "kernel k<N>(x: f32[N, Q]) -> y: f32[N] { y[i] = x[i, 0]; }",
            &["E0201 Q"],
        ),
    ]);
}

#[test]
fn shapes_and_sizes() {
    bodies(&[
        (
            "y[i] = sum(j) x[i, j] * t[j]; let t[j] = x[j, j];",
            &["E0304 j"],
        ),
        ("y[i] = v[i];", &["E0304 i"]),
        ("y[i] = x[i];", &["E0305 x[i]"]),
        ("y[i, j] = x[i, j];", &["E0305 y[i, j]"]),
        ("y[i] = x;", &["E0305 x"]),
        ("y[i] = x[i, :];", &["E0305 :"]),
        ("y[i] = x[i, 0] + x[i + 1, 0];", &["E0306 i + 1"]),
        ("y[i] = x[i, N];", &["E0306 N"]),
        (
            "y[i] = x[i, 9223372036854775807 * 2];",
            &["E0307 9223372036854775807 * 2"],
        ),
        ("y = v;", &["E0310 v"]),
        ("y = x * v;", &["E0310 v"]),
        (
            "y[i] = exp(v[0], 2.0) + x[i, 0];",
            &["E0311 exp(v[0], 2.0)"],
        ),
        ("let t[j] = 1.0; y[i] = t[0];", &["E0312 j"]),
        ("y[i] = sum(r) (x[i, r - 1] else 0.0);", &["E0312 r"]),
        ("y[i] = v[N / 0] + x[i, 0];", &["E0309 0"]),
    ]);
    expect(&[(
        "fn f<N>(x: f32) -> f32 { x } fn g(x: f32) -> f32 { f(x) }",
        &["E0314 f"],
    )]);
}

#[test]
fn types() {
    bodies(&[
        ("y[i] = x[i, 0] * h[0];", &["E0301 h[0]"]),
        ("y[i] = h[0];", &["E0301 h[0]"]),
        ("y[i] = i + x[i, 0];", &["E0301 x[i, 0]"]),
        ("y[i] = if x[i, 0] then 1.0 else 2.0;", &["E0301 x[i, 0]"]),
        ("let t = n[0] + 1.5; y[i] = 1.0;", &["E0301 1.5"]),
        (
            "let t = n[0] + 3000000000; y[i] = 1.0;",
            &["E0302 3000000000"],
        ),
        ("let t = n[0] - -2147483648; y[i] = 1.0;", &[]),
        ("let t = h[0] * 1e9; y[i] = 1.0;", &["E0302 1e9"]),
        ("let t = h[0] * 4097; y[i] = 1.0;", &["E0302 4097"]),
        ("y[i] = !x[i, 0];", &["E0303 x[i, 0]"]),
        ("y[i] = x[i, 0] % 2.0;", &["E0303 x[i, 0]"]),
        ("y[i] = x[i, n[0]];", &["E0303 n[0]"]),
        ("y[i] = sum(j) x[i, j * j];", &["E0303 j * j"]),
        ("y[i] = x[i, 0]^2;", &["E0303 x[i, 0]^2"]),
        ("y[i] = sum(j: N) j;", &["E0303 j"]),
        ("y[i] = exp(n[0]);", &["E0303 n[0]"]),
        (
            "y[i] = sum(j, order: lanes(3)) x[i, j];",
            &["E0303 lanes(3)"],
        ),
    ]);
    expect(&[
        (
            "fn f<T: float>(x: T) -> T { x } fn g(x: i32) -> i32 { f(x) }",
            &["E0303 f"],
        ),
        ("fn f<T: num>(x: T) -> T { exp(x) }", &["E0303 x"]),
    ]);
}

#[test]
fn not_yet() {
    bodies(&[
        ("y[i] = gather(v, n[0])[0];", &["E0303 gather(v, n[0])"]),
        ("let s = scan(j, sum) v[j]; y[i] = 1.0;", &["E0205 j"]),
        ("y[2 * i] = 1.0;", &["E0312 i"]),
        ("y[i] = v[i]; y[N + j] = x[j];", &["E0305 x[j]"]),
    ]);
    expect(&[
        ("fn f(x: hf32) -> f32 { 1.0 }", &["E0506 hf32"]),
        ("fn f(x: mxfp4) -> f32 { 1.0 }", &["E0503 mxfp4"]),
        (
            "kernel k<N>(x: f32[N]) -> y: f32[N] { y = x; } schedule k { unroll i: 4; }",
            &["E0401 unroll i: 4;"],
        ),
        (
            "monoid m { a: f32 = 0; merge(p, q) { { a: p.a + q.a } } block<J>(x: f32[J]) { { b: sum(j) x[j] } } }",
            &["E0201 b"],
        ),
    ]);
}

#[test]
fn many_mistakes_are_reported_once_each() {
    bodies(&[(
        "let a[i] = x[i, q]; let b[i: M] = a[i] + h[0]; let c = nope(b); let d[i] = v[i] * h[i]; y[i] = c[i] + missing;",
        &[
            "E0205 q",
            "E0301 h[0]",
            "E0209 nope",
            "E0301 h[i]",
            "E0201 missing",
        ],
    )]);
}

/// Binds the first kernel with values that do not fit.
fn expect_bind(text: &str, given: &Bindings, wanted: &[&str]) {
    let (diagnostics, checked) = checked(text);
    assert!(diagnostics.is_empty(), "{}", shown(text, &diagnostics));
    let name = checked
        .kernels()
        .first()
        .map(|k| k.name.clone())
        .expect("a kernel");
    let diagnostics = bind(&checked, &name, given).expect_err("reports");
    let found: Vec<String> = diagnostics
        .iter()
        .map(|d| format!("{} {}", d.code, text.get(d.span().range()).unwrap_or("?")))
        .collect();
    assert_eq!(found, wanted, "{}", shown(text, &diagnostics));
}

fn params(list: &[(&str, Elem, &[i64])]) -> Bindings {
    let params = list
        .iter()
        .map(|(n, e, s)| ((*n).to_owned(), (*e, s.to_vec())))
        .collect();
    Bindings {
        params,
        ..Bindings::default()
    }
}

#[test]
fn values_that_do_not_fit() {
    let gemm = "kernel k<M, K, N>(a: f32[M, K], b: f32[K, N]) -> y: f32[M, N] { y[m, n] = sum(k) a[m, k] * b[k, n]; }";
    let f = Elem::F32;
    expect_bind(
        gemm,
        &params(&[("a", f, &[2, 3]), ("b", f, &[4, 5])]),
        &["E0304 b: f32[K, N]"],
    );
    expect_bind(gemm, &sizes(&[]), &["E0308 M", "E0308 K", "E0308 N"]);
    expect_bind(gemm, &params(&[("a", f, &[2, 3])]), &["E0308 N"]);
    expect_bind(
        gemm,
        &params(&[("a", f, &[2]), ("b", f, &[4, 5])]),
        &["E0703 a: f32[M, K]"],
    );
    expect_bind(
        gemm,
        &params(&[("a", Elem::F16, &[2, 3]), ("b", f, &[3, 5])]),
        &["E0704 a: f32[M, K]"],
    );
    expect_bind(
        gemm,
        &sizes(&[("M", 1), ("K", 1), ("N", 1), ("Q", 1)]),
        &["E0705 k"],
    );
    expect_bind(gemm, &sizes(&[("M", 0), ("K", 1), ("N", 1)]), &["E0309 M"]);
    let big = 1 << 40;
    expect_bind(
        gemm,
        &sizes(&[("M", big), ("K", big), ("N", 1)]),
        &["E0307 a: f32[M, K]"],
    );
    let even = "kernel k<N>(x: f32[2 * N]) -> y: f32[N] where N % 4 == 0 { y[i] = x[2 * i + 1]; }";
    expect_bind(even, &params(&[("x", f, &[7])]), &["E0309 x: f32[2 * N]"]);
    expect_bind(even, &params(&[("x", f, &[12])]), &["E0309 N % 4 == 0"]);
    let generic = "kernel k<N, T: float>(x: T[N], z: T[N]) -> y: T[N] { y = x; }";
    expect_bind(generic, &sizes(&[("N", 1)]), &["E0314 T"]);
    expect_bind(
        generic,
        &typed(&[("N", 1)], &[("T", Elem::I32)]),
        &["E0303 T"],
    );
    expect_bind(
        generic,
        &params(&[("x", f, &[1]), ("z", Elem::F16, &[1])]),
        &["E0704 z: T[N]"],
    );
    let late = "kernel k<M, N>(x: f32[N]) -> y: f32[M] { y[i] = x[2 * i]; }";
    expect_bind(late, &sizes(&[("M", 3), ("N", 4)]), &["E0306 2 * i"]);
    let unequal = "kernel k<N>(x: f32[N]) -> y: f32[N / 2 * 2] { y[i] = x[i]; }";
    expect_bind(unequal, &sizes(&[("N", 5)]), &["E0304 i"]);
    let gap = "kernel k<N>(x: f32[N]) -> y: f32[2 * N] { y[2 * i] = x[i]; }";
    expect_bind(gap, &sizes(&[("N", 3)]), &["E0204 y[2 * i] = x[i];"]);
    let twice = "kernel k<N>(x: f32[N]) -> y: f32[2 * N] { y[i] = x[i]; y[2 * j + 1] = x[j]; }";
    expect_bind(twice, &sizes(&[("N", 4)]), &["E0204 y[2 * j + 1] = x[j];"]);
    let none = "kernel k<N>(x: f32[N]) -> y: f32[N - 1] { y[i] = x[i + 1]; }";
    expect_bind(none, &sizes(&[("N", 1)]), &["E0309 y: f32[N - 1]"]);
    let literal = "fn f<T: num>(x: T) -> T { x + 300 } kernel k<N, T: num>(x: T[N]) -> y: T[N] { y[i] = f(x[i]); }";
    expect_bind(
        literal,
        &typed(&[("N", 1)], &[("T", Elem::I8)]),
        &["E0302 300"],
    );
}

#[test]
fn a_wrong_kernel_name_is_explained() {
    let (_, checked) = checked("kernel gemm<N>(x: f32[N]) -> y: f32[N] { y = x; }");
    let diagnostics = bind(&checked, "gem", &Bindings::default()).expect_err("reports");
    assert_eq!(diagnostics[0].code.as_str(), "E0209");
}

#[test]
fn expansion_is_bounded() {
    let mut text = "fn f0(x: f32) -> f32 { x }".to_owned();
    for n in 1..40 {
        text += &format!("fn f{n}(x: f32) -> f32 {{ f{}(f{}(x)) }}", n - 1, n - 1);
    }
    text += "kernel k<N>(x: f32[N]) -> y: f32[N] { y[i] = f39(x[i]); }";
    let (diagnostics, checked) = checked(&text);
    assert!(diagnostics.is_empty());
    let diagnostics = bind(&checked, "k", &sizes(&[("N", 1)])).expect_err("reports");
    assert_eq!(diagnostics[0].code.as_str(), "E0504");
}
