//! E0101 and E0103: a token where the grammar has no place for it. Finds out
//! what was expected in words, and whether a delimiter was left open.

use diag::{Diagnostic, FileId, Span, codes};

use crate::builder::Spanned;
use crate::errors::{habits, unclosed_delimiter};
use crate::token::Token;

/// A token that was rejected, with what is around it.
pub(crate) struct Unexpected<'a> {
    pub(crate) file: FileId,
    pub(crate) text: &'a str,
    pub(crate) tokens: &'a [Spanned],
    /// The token; none at the end of the file.
    pub(crate) found: Option<Spanned>,
    /// The terminals of the grammar that could stand there, in quotes.
    pub(crate) expected: &'a [String],
}

/// Says what was expected and what was found; gives the end of what that covers.
pub(crate) fn unexpected(at: &Unexpected<'_>) -> (Diagnostic, u32) {
    let position = position(at);
    let known = habits::habit(at, position).or_else(|| habits::item_habit(at, position));
    known.unwrap_or_else(|| (plain(at, position), 0))
}

fn plain(at: &Unexpected<'_>, position: usize) -> Diagnostic {
    let found = describe(at);
    if let Some(open) = unclosed(at, position) {
        let opening = &at.text[open.range()];
        return unclosed_delimiter(opening, open, &found, found_span(at));
    }
    let expected = expected_words(at);
    let message = match expected.is_empty() {
        true => format!("unexpected {found}"),
        false => format!("expected {expected}, found {found}"),
    };
    let error = Diagnostic::new(codes::E0101, message);
    match previous_line_end(at, position) {
        Some(end) if at.expects(";") => error
            .primary(end, "`;` is missing here")
            .label(found_span(at), format!("{found} found"))
            .fix("add `;`", end, ";"),
        _ => help(
            at,
            position,
            error.primary(found_span(at), "not expected here"),
        ),
    }
}

/// Advice for mistakes that are often made.
fn help(at: &Unexpected<'_>, position: usize, error: Diagnostic) -> Diagnostic {
    let Some((start, found, end)) = at.found else {
        return error;
    };
    let word = &at.text[start as usize..end as usize];
    let previous = position.checked_sub(1).map(|p| at.tokens[p]);
    let before = previous.map(|t| t.1);
    let arrow = position.checked_sub(2).map(|p| at.tokens[p].1) == Some(Token::Arrow);
    let operand = at.expects("int");
    if (found == Token::If && operand) || behind_reduction(at, position) {
        error.help(
            "a reduction, `fold`, `scan` or `if` that is an operand stands in parentheses: \
             `(sum(k) x[k]) + 1`",
        )
    } else if found == Token::Else {
        error.help("a border is written `(x[i] else 0)`, around the access alone")
    } else if found == Token::Assign && before == Some(Token::Assign) {
        error.help("values are compared with `==`")
    } else if arrow && at.expects(":") {
        error.help("the results of a kernel have names: `-> y: f32[M]`")
    } else if (found, before) == (Token::Ident, Some(Token::Ident)) && at.expects("+") {
        error.help("an operator is missing, or the parentheses of a call: `abs(x)`")
    } else if at.expects("name") && is_reserved(found) && !operand {
        error.note(format!("`{word}` is a reserved word"))
    } else if let Some(verb) = diag::similar(word, VERBS).filter(|_| at.expects("grid")) {
        error.help(format!("did you mean `{verb}`?"))
    } else {
        error
    }
}

const VERBS: [&str; 14] = [
    "grid",
    "stream",
    "place",
    "pack",
    "engine",
    "fuse",
    "keep",
    "recompute",
    "split",
    "pad",
    "unroll",
    "skip",
    "workspace",
    "expect",
];

fn is_reserved(token: Token) -> bool {
    token.starts_item()
        || matches!(
            token,
            Token::Let
                | Token::Assert
                | Token::GenericConst
                | Token::Where
                | Token::When
                | Token::If
                | Token::Then
                | Token::Else
                | Token::As
                | Token::For
                | Token::In
                | Token::True
                | Token::False
        )
}

impl Unexpected<'_> {
    /// Returns whether this terminal of the grammar could stand there.
    pub(super) fn expects(&self, terminal: &str) -> bool {
        let matches = |e: &String| e.trim_matches('"') == terminal;
        self.expected.iter().any(matches)
    }
}

/// Returns whether the found token stands behind `sum(…)` or the like.
fn behind_reduction(at: &Unexpected<'_>, position: usize) -> bool {
    let mut open = 0_usize;
    for (index, token) in at.tokens[..position].iter().enumerate().rev() {
        if token.1 == Token::RParen {
            open += 1;
        } else if token.1 == Token::LParen {
            open = open.saturating_sub(1);
        }
        if open == 0 {
            let word = index.checked_sub(1).map(|i| at.tokens[i].1);
            return token.1 == Token::LParen && word == Some(Token::Reduction);
        }
        if is_stmt_boundary(token.1) {
            return false;
        }
    }
    false
}

