//! Sizes that stay symbolic: their numbers, proofs that hold for all of them, and what the launch has to check.
//!
//! A symbolic size is lowered as its number ([`ir::symbols`]), so most of lowering does not know of it. What would look
//! at the number itself is here or asks here: bounds are proved from polynomials, conditions become the launch's, and
//! a size that is no product gets a diagnostic. As a proof that nothing else did, the kernel is lowered under two
//! numberings, which must give the same text.

use super::{Frame, Lower, Lowered, build, values};
use crate::Bindings;
use crate::check::bounds::{Proof, ends, prove};
use crate::errors::sizes;
use crate::hir::{self, ExprId, Item};
use crate::poly::{Atom, Poly, Sign, sign};
use diag::{Diagnostic, Span};
use ir::algo::{self, Affine, BinaryOp, CmpOp, Func, UnaryOp};
use ir::symbols::{Numbering, Symbols};
use std::sync::Arc;

/// Binds a kernel whose symbolic sizes are `given.symbolic`.
pub(super) fn bind(
    items: &[Arc<Item>],
    kernel: &Item,
    given: &Bindings,
) -> Result<Func, Vec<Diagnostic>> {
    let known: Vec<&str> = kernel.sizes.iter().map(|s| s.name.as_str()).collect();
    let unknown = |name: &&String| !known.contains(&name.as_str());
    if let Some(name) = given.symbolic.iter().find(unknown) {
        let place = kernel.name_span;
        return Err(vec![sizes::unknown_argument("size", name, place, &known)]);
    }
    if let Some(fixed) = kernel
        .sizes
        .iter()
        .find(|size| size.fixed && given.symbolic.contains(&size.name))
    {
        return Err(vec![sizes::const_is_symbolic(&fixed.name, fixed.span)]);
    }
    let rising = numbered(items, kernel, given, Numbering::Rising)?;
    let falling = numbered(items, kernel, given, Numbering::Falling)?;
    match first_difference(&rising, &falling) {
        None => Ok(rising),
        Some(span) => Err(vec![sizes::needs_fixed(
            "what this means depends on sizes in a way that only their values show",
            span,
        )]),
    }
}

fn numbered(
    items: &[Arc<Item>],
    kernel: &Item,
    given: &Bindings,
    numbering: Numbering,
) -> Result<Func, Vec<Diagnostic>> {
    let names = kernel.sizes.iter().map(|size| size.name.clone());
    let names: Vec<String> = names.filter(|n| given.symbolic.contains(n)).collect();
    let written = literals(items);
    let taken = |n: i64| written.iter().any(|&l| l != 0 && l % i128::from(n) == 0);
    let symbols = Symbols::new(&names, numbering, &taken);
    let mut bound = given.clone();
    for symbol in &symbols.all {
        bound.sizes.insert(symbol.name.clone(), symbol.number);
    }
    let values = values::bind(kernel, &bound)?;
    let mut lower = Lower::new(items, kernel);
    lower.func.symbols = symbols;
    let outcome = lower.kernel(kernel, values);
    if outcome.is_err() || !lower.diagnostics.is_empty() {
        return Err(lower.finished_diagnostics(kernel.span));
    }
    Ok(build::compact(lower.func))
}

/// Integers of the text; the number of a size is no factor of one.
fn literals(items: &[Arc<Item>]) -> Vec<i128> {
    let exprs = items.iter().flat_map(|item| &item.body.exprs);
    let value = |e: &hir::Expr| {
        let hir::ExprKind::Int(value) = e.kind else {
            return None;
        };
        Some(value)
    };
    exprs.filter_map(value).collect()
}

