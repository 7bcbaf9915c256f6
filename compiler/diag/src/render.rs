//! Diagnostics as text for people, as one line for tools, and as JSON.
//!
//! codespan-reporting draws the snippets and is known here only. Spans are
//! moved into their texts first, so no span can make a renderer fail.

mod diff;
mod json;
mod snippet;
mod window;

use crate::codes::Severity;
use crate::diagnostic::Diagnostic;
use crate::source::SourceMap;

pub use json::render_json;

/// Sorts by file, offset, code and message, and drops exact repetitions.
/// Findings without a place come last.
pub fn sort(diagnostics: &mut Vec<Diagnostic>) {
    diagnostics.sort_by(|a, b| {
        let key = |d: &Diagnostic| (d.span().file, d.span().start, d.code);
        key(a).cmp(&key(b)).then_with(|| a.message.cmp(&b.message))
    });
    diagnostics.dedup();
}

/// Renders findings with their snippets, in sorted order, each followed by an
/// empty line; `color` adds ANSI escapes.
pub fn render_text(diagnostics: &[Diagnostic], sources: &SourceMap, color: bool) -> String {
    let look = Look {
        color,
        columns: None,
    };
    render_text_as(diagnostics, sources, look)
}

/// How findings look.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Whether there are ANSI escapes.
    pub color: bool,
    /// Lines of sources that are longer are cut round what is pointed at.
    pub columns: Option<usize>,
}

/// As [`render_text`], for a terminal of some width.
pub fn render_text_as(diagnostics: &[Diagnostic], sources: &SourceMap, look: Look) -> String {
    let mut text = String::new();
    for diagnostic in sorted(diagnostics) {
        text.push_str(&snippet::render(&diagnostic, sources, look));
    }
    text
}

/// Renders findings in sorted order, one line each:
/// `file:line:column: error[E0304]: message`.
pub fn render_short(diagnostics: &[Diagnostic], sources: &SourceMap) -> String {
    let mut text = String::new();
    for d in sorted(diagnostics) {
        let span = d.span();
        if sources.get(span.file).is_some() {
            let (line, column) = sources.line_col(span.file, span.range().start);
            text += &format!("{}:{line}:{column}: ", sources.name(span.file));
        }
        text += &format!("{}[{}]: {}\n", d.severity, d.code, d.message);
    }
    text
}

/// Renders the closing lines: how many errors and warnings there were and where
/// to read about them. Empty if there were none.
pub fn render_summary(diagnostics: &[Diagnostic]) -> String {
    let count = |s: Severity| diagnostics.iter().filter(|d| d.severity == s).count();
    let warnings = match count(Severity::Warning) {
        0 => String::new(),
        1 => "1 warning emitted".to_owned(),
        n => format!("{n} warnings emitted"),
    };
    match count(Severity::Error) {
        0 if warnings.is_empty() => String::new(),
        0 => format!("warning: {warnings}\n\n"),
        errors => {
            let previous = match errors {
                1 => "previous error".to_owned(),
                n => format!("{n} previous errors"),
            };
            let and = if warnings.is_empty() { "" } else { "; " };
            let more = more_information(diagnostics);
            format!("error: aborting due to {previous}{and}{warnings}\n\n{more}")
        }
    }
}

/// Names the page of the one error code, or lists the codes and names the first.
fn more_information(diagnostics: &[Diagnostic]) -> String {
    let errors = diagnostics.iter().filter(|d| d.is_error());
    let mut codes: Vec<_> = errors.map(|d| d.code).collect();
    codes.sort();
    codes.dedup();
    let Some(first) = codes.first() else {
        return String::new();
    };
    if codes.len() == 1 {
        return format!("For more information about this error, try `vincic --explain {first}`.\n");
    }
    let list: Vec<_> = codes.iter().map(|c| c.as_str()).collect();
    let list = list.join(", ");
    format!(
        "Some errors have detailed explanations: {list}.\n\
         For more information about an error, try `vincic --explain {first}`.\n"
    )
}

fn sorted(diagnostics: &[Diagnostic]) -> Vec<Diagnostic> {
    let mut sorted = diagnostics.to_vec();
    sort(&mut sorted);
    sorted
}

#[cfg(test)]
mod tests;
