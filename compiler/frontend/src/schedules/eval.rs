//! Sizes and conditions of schedules, by value.

use std::collections::BTreeMap;

use diag::{Diagnostic, Span};
use ir::algo::Func;
use syntax::ast::{BinaryOp, ExprId, ExprKind, File, UnaryOp};

use crate::errors::schedule as errors;

type Result<T> = std::result::Result<T, Box<Diagnostic>>;

/// Expressions and what their names are worth.
pub(super) struct Sizes<'a> {
    pub(super) file: &'a File,
    values: BTreeMap<&'a str, i64>,
    symbolic: Vec<&'a str>,
}

impl<'a> Sizes<'a> {
    pub(super) fn new(file: &'a File, func: &'a Func) -> Sizes<'a> {
        let number = |value: i64| func.symbols.is_symbolic(value);
        let symbolic = func.sizes.iter().filter(|(_, value)| number(*value));
        Sizes {
            file,
            values: (func.sizes.iter())
                .map(|(name, value)| (name.as_str(), *value))
                .collect(),
            symbolic: symbolic.map(|(name, _)| name.as_str()).collect(),
        }
    }

    /// Whether a condition holds.
    pub(super) fn truth(&self, id: ExprId) -> Result<bool> {
        let span = self.file.exprs.span(id);
        match self.file.exprs.kind(id) {
            ExprKind::Bool(value) => Ok(*value),
            ExprKind::Paren(inner) => self.truth(*inner),
            ExprKind::Unary {
                op: UnaryOp::Not,
                operand,
            } => Ok(!self.truth(*operand)?),
            ExprKind::Binary { op, lhs, rhs, .. } => self.compared(*op, *lhs, *rhs, span),
            ExprKind::Error
            | ExprKind::Name(_)
            | ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::NumLetters(_)
            | ExprKind::Hole
            | ExprKind::Call { .. }
            | ExprKind::Reduce { .. }
            | ExprKind::Fold { .. }
            | ExprKind::Scan { .. }
            | ExprKind::Index { .. }
            | ExprKind::Field { .. }
            | ExprKind::Border { .. }
            | ExprKind::Unary { .. }
            | ExprKind::Cast { .. }
            | ExprKind::If { .. } => Err(errors::not_a_condition(span)),
        }
    }

    fn compared(&self, op: BinaryOp, lhs: ExprId, rhs: ExprId, span: Span) -> Result<bool> {
        match op {
            BinaryOp::And => Ok(self.truth(lhs)? && self.truth(rhs)?),
            BinaryOp::Or => Ok(self.truth(lhs)? || self.truth(rhs)?),
            BinaryOp::Eq
            | BinaryOp::Ne
            | BinaryOp::Lt
            | BinaryOp::Le
            | BinaryOp::Gt
            | BinaryOp::Ge => {
                let order = self.value(lhs)?.cmp(&self.value(rhs)?);
                Ok(match op {
                    BinaryOp::Eq => order.is_eq(),
                    BinaryOp::Ne => order.is_ne(),
                    BinaryOp::Lt => order.is_lt(),
                    BinaryOp::Le => order.is_le(),
                    BinaryOp::Gt => order.is_gt(),
                    BinaryOp::Ge
                    | BinaryOp::And
                    | BinaryOp::Or
                    | BinaryOp::Add
                    | BinaryOp::Sub
                    | BinaryOp::Mul
                    | BinaryOp::Div
                    | BinaryOp::Rem
                    | BinaryOp::Pow => order.is_ge(),
                })
            }
            BinaryOp::Add
            | BinaryOp::Sub
            | BinaryOp::Mul
            | BinaryOp::Div
            | BinaryOp::Rem
            | BinaryOp::Pow => Err(errors::not_a_condition(span)),
        }
    }

    /// The value of a size; wide, so that a product of sizes is exact.
    pub(super) fn value(&self, id: ExprId) -> Result<i128> {
        let span = self.file.exprs.span(id);
        match self.file.exprs.kind(id) {
            ExprKind::Int(value) => i128::try_from(*value).map_err(|_| errors::no_size(span)),
            ExprKind::NumLetters(text) => bytes(text).ok_or_else(|| errors::no_size(span)),
            ExprKind::Paren(inner) => self.value(*inner),
            ExprKind::Name(name) if self.symbolic.contains(&name.as_str()) => {
                Err(errors::left_to_the_launch(name, span))
            }
            ExprKind::Name(name) => match self.values.get(name.as_str()) {
                Some(value) => Ok(i128::from(*value)),
                None => {
                    let near = diag::similar(name, self.values.keys().copied());
                    Err(errors::unknown_size(name, span, near))
                }
            },
            ExprKind::Binary { op, lhs, rhs, .. } => {
                let (a, b) = (self.value(*lhs)?, self.value(*rhs)?);
                arithmetic(*op, a, b).ok_or_else(|| errors::no_size(span))
            }
            ExprKind::Error
            | ExprKind::Float(_)
            | ExprKind::Bool(_)
            | ExprKind::Hole
            | ExprKind::Call { .. }
            | ExprKind::Reduce { .. }
            | ExprKind::Fold { .. }
            | ExprKind::Scan { .. }
            | ExprKind::Index { .. }
            | ExprKind::Field { .. }
            | ExprKind::Border { .. }
            | ExprKind::Unary { .. }
            | ExprKind::Cast { .. }
            | ExprKind::If { .. } => Err(errors::no_size(span)),
        }
    }
}

fn arithmetic(op: BinaryOp, a: i128, b: i128) -> Option<i128> {
    match op {
        BinaryOp::Add => a.checked_add(b),
        BinaryOp::Sub => a.checked_sub(b),
        BinaryOp::Mul => a.checked_mul(b),
        BinaryOp::Div if b > 0 => Some(a.div_euclid(b)),
        BinaryOp::Rem if b > 0 => Some(a.rem_euclid(b)),
        BinaryOp::Pow => a.checked_pow(u32::try_from(b).ok()?),
        BinaryOp::Div
        | BinaryOp::Rem
        | BinaryOp::Eq
        | BinaryOp::Ne
        | BinaryOp::Lt
        | BinaryOp::Le
        | BinaryOp::Gt
        | BinaryOp::Ge
        | BinaryOp::And
        | BinaryOp::Or => None,
    }
}

/// `192KiB`.
fn bytes(text: &str) -> Option<i128> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<i128>().ok()?.checked_mul(unit)
}
