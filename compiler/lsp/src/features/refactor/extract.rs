//! An expression becomes a definition of its own, over the indices that it uses. Every element has the value it had: what is
//! computed is the same expression, at the same indices.

use std::ops::Range;

use diag::Span;
use frontend::ide::{Def, DefId, DefKind};
use syntax::ast::{ExprId, ExprKind, File, IndexArg, Item, Stmt, StmtKind};

use super::{Edits, exprs, statement};
use crate::document::{Analysis, Document, MAIN};
use crate::features::hover;

/// The definition before the statement, and its name where the expression was.
pub(super) fn edits(
    analysis: &Analysis,
    document: &Document,
    bytes: &Range<usize>,
) -> Option<(String, Edits)> {
    let selected = trimmed(&document.text, bytes)?;
    let file = &analysis.program.main;
    let (item, stmt) = statement(file, selected.start)?;
    let whole = exprs(file, item).find(|(_, expr)| expr.span.range() == selected);
    let (id, _) = whole?;
    if !is_part(file, stmt, id) || !is_value(analysis, &selected) {
        return None;
    }
    let indices = free_indices(analysis, &selected);
    let name = new_name(analysis, item);
    let binders: Vec<String> = (indices.iter())
        .map(|(id, def)| binder(analysis, item, &selected, *id, def))
        .collect::<Option<_>>()?;
    let names: Vec<&str> = indices.iter().map(|(_, def)| def.name.as_str()).collect();
    let listed = |list: &str| match list {
        "" => name.clone(),
        list => format!("{name}[{list}]"),
    };
    let start = stmt.span.start as usize;
    let line = document.text[..start].rfind('\n').map_or(0, |at| at + 1);
    let indent = document.text.get(line..start)?;
    let indent: String = indent.chars().take_while(|c| c.is_whitespace()).collect();
    let definition = format!(
        "let {} = {};\n{indent}",
        listed(&binders.join(", ")),
        &document.text[selected.clone()]
    );
    let edits = vec![
        (start..start, definition),
        (selected, listed(&names.join(", "))),
    ];
    Some(("make a definition of this".to_owned(), edits))
}

/// The range without the spaces around it; nothing if nothing is selected.
fn trimmed(text: &str, bytes: &Range<usize>) -> Option<Range<usize>> {
    let part = text.get(bytes.clone())?;
    let start = bytes.start + (part.len() - part.trim_start().len());
    let length = part.trim().len();
    (length > 0).then_some(start..start + length)
}

/// Whether an expression is part of the value of a statement, and not all of it.
fn is_part(file: &File, stmt: &Stmt, id: ExprId) -> bool {
    let value = match &stmt.kind {
        StmtKind::Let { value, .. }
        | StmtKind::LetTuple { value, .. }
        | StmtKind::Assign { value, .. } => *value,
        StmtKind::Error | StmtKind::Assert(_) => return false,
    };
    let (inner, outer) = (file.exprs.span(id), file.exprs.span(value));
    inner != outer && outer.start <= inner.start && inner.end <= outer.end
}

/// Whether it is one value of an element type, and no name that would only get another.
fn is_value(analysis: &Analysis, selected: &Range<usize>) -> bool {
    let span = Span::new(MAIN, selected.clone());
    let facts = analysis.found.expression_at(span);
    facts.is_some_and(|fact| {
        fact.dims.is_empty() && fact.elem != "size" && !fact.elem.starts_with("accumulator")
    })
}

/// The indices that are used in it and bound outside of it, in the order of their declarations.
fn free_indices<'a>(analysis: &'a Analysis, selected: &Range<usize>) -> Vec<(DefId, &'a Def)> {
    let names = analysis.names();
    let inside = |span: Span| {
        let span = span.range();
        selected.start <= span.start && span.end <= selected.end
    };
    let used = names.uses.iter().filter(|found| inside(found.span));
    let mut ids: Vec<DefId> = used.map(|found| found.def).collect();
    ids.sort_by_key(|id| (names.def(*id).span, *id));
    ids.dedup();
    let all = ids.into_iter().map(|id| (id, names.def(id)));
    all.filter(|(_, def)| def.kind == DefKind::Index && !inside(def.span))
        .collect()
}

/// `r`, or `r: M` where nothing in the expression gives the size.
fn binder(
    analysis: &Analysis,
    item: &Item,
    selected: &Range<usize>,
    id: DefId,
    def: &Def,
) -> Option<String> {
    let file = &analysis.program.main;
    let alone = |arg: &IndexArg| match arg {
        IndexArg::Expr(e) => {
            let expr = &file.exprs[*e];
            let is_name = matches!(expr.kind, ExprKind::Name(_));
            let found = analysis.names().at(expr.span.start);
            is_name && found.is_some_and(|found| found.def == id)
        }
        IndexArg::All(_) | IndexArg::Open(_) => false,
    };
    let gives = exprs(file, item).any(|(_, expr)| {
        let span = expr.span.range();
        let inside = selected.start <= span.start && span.end <= selected.end;
        if let ExprKind::Index { args, .. } = &expr.kind {
            return inside && args.iter().any(alone);
        }
        false
    });
    if gives {
        return Some(def.name.clone());
    }
    let extent = hover::known(analysis, def.span)?.dims.concat();
    Some(format!("{}: {extent}", def.name))
}

/// A name that nothing in the item has.
fn new_name(analysis: &Analysis, item: &Item) -> String {
    let taken = |name: &str| {
        let visible = analysis.names().visible(item.span.end.saturating_sub(1));
        let inner = analysis.names().defs.iter();
        let inner =
            inner.filter(|def| item.span.start <= def.span.start && def.span.end <= item.span.end);
        visible
            .iter()
            .any(|id| analysis.names().def(*id).name == name)
            || inner.into_iter().any(|def| def.name == name)
    };
    let mut numbered = (2..).map(|number| format!("part{number}"));
    let first = "part".to_owned();
    match taken(&first) {
        false => first,
        true => numbered.find(|name| !taken(name)).unwrap_or(first),
    }
}
