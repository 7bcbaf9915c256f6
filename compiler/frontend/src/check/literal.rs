//! Literals that have no type yet, and giving them one.

use super::cx::Cx;
use crate::errors::{sizes, types};
use crate::hir::{Class, ExprId, ExprKind, Literal, Ty};
use crate::poly::Poly;
use diag::{Diagnostic, Span};
use ir::algo::UnaryOp;
use isa::num::{self, Overflow, Round};
use isa::types::Elem;

impl Cx<'_, '_> {
    /// A float literal as written.
    pub(crate) fn float_literal(&mut self, text: &str, span: Span) -> ExprId {
        let digits: String = text.chars().filter(|c| *c != '_').collect();
        match (digits.parse::<f64>(), digits.parse::<f32>()) {
            (Ok(double), Ok(_)) if double.is_infinite() => {
                let range = format!("the largest value is {:e}", largest(Elem::F32));
                let d = types::literal_out_of_range(text, "f32", span, &range);
                self.fail(d)
            }
            (Ok(double), Ok(single)) => {
                self.scalar(ExprKind::Float(Literal { double, single }), Ty::Float, span)
            }
            // The lexer has said why.
            _ => self.error(span),
        }
    }

    /// Makes an expression agree with a type: literals take it, everything else must have it. Reports if it has not.
    pub(crate) fn coerce(&mut self, e: ExprId, to: Ty, because: Option<(Span, &str)>) -> bool {
        match (self.ty(e), to) {
            (Ty::Error, _) | (_, Ty::Error) => true,
            (from, to) if from == to => true,
            (Ty::Int | Ty::Float, _) => self.retype(e, to),
            (from, to) => {
                let mut operands = Vec::new();
                if widens(from, to) {
                    self.operands(e, &mut operands);
                }
                let d = types::mismatch(
                    &self.ty_name(from),
                    &self.ty_name(to),
                    (self.span(e), self.conversion(e, &self.ty_name(to))),
                    &operands,
                    because,
                );
                self.report(d);
                self.body()[e].ty = Ty::Error;
                false
            }
        }
    }

    /// The operands of arithmetic that have a type of their own; none of anything else.
    fn operands(&self, e: ExprId, found: &mut Vec<Span>) {
        let mut parts = Vec::new();
        if let ExprKind::Binary(_, a, b) = self.item.body[e].kind {
            parts.extend([a, b]);
        } else if let ExprKind::Unary(UnaryOp::Neg, a) = self.item.body[e].kind {
            parts.push(a);
        }
        for part in parts {
            let before = found.len();
            self.operands(part, found);
            let literal = matches!(
                self.item.body[part].kind,
                ExprKind::Int(_) | ExprKind::Float(_)
            );
            if found.len() == before && !literal {
                found.push(self.span(part));
            }
        }
    }

    /// Gives a literal that met no type its default.
    pub(crate) fn settle(&mut self, e: ExprId) -> Ty {
        match self.ty(e) {
            Ty::Int => {
                self.retype(e, Ty::Elem(Elem::I32));
            }
            Ty::Float => {
                self.retype(e, Ty::Elem(Elem::F32));
            }
            Ty::Error | Ty::Elem(_) | Ty::I4 | Ty::Param(_) | Ty::Acc(_) | Ty::Size => {}
        }
        self.ty(e)
    }

    /// Gives a literal, or arithmetic of literals, a type.
    fn retype(&mut self, e: ExprId, to: Ty) -> bool {
        let span = self.span(e);
        let good = match self.item.body[e].kind.clone() {
            ExprKind::Int(value) => self.retype_integer(e, value, to, span),
            ExprKind::Float(value) => self.retype_float(value, to, span),
            ExprKind::Unary(_, a) => self.retype(a, to),
            ExprKind::Binary(_, a, b) | ExprKind::Select(_, a, b) => {
                // Both, so that both are reported.
                self.retype(a, to) & self.retype(b, to) && self.fits_size(e, to, span)
            }
            ExprKind::Error
            | ExprKind::Bool(_)
            | ExprKind::Size(_)
            | ExprKind::Index(_)
            | ExprKind::Local(_)
            | ExprKind::Access { .. }
            | ExprKind::Border { .. }
            | ExprKind::Compare(..)
            | ExprKind::Cast { .. }
            | ExprKind::Reduce(_)
            | ExprKind::ScalarCall(_)
            | ExprKind::TensorCall(_)
            | ExprKind::Along(_)
            | ExprKind::Gather { .. }
            | ExprKind::Scatter(_) => true,
        };
        self.body()[e].ty = if good { to } else { Ty::Error };
        good
    }

    /// Arithmetic of literals that became a size must stay in range.
    fn fits_size(&mut self, e: ExprId, to: Ty, span: Span) -> bool {
        let poisoned = to == Ty::Size && self.to_poly(e).is_some_and(|size| size.is_poison());
        if poisoned {
            self.report(sizes::size_overflow(span, "this size"));
        }
        !poisoned
    }

