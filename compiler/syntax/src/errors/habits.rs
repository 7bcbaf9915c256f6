//! E0108: forms of other languages. Each is one finding that shows how the language says it, with the fix where the
//! text decides it.

use diag::{Applicability, Diagnostic, Fix, Span, codes};

use super::unexpected::{Unexpected, is_stmt_boundary, span};
use crate::builder::Spanned;
use crate::token::Token;

/// What is said of a form, and the edits that mend it.
struct Habit {
    message: &'static str,
    label: &'static str,
    help: &'static str,
    edits: Vec<(Span, String)>,
    /// What the finding covers: what the parser misses inside is no news.
    until: u32,
}

/// The finding, if the rejected token belongs to a form of another language, and the end of that form.
pub(crate) fn habit(at: &Unexpected<'_>, position: usize) -> Option<(Diagnostic, u32)> {
    let found = at.found?;
    let cx = Around {
        at,
        position,
        found,
    };
    let habit = cx
        .choice()
        .or_else(|| cx.statement())
        .or_else(|| cx.expression())?;
    Some(cx.finding(habit))
}

/// As [`habit`], for the beginning of an item.
pub(crate) fn item_habit(at: &Unexpected<'_>, position: usize) -> Option<(Diagnostic, u32)> {
    let found = at.found?;
    let cx = Around {
        at,
        position,
        found,
    };
    Some(cx.finding(cx.item()?))
}

struct Around<'a> {
    at: &'a Unexpected<'a>,
    position: usize,
    found: Spanned,
}

