//! Definitions: a statement becomes a definition of the IR, or the definitions of a call.

use super::{Binding, Frame, Lower, Lowered, Slot, Stop, Target, View};
use crate::hir::{self, LocalId, StmtKind};
use diag::Span;
use ir::algo::{Affine, Def, Expr, ExprKind, Index, IndexData, Role};

impl<'a> Lower<'a> {
    pub(super) fn statement(&mut self, f: &mut Frame<'a>, stmt: &'a hir::Stmt) -> Lowered<()> {
        let body = &f.item.body;
        match &stmt.kind {
            StmtKind::Indexed {
                target,
                indices,
                value,
            } => {
                let mut dims = Vec::new();
                for index in indices {
                    let data = &body[*index];
                    let extent = self.extent(f, &data.extent, data.span)?;
                    dims.push((data.name.clone(), extent, data.span));
                }
                self.define(f, *target, &dims, stmt.span, |lower, f, own| {
                    for (index, own) in indices.iter().zip(own) {
                        f.indices[index.0] = Some(*own);
                    }
                    lower.expr(f, *value, &[])
                })
            }
            StmtKind::Parts { target, parts } => self.parts(f, *target, parts, stmt.span),
            StmtKind::Whole { target, value } => {
                let value_data = &body[*value];
                // The call defines the target itself; a broadcast needs a definition of its own.
                if let hir::ExprKind::TensorCall(call) = &value_data.kind
                    && rank(f, *target) == value_data.shape.len()
                {
                    let spec = self.target_of(f, *target);
                    let prefix = format!("{}.", spec.name);
                    let views = self.inline(f, call, vec![spec], prefix, value_data.span)?;
                    self.bind_targets(f, &[*target], views);
                    return Ok(());
                }
                self.define_whole(f, *target, *value, stmt.span)
            }
            StmtKind::Fold(fold) => self.define_fold(f, fold, stmt.span),
            StmtKind::Tuple { targets, value } => {
                let hir::ExprKind::TensorCall(call) = &body[*value].kind else {
                    return Err(Stop);
                };
                let specs: Vec<Target> = targets.iter().map(|t| self.target_of(f, *t)).collect();
                let prefix = specs
                    .first()
                    .map(|t| t.name.clone() + ".")
                    .unwrap_or_default();
                let views = self.inline(f, call, specs, prefix, body[*value].span)?;
                self.bind_targets(f, targets, views);
                Ok(())
            }
        }
    }

    pub(super) fn bind_targets(
        &mut self,
        f: &mut Frame<'a>,
        targets: &[LocalId],
        views: Vec<View>,
    ) {
        for (target, view) in targets.iter().zip(views) {
            f.locals[target.0] = Some(Binding::View(view));
        }
    }

    pub(super) fn target_of(&self, f: &Frame<'a>, local: LocalId) -> Target {
        let own = || Target {
            tensor: None,
            name: format!("{}{}", f.prefix, f.item.body[local].name),
        };
        f.targets.get(&local).cloned().unwrap_or_else(own)
    }

    /// `t = value`, lifted over the shape of `t`.
    pub(super) fn define_whole(
        &mut self,
        f: &mut Frame<'a>,
        target: LocalId,
        value: hir::ExprId,
        span: Span,
    ) -> Lowered<()> {
        let local = &f.item.body[target];
        let shape = self.extents(f, local.shape.as_deref().unwrap_or(&[]), local.span)?;
        let dims: Vec<_> = shape
            .iter()
            .enumerate()
            .map(|(n, extent)| (format!("i{n}"), *extent, span))
            .collect();
        self.define(f, target, &dims, span, |lower, f, own| {
            let at: Vec<Affine> = own.iter().map(|index| Affine::index(*index)).collect();
            lower.operand(f, value, &at)
        })
    }

    /// Lowers a definition: fresh indices for the context and its own dimensions, then the value.
    pub(super) fn define(
        &mut self,
        f: &mut Frame<'a>,
        target: LocalId,
        dims: &[(String, i64, Span)],
        span: Span,
        value: impl FnOnce(&mut Self, &mut Frame<'a>, &[Index]) -> Lowered<Expr>,
    ) -> Lowered<()> {
        let context: Vec<Index> = f
            .context
            .iter()
            .map(|index| self.copy_index(*index))
            .collect();
        let own: Vec<Index> = dims
            .iter()
            .map(|(name, extent, at)| self.index(name, *extent, *at))
            .collect();
        f.map = f
            .context
            .iter()
            .copied()
            .zip(context.iter().copied())
            .collect();
        let left = std::mem::replace(&mut self.left, own.clone());
        let value = value(self, f, &own)?;
        self.left = left;
        f.map.clear();
        let spec = self.target_of(f, target);
        let data = &self.func.exprs[value];
        let constant = matches!(data.kind, ExprKind::Int(_) | ExprKind::Float(_));
        if constant && own.is_empty() && context.is_empty() && spec.tensor.is_none() {
            f.locals[target.0] = Some(Binding::Constant(data.kind.clone(), data.elem));
            return Ok(());
        }
        let indices: Vec<Index> = context.into_iter().chain(own.iter().copied()).collect();
        let tensor = match spec.tensor {
            Some(tensor) => tensor,
            None => {
                let shape: Vec<i64> = indices
                    .iter()
                    .map(|i| self.func.indices[*i].extent)
                    .collect();
                let (elem, at) = (data.elem, f.item.body[target].span);
                self.tensor(spec.name, elem, &shape, Role::Let, at)?
            }
        };
        self.func.defs.push(Def {
            target: tensor,
            indices: indices.into_iter().collect(),
            value,
            span,
        });
        let fixed = f
            .context
            .iter()
            .map(|index| Slot::Fixed(Affine::index(*index)));
        let at = fixed.chain(own.iter().map(|_| Slot::Open)).collect();
        f.locals[target.0] = Some(Binding::View(View { tensor, at }));
        Ok(())
    }

    pub(super) fn index(&mut self, name: &str, extent: i64, span: Span) -> Index {
        self.func.indices.push(IndexData {
            name: name.to_owned(),
            extent,
            span,
        })
    }

    pub(super) fn copy_index(&mut self, index: Index) -> Index {
        let data = self.func.indices[index].clone();
        self.func.indices.push(data)
    }
}

fn rank(f: &Frame<'_>, local: LocalId) -> usize {
    f.item.body[local].shape.as_ref().map_or(0, Vec::len)
}
