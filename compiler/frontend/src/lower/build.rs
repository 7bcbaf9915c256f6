//! IR nodes: folding of constants, limits, substitution of indices, and the final removal of what is not used.

use super::{Lower, Lowered};
use crate::affine;
use crate::check::literal;
use crate::errors::{resolve, sizes, types};
use crate::hir::Literal;
use diag::Span;
use ir::algo::data::Data;
use ir::algo::{
    Affine, Atom, BinaryOp, Def, Expr, ExprData, ExprKind, Func, Index, Reduce, Role, Tensor,
    TensorData, eval,
};
use isa::types::Elem;
use smallvec::SmallVec;
use std::collections::{BTreeMap, BTreeSet};

/// Expressions of one kernel.
const MOST_EXPRS: usize = 1 << 20;
/// Expressions visited, also where nothing is made: functions that only call functions.
const MOST_STEPS: usize = 1 << 22;
/// Nesting of expressions through all functions: recursion here, and in everything that walks the result.
const MOST_NESTING: usize = 600;
/// Depth of the result, below the IR's own limit.
const MOST_DEPTH: usize = 900;

impl Lower<'_> {
    /// Counts a step into an expression; the caller counts out.
    pub(super) fn enter(&mut self, span: Span) -> Lowered<()> {
        self.steps += 1;
        self.nesting += 1;
        if self.steps > MOST_STEPS || self.func.exprs.len() > MOST_EXPRS {
            return self.stop(resolve::too_large("more than a million expressions", span));
        }
        if self.nesting > MOST_NESTING {
            return self.stop(resolve::too_large("expressions nest too deeply", span));
        }
        Ok(())
    }

    /// Adds a node; constants are folded.
    pub(super) fn node(&mut self, kind: ExprKind, elem: Elem, span: Span) -> Lowered<Expr> {
        if let ExprKind::Select(condition, a, b) = kind
            && let ExprKind::Int(holds) = self.func.exprs[condition].kind
        {
            return Ok(if holds != 0 { a } else { b });
        }
        let kind = self.fold(&kind, elem).unwrap_or(kind);
        self.raw_node(ExprData { kind, elem, span })
    }

    fn raw_node(&mut self, data: ExprData) -> Lowered<Expr> {
        let mut depth = 1;
        visit_operands(&data.kind, &mut |e| {
            depth = depth.max(1 + self.depths.get(e.as_u32() as usize).copied().unwrap_or(0));
        });
        if depth > MOST_DEPTH {
            return self.stop(resolve::too_large("expressions nest too deeply", data.span));
        }
        self.depths.push(depth);
        Ok(self.func.exprs.push(data))
    }

    pub(super) fn integer(&mut self, value: i64, elem: Elem, span: Span) -> Lowered<Expr> {
        self.node(ExprKind::Int(value), elem, span)
    }

    /// An integer literal in a type that may have been a parameter when it was checked.
    pub(super) fn integer_literal(&mut self, value: i128, elem: Elem, span: Span) -> Lowered<Expr> {
        if elem.is_float() {
            if !literal::exact_in(elem, value) {
                return self.stop(types::literal_inexact(
                    &value.to_string(),
                    elem.name(),
                    span,
                ));
            }
            return self.node(ExprKind::Float(value as f64), elem, span);
        }
        let (least, greatest) = literal::integer_range(elem);
        match i64::try_from(value) {
            Ok(small) if (least..=greatest).contains(&value) => self.integer(small, elem, span),
            _ => {
                let range = format!("the range is {least} to {greatest}");
                self.stop(types::literal_out_of_range(
                    &value.to_string(),
                    elem.name(),
                    span,
                    &range,
                ))
            }
        }
    }

    pub(super) fn float_literal(
        &mut self,
        value: Literal,
        elem: Elem,
        span: Span,
    ) -> Lowered<Expr> {
        if !elem.is_float() {
            return self.stop(types::float_literal_as_integer(elem.name(), span));
        }
        let rounded = literal::rounded(elem, value);
        if value.double.is_finite() && !rounded.is_finite() {
            let text = format!("{:e}", value.double);
            return self.stop(types::literal_out_of_range(
                &text,
                elem.name(),
                span,
                "it would become infinite",
            ));
        }
        self.node(ExprKind::Float(rounded), elem, span)
    }

    /// The value of an operation on constants. The evaluator computes it, so that both cannot disagree.
    fn fold(&self, kind: &ExprKind, elem: Elem) -> Option<ExprKind> {
        match kind {
            ExprKind::Unary(..)
            | ExprKind::Binary(..)
            | ExprKind::Compare(..)
            | ExprKind::Cast { .. } => {}
            ExprKind::Float(_)
            | ExprKind::Int(_)
            | ExprKind::Index(_)
            | ExprKind::Load { .. }
            | ExprKind::Gather { .. }
            | ExprKind::Select(..)
            | ExprKind::Reduce(_) => return None,
        }
        let mut func = Func::default();
        let mut constant = true;
        let folded = map_operands(kind, &mut |e| {
            let data = &self.func.exprs[e];
            // What a symbolic size is, the launch says.
            let open = matches!(data.kind, ExprKind::Int(n) if self.func.symbols.is_symbolic(n));
            constant &= !open && matches!(data.kind, ExprKind::Int(_) | ExprKind::Float(_));
            func.exprs.push(data.clone())
        });
        if !constant {
            return None;
        }
        let value = func.exprs.push(ExprData {
            kind: folded,
            elem,
            span: Span::NONE,
        });
        let shape = SmallVec::new();
        let data = TensorData {
            name: "folded".to_owned(),
            elem,
            shape,
            role: Role::Result,
            span: Span::NONE,
        };
        let target = func.tensors.push(data);
        func.results.push(target);
        func.defs.push(Def {
            target,
            indices: SmallVec::new(),
            value,
            span: Span::NONE,
        });
        let result: Vec<Data> = eval::eval(&func, &[]).ok()?;
        let result = result.first()?;
        Some(match elem.is_float() {
            true => ExprKind::Float(result.get_f64(elem, 0)),
            false => ExprKind::Int(result.get_i64(elem, 0)),
        })
    }

    /// The indices that an expression depends on and does not bind.
    pub(super) fn free_indices(&self, root: Expr) -> BTreeSet<Index> {
        let mut free = BTreeSet::new();
        let mut bound = BTreeSet::new();
        self.visit(root, &mut |data| {
            match &data.kind {
                ExprKind::Index(index) => {
                    free.insert(*index);
                }
                ExprKind::Load { at, .. } | ExprKind::Gather { at, .. } => {
                    at.iter().for_each(|a| {
                        affine::visit_indices(a, &mut |index| {
                            free.insert(index);
                        })
                    });
                }
                // Each index has one binder, so inside and outside cannot be confused.
                ExprKind::Reduce(reduce) => bound.extend(reduce.axes.iter().copied()),
                ExprKind::Float(_)
                | ExprKind::Int(_)
                | ExprKind::Unary(..)
                | ExprKind::Binary(..)
                | ExprKind::Compare(..)
                | ExprKind::Select(..)
                | ExprKind::Cast { .. } => {}
            }
        });
        free.difference(&bound).copied().collect()
    }

    /// Visits every node below `root` once, and it.
    pub(super) fn visit(&self, root: Expr, visit: &mut impl FnMut(&ExprData)) {
        let mut seen = BTreeSet::new();
        let mut open = vec![root];
        while let Some(e) = open.pop() {
            if seen.insert(e) {
                let data = &self.func.exprs[e];
                visit(data);
                visit_operands(&data.kind, &mut |operand| open.push(operand));
            }
        }
    }

    /// A copy of an expression with other indices.
    pub(super) fn substitute(&mut self, root: Expr, map: &[(Index, Index)]) -> Lowered<Expr> {
        let forms = map.iter().map(|(old, new)| (*old, Affine::index(*new)));
        let forms: Vec<(Index, Affine)> = forms.collect();
        self.substitute_forms(root, &forms)
    }

    /// A copy of an expression with index expressions in the places of indices.
    pub(super) fn substitute_forms(
        &mut self,
        root: Expr,
        map: &[(Index, Affine)],
    ) -> Lowered<Expr> {
        if map.is_empty() {
            return Ok(root);
        }
        let mut nodes = BTreeSet::new();
        let mut open = vec![root];
        while let Some(e) = open.pop() {
            if nodes.insert(e) {
                visit_operands(&self.func.exprs[e].kind, &mut |operand| open.push(operand));
            }
        }
        let mut copies: BTreeMap<Expr, Expr> = BTreeMap::new();
        // Ascending, so operands come first. Reductions keep their axes: the original is not used any more.
        for e in nodes {
            let data = self.func.exprs[e].clone();
            let copy = self.substitute_node(data, map, &copies)?;
            copies.insert(e, copy);
        }
        Ok(copies.get(&root).copied().unwrap_or(root))
    }

    fn substitute_node(
        &mut self,
        data: ExprData,
        map: &[(Index, Affine)],
        copies: &BTreeMap<Expr, Expr>,
    ) -> Lowered<Expr> {
        let span = data.span;
        let kind = map_operands(&data.kind, &mut |e| copies.get(&e).copied().unwrap_or(e));
        if let ExprKind::Index(index) = kind
            && let Some((_, form)) = map.iter().find(|(old, _)| *old == index)
        {
            return self.form_value(form, span);
        }
        let kind = if let ExprKind::Load { tensor, at, border } = kind {
            let extent = |index: Index| self.func.indices[index].extent;
            let forms = at.iter().map(|a| affine::substitute(a, map, &extent));
            let Some(at) = forms.collect::<Option<SmallVec<[Affine; 4]>>>() else {
                return self.stop(sizes::size_overflow(span, "this index expression"));
            };
            ExprKind::Load { tensor, at, border }
        } else if let ExprKind::Gather {
            tensor,
            index,
            dim,
            at,
            border,
        } = kind
        {
            let extent = |index: Index| self.func.indices[index].extent;
            let forms = at.iter().map(|a| affine::substitute(a, map, &extent));
            let Some(at) = forms.collect::<Option<SmallVec<[Affine; 4]>>>() else {
                return self.stop(sizes::size_overflow(span, "this index expression"));
            };
            ExprKind::Gather {
                tensor,
                index,
                dim,
                at,
                border,
            }
        } else {
            kind
        };
        self.raw_node(ExprData { kind, ..data })
    }

    /// An index expression as a value.
    pub(super) fn form_value(&mut self, form: &Affine, span: Span) -> Lowered<Expr> {
        let mut sum: Option<Expr> = None;
        for (coefficient, atom) in &form.terms {
            let mut value = self.atom_value(atom, span)?;
            if *coefficient != 1 {
                let factor = self.integer(*coefficient, Elem::I64, span)?;
                value = self.node(
                    ExprKind::Binary(BinaryOp::Mul, value, factor),
                    Elem::I64,
                    span,
                )?;
            }
            sum = Some(match sum {
                None => value,
                Some(sum) => {
                    self.node(ExprKind::Binary(BinaryOp::Add, sum, value), Elem::I64, span)?
                }
            });
        }
        let constant = self.integer(form.constant, Elem::I64, span)?;
        match sum {
            None => Ok(constant),
            Some(sum) if form.constant == 0 => Ok(sum),
            Some(sum) => self.node(
                ExprKind::Binary(BinaryOp::Add, sum, constant),
                Elem::I64,
                span,
            ),
        }
    }

    fn atom_value(&mut self, atom: &Atom, span: Span) -> Lowered<Expr> {
        match atom {
            Atom::Index(index) => self.node(ExprKind::Index(*index), Elem::I64, span),
            Atom::Div(a, by) => self.floor_value(BinaryOp::Div, a, *by, span),
            Atom::Mod(a, by) => self.floor_value(BinaryOp::Rem, a, *by, span),
            Atom::Clamp(a, low, high) => {
                let value = self.form_value(a, span)?;
                let low = self.integer(*low, Elem::I64, span)?;
                let high = self.integer(*high, Elem::I64, span)?;
                let value =
                    self.node(ExprKind::Binary(BinaryOp::Max, value, low), Elem::I64, span)?;
                self.node(
                    ExprKind::Binary(BinaryOp::Min, value, high),
                    Elem::I64,
                    span,
                )
            }
        }
    }

    fn floor_value(&mut self, op: BinaryOp, a: &Affine, by: i64, span: Span) -> Lowered<Expr> {
        let range = affine::range(a, &|index| self.func.indices[index].extent);
        let a = self.form_value(a, span)?;
        let by = self.integer(by, Elem::I64, span)?;
        self.floor_divide(op, (a, by), range.is_some_and(|(low, _)| low >= 0), span)
    }
}

