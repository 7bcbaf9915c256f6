//! The tree of a `.tile` file: what was written, with spans and without meaning.
//!
//! Names of operations, types, spaces and the like are [`Name`]s here; `frontend::load` knows the words. Blocks nest at
//! most [`MAX_TILE_NESTING`] deep, so recursion is safe. A statement that could not be read is an `Error` node.

use diag::Span;

use crate::ast::{Directive, Name};

/// How deep braces may nest in a tile form.
pub const MAX_TILE_NESTING: usize = 200;

/// One parsed `.tile` file.
#[derive(Clone, Debug, Default)]
pub struct TileFile {
    /// The functions in the order of the text.
    pub funcs: Vec<TileFunc>,
    /// The `//! key: value` lines at the top.
    pub directives: Vec<Directive>,
}

/// `tile name@target stage s groups n (…) { … }`.
#[derive(Clone, Debug)]
pub struct TileFunc {
    /// The kernel's name.
    pub name: Name,
    /// The chip.
    pub target: Name,
    /// How far it has come; the first stage if left out.
    pub stage: Option<Name>,
    /// Cube cores that run; one if left out.
    pub groups: Option<Int>,
    /// The tensors.
    pub params: Vec<TileParam>,
    /// What stands in braces.
    pub items: Vec<TileItem>,
    /// From `tile` to the closing parenthesis.
    pub span: Span,
}

/// `role name: elem[extents]`.
#[derive(Clone, Debug)]
pub struct TileParam {
    /// `in`, `out` or `work`, if it was written.
    pub role: Option<Name>,
    /// The tensor's name.
    pub name: Name,
    /// Element type.
    pub elem: Name,
    /// Extents; none for rank 0.
    pub shape: Vec<TileExtent>,
}

/// An extent of a tensor: `64`, or `2*M*K` with sizes that the launch gives.
#[derive(Clone, Debug)]
pub struct TileExtent {
    /// Numbers and sizes.
    pub factors: Vec<TileArg>,
    /// All of it.
    pub span: Span,
}

/// A part of a function.
#[derive(Clone, Debug)]
pub enum TileItem {
    /// `sizes N = 64, M = ?, …;` where `?` is given by the launch.
    Sizes(Vec<(Name, Option<Int>)>),
    /// `launch most M 4096;`, `launch check "M % 2 == 0";`: what else is known of such sizes.
    Launch {
        /// Which fact.
        what: Name,
        /// A size, or a formula.
        name: Name,
        /// A number that belongs to it.
        value: Option<Int>,
    },
    /// `does mads 64 f16, …;`
    Does(Vec<Work>),
    /// `chan name: ring depth n from kind;`
    Chan {
        /// The channel's name.
        name: Name,
        /// The tensor of its slots.
        ring: Name,
        /// Slots per group.
        depth: Int,
        /// Who sends.
        from: Name,
    },
    /// `buf name: elem[depth][rows, cols] layout in space at address;`
    Buf(BufDecl),
    /// `phase { on cube { … } on vector { … } }`
    Phase {
        /// The blocks with their kinds of core.
        blocks: Vec<(Name, Vec<TileStmt>)>,
        /// The whole phase.
        span: Span,
    },
    /// `chan name: elem[rows, cols] depth n;`: a channel with a ring of its own.
    Slots {
        /// The channel's name.
        name: Name,
        /// Element type.
        elem: Name,
        /// Rows and columns of a slot.
        shape: Vec<Int>,
        /// Slots per group.
        depth: Int,
        /// The whole declaration.
        span: Span,
    },
    /// `for c in cores over (m: 128, …) { … }`
    Cores(TileCores),
    /// A part that could not be read.
    Error,
}

/// A phase whose blocks of work are dealt to the cores.
#[derive(Clone, Debug)]
pub struct TileCores {
    /// The number of a block.
    pub var: Name,
    /// The indices with the extents of a block.
    pub over: Vec<(Name, Int)>,
    /// `row`, `col` or `swizzle(n)`.
    pub order: Option<(Name, Option<Int>)>,
    /// What stands in braces.
    pub parts: Vec<TileCorePart>,
    /// The head.
    pub span: Span,
}

