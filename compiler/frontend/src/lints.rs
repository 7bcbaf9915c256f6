//! Findings about what is right but of no use, or perhaps not meant: warnings. Asked only of a file without errors, so that
//! what an error hides is not called unused.
//!
//! A name that begins with `_` is meant to be unused. Levels are the caller's business.

use std::collections::{BTreeMap, BTreeSet};

use diag::codes::{W0002, W0003, W0004, W0005, W0006, W0007, W0008, W0009, W0010};
use diag::{Applicability, Diagnostic, Fix, Span};
use isa::chip::Chip;
use isa::types::Elem;
use syntax::ast::{
    ExprKind, Exprs, File, Item, ItemKind, ReduceHead, ReduceOp, Target, TargetKind,
};

use crate::ide::{Def, DefId, DefKind, Fact, Names};

/// Everything to warn of in the main file. `elem` says the element types of its expressions, where checking found one.
pub(crate) fn lints<'f>(
    file: &File,
    names: &Names,
    elem: &dyn Fn(Span) -> Option<&'f str>,
) -> Vec<Diagnostic> {
    let mut found = unused(file, names);
    found.extend(unused_imports(file, names));
    found.extend(shadowed(file, names));
    found.extend(unknown_targets(file));
    for (_, expr) in file.exprs.iter() {
        match &expr.kind {
            ExprKind::Cast { value, cast } => {
                let value = file.exprs.unparen(*value);
                found.extend(redundant_cast(
                    &file.exprs,
                    value,
                    &cast.to.text,
                    expr.span,
                    elem,
                ));
                found.extend(precision_loss(&file.exprs, value, &cast.to.text, expr.span));
            }
            ExprKind::Reduce { op, head, body, .. } => {
                if head.order.is_some() {
                    let elem = elem(file.exprs.span(*body));
                    found.extend(unneeded_order(&file.exprs, *op, head, elem));
                }
            }
            ExprKind::Error
            | ExprKind::Name(_)
            | ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::NumLetters(_)
            | ExprKind::Bool(_)
            | ExprKind::Hole
            | ExprKind::Paren(_)
            | ExprKind::Call { .. }
            | ExprKind::Fold { .. }
            | ExprKind::Scan { .. }
            | ExprKind::Index { .. }
            | ExprKind::Field { .. }
            | ExprKind::Border { .. }
            | ExprKind::Unary { .. }
            | ExprKind::Binary { .. }
            | ExprKind::If { .. } => {}
        }
    }
    found
}

/// Schedules for targets that are not built in: their decisions apply to nothing else.
fn unknown_targets(file: &File) -> Vec<Diagnostic> {
    let schedules = file.items.iter().filter_map(Item::schedule);
    let targets = schedules.filter_map(|schedule| schedule.target.as_ref());
    let unknown = targets.filter(|target| Chip::names().all(|known| known != target.name.text));
    let lint = |target: &Target| {
        let (name, span) = (&target.name.text, target.name.span);
        let d = Diagnostic::new(W0010, format!("no target is called `{name}`"))
            .primary(span, "this schedule applies to no built-in target");
        match diag::similar(name, Chip::names()) {
            Some(near) => {
                let quoted = target.kind == TargetKind::Text;
                let text = if quoted {
                    format!("\"{near}\"")
                } else {
                    near.to_owned()
                };
                d.with_fix(Fix {
                    message: format!("did you mean `{near}`?"),
                    edits: vec![(span, text)],
                    applicability: Applicability::MaybeIncorrect,
                })
            }
            None => {
                let known: Vec<&str> = Chip::names().collect();
                d.help(format!("built in are `{}`", known.join("`, `")))
            }
        }
    };
    unknown.map(lint).collect()
}

