//! Normal form of the algorithm: every definition is one reduction at its root or has none, and both factors of a
//! matrix product are plain elements of tensors.
//!
//! Before: `y[m, n] = gelu((sum(k) a[m, k] * b[k, n]) + bias[n])`.
//! After: `y.sum0[m, n] = sum(k) a[m, k] * b[k, n]` and `y[m, n] = gelu(y.sum0[m, n] + bias[n])`.
//! The factors of a masked product are 0 where the mask is not, if both can be: no unit multiplies under a mask.
//! Bits do not change: a new tensor holds the value in the type it had. Reductions to conditions and places are first
//! written as maxima and minima ([`super::places`]).

use std::collections::{BTreeMap, BTreeSet};

use diag::Span;
use ir::algo::{
    Affine, Atom, BinaryOp, Def, Expr, ExprData, ExprKind, Func, Index, IndexData, Order, Reduce,
    ReduceOp, Role, Tensor, TensorData, UnaryOp,
};

use isa::types::Elem;

use super::places;

/// Returns the function in normal form.
pub fn run(func: &Func) -> Func {
    let func = &places::run(func);
    let mut copier = Copier {
        old: func,
        new: Func {
            name: func.name.clone(),
            sizes: func.sizes.clone(),
            symbols: func.symbols.clone(),
            tensors: func.tensors.clone(),
            params: func.params.clone(),
            results: func.results.clone(),
            order_free: func.order_free,
            regrouped: func.regrouped.clone(),
            merges: func.merges.clone(),
            span: func.span,
            ..Func::default()
        },
        fresh: 0,
    };
    for def in &func.defs {
        copier.copy_def(def);
    }
    copier.new
}

/// Whether a reduction is a matrix product by its form: a plain sum of products in ascending (or free) order.
pub(crate) fn is_product_sum(reduce: &Reduce, exprs: &impl Fn(Expr) -> ExprData) -> bool {
    if reduce.op != ReduceOp::Sum || reduce.mask.is_some() || reduce.axes.len() != 1 {
        return false;
    }
    let body = exprs(reduce.body);
    matches!(reduce.order, Order::Ascending | Order::Free)
        && matches!(body.kind, ExprKind::Binary(BinaryOp::Mul, _, _))
        && match body.elem {
            Elem::F16 | Elem::Bf16 | Elem::I8 => reduce.exact_product,
            Elem::F32 => true,
            Elem::I64 | Elem::I32 | Elem::I16 | Elem::U8 | Elem::Bool => false,
        }
}

struct Copier<'a> {
    old: &'a Func,
    new: Func,
    fresh: u32,
}

/// One definition's view of the copy: its indices and what was copied already.
struct Scope {
    target: Tensor,
    indices: Vec<(Index, Index)>,
    done: BTreeMap<Expr, Expr>,
    /// Conditions (of the old function) under which what is copied counts, and which value of each, the outermost first.
    guards: Vec<(Expr, bool)>,
}

impl Scope {
    fn index(&self, old: Index) -> Index {
        let found = self.indices.iter().rev().find(|(from, _)| *from == old);
        debug_assert!(
            found.is_some(),
            "verified: every index of an expression is bound"
        );
        found.map_or(old, |(_, to)| *to)
    }
}

