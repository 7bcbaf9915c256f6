//! Types, literals and operators: E0301 to E0303, E0313.

use diag::{Applicability, Diagnostic, Fix, Span, codes};

pub(crate) fn operands_differ(op: &str, left: (&str, Span), right: (&str, Span)) -> Diagnostic {
    let d = Diagnostic::new(
        codes::E0301,
        format!("`{}` {op} `{}`: the types differ", left.0, right.0),
    )
    .primary(right.1, format!("`{}`", right.0))
    .label(left.1, format!("`{}`", left.0));
    if left.0 == "size" {
        return d.help(format!("convert the index or size: `… as {}`", right.0));
    }
    d.help(format!(
        "convert one of them, for example `… as {}`",
        left.0
    ))
}

/// The same with the conversion that loses nothing, in the place of the general advice.
pub(crate) fn converted(mut found: Diagnostic, edits: Vec<(Span, String)>) -> Diagnostic {
    found.notes.clear();
    found.with_fix(diag::Fix {
        message: "convert the one whose values all fit the other type".to_owned(),
        edits,
        applicability: diag::Applicability::MachineApplicable,
    })
}

/// The same for an index or size beside a type that has not all of their values.
pub(crate) fn size_converted(mut found: Diagnostic, edits: Vec<(Span, String)>) -> Diagnostic {
    found.notes.clear();
    found.with_fix(Fix {
        message: "convert the index or size; one that the type has not is rounded".to_owned(),
        edits,
        applicability: Applicability::MaybeIncorrect,
    })
}

/// A value that has another type than is wanted; `edits` convert it.
pub(crate) fn mismatch(
    found: &str,
    wanted: &str,
    (span, edits): (Span, Vec<(Span, String)>),
    operands: &[Span],
    because: Option<(Span, &str)>,
) -> Diagnostic {
    let d = Diagnostic::new(
        codes::E0301,
        format!("expected `{wanted}`, found `{found}`"),
    )
    .primary(span, format!("`{found}`"));
    let d = match because {
        Some((at, why)) => d.label(at, why),
        None => d,
    };
    if wanted == "bool" || wanted == "size" {
        return d;
    }
    if !operands.is_empty() {
        // Before the arithmetic, so that it is not rounded to the narrower type.
        let convert = |at: &Span| (at.shrink_to_end(), format!(" as {wanted}"));
        return d.with_fix(Fix {
            message: format!("convert the operands to `{wanted}`, which keeps the digits"),
            edits: operands.iter().map(convert).collect(),
            applicability: Applicability::MaybeIncorrect,
        });
    }
    d.with_fix(Fix {
        message: format!("convert it to `{wanted}`"),
        edits,
        applicability: Applicability::MaybeIncorrect,
    })
}

pub(crate) fn float_literal_as_integer(wanted: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        codes::E0301,
        format!("expected `{wanted}`, found a float literal"),
    )
    .primary(span, "has a fraction or exponent")
}

pub(crate) fn literal_out_of_range(value: &str, ty: &str, span: Span, range: &str) -> Diagnostic {
    Diagnostic::new(
        codes::E0302,
        format!("literal `{value}` is out of range of `{ty}`"),
    )
    .primary(span, "does not fit")
    .note(range.to_owned())
}

pub(crate) fn literal_inexact(value: &str, ty: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        codes::E0302,
        format!("integer literal `{value}` is not exact in `{ty}`"),
    )
    .primary(span, "would be rounded")
    .help("write it as a float literal, with `.`, if rounding is meant")
}

pub(crate) fn wrong_operand(op: &str, wanted: &str, found: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        codes::E0303,
        format!("{op} needs {wanted}, found `{found}`"),
    )
    .primary(span, format!("`{found}`"))
}

pub(crate) fn needs_integer_remainder(found: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        codes::E0303,
        format!("`%` needs integers or sizes, found `{found}`"),
    )
    .primary(span, format!("`{found}`"))
}

pub(crate) fn power_of_sizes(span: Span) -> Diagnostic {
    Diagnostic::new(codes::E0303, "`^` is for sizes and constant exponents only")
        .primary(span, "expected a size to the power of a number")
        .help("write the product")
}

pub(crate) fn overflow_mode(mode: &str, ty: &str, span: Span) -> Diagnostic {
    Diagnostic::new(codes::E0303, format!("`{mode}` has no meaning for `{ty}`"))
        .primary(span, "here")
}

