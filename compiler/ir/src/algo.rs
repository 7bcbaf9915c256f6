//! Algorithm IR: pure definitions over named indices with bound sizes.
//!
//! A [`Func`] owns arenas of tensors, indices and expressions, and a list of definitions in dependence order. A
//! definition `t[i, j] = expr` gives every element of one tensor; its expression is rank 0 once its indices (and those
//! of the reductions inside) have values. Whole-tensor calls and operators, scalar and tensor functions, size and type
//! parameters are gone: the front end inlined and bound them. Built-ins that no engine has (`tanh`, `erf` …) are gone
//! too: they are expanded to the operations below by the prelude.
//!
//! What fixes bits is here and nothing else does: element types, roundings, reduction orders.
//!
//! Start with [`mod@eval`], which says what it all means; [`mod@verify`] has the invariants, [`mod@print`] the text.

pub mod bound;
pub mod data;
pub mod eval;
mod facts;
pub mod print;
mod query;
mod renumber;
#[cfg(test)]
mod sample;
pub mod verify;

use std::collections::BTreeSet;

use cranelift_entity::{PrimaryMap, entity_impl};
use diag::Span;
use isa::types::Elem;
use smallvec::SmallVec;

use crate::schedule::Schedule;
use crate::symbols::Symbols;

pub use isa::num::{Overflow, Round};

/// A tensor: parameter, named result or intermediate. Its numeric order is the order of creation, no more.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tensor(u32);
entity_impl!(Tensor, "t");

/// An index variable with its extent; local to the definition or reduction that binds it.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Index(u32);
entity_impl!(Index, "i");

/// A node of the expression arena. Operands always have smaller numbers than the node that uses them.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Expr(u32);
entity_impl!(Expr, "e");

/// A kernel with bound sizes.
#[derive(Clone, Debug, Default)]
pub struct Func {
    /// The kernel's name.
    pub name: String,
    /// Size variables and their values, in the order of the signature.
    pub sizes: Vec<(String, i64)>,
    /// The sizes that stay symbolic; their values above are their numbers.
    pub symbols: Symbols,
    /// Every tensor.
    pub tensors: PrimaryMap<Tensor, TensorData>,
    /// Every index.
    pub indices: PrimaryMap<Index, IndexData>,
    /// Every expression.
    pub exprs: PrimaryMap<Expr, ExprData>,
    /// Parameters, in the order of the signature.
    pub params: Vec<Tensor>,
    /// Results, in the order of the signature.
    pub results: Vec<Tensor>,
    /// Definitions in dependence order: each reads parameters and tensors defined before it.
    pub defs: Vec<Def>,
    /// `order free` after the signature: reassociation is granted inside the derived bound.
    pub order_free: bool,
    /// Tensors of folds whose order is not fixed: their reductions may be made block by block and merged, inside the
    /// derived bound. The order that each states is the one inside a block.
    pub regrouped: BTreeSet<Tensor>,
    /// What merges the records of blocks of such folds, where the author's monoid says so in a form that passes take.
    pub merges: Vec<Merge>,
    /// Schedules that were written for it and whose conditions hold, in the order of the text. They change no value.
    pub schedules: Vec<Schedule>,
    /// Where the kernel stands.
    pub span: Span,
}

/// How the records of two blocks of a fold become the record of both, as the author wrote it.
#[derive(Clone, Debug)]
pub struct Merge {
    /// The monoid's name.
    pub monoid: String,
    /// What each field is for all items, over the rows of the fold and then the field's own dimensions; none if nothing
    /// reads it.
    pub fields: Vec<Option<Tensor>>,
    /// Each field of nothing.
    pub start: Vec<f64>,
    /// Parameters are the fields of the first record and then those of the later one, results those of both, of one row.
    pub func: Func,
}

/// What a tensor is.
#[derive(Clone, Debug)]
pub struct TensorData {
    /// The author's name; of an inlined call's definition `call.name` (`s.top`).
    pub name: String,
    /// Element type as stored.
    pub elem: Elem,
    /// Extents, outermost first; empty for rank 0.
    pub shape: SmallVec<[i64; 4]>,
    /// Parameter, result or intermediate.
    pub role: Role,
    /// Where it is declared.
    pub span: Span,
}

