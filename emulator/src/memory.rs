//! The local memories of one core: bytes, and for every byte whether a value is there.
//!
//! Knows spaces, sizes and alignment; does not know instructions, pipes or time. The shadow is one word per block of
//! 32 bytes, one bit a byte, because nearly every access covers whole blocks.

use isa::types::Space;

use crate::aligned::Aligned;
use crate::fault::{FaultKind, Stop};

const BLOCK: usize = 32;

/// Whether each byte of a memory holds a value.
#[derive(Clone, Debug)]
pub(crate) struct Shadow {
    /// Empty if nobody asks: then every byte counts as holding one.
    blocks: Vec<u32>,
}

/// The bits of bytes `from..to` of one block.
pub(crate) const fn byte_mask(from: usize, to: usize) -> u32 {
    let upper = if to >= BLOCK { u32::MAX } else { (1 << to) - 1 };
    upper & (u32::MAX << from)
}

/// Calls `visit(block, bits)` for every block that `at..at + len` touches.
pub(crate) fn for_blocks(at: usize, len: usize, mut visit: impl FnMut(usize, u32)) {
    let end = at + len;
    let mut position = at;
    while position < end {
        let block = position / BLOCK;
        let stop = end.min((block + 1) * BLOCK);
        visit(block, byte_mask(position % BLOCK, stop - block * BLOCK));
        position = stop;
    }
}

impl Shadow {
    pub(crate) fn new(bytes: usize) -> Shadow {
        Shadow {
            blocks: vec![0; bytes.div_ceil(BLOCK)],
        }
    }

    /// Whether nobody asks.
    #[inline]
    fn is_off(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Marks bytes as holding a value.
    #[inline]
    pub(crate) fn set(&mut self, at: usize, len: usize) {
        if self.is_off() {
            return;
        }
        if at.is_multiple_of(BLOCK) && len.is_multiple_of(BLOCK) {
            self.blocks[at / BLOCK..(at + len) / BLOCK].fill(u32::MAX);
        } else {
            for_blocks(at, len, |block, bits| self.blocks[block] |= bits);
        }
    }

    /// The first byte of a range without a value.
    pub(crate) fn first_unset(&self, at: usize, len: usize) -> Option<usize> {
        if self.is_off() {
            return None;
        }
        if at.is_multiple_of(BLOCK) && len.is_multiple_of(BLOCK) {
            let first = at / BLOCK;
            let blocks = &self.blocks[first..(at + len) / BLOCK];
            let hole = blocks.iter().position(|&b| b != u32::MAX)?;
            let byte = (!blocks[hole]).trailing_zeros() as usize;
            return Some((first + hole) * BLOCK + byte);
        }
        let mut found = None;
        for_blocks(at, len, |block, bits| {
            let missing = bits & !self.blocks[block];
            if missing != 0 && found.is_none() {
                found = Some(block * BLOCK + missing.trailing_zeros() as usize);
            }
        });
        found
    }

    /// The bits of one whole block.
    pub(crate) fn block(&self, block: usize) -> u32 {
        self.blocks.get(block).copied().unwrap_or(u32::MAX)
    }

    /// Replaces the bits of one whole block.
    pub(crate) fn set_block(&mut self, block: usize, bits: u32) {
        if let Some(known) = self.blocks.get_mut(block) {
            *known = bits;
        }
    }

    /// The bits of up to 32 bytes from any address, the first in bit 0.
    #[inline]
    pub(crate) fn bits(&self, at: usize, len: usize) -> u32 {
        if self.is_off() {
            return byte_mask(0, len);
        }
        let shift = at % BLOCK;
        let low = u64::from(self.blocks[at / BLOCK]);
        let high = match shift + len > BLOCK {
            true => u64::from(self.blocks[at / BLOCK + 1]),
            false => 0,
        };
        (((high << 32 | low) >> shift) as u32) & byte_mask(0, len)
    }

    /// Sets and clears up to 32 bytes from any address after a pattern whose bit 0 is the first.
    #[inline]
    pub(crate) fn put_bits(&mut self, at: usize, len: usize, bits: u32) {
        if self.is_off() {
            return;
        }
        let mut first = 0;
        for_blocks(at, len, |block, mask| {
            let piece = (bits >> first) << mask.trailing_zeros();
            self.blocks[block] = self.blocks[block] & !mask | piece & mask;
            first += mask.count_ones() as usize;
        });
    }
}

/// One local memory.
#[derive(Clone, Debug)]
pub(crate) struct Local {
    pub(crate) space: Space,
    pub(crate) bytes: Aligned<u8>,
    pub(crate) shadow: Shadow,
    /// One past the highest byte written: the peak use of the buffer.
    pub(crate) peak: usize,
}

impl Local {
    /// A memory of zeros without values; whether anybody asks for these is up to the sanitizers.
    pub(crate) fn new(space: Space, size: usize, watched: bool) -> Local {
        Local {
            space,
            bytes: Aligned::new(size),
            shadow: Shadow::new(if watched { size } else { 0 }),
            peak: 0,
        }
    }