fn visit_operands(kind: &ExprKind, visit: &mut impl FnMut(Expr)) {
    map_operands(kind, &mut |e| {
        visit(e);
        e
    });
}

/// The same operation on other operands.
fn map_operands(kind: &ExprKind, map: &mut impl FnMut(Expr) -> Expr) -> ExprKind {
    match kind {
        ExprKind::Float(_) | ExprKind::Int(_) | ExprKind::Index(_) => kind.clone(),
        ExprKind::Load { tensor, at, border } => ExprKind::Load {
            tensor: *tensor,
            at: at.clone(),
            border: border.map(map),
        },
        ExprKind::Gather {
            tensor,
            index,
            dim,
            at,
            border,
        } => {
            let index = map(*index);
            ExprKind::Gather {
                tensor: *tensor,
                index,
                dim: *dim,
                at: at.clone(),
                border: border.map(map),
            }
        }
        ExprKind::Unary(op, a) => ExprKind::Unary(*op, map(*a)),
        ExprKind::Binary(op, a, b) => {
            let a = map(*a);
            ExprKind::Binary(*op, a, map(*b))
        }
        ExprKind::Compare(op, a, b) => {
            let a = map(*a);
            ExprKind::Compare(*op, a, map(*b))
        }
        ExprKind::Select(c, a, b) => {
            let (c, a) = (map(*c), map(*a));
            ExprKind::Select(c, a, map(*b))
        }
        ExprKind::Cast {
            value,
            round,
            overflow,
        } => ExprKind::Cast {
            value: map(*value),
            round: *round,
            overflow: *overflow,
        },
        ExprKind::Reduce(reduce) => {
            let mask = reduce.mask.map(&mut *map);
            let body = map(reduce.body);
            ExprKind::Reduce(Box::new(Reduce {
                mask,
                body,
                ..(**reduce).clone()
            }))
        }
    }
}

