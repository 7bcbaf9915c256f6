//! A kernel as the generator, the rewriter and the minimiser see it: typed, with bound sizes, printed as `.vn` text.
//!
//! Knows nothing of compilers. Every name is fixed by a position, so that parts can be moved and dropped; indices are
//! named definition by definition when the text is written (`print.rs`).

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a walk looks for one kind of node among many"
)]

use isa::types::Elem;

/// Names of size variables by number.
pub(crate) const SIZE_NAMES: [&str; 6] = ["M", "N", "K", "P", "Q", "R"];

/// A kernel.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// Values of the size variables.
    pub(crate) sizes: Vec<i64>,
    /// Every tensor; the numbers are the program's own.
    pub(crate) tensors: Vec<Tensor>,
    /// Extents of the indices.
    pub(crate) vars: Vec<Dim>,
    /// Definitions in dependence order.
    pub(crate) defs: Vec<Def>,
    /// `order free` after the signature.
    pub(crate) free: bool,
}

/// A parameter, intermediate or result.
#[derive(Clone, Debug)]
pub(crate) struct Tensor {
    /// Its name.
    pub(crate) name: String,
    /// Element type.
    pub(crate) elem: Elem,
    /// Extents.
    pub(crate) dims: Vec<Dim>,
    /// Its part.
    pub(crate) role: Role,
    /// Where the contents of a parameter, and the place of a result, come from in the program that was rewritten.
    pub(crate) origin: Origin,
}

/// The part a tensor plays.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Given.
    Param,
    /// Neither given nor asked for.
    Let,
    /// Asked for.
    Result,
}

/// How a tensor relates to one of the original program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The original's name.
    pub(crate) name: String,
    /// Dimension `d` here is dimension `order[d]` there; empty for no change.
    pub(crate) order: Vec<usize>,
    /// Only a part along a dimension of the original: dimension and first place.
    pub(crate) part: Option<(usize, i64)>,
}

/// A polynomial of sizes: `add + Σ factor · product of sizes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dim {
    /// Factor and sizes of each product.
    pub(crate) terms: Vec<(i64, Vec<usize>)>,
    /// The constant.
    pub(crate) add: i64,
}

/// One definition.
#[derive(Clone, Debug)]
pub(crate) enum Def {
    /// `t[i, j] = value;` or several of them with other left sides.
    Equation {
        /// What is defined.
        target: usize,
        /// Left and right sides; one with plain indices unless it comes in parts.
        parts: Vec<(Vec<At>, Expr)>,
    },
    /// Statements as they stand: whole-tensor calls, folds.
    Statement {
        /// What they define.
        targets: Vec<usize>,
        /// What they read.
        uses: Vec<usize>,
        /// Their text; an empty line stands for nothing.
        text: String,
        /// Whether bits may depend on the grouping of merges.
        free: bool,
    },
}

/// An index expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// `Σ factor · index + add`.
    Sum(Vec<(Dim, usize)>, Dim),
    /// `index / size`.
    Div(usize, Dim),
    /// `index % size`.
    Mod(usize, Dim),
    /// `clamp(index + shift, 0, size - 1)`.
    Clamp(usize, i64, Dim),
}