/// What stands in the braces of a [`TileCores`].
#[derive(Clone, Debug)]
pub enum TileCorePart {
    /// `on cube { … }`
    On(Name, Vec<TileStmt>),
    /// A declaration.
    Item(TileItem),
}

/// `a[m, k1 + 64]`: a part of a tensor or buffer, of the size that the other side has; or all of a buffer.
#[derive(Clone, Debug)]
pub struct TileAccess {
    /// The tensor or buffer.
    pub name: Name,
    /// Where the part begins; nothing if there are no brackets.
    pub at: Option<Vec<TileCoord>>,
    /// The whole access.
    pub span: Span,
}

/// A coordinate.
#[derive(Clone, Debug)]
pub enum TileCoord {
    /// From there on.
    At(TileSum),
    /// `:`, the whole dimension.
    All(Span),
}

/// `m + 2*k - 16`: products with their signs (true is minus).
#[derive(Clone, Debug)]
pub struct TileSum {
    /// The products.
    pub terms: Vec<(bool, Vec<TileArg>)>,
    /// The whole sum.
    pub span: Span,
}

/// `k == 0`
#[derive(Clone, Debug)]
pub struct TileTest {
    /// Left side.
    pub lhs: TileSum,
    /// The comparison as written.
    pub op: Name,
    /// Right side.
    pub rhs: TileSum,
}

/// Tests that are joined by `&&`, or by `||`.
#[derive(Clone, Debug)]
pub struct TileCond {
    /// Whether one is enough.
    pub any: bool,
    /// The tests, at least one.
    pub tests: Vec<TileTest>,
    /// The whole condition.
    pub span: Span,
}

/// When a product starts from zero.
#[derive(Clone, Debug)]
pub enum TileFirst {
    /// `mad C = A * B`
    Always,
    /// `mad C += A * B`
    Never,
    /// `mad C += A * B first (…)`
    When(TileCond),
}

/// A quantity of work: `mads 64 f16`.
#[derive(Clone, Debug)]
pub struct Work {
    /// What is counted.
    pub what: Name,
    /// How much.
    pub amount: Int,
    /// Of which elements.
    pub elem: Option<Name>,
}

/// A buffer's declaration.
#[derive(Clone, Debug)]
pub struct BufDecl {
    /// Its name.
    pub name: Name,
    /// Element type.
    pub elem: Name,
    /// The numbers of each pair of brackets: copies if there are two pairs, then rows and columns.
    pub extents: Vec<Vec<Int>>,
    /// Layout.
    pub layout: Name,
    /// Space.
    pub space: Name,
    /// Address of the first copy.
    pub addr: Option<Int>,
    /// The whole declaration.
    pub span: Span,
}

/// A number where it was written.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Int {
    /// The number.
    pub value: i128,
    /// Where it stands.
    pub span: Span,
}

/// A scalar operand.
#[derive(Clone, Debug)]
pub enum TileArg {
    /// A constant.
    Int(Int),
    /// A value.
    Name(Name),
}

/// `name[args]`: part of a buffer (row and column) or of a tensor (element offset); without brackets all of a buffer.
#[derive(Clone, Debug)]
pub struct TilePlace {
    /// The buffer or tensor.
    pub name: Name,
    /// Where in it.
    pub at: Vec<TileArg>,
    /// The whole place.
    pub span: Span,
}

/// An operand on the right of a definition.
#[derive(Clone, Debug)]
pub enum TileAtom {
    /// A number or a name.
    Arg(TileArg),
    /// A place.
    Place(TilePlace),
}

/// An operand of a vector operation.
#[derive(Clone, Debug)]
pub enum TileOperand {
    /// `A[0, 0]`
    Full(TilePlace),
    /// `row A[0, 0]`
    Row(TilePlace),
    /// `col A[0, 0]`
    Col(TilePlace),
    /// `bits 0x3f800000`
    Bits(Int),
    /// `0.125`, of the type of the first operand
    Float(Name),
    /// `scalar v3`
    Scalar(Name),
}

/// A statement with its place.
#[derive(Clone, Debug)]
pub struct TileStmt {
    /// What it says.
    pub kind: TileStmtKind,
    /// Where it stands, its semicolon included; of a loop or branch its head alone.
    pub span: Span,
}

