//! A fix as the lines that it takes away and those that come in their place.

use std::fmt::Write as _;

use super::Look;
use super::window::shortened;
use crate::diagnostic::Fix;
use crate::edit::apply;
use crate::source::{SourceMap, visible};
use crate::span::Span;

/// A fix that touches more lines is described in words alone.
const MOST_LINES: usize = 6;

/// The lines before and after, or nothing if the fix does not lie in a few lines of one text.
pub(super) fn render(fix: &Fix, sources: &SourceMap, look: Look) -> Option<String> {
    let (first, _) = fix.edits.first()?;
    let file = sources.get(first.file)?;
    let whole = fix
        .edits
        .iter()
        .fold(*first, |all, (span, _)| all.to(*span));
    if fix.edits.iter().any(|(span, _)| span.file != first.file) {
        return None;
    }
    let lines = file.line_of(whole.range().start)..file.line_of(whole.range().end) + 1;
    if lines.len() > MOST_LINES {
        return None;
    }
    let start = file.line_range(lines.start).start;
    let before = file.text.get(start..file.line_range(lines.end - 1).end)?;
    let inside = |span: &Span| Span {
        start: span
            .start
            .saturating_sub(u32::try_from(start).unwrap_or(u32::MAX)),
        end: span
            .end
            .saturating_sub(u32::try_from(start).unwrap_or(u32::MAX)),
        ..*span
    };
    let edits = fix
        .edits
        .iter()
        .map(|(span, text)| (inside(span), text.clone()));
    let (after, _) = apply(before, &[edits.collect()])?;
    let number = |line: usize| (lines.start + line + 1).to_string();
    let width = number(before.lines().count().max(after.lines().count())).len();
    let (minus, plus, end) = match look.color {
        true => ("\u{1b}[31m", "\u{1b}[32m", "\u{1b}[0m"),
        false => ("", "", ""),
    };
    let mut text = format!("{:width$} |\n", "");
    let seen = whole.range().start - start;
    for (sign, paint, lines) in [('-', minus, before), ('+', plus, &after)] {
        for (at, line) in lines.lines().enumerate() {
            let seen = if at == 0 { seen } else { 0 };
            let line = visible(&shortened(line.trim_end(), seen, look.columns));
            let number = number(at);
            writeln!(text, "{number:>width$} {paint}{sign} {line}{end}").ok()?;
        }
    }
    Some(text)
}
