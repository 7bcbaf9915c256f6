//! Tile IR: ordered, structured, with explicit buffers and engines, and *sequential meaning*.
//!
//! A [`Func`] is a list of [`Phase`]s. In a phase every cube core runs the `cube` block and every vector core the
//! `vector` block, each core on its own; between phases all cores of the launch meet. Inside a phase a cube core and the
//! two vector cores of its group talk only through [`Chan`]s. Within one block the meaning is sequential: an operation
//! sees the effects of all earlier ones. No operation is a synchronisation until the function is [`Stage::Synced`].
//!
//! **Values** ([`Value`]) are 64-bit integers, defined once, visible in the rest of their block and in nested blocks.
//! **Buffers** ([`Buf`]) are matrices of `rows × cols` elements in a space of the core that runs the block, `depth` copies
//! of each. [`Op::Next`] turns a buffer to its next copy and starts a new *generation*: its contents are undefined, and
//! the generation lives until the end of the block execution that holds the `Next` (so a `Next` inside a loop body lives
//! for one iteration; one before a loop lives through all of it). Every access belongs to the latest `Next` of its
//! buffer, which stands in the same block or an enclosing one. Depth decides how many generations may be in flight.
//! **Views** name a part of a buffer by the row and column at which it starts; extents stand on the operation.
//! **Tensors** live in global memory, row-major; an access is a flat element offset, an extent and a row pitch.

use cranelift_entity::{PrimaryMap, entity_impl};
use diag::Span;
use isa::types::{CoreKind, Elem, Layout, Pipe, Space};
use smallvec::SmallVec;

use crate::algo::{CmpOp, Overflow, Round};
use crate::symbols::Symbols;

mod access;
pub mod eval;
pub mod names;
pub mod print;
pub mod verify;
pub mod window;

#[cfg(test)]
mod tests;

pub use access::{Part, Use};
pub use eval::eval;
pub use print::print;
pub use verify::verify;
pub use window::Window;

/// A scalar value. Get one from the operation that defines it; its order means nothing.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Value(u32);
entity_impl!(Value, "v");

/// An on-chip buffer. Its order is the order of declaration.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Buf(u32);
entity_impl!(Buf, "b");

/// A tensor in global memory: argument or workspace.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tensor(u32);
entity_impl!(Tensor, "t");

/// A channel between the cube core and the vector cores of each group.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Chan(u32);
entity_impl!(Chan, "ch");

/// A sequence of operations.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Block(u32);
entity_impl!(Block, "block");

/// An operation.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Inst(u32);
entity_impl!(Inst, "inst");

/// How far a function has come; what each stage forbids is in [`crate::stage`]'s table and checked by the verifier.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Stage {
    /// Out of the tiler: buffers without addresses, no synchronisation, vector operations of any element type.
    #[default]
    Tiled,
    /// Every vector operation is one that the machine has for its element types.
    Legal,
    /// Every buffer has an address.
    Placed,
    /// Flags, barriers and cross-core operations are explicit.
    Synced,
}

/// A kernel in tile form.
#[derive(Clone, Debug, Default)]
pub struct Func {
    /// The kernel's name.
    pub name: String,
    /// The chip's name.
    pub target: String,
    /// Size variables, for reports.
    pub sizes: Vec<(String, i64)>,
    /// The sizes that the launch gives; shapes of tensors, and work, hold their numbers.
    pub symbols: Symbols,
    /// Work the kernel does by its definition, for reports.
    pub work: Work,
    /// How far it has come.
    pub stage: Stage,
    /// Cube cores (= groups) that run; vector cores are twice as many.
    pub groups: u32,
    /// Arguments first, in the order of the signature, then workspaces.
    pub tensors: PrimaryMap<Tensor, TensorData>,
    /// Buffers.
    pub bufs: PrimaryMap<Buf, BufData>,
    /// Channels.
    pub chans: PrimaryMap<Chan, ChanData>,
    /// Scalars.
    pub values: PrimaryMap<Value, ValueData>,
    /// Operations.
    pub insts: PrimaryMap<Inst, InstData>,
    /// Blocks.
    pub blocks: PrimaryMap<Block, BlockData>,
    /// Phases in order.
    pub phases: Vec<Phase>,
}

