//! Items, signatures, statements and monoids.

use diag::Span;

use super::{ExprId, Name, Schedule};

/// One item of a file.
#[derive(Clone, Debug)]
pub struct Item {
    /// The text of the `///` lines above it, without the slashes, a line each.
    pub docs: Vec<String>,
    /// Whether `pub` stands before it.
    pub public: bool,
    /// What it is.
    pub kind: ItemKind,
    /// From the first word to the closing brace or semicolon.
    pub span: Span,
}

/// What an item is.
#[derive(Clone, Debug)]
pub enum ItemKind {
    /// Was wrong and has been reported.
    Error {
        /// Its name as far as it could be read; uses of it are not unknown.
        name: Option<Name>,
    },
    /// `kernel` or `fn`.
    Callable(Callable),
    /// `monoid`.
    Monoid(Monoid),
    /// `const`.
    Const(Const),
    /// `assert`.
    Assert(ExprId),
    /// `use nn::softmax;`: the path.
    Use(Vec<Name>),
    /// `schedule`.
    Schedule(Schedule),
}

/// A kernel or a function.
#[derive(Clone, Debug)]
pub struct Callable {
    /// Which of both.
    pub kind: CallableKind,
    /// Its name.
    pub name: Name,
    /// What stands in `<…>`.
    pub generics: Vec<Generic>,
    /// The parameters.
    pub params: Vec<Param>,
    /// What it gives.
    pub returns: Returns,
    /// The conditions after `where`.
    pub conditions: Vec<ExprId>,
    /// The word after `order`; kernels only.
    pub order: Option<Name>,
    /// The definitions.
    pub body: Body,
    /// From the first word to the end of the signature.
    pub signature_span: Span,
}

/// Whether a callable is an entry point.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum CallableKind {
    /// `kernel`.
    Kernel,
    /// `fn`.
    Fn,
}

/// A generic parameter.
#[derive(Clone, Debug)]
pub struct Generic {
    /// Its name.
    pub name: Name,
    /// What it stands for.
    pub kind: GenericKind,
}

/// What a generic parameter stands for.
#[derive(Clone, Debug)]
pub enum GenericKind {
    /// `M`: a size.
    Size,
    /// `const S`: a size that never stays symbolic.
    Const,
    /// `T: float`: an element type of a class.
    Bound(Name),
    /// `..B`: a list of sizes.
    Open,
}

/// `name: type`.
#[derive(Clone, Debug)]
pub struct Param {
    /// The name.
    pub name: Name,
    /// The type.
    pub ty: Type,
    /// Both.
    pub span: Span,
}

/// `f32[M, K]`; without dimensions a scalar.
#[derive(Clone, Debug)]
pub struct Type {
    /// The element type or type parameter.
    pub name: Name,
    /// The dimensions.
    pub dims: Vec<Dim>,
    /// All of it.
    pub span: Span,
}

/// A dimension of a type.
#[derive(Clone, Debug)]
pub enum Dim {
    /// A size.
    Size(ExprId),
    /// `..B`, a list of sizes; always the first of its list.
    Open(Name),
}

/// What a callable gives.
#[derive(Clone, Debug)]
pub enum Returns {
    /// `-> f32`: unnamed, a scalar function.
    Scalar(Type),
    /// `-> y: f32[M]`, `-> (y: f32[M], l: f32)`: never empty.
    Named(Vec<Param>),
}

/// The definitions of a kernel or function.
#[derive(Clone, Debug)]
pub struct Body {
    /// The statements in order.
    pub stmts: Vec<Stmt>,
    /// The value at the end; of scalar functions only, which is checked later.
    pub tail: Option<ExprId>,
    /// The braces and what is in them.
    pub span: Span,
}

/// A statement.
#[derive(Clone, Debug)]
pub struct Stmt {
    /// What it is.
    pub kind: StmtKind,
    /// From the first word to the semicolon.
    pub span: Span,
}

/// What a statement is.
#[derive(Clone, Debug)]
pub enum StmtKind {
    /// Was wrong and has been reported.
    Error,
    /// `let t[i: H]: f32 = e;`
    Let {
        /// What is defined.
        name: Name,
        /// The indices; `None` without brackets.
        indices: Option<Vec<IxBinder>>,
        /// The type, if written.
        ty: Option<Type>,
        /// The value.
        value: ExprId,
    },
    /// `let (y, l) = f(x);`
    LetTuple {
        /// What is defined, in order.
        names: Vec<Name>,
        /// The call.
        value: ExprId,
    },
    /// `y[i, 2*p] = e;`
    Assign {
        /// A name, or a name with indices, which is checked later.
        target: ExprId,
        /// The value.
        value: ExprId,
    },
    /// `assert c;`
    Assert(ExprId),
}

