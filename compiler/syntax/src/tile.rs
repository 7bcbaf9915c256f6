//! The entry point for `.tile` files: text in, tree and diagnostics out.
//!
//! The letters are read by the kernel language's lexer; here its tokens get the words of the tile form. Everything
//! wrong with the form is E0605.

use diag::{Diagnostic, FileId, Span, codes};
use lalrpop_util::{ErrorRecovery, ParseError};

use crate::ast::Name;
use crate::errors;
use crate::prepare::{Prepared, lex};
use crate::tile_ast::{
    Int, MAX_TILE_NESTING, TileAccess, TileArg, TileCoord, TileFile, TilePlace, TileStmt,
    TileStmtKind,
};
use crate::tile_grammar::TileFuncsParser;
use crate::token::Token;

/// What parsing a tile form gives: always a tree, as good as it could be read.
#[derive(Clone, Debug, Default)]
pub struct ParsedTile {
    /// The tree.
    pub file: TileFile,
    /// What is wrong, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

/// Parses a `.tile` text. Never fails: see [`ParsedTile`].
pub fn parse_tile(file: FileId, text: &str) -> ParsedTile {
    if u32::try_from(text.len()).is_err() {
        return ParsedTile {
            diagnostics: vec![errors::file_too_large()],
            ..ParsedTile::default()
        };
    }
    let mut prepared = lex(file, text);
    let (tokens, too_deep) = tile_tokens(file, text, &prepared);
    let mut builder = TileBuilder {
        file,
        text,
        diagnostics: std::mem::take(&mut prepared.diagnostics),
        rejected: Vec::new(),
    };
    let outcome = TileFuncsParser::new().parse(&mut builder, tokens.iter().copied().map(Ok));
    let funcs = match outcome {
        Ok(funcs) => funcs,
        Err(error) => {
            builder.rejected.push(error);
            Vec::new()
        }
    };
    let end = tokens.last().map_or(0, |t| t.2);
    let mut diagnostics = builder.diagnostics;
    if let Some(span) = too_deep {
        // The text was cut there; what the parser misses behind it is no news.
        diagnostics.push(nesting(span));
    } else {
        let explain = |e| explain(file, text, &prepared, end, e);
        diagnostics.extend(builder.rejected.into_iter().filter_map(explain));
    }
    diag::sort(&mut diagnostics);
    ParsedTile {
        file: TileFile {
            funcs,
            directives: prepared.directives,
        },
        diagnostics,
    }
}

/// The words of the tile form that name nothing unless they stand in quotes, in alphabetical order.
pub const TILE_RESERVED: &[&str] = &["else", "for", "if", "in", "tile"];

macro_rules! tile_tokens {
    ($($word:ident $text:literal,)*) => {
        /// A token of the tile form; its text is found through its place.
        #[derive(Copy, Clone, Debug, PartialEq, Eq)]
        pub(crate) enum TileToken {
            Name,
            Str,
            Int,
            Float,
            NumLetters,
            Error,
            AtSign,
            LParen,
            RParen,
            LBracket,
            RBracket,
            LBrace,
            RBrace,
            Comma,
            Semicolon,
            Colon,
            Dot,
            DotDot,
            Assign,
            Less,
            Plus,
            Minus,
            Star,
            Equal,
            NotEqual,
            LessEqual,
            Greater,
            GreaterEqual,
            AndAnd,
            OrOr,
            Question,
            $($word,)*
        }

        fn word(text: &str) -> TileToken {
            match text {
                $($text => TileToken::$word,)*
                _ => TileToken::Name,
            }
        }
    };
}

tile_tokens! {
    Accumulate "accumulate",
    Apart "apart",
    As "as",
    At "at",
    Barrier "barrier",
    Bits "bits",
    BlockReduce "blockreduce",
    Buf "buf",
    By "by",
    Chan "chan",
    Copy "copy",
    Cores "cores",
    Col "col",
    Depth "depth",
    Does "does",
    Drain "drain",
    Else "else",
    Ew "ew",
    First "first",
    For "for",
    From "from",
    Gather "gather",
    Groups "groups",
    Hf32 "hf32",
    Id "id",
    If "if",
    Image "image",
    In "in",
    Init "init",
    Lanes "lanes",
    Launch "launch",
    Load "load",
    LoadTile "loadtile",
    LoadWindow "loadwindow",
    LoadWords "loadwords",
    Mad "mad",
    Next "next",
    On "on",
    Order "order",
    Over "over",
    Pad "pad",
    Phase "phase",
    Pipelined "pipelined",
    Pitch "pitch",
    Poke "poke",
    Publish "publish",
    Recv "recv",
    Release "release",
    Relu "relu",
    Requant "requant",
    Row "row",
    Scalar "scalar",
    Send "send",
    SetCross "setcross",
    SetFlag "setflag",
    Size "size",
    Sizes "sizes",
    Slot "slot",
    Sort "sort",
    Spread "spread",
    Stage "stage",
    Step "step",
    Store "store",
    SyncAll "syncall",
    Tile "tile",
    To "to",
    Transpose "transpose",
    Transposed "transposed",
    WaitCross "waitcross",
    WaitFlag "waitflag",
    Window "window",
    With "with",
}

type Spanned = (u32, TileToken, u32);

/// Gives the lexer's tokens the words of the tile form. Stops where braces nest too deeply and says where that is.
fn tile_tokens(file: FileId, text: &str, prepared: &Prepared) -> (Vec<Spanned>, Option<Span>) {
    let mut tokens = Vec::with_capacity(prepared.tokens.len());
    let mut nesting = 0_usize;
    for &(start, token, end) in &prepared.tokens {
        let slice = text.get(start as usize..end as usize).unwrap_or("");
        let token = tile_token(token, slice);
        if token == TileToken::LBrace {
            nesting += 1;
        } else if token == TileToken::RBrace {
            nesting = nesting.saturating_sub(1);
        }
        if nesting > MAX_TILE_NESTING {
            return (tokens, Some(Span { file, start, end }));
        }
        tokens.push((start, token, end));
    }
    (tokens, None)
}

fn tile_token(token: Token, slice: &str) -> TileToken {
    if slice.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        return word(slice);
    }
    if slice == "@" {
        // Not a token of the kernel language, so the lexer took it for an error.
        return TileToken::AtSign;
    }
    const TABLE: [(Token, TileToken); 28] = [
        (Token::Int, TileToken::Int),
        (Token::Float, TileToken::Float),
        (Token::NumLetters, TileToken::NumLetters),
        (Token::Str, TileToken::Str),
        (Token::LParen, TileToken::LParen),
        (Token::RParen, TileToken::RParen),
        (Token::LBracket, TileToken::LBracket),
        (Token::RBracket, TileToken::RBracket),
        (Token::LBrace, TileToken::LBrace),
        (Token::RBrace, TileToken::RBrace),
        (Token::Comma, TileToken::Comma),
        (Token::Semicolon, TileToken::Semicolon),
        (Token::Colon, TileToken::Colon),
        (Token::Dot, TileToken::Dot),
        (Token::DotDot, TileToken::DotDot),
        (Token::Assign, TileToken::Assign),
        (Token::Less, TileToken::Less),
        (Token::Plus, TileToken::Plus),
        (Token::Minus, TileToken::Minus),
        (Token::Star, TileToken::Star),
        (Token::EqEq, TileToken::Equal),
        (Token::NotEq, TileToken::NotEqual),
        (Token::LessEq, TileToken::LessEqual),
        (Token::Greater, TileToken::Greater),
        (Token::GreaterEq, TileToken::GreaterEqual),
        (Token::AndAnd, TileToken::AndAnd),
        (Token::OrOr, TileToken::OrOr),
        (Token::Question, TileToken::Question),
    ];
    let row = TABLE.iter().find(|row| row.0 == token);
    row.map_or(TileToken::Error, |row| row.1)
}