pub(crate) fn class_not_met(
    ty: &str,
    class: &str,
    param: &str,
    span: Span,
    declared: Span,
) -> Diagnostic {
    let d = Diagnostic::new(
        codes::E0303,
        format!("`{ty}` is not `{class}`, which `{param}` asks for"),
    )
    .primary(span, format!("`{ty}`"));
    if declared.is_none() {
        d
    } else {
        d.label(declared, "declared here")
    }
}

pub(crate) fn i4_operand(op: &str, span: Span) -> Diagnostic {
    Diagnostic::new(codes::E0303, format!("`{op}` does not compute with `i4`"))
        .primary(span, "`i4` here")
        .note("`i4` is stored, loaded, converted, and multiplied as the whole body of a `sum`")
        .help("convert it first: `… as i8`, `… as f16`")
}

pub(crate) fn i4_alone(name: &str, span: Span) -> Diagnostic {
    Diagnostic::new(codes::E0303, format!("`{name}` is a single `i4`"))
        .primary(span, "needs a dimension: two elements share a byte")
        .help("make it `i8`")
}

/// Types of the language that later generations of the machine have (davinci-facts §1.4).
pub(crate) fn not_on_any_target(name: &str, span: Span) -> Diagnostic {
    if name == "hf32" {
        return Diagnostic::new(
            codes::E0506,
            "elements are not stored as `hf32`",
        )
        .primary(span, "needs another type")
        .note("`hf32` is how the cube may multiply `f32`: twice as fast, with 11 bits of fraction")
        .help("declare `f32`, and convert both factors: `sum(k) (a[m, k] as hf32) * (b[k, n] as hf32)`");
    }
    Diagnostic::new(codes::E0503, format!("no target here has `{name}`"))
        .primary(span, "needs a chip of the 950 generation")
        .note("the 910B and 910C families compute with f32 f16 bf16 i32 i16 i8 u8 i4")
        .help("store it as `u8` and convert with tables, or use `i8` with a scale")
}

pub(crate) fn unknown_type(name: &str, span: Span, known: &[&str]) -> Diagnostic {
    let d = Diagnostic::new(codes::E0313, format!("unknown element type `{name}`"))
        .primary(span, "not an element type")
        .note("element types are f32 f16 bf16 i32 i16 i8 u8 i4 bool");
    let elsewhere = match name {
        "float" | "float32" | "fp32" | "single" => Some("f32"),
        "half" | "float16" | "fp16" => Some("f16"),
        "bfloat16" => Some("bf16"),
        "int" | "int32" | "i64" | "int64" | "long" | "usize" => Some("i32"),
        "int16" | "short" => Some("i16"),
        "int8" | "char" => Some("i8"),
        "uint8" | "byte" => Some("u8"),
        "int4" => Some("i4"),
        "boolean" => Some("bool"),
        _ => None,
    };
    let near = elsewhere.or_else(|| diag::similar(name, known.iter().copied()));
    match near {
        Some(near) => d.with_fix(Fix {
            message: format!("did you mean `{near}`?"),
            edits: vec![(span, near.to_owned())],
            applicability: Applicability::MaybeIncorrect,
        }),
        None => d,
    }
}

pub(crate) fn size_as_type(name: &str, span: Span, declared: Span) -> Diagnostic {
    Diagnostic::new(
        codes::E0313,
        format!("`{name}` is a size, not an element type"),
    )
    .primary(span, "an element type is needed here")
    .fix(
        format!("declare it as an element type: `{name}: num`"),
        declared.shrink_to_end(),
        ": num",
    )
}

pub(crate) fn unknown_class(name: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        codes::E0313,
        format!("unknown class of element types `{name}`"),
    )
    .primary(span, "expected `float`, `int` or `num`")
}

pub(crate) fn argument_type(name: &str, found: &str, wanted: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        codes::E0704,
        format!("`{name}` is given as `{found}`, and is `{wanted}`"),
    )
    .primary(span, format!("`{wanted}` here"))
}

pub(crate) fn type_param_conflict(param: &str, found: &str, known: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        codes::E0704,
        format!("element type `{param}` is `{known}` and `{found}`"),
    )
    .primary(span, format!("`{found}` here"))
}

pub(crate) fn reduction_order(span: Span, why: &str) -> Diagnostic {
    Diagnostic::new(codes::E0303, why.to_owned())
        .primary(span, "expected `ascending`, `lanes(n)`, `tree` or `free`")
}
