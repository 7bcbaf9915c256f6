//! Every syntax diagnostic, one function each.

mod habits;
mod unexpected;

use diag::{Applicability, Diagnostic, Fix, Note, NoteKind, Span, codes};

use crate::ast::{MAX_DEPTH, Name};

pub(crate) use unexpected::{Unexpected, unexpected};

/// E0101: the file cannot be addressed by 32-bit offsets.
pub(crate) fn file_too_large() -> Diagnostic {
    Diagnostic::new(codes::E0101, "file is larger than 4 GiB")
}

/// The note on the last diagnostic of a file with too many.
pub(crate) fn rest_not_read() -> Note {
    Note {
        kind: NoteKind::Note,
        text: "too many syntax errors: the rest of the file was not read".to_owned(),
    }
}

/// E0101: `fn sum(…)`.
pub(crate) fn reduction_as_item_name(name: &Name) -> Diagnostic {
    let text = &name.text;
    Diagnostic::new(
        codes::E0101,
        format!("`{text}` is a reduction and cannot name a function"),
    )
    .primary(name.span, "a reduction has this name")
    .help("choose another name")
}

/// E0101: a `?` in an algorithm.
pub(crate) fn hole_outside_schedule(span: Span) -> Diagnostic {
    Diagnostic::new(codes::E0101, "`?` stands in a schedule only")
        .primary(span, "a value is needed here")
        .note("`?` is a value of a schedule that the compiler searches")
}

/// E0101: `sum(2 * i) …`.
pub(crate) fn index_expected(span: Span) -> Diagnostic {
    Diagnostic::new(codes::E0101, "expected the name of an index")
        .primary(span, "this is not a name")
        .help("a reduction binds indices: `sum(k)`, `sum(k: 4)`")
}

/// E0101: two `order:` in one head.
pub(crate) fn second_order(name: &Name) -> Diagnostic {
    Diagnostic::new(codes::E0101, "a reduction has one order")
        .primary(name.span, "the second `order:`")
}

/// E0101: `scan(t, plus) …`.
pub(crate) fn scan_without_reduction(word: &Name) -> Diagnostic {
    Diagnostic::new(
        codes::E0101,
        format!("expected a reduction, found `{}`", word.text),
    )
    .primary(word.span, "not a reduction")
    .help("use `sum`, `prod`, `min`, `max`, `any` or `all`, or a monoid: `scan(t) attend(…)`")
}

/// E0102: text that is no token.
pub(crate) fn unknown_token(text: &str, span: Span) -> Diagnostic {
    let error = Diagnostic::new(codes::E0102, format!("unknown token `{text}`"))
        .primary(span, "not part of the language");
    match text {
        "&" => error.help("`&&` joins booleans, `bit_and(a, b)` the bits of integers"),
        "|" => error.help("`||` joins booleans, `bit_or(a, b)` the bits of integers"),
        "~" => error.help("`!` negates a boolean, `bit_not(a)` the bits of an integer"),
        "@" => error.help("a matrix product is a sum: `y[m, n] = sum(k) a[m, k] * b[k, n];`"),
        "#" => error.help("a comment begins with `//`"),
        "'" | "`" => error.help("a string stands between `\"`"),
        _ => error,
    }
}

/// E0102 or E0103: `/* … */`.
pub(crate) fn block_comment(opening: Span, whole: Span, closed: bool) -> Diagnostic {
    if !closed {
        return Diagnostic::new(codes::E0103, "block comment that nothing closes")
            .primary(opening, "begins here and takes the rest of the file")
            .help("comments are written `// …`, to the end of the line");
    }
    Diagnostic::new(codes::E0102, "the language has no block comments")
        .primary(whole, "is skipped")
        .help("comments are written `// …`, to the end of the line")
}

/// E0103: a string without an end on its line.
pub(crate) fn unclosed_string(span: Span) -> Diagnostic {
    Diagnostic::new(codes::E0103, "string without an end")
        .primary(span, "a `\"` is missing on this line")
        .fix("close the string", span.shrink_to_end(), "\"")
}

/// E0103: an opening delimiter whose partner is missing where `found` stands.
pub(crate) fn unclosed_delimiter(opening: &str, open: Span, found: &str, at: Span) -> Diagnostic {
    Diagnostic::new(codes::E0103, format!("unclosed `{opening}`"))
        .primary(open, "never closed")
        .label(at, format!("{found} found before its end"))
}

