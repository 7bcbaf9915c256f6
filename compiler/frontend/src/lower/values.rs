//! Values for a kernel's sizes and element types, from its arguments and from the command line (language rule S3).

use crate::Bindings;
use crate::check::{Solution, solve};
use crate::errors::{sizes, types};
use crate::hir::{Item, Ty};
use crate::poly::{Atom, Poly};
use diag::{Diagnostic, Span};
use isa::types::Elem;

/// Values by position in the signature.
pub(crate) struct Values {
    pub(crate) sizes: Vec<i64>,
    pub(crate) types: Vec<Elem>,
}

/// A size and where it was learned.
#[derive(Clone)]
struct Known {
    value: i64,
    span: Span,
    place: String,
}

/// One dimension of an argument.
struct Dimension {
    declared: Poly,
    actual: i64,
    span: Span,
    param: String,
    number: usize,
    /// Counted in pairs, the last of which may be half empty: `actual` is the number of halves.
    pairs: bool,
}

pub(crate) fn bind(item: &Item, given: &Bindings) -> Result<Values, Vec<Diagnostic>> {
    let mut diagnostics = Vec::new();
    report_unknown_names(item, given, &mut diagnostics);
    let types = bind_types(item, given, &mut diagnostics);
    let dimensions = argument_dimensions(item, given, &mut diagnostics);
    let sizes = bind_sizes(item, given, &dimensions, &mut diagnostics);
    match (diagnostics.is_empty(), types, sizes) {
        (true, Some(types), Some(sizes)) => Ok(Values { sizes, types }),
        _ => Err(diagnostics),
    }
}

fn report_unknown_names(item: &Item, given: &Bindings, diagnostics: &mut Vec<Diagnostic>) {
    let sizes: Vec<&str> = item.sizes.iter().map(|s| s.name.as_str()).collect();
    let types: Vec<&str> = item.types.iter().map(|t| t.name.as_str()).collect();
    let params: Vec<&str> = item
        .param_locals()
        .iter()
        .map(|p| p.name.as_str())
        .collect();
    let mut check = |what: &str, names: Vec<&String>, known: &[&str]| {
        for name in names {
            if !known.contains(&name.as_str()) {
                diagnostics.push(sizes::unknown_argument(what, name, item.name_span, known));
            }
        }
    };
    check("size", given.sizes.keys().collect(), &sizes);
    check("element type", given.types.keys().collect(), &types);
    check("parameter", given.params.keys().collect(), &params);
}

