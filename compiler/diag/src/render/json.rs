//! One diagnostic as one JSON object with the keys that rustc uses, so that
//! editors and test harnesses made for rustc read it.

use serde::Serialize;

use super::{Look, snippet};
use crate::codes::Severity;
use crate::diagnostic::{Applicability, Diagnostic, NoteKind};
use crate::source::{SourceFile, SourceMap};
use crate::span::Span;

#[derive(Serialize)]
struct Message<'a> {
    #[serde(rename = "$message_type")]
    message_type: &'static str,
    message: &'a str,
    code: Option<JsonCode>,
    level: &'static str,
    spans: Vec<JsonSpan<'a>>,
    children: Vec<Message<'a>>,
    rendered: Option<String>,
}

#[derive(Serialize)]
struct JsonCode {
    code: &'static str,
    explanation: &'static str,
}

#[derive(Serialize)]
struct JsonSpan<'a> {
    file_name: &'a str,
    byte_start: usize,
    byte_end: usize,
    line_start: usize,
    line_end: usize,
    column_start: usize,
    column_end: usize,
    is_primary: bool,
    text: Vec<JsonLine<'a>>,
    label: Option<&'a str>,
    suggested_replacement: Option<&'a str>,
    suggestion_applicability: Option<&'static str>,
    expansion: Option<()>,
}

#[derive(Serialize)]
struct JsonLine<'a> {
    text: &'a str,
    highlight_start: usize,
    highlight_end: usize,
}

/// Renders one finding as one line of JSON, without the line break.
pub fn render_json(diagnostic: &Diagnostic, sources: &SourceMap) -> String {
    let labels = diagnostic.labels().iter().enumerate();
    let spans = labels.filter_map(|(i, label)| {
        let text = (!label.text.is_empty()).then_some(label.text.as_str());
        Some(JsonSpan {
            is_primary: i == 0,
            label: text,
            ..span(label.span, sources)?
        })
    });
    let message = Message {
        message_type: "diagnostic",
        message: &diagnostic.message,
        code: Some(JsonCode {
            code: diagnostic.code.as_str(),
            explanation: diagnostic.code.info().page,
        }),
        level: level(diagnostic.severity),
        spans: spans.collect(),
        children: children(diagnostic, sources),
        rendered: Some(snippet::render(diagnostic, sources, Look::default())),
    };
    serde_json::to_string(&message).expect("strings and numbers always serialise")
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        // The nearest of rustc's levels.
        Severity::Remark => "note",
    }
}

/// Notes, helps and the fix, each a message of its own.
fn children<'a>(diagnostic: &'a Diagnostic, sources: &'a SourceMap) -> Vec<Message<'a>> {
    let notes = diagnostic.notes.iter().map(|note| {
        let level = match note.kind {
            NoteKind::Note => "note",
            NoteKind::Help => "help",
        };
        child(&note.text, level, Vec::new())
    });
    let fix = diagnostic.fix.iter().map(|fix| {
        let edits = fix.edits.iter().filter_map(|(place, text)| {
            Some(JsonSpan {
                is_primary: true,
                suggested_replacement: Some(text),
                suggestion_applicability: Some(applicability(fix.applicability)),
                ..span(*place, sources)?
            })
        });
        child(&fix.message, "help", edits.collect())
    });
    notes.chain(fix).collect()
}

fn child<'a>(message: &'a str, level: &'static str, spans: Vec<JsonSpan<'a>>) -> Message<'a> {
    Message {
        message_type: "diagnostic",
        message,
        code: None,
        level,
        spans,
        children: Vec::new(),
        rendered: None,
    }
}

fn applicability(applicability: Applicability) -> &'static str {
    match applicability {
        Applicability::MachineApplicable => "MachineApplicable",
        Applicability::MaybeIncorrect => "MaybeIncorrect",
        Applicability::HasPlaceholders => "HasPlaceholders",
    }
}

fn span<'a>(span: Span, sources: &'a SourceMap) -> Option<JsonSpan<'a>> {
    let file = sources.get(span.file)?;
    let range = snippet::visible_range(span, sources)?;
    let (line_start, column_start) = file.line_col(range.start);
    let (line_end, column_end) = file.line_col(range.end);
    Some(JsonSpan {
        file_name: &file.name,
        byte_start: range.start,
        byte_end: range.end,
        line_start,
        line_end,
        column_start,
        column_end,
        is_primary: false,
        text: lines(file, (line_start, column_start), (line_end, column_end)),
        label: None,
        suggested_replacement: None,
        suggestion_applicability: None,
        expansion: None,
    })
}

/// The covered lines with the covered columns, from 1 and half open. A span of
/// very many lines shows the first hundred.
fn lines(file: &SourceFile, start: (usize, usize), end: (usize, usize)) -> Vec<JsonLine<'_>> {
    let shown = (start.0..=end.0).take(100);
    let line = |line: usize| {
        let text = file.line_text(line - 1);
        JsonLine {
            text,
            highlight_start: if line == start.0 { start.1 } else { 1 },
            highlight_end: if line == end.0 {
                end.1
            } else {
                text.chars().count() + 1
            },
        }
    };
    shown.map(line).collect()
}
