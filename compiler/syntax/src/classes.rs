//! What sort of word each token of a kernel text is, for highlighting. Without a parser, so any text has its colours.

use std::ops::Range;

use diag::FileId;

use crate::prepare::prepare;
use crate::token::Token;

/// Sorts of words.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum WordClass {
    /// A reserved word, or a word that means something in its place.
    Keyword,
    /// A reduction, `fold` or `scan` before its parenthesis.
    Reduction,
    /// A name.
    Name,
    /// A number.
    Number,
    /// A text in quotes.
    Text,
    /// An operator.
    Operator,
    /// A comment.
    Comment,
    /// A comment that documents.
    Doc,
}

/// The tokens of a text that have a class, in order.
pub fn classes(text: &str) -> Vec<(Range<usize>, WordClass)> {
    let prepared = prepare(FileId(0), text);
    let tokens = prepared.tokens.iter().filter_map(|&(start, token, end)| {
        let class = class(token)?;
        Some((start as usize..end as usize, class))
    });
    let comments = prepared.comments.iter().map(|comment| {
        let class = match comment.kind {
            crate::CommentKind::Line => WordClass::Comment,
            crate::CommentKind::Doc | crate::CommentKind::Inner => WordClass::Doc,
        };
        (comment.span.range(), class)
    });
    let mut all: Vec<_> = tokens.chain(comments).collect();
    all.sort_by_key(|(range, _)| range.start);
    all
}

/// Whether a text is one name: what may be declared.
pub fn is_name(text: &str) -> bool {
    let prepared = prepare(FileId(0), text);
    let whole = |&(start, token, end): &(u32, Token, u32)| {
        token.is_name() && start == 0 && end as usize == text.len()
    };
    prepared.comments.is_empty() && matches!(&prepared.tokens[..], [one] if whole(one))
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a hundred tokens; all others are words of the language"
)]
fn class(token: Token) -> Option<WordClass> {
    match token {
        Token::Ident => Some(WordClass::Name),
        Token::Int | Token::Float | Token::NumLetters => Some(WordClass::Number),
        Token::Str | Token::UnclosedStr => Some(WordClass::Text),
        Token::Reduction | Token::Fold | Token::Scan => Some(WordClass::Reduction),
        Token::Comment | Token::BlockComment => Some(WordClass::Comment),
        Token::LParen
        | Token::RParen
        | Token::LBracket
        | Token::RBracket
        | Token::LBrace
        | Token::RBrace
        | Token::Comma
        | Token::Semicolon
        | Token::Colon
        | Token::PathSep
        | Token::Dot
        | Token::DotDot
        | Token::Error => None,
        Token::Arrow
        | Token::Assign
        | Token::EqEq
        | Token::NotEq
        | Token::Less
        | Token::LessEq
        | Token::Greater
        | Token::GreaterEq
        | Token::Plus
        | Token::Minus
        | Token::Star
        | Token::Slash
        | Token::Percent
        | Token::Caret
        | Token::Not
        | Token::AndAnd
        | Token::OrOr
        | Token::Question => Some(WordClass::Operator),
        _ => Some(WordClass::Keyword),
    }
}
