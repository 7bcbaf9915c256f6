//! Immediates, and operands that are a register or an immediate.

use super::{
    BitReader, BitWriter, Cursor, Operand, OperandKind, Reg, Regs, TextCx, TextError,
    TextErrorKind, Unfit, Visitor,
};
use std::fmt::Write as _;

/// A register or a signed 32-bit immediate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XVal {
    /// The value of a register.
    Reg(Reg),
    /// The value itself, sign-extended.
    Imm(i32),
}

impl XVal {
    /// The 64-bit value.
    pub fn get(self, regs: &(impl Regs + ?Sized)) -> i64 {
        match self {
            XVal::Reg(reg) => regs.reg(reg) as i64,
            XVal::Imm(value) => i64::from(value),
        }
    }
}

impl Operand for XVal {
    const BITS: u32 = 33;
    const KIND: OperandKind = OperandKind::RegOrSigned;

    fn encode(&self, word: &mut BitWriter) -> Result<(), Unfit> {
        match *self {
            XVal::Reg(reg) => put_register(word, reg, 32),
            XVal::Imm(value) => {
                word.put(0, 1)?;
                word.put_signed(i64::from(value), 32)
            }
        }
    }

    fn decode(word: &mut BitReader) -> Option<XVal> {
        if word.take(1) == 1 {
            return take_register(word, 32).map(XVal::Reg);
        }
        Some(XVal::Imm(word.take_signed(32) as i32))
    }

    fn print(&self, out: &mut String, _cx: TextCx) {
        let _ = match self {
            XVal::Reg(reg) => write!(out, "{reg}"),
            XVal::Imm(value) => write!(out, "{value}"),
        };
    }

    fn parse(cursor: &mut Cursor<'_>) -> Result<XVal, TextError> {
        if cursor.at_register() {
            return Reg::parse_word(cursor).map(XVal::Reg);
        }
        let value = cursor.number(i128::from(i32::MIN), i128::from(i32::MAX))?;
        Ok(XVal::Imm(value as i32))
    }

    fn visit(&self, _name: &'static str, visitor: &mut dyn Visitor) {
        if let XVal::Reg(reg) = self {
            visitor.reads(*reg);
        }
    }

    fn sample(next: &mut dyn FnMut() -> u64) -> XVal {
        if next().is_multiple_of(2) {
            XVal::Reg(Reg::draw(next))
        } else {
            XVal::Imm(next() as i32)
        }
    }
}

/// A register or an unsigned immediate of `N` bits; a register may hold more, up to the limit of the field it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Val<const N: u32> {
    /// The value of a register.
    Reg(Reg),
    /// The value itself.
    Imm(u32),
}

/// Repeat count of a vector instruction or fractal load, 0 to 255.
pub type Rep = Val<8>;
/// Gap in bytes between bursts in global memory.
pub type ByteGap = Val<32>;
/// Gap in blocks of 32 B between bursts on chip.
pub type BlockGap = Val<16>;
/// Start of an accumulation: 0 onto L0C, 1 from zero, 2 from the bias table.
pub type CInit = Val<2>;

impl<const N: u32> Val<N> {
    /// Bits behind the flag that tells a register from an immediate.
    const FIELD: u32 = if N < Reg::BITS { Reg::BITS } else { N };
    /// Largest immediate.
    pub const MAX: u32 = if N >= 32 { u32::MAX } else { (1 << N) - 1 };

    /// The value.
    pub fn get(self, regs: &(impl Regs + ?Sized)) -> u64 {
        match self {
            Val::Reg(reg) => regs.reg(reg),
            Val::Imm(value) => u64::from(value),
        }
    }

    /// The immediate, if it is one.
    pub const fn imm(self) -> Option<u32> {
        match self {
            Val::Reg(_) => None,
            Val::Imm(value) => Some(value),
        }
    }
}

impl<const N: u32> Operand for Val<N> {
    const BITS: u32 = 1 + Self::FIELD;
    const KIND: OperandKind = OperandKind::RegOrUnsigned(N);

    fn encode(&self, word: &mut BitWriter) -> Result<(), Unfit> {
        match *self {
            Val::Reg(reg) => put_register(word, reg, Self::FIELD),
            Val::Imm(value) if value > Self::MAX => Err(Unfit::Bits(N)),
            Val::Imm(value) => {
                word.put(0, 1)?;
                word.put(u64::from(value), Self::FIELD)
            }
        }
    }

    fn decode(word: &mut BitReader) -> Option<Self> {
        if word.take(1) == 1 {
            return take_register(word, Self::FIELD).map(Val::Reg);
        }
        let value = word.take(Self::FIELD) as u32;
        (value <= Self::MAX).then_some(Val::Imm(value))
    }

    fn print(&self, out: &mut String, _cx: TextCx) {
        let _ = match self {
            Val::Reg(reg) => write!(out, "{reg}"),
            Val::Imm(value) => write!(out, "{value}"),
        };
    }

    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, TextError> {
        if cursor.at_register() {
            return Reg::parse_word(cursor).map(Val::Reg);
        }
        Ok(Val::Imm(cursor.number(0, i128::from(Self::MAX))? as u32))
    }

    fn visit(&self, _name: &'static str, visitor: &mut dyn Visitor) {
        if let Val::Reg(reg) = self {
            visitor.reads(*reg);
        }
    }

    fn sample(next: &mut dyn FnMut() -> u64) -> Self {
        if next().is_multiple_of(4) {
            Val::Reg(Reg::draw(next))
        } else {
            Val::Imm(next() as u32 & Self::MAX)
        }
    }
}

/// An unsigned immediate of `N` bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UImm<const N: u32>(pub u64);

/// A signed immediate of `N` bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SImm<const N: u32>(pub i64);

