//! Tests of the crate as a whole: text in, tree and diagnostics out.

mod again;
mod corpus;
mod fmt;
mod hostile;
mod recovery;

use crate::{Parsed, parse_kernel};

/// Parses a text as file 0.
fn parse(text: &str) -> Parsed {
    parse_kernel(diag::FileId(0), text)
}

/// The diagnostics as `line:column CODE message`.
fn findings(text: &str) -> Vec<String> {
    let mut sources = diag::SourceMap::new();
    let file = sources.add("t", text);
    let found = parse_kernel(file, text).diagnostics;
    let line = |d: &diag::Diagnostic| {
        let (line, column) = sources.line_col(file, d.span().range().start);
        format!("{line}:{column} {} {}", d.code, d.message)
    };
    found.iter().map(line).collect()
}

/// The findings in the body of a kernel that is correct around it; line 1 is the
/// first line of the body.
fn in_body(body: &str) -> Vec<String> {
    let found = findings(&format!("kernel k<M>(x: f32[M]) -> y: f32[M] {{ {body} }}"));
    found
        .iter()
        .map(|f| f.split_once(' ').map_or("", |f| f.1).to_owned())
        .collect()
}
