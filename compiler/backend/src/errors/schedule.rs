//! Wording of decisions that cannot be carried out.

use std::collections::{BTreeMap, BTreeSet};

use diag::{Diagnostic, Span, codes};
use ir::schedule::{Block, Name};
use isa::chip::Chip;
use isa::types::Space;

use crate::plan::Overflow;
use crate::schedule::{Given, Knob, Values};

/// Most values that a proposal lists.
const PROPOSALS: usize = 4;

/// No size that the step can be written for has what is given; `possible` are those with another value of `knob`.
pub(crate) fn no_such_size(given: &Given, knob: Knob, possible: &[Values]) -> Box<Diagnostic> {
    let value = given.values.get(&knob).copied().unwrap_or(0);
    let span = given.place(&[knob]);
    let span = span.or_else(|| given.spans.values().next().copied());
    let what = format!("{} of {value} cannot be made here", knob.name());
    let span = span.unwrap_or(Span::NONE);
    let mut found =
        Diagnostic::new(codes::E0404, what).primary(span, "no code for this size in this step");
    let near = nearest(given, possible, knob, value);
    if !near.is_empty() {
        found = found.help(format!("possible beside the rest: {}", near.join(", ")));
    }
    Box::new(found)
}

/// Values of a knob beside everything else that is given, the nearest first.
fn nearest(given: &Given, possible: &[Values], knob: Knob, value: i64) -> Vec<String> {
    let mut others = given.clone();
    others.values.remove(&knob);
    let fitting = possible.iter().filter(|values| others.allows(values));
    let mut near: Vec<i64> = fitting
        .filter_map(|values| values.get(&knob).copied())
        .collect();
    near.sort_unstable();
    near.dedup();
    near.sort_by_key(|other| other.abs_diff(value));
    near.truncate(PROPOSALS);
    near.iter().map(i64::to_string).collect()
}

/// A size that is not a multiple of what the machine takes at once.
pub(crate) fn not_a_multiple(given: &Given, knob: Knob, value: i64, unit: i64) -> Box<Diagnostic> {
    let span = given.place(&[knob]).unwrap_or(Span::NONE);
    let what = format!("{} of {value} is not a multiple of {unit}", knob.name());
    let below = value / unit * unit;
    let near = match below {
        0 => unit.to_string(),
        below => format!("{below} or {}", below + unit),
    };
    Box::new(
        Diagnostic::new(codes::E0404, what)
            .primary(span, format!("a multiple of {unit} is asked for"))
            .help(format!("nearest: {near}")),
    )
}

/// What a buffer needs.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Need<'a> {
    /// The definition.
    pub(crate) name: &'a str,
    /// Where it is to be.
    pub(crate) space: Space,
    /// Bytes of all copies.
    pub(crate) needed: i64,
    /// What decides them, the first to blame first.
    pub(crate) knobs: &'a [Knob],
    /// Copies.
    pub(crate) depth: i64,
}

/// A buffer of a product is larger than its space. `possible` are sizes with their cycles.
pub(crate) fn too_large(
    given: &Given,
    need: &Need<'_>,
    possible: &[(i64, Values)],
    chip: &Chip,
) -> Box<Diagnostic> {
    let span = given.place(need.knobs).unwrap_or(Span::NONE);
    let of = match need.space {
        Space::L0c => format!("`{}` at depth {}", need.name, need.depth),
        Space::L0a => format!(
            "a step of the left factor of `{}` at depth {}",
            need.name, need.depth
        ),
        Space::L0b => format!(
            "a step of the right factor of `{}` at depth {}",
            need.name, need.depth
        ),
        Space::Gm | Space::L1 | Space::Ub | Space::Bt | Space::Fb => {
            format!(
                "a packet of both factors of `{}` at depth {}",
                need.name, need.depth
            )
        }
    };
    let what = format!(
        "{of} needs {} of {}; {} has {}",
        size(u64::try_from(need.needed).unwrap_or(0)),
        need.space.name().to_uppercase(),
        chip.name,
        size(chip.usable_bytes(need.space))
    );
    let mut found = Diagnostic::new(codes::E0405, what).primary(span, "too much");
    for &knob in need.knobs {
        let Some(value) = given.values.get(&knob).copied() else {
            continue;
        };
        let priced = priced(given, possible, knob, value);
        if !priced.is_empty() {
            found = found.help(format!("{}: {}", knob.name(), priced.join(", ")));
        }
    }
    Box::new(found)
}