/// An index where it is bound: `p: 2`.
#[derive(Clone, Debug)]
pub struct IxBinder {
    /// The index.
    pub name: Name,
    /// Whether it stands for a list of indices: `..b`.
    pub open: bool,
    /// Its size, if written.
    pub extent: Option<ExprId>,
}

/// `const EPS: f32 = 1e-5;`
#[derive(Clone, Debug)]
pub struct Const {
    /// Its name.
    pub name: Name,
    /// Its type, if written.
    pub ty: Option<Type>,
    /// Its value.
    pub value: ExprId,
}

/// A declared accumulator.
#[derive(Clone, Debug)]
pub struct Monoid {
    /// Its name.
    pub name: Name,
    /// What stands in `<…>`.
    pub generics: Vec<Generic>,
    /// Fields, `merge` and `block`, in the order of the text.
    pub members: Vec<Member>,
}

/// A member of a monoid.
#[derive(Clone, Debug)]
pub enum Member {
    /// Was wrong and has been reported.
    Error(Span),
    /// `m: f32 = -inf;`
    Field {
        /// Its name.
        name: Name,
        /// Its type.
        ty: Type,
        /// Its value in the identity.
        identity: ExprId,
        /// All of it.
        span: Span,
    },
    /// `merge(p, q) { … }`
    Merge {
        /// The left operand.
        left: Name,
        /// The right operand.
        right: Name,
        /// The joined record.
        body: RecBody,
        /// All of it.
        span: Span,
    },
    /// `block<J>(s: f32[J]) { … }`
    Block {
        /// The number of items.
        length: Name,
        /// What it absorbs.
        params: Vec<Param>,
        /// The absorbed record.
        body: RecBody,
        /// All of it.
        span: Span,
    },
}

/// Definitions and the record made of them.
#[derive(Clone, Debug)]
pub struct RecBody {
    /// The definitions; `let` statements and errors only.
    pub lets: Vec<Stmt>,
    /// The fields of the record.
    pub fields: Vec<RecField>,
    /// The outer braces and what is in them.
    pub span: Span,
}

/// `m`, `l: e` or `o[d]: e`.
#[derive(Clone, Debug)]
pub struct RecField {
    /// The field.
    pub name: Name,
    /// Its indices; `None` without brackets.
    pub indices: Option<Vec<Name>>,
    /// Its value; without one that of the name in scope.
    pub value: Option<ExprId>,
    /// All of it.
    pub span: Span,
}

impl Item {
    /// The name that the item declares. A schedule declares none.
    pub fn name(&self) -> Option<&Name> {
        match &self.kind {
            ItemKind::Error { name } => name.as_ref(),
            ItemKind::Callable(callable) => Some(&callable.name),
            ItemKind::Monoid(monoid) => Some(&monoid.name),
            ItemKind::Const(constant) => Some(&constant.name),
            ItemKind::Use(path) => path.last(),
            ItemKind::Assert(_) | ItemKind::Schedule(_) => None,
        }
    }

    /// The kernel or function that it is.
    pub fn callable(&self) -> Option<&Callable> {
        match &self.kind {
            ItemKind::Callable(callable) => Some(callable),
            ItemKind::Error { .. }
            | ItemKind::Monoid(_)
            | ItemKind::Const(_)
            | ItemKind::Assert(_)
            | ItemKind::Use(_)
            | ItemKind::Schedule(_) => None,
        }
    }

    /// The schedule that it is.
    pub fn schedule(&self) -> Option<&Schedule> {
        match &self.kind {
            ItemKind::Schedule(schedule) => Some(schedule),
            ItemKind::Error { .. }
            | ItemKind::Callable(_)
            | ItemKind::Monoid(_)
            | ItemKind::Const(_)
            | ItemKind::Assert(_)
            | ItemKind::Use(_) => None,
        }
    }
}

impl Body {
    /// Returns whether a statement was left out; then what it would have
    /// defined must not be reported as missing.
    pub fn has_errors(&self) -> bool {
        let error = |s: &Stmt| matches!(s.kind, StmtKind::Error);
        self.stmts.iter().any(error)
    }
}
