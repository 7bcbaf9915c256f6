//! The tree of a `.vn` file: what was written, with spans and without meaning.
//!
//! Expressions live in one arena per file ([`File::exprs`]) and refer to each
//! other by [`ExprId`]; operands have smaller ids than the node that uses them,
//! so a walk over the arena in order meets operands first and needs no stack.
//! No expression is more than [`MAX_DEPTH`] nodes deep, so recursion is safe.
//! Where the text was wrong the tree has `Error` nodes; the parser has already
//! said why, and later phases stay silent about them.

mod expr;
mod item;
mod schedule;
mod shift;

use std::ops::{Index, IndexMut};

use diag::{FileId, Span};

pub use expr::{
    Arg, BinaryOp, Cast, Expr, ExprKind, IndexArg, MonoidUse, Overflow, ReduceHead, ReduceOp,
    ScanBody, UnaryOp,
};
pub use item::{
    Body, Callable, CallableKind, Const, Dim, Generic, GenericKind, Item, ItemKind, IxBinder,
    Member, Monoid, Param, RecBody, RecField, Returns, Stmt, StmtKind, Type,
};
pub use schedule::{
    Block, Decision, DecisionKind, Expectation, PlaceGroup, Schedule, StreamClause, Target,
    TargetKind,
};
pub use shift::Shift;

/// How many nodes deep an expression may be.
pub const MAX_DEPTH: u32 = 256;

/// One parsed file.
#[derive(Clone, Debug, Default)]
pub struct File {
    /// Which text this is the tree of.
    pub file: FileId,
    /// The items in the order of the text.
    pub items: Vec<Item>,
    /// All expressions of the file.
    pub exprs: Exprs,
    /// How many expressions there are up to the end of each item; those of an item follow those of the one before.
    /// Of a tree that was parsed, not of one that was made from it.
    pub bounds: Vec<u32>,
    /// The `//! key: value` lines at the top.
    pub directives: Vec<Directive>,
}

/// A line `//! key: value` at the top of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// The word before the colon.
    pub key: String,
    /// The rest of the line, trimmed.
    pub value: String,
    /// The whole line.
    pub span: Span,
}

/// A name where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The name.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

/// An expression of the file's arena. Ids are given in the order of completion:
/// operands before the node that uses them.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExprId(pub u32);

/// The arena of a file's expressions.
#[derive(Clone, Debug, Default)]
pub struct Exprs {
    nodes: Vec<Expr>,
}

impl Exprs {
    /// Adds a node whose operands were added before.
    pub fn push(&mut self, node: Expr) -> ExprId {
        let id = ExprId(u32::try_from(self.nodes.len()).expect("fewer nodes than bytes of text"));
        self.nodes.push(node);
        id
    }

    /// The span of an expression.
    pub fn span(&self, id: ExprId) -> Span {
        self[id].span
    }

    /// The kind of an expression.
    pub fn kind(&self, id: ExprId) -> &ExprKind {
        &self[id].kind
    }

    /// The expression inside any number of parentheses.
    pub fn unparen(&self, mut id: ExprId) -> ExprId {
        while let ExprKind::Paren(inner) = self[id].kind {
            id = inner;
        }
        id
    }

    /// The nodes and their ids, operands first.
    pub fn iter(&self) -> impl Iterator<Item = (ExprId, &Expr)> {
        (0..).map(ExprId).zip(&self.nodes)
    }

    /// The nodes in a range of ids.
    pub fn range(&self, ids: std::ops::Range<u32>) -> &[Expr] {
        let range = ids.start as usize..ids.end as usize;
        self.nodes.get(range).unwrap_or_default()
    }

    /// Puts other nodes in the place of a range of ids. The caller moves the ids behind it.
    pub(crate) fn splice(&mut self, ids: std::ops::Range<u32>, nodes: Vec<Expr>) {
        self.nodes
            .splice(ids.start as usize..ids.end as usize, nodes);
    }

    /// The nodes from an id, to be moved.
    pub(crate) fn behind(&mut self, id: u32) -> &mut [Expr] {
        self.nodes.get_mut(id as usize..).unwrap_or_default()
    }

    /// The number of nodes.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Returns whether there are no nodes.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}

impl Index<ExprId> for Exprs {
    type Output = Expr;

    fn index(&self, id: ExprId) -> &Expr {
        &self.nodes[id.0 as usize]
    }
}

impl IndexMut<ExprId> for Exprs {
    fn index_mut(&mut self, id: ExprId) -> &mut Expr {
        &mut self.nodes[id.0 as usize]
    }
}
