//! From text to the tokens that the grammar reads: comments are put aside, words
//! get the meaning that their neighbours give them, and text that is no token or
//! nests too deeply becomes one error token.

use std::collections::BTreeMap;

use diag::{Diagnostic, FileId, Span};
use logos::Logos;

use crate::ast::{Directive, MAX_DEPTH, ReduceOp};
use crate::builder::{MAX_REJECTED, Spanned};
use crate::errors;
use crate::kernel::{Comment, CommentKind};
use crate::token::Token;

/// A text as the parser takes it.
pub(crate) struct Prepared {
    /// The tokens without comments.
    pub(crate) tokens: Vec<Spanned>,
    /// What each error token means, by its first byte.
    pub(crate) at_token: BTreeMap<u32, Diagnostic>,
    /// What is wrong but costs no token.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// All comments in the order of the text.
    pub(crate) comments: Vec<Comment>,
    /// The `//! key: value` lines before the first token.
    pub(crate) directives: Vec<Directive>,
}

/// Prepares a text of less than 4 GiB.
pub(crate) fn prepare(file: FileId, text: &str) -> Prepared {
    let mut prepared = lex(file, text);
    give_context(file, text, &mut prepared);
    limit_nesting(file, &mut prepared);
    prepared
}

/// The tokens alone, without the meaning of their place.
pub(crate) fn lex(file: FileId, text: &str) -> Prepared {
    let mut prepared = Prepared {
        tokens: Vec::new(),
        at_token: BTreeMap::new(),
        diagnostics: Vec::new(),
        comments: Vec::new(),
        directives: Vec::new(),
    };
    let mut lexer = Token::lexer(text);
    while let Some(token) = lexer.next() {
        let span = Span::new(file, lexer.span());
        match token {
            Ok(Token::Comment) => comment(&mut prepared, lexer.slice(), span),
            Ok(Token::BlockComment) => {
                let end = lexer.remainder().find("*/").map(|at| at + "*/".len());
                lexer.bump(end.unwrap_or(lexer.remainder().len()));
                let whole = Span::new(file, lexer.span());
                if prepared.diagnostics.len() < MAX_REJECTED {
                    let error = errors::block_comment(span, whole, end.is_some());
                    prepared.diagnostics.push(error);
                }
            }
            Ok(Token::UnclosedStr) => {
                let error = errors::unclosed_string(span);
                push_error(&mut prepared, span, || error);
            }
            Ok(token) => prepared.tokens.push((span.start, token, span.end)),
            Err(()) => {
                let error = || errors::unknown_token(lexer.slice(), span);
                push_error(&mut prepared, span, error);
            }
        }
    }
    prepared
}

/// Adds an error token, or makes the one just before it longer.
fn push_error(prepared: &mut Prepared, span: Span, error: impl FnOnce() -> Diagnostic) {
    if let Some(last) = prepared.tokens.last_mut()
        && last.1 == Token::Error
        && last.2 == span.start
    {
        last.2 = span.end;
        return;
    }
    prepared.tokens.push((span.start, Token::Error, span.end));
    prepared.at_token.insert(span.start, error());
}

fn comment(prepared: &mut Prepared, text: &str, span: Span) {
    let text = text.trim_end_matches('\r');
    let kind = if text.starts_with("//!") {
        CommentKind::Inner
    } else if text.starts_with("///") && !text.starts_with("////") {
        CommentKind::Doc
    } else {
        CommentKind::Line
    };
    let span = Span {
        end: span.start + u32::try_from(text.len()).unwrap_or(u32::MAX),
        ..span
    };
    if kind == CommentKind::Inner && prepared.tokens.is_empty() {
        prepared.directives.extend(directive(&text[3..], span));
    }
    prepared.comments.push(Comment { kind, span });
}

/// Reads ` key: value`; other text behind `//!` is prose.
fn directive(text: &str, span: Span) -> Option<Directive> {
    let (key, value) = text.trim().split_once(':')?;
    let is_key = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    (!key.is_empty() && key.chars().all(is_key)).then(|| Directive {
        key: key.to_owned(),
        value: value.trim().to_owned(),
        span,
    })
}