    /// Makes it as good as new.
    pub(crate) fn clear(&mut self) {
        let used = self.peak.min(self.bytes.len());
        // Filling nothing is not free; see `hazard`.
        if used > 0 {
            self.bytes[..used].fill(0);
        }
        if !self.shadow.is_off() {
            self.shadow.blocks.fill(0);
        }
        self.peak = 0;
        debug_assert!(
            self.bytes.iter().all(|&byte| byte == 0),
            "the peak is behind every write"
        );
    }

    /// Checks that an access lies inside the buffer, and returns its start as an index.
    #[inline]
    pub(crate) fn inside(
        &self,
        operand: &'static str,
        address: u64,
        bytes: u64,
    ) -> Result<usize, Stop> {
        let end = address.checked_add(bytes);
        match end {
            Some(end) if end <= self.bytes.len() as u64 => Ok(address as usize),
            Some(_) | None => Err(Box::new(FaultKind::OutOfBounds {
                operand,
                space: self.space,
                address,
                bytes,
                nearest: format!("the {} bytes of {}", self.bytes.len(), self.space),
            })),
        }
    }

    /// As [`Local::inside`], for an access that must start at a multiple of `align`.
    #[inline]
    pub(crate) fn aligned(
        &self,
        operand: &'static str,
        address: u64,
        bytes: u64,
        align: u64,
    ) -> Result<usize, Stop> {
        if !address.is_multiple_of(align) {
            return Err(Box::new(FaultKind::Misaligned {
                operand,
                space: self.space,
                address,
                align,
            }));
        }
        self.inside(operand, address, bytes)
    }

    /// Demands a value in every byte of a range that lies inside.
    #[inline]
    pub(crate) fn demand(&self, operand: &'static str, at: usize, len: usize) -> Result<(), Stop> {
        match self.shadow.first_unset(at, len) {
            None => Ok(()),
            Some(address) => Err(self.unset(operand, address)),
        }
    }

    /// The fault of a byte without a value.
    #[cold]
    pub(crate) fn unset(&self, operand: &'static str, address: usize) -> Stop {
        Box::new(FaultKind::Uninitialised {
            operand,
            space: self.space,
            address: address as u64,
        })
    }

    /// Notes that bytes up to `end` are in use.
    #[inline]
    pub(crate) fn touch(&mut self, end: usize) {
        self.peak = self.peak.max(end);
    }
}

/// Copies whole blocks, values and shadow, between two local memories.
pub(crate) fn copy_blocks(from: &Local, at: usize, to: &mut Local, dst: usize, len: usize) {
    to.bytes[dst..dst + len].copy_from_slice(&from.bytes[at..at + len]);
    if to.shadow.is_off() || from.shadow.is_off() {
        to.shadow.set(dst, len);
    } else if at.is_multiple_of(BLOCK) && dst.is_multiple_of(BLOCK) && len.is_multiple_of(BLOCK) {
        let (first, target, count) = (at / BLOCK, dst / BLOCK, len / BLOCK);
        to.shadow.blocks[target..target + count]
            .copy_from_slice(&from.shadow.blocks[first..first + count]);
    } else {
        for piece in (0..len).step_by(BLOCK) {
            let size = BLOCK.min(len - piece);
            let bits = from.shadow.bits(at + piece, size);
            to.shadow.put_bits(dst + piece, size, bits);
        }
    }
    to.touch(dst + len);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shadow_knows_single_bytes_across_blocks() {
        let mut shadow = Shadow::new(128);
        shadow.set(30, 5);
        assert_eq!(shadow.first_unset(30, 5), None);
        assert_eq!(shadow.first_unset(30, 6), Some(35));
        assert_eq!(shadow.bits(29, 7), 0b011_1110);
        shadow.put_bits(62, 4, 0b1001);
        assert_eq!(shadow.first_unset(62, 1), None);
        assert_eq!(shadow.first_unset(62, 4), Some(63));
        assert_eq!(shadow.first_unset(65, 1), None);
    }

    #[test]
    fn bounds_and_alignment_are_checked_without_overflow() {
        let memory = Local::new(Space::Ub, 64, true);
        assert!(memory.inside("a", 32, 32).is_ok());
        assert!(memory.inside("a", 33, 32).is_err());
        assert!(memory.inside("a", u64::MAX, 2).is_err());
        assert!(memory.aligned("a", 16, 8, 32).is_err());
    }
}
