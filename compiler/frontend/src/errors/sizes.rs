//! Sizes, shapes and bounds: E0304 to E0312.

use diag::{Applicability, Diagnostic, Fix, Span, codes};

/// A size and where it comes from.
#[derive(Clone, Debug)]
pub(crate) struct Sized {
    pub(crate) size: String,
    pub(crate) span: Span,
}

pub(crate) fn index_two_sizes(index: &str, new: &Sized, first: &Sized) -> Diagnostic {
    Diagnostic::new(codes::E0304, format!("index `{index}` has two sizes"))
        .primary(new.span, format!("`{}` here", new.size))
        .label(first.span, format!("`{}` here", first.size))
        .help("pad or slice one of them, or use another index")
}

pub(crate) fn two_sizes(what: &str, left: &Sized, right: &Sized) -> Diagnostic {
    Diagnostic::new(
        codes::E0304,
        format!("{what} has two sizes: {} and {}", left.size, right.size),
    )
    .primary(right.span, format!("{} here", right.size))
    .label(left.span, format!("{} here", left.size))
}

pub(crate) fn argument_two_sizes(
    var: &str,
    new: &Sized,
    new_place: &str,
    old: &Sized,
    old_place: &str,
) -> Diagnostic {
    Diagnostic::new(
        codes::E0304,
        format!("size `{var}` is {} and {}", old.size, new.size),
    )
    .primary(new.span, format!("{} from {new_place}", new.size))
    .label(old.span, format!("{} from {old_place}", old.size))
}

pub(crate) fn index_count(
    name: &str,
    found: usize,
    wanted: usize,
    span: Span,
    declared: Span,
) -> Diagnostic {
    Diagnostic::new(
        codes::E0305,
        format!(
            "`{name}` has {}, and {found} stand here",
            dimensions(wanted)
        ),
    )
    .primary(span, format!("expected {}", indices(wanted)))
    .label(declared, "declared here")
}

pub(crate) fn not_indexed(name: &str, rank: usize, span: Span, declared: Span) -> Diagnostic {
    Diagnostic::new(
        codes::E0305,
        format!("`{name}` is a tensor, and one element is needed here"),
    )
    .primary(span, format!("expected {}", indices(rank)))
    .label(declared, "declared here")
}

/// The same with the indices that fit.
pub(crate) fn indexed_by(found: Diagnostic, name: &str, at: &[String], span: Span) -> Diagnostic {
    let at = at.join(", ");
    found.with_fix(Fix {
        message: format!("take its element at the indices of these sizes, `{name}[{at}]`"),
        edits: vec![(span.shrink_to_end(), format!("[{at}]"))],
        applicability: Applicability::MaybeIncorrect,
    })
}

pub(crate) fn slice_not_allowed(span: Span) -> Diagnostic {
    Diagnostic::new(codes::E0305, "a slice where one element is needed")
        .primary(span, "`:` stands for a whole dimension")
        .help("slices may be arguments of functions that take tensors")
}

pub(crate) fn dims_beside_indices(span: Span) -> Diagnostic {
    Diagnostic::new(
        codes::E0305,
        "extents in the type of a definition with indices",
    )
    .primary(span, "the indices give the shape")
    .help("write the extent at the index: `let t[i: N]: f32 = …`")
}

/// What is known of an access that is out of bounds.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    pub(crate) tensor: String,
    pub(crate) dimension: usize,
    pub(crate) size: String,
    pub(crate) span: Span,
    /// The whole access, around which a border could be written; none of a left side.
    pub(crate) whole: Span,
    pub(crate) declared: Span,
}

pub(crate) fn out_of_bounds(access: &Access, reaches: &str) -> Diagnostic {
    let message = format!("an index of `{}` is out of bounds", access.tensor);
    let label = format!("reaches {reaches}, and the size is {}", access.size);
    let d = Diagnostic::new(codes::E0306, message).primary(access.span, label);
    let d = if access.declared.is_none() {
        d
    } else {
        let text = format!("dimension {} has size {}", access.dimension, access.size);
        d.label(access.declared, text)
    };
    if access.whole.is_none() {
        return d;
    }
    d.note("masks and `if` do not make an access legal")
        .with_fix(diag::Fix {
            message: "give the value outside with a border: `(… else 0)`".to_owned(),
            edits: vec![
                (access.whole.shrink_to_start(), "(".to_owned()),
                (access.whole.shrink_to_end(), " else 0)".to_owned()),
            ],
            applicability: diag::Applicability::MaybeIncorrect,
        })
}

pub(crate) fn bounds_unproved(access: &Access, reach: &str) -> Diagnostic {
    let d = out_of_bounds(access, reach);
    d.note("the bound could not be shown, so the access counts as out of bounds")
}