/// Where two lowerings differ: in a definition, or anywhere in the kernel.
fn first_difference(a: &Func, b: &Func) -> Option<Span> {
    let (left, right) = (algo::print::print(a), algo::print::print(b));
    if left == right && a.symbols.conditions == b.symbols.conditions {
        return None;
    }
    // One definition begins on each line that is indented once.
    let definitions = |text: &str| -> Vec<String> {
        let mut all = vec![String::new()];
        for line in text.lines().skip(1) {
            if line.starts_with("    ")
                && !line.starts_with("     ")
                && !line.trim().starts_with('}')
            {
                all.push(String::new());
            }
            if let Some(last) = all.last_mut() {
                last.push_str(line);
            }
        }
        all
    };
    let (left, right) = (definitions(&left), definitions(&right));
    let at = left.iter().zip(&right).position(|(a, b)| a != b);
    let def = at.and_then(|at| a.defs.get(at.checked_sub(1)?));
    Some(def.map_or(a.span, |def| def.span))
}

impl<'a> Lower<'a> {
    /// A size of a frame as a polynomial in the kernel's symbolic sizes.
    pub(super) fn resolved(&self, f: &Frame<'_>, size: &Poly) -> Poly {
        size.replace(&|atom| match atom {
            Atom::Var(v) => f.sizes.get(*v as usize).map(|&n| self.as_poly(n)),
            Atom::Unknown(_) | Atom::Index(_) | Atom::Div(..) | Atom::Mod(..) => None,
        })
    }

    /// Whether a size has a number: it is known, or a product of sizes.
    pub(super) fn has_number(&self, f: &Frame<'_>, size: &Poly) -> bool {
        if self.func.symbols.is_empty() {
            return true;
        }
        let resolved = self.resolved(f, size);
        if resolved.is_poison() || resolved.as_constant().is_some() {
            return true;
        }
        let mut terms = resolved.terms();
        let first = terms.next();
        let product = |atoms: &[Atom]| atoms.iter().all(|a| matches!(a, Atom::Var(_)));
        terms.next().is_none() && first.is_some_and(|(atoms, _)| product(atoms))
    }

    /// A number as a polynomial whose variables are the places of symbolic sizes.
    fn as_poly(&self, number: i64) -> Poly {
        let (factor, places) = self.func.symbols.factors(number);
        let var = |place: usize| Poly::var(u32::try_from(place).unwrap_or(u32::MAX));
        places
            .into_iter()
            .fold(Poly::constant(factor), |product, place| {
                product.mul(&var(place))
            })
    }

    /// Whether a coordinate stays inside for all values of the symbolic sizes.
    pub(super) fn proved_inside(&self, at: &Affine, size: i64) -> bool {
        let extent = |index: u32| {
            let data = self.func.indices.get(algo::Index::from_u32(index));
            data.map_or_else(Poly::poison, |data| self.as_poly(data.extent))
        };
        self.affine_poly(at)
            .is_some_and(|index| prove(&index, &self.as_poly(size), &extent) == Proof::Inside)
    }

    /// Leaves it to the launch to check that a coordinate stays inside.
    pub(super) fn defer_bounds(&mut self, at: &Affine, access: &sizes::Access, size: i64) {
        let extent = |index: u32| {
            let data = self.func.indices.get(algo::Index::from_u32(index));
            data.map_or_else(Poly::poison, |data| self.as_poly(data.extent))
        };
        let found = self.affine_poly(at).and_then(|index| ends(&index, &extent));
        let Some((low, high)) = found else {
            let what = "the launch cannot check this index";
            return self.diagnostics.push(sizes::needs_fixed(what, access.span));
        };
        let one = Poly::constant(1);
        let last = self.as_poly(size).sub(&one);
        for (small, large) in [(Poly::constant(0), low), (high, last)] {
            match sign(&large.sub(&small)) {
                Sign::NonNegative => {}
                Sign::Negative => {
                    let reach = self.show_poly(&if small == Poly::constant(0) {
                        large
                    } else {
                        small
                    });
                    let size = self.func.symbols.show(size);
                    let access = sizes::Access {
                        size,
                        ..access.clone()
                    };
                    self.diagnostics.push(sizes::out_of_bounds(&access, &reach));
                }
                Sign::Unknown => {
                    let text = format!("{} <= {}", self.show_poly(&small), self.show_poly(&large));
                    self.defer(text);
                }
            }
        }
    }

