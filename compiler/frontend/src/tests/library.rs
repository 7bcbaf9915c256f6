//! Every kernel of the library checks, binds to its own sizes and to awkward ones, and keeps the IR's invariants.

use super::{checked, shown, typed};
use crate::{Bindings, Class, KernelInfo, bind};
use isa::types::Elem;

/// Sizes from the `//! shape:` line.
fn directive(text: &str) -> Vec<(String, i64)> {
    let line = text
        .lines()
        .next()
        .and_then(|l| l.strip_prefix("//! shape: "))
        .expect("a shape line first");
    let pair = |word: &str| {
        let (name, value) = word.split_once('=').expect("NAME=value");
        (name.to_owned(), value.parse().expect("a number"))
    };
    line.split_whitespace().map(pair).collect()
}

fn bindings(text: &str, kernel: &KernelInfo, float: Elem, size: Option<i64>) -> Bindings {
    let mut bindings = typed(&[], &[]);
    for (name, value) in directive(text) {
        bindings.sizes.insert(name, size.unwrap_or(value));
    }
    for t in &kernel.types {
        let elem = if t.class == Class::Int {
            Elem::I8
        } else {
            float
        };
        bindings.types.insert(t.name.clone(), elem);
    }
    bindings
}

#[test]
fn every_kernel_checks_and_binds() {
    for (path, text) in stdlib::SOURCES {
        let (diagnostics, checked) = checked(text);
        assert!(diagnostics.is_empty(), "{}", shown(text, &diagnostics));
        for kernel in checked.kernels() {
            for float in [Elem::F16, Elem::F32, Elem::Bf16] {
                for size in [None, Some(1), Some(7)] {
                    let given = bindings(text, &kernel, float, size);
                    match bind(&checked, &kernel.name, &given) {
                        Ok(func) => {
                            assert_eq!(func.name, kernel.name);
                            assert!(!func.results.is_empty());
                            let verified = ir::algo::verify::verify(&func);
                            assert!(verified.is_ok(), "{path}: {verified:?}");
                        }
                        // Equal sizes may break what a signature demands, or leave a result without elements; those of
                        // the shape line do not.
                        Err(found) => {
                            let empty = found.iter().all(|d| d.code == diag::codes::E0309);
                            let demands = empty || text.contains(" where ");
                            assert!(size.is_some() && demands, "{}", shown(text, &found));
                        }
                    }
                }
            }
        }
    }
}