/// Useful work, for utilisation and the lower bound.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Work {
    /// Multiply-adds of matrix products.
    pub mads: u64,
    /// Operand type of those.
    pub mad_elem: Option<Elem>,
    /// Element operations on the vector units.
    pub vector_ops: u64,
    /// Arguments read once and results written once.
    pub compulsory_bytes: u64,
}

/// One phase; at least one block is present.
#[derive(Clone, Debug, Default)]
pub struct Phase {
    /// What each cube core runs.
    pub cube: Option<Block>,
    /// What each vector core runs.
    pub vector: Option<Block>,
}

/// A tensor in global memory.
#[derive(Clone, Debug)]
pub struct TensorData {
    /// Name.
    pub name: String,
    /// Element type.
    pub elem: Elem,
    /// Extents; row-major.
    pub shape: SmallVec<[i64; 4]>,
    /// Argument in, result out, or workspace.
    pub role: TensorRole,
    /// Where it is declared.
    pub span: Span,
}

/// The part a tensor plays.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum TensorRole {
    /// Argument.
    In,
    /// Result.
    Out,
    /// Workspace, uninitialised at launch.
    Work,
}

/// A buffer.
#[derive(Clone, Debug)]
pub struct BufData {
    /// Name, unique in the function.
    pub name: String,
    /// Element type. A `Bool` buffer in UB is a bit mask: one bit per element, `cols` a multiple of 256.
    pub elem: Elem,
    /// L1, L0A, L0B, L0C, BT, FB (cube) or UB (vector).
    pub space: Space,
    /// ND in UB, BT, FB; NZ in L1 (ND there for bias and quantisation words) and L0C; zZ in L0A; nZ in L0B.
    pub layout: Layout,
    /// Copies.
    pub depth: u32,
    /// Rows of one copy; in fractal layouts a multiple of 16 (L0B: of the fractal's K0; L1 NZ: of 16 or 32 for bytes).
    pub rows: i64,
    /// Columns of one copy: the row pitch of ND buffers; row length in bytes is a multiple of 32 unless `rows` is 1.
    pub cols: i64,
    /// Byte address of copy 0 from [`Stage::Placed`] on; copy `i` lies `i * copy_bytes` behind.
    pub addr: Option<u32>,
    /// Where it comes from.
    pub span: Span,
}

impl BufData {
    /// Bytes of one copy, rounded up to the space's alignment (32 B; L0A, L0B 512 B; L0C 1024 B; BT, FB 64 B), if it fits 63 bits.
    pub fn copy_bytes(&self) -> Option<u64> {
        let cells = u64::try_from(self.rows.checked_mul(self.cols)?).ok()?;
        let bytes = if self.elem == Elem::Bool && self.space == Space::Ub {
            cells.div_ceil(8)
        } else {
            cells.checked_mul(self.elem.bytes())?
        };
        let unit = match self.space {
            Space::L0a | Space::L0b => 512,
            Space::L0c => 1024,
            Space::Bt | Space::Fb => 64,
            Space::Gm | Space::L1 | Space::Ub => 32,
        };
        bytes.checked_next_multiple_of(unit)
    }
}

/// A channel: a ring of `depth` slots of `rows × cols` elements per group in a workspace tensor of shape
/// `[groups, depth, rows, cols]`. The producer is one kind of core, the consumer the other. A channel from the cube
/// core is read by both vector cores of the group: each takes and releases every slot.
#[derive(Clone, Debug)]
pub struct ChanData {
    /// Name.
    pub name: String,
    /// The ring.
    pub tensor: Tensor,
    /// Slots per group.
    pub depth: u32,
    /// Who sends.
    pub from: CoreKind,
}

/// A scalar.
#[derive(Clone, Debug, Default)]
pub struct ValueData {
    /// The author's name, if it has one.
    pub name: Option<String>,
}

/// Operations of a block, in order.
#[derive(Clone, Debug, Default)]
pub struct BlockData {
    /// The operations.
    pub insts: Vec<Inst>,
}

/// An operation and where it comes from.
#[derive(Clone, Debug)]
pub struct InstData {
    /// What it does.
    pub op: Op,
    /// The algorithm's span.
    pub span: Span,
}