/// Something that only the values of sizes decide, where one of them is left to the launch.
pub(crate) fn needs_fixed(what: &str, span: Span) -> Diagnostic {
    Diagnostic::new(codes::E0315, what)
        .primary(span, "this needs sizes that are known when it is compiled")
        .help("give the size its value, as `-D N=64` gives 64 to `N`")
}

pub(crate) fn const_is_symbolic(size: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        codes::E0315,
        format!("`const {size}` cannot be left to the launch"),
    )
    .primary(span, "a `const` size is known when it is compiled")
    .help(format!("give it its value: `-D {size}=64`"))
}

pub(crate) fn not_affine(span: Span) -> Diagnostic {
    Diagnostic::new(codes::E0303, "an index expression that is not affine").primary(
        span,
        "expected sums of indices times sizes, and `/` and `%` by sizes",
    )
}

pub(crate) fn not_an_index(found: &str, span: Span) -> Diagnostic {
    let d = Diagnostic::new(codes::E0303, format!("`{found}` where an index is needed"))
        .primary(span, format!("this is `{found}`"));
    if found == "bool" {
        return d.help("a condition chooses between values: `if n == 3 then x[n] else 0.0`");
    }
    d.help("an access that depends on data is written `gather(table, i)`")
}

pub(crate) fn size_depends_on_index(span: Span) -> Diagnostic {
    Diagnostic::new(codes::E0303, "a size that depends on an index or on data")
        .primary(span, "expected sizes and numbers only")
}

pub(crate) fn size_overflow(span: Span, what: &str) -> Diagnostic {
    Diagnostic::new(codes::E0307, format!("{what} does not fit 64 bits")).primary(span, "too large")
}

pub(crate) fn size_not_bound(name: &str, span: Span) -> Diagnostic {
    Diagnostic::new(codes::E0308, format!("size `{name}` has no value"))
        .primary(span, "not given by any argument")
        .help(format!("give it with `-D {name}=…`"))
}

pub(crate) fn list_not_bound(name: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        codes::E0308,
        format!("the list of sizes `{name}` has no value"),
    )
    .primary(span, "not given by any argument")
    .help(format!(
        "give it with `-D {name}=2,3`; no sizes at all are `-D {name}=[]`"
    ))
}

pub(crate) fn argument_ranks(
    name: &str,
    actual: usize,
    (least, most): (usize, usize),
    span: Span,
) -> Diagnostic {
    Diagnostic::new(
        codes::E0703,
        format!("`{name}` is given with {}", dimensions(actual)),
    )
    .primary(span, format!("has {least} to {} here", dimensions(most)))
}

pub(crate) fn lists_differ(list: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        codes::E0703,
        format!("`{list}` stands for different numbers of dimensions"),
    )
    .primary(span, "the arguments of this kernel")
    .note("an open list stands for zero to four dimensions, the same in all arguments")
}

pub(crate) fn size_below_one(what: &str, value: i64, span: Span) -> Diagnostic {
    Diagnostic::new(
        codes::E0309,
        format!("{what} is {value}, and a size is at least 1"),
    )
    .primary(span, format!("{value} with the sizes given"))
}

pub(crate) fn size_not_divisible(what: &str, total: i64, by: i64, span: Span) -> Diagnostic {
    Diagnostic::new(
        codes::E0309,
        format!("{what} is {total}, which is not a multiple of {by}"),
    )
    .primary(span, format!("must be {total}"))
}

pub(crate) fn division_by_zero_size(span: Span) -> Diagnostic {
    Diagnostic::new(
        codes::E0309,
        "a size is divided by zero or by a negative number",
    )
    .primary(span, "the divisor must be at least 1")
}

pub(crate) fn condition_fails(span: Span, facts: &str) -> Diagnostic {
    let d = Diagnostic::new(codes::E0309, "a condition on the sizes does not hold")
        .primary(span, "false");
    if facts.is_empty() {
        d
    } else {
        d.note(format!("with {facts}"))
    }
}

pub(crate) fn condition_not_on_sizes(span: Span) -> Diagnostic {
    Diagnostic::new(codes::E0303, "a condition that is not one on sizes")
        .primary(span, "cannot be decided before the kernel runs")
}

pub(crate) fn rank_mismatch(left: (&str, Span), right: (&str, Span)) -> Diagnostic {
    Diagnostic::new(
        codes::E0310,
        format!("shapes `{}` and `{}` do not match", left.0, right.0),
    )
    .primary(right.1, format!("`{}`", right.0))
    .label(left.1, format!("`{}`", left.0))
    .help("only single values are broadcast; write indices to say which dimension is which")
}