impl<const N: u32> Operand for UImm<N> {
    const BITS: u32 = N;
    const KIND: OperandKind = OperandKind::Unsigned(N);

    fn encode(&self, word: &mut BitWriter) -> Result<(), Unfit> {
        word.put(self.0, N)
    }

    fn decode(word: &mut BitReader) -> Option<Self> {
        Some(UImm(word.take(N)))
    }

    fn print(&self, out: &mut String, _cx: TextCx) {
        let _ = write!(out, "{}", self.0);
    }

    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, TextError> {
        Ok(UImm(cursor.number(0, (1 << N) - 1)? as u64))
    }

    fn sample(next: &mut dyn FnMut() -> u64) -> Self {
        UImm(next() >> (64 - N))
    }
}

impl<const N: u32> Operand for SImm<N> {
    const BITS: u32 = N;
    const KIND: OperandKind = OperandKind::Signed(N);

    fn encode(&self, word: &mut BitWriter) -> Result<(), Unfit> {
        word.put_signed(self.0, N)
    }

    fn decode(word: &mut BitReader) -> Option<Self> {
        Some(SImm(word.take_signed(N)))
    }

    fn print(&self, out: &mut String, _cx: TextCx) {
        let _ = write!(out, "{}", self.0);
    }

    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, TextError> {
        let half = 1_i128 << (N - 1);
        Ok(SImm(cursor.number(-half, half - 1)? as i64))
    }

    fn sample(next: &mut dyn FnMut() -> u64) -> Self {
        SImm((next() as i64) >> (64 - N))
    }
}

/// The scalar of a vector instruction: the low bits, as many as a lane has, of a register or of an immediate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VecScalar {
    /// The low bits of a register.
    Reg(Reg),
    /// The bits themselves.
    Imm(u32),
}

impl VecScalar {
    /// The bits; a 16-bit lane uses the low half.
    pub fn get(self, regs: &(impl Regs + ?Sized)) -> u32 {
        match self {
            VecScalar::Reg(reg) => regs.reg(reg) as u32,
            VecScalar::Imm(bits) => bits,
        }
    }
}

impl Operand for VecScalar {
    const BITS: u32 = 33;
    const KIND: OperandKind = OperandKind::RegOrBits;

    fn encode(&self, word: &mut BitWriter) -> Result<(), Unfit> {
        match *self {
            VecScalar::Reg(reg) => put_register(word, reg, 32),
            VecScalar::Imm(bits) => {
                word.put(0, 1)?;
                word.put(u64::from(bits), 32)
            }
        }
    }

    fn decode(word: &mut BitReader) -> Option<VecScalar> {
        if word.take(1) == 1 {
            return take_register(word, 32).map(VecScalar::Reg);
        }
        Some(VecScalar::Imm(word.take(32) as u32))
    }

    fn print(&self, out: &mut String, _cx: TextCx) {
        let _ = match self {
            VecScalar::Reg(reg) => write!(out, "{reg}"),
            VecScalar::Imm(bits) => write!(out, "{bits:#x}"),
        };
    }

    fn parse(cursor: &mut Cursor<'_>) -> Result<VecScalar, TextError> {
        if cursor.at_register() {
            return Reg::parse_word(cursor).map(VecScalar::Reg);
        }
        Ok(VecScalar::Imm(
            cursor.number(0, i128::from(u32::MAX))? as u32
        ))
    }

    fn visit(&self, _name: &'static str, visitor: &mut dyn Visitor) {
        if let VecScalar::Reg(reg) = self {
            visitor.computes_with(*reg);
        }
    }

    fn sample(next: &mut dyn FnMut() -> u64) -> VecScalar {
        if next().is_multiple_of(2) {
            VecScalar::Reg(Reg::draw(next))
        } else {
            VecScalar::Imm(next() as u32)
        }
    }
}

/// An instruction of the same section, by index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(pub u32);

impl Operand for Label {
    const BITS: u32 = 24;
    const KIND: OperandKind = OperandKind::Label;

    fn encode(&self, word: &mut BitWriter) -> Result<(), Unfit> {
        word.put(u64::from(self.0), 24)
    }

    fn decode(word: &mut BitReader) -> Option<Label> {
        Some(Label(word.take(24) as u32))
    }

    fn print(&self, out: &mut String, cx: TextCx) {
        let named = cx.labels.is_some_and(|last| self.0 <= last);
        let _ = write!(out, "{}{}", if named { 'L' } else { '@' }, self.0);
    }

    fn parse(cursor: &mut Cursor<'_>) -> Result<Label, TextError> {
        if cursor.eat('@') {
            return Ok(Label(cursor.number(0, (1 << 24) - 1)? as u32));
        }
        let (name, span) = cursor.word();
        if name.is_empty() {
            return Err(TextError::new(TextErrorKind::Expected("a label"), span));
        }
        let unknown = TextErrorKind::UnknownLabel(name.to_owned());
        cursor
            .label(name)
            .map(Label)
            .ok_or(TextError::new(unknown, span))
    }

    fn visit(&self, _name: &'static str, visitor: &mut dyn Visitor) {
        visitor.label(*self);
    }

    fn sample(next: &mut dyn FnMut() -> u64) -> Label {
        Label(next() as u32 >> 8)
    }
}

/// Flag 1 and a register number in a field of `bits` bits.
pub(super) fn put_register(word: &mut BitWriter, reg: Reg, bits: u32) -> Result<(), Unfit> {
    word.put(1, 1)?;
    reg.put(word)?;
    word.put(0, bits - Reg::BITS)
}

/// A register number from a field of `bits` bits whose flag has been taken.
pub(super) fn take_register(word: &mut BitReader, bits: u32) -> Option<Reg> {
    let reg = Reg::take(word);
    (word.take(bits - Reg::BITS) == 0).then_some(reg)
}
