//! From the checked program and values for sizes and types to the algorithm IR.
//!
//! [`bind`] is the table of contents. Functions are expanded where they are called: a scalar function becomes
//! expressions of the current definition, a tensor function becomes definitions in front of it. A call inside a
//! definition may depend on its indices (`softmax(s[h, :])[j]`); then those indices, the *context*, become leading
//! dimensions of every definition of the call. A [`View`] says how a local is read.
//!
//! Everything is bounded: by the number of steps and by the depth of nesting ([`build`]).

mod build;
mod calls;
mod expr;
mod index;
mod values;

use crate::Bindings;
use crate::errors::{resolve, sizes};
use crate::hir::{self, Item, LocalId, StmtKind, Ty};
use crate::poly::{Atom, EvalError, Poly};
use diag::{Diagnostic, Span};
use ir::algo::{Affine, Def, Expr, ExprKind, Func, Index, IndexData, Role, Tensor, TensorData};
use isa::types::Elem;
use std::collections::{BTreeMap, BTreeSet};

/// Binds sizes and types and lowers a kernel.
pub(crate) fn bind(
    items: &[Item],
    kernel: &Item,
    given: &Bindings,
) -> Result<Func, Vec<Diagnostic>> {
    let values = values::bind(kernel, given)?;
    let mut lower = Lower::new(items, kernel);
    let outcome = lower.kernel(kernel, values);
    if outcome.is_err() || !lower.diagnostics.is_empty() {
        return Err(lower.finished_diagnostics(kernel.span));
    }
    Ok(build::compact(lower.func))
}

/// Lowering cannot go on; the reason was reported.
#[derive(Debug)]
struct Stop;

type Lowered<T> = Result<T, Stop>;

/// The function under construction.
struct Lower<'a> {
    items: &'a [Item],
    func: Func,
    /// Depth of each expression.
    depths: Vec<usize>,
    /// Indices of the left side that is being defined, without context.
    left: Vec<Index>,
    names: BTreeSet<String>,
    steps: usize,
    nesting: usize,
    diagnostics: Vec<Diagnostic>,
}

/// One expansion of an item.
struct Frame<'a> {
    item: &'a Item,
    sizes: Vec<i64>,
    types: Vec<Elem>,
    locals: Vec<Option<Binding>>,
    /// Before the names of tensors: `s.` inside the call that defines `s`.
    prefix: String,
    /// Tensors and names that results have instead of their own.
    targets: BTreeMap<LocalId, Target>,
    /// Indices of the definition around the call that its arguments depend on.
    context: Vec<Index>,
    /// What stands for the context inside the definition that is being lowered.
    map: Vec<(Index, Index)>,
    /// What stands for each index of the body.
    indices: Vec<Option<Index>>,
}

/// Where a definition goes.
#[derive(Clone)]
struct Target {
    tensor: Option<Tensor>,
    name: String,
}

/// What a local is.
#[derive(Clone)]
#[expect(clippy::large_enum_variant, reason = "short lived, and few at a time")]
enum Binding {
    View(View),
    /// An expression of the current definition; in scalar functions.
    Value(Expr),
    Constant(ExprKind, Elem),
}

/// A tensor read with some coordinates fixed.
#[derive(Clone)]
struct View {
    tensor: Tensor,
    at: Vec<Slot>,
}

/// A coordinate of a view.
#[derive(Clone)]
enum Slot {
    Fixed(Affine),
    Open,
}

