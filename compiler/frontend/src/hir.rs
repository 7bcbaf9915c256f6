//! The checked program: what names mean, what types and symbolic shapes expressions have.
//!
//! Owned data without borrowed syntax. One [`Item`] per kernel or function; a [`Body`] has arenas of locals, indices and
//! expressions. Everything is parametric in the item's size variables ([`Poly`]) and type parameters ([`Ty::Param`]);
//! `lower` gives them values. Operands precede the expressions that use them.

use crate::poly::Poly;
use diag::Span;
use ir::algo::{BinaryOp, CmpOp, Order, Overflow, ReduceOp, Round, UnaryOp};
use isa::types::Elem;

/// A kernel or function of the program, by position.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ItemId(pub(crate) usize);

/// A parameter, result or `let` of a body.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LocalId(pub(crate) usize);

/// An index of a body.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct IndexId(pub(crate) usize);

/// An expression of a body.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ExprId(pub(crate) usize);

/// The type of an expression.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ty {
    /// Something was wrong and has been reported; agrees with everything.
    Error,
    /// An element type.
    Elem(Elem),
    /// Four bits, two to a byte in memory: only stored, loaded, converted and multiplied in a sum.
    I4,
    /// A type parameter of the item.
    Param(usize),
    /// What a sum of that type parameter accumulates in.
    Acc(usize),
    /// An integer literal that has not met a type.
    Int,
    /// A float literal that has not met a type.
    Float,
    /// Indices and sizes.
    Size,
}

/// A class of element types.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// `f32 f16 bf16`.
    Float,
    /// `i32 i16 i8 u8`.
    Int,
    /// Both.
    Num,
}

impl Class {
    /// The word of the language.
    pub fn name(self) -> &'static str {
        match self {
            Class::Float => "float",
            Class::Int => "int",
            Class::Num => "num",
        }
    }

    /// Whether an element type belongs to the class.
    pub fn admits(self, elem: Elem) -> bool {
        match self {
            Class::Float => elem.is_float(),
            Class::Int => elem.is_int() && elem != Elem::I64,
            Class::Num => Class::Float.admits(elem) || Class::Int.admits(elem),
        }
    }

    pub(crate) fn includes(self, other: Class) -> bool {
        self == Class::Num || self == other
    }
}

/// What sort of item it is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum ItemKind {
    Kernel,
    TensorFn,
    ScalarFn,
}

/// A kernel or function.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) kind: ItemKind,
    pub(crate) name: String,
    pub(crate) name_span: Span,
    pub(crate) span: Span,
    /// Size variables in the order of the signature.
    pub(crate) sizes: Vec<Named>,
    pub(crate) types: Vec<TypeParam>,
    /// How many of the body's first locals are parameters.
    pub(crate) params: usize,
    /// How many locals behind them are results; of a scalar function none.
    pub(crate) results: usize,
    /// The type of a scalar function's value.
    pub(crate) scalar: Ty,
    pub(crate) order_free: bool,
    pub(crate) body: Body,
    /// Whether the signature is too broken to check calls against.
    pub(crate) broken: bool,
    /// Whether definitions are missing because of an error.
    pub(crate) incomplete: bool,
}

/// A name and its place.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) span: Span,
    /// `const S`: never symbolic.
    pub(crate) fixed: bool,
}

/// `T: float`.
#[derive(Clone, Debug)]
pub(crate) struct TypeParam {
    pub(crate) name: String,
    pub(crate) span: Span,
    pub(crate) class: Class,
}

/// A body's arenas and statements.
#[derive(Clone, Debug, Default)]
pub(crate) struct Body {
    pub(crate) locals: Vec<Local>,
    pub(crate) indices: Vec<Index>,
    pub(crate) exprs: Vec<Expr>,
    /// In dependence order.
    pub(crate) stmts: Vec<Stmt>,
    /// Conditions on sizes: `where` and `assert`.
    pub(crate) conditions: Vec<ExprId>,
    /// Equalities of sizes that need values to decide.
    pub(crate) equalities: Vec<Equality>,
    pub(crate) tail: Option<ExprId>,
}

/// A tensor or scalar of a body.
#[derive(Clone, Debug)]
pub(crate) struct Local {
    pub(crate) name: String,
    pub(crate) span: Span,
    pub(crate) ty: Ty,
    /// Nothing if that is not known because of an error.
    pub(crate) shape: Option<Vec<Poly>>,
}

/// An index.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    pub(crate) name: String,
    pub(crate) span: Span,
    pub(crate) extent: Poly,
}

/// `left = right`, to be decided with values.
#[derive(Clone, Debug)]
pub(crate) struct Equality {
    pub(crate) what: String,
    pub(crate) left: Poly,
    pub(crate) left_span: Span,
    pub(crate) right: Poly,
    pub(crate) right_span: Span,
}

/// A definition.
#[derive(Clone, Debug)]
pub(crate) struct Stmt {
    pub(crate) kind: StmtKind,
    pub(crate) span: Span,
}

/// What a definition is.
#[derive(Clone, Debug)]
pub(crate) enum StmtKind {
    /// `t[i, j] = value` with a scalar value.
    Indexed {
        target: LocalId,
        indices: Vec<IndexId>,
        value: ExprId,
    },
    /// `t[i, 2*p] = …; t[i, 2*p + 1] = …`: together they define every element once.
    Parts { target: LocalId, parts: Vec<Part> },
    /// `t = value` with a value of the same shape.
    Whole { target: LocalId, value: ExprId },
    /// `(a, b) = f(x)`: the value is a `TensorCall`.
    Tuple {
        targets: Vec<LocalId>,
        value: ExprId,
    },
    /// `st[h, i] = fold(j) monoid(…)`: defines one local a field.
    Fold(Box<Fold>),
}

