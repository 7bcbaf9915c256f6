//! The entry point for `.vn` files: text in, tree and diagnostics out.

use std::cell::Cell;
use std::collections::BTreeMap;

use diag::{Diagnostic, FileId, Span};
use lalrpop_util::ParseError;

use crate::ast::{File, Item};
use crate::builder::{Builder, MAX_REJECTED, Spanned};
use crate::errors;
use crate::grammar::FileParser;
use crate::prepare::{Prepared, prepare};
use crate::token::Token;

/// What parsing gives: always a tree, as good as it could be read.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    /// The tree.
    pub file: File,
    /// What is wrong, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
    /// All comments in the order of the text.
    pub comments: Vec<Comment>,
}

/// A comment; its text is found through its place.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// How it begins.
    pub kind: CommentKind,
    /// From the first slash to the last character of the line.
    pub span: Span,
}

/// How a comment begins.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum CommentKind {
    /// `//`.
    Line,
    /// `///`: about the item that follows.
    Doc,
    /// `//!`: about the file; at its top also directives.
    Inner,
}

/// Parses a `.vn` text. Never fails: see [`Parsed`].
pub fn parse_kernel(file: FileId, text: &str) -> Parsed {
    if u32::try_from(text.len()).is_err() {
        return Parsed {
            diagnostics: vec![errors::file_too_large()],
            ..Parsed::default()
        };
    }
    let prepared = prepare(file, text);
    let count = Cell::new(0);
    let mut builder = Builder::new(file, text, &prepared.tokens, &count);
    let tokens = prepared.tokens.iter().copied().map(Ok);
    let tokens = tokens.take_while(|_| count.get() < MAX_REJECTED);
    let outcome = FileParser::new().parse(&mut builder, tokens);
    builder.rejected.extend(outcome.err());
    // Behind the limit the parser met an end that the file does not have.
    builder.rejected.truncate(MAX_REJECTED);

    let mut diagnostics = accepted_mistakes(&builder);
    let rejected = std::mem::take(&mut builder.rejected);
    let mut tree = builder.file;
    let gave_up = rejected.len() == MAX_REJECTED;
    let mut covered = 0;
    for error in rejected {
        if place(&error).is_some_and(|start| start < covered) {
            continue;
        }
        if let Some((found, until)) = explain(file, text, &prepared, error) {
            diagnostics.push(found);
            covered = covered.max(until);
        }
    }
    diagnostics.extend(prepared.diagnostics);
    diag::sort(&mut diagnostics);
    if gave_up && let Some(last) = diagnostics.last_mut() {
        last.notes.push(errors::rest_not_read());
    }
    attach_docs(text, &mut tree.items, &prepared.tokens, &prepared.comments);
    tree.directives = prepared.directives;
    Parsed {
        file: tree,
        diagnostics,
        comments: prepared.comments,
    }
}

/// The mistakes in parts of the tree that were kept. One in a part that was left
/// out belongs to a statement that has its diagnostic already.
fn accepted_mistakes(builder: &Builder<'_>) -> Vec<Diagnostic> {
    let mut left_out = builder.left_out.clone();
    left_out.sort_by_key(|s| s.start);
    // The furthest end of all parts up to this one, because parts may nest.
    let mut ends: Vec<u32> = Vec::with_capacity(left_out.len());
    for span in &left_out {
        ends.push(ends.last().map_or(span.end, |e| span.end.max(*e)));
    }
    let is_kept = |d: &&Diagnostic| {
        let before = left_out.partition_point(|s| s.start <= d.span().start);
        before == 0 || ends[before - 1] <= d.span().start
    };
    builder
        .diagnostics
        .iter()
        .filter(is_kept)
        .cloned()
        .collect()
}

/// Where the parser rejected something.
fn place(error: &ParseError<u32, Token, ()>) -> Option<u32> {
    match error {
        ParseError::UnrecognizedToken { token, .. } | ParseError::ExtraToken { token } => {
            Some(token.0)
        }
        ParseError::UnrecognizedEof { location, .. } | ParseError::InvalidToken { location } => {
            Some(*location)
        }
        ParseError::User { .. } => None,
    }
}

/// Words what the parser rejected, and the end of what that covers. An error token has its diagnostic already.
fn explain(
    file: FileId,
    text: &str,
    prepared: &Prepared,
    error: ParseError<u32, Token, ()>,
) -> Option<(Diagnostic, u32)> {
    let (found, expected) = match error {
        ParseError::UnrecognizedToken { token, expected } => (Some(token), expected),
        ParseError::UnrecognizedEof { expected, .. } => (None, expected),
        ParseError::ExtraToken { token } => (Some(token), Vec::new()),
        ParseError::InvalidToken { .. } | ParseError::User { .. } => return None,
    };
    if let Some((start, Token::Error, _)) = found {
        return prepared.at_token.get(&start).cloned().map(|d| (d, 0));
    }
    Some(errors::unexpected(&errors::Unexpected {
        file,
        text,
        tokens: &prepared.tokens,
        found,
        expected: &expected,
    }))
}

/// Gives each item the doc comments between the token before it and itself.
fn attach_docs(text: &str, items: &mut [Item], tokens: &[Spanned], comments: &[Comment]) {
    let mut by_item: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for comment in comments.iter().filter(|c| c.kind == CommentKind::Doc) {
        let next = tokens.partition_point(|t| t.0 < comment.span.start);
        let Some((start, _, _)) = tokens.get(next) else {
            continue;
        };
        let line = &text[comment.span.range()];
        let line = line.strip_prefix("///").unwrap_or(line);
        let line = line.strip_prefix(' ').unwrap_or(line).trim_end();
        by_item.entry(*start).or_default().push(line.to_owned());
    }
    for item in items {
        item.docs = by_item.remove(&item.span.start).unwrap_or_default();
    }
}
