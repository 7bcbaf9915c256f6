//! The vocabulary every crate shares: element types, memory spaces, pipes, core kinds, data layouts.
//!
//! Knows nothing of instructions, compilers or cycles. Names are DaVinci's (davinci-facts §1, §2, §4).

use std::fmt;

/// Element type of a tensor, buffer or operand.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Elem {
    /// IEEE binary32.
    F32,
    /// IEEE binary16.
    F16,
    /// bfloat16: the upper half of a binary32.
    Bf16,
    /// 64-bit signed integer.
    I64,
    /// 32-bit signed integer (`s32` on the machine).
    I32,
    /// 16-bit signed integer.
    I16,
    /// 8-bit signed integer.
    I8,
    /// 8-bit unsigned integer.
    U8,
    /// Truth value: one byte, 0 or 1, in global memory; one bit a lane in a vector mask.
    Bool,
}

impl Elem {
    /// Every element type, in declaration order.
    pub const ALL: [Elem; 9] = [
        Elem::F32,
        Elem::F16,
        Elem::Bf16,
        Elem::I64,
        Elem::I32,
        Elem::I16,
        Elem::I8,
        Elem::U8,
        Elem::Bool,
    ];

    /// Size of one element in global memory, in bytes.
    pub const fn bytes(self) -> u64 {
        match self {
            Elem::I64 => 8,
            Elem::F32 | Elem::I32 => 4,
            Elem::F16 | Elem::Bf16 | Elem::I16 => 2,
            Elem::I8 | Elem::U8 | Elem::Bool => 1,
        }
    }

    /// Whether arithmetic on it is floating point.
    pub const fn is_float(self) -> bool {
        matches!(self, Elem::F32 | Elem::F16 | Elem::Bf16)
    }

    /// Whether arithmetic on it is integer (bool is neither).
    pub const fn is_int(self) -> bool {
        matches!(
            self,
            Elem::I64 | Elem::I32 | Elem::I16 | Elem::I8 | Elem::U8
        )
    }

    /// The language's name: `f32`, `bf16`, `i8`, `bool`.
    pub const fn name(self) -> &'static str {
        match self {
            Elem::F32 => "f32",
            Elem::F16 => "f16",
            Elem::Bf16 => "bf16",
            Elem::I64 => "i64",
            Elem::I32 => "i32",
            Elem::I16 => "i16",
            Elem::I8 => "i8",
            Elem::U8 => "u8",
            Elem::Bool => "bool",
        }
    }

    /// The element type of that name, if there is one.
    pub fn from_name(name: &str) -> Option<Elem> {
        Elem::ALL.into_iter().find(|e| e.name() == name)
    }
}

impl fmt::Display for Elem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A memory space of a core, or global memory.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Space {
    /// Global memory, shared by all cores through L2.
    Gm,
    /// L1 buffer of a cube core.
    L1,
    /// Left operand buffer of the cube, layout zZ.
    L0a,
    /// Right operand buffer of the cube, layout nZ.
    L0b,
    /// Accumulator buffer of the cube, layout NZ.
    L0c,
    /// Unified buffer of a vector core.
    Ub,
    /// Bias table.
    Bt,
    /// Fixpipe parameter buffer.
    Fb,
}

impl Space {
    /// Every space, in declaration order.
    pub const ALL: [Space; 8] = [
        Space::Gm,
        Space::L1,
        Space::L0a,
        Space::L0b,
        Space::L0c,
        Space::Ub,
        Space::Bt,
        Space::Fb,
    ];

