//! Names, definitions and items: E02xx, and what is not compiled yet.

use diag::{Applicability, Diagnostic, Fix, Span, codes};

/// Adds the nearest known name as a fix that a person should look at.
fn suggest(d: Diagnostic, span: Span, similar: Option<&str>) -> Diagnostic {
    match similar {
        Some(name) => d.with_fix(Fix {
            message: format!("did you mean `{name}`?"),
            edits: vec![(span, name.to_owned())],
            applicability: Applicability::MaybeIncorrect,
        }),
        None => d,
    }
}

pub(crate) fn unknown_name(name: &str, span: Span, similar: Option<&str>) -> Diagnostic {
    let d = Diagnostic::new(codes::E0201, format!("cannot find `{name}` in this scope"));
    let d = d.primary(span, "not found");
    let like_a_size = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
    if similar.is_none() && name.chars().all(like_a_size) {
        return d.help(format!(
            "sizes are declared behind the name of the item: `<{name}>`"
        ));
    }
    suggest(d, span, similar)
}

pub(crate) fn unknown_target(name: &str, span: Span, similar: Option<&str>) -> Diagnostic {
    let d = Diagnostic::new(codes::E0201, format!("no result is called `{name}`"))
        .primary(span, "not found")
        .help(format!("write `let {name}` to define an intermediate"));
    suggest(d, span, similar)
}

pub(crate) fn unknown_word(what: &str, name: &str, span: Span, known: &[&str]) -> Diagnostic {
    let d = Diagnostic::new(codes::E0201, format!("unknown {what} `{name}`"))
        .primary(span, "not known")
        .note(format!("known are {}", list(known)));
    suggest(d, span, diag::similar(name, known.iter().copied()))
}

pub(crate) fn unknown_item(
    what: &str,
    name: &str,
    span: Span,
    similar: Option<&str>,
) -> Diagnostic {
    let d = Diagnostic::new(codes::E0209, format!("cannot find {what} `{name}`"));
    suggest(d.primary(span, "not found"), span, similar)
}

pub(crate) fn unknown_kernel(name: &str, known: &[&str]) -> Diagnostic {
    let d = Diagnostic::new(codes::E0209, format!("cannot find kernel `{name}`"))
        .primary(Span::NONE, "")
        .note(format!("the file has {}", list(known)));
    match diag::similar(name, known.iter().copied()) {
        Some(near) => d.help(format!("did you mean `{near}`?")),
        None => d,
    }
}

pub(crate) fn defined_twice(name: &str, span: Span, first: Span) -> Diagnostic {
    Diagnostic::new(codes::E0202, format!("`{name}` is defined twice"))
        .primary(span, "defined again here")
        .label(first, "first defined here")
        .help("give one of them another name")
}

pub(crate) fn cyclic_definition(cycle: &[(&str, Span)]) -> Diagnostic {
    let (first, span) = cycle.first().copied().unwrap_or(("?", Span::NONE));
    let d = Diagnostic::new(
        codes::E0203,
        format!("the definition of `{first}` needs itself"),
    )
    .primary(span, "");
    let d = match cycle {
        [_] => d,
        _ => cycle
            .iter()
            .skip(1)
            .fold(d, |d, (name, at)| d.label(*at, format!("through `{name}`"))),
    };
    d.note("a definition may only read what can be computed before it")
}

pub(crate) fn recursion(cycle: &[(&str, Span)]) -> Diagnostic {
    let (first, span) = cycle.first().copied().unwrap_or(("?", Span::NONE));
    let d = Diagnostic::new(codes::E0203, format!("`{first}` calls itself"))
        .primary(span, "called here");
    let d = cycle
        .iter()
        .skip(1)
        .fold(d, |d, (name, at)| d.label(*at, format!("through `{name}`")));
    d.note("functions are expanded where they are called, so none can contain itself")
}

pub(crate) fn cyclic_constant(name: &str, span: Span) -> Diagnostic {
    Diagnostic::new(codes::E0203, format!("the constant `{name}` needs itself"))
        .primary(span, "used in its own value")
}

pub(crate) fn result_undefined(name: &str, span: Span) -> Diagnostic {
    Diagnostic::new(codes::E0204, format!("result `{name}` is not defined"))
        .primary(span, "no definition in the body")
        .help(format!("add `{name}[…] = …;`"))
}

pub(crate) fn result_redefined(name: &str, span: Span, first: Span) -> Diagnostic {
    Diagnostic::new(codes::E0204, format!("`{name}` is defined more than once"))
        .primary(span, "defined again here")
        .label(first, "first defined here")
}

pub(crate) fn parts_overlap(name: &str, span: Span, first: Span) -> Diagnostic {
    Diagnostic::new(
        codes::E0204,
        format!("two parts of `{name}` define the same element"),
    )
    .primary(span, "overlaps")
    .label(first, "this part")
}

pub(crate) fn parts_leave_gap(name: &str, missing: i128, span: Span) -> Diagnostic {
    let elements = if missing == 1 { "element" } else { "elements" };
    Diagnostic::new(
        codes::E0204,
        format!("the parts of `{name}` leave {missing} {elements} undefined"),
    )
    .primary(span, "this and the other parts do not cover it")
}

pub(crate) fn assigned_not_result(name: &str, span: Span, declared: Span) -> Diagnostic {
    Diagnostic::new(codes::E0204, format!("`{name}` is not a result"))
        .primary(span, "cannot be defined here")
        .label(declared, "declared here")
        .help("only results are defined without `let`")
}

pub(crate) fn assigned_expression(span: Span) -> Diagnostic {
    Diagnostic::new(codes::E0204, "the left side is not a result")
        .primary(span, "expected a result, such as `y` or `y[i, j]`")
}

