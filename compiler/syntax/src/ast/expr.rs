//! Expressions.

use diag::Span;

use super::{ExprId, IxBinder, Name};

/// An expression and its place.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Its place, parentheses included.
    pub span: Span,
}

/// What an expression is.
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// Was wrong and has been reported.
    Error,
    /// `x`: the name's place is the node's.
    Name(String),
    /// `42`.
    Int(u128),
    /// `1.0`, `1e-5`: as it was written.
    Float(String),
    /// `192KiB`, `20us`: in schedules only.
    NumLetters(String),
    /// `true`, `false`.
    Bool(bool),
    /// `?`: to be searched; in schedules only.
    Hole,
    /// `(e)`.
    Paren(ExprId),
    /// `f(a, K: 8)`, and `max(a, b)` with no operand behind it.
    Call {
        /// What is called.
        callee: Name,
        /// The arguments in order.
        args: Vec<Arg>,
    },
    /// `sum(k where c) body`.
    Reduce {
        /// The reduction.
        op: ReduceOp,
        /// Where its word stands.
        op_span: Span,
        /// The indices, masks and order in the parentheses.
        head: ReduceHead,
        /// What is reduced.
        body: ExprId,
    },
    /// `fold(j) attend<D>(s[h, j], v[h, j, :])`.
    Fold {
        /// The indices, masks and order in the parentheses.
        head: ReduceHead,
        /// The accumulator and what it absorbs.
        monoid: MonoidUse,
    },
    /// `scan(t, sum) x[t]`, `scan(t) attend(s[t], v[t, :])`.
    Scan {
        /// The index along which prefixes are taken.
        index: IxBinder,
        /// What is taken.
        body: ScanBody,
    },
    /// `x[i, :, ..b]`.
    Index {
        /// What is indexed.
        base: ExprId,
        /// The indices in order.
        args: Vec<IndexArg>,
    },
    /// `st.o`.
    Field {
        /// The record.
        base: ExprId,
        /// The field.
        field: Name,
    },
    /// `(x[i - 1] else 0)`; the node's place includes the parentheses.
    Border {
        /// The access.
        access: ExprId,
        /// Its value outside.
        otherwise: ExprId,
    },
    /// `-x`, `!b`.
    Unary {
        /// The operator.
        op: UnaryOp,
        /// Its operand.
        operand: ExprId,
    },
    /// `a + b`.
    Binary {
        /// The operator.
        op: BinaryOp,
        /// Where it stands.
        op_span: Span,
        /// The left operand.
        lhs: ExprId,
        /// The right operand.
        rhs: ExprId,
    },
    /// `x as f16 round even saturate`.
    Cast {
        /// What is converted.
        value: ExprId,
        /// How.
        cast: Cast,
    },
    /// `if c then a else b`.
    If {
        /// The condition.
        condition: ExprId,
        /// The value where it holds.
        then: ExprId,
        /// The value elsewhere.
        otherwise: ExprId,
    },
}

/// An argument of a call.
#[derive(Clone, Debug)]
pub struct Arg {
    /// The parameter, if it was given by name.
    pub name: Option<Name>,
    /// The value.
    pub value: ExprId,
}

/// What stands in the parentheses of a reduction or fold.
#[derive(Clone, Debug, Default)]
pub struct ReduceHead {
    /// The bound indices with their extents if written.
    pub indices: Vec<IxBinder>,
    /// The conditions after `where`, in order; all must hold.
    pub masks: Vec<ExprId>,
    /// The value of `order:`, as in `order: lanes(64)`.
    pub order: Option<ExprId>,
    /// The parentheses and what is in them.
    pub span: Span,
}

/// A monoid with what it absorbs.
#[derive(Clone, Debug)]
pub struct MonoidUse {
    /// The monoid.
    pub name: Name,
    /// Its generic arguments.
    pub generics: Vec<ExprId>,
    /// The arguments of its block.
    pub args: Vec<Arg>,
    /// From the name to the closing parenthesis.
    pub span: Span,
}

/// What a scan takes the prefixes of.
#[derive(Clone, Debug)]
pub enum ScanBody {
    /// `scan(t, sum) body`.
    Reduce {
        /// The reduction.
        op: ReduceOp,
        /// Where its word stands.
        op_span: Span,
        /// What is reduced.
        body: ExprId,
    },
    /// `scan(t) attend(…)`.
    Monoid(MonoidUse),
}

/// An index in an index list.
#[derive(Clone, Debug)]
pub enum IndexArg {
    /// `i`, `2*i + p`.
    Expr(ExprId),
    /// `:`, the whole dimension.
    All(Span),
    /// `..b`, a list of indices; always the first of its list.
    Open(Name),
}

/// A conversion.
#[derive(Clone, Debug)]
pub struct Cast {
    /// The element type.
    pub to: Name,
    /// The word after `round`.
    pub round: Option<Name>,
    /// What happens to values out of range, if written.
    pub overflow: Option<(Overflow, Span)>,
}

/// What a conversion does to values out of range.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// `saturate`: the nearest value of the type.
    Saturate,
    /// `inf`: infinities and NaN stay.
    Inf,
    /// `wrap`: the low bits of an integer.
    Wrap,
}

/// A reduction.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReduceOp {
    /// `sum`.
    Sum,
    /// `min`.
    Min,
    /// `max`.
    Max,
    /// `prod`.
    Prod,
    /// `any`.
    Any,
    /// `all`.
    All,
    /// `argmax`.
    Argmax,
    /// `argmin`.
    Argmin,
}

/// A prefix operator.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum UnaryOp {
    /// `-`.
    Neg,
    /// `!`.
    Not,
}