    /// Lower-case name as written in every textual form.
    pub const fn name(self) -> &'static str {
        match self {
            Space::Gm => "gm",
            Space::L1 => "l1",
            Space::L0a => "l0a",
            Space::L0b => "l0b",
            Space::L0c => "l0c",
            Space::Ub => "ub",
            Space::Bt => "bt",
            Space::Fb => "fb",
        }
    }

    /// The space of that name, if there is one.
    pub fn from_name(name: &str) -> Option<Space> {
        Space::ALL.into_iter().find(|s| s.name() == name)
    }
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An execution pipe: an in-order queue of a core (davinci-facts §2.1).
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pipe {
    /// Scalar unit: control flow, dispatch to all queues.
    S,
    /// Vector unit.
    V,
    /// Cube unit.
    M,
    /// L1 → L0A, L0B, bias table.
    Mte1,
    /// Global memory → on chip.
    Mte2,
    /// On chip → global memory.
    Mte3,
    /// Fixpipe: L0C → global memory or L1.
    Fix,
}

impl Pipe {
    /// Every pipe, in declaration order.
    pub const ALL: [Pipe; 7] = [
        Pipe::S,
        Pipe::V,
        Pipe::M,
        Pipe::Mte1,
        Pipe::Mte2,
        Pipe::Mte3,
        Pipe::Fix,
    ];

    /// Position in [`Pipe::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Lower-case name as written in assembly.
    pub const fn name(self) -> &'static str {
        match self {
            Pipe::S => "s",
            Pipe::V => "v",
            Pipe::M => "m",
            Pipe::Mte1 => "mte1",
            Pipe::Mte2 => "mte2",
            Pipe::Mte3 => "mte3",
            Pipe::Fix => "fix",
        }
    }

    /// The pipe of that name, if there is one.
    pub fn from_name(name: &str) -> Option<Pipe> {
        Pipe::ALL.into_iter().find(|p| p.name() == name)
    }
}

impl fmt::Display for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The two kinds of core of a split chip.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CoreKind {
    /// AIC: scalar, MTE1, MTE2, MTE3, M, FIX.
    Cube,
    /// AIV: scalar, MTE2, MTE3, V.
    Vector,
}

impl CoreKind {
    /// Name as written in the tile form and reports.
    pub const fn name(self) -> &'static str {
        match self {
            CoreKind::Cube => "cube",
            CoreKind::Vector => "vector",
        }
    }
}

/// Order of a matrix in a buffer (davinci-facts §4); names are case-significant.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layout {
    /// Plain row-major.
    Nd,
    /// Fractals column-major, row-major inside: what `nd2nz` writes in L1 and what L0C holds.
    NZ,
    /// Fractals row-major, row-major inside: L0A.
    ZZ,
    /// Fractals row-major over (K1, N1), column-major inside: L0B.
    NZn,
}

impl Layout {
    /// Name as written in the tile form: `ND`, `NZ`, `zZ`, `nZ`.
    pub const fn name(self) -> &'static str {
        match self {
            Layout::Nd => "ND",
            Layout::NZ => "NZ",
            Layout::ZZ => "zZ",
            Layout::NZn => "nZ",
        }
    }

    /// The layout of that name, if there is one.
    pub fn from_name(name: &str) -> Option<Layout> {
        [Layout::Nd, Layout::NZ, Layout::ZZ, Layout::NZn]
            .into_iter()
            .find(|l| l.name() == name)
    }
}

/// Added to an address of global memory, it names the same byte by way past L2: what is read comes from L2 if it is there,
/// and is not kept in it. A2 and A3 have such a second mapping (`SetL2CacheHint` of Ascend C, `rtGetL2CacheOffset` of the
/// runtime, `CachePolicy.NONE_CACHEABLE` of PyPTO, whose documentation advises it for what is read once and beside large
/// results); that it lies at this bit, which no memory reaches, we choose. Copies know it; to a scalar load or store, and in
/// any other memory, it is a bit of an address like the others.
pub const PAST_L2: u64 = 1 << 47;

/// Bytes of one fractal of L0A, L0B and L1: 16 rows of 32 bytes (davinci-facts §4).
pub const FRACTAL_BYTES: u64 = 512;
/// Bytes of one block: the unit of UB and L1 addresses and of vector strides.
pub const BLOCK_BYTES: u64 = 32;
/// Bytes one repeat of a vector instruction covers: 8 blocks.
pub const REPEAT_BYTES: u64 = 256;