/// Keeps the definitions, tensors, expressions and indices that the results need.
pub(super) fn compact(func: Func) -> Func {
    compact_indices(compact_exprs(drop_unused_tensors(func)))
}

/// Removes definitions that no result needs, and their tensors.
fn drop_unused_tensors(mut func: Func) -> Func {
    let mut needed: BTreeSet<Tensor> = func.params.iter().chain(&func.results).copied().collect();
    let mut kept = Vec::new();
    // Backwards: the users of a tensor come after its definition.
    for def in std::mem::take(&mut func.defs).into_iter().rev() {
        if needed.contains(&def.target) {
            visit_tensors(&func, def.value, &mut |tensor| {
                needed.insert(tensor);
            });
            kept.push(def);
        }
    }
    kept.reverse();
    func.defs = kept;
    let old = std::mem::take(&mut func.tensors);
    let mut places: BTreeMap<Tensor, Tensor> = BTreeMap::new();
    for (tensor, data) in old.iter() {
        if needed.contains(&tensor) {
            places.insert(tensor, func.tensors.push(data.clone()));
        }
    }
    let place = |tensor: &mut Tensor| *tensor = places.get(tensor).copied().unwrap_or(*tensor);
    func.params.iter_mut().for_each(place);
    func.results.iter_mut().for_each(place);
    func.defs.iter_mut().for_each(|def| place(&mut def.target));
    let there = |tensor: &Tensor| places.get(tensor).copied();
    func.regrouped = func.regrouped.iter().filter_map(there).collect();
    for merge in &mut func.merges {
        for field in &mut merge.fields {
            *field = field.as_ref().and_then(there);
        }
    }
    for data in func.exprs.values_mut() {
        if let ExprKind::Load { tensor, .. } | ExprKind::Gather { tensor, .. } = &mut data.kind {
            place(tensor);
        }
    }
    func
}