/// The part a tensor plays.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// Given by the caller; scalars are rank-0 parameters.
    Param,
    /// Returned to the caller.
    Result,
    /// Neither.
    Let,
}

/// What an index is.
#[derive(Clone, Debug)]
pub struct IndexData {
    /// The author's name.
    pub name: String,
    /// Number of values, from 0.
    pub extent: i64,
    /// Where it is bound.
    pub span: Span,
}

/// `target[indices] = value`: total over the target's shape; `indices[d]` runs over dimension `d`.
#[derive(Clone, Debug)]
pub struct Def {
    /// The tensor that is defined, exactly once.
    pub target: Tensor,
    /// One distinct index per dimension; its extent equals the dimension's.
    pub indices: SmallVec<[Index; 4]>,
    /// The value; its type equals the target's element type.
    pub value: Expr,
    /// The statement.
    pub span: Span,
}

/// An expression with its type.
#[derive(Clone, Debug)]
pub struct ExprData {
    /// What is computed.
    pub kind: ExprKind,
    /// Type of the value. Index values are `I64` until cast.
    pub elem: Elem,
    /// The source it comes from; of inlined code, the source inside the function.
    pub span: Span,
}

/// What an expression computes. Each float operation rounds once, to nearest even, in its own type; f16 and bf16
/// results saturate (NaN becomes 0), f32 results do not; integers wrap.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// A float constant already rounded to the node's type, as exact f64; may be infinite or NaN.
    Float(f64),
    /// An integer or bool constant (bool as 0 or 1) in range of the node's type.
    Int(i64),
    /// The value of an index, type `I64`.
    Index(Index),
    /// An element of a tensor. Without `border` the access is proved in bounds.
    Load {
        /// The tensor read.
        tensor: Tensor,
        /// One coordinate per dimension.
        at: SmallVec<[Affine; 4]>,
        /// The value if any coordinate is out of range, of the tensor's type.
        border: Option<Expr>,
    },
    /// An element of a tensor with one coordinate from data. Without `border` the other coordinates are proved in
    /// bounds, and a value that takes this one out of range is a fault.
    Gather {
        /// The tensor read.
        tensor: Tensor,
        /// What is added to coordinate `dim`, of any integer type.
        index: Expr,
        /// The dimension of that coordinate.
        dim: usize,
        /// One coordinate per dimension.
        at: SmallVec<[Affine; 4]>,
        /// The value if any coordinate is out of range, of the tensor's type.
        border: Option<Expr>,
    },
    /// One operand.
    Unary(UnaryOp, Expr),
    /// Two operands of the node's type.
    Binary(BinaryOp, Expr, Expr),
    /// Comparison of two operands of equal type; the node is `Bool`.
    Compare(CmpOp, Expr, Expr),
    /// `if c then a else b`; only the chosen side is evaluated.
    Select(Expr, Expr, Expr),
    /// `value as type round r saturate|inf|wrap` to the node's type.
    Cast {
        /// The operand, of any type.
        value: Expr,
        /// Rounding mode.
        round: Round,
        /// What happens beyond the range.
        overflow: Overflow,
    },
    /// A reduction over bound indices.
    Reduce(Box<Reduce>),
}

/// A reduction `op(axes where mask) body`.
#[derive(Clone, Debug, PartialEq)]
pub struct Reduce {
    /// The operator.
    pub op: ReduceOp,
    /// Bound indices; flattened in this order, the last fastest.
    pub axes: SmallVec<[Index; 2]>,
    /// Items for which this is false count as the identity and are not evaluated.
    pub mask: Option<Expr>,
    /// The item. For an [`exact_product`](Reduce::exact_product) a `Binary(Mul, a, b)` whose node type is the operands'.
    pub body: Expr,
    /// The order of a `sum` or `prod`; of no consequence for the others.
    pub order: Order,
    /// The body is one product of two operands of at most 16 bits: its product is exact (not rounded to its own type)
    /// and each step rounds once in the accumulator. Integers likewise multiply exactly in i32.
    pub exact_product: bool,
    // The accumulator's type is the node's type: f32 for floats of 16 bits or fewer, i32 for narrower integers,
    // else the body's; `max` and `min` keep the body's type; `argmax` and `argmin` give I32, `any` and `all` Bool.
}

