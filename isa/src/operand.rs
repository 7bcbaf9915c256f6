//! What an operand is: its width in the instruction word, its text, the registers and memory it names.
//!
//! Every operand type of the table implements [`Operand`]; nothing else about operands is known anywhere. The types live
//! in the files below by subject. Values of registers are looked up through [`Regs`], which the emulator implements on
//! its core and static analyses on what they know. Knows no instruction.

mod addr;
mod bits;
mod conv;
#[macro_use]
mod flags;
mod imm;
mod reg;
mod shape;
mod text;
mod vector;

pub use addr::{Addr, Bt, Fb, Gm, In, InOut, L0a, L0b, L0c, L1, MemRef, Out, Place, Placed, Ub};
pub use bits::{BitReader, BitWriter, Unfit};
pub use conv::ConvKind;
pub use flags::{
    Adj, BitKind, Cond, ElemSize, FixSrc, MemSize, MmadTy, PipeOp, QuantMode, Relu, ScalarConv,
    ScalarMem, ScalarTy, Spr, SquareSize, StoreKind, UnitFlag, VecTy,
};
pub use imm::{BlockGap, ByteGap, CInit, Label, Rep, SImm, UImm, Val, VecScalar, XVal};
pub use reg::{Reg, XIn, XInOut, XOut};
pub use shape::{Burst, St1, St2, St3, StCmp, StMask, StRed, StSel, StSrc};
pub use text::{Cursor, TextCx, TextError, TextErrorKind};
pub(crate) use text::{finish_line, parse_operand, print_operand};
pub use vector::{DeqTy, FmaTy, FuseTy, Half, IndexOrder, MergeEnd, RoundWord, ShiftTy};

use crate::types::Space;
use std::fmt;

/// One operand type of the instruction table.
pub trait Operand: Copy + PartialEq + fmt::Debug + Sized {
    /// Bits it takes in the instruction word.
    const BITS: u32;
    /// Whether it is written as a `.suffix` of the mnemonic.
    const SUFFIX: bool = false;
    /// What it is, for the manual, hovers and fuzzers.
    const KIND: OperandKind;

    /// Appends its bits to the word.
    fn encode(&self, word: &mut BitWriter) -> Result<(), Unfit>;
    /// Takes its bits from the word; `None` if they mean nothing.
    fn decode(word: &mut BitReader) -> Option<Self>;
    /// Writes its text.
    fn print(&self, out: &mut String, cx: TextCx);
    /// Reads its text.
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, TextError>;
    /// Reports the registers, memory and label it names.
    fn visit(&self, _name: &'static str, _visitor: &mut dyn Visitor) {}
    /// A random value that encodes, drawn from `next`.
    fn sample(next: &mut dyn FnMut() -> u64) -> Self;
}

/// Receives what the operands of an instruction name.
pub trait Visitor {
    /// A register whose value is used.
    fn reads(&mut self, _reg: Reg) {}
    /// A register whose value is computed with, and decides nothing else: neither a place nor how much there is to do.
    fn computes_with(&mut self, reg: Reg) {
        self.reads(reg);
    }
    /// A register that is overwritten.
    fn writes(&mut self, _reg: Reg) {}
    /// A place in memory that is read, written or both.
    fn memory(&mut self, _memory: MemRef) {}
    /// A jump target.
    fn label(&mut self, _label: Label) {}
    /// A word of a list that is an operand or a part of one.
    fn word(&mut self, _operand: &'static str, _word: &'static str) {}
}

/// How an instruction uses a place in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dir {
    /// Reads it.
    In,
    /// Writes it.
    Out,
    /// Reads and writes it.
    InOut,
}

impl Dir {
    /// Whether the place is read.
    pub const fn reads(self) -> bool {
        matches!(self, Dir::In | Dir::InOut)
    }

    /// Whether the place is written.
    pub const fn writes(self) -> bool {
        matches!(self, Dir::Out | Dir::InOut)
    }
}

/// What kind of thing an operand is, as data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperandKind {
    /// A register that is read.
    RegIn,
    /// A register that is written.
    RegOut,
    /// A register that is read and written.
    RegInOut,
    /// A register or a signed immediate of 32 bits.
    RegOrSigned,
    /// A register or an unsigned immediate of this many bits.
    RegOrUnsigned(u32),
    /// A register or the bits of a scalar.
    RegOrBits,
    /// An unsigned immediate of this many bits.
    Unsigned(u32),
    /// A signed immediate of this many bits.
    Signed(u32),
    /// A place in memory.
    Memory(Space, Dir),
    /// One word of a list.
    Word(&'static [&'static str]),
    /// Source type, destination type and rounding of a conversion.
    Conversion,
    /// Count and length of bursts.
    Burst,
    /// Strides: the names of the fields.
    Strides(&'static [&'static str]),
    /// The label of an instruction of the same section.
    Label,
}

/// Register values, as far as the asker needs them.
///
/// The emulator answers from its core. A static analysis that does not know a value answers zero and asks
/// [`crate::inst::Inst::registers`] first.
pub trait Regs {
    /// Value of a general register.
    fn reg(&self, reg: Reg) -> u64;
    /// Value of a special register.
    fn spr(&self, spr: Spr) -> u64;
    /// Vector mask or element count in force.
    fn lanes(&self) -> Lanes;
    /// A vector address register, `va0` to `va7`: eight block numbers of 16 bits, the first lowest.
    fn va(&self, _number: u64) -> u128 {
        0
    }
}

/// Which lanes the vector instructions process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lanes {
    /// One bit a lane of a repeat: lanes 0-63 and 64-127; 32-bit types use the low word alone.
    Mask(u64, u64),
    /// So many elements in all; the repeat operand is ignored.
    Count(u64),
}

impl Lanes {
    /// Every lane: the state at launch.
    pub const ALL: Lanes = Lanes::Mask(u64::MAX, u64::MAX);
}

/// Registers as they are at launch: all zero, every lane on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRegs;

impl Regs for NoRegs {
    fn reg(&self, _reg: Reg) -> u64 {
        0
    }

    fn spr(&self, _spr: Spr) -> u64 {
        0
    }

    fn lanes(&self) -> Lanes {
        Lanes::ALL
    }
}
