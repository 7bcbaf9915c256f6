//! What merges two records of a fold, as its monoid says, for passes that go block by block.
//!
//! A fold whose order is open is lowered as one block of all items. What it would take to make that block by block is
//! beside it: the monoid's `merge` and the fields of nothing, as a function of one row. There is none where a block
//! depends on how many items it has or on which of them is which, or where a field is not a tensor over the left side.

use super::fold::monoid_sizes;
use super::{Binding, Frame, Lower, Lowered, Slot, Target, View, build};
use crate::hir::{Body, ExprId, ExprKind, Fold, Item, ItemId, StmtKind};
use crate::poly::{Atom, Poly};
use diag::Span;
use ir::algo::{self, Func, Index, Merge, Role, Tensor};
use isa::types::Elem;
use std::collections::BTreeSet;
use std::sync::Arc;

impl<'a> Lower<'a> {
    /// Keeps what merges the records of a fold, whose fields for all items are given.
    pub(super) fn keep_merge(
        &mut self,
        f: &mut Frame<'a>,
        fold: &'a Fold,
        (fields, own): (&[View], &[Index]),
        span: Span,
    ) -> Lowered<()> {
        let items: &'a [Arc<Item>] = self.items;
        let part = |id: ItemId| items.get(id.0).map(|item| &**item);
        let (Some(block), Some(merge), Some(identity)) =
            (part(fold.call.item), part(fold.merge), part(fold.identity))
        else {
            return Ok(());
        };
        if knows_items(block) {
            return Ok(());
        }
        let mut tensors = Vec::new();
        for view in fields {
            match self.field_tensor(view, own) {
                Some(tensor) => tensors.push(tensor),
                None => return Ok(()),
            }
        }
        let sizes = monoid_sizes(self, f, fold, span)?;
        let types: Vec<Elem> = fold.call.types.iter().map(|ty| f.elem(*ty)).collect();
        let found = merge_of_one_row(items, (merge, identity), (&sizes, &types));
        self.func.merges.extend(found.map(|(func, start)| Merge {
            monoid: merge.name.split('.').next().unwrap_or_default().to_owned(),
            fields: tensors.into_iter().map(Some).collect(),
            start,
            func,
        }));
        Ok(())
    }

    /// The tensor that a field is, with an element for each of the left side's indices and then its own; copies of a
    /// tensor are that tensor.
    fn field_tensor(&self, view: &View, own: &[Index]) -> Option<Tensor> {
        let (fixed, open) = view.at.split_at(own.len().min(view.at.len()));
        let at_own = fixed.iter().zip(own).all(
            |(slot, index)| matches!(slot, Slot::Fixed(form) if form.as_index() == Some(*index)),
        );
        let whole = open.iter().all(|slot| matches!(slot, Slot::Open));
        if fixed.len() != own.len() || !at_own || !whole {
            return None;
        }
        let mut tensor = view.tensor;
        while let Some(source) = self.copied(tensor) {
            tensor = source;
        }
        Some(tensor)
    }

    /// The tensor that another one is a copy of.
    fn copied(&self, tensor: Tensor) -> Option<Tensor> {
        let def = self.func.defs.iter().rfind(|def| def.target == tensor)?;
        let (source, at) = self.func.access(def.value)?;
        let same = at.len() == def.indices.len()
            && (at.iter().zip(&def.indices)).all(|(at, index)| at.as_index() == Some(*index));
        let data = |tensor: Tensor| &self.func.tensors[tensor];
        (same && data(source).role == Role::Let && data(source).shape == data(tensor).shape)
            .then_some(source)
    }
}

/// A monoid's `merge` as a function of two records, and the fields of nothing; none if those are no constants.
fn merge_of_one_row(
    items: &[Arc<Item>],
    (merge, identity): (&Item, &Item),
    (sizes, types): (&[i64], &[Elem]),
) -> Option<(Func, Vec<f64>)> {
    let mut lower = Lower::new(items, merge);
    lower.func.name.clone_from(&merge.name);
    let start = lower.constants(identity, (sizes, types))?;
    lower.func.defs.clear();
    let mut frame = Frame::new(merge, sizes.to_vec(), types.to_vec(), String::new());
    for (number, local) in merge.param_locals().iter().enumerate() {
        let shape = local.shape.as_deref().unwrap_or(&[]);
        let shape = lower.extents(&frame, shape, local.span).ok()?;
        let (elem, name) = (frame.elem(local.ty), local.name.clone());
        let tensor = lower.tensor(name, elem, &shape, Role::Param, local.span);
        let tensor = tensor.ok()?;
        lower.func.params.push(tensor);
        let at = vec![Slot::Open; shape.len()];
        frame.locals[number] = Some(Binding::View(View { tensor, at }));
    }
    let views = lower.expand(frame, targets(merge)).ok()?;
    for view in &views {
        lower.law_result(view).ok()?;
    }
    let whole = lower.diagnostics.is_empty();
    whole.then(|| (build::compact(lower.func), start))
}