/// Calls `visit` with every tensor that an expression reads.
fn visit_tensors(func: &Func, root: Expr, visit: &mut impl FnMut(Tensor)) {
    let mut seen = BTreeSet::new();
    let mut open = vec![root];
    while let Some(e) = open.pop() {
        if !seen.insert(e) {
            continue;
        }
        let kind = &func.exprs[e].kind;
        if let ExprKind::Load { tensor, .. } | ExprKind::Gather { tensor, .. } = kind {
            visit(*tensor);
        }
        visit_operands(kind, &mut |operand| open.push(operand));
    }
}

fn compact_exprs(mut func: Func) -> Func {
    let old = std::mem::take(&mut func.exprs);
    let mut needed: BTreeSet<Expr> = BTreeSet::new();
    let mut open: Vec<Expr> = func.defs.iter().map(|def| def.value).collect();
    while let Some(e) = open.pop() {
        if needed.insert(e) {
            visit_operands(&old[e].kind, &mut |operand| open.push(operand));
        }
    }
    let mut places: BTreeMap<Expr, Expr> = BTreeMap::new();
    for e in needed {
        let data = &old[e];
        let kind = map_operands(&data.kind, &mut |operand| {
            places.get(&operand).copied().unwrap_or(operand)
        });
        places.insert(
            e,
            func.exprs.push(ExprData {
                kind,
                ..data.clone()
            }),
        );
    }
    for def in &mut func.defs {
        def.value = places.get(&def.value).copied().unwrap_or(def.value);
    }
    func
}

