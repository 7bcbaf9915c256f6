//! Places in memory: which space, which address, read or written.

use super::imm::{put_register, take_register};
use super::{
    BitReader, BitWriter, Cursor, Dir, Operand, OperandKind, Reg, Regs, TextCx, TextError,
    TextErrorKind, Unfit, Visitor,
};
use crate::types::{PAST_L2, Space};
use std::fmt::Write as _;
use std::marker::PhantomData;

/// A byte address: in a register or known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addr {
    /// In a register.
    Reg(Reg),
    /// The address itself; not for global memory.
    Imm(u32),
}

impl Addr {
    /// The address in a memory of the core, where every bit counts.
    #[inline]
    pub fn get(self, regs: &(impl Regs + ?Sized)) -> u64 {
        match self {
            Addr::Reg(reg) => regs.reg(reg),
            Addr::Imm(at) => u64::from(at),
        }
    }

    /// The address in that memory, whichever way it is reached.
    #[inline]
    pub fn get_in(self, space: Space, regs: &(impl Regs + ?Sized)) -> u64 {
        match space {
            Space::Gm => self.get(regs) & !PAST_L2,
            Space::L1
            | Space::L0a
            | Space::L0b
            | Space::L0c
            | Space::Ub
            | Space::Bt
            | Space::Fb => self.get(regs),
        }
    }

    /// Whether the way to global memory goes past L2.
    pub fn is_past_l2(self, regs: &(impl Regs + ?Sized)) -> bool {
        match self {
            Addr::Reg(reg) => regs.reg(reg) & PAST_L2 != 0,
            Addr::Imm(_) => false,
        }
    }
}

/// A memory operand of an instruction, whatever its type was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemRef {
    /// Name of the operand in its row.
    pub operand: &'static str,
    /// Which memory.
    pub space: Space,
    /// Read, written or both.
    pub dir: Dir,
    /// Where it starts.
    pub at: Addr,
}

/// An operand that names a place in one memory.
pub trait Placed {
    /// Which memory.
    const SPACE: Space;
    /// Where it starts.
    fn start(&self) -> Addr;
}

/// A memory space as a type.
pub trait Place: Copy + PartialEq + std::fmt::Debug + 'static {
    /// The space.
    const SPACE: Space;
    /// Bits of an immediate address; zero means registers only.
    const WIDTH: u32;
}

macro_rules! places {
    ($($(#[$doc:meta])* $name:ident $space:ident $width:literal;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            pub struct $name;

            impl Place for $name {
                const SPACE: Space = Space::$space;
                const WIDTH: u32 = $width;
            }
        )*
    };
}

places! {
    /// Global memory: always through a register.
    Gm Gm 0;
    /// L1 buffer.
    L1 L1 19;
    /// Left operand buffer.
    L0a L0a 16;
    /// Right operand buffer.
    L0b L0b 16;
    /// Accumulator buffer.
    L0c L0c 17;
    /// Unified buffer.
    Ub Ub 18;
    /// Bias table.
    Bt Bt 10;
    /// Fixpipe parameter buffer.
    Fb Fb 13;
}

/// A place that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct In<S> {
    /// Where it starts.
    pub at: Addr,
    space: PhantomData<S>,
}

/// A place that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Out<S> {
    /// Where it starts.
    pub at: Addr,
    space: PhantomData<S>,
}

/// A place that is read and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InOut<S> {
    /// Where it starts.
    pub at: Addr,
    space: PhantomData<S>,
}

