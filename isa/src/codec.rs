//! The instruction word: opcode in the low 8 bits, operands packed behind it in row order, zeros above.
//!
//! The encoding is ours (we choose): 128-bit words, little endian, fields with the documented semantics and limits
//! (davinci-facts §3.1). A decoder refuses what no encoder writes, so that a word has one meaning and one text.

use crate::inst::Opcode;
use crate::operand::{BitReader, BitWriter, Operand, Unfit};
use std::fmt;

/// Bytes of an instruction word.
pub const WORD_BYTES: usize = 16;

/// Why an instruction has no word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodeError {
    /// Name of the operand.
    pub operand: &'static str,
    /// What is wrong with it.
    pub why: Unfit,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "operand `{}`: {}", self.operand, self.why)
    }
}

impl std::error::Error for EncodeError {}

/// Why a word is no instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// No instruction has this opcode.
    Opcode(u8),
    /// The bits of an operand mean nothing.
    Operand(Opcode, &'static str),
    /// Bits that must be zero are not.
    Reserved(Opcode),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::Opcode(code) => write!(f, "no instruction has opcode {code:#04x}"),
            DecodeError::Operand(opcode, name) => {
                write!(
                    f,
                    "the bits of operand `{name}` of `{}` mean nothing",
                    opcode.mnemonic()
                )
            }
            DecodeError::Reserved(opcode) => {
                write!(f, "reserved bits of `{}` are not zero", opcode.mnemonic())
            }
        }
    }
}

impl std::error::Error for DecodeError {}

pub(crate) fn start_word(opcode: Opcode) -> BitWriter {
    let mut word = BitWriter::default();
    let fits = word.put(opcode as u64, 8);
    debug_assert!(fits.is_ok(), "an opcode has 8 bits");
    word
}

pub(crate) fn put_operand<T: Operand>(
    operand: &T,
    name: &'static str,
    word: &mut BitWriter,
) -> Result<(), EncodeError> {
    operand
        .encode(word)
        .map_err(|why| EncodeError { operand: name, why })
}

pub(crate) fn open_word(bytes: &[u8; 16]) -> Result<(Opcode, BitReader), DecodeError> {
    let mut word = BitReader::new(bytes);
    let code = word.take(8) as u8;
    let opcode = Opcode::from_code(code).ok_or(DecodeError::Opcode(code))?;
    Ok((opcode, word))
}

pub(crate) fn take_operand<T: Operand>(
    opcode: Opcode,
    name: &'static str,
    word: &mut BitReader,
) -> Result<T, DecodeError> {
    T::decode(word).ok_or(DecodeError::Operand(opcode, name))
}

pub(crate) fn finish_word(opcode: Opcode, word: BitReader) -> Result<(), DecodeError> {
    if word.is_exhausted() {
        Ok(())
    } else {
        Err(DecodeError::Reserved(opcode))
    }
}
