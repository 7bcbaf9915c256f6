//! A schedule as it was written: decisions with the places where they stand, sizes evaluated, names not yet looked up.
//!
//! The front end makes it from a tree and the values of the sizes; the back end says what it means for its steps. Knows
//! nothing of engines, memories or what can be decided.

use diag::Span;

/// `schedule gemm for 910b2 { … }` whose condition holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// The chip that it is for; all if none.
    pub target: Option<Name>,
    /// The decisions in order.
    pub decisions: Vec<Decision>,
    /// What must hold of a run.
    pub expects: Vec<Expectation>,
    /// Where it stands.
    pub span: Span,
}

/// A name and where it stands. A definition of a call is `s.top`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The name.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

/// A number and where it stands; none where the compiler is to search it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Number {
    /// The value; none for `?`.
    pub value: Option<i64>,
    /// Where it stands.
    pub span: Span,
}

/// `m: 128`, `acc.k: 64`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The definition before the last dot.
    pub def: Option<String>,
    /// The index.
    pub index: String,
    /// Its size.
    pub size: Number,
    /// All of it.
    pub span: Span,
}

/// Names and the word behind them: a memory, or none for `?`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The names.
    pub names: Vec<Name>,
    /// The word.
    pub word: Option<Name>,
}

/// A decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// What it decides.
    pub kind: DecisionKind,
    /// From the verb to the semicolon.
    pub span: Span,
}

/// What a decision decides.
#[derive(Clone, Debug, PartialEq)]
pub enum DecisionKind {
    /// `grid m: 128, n: 256 order swizzle(4)`
    Grid {
        /// The blocks.
        blocks: Vec<Block>,
        /// The order with its number.
        order: Option<(Name, Option<Number>)>,
    },
    /// `stream k: 64 in k: 256 place a in l0a depth 2`
    Stream {
        /// The steps.
        blocks: Vec<Block>,
        /// What they are steps of.
        inside: Option<Block>,
        /// Where tensors are meanwhile.
        places: Vec<Group>,
        /// Copies.
        depth: Option<Number>,
    },
    /// `place acc in l0c depth 1`
    Place {
        /// What goes where.
        groups: Vec<Group>,
        /// Copies.
        depth: Option<Number>,
    },
    /// `engine y = vector`
    Engine {
        /// The definitions and the engine.
        group: Group,
    },
    /// `pad a to 64`
    Pad {
        /// The definition.
        name: Name,
        /// The pitch.
        to: Number,
    },
    /// `split k: 4 across cores merge add`
    Split {
        /// The index and the number of parts.
        block: Block,
        /// What they are distributed over.
        across: Name,
        /// How the parts are joined.
        merge: Option<Name>,
    },
    /// `fuse y at (m, n) engine vector`
    Fuse {
        /// The definitions and the engine.
        group: Group,
        /// The loops in which they are computed.
        at: Vec<Name>,
    },
    /// `keep p`
    Keep {
        /// Definitions that are stored and not computed in one pass with what reads them.
        names: Vec<Name>,
    },
}

/// `utilization >= 80%`
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// What is measured, by the name of the report.
    pub measure: String,
    /// The comparison.
    pub op: Compare,
    /// The bound, as a number.
    pub bound: f64,
    /// The bound is a multiple of the ideal.
    pub of_ideal: bool,
    /// All of it.
    pub span: Span,
}

/// A comparison of a measure with its bound.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Compare {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

impl Compare {
    /// Whether a measure keeps to a bound.
    pub fn holds(self, measure: f64, bound: f64) -> bool {
        match self {
            Compare::Less => measure < bound,
            Compare::AtMost => measure <= bound,
            Compare::Greater => measure > bound,
            Compare::AtLeast => measure >= bound,
        }
    }

    /// As it is written.
    pub const fn text(self) -> &'static str {
        match self {
            Compare::Less => "<",
            Compare::AtMost => "<=",
            Compare::Greater => ">",
            Compare::AtLeast => ">=",
        }
    }
}
