//! Source texts and the way from bytes to lines and columns.
//!
//! Texts that every compilation of a process can see are shared: their ids never change, so that what was made of them once
//! can be kept.
//!
//! Offsets count bytes of the text as it was given, byte-order mark included.
//! Any offset may be asked for: one past the end or inside a character is moved
//! to the nearest place that exists.

use std::sync::Arc;

use crate::span::{FileId, Span};

/// The id of the first shared text. No compilation has as many texts of its own.
const SHARED: u32 = 1 << 31;

/// The texts of one compilation, in the order in which they were added.
#[derive(Clone, Debug, Default)]
pub struct SourceMap {
    files: Vec<SourceFile>,
    shared: Shared,
}

/// Texts that many compilations see, with ids of their own.
#[derive(Clone, Debug, Default)]
pub struct Shared(Arc<Vec<SourceFile>>);

/// One text with its name and the starts of its lines.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// The name that diagnostics show.
    pub name: String,
    /// The text.
    pub text: String,
    /// Invariant: ascending, begins with 0, each but the first follows a `\n`.
    line_starts: Vec<u32>,
    /// The text as renderers show it, where that differs.
    shown: Option<String>,
}

impl SourceMap {
    /// Makes an empty map.
    pub fn new() -> SourceMap {
        SourceMap::default()
    }

    /// Adds a text and returns its id.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> FileId {
        let id = u32::try_from(self.files.len()).unwrap_or(u32::MAX);
        self.files.push(SourceFile::new(name.into(), text.into()));
        FileId(id)
    }

    /// Gives a file that was added here another text.
    pub fn replace(&mut self, file: FileId, text: impl Into<String>) {
        if let Some(old) = self.files.get_mut(file.0 as usize) {
            *old = SourceFile::new(std::mem::take(&mut old.name), text.into());
        }
    }

    /// Makes shared texts visible, in place of those that were.
    pub fn share(&mut self, shared: &Shared) {
        self.shared = shared.clone();
    }

    /// The file with this id, if it was added here or is shared.
    pub fn get(&self, file: FileId) -> Option<&SourceFile> {
        match file.0.checked_sub(SHARED) {
            Some(number) => self.shared.0.get(number as usize),
            None => self.files.get(file.0 as usize),
        }
    }

    /// The name of a file; `<none>` for an id that was not added.
    pub fn name(&self, file: FileId) -> &str {
        self.get(file).map_or("<none>", |f| &f.name)
    }

    /// The text of a file; empty for an id that was not added.
    pub fn text(&self, file: FileId) -> &str {
        self.get(file).map_or("", |f| &f.text)
    }

    /// The ids and files in the order in which they were added, shared ones last.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &SourceFile)> {
        let own = (0..).map(FileId).zip(&self.files);
        own.chain(self.shared.iter())
    }

    /// The line and the column in characters of a byte, both from 1.
    pub fn line_col(&self, file: FileId, byte: usize) -> (usize, usize) {
        self.get(file).map_or((1, 1), |f| f.line_col(byte))
    }

    /// The text that a span covers; empty where there is none.
    pub fn slice(&self, span: Span) -> &str {
        self.get(span.file).map_or("", |f| {
            let range = span.range();
            &f.text[f.floor(range.start)..f.floor(range.end)]
        })
    }
}

impl Shared {
    /// Texts with their names, in the order of their ids.
    pub fn new(texts: impl IntoIterator<Item = (String, String)>) -> Shared {
        let files = texts.into_iter();
        let files = files.map(|(name, text)| SourceFile::new(name, text));
        Shared(Arc::new(files.collect()))
    }

    /// The ids and files.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &SourceFile)> {
        (SHARED..).map(FileId).zip(self.0.iter())
    }
}

impl SourceFile {
    fn new(name: String, text: String) -> SourceFile {
        let ends = text.bytes().enumerate().filter(|(_, b)| *b == b'\n');
        let starts = ends.map(|(at, _)| u32::try_from(at + 1).unwrap_or(u32::MAX));
        let line_starts = std::iter::once(0).chain(starts).collect();
        let shown = text.contains(is_hidden).then(|| visible(&text));
        SourceFile {
            name,
            text,
            line_starts,
            shown,
        }
    }

    /// The text with control characters made visible, offset by offset the same.
    pub(crate) fn shown(&self) -> &str {
        self.shown.as_deref().unwrap_or(&self.text)
    }

    /// The number of lines; a final line break opens one more, empty line.
    pub fn lines(&self) -> usize {
        self.line_starts.len()
    }