/// Definitions, parameters and private items that nothing uses.
fn unused(file: &File, names: &Names) -> Vec<Diagnostic> {
    let mut used = vec![false; names.defs.len()];
    for place in names.uses.iter().filter(|place| !place.defines) {
        used[place.def.0] = true;
    }
    let mut local_used = BTreeSet::new();
    for (def, used) in names.defs.iter().zip(&used) {
        if *used && def.kind == DefKind::Local {
            local_used.insert(def.whole);
        }
    }
    let private: BTreeSet<Span> = (file.items.iter())
        .filter(|item| !item.public)
        .map(|item| item.span)
        .collect();
    let defs = (0..names.defs.len()).map(DefId);
    let own = defs.filter(|&id| names.def(id).span.file == file.file);
    let idle = own.filter(|&id| !used[id.0]);
    let silent = |def: &Def| def.name.starts_with('_');
    // `let (v, i) = topk(x, K: 8)`: whoever wants the places gets the values too.
    let beside = |def: &Def| local_used.contains(&def.whole);
    let finding = |id: DefId| {
        let def = names.def(id);
        if silent(def) || (def.kind == DefKind::Local && beside(def)) {
            return None;
        }
        match def.kind {
            DefKind::Local => Some(unused_definition(def)),
            DefKind::Param => Some(unused_parameter(def, "parameter")),
            DefKind::Size => Some(unused_parameter(def, "size")),
            DefKind::Type => Some(unused_parameter(def, "element type")),
            DefKind::Function | DefKind::Monoid | DefKind::Constant => {
                private.contains(&def.whole).then(|| unused_item(def))
            }
            DefKind::Kernel | DefKind::Result | DefKind::Index | DefKind::Field => None,
        }
    };
    idle.filter_map(finding).collect()
}

fn unused_definition(def: &Def) -> Diagnostic {
    let name = &def.name;
    Diagnostic::new(W0002, format!("`{name}` is defined and never used"))
        .primary(def.span, "")
        .with_fix(Fix {
            message: format!("if this is meant, call it `_{name}`; else remove the definition"),
            edits: vec![(def.span.shrink_to_start(), "_".to_owned())],
            applicability: Applicability::MaybeIncorrect,
        })
}

fn unused_parameter(def: &Def, what: &str) -> Diagnostic {
    Diagnostic::new(W0003, format!("{what} `{}` is never used", def.name)).primary(def.span, "")
}

fn unused_item(def: &Def) -> Diagnostic {
    Diagnostic::new(W0005, format!("`{}` is never used", def.name))
        .primary(def.span, "")
        .help("remove it, or make it `pub` if other files use it")
}

/// Each `use` whose last name stands nowhere else.
fn unused_imports<'a>(file: &'a File, names: &Names) -> impl Iterator<Item = Diagnostic> + 'a {
    let mut places = vec![0_usize; names.defs.len()];
    let mut meant = BTreeMap::new();
    for place in &names.uses {
        places[place.def.0] += 1;
        meant.insert(place.span, place.def);
    }
    file.items.iter().filter_map(move |item| {
        let ItemKind::Use(path) = &item.kind else {
            return None;
        };
        let last = path.last()?;
        let only = places[meant.get(&last.span)?.0] == 1;
        only.then(|| unused_import(item, &last.text))
    })
}

fn unused_import(item: &Item, name: &str) -> Diagnostic {
    Diagnostic::new(W0004, format!("`{name}` is imported and never used"))
        .primary(item.span, "")
        .fix("remove the import", item.span, "")
}

/// Names of a kernel that are also names of functions, monoids or constants that the file sees.
fn shadowed<'a>(file: &'a File, names: &'a Names) -> impl Iterator<Item = Diagnostic> + 'a {
    let inner = names.defs.iter().filter(|def| def.item.is_some());
    let own = inner.filter(|def| def.span.file == file.file && def.kind != DefKind::Field);
    own.filter_map(|def| {
        let hidden = names.def(names.item(&def.name)?);
        let what = match hidden.kind {
            DefKind::Function => "function",
            DefKind::Monoid => "monoid",
            DefKind::Constant => "constant",
            DefKind::Kernel
            | DefKind::Size
            | DefKind::Type
            | DefKind::Param
            | DefKind::Result
            | DefKind::Local
            | DefKind::Index
            | DefKind::Field => return None,
        };
        let found = Diagnostic::new(W0006, format!("`{}` has the name of a {what}", def.name))
            .primary(def.span, "this one is meant from here on");
        Some(if hidden.span.file == file.file {
            found.label(hidden.span, format!("the {what}"))
        } else {
            found.note(format!("the {what} is one of the library"))
        })
    })
}

