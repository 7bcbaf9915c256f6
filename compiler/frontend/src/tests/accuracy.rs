//! Library kernels against double precision: within 2 ulps of f16, and near 1e-6 in f32, for rows up to 30,000 columns.

use super::meaning::exp;
use super::{lowered, typed};
use ir::algo::data::{Data, Random};
use ir::algo::eval;
use isa::types::Elem;

const COLUMNS: [usize; 6] = [1, 7, 64, 1000, 8191, 30000];
const ROWS: usize = 2;

fn source(name: &str) -> &'static str {
    let path = format!("kernels/{name}.vn");
    stdlib::SOURCES
        .iter()
        .find(|(p, _)| *p == path)
        .expect("is in the library")
        .1
}

/// Numbers in [-scale, scale] as the type holds them.
fn numbers(elem: Elem, count: usize, scale: f64, seed: u64) -> (Data, Vec<f64>) {
    let mut random = Random::new(seed);
    let values: Vec<f64> = (0..count)
        .map(|_| (random.unit() * 2.0 - 1.0) * scale)
        .collect();
    let data = Data::from_f64(elem, &values);
    let held = (0..count).map(|n| data.get_f64(elem, n)).collect();
    (data, held)
}

/// The error that 99.9 % of the elements keep: in ulps of f16, or relative to the larger of the value and 1e-3 for f32.
fn usual_error(elem: Elem, found: &Data, exact: &[f64]) -> f64 {
    let error = |(n, exact): (usize, &f64)| {
        let difference = (found.get_f64(elem, n) - exact).abs();
        // Below the least normal number ulps stay as large as there.
        let power = f32::from_bits((exact.abs().max(6.11e-5) as f32).to_bits() & 0x7f80_0000);
        if elem == Elem::F16 {
            return difference / (f64::from(power) / 1024.0);
        }
        difference / exact.abs().max(1e-3)
    };
    let mut errors: Vec<f64> = exact.iter().enumerate().map(error).collect();
    errors.sort_by(f64::total_cmp);
    errors[(errors.len() - 1) * 999 / 1000]
}

#[test]
fn softmax_rows() {
    for elem in [Elem::F16, Elem::F32] {
        for columns in COLUMNS {
            let func = lowered(
                source("softmax"),
                &typed(&[("R", ROWS as i64), ("C", columns as i64)], &[("T", elem)]),
            );
            let (data, x) = numbers(elem, ROWS * columns, 4.0, columns as u64);
            let y = eval::eval(&func, &[data]).expect("evaluates");
            let rows = x.chunks(columns).flat_map(|row| {
                let sum: f64 = row.iter().map(|v| exp(*v)).sum();
                row.iter().map(move |v| exp(*v) / sum)
            });
            let error = usual_error(elem, &y[0], &rows.collect::<Vec<_>>());
            let bound = if elem == Elem::F16 { 0.6 } else { 1e-6 };
            assert!(error <= bound, "{elem} with {columns} columns: {error}");
        }
    }
}

#[test]
fn layernorm_rows() {
    for elem in [Elem::F16, Elem::F32] {
        for columns in COLUMNS {
            let func = lowered(
                source("layernorm"),
                &typed(
                    &[("R", ROWS as i64), ("D", columns as i64)],
                    &[("T", elem), ("G", elem)],
                ),
            );
            let (data, x) = numbers(elem, ROWS * columns, 3.0, columns as u64);
            let (gain, g) = numbers(elem, columns, 1.0, 5);
            let (shift, b) = numbers(elem, columns, 1.0, 6);
            let y = eval::eval(&func, &[data, gain, shift]).expect("evaluates");
            let rows = x.chunks(columns).flat_map(|row| {
                let mean = row.iter().sum::<f64>() / columns as f64;
                let var = row.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / columns as f64;
                let inv = 1.0 / (var + 1e-5).sqrt();
                row.iter()
                    .zip(&g)
                    .zip(&b)
                    .map(move |((v, g), b)| (v - mean) * inv * g + b)
            });
            let exact: Vec<f64> = rows.collect();
            let error = usual_error(elem, &y[0], &exact);
            // Near zero the sum with the shift cancels, whatever the precision.
            let bound = if elem == Elem::F16 { 0.6 } else { 1e-4 };
            assert!(error <= bound, "{elem} with {columns} columns: {error}");
        }
    }
}

#[test]
fn gelu_and_silu_do_not_cancel() {
    let gelu = |x: f64| x / (1.0 + exp(-2.0 * 0.7978845608 * (x + 0.044715 * x * x * x)));
    let silu = |x: f64| x / (1.0 + exp(-x));
    let table: [(&str, &dyn Fn(f64) -> f64); 2] = [("gelu", &gelu), ("silu", &silu)];
    for (name, exact) in table {
        let func = lowered(
            source(name),
            &typed(&[("R", 1), ("C", 20000)], &[("T", Elem::F16)]),
        );
        let (data, x) = numbers(Elem::F16, 20000, 8.0, 1);
        let y = eval::eval(&func, &[data]).expect("evaluates");
        let error = usual_error(
            Elem::F16,
            &y[0],
            &x.iter().map(|x| exact(*x)).collect::<Vec<_>>(),
        );
        assert!(error <= 0.6, "{name}: {error}");
    }
}