impl Copier<'_> {
    fn copy_def(&mut self, def: &Def) {
        let mut scope = Scope {
            target: def.target,
            indices: Vec::new(),
            done: BTreeMap::new(),
            guards: Vec::new(),
        };
        let indices = def
            .indices
            .iter()
            .map(|&i| self.bind(&mut scope, i))
            .collect();
        let value = self.copy_root(def.value, &mut scope);
        self.new.defs.push(Def {
            target: def.target,
            indices,
            value,
            span: def.span,
        });
    }

    fn bind(&mut self, scope: &mut Scope, old: Index) -> Index {
        let new = self.new.indices.push(self.old.indices[old].clone());
        scope.indices.push((old, new));
        new
    }

    fn copy_root(&mut self, expr: Expr, scope: &mut Scope) -> Expr {
        match &self.old.exprs[expr].kind {
            ExprKind::Reduce(reduce) => self.copy_reduce(expr, reduce, scope),
            ExprKind::Float(_)
            | ExprKind::Int(_)
            | ExprKind::Index(_)
            | ExprKind::Load { .. }
            | ExprKind::Gather { .. }
            | ExprKind::Unary(..)
            | ExprKind::Binary(..)
            | ExprKind::Compare(..)
            | ExprKind::Select(..)
            | ExprKind::Cast { .. } => self.copy(expr, scope),
        }
    }

    fn copy_reduce(&mut self, expr: Expr, reduce: &Reduce, scope: &mut Scope) -> Expr {
        let depth = scope.indices.len();
        let outer = std::mem::take(&mut scope.done);
        let axes = reduce.axes.iter().map(|&i| self.bind(scope, i)).collect();
        let cleared = reduce.mask.and_then(|mask| self.cleared(reduce, mask));
        let mask = match cleared {
            Some(_) => None,
            None => reduce.mask.map(|m| self.copy(m, scope)),
        };
        let guards = scope.guards.len();
        scope.guards.extend(reduce.mask.map(|mask| (mask, true)));
        let body = match cleared {
            Some(factors) => self.copy_cleared(reduce, factors, scope),
            None => self.copy_body(reduce, scope),
        };
        scope.guards.truncate(guards);
        scope.indices.truncate(depth);
        scope.done = outer;
        let kind = ExprKind::Reduce(Box::new(Reduce {
            op: reduce.op,
            axes,
            mask,
            body,
            order: reduce.order,
            exact_product: reduce.exact_product,
        }));
        self.like(expr, kind)
    }

    /// The factors of a masked sum that is a matrix product but for its mask, each with the mask that it is cleared by, if
    /// every masked item is then 0 · 0: the same sum, for no sum that begins with +0 is ever -0. A factor that does not
    /// depend on all that the mask depends on cannot be cleared, and must not be: a weight of 0 makes 0 of any integer, but
    /// not of an infinity.
    fn cleared(&self, reduce: &Reduce, mask: Expr) -> Option<[(Expr, Option<Expr>); 2]> {
        let plain = Reduce {
            mask: None,
            ..reduce.clone()
        };
        if !is_product_sum(&plain, &|e| self.old.exprs[e].clone()) {
            return None;
        }
        let ExprKind::Binary(_, a, b) = self.old.exprs[reduce.body].kind else {
            return None;
        };
        // The same items twice, as in a variance, are no matter for the cube.
        if self.free(a) == self.free(b) {
            return None;
        }
        let wanted = self.free(mask);
        let mut any = false;
        let mut factor = |e: Expr| {
            let rounded = matches!(self.old.exprs[e].kind, ExprKind::Unary(UnaryOp::Hf32, _));
            let covers = wanted.is_subset(&self.free(e));
            any |= covers;
            match covers {
                true if !rounded => Some((e, Some(mask))),
                false if !self.old.exprs[e].elem.is_float() => Some((e, None)),
                true | false => None,
            }
        };
        let factors = [factor(a)?, factor(b)?];
        any.then_some(factors)
    }

    /// The body of a masked matrix product whose factors are 0 where the mask is not.
    fn copy_cleared(
        &mut self,
        reduce: &Reduce,
        [(a, of_a), (b, of_b)]: [(Expr, Option<Expr>); 2],
        scope: &mut Scope,
    ) -> Expr {
        let mut factor = |e: Expr, other: Expr, mask: Option<Expr>| match mask {
            Some(mask) => self.hoist_where(e, Some(mask), "factor", scope),
            None => self.copy_factor(e, other, scope),
        };
        let (a, b) = (factor(a, b, of_a), factor(b, a, of_b));
        self.like(reduce.body, ExprKind::Binary(BinaryOp::Mul, a, b))
    }

    fn copy_body(&mut self, reduce: &Reduce, scope: &mut Scope) -> Expr {
        let body = &self.old.exprs[reduce.body];
        let product = is_product_sum(reduce, &|e| self.old.exprs[e].clone());
        if let (true, &ExprKind::Binary(op, a, b)) = (product, &body.kind) {
            let (a, b) = (self.copy_factor(a, b, scope), self.copy_factor(b, a, scope));
            return self.like(reduce.body, ExprKind::Binary(op, a, b));
        }
        self.copy(reduce.body, scope)
    }

    /// A factor of a matrix product: an element of a tensor stays, anything else becomes a tensor.
    /// So does one that data chooses by a number which depends on nothing but what the other factor depends on too.
    fn copy_factor(&mut self, expr: Expr, other: Expr, scope: &mut Scope) -> Expr {
        if let ExprKind::Unary(UnaryOp::Hf32, inner) = self.old.exprs[expr].kind {
            // The cube rounds it.
            let inner = self.copy_factor(inner, other, scope);
            return self.like(expr, ExprKind::Unary(UnaryOp::Hf32, inner));
        }
        let plain = matches!(
            self.old.exprs[expr].kind,
            ExprKind::Load { border: None, .. }
        );
        let chosen = self.chosen_number(expr).is_some_and(|number| {
            let both = self.free(other);
            scope.guards.is_empty() && self.free(number).iter().all(|i| both.contains(i))
        });
        if plain || chosen || self.free(expr).is_empty() {
            return self.copy(expr, scope);
        }
        self.hoist(expr, "factor", scope)
    }

    /// The element of a tensor by which data chooses.
    fn chosen_number(&self, expr: Expr) -> Option<Expr> {
        let ExprKind::Gather {
            index,
            border: None,
            ..
        } = self.old.exprs[expr].kind
        else {
            return None;
        };
        let number = &self.old.exprs[index].kind;
        matches!(number, ExprKind::Load { border: None, .. }).then_some(index)
    }

    fn copy(&mut self, expr: Expr, scope: &mut Scope) -> Expr {
        if let Some(&done) = scope.done.get(&expr) {
            return done;
        }
        let kind = match self.old.exprs[expr].kind.clone() {
            ExprKind::Index(i) => ExprKind::Index(scope.index(i)),
            ExprKind::Load { tensor, at, border } => ExprKind::Load {
                tensor,
                at: at.iter().map(|a| self.affine(a, scope)).collect(),
                border: border.map(|e| self.copy(e, scope)),
            },
            ExprKind::Gather {
                tensor,
                index,
                dim,
                at,
                border,
            } => {
                let index = self.copy(index, scope);
                let index = match border {
                    None => self.guarded(expr, index, scope),
                    Some(_) => index,
                };
                ExprKind::Gather {
                    tensor,
                    index,
                    dim,
                    at: at.iter().map(|a| self.affine(a, scope)).collect(),
                    border: border.map(|e| self.copy(e, scope)),
                }
            }
            ExprKind::Unary(op, a) => ExprKind::Unary(op, self.copy(a, scope)),
            ExprKind::Binary(op, a, b) => {
                ExprKind::Binary(op, self.copy(a, scope), self.copy(b, scope))
            }
            ExprKind::Compare(op, a, b) => {
                ExprKind::Compare(op, self.copy(a, scope), self.copy(b, scope))
            }
            ExprKind::Select(c, a, b) => {
                let condition = self.copy(c, scope);
                let a = self.copy_where(a, (c, true), scope);
                let b = self.copy_where(b, (c, false), scope);
                ExprKind::Select(condition, a, b)
            }
            ExprKind::Cast {
                value,
                round,
                overflow,
            } => ExprKind::Cast {
                value: self.copy(value, scope),
                round,
                overflow,
            },
            ExprKind::Reduce(reduce) => {
                let hoisted = self.hoist(expr, reduce.op.name(), scope);
                scope.done.insert(expr, hoisted);
                return hoisted;
            }
            kind @ (ExprKind::Float(_) | ExprKind::Int(_)) => kind,
        };
        let new = self.like(expr, kind);
        scope.done.insert(expr, new);
        new
    }

    /// A side of a choice. Vector code computes both sides, so what may fault in this one is told when it counts; such
    /// a copy is no other use's.
    fn copy_where(&mut self, expr: Expr, guard: (Expr, bool), scope: &mut Scope) -> Expr {
        if !self.seeks(expr) {
            return self.copy(expr, scope);
        }
        let outer = scope.done.clone();
        scope.done.retain(|old, _| !self.seeks(*old));
        scope.guards.push(guard);
        let copied = self.copy(expr, scope);
        scope.guards.pop();
        scope.done = outer;
        copied
    }

    /// The index of a gather where its value counts, elsewhere 0, which every table has.
    fn guarded(&mut self, gather: Expr, index: Expr, scope: &mut Scope) -> Expr {
        let ExprData { elem, span, .. } = self.new.exprs[index];
        let mut all: Option<Expr> = None;
        for number in 0..scope.guards.len() {
            let (condition, wanted) = (self.guard(number, scope), scope.guards[number].1);
            let condition = match wanted {
                true => condition,
                false => self.condition(ExprKind::Unary(UnaryOp::Not, condition), span),
            };
            all = Some(match all {
                None => condition,
                Some(before) => {
                    let kind = ExprKind::Binary(BinaryOp::And, before, condition);
                    self.condition(kind, span)
                }
            });
        }
        let Some(condition) = all else { return index };
        let zero = self.new.exprs.push(ExprData {
            kind: ExprKind::Int(0),
            elem,
            span,
        });
        let kind = ExprKind::Select(condition, index, zero);
        let span = self.old.exprs[gather].span;
        self.new.exprs.push(ExprData { kind, elem, span })
    }

    /// The condition of a guard, which counts where the guards before it hold.
    fn guard(&mut self, number: usize, scope: &mut Scope) -> Expr {
        let condition = scope.guards[number].0;
        if !self.seeks(condition) {
            return self.copy(condition, scope);
        }
        let outer = scope.done.clone();
        scope.done.retain(|old, _| !self.seeks(*old));
        let inner = scope.guards.split_off(number);
        let copied = self.copy(condition, scope);
        scope.guards.extend(inner);
        scope.done = outer;
        copied
    }

    fn condition(&mut self, kind: ExprKind, span: Span) -> Expr {
        let elem = Elem::Bool;
        self.new.exprs.push(ExprData { kind, elem, span })
    }

    /// Whether a gather that may fault is inside.
    fn seeks(&self, expr: Expr) -> bool {
        let mut seen = BTreeSet::new();
        let mut work = vec![expr];
        while let Some(e) = work.pop() {
            let kind = &self.old.exprs[e].kind;
            if matches!(kind, ExprKind::Gather { border: None, .. }) {
                return true;
            }
            if seen.insert(e) {
                work.extend(kind.operands());
            }
        }
        false
    }

    /// Gives an expression a tensor of its own, over the indices it depends on. What may fault in it takes its guards
    /// along, and the indices of these.
    fn hoist(&mut self, expr: Expr, role: &str, scope: &Scope) -> Expr {
        self.hoist_where(expr, None, role, scope)
    }

    /// As [`Copier::hoist`], 0 where a condition does not hold.
    fn hoist_where(&mut self, expr: Expr, mask: Option<Expr>, role: &str, scope: &Scope) -> Expr {
        let mut free = self.free(expr);
        free.extend(mask.iter().flat_map(|mask| self.free(*mask)));
        let guards = match self.seeks(expr) {
            true => scope.guards.clone(),
            false => Vec::new(),
        };
        free.extend(guards.iter().flat_map(|(guard, _)| self.free(*guard)));
        let order: Vec<Index> = scope
            .indices
            .iter()
            .map(|(old, _)| *old)
            .filter(|i| free.contains(i))
            .collect();
        let mut inner = Scope {
            target: scope.target,
            indices: Vec::new(),
            done: BTreeMap::new(),
            guards,
        };
        let indices = order
            .iter()
            .map(|&i| self.bind(&mut inner, i))
            .collect::<Vec<_>>();
        let value = match mask {
            None => self.copy_root(expr, &mut inner),
            Some(mask) => self.copy_or_zero(expr, mask, &mut inner),
        };
        let span = self.old.exprs[expr].span;
        let name = format!(
            "{}.{role}{}",
            self.new.tensors[scope.target].name, self.fresh
        );
        self.fresh += 1;
        let target = self.new.tensors.push(TensorData {
            name,
            elem: self.old.exprs[expr].elem,
            shape: indices
                .iter()
                .map(|&i: &Index| -> i64 {
                    let data: &IndexData = &self.new.indices[i];
                    data.extent
                })
                .collect(),
            role: Role::Let,
            span,
        });
        if self.new.regrouped.contains(&scope.target) {
            self.new.regrouped.insert(target);
        }
        self.new.defs.push(Def {
            target,
            indices: indices.into_iter().collect(),
            value,
            span,
        });
        let at = order
            .iter()
            .map(|&i| Affine::index(scope.index(i)))
            .collect();
        self.like(
            expr,
            ExprKind::Load {
                tensor: target,
                at,
                border: None,
            },
        )
    }

    /// The value of an expression where a condition holds, elsewhere 0.
    fn copy_or_zero(&mut self, expr: Expr, mask: Expr, scope: &mut Scope) -> Expr {
        let condition = self.copy(mask, scope);
        let value = self.copy_where(expr, (mask, true), scope);
        let zero = match self.old.exprs[expr].elem.is_float() {
            true => ExprKind::Float(0.0),
            false => ExprKind::Int(0),
        };
        let zero = self.like(expr, zero);
        self.like(expr, ExprKind::Select(condition, value, zero))
    }

    fn like(&mut self, old: Expr, kind: ExprKind) -> Expr {
        let ExprData { elem, span, .. } = self.old.exprs[old];
        self.new.exprs.push(ExprData { kind, elem, span })
    }

    fn affine(&self, affine: &Affine, scope: &Scope) -> Affine {
        let atom = |atom: &Atom| match atom {
            Atom::Index(i) => Atom::Index(scope.index(*i)),
            Atom::Div(a, n) => Atom::Div(Box::new(self.affine(a, scope)), *n),
            Atom::Mod(a, n) => Atom::Mod(Box::new(self.affine(a, scope)), *n),
            Atom::Clamp(a, lo, hi) => Atom::Clamp(Box::new(self.affine(a, scope)), *lo, *hi),
        };
        Affine {
            constant: affine.constant,
            terms: affine.terms.iter().map(|(c, a)| (*c, atom(a))).collect(),
        }
    }

    fn free(&self, expr: Expr) -> BTreeSet<Index> {
        let mut found = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut bound = BTreeSet::new();
        let mut work = vec![expr];
        while let Some(e) = work.pop() {
            if !seen.insert(e) {
                continue;
            }
            if let ExprKind::Reduce(reduce) = &self.old.exprs[e].kind {
                bound.extend(reduce.axes.iter().copied());
            }
            self.old.exprs[e].kind.visit_indices(&mut |index| {
                found.insert(index);
            });
            work.extend(self.old.exprs[e].kind.operands());
        }
        found.difference(&bound).copied().collect()
    }
}