/// Unary operations. Float ones are defined in `isa::num`.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum UnaryOp {
    /// Sign flip (floats), two's complement (integers).
    Neg,
    /// Absolute value.
    Abs,
    /// Logical not of a bool.
    Not,
    /// Natural exponential.
    Exp,
    /// Natural logarithm.
    Ln,
    /// Square root.
    Sqrt,
    /// Rounding of an f32 to 11 bits of fraction, ties to even, as the cube can do it to the factors of a product.
    Hf32,
    /// Rounding to an integral value of the same float type.
    Round(Round),
    /// Bitwise complement of an integer.
    BitNot,
}

/// Binary operations.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    /// Addition.
    Add,
    /// Subtraction.
    Sub,
    /// Multiplication.
    Mul,
    /// Division; of integers truncating, by zero a fault.
    Div,
    /// Remainder with the sign of the dividend; integers only, by zero a fault.
    Rem,
    /// Larger; NaN if either is, -0 below +0.
    Max,
    /// Smaller; NaN if either is, -0 below +0.
    Min,
    /// Logical (bool) or bitwise (integer) and.
    And,
    /// Logical or bitwise or.
    Or,
    /// Bitwise exclusive or.
    Xor,
    /// Left shift by the right operand modulo the width.
    Shl,
    /// Arithmetic right shift by the right operand modulo the width.
    Shr,
}

/// Comparisons; with NaN only `Ne` holds.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum CmpOp {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
}

/// Reduction operators.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum ReduceOp {
    /// Sum from +0.
    Sum,
    /// Product from 1.
    Prod,
    /// Maximum from -inf or the least integer.
    Max,
    /// Minimum from +inf or the greatest integer.
    Min,
    /// Or from false.
    Any,
    /// And from true.
    All,
    /// First position of the maximum, 0 if empty.
    ArgMax,
    /// First position of the minimum, 0 if empty.
    ArgMin,
}

/// Order of a sum or product, resolved from the language's defaults.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// One accumulator, items in flattened order.
    Ascending,
    /// Item `i` goes to lane `i mod n` (n a power of two); lanes ascend from the identity and are joined by adjacent pairs.
    Lanes(u32),
    /// Adjacent pairs all the way: items padded with the identity to a power of two.
    Tree,
    /// Any association, inside the derived bound; the evaluator uses `Lanes(64)`.
    Free,
}

/// An integer expression of indices: `constant + Σ coefficient · atom`. Evaluated in i64; the front end has proved that
/// nothing overflows.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Affine {
    /// Added last.
    pub constant: i64,
    /// Terms with non-zero coefficients.
    pub terms: SmallVec<[(i64, Atom); 2]>,
}

/// What a term of an [`Affine`] multiplies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Atom {
    /// An index.
    Index(Index),
    /// `floor(a / positive constant)`.
    Div(Box<Affine>, i64),
    /// `a mod positive constant`, never negative.
    Mod(Box<Affine>, i64),
    /// `clamp(a, lo, hi)`.
    Clamp(Box<Affine>, i64, i64),
}

impl Affine {
    /// The index alone.
    pub fn index(index: Index) -> Affine {
        Affine {
            constant: 0,
            terms: SmallVec::from_iter([(1, Atom::Index(index))]),
        }
    }

    /// A constant.
    pub fn constant(value: i64) -> Affine {
        Affine {
            constant: value,
            terms: SmallVec::new(),
        }
    }

    /// The index, if this is exactly one index with coefficient 1 and no constant.
    pub fn as_index(&self) -> Option<Index> {
        match (self.constant, self.terms.as_slice()) {
            (0, [(1, Atom::Index(index))]) => Some(*index),
            _ => None,
        }
    }
}