/// A scalar operand.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Arg {
    /// A constant.
    Const(i64),
    /// A value.
    Val(Value),
}

impl From<i64> for Arg {
    fn from(value: i64) -> Arg {
        Arg::Const(value)
    }
}

impl From<Value> for Arg {
    fn from(value: Value) -> Arg {
        Arg::Val(value)
    }
}

/// A part of the current copy of a buffer, from (row, col) on.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The buffer.
    pub buf: Buf,
    /// First row.
    pub row: Arg,
    /// First column. In UB, `col` times the element size is a multiple of 32 bytes, except for `Lanes` destinations and scalar access.
    pub col: Arg,
}

/// An operand of a vector operation over `rows × cols` elements.
#[derive(Copy, Clone, Debug, PartialEq)]
pub enum Operand {
    /// One element per element.
    Full(View),
    /// One row, used for every row.
    EachRow(View),
    /// One block of 32 B per row whose elements are all equal (`Op::Spread` makes it), used for every column. The buffer has one block a row.
    EachCol(View),
    /// A constant of the operand's element type, as raw bits of that type.
    Bits(u32),
    /// A scalar whose low bits are an element of the operand's type.
    Scalar(Value),
}

/// Arithmetic of the scalar unit on f32, held as the low 32 bits of a value: the bits of the vector unit.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum FloatOp {
    /// Sum.
    Add,
    /// Difference.
    Sub,
    /// Product.
    Mul,
    /// Quotient.
    Div,
    /// Square root of the first operand; it has no second one, which is 0.
    Sqrt,
}

/// Integer arithmetic on values; comparisons give 0 or 1. Division and remainder are of non-negative by positive numbers.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum ScalarOp {
    /// Sum.
    Add,
    /// Difference.
    Sub,
    /// Product.
    Mul,
    /// Quotient.
    Div,
    /// Remainder.
    Rem,
    /// Smaller.
    Min,
    /// Larger.
    Max,
    /// Bitwise and.
    And,
    /// Bitwise or.
    Or,
    /// Left shift.
    Shl,
    /// Logical right shift.
    Shr,
    /// Comparison.
    Cmp(CmpOp),
    /// Arithmetic on f32.
    Float(FloatOp),
}

/// Where a core stands.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum CoreQuery {
    /// Number of this core among those of its kind: cube 0..groups, vector 0..2·groups.
    Core,
    /// Number of its group.
    Group,
    /// Which of the two vector cores of the group; 0 on a cube core.
    Sub,
    /// Not a place: the value of this one of [`Func::symbols`].
    Size(u32),
}

/// Element-wise vector operations; element types are those of the buffers.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum EwOp {
    /// `dst = a`.
    Copy,
    /// Sum.
    Add,
    /// Difference.
    Sub,
    /// Product.
    Mul,
    /// Quotient.
    Div,
    /// Integer remainder (not on the machine).
    Rem,
    /// Larger.
    Max,
    /// Smaller.
    Min,
    /// Absolute value.
    Abs,
    /// Sign flip.
    Neg,
    /// Exponential.
    Exp,
    /// Logarithm.
    Ln,
    /// Square root.
    Sqrt,
    /// `max(a, 0)` with NaN kept.
    Relu,
    /// To an integral value of the same float type.
    Round(Round),
    /// Bitwise (integers) or logical (masks) and.
    And,
    /// Bitwise or logical or.
    Or,
    /// Bitwise or logical exclusive or.
    Xor,
    /// Complement.
    Not,
    /// Left shift by `b`.
    Shl,
    /// Arithmetic right shift by `b`.
    Shr,
    /// Comparison of `a` and `b` (same type) into a mask.
    Cmp(CmpOp),
    /// `mask ? b : c`, with the mask as `a`.
    Select,
    /// Conversion of `a` to the type of `dst`. `Bool` sources are masks (true is 1), `Bool` destinations are masks.
    Cast(Round, Overflow),
    /// `dst[r, c] = a + c` for an integer or float scalar `a` (`Bits` or `Scalar`).
    Iota,
}

/// Reductions over lanes.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum RedOp {
    /// Sum.
    Sum,
    /// Maximum.
    Max,
    /// Minimum.
    Min,
}