/// A scalar expression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expr {
    /// A float literal.
    Float(Elem, f64),
    /// An integer literal, of floats too, or a bool.
    Int(Elem, i64),
    /// An element of a tensor.
    Load {
        /// The tensor.
        tensor: usize,
        /// Its coordinates.
        at: Vec<At>,
        /// The value outside.
        border: Option<Box<Expr>>,
    },
    /// `gather(t, place)[at]`.
    Gather {
        /// The table.
        tensor: usize,
        /// The first coordinate.
        place: Box<Expr>,
        /// The others.
        at: Vec<At>,
        /// The value outside.
        border: Option<Box<Expr>>,
    },
    /// The value of an index expression.
    Place(At),
    /// A call of a function whose result has the type of the first operand.
    Call(&'static str, Vec<Expr>),
    /// An operator between two operands.
    Binary(&'static str, Box<Expr>, Box<Expr>),
    /// `-x` or `!x`.
    Unary(&'static str, Box<Expr>),
    /// `if c then a else b`.
    If(Box<Expr>, Box<Expr>, Box<Expr>),
    /// `x as T …`.
    Cast(Box<Expr>, Elem, &'static str),
    /// A reduction.
    Reduce {
        /// The operator.
        op: &'static str,
        /// Reduced indices.
        axes: Vec<usize>,
        /// Which items count.
        mask: Option<Box<Expr>>,
        /// The order, if it is stated.
        order: Option<&'static str>,
        /// The item.
        body: Box<Expr>,
    },
    /// An inclusive prefix.
    Scan {
        /// The operator.
        op: &'static str,
        /// The index of the left side it runs along.
        axis: usize,
        /// The item.
        body: Box<Expr>,
    },
}

impl Dim {
    /// A number.
    pub(crate) fn constant(add: i64) -> Dim {
        Dim {
            terms: Vec::new(),
            add,
        }
    }

    /// A size variable.
    pub(crate) fn size(number: usize) -> Dim {
        Dim {
            terms: vec![(1, vec![number])],
            add: 0,
        }
    }

    /// Itself plus a number.
    pub(crate) fn plus(&self, more: i64) -> Dim {
        Dim {
            terms: self.terms.clone(),
            add: self.add + more,
        }
    }

    /// Itself times a positive number.
    pub(crate) fn times(&self, by: i64) -> Dim {
        let terms = self
            .terms
            .iter()
            .map(|(factor, sizes)| (factor * by, sizes.clone()));
        Dim {
            terms: terms.collect(),
            add: self.add * by,
        }
    }

    /// The product of two, each a single term.
    pub(crate) fn product(&self, other: &Dim) -> Option<Dim> {
        match (self.terms.as_slice(), other.terms.as_slice()) {
            ([(a, first)], [(b, second)]) if self.add == 0 && other.add == 0 => {
                let mut sizes = [first.as_slice(), second.as_slice()].concat();
                sizes.sort_unstable();
                Some(Dim {
                    terms: vec![(a * b, sizes)],
                    add: 0,
                })
            }
            ([], _) => Some(other.times(self.add)),
            (_, []) => Some(self.times(other.add)),
            _ => None,
        }
    }

    /// The number it is.
    pub(crate) fn value(&self, sizes: &[i64]) -> i64 {
        let product = |of: &Vec<usize>| of.iter().map(|&size| sizes[size]).product::<i64>();
        self.add
            + self
                .terms
                .iter()
                .map(|(factor, of)| factor * product(of))
                .sum::<i64>()
    }
}

impl At {
    /// The index alone.
    pub(crate) fn index(var: usize) -> At {
        At::Sum(vec![(Dim::constant(1), var)], Dim::constant(0))
    }

    /// The index plus a number.
    pub(crate) fn shifted(var: usize, by: i64) -> At {
        At::Sum(vec![(Dim::constant(1), var)], Dim::constant(by))
    }

    /// The index, if it stands alone.
    pub(crate) fn alone(&self) -> Option<usize> {
        match self {
            At::Sum(terms, add) if *add == Dim::constant(0) => match terms.as_slice() {
                [(factor, var)] if *factor == Dim::constant(1) => Some(*var),
                _ => None,
            },
            At::Sum(..) | At::Div(..) | At::Mod(..) | At::Clamp(..) => None,
        }
    }
}

impl Def {
    /// What it defines.
    pub(crate) fn targets(&self) -> &[usize] {
        match self {
            Def::Equation { target, .. } => std::slice::from_ref(target),
            Def::Statement { targets, .. } => targets,
        }
    }

    /// What it reads.
    pub(crate) fn reads(&self) -> Vec<usize> {
        let mut read = Vec::new();
        match self {
            Def::Equation { parts, .. } => {
                for (_, value) in parts {
                    value.visit(&mut |e| match e {
                        Expr::Load { tensor, .. } | Expr::Gather { tensor, .. } => {
                            read.push(*tensor)
                        }
                        _ => {}
                    });
                }
            }
            Def::Statement { uses, .. } => read.clone_from(uses),
        }
        read
    }
}

impl Expr {
    /// Its type.
    pub(crate) fn elem(&self, program: &Program) -> Elem {
        match self {
            Expr::Float(elem, _) | Expr::Int(elem, _) | Expr::Cast(_, elem, _) => *elem,
            Expr::Load { tensor, .. } | Expr::Gather { tensor, .. } => {
                program.tensors[*tensor].elem
            }
            Expr::Place(_) => Elem::I64,
            Expr::Call(_, operands) => operands[0].elem(program),
            Expr::Binary("==" | "!=" | "<" | "<=" | ">" | ">=", ..) => Elem::Bool,
            Expr::Binary(_, first, _) | Expr::If(_, first, _) | Expr::Unary(_, first) => {
                first.elem(program)
            }
            Expr::Reduce { op, body, .. } | Expr::Scan { op, body, .. } => {
                match (*op, body.elem(program)) {
                    ("argmax" | "argmin", _) => Elem::I32,
                    ("sum" | "prod", elem) if elem.is_float() => Elem::F32,
                    ("sum" | "prod", _) => Elem::I32,
                    (_, elem) => elem,
                }
            }
        }
    }

    /// Its parts.
    pub(crate) fn children(&self) -> Vec<&Expr> {
        match self {
            Expr::Float(..) | Expr::Int(..) | Expr::Place(_) => Vec::new(),
            Expr::Load { border, .. } => border.iter().map(|b| &**b).collect(),
            Expr::Gather { place, border, .. } => [place]
                .into_iter()
                .chain(border.iter())
                .map(|e| &**e)
                .collect(),
            Expr::Call(_, operands) => operands.iter().collect(),
            Expr::Binary(_, a, b) => vec![a, b],
            Expr::Unary(_, a) | Expr::Cast(a, ..) | Expr::Scan { body: a, .. } => vec![a],
            Expr::If(c, a, b) => vec![c, a, b],
            Expr::Reduce { mask, body, .. } => mask.iter().chain([body]).map(|e| &**e).collect(),
        }
    }

    /// Its parts, to be changed.
    pub(crate) fn children_mut(&mut self) -> Vec<&mut Expr> {
        match self {
            Expr::Float(..) | Expr::Int(..) | Expr::Place(_) => Vec::new(),
            Expr::Load { border, .. } => border.iter_mut().map(|b| &mut **b).collect(),
            Expr::Gather { place, border, .. } => [place]
                .into_iter()
                .chain(border.iter_mut())
                .map(|e| &mut **e)
                .collect(),
            Expr::Call(_, operands) => operands.iter_mut().collect(),
            Expr::Binary(_, a, b) => vec![a, b],
            Expr::Unary(_, a) | Expr::Cast(a, ..) | Expr::Scan { body: a, .. } => vec![a],
            Expr::If(c, a, b) => vec![c, a, b],
            Expr::Reduce { mask, body, .. } => {
                mask.iter_mut().chain([body]).map(|e| &mut **e).collect()
            }
        }
    }

    /// Calls with itself and everything in it, outermost first.
    pub(crate) fn visit<'a>(&'a self, see: &mut impl FnMut(&'a Expr)) {
        see(self);
        for child in self.children() {
            child.visit(see);
        }
    }

    /// Calls with itself and everything in it, innermost first.
    pub(crate) fn change(&mut self, change: &mut impl FnMut(&mut Expr)) {
        for child in self.children_mut() {
            child.change(change);
        }
        change(self);
    }

    /// Calls with every index expression in it.
    pub(crate) fn change_places(&mut self, change: &mut impl FnMut(&mut At)) {
        self.change(&mut |e| match e {
            Expr::Load { at, .. } | Expr::Gather { at, .. } => at.iter_mut().for_each(&mut *change),
            Expr::Place(at) => change(at),
            _ => {}
        });
    }

    /// Whether it is a literal.
    pub(crate) fn is_literal(&self) -> bool {
        matches!(self, Expr::Float(..) | Expr::Int(..))
    }

    /// Whether a reduction or prefix is in it.
    pub(crate) fn reduces(&self) -> bool {
        let mut found = false;
        self.visit(&mut |e| found |= matches!(e, Expr::Reduce { .. } | Expr::Scan { .. }));
        found
    }
}
