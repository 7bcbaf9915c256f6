//! Sizes that a signature uses and nothing declares: where to declare them. Knows names only.

use diag::{Applicability, Diagnostic, Fix, NoteKind, Span, codes};
use syntax::ast::{self, Dim, Exprs};

use super::cx::Cx;

/// Gives the first finding of a size that is not declared a fix that declares all of them.
pub(crate) fn propose(cx: &mut Cx<'_, '_>, callable: &ast::Callable) {
    let unknown = |found: &Diagnostic| {
        let advised = found.notes.iter().any(|note| note.kind == NoteKind::Help);
        found.code == codes::E0201 && found.fix.is_none() && advised
    };
    let places: Vec<Span> = (cx.diagnostics.iter())
        .filter(|found| unknown(found))
        .map(Diagnostic::span)
        .collect();
    let Some(first) = cx.diagnostics.iter().position(unknown) else {
        return;
    };
    let names = named(&cx.ast.exprs, callable, &places);
    if names.len() == places.len() {
        cx.diagnostics[first].fix = Some(Box::new(fix(callable, &names.join(", "))));
    }
}

/// The names in the dimensions of the signature at these places.
fn named<'a>(exprs: &'a Exprs, callable: &ast::Callable, places: &[Span]) -> Vec<&'a str> {
    let results: &[ast::Param] = match &callable.returns {
        ast::Returns::Named(results) => results,
        ast::Returns::Scalar(_) => &[],
    };
    let dims = callable
        .params
        .iter()
        .chain(results)
        .flat_map(|p| &p.ty.dims);
    let mut open: Vec<ast::ExprId> = dims
        .filter_map(|dim| match dim {
            Dim::Size(size) => Some(*size),
            Dim::Open(_) => None,
        })
        .collect();
    open.reverse();
    let mut names = Vec::new();
    while let Some(e) = open.pop() {
        let name = exprs.kind(e).as_name();
        names.extend(name.filter(|_| places.contains(&exprs.span(e))));
        exprs.kind(e).operands(|operand| open.push(operand));
    }
    names
}

fn fix(callable: &ast::Callable, names: &str) -> Fix {
    let (behind, text) = match callable.generics.last() {
        Some(last) => {
            let end = match &last.kind {
                ast::GenericKind::Bound(class) => class.span,
                ast::GenericKind::Size | ast::GenericKind::Const | ast::GenericKind::Open => {
                    last.name.span
                }
            };
            (end, format!(", {names}"))
        }
        None => (callable.name.span, format!("<{names}>")),
    };
    Fix {
        message: format!("declare what the signature uses: `{text}`"),
        edits: vec![(behind.shrink_to_end(), text)],
        applicability: Applicability::MachineApplicable,
    }
}