impl RedOp {
    /// Name in the tile form.
    pub const fn name(self) -> &'static str {
        match self {
            RedOp::Sum => "sum",
            RedOp::Max => "max",
            RedOp::Min => "min",
        }
    }
}

/// What the fixpipe does on the way out, to the element type of the destination tensor.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum FixCast {
    /// f32→f32, i32→i32: none. f32→f16, f32→bf16: nearest even, saturating.
    Plain,
    /// i32→i8: per-column quantisation words in the FB buffer.
    Requant(View),
}

/// Operations. Extents are element counts; a zero extent makes an operation do nothing.
#[derive(Clone, Debug)]
pub enum Op {
    /// Integer arithmetic.
    Scalar {
        /// The value defined.
        dst: Value,
        /// The operator.
        op: ScalarOp,
        /// Left operand.
        a: Arg,
        /// Right operand.
        b: Arg,
    },
    /// The place of this core.
    Query {
        /// The value defined.
        dst: Value,
        /// What is asked.
        what: CoreQuery,
    },
    /// `for var in lo..hi step step`: `step` positive.
    For {
        /// Induction variable.
        var: Value,
        /// First value.
        lo: Arg,
        /// Bound, exclusive.
        hi: Arg,
        /// Increment.
        step: i64,
        /// Body.
        body: Block,
    },
    /// Runs `then` if `cond` is not 0, else `els`.
    If {
        /// Condition.
        cond: Arg,
        /// If not zero.
        then: Block,
        /// If zero.
        els: Option<Block>,
    },
    /// Turns a buffer to its next copy and starts a generation.
    Next {
        /// The buffer.
        buf: Buf,
    },
    /// Raw bits of one element of a tensor, zero-extended.
    Peek {
        /// The value defined.
        dst: Value,
        /// The tensor.
        tensor: Tensor,
        /// Flat element offset.
        at: Arg,
    },
    /// Raw bits of one element of a UB buffer, zero-extended.
    PeekBuf {
        /// The value defined.
        dst: Value,
        /// The element.
        src: View,
    },
    /// Writes the low bits of a value to one element of a UB buffer (any element type but `Bool`).
    Poke {
        /// The element.
        dst: View,
        /// The bits.
        value: Arg,
    },
    /// Global memory → UB (ND) or L1 (NZ by `nd2nz`; ND plain): rows `pitch` elements apart. In UB the rest of each row's
    /// last 32 B block is filled with zero bytes; in NZ columns up to a multiple of C0 are.
    Load {
        /// Destination.
        dst: View,
        /// Source tensor; element size equals the buffer's.
        tensor: Tensor,
        /// Flat offset of the first element.
        at: Arg,
        /// Rows.
        rows: Arg,
        /// Columns.
        cols: Arg,
        /// Distance of rows in elements.
        pitch: Arg,
    },
    /// UB (ND) → global memory.
    Store {
        /// Destination tensor.
        tensor: Tensor,
        /// Flat offset of the first element.
        at: Arg,
        /// Source.
        src: View,
        /// Rows.
        rows: Arg,
        /// Columns.
        cols: Arg,
        /// Distance of rows in elements.
        pitch: Arg,
    },
    /// L1 → L0A (`rows × cols` = m×k) or L0B (k×n), as a whole matrix at (0, 0) whose padded shape is that of the extents
    /// rounded up to fractals. The source holds the matrix in that orientation, or its transpose if `transposed`.
    LoadTile {
        /// Destination buffer.
        dst: Buf,
        /// Source, in the stored orientation.
        src: View,
        /// Rows of the destination matrix.
        rows: Arg,
        /// Columns of the destination matrix.
        cols: Arg,
        /// Whether the source is stored transposed.
        transposed: bool,
    },
    /// L1 (NZ) → L0A: a part of the matrix of a window that moves over an image, m×k at (0, 0). See [`Window`] for what
    /// stands where; the buffer holds one row per element of the image, and the view names the block of channels.
    LoadWindow {
        /// Destination buffer in L0A.
        dst: Buf,
        /// Source: the image's first element, and the first channel of a block of 32 B.
        src: View,
        /// Positions of the window.
        rows: Arg,
        /// Elements of the window times the channels of a block.
        cols: Arg,
        /// The image and the window.
        window: Window,
    },
    /// L1 (ND) → BT or FB: `cols` words.
    LoadWords {
        /// Destination buffer in BT or FB.
        dst: Buf,
        /// Source.
        src: View,
        /// Words.
        cols: Arg,
    },
    /// `c (+)= a · b` on L0 buffers: c is m×n in an L0C buffer of `rows` padded rows, from (0, 0).
    Mad {
        /// Accumulator.
        c: Buf,
        /// Left operand, as `LoadTile` left it.
        a: Buf,
        /// Right operand.
        b: Buf,
        /// Rows of the result.
        m: Arg,
        /// Length of the reduction.
        k: Arg,
        /// Columns of the result.
        n: Arg,
        /// 0 accumulates, 1 starts from zero.
        init: Arg,
        /// f32 operands are rounded to 11 bits of fraction first.
        hf32: bool,
    },
    /// L0C → global memory through the fixpipe, from (0, 0) of the buffer.
    Drain {
        /// Destination tensor.
        tensor: Tensor,
        /// Flat offset of the first element.
        at: Arg,
        /// Source.
        src: Buf,
        /// Rows.
        rows: Arg,
        /// Columns.
        cols: Arg,
        /// Distance of rows in elements.
        pitch: Arg,
        /// Conversion.
        cast: FixCast,
        /// Clamp below at zero after the conversion.
        relu: bool,
    },
    /// An element-wise vector operation on `rows × cols` elements. Masks (`Bool` buffers) demand `rows` = 1 or a pitch of whole rows.
    Ew {
        /// The operation.
        op: EwOp,
        /// Destination.
        dst: View,
        /// First operand.
        a: Operand,
        /// Second operand.
        b: Option<Operand>,
        /// Third operand.
        c: Option<Operand>,
        /// Rows.
        rows: Arg,
        /// Columns.
        cols: Arg,
    },
    /// Fills one block of 32 B per row: `dst[r, *] = src[0, r]` for `rows` rows. `dst` has one block a row.
    Spread {
        /// Destination.
        dst: View,
        /// Source: one row of `rows` elements.
        src: View,
        /// Rows of the destination.
        rows: Arg,
    },
    /// `dst[c, r] = src[r, c]` for elements of 2 or 4 bytes; both extents are known multiples of 16.
    Transpose {
        /// Destination.
        dst: View,
        /// Source.
        src: View,
        /// Rows of the source.
        rows: Arg,
        /// Columns of the source.
        cols: Arg,
    },
    /// `dst[r, c] =` the element of `src`'s buffer that lies `at[r, c]` bytes behind the view's start, for elements of 2 or 4
    /// bytes, moved as bits. `at` holds i32. Beyond one row both pitches are `cols`.
    Gather {
        /// Destination.
        dst: View,
        /// What is chosen from.
        src: View,
        /// Offsets in bytes.
        at: View,
        /// Rows of the destination.
        rows: Arg,
        /// Columns of the destination.
        cols: Arg,
    },
    /// Sorts each row of `keys` (f32) with the i32 of `places` beside it, descending: `dst[r, 2k]` and `dst[r, 2k + 1]` are
    /// the bits of the k-th key and its place. Equal keys keep their order, NaN stands before all, +0 before -0. `dst` is
    /// i32, of `2·cols` columns and `2·rows` rows, of which the second half is used up. `cols` is a known multiple of 32 up
    /// to 8192, and the pitch of `keys` and `places`.
    Sort {
        /// Destination.
        dst: View,
        /// What is compared.
        keys: View,
        /// What goes with it.
        places: View,
        /// Rows, each sorted on its own.
        rows: Arg,
        /// Keys of a row.
        cols: Arg,
    },
    /// `acc[r, c mod 64] = op(acc[r, c mod 64], src[r, c])`, `c` ascending, for 32-bit types; `acc` has 64 columns.
    Accumulate {
        /// The operator.
        op: RedOp,
        /// 64 lanes a row.
        acc: View,
        /// What is added.
        src: View,
        /// Rows.
        rows: Arg,
        /// Columns.
        cols: Arg,
    },
    /// `dst[r, c] = src[r, 8 c .. 8 c + 8)` joined by adjacent pairs, for `rows` rows and `cols` columns of `src`, a known
    /// multiple of 64; f32 (davinci-facts §10.6 rows 96 and 97).
    BlockReduce {
        /// The operator.
        op: RedOp,
        /// Destination: an eighth of the columns.
        dst: View,
        /// Source.
        src: View,
        /// Rows.
        rows: Arg,
        /// Columns of the source.
        cols: Arg,
    },
    /// `dst[0, r] =` the 64 lanes of `acc[r, *]` joined by adjacent pairs, for `rows` rows; 32-bit types.
    Lanes {
        /// The operator.
        op: RedOp,
        /// Destination: one row of `rows` elements.
        dst: View,
        /// The lanes.
        acc: View,
        /// Rows.
        rows: Arg,
    },
    /// Producer: waits for a free slot of the channel; defines its flat element offset in the ring's tensor.
    Acquire {
        /// Offset of the slot.
        dst: Value,
        /// The channel.
        chan: Chan,
    },
    /// Producer: hands the acquired slot over.
    Publish {
        /// The channel.
        chan: Chan,
    },
    /// Consumer: waits for the next filled slot; defines its flat element offset.
    Take {
        /// Offset of the slot.
        dst: Value,
        /// The channel.
        chan: Chan,
    },
    /// Consumer: gives the taken slot back.
    Release {
        /// The channel.
        chan: Chan,
    },
    /// From `Synced` on: sets a flag after earlier work of `src`.
    SetFlag {
        /// Setting pipe.
        src: Pipe,
        /// Waiting pipe.
        dst: Pipe,
        /// Event id, or the first of a group of ids.
        id: u32,
        /// The id is `id` plus the current copy of this buffer.
        slot: Option<Buf>,
    },
    /// From `Synced` on: holds `dst` until the flag is set, and clears it.
    WaitFlag {
        /// Setting pipe.
        src: Pipe,
        /// Waiting pipe.
        dst: Pipe,
        /// Event id, or the first of a group of ids.
        id: u32,
        /// The id is `id` plus the current copy of this buffer.
        slot: Option<Buf>,
    },
    /// From `Synced` on: a barrier on one pipe, or on all (`None`).
    Barrier {
        /// The pipe.
        pipe: Option<Pipe>,
    },
    /// From `Synced` on: all cores of the launch meet; every earlier effect is visible to all.
    SyncAll,
    /// From `Synced` on: adds to cross-core counter `id` of the other kind of core in this group, after `pipe` has drained.
    SetCross {
        /// The pipe.
        pipe: Pipe,
        /// Counter.
        id: u32,
    },
    /// From `Synced` on: holds `pipe` until the other side has set counter `id`.
    WaitCross {
        /// The pipe.
        pipe: Pipe,
        /// Counter.
        id: u32,
    },
}