    /// The line of a byte, from 0.
    pub fn line_of(&self, byte: usize) -> usize {
        let byte = u32::try_from(byte).unwrap_or(u32::MAX);
        self.line_starts.partition_point(|start| *start <= byte) - 1
    }

    /// The bytes of a line (from 0) with its line break.
    pub fn line_range(&self, line: usize) -> std::ops::Range<usize> {
        let at = |line: usize| self.line_starts.get(line).map(|s| *s as usize);
        let start = at(line).unwrap_or(self.text.len());
        start..at(line + 1).unwrap_or(self.text.len())
    }

    /// The text of a line (from 0) without line break and byte-order mark.
    pub fn line_text(&self, line: usize) -> &str {
        let text = &self.text[self.line_range(line)];
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        text.strip_prefix('\u{feff}').unwrap_or(text)
    }

    /// The line and the column in characters of a byte, both from 1.
    pub fn line_col(&self, byte: usize) -> (usize, usize) {
        let (line, before) = self.before(byte);
        (line + 1, before.chars().count() + 1)
    }

    /// The line and the column in UTF-16 units of a byte, both from 0.
    pub fn utf16_position(&self, byte: usize) -> (usize, usize) {
        let (line, before) = self.before(byte);
        (line, before.chars().map(char::len_utf16).sum())
    }

    /// The line and the column in bytes of a byte, both from 0.
    pub fn utf8_position(&self, byte: usize) -> (usize, usize) {
        let (line, before) = self.before(byte);
        (line, before.len())
    }

    /// The byte at a line and a column in UTF-16 units, both from 0; a column
    /// behind the end of the line is its end.
    pub fn utf16_offset(&self, line: usize, column: usize) -> usize {
        let text = self.line_text(line);
        let start = self.content_start(line);
        let mut units = 0;
        for (at, c) in text.char_indices() {
            if units + c.len_utf16() > column {
                return start + at;
            }
            units += c.len_utf16();
        }
        start + text.len()
    }

    /// Moves an offset back to the nearest one between two characters.
    pub fn floor(&self, byte: usize) -> usize {
        self.text.floor_char_boundary(byte)
    }

    /// The line of a byte (from 0) and the text of that line before it.
    fn before(&self, byte: usize) -> (usize, &str) {
        let byte = self.floor(byte);
        let line = self.line_of(byte);
        let start = self.content_start(line);
        (line, &self.text[start.min(byte)..byte])
    }

    /// The first byte of a line, behind a byte-order mark.
    fn content_start(&self, line: usize) -> usize {
        let range = self.line_range(line);
        let mark = self.text[range.clone()].starts_with('\u{feff}');
        range.start + if mark { '\u{feff}'.len_utf8() } else { 0 }
    }
}

/// Replaces control characters by as many bytes, so that offsets stay and a
/// source text cannot command the terminal.
pub(crate) fn visible(text: &str) -> String {
    let shown = |c: char| match c {
        c if !is_hidden(c) => c,
        c if c.is_ascii() => '?',
        // The second block of control characters takes two bytes, as `¿` does.
        _ => '\u{bf}',
    };
    text.chars().map(shown).collect()
}

/// Returns whether a character would act on a terminal rather than be shown.
fn is_hidden(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\t' | '\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> SourceFile {
        SourceFile::new("t".into(), text.into())
    }

    #[test]
    fn columns_count_characters_and_utf16_units() {
        let f = file("\u{feff}a·b\r\n𝄞x");
        let x = f.text.find('x').expect("the text has an x");
        assert_eq!(f.line_col(0), (1, 1));
        assert_eq!(f.line_col(3), (1, 1));
        assert_eq!(f.line_col(f.text.find('b').expect("has a b")), (1, 3));
        assert_eq!(f.line_col(x), (2, 2));
        assert_eq!(f.utf16_position(x), (1, 2));
        assert_eq!(f.utf16_offset(1, 2), x);
        assert_eq!(f.utf16_offset(1, 1), x - 4);
        assert_eq!(f.line_text(0), "a·b");
    }

    #[test]
    fn places_outside_the_text_are_moved_into_it() {
        let f = file("ab\n");
        assert_eq!(f.lines(), 2);
        assert_eq!(f.line_col(99), (2, 1));
        assert_eq!(f.line_text(7), "");
        assert_eq!(f.utf16_offset(0, 9), 2);
        let map = SourceMap::new();
        assert_eq!(map.line_col(FileId(3), 5), (1, 1));
        assert_eq!(map.slice(Span::NONE), "");
    }
}