fn compact_indices(mut func: Func) -> Func {
    let old = std::mem::take(&mut func.indices);
    let mut used: BTreeSet<Index> = func
        .defs
        .iter()
        .flat_map(|def| def.indices.iter().copied())
        .collect();
    for data in func.exprs.values() {
        if let ExprKind::Reduce(reduce) = &data.kind {
            used.extend(reduce.axes.iter().copied());
        }
    }
    let map: Vec<(Index, Index)> = used
        .into_iter()
        .map(|index| (index, func.indices.push(old[index].clone())))
        .collect();
    let lookup: BTreeMap<Index, Index> = map.iter().copied().collect();
    let place = |index: &mut Index| *index = lookup.get(index).copied().unwrap_or(*index);
    func.defs
        .iter_mut()
        .flat_map(|def| def.indices.iter_mut())
        .for_each(place);
    for data in func.exprs.values_mut() {
        match &mut data.kind {
            ExprKind::Reduce(reduce) => reduce.axes.iter_mut().for_each(place),
            ExprKind::Index(index) => place(index),
            ExprKind::Load { at, .. } | ExprKind::Gather { at, .. } => {
                at.iter_mut().for_each(|a| renumber(a, &lookup))
            }
            ExprKind::Float(_)
            | ExprKind::Int(_)
            | ExprKind::Unary(..)
            | ExprKind::Binary(..)
            | ExprKind::Compare(..)
            | ExprKind::Select(..)
            | ExprKind::Cast { .. } => {}
        }
    }
    func
}

fn renumber(a: &mut Affine, lookup: &BTreeMap<Index, Index>) {
    for (_, atom) in &mut a.terms {
        match atom {
            Atom::Index(index) => *index = lookup.get(index).copied().unwrap_or(*index),
            Atom::Div(a, _) | Atom::Mod(a, _) | Atom::Clamp(a, _, _) => renumber(a, lookup),
        }
    }
}

/// A tensor's element type.
pub(super) fn elem_of(func: &Func, tensor: Tensor) -> Elem {
    func.tensors[tensor].elem
}