    fn retype_integer(&mut self, e: ExprId, value: i128, to: Ty, span: Span) -> bool {
        let problem = match to {
            Ty::Elem(Elem::Bool) => {
                let value = (span, Vec::new());
                Some(types::mismatch("integer literal", "bool", value, &[], None))
            }
            Ty::Elem(elem) if elem.is_float() => (!exact_in(elem, value))
                .then(|| types::literal_inexact(&value.to_string(), elem.name(), span)),
            Ty::Elem(elem) => outside(value, elem.name(), integer_range(elem), span),
            Ty::I4 => outside(value, "i4", I4_RANGE, span),
            Ty::Size => match i64::try_from(value) {
                Ok(value) => {
                    self.body()[e].kind = ExprKind::Size(Poly::constant(value));
                    None
                }
                Err(_) => Some(sizes::size_overflow(span, "this number")),
            },
            // Checked when the parameter has a type.
            Ty::Param(_) | Ty::Acc(_) | Ty::Int | Ty::Float | Ty::Error => None,
        };
        let good = problem.is_none();
        self.diagnostics.extend(problem);
        good
    }

    fn retype_float(&mut self, value: Literal, to: Ty, span: Span) -> bool {
        let float = match to {
            Ty::Elem(elem) => elem.is_float(),
            Ty::Param(_) | Ty::Acc(_) => self.class(to) == Some(Class::Float),
            Ty::Float | Ty::Error => true,
            Ty::Int | Ty::I4 | Ty::Size => false,
        };
        let problem = match to {
            _ if !float => Some(types::float_literal_as_integer(&self.ty_name(to), span)),
            Ty::Elem(elem) if value.double.is_finite() && overflows(elem, value) => {
                let range = format!("the largest value is {:e}", largest(elem));
                Some(types::literal_out_of_range(
                    &format!("{:e}", value.double),
                    elem.name(),
                    span,
                    &range,
                ))
            }
            Ty::Elem(_)
            | Ty::I4
            | Ty::Param(_)
            | Ty::Acc(_)
            | Ty::Int
            | Ty::Float
            | Ty::Size
            | Ty::Error => None,
        };
        let good = problem.is_none();
        self.diagnostics.extend(problem);
        good
    }
}

/// The range of `i4`.
const I4_RANGE: (i128, i128) = (-8, 7);

fn outside(
    value: i128,
    name: &str,
    (least, greatest): (i128, i128),
    span: Span,
) -> Option<Diagnostic> {
    let range = format!("the range is {least} to {greatest}");
    (value < least || value > greatest)
        .then(|| types::literal_out_of_range(&value.to_string(), name, span, &range))
}

/// The range of an integer type; of others nothing fits.
pub(crate) fn integer_range(elem: Elem) -> (i128, i128) {
    match elem {
        Elem::I64 => (i128::from(i64::MIN), i128::from(i64::MAX)),
        Elem::I32 => (i128::from(i32::MIN), i128::from(i32::MAX)),
        Elem::I16 => (i128::from(i16::MIN), i128::from(i16::MAX)),
        Elem::I8 => (i128::from(i8::MIN), i128::from(i8::MAX)),
        Elem::U8 => (0, i128::from(u8::MAX)),
        Elem::Bool => (0, 1),
        Elem::F32 | Elem::F16 | Elem::Bf16 => (0, -1),
    }
}

/// A literal rounded to a float type, to nearest even and never saturated, as exact f64.
pub(crate) fn rounded(elem: Elem, value: Literal) -> f64 {
    match elem {
        Elem::F16 => f64::from(num::f16_to_f32(num::f64_to_f16(
            value.double,
            Round::Even,
            Overflow::Keep,
        ))),
        Elem::Bf16 => f64::from(num::bf16_to_f32(num::f64_to_bf16(
            value.double,
            Round::Even,
            Overflow::Keep,
        ))),
        Elem::F32 | Elem::I64 | Elem::I32 | Elem::I16 | Elem::I8 | Elem::U8 | Elem::Bool => {
            f64::from(value.single)
        }
    }
}

/// Whether a float type holds all values of another one.
fn widens(from: Ty, to: Ty) -> bool {
    let narrow = matches!(from, Ty::Elem(Elem::F16 | Elem::Bf16));
    narrow && to == Ty::Elem(Elem::F32)
}

/// Whether an integer is a value of a float type.
pub(crate) fn exact_in(elem: Elem, value: i128) -> bool {
    let double = value as f64;
    let literal = Literal {
        double,
        single: double as f32,
    };
    // A double that is an integer below 2^127 converts back exactly.
    double.abs() < 1e38 && double as i128 == value && rounded(elem, literal) == double
}

fn overflows(elem: Elem, value: Literal) -> bool {
    !rounded(elem, value).is_finite()
}

fn largest(elem: Elem) -> f32 {
    match elem {
        Elem::F16 => num::f16_to_f32(num::F16_MAX),
        Elem::Bf16 => num::bf16_to_f32(num::BF16_MAX),
        Elem::F32 | Elem::I64 | Elem::I32 | Elem::I16 | Elem::I8 | Elem::U8 | Elem::Bool => {
            f32::MAX
        }
    }
}