/// The position of the found token among the tokens.
fn position(at: &Unexpected<'_>) -> usize {
    let start = at.found.map_or(u32::MAX, |f| f.0);
    at.tokens.partition_point(|t| t.0 < start)
}

/// The place of the found token; of the end of the file the end of the last one.
fn found_span(at: &Unexpected<'_>) -> Span {
    let last = at.tokens.last().map_or(0, |t| t.2);
    let (start, end) = at.found.map_or((last, last), |f| (f.0, f.2));
    span(at, start, end)
}

pub(super) fn span(at: &Unexpected<'_>, start: u32, end: u32) -> Span {
    Span {
        file: at.file,
        start,
        end,
    }
}

/// What was found, in words.
fn describe(at: &Unexpected<'_>) -> String {
    let Some((_, token, _)) = at.found else {
        return "the end of the file".to_owned();
    };
    let text = &at.text[found_span(at).range()];
    let short = match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    };
    if token == Token::Tile {
        return "`tile`, which begins a `.tile` file".to_owned();
    }
    format!("`{short}`")
}

/// The empty place behind the token before, if that is on an earlier line.
fn previous_line_end(at: &Unexpected<'_>, position: usize) -> Option<Span> {
    let (_, _, end) = *at.tokens.get(position.checked_sub(1)?)?;
    let found = found_span(at).start.max(end);
    let between = at.text.get(end as usize..found as usize)?;
    let next_line =
        between.contains('\n') || matches!(at.found, None | Some((_, Token::RBrace, _)));
    next_line.then(|| span(at, end, end))
}

/// The innermost delimiter that should have been closed before the found token.
fn unclosed(at: &Unexpected<'_>, position: usize) -> Option<Span> {
    let ends_item = at.found.is_none_or(|f| f.1.starts_item());
    let ends_stmt = at.found.is_some_and(|f| {
        matches!(
            f.1,
            Token::Semicolon | Token::LBrace | Token::RBrace | Token::Let
        )
    });
    if !ends_item && !ends_stmt {
        return None;
    }
    let before = &at.tokens[..position];
    let stmt = before
        .iter()
        .rposition(|t| is_stmt_boundary(t.1))
        .map_or(0, |p| p + 1);
    let open = last_open(
        &before[stmt..],
        &[
            (Token::LParen, Token::RParen),
            (Token::LBracket, Token::RBracket),
        ],
    );
    let open = open.or_else(|| {
        let item = before.iter().rposition(|t| t.1.starts_item())?;
        let braces = [(Token::LBrace, Token::RBrace)];
        last_open(&before[item..], &braces).filter(|_| ends_item)
    });
    open.map(|(start, _, end)| span(at, start, end))
}

pub(super) fn is_stmt_boundary(token: Token) -> bool {
    matches!(token, Token::Semicolon | Token::LBrace | Token::RBrace) || token.starts_item()
}

/// The last opening token without its closing one.
fn last_open(tokens: &[Spanned], pairs: &[(Token, Token)]) -> Option<Spanned> {
    let mut open: Vec<Spanned> = Vec::new();
    for token in tokens {
        if pairs.iter().any(|p| p.0 == token.1) {
            open.push(*token);
        } else if let Some(pair) = pairs.iter().find(|p| p.1 == token.1)
            && open.last().is_some_and(|o| o.1 == pair.0)
        {
            open.pop();
        }
    }
    open.pop()
}

/// The expected terminals in words, at most four of them.
fn expected_words(at: &Unexpected<'_>) -> String {
    let operator = at.expects("+") || at.expects("*");
    let signs = [
        ";", ",", ")", "]", "}", "{", "=", ":", "->", "then", "else", "::", "in", "at", "to",
        "across", "for", "when",
    ];
    let quoted = |terminal: &&str| format!("`{terminal}`");
    let signs = signs.iter().filter(|t| at.expects(t));
    let mut words: Vec<String> = signs.map(quoted).collect();
    if at.expects("name") {
        // These words may stand there as names too, and are no news then.
        words.retain(|w| !["`at`", "`to`", "`across`"].contains(&w.as_str()));
    }
    if at.expects("int") && at.expects("(") {
        words.push("an expression".to_owned());
    } else if at.expects("name") {
        words.push("a name".to_owned());
    } else if at.expects("grid") {
        words.push("a decision".to_owned());
    }
    if at.expects("kernel") {
        words.push("an item".to_owned());
    }
    if operator {
        words.push("an operator".to_owned());
    }
    if words.is_empty() {
        let openings = ["(", "<", "as", "merge", "block"];
        words.extend(openings.iter().filter(|t| at.expects(t)).map(quoted));
    }
    words.truncate(4);
    match words.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}
