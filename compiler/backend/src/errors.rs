//! Wording of everything the backend may find wrong: one function per diagnostic, named for the problem.

pub(crate) mod schedule;

use diag::{Diagnostic, Span, codes};
use ir::tile::{Func, Inst};

use crate::plan::Overflow;

/// A step that is compiled for known sizes only, in a kernel that leaves some to the launch.
pub(crate) fn needs_fixed(span: Span) -> Diagnostic {
    let what = "this is compiled for sizes that are known, and one is left to the launch";
    Diagnostic::new(codes::E0315, what)
        .primary(span, "its code depends on the value of a size")
        .help("give the size its value, as `-D N=64` gives 64 to `N`")
}

/// A rounding that only the cube does, somewhere else.
pub(crate) fn hf32_alone(span: Span) -> Diagnostic {
    let what = "rounding to `hf32` outside a matrix product";
    Diagnostic::new(codes::E0506, what)
        .primary(
            span,
            "the cube rounds both factors of a product, nothing else does",
        )
        .help("convert both factors: `sum(k) (a[m, k] as hf32) * (b[k, n] as hf32)`")
}

/// A space is too small for the buffers that are alive at once.
pub fn capacity(func: &Func, overflow: &Overflow) -> Diagnostic {
    let Overflow {
        space,
        needed,
        available,
        live,
    } = overflow;
    let message = format!(
        "{space} of `{}` is too small: {needed} bytes are live, {available} are available",
        func.target
    );
    let mut found = Diagnostic::new(codes::E0501, message);
    for (position, (buf, bytes)) in live.iter().enumerate() {
        let data = &func.bufs[*buf];
        let text = format!(
            "`{}` takes {bytes} bytes ({} x {}[{}, {}])",
            data.name, data.depth, data.elem, data.rows, data.cols
        );
        found = match position {
            0 => found.primary(data.span, text),
            _ if data.span.is_none() => found.note(text),
            _ => found.label(data.span, text),
        };
    }
    found.help("take smaller tiles or fewer copies")
}

/// An operation that has no instruction for its types or operands.
pub fn no_instruction(func: &Func, inst: Inst, what: &str) -> Diagnostic {
    let span = func.insts[inst].span;
    Diagnostic::new(codes::E0502, format!("{what} is not compiled yet"))
        .primary(span, "needed here")
}

/// A construct that this compiler has no code for yet.
pub fn not_compiled(span: Span, what: &str) -> Box<Diagnostic> {
    Box::new(Diagnostic::new(codes::E0502, what).primary(span, "needed here"))
}

/// More scalars alive at once than the machine has registers.
pub fn too_many_scalars(span: Span) -> Diagnostic {
    Diagnostic::new(codes::E0505, "too many live scalars")
        .primary(span, "no register is left here")
        .help("split the kernel or use fewer size-dependent offsets in one loop")
}

/// More channels than cross-core counters.
pub fn too_many_channels(found: usize, limit: usize, span: Span) -> Diagnostic {
    Diagnostic::new(
        codes::E0505,
        format!("{found} channels where {limit} have a cross-core counter"),
    )
    .primary(span, "used here")
}

/// A channel deeper than its counter can count.
pub fn channel_too_deep(name: &str, depth: u32, limit: u32, span: Span) -> Diagnostic {
    Diagnostic::new(
        codes::E0505,
        format!("channel `{name}` has {depth} slots, its counter holds {limit}"),
    )
    .primary(span, "declared here")
}

/// An operand that no encoding has room for.
pub fn operand_too_large(span: Span, what: &str, value: i64, limit: i64) -> Diagnostic {
    Diagnostic::new(
        codes::E0505,
        format!("{what} of {value} where at most {limit} is encoded"),
    )
    .primary(span, "needed here")
}
