//! The pages of the codes that the front end gives: each failing example gives exactly its code, each fixed one nothing.

use super::{checked, shown, sizes};
use crate::{Bindings, bind};

/// The examples of a page: whether it must fail, and the text.
fn examples(page: &str) -> Vec<(bool, String)> {
    let mut found = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(fence) = line.strip_prefix("```vn") else {
            continue;
        };
        let text: Vec<&str> = lines.by_ref().take_while(|l| *l != "```").collect();
        found.push((fence == ",fails", text.join("\n")));
    }
    found
}

/// What an example gives, checked and then bound with the sizes that its `//! shape:` line or every size 8 says; those
/// of `-D N=?` in its `//! args:` line are left to the launch.
fn codes(text: &str) -> (Vec<&'static str>, String) {
    let (mut diagnostics, checked) = checked(text);
    if diagnostics.is_empty() {
        for kernel in checked.kernels() {
            let mut given: Bindings = sizes(&[]);
            let shape = text.lines().find_map(|l| l.strip_prefix("//! shape:"));
            for size in &kernel.sizes {
                let written = shape.and_then(|s| {
                    s.split_whitespace()
                        .find_map(|w| w.strip_prefix(&format!("{size}=")))
                });
                if text.contains(&format!("-D {size}=?")) {
                    given.symbolic.insert(size.clone());
                    continue;
                }
                match (shape, written.map(str::parse)) {
                    (_, Some(Ok(value))) => drop(given.sizes.insert(size.clone(), value)),
                    (None, _) => drop(given.sizes.insert(size.clone(), 8)),
                    (Some(_), _) => {}
                }
            }
            for ty in &kernel.types {
                given.types.insert(ty.name.clone(), ty.class.default_elem());
            }
            diagnostics.extend(
                bind(&checked, &kernel.name, &given)
                    .err()
                    .into_iter()
                    .flatten(),
            );
        }
    }
    (
        diagnostics.iter().map(|d| d.code.as_str()).collect(),
        shown(text, &diagnostics),
    )
}

#[test]
fn pages_keep_their_word() {
    let mut wrong = Vec::new();
    for code in diag::codes::ALL {
        let name = code.as_str();
        if !(name.starts_with("E01")
            || name.starts_with("E02")
            || name.starts_with("E03")
            || name == "E0401"
            || name == "E0502"
            || name == "E0506")
        {
            continue;
        }
        for (fails, text) in examples(diag::explain(*code)) {
            let wanted: Vec<&str> = if fails { vec![name] } else { Vec::new() };
            let (found, why) = codes(&text);
            if found != wanted {
                wrong.push(format!(
                    "{name}: wanted {wanted:?}, found {found:?}\n{text}\n{why}\n"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
