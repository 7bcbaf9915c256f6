//! One diagnostic with its snippet, drawn by codespan-reporting.

use std::collections::BTreeMap;
use std::ops::Range;

use codespan_reporting::diagnostic as cs;
use codespan_reporting::files::{Error, Files};
use codespan_reporting::term::termcolor::Ansi;
use codespan_reporting::term::{self, Chars, Config, Styles, StylesWriter};

use super::window::Window;
use super::{Look, diff};
use crate::codes::Severity;
use crate::diagnostic::{Diagnostic, NoteKind};
use crate::source::{SourceFile, SourceMap, visible};
use crate::span::{FileId, Span};

/// Renders one diagnostic and an empty line.
pub(super) fn render(diagnostic: &Diagnostic, sources: &SourceMap, look: Look) -> String {
    let color = look.color;
    let config = Config {
        chars: Chars::ascii(),
        ..Config::default()
    };
    let files = Visible {
        sources,
        cut: look
            .columns
            .map_or_else(BTreeMap::new, |columns| cut(diagnostic, sources, columns)),
    };
    let drawn = convert(diagnostic, &files);
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
    let mut text = without_trailing_blanks(&text);
    let fix = diagnostic.fix.as_deref();
    if let Some(lines) = fix.and_then(|fix| diff::render(fix, sources, look)) {
        // Before the empty line at the end.
        text.truncate(text.trim_end().len());
        text = text + "\n" + &lines + "\n";
    }
    text
}

/// The texts in which long lines are pointed at, cut.
fn cut(diagnostic: &Diagnostic, sources: &SourceMap, columns: usize) -> BTreeMap<u32, Window> {
    let mut pointed: BTreeMap<u32, Vec<Range<usize>>> = BTreeMap::new();
    for label in diagnostic.labels() {
        if let Some(range) = visible_range(label.span, sources) {
            pointed.entry(label.span.file.0).or_default().push(range);
        }
    }
    let window = |(id, ranges): (u32, Vec<Range<usize>>)| {
        let file = sources.get(FileId(id))?;
        Some((id, Window::new(file, &ranges, columns)?))
    };
    pointed.into_iter().filter_map(window).collect()
}

/// Translates to codespan's terms, without labels that are nowhere.
fn convert(diagnostic: &Diagnostic, files: &Visible<'_>) -> cs::Diagnostic<u32> {
    let severity = match diagnostic.severity {
        Severity::Error => cs::Severity::Error,
        Severity::Warning => cs::Severity::Warning,
        Severity::Remark => cs::Severity::Note,
    };
    let mut styles = std::iter::once(cs::LabelStyle::Primary)
        .chain(std::iter::repeat(cs::LabelStyle::Secondary));
    let labels = diagnostic.labels().iter().filter_map(|label| {
        let style = styles.next()?;
        let range = visible_range(label.span, files.sources)?;
        let range = files.shown_range(label.span.file, range)?;
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
struct Visible<'a> {
    sources: &'a SourceMap,
    /// Texts with cuts, by id.
    cut: BTreeMap<u32, Window>,
}

impl Visible<'_> {
    fn file(&self, id: u32) -> Result<&SourceFile, Error> {
        self.sources.get(FileId(id)).ok_or(Error::FileMissing)
    }

    /// Where a range of a text is in what is shown of it.
    fn shown_range(&self, id: FileId, range: Range<usize>) -> Option<Range<usize>> {
        let file = self.sources.get(id)?;
        Some(match self.cut.get(&id.0) {
            Some(window) => {
                let start = window.to(file, range.start);
                start..window.to(file, range.end).max(start)
            }
            None => range,
        })
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
        match self.cut.get(&id) {
            Some(window) => Ok(&window.text),
            None => self.file(id).map(SourceFile::shown),
        }
    }

    fn line_index(&'a self, id: u32, byte_index: usize) -> Result<usize, Error> {
        match self.cut.get(&id) {
            Some(window) => Ok(window.line_of(byte_index)),
            None => self.file(id).map(|f| f.line_of(byte_index)),
        }
    }

    fn line_range(&'a self, id: u32, line_index: usize) -> Result<Range<usize>, Error> {
        match self.cut.get(&id) {
            Some(window) => Ok(window.line_range(line_index)),
            None => self.file(id).map(|f| f.line_range(line_index)),
        }
    }

    fn column_number(&'a self, id: u32, line: usize, byte: usize) -> Result<usize, Error> {
        let file = self.file(id)?;
        Ok(match self.cut.get(&id) {
            Some(window) => window.column(file, line, byte),
            None => file.line_col(byte).1,
        })
    }
}

fn without_trailing_blanks(text: &str) -> String {
    text.lines()
        .map(|l| format!("{}\n", l.trim_end()))
        .collect()
}