/// The state of one parse.
pub(crate) struct TileBuilder<'t> {
    file: FileId,
    text: &'t str,
    diagnostics: Vec<Diagnostic>,
    rejected: Vec<ParseError<u32, TileToken, ()>>,
}

impl TileBuilder<'_> {
    pub(crate) fn span(&self, start: u32, end: u32) -> Span {
        let file = self.file;
        Span { file, start, end }
    }

    fn slice(&self, start: u32, end: u32) -> &str {
        self.text.get(start as usize..end as usize).unwrap_or("")
    }

    pub(crate) fn name(&self, start: u32, end: u32) -> Name {
        Name {
            text: self.slice(start, end).to_owned(),
            span: self.span(start, end),
        }
    }

    /// A quoted name without its quotes.
    pub(crate) fn string(&self, start: u32, end: u32) -> Name {
        Name {
            text: self.slice(start, end).trim_matches('"').to_owned(),
            span: self.span(start, end),
        }
    }

    /// A number: decimal, `0x` hexadecimal, or with `KiB` or `MiB` behind it.
    pub(crate) fn int(&mut self, start: u32, end: u32, negative: bool) -> Int {
        let span = self.span(start, end);
        let text = self.slice(start, end);
        let value = match text.strip_prefix("0x") {
            Some(digits) => i128::from_str_radix(digits, 16).ok(),
            None => scaled(text),
        };
        if value.is_none() {
            let message = format!("malformed number `{text}`");
            let error = Diagnostic::new(codes::E0605, message).primary(span, "not a number here");
            self.diagnostics.push(error);
        }
        let value = value.unwrap_or(0);
        Int {
            value: if negative { -value } else { value },
            span,
        }
    }

    /// An access as a place of the lower form, whose coordinates are numbers or values.
    pub(crate) fn place(&mut self, access: TileAccess) -> TilePlace {
        let mut at = Vec::new();
        for coordinate in access.at.into_iter().flatten() {
            match simple(&coordinate) {
                Some(arg) => at.push(arg),
                None => {
                    let error =
                        Diagnostic::new(codes::E0605, "a place with `size` and `pitch` is plain")
                            .primary(access.span, "a number or a value is expected in it");
                    self.diagnostics.push(error);
                }
            }
        }
        TilePlace {
            name: access.name,
            at,
            span: access.span,
        }
    }

    pub(crate) fn reject(&mut self, error: ErrorRecovery<u32, TileToken, ()>) {
        self.rejected.push(error.error);
    }

    pub(crate) fn broken(
        &mut self,
        start: u32,
        error: ErrorRecovery<u32, TileToken, ()>,
        end: u32,
    ) -> TileStmt {
        self.reject(error);
        TileStmt {
            kind: TileStmtKind::Error,
            span: self.span(start, end),
        }
    }
}

