//! What stands between two tokens of one line: a space or nothing.
//!
//! Where the language has a custom it is followed; where both are customary (`2*i` in an index, a word before a parenthesis
//! in the tile form) the author's choice stays.

use super::{Lexeme, TextForm};
use crate::token::Token;

/// The state of a walk over the tokens of a text.
pub(super) struct Spacing {
    form: TextForm,
    before: Option<Token>,
    /// Whether the token before is a prefix: `-` or `!` before an operand.
    prefix: bool,
    /// Whether the token before was written without a space before it.
    tight: bool,
    /// For each open bracket, whether it is a square one.
    square: Vec<bool>,
    angle: Angle,
    /// Angle brackets of parameters that are open.
    generics: usize,
    /// Brackets open around the head of each `fold` or `scan` whose monoid is to come.
    heads: Vec<usize>,
}

/// Where the token before stands among names with parameters in angle brackets, such as `kernel gemm<M, K>`.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Angle {
    /// Nowhere.
    Away,
    /// It says that such a name comes.
    Named,
    /// It is such a name.
    Name,
    /// It is the `<` or the `>`.
    Bracket,
}

impl Spacing {
    pub(super) fn new(form: TextForm) -> Spacing {
        Spacing {
            form,
            before: None,
            prefix: false,
            tight: false,
            square: Vec::new(),
            angle: Angle::Away,
            generics: 0,
            heads: Vec::new(),
        }
    }

    /// Whether a space stands before a lexeme, and on to the next; `first` of its line has none.
    pub(super) fn before(&mut self, lexeme: &Lexeme<'_>, first: bool) -> bool {
        let Some(token) = lexeme.token else {
            return true;
        };
        let space = !first && self.space(lexeme, token);
        self.pass(lexeme, token, first);
        space
    }

    fn space(&self, lexeme: &Lexeme<'_>, token: Token) -> bool {
        let Some(before) = self.before else {
            return false;
        };
        match (before, token) {
            (Token::LParen | Token::LBracket, _) => false,
            (_, Token::RParen | Token::RBracket | Token::Comma | Token::Semicolon) => false,
            (Token::LBrace, Token::RBrace) => false,
            (Token::Comma | Token::Semicolon | Token::LBrace, _) => true,
            (_, Token::RBrace | Token::LBrace) => true,
            _ => match self.form {
                TextForm::Kernel => self.space_in_kernel(lexeme, before, token),
                TextForm::Tile => lexeme.spaced,
            },
        }
    }

    fn space_in_kernel(&self, lexeme: &Lexeme<'_>, before: Token, token: Token) -> bool {
        if self.prefix {
            return false;
        }
        match (before, token) {
            (Token::Dot | Token::DotDot | Token::PathSep | Token::Caret, _) => false,
            (_, Token::Dot | Token::PathSep | Token::Caret | Token::Colon) => false,
            (Token::Less, _) if self.angle == Angle::Bracket => false,
            (_, Token::Less) if self.angle == Angle::Name => false,
            (_, Token::Greater) if self.generics > 0 => false,
            (Token::Greater, Token::LParen) if self.angle == Angle::Bracket => false,
            (_, Token::LBracket) => !before.ends_operand(),
            (_, Token::LParen) => self.space_before_paren(lexeme, before),
            (Token::Int | Token::Float, Token::Percent) => lexeme.spaced,
            (_, Token::Star | Token::Slash | Token::Percent) if self.in_index() => lexeme.spaced,
            (Token::Star | Token::Slash | Token::Percent, _) if self.in_index() => !self.tight,
            _ => true,
        }
    }

    /// Calls have none; what follows a word of the grammar has one.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a hundred tokens; most are words, and words stand apart"
    )]
    fn space_before_paren(&self, lexeme: &Lexeme<'_>, before: Token) -> bool {
        match before {
            Token::Ident | Token::Reduction | Token::Fold | Token::Scan => false,
            Token::At => true,
            word if word.is_name() => lexeme.spaced,
            _ => true,
        }
    }

    fn in_index(&self) -> bool {
        self.square.last() == Some(&true) || self.generics > 0
    }

    /// Goes on behind a token.
    fn pass(&mut self, lexeme: &Lexeme<'_>, token: Token, first: bool) {
        let operand = self
            .before
            .is_some_and(|before| before.ends_operand() && !self.closed_head());
        self.prefix = matches!(token, Token::Minus | Token::Not) && !operand;
        self.tight = !lexeme.spaced && !first;
        self.brackets(token);
        self.names(token);
        self.before = Some(token);
    }

    /// Whether the token before closed the head of a fold or scan: no operand ends there.
    fn closed_head(&self) -> bool {
        self.before == Some(Token::RParen) && self.heads.last() == Some(&self.square.len())
    }

    fn brackets(&mut self, token: Token) {
        if matches!(token, Token::Fold | Token::Scan) {
            self.heads.push(self.square.len());
        }
        if matches!(token, Token::Semicolon | Token::LBrace) {
            self.heads.clear();
        }
        if matches!(token, Token::LParen | Token::LBracket | Token::LBrace) {
            self.square.push(token == Token::LBracket);
        }
        if matches!(token, Token::RParen | Token::RBracket | Token::RBrace) {
            self.square.pop();
        }
    }

    /// Follows names that may have parameters, and the angle brackets of those.
    fn names(&mut self, token: Token) {
        let monoid = self.closed_head() && token.is_name();
        if monoid {
            self.heads.pop();
        }
        let begins = matches!(
            self.before,
            Some(Token::Semicolon | Token::LBrace | Token::RBrace)
        );
        self.angle = match (self.angle, token) {
            (_, Token::Kernel | Token::Fn | Token::Monoid) => Angle::Named,
            (_, Token::Block) if begins => Angle::Name,
            (Angle::Named, _) if token.is_name() => Angle::Name,
            _ if monoid => Angle::Name,
            (Angle::Name, Token::Less) => {
                self.generics += 1;
                Angle::Bracket
            }
            (_, Token::Greater) if self.generics > 0 => {
                self.generics -= 1;
                Angle::Bracket
            }
            _ => Angle::Away,
        };
    }
}
