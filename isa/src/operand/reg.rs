//! General registers X0 to X31 of 64 bits.

use super::{
    BitReader, BitWriter, Cursor, Operand, OperandKind, TextCx, TextError, TextErrorKind, Unfit,
    Visitor,
};
use std::fmt::{self, Write as _};

/// A general register, 0 to 31.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reg(pub u8);

impl Reg {
    /// How many there are.
    pub const COUNT: usize = 32;
    /// Bits of a register number.
    pub(crate) const BITS: u32 = 5;

    /// Position in a register file.
    pub const fn index(self) -> usize {
        (self.0 & 31) as usize
    }

    pub(crate) fn put(self, word: &mut BitWriter) -> Result<(), Unfit> {
        word.put(u64::from(self.0), Reg::BITS)
            .map_err(|_| Unfit::Register(self.0))
    }

    pub(crate) fn take(word: &mut BitReader) -> Reg {
        Reg(word.take(Reg::BITS) as u8)
    }

    pub(crate) fn parse_word(cursor: &mut Cursor<'_>) -> Result<Reg, TextError> {
        let (word, span) = cursor.word();
        Reg::from_name(word).ok_or(TextError::new(
            TextErrorKind::Expected("a register `x0` to `x31`"),
            span,
        ))
    }

    /// The register of that name, if there is one; leading zeros are not a name.
    pub fn from_name(name: &str) -> Option<Reg> {
        let digits = name.strip_prefix('x')?;
        let canonical = digits == "0"
            || (!digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit()));
        let number: u8 = digits.parse().ok()?;
        (canonical && number < 32).then_some(Reg(number))
    }

    pub(crate) fn draw(next: &mut dyn FnMut() -> u64) -> Reg {
        Reg((next() % 32) as u8)
    }
}

impl fmt::Display for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "x{}", self.0)
    }
}

/// A register that the instruction writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct XOut(pub Reg);

/// A register that the instruction reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct XIn(pub Reg);

/// A register that the instruction reads and then writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct XInOut(pub Reg);

impl Operand for XInOut {
    const BITS: u32 = Reg::BITS;
    const KIND: OperandKind = OperandKind::RegInOut;

    fn encode(&self, word: &mut BitWriter) -> Result<(), Unfit> {
        self.0.put(word)
    }

    fn decode(word: &mut BitReader) -> Option<XInOut> {
        Some(XInOut(Reg::take(word)))
    }

    fn print(&self, out: &mut String, _cx: TextCx) {
        let _ = write!(out, "{}", self.0);
    }

    fn parse(cursor: &mut Cursor<'_>) -> Result<XInOut, TextError> {
        Reg::parse_word(cursor).map(XInOut)
    }

    fn visit(&self, _name: &'static str, visitor: &mut dyn Visitor) {
        visitor.reads(self.0);
        visitor.writes(self.0);
    }

    fn sample(next: &mut dyn FnMut() -> u64) -> XInOut {
        XInOut(Reg::draw(next))
    }
}

impl Operand for XOut {
    const BITS: u32 = Reg::BITS;
    const KIND: OperandKind = OperandKind::RegOut;

    fn encode(&self, word: &mut BitWriter) -> Result<(), Unfit> {
        self.0.put(word)
    }

    fn decode(word: &mut BitReader) -> Option<XOut> {
        Some(XOut(Reg::take(word)))
    }

    fn print(&self, out: &mut String, _cx: TextCx) {
        let _ = write!(out, "{}", self.0);
    }

    fn parse(cursor: &mut Cursor<'_>) -> Result<XOut, TextError> {
        Reg::parse_word(cursor).map(XOut)
    }

    fn visit(&self, _name: &'static str, visitor: &mut dyn Visitor) {
        visitor.writes(self.0);
    }

    fn sample(next: &mut dyn FnMut() -> u64) -> XOut {
        XOut(Reg::draw(next))
    }
}

impl Operand for XIn {
    const BITS: u32 = Reg::BITS;
    const KIND: OperandKind = OperandKind::RegIn;

    fn encode(&self, word: &mut BitWriter) -> Result<(), Unfit> {
        self.0.put(word)
    }

    fn decode(word: &mut BitReader) -> Option<XIn> {
        Some(XIn(Reg::take(word)))
    }

    fn print(&self, out: &mut String, _cx: TextCx) {
        let _ = write!(out, "{}", self.0);
    }

    fn parse(cursor: &mut Cursor<'_>) -> Result<XIn, TextError> {
        Reg::parse_word(cursor).map(XIn)
    }

    fn visit(&self, _name: &'static str, visitor: &mut dyn Visitor) {
        visitor.reads(self.0);
    }

    fn sample(next: &mut dyn FnMut() -> u64) -> XIn {
        XIn(Reg::draw(next))
    }
}
