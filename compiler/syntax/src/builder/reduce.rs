//! Makes reductions, folds and scans, and tells reductions that lack their body
//! from calls.

use diag::{Diagnostic, Span};

use super::{Builder, HeadArg};
use crate::ast::*;
use crate::errors;

impl Builder<'_> {
    pub(crate) fn reduction(&self, start: u32, end: u32) -> (ReduceOp, Span) {
        let op = ReduceOp::from_word(self.slice(start, end));
        let op = op.expect("prepare: this token is made of the words of reductions only");
        (op, self.span(start, end))
    }

    pub(crate) fn reduce(
        &mut self,
        start: u32,
        (op, op_span): (ReduceOp, Span),
        head: (Vec<HeadArg>, Span),
        body: ExprId,
        end: u32,
    ) -> ExprId {
        let kind = ExprKind::Reduce {
            op,
            op_span,
            head: self.head(head),
            body,
        };
        self.leaf(start, kind, end)
    }

    pub(crate) fn fold(
        &mut self,
        start: u32,
        head: (Vec<HeadArg>, Span),
        monoid: MonoidUse,
        end: u32,
    ) -> ExprId {
        let head = self.head(head);
        self.leaf(start, ExprKind::Fold { head, monoid }, end)
    }

    pub(crate) fn scan_reduce(
        &mut self,
        start: u32,
        index: IxBinder,
        op: Name,
        body: ExprId,
        end: u32,
    ) -> ExprId {
        let kind = match ReduceOp::from_word(&op.text) {
            Some(word) => ExprKind::Scan {
                index,
                body: ScanBody::Reduce {
                    op: word,
                    op_span: op.span,
                    body,
                },
            },
            None => {
                self.diagnostics.push(errors::scan_without_reduction(&op));
                ExprKind::Error
            }
        };
        self.leaf(start, kind, end)
    }

    pub(crate) fn scan_monoid(
        &mut self,
        start: u32,
        index: IxBinder,
        monoid: MonoidUse,
        end: u32,
    ) -> ExprId {
        let body = ScanBody::Monoid(monoid);
        self.leaf(start, ExprKind::Scan { index, body }, end)
    }

    /// A reduction with no operand behind it: of `max` and `min` a call, of the
    /// others a mistake, unless it turns out to be followed by a `-`.
    pub(crate) fn bare_reduction(
        &mut self,
        start: u32,
        (op, op_span): (ReduceOp, Span),
        (args, _): (Vec<HeadArg>, Span),
        end: u32,
    ) -> ExprId {
        let masked = args.iter().any(|a| a.mask.is_some());
        let named = args.iter().any(|a| a.arg.name.is_some());
        let callee = Name {
            text: op.as_str().to_owned(),
            span: op_span,
        };
        let args = args.into_iter().map(|a| a.arg).collect();
        let id = self.leaf(start, ExprKind::Call { callee, args }, end);
        if masked || named || !op.has_call_form() {
            self.bare.push(id);
        }
        id
    }

    /// Sorts the arguments of a head into indices, masks and order.
    fn head(&mut self, (args, span): (Vec<HeadArg>, Span)) -> ReduceHead {
        let mut head = ReduceHead {
            span,
            ..ReduceHead::default()
        };
        for HeadArg { arg, mask } in args {
            self.head_arg(&mut head, arg);
            head.masks.extend(mask);
        }
        head
    }

    fn head_arg(&mut self, head: &mut ReduceHead, arg: Arg) {
        let (name, extent) = match (arg.name, self.file.exprs.kind(arg.value)) {
            (Some(name), _) if name.text == "order" => {
                match head.order {
                    Some(_) => self.diagnostics.push(errors::second_order(&name)),
                    None => head.order = Some(arg.value),
                }
                return;
            }
            (Some(name), _) => (name, Some(arg.value)),
            (None, ExprKind::Name(text)) => {
                let text = text.clone();
                let span = self.file.exprs.span(arg.value);
                (Name { text, span }, None)
            }
            (None, ExprKind::Error) => return,
            (None, _) => {
                let span = self.file.exprs.span(arg.value);
                self.diagnostics.push(errors::index_expected(span));
                return;
            }
        };
        head.indices.push(IxBinder {
            name,
            open: false,
            extent,
        });
    }

    /// The error if this is a reduction whose body was meant to begin with `-`.
    pub(super) fn negated_body(
        &self,
        lhs: ExprId,
        op: BinaryOp,
        rhs: ExprId,
    ) -> Option<Diagnostic> {
        if op != BinaryOp::Sub {
            return None;
        }
        let exprs = &self.file.exprs;
        let ExprKind::Call { callee, args } = exprs.kind(lhs) else {
            return None;
        };
        let word = ReduceOp::from_word(&callee.text)?;
        let meant = self.bare.binary_search(&lhs).is_ok() || !word.has_call_form();
        if !meant && !self.indexed_by(rhs, args) {
            return None;
        }
        let body = Span {
            start: exprs.span(lhs).end,
            ..exprs.span(rhs)
        };
        let text = self.slice(body.start, body.end).trim_start();
        Some(errors::negated_reduction_body(callee, body, text))
    }

    /// Returns whether the first access in `body` has all of `args` as indices.
    /// Values have no such names, so `max(i, j) -x[i, j]` is a reduction.
    fn indexed_by(&self, mut body: ExprId, args: &[Arg]) -> bool {
        let exprs = &self.file.exprs;
        while let ExprKind::Binary { lhs: first, .. }
        | ExprKind::Cast { value: first, .. }
        | ExprKind::Paren(first) = exprs.kind(body)
        {
            body = *first;
        }
        let ExprKind::Index {
            base: _,
            args: used,
        } = exprs.kind(body)
        else {
            return false;
        };
        let is_used = |name: &str| {
            used.iter().any(|arg| match arg {
                IndexArg::Expr(e) => exprs.kind(*e).as_name() == Some(name),
                IndexArg::All(_) | IndexArg::Open(_) => false,
            })
        };
        let is_index = |arg: &Arg| exprs.kind(arg.value).as_name().is_some_and(is_used);
        args.iter().all(is_index)
    }
}