/// Values of a knob that are possible beside everything else, the nearest first, each with the cycles reckoned.
fn priced(given: &Given, possible: &[(i64, Values)], knob: Knob, value: i64) -> Vec<String> {
    let mut others = given.clone();
    others.values.remove(&knob);
    let mut best: BTreeMap<i64, i64> = BTreeMap::new();
    for (cycles, values) in possible.iter().filter(|(_, values)| others.allows(values)) {
        if let Some(&other) = values.get(&knob) {
            let least = best.entry(other).or_insert(*cycles);
            *least = (*least).min(*cycles);
        }
    }
    let mut near: Vec<(i64, i64)> = best.into_iter().collect();
    near.sort_by_key(|(other, _)| other.abs_diff(value));
    near.truncate(PROPOSALS);
    let shown = |(other, cycles): &(i64, i64)| format!("{other} (about {cycles} cycles)");
    near.iter().map(shown).collect()
}

/// What is given needs more than a space has.
pub(crate) fn does_not_fit(given: &Given, overflow: &Overflow, chip: &Chip) -> Box<Diagnostic> {
    let span = given.spans.values().next().copied().unwrap_or(Span::NONE);
    let what = too_much(
        "these sizes",
        overflow.needed,
        overflow.space,
        overflow.available,
        chip,
    );
    Box::new(
        Diagnostic::new(codes::E0405, what)
            .primary(span, "decided here")
            .help(
                "take smaller sizes or fewer copies, or leave one of them to the compiler with `?`",
            ),
    )
}

/// `what` needs so many bytes of a space that has fewer.
pub(crate) fn too_much(what: &str, needed: u64, space: Space, has: u64, chip: &Chip) -> String {
    format!(
        "{what} need {} of {}; {} has {}",
        size(needed),
        space.name().to_uppercase(),
        chip.name,
        size(has)
    )
}

/// Bytes as people write them.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        kib if kib >= 1024 && kib.is_multiple_of(1024) => format!("{} KiB", kib / 1024),
        kib if kib >= 10 * 1024 => format!("{}.{} KiB", kib / 1024, kib % 1024 * 10 / 1024),
        bytes => format!("{bytes} bytes"),
    }
}

/// A name that is nothing of that kind in the kernel.
pub(crate) fn unknown(what: &str, name: &Name, known: &[&str]) -> Box<Diagnostic> {
    let found = Diagnostic::new(
        codes::E0403,
        format!("the kernel has no {what} `{}`", name.text),
    );
    let found = found.primary(name.span, "not found");
    Box::new(match diag::similar(&name.text, known.iter().copied()) {
        Some(near) => found.help(format!("did you mean `{near}`?")),
        None => found,
    })
}

