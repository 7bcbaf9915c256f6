//! The 128-bit instruction word as a stream of fields, lowest bits first.

use std::fmt;

/// Why an operand does not fit its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// The value needs more than this many bits.
    Bits(u32),
    /// There are registers `x0` to `x31` only.
    Register(u8),
    /// A global address is always in a register.
    GlobalImmediate,
    /// The machine has no such conversion.
    Conversion,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unfit::Bits(bits) => write!(f, "the value does not fit {bits} bits"),
            Unfit::Register(reg) => write!(f, "there is no register x{reg}"),
            Unfit::GlobalImmediate => f.write_str("a global address must be in a register"),
            Unfit::Conversion => f.write_str("the machine has no such conversion"),
        }
    }
}

/// Packs fields into a word.
#[derive(Clone, Copy, Debug, Default)]
pub struct BitWriter {
    word: u128,
    used: u32,
}

impl BitWriter {
    /// Appends `bits` bits (at most 64) of `value`.
    pub fn put(&mut self, value: u64, bits: u32) -> Result<(), Unfit> {
        if bits < 64 && value >> bits != 0 {
            return Err(Unfit::Bits(bits));
        }
        debug_assert!(self.used + bits <= 128, "the table's width check holds");
        self.word |= u128::from(value) << self.used;
        self.used += bits;
        Ok(())
    }

    /// Appends `bits` bits of `value` in two's complement.
    pub fn put_signed(&mut self, value: i64, bits: u32) -> Result<(), Unfit> {
        let spare = 64 - bits;
        if (value << spare) >> spare != value {
            return Err(Unfit::Bits(bits));
        }
        self.put((value as u64) << spare >> spare, bits)
    }

    /// The word, little endian.
    pub fn finish(self) -> [u8; 16] {
        self.word.to_le_bytes()
    }
}

/// Takes fields from a word.
#[derive(Clone, Copy, Debug)]
pub struct BitReader {
    word: u128,
}

impl BitReader {
    /// Starts at the lowest bit.
    pub fn new(bytes: &[u8; 16]) -> BitReader {
        BitReader {
            word: u128::from_le_bytes(*bytes),
        }
    }

    /// Takes the next `bits` bits, at most 64.
    pub fn take(&mut self, bits: u32) -> u64 {
        let low = self.word as u64;
        self.word >>= bits;
        if bits < 64 {
            low & ((1 << bits) - 1)
        } else {
            low
        }
    }

    /// Takes the next `bits` bits as a two's complement number.
    pub fn take_signed(&mut self, bits: u32) -> i64 {
        let spare = 64 - bits;
        ((self.take(bits) << spare) as i64) >> spare
    }

    /// Whether nothing but zeros is left.
    pub fn is_exhausted(self) -> bool {
        self.word == 0
    }
}
