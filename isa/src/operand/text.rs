//! The text of an instruction line: a cursor over it, and the errors it gives.
//!
//! A line is `mnemonic.suffix.suffix operand, operand`. Suffix operands are taken from the mnemonic, the others from the
//! list, both in row order.

use super::Operand;
use std::fmt;
use std::ops::Range;

/// What printing needs to know about the program around an instruction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TextCx {
    /// Labels up to this index have a name `L<index>`; beyond it they print as `@<index>`.
    pub labels: Option<u32>,
}

/// What is wrong with an operand's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextErrorKind {
    /// Something else was expected here.
    Expected(&'static str),
    /// The number is not within these limits.
    OutOfRange(i128, i128),
    /// One of these words was expected here.
    ExpectedWord(&'static [&'static str]),
    /// No instruction has this name.
    UnknownMnemonic(String),
    /// No label has this name.
    UnknownLabel(String),
    /// The machine has no such conversion.
    UnknownConversion,
    /// The mnemonic has a suffix too many.
    ExtraSuffix,
    /// The line goes on after its last operand.
    Trailing,
}

impl fmt::Display for TextErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TextErrorKind::Expected(what) => write!(f, "expected {what}"),
            TextErrorKind::OutOfRange(low, high) => {
                write!(f, "the value must be from {low} to {high}")
            }
            TextErrorKind::ExpectedWord(words) => write!(f, "expected `{}`", words.join("`, `")),
            TextErrorKind::UnknownMnemonic(name) => write!(f, "there is no instruction `{name}`"),
            TextErrorKind::UnknownLabel(name) => {
                write!(f, "there is no label `{name}` in this section")
            }
            TextErrorKind::UnknownConversion => f.write_str("the machine has no such conversion"),
            TextErrorKind::ExtraSuffix => f.write_str("the mnemonic has a suffix too many"),
            TextErrorKind::Trailing => f.write_str("the line goes on after its last operand"),
        }
    }
}

/// What is wrong, and where in the text given to [`Cursor::new`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextError {
    /// What is wrong.
    pub kind: TextErrorKind,
    /// Bytes of the line.
    pub span: Range<usize>,
}

impl TextError {
    pub(crate) fn new(kind: TextErrorKind, span: Range<usize>) -> TextError {
        TextError { kind, span }
    }
}

/// A place in the text of one instruction.
pub struct Cursor<'a> {
    text: &'a str,
    /// Next byte of the operand list.
    at: usize,
    /// Bytes of the mnemonic's suffixes that are not yet taken.
    suffixes: Range<usize>,
    first: bool,
    labels: &'a dyn Fn(&str) -> Option<u32>,
}

impl<'a> Cursor<'a> {
    /// Splits off the mnemonic; what is left are suffixes and operands. `labels` knows the section's labels.
    pub fn new(
        text: &'a str,
        labels: &'a dyn Fn(&str) -> Option<u32>,
    ) -> (&'a str, Range<usize>, Cursor<'a>) {
        let start = text.len() - text.trim_start().len();
        let end = text[start..]
            .find(|c: char| c.is_whitespace())
            .map_or(text.len(), |n| start + n);
        let dot = text[start..end].find('.').map_or(end, |n| start + n);
        let cursor = Cursor {
            text,
            at: end,
            suffixes: dot..end,
            first: true,
            labels,
        };
        (&text[start..dot], start..dot, cursor)
    }