/// A window over an image as it was written.
#[derive(Clone, Debug)]
pub struct TileWindow {
    /// Rows and columns of the image.
    pub image: Extents,
    /// Padding above, below, left and right.
    pub pad: Extents,
    /// Extents of the window.
    pub extent: Extents,
    /// How far it moves.
    pub step: Extents,
    /// Distance of its elements.
    pub apart: Extents,
    /// First position and element.
    pub from: Extents,
}

/// Extents where they were written.
#[derive(Clone, Debug)]
pub struct Extents {
    /// The numbers or values.
    pub args: Vec<TileArg>,
    /// With the parentheses.
    pub span: Span,
}

/// What a statement says.
#[derive(Clone, Debug)]
pub enum TileStmtKind {
    /// `dst = word atoms;`
    Define {
        /// The new value.
        dst: Name,
        /// What it is.
        word: Name,
        /// Of what.
        atoms: Vec<TileAtom>,
    },
    /// `for var in lo..hi step n { … }`
    For {
        /// The loop's value.
        var: Name,
        /// First value.
        lo: TileArg,
        /// Bound.
        hi: TileArg,
        /// Increment.
        step: Int,
        /// Whether turns are to overlap.
        pipelined: bool,
        /// Body.
        body: Vec<TileStmt>,
    },
    /// `if (k > 0 && …) { … } else { … }`
    When {
        /// Condition.
        cond: TileCond,
        /// If it holds.
        then: Vec<TileStmt>,
        /// If not.
        els: Option<Vec<TileStmt>>,
    },
    /// A buffer of this block.
    Buf(BufDecl),
    /// `copy A1 <- a[m, k1] transposed;`
    Copy {
        /// Destination buffer.
        dst: Name,
        /// A part of a tensor or buffer.
        src: TileAccess,
        /// Whether the source is stored transposed.
        transposed: bool,
    },
    /// `store y[m, n] <- C as f16 relu;`
    Put {
        /// Part of a tensor.
        dst: TileAccess,
        /// The buffer.
        src: TileAccess,
        /// The element type that it is converted to.
        cast: Option<Name>,
        /// Whether negative values become zero.
        relu: bool,
    },
    /// `mad C += A * B first (k == 0);` without extents.
    Multiply {
        /// Accumulator and operands.
        bufs: [Name; 3],
        /// When it starts from zero.
        first: TileFirst,
    },
    /// `send t <- C;`
    Send {
        /// The channel.
        chan: Name,
        /// The buffer.
        src: Name,
    },
    /// `recv T <- t;`
    Receive {
        /// The buffer.
        dst: Name,
        /// The channel.
        chan: Name,
    },
    /// `if cond { … } else { … }`
    If {
        /// Condition.
        cond: TileArg,
        /// If it is not 0.
        then: Vec<TileStmt>,
        /// If it is 0.
        els: Option<Vec<TileStmt>>,
    },
    /// `next buf;`
    Next(Name),
    /// `poke A[0, 0] <- v;`
    Poke {
        /// The element.
        dst: TilePlace,
        /// The bits.
        value: TileArg,
    },
    /// `load A[0, 0] <- a[v] size (r, c) pitch p;`
    Load(Transfer),
    /// `store a[v] <- A[0, 0] size (r, c) pitch p;`
    Store(Transfer),
    /// `loadtile A0 <- A1[0, v] size (r, c) transposed;`
    LoadTile {
        /// Destination buffer.
        dst: Name,
        /// Source.
        src: TilePlace,
        /// Rows and columns.
        size: Extents,
        /// Whether the source is stored transposed.
        transposed: bool,
    },
    /// `loadwindow A0 <- X1[0, c] size (r, c) image (h, w) pad (t, b, l, r) window (3, 3) step (1, 1) apart (1, 1) from (p, e);`
    LoadWindow {
        /// Destination buffer.
        dst: Name,
        /// Source.
        src: TilePlace,
        /// Rows and columns.
        size: Extents,
        /// The image and the window.
        window: Box<TileWindow>,
    },
    /// `loadwords T <- A[0, 0] size (n);`
    LoadWords {
        /// Destination buffer.
        dst: Name,
        /// Source.
        src: TilePlace,
        /// Words.
        size: Extents,
    },
    /// `mad C += A * B size (m, k, n) init i hf32;`
    Mad {
        /// Accumulator and operands.
        bufs: [Name; 3],
        /// Three extents.
        size: Extents,
        /// 1 to start from zero.
        init: TileArg,
        /// Whether f32 factors are rounded first.
        hf32: bool,
    },
    /// `drain y[v] <- C size (r, c) pitch p requant Q[0, 0] relu;`
    Drain {
        /// Destination.
        dst: TilePlace,
        /// Source buffer.
        src: Name,
        /// Rows and columns.
        size: Extents,
        /// Distance of rows.
        pitch: TileArg,
        /// Quantisation words.
        requant: Option<TilePlace>,
        /// Whether negative values become zero.
        relu: bool,
    },
    /// `ew add X[0, 0] <- A[0, 0], row B[0, 0] size (r, c);`
    Ew {
        /// The operation with its modifiers, joined by dots.
        op: Name,
        /// Destination.
        dst: TilePlace,
        /// Operands.
        operands: Vec<TileOperand>,
        /// Rows and columns, if they are written.
        size: Option<Extents>,
    },
    /// `spread X[0, 0] <- S[0, 0] size (r);`
    Spread {
        /// Destination.
        dst: TilePlace,
        /// Source.
        src: TilePlace,
        /// Rows, if they are written.
        size: Option<Extents>,
    },
    /// `transpose X[0, 0] <- S[0, 0] size (r, c);`
    Transpose {
        /// Destination.
        dst: TilePlace,
        /// Source.
        src: TilePlace,
        /// Rows and columns of the source, if they are written.
        size: Option<Extents>,
    },
    /// `gather X[0, 0] <- S[0, 0] by A[0, 0] size (r, c);`
    Gather {
        /// Destination.
        dst: TilePlace,
        /// What is chosen from.
        src: TilePlace,
        /// Offsets in bytes.
        at: TilePlace,
        /// Rows and columns.
        size: Extents,
    },
    /// `sort P[0, 0] <- K[0, 0] with I[0, 0] size (r, c);`
    Sort {
        /// Destination.
        dst: TilePlace,
        /// Keys.
        keys: TilePlace,
        /// What goes with them.
        places: TilePlace,
        /// Rows and columns.
        size: Extents,
    },
    /// `accumulate sum L[0, 0] <- X[0, 0] size (r, c);`
    Accumulate {
        /// The operator.
        op: Name,
        /// The lanes.
        acc: TilePlace,
        /// Source.
        src: TilePlace,
        /// Rows and columns, if they are written.
        size: Option<Extents>,
    },
    /// `blockreduce sum P[0, 0] <- L[0, 0] size (r, c);`
    BlockReduce {
        /// The operator.
        op: Name,
        /// Destination.
        dst: TilePlace,
        /// Source.
        src: TilePlace,
        /// Rows and columns of the source.
        size: Extents,
    },
    /// `lanes sum S[0, 0] <- L[0, 0] size (r);`
    Lanes {
        /// The operator.
        op: Name,
        /// Destination.
        dst: TilePlace,
        /// The lanes.
        acc: TilePlace,
        /// Rows, if they are written.
        size: Option<Extents>,
    },
    /// `publish t;`
    Publish(Name),
    /// `release t;`
    Release(Name),
    /// `setflag p to q id n slot B;` and `waitflag …`
    Flag {
        /// Set, or wait.
        set: bool,
        /// The pipe that sets and the one that waits.
        pipes: [Name; 2],
        /// Event id.
        id: Int,
        /// The buffer whose copy is added to it.
        slot: Option<Name>,
    },
    /// `barrier p;` or `barrier all;`
    Barrier(Name),
    /// `syncall;`
    SyncAll,
    /// `setcross p id n;` and `waitcross …`
    Cross {
        /// Set, or wait.
        set: bool,
        /// The pipe.
        pipe: Name,
        /// Counter.
        id: Int,
    },
    /// A statement that could not be read.
    Error,
}

/// A copy between global memory and a buffer.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// Destination.
    pub dst: TilePlace,
    /// Source.
    pub src: TilePlace,
    /// Rows and columns.
    pub size: Extents,
    /// Distance of rows.
    pub pitch: TileArg,
}
