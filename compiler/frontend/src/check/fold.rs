//! `scan` and `fold`: prefixes of a reduction, and records that a monoid gathers along an index.
//!
//! A scan is a reduction whose items end at an index of the left side: `scan(t, sum) x[t]` is
//! `sum(u where u <= t, order: ascending) x[u]`. A fold is a call of its monoid's `block` (see `monoids`); its record is
//! one local a field, so that `st[h, i].o[d]` is the element `[h, i, d]` of the local `st.o`.

use super::Symbol;
use super::call::substitute_type;
use super::cx::{Cx, Meaning};
use super::monoids;
use super::unify::substitute;
use crate::errors::{resolve, types};
use crate::hir::{
    ExprId, ExprKind, Fold, Index, IndexId, Local, LocalId, Reduce, Stmt, StmtKind, Ty,
};
use crate::poly::Poly;
use diag::Span;
use ir::algo::{CmpOp, Order, ReduceOp};
use isa::types::Elem;
use syntax::ast;

/// A fold, or a scan with a monoid, as it was written.
#[derive(Copy, Clone)]
pub(super) struct Run<'a> {
    head: Head<'a>,
    monoid: &'a ast::MonoidUse,
    span: Span,
}

#[derive(Copy, Clone)]
enum Head<'a> {
    Fold(&'a ast::ReduceHead),
    Scan(&'a ast::IxBinder),
}

/// The fold that a value is.
pub(super) fn as_fold(file: &ast::File, value: ast::ExprId) -> Option<Run<'_>> {
    let value = file.exprs.unparen(value);
    let span = file.exprs.span(value);
    if let ast::ExprKind::Fold { head, monoid } = file.exprs.kind(value) {
        let head = Head::Fold(head);
        return Some(Run { head, monoid, span });
    }
    if let ast::ExprKind::Scan {
        index,
        body: ast::ScanBody::Monoid(monoid),
    } = file.exprs.kind(value)
    {
        let head = Head::Scan(index);
        return Some(Run { head, monoid, span });
    }
    None
}

/// What the parentheses of a fold say.
struct Items {
    index: IndexId,
    masks: Vec<ExprId>,
    blocks: Option<Poly>,
}

/// What a monoid consists of.
struct Functions {
    block: crate::hir::ItemId,
    merge: crate::hir::ItemId,
    identity: crate::hir::ItemId,
}

/// Checks `let st[h, i] = fold(j) monoid(…);`.
pub(super) fn check<'a>(cx: &mut Cx<'_, 'a>, target: LocalId, stmt: &'a ast::Stmt, run: Run<'a>) {
    let ast::StmtKind::Let {
        name, indices, ty, ..
    } = &stmt.kind
    else {
        return;
    };
    if let Some(ty) = ty {
        cx.report(types::wrong_operand(
            "a record",
            "no type",
            &ty.name.text,
            ty.span,
        ));
    }
    let binders = indices.as_deref().unwrap_or(&[]);
    let indices: Vec<IndexId> = binders.iter().map(|ix| cx.binder(ix)).collect();
    let checked = cx.run(run, (name, &indices));
    cx.scope.clear();
    match checked {
        Some(fold) => {
            cx.records.insert(name.text.clone(), indices.len());
            let kind = StmtKind::Fold(Box::new(fold));
            let span = stmt.span;
            cx.body().stmts.push(Stmt { kind, span });
        }
        None => indices.iter().for_each(|index| cx.give_up_on(*index)),
    }
    cx.body()[target].shape = None;
}

