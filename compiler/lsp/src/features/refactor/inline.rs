//! A definition goes, and its value stands where its name was, with the indices of each place. Every element has the value it
//! had: definitions have no effects, and one without a written type has the type of its value.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use diag::Span;
use frontend::ide::{DefId, DefKind, Names, Use};
use syntax::ast::{Expr, ExprKind, File, IndexArg, Item, IxBinder, Stmt, StmtKind};

use super::{Edits, exprs, statement, whole_lines};
use crate::document::{Analysis, Document, MAIN};

/// The definition whose name is at a byte, gone, and its value at each of its places.
pub(super) fn edits(
    analysis: &Analysis,
    document: &Document,
    at: usize,
) -> Option<(String, Edits)> {
    let names = analysis.names();
    let found = names.at(u32::try_from(at).ok()?)?;
    let def = names.def(found.def);
    if def.kind != DefKind::Local || def.span.file != MAIN {
        return None;
    }
    let file = &analysis.program.main;
    let (item, stmt) = statement(file, def.span.start as usize)?;
    let definition = Definition::of(file, stmt, def.span)?;
    let places: Vec<Use> = names.places(found.def).filter(|p| !p.defines).collect();
    // A schedule may name it, and where it is a part of a record it has another meaning.
    let inside =
        |place: &Use| item.span.start <= place.span.start && place.span.end <= item.span.end;
    if places.is_empty() || !places.iter().all(inside) {
        return None;
    }
    let mut edits = vec![(
        whole_lines(&document.text, stmt.span.range()),
        String::new(),
    )];
    for place in &places {
        edits.push(definition.at(analysis, &document.text, item, place)?);
    }
    Some((
        format!("put the value of `{}` where it is used", def.name),
        edits,
    ))
}

/// A definition that can be put where it is used.
struct Definition<'a> {
    file: &'a File,
    value: &'a Expr,
    binders: Option<&'a [IxBinder]>,
}

impl<'a> Definition<'a> {
    fn of(file: &'a File, stmt: &'a Stmt, name: Span) -> Option<Definition<'a>> {
        match &stmt.kind {
            StmtKind::Let {
                name: own,
                indices,
                ty: None,
                value,
            } if own.span == name => {
                let value = &file.exprs[*value];
                // What a monoid gives is a record, and has no other form than a definition.
                let record = matches!(value.kind, ExprKind::Fold { .. } | ExprKind::Scan { .. });
                let open = indices.iter().flatten().any(|binder| binder.open);
                (!record && !open).then_some(Definition {
                    file,
                    value,
                    binders: indices.as_deref(),
                })
            }
            StmtKind::Let { .. }
            | StmtKind::Error
            | StmtKind::LetTuple { .. }
            | StmtKind::Assign { .. }
            | StmtKind::Assert(_) => None,
        }
    }

    /// What stands at a place of the name afterwards.
    fn at(
        &self,
        analysis: &Analysis,
        text: &str,
        item: &Item,
        place: &Use,
    ) -> Option<(Range<usize>, String)> {
        let Some(binders) = self.binders else {
            return Some((
                place.span.range(),
                self.wrapped(&text[self.value.span.range()]),
            ));
        };
        let access = exprs(self.file, item).find_map(|(_, expr)| {
            if let ExprKind::Index { base, args } = &expr.kind {
                let here = self.file.exprs.span(*base) == place.span;
                return here.then_some((expr.span, args));
            }
            None
        });
        let (span, args) = access?;
        let args: Option<Vec<&Expr>> = args.iter().map(|arg| self.argument(arg)).collect();
        let args = args?;
        if args.len() != binders.len() {
            return None;
        }
        let names = analysis.names();
        let index = |binder: &IxBinder| names.at(binder.name.span.start).map(|found| found.def);
        let indices: Option<Vec<DefId>> = binders.iter().map(index).collect();
        let inner = renamed(names, item, self.value.span, place);
        let value = self.substituted(names, text, &indices?, &args, &inner);
        Some((span.range(), self.wrapped(&value)))
    }

    fn argument(&self, arg: &IndexArg) -> Option<&'a Expr> {
        match arg {
            IndexArg::Expr(e) => Some(&self.file.exprs[*e]),
            IndexArg::All(_) | IndexArg::Open(_) => None,
        }
    }

    /// The value with other indices, its own called otherwise where they would mean others.
    fn substituted(
        &self,
        names: &Names,
        text: &str,
        indices: &[DefId],
        args: &[&Expr],
        inner: &BTreeMap<DefId, String>,
    ) -> String {
        let span = self.value.span.range();
        let mut value = String::new();
        let mut from = span.start;
        for found in names
            .uses
            .iter()
            .filter(|found| within(found.span, self.value.span))
        {
            let at = indices.iter().position(|index| *index == found.def);
            let new = match (at, inner.get(&found.def)) {
                (Some(at), _) => argument(args[at], text),
                (None, Some(name)) => name.clone(),
                (None, None) => continue,
            };
            value += &text[from..found.span.start as usize];
            value += &new;
            from = found.span.end as usize;
        }
        value + &text[from..span.end]
    }

    /// In parentheses, unless nothing around it could take a part of it.
    fn wrapped(&self, value: &str) -> String {
        match self.value.kind {
            ExprKind::Name(_)
            | ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Bool(_)
            | ExprKind::Paren(_)
            | ExprKind::Call { .. }
            | ExprKind::Index { .. }
            | ExprKind::Field { .. }
            | ExprKind::Border { .. } => value.to_owned(),
            ExprKind::Error
            | ExprKind::NumLetters(_)
            | ExprKind::Hole
            | ExprKind::Reduce { .. }
            | ExprKind::Fold { .. }
            | ExprKind::Scan { .. }
            | ExprKind::Unary { .. }
            | ExprKind::Binary { .. }
            | ExprKind::Cast { .. }
            | ExprKind::If { .. } => format!("({value})"),
        }
    }
}

fn within(inner: Span, outer: Span) -> bool {
    inner.file == outer.file && outer.start <= inner.start && inner.end <= outer.end
}

/// An index of a place, in parentheses if it is more than a name.
fn argument(arg: &Expr, text: &str) -> String {
    let alone = matches!(
        arg.kind,
        ExprKind::Name(_) | ExprKind::Int(_) | ExprKind::Paren(_)
    );
    let text = &text[arg.span.range()];
    if alone {
        text.to_owned()
    } else {
        format!("({text})")
    }
}

/// New names for the indices that a value binds, where the place knows others of their names: no index hides another.
fn renamed(names: &Names, item: &Item, value: Span, place: &Use) -> BTreeMap<DefId, String> {
    let known = names.visible(place.span.start).into_iter();
    let known: BTreeSet<&str> = known.map(|id| names.def(id).name.as_str()).collect();
    let inside = names.defs.iter().filter(|def| within(def.span, item.span));
    let mut taken: BTreeSet<String> = inside.map(|def| def.name.clone()).collect();
    let mut renamed = BTreeMap::new();
    for (at, def) in names.defs.iter().enumerate() {
        let bound = def.kind == DefKind::Index && within(def.span, value);
        if !bound || !known.contains(def.name.as_str()) {
            continue;
        }
        let mut numbered = (2..).map(|number| format!("{}{number}", def.name));
        if let Some(name) = numbered.find(|name| !taken.contains(name)) {
            taken.insert(name.clone());
            renamed.insert(DefId(at), name);
        }
    }
    renamed
}