/// E0104: an expression tree that is too deep, met while it grows.
pub(crate) fn expression_too_deep(span: Span) -> Diagnostic {
    too_deep(span, "this is one node too deep")
}

/// E0104: brackets or operators that nest too deeply, met while reading.
pub(crate) fn nesting_too_deep(span: Span) -> Diagnostic {
    too_deep(span, "the nesting is too deep here")
}

fn too_deep(span: Span, label: &str) -> Diagnostic {
    let message = format!("expression nests more than {MAX_DEPTH} deep");
    Diagnostic::new(codes::E0104, message)
        .primary(span, label)
        .help("name inner parts with `let`; a long sum or product may be a reduction")
}

/// E0105: `a < b < c`.
pub(crate) fn comparison_chain(second: Span, first: Span) -> Diagnostic {
    Diagnostic::new(codes::E0105, "comparisons do not chain")
        .primary(second, "the second comparison")
        .label(first, "the first one")
        .help("join two comparisons with `&&`: `a < b && b < c`")
}

/// E0106: `sum(k)` with nothing behind it.
pub(crate) fn reduction_without_body(word: &Name, span: Span) -> Diagnostic {
    let op = &word.text;
    Diagnostic::new(codes::E0106, format!("reduction `{op}` has no body"))
        .primary(span, "nothing to reduce behind this")
        .help(format!(
            "write what is reduced, as in `{op}(k) x[k]`; only `max(a, b)` and `min(a, b)` are calls"
        ))
}

/// E0106: `sum(k) -x[k]`, with the body as it stands in the text.
pub(crate) fn negated_reduction_body(word: &Name, body: Span, text: &str) -> Diagnostic {
    let op = &word.text;
    let fixed = Fix {
        message: format!("put the body in parentheses: `{op}(…) ({text})`"),
        edits: vec![(body, format!(" ({text})"))],
        applicability: Applicability::MaybeIncorrect,
    };
    Diagnostic::new(
        codes::E0106,
        format!("the body of reduction `{op}` begins with `-`"),
    )
    .primary(body, "this subtracts from a call")
    .label(word.span, "meant as a reduction")
    .with_fix(fixed)
}

/// E0107: `2x`, `192KiB` outside a schedule.
pub(crate) fn number_with_letters(text: &str, span: Span) -> Diagnostic {
    let error = Diagnostic::new(codes::E0107, format!("malformed number `{text}`"))
        .primary(span, "letters behind the digits");
    let hexadecimal = text.strip_prefix("0x").or(text.strip_prefix("0X"));
    let value = hexadecimal.map(|digits| u128::from_str_radix(digits, 16));
    if let Some(Ok(value)) = value {
        return error.fix("write the number in decimal", span, value.to_string());
    }
    if text.contains('_') && text.bytes().all(|b| b.is_ascii_digit() || b == b'_') {
        let digits = text.replace('_', "");
        return error.fix("write the digits without `_`", span, digits);
    }
    if let Some(number) = text.strip_suffix(['f', 'F', 'h', 'L', 'u']) {
        let message = "leave the letter out: a literal has the type of the other operand";
        return error.fix(message, span, number);
    }
    error.note("numbers with letters, such as `192KiB`, stand in schedules only")
}

/// E0107: an integer beyond 128 bits.
pub(crate) fn integer_too_large(span: Span) -> Diagnostic {
    Diagnostic::new(codes::E0107, "integer has too many digits")
        .primary(span, "does not fit 128 bits")
        .help("write a float with `.` or `e`")
}

/// E0107: `.5` with nothing before the point.
pub(crate) fn point_before_digits(span: Span) -> Diagnostic {
    Diagnostic::new(codes::E0107, "number with no digits before its point")
        .primary(span, "a digit is missing")
        .fix("add a zero", span.shrink_to_start(), "0")
}

/// E0107: `1.` with nothing behind the point.
pub(crate) fn point_without_digits(span: Span) -> Diagnostic {
    Diagnostic::new(codes::E0107, "number with no digits behind its point")
        .primary(span, "a digit is missing")
        .fix("add a zero", span.shrink_to_end(), "0")
}