/// Gives words the meaning of their place.
fn give_context(file: FileId, text: &str, prepared: &mut Prepared) {
    let tokens = &mut prepared.tokens;
    let mut depth = 0_usize;
    let mut previous = Token::Semicolon;
    for at in 0..tokens.len() {
        let (start, token, end) = tokens[at];
        let next = tokens.get(at + 1).map(|t| (t.1, t.0 == end));
        let word = &text[start as usize..end as usize];
        let meant = match (token, next) {
            (Token::Ident, Some((Token::LParen, _))) => word_before_paren(word),
            (Token::Assert, _) if depth == 0 => Token::ItemAssert,
            (Token::Const, _) if matches!(previous, Token::Less | Token::Comma) => {
                Token::GenericConst
            }
            (Token::Int, Some((Token::Dot, true))) => {
                let span = Span {
                    file,
                    start,
                    end: end + 1,
                };
                prepared
                    .at_token
                    .insert(start, errors::point_without_digits(span));
                Token::Error
            }
            (Token::Dot, Some((Token::Int, true))) if !ends_value(previous) => {
                let span = Span {
                    file,
                    start,
                    end: tokens.get(at + 1).map_or(end, |t| t.2),
                };
                prepared
                    .at_token
                    .insert(start, errors::point_before_digits(span));
                Token::Error
            }
            _ => token,
        };
        depth = depth_behind(meant, depth);
        tokens[at].1 = meant;
        previous = meant;
    }
}

/// Whether a value may end with a token, so that a point behind it begins the name of a field.
fn ends_value(token: Token) -> bool {
    matches!(
        token,
        Token::Ident | Token::Int | Token::RParen | Token::RBracket
    )
}

/// The number of open braces behind a token. Items stand in no braces: whatever
/// was open before one is a mistake.
fn depth_behind(token: Token, depth: usize) -> usize {
    if token.starts_item() && token != Token::Const {
        0
    } else if token == Token::LBrace {
        depth + 1
    } else if token == Token::RBrace {
        depth.saturating_sub(1)
    } else {
        depth
    }
}

fn word_before_paren(word: &str) -> Token {
    match word {
        "fold" => Token::Fold,
        "scan" => Token::Scan,
        _ if ReduceOp::from_word(word).is_some() => Token::Reduction,
        _ => Token::Ident,
    }
}

/// What is open between two brackets or commas.
#[derive(Default)]
struct Level {
    /// `if`, reductions and `^`: they take all that follows.
    open: u32,
    /// `-` and `!` in a row: they take one operand.
    prefixes: u32,
}

/// Cuts what nests more than 256 deep down to one error token, up to the next
/// `;` or brace. The parser's own stack, and with it the time that recovery
/// takes, is bounded by this.
fn limit_nesting(file: FileId, prepared: &mut Prepared) {
    let mut levels = vec![Level::default()];
    let mut total = 0;
    let mut previous = Token::Semicolon;
    let mut cutting = false;
    let tokens = std::mem::take(&mut prepared.tokens);
    let mut kept = Vec::with_capacity(tokens.len());
    for (start, token, end) in tokens {
        if is_boundary(token) {
            levels.truncate(1);
            levels[0] = Level::default();
            total = 0;
            cutting = false;
        }
        if cutting {
            continue;
        }
        count(&mut levels, &mut total, previous, token);
        previous = token;
        if total > MAX_DEPTH {
            let span = Span { file, start, end };
            prepared
                .at_token
                .insert(start, errors::nesting_too_deep(span));
            kept.push((start, Token::Error, end));
            cutting = true;
        } else {
            kept.push((start, token, end));
        }
    }
    prepared.tokens = kept;
}

fn is_boundary(token: Token) -> bool {
    matches!(token, Token::Semicolon | Token::LBrace | Token::RBrace) || token.starts_item()
}

/// Counts what a token opens or closes.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a hundred tokens; a new one opens nothing"
)]
fn count(levels: &mut Vec<Level>, total: &mut u32, previous: Token, token: Token) {
    let Some(level) = levels.last_mut() else {
        return;
    };
    match token {
        Token::LParen | Token::LBracket => {
            levels.push(Level::default());
            *total += 1;
            return;
        }
        Token::RParen | Token::RBracket => {
            if levels.len() > 1
                && let Some(closed) = levels.pop()
            {
                *total -= closed.open + closed.prefixes + 1;
            }
        }
        Token::Comma => {
            *total -= level.open + level.prefixes;
            *level = Level::default();
        }
        Token::If | Token::Reduction | Token::Fold | Token::Scan | Token::Caret => {
            level.open += 1;
            *total += 1;
        }
        Token::Minus | Token::Not if !previous.ends_operand() => {
            level.prefixes += 1;
            *total += 1;
        }
        _ => {}
    }
    if token.ends_operand()
        && let Some(level) = levels.last_mut()
    {
        *total -= level.prefixes;
        level.prefixes = 0;
    }
}