/// An index that no step walks in that way.
pub(crate) fn no_axis(
    block: &Block,
    verb: &str,
    open: &[(&str, String)],
    chip: &Chip,
) -> Box<Diagnostic> {
    let index = &block.index;
    let what = match verb {
        "grid" => format!("no step has blocks over `{index}`"),
        _ => format!("no step streams `{index}` here"),
    };
    let mut found = Diagnostic::new(codes::E0403, what).primary(block.span, "nothing to decide");
    let listed = |verb: &str| {
        let of = open.iter().filter(|(known, _)| *known == verb);
        of.map(|(_, axis)| format!("`{axis}`"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    for verb in ["grid", "stream"] {
        let axes = listed(verb);
        if !axes.is_empty() {
            found = found.note(format!("on {}, `{verb}` is open for {axes}", chip.name));
        }
    }
    Box::new(found)
}

/// A definition without such a slot.
pub(crate) fn no_slot(name: &Name, what: &str) -> Box<Diagnostic> {
    let what = format!("`{}` is not what {what}", name.text);
    Box::new(Diagnostic::new(codes::E0403, what).primary(name.span, "nothing to decide"))
}

/// An order of blocks that nobody walks.
pub(crate) fn order(word: &Name) -> Box<Diagnostic> {
    let what = format!("blocks cannot go to the cores in the order `{}`", word.text);
    Box::new(
        Diagnostic::new(codes::E0404, what)
            .primary(word.span, "no such order here")
            .help("`order row`, `order diagonal(1)` and `order swizzle(4)` are possible"),
    )
}

/// An order of blocks that only products have.
pub(crate) fn order_by_rows(span: Span) -> Box<Diagnostic> {
    let what = "these blocks go to the cores row by row".to_owned();
    Box::new(
        Diagnostic::new(codes::E0404, what)
            .primary(span, "no such order here")
            .help("`order row` is possible"),
    )
}

/// More cores than the chip has.
pub(crate) fn too_many_cores(cores: i64, chip: &Chip, span: Span) -> Box<Diagnostic> {
    let what = format!(
        "{cores} cores are asked for; {} has {}",
        chip.name, chip.cores.cube
    );
    let help = format!("at most {}", chip.cores.cube);
    Box::new(
        Diagnostic::new(codes::E0404, what)
            .primary(span, "too many")
            .help(help),
    )
}

/// A reduction that is not split.
pub(crate) fn not_split(block: &Block, across: &str, kernel: &str) -> Box<Diagnostic> {
    let what = format!("`{}` is not split across {across}", block.index);
    Box::new(
        Diagnostic::new(codes::E0404, what)
            .primary(block.span, "no merge of its parts is generated")
            .help(format!(
                "`split {kernel}: 8 across cores` uses 8 of the cores"
            )),
    )
}

/// A definition that is nowhere in memory.
pub(crate) fn not_kept(name: &Name) -> Box<Diagnostic> {
    let what = format!("`{}` is computed where it is read and not kept", name.text);
    Box::new(Diagnostic::new(codes::E0404, what).primary(name.span, "not in memory"))
}

/// A definition that is computed by itself.
pub(crate) fn not_fused(name: &Name) -> Box<Diagnostic> {
    let what = format!("`{}` is not computed together with anything", name.text);
    Box::new(
        Diagnostic::new(codes::E0404, what)
            .primary(name.span, "a step of its own")
            .note("what a definition is fused with has the same indices, or is all that it reads"),
    )
}

/// A stream that has no copies to decide.
pub(crate) fn no_depth(span: Span) -> Box<Diagnostic> {
    let what = "the number of copies of this stream is not open";
    Box::new(Diagnostic::new(codes::E0404, what).primary(span, "nothing to decide"))
}

/// A tensor that is in another memory.
pub(crate) fn not_there(name: &Name, space: &Name, there: &BTreeSet<&str>) -> Box<Diagnostic> {
    let what = format!("`{}` is not placed in {} here", name.text, space.text);
    let found = Diagnostic::new(codes::E0404, what).primary(space.span, "another memory");
    let there: Vec<&str> = there.iter().copied().collect();
    Box::new(match there.is_empty() {
        true => found,
        false => found.help(format!("it goes to {}", there.join(", "))),
    })
}

/// An engine that cannot compute a definition.
pub(crate) fn no_engine(name: &Name, engine: &Name, only: &str) -> Box<Diagnostic> {
    let what = format!("`{}` cannot be computed by {}", name.text, engine.text);
    Box::new(
        Diagnostic::new(codes::E0404, what)
            .primary(engine.span, "another engine")
            .help(format!("possible: `{only}`")),
    )
}

/// What the fixpipe cannot do on the way out.
pub(crate) fn not_on_the_way_out(given: &Given) -> Box<Diagnostic> {
    let span = given.place(&[Knob::Epilogue]).unwrap_or(Span::NONE);
    let what = "the fixpipe converts, clamps at zero and scales columns; this is more";
    Box::new(
        Diagnostic::new(codes::E0404, what)
            .primary(span, "not by the fixpipe")
            .help("possible: `vector`"),
    )
}

/// Two values for one thing.
pub(crate) fn decided_twice(
    knob: Knob,
    (first, there): (i64, Span),
    (second, here): (i64, Span),
) -> Box<Diagnostic> {
    let what = format!(
        "two values for one thing ({}): {first} and {second}",
        knob.name()
    );
    Box::new(
        Diagnostic::new(codes::E0404, what)
            .primary(here, "decided again")
            .label(there, "decided here"),
    )
}

/// A stream that is inside of another one than is said.
pub(crate) fn not_inside(outer: &Block, said: i64, known: i64) -> Box<Diagnostic> {
    let index = &outer.index;
    let what = format!("this stream is inside of `{index}: {known}`, not of `{index}: {said}`");
    Box::new(Diagnostic::new(codes::E0404, what).primary(outer.span, "another stream"))
}
