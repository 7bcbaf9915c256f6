//! The tokens of the kernel language. Knows no grammar: whether a word such as
//! `sum` or `const` means something special here is decided in `prepare.rs`.

use logos::Logos;

/// A token; its text is found through its place.
#[derive(Logos, Copy, Clone, Debug, PartialEq, Eq)]
#[logos(skip r"[ \t\r\n\f\u{feff}]+")]
pub(crate) enum Token {
    // Comments are trivia: they are kept aside and never reach the parser.
    #[regex(r"//[^\n]*", allow_greedy = true)]
    Comment,
    // The language has no block comments; the opening is a token of its own so
    // that the whole comment can be skipped with one diagnostic.
    #[token("/*")]
    BlockComment,

    #[regex(r"[A-Za-z_][A-Za-z0-9_]*")]
    Ident,
    #[regex(r"[0-9]+")]
    Int,
    // Wins over a number with letters: `1e5` is a float.
    #[regex(r"[0-9]+\.[0-9]+([eE][+-]?[0-9]+)?", priority = 20)]
    #[regex(r"[0-9]+[eE][+-]?[0-9]+", priority = 20)]
    Float,
    #[regex(r"[0-9]+(\.[0-9]+)?[A-Za-z_][A-Za-z0-9_]*", priority = 10)]
    NumLetters,
    #[regex(r#""[^"\n]*""#)]
    Str,
    #[regex(r#""[^"\n]*"#)]
    UnclosedStr,

    #[token("pub")]
    Pub,
    #[token("kernel")]
    Kernel,
    #[token("fn")]
    Fn,
    #[token("monoid")]
    Monoid,
    #[token("schedule")]
    Schedule,
    #[token("tile")]
    Tile,
    #[token("use")]
    Use,
    #[token("const")]
    Const,
    /// `const` before a generic parameter.
    GenericConst,
    #[token("let")]
    Let,
    #[token("assert")]
    Assert,
    /// `assert` outside of braces.
    ItemAssert,
    #[token("where")]
    Where,
    #[token("when")]
    When,
    #[token("if")]
    If,
    #[token("then")]
    Then,
    #[token("else")]
    Else,
    #[token("as")]
    As,
    #[token("for")]
    For,
    #[token("in")]
    In,
    #[token("true")]
    True,
    #[token("false")]
    False,

    /// `sum`, `max` and the like before `(`; names elsewhere.
    Reduction,
    /// `fold` before `(`.
    Fold,
    /// `scan` before `(`.
    Scan,

    // Words with a meaning in one place, names everywhere.
    #[token("order")]
    Order,
    #[token("round")]
    Round,
    #[token("saturate")]
    Saturate,
    #[token("inf")]
    Inf,
    #[token("wrap")]
    Wrap,
    #[token("merge")]
    Merge,
    #[token("block")]
    Block,
    #[token("grid")]
    Grid,
    #[token("stream")]
    Stream,
    #[token("place")]
    Place,
    #[token("depth")]
    Depth,
    #[token("skew")]
    Skew,
    #[token("pack")]
    Pack,
    #[token("engine")]
    Engine,
    #[token("fuse")]
    Fuse,
    #[token("at")]
    At,
    #[token("keep")]
    Keep,
    #[token("recompute")]
    Recompute,
    #[token("split")]
    Split,
    #[token("across")]
    Across,
    #[token("pad")]
    Pad,
    #[token("to")]
    To,
    #[token("unroll")]
    Unroll,
    #[token("skip")]
    Skip,
    #[token("workspace")]
    Workspace,
    #[token("expect")]
    Expect,

    #[token("(")]
    LParen,
    #[token(")")]
    RParen,
    #[token("[")]
    LBracket,
    #[token("]")]
    RBracket,
    #[token("{")]
    LBrace,
    #[token("}")]
    RBrace,
    #[token(",")]
    Comma,
    #[token(";")]
    Semicolon,
    #[token(":")]
    Colon,
    #[token("::")]
    PathSep,
    #[token(".")]
    Dot,
    #[token("..")]
    DotDot,
    #[token("->")]
    Arrow,
    #[token("=")]
    Assign,
    #[token("==")]
    EqEq,
    #[token("!=")]
    NotEq,
    #[token("<")]
    Less,
    #[token("<=")]
    LessEq,
    #[token(">")]
    Greater,
    #[token(">=")]
    GreaterEq,
    #[token("+")]
    Plus,
    #[token("-")]
    Minus,
    #[token("*")]
    Star,
    #[token("/")]
    Slash,
    #[token("%")]
    Percent,
    #[token("^")]
    Caret,
    #[token("!")]
    Not,
    #[token("&&")]
    AndAnd,
    #[token("||")]
    OrOr,
    #[token("?")]
    Question,

    /// Text that is no token, or nests too deeply: always a syntax error, with a
    /// diagnostic that is kept aside.
    Error,
}

impl Token {
    /// Returns whether only an item can begin with this token.
    pub(crate) fn starts_item(self) -> bool {
        matches!(
            self,
            Token::Pub
                | Token::Kernel
                | Token::Fn
                | Token::Monoid
                | Token::Schedule
                | Token::Tile
                | Token::Use
                | Token::Const
                | Token::ItemAssert
        )
    }

    /// Returns whether an operand may end with this token, so that a `-` behind
    /// it is infix.
    pub(crate) fn ends_operand(self) -> bool {
        matches!(
            self,
            Token::RParen
                | Token::RBracket
                | Token::Int
                | Token::Float
                | Token::NumLetters
                | Token::True
                | Token::False
                | Token::Question
                | Token::Error
        ) || self.is_name()
    }

    /// Returns whether this token is a name: an identifier or a contextual word.
    pub(crate) fn is_name(self) -> bool {
        matches!(
            self,
            Token::Ident
                | Token::Order
                | Token::Round
                | Token::Saturate
                | Token::Inf
                | Token::Wrap
                | Token::Merge
                | Token::Block
                | Token::Grid
                | Token::Stream
                | Token::Place
                | Token::Depth
                | Token::Skew
                | Token::Pack
                | Token::Engine
                | Token::Fuse
                | Token::At
                | Token::Keep
                | Token::Recompute
                | Token::Split
                | Token::Across
                | Token::Pad
                | Token::To
                | Token::Unroll
                | Token::Skip
                | Token::Workspace
                | Token::Expect
        )
    }
}
