//! Wording of what is wrong with a schedule before anybody knows the steps of its kernel.

use diag::{Diagnostic, Span, codes};

pub(crate) fn not_a_condition(span: Span) -> Box<Diagnostic> {
    let what = "the condition of a schedule compares sizes";
    Box::new(
        Diagnostic::new(codes::E0402, what)
            .primary(span, "neither true nor false")
            .help("for example `when M * N >= 4096`"),
    )
}

pub(crate) fn no_size(span: Span) -> Box<Diagnostic> {
    let what = "a decision takes sizes: whole numbers, size variables and `+ - * / % ^` of them";
    Box::new(Diagnostic::new(codes::E0402, what).primary(span, "no size"))
}

pub(crate) fn left_to_the_launch(name: &str, span: Span) -> Box<Diagnostic> {
    let what =
        format!("a schedule is chosen when it is compiled, and `{name}` is left to the launch");
    Box::new(
        Diagnostic::new(codes::E0315, what)
            .primary(span, "not known yet")
            .help(format!("give the size its value: `-D {name}=64`")),
    )
}

pub(crate) fn unknown_size(name: &str, span: Span, near: Option<&str>) -> Box<Diagnostic> {
    let found = Diagnostic::new(codes::E0402, format!("the kernel has no size `{name}`"));
    let found = found.primary(span, "not a size variable");
    Box::new(match near {
        Some(near) => found.help(format!("did you mean `{near}`?")),
        None => found,
    })
}

pub(crate) fn out_of_range(value: i128, most: i128, span: Span) -> Box<Diagnostic> {
    let what = format!("a decision takes a number from 1 to {most}, not {value}");
    Box::new(Diagnostic::new(codes::E0402, what).primary(span, "out of range"))
}

pub(crate) fn no_order(span: Span) -> Box<Diagnostic> {
    let what = "blocks go to the cores in an order `row`, `col` or `swizzle(n)`";
    Box::new(Diagnostic::new(codes::E0402, what).primary(span, "no order"))
}

pub(crate) fn unknown_measure(span: Span, known: &[&str]) -> Box<Diagnostic> {
    let known: Vec<String> = known.iter().map(|word| format!("`{word}`")).collect();
    let what = format!("a contract measures {}", known.join(", "));
    Box::new(Diagnostic::new(codes::E0402, what).primary(span, "nothing that a run reports"))
}

pub(crate) fn no_bound(span: Span) -> Box<Diagnostic> {
    let what = "a contract compares with a number, `%` of one, or a number times `ideal`";
    Box::new(
        Diagnostic::new(codes::E0402, what)
            .primary(span, "no bound")
            .help("for example `expect utilization >= 80%, hbm <= 1.10 * ideal`"),
    )
}
