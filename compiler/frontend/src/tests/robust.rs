//! No text makes the front end panic: kernels of the library and of these tests with their tokens mixed up.

use super::{checked, typed};
use crate::bind;
use isa::types::Elem;

/// A small generator, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % n.max(1)
    }
}

const SEEDS: [&str; 5] = [
    "kernel k<M, N>(a: f32[M, 2 * N], b: f32[N]) -> y: f32[M, 3 * N] { y[m, 2 * p] = a[m, 2 * p]; y[m, 2 * p + 1] = a[m, 2 * p + 1] * 2.0;
     y[m, 2 * N + j] = b[j] + (j / 2) as f32; }",
    "fn softmax<R, C>(x: f32[R, C]) -> y: f32[R, C] { let z[r] = sum(c) exp(x[r, c]); y[r, c] = exp(x[r, c]) / z[r]; }
     kernel k<H, M, N>(a: f32[H, M, N]) -> y: f32[H, M, N] { y[h, m, n] = softmax(a[h, :, :])[m, n]; }",
    "kernel k<N, T: float>(x: T[N, N]) -> (y: T[N], z: i32) where N >= 1 {
     y[i] = sum(r: 3) (x[i + r - 1, (i * 2) / 3] else 0.0) as T; z = argmax(i) x[i, N - 1 - 0]; assert N % 1 == 0; }",
    "const E: f32 = 1e-5; fn f<T: num>(a: T, b: T) -> T { let c = max(a, b) * 2; c - a }
     fn two<N>(x: f32[N]) -> (p: f32[N], q: f32) { p = f(x, x) + E; q = sum(i where i % 2 == 0) p[i]; }
     kernel k<N>(x: f32[2 * N]) -> y: f32[2 * N] { let (a, b) = two(x); y = if a > b then a as f16 round up as f32 else tanh(a); }",
    "kernel k<M, K, N>(a: i8[M, K], b: i8[K, N], s: f32[N]) -> y: i8[M, N] {
     let t[m, n]: i32 = sum(k, order: lanes(4)) a[m, k] * b[k, n]; y[m, n] = (t[m, n] as f32 * s[n]) as i8 round even wrap; }",
];

/// Words of a text, with the white space.
fn tokens(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for c in text.chars() {
        let word = c.is_alphanumeric() || c == '_';
        match out.last_mut() {
            Some(last) if word && last.chars().all(|l| l.is_alphanumeric() || l == '_') => {
                last.push(c)
            }
            _ => out.push(c.to_string()),
        }
    }
    out
}

fn mutate(tokens: &[String], random: &mut Random) -> String {
    let mut tokens = tokens.to_vec();
    for _ in 0..=random.below(3) {
        let (at, from) = (random.below(tokens.len()), random.below(tokens.len()));
        match random.below(4) {
            0 => {
                tokens.remove(at);
            }
            1 => tokens[at] = tokens[from].clone(),
            2 => tokens.insert(at, tokens[from].clone()),
            _ => tokens.swap(at, from),
        }
        if tokens.is_empty() {
            break;
        }
    }
    tokens.concat()
}

#[test]
fn mixed_up_programs_do_not_panic() {
    let mut random = Random(20261121);
    let texts: Vec<&str> = SEEDS
        .iter()
        .copied()
        .chain(stdlib::SOURCES.iter().map(|(_, text)| *text))
        .collect();
    let texts: Vec<Vec<String>> = texts.into_iter().map(tokens).collect();
    let (mut bound, mut clean) = (0, 0);
    for round in 0..1500 {
        let text = mutate(&texts[round % texts.len()], &mut random);
        let (diagnostics, checked) = checked(&text);
        clean += usize::from(diagnostics.is_empty());
        for kernel in checked.kernels() {
            let sizes: Vec<(&str, i64)> = kernel
                .sizes
                .iter()
                .map(|s| (s.as_str(), 1 + random.below(5) as i64))
                .collect();
            let types: Vec<(&str, Elem)> = kernel
                .types
                .iter()
                .map(|t| (t.name.as_str(), Elem::F16))
                .collect();
            if let Ok(func) = bind(&checked, &kernel.name, &typed(&sizes, &types)) {
                bound += 1;
                assert_eq!(ir::algo::verify::verify(&func), Ok(()), "{text}");
            }
        }
    }
    assert!(
        bound > 100 && clean > 100,
        "the mutations must leave something: {bound} bound, {clean} clean"
    );
}

#[test]
fn deep_and_long_programs_do_not_overflow_the_stack() {
    let mut chain = "fn f0(x: f32) -> f32 { x + 1.0 }".to_owned();
    for n in 1..2000 {
        chain += &format!("fn f{n}(x: f32) -> f32 {{ f{}(x) + 1.0 }}", n - 1);
    }
    chain += "kernel k<N>(x: f32[N]) -> y: f32[N] { y[i] = f1999(x[i]); }";
    let (diagnostics, checked_chain) = checked(&chain);
    assert!(diagnostics.is_empty());
    assert!(bind(&checked_chain, "k", &typed(&[("N", 1)], &[])).is_err());

    let nested = format!(
        "kernel k<N>(x: f32[N]) -> y: f32[N] {{ y[i] = {}x[i]{}; }}",
        "exp(".repeat(120),
        ")".repeat(120)
    );
    let (diagnostics, checked_nested) = checked(&nested);
    assert!(
        diagnostics.is_empty(),
        "{}",
        super::shown(&nested, &diagnostics)
    );
    assert!(bind(&checked_nested, "k", &typed(&[("N", 1)], &[])).is_ok());

    let mut lets = "kernel k<N>(x: f32[N]) -> y: f32[N] { let t0[i] = x[i];".to_owned();
    for n in 1..3000 {
        lets += &format!("let t{n}[i] = t{}[i];", n - 1);
    }
    lets += "y[i] = t2999[i]; }";
    let (diagnostics, checked_lets) = checked(&lets);
    assert!(diagnostics.is_empty());
    assert!(bind(&checked_lets, "k", &typed(&[("N", 1)], &[])).is_ok());
}

#[test]
fn a_reduction_in_a_signature_is_a_mistake_and_no_defect() {
    let text = "kernel k<M, N>(a: f32[M, sum(k) N]) -> y: f32[M] { y[m] = sum(k) a[m, k]; }";
    assert!(!checked(text).0.is_empty());
}