pub(crate) fn shape_wanted(what: &str, found: (&str, Span), wanted: (&str, Span)) -> Diagnostic {
    Diagnostic::new(
        codes::E0310,
        format!("{what} has shape `{}`, expected `{}`", found.0, wanted.0),
    )
    .primary(found.1, format!("`{}`", found.0))
    .label(wanted.1, format!("`{}`", wanted.0))
}

pub(crate) fn argument_count(
    name: &str,
    found: usize,
    wanted: usize,
    span: Span,
    declared: Span,
) -> Diagnostic {
    let plural = if wanted == 1 { "" } else { "s" };
    let d = Diagnostic::new(
        codes::E0311,
        format!("`{name}` takes {wanted} argument{plural}, {found} given"),
    )
    .primary(span, format!("expected {wanted}"));
    if declared.is_none() {
        d
    } else {
        d.label(declared, "declared here")
    }
}

pub(crate) fn result_count(name: &str, found: usize, wanted: usize, span: Span) -> Diagnostic {
    Diagnostic::new(
        codes::E0311,
        format!("`{name}` gives {wanted} results, {found} named"),
    )
    .primary(span, format!("expected {wanted} names"))
}

pub(crate) fn several_results(name: &str, count: usize, span: Span) -> Diagnostic {
    Diagnostic::new(
        codes::E0311,
        format!("`{name}` gives {count} results, and one value is needed here"),
    )
    .primary(span, format!("{count} results"))
    .help(format!("name them: `let (a, b) = {name}(…);`"))
}

pub(crate) fn index_without_extent(name: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        codes::E0312,
        format!("the size of the index `{name}` is not known"),
    )
    .primary(span, "it stands alone in no access")
    .help(format!("write its extent: `{name}: N`"))
}

/// As [`index_without_extent`], for an index of a part's left side, where no extent can be written.
pub(crate) fn part_without_extent(name: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        codes::E0312,
        format!("the size of the index `{name}` is not known"),
    )
    .primary(span, "it stands alone in no access")
    .help(format!(
        "name the values of this part first, where the extent has a place: `let part[{name}: N] = …;`, \
         and read `part[{name}]` here"
    ))
}

pub(crate) fn cannot_infer(what: &str, name: &str, span: Span, declared: Span) -> Diagnostic {
    let d = Diagnostic::new(codes::E0314, format!("cannot infer {what} `{name}`"))
        .primary(span, "in this call");
    let d = if declared.is_none() {
        d
    } else {
        d.label(declared, "declared here")
    };
    d.help(format!("pass it by name: `{name}: …`"))
}

pub(crate) fn type_not_bound(name: &str, class: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        codes::E0314,
        format!("the element type `{name}` is not given"),
    )
    .primary(span, format!("any `{class}`"))
    .help(format!(
        "give it with `-D {name}=…`, or by the type of an argument"
    ))
}

pub(crate) fn argument_rank(name: &str, found: usize, wanted: usize, span: Span) -> Diagnostic {
    Diagnostic::new(
        codes::E0703,
        format!(
            "`{name}` is given {}, and has {}",
            dimensions(found),
            dimensions(wanted)
        ),
    )
    .primary(span, format!("declared with {}", dimensions(wanted)))
}

pub(crate) fn argument_extent(
    name: &str,
    dimension: usize,
    found: i64,
    wanted: i64,
    span: Span,
) -> Diagnostic {
    Diagnostic::new(
        codes::E0703,
        format!("dimension {dimension} of `{name}` is given size {found}, and needs {wanted}"),
    )
    .primary(span, format!("{wanted} here"))
}

pub(crate) fn unknown_argument(what: &str, name: &str, span: Span, known: &[&str]) -> Diagnostic {
    let d = Diagnostic::new(codes::E0705, format!("the kernel has no {what} `{name}`"))
        .primary(span, format!("has no {what} of that name"));
    match diag::similar(name, known.iter().copied()) {
        Some(near) => d.help(format!("did you mean `{near}`?")),
        None => d,
    }
}

fn dimensions(n: usize) -> String {
    if n == 1 {
        "1 dimension".to_owned()
    } else {
        format!("{n} dimensions")
    }
}

fn indices(n: usize) -> String {
    if n == 1 {
        "1 index".to_owned()
    } else {
        format!("{n} indices")
    }
}

pub(crate) fn no_instance(name: &str, shapes: &str, span: Span, declared: Span) -> Diagnostic {
    Diagnostic::new(
        codes::E0310,
        format!("no number of open dimensions of `{name}` fits these arguments"),
    )
    .primary(span, format!("called with {shapes}"))
    .label(declared, "declared here, for at most four open dimensions")
}
