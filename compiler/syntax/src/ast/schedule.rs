//! Schedules: decisions for one kernel on one target.

use diag::Span;

use super::{BinaryOp, ExprId, Name};

/// `schedule gemm for 910b2 when c { … }`
#[derive(Clone, Debug)]
pub struct Schedule {
    /// The kernel.
    pub kernel: Name,
    /// The target, if given.
    pub target: Option<Target>,
    /// The condition under which it is used.
    pub condition: Option<ExprId>,
    /// The decisions in order.
    pub decisions: Vec<Decision>,
}

/// The name of a target.
#[derive(Clone, Debug)]
pub struct Target {
    /// The name, without quotes.
    pub name: Name,
    /// How it was written.
    pub kind: TargetKind,
}

/// How a target's name was written.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum TargetKind {
    /// `910b2`, `920`, `ascend`.
    Word,
    /// `"910premium-a"`.
    Text,
}

/// A decision.
#[derive(Clone, Debug)]
pub struct Decision {
    /// What it decides.
    pub kind: DecisionKind,
    /// From the verb to the semicolon.
    pub span: Span,
}

/// What a decision decides.
#[derive(Clone, Debug)]
pub enum DecisionKind {
    /// Was wrong and has been reported.
    Error,
    /// `grid m: 128, n: 256 order swizzle(4)`
    Grid {
        /// The blocks of the output.
        blocks: Vec<Block>,
        /// Their order over the cores.
        order: Option<ExprId>,
    },
    /// `stream k: 64 in k: 256 place a in l0a depth 2`
    Stream {
        /// The steps.
        blocks: Vec<Block>,
        /// The stream that this one is inside of.
        inside: Option<Block>,
        /// What holds in it, in order.
        clauses: Vec<StreamClause>,
    },
    /// `place acc in l0c depth 1`
    Place {
        /// What goes where.
        groups: Vec<PlaceGroup>,
        /// How many buffers each.
        depth: Option<ExprId>,
    },
    /// `pack b as nZ`
    Pack {
        /// The tensors.
        names: Vec<Name>,
        /// The layout.
        layout: Name,
    },
    /// `engine y = vector`
    Engine {
        /// The definitions.
        names: Vec<Name>,
        /// The engine.
        engine: Name,
    },
    /// `fuse y at (m, n) engine vector`
    Fuse {
        /// The definitions.
        names: Vec<Name>,
        /// The loops that they move into.
        at: Vec<Name>,
        /// The engine.
        engine: Option<Name>,
    },
    /// `keep t`
    Keep(Vec<Name>),
    /// `recompute t`
    Recompute(Vec<Name>),
    /// `split k: 4 across cores merge atomic`
    Split {
        /// The index and the number of parts.
        block: Block,
        /// `cores` or `chips`.
        across: Name,
        /// How the parts are joined.
        merge: Option<Name>,
    },
    /// `pad a to 64`
    Pad {
        /// The tensor or index.
        name: Name,
        /// The multiple.
        to: ExprId,
    },
    /// `unroll k: 4`
    Unroll(Block),
    /// `skip where c`
    SkipWhere(ExprId),
    /// `workspace 192KiB`
    Workspace(ExprId),
    /// `expect utilization >= 80%, hbm <= 1.10 * ideal`
    Expect(Vec<Expectation>),
}

/// `m: 128`, `acc.k: 64`
#[derive(Clone, Debug)]
pub struct Block {
    /// The index, or the definition before the dot.
    pub name: Name,
    /// The index behind the dot.
    pub index: Option<Name>,
    /// The size; [`super::ExprKind::Hole`] if it is to be searched.
    pub size: ExprId,
    /// All of it.
    pub span: Span,
}

/// A clause of a stream.
#[derive(Clone, Debug)]
pub enum StreamClause {
    /// `place a, b in l1`
    Place(Vec<PlaceGroup>),
    /// `depth 2`
    Depth(ExprId),
    /// `skew 1`
    Skew(ExprId),
}

/// `a, b in l1`
#[derive(Clone, Debug)]
pub struct PlaceGroup {
    /// The tensors.
    pub names: Vec<Name>,
    /// The memory; `None` if it is to be searched (`?`).
    pub space: Option<Name>,
}

/// `utilization >= 80%`
#[derive(Clone, Debug)]
pub struct Expectation {
    /// What is measured.
    pub measure: ExprId,
    /// The comparison.
    pub op: BinaryOp,
    /// The bound.
    pub bound: ExprId,
    /// Whether the bound is in percent.
    pub percent: bool,
    /// All of it.
    pub span: Span,
}
