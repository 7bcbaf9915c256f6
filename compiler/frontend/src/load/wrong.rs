//! What is wrong with written statements: E0606 to E0608.

use diag::{Diagnostic, Span, codes};
use isa::types::Space;

/// An operand lies in a space that the operation does not reach.
pub(super) fn space(
    what: &str,
    wanted: &[Space],
    (name, found, span): (&str, Space, Span),
    declared: Span,
) -> Diagnostic {
    let wanted: Vec<&str> = wanted.iter().map(|space| space.name()).collect();
    Diagnostic::new(
        codes::E0606,
        format!(
            "{what} is in {}, and `{name}` is in {found}",
            wanted.join(" or ")
        ),
    )
    .primary(span, format!("in {found}"))
    .label(declared, "declared here")
}

/// An operation stands on a kind of core that does not have it.
pub(super) fn core(what: &str, name: &str, span: Span, declared: Span) -> Diagnostic {
    Diagnostic::new(codes::E0606, format!("{what} has no access to `{name}`"))
        .primary(span, "of the other kind of core")
        .label(declared, "declared here")
        .help("the two kinds of core exchange data over a channel: `send` and `recv`")
}

/// Two sides of an operation have different extents.
pub(super) fn shape(
    what: &str,
    (left, left_span): (&str, Span),
    (right, right_span): (&str, Span),
) -> Diagnostic {
    Diagnostic::new(codes::E0607, format!("{what}: {left}, but {right}"))
        .primary(left_span, left.to_owned())
        .label(right_span, right.to_owned())
}

/// A shape that does not go with what it is for.
pub(super) fn extent(message: String, span: Span, label: &str) -> Diagnostic {
    Diagnostic::new(codes::E0607, message).primary(span, label)
}

/// A channel that is not used as one.
pub(super) fn channel(message: String, span: Span, label: &str) -> Diagnostic {
    Diagnostic::new(codes::E0608, message).primary(span, label)
}
