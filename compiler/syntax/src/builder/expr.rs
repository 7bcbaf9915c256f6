//! Makes expressions, and an error in the place of one that is too deep.

use diag::Span;

use super::Builder;
use crate::ast::*;
use crate::errors;

/// Expressions without operands of their own kind.
impl Builder<'_> {
    pub(crate) fn leaf(&mut self, start: u32, kind: ExprKind, end: u32) -> ExprId {
        self.push(kind, self.span(start, end))
    }

    pub(crate) fn name_expr(&mut self, name: Name) -> ExprId {
        self.push(ExprKind::Name(name.text), name.span)
    }

    pub(crate) fn int(&mut self, start: u32, end: u32) -> ExprId {
        let text = self.slice(start, end);
        let kind = match text.parse() {
            Ok(value) => ExprKind::Int(value),
            Err(_) => {
                let error = errors::integer_too_large(self.span(start, end));
                self.diagnostics.push(error);
                ExprKind::Error
            }
        };
        self.leaf(start, kind, end)
    }

    pub(crate) fn float(&mut self, start: u32, end: u32) -> ExprId {
        let text = self.slice(start, end).to_owned();
        self.leaf(start, ExprKind::Float(text), end)
    }

    pub(crate) fn num_letters(&mut self, start: u32, end: u32) -> ExprId {
        let text = self.slice(start, end).to_owned();
        self.leaf(start, ExprKind::NumLetters(text), end)
    }
}

/// Expressions with operands.
impl Builder<'_> {
    pub(crate) fn paren(&mut self, start: u32, inner: ExprId, end: u32) -> ExprId {
        self.leaf(start, ExprKind::Paren(inner), end)
    }

    pub(crate) fn border(
        &mut self,
        start: u32,
        access: ExprId,
        otherwise: ExprId,
        end: u32,
    ) -> ExprId {
        self.leaf(start, ExprKind::Border { access, otherwise }, end)
    }

    pub(crate) fn call(&mut self, callee: Name, args: Vec<Arg>, end: u32) -> ExprId {
        let start = callee.span.start;
        self.leaf(start, ExprKind::Call { callee, args }, end)
    }

    pub(crate) fn index(&mut self, base: ExprId, args: Vec<IndexArg>, end: u32) -> ExprId {
        let start = self.file.exprs.span(base).start;
        self.leaf(start, ExprKind::Index { base, args }, end)
    }

    pub(crate) fn field(&mut self, base: ExprId, field: Name) -> ExprId {
        let span = self.file.exprs.span(base).to(field.span);
        self.push(ExprKind::Field { base, field }, span)
    }

    pub(crate) fn unary(&mut self, start: u32, op: UnaryOp, operand: ExprId) -> ExprId {
        let end = self.file.exprs.span(operand).end;
        self.leaf(start, ExprKind::Unary { op, operand }, end)
    }

    pub(crate) fn cast(&mut self, value: ExprId, cast: Cast, end: u32) -> ExprId {
        let start = self.file.exprs.span(value).start;
        self.leaf(start, ExprKind::Cast { value, cast }, end)
    }

    pub(crate) fn if_else(
        &mut self,
        start: u32,
        condition: ExprId,
        then: ExprId,
        otherwise: ExprId,
        end: u32,
    ) -> ExprId {
        let kind = ExprKind::If {
            condition,
            then,
            otherwise,
        };
        self.leaf(start, kind, end)
    }

    pub(crate) fn binary(
        &mut self,
        lhs: ExprId,
        (op, op_span): (BinaryOp, Span),
        rhs: ExprId,
    ) -> ExprId {
        let span = self.file.exprs.span(lhs).to(self.file.exprs.span(rhs));
        let kind = match self.negated_body(lhs, op, rhs) {
            Some(error) => {
                if let Ok(at) = self.bare.binary_search(&lhs) {
                    self.bare.remove(at);
                }
                self.diagnostics.push(error);
                ExprKind::Error
            }
            None => ExprKind::Binary {
                op,
                op_span,
                lhs,
                rhs,
            },
        };
        self.push(kind, span)
    }

    /// A comparison; one whose left operand is a comparison is a chain.
    pub(crate) fn compare(&mut self, lhs: ExprId, op: (BinaryOp, Span), rhs: ExprId) -> ExprId {
        let exprs = &self.file.exprs;
        let ExprKind::Binary {
            op: inner, op_span, ..
        } = exprs.kind(lhs)
        else {
            return self.binary(lhs, op, rhs);
        };
        if !inner.is_comparison() {
            return self.binary(lhs, op, rhs);
        }
        let span = exprs.span(lhs).to(exprs.span(rhs));
        self.diagnostics
            .push(errors::comparison_chain(op.1, *op_span));
        self.push(ExprKind::Error, span)
    }

    /// Adds a node, or an error in its place where the tree would get too deep.
    fn push(&mut self, kind: ExprKind, span: Span) -> ExprId {
        let mut deepest = 0;
        kind.operands(|id| deepest = deepest.max(self.depths[id.0 as usize]));
        let too_deep = deepest >= MAX_DEPTH;
        if deepest == MAX_DEPTH {
            self.diagnostics.push(errors::expression_too_deep(span));
        }
        self.depths.push(deepest + 1);
        let kind = if too_deep { ExprKind::Error } else { kind };
        self.file.exprs.push(Expr { kind, span })
    }
}
