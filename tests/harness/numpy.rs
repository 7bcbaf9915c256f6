//! Arrays that numpy made: inputs uniform in [-1, 1] and the result in float64, rounded once, in `data/CASE/`.
//!
//! Each folder is `KERNEL_…`; its `y.npy` is the expected result, every other file an argument. The emulated result must
//! be within the printed bound everywhere, and f16 results within 2 ulps on 99.9 % of the elements.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::case::{here, root};
use super::cli::fresh_folder;
use super::command;

#[test]
fn results_are_those_of_numpy() {
    let mut folders: Vec<PathBuf> = entries(&here().join("data"));
    folders.retain(|folder| folder.join("y.npy").is_file());
    assert!(folders.len() > 8, "the fixtures are there");
    for folder in folders {
        check(&folder);
    }
}

fn check(folder: &Path) {
    let name = folder
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let kernels = entries(&root().join("stdlib/kernels"));
    let stems = kernels
        .iter()
        .map(|path| path.file_stem().unwrap_or_default().to_string_lossy());
    let kernel = stems
        .filter(|stem| name.starts_with(&format!("{stem}_")))
        .max_by_key(|s| s.len());
    let kernel = kernel.unwrap_or_else(|| panic!("{name} begins with the name of no kernel"));
    let out = fresh_folder(folder).join("y.npy");
    let mut words = vec!["vinci".to_owned(), "run".to_owned()];
    words.push(
        root()
            .join(format!("stdlib/kernels/{kernel}.vn"))
            .display()
            .to_string(),
    );
    for file in entries(folder) {
        let stem = file
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if stem != "y" {
            words.push(format!("--arg={stem}={}", file.display()));
        }
    }
    words.push(format!("--out=y={}", out.display()));
    words.extend(["--check", "--report=json"].map(str::to_owned));
    let ran = command::run(&root(), &words, b"").expect_done();
    let report: Value = serde_json::from_str(&ran.text()).expect("the report is JSON");
    assert_eq!(report["check"]["ok"], true, "{name}: {}", report["check"]);
    let allowed = report["check"]["outputs"]["y"]["allowed"]
        .as_f64()
        .expect("a finite bound");
    compare(&name, &out, &folder.join("y.npy"), allowed);
}

fn compare(name: &str, got: &Path, expected: &Path, allowed: f64) {
    let (got, expected) = (read(got), read(expected));
    assert_eq!(got.0, expected.0, "{name}: the header");
    let half = got.0.contains("<f2");
    let (got, expected) = (values(half, &got.1), values(half, &expected.1));
    let mut far = 0;
    for (at, (got, expected)) in got.iter().zip(&expected).enumerate() {
        let off = (got.1 - expected.1).abs();
        // numpy's own result is rounded: half a unit in its last place more.
        let unit = expected.1.abs()
            * if half {
                1.0 / 1024.0
            } else {
                1.0 / 8_388_608.0
            };
        assert!(
            off <= allowed + unit,
            "{name}: element {at} is {off:e} off, {allowed:e} allowed"
        );
        far += usize::from(got.0.abs_diff(expected.0) > 2);
    }
    assert!(
        !half || far * 1000 <= got.len(),
        "{name}: {far} elements are beyond 2 ulps"
    );
}

/// The elements of a `.npy` file.
pub(super) fn numbers(path: &Path) -> Vec<f64> {
    let (header, data) = read(path);
    let half = header.contains("<f2");
    values(half, &data).into_iter().map(|(_, x)| x).collect()
}

/// Header and data of a `.npy` file.
fn read(path: &Path) -> (String, Vec<u8>) {
    let bytes = fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let data = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = String::from_utf8_lossy(&bytes[10..data]).trim().to_owned();
    let header: String = header.chars().filter(|c| !c.is_whitespace()).collect();
    (
        header.replace(",)", ")").replace(",}", "}"),
        bytes[data..].to_vec(),
    )
}

/// Each element as an integer that counts in ulps, and as a number.
fn values(half: bool, data: &[u8]) -> Vec<(i64, f64)> {
    let ordered = |bits: i64, sign: i64| if bits >= sign { sign - bits } else { bits };
    if half {
        let bits = data
            .chunks_exact(2)
            .map(|c| u16::from_le_bytes([c[0], c[1]]));
        return bits
            .map(|b| {
                (
                    ordered(i64::from(b), 0x8000),
                    f64::from(isa::num::f16_to_f32(b)),
                )
            })
            .collect();
    }
    let bits = data
        .chunks_exact(4)
        .map(|c| u32::from_le_bytes([c[0], c[1], c[2], c[3]]));
    bits.map(|b| {
        (
            ordered(i64::from(b), 0x8000_0000),
            f64::from(f32::from_bits(b)),
        )
    })
    .collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let read = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<PathBuf> = read.map(|entry| entry.expect("readable").path()).collect();
    paths.sort();
    paths
}
