//! One bit for each byte of a memory: whether it holds a value. Knows nothing else.

const BLOCK: u32 = 32;

/// The bytes of a memory that hold a value, 32 in a word.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Bits {
    words: Vec<u32>,
}

/// The bits of bytes `from..to` of one block.
pub(crate) const fn mask(from: u32, to: u32) -> u32 {
    let upper = if to >= BLOCK { u32::MAX } else { (1 << to) - 1 };
    upper & (u32::MAX << from)
}

/// Calls `visit(block, bits)` for each block that `start..end` touches.
fn each(start: u32, end: u32, mut visit: impl FnMut(usize, u32)) {
    let mut at = start;
    while at < end {
        let block = at / BLOCK;
        let stop = end.min((block + 1) * BLOCK);
        visit(block as usize, mask(at % BLOCK, stop - block * BLOCK));
        at = stop;
    }
}

impl Bits {
    pub(crate) fn new(bytes: u64) -> Bits {
        Bits {
            words: vec![0; bytes.div_ceil(u64::from(BLOCK)) as usize],
        }
    }

    pub(crate) fn clear(&mut self) {
        self.words.fill(0);
    }

    /// Says of a range whether it holds values.
    pub(crate) fn put(&mut self, start: u32, end: u32, set: bool) {
        if start.is_multiple_of(BLOCK) && end.is_multiple_of(BLOCK) {
            let words = &mut self.words[(start / BLOCK) as usize..(end / BLOCK) as usize];
            words.fill(if set { u32::MAX } else { 0 });
            return;
        }
        each(start, end, |block, bits| match set {
            true => self.words[block] |= bits,
            false => self.words[block] &= !bits,
        });
    }

    /// The first byte of a range without a value.
    pub(crate) fn hole(&self, start: u32, end: u32) -> Option<u32> {
        if start.is_multiple_of(BLOCK) && end.is_multiple_of(BLOCK) {
            let first = (start / BLOCK) as usize;
            let words = &self.words[first..(end / BLOCK) as usize];
            let at = words.iter().position(|&word| word != u32::MAX)?;
            return Some((first + at) as u32 * BLOCK + (!words[at]).trailing_zeros());
        }
        let mut found = None;
        each(start, end, |block, bits| {
            let missing = bits & !self.words[block];
            if missing != 0 && found.is_none() {
                found = Some(block as u32 * BLOCK + missing.trailing_zeros());
            }
        });
        found
    }

    /// Whether one byte holds a value.
    pub(crate) fn at(&self, byte: u32) -> bool {
        let word = self.words.get((byte / BLOCK) as usize);
        word.is_some_and(|word| word >> (byte % BLOCK) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_found_across_blocks() {
        let mut bits = Bits::new(128);
        bits.put(30, 70, true);
        assert_eq!(bits.hole(30, 70), None);
        assert_eq!(bits.hole(32, 96), Some(70));
        bits.put(40, 41, false);
        assert_eq!(bits.hole(30, 70), Some(40));
        assert!(bits.at(41) && !bits.at(40));
    }
}