macro_rules! accesses {
    ($($name:ident)*) => {
        $(
            impl<S: Place> $name<S> {
                /// The place at an address.
                pub const fn at(at: Addr) -> Self {
                    $name { at, space: PhantomData }
                }

                /// The place at a known address.
                pub const fn imm(at: u32) -> Self {
                    Self::at(Addr::Imm(at))
                }

                /// The place whose address a register holds.
                pub const fn reg(reg: Reg) -> Self {
                    Self::at(Addr::Reg(reg))
                }
            }

            impl<S: Place> Placed for $name<S> {
                const SPACE: Space = S::SPACE;

                fn start(&self) -> Addr {
                    self.at
                }
            }

            impl<S: Place> Operand for $name<S> {
                const BITS: u32 = field_bits(S::WIDTH);
                const KIND: OperandKind = OperandKind::Memory(S::SPACE, Dir::$name);

                fn encode(&self, word: &mut BitWriter) -> Result<(), Unfit> {
                    encode(self.at, S::WIDTH, word)
                }

                fn decode(word: &mut BitReader) -> Option<Self> {
                    decode(S::WIDTH, word).map(Self::at)
                }

                fn print(&self, out: &mut String, _cx: TextCx) {
                    print(S::SPACE, self.at, out);
                }

                fn parse(cursor: &mut Cursor<'_>) -> Result<Self, TextError> {
                    parse(S::SPACE, S::WIDTH, cursor).map(Self::at)
                }

                fn visit(&self, name: &'static str, visitor: &mut dyn Visitor) {
                    if let Addr::Reg(reg) = self.at {
                        visitor.reads(reg);
                    }
                    visitor.memory(MemRef { operand: name, space: S::SPACE, dir: Dir::$name, at: self.at });
                }

                fn sample(next: &mut dyn FnMut() -> u64) -> Self {
                    Self::at(sample(S::WIDTH, next))
                }
            }
        )*
    };
}

accesses! { In Out InOut }

/// A flag and an immediate, or a register number alone.
const fn field_bits(width: u32) -> u32 {
    if width == 0 { Reg::BITS } else { 1 + width }
}

fn encode(at: Addr, width: u32, word: &mut BitWriter) -> Result<(), Unfit> {
    match at {
        Addr::Reg(reg) if width == 0 => reg.put(word),
        Addr::Reg(reg) => put_register(word, reg, width),
        Addr::Imm(_) if width == 0 => Err(Unfit::GlobalImmediate),
        Addr::Imm(at) => {
            word.put(0, 1)?;
            word.put(u64::from(at), width)
        }
    }
}

fn decode(width: u32, word: &mut BitReader) -> Option<Addr> {
    if width == 0 {
        return Some(Addr::Reg(Reg::take(word)));
    }
    if word.take(1) == 1 {
        return take_register(word, width).map(Addr::Reg);
    }
    Some(Addr::Imm(word.take(width) as u32))
}

fn print(space: Space, at: Addr, out: &mut String) {
    let _ = match at {
        Addr::Reg(reg) => write!(out, "{space}+{reg}"),
        Addr::Imm(at) => write!(out, "{space}+{at:#x}"),
    };
}

fn parse(space: Space, width: u32, cursor: &mut Cursor<'_>) -> Result<Addr, TextError> {
    let (word, span) = cursor.word();
    if word != space.name() {
        return Err(TextError::new(
            TextErrorKind::Expected(expected_place(space)),
            span,
        ));
    }
    cursor.expect('+', "`+` and an address")?;
    if width == 0 || cursor.at_register() {
        return Reg::parse_word(cursor).map(Addr::Reg);
    }
    Ok(Addr::Imm(cursor.number(0, (1 << width) - 1)? as u32))
}

const fn expected_place(space: Space) -> &'static str {
    match space {
        Space::Gm => "a place in global memory, `gm+x…`",
        Space::L1 => "a place in L1, `l1+…`",
        Space::L0a => "a place in L0A, `l0a+…`",
        Space::L0b => "a place in L0B, `l0b+…`",
        Space::L0c => "a place in L0C, `l0c+…`",
        Space::Ub => "a place in UB, `ub+…`",
        Space::Bt => "a place in the bias table, `bt+…`",
        Space::Fb => "a place in the fixpipe buffer, `fb+…`",
    }
}

fn sample(width: u32, next: &mut dyn FnMut() -> u64) -> Addr {
    if width == 0 || next().is_multiple_of(4) {
        return Addr::Reg(Reg::draw(next));
    }
    Addr::Imm((next() >> (64 - width)) as u32)
}
