//! The formatter of `.vn` and `.tile` texts: one indentation, one spacing, the author's line breaks.
//!
//! It works on tokens, so it cannot change what a text means: the tokens and comments of the result are those of the text,
//! in the same lines. Formatting twice is formatting once. A text with syntax errors is left alone.
//!
//! `fmt/spacing.rs` decides what stands between two tokens, `fmt/align.rs` keeps columns that the author aligned.

mod align;
mod spacing;

use diag::{Diagnostic, FileId};

use crate::prepare::{lex, prepare};
use crate::token::Token;
use crate::{parse_kernel, parse_tile};

use align::Line;
use spacing::Spacing;

/// Which form a text has.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum TextForm {
    /// Kernels, `.vn`: four spaces a level.
    Kernel,
    /// Tile form, `.tile`: two spaces a level.
    Tile,
}

impl TextForm {
    const fn indent(self) -> usize {
        match self {
            TextForm::Kernel => 4,
            TextForm::Tile => 2,
        }
    }
}

/// Formats a text, or says which syntax errors it has. Lines end with `\n`.
pub fn format(form: TextForm, file: FileId, text: &str) -> Result<String, Vec<Diagnostic>> {
    let found = match form {
        TextForm::Kernel => parse_kernel(file, text).diagnostics,
        TextForm::Tile => parse_tile(file, text).diagnostics,
    };
    if found.iter().any(Diagnostic::is_error) {
        return Err(found);
    }
    let lexemes = lexemes(form, file, text);
    let mut lines = lines(form, &lexemes);
    align::assignments(&mut lines);
    align::comments(&mut lines);
    Ok(align::text(&lines, form.indent()))
}

/// A token or a comment.
#[derive(Copy, Clone, Debug)]
struct Lexeme<'a> {
    /// None for a comment.
    token: Option<Token>,
    text: &'a str,
    /// Line breaks between the lexeme before and this one.
    breaks: usize,
    /// Whether white space stands before it.
    spaced: bool,
    /// Whether more than one space stands before it.
    padded: bool,
    /// The column in characters, from 0.
    column: usize,
}

fn lexemes(form: TextForm, file: FileId, text: &str) -> Vec<Lexeme<'_>> {
    let prepared = match form {
        TextForm::Kernel => prepare(file, text),
        TextForm::Tile => lex(file, text),
    };
    let tokens = prepared
        .tokens
        .iter()
        .map(|&(start, token, end)| (start, Some(token), end));
    let comments = prepared
        .comments
        .iter()
        .map(|comment| (comment.span.start, None, comment.span.end));
    let mut all: Vec<(u32, Option<Token>, u32)> = tokens.chain(comments).collect();
    all.sort_by_key(|&(start, ..)| start);
    let mut end_before = 0;
    let mut line_start = 0;
    let lexeme = |(start, token, end): (u32, Option<Token>, u32)| {
        let (start, end) = (start as usize, end as usize);
        let between = &text[end_before..start];
        if let Some(at) = between.rfind('\n') {
            line_start = end_before + at + 1;
        }
        end_before = end;
        Lexeme {
            token,
            text: text[start..end].trim_end(),
            breaks: between.matches('\n').count(),
            spaced: !between.is_empty(),
            padded: between.len() > 1 && !between.contains('\n'),
            column: text[line_start..start].chars().count(),
        }
    };
    all.into_iter().map(lexeme).collect()
}

/// An open bracket.
struct Open {
    /// Levels of the line it stands in; of a brace, those of the statement.
    level: usize,
    brace: bool,
}

/// Puts lexemes into lines: levels, spaces, blank lines.
fn lines(form: TextForm, lexemes: &[Lexeme<'_>]) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    let mut spacing = Spacing::new(form);
    let mut before: Option<Token> = None;
    let mut statement = 0;
    for (at, lexeme) in lexemes.iter().enumerate() {
        if at == 0 || lexeme.breaks > 0 {
            let blank = at > 0 && lexeme.breaks > 1 && !at_edge(before, lexeme.token);
            let (outer, continued) = level(&open, before, &lexemes[at..]);
            statement = outer;
            lines.push(Line::new(outer + usize::from(continued), blank));
        }
        let Some(line) = lines.last_mut() else {
            continue;
        };
        let space = spacing.before(lexeme, line.text.is_empty());
        line.push(lexeme, space, open.len());
        let Some(token) = lexeme.token else {
            continue;
        };
        if matches!(token, Token::LBrace | Token::LParen | Token::LBracket) {
            open.push(Open {
                level: if token == Token::LBrace {
                    statement
                } else {
                    line.level
                },
                brace: token == Token::LBrace,
            });
        } else if closes(Some(token)) {
            open.pop();
        }
        before = Some(token);
    }
    lines
}

/// Whether a blank line would stand at the beginning or the end of a block.
fn at_edge(before: Option<Token>, next: Option<Token>) -> bool {
    before == Some(Token::LBrace) && next.is_some() || next == Some(Token::RBrace)
}

/// How deep a line stands that begins with these lexemes, and whether it goes on with a statement and stands one deeper.
fn level(open: &[Open], before: Option<Token>, line: &[Lexeme<'_>]) -> (usize, bool) {
    let closing = line
        .iter()
        .enumerate()
        .take_while(|(at, lexeme)| closes(lexeme.token) && (*at == 0 || lexeme.breaks == 0))
        .count();
    if closing > 0 {
        let at = open.len().saturating_sub(closing);
        return (open.get(at).map_or(0, |open| open.level), false);
    }
    let inside = open.last().map_or(0, |open| open.level + 1);
    let in_statement = open.last().is_none_or(|open| open.brace);
    (inside, in_statement && continues(before, line))
}

fn closes(token: Option<Token>) -> bool {
    matches!(token, Some(Token::RBrace | Token::RParen | Token::RBracket))
}

/// Whether a line goes on with what the line before began.
fn continues(before: Option<Token>, line: &[Lexeme<'_>]) -> bool {
    let begins = matches!(
        before,
        None | Some(Token::Semicolon | Token::Comma | Token::LBrace | Token::RBrace)
    );
    let opens = line
        .first()
        .is_some_and(|lexeme| lexeme.token == Some(Token::LBrace));
    !begins && !opens
}