impl<'a> Frame<'a> {
    fn new(item: &'a Item, sizes: Vec<i64>, types: Vec<Elem>, prefix: String) -> Frame<'a> {
        Frame {
            item,
            sizes,
            types,
            locals: vec![None; item.body.locals.len()],
            prefix,
            targets: BTreeMap::new(),
            context: Vec::new(),
            map: Vec::new(),
            indices: vec![None; item.body.indices.len()],
        }
    }

    /// The element type of a type.
    fn elem(&self, ty: Ty) -> Elem {
        let param = |p: usize| self.types.get(p).copied().unwrap_or(Elem::F32);
        match ty {
            Ty::Elem(elem) => elem,
            Ty::Param(p) => param(p),
            Ty::Acc(p) if param(p).is_float() => Elem::F32,
            Ty::Acc(_) | Ty::Int => Elem::I32,
            Ty::Float | Ty::Error => Elem::F32,
            Ty::Size => Elem::I64,
        }
    }
}

impl<'a> Lower<'a> {
    fn new(items: &'a [Item], kernel: &Item) -> Lower<'a> {
        let func = Func {
            name: kernel.name.clone(),
            order_free: kernel.order_free,
            span: kernel.span,
            ..Func::default()
        };
        Lower {
            items,
            func,
            depths: Vec::new(),
            left: Vec::new(),
            names: BTreeSet::new(),
            steps: 0,
            nesting: 0,
            diagnostics: Vec::new(),
        }
    }

    fn kernel(&mut self, kernel: &'a Item, values: values::Values) -> Lowered<()> {
        let names = kernel.sizes.iter().map(|s| s.name.clone());
        self.func.sizes = names.zip(values.sizes.iter().copied()).collect();
        if kernel.incomplete || kernel.broken {
            return Err(Stop);
        }
        let mut frame = Frame::new(kernel, values.sizes, values.types, String::new());
        self.check_conditions(&mut frame, None)?;
        self.declare_signature(&mut frame)?;
        for stmt in &kernel.body.stmts {
            self.statement(&mut frame, stmt)?;
        }
        Ok(())
    }

    /// The diagnostics, never none.
    fn finished_diagnostics(self, span: Span) -> Vec<Diagnostic> {
        if self.diagnostics.is_empty() {
            return vec![resolve::too_large("it contains an error", span)];
        }
        self.diagnostics
    }

    fn stop<T>(&mut self, diagnostic: Diagnostic) -> Lowered<T> {
        self.diagnostics.push(diagnostic);
        Err(Stop)
    }

    fn declare_signature(&mut self, f: &mut Frame<'a>) -> Lowered<()> {
        let item = f.item;
        for number in 0..item.params + item.results {
            let local = &item.body.locals[number];
            let role = if number < item.params {
                Role::Param
            } else {
                Role::Result
            };
            let shape = self.extents(f, local.shape.as_deref().unwrap_or(&[]), local.span)?;
            let elem = f.elem(local.ty);
            let tensor = self.tensor(local.name.clone(), elem, &shape, role, local.span)?;
            let id = LocalId(number);
            if role == Role::Param {
                self.func.params.push(tensor);
                let at = vec![Slot::Open; shape.len()];
                f.locals[number] = Some(Binding::View(View { tensor, at }));
            } else {
                self.func.results.push(tensor);
                f.targets.insert(
                    id,
                    Target {
                        tensor: Some(tensor),
                        name: local.name.clone(),
                    },
                );
            }
        }
        Ok(())
    }

    /// A new tensor with a unique name.
    fn tensor(
        &mut self,
        name: String,
        elem: Elem,
        shape: &[i64],
        role: Role,
        span: Span,
    ) -> Lowered<Tensor> {
        let elem_bytes = i64::try_from(elem.bytes()).unwrap_or(8);
        let bytes = shape
            .iter()
            .try_fold(elem_bytes, |n, extent| n.checked_mul(*extent));
        if bytes.is_none() {
            return self.stop(sizes::size_overflow(
                span,
                &format!("the size of `{name}` in bytes"),
            ));
        }
        let mut unique = name.clone();
        let mut number = 2;
        while !self.names.insert(unique.clone()) {
            unique = format!("{name}_{number}");
            number += 1;
        }
        let shape = shape.iter().copied().collect();
        Ok(self.func.tensors.push(TensorData {
            name: unique,
            elem,
            shape,
            role,
            span,
        }))
    }

    // ---- sizes ----

    /// The value of a size.
    fn size(&mut self, f: &Frame<'_>, size: &Poly, span: Span) -> Lowered<i64> {
        let value = size.eval(&|atom| match atom {
            Atom::Var(v) => f.sizes.get(*v as usize).copied(),
            Atom::Unknown(_) | Atom::Index(_) | Atom::Div(..) | Atom::Mod(..) => None,
        });
        match value {
            Ok(value) if !size.is_poison() => Ok(value),
            Ok(_) | Err(EvalError::Overflow | EvalError::Unbound(_)) => {
                self.stop(sizes::size_overflow(span, "this size"))
            }
            Err(EvalError::Divisor(_)) => self.stop(sizes::division_by_zero_size(span)),
        }
    }

    /// The value of an extent, which is at least 1.
    fn extent(&mut self, f: &Frame<'_>, size: &Poly, span: Span) -> Lowered<i64> {
        let value = self.size(f, size, span)?;
        if value < 1 {
            let text = show_size(f.item, size);
            return self.stop(sizes::size_below_one(&format!("`{text}`"), value, span));
        }
        Ok(value)
    }

    fn extents(&mut self, f: &Frame<'_>, shape: &[Poly], span: Span) -> Lowered<Vec<i64>> {
        shape
            .iter()
            .map(|size| self.extent(f, size, span))
            .collect()
    }

    /// Checks `where`, `assert` and the equalities that inference left open; of a call with its place.
    fn check_conditions(&mut self, f: &mut Frame<'a>, call: Option<Span>) -> Lowered<()> {
        let item = f.item;
        for equality in &item.body.equalities {
            let left = self.size(f, &equality.left, equality.left_span)?;
            let right = self.size(f, &equality.right, equality.right_span)?;
            if left != right {
                let place = |size: i64, span: Span| sizes::Sized {
                    size: size.to_string(),
                    span,
                };
                let (left, right) = (
                    place(left, equality.left_span),
                    place(right, equality.right_span),
                );
                self.diagnostics.push(in_call(
                    sizes::two_sizes(&equality.what, &left, &right),
                    call,
                ));
            }
        }
        for condition in &item.body.conditions {
            let span = item.body[*condition].span;
            let arena = std::mem::take(&mut self.func.exprs);
            let depths = std::mem::take(&mut self.depths);
            let value = self
                .expr(f, *condition, &[])
                .map(|e| self.func.exprs[e].kind.clone());
            (self.func.exprs, self.depths) = (arena, depths);
            match value? {
                ExprKind::Int(1) => {}
                ExprKind::Int(_) => {
                    let facts = facts(f);
                    self.diagnostics
                        .push(in_call(sizes::condition_fails(span, &facts), call));
                }
                ExprKind::Float(_)
                | ExprKind::Index(_)
                | ExprKind::Load { .. }
                | ExprKind::Unary(..)
                | ExprKind::Binary(..)
                | ExprKind::Compare(..)
                | ExprKind::Select(..)
                | ExprKind::Cast { .. }
                | ExprKind::Reduce(_) => self.diagnostics.push(sizes::condition_not_on_sizes(span)),
            }
        }
        if self.diagnostics.is_empty() {
            Ok(())
        } else {
            Err(Stop)
        }
    }

    // ---- definitions ----

    fn statement(&mut self, f: &mut Frame<'a>, stmt: &'a hir::Stmt) -> Lowered<()> {
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

    fn bind_targets(&mut self, f: &mut Frame<'a>, targets: &[LocalId], views: Vec<View>) {
        for (target, view) in targets.iter().zip(views) {
            f.locals[target.0] = Some(Binding::View(view));
        }
    }

    fn target_of(&self, f: &Frame<'a>, local: LocalId) -> Target {
        let own = || Target {
            tensor: None,
            name: format!("{}{}", f.prefix, f.item.body[local].name),
        };
        f.targets.get(&local).cloned().unwrap_or_else(own)
    }

    /// `t = value`, lifted over the shape of `t`.
    fn define_whole(
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
    fn define(
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

    fn index(&mut self, name: &str, extent: i64, span: Span) -> Index {
        self.func.indices.push(IndexData {
            name: name.to_owned(),
            extent,
            span,
        })
    }

    fn copy_index(&mut self, index: Index) -> Index {
        let data = self.func.indices[index].clone();
        self.func.indices.push(data)
    }
}

fn rank(f: &Frame<'_>, local: LocalId) -> usize {
    f.item.body[local].shape.as_ref().map_or(0, Vec::len)
}

/// A size as the author wrote it, more or less.
fn show_size(item: &Item, size: &Poly) -> String {
    size.display(&|atom| match atom {
        Atom::Var(v) => item
            .sizes
            .get(*v as usize)
            .map_or_else(|| "?".to_owned(), |s| s.name.clone()),
        Atom::Unknown(_) | Atom::Index(_) | Atom::Div(..) | Atom::Mod(..) => "_".to_owned(),
    })
}

/// The sizes of a frame, for a note.
fn facts(f: &Frame<'_>) -> String {
    let pairs = f.item.sizes.iter().zip(&f.sizes);
    pairs
        .map(|(s, value)| format!("{} = {value}", s.name))
        .collect::<Vec<_>>()
        .join(", ")
}

fn in_call(diagnostic: Diagnostic, call: Option<Span>) -> Diagnostic {
    match call {
        Some(span) => diagnostic.label(span, "in this call"),
        None => diagnostic,
    }
}