/// A fold, or a scan with a monoid, which is a fold whose mask is the prefix.
#[derive(Clone, Debug)]
pub(crate) struct Fold {
    /// The author's name of the record.
    pub(crate) name: String,
    /// The locals of the fields, in the order of the monoid.
    pub(crate) targets: Vec<LocalId>,
    /// The indices on the left.
    pub(crate) indices: Vec<IndexId>,
    /// The index that is folded.
    pub(crate) index: IndexId,
    pub(crate) masks: Vec<ExprId>,
    /// Items that are absorbed at once, if that is fixed.
    pub(crate) blocks: Option<Poly>,
    /// The monoid's `block`; its arguments are [`ExprKind::Along`], its last size is the number of items.
    pub(crate) call: Call,
    /// The monoid's `merge`.
    pub(crate) merge: ItemId,
    /// The monoid's fields of nothing.
    pub(crate) identity: ItemId,
}

/// One of several statements that define a tensor together.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// The coordinates on the left side, in terms of the part's indices.
    pub(crate) left: Vec<ExprId>,
    pub(crate) indices: Vec<IndexId>,
    pub(crate) value: ExprId,
    pub(crate) span: Span,
}

/// An expression.
#[derive(Clone, Debug)]
pub(crate) struct Expr {
    pub(crate) kind: ExprKind,
    pub(crate) ty: Ty,
    /// Extents; empty for one value.
    pub(crate) shape: Vec<Poly>,
    pub(crate) span: Span,
}

/// What an expression is.
#[derive(Clone, Debug)]
pub(crate) enum ExprKind {
    /// Was wrong and has been reported.
    Error,
    Int(i128),
    Float(Literal),
    Bool(bool),
    /// A size without indices.
    Size(Poly),
    Index(IndexId),
    /// All of a local; of rank 0 its value.
    Local(LocalId),
    /// `base[at]`; a coordinate that is left open remains a dimension.
    Access {
        base: ExprId,
        at: Vec<Option<ExprId>>,
    },
    /// An access to one element and its value outside.
    Border {
        access: ExprId,
        otherwise: ExprId,
    },
    Unary(UnaryOp, ExprId),
    Binary(BinaryOp, ExprId, ExprId),
    Compare(CmpOp, ExprId, ExprId),
    Select(ExprId, ExprId, ExprId),
    Cast {
        value: ExprId,
        round: Round,
        overflow: Overflow,
    },
    Reduce(Box<Reduce>),
    ScalarCall(Box<Call>),
    TensorCall(Box<Call>),
    /// `gather(table, index)`: the table without its first dimension.
    Gather {
        table: ExprId,
        index: ExprId,
    },
    /// `scatter(base, index, source, op: …)`.
    Scatter(Box<Scatter>),
    /// The values of an expression for all values of an index, as a leading dimension; an argument of a fold.
    Along(ExprId),
}

/// A float literal, rounded from its decimal digits to both widths.
#[derive(Copy, Clone, Debug, PartialEq)]
pub(crate) struct Literal {
    pub(crate) double: f64,
    pub(crate) single: f32,
}

/// A reduction.
#[derive(Clone, Debug)]
pub(crate) struct Reduce {
    pub(crate) op: ReduceOp,
    pub(crate) axes: Vec<IndexId>,
    pub(crate) masks: Vec<ExprId>,
    pub(crate) body: ExprId,
    /// As written.
    pub(crate) order: Option<Order>,
}

/// What a scatter does where an index points.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum ScatterOp {
    /// The last one stays.
    Set,
    /// They are summed, the base first.
    Add,
    /// The largest stays.
    Max,
    /// The least stays.
    Min,
}

/// A scatter.
#[derive(Clone, Debug)]
pub(crate) struct Scatter {
    pub(crate) op: ScatterOp,
    pub(crate) base: ExprId,
    pub(crate) index: ExprId,
    pub(crate) source: ExprId,
}

/// A call with its generic arguments resolved.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) item: ItemId,
    pub(crate) sizes: Vec<Poly>,
    pub(crate) types: Vec<Ty>,
    pub(crate) args: Vec<ExprId>,
}

macro_rules! arena {
    ($id:ident, $field:ident, $node:ident) => {
        impl std::ops::Index<$id> for Body {
            type Output = $node;

            fn index(&self, id: $id) -> &$node {
                &self.$field[id.0]
            }
        }

        impl std::ops::IndexMut<$id> for Body {
            fn index_mut(&mut self, id: $id) -> &mut $node {
                &mut self.$field[id.0]
            }
        }
    };
}

arena!(LocalId, locals, Local);
arena!(IndexId, indices, Index);
arena!(ExprId, exprs, Expr);

impl Item {
    /// Parameters, in order.
    pub(crate) fn param_locals(&self) -> &[Local] {
        self.body.locals.get(..self.params).unwrap_or(&[])
    }

    /// Results, in order.
    pub(crate) fn result_locals(&self) -> &[Local] {
        self.body
            .locals
            .get(self.params..self.params + self.results)
            .unwrap_or(&[])
    }
}

impl Body {
    pub(crate) fn push(&mut self, expr: Expr) -> ExprId {
        self.exprs.push(expr);
        ExprId(self.exprs.len() - 1)
    }
}