/// An infix operator.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// `+`.
    Add,
    /// `-`.
    Sub,
    /// `*`.
    Mul,
    /// `/`.
    Div,
    /// `%`.
    Rem,
    /// `^`, of sizes.
    Pow,
    /// `==`.
    Eq,
    /// `!=`.
    Ne,
    /// `<`.
    Lt,
    /// `<=`.
    Le,
    /// `>`.
    Gt,
    /// `>=`.
    Ge,
    /// `&&`.
    And,
    /// `||`.
    Or,
}

impl ExprKind {
    /// The name, if that is all it is.
    pub fn as_name(&self) -> Option<&str> {
        if let ExprKind::Name(text) = self {
            Some(text)
        } else {
            None
        }
    }

    /// Calls `visit` with each direct operand, in the order of the text.
    pub fn operands(&self, mut visit: impl FnMut(ExprId)) {
        match self {
            ExprKind::Error
            | ExprKind::Name(_)
            | ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::NumLetters(_)
            | ExprKind::Bool(_)
            | ExprKind::Hole => {}
            ExprKind::Paren(inner) => visit(*inner),
            ExprKind::Call { callee: _, args } => args.iter().for_each(|a| visit(a.value)),
            ExprKind::Reduce { head, body, .. } => {
                head.operands(&mut visit);
                visit(*body);
            }
            ExprKind::Fold { head, monoid } => {
                head.operands(&mut visit);
                monoid.operands(&mut visit);
            }
            ExprKind::Scan { index, body } => {
                index.extent.iter().for_each(|e| visit(*e));
                match body {
                    ScanBody::Reduce { body, .. } => visit(*body),
                    ScanBody::Monoid(monoid) => monoid.operands(&mut visit),
                }
            }
            ExprKind::Index { base, args } => {
                visit(*base);
                for arg in args {
                    match arg {
                        IndexArg::Expr(e) => visit(*e),
                        IndexArg::All(_) | IndexArg::Open(_) => {}
                    }
                }
            }
            ExprKind::Field { base, field: _ } => visit(*base),
            ExprKind::Border { access, otherwise } => {
                visit(*access);
                visit(*otherwise);
            }
            ExprKind::Unary { op: _, operand } => visit(*operand),
            ExprKind::Binary { lhs, rhs, .. } => {
                visit(*lhs);
                visit(*rhs);
            }
            ExprKind::Cast { value, cast: _ } => visit(*value),
            ExprKind::If {
                condition,
                then,
                otherwise,
            } => {
                visit(*condition);
                visit(*then);
                visit(*otherwise);
            }
        }
    }
}

impl ReduceHead {
    fn operands(&self, visit: &mut impl FnMut(ExprId)) {
        let extents = self.indices.iter().filter_map(|ix| ix.extent);
        extents
            .chain(self.masks.iter().copied())
            .chain(self.order)
            .for_each(visit);
    }
}

impl MonoidUse {
    fn operands(&self, visit: &mut impl FnMut(ExprId)) {
        let generics = self.generics.iter().copied();
        generics
            .chain(self.args.iter().map(|a| a.value))
            .for_each(visit);
    }
}

impl ReduceOp {
    /// All reductions.
    pub const ALL: [ReduceOp; 8] = [
        ReduceOp::Sum,
        ReduceOp::Min,
        ReduceOp::Max,
        ReduceOp::Prod,
        ReduceOp::Any,
        ReduceOp::All,
        ReduceOp::Argmax,
        ReduceOp::Argmin,
    ];

    /// The reduction of a word.
    pub fn from_word(word: &str) -> Option<ReduceOp> {
        ReduceOp::ALL.into_iter().find(|op| op.as_str() == word)
    }

    /// The word of the language.
    pub fn as_str(self) -> &'static str {
        match self {
            ReduceOp::Sum => "sum",
            ReduceOp::Min => "min",
            ReduceOp::Max => "max",
            ReduceOp::Prod => "prod",
            ReduceOp::Any => "any",
            ReduceOp::All => "all",
            ReduceOp::Argmax => "argmax",
            ReduceOp::Argmin => "argmin",
        }
    }

    /// Returns whether `op(a, b)` is also a call of two values.
    pub fn has_call_form(self) -> bool {
        matches!(self, ReduceOp::Min | ReduceOp::Max)
    }
}

impl Overflow {
    /// The word of the language.
    pub fn as_str(self) -> &'static str {
        match self {
            Overflow::Saturate => "saturate",
            Overflow::Inf => "inf",
            Overflow::Wrap => "wrap",
        }
    }
}

impl UnaryOp {
    /// The operator as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            UnaryOp::Neg => "-",
            UnaryOp::Not => "!",
        }
    }
}

impl BinaryOp {
    /// The operator as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            BinaryOp::Add => "+",
            BinaryOp::Sub => "-",
            BinaryOp::Mul => "*",
            BinaryOp::Div => "/",
            BinaryOp::Rem => "%",
            BinaryOp::Pow => "^",
            BinaryOp::Eq => "==",
            BinaryOp::Ne => "!=",
            BinaryOp::Lt => "<",
            BinaryOp::Le => "<=",
            BinaryOp::Gt => ">",
            BinaryOp::Ge => ">=",
            BinaryOp::And => "&&",
            BinaryOp::Or => "||",
        }
    }

    /// Returns whether this compares two values.
    pub fn is_comparison(self) -> bool {
        match self {
            BinaryOp::Eq
            | BinaryOp::Ne
            | BinaryOp::Lt
            | BinaryOp::Le
            | BinaryOp::Gt
            | BinaryOp::Ge => true,
            BinaryOp::Add
            | BinaryOp::Sub
            | BinaryOp::Mul
            | BinaryOp::Div
            | BinaryOp::Rem
            | BinaryOp::Pow
            | BinaryOp::And
            | BinaryOp::Or => false,
        }
    }
}