    fn skip_blanks(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    /// Takes the next suffix of the mnemonic; empty if there is none.
    pub(crate) fn suffix(&mut self) -> (&'a str, Range<usize>) {
        let rest = &self.text[self.suffixes.clone()];
        let Some(body) = rest.strip_prefix('.') else {
            return ("", self.suffixes.clone());
        };
        let start = self.suffixes.start + 1;
        let end = body.find('.').map_or(self.suffixes.end, |n| start + n);
        self.suffixes.start = end;
        (&self.text[start..end], start..end)
    }

    /// Bytes of the suffixes that are not yet taken.
    pub(crate) fn suffix_span(&self) -> Range<usize> {
        self.suffixes.clone()
    }

    /// Takes a word of letters, digits, `_` and the signs of labels; empty if there is none.
    pub(crate) fn word(&mut self) -> (&'a str, Range<usize>) {
        self.skip_blanks();
        let rest = &self.text[self.at..];
        let len = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '@'))
            .unwrap_or(rest.len());
        let span = self.at..self.at + len;
        self.at = span.end;
        (
            &self.text[span.clone()],
            if span.is_empty() {
                span.start..self.next_end()
            } else {
                span
            },
        )
    }

    fn next_end(&self) -> usize {
        self.at
            + self.text[self.at..]
                .chars()
                .next()
                .map_or(0, char::len_utf8)
    }

    /// Takes one punctuation character if it is next.
    pub(crate) fn eat(&mut self, sign: char) -> bool {
        self.skip_blanks();
        let found = self.text[self.at..].starts_with(sign);
        if found {
            self.at += sign.len_utf8();
        }
        found
    }

    /// Takes one punctuation character or says what was expected.
    pub(crate) fn expect(&mut self, sign: char, what: &'static str) -> Result<(), TextError> {
        if self.eat(sign) {
            Ok(())
        } else {
            Err(self.error(TextErrorKind::Expected(what)))
        }
    }

    /// An error at the next character.
    pub(crate) fn error(&mut self, kind: TextErrorKind) -> TextError {
        self.skip_blanks();
        TextError::new(kind, self.at..self.next_end())
    }

    /// Whether the next character starts a register's name.
    pub(crate) fn at_register(&mut self) -> bool {
        self.skip_blanks();
        self.text[self.at..].starts_with('x')
    }

    /// Takes a number, decimal or `0x` hexadecimal, with an optional minus, within limits.
    pub(crate) fn number(&mut self, low: i128, high: i128) -> Result<i128, TextError> {
        self.skip_blanks();
        let start = self.at;
        let negative = self.eat('-');
        let (word, span) = self.word();
        let span = start..span.end;
        let magnitude = match word.strip_prefix("0x") {
            Some(hex) if !hex.is_empty() && hex.bytes().all(|b| b.is_ascii_hexdigit()) => {
                i128::from_str_radix(hex, 16).ok()
            }
            None if !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit()) => {
                word.parse().ok()
            }
            Some(_) | None => {
                return Err(TextError::new(TextErrorKind::Expected("a number"), span));
            }
        };
        let value = magnitude.map(|m: i128| if negative { -m } else { m });
        match value {
            Some(value) if (low..=high).contains(&value) => Ok(value),
            Some(_) | None => Err(TextError::new(TextErrorKind::OutOfRange(low, high), span)),
        }
    }

    /// The instruction index of a label's name.
    pub(crate) fn label(&self, name: &str) -> Option<u32> {
        (self.labels)(name)
    }
}

/// Prints an operand in its place: behind a dot, or behind a blank or comma.
pub(crate) fn print_operand<T: Operand>(
    operand: &T,
    out: &mut String,
    listed: &mut bool,
    cx: TextCx,
) {
    if T::SUFFIX {
        out.push('.');
    } else {
        out.push_str(if *listed { ", " } else { " " });
        *listed = true;
    }
    operand.print(out, cx);
}

/// Parses an operand in its place.
pub(crate) fn parse_operand<T: Operand>(cursor: &mut Cursor<'_>) -> Result<T, TextError> {
    if !T::SUFFIX && !std::mem::take(&mut cursor.first) {
        cursor.expect(',', "`,` and one more operand")?;
    }
    T::parse(cursor)
}

/// Checks that nothing follows the last operand.
pub(crate) fn finish_line(cursor: &mut Cursor<'_>) -> Result<(), TextError> {
    if !cursor.suffixes.is_empty() {
        return Err(TextError::new(
            TextErrorKind::ExtraSuffix,
            cursor.suffixes.clone(),
        ));
    }
    cursor.skip_blanks();
    if cursor.at < cursor.text.len() {
        return Err(TextError::new(
            TextErrorKind::Trailing,
            cursor.at..cursor.text.trim_end().len(),
        ));
    }
    Ok(())
}