fn bind_types(
    item: &Item,
    given: &Bindings,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Vec<Elem>> {
    let mut found: Vec<Option<Elem>> = item
        .types
        .iter()
        .map(|t| given.types.get(&t.name).copied())
        .collect();
    for param in item.param_locals() {
        let Some((elem, _)) = given.params.get(&param.name) else {
            continue;
        };
        match param.ty {
            Ty::Param(p) => match found.get(p).copied().flatten() {
                Some(known) if known != *elem => {
                    let name = &item.types[p].name;
                    diagnostics.push(types::type_param_conflict(
                        name,
                        elem.name(),
                        known.name(),
                        param.span,
                    ));
                }
                Some(_) => {}
                None => found[p] = Some(*elem),
            },
            Ty::Elem(wanted) if wanted != *elem => {
                diagnostics.push(types::argument_type(
                    &param.name,
                    elem.name(),
                    wanted.name(),
                    param.span,
                ));
            }
            Ty::I4 if *elem != Elem::U8 => {
                diagnostics.push(types::argument_type(
                    &param.name,
                    elem.name(),
                    "i4, two to a u8",
                    param.span,
                ));
            }
            Ty::Elem(_) | Ty::I4 | Ty::Error | Ty::Acc(_) | Ty::Int | Ty::Float | Ty::Size => {}
        }
    }
    for (param, elem) in item.types.iter().zip(&found) {
        match elem {
            None => diagnostics.push(sizes::type_not_bound(
                &param.name,
                param.class.name(),
                param.span,
            )),
            Some(elem) if !param.class.admits(*elem) => {
                let class = param.class.name();
                diagnostics.push(types::class_not_met(
                    elem.name(),
                    class,
                    &param.name,
                    param.span,
                    Span::NONE,
                ));
            }
            Some(_) => {}
        }
    }
    found.into_iter().collect()
}

/// Every dimension of every argument whose rank is right.
fn argument_dimensions(
    item: &Item,
    given: &Bindings,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Dimension> {
    let mut dimensions = Vec::new();
    for param in item.param_locals() {
        let (Some((_, actual)), Some(declared)) = (given.params.get(&param.name), &param.shape)
        else {
            continue;
        };
        if actual.len() != declared.len() {
            diagnostics.push(sizes::argument_rank(
                &param.name,
                actual.len(),
                declared.len(),
                param.span,
            ));
            continue;
        }
        let count = declared.len();
        for (number, (declared, actual)) in declared.iter().zip(actual).enumerate() {
            let pairs = param.ty == Ty::I4 && number + 1 == count;
            dimensions.push(Dimension {
                declared: declared.clone(),
                actual: if pairs {
                    actual.saturating_mul(2)
                } else {
                    *actual
                },
                pairs,
                span: param.span,
                param: param.name.clone(),
                number,
            });
        }
    }
    dimensions
}

fn bind_sizes(
    item: &Item,
    given: &Bindings,
    dimensions: &[Dimension],
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Vec<i64>> {
    let from_command = |name: &str, span: Span| {
        given.sizes.get(name).map(|value| Known {
            value: *value,
            span,
            place: format!("`-D {name}`"),
        })
    };
    let mut found: Vec<Option<Known>> = item
        .sizes
        .iter()
        .map(|s| from_command(&s.name, s.span))
        .collect();
    // An array of pairs gives a size only if nothing else does: then its number is even.
    solve_dimensions(dimensions, &mut found, false);
    solve_dimensions(dimensions, &mut found, true);
    check_dimensions(item, dimensions, &found, diagnostics);
    // A dimension that was reported may be why a size has no value.
    let silent = !diagnostics.is_empty();
    for (size, known) in item.sizes.iter().zip(&found) {
        match known {
            None if !silent => diagnostics.push(sizes::size_not_bound(&size.name, size.span)),
            None => {}
            Some(known) if known.value < 1 => {
                diagnostics.push(sizes::size_below_one(
                    &format!("`{}`", size.name),
                    known.value,
                    size.span,
                ));
            }
            Some(_) => {}
        }
    }
    found
        .into_iter()
        .map(|known| known.map(|k| k.value))
        .collect()
}

fn lookup(found: &[Option<Known>], var: u32) -> Option<Poly> {
    found
        .get(var as usize)?
        .as_ref()
        .map(|known| Poly::constant(known.value))
}

fn solve_dimensions(dimensions: &[Dimension], found: &mut [Option<Known>], pairs: bool) {
    let mut progress = true;
    while progress {
        progress = false;
        for dimension in dimensions.iter().filter(|d| pairs || !d.pairs) {
            let actual = Poly::constant(dimension.actual);
            let solution = solve(&dimension.declared, &actual, &|v| lookup(found, v));
            if let Solution::Gives(var, value) = solution
                && let (Some(value), Some(slot)) =
                    (value.as_constant(), found.get_mut(var as usize))
            {
                *slot = Some(Known {
                    value,
                    span: dimension.span,
                    place: place(dimension),
                });
                progress = true;
            }
        }
    }
}

fn place(dimension: &Dimension) -> String {
    format!("dimension {} of `{}`", dimension.number, dimension.param)
}

/// Compares what the sizes say with what was given.
fn check_dimensions(
    item: &Item,
    dimensions: &[Dimension],
    found: &[Option<Known>],
    diagnostics: &mut Vec<Diagnostic>,
) {
    for dimension in dimensions {
        let actual = Poly::constant(dimension.actual);
        match solve(&dimension.declared, &actual, &|v| lookup(found, v)) {
            Solution::Known(size) if size.is_poison() => {
                diagnostics.push(sizes::size_overflow(dimension.span, &place(dimension)));
            }
            Solution::Known(size) => {
                let padded = dimension.pairs.then_some(dimension.actual - 1);
                if size.as_constant() != Some(dimension.actual) && size.as_constant() != padded {
                    diagnostics.push(conflict(
                        item,
                        dimension,
                        size.as_constant().unwrap_or(0),
                        found,
                    ));
                }
            }
            Solution::Indivisible(var) => {
                let factor = item
                    .sizes
                    .get(var as usize)
                    .map_or("?", |s| s.name.as_str());
                let what = format!("{}, which is a multiple of `{factor}`,", place(dimension));
                let rest = dimension.declared.replace(&|atom| match atom {
                    Atom::Var(v) if *v == var => Some(Poly::constant(1)),
                    Atom::Var(v) => lookup(found, *v),
                    Atom::Unknown(_) | Atom::Index(_) | Atom::Div(..) | Atom::Mod(..) => None,
                });
                let by = rest.as_constant().unwrap_or(0);
                diagnostics.push(sizes::size_not_divisible(
                    &what,
                    dimension.actual,
                    by,
                    dimension.span,
                ));
            }
            Solution::Gives(..) | Solution::Stuck => {}
        }
    }
}

fn conflict(
    item: &Item,
    dimension: &Dimension,
    wanted: i64,
    found: &[Option<Known>],
) -> Diagnostic {
    let var = match dimension.declared.as_atom() {
        Some(Atom::Var(v)) => Some(*v as usize),
        Some(Atom::Unknown(_) | Atom::Index(_) | Atom::Div(..) | Atom::Mod(..)) | None => None,
    };
    match var.and_then(|v| Some((item.sizes.get(v)?, found.get(v)?.as_ref()?))) {
        Some((name, known)) => {
            let new = sizes::Sized {
                size: dimension.actual.to_string(),
                span: dimension.span,
            };
            let old = sizes::Sized {
                size: known.value.to_string(),
                span: known.span,
            };
            sizes::argument_two_sizes(&name.name, &new, &place(dimension), &old, &known.place)
        }
        None => sizes::argument_extent(
            &dimension.param,
            dimension.number,
            dimension.actual,
            wanted,
            dimension.span,
        ),
    }
}