/// The element types of expressions, where checking found one.
pub(crate) fn elems(facts: &[Fact]) -> BTreeMap<Span, &str> {
    let mut elems = BTreeMap::new();
    for fact in facts.iter().filter(|fact| fact.kind.is_none()) {
        elems.entry(fact.span).or_insert(fact.elem.as_str());
    }
    elems
}

fn redundant_cast<'f>(
    exprs: &Exprs,
    value: syntax::ast::ExprId,
    to: &str,
    whole: Span,
    elem: &dyn Fn(Span) -> Option<&'f str>,
) -> Option<Diagnostic> {
    let literal = match exprs.kind(value) {
        ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Unary { .. } => true,
        ExprKind::Error
        | ExprKind::Name(_)
        | ExprKind::NumLetters(_)
        | ExprKind::Bool(_)
        | ExprKind::Hole
        | ExprKind::Paren(_)
        | ExprKind::Call { .. }
        | ExprKind::Reduce { .. }
        | ExprKind::Fold { .. }
        | ExprKind::Scan { .. }
        | ExprKind::Index { .. }
        | ExprKind::Field { .. }
        | ExprKind::Border { .. }
        | ExprKind::Binary { .. }
        | ExprKind::Cast { .. }
        | ExprKind::If { .. } => false,
    };
    let from = exprs.span(value);
    if literal || elem(from)? != to {
        return None;
    }
    let tail = Span {
        start: from.end,
        ..whole
    };
    Some(
        Diagnostic::new(W0008, format!("this is {to} already"))
            .primary(whole, "the conversion changes nothing")
            .label(from, to.to_owned()),
    )
    // A value in parentheses keeps them, so its conversion is left to the author.
    .map(|found| {
        if tail.start < tail.end {
            found.fix("remove the conversion", tail, "")
        } else {
            found
        }
    })
}

/// `(x as f16) as f32`: what the first conversion rounds away does not come back.
fn precision_loss(
    exprs: &Exprs,
    value: syntax::ast::ExprId,
    to: &str,
    whole: Span,
) -> Option<Diagnostic> {
    let ExprKind::Cast { cast: inner, .. } = exprs.kind(value) else {
        return None;
    };
    // Whoever names the rounding means it.
    if inner.round.is_some() {
        return None;
    }
    let (narrow, wide) = (Elem::from_name(&inner.to.text)?, Elem::from_name(to)?);
    (narrow.is_float() && wide.is_float() && narrow.bytes() < wide.bytes()).then(|| {
        Diagnostic::new(
            W0007,
            format!("rounded to {narrow} and widened to {wide} at once"),
        )
        .primary(whole, format!("what {narrow} cannot hold is lost"))
        .label(inner.to.span, "here")
        .help(format!(
            "if this is meant, say so: `as {narrow} round even`; else convert once"
        ))
    })
}

/// `order:` where every order gives the same bits.
fn unneeded_order(
    exprs: &Exprs,
    op: ReduceOp,
    head: &ReduceHead,
    elem: Option<&str>,
) -> Option<Diagnostic> {
    let order = exprs.span(head.order?);
    let whole_numbers = elem
        .and_then(Elem::from_name)
        .is_some_and(|elem| elem.is_int());
    let why = match op {
        ReduceOp::Sum | ReduceOp::Prod if whole_numbers => "of whole numbers",
        ReduceOp::Sum | ReduceOp::Prod => return None,
        ReduceOp::Min | ReduceOp::Max | ReduceOp::Any | ReduceOp::All => "of this sort",
        ReduceOp::Argmax | ReduceOp::Argmin => "of this sort",
    };
    let indices = head.indices.iter().map(|ix| match ix.extent {
        Some(extent) => exprs.span(extent).end,
        None => ix.name.span.end,
    });
    let masks = head.masks.iter().map(|mask| exprs.span(*mask).end);
    let before = indices
        .chain(masks)
        .filter(|end| *end <= order.start)
        .max()?;
    let clause = Span {
        start: before,
        ..order
    };
    Some(
        Diagnostic::new(W0009, "the order of this reduction changes nothing")
            .primary(
                order,
                format!("a reduction {why} has the same value in every order"),
            )
            .fix("remove the order", clause, ""),
    )
}
