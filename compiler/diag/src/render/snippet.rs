//! One diagnostic with its snippet, drawn by codespan-reporting.

use std::ops::Range;

use codespan_reporting::diagnostic as cs;
use codespan_reporting::files::{Error, Files};
use codespan_reporting::term::termcolor::Ansi;
use codespan_reporting::term::{self, Chars, Config, Styles, StylesWriter};

use crate::codes::Severity;
use crate::diagnostic::{Diagnostic, NoteKind};
use crate::source::{SourceFile, SourceMap, visible};
use crate::span::{FileId, Span};

/// Renders one diagnostic and an empty line.
pub(super) fn render(diagnostic: &Diagnostic, sources: &SourceMap, color: bool) -> String {
    let config = Config {
        chars: Chars::ascii(),
        ..Config::default()
    };
    let files = Visible(sources);
    let drawn = convert(diagnostic, sources);
    let text = if color {
        let mut bytes = Ansi::new(Vec::new());
        let styles = Styles::default();
        let mut writer = StylesWriter::new(&mut bytes, &styles);
        term::emit_to_write_style(&mut writer, &config, &files, &drawn)
            .map(|()| String::from_utf8_lossy(&bytes.into_inner()).into_owned())
    } else {
        term::emit_into_string(&config, &files, &drawn)
    };
    // Spans were moved into the texts, so this is for completeness.
    let text = text.unwrap_or_else(|_| {
        let d = diagnostic;
        format!("{}[{}]: {}\n\n", d.severity, d.code, d.message)
    });
    without_trailing_blanks(&text)
}

/// Translates to codespan's terms, without labels that are nowhere.
fn convert(diagnostic: &Diagnostic, sources: &SourceMap) -> cs::Diagnostic<u32> {
    let severity = match diagnostic.severity {
        Severity::Error => cs::Severity::Error,
        Severity::Warning => cs::Severity::Warning,
        Severity::Remark => cs::Severity::Note,
    };
    let mut styles = std::iter::once(cs::LabelStyle::Primary)
        .chain(std::iter::repeat(cs::LabelStyle::Secondary));
    let labels = diagnostic.labels().iter().filter_map(|label| {
        let style = styles.next()?;
        let range = visible_range(label.span, sources)?;
        Some(cs::Label::new(style, label.span.file.0, range).with_message(&label.text))
    });
    cs::Diagnostic::new(severity)
        .with_code(diagnostic.code.as_str())
        .with_message(visible(&diagnostic.message))
        .with_labels(labels.collect())
        .with_notes(notes(diagnostic))
}

fn notes(diagnostic: &Diagnostic) -> Vec<String> {
    let note = |kind: &str, text: &str| {
        let indent = format!("\n{}", " ".repeat(kind.len() + 2));
        format!("{kind}: {}", visible(text).replace('\n', &indent))
    };
    let mut notes: Vec<_> = diagnostic
        .notes
        .iter()
        .map(|n| match n.kind {
            NoteKind::Note => note("note", &n.text),
            NoteKind::Help => note("help", &n.text),
        })
        .collect();
    notes.extend(diagnostic.fix.iter().map(|fix| note("help", &fix.message)));
    notes
}

/// Moves a span into its text; `None` if it has no text.
pub(super) fn visible_range(span: Span, sources: &SourceMap) -> Option<Range<usize>> {
    let file = sources.get(span.file)?;
    let range = span.range();
    let start = file.floor(range.start);
    Some(start..file.floor(range.end).max(start))
}

/// The sources as codespan reads them.
struct Visible<'a>(&'a SourceMap);

impl Visible<'_> {
    fn file(&self, id: u32) -> Result<&SourceFile, Error> {
        self.0.get(FileId(id)).ok_or(Error::FileMissing)
    }
}

impl<'a> Files<'a> for Visible<'_> {
    type FileId = u32;
    type Name = String;
    type Source = &'a str;

    fn name(&'a self, id: u32) -> Result<String, Error> {
        self.file(id).map(|f| visible(&f.name))
    }

    fn source(&'a self, id: u32) -> Result<&'a str, Error> {
        self.file(id).map(SourceFile::shown)
    }

    fn line_index(&'a self, id: u32, byte_index: usize) -> Result<usize, Error> {
        self.file(id).map(|f| f.line_of(byte_index))
    }

    fn line_range(&'a self, id: u32, line_index: usize) -> Result<Range<usize>, Error> {
        self.file(id).map(|f| f.line_range(line_index))
    }

    fn column_number(&'a self, id: u32, _line: usize, byte: usize) -> Result<usize, Error> {
        self.file(id).map(|f| f.line_col(byte).1)
    }
}

fn without_trailing_blanks(text: &str) -> String {
    text.lines()
        .map(|l| format!("{}\n", l.trim_end()))
        .collect()
}