impl Lower<'_> {
    /// The results of a function without parameters, each of which is a number.
    fn constants(&mut self, item: &Item, (sizes, types): (&[i64], &[Elem])) -> Option<Vec<f64>> {
        let items = self.items;
        let item = items.iter().find(|known| known.name == item.name)?;
        let frame = Frame::new(item, sizes.to_vec(), types.to_vec(), String::new());
        let views = self.expand(frame, targets(item)).ok()?;
        let number = |view: &View| {
            let def = self
                .func
                .defs
                .iter()
                .find(|def| def.target == view.tensor)?;
            let kind = &self.func.exprs[def.value].kind;
            let algo::ExprKind::Float(x) = kind else {
                return None;
            };
            Some(*x)
        };
        views.iter().map(number).collect()
    }
}

fn targets(item: &Item) -> Vec<Target> {
    let target = |number: usize| Target {
        tensor: None,
        name: format!("record.{number}"),
    };
    (0..item.results).map(target).collect()
}

/// Whether the value of a block depends on the number of its items or on their places, beside what they are.
fn knows_items(block: &Item) -> bool {
    let Some(length) = block.sizes.len().checked_sub(1) else {
        return true;
    };
    let roots = block.body.stmts.iter().map(|stmt| match &stmt.kind {
        StmtKind::Indexed { value, .. }
        | StmtKind::Whole { value, .. }
        | StmtKind::Tuple { value, .. } => Some(*value),
        StmtKind::Parts { .. } | StmtKind::Fold(_) => None,
    });
    let Some(mut open) = roots.collect::<Option<Vec<ExprId>>>() else {
        return true;
    };
    let mut walk = Walk {
        body: &block.body,
        length,
        seen: BTreeSet::new(),
    };
    while let Some(e) = open.pop() {
        if walk.seen.insert(e) && walk.knows(e, &mut open) {
            return true;
        }
    }
    false
}

struct Walk<'a> {
    body: &'a Body,
    /// The place of the number of items among the sizes.
    length: usize,
    seen: BTreeSet<ExprId>,
}

impl Walk<'_> {
    fn of_items(&self, size: &Poly) -> bool {
        size.any_atom(|atom| matches!(atom, Atom::Var(v) if *v as usize == self.length))
    }

    /// Whether an expression by itself is such a value; adds what it is made of.
    fn knows(&self, e: ExprId, open: &mut Vec<ExprId>) -> bool {
        match &self.body[e].kind {
            ExprKind::Size(size) => return self.of_items(size),
            ExprKind::Index(index) => return self.of_items(&self.body[*index].extent),
            ExprKind::ScalarCall(call) | ExprKind::TensorCall(call) => {
                open.extend(&call.args);
                return call.sizes.iter().any(|size| self.of_items(size));
            }
            ExprKind::Scatter(_) | ExprKind::Error => return true,
            // An item is read at its own place.
            ExprKind::Access { base, at } => {
                let plain = |at: &ExprId| matches!(self.body[*at].kind, ExprKind::Index(_));
                open.push(*base);
                open.extend(at.iter().flatten().filter(|at| !plain(at)));
            }
            ExprKind::Reduce(reduce) => {
                open.push(reduce.body);
                open.extend(&reduce.masks);
            }
            ExprKind::Border { access, otherwise } => open.extend([access, otherwise]),
            ExprKind::Gather { table, index } => open.extend([table, index]),
            ExprKind::Binary(_, a, b) | ExprKind::Compare(_, a, b) => open.extend([a, b]),
            ExprKind::Select(c, a, b) => open.extend([c, a, b]),
            ExprKind::Unary(_, a) | ExprKind::Cast { value: a, .. } | ExprKind::Along(a) => {
                open.push(*a);
            }
            ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Bool(_) | ExprKind::Local(_) => {}
        }
        false
    }
}