/// The number or value that a coordinate is.
fn simple(coordinate: &TileCoord) -> Option<TileArg> {
    let TileCoord::At(sum) = coordinate else {
        return None;
    };
    let [(negative, factors)] = sum.terms.as_slice() else {
        return None;
    };
    match (negative, factors.as_slice()) {
        (false, [arg]) => Some(arg.clone()),
        (true, [TileArg::Int(int)]) => Some(TileArg::Int(Int {
            value: -int.value,
            span: int.span,
        })),
        (true | false, _) => None,
    }
}

fn scaled(text: &str) -> Option<i128> {
    let (digits, shift) = match (text.strip_suffix("KiB"), text.strip_suffix("MiB")) {
        (Some(digits), _) => (digits, 10),
        (_, Some(digits)) => (digits, 20),
        (None, None) => (text, 0),
    };
    digits.parse::<i128>().ok()?.checked_mul(1 << shift)
}

/// E0605: braces that nest too deeply.
fn nesting(span: Span) -> Diagnostic {
    let message = format!("blocks nest more than {MAX_TILE_NESTING} deep");
    Diagnostic::new(codes::E0605, message).primary(span, "this one is too deep")
}

/// Words what the parser rejected. Text that is no token has its diagnostic already.
fn explain(
    file: FileId,
    text: &str,
    prepared: &Prepared,
    end: u32,
    error: ParseError<u32, TileToken, ()>,
) -> Option<Diagnostic> {
    let (found, expected) = match error {
        ParseError::UnrecognizedToken { token, expected } => (Some(token), expected),
        ParseError::UnrecognizedEof { expected, .. } => (None, expected),
        ParseError::ExtraToken { token } => (Some(token), Vec::new()),
        ParseError::InvalidToken { .. } | ParseError::User { .. } => return None,
    };
    if let Some((start, TileToken::Error, _)) = found
        && let Some(known) = prepared.at_token.get(&start)
    {
        return Some(known.clone());
    }
    let (start, stop) = found.map_or((end, end), |t| (t.0, t.2));
    let span = Span {
        file,
        start,
        end: stop,
    };
    let slice = text.get(span.range()).unwrap_or("");
    let what = match found {
        Some(_) => format!("`{}`", slice.chars().take(40).collect::<String>()),
        None => String::from("the end of the file"),
    };
    let message = match expected_words(&expected) {
        words if words.is_empty() => format!("unexpected {what}"),
        words => format!("expected {words}, found {what}"),
    };
    let error = Diagnostic::new(codes::E0605, message).primary(span, "does not fit here");
    let name_expected = expected.iter().any(|e| e.contains("name"));
    if name_expected && TILE_RESERVED.contains(&slice) {
        let help =
            format!("a name that is a word of the tile form stands in quotes: `\"{slice}\"`");
        return Some(error.help(help));
    }
    Some(error)
}

/// The expected terminals in words, if they are few.
fn expected_words(expected: &[String]) -> String {
    let mut words: Vec<String> = Vec::new();
    for terminal in expected {
        let word = match terminal.trim_matches('"') {
            "name" | "string" => String::from("a name"),
            "int" | "number with letters" | "float" => String::from("a number"),
            "error" => continue,
            text => format!("`{text}`"),
        };
        if !words.contains(&word) {
            words.push(word);
        }
    }
    if words.len() > 5 {
        return String::new();
    }
    match words.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}
