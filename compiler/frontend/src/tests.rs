//! Whole-crate tests: text in, diagnostics or IR out.

mod accuracy;
mod diagnostics;
mod edited;
mod explain;
mod ide;
mod library;
mod meaning;
mod robust;

use crate::{Bindings, Checked, Prelude, Sources, bind, check};
use diag::{Diagnostic, FileId};
use ir::algo::Func;
use isa::types::Elem;
use std::sync::OnceLock;

/// The prelude of the library, checked once.
pub(crate) fn prelude() -> &'static Prelude {
    static PRELUDE: OnceLock<Prelude> = OnceLock::new();
    PRELUDE.get_or_init(|| {
        let parsed = syntax::parse_kernel(FileId(1), stdlib::PRELUDE.1);
        assert!(parsed.diagnostics.is_empty(), "{:?}", parsed.diagnostics);
        Prelude::new(parsed.file)
    })
}

/// Parses and checks a text; syntax errors come first.
pub(crate) fn checked(text: &str) -> (Vec<Diagnostic>, Checked) {
    let parsed = syntax::parse_kernel(FileId(0), text);

    let checked = check(&Sources {
        main: &parsed.file,
        prelude: Some(prelude()),
        library: &[],
    });
    let mut all = parsed.diagnostics;
    all.extend(checked.diagnostics.iter().cloned());
    (all, checked)
}

/// Values for sizes.
pub(crate) fn sizes(pairs: &[(&str, i64)]) -> Bindings {
    Bindings {
        sizes: pairs.iter().map(|(n, v)| ((*n).to_owned(), *v)).collect(),
        ..Bindings::default()
    }
}

/// Values for sizes and types.
pub(crate) fn typed(pairs: &[(&str, i64)], types: &[(&str, Elem)]) -> Bindings {
    Bindings {
        types: types.iter().map(|(n, t)| ((*n).to_owned(), *t)).collect(),
        ..sizes(pairs)
    }
}

/// Checks and binds the first kernel; anything reported fails the test.
pub(crate) fn lowered(text: &str, given: &Bindings) -> Func {
    let (diagnostics, checked) = checked(text);
    assert!(diagnostics.is_empty(), "{}", shown(text, &diagnostics));
    let name = checked
        .kernels()
        .first()
        .map(|k| k.name.clone())
        .expect("a kernel");
    match bind(&checked, &name, given) {
        Ok(func) => {
            if let Err(problems) = ir::algo::verify::verify(&func) {
                panic!("{problems:?}\n{}", ir::algo::print::print(&func));
            }
            func
        }
        Err(diagnostics) => panic!("{}", shown(text, &diagnostics)),
    }
}

/// Diagnostics as `code message [text under the primary span]` lines.
pub(crate) fn shown(text: &str, diagnostics: &[Diagnostic]) -> String {
    let line = |d: &Diagnostic| {
        let label = d.primary_label();
        let place = if label.span.file == FileId(0) {
            text.get(label.span.range())
        } else {
            Some("<prelude>")
        };
        let others: Vec<String> = d
            .labels()
            .iter()
            .map(|l| format!("{}..{} {}", l.span.start, l.span.end, l.text))
            .collect();
        format!(
            "{} {} [{}] {others:?}",
            d.code,
            d.message,
            place.unwrap_or("?")
        )
    };
    diagnostics.iter().map(line).collect::<Vec<_>>().join("\n")
}
