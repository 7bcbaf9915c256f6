//! Makes the nodes of the tree on behalf of the grammar: owns the arena, limits
//! the depth, and reports what the grammar accepts although it is wrong.

mod expr;
mod reduce;

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
        self.file.bounds.push(self.item_start);
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

/// The parts of a name with dots as one: a definition of an inlined call is `s.top`.
pub(crate) fn dotted(path: Vec<Name>) -> Name {
    let mut parts = path.into_iter();
    let first = parts.next();
    let empty = || Name {
        text: String::new(),
        span: Span::NONE,
    };
    parts.fold(first.unwrap_or_else(empty), |all, part| Name {
        text: format!("{}.{}", all.text, part.text),
        span: all.span.to(part.span),
    })
}

/// A definition and its index, or an index alone.
pub(crate) fn of_index(mut path: Vec<Name>) -> (Name, Option<Name>) {
    let index = match path.len() {
        0 | 1 => None,
        _ => path.pop(),
    };
    (dotted(path), index)
}