    fn affine_poly(&self, a: &Affine) -> Option<Poly> {
        let mut sum = self.as_poly(a.constant);
        for (coefficient, atom) in &a.terms {
            let atom = match atom {
                algo::Atom::Index(index) => Poly::atom(Atom::Index(index.as_u32())),
                algo::Atom::Div(a, by) => self.affine_poly(a)?.div(&self.as_poly(*by)),
                algo::Atom::Mod(a, by) => self.affine_poly(a)?.rem(&self.as_poly(*by)),
                algo::Atom::Clamp(..) => return None,
            };
            sum = sum.add(&self.as_poly(*coefficient).mul(&atom));
        }
        (!sum.is_poison()).then_some(sum)
    }

    /// Leaves a condition to the launch, if it is one on symbolic sizes; true if it was.
    pub(super) fn defer_condition(&mut self, f: &Frame<'_>, condition: ExprId) -> Lowered<bool> {
        if self.func.symbols.is_empty() || !self.mentions_symbols(f, condition) {
            return Ok(false);
        }
        if let hir::ExprKind::Binary(BinaryOp::And, a, b) = f.item.body[condition].kind
            && self.mentions_symbols(f, a)
            && self.mentions_symbols(f, b)
        {
            return Ok(self.defer_condition(f, a)? && self.defer_condition(f, b)?);
        }
        let Some(text) = self.condition_text(f, condition) else {
            let span = f.item.body[condition].span;
            return self.stop(sizes::needs_fixed(
                "the launch cannot check this condition",
                span,
            ));
        };
        self.learn_bound(f, condition);
        self.defer(text);
        Ok(true)
    }

    /// Leaves an equality of sizes to the launch; true if it has symbolic ones.
    pub(super) fn defer_equality(&mut self, f: &Frame<'_>, left: &Poly, right: &Poly) -> bool {
        let (left, right) = (self.resolved(f, left), self.resolved(f, right));
        let symbolic = |p: &Poly| p.as_constant().is_none();
        if self.func.symbols.is_empty() || !(symbolic(&left) || symbolic(&right)) {
            return false;
        }
        if left != right {
            let text = format!("{} == {}", self.show_poly(&left), self.show_poly(&right));
            self.defer(text);
        }
        true
    }

    fn defer(&mut self, text: String) {
        if !self.func.symbols.conditions.contains(&text) {
            self.func.symbols.conditions.push(text);
        }
    }

    /// A condition that says how large one size may be lets buffers hold it.
    fn learn_bound(&mut self, f: &Frame<'_>, condition: ExprId) {
        let kind = f.item.body[condition].kind.clone();
        if let hir::ExprKind::Binary(BinaryOp::And, a, b) = kind {
            self.learn_bound(f, a);
            return self.learn_bound(f, b);
        }
        let hir::ExprKind::Compare(op, a, b) = kind else {
            return;
        };
        let (op, small, large) = match op {
            CmpOp::Lt | CmpOp::Le | CmpOp::Eq => (op, a, b),
            CmpOp::Gt => (CmpOp::Lt, b, a),
            CmpOp::Ge => (CmpOp::Le, b, a),
            CmpOp::Ne => return,
        };
        let (Some(small), Some(large)) = (self.size_poly(f, small), self.size_poly(f, large))
        else {
            return;
        };
        if let (Some(Atom::Var(place)), Some(most)) = (small.as_atom(), large.as_constant())
            && let Some(symbol) = self.func.symbols.all.get_mut(*place as usize)
        {
            let most = most - i64::from(op == CmpOp::Lt);
            symbol.most = Some(symbol.most.map_or(most, |known| known.min(most)));
        }
    }