impl Func {
    /// The same function with values for its symbolic sizes, in their order: shapes and work are numbers then.
    /// Nothing if a shape leaves 64 bits.
    pub fn bound(&self, values: &[i64]) -> Option<Func> {
        let mut func = self.clone();
        let of = |place: usize| values.get(place).copied().unwrap_or(1);
        for data in func.tensors.values_mut() {
            for extent in &mut data.shape {
                *extent = self.symbols.value(*extent, &of)?;
            }
        }
        for (_, value) in &mut func.sizes {
            *value = self.symbols.value(*value, &of)?;
        }
        for (place, symbol) in func.symbols.all.iter_mut().enumerate() {
            symbol.number = of(place);
        }
        Some(func)
    }

    /// The value of a symbolic size of a [bound](Func::bound) function.
    pub(crate) fn symbol_value(&self, place: u32) -> i64 {
        let symbol = self.symbols.all.get(place as usize);
        symbol.map_or(0, |symbol| symbol.number)
    }

    /// Adds an empty block.
    pub fn add_block(&mut self) -> Block {
        self.blocks.push(BlockData::default())
    }

    /// Appends an operation to a block.
    pub fn push(&mut self, block: Block, op: Op, span: Span) -> Inst {
        let inst = self.insts.push(InstData { op, span });
        self.blocks[block].insts.push(inst);
        inst
    }

    /// A new value without a name.
    pub fn add_value(&mut self) -> Value {
        self.values.push(ValueData::default())
    }
}
