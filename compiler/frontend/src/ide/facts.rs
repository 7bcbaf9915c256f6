//! What checking found out about declarations and expressions: element types and sizes, as the author would write them.

use std::collections::BTreeSet;

use diag::Span;

use crate::hir::{ExprKind, Item, Ty};
use crate::poly::{Atom, Poly};
use crate::{Checked, ide::DefKind};

/// What is known of a declaration or an expression of the main file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// The name of the declaration, or the whole expression.
    pub span: Span,
    /// What it is; nothing for an expression.
    pub kind: Option<DefKind>,
    /// The element type; of an index `size`.
    pub elem: String,
    /// The sizes of a tensor, or the one extent of an index.
    pub dims: Vec<String>,
}

impl Fact {
    /// `f32[M, K]`, `f32`; of an index its extent.
    pub fn text(&self) -> String {
        if self.kind == Some(DefKind::Index) {
            return self.dims.concat();
        }
        if self.dims.is_empty() {
            return self.elem.clone();
        }
        format!("{}[{}]", self.elem, self.dims.join(", "))
    }
}

/// The facts of the main file: declarations first, then expressions, inner ones before those that contain them.
pub fn facts(checked: &Checked) -> Vec<Fact> {
    let own = checked.items.iter().zip(&checked.files);
    let own: Vec<&Item> = own
        .filter(|(_, file)| **file == 0)
        .map(|(item, _)| &**item)
        .collect();
    let mut seen = BTreeSet::new();
    let mut facts = Vec::new();
    // A function over an open list of dimensions is there once for each number of them: the first speaks.
    let mut add = |fact: Option<Fact>| {
        if let Some(fact) = fact
            && seen.insert((fact.span, fact.kind.is_some()))
        {
            facts.push(fact);
        }
    };
    for item in &own {
        declarations(item).for_each(&mut add);
    }
    for item in &own {
        expressions(item).for_each(&mut add);
    }
    facts
}

/// The facts of one item: declarations first.
pub(super) fn of_item(item: &Item) -> Vec<Fact> {
    declarations(item)
        .chain(expressions(item))
        .flatten()
        .collect()
}

fn declarations(item: &Item) -> impl Iterator<Item = Option<Fact>> + '_ {
    let locals = item.body.locals.iter().enumerate().map(|(at, local)| {
        let kind = match at {
            _ if at < item.params => DefKind::Param,
            _ if at < item.params + item.results => DefKind::Result,
            _ => DefKind::Local,
        };
        let dims = local.shape.as_ref()?;
        fact(item, local.span, Some(kind), local.ty, dims)
    });
    let indices = item.body.indices.iter().map(|index| {
        let extent = std::slice::from_ref(&index.extent);
        fact(item, index.span, Some(DefKind::Index), Ty::Size, extent)
    });
    locals.chain(indices)
}

fn expressions(item: &Item) -> impl Iterator<Item = Option<Fact>> + '_ {
    let exprs = item.body.exprs.iter();
    let told = exprs.filter(|expr| !matches!(expr.kind, ExprKind::Error | ExprKind::Index(_)));
    told.map(|expr| fact(item, expr.span, None, expr.ty, &expr.shape))
}

fn fact(item: &Item, span: Span, kind: Option<DefKind>, ty: Ty, dims: &[Poly]) -> Option<Fact> {
    if span.is_none() || dims.iter().any(Poly::is_poison) {
        return None;
    }
    let dims: Vec<String> = dims
        .iter()
        .map(|size| size.display(&|atom| atom_name(item, atom)))
        .collect();
    // A size that is still open would be shown as a question mark: say nothing.
    if dims.iter().any(|dim| dim.contains('?')) {
        return None;
    }
    Some(Fact {
        span,
        kind,
        elem: type_name(item, ty)?,
        dims,
    })
}

fn type_name(item: &Item, ty: Ty) -> Option<String> {
    let param = |p: usize| item.types.get(p).map(|t| t.name.clone());
    match ty {
        Ty::Elem(elem) => Some(elem.name().to_owned()),
        Ty::I4 => Some("i4".to_owned()),
        Ty::Param(p) => param(p),
        Ty::Acc(p) => param(p).map(|name| format!("accumulator of {name}")),
        Ty::Size => Some("size".to_owned()),
        Ty::Error | Ty::Int | Ty::Float => None,
    }
}

fn atom_name(item: &Item, atom: &Atom) -> String {
    let name = |v: usize| item.sizes.get(v).map(|size| size.name.clone());
    match atom {
        Atom::Var(v) => name(*v as usize).unwrap_or_else(|| "?".to_owned()),
        Atom::Index(_) | Atom::Unknown(_) | Atom::Div(..) | Atom::Mod(..) => "?".to_owned(),
    }
}
