//! Node tests of ONNX as kernels: `data/onnx/CASE/kernel.vn`, arguments `aN.npy`, expected results `yN.npy`.
//!
//! `clients/onnx_nodes` made them from arrays that this project did not; the tolerance is that of ONNX's own runner.

use std::fs;
use std::path::Path;

use super::case::root;
use super::cli::fresh_folder;
use super::command;

/// Relative and absolute tolerance of floats.
const TOLERANCE: (f64, f64) = (1e-3, 1e-7);

/// Runs a case at -O1 with every sanitizer and compares.
pub(crate) fn check(path: &str) {
    let folder = Path::new(path).parent().expect("a file is in a folder");
    let out = fresh_folder(folder);
    let mut words = ["vinci", "run", path, "-O1", "--sanitize=all"]
        .map(str::to_owned)
        .to_vec();
    let mut results = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let file = entry.expect("readable").path();
        let stem = file
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if stem.starts_with('a') {
            words.push(format!("--arg={stem}={}", file.display()));
        } else if stem.starts_with('y') {
            let made = out.join(format!("{stem}.npy"));
            words.push(format!("--out={stem}={}", made.display()));
            results.push((file, made));
        }
    }
    assert!(!results.is_empty(), "{path}: no expected result");
    command::run(&root(), &words, b"").expect_done();
    for (expected, got) in results {
        compare(&expected, &got);
    }
}

fn compare(expected: &Path, got: &Path) {
    let ((header, expected_values), (other, values)) = (read(expected), read(got));
    let name = expected.display();
    assert_eq!(header, other, "{name}: the header");
    let (relative, absolute) = TOLERANCE;
    for (at, (&right, value)) in expected_values.iter().zip(values).enumerate() {
        let near = match header.contains("<f") {
            true => (value - right).abs() <= absolute + relative * right.abs(),
            false => value.total_cmp(&right).is_eq(),
        };
        let same = near || value.total_cmp(&right).is_eq() || (value.is_nan() && right.is_nan());
        assert!(same, "{name}: element {at} is {value}, not {right}");
    }
}

/// Type and shape of a `.npy` file, and its elements; what numpy has no type for is compared as bits.
fn read(path: &Path) -> (String, Vec<f64>) {
    let bytes = fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let data = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header: String = String::from_utf8_lossy(&bytes[10..data])
        .split_whitespace()
        .collect();
    let header = header.replace(",)", ")").replace(",}", "}");
    let data = &bytes[data..];
    let word = |c: &[u8]| {
        c.iter()
            .rev()
            .fold(0u64, |word, &byte| word << 8 | u64::from(byte))
    };
    let width = header
        .split('\'')
        .nth(3)
        .and_then(|descr| descr.chars().last()?.to_digit(10))
        .unwrap_or(1) as usize;
    let value = |c: &[u8]| match width {
        2 if header.contains("<f2") => f64::from(isa::num::f16_to_f32(word(c) as u16)),
        4 if header.contains("<f4") => f64::from(f32::from_bits(word(c) as u32)),
        4 => f64::from(word(c) as u32 as i32),
        _ => word(c) as f64,
    };
    let values = data.chunks_exact(width).map(value).collect();
    (header, values)
}