    fn mentions_symbols(&self, f: &Frame<'_>, e: ExprId) -> bool {
        match &f.item.body[e].kind {
            hir::ExprKind::Unary(_, a) => self.mentions_symbols(f, *a),
            hir::ExprKind::Binary(_, a, b) | hir::ExprKind::Compare(_, a, b) => {
                self.mentions_symbols(f, *a) || self.mentions_symbols(f, *b)
            }
            hir::ExprKind::Select(c, a, b) => {
                [c, a, b].into_iter().any(|e| self.mentions_symbols(f, *e))
            }
            hir::ExprKind::Cast { value, .. } => self.mentions_symbols(f, *value),
            hir::ExprKind::Size(size) => self.resolved(f, size).as_constant().is_none(),
            hir::ExprKind::ScalarCall(call) => {
                call.args.iter().any(|e| self.mentions_symbols(f, *e))
            }
            hir::ExprKind::Error
            | hir::ExprKind::Int(_)
            | hir::ExprKind::Float(_)
            | hir::ExprKind::Bool(_)
            | hir::ExprKind::Index(_)
            | hir::ExprKind::Local(_)
            | hir::ExprKind::Access { .. }
            | hir::ExprKind::Border { .. }
            | hir::ExprKind::Reduce(_)
            | hir::ExprKind::TensorCall(_)
            | hir::ExprKind::Gather { .. }
            | hir::ExprKind::Scatter(_)
            | hir::ExprKind::Along(_) => false,
        }
    }

    /// A condition over names of symbolic sizes; nothing if it has parts that the launch does not know.
    fn condition_text(&self, f: &Frame<'_>, e: ExprId) -> Option<String> {
        let kind = &f.item.body[e].kind;
        if let hir::ExprKind::Compare(op, a, b) = kind {
            let (a, b) = (self.size_poly(f, *a)?, self.size_poly(f, *b)?);
            let op = match op {
                CmpOp::Eq => "==",
                CmpOp::Ne => "!=",
                CmpOp::Lt => "<",
                CmpOp::Le => "<=",
                CmpOp::Gt => ">",
                CmpOp::Ge => ">=",
            };
            return Some(format!(
                "{} {op} {}",
                self.show_poly(&a),
                self.show_poly(&b)
            ));
        }
        if let hir::ExprKind::Unary(UnaryOp::Not, a) = kind {
            return Some(format!("!({})", self.condition_text(f, *a)?));
        }
        let hir::ExprKind::Binary(op @ (BinaryOp::And | BinaryOp::Or), a, b) = kind else {
            return None;
        };
        let (a, b) = (self.condition_text(f, *a)?, self.condition_text(f, *b)?);
        let op = if *op == BinaryOp::And { "&&" } else { "||" };
        Some(format!("({a}) {op} ({b})"))
    }

    /// Arithmetic on sizes as a polynomial in the symbolic ones.
    fn size_poly(&self, f: &Frame<'_>, e: ExprId) -> Option<Poly> {
        let kind = &f.item.body[e].kind;
        let poly = if let hir::ExprKind::Size(size) = kind {
            self.resolved(f, size)
        } else if let hir::ExprKind::Int(value) = kind {
            Poly::constant(i64::try_from(*value).ok()?)
        } else if let hir::ExprKind::Unary(UnaryOp::Neg, a) = kind {
            self.size_poly(f, *a)?.scale(-1)
        } else if let hir::ExprKind::Binary(op, a, b) = kind {
            let (a, b) = (self.size_poly(f, *a)?, self.size_poly(f, *b)?);
            match op {
                BinaryOp::Add => a.add(&b),
                BinaryOp::Sub => a.sub(&b),
                BinaryOp::Mul => a.mul(&b),
                BinaryOp::Div => a.div(&b),
                BinaryOp::Rem => a.rem(&b),
                BinaryOp::Max
                | BinaryOp::Min
                | BinaryOp::And
                | BinaryOp::Or
                | BinaryOp::Xor
                | BinaryOp::Shl
                | BinaryOp::Shr => return None,
            }
        } else {
            return None;
        };
        (!poly.is_poison()).then_some(poly)
    }

    /// A polynomial in the symbolic sizes as text.
    pub(super) fn show_poly(&self, poly: &Poly) -> String {
        poly.display(&|atom| match atom {
            Atom::Var(place) => {
                let symbol = self.func.symbols.all.get(*place as usize);
                symbol.map_or_else(|| "?".to_owned(), |symbol| symbol.name.clone())
            }
            Atom::Unknown(_) | Atom::Index(_) | Atom::Div(..) | Atom::Mod(..) => "?".to_owned(),
        })
    }
}
