//! Makes the nodes of the tree on behalf of the grammar: owns the arena, limits
//! the depth, and reports what the grammar accepts although it is wrong.

use std::cell::Cell;

use diag::{Diagnostic, FileId, Span};
use lalrpop_util::{ErrorRecovery, ParseError};

use crate::ast::*;
use crate::errors;
use crate::token::Token;

/// A token with its place.
pub(crate) type Spanned = (u32, Token, u32);

/// After so many rejected tokens the rest of a file is not read: it is no `.vn`
/// text, and each costs the parser a search for what it expected.
pub(crate) const MAX_REJECTED: usize = 200;

/// What stands between two commas in the head of a reduction.
pub(crate) struct HeadArg {
    pub(crate) arg: Arg,
    pub(crate) mask: Option<ExprId>,
}

/// The state of one parse.
pub(crate) struct Builder<'t> {
    text: &'t str,
    tokens: &'t [Spanned],
    /// The number of rejected tokens, which the source of tokens watches.
    count: &'t Cell<usize>,
    pub(crate) file: File,
    /// What is wrong in places that the grammar accepted.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// What the grammar did not accept, in the order of the text.
    pub(crate) rejected: Vec<ParseError<u32, Token, ()>>,
    /// What was left out for it: tree nodes in there are orphans.
    pub(crate) left_out: Vec<Span>,
    /// How many nodes deep each expression is.
    depths: Vec<u32>,
    /// The first expression of the item at hand.
    item_start: u32,
    /// Reductions without a body that have not been reported.
    ///
    /// Invariant: ascending.
    bare: Vec<ExprId>,
}

impl<'t> Builder<'t> {
    pub(crate) fn new(
        file: FileId,
        text: &'t str,
        tokens: &'t [Spanned],
        count: &'t Cell<usize>,
    ) -> Builder<'t> {
        Builder {
            text,
            tokens,
            count,
            file: File {
                file,
                ..File::default()
            },
            diagnostics: Vec::new(),
            rejected: Vec::new(),
            left_out: Vec::new(),
            depths: Vec::new(),
            item_start: 0,
            bare: Vec::new(),
        }
    }

    pub(crate) fn span(&self, start: u32, end: u32) -> Span {
        let file = self.file.file;
        Span { file, start, end }
    }

    fn slice(&self, start: u32, end: u32) -> &'t str {
        self.text.get(start as usize..end as usize).unwrap_or("")
    }

    pub(crate) fn name(&self, start: u32, end: u32) -> Name {
        Name {
            text: self.slice(start, end).to_owned(),
            span: self.span(start, end),
        }
    }

    /// A quoted name without its quotes.
    pub(crate) fn string(&self, start: u32, end: u32) -> Name {
        Name {
            text: self.slice(start, end).trim_matches('"').to_owned(),
            span: self.span(start, end),
        }
    }
}

/// Recovery.
impl Builder<'_> {
    /// Notes a mistake and returns the place of what is left out for it.
    pub(crate) fn recover(
        &mut self,
        start: u32,
        recovery: ErrorRecovery<u32, Token, ()>,
        end: u32,
    ) -> Span {
        let span = self.span(start, end.max(start));
        self.rejected.push(recovery.error);
        self.count.set(self.rejected.len());
        self.left_out.push(span);
        span
    }

    pub(crate) fn broken_stmt(
        &mut self,
        start: u32,
        recovery: ErrorRecovery<u32, Token, ()>,
        end: u32,
    ) -> Stmt {
        Stmt {
            kind: StmtKind::Error,
            span: self.recover(start, recovery, end),
        }
    }

    pub(crate) fn broken_item(
        &mut self,
        start: u32,
        recovery: ErrorRecovery<u32, Token, ()>,
        end: u32,
    ) {
        let span = self.recover(start, recovery, end);
        let name = self.declared_name(span);
        self.push_item(false, ItemKind::Error { name }, span);
    }

    /// The name behind the first declaring word of a left out item.
    fn declared_name(&self, span: Span) -> Option<Name> {
        let first = self.tokens.partition_point(|t| t.0 < span.start);
        let inside = self.tokens[first..].iter().take_while(|t| t.0 < span.end);
        let mut pairs = inside.clone().zip(inside.skip(1));
        let declares =
            |t: Token| matches!(t, Token::Kernel | Token::Fn | Token::Monoid | Token::Const);
        let (_, name) = pairs.find(|(word, name)| declares(word.1) && name.1.is_name())?;
        Some(self.name(name.0, name.2))
    }
}

/// Items.
impl Builder<'_> {
    pub(crate) fn item(&mut self, start: u32, public: bool, kind: ItemKind, end: u32) {
        self.report_bare_reductions();
        if !matches!(kind, ItemKind::Schedule(_)) {
            self.report_schedule_words();
        }
        let span = self.span(start, end);
        self.push_item(public, kind, span);
    }

    fn push_item(&mut self, public: bool, kind: ItemKind, span: Span) {
        self.item_start = u32::try_from(self.file.exprs.len()).unwrap_or(u32::MAX);
        self.bare.clear();
        self.file.items.push(Item {
            docs: Vec::new(),
            public,
            kind,
            span,
        });
    }

    pub(crate) fn callable(&mut self, callable: Callable) -> ItemKind {
        let name = &callable.name;
        let reduction = ReduceOp::from_word(&name.text).is_some();
        if reduction || name.text == "fold" || name.text == "scan" {
            let error = errors::reduction_as_item_name(name);
            self.diagnostics.push(error);
        }
        ItemKind::Callable(callable)
    }

    /// Reports `sum(k)` with nothing behind it; `max(a, b)` is a call.
    fn report_bare_reductions(&mut self) {
        for id in std::mem::take(&mut self.bare) {
            let node = &mut self.file.exprs[id];
            if let ExprKind::Call { callee, .. } = &node.kind {
                let error = errors::reduction_without_body(callee, node.span);
                self.diagnostics.push(error);
                node.kind = ExprKind::Error;
            }
        }
    }

    /// Reports numbers with letters and holes outside of schedules.
    fn report_schedule_words(&mut self) {
        let end = u32::try_from(self.file.exprs.len()).unwrap_or(u32::MAX);
        for id in (self.item_start..end).map(ExprId) {
            let node = &mut self.file.exprs[id];
            let error = match &node.kind {
                ExprKind::NumLetters(text) => errors::number_with_letters(text, node.span),
                ExprKind::Hole => errors::hole_outside_schedule(node.span),
                ExprKind::Error
                | ExprKind::Name(_)
                | ExprKind::Int(_)
                | ExprKind::Float(_)
                | ExprKind::Bool(_)
                | ExprKind::Paren(_)
                | ExprKind::Call { .. }
                | ExprKind::Reduce { .. }
                | ExprKind::Fold { .. }
                | ExprKind::Scan { .. }
                | ExprKind::Index { .. }
                | ExprKind::Field { .. }
                | ExprKind::Border { .. }
                | ExprKind::Unary { .. }
                | ExprKind::Binary { .. }
                | ExprKind::Cast { .. }
                | ExprKind::If { .. } => continue,
            };
            self.diagnostics.push(error);
            node.kind = ExprKind::Error;
        }
    }
}

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

/// Reductions.
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
    fn negated_body(&self, lhs: ExprId, op: BinaryOp, rhs: ExprId) -> Option<Diagnostic> {
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