impl<'a> Cx<'_, 'a> {
    /// `scan(t, sum) body`.
    pub(super) fn scan(
        &mut self,
        index: &'a ast::IxBinder,
        op: ReduceOp,
        body: ast::ExprId,
        span: Span,
    ) -> ExprId {
        let outside = self.scope.len();
        let depth = std::mem::take(&mut self.index_depth);
        let Some((inner, mask)) = self.prefix(index) else {
            return self.error(span);
        };
        let body = self.expr(body, false);
        self.scope.truncate(outside);
        self.index_depth = depth;
        let ty = self.reduced_type(op, body);
        if ty == Ty::Error {
            return self.error(span);
        }
        let kind = ExprKind::Reduce(Box::new(Reduce {
            op,
            axes: vec![inner],
            masks: vec![mask],
            body,
            order: Some(Order::Ascending),
        }));
        self.scalar(kind, ty, span)
    }

    /// An index of the same name and size as one in scope, and the condition that it is not behind it.
    fn prefix(&mut self, index: &'a ast::IxBinder) -> Option<(IndexId, ExprId)> {
        let name = &index.name;
        let Some(outer) = self.index_named(&name.text) else {
            self.report(resolve::unbound_scan(&name.text, name.span));
            return None;
        };
        self.used[outer.0] = true;
        if let Some(written) = index.extent {
            let at = self.ast.exprs.span(written);
            let size = self.size(written);
            self.unify_index(outer, &size, at);
        }
        let inner = IndexId(self.item.body.indices.len());
        let extent = self.item.body[outer].extent.clone();
        self.body().indices.push(Index {
            name: name.text.clone(),
            span: name.span,
            extent,
        });
        let origin = self.origins[outer.0].clone();
        self.origins.push(origin);
        self.used.push(true);
        let ends = [inner, outer].map(|i| self.scalar(ExprKind::Index(i), Ty::Size, name.span));
        let mask = ExprKind::Compare(CmpOp::Le, ends[0], ends[1]);
        let mask = self.scalar(mask, Ty::Elem(Elem::Bool), name.span);
        self.scope.push((name.text.clone(), inner));
        Some((inner, mask))
    }

    fn run(&mut self, run: Run<'a>, left: (&'a ast::Name, &[IndexId])) -> Option<Fold> {
        let monoid = run.monoid;
        let block = self.monoid(&monoid.name);
        let items = self.items(run)?;
        let mut values = Vec::new();
        for arg in &monoid.args {
            if let Some(name) = &arg.name {
                self.report(resolve::unknown_word(
                    "argument",
                    &name.text,
                    name.span,
                    &[],
                ));
            }
            values.push(self.along(items.index, arg.value));
        }
        if !self.used[items.index.0] {
            let name = self.item.body[items.index].name.clone();
            self.report(resolve::unused_reduction_index(&name, run.span));
            self.give_up_on(items.index);
        }
        let Functions {
            block,
            merge,
            identity,
        } = block?;
        let call = self.block_call(block, monoid, values)?;
        let (name, indices) = left;
        let targets = self.fields(block, &call, name, indices);
        Some(Fold {
            name: name.text.clone(),
            targets,
            indices: indices.to_vec(),
            index: items.index,
            masks: items.masks,
            blocks: items.blocks,
            call,
            merge,
            identity,
        })
    }

    /// The functions of a monoid.
    fn monoid(&mut self, name: &ast::Name) -> Option<Functions> {
        let world = self.world;
        let part = |part: &str| world.monoid_function(self.file, &name.text, part);
        let parts = (
            part(monoids::BLOCK),
            part(monoids::MERGE),
            part(monoids::IDENTITY),
        );
        if let (Some(block), Some(merge), Some(identity)) = parts {
            return Some(Functions {
                block,
                merge,
                identity,
            });
        }
        match world.lookup(self.file, &name.text) {
            // Its declaration was reported.
            Some(Symbol::Monoid(_) | Symbol::Error) => {}
            Some(Symbol::Item(_) | Symbol::Open(_) | Symbol::Const(..)) => {
                let what = "a monoid";
                let d = types::wrong_operand("`fold`", what, &name.text, name.span);
                self.report(d.help("a reduction is written `sum(j) …`"));
            }
            None => {
                let known = world.names(self.file);
                let near = diag::similar(&name.text, known);
                self.report(resolve::unknown_item("monoid", &name.text, name.span, near));
            }
        }
        None
    }

    /// The index, the masks and the order of a fold.
    fn items(&mut self, run: Run<'a>) -> Option<Items> {
        let head = match run.head {
            Head::Scan(index) => {
                let (index, mask) = self.prefix(index)?;
                return Some(Items {
                    index,
                    masks: vec![mask],
                    blocks: None,
                });
            }
            Head::Fold(head) => head,
        };
        let [binder] = head.indices.as_slice() else {
            if !head.indices.is_empty() {
                let count = head.indices.len();
                self.report(resolve::fold_index_count(head.span, count));
            }
            return None;
        };
        let index = self.binder(binder);
        if binder.extent.is_some() {
            self.used[index.0] = true;
        }
        let blocks = head.order.and_then(|order| self.blocks(order));
        let masks = head.masks.iter();
        let masks = masks.map(|mask| self.condition(*mask, false)).collect();
        Some(Items {
            index,
            masks,
            blocks,
        })
    }

    /// `order: blocks(128)`; `free` is what a fold has anyhow.
    fn blocks(&mut self, order: ast::ExprId) -> Option<Poly> {
        let file: &'a ast::File = self.ast;
        let order = file.exprs.unparen(order);
        let span = file.exprs.span(order);
        let kind = file.exprs.kind(order);
        if matches!(kind, ast::ExprKind::Error) || kind.as_name() == Some("free") {
            return None;
        }
        if let ast::ExprKind::Call { callee, args } = kind
            && let [length] = args.as_slice()
            && callee.text == "blocks"
        {
            return Some(self.size(length.value));
        }
        let problem = "the order of a fold is `blocks(n)` or `free`";
        self.report(types::reduction_order(span, problem));
        None
    }

    /// An argument of a block: a value for each item, with the items in front.
    fn along(&mut self, index: IndexId, value: ast::ExprId) -> ExprId {
        let body = self.expr(value, true);
        let ty = self.settle(body);
        let span = self.span(body);
        let mut shape = vec![self.item.body[index].extent.clone()];
        shape.extend(self.item.body[body].shape.iter().cloned());
        if ty == Ty::Error {
            return self.error(span);
        }
        self.push(ExprKind::Along(body), ty, shape, span)
    }

    /// A local for each field of the record.
    fn fields(
        &mut self,
        block: crate::hir::ItemId,
        call: &crate::hir::Call,
        name: &ast::Name,
        indices: &[IndexId],
    ) -> Vec<LocalId> {
        let item = self.signature(block);
        let left: Vec<Poly> = (indices.iter())
            .map(|index| self.item.body[*index].extent.clone())
            .collect();
        let mut targets = Vec::new();
        for result in item.result_locals() {
            let dims = result.shape.iter().flatten();
            let dims = dims.map(|d| substitute(d, &call.sizes));
            let field = result.name.rsplit('.').next().unwrap_or(&result.name);
            let local = Local {
                name: format!("{}.{field}", name.text),
                span: name.span,
                ty: substitute_type(result.ty, &call.types),
                shape: Some(left.iter().cloned().chain(dims).collect()),
            };
            let id = LocalId(self.item.body.locals.len());
            let meaning = (Meaning::Local(id), name.span);
            self.names.insert(local.name.clone(), meaning);
            self.body().locals.push(local);
            targets.push(id);
        }
        targets
    }
}