impl Around<'_> {
    fn finding(&self, habit: Habit) -> (Diagnostic, u32) {
        let place = self.span_of(self.found);
        let error = Diagnostic::new(codes::E0108, habit.message).primary(place, habit.label);
        let error = if habit.edits.is_empty() {
            error.help(habit.help)
        } else {
            error.with_fix(Fix {
                message: habit.help.to_owned(),
                edits: habit.edits,
                applicability: Applicability::MaybeIncorrect,
            })
        };
        (error, habit.until)
    }

    fn token(&self, offset: isize) -> Option<Spanned> {
        let place = self.position.checked_add_signed(offset)?;
        self.at.tokens.get(place).copied()
    }

    fn kind(&self, offset: isize) -> Option<Token> {
        self.token(offset).map(|t| t.1)
    }

    fn text(&self, token: Option<Spanned>) -> &str {
        token
            .and_then(|t| self.at.text.get(t.0 as usize..t.2 as usize))
            .unwrap_or("")
    }

    fn word(&self, offset: isize) -> &str {
        self.text(self.token(offset))
    }

    fn span_of(&self, token: Spanned) -> Span {
        span(self.at, token.0, token.2)
    }

    fn says(
        &self,
        message: &'static str,
        label: &'static str,
        help: &'static str,
        edits: Vec<(Span, String)>,
    ) -> Option<Habit> {
        let until = self.found.2;
        Some(Habit {
            message,
            label,
            help,
            edits,
            until,
        })
    }

    /// Deletes the token before, and replaces the found one.
    fn replaced(&self, before: bool, text: &str) -> Vec<(Span, String)> {
        let start = match (before, self.token(-1)) {
            (true, Some(previous)) => previous.0,
            (true, None) | (false, _) => self.found.0,
        };
        vec![(span(self.at, start, self.found.2), text.to_owned())]
    }

    /// The closing brace of the open one at `open`, and whether a statement ends between them.
    fn closing(&self, open: usize) -> Option<(usize, bool)> {
        let mut depth = 0usize;
        let mut stmts = false;
        for (place, token) in self.at.tokens.iter().enumerate().skip(open) {
            if token.1 == Token::LBrace {
                depth += 1;
            } else if token.1 == Token::RBrace {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some((place, stmts));
                }
            } else if token.1.starts_item() {
                return None;
            }
            stmts |= token.1 == Token::Semicolon;
        }
        None
    }

    /// `if c { a } else { b }`
    fn choice(&self) -> Option<Habit> {
        if self.found.1 != Token::LBrace || !self.at.expects("then") {
            return None;
        }
        let mut habit = self.says(
            "`if` chooses between two values, without braces",
            "expected `then`",
            "write `if c then a else b`",
            Vec::new(),
        )?;
        let (first, stmts) = self.closing(self.position)?;
        let token = |place: usize| self.at.tokens.get(place).copied();
        habit.until = token(first).map_or(habit.until, |t| t.2);
        let otherwise = token(first + 1).filter(|t| t.1 == Token::Else);
        let brace = token(first + 2).filter(|t| t.1 == Token::LBrace);
        if let (Some(_), Some(brace)) = (otherwise, brace)
            && let Some((second, more)) = self.closing(first + 2)
            && let (Some(close), Some(end)) = (token(first), token(second))
        {
            habit.until = token(second + 1)
                .filter(|t| t.1 == Token::Semicolon)
                .map_or(end.2, |t| t.2);
            if !stmts && !more {
                habit.edits = vec![
                    (self.span_of(self.found), "then".to_owned()),
                    (self.span_of(close), String::new()),
                    (self.span_of(brace), String::new()),
                    (self.span_of(end), String::new()),
                ];
            }
        }
        Some(habit)
    }

    fn statement(&self) -> Option<Habit> {
        let before = self.kind(-1);
        let (found, word_before) = (self.found.1, self.word(-1));
        let operator = self.at.expects("+");
        if (found == Token::For && self.at.expects("let")) || word_before == "while" && operator {
            let mut habit = self.says(
                "there are no loops",
                "a loop of another language",
                "an index runs over its whole extent by itself: `y[i] = f(x[i]);`; \
                 a reduction runs over its own: `sum(k) x[k]`",
                Vec::new(),
            )?;
            let open = (self.position..self.at.tokens.len())
                .find(|place| self.at.tokens[*place].1 == Token::LBrace)?;
            if let Some((close, _)) = self.closing(open) {
                habit.until = self.at.tokens[close].2;
            }
            return Some(habit);
        }
        if word_before == "mut" && self.kind(-2) == Some(Token::Let) {
            let word = self.token(-1)?;
            return self.says(
                "a definition never changes",
                "the name is expected here",
                "leave `mut` out",
                vec![(span(self.at, word.0, self.found.0), String::new())],
            );
        }
        if word_before == "return" && operator {
            return self.says(
                "there is no `return`",
                "a value behind it",
                "a scalar function ends with its value, without `;`; a result of a kernel is defined by its name: \
                 `y[i] = …;`",
                Vec::new(),
            );
        }
        if ["var", "auto", "val", "int", "float"].contains(&word_before)
            && operator
            && self.kind(1) == Some(Token::Assign)
        {
            let word = self.token(-1)?;
            return self.says(
                "definitions begin with `let`",
                "the name of a definition",
                "write `let`",
                vec![(self.span_of(word), "let".to_owned())],
            );
        }
        let compound = matches!(
            before,
            Some(Token::Plus | Token::Minus | Token::Star | Token::Slash)
        );
        if found == Token::Assign && compound {
            return self.says(
                "a tensor is defined once, and never updated",
                "an update",
                "sum over an index with a reduction: `y[i] = sum(k) x[i, k];`",
                Vec::new(),
            );
        }
        if found == Token::Colon && self.kind(1) == Some(Token::Assign) && self.at.expects("=") {
            let end = self.token(1).map_or(self.found.2, |t| t.2);
            return self.says(
                "a definition is written with `=`",
                "`:=` of another language",
                "write `=`",
                vec![(span(self.at, self.found.0, end), "=".to_owned())],
            );
        }
        None
    }

    fn expression(&self) -> Option<Habit> {
        let before = self.kind(-1);
        let (found, word, word_before) = (self.found.1, self.word(0), self.word(-1));
        let operator = self.at.expects("+") || self.at.expects("*");
        let doubled = self.token(-1).is_some_and(|t| t.2 == self.found.0);
        match (found, before) {
            (Token::Star, Some(Token::Star)) if doubled => self.says(
                "there is no power operator of values",
                "`**` of another language",
                "write the product: `x * x`; `^` is for sizes",
                Vec::new(),
            ),
            (Token::Plus, Some(Token::Plus)) if doubled => self.says(
                "a tensor is defined once, and never updated",
                "an update",
                "sum over an index with a reduction: `y[i] = sum(k) x[i, k];`",
                Vec::new(),
            ),
            (Token::Less, Some(Token::Less)) if doubled => self.says(
                "bits are shifted by functions",
                "`<<` of another language",
                "write `shl(a, n)`",
                Vec::new(),
            ),
            (Token::Greater, Some(Token::Greater)) if doubled => self.says(
                "bits are shifted by functions",
                "`>>` of another language",
                "write `shr(a, n)`",
                Vec::new(),
            ),
            (Token::Question, _) if operator => self.says(
                "a choice is written with `if`",
                "`? :` of another language",
                "write `if c then a else b`",
                Vec::new(),
            ),
            (Token::If, _) if operator && !matches!(before, Some(Token::RParen)) => self.says(
                "the condition of a choice stands first",
                "an `if` behind its value",
                "write `if c then a else b`",
                Vec::new(),
            ),
            (Token::Where, _) if self.at.expects("int") => self.says(
                "a choice is written with `if`",
                "`where` is no function",
                "write `if c then a else b`",
                Vec::new(),
            ),
            (Token::Where, _) if self.at.expects(";") => self.says(
                "a mask stands in the head of its reduction",
                "behind the body",
                "write `sum(k where k < m) x[k]`",
                Vec::new(),
            ),
            (Token::In, _) if self.at.expects(")") => self.says(
                "a reduction names its index, without a range",
                "a range of another language",
                "write `sum(k) x[k]`: the index has the extent of where it stands; `sum(k: 4)` gives it one",
                Vec::new(),
            ),
            (Token::Colon, _) if self.at.expects("]") && operator => self.says(
                "there are no ranges of indices",
                "a range of another language",
                "`:` alone is a whole dimension; a part is defined by an index: `let t[m, j: 4] = x[m, j];`",
                Vec::new(),
            ),
            (Token::Str, _) => self.says(
                "there are no values of text",
                "a string",
                "strings name targets of schedules",
                Vec::new(),
            ),
            (_, _) if !self.at.expects(word) && self.at.expects(";") && is_operator(word) && self.reduces() => self.says(
                "the body of a reduction ends before this operator",
                "neither in the body nor outside of the reduction",
                "in the body: `sum(k) (a[k] + b[k])`; outside: `(sum(k) a[k]) + b`",
                Vec::new(),
            ),
            (Token::Reduction, Some(Token::Dot)) => self.says(
                "functions stand before their arguments",
                "a method of another language",
                "write `max(a, b)`, or of one index `max(k) a[k]`",
                Vec::new(),
            ),
            (Token::LParen, _) if self.kind(-2) == Some(Token::Dot) => self.says(
                "functions stand before their arguments",
                "a method of another language",
                "write `exp(x)`",
                Vec::new(),
            ),
            (Token::Ident | Token::LParen, Some(Token::RParen))
                if operator && is_type(self.word(-2)) && self.kind(-3) == Some(Token::LParen) =>
            {
                self.says(
                    "a conversion stands behind its value",
                    "a cast of another language",
                    "write `x as f32`",
                    Vec::new(),
                )
            }
            (Token::Ident, _) if operator && word == "and" => self.says(
                "conditions are joined by `&&`",
                "`and` of another language",
                "write `&&`",
                self.replaced(false, "&&"),
            ),
            (Token::Ident, _) if operator && word == "or" => self.says(
                "conditions are joined by `||`",
                "`or` of another language",
                "write `||`",
                self.replaced(false, "||"),
            ),
            (Token::Ident | Token::LParen, _) if operator && word_before == "not" => self.says(
                "a condition is negated by `!`",
                "`not` of another language",
                "write `!`",
                vec![(
                    span(self.at, self.token(-1)?.0, self.found.0),
                    "!".to_owned(),
                )],
            ),
            (Token::Ident, Some(Token::Ident)) if operator && is_reduction(word_before) => self.says(
                "the indices of a reduction stand in parentheses",
                "an index without them",
                "write `sum(k) x[k]`",
                Vec::new(),
            ),
            _ => None,
        }
    }

    /// Whether a reduction stands before the token in its statement.
    fn reduces(&self) -> bool {
        let before = self.at.tokens[..self.position].iter().rev();
        let mut same = before.take_while(|token| !is_stmt_boundary(token.1));
        same.any(|token| token.1 == Token::Reduction)
    }

    fn item(&self) -> Option<Habit> {
        let found = self.found.1;
        if self.at.expects("kernel") && self.at.expects("fn") {
            return self.foreign_item();
        }
        if found == Token::LBrace && self.at.expects("->") {
            return self.says(
                "a kernel names its results",
                "expected `->`",
                "write them behind an arrow: `-> y: f32[M]`",
                Vec::new(),
            );
        }
        if found == Token::LBracket && self.at.expects("<") && self.at.expects("(") {
            return self.says(
                "sizes and types of a signature stand between `<` and `>`",
                "brackets of another language",
                "write `<M, N>`",
                Vec::new(),
            );
        }
        if found == Token::Less && self.at.expects(")") && self.at.expects(",") {
            return self.says(
                "a tensor's type is its element type with its extents",
                "a generic type of another language",
                "write `f32[M, N]`",
                Vec::new(),
            );
        }
        if found == Token::Dot && self.at.expects("::") {
            return self.says(
                "the parts of a path are joined by `::`",
                "a dot",
                "write `::`",
                self.replaced(false, "::"),
            );
        }
        None
    }

    /// A word that begins an item elsewhere.
    fn foreign_item(&self) -> Option<Habit> {
        let help = match self.word(0) {
            "def" | "func" | "function" | "void" | "proc" => {
                "a function begins with `fn`, a kernel with `kernel`"
            }
            "import" | "include" | "from" | "using" => {
                "another file's function is taken with `use nn::softmax;`"
            }
            "struct" | "class" | "record" => {
                "several results have names: `-> (y: f32[M], z: f32)`; a `monoid` declares an accumulator"
            }
            "let" | "var" | "static" | "define" => {
                "a constant of the file is `const X: f32 = 1.0;`"
            }
            ";" => {
                return self.says(
                    "nothing stands behind an item",
                    "a semicolon too many",
                    "leave it out",
                    self.replaced(false, ""),
                );
            }
            _ => return None,
        };
        self.says(
            "an item of another language",
            "not an item here",
            help,
            Vec::new(),
        )
    }
}

fn is_operator(word: &str) -> bool {
    const OPERATORS: [&str; 13] = [
        "+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "&&", "||",
    ];
    OPERATORS.contains(&word)
}

fn is_type(word: &str) -> bool {
    ["f32", "f16", "bf16", "i32", "i16", "i8", "u8", "i4", "bool"].contains(&word)
}

fn is_reduction(word: &str) -> bool {
    [
        "sum", "prod", "min", "max", "any", "all", "argmax", "argmin",
    ]
    .contains(&word)
}