pub(crate) fn tail_in_tensor_body(span: Span) -> Diagnostic {
    Diagnostic::new(
        codes::E0204,
        "a value at the end of a body with named results",
    )
    .primary(span, "nothing takes this value")
    .help("define a result: `y[…] = …;`")
}

pub(crate) fn tail_missing(name: &str, span: Span) -> Diagnostic {
    Diagnostic::new(codes::E0204, format!("function `{name}` has no value"))
        .primary(span, "the body ends without an expression")
        .help("end the body with the value, without a semicolon")
}

pub(crate) fn unnamed_result(name: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        codes::E0212,
        format!("function `{name}` gives a tensor without a name"),
    )
    .primary(span, "only a scalar result has no name")
    .help("name it, and define it: `-> y: f32[M] { y[i] = …; }`")
}

pub(crate) fn unbound_index(name: &str, span: Span, similar: Option<&str>) -> Diagnostic {
    let d = Diagnostic::new(codes::E0205, format!("nothing binds the index `{name}`"))
        .primary(span, "not on the left side, nor bound by a reduction")
        .help(format!(
            "sum over it with `sum({name}) …`, or add it to the left side"
        ));
    suggest(d, span, similar)
}

pub(crate) fn unused_reduction_index(name: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        codes::E0206,
        format!("the reduction does not use its index `{name}`"),
    )
    .primary(span, "not used in the body")
    .help(format!("remove it, or give its extent: `{name}: N`"))
}

pub(crate) fn index_clash(name: &str, span: Span, other: Span, what: &str) -> Diagnostic {
    let d = Diagnostic::new(
        codes::E0207,
        format!("the index `{name}` has the name of {what}"),
    )
    .primary(span, "bound here");
    let d = if other.is_none() {
        d
    } else {
        d.label(other, format!("{what}, declared here"))
    };
    d.help("give the index another name")
}

pub(crate) fn index_bound_twice(name: &str, span: Span, first: Span) -> Diagnostic {
    Diagnostic::new(codes::E0207, format!("the index `{name}` is bound twice"))
        .primary(span, "bound again here")
        .label(first, "first bound here")
}

pub(crate) fn kernel_called(name: &str, span: Span, declared: Span) -> Diagnostic {
    Diagnostic::new(
        codes::E0208,
        format!("the kernel `{name}` cannot be called"),
    )
    .primary(span, "called here")
    .label(declared, "a kernel is an entry point")
    .help("move what both need into a `fn`")
}

pub(crate) fn not_a_value(name: &str, what: &str, span: Span) -> Diagnostic {
    Diagnostic::new(codes::E0208, format!("`{name}` is {what}, not a value"))
        .primary(span, "used as a value")
}

pub(crate) fn not_callable(name: &str, what: &str, span: Span) -> Diagnostic {
    Diagnostic::new(codes::E0208, format!("`{name}` is {what}, not a function"))
        .primary(span, "called here")
}

pub(crate) fn not_compiled_yet(what: &str, span: Span) -> Diagnostic {
    Diagnostic::new(codes::E0502, format!("{what} is not compiled yet")).primary(
        span,
        "parsed and understood, but nothing generates code for it",
    )
}

pub(crate) fn monoid_lacks(name: &str, missing: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        codes::E0210,
        format!("the monoid `{name}` has no {missing}"),
    )
    .primary(span, "declared here")
    .help("a monoid has fields with identities, `merge(p, q) { … }` and `block<J>(…) { … }`")
}

pub(crate) fn block_without_length(param: &str, length: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        codes::E0210,
        format!("`{param}` does not begin with the number of items"),
    )
    .primary(span, format!("its first dimension is not `{length}`"))
    .help(format!(
        "a block absorbs `{length}` items at once: write `{param}: …[{length}]`"
    ))
}

pub(crate) fn record_as_value(what: &str, span: Span) -> Diagnostic {
    Diagnostic::new(codes::E0211, format!("{what} is a record, not a value"))
        .primary(span, "used as a value")
        .help("name it, `let st[i] = fold(…) …;`, and read its fields: `st[i].m`")
}

pub(crate) fn unknown_field(name: &str, span: Span, similar: Option<&str>) -> Diagnostic {
    let d = Diagnostic::new(codes::E0211, format!("there is no field `{name}`"))
        .primary(span, "not a field of this");
    suggest(d, span, similar)
}

pub(crate) fn fold_index_count(span: Span, count: usize) -> Diagnostic {
    Diagnostic::new(
        codes::E0305,
        format!("a fold runs along one index, not {count}"),
    )
    .primary(span, "bound here")
}

pub(crate) fn unbound_scan(name: &str, span: Span) -> Diagnostic {
    Diagnostic::new(codes::E0205, format!("nothing binds the index `{name}`"))
        .primary(span, "a scan runs along an index that is bound around it")
        .help(format!(
            "the prefix up to `{name}` is taken for each `{name}` of the left side"
        ))
}

pub(crate) fn schedule_not_applied(word: &str, span: Span) -> Diagnostic {
    let what = format!("`{word}` is not applied yet");
    Diagnostic::new(codes::E0401, what)
        .primary(span, "no back end obeys this decision")
        .help("remove it: what is left out is chosen by the compiler")
}

pub(crate) fn too_large(limit: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        codes::E0504,
        format!("the kernel is too large after its functions are expanded: {limit}"),
    )
    .primary(span, "while this was expanded")
    .help("store intermediate values in a `let` of the kernel, or split the kernel")
}

fn list(names: &[&str]) -> String {
    match names {
        [] => "none".to_owned(),
        _ => names
            .iter()
            .map(|n| format!("`{n}`"))
            .collect::<Vec<_>>()
            .join(", "),
    }
}
