//! Bytes of a text and positions of the protocol: lines, and columns in UTF-8 or UTF-16 units.

use std::ops::Range;

use lsp_types::{Position, PositionEncodingKind};

/// What a column counts.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Default)]
pub(crate) enum Encoding {
    Utf8,
    /// What clients that say nothing mean.
    #[default]
    Utf16,
}

impl Encoding {
    /// UTF-8 if the client has it.
    pub(crate) fn negotiate(offered: Option<&[PositionEncodingKind]>) -> Encoding {
        match offered {
            Some(kinds) if kinds.contains(&PositionEncodingKind::UTF8) => Encoding::Utf8,
            Some(_) | None => Encoding::Utf16,
        }
    }

    pub(crate) fn kind(self) -> PositionEncodingKind {
        match self {
            Encoding::Utf8 => PositionEncodingKind::UTF8,
            Encoding::Utf16 => PositionEncodingKind::UTF16,
        }
    }

    /// The length of a text in units of a column.
    pub(crate) fn length(self, text: &str) -> u32 {
        let length = match self {
            Encoding::Utf8 => text.len(),
            Encoding::Utf16 => text.encode_utf16().count(),
        };
        u32::try_from(length).unwrap_or(u32::MAX)
    }
}

/// Where the lines of a text begin.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    starts: Vec<usize>,
    encoding: Encoding,
}

impl Lines {
    pub(crate) fn new(text: &str, encoding: Encoding) -> Lines {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = std::iter::once(0).chain(breaks.map(|(at, _)| at + 1));
        Lines {
            starts: starts.collect(),
            encoding,
        }
    }

    /// Follows an edit of the text: `bytes` of it become `new`.
    pub(crate) fn replace(&mut self, bytes: Range<usize>, new: &str) {
        let first = self.starts.partition_point(|&start| start <= bytes.start);
        let behind = self.starts.partition_point(|&start| start <= bytes.end);
        let breaks = new.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts: Vec<usize> = breaks.map(|(at, _)| bytes.start + at + 1).collect();
        for start in &mut self.starts[behind..] {
            *start = *start + new.len() - bytes.len();
        }
        self.starts.splice(first..behind, starts);
    }

    /// The position of a byte; one inside a character counts as its start.
    pub(crate) fn position(&self, text: &str, byte: usize) -> Position {
        let byte = floor(text, byte.min(text.len()));
        let line = self.starts.partition_point(|&start| start <= byte) - 1;
        Position {
            line: u32::try_from(line).unwrap_or(u32::MAX),
            character: self.encoding.length(&text[self.starts[line]..byte]),
        }
    }

    /// The byte of a position; beyond the end of a line or of the text it is that end.
    pub(crate) fn byte(&self, text: &str, position: Position) -> usize {
        let line = position.line as usize;
        let Some(&start) = self.starts.get(line) else {
            return text.len();
        };
        let end = self
            .starts
            .get(line + 1)
            .map_or(text.len(), |&next| next - 1);
        let content = &text[start..end];
        let content = content.strip_suffix('\r').unwrap_or(content);
        let wanted = position.character as usize;
        let within = match self.encoding {
            Encoding::Utf8 => floor(content, wanted.min(content.len())),
            Encoding::Utf16 => utf16_byte(content, wanted),
        };
        start + within
    }

    pub(crate) fn range(&self, text: &str, bytes: Range<usize>) -> lsp_types::Range {
        lsp_types::Range {
            start: self.position(text, bytes.start),
            end: self.position(text, bytes.end),
        }
    }

    pub(crate) fn bytes(&self, text: &str, range: lsp_types::Range) -> Range<usize> {
        let (start, end) = (self.byte(text, range.start), self.byte(text, range.end));
        start..end.max(start)
    }

    pub(crate) fn encoding(&self) -> Encoding {
        self.encoding
    }
}

fn floor(text: &str, mut byte: usize) -> usize {
    while !text.is_char_boundary(byte) {
        byte -= 1;
    }
    byte
}

fn utf16_byte(line: &str, units: usize) -> usize {
    let mut seen = 0;
    for (at, c) in line.char_indices() {
        if seen + c.len_utf16() > units {
            return at;
        }
        seen += c.len_utf16();
    }
    line.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_move_the_lines_behind_them() {
        let mut text = "one\ntwo\n\nthree".to_owned();
        let mut lines = Lines::new(&text, Encoding::Utf8);
        for (bytes, new) in [
            (4..4, "x\ny\n"),
            (3..9, ""),
            (0..0, "\n"),
            (2..5, "\n\nz"),
            (0..6, "é"),
        ] {
            lines.replace(bytes.clone(), new);
            text.replace_range(bytes, new);
            assert_eq!(
                lines.starts,
                Lines::new(&text, Encoding::Utf8).starts,
                "{text:?}"
            );
        }
    }

    #[test]
    fn there_and_back_in_both_units() {
        let text = "aé𝄞\r\nb\n";
        for encoding in [Encoding::Utf8, Encoding::Utf16] {
            let lines = Lines::new(text, encoding);
            for (at, _) in text.char_indices().filter(|(_, c)| *c != '\n') {
                assert_eq!(
                    lines.byte(text, lines.position(text, at)),
                    at,
                    "{encoding:?}"
                );
            }
        }
        let lines = Lines::new(text, Encoding::Utf16);
        let place = |line, character| lines.byte(text, Position { line, character });
        assert_eq!(place(0, 4), 7);
        assert_eq!(place(0, 3), 3, "inside a surrogate pair is before it");
        assert_eq!(place(0, 99), 7, "before the line's end");
        assert_eq!(place(9, 0), text.len());
    }
}
