//! Expansion of calls.

use super::{Binding, Frame, Lower, Lowered, Slot, Stop, Target, View};
use crate::affine;
use crate::errors::{resolve, sizes};
use crate::hir::{self, Call, ExprId, Item, ItemKind, LocalId, StmtKind, Ty};
use diag::Span;
use ir::algo::{Affine, Def, Expr, ExprKind, Index, Role};
use isa::types::Elem;
use std::collections::BTreeSet;
use std::sync::Arc;

impl<'a> Lower<'a> {
    /// The callee's frame with its generic arguments, and its conditions checked.
    fn callee(
        &mut self,
        f: &Frame<'a>,
        call: &Call,
        prefix: String,
        span: Span,
    ) -> Lowered<Frame<'a>> {
        let items: &'a [Arc<Item>] = self.items;
        let Some(item) = items.get(call.item.0) else {
            return Err(Stop);
        };
        let sizes = call
            .sizes
            .iter()
            .map(|size| self.extent(f, size, span))
            .collect::<Lowered<Vec<i64>>>()?;
        let types: Vec<Elem> = call.types.iter().map(|ty| f.elem(*ty)).collect();
        if item.incomplete || item.broken {
            return Err(Stop);
        }
        let mut frame = Frame::new(item, sizes, types, prefix);
        frame.mask = self.passed_mask(f, call)?;
        self.check_conditions(&mut frame, Some(span))?;
        Ok(frame)
    }

    /// A scalar function becomes an expression; its arguments are lowered once and shared.
    pub(super) fn scalar_call(
        &mut self,
        f: &mut Frame<'a>,
        call: &'a Call,
        at: &[Affine],
        span: Span,
    ) -> Lowered<Expr> {
        let mut frame = self.callee(f, call, f.prefix.clone(), span)?;
        for (number, arg) in call.args.iter().enumerate() {
            let rank = frame
                .item
                .body
                .locals
                .get(number)
                .and_then(|l| l.shape.as_ref())
                .map_or(0, Vec::len);
            frame.locals[number] = Some(if rank == 0 {
                Binding::Value(self.operand(f, *arg, at)?)
            } else {
                let name = frame.item.body.locals[number].name.clone();
                Binding::View(self.view(f, *arg, &name)?)
            });
        }
        let item = frame.item;
        for stmt in &item.body.stmts {
            let StmtKind::Whole { target, value } = &stmt.kind else {
                return self.stop(resolve::not_compiled_yet(
                    "a tensor inside a scalar function",
                    stmt.span,
                ));
            };
            let value = self.expr(&mut frame, *value, &[])?;
            frame.locals[target.0] = Some(Binding::Value(value));
        }
        match item.body.tail {
            Some(tail) => self.expr(&mut frame, tail, &[]),
            None => Err(Stop),
        }
    }

    /// A tensor function called in the middle of an expression.
    pub(super) fn nested_call(
        &mut self,
        f: &mut Frame<'a>,
        call: &'a Call,
        span: Span,
    ) -> Lowered<View> {
        let name = self
            .items
            .get(call.item.0)
            .map_or("call", |item| item.name.as_str());
        let name = self.fresh_name(&format!("{}{name}", f.prefix));
        let target = Target {
            tensor: None,
            name: name.clone(),
        };
        let views = self.inline(f, call, vec![target], format!("{name}."), span)?;
        views.into_iter().next().ok_or(Stop)
    }

    /// The name, or the name with the first number behind it, that no tensor has.
    pub(super) fn fresh_name(&mut self, name: &str) -> String {
        if !self.names.contains(name) {
            return name.to_owned();
        }
        let mut number = self.numbered.get(name).copied().unwrap_or(2);
        while self.names.contains(&format!("{name}_{number}")) {
            number += 1;
        }
        self.numbered.insert(name.to_owned(), number);
        format!("{name}_{number}")
    }

    /// A tensor function becomes definitions; gives its results in terms of the current definition.
    pub(super) fn inline(
        &mut self,
        f: &mut Frame<'a>,
        call: &'a Call,
        targets: Vec<Target>,
        prefix: String,
        span: Span,
    ) -> Lowered<Vec<View>> {
        self.enter(span)?;
        let mut frame = self.callee(f, call, prefix.clone(), span)?;
        if frame.item.kind == ItemKind::ScalarFn {
            return Err(Stop);
        }
        for (number, arg) in call.args.iter().enumerate() {
            let name = format!("{prefix}{}", frame.item.body.locals[number].name);
            frame.locals[number] = Some(self.argument(f, *arg, &name)?);
        }
        let views = self.expand(frame, targets);
        self.nesting -= 1;
        views
    }

    /// The definitions of a tensor function whose parameters are bound; gives its results.
    pub(super) fn expand(
        &mut self,
        mut frame: Frame<'a>,
        targets: Vec<Target>,
    ) -> Lowered<Vec<View>> {
        let mut context: BTreeSet<Index> = BTreeSet::new();
        for local in frame.locals.iter().flatten() {
            if let Binding::View(view) = local {
                fixed_indices(view, &mut context);
            }
        }
        if let Some(mask) = &frame.mask {
            self.mask_indices(mask, &mut context);
        }
        frame.context = context.into_iter().collect();
        let params = frame.item.params;
        for (number, target) in targets.into_iter().enumerate() {
            frame.targets.insert(LocalId(params + number), target);
        }
        let item = frame.item;
        for stmt in &item.body.stmts {
            self.statement(&mut frame, stmt)?;
        }
        let results = params..params + item.results;
        results
            .map(|number| self.result_view(&mut frame, LocalId(number)))
            .collect()
    }

    /// A result as a view; one that became a constant is stored after all.
    fn result_view(&mut self, frame: &mut Frame<'a>, local: LocalId) -> Lowered<View> {
        match frame.locals[local.0].clone() {
            Some(Binding::View(view)) => Ok(view),
            Some(Binding::Constant(kind, elem)) => {
                let span = frame.item.body[local].span;
                let value = self.node(kind, elem, span)?;
                let name = self.target_of(frame, local).name;
                self.store(value, &[], &[], name, span)
            }
            Some(Binding::Value(_)) | None => Err(Stop),
        }
    }

    /// An argument of a tensor function: a view, or a constant.
    fn argument(&mut self, f: &mut Frame<'a>, arg: ExprId, name: &str) -> Lowered<Binding> {
        if let hir::ExprKind::Local(local) = &f.item.body[arg].kind
            && let Some(binding @ Binding::Constant(..)) = &f.locals[local.0]
        {
            return Ok(binding.clone());
        }
        if !f.item.body[arg].shape.is_empty() || is_tensor(&f.item.body[arg].kind) {
            return Ok(Binding::View(self.view(f, arg, name)?));
        }
        let value = self.expr(f, arg, &[])?;
        let data = &self.func.exprs[value];
        if matches!(data.kind, ExprKind::Int(_) | ExprKind::Float(_)) {
            return Ok(Binding::Constant(data.kind.clone(), data.elem));
        }
        let view = self.store_argument(f, arg, name)?;
        Ok(Binding::View(view))
    }

    /// An argument as a view of a tensor; whatever is not a tensor or a slice of one is stored first.
    pub(super) fn view(&mut self, f: &mut Frame<'a>, arg: ExprId, name: &str) -> Lowered<View> {
        let node = &f.item.body[arg];
        match &node.kind {
            hir::ExprKind::Local(local) => match f.locals[local.0].clone() {
                Some(Binding::View(view)) => Ok(renamed(&view, f)),
                Some(Binding::Value(_) | Binding::Constant(..)) | None => {
                    self.store_argument(f, arg, name)
                }
            },
            hir::ExprKind::TensorCall(call) => self.nested_call(f, call, node.span),
            hir::ExprKind::Access { base, at } if is_tensor(&f.item.body[*base].kind) => {
                let view = self.view(f, *base, name)?;
                self.slice(f, view, (*base, at), node.span)
            }
            hir::ExprKind::Error
            | hir::ExprKind::Int(_)
            | hir::ExprKind::Float(_)
            | hir::ExprKind::Bool(_)
            | hir::ExprKind::Size(_)
            | hir::ExprKind::Index(_)
            | hir::ExprKind::Access { .. }
            | hir::ExprKind::Border { .. }
            | hir::ExprKind::Unary(..)
            | hir::ExprKind::Binary(..)
            | hir::ExprKind::Compare(..)
            | hir::ExprKind::Select(..)
            | hir::ExprKind::Cast { .. }
            | hir::ExprKind::Reduce(_)
            | hir::ExprKind::ScalarCall(_)
            | hir::ExprKind::Along(_)
            | hir::ExprKind::Gather { .. }
            | hir::ExprKind::Scatter(_) => self.store_argument(f, arg, name),
        }
    }

    /// Fixes the coordinates of a view that a slice gives.
    fn slice(
        &mut self,
        f: &mut Frame<'a>,
        view: View,
        access: (ExprId, &[Option<ExprId>]),
        span: Span,
    ) -> Lowered<View> {
        // Open coordinates stand for themselves: give each a marker that is taken out again.
        let markers: Vec<Index> = access.1.iter().map(|_| self.index(":", 1, span)).collect();
        let open: Vec<Affine> = access
            .1
            .iter()
            .zip(&markers)
            .filter(|(own, _)| own.is_none())
            .map(|(_, marker)| Affine::index(*marker))
            .collect();
        let mut at = self.coordinates(f, access, &open, span, false)?.into_iter();
        let slots = view.at.into_iter().map(|slot| match slot {
            Slot::Fixed(form) => Some(Slot::Fixed(form)),
            Slot::Open => match at.next() {
                Some(form) if form.as_index().is_some_and(|i| markers.contains(&i)) => {
                    Some(Slot::Open)
                }
                Some(form) => Some(Slot::Fixed(form)),
                None => Some(Slot::Open),
            },
            Slot::Shifted(by) => match at.next() {
                Some(form) if form.as_index().is_some_and(|i| markers.contains(&i)) => {
                    Some(Slot::Shifted(by))
                }
                Some(form) => affine::add_scaled(&form, &by, 1).map(Slot::Fixed),
                None => Some(Slot::Shifted(by)),
            },
        });
        match slots.collect::<Option<Vec<Slot>>>() {
            Some(at) => Ok(View {
                tensor: view.tensor,
                at,
            }),
            None => self.stop(sizes::size_overflow(span, "this index expression")),
        }
    }

    /// Stores an argument in a tensor of its own, with the indices that it depends on as leading dimensions.
    fn store_argument(&mut self, f: &mut Frame<'a>, arg: ExprId, name: &str) -> Lowered<View> {
        let node = &f.item.body[arg];
        if node.ty == Ty::Size {
            return self.stop(resolve::not_compiled_yet(
                "an index as an argument of a tensor function",
                node.span,
            ));
        }
        let extents = self.extents(f, &node.shape, node.span)?;
        let own: Vec<Index> = extents
            .iter()
            .enumerate()
            .map(|(n, extent)| self.index(&format!("i{n}"), *extent, node.span))
            .collect();
        let at: Vec<Affine> = own.iter().map(|index| Affine::index(*index)).collect();
        let left = std::mem::replace(&mut self.left, own.clone());
        let value = self.expr(f, arg, &at)?;
        self.left = left;
        let mut free = self.free_indices(value);
        own.iter().for_each(|index| {
            free.remove(index);
        });
        let free: Vec<Index> = free.into_iter().collect();
        self.store(value, &free, &own, name.to_owned(), node.span)
    }

    /// Defines a tensor over the indices that a value depends on, and its own.
    pub(super) fn store(
        &mut self,
        value: Expr,
        free: &[Index],
        own: &[Index],
        name: String,
        span: Span,
    ) -> Lowered<View> {
        let copies: Vec<Index> = free.iter().map(|index| self.copy_index(*index)).collect();
        let map: Vec<(Index, Index)> = free.iter().copied().zip(copies.iter().copied()).collect();
        let value = self.substitute(value, &map)?;
        let indices: Vec<Index> = copies.iter().chain(own).copied().collect();
        let shape: Vec<i64> = indices
            .iter()
            .map(|i| self.func.indices[*i].extent)
            .collect();
        let elem = self.func.exprs[value].elem;
        let tensor = self.tensor(name, elem, &shape, Role::Let, span)?;
        self.func.defs.push(Def {
            target: tensor,
            indices: indices.into_iter().collect(),
            value,
            span,
        });
        let fixed = free.iter().map(|index| Slot::Fixed(Affine::index(*index)));
        Ok(View {
            tensor,
            at: fixed.chain(own.iter().map(|_| Slot::Open)).collect(),
        })
    }
}

fn is_tensor(kind: &hir::ExprKind) -> bool {
    matches!(
        kind,
        hir::ExprKind::Local(_) | hir::ExprKind::TensorCall(_) | hir::ExprKind::Access { .. }
    )
}

/// The view in terms of the current definition.
fn renamed(view: &View, f: &Frame<'_>) -> View {
    let slot = |slot: &Slot| match slot {
        Slot::Fixed(form) => Slot::Fixed(affine::rename(form, &f.map)),
        Slot::Open => Slot::Open,
        Slot::Shifted(by) => Slot::Shifted(affine::rename(by, &f.map)),
    };
    View {
        tensor: view.tensor,
        at: view.at.iter().map(slot).collect(),
    }
}

pub(super) fn fixed_indices(view: &View, into: &mut BTreeSet<Index>) {
    for slot in &view.at {
        if let Slot::Fixed(form) | Slot::Shifted(form) = slot {
            affine::visit_indices(form, &mut |index| {
                into.insert(index);
            });
        }
    }
}
